"""Axes of tensors of 0 dimensions: NumPy lets 0 and -1 pass in many functions, not in all."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

import symgraph as sg
import symgraph.tensor as T
from tests.tensor.common import compute

#: Names and, behind the tensor, further arguments.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys((
        "sum", "prod", "max", "min", "any", "all", "ptp", "argmax", "argmin", "cumsum", "cumprod", "sort", "argsort",
        "mean", "var", "std", "median", "nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin",
        "nanargmax", "nanargmin", "nancumsum", "nancumprod", "nanmedian", "flip", "squeeze", "count_nonzero", "diff",
        "expand_dims", "average"), ()),
    "repeat": (2,), "take": (0,), "partition": (0,), "argpartition": (0,), "roll": (1,), "quantile": (0.5,),
}


def outcome(call: Callable[[], Any]) -> Any:
    """A value, or the type of the exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = np.asarray(call())
        except Exception as error:
            return type(error)
    return found.tolist(), found.shape, found.dtype


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_axis_of_a_scalar_passes_where_it_does_in_numpy(name: str) -> None:
    more = FUNCTIONS[name]
    for value in (np.float64(1.5), np.int64(3)):
        for axis in (0, -1, 1):
            wanted = outcome(lambda a=axis, v=value: getattr(np, name)(v, *more, axis=a))  # type: ignore[misc]
            found = outcome(lambda a=axis, v=value: getattr(T, name)(  # type: ignore[misc]
                T.constant(v), *more, axis=a).eval())
            assert found == wanted, f"{value!r}, axis={axis}"


def test_lexsort_and_logsumexp_of_scalars() -> None:
    x = T.constant(np.float64(1.5))
    assert T.lexsort([x, x]).eval() == np.lexsort((np.float64(1.5), np.float64(1.5)))
    for axis in (0, -1):
        assert T.logsumexp(x, axis=axis).eval() == logsumexp(np.float64(1.5), axis=axis)
    with pytest.raises(np.exceptions.AxisError):
        T.lexsort([x, x], axis=1)


def test_gradients_go_through() -> None:
    x = T.dscalar()
    assert compute([x], sg.grad(3 * T.sum(x, axis=0) + T.max(x, axis=-1) + T.cumsum(x, axis=0)[0], x), [2.0]) == 5.0
