"""Logistic regression: our training step against two hand-written NumPy twins, and what surrounds it.

Four questions, on generated data of MNIST's shape, so that no file is needed:

1. How long does one training step take, beside the same step written by hand? (`benchmarks.numpy_twins`)
2. How long do building the program, compiling it and calling it the first time take, in a fresh process?
3. What does a call cost by itself: a compiled ``x + 1`` of one element, with and without ``trust_input``?
4. How much longer than ``import numpy`` does ``import symgraph`` take, in fresh processes?

Run it with::

    python -m benchmarks.logistic_regression [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from benchmarks.numpy_twins import ClassMajor, Floats, Labels, Plain, Tuned, Twin
from benchmarks.timing import Timing, environment, fresh_processes, interleaved, ratio, table

__all__ = [
    "build",
    "generated_digits",
    "main",
    "measure_calls",
    "measure_compilation",
    "measure_imports",
    "measure_step",
    "print_compilation",
]

PIXELS, CLASSES = 784, 10
BATCH_SIZE, LEARNING_RATE = 600, 0.13

Step = Callable[[int], object]
Parameters = Callable[[], tuple[Floats, Floats]]


def generated_digits(examples: int, seed: int = 1234) -> tuple[Floats, Labels]:
    """Return images and labels shaped like MNIST's: four pixels in five are exactly zero, the others below one."""
    random = np.random.default_rng(seed)
    images = random.random((examples, PIXELS), dtype=np.float32)
    images[random.random((examples, PIXELS), dtype=np.float32) < 0.8] = 0
    return images, random.integers(0, CLASSES, examples).astype(np.int32)


