"""Compiled functions beside the same lines of plain NumPy, from one element to ten million: never slower, at no size.

Run it with ``python -m benchmarks.cpu.sizes [--threads N] [--seconds S] [--only NAMES] [--cpu-time]``; what it prints
are medians of ratios within interleaved rounds, ours to NumPy's.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.cpu.__main__ import settle_threads

__all__ = ["PROGRAMS", "SIZES", "main", "measure", "programs"]

SIZES = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000)
PROGRAMS = ("formula", "gradient", "softmax", "log-softmax", "sum axis 0", "sum axis 1", "sum")

#: A program: how it is compiled, the same in plain NumPy, and whether it takes a matrix instead of three vectors.
Program = tuple[Callable[[], Callable[..., Any]], Callable[..., Any], bool]


def programs() -> dict[str, Program]:
    """The programs, by name."""
    import numpy as np

    import symgraph as sg
    import symgraph.tensor as T
    from benchmarks.cpu.elementwise import plain, plain_gradient
    from benchmarks.cpu.reductions import plain_log_softmax

    def formula(gradient: bool) -> Callable[..., Any]:
        a, b, c = variables = [T.fvector(name) for name in "abc"]
        z = T.tanh(a * b + c) * T.nnet.sigmoid(a) - T.exp(-b * b) / (1 + c * c)
        return sg.function(variables, sg.grad(T.sum(z), variables) if gradient else z)

    def of_matrix(build: Callable[[Any], Any]) -> Callable[[], Callable[..., Any]]:
        def compiled() -> Callable[..., Any]:
            x = T.fmatrix("x")
            return sg.function([x], build(x))

        return compiled

    def plain_softmax(x: Any) -> Any:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return {
        "formula": (lambda: formula(False), plain, False),
        "gradient": (lambda: formula(True), plain_gradient, False),
        "softmax": (of_matrix(T.nnet.softmax), plain_softmax, True),
        "log-softmax": (of_matrix(lambda x: T.log(T.nnet.softmax(x))), plain_log_softmax, True),
        "sum axis 0": (of_matrix(lambda x: x.sum(axis=0)), lambda x: np.sum(x, axis=0), True),
        "sum axis 1": (of_matrix(lambda x: x.sum(axis=1)), lambda x: np.sum(x, axis=1), True),
        "sum": (of_matrix(lambda x: x.sum()), np.sum, True),
    }


def shape_of(size: int) -> tuple[int, int]:
    """The shape of a matrix of so many elements: of ten to a thousand columns where there are enough."""
    columns = min(1000, max(min(size, 10), 10 ** (round(math.log10(size)) // 2)))
    return size // columns, columns


def measure(program: Program, size: int, seconds: float, clock: Callable[[], int]) -> tuple[float, float, float]:
    """Our median time in microseconds, and the median and the minimum of its ratio to NumPy's.

    Raises
    ------
    AssertionError
        If the two give different results.
    """
    import numpy as np

    from benchmarks.timing import interleaved, ratio, ratio_of_minima

    compiled, by_hand, of_matrix = program
    random, function = np.random.default_rng(11), compiled()
    shapes: list[Any] = [shape_of(size)] if of_matrix else [size] * 3
    data = [random.standard_normal(shape).astype(np.float32) for shape in shapes]
    ours, theirs = function(*data), by_hand(*data)
    for a, b in zip(ours if isinstance(ours, list) else [ours], theirs if isinstance(theirs, tuple) else [theirs],
                    strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5 * max(1.0, math.sqrt(size)))
    timings = interleaved({"ours": lambda: function(*data), "plain": lambda: by_hand(*data)}, rounds=300, round_ns=1e6,
                          seconds=seconds, clock=clock)
    mine, other = timings["ours"], timings["plain"]
    return mine.median / 1e3, ratio(mine, other), ratio_of_minima(mine, other)


def rows(names: Sequence[str], sizes: Sequence[int], seconds: float, clock: Callable[[], int]) -> Iterator[list[str]]:
    """The lines of the table."""
    known = programs()
    for name in names:
        for size in sizes:
            median, middle, least = measure(known[name], size, seconds, clock)
            yield [f"{name}, {size:,}", f"{median:.2f}", f"{middle:.2f}", f"{least:.2f}"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu.sizes", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="threads (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="time a comparison (default: %(default)s)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PROGRAMS), help="some of them")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest size (default: %(default)s)")
    parser.add_argument("--cpu-time", action="store_true", help="count processor time instead of the time that passes")
    options = parser.parse_args(arguments)
    settle_threads(options.threads)

    from benchmarks.timing import table

    clock = time.process_time_ns if options.cpu_time else time.perf_counter_ns
    sizes = [size for size in SIZES if size <= options.most]
    lines = rows(options.only, sizes, options.seconds, clock)
    print(table(["program, elements", "us", "to plain NumPy", "of minima"], lines))


if __name__ == "__main__":
    main(sys.argv[1:])
