"""W9: log-softmax along rows, and sums of a matrix over each axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cpu.team import Team, tiles
from benchmarks.cpu.training import Api, pytensor_api, symgraph_api
from benchmarks.cpu.workload import Build, Case, Rival, Settings, function

__all__ = ["BlockedLogSoftmax", "cases"]

Floats = NDArray[np.float32]
BLOCK = 131_072  # elements: a block of rows stays in the cache from one ufunc to the next


def _log_softmax(api: Api, values: Floats) -> Rival:
    x = api.tensor.fmatrix("x")
    compiled = api.package.function([x], api.tensor.log(api.softmax(x)))
    return function(lambda: compiled(values))


def _sum(api: Api, values: Floats, axis: int | None) -> Rival:
    x = api.tensor.fmatrix("x")
    compiled = api.package.function([x], x.sum(axis=axis))
    return function(lambda: compiled(values))


def plain_log_softmax(x: Floats) -> Floats:
    """The formula that does not overflow, as it stands."""
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class BlockedLogSoftmax:
    """Blocks of rows from maximum to result before the next block, by threads; row sums as products with ones.

    Parameters
    ----------
    x : float32 array (rows, columns)
    threads : int
    fresh : bool
        Whether the result is a new array, as that of a compiled function is, instead of one that every call overwrites.
    """

    def __init__(self, x: Floats, threads: int, fresh: bool) -> None:
        rows, columns = x.shape
        self.x, self.fresh = x, fresh
        self.result = np.empty_like(x)
        self.team = Team(threads)
        block = max(1, BLOCK // columns)
        self.blocks = [tiles(rows, block, part, threads) for part in range(threads)]
        self.exponentials = np.empty((threads, block, columns), np.float32)
        self.per_row = np.empty((threads, block), np.float32)
        self.ones = np.ones(columns, np.float32)

    def __call__(self) -> Any:
        if self.fresh:
            self.result = np.empty_like(self.x)
        self.team.run(self._part)
        return self.result

    def _part(self, part: int) -> None:
        for rows in self.blocks[part]:
            x, result = self.x[rows], self.result[rows]
            exponentials, per_row = self.exponentials[part, : len(x)], self.per_row[part, : len(x)]
            np.maximum.reduce(x, axis=1, out=per_row)
            np.subtract(x, per_row[:, None], out=result)
            np.exp(result, out=exponentials)
            np.dot(exponentials, self.ones, out=per_row)
            np.log(per_row, out=per_row)
            np.subtract(result, per_row[:, None], out=result)


def sum_by_products(x: Floats, axis: int | None) -> Callable[[], Any]:
    """A sum as a product with ones, which runs in the BLAS, in its threads and vector registers."""
    rows, columns = (np.ones(length, np.float32) for length in x.shape)
    if axis is None:
        return lambda: np.dot(rows, np.dot(x, columns))
    return (lambda: np.dot(rows, x)) if axis == 0 else (lambda: np.dot(x, columns))


# ---- JAX and PyTorch ------------------------------------------------------------------------------------------------


def _jax(values: Floats, program: Callable[[Any, Any], Any]) -> Rival:
    import jax
    import jax.numpy as jnp

    compiled = jax.jit(lambda x: program(jax, x))
    x = jnp.asarray(values)
    return function(lambda: compiled(x).block_until_ready())


def _torch(values: Floats, program: Callable[[Any, Any], Any], compiled: bool) -> Rival:
    import torch

    def run(x: Any) -> Any:
        return program(torch, x)

    called = torch.compile(run) if compiled else run
    x = torch.from_numpy(values)
    return function(lambda: called(x))


def _peers(values: Floats, pytensor: Callable[[], Rival], jax: Any, torch: Any) -> dict[str, Build]:
    return {
        "PyTensor": pytensor,
        "JAX jit": lambda: _jax(values, jax),
        "torch eager": lambda: _torch(values, torch, compiled=False),
        "torch.compile": lambda: _torch(values, torch, compiled=True),
    }


def cases(settings: Settings) -> Iterator[Case]:
    """Log-softmax of 10,000 x 1,000; sums of 5,000 x 5,000 over rows, columns and everything."""
    random = np.random.default_rng(9)
    x = random.standard_normal((30, 20) if settings.tiny else (10_000, 1000), dtype=np.float32)
    yield Case(
        "W9",
        f"log-softmax, {x.shape[0]:,} x {x.shape[1]:,}",
        {"symgraph": lambda: _log_softmax(symgraph_api(), x)},
        {
            "NumPy, plain": lambda: function(lambda: plain_log_softmax(x)),
            "NumPy, tuned": lambda: function(BlockedLogSoftmax(x, settings.threads, fresh=True)),
            "NumPy, tuned, result kept": lambda: function(BlockedLogSoftmax(x, settings.threads, fresh=False)),
        },
        _peers(
            x,
            lambda: _log_softmax(pytensor_api(), x),
            lambda jax, v: jax.nn.log_softmax(v, axis=1),
            lambda torch, v: torch.log_softmax(v, dim=1),
        ),
        unit="ms",
        scale=1e6,
    )
    values = random.random((30, 20) if settings.tiny else (5000, 5000), dtype=np.float32)
    for axis, title in ((0, "axis 0"), (1, "axis 1"), (None, "both axes")):
        yield _sum_case(values, axis, title)


def _sum_case(values: Floats, axis: int | None, title: str) -> Case:
    return Case(
        "W9",
        f"sum over {title}, {values.shape[0]:,} x {values.shape[1]:,}",
        {"symgraph": lambda: _sum(symgraph_api(), values, axis)},
        {
            "NumPy, plain": lambda: function(lambda: np.sum(values, axis=axis)),
            "NumPy, tuned": lambda: function(sum_by_products(values, axis)),
        },
        _peers(
            values,
            lambda: _sum(pytensor_api(), values, axis),
            lambda jax, v: v.sum(axis=axis),
            lambda torch, v: v.sum() if axis is None else v.sum(dim=axis),
        ),
        unit="ms",
        scale=1e6,
    )
