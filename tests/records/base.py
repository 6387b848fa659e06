"""Records: what the generic tests need to know of each public operation, and nothing else.

A record says how an operation is called, what NumPy or SciPy give for the same arguments, and on which arguments to
try it. The tests in ``tests/tensor/test_ops_*.py`` walk over all records; to test a new operation is to add one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BOOL = ("bool",)
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
INTEGERS = SIGNED + UNSIGNED
REAL = BOOL + INTEGERS + FLOATS
ALL = REAL + COMPLEX

Array = np.ndarray[Any, Any]
#: The tensors an operation is tried on, and the options it is called with.
Sample = tuple[tuple[Array, ...], dict[str, Any]]

#: Relative tolerance against NumPy, by the result's dtype. Exact dtypes are compared exactly.
TOLERANCE = {"float16": 4e-3, "float32": 3e-6, "float64": 1e-13, "complex64": 3e-6, "complex128": 1e-13}


@dataclass(frozen=True)
class Record:
    """One public operation.

    Attributes
    ----------
    name : str
        Its name in `symgraph.tensor` (or ``nnet.name``).
    call : callable
        From symbolic arguments and options to the expression.
    reference : callable
        From arrays and the same options to the value.
    samples : callable
        ``(rng, dtype)`` to samples, smooth ones first.
    dtypes : tuple of str
        Those of `samples` that have a meaning.
    gradient : str
        Empty where derivatives are tested; else the reason why not.
    wrt : tuple of int or None
        Which arguments are differentiated by; all floating ones when None.
    order : int
        2 where the second derivative is tested as well.
    weakly_typed : bool
        The static shape cannot be told from the arguments' (it depends on values).
    dtype : callable or None
        From the arguments' dtypes to the result's, where it is not the reference's; says why in a comment.
    tolerance : float or None
        In place of `TOLERANCE`, for results of several roundings.
    """

    name: str
    call: Callable[..., Any]
    reference: Callable[..., Any]
    samples: Callable[[np.random.Generator, str], Iterable[Sample]]
    dtypes: tuple[str, ...] = ALL
    gradient: str = ""
    wrt: tuple[int, ...] | None = None
    order: int = 2
    weakly_typed: bool = False
    dtype: Callable[..., str] | None = None
    tolerance: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def random_array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], low: float = -2.0,
                 high: float = 2.0) -> Array:
    """Random elements of a dtype: for floats in [low, high], for integers the integers therein."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if kind.kind in "iu":
        first = max(int(np.ceil(low)), 0 if kind.kind == "u" else -100)
        return np.asarray(rng.integers(first, max(int(np.floor(high)), first) + 1, shape), kind)
    if kind.kind == "c":
        return np.asarray(rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape), kind)
    return np.asarray(rng.uniform(low, high, shape), kind)


def distinct_array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Random elements no two of which are equal or nearly so: for functions with kinks where elements tie."""
    count = int(np.prod(shape))
    if dtype == "bool":
        return random_array(rng, dtype, shape)
    start = 0 if np.dtype(dtype).kind == "u" else -(count // 2)
    values = (start + rng.permutation(count)).reshape(shape)
    if np.dtype(dtype).kind in "iu":
        return values.astype(dtype)
    return (values * 0.25 + 0.1).astype(dtype)


def arrays(*shapes: tuple[int, ...], low: float = -2.0, high: float = 2.0, distinct: bool = False,
           **options: Any) -> Callable[[np.random.Generator, str], Iterable[Sample]]:
    """A sampler of one sample: a random array of each shape, called with fixed options."""

    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        make = distinct_array if distinct else lambda r, d, s: random_array(r, d, s, low, high)
        yield tuple(make(rng, dtype, shape) for shape in shapes), options

    return sample


def each(*samplers: Callable[[np.random.Generator, str], Iterable[Sample]]) -> Callable[..., Iterable[Sample]]:
    """All samples of several samplers, in order."""

    def sample(rng: np.random.Generator, dtype: str) -> Iterable[Sample]:
        for one in samplers:
            yield from one(rng, dtype)

    return sample
