"""W5: ``tanh(a*b + c) * sigmoid(a) - exp(-b*b) / (1 + c*c)`` on long and short vectors, and its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cpu.team import Team, tiles
from benchmarks.cpu.training import Api, pytensor_api, symgraph_api
from benchmarks.cpu.workload import Build, Case, Rival, Settings, function

__all__ = ["Tiled", "TiledGradient", "cases"]

Floats = NDArray[np.float32]
TILE = 32_768
ONE = np.float32(1)


def _symbolic(api: Api, data: tuple[Floats, ...], gradient: bool) -> Rival:
    t = api.tensor
    a, b, c = variables = [t.fvector(name) for name in "abc"]
    z = t.tanh(a * b + c) * api.sigmoid(a) - t.exp(-b * b) / (1 + c * c)
    compiled = api.package.function(variables, api.package.grad(t.sum(z), variables) if gradient else z)
    return function(lambda: compiled(*data))


# ---- NumPy ----------------------------------------------------------------------------------------------------------


def plain(a: Floats, b: Floats, c: Floats) -> Floats:
    """The formula, as it stands."""
    return np.tanh(a * b + c) * (1 / (1 + np.exp(-a))) - np.exp(-b * b) / (1 + c * c)


def plain_gradient(a: Floats, b: Floats, c: Floats) -> tuple[Floats, Floats, Floats]:
    """What one finds on paper, as it stands."""
    t, s, e, q = np.tanh(a * b + c), 1 / (1 + np.exp(-a)), np.exp(-b * b), 1 + c * c
    slope = s * (1 - t * t)
    return slope * b + t * s * (1 - s), slope * a + 2 * b * e / q, slope + 2 * c * e / (q * q)


class Tiled:
    """The formula in cache-sized tiles, by threads, into an array that is kept.

    Parameters
    ----------
    data : three float32 arrays of one length
    threads : int
        More than one is used where there is more than one tile.
    fresh : bool
        Whether results are new arrays, as those of a compiled function are, instead of one that every call overwrites.
    """

    outputs, scratch_arrays = 1, 2

    def __init__(self, data: tuple[Floats, ...], threads: int, fresh: bool) -> None:
        self.data, self.fresh = data, fresh
        length = len(data[0])
        self.team = Team(threads if length > TILE else 1)
        self.kept = [np.empty(length, np.float32) for _ in range(self.outputs)]
        self.results = self.kept
        self.scratch = np.empty((self.team.threads, self.scratch_arrays, min(length, TILE)), np.float32)
        self.tiles = [tiles(length, TILE, part, self.team.threads) for part in range(self.team.threads)]
        self.one_tile, self.rows = length <= TILE, list(self.scratch[0])

    def __call__(self) -> Any:
        if self.fresh:
            self.results = [np.empty_like(array) for array in self.kept]
        if self.one_tile:
            a, b, c = self.data
            self._tile(a, b, c, self.results, self.rows)
        else:
            self.team.run(self._part)
        return self.results[0] if len(self.results) == 1 else tuple(self.results)

    def _part(self, part: int) -> None:
        for tile in self.tiles[part]:
            a, b, c, *results = (array[tile] for array in (*self.data, *self.results))
            self._tile(a, b, c, results, self.scratch[part, :, : len(a)])

    def _tile(self, a: Floats, b: Floats, c: Floats, results: Any, scratch: Any) -> None:
        (z,), (u, v) = results, scratch
        np.multiply(a, b, out=z)
        np.add(z, c, out=z)
        np.tanh(z, out=z)
        np.negative(a, out=u)
        np.exp(u, out=u)
        np.add(u, ONE, out=u)
        np.divide(z, u, out=z)  # by 1 + exp(-a): times the sigmoid

        np.multiply(b, b, out=u)
        np.negative(u, out=u)
        np.exp(u, out=u)
        np.multiply(c, c, out=v)
        np.add(v, ONE, out=v)
        np.divide(u, v, out=u)
        np.subtract(z, u, out=z)


class TiledGradient(Tiled):
    """The gradient in the same way: each function is evaluated once, and shared terms are kept for a tile."""

    outputs, scratch_arrays = 3, 3

    def _tile(self, a: Floats, b: Floats, c: Floats, results: Any, scratch: Any) -> None:
        (da, db, dc), (u, v, w) = results, scratch
        np.multiply(a, b, out=da)
        np.add(da, c, out=da)
        np.tanh(da, out=da)
        np.negative(a, out=u)
        np.exp(u, out=u)
        np.add(u, ONE, out=u)
        np.divide(ONE, u, out=u)  # the sigmoid s of a
        np.multiply(da, da, out=dc)
        np.subtract(ONE, dc, out=dc)
        np.multiply(dc, u, out=dc)  # s (1 - tanh^2), the slope of the argument of tanh
        np.multiply(da, u, out=da)
        np.subtract(ONE, u, out=u)
        np.multiply(da, u, out=da)
        np.multiply(dc, b, out=u)
        np.add(da, u, out=da)

        np.multiply(b, b, out=u)
        np.negative(u, out=u)
        np.exp(u, out=u)
        np.multiply(c, c, out=v)
        np.add(v, ONE, out=v)
        np.divide(u, v, out=u)
        np.add(u, u, out=u)  # 2 exp(-b^2) / (1 + c^2)
        np.multiply(u, b, out=db)
        np.multiply(dc, a, out=w)
        np.add(db, w, out=db)
        np.divide(u, v, out=u)
        np.multiply(u, c, out=u)
        np.add(dc, u, out=dc)


def _numexpr(data: tuple[Floats, ...], threads: int) -> Rival:
    import numexpr

    numexpr.set_num_threads(threads)
    a, b, c = data
    names = {"a": a, "b": b, "c": c, "one": ONE}
    formula = "tanh(a*b + c) / (one + exp(-a)) - exp(-b*b) / (one + c*c)"
    return function(lambda: numexpr.evaluate(formula, local_dict=names))


# ---- JAX and PyTorch ------------------------------------------------------------------------------------------------


def _jax(data: tuple[Floats, ...], gradient: bool) -> Rival:
    import jax
    import jax.numpy as jnp

    def z(a: Any, b: Any, c: Any) -> Any:
        return jnp.tanh(a * b + c) * jax.nn.sigmoid(a) - jnp.exp(-b * b) / (1 + c * c)

    compiled = jax.jit(jax.grad(lambda *v: z(*v).sum(), argnums=(0, 1, 2)) if gradient else z)
    values = [jnp.asarray(array) for array in data]
    return function(lambda: jax.block_until_ready(compiled(*values)))


def _torch(data: tuple[Floats, ...], gradient: bool, compiled: bool) -> Rival:
    import torch

    def z(a: Any, b: Any, c: Any) -> Any:
        return torch.tanh(a * b + c) * torch.sigmoid(a) - torch.exp(-b * b) / (1 + c * c)

    values = [torch.from_numpy(array).requires_grad_(gradient) for array in data]
    formula = torch.compile(z) if compiled else z
    if gradient:
        return function(lambda: torch.autograd.grad(formula(*values).sum(), values))
    return function(lambda: formula(*values))


def cases(settings: Settings) -> Iterator[Case]:
    """The formula and its gradient, on 10,000,000 and on 1,000 elements."""
    random = np.random.default_rng(7)
    threads = settings.threads
    for length in (200, 50) if settings.tiny else (10_000_000, 1000):
        data = tuple(random.standard_normal(length).astype(np.float32) for _ in range(3))
        for gradient in (False, True):
            yield _case(data, gradient, threads)


def _case(data: tuple[Floats, ...], gradient: bool, threads: int) -> Case:
    length = len(data[0])
    written = plain_gradient if gradient else plain
    kind: Callable[..., Tiled] = TiledGradient if gradient else Tiled
    twins: dict[str, Build] = {
        "NumPy, plain": lambda: function(lambda: written(*data)),
        "NumPy, tuned": lambda: function(kind(data, threads, fresh=True)),
        "NumPy, tuned, result kept": lambda: function(kind(data, threads, fresh=False)),
    }
    peers: dict[str, Build] = {
        "PyTensor": lambda: _symbolic(pytensor_api(), data, gradient),
        "JAX jit": lambda: _jax(data, gradient),
        "torch eager": lambda: _torch(data, gradient, compiled=False),
        "torch.compile": lambda: _torch(data, gradient, compiled=True),
    }
    if not gradient:
        peers["numexpr"] = lambda: _numexpr(data, threads)
    ours: dict[str, Build] = {"symgraph": lambda: _symbolic(symgraph_api(), data, gradient)}
    unit, scale = ("ms", 1e6) if length > 100_000 else ("us", 1e3)
    title = f"gradient of the formula, {length:,} elements" if gradient else f"formula, {length:,} elements"
    return Case("W5", title, ours, twins, peers, rtol=1e-3, atol=1e-5, unit=unit, scale=scale)