def build(images: Floats, labels: Labels, batch_size: int = BATCH_SIZE) -> tuple[Step, Parameters]:
    """Write and compile the training step as the tutorial does; return it, and a function giving ``W, b``."""
    X = sg.shared(images, name="X", borrow=True)
    Y = sg.shared(labels, name="Y", borrow=True)
    W = sg.shared(np.zeros((images.shape[1], CLASSES), dtype="float32"), name="W", borrow=True)
    b = sg.shared(np.zeros(CLASSES, dtype="float32"), name="b", borrow=True)
    index, x, y = T.lscalar("index"), T.fmatrix("x"), T.ivector("y")

    p = T.nnet.softmax(x @ W + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    gradient_W, gradient_b = sg.grad(cost, [W, b])
    chosen = slice(index * batch_size, (index + 1) * batch_size)
    step = sg.function(
        [index],
        cost,
        updates=[(W, W - LEARNING_RATE * gradient_W), (b, b - LEARNING_RATE * gradient_b)],
        givens={x: X[chosen], y: Y[chosen]},
    )
    return step, lambda: (W.get_value(), b.get_value())


def measure_step(examples: int, rounds: int) -> dict[str, Timing]:
    """Time the training step of each rival after seeing that all learn the same parameters.

    Raises
    ------
    AssertionError
        If the parameters differ by more than rounding after one pass over ten minibatches.
    """
    images, labels = generated_digits(examples)
    compiled, parameters = build(images, labels)
    twins: dict[str, Twin] = {
        "NumPy, plain": Plain(images, labels, BATCH_SIZE, LEARNING_RATE),
        "NumPy, tuned": Tuned(images, labels, BATCH_SIZE, LEARNING_RATE),
        "NumPy, class-major": ClassMajor(images, labels, BATCH_SIZE, LEARNING_RATE),
    }
    batches = examples // BATCH_SIZE
    steps: dict[str, Step] = {"symgraph": compiled, **twins}
    for index in range(min(10, batches)):
        for step in steps.values():
            step(index)
    for name, twin in twins.items():
        for ours, theirs in zip(parameters(), (twin.W, twin.b), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6, err_msg=f"symgraph and {name} disagree")
    return interleaved({name: _over_minibatches(step, batches) for name, step in steps.items()}, rounds)


def _over_minibatches(step: Step, batches: int) -> Callable[[], object]:
    indices = itertools.cycle(range(batches))
    return lambda: step(next(indices))


def measure_calls(rounds: int) -> dict[str, Timing]:
    """Time a compiled ``x + 1`` on one element, with and without ``trust_input``, and NumPy's own ``x + 1``."""
    x = T.dvector("x")
    checked, trusting = sg.function([x], x + 1), sg.function([x], x + 1)
    trusting.trust_input = True
    value = np.ones(1)
    np.testing.assert_array_equal(checked(value), [2.0])
    np.testing.assert_array_equal(trusting(value), [2.0])
    rivals = {
        "x + 1": partial(checked, value),
        "x + 1, trust_input": partial(trusting, value),
        "x + 1, NumPy": partial(np.add, value, 1),
    }
    return interleaved(rivals, rounds)


def measure_compilation(runs: int) -> dict[str, Timing]:
    """Time building, compiling and first calling the step in fresh processes; imports and data are not counted."""
    program = "from benchmarks.logistic_regression import print_compilation; print_compilation()"
    printed = fresh_processes({"compile": program}, runs)["compile"]
    figures = [json.loads(line) for line in printed]
    return {name: Timing(name, tuple(run[name] for run in figures)) for name in figures[0]}


def print_compilation() -> None:
    """Print one JSON line: nanoseconds to write and compile the step, to call it first, and both together."""
    images, labels = generated_digits(2 * BATCH_SIZE)
    started = time.perf_counter_ns()
    step, _ = build(images, labels)
    compiled = time.perf_counter_ns()
    step(0)
    called = time.perf_counter_ns()
    figures = {
        "build and compile": compiled - started,
        "first call": called - compiled,
        "build, compile, first call": called - started,
    }
    print(json.dumps(figures))


def measure_imports(runs: int) -> dict[str, Timing]:
    """Time ``import numpy`` and ``import symgraph`` (which imports NumPy too), each in a fresh process."""
    clocked = "import time; started = time.perf_counter_ns(); import {}; print(time.perf_counter_ns() - started)"
    printed = fresh_processes({name: clocked.format(name) for name in ("numpy", "symgraph")}, runs)
    return {f"import {name}": Timing(name, tuple(map(float, lines))) for name, lines in printed.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables to standard error, and with ``--json`` one JSON line to standard output."""
    options = _parser().parse_args(arguments)
    print(f"{environment()}\n", file=sys.stderr)

    steps = measure_step(options.examples, options.rounds)
    ratios = {name: ratio(steps["symgraph"], timing) for name, timing in steps.items()}
    rows = [[name, *_cells(timing, 1e3), f"{ratios[name]:.3f}"] for name, timing in steps.items()]
    print(table(["training step, us", *_COLUMNS, "symgraph / it"], rows), end="\n\n", file=sys.stderr)

    calls = measure_calls(options.rounds)
    rows = [[name, *_cells(timing, 1e3)] for name, timing in calls.items()]
    print(table(["one call, us", *_COLUMNS], rows), end="\n\n", file=sys.stderr)

    once = {**measure_compilation(options.runs), **measure_imports(options.runs)}
    extra = statistics.median(once["import symgraph"].rounds) - statistics.median(once["import numpy"].rounds)
    rows = [[name, *_cells(timing, 1e6)] for name, timing in once.items()]
    rows.append(["import symgraph - import numpy", "", f"{extra / 1e6:.2f}", ""])
    print(table(["in a fresh process, ms", *_COLUMNS], rows), file=sys.stderr)

    if options.json:
        report = {
            "benchmark": "logistic_regression",
            "environment": environment(),
            "step_us": {name: timing.summary(1e3) for name, timing in steps.items()},
            "step_ratio": {name: round(value, 4) for name, value in ratios.items() if name != "symgraph"},
            "call_us": {name: timing.summary(1e3) for name, timing in calls.items()},
            "fresh_process_ms": {name: timing.summary(1e6) for name, timing in once.items()},
            "import_extra_ms": round(extra / 1e6, 3),
        }
        print(json.dumps(report))


_COLUMNS = ("min", "median", "IQR")


def _cells(timing: Timing, unit: float) -> list[str]:
    return [f"{value:.2f}" for value in timing.summary(unit).values()]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.logistic_regression", description="Our training step against NumPy by hand."
    )
    parser.add_argument("--examples", type=_positive, default=50_000, help="images (default: %(default)s)")
    parser.add_argument("--rounds", type=_positive, default=300, help="rounds a comparison (default: %(default)s)")
    parser.add_argument("--runs", type=_positive, default=15, help="fresh processes of a kind (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="end with one JSON line on standard output")
    return parser


if __name__ == "__main__":
    main()
