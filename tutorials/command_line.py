"""The command line that the lessons share: flags, checks, training or predicting, and what is told to whom.

Lines for a person go to standard output, the progress bar to standard error. With ``--json`` all of that goes to
standard error, and standard output holds exactly one line of JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

import symgraph as sg
from symgraph.datasets import Dataset, DatasetError, load_mnist
from tutorials.flags import UsageError, seed
from tutorials.saving import ModelError, draw_weights, load_model, prepare_directory, save_model
from tutorials.training import Outcome, Save

__all__ = ["Lesson", "Method", "main"]

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


class Method(Protocol):
    """A way to learn, with flags of its own."""

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags of this way to learn; `--epochs` is one."""

    def train(self, dataset: Dataset, options: argparse.Namespace, save: Save, stream: TextIO) -> Outcome:
        """Train on a data set as the flags say, calling `save` with the best parameters so far."""


@dataclass(frozen=True)
class Lesson:
    """What a lesson gives its command line.

    Attributes
    ----------
    name : str
        The module's name, which is also the default folder of its results, in ``runs``.
    purpose : str
        One line for ``--help``.
    method : Method
        How it learns.
    classify : callable
        Predicts the labels of images with saved parameters.
    parameters : tuple of str
        The saved parameters' names; the first has a row for each pixel.
    pictures : callable
        From the saved parameters, the weights to draw, an image a column, and the images' titles.
    """

    name: str
    purpose: str
    method: Method
    classify: Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]
    parameters: tuple[str, ...]
    pictures: Callable[[Mapping[str, np.ndarray]], tuple[np.ndarray, Iterable[str]]]


def main(lesson: Lesson, arguments: Sequence[str] | None = None) -> int:
    """Run a lesson's command line and return its exit status: 0, 2 for a mistake in its use, 130 after Ctrl-C."""
    parser = _parser(lesson)
    options = parser.parse_intermixed_args(arguments)
    stream = sys.stderr if options.json else sys.stdout
    work = _predict if options.command == "predict" else _train
    try:
        with _device(options.device):
            report, status = work(lesson, options, stream)
    except (UsageError, ModelError, DatasetError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(INTERRUPTED, f"{parser.prog}: stopped; nothing was saved\n")
    if options.json:
        print(json.dumps(report))
    return status


def _train(lesson: Lesson, options: argparse.Namespace, stream: TextIO) -> tuple[dict[str, Any], int]:
    _require_packages("tqdm", "matplotlib")
    directory, model, picture = _results(lesson, options)
    try:
        prepare_directory(directory)
    except OSError as error:
        raise UsageError(f"--out {directory}: cannot write there: {error.strerror or error}") from None
    dataset = _load(options.data)
    best: dict[str, np.ndarray] = {}

    def save(values: dict[str, np.ndarray], _: Outcome) -> None:
        save_model(model, values)
        best.update(values)

    try:
        outcome = lesson.method.train(dataset, options, save, stream)
        if best:
            draw_weights(picture, *lesson.pictures(best))
    except OSError as error:
        raise UsageError(f"--out {directory}: writing failed: {error}") from None
    _tell_outcome(outcome, model, picture, stream)
    return _report(outcome, dataset), INTERRUPTED if outcome.interrupted else 0


def _tell_outcome(outcome: Outcome, model: Path, picture: Path, stream: TextIO) -> None:
    ended = "interrupted" if outcome.interrupted else "finished"
    print(f"{ended} in epoch {outcome.epochs} after {outcome.seconds:.1f} s", file=stream)
    if not outcome.best_epoch:
        print("nothing was saved: training ended before the first validation", file=stream)
        return
    print(
        f"best model, of epoch {outcome.best_epoch}: validation error {100 * outcome.best_validation_error:.3f} %, "
        f"test error {100 * outcome.test_error:.3f} %\nsaved in {model}, drawn in {picture}",
        file=stream,
    )


def _report(outcome: Outcome, dataset: Dataset) -> dict[str, Any]:
    def percent(share: float) -> float | None:
        return round(100 * share, 6) if math.isfinite(share) else None  # JSON has no infinity

    return {
        "best_validation_error": percent(outcome.best_validation_error),
        "test_error": percent(outcome.test_error),
        "epochs": outcome.epochs,
        "best_epoch": outcome.best_epoch,
        "seconds": round(outcome.seconds, 3),
        "dataset": dataset.name,
        "device": sg.config.device,
        "interrupted": outcome.interrupted,
    }


def _predict(lesson: Lesson, options: argparse.Namespace, stream: TextIO) -> tuple[dict[str, Any], int]:
    model = options.weights or _results(lesson, options)[1]
    parameters = load_model(model, lesson.parameters)
    dataset = _load(options.data)
    images, labels = dataset.test
    if parameters[lesson.parameters[0]].shape[:1] != images.shape[1:]:
        raise UsageError(
            f"{model} was trained on images of {len(parameters[lesson.parameters[0]])} pixels, "
            f"but those of {dataset.name} have {images.shape[1]}"
        )
    predicted = lesson.classify(parameters, images)
    wrong = float(np.mean(predicted != labels))
    print(f"the first ten images of the test set of {dataset.name}", file=stream)
    print("predicted:", *predicted[:10], file=stream)
    print("true:     ", *labels[:10], file=stream)
    print(f"{100 * wrong:.3f} % of all {len(labels)} predicted wrongly", file=stream)
    report = {
        "predicted": predicted.tolist(),
        "test_error": round(100 * wrong, 6),
        "dataset": dataset.name,
        "device": sg.config.device,
    }
    return report, 0


def _results(lesson: Lesson, options: argparse.Namespace) -> tuple[Path, Path, Path]:
    """The folder of the results, the model's file in it, and the picture's."""
    directory = options.out or Path("runs") / lesson.name
    return directory, directory / "model.npz", directory / "weights.png"


def _load(data: str | None) -> Dataset:
    """Load the images divided by the number of their grey levels: 256, as in the published file, not 255."""
    if data == "digits":
        return load_mnist(source="digits", normalize="levels")
    return load_mnist(data, normalize="levels")  # which says by itself when it falls back to the digits


@contextmanager
def _device(name: str | None) -> Iterator[None]:
    with sg.config.change_flags(device=name or sg.config.device):
        yield


def _require_packages(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"this lesson needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def _parser(lesson: Lesson) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m tutorials.{lesson.name}", description=lesson.purpose)
    add = parser.add_argument
    add("command", nargs="?", choices=("train", "predict"), default="train",
        help="train a model (the default), or predict the test set with a saved one")
    lesson.method.add_flags(parser)
    add("--data", metavar="PATH", help="where MNIST is, or `digits` for scikit-learn's (found, if not given)")
    add("--device", choices=("cpu", "cuda", "emulated"), help=f"where to compute ({sg.config.device})")
    add("--seed", type=seed, default=1234, metavar="N",
        help="seed of the initial weights, where they are drawn (%(default)s)")
    add("--out", type=Path, metavar="DIR", help=f"folder of the model and the picture (runs/{lesson.name})")
    add("--weights", type=Path, metavar="FILE", help="the saved model to predict with (model.npz in the --out folder)")
    add("--json", action="store_true", help="end with one JSON line on standard output")
    return parser
