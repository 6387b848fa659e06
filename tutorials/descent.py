"""Minibatch descent as a lesson's way to learn: its flags, and how the data are cut into minibatches."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

import symgraph as sg
from symgraph.datasets import Dataset
from tutorials.flags import UsageError, compiling, count, rate
from tutorials.training import EarlyStopping, Minibatches, Outcome, Program, Save, train

__all__ = ["MinibatchDescent"]

SMALL_BATCH = 20


@dataclass(frozen=True)
class MinibatchDescent:
    """Descent along the gradient of one minibatch after the other, with early stopping.

    Attributes
    ----------
    write_program : callable
        Makes the `Program` that trains on ``dataset, batch_size, learning_rate, seed``.
    batch_size, learning_rate, patience
        The defaults on a data set of MNIST's size; the patience is in minibatches.
    """

    write_program: Callable[[Dataset, int, float, int], Program]
    batch_size: int
    learning_rate: float
    patience: int

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags of this way to learn."""
        add = parser.add_argument
        add("--epochs", type=count, default=1000, metavar="N", help="passes over the data at most (%(default)s)")
        add("--batch-size", type=count, metavar="N",
            help=f"examples a minibatch ({self.batch_size}; {min(self.batch_size, SMALL_BATCH)} on small data sets)")
        add("--learning-rate", type=rate, default=self.learning_rate, metavar="R", help="step size (%(default)s)")

    def train(self, dataset: Dataset, options: argparse.Namespace, save: Save, stream: TextIO) -> Outcome:
        """Train on a data set as the flags say.

        Raises
        ------
        UsageError
            When a flag cannot be followed.
        """
        batch_size = options.batch_size or _default_batch_size(dataset, self.batch_size)
        minibatches = _minibatches(dataset, batch_size)
        print(
            f"{dataset.name}: {minibatches.train} minibatches of {batch_size} to train on, {minibatches.validation} to "
            f"validate, {minibatches.test} to test; learning rate {options.learning_rate:g}; "
            f"device {sg.config.device}",
            file=stream,
            flush=True,
        )
        with compiling():
            program = self.write_program(dataset, batch_size, options.learning_rate, options.seed)
        return train(program, minibatches, EarlyStopping(patience=self.patience), options.epochs, save, stream)


def _default_batch_size(dataset: Dataset, usual: int) -> int:
    """The lesson's usual size where the smallest part of the data holds ten such minibatches, else a small one."""
    smallest = min(len(split.y) for split in (dataset.train, dataset.valid, dataset.test))
    return usual if smallest >= 10 * usual else min(usual, SMALL_BATCH)


def _minibatches(dataset: Dataset, batch_size: int) -> Minibatches:
    sizes = {name: len(getattr(dataset, name).y) for name in ("train", "valid", "test")}
    name, smallest = min(sizes.items(), key=lambda item: item[1])
    if batch_size > smallest:
        raise UsageError(
            f"--batch-size {batch_size} is more than the {smallest} examples in the {name} part of {dataset.name}; "
            f"give {smallest} or less"
        )
    return Minibatches(*(size // batch_size for size in sizes.values()))
