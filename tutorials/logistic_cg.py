"""Logistic regression by conjugate gradients: a symbolic program that an optimiser of SciPy calls.

The model is that of `tutorials.logistic_regression`. There, each minibatch gave a small step down the slope. Here one
step looks at all examples, and goes as far as it pays along a direction chosen well: the slope, corrected so that it
does not undo what the steps before have reached [1]_. Such steps are few and dear, and nobody chooses a learning rate.

SciPy minimises functions of one vector, so the weights and the biases are parts of one: ``theta``. What SciPy asks for
are functions of that vector, and each is one call of `symgraph.function`::

    the cost and its slope       sg.grad(cost, theta)
    curvature along v            sg.hessian_vector_product(cost, theta, v), for Newton's method (``--method Newton-CG``)

The last is the product of a matrix of 7,850 rows and columns with a vector. The matrix is never made: the product takes
about the time of two slopes [2]_.

Optimisers work in double precision. The products with the images, which take nearly all the time, are in single
precision; sums over the examples are not, since a step is judged by small differences of the cost.

Run it with::

    python -m tutorials.logistic_cg                                    # MNIST where it is found, else 8x8 digits
    python -m tutorials.logistic_cg --method Newton-CG --epochs 7      # fewer steps, each of them dearer
    python -m tutorials.logistic_cg predict                            # use what was learned

On MNIST conjugate gradients stop by themselves after 194 steps; the best model, of step 97, has a validation error of
6.84 % and a test error of 7.53 %. Newton's method reaches 7.13 % and 7.57 % in 7 steps; later ones take minutes each.

References
----------
.. [1] J. Nocedal and S. Wright, "Numerical Optimization", 2006, chapters 5 and 7.
.. [2] B. A. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.datasets import Dataset
from tutorials.command_line import Lesson
from tutorials.command_line import main as run
from tutorials.flags import compiling, count
from tutorials.logistic_regression import classify, negative_log_likelihood, shared_split
from tutorials.training import BestModel, EarlyStopping, Outcome, Save, progress

__all__ = ["METHODS", "ConjugateGradients", "Functions", "main", "write_functions"]

METHODS = ("CG", "Newton-CG", "L-BFGS-B")
PATIENCE = 20


@dataclass(frozen=True)
class Functions:
    """What SciPy and early stopping call, all of them with the parameters as one vector.

    Attributes
    ----------
    cost_and_slope : callable
        The cost on all examples to train on, and its derivatives by the parameters.
    curvature : callable
        Of the parameters and a vector: the matrix of second derivatives times the vector.
    validation_error, test_error : callable
        The share of examples that is classified wrongly.
    parts : callable
        The weights and the biases in the vector, by name.
    size : int
        How long the vector is.
    """

    cost_and_slope: Callable[[np.ndarray], Sequence[Any]]
    curvature: Callable[[np.ndarray, np.ndarray], np.ndarray]
    validation_error: Callable[[np.ndarray], float]
    test_error: Callable[[np.ndarray], float]
    parts: Callable[[np.ndarray], dict[str, np.ndarray]]
    size: int


def write_functions(dataset: Dataset) -> Functions:
    """Write down logistic regression on `dataset` as functions of one vector, and compile them."""
    pixels, classes = dataset.train.x.shape[1], dataset.n_classes

    x = T.fmatrix("x")
    y = T.ivector("y")
    theta = T.dvector("theta")  # all parameters, one after the other
    v = T.dvector("v")

    W = theta[: pixels * classes].reshape((pixels, classes))
    b = theta[pixels * classes:]
    scores = T.cast(T.dot(x, T.cast(W, "float32")), "float64") + b
    p = T.nnet.softmax(scores)
    cost = negative_log_likelihood(p, y)
    error = T.mean(T.neq(T.argmax(p, axis=1), y))
    slope = sg.grad(cost, theta)
    curvature = sg.hessian_vector_product(cost, theta, v)

    train, valid, test = (
        dict(zip((x, y), shared_split(split), strict=True)) for split in (dataset.train, dataset.valid, dataset.test)
    )
    return Functions(
        cost_and_slope=sg.function([theta], [cost, slope], givens=train),
        curvature=sg.function([theta, v], curvature, givens=train),
        validation_error=sg.function([theta], error, givens=valid),
        test_error=sg.function([theta], error, givens=test),
        parts=lambda value: {
            "W": value[: pixels * classes].reshape(pixels, classes).astype("float32"),
            "b": value[pixels * classes:].astype("float32"),
        },
        size=(pixels + 1) * classes,
    )


@dataclass(frozen=True)
class ConjugateGradients:
    """Minimisation by `scipy.optimize.minimize`, with early stopping: each iteration counts as an epoch.

    Attributes
    ----------
    patience : int
        How many iterations there are at least, unless the minimum is found before.
    """

    patience: int = PATIENCE

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags of this way to learn."""
        add = parser.add_argument
        add("--epochs", type=count, default=200, metavar="N", help="iterations of the optimiser at most (%(default)s)")
        add("--method", choices=METHODS, default=METHODS[0], help="SciPy's name of the optimiser (%(default)s)")

    def train(self, dataset: Dataset, options: argparse.Namespace, save: Save, stream: TextIO) -> Outcome:
        """Train on a data set as the flags say."""
        sizes = [len(split.y) for split in (dataset.train, dataset.valid, dataset.test)]
        print(f"{dataset.name}: {sizes[0]} examples to train on, {sizes[1]} to validate, {sizes[2]} to test; "
              f"{options.method}; device {sg.config.device}", file=stream, flush=True)
        with compiling():
            functions = write_functions(dataset)
        best = BestModel(EarlyStopping(patience=self.patience), save, stream)
        started = time.perf_counter()
        interrupted = False
        try:
            best.tell(_minimize(functions, options.method, options.epochs, best))
        except KeyboardInterrupt:
            interrupted = True
        best.outcome.seconds = time.perf_counter() - started
        best.outcome.interrupted = interrupted
        return best.outcome


def _minimize(functions: Functions, method: str, iterations: int, best: BestModel) -> str:
    """Minimise the cost from zeros; say how that went."""
    from scipy import optimize

    minimize: Any = optimize.minimize  # its stubs know no method by a variable
    calls = 0

    def cost_and_slope(theta: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal calls
        calls += 1
        cost, slope = functions.cost_and_slope(theta)
        return float(cost), slope

    with progress(iterations, best.stopping, "iterations") as advance:

        def after_iteration(theta: np.ndarray) -> None:
            best.outcome.epochs += 1
            step = best.outcome.epochs
            best.validate(step, float(functions.validation_error(theta)), lambda: float(functions.test_error(theta)),
                          lambda: functions.parts(theta))
            advance(best.outcome)
            if best.stopping.is_exhausted(step):
                raise StopIteration

        found = minimize(
            cost_and_slope, np.zeros(functions.size), jac=True, method=method, callback=after_iteration,
            hessp=functions.curvature if method == "Newton-CG" else None, options={"maxiter": iterations},
        )
    return f"cost {found.fun:.6f} after {best.outcome.epochs} iterations, which asked {calls} times for the cost"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see ``--help``."""
    lesson = Lesson(
        name="logistic_cg",
        purpose="Learn handwritten digits with logistic regression, by conjugate gradients with early stopping.",
        method=ConjugateGradients(),
        classify=classify,
        parameters=("W", "b"),
        pictures=lambda learned: (learned["W"], map(str, range(learned["W"].shape[1]))),
    )
    return run(lesson, arguments)


if __name__ == "__main__":
    sys.exit(main())
