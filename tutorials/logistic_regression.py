"""Logistic regression: recognising handwritten digits with one matrix.

An image is a row of pixels ``x``. The model gives each of the ten digits a score that is linear in the pixels, and
turns the scores into probabilities::

    p(digit | x) = softmax(x W + b)

What is to be learned are the weights ``W``, one column of pixels for each digit, and the biases ``b``. Good ones make
the labels we know probable, so training descends the *negative log-likelihood*, the mean of ``-log p(label | x)``.

This file holds the whole symbolic program. It never computes anything itself: it says what the probabilities, the cost
and the changes of ``W`` and ``b`` *are*, and `symgraph.function` turns that into functions that compute them. No
derivative is written down; `symgraph.grad` finds it by the chain rule.

Run it with::

    python -m tutorials.logistic_regression             # train; MNIST where it is found, else 8x8 digits
    python -m tutorials.logistic_regression predict     # use what was learned

On MNIST with the default flags it stops by itself after 74 epochs with a validation error of 7.500 % and a test error
of 7.490 %, the figures published for this experiment [1]_. The weights start at zero and the minibatches come in the
order of the file, so that every run gives the same figures, whatever the seed.

References
----------
.. [1] "Classifying MNIST digits using Logistic Regression", Deep Learning Tutorials, LISA lab, University of Montreal.
.. [2] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.datasets import Dataset, Split
from tutorials.command_line import Lesson
from tutorials.command_line import main as run
from tutorials.descent import MinibatchDescent
from tutorials.training import Program

__all__ = ["classify", "main", "minibatch", "negative_log_likelihood", "shared_split", "write_program"]


def write_program(dataset: Dataset, batch_size: int, learning_rate: float, seed: int = 0) -> Program:
    """Write down logistic regression on `dataset` and compile it; `seed` is not used, for the weights start at zero."""
    pixels, classes = dataset.train.x.shape[1], dataset.n_classes

    # The symbols: an image a row, its label, and the number of a minibatch. They have types, and no values.
    x = T.fmatrix("x")
    y = T.ivector("y")
    index = T.lscalar("index")

    # The parameters: symbols too, but each owns a value, which updates can change.
    W = sg.shared(np.zeros((pixels, classes), dtype="float32"), name="W", borrow=True)
    b = sg.shared(np.zeros(classes, dtype="float32"), name="b", borrow=True)

    # The model, the cost that training lowers, and the error that people care about.
    p = T.nnet.softmax(T.dot(x, W) + b)
    cost = negative_log_likelihood(p, y)
    error = T.mean(T.neq(T.argmax(p, axis=1), y))

    # One step down the slope of the cost.
    slope_W, slope_b = sg.grad(cost, [W, b])
    updates = [(W, W - learning_rate * slope_W), (b, b - learning_rate * slope_b)]

    # The data are shared variables as well, so that they are where the computing is done. A function is called with the
    # index of a minibatch; `givens` puts that slice of the data in the place of `x` and `y`.
    def examples(split: Split) -> dict[T.TensorVariable, T.TensorVariable]:
        return dict(zip((x, y), minibatch(shared_split(split), index, batch_size), strict=True))

    return Program(
        step=sg.function([index], cost, updates=updates, givens=examples(dataset.train)),
        validation_error=sg.function([index], error, givens=examples(dataset.valid)),
        test_error=sg.function([index], error, givens=examples(dataset.test)),
        parameters={"W": W, "b": b},
    )


def negative_log_likelihood(p: T.TensorVariable, y: T.TensorVariable) -> T.TensorVariable:
    """Return the mean of ``-log p`` of the right labels.

    Parameters
    ----------
    p : matrix (examples, classes)
        Probabilities.
    y : integer vector (examples,)
        The right labels.

    Notes
    -----
    Row *n* of ``log(p)`` is indexed with label *n*. Where `p` is a softmax, compiling turns this into a form that keeps
    its precision however small the probability: no logarithm of zero is ever taken.
    """
    return -T.mean(T.log(p)[T.arange(y.shape[0]), y])


def shared_split(split: Split) -> tuple[T.TensorVariable, T.TensorVariable]:
    """Put images (float32) and labels (int32) into shared variables, without a copy where they have these types."""
    images = sg.shared(np.asarray(split.x, dtype="float32"), name="images", borrow=True)
    labels = sg.shared(np.asarray(split.y, dtype="int32"), name="labels", borrow=True)
    return images, labels


def minibatch(
    data: tuple[T.TensorVariable, T.TensorVariable], index: T.TensorVariable, batch_size: int
) -> tuple[T.TensorVariable, T.TensorVariable]:
    """Return minibatch number `index` of the images and of the labels."""
    images, labels = data
    chosen = slice(index * batch_size, (index + 1) * batch_size)
    return images[chosen], labels[chosen]


def classify(parameters: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the most probable digit of each of `images`, one a row, by the `parameters` ``W`` and ``b``."""
    x = T.fmatrix("x")
    p = T.nnet.softmax(T.dot(x, sg.shared(parameters["W"], name="W")) + sg.shared(parameters["b"], name="b"))
    predict = sg.function([x], T.argmax(p, axis=1))
    return np.asarray(predict(images))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see ``--help``."""
    lesson = Lesson(
        name="logistic_regression",
        purpose="Learn handwritten digits with logistic regression, by minibatch descent with early stopping.",
        method=MinibatchDescent(write_program, batch_size=600, learning_rate=0.13, patience=5000),
        classify=classify,
        parameters=("W", "b"),
        pictures=lambda learned: (learned["W"], map(str, range(learned["W"].shape[1]))),
    )
    return run(lesson, arguments)


if __name__ == "__main__":
    sys.exit(main())
