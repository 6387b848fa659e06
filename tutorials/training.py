"""The training loop of the lessons: minibatch descent with early stopping.

Training watches the error on the validation set, which the gradient never sees. As long as that error keeps falling
training goes on; when it has not fallen for long enough, training stops. *Long enough* is a *patience*, counted in
minibatches, that every real improvement extends.

References
----------
.. [1] L. Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998.
.. [2] Y. Bengio, "Practical recommendations for gradient-based training of deep architectures", arXiv:1206.5533, 2012.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

import numpy as np

if TYPE_CHECKING:
    from symgraph import SharedVariable

__all__ = ["BestModel", "EarlyStopping", "Minibatches", "Outcome", "Program", "Save", "progress", "train"]


@dataclass(frozen=True)
class Program:
    """What a lesson compiles: functions of a minibatch's index, and the parameters that `step` changes.

    `step` trains on one minibatch and returns its cost; the other two return the share of a minibatch that is
    classified wrongly, between 0 and 1.
    """

    step: Callable[[int], object]
    validation_error: Callable[[int], float]
    test_error: Callable[[int], float]
    parameters: Mapping[str, SharedVariable]

    def values(self) -> dict[str, np.ndarray]:
        """Return copies of the parameters' present values, by name."""
        return {name: parameter.get_value() for name, parameter in self.parameters.items()}


@dataclass
class EarlyStopping:
    """When to stop.

    Parameters
    ----------
    patience : int
        Train on at least this many minibatches.
    improvement_threshold : float
        An error counts as improved when it is below this share of the best one before.
    patience_increase : int
        An improvement at minibatch *k* extends the patience to *k* times this.

    Examples
    --------
    >>> stopping = EarlyStopping(patience=10)
    >>> stopping.is_best(0.5, minibatch=8), stopping.patience
    (True, 16)
    >>> stopping.is_best(0.499, minibatch=12), stopping.patience   # better, but not by half a percent
    (True, 16)
    >>> stopping.is_exhausted(minibatch=15), stopping.is_exhausted(minibatch=16)
    (False, True)
    """

    patience: int = 5000
    improvement_threshold: float = 0.995
    patience_increase: int = 2
    best: float = math.inf

    def is_best(self, error: float, minibatch: int) -> bool:
        """Take note of a validation error after training on minibatch number `minibatch`; is it the lowest yet?"""
        if error >= self.best:
            return False
        if error < self.best * self.improvement_threshold:
            self.patience = max(self.patience, minibatch * self.patience_increase)
        self.best = error
        return True

    def is_exhausted(self, minibatch: int) -> bool:
        """Has the patience run out at minibatch number `minibatch`?"""
        return self.patience <= minibatch


@dataclass
class Outcome:
    """How training went. Errors are shares between 0 and 1, infinite before the first validation."""

    epochs: int = 0
    best_epoch: int = 0
    best_validation_error: float = math.inf
    test_error: float = math.inf
    seconds: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True)
class Minibatches:
    """How many whole minibatches each part of the data holds; what is left over at the end is not used."""

    train: int
    validation: int
    test: int


#: What is done with the parameters each time they are the best so far.
Save = Callable[[dict[str, np.ndarray], Outcome], None]


@dataclass
class BestModel:
    """The best model of a training run: it is saved as soon as it is found.

    Parameters
    ----------
    stopping : EarlyStopping
        What tells whether a model is the best so far.
    save : callable
        Called with the parameters and the errors of each that is.
    stream : text file
        Where lines for a person go.
    """

    stopping: EarlyStopping
    save: Save
    stream: TextIO
    outcome: Outcome = field(default_factory=Outcome)

    def validate(self, step: int, error: float, test_error: Callable[[], float],
                 values: Callable[[], dict[str, np.ndarray]]) -> None:
        """Take note of a validation error; if it is the lowest yet, measure the test error too and save the model."""
        if not self.stopping.is_best(error, step):
            return
        best = Outcome(
            epochs=self.outcome.epochs,
            best_epoch=self.outcome.epochs,
            best_validation_error=error,
            test_error=test_error(),
        )
        self.save(values(), best)
        self.outcome = best
        self.tell(
            f"epoch {best.epochs:4d}: best so far, validation error {100 * error:6.3f} %, "
            f"test error {100 * best.test_error:6.3f} %"
        )

    def tell(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=self.stream)
        self.stream.flush()


def train(
    program: Program,
    minibatches: Minibatches,
    stopping: EarlyStopping,
    epochs: int,
    save: Save,
    stream: TextIO = sys.stdout,
) -> Outcome:
    """Train until the patience runs out, `epochs` have passed or the user presses Ctrl-C.

    Parameters
    ----------
    program : Program
        The compiled functions and the parameters.
    minibatches : Minibatches
        How many minibatches there are to train, validate and test on.
    stopping : EarlyStopping
        When to stop; changed as training goes on.
    epochs : int
        Passes over the training data at most.
    save : callable
        Called with the parameters and the errors each time the validation error is the lowest yet.
    stream : text file
        Where lines for a person go; the progress bar goes to standard error, if that is a terminal.

    Returns
    -------
    Outcome
        The errors of the best model, which is the one `save` saw last.
    """
    best = BestModel(stopping, save, stream)
    every = min(minibatches.train, stopping.patience // 2)
    started = time.perf_counter()
    interrupted = False
    try:
        with progress(epochs * minibatches.train, stopping, "minibatches") as advance:
            for minibatch in range(epochs * minibatches.train):
                epoch, index = divmod(minibatch, minibatches.train)
                best.outcome.epochs = epoch + 1
                program.step(index)
                if (minibatch + 1) % every == 0:
                    error = _mean_error(program.validation_error, minibatches.validation)
                    best.validate(minibatch, error, lambda: _mean_error(program.test_error, minibatches.test),
                                  program.values)
                advance(best.outcome)
                if stopping.is_exhausted(minibatch):
                    break
    except KeyboardInterrupt:
        interrupted = True
    best.outcome.seconds = time.perf_counter() - started
    best.outcome.interrupted = interrupted
    return best.outcome


def _mean_error(error: Callable[[int], float], minibatches: int) -> float:
    return float(np.mean([error(index) for index in range(minibatches)]))


@contextmanager
def progress(most: int, stopping: EarlyStopping, unit: str) -> Iterator[Callable[[Outcome], None]]:
    """A bar over steps that ends where the patience does, and grows with it; nothing if not a terminal."""
    from tqdm import tqdm

    with tqdm(total=min(most, stopping.patience + 1), unit=f" {unit}", disable=None, leave=False) as bar:

        def advance(outcome: Outcome) -> None:
            if not bar.disable:
                bar.total = min(most, stopping.patience + 1)
                best = f"best validation error {100 * outcome.best_validation_error:.3f} %"
                bar.set_postfix_str(f"epoch {outcome.epochs}, {best}", refresh=False)
                bar.update()

        yield advance
