"""Random indices in a row, into what is computed: the values are NumPy's, and an index out of range stays an error.

Programs here are chains: nothing else reads what a step computes, so that rules which cut an operand instead of a
result apply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType

Array = np.ndarray[Any, Any]
Step = tuple[str, Callable[[Any], Any], Callable[[Array], Array]]
Choose = Callable[[int], int]


def index(choose: Choose, ndim: int) -> tuple[Any, ...]:
    """A basic index: slices, integers, new axes, perhaps out of range."""
    numbers = (None, None, 0, 1, 2, 3, -1, -2, 7)
    entries: list[Any] = []
    for _ in range(1 + choose(ndim)):
        kind = choose(6)
        if kind == 0:
            entries.append(choose(5) - 2)
        elif kind == 1 and len(entries) < ndim:
            entries += [None, slice(None)]
        else:
            bounds = [numbers[choose(len(numbers))] for _ in range(2)]
            entries.append(slice(*bounds, (None, None, 1, 2, 3, -1, -2)[choose(7)]))
    return tuple(entries)


def step(choose: Choose, ndim: int) -> Step:
    """One operation on a tensor of some dimensions."""
    which, axis = choose(12), choose(ndim) if ndim else 0
    key = index(choose, ndim) if ndim else (None,)
    if which < 5 or ndim == 0:
        return f"[{key}]", lambda x: x[key], lambda a: a[key]
    if which == 5:
        return "exp", lambda x: T.exp(x / 4), lambda a: np.exp(a / 4)
    if which == 6:
        return f"sum {axis}", lambda x: x.sum(axis=axis), lambda a: a.sum(axis=axis)
    if which == 7:
        return "T", lambda x: x.T, lambda a: a.T
    if which == 8:
        return "stack", lambda x: T.stack([x, x * 2], axis=axis), lambda a: np.stack([a, a * 2], axis=axis)
    if which == 9:
        return f"set {key}", lambda x: T.set_subtensor(x[key], 3.0), lambda a: written(a, key)
    if which == 10:
        return "x + x * 3", lambda x: x + x * 3, lambda a: a + a * 3
    return "dot", lambda x: T.dot(x.T, x) if x.type.ndim < 3 else x, lambda a: a.T @ a if a.ndim < 3 else a


def written(a: Array, key: Any) -> Array:
    result = np.array(a)
    result[key] = 3.0
    return result


def outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except (IndexError, ValueError) as error:
        return type(error)


def try_chain(seed: int) -> None:
    """A chain of steps on an array, compiled for lengths that are known and not, and run on arrays of other lengths."""
    rng = np.random.default_rng(seed)

    def choose(n: int) -> int:
        return int(rng.integers(n))

    ndim = 1 + choose(3)
    arrays = [rng.normal(size=[choose(5) for _ in range(ndim)]) for _ in range(3)]
    static = arrays[0].shape if choose(3) == 0 else tuple(1 if n == 1 else None for n in arrays[0].shape)
    x = TensorType("float64", static)("x")
    symbol: Any = x
    numeric: list[Callable[[Array], Array]] = []
    names = []
    for _ in range(2 + choose(5)):
        name, on_symbol, on_array = step(choose, symbol.type.ndim)
        try:
            symbol = on_symbol(symbol)
        except (IndexError, ValueError, TypeError):  # refused as it is written
            continue
        names.append(name)
        numeric.append(on_array)

    def by_numpy(a: Array) -> Array:
        for on_array in numeric:
            a = on_array(a)
        return a

    f = sg.function([x], symbol, on_unused_input="ignore")
    for a in arrays:
        if all(n is None or n == m for n, m in zip(static, a.shape, strict=True)):
            got, wanted = outcome(lambda a=a: f(a)), outcome(lambda a=a: by_numpy(a))
            what = f"seed {seed}: {names} on {a.shape} as {x.type}, fired {[r.rule for r in f.fired]}"
            if isinstance(wanted, type):
                assert got is wanted, what
            else:
                assert not isinstance(got, type), what
                np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12, err_msg=what)


@pytest.mark.parametrize("block", range(10))
def test_chains(block: int) -> None:
    for seed in range(20 * block, 20 * (block + 1)):
        try_chain(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_many_chains(block: int) -> None:
    for seed in range(1000 + 200 * block, 1000 + 200 * (block + 1)):
        try_chain(seed)
