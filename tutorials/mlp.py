"""A multilayer perceptron: recognising handwritten digits with one hidden layer.

Logistic regression can only weigh pixels. Here 500 hidden units come first, each a weighing of the pixels squashed by
``tanh``, and logistic regression works on what they say::

    h             = tanh(x W_hidden + b_hidden)
    p(digit | x)  = softmax(h W + b)

Two things differ from `tutorials.logistic_regression`:

- All hidden units would stay alike for ever if they started alike. Their weights are drawn at random instead,
  uniformly between ``-r`` and ``r`` with ``r = sqrt(6 / (fan_in + fan_out))``, which keeps signals and gradients of
  about the same size on both sides of the layer [1]_. The ten digits differ by their labels already, so the weights
  above the hidden units start at zero.
- With 400,000 weights one can learn the training images by heart. A penalty on the weights, added to the cost, makes
  small weights win: ``L1`` times the sum of their sizes (here 0), and ``L2`` times the sum of their squares.

The gradient of this deeper program is still one line: the chain rule does not care how deep it is.

Run it with::

    python -m tutorials.mlp                # train; MNIST where it is found, else 8x8 digits
    python -m tutorials.mlp predict        # use what was learned

References
----------
.. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
   AISTATS 2010.
.. [2] "Multilayer Perceptron", Deep Learning Tutorials, LISA lab, University of Montreal: 1.65 % test error.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.datasets import Dataset, Split
from tutorials.command_line import Lesson
from tutorials.command_line import main as run
from tutorials.descent import MinibatchDescent
from tutorials.logistic_regression import minibatch, negative_log_likelihood, shared_split
from tutorials.training import Program

__all__ = ["classify", "initial_parameters", "main", "write_program"]

HIDDEN = 500
L1, L2 = 0.0, 1e-4


def write_program(dataset: Dataset, batch_size: int, learning_rate: float, seed: int = 1234) -> Program:
    """Write down the perceptron on `dataset` and compile it; `seed` draws the initial weights of the hidden layer."""
    x = T.fmatrix("x")
    y = T.ivector("y")
    index = T.lscalar("index")

    first = initial_parameters(dataset.train.x.shape[1], HIDDEN, dataset.n_classes, seed)
    parameters = {name: sg.shared(value, name=name, borrow=True) for name, value in first.items()}

    p = probabilities(x, parameters)
    weights = [parameters["W_hidden"], parameters["W"]]
    sizes = sum(T.sum(abs(W)) for W in weights)
    squares = sum(T.sum(W**2) for W in weights)
    cost = negative_log_likelihood(p, y) + L1 * sizes + L2 * squares
    error = T.mean(T.neq(T.argmax(p, axis=1), y))

    slopes = sg.grad(cost, list(parameters.values()))
    updates = [
        (parameter, parameter - learning_rate * slope)
        for parameter, slope in zip(parameters.values(), slopes, strict=True)
    ]

    def examples(split: Split) -> dict[T.TensorVariable, T.TensorVariable]:
        return dict(zip((x, y), minibatch(shared_split(split), index, batch_size), strict=True))

    return Program(
        step=sg.function([index], cost, updates=updates, givens=examples(dataset.train)),
        validation_error=sg.function([index], error, givens=examples(dataset.valid)),
        test_error=sg.function([index], error, givens=examples(dataset.test)),
        parameters=parameters,
    )


def initial_parameters(pixels: int, hidden: int, classes: int, seed: int) -> dict[str, np.ndarray]:
    """Return the parameters before training: random weights in the hidden layer, zeros elsewhere.

    Examples
    --------
    >>> first = initial_parameters(784, 500, 10, seed=1234)
    >>> first["W_hidden"].shape, bool(abs(first["W_hidden"]).max() <= (6 / 1284) ** 0.5)
    ((784, 500), True)
    """
    reach = math.sqrt(6 / (pixels + hidden))
    drawn = np.random.RandomState(seed).uniform(-reach, reach, (pixels, hidden))
    return {
        "W_hidden": np.asarray(drawn, dtype="float32"),
        "b_hidden": np.zeros(hidden, dtype="float32"),
        "W": np.zeros((hidden, classes), dtype="float32"),
        "b": np.zeros(classes, dtype="float32"),
    }


def probabilities(x: T.TensorVariable, parameters: Mapping[str, T.TensorVariable]) -> T.TensorVariable:
    """Return the probabilities of the digits, a row for each image in `x`."""
    h = T.tanh(T.dot(x, parameters["W_hidden"]) + parameters["b_hidden"])
    return T.nnet.softmax(T.dot(h, parameters["W"]) + parameters["b"])


def classify(parameters: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the most probable digit of each of `images`, one a row, by saved `parameters`."""
    x = T.fmatrix("x")
    p = probabilities(x, {name: sg.shared(value, name=name) for name, value in parameters.items()})
    predict = sg.function([x], T.argmax(p, axis=1))
    return np.asarray(predict(images))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see ``--help``."""
    lesson = Lesson(
        name="mlp",
        purpose="Learn handwritten digits with a multilayer perceptron, by minibatch descent with early stopping.",
        method=MinibatchDescent(write_program, batch_size=20, learning_rate=0.01, patience=10_000),
        classify=classify,
        parameters=("W_hidden", "b_hidden", "W", "b"),
        pictures=lambda learned: (learned["W_hidden"][:, :100], ()),
    )
    return run(lesson, arguments)


if __name__ == "__main__":
    sys.exit(main())
