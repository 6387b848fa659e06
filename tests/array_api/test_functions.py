"""Every function of the namespace gives what NumPy's gives, which follows the same standard: of values,
    and of inputs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.array_api as xp
import symgraph.tensor as T
from tests.array_api.calls import CREATION, ELEMENTWISE, FACTORIZATIONS, FFT, LINALG, PRODUCTS, REARRANGING, REDUCTIONS

TABLE: dict[str, Any] = {
    **{name: calls for table in (ELEMENTWISE, REDUCTIONS, REARRANGING, CREATION, PRODUCTS)
       for name, calls in table.items()},
    **{f"linalg.{name}": calls for name, calls in LINALG.items()},
        **{f"fft.{name}": calls for name, calls in FFT.items()},
}
CASES = [pytest.param(name, args, options, id=f"{name}-{number}")
         for name, calls in TABLE.items() for number, (args, options) in enumerate(calls)]


def at(place: Any, path: str) -> Any:
    for part in path.split("."):
        place = getattr(place, part)
    return place


def replaced(value: Any, change: Any) -> Any:
    """An argument with something else in the place of each array."""
    if isinstance(value, (list, tuple)):
        return type(value)(replaced(v, change) for v in value)
    return change(value) if isinstance(value, np.ndarray) else value


def as_list(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (list, tuple)) else [result]


#: Functions NumPy's main namespace lacks, or has without the standard's options.
def reference(name: str, args: Sequence[Any], options: dict[str, Any]) -> Any:
    options = dict(options)
    if name in ("sort", "argsort"):
        descending, axis = options.pop("descending", False), options.get("axis", -1)
        (x,) = args
        if not descending:
            return getattr(np, name)(x, **{"stable": True, **options})
        order = np.flip(x.shape[axis] - 1 - np.argsort(np.flip(x, axis), axis=axis, stable=True), axis)
        return order if name == "argsort" else np.take_along_axis(x, order, axis)
    if name == "unique_values":
        return np.sort(np.unique_values(*args))  # any order by the standard
    if name == "count_nonzero":
        return np.asarray(np.count_nonzero(*args, **options))
    if name == "clip" and len(args) + len(options) == 1:
        return args[0]
    if name in ("take_along_axis",):
        options.setdefault("axis", -1)
    if name == "expand_dims":
        options.setdefault("axis", 0)
    if name == "diff":
        options = {k: v for k, v in options.items() if v is not None}
    if name in ("ceil", "floor", "trunc", "round") and args[0].dtype.kind in "iu":
        return args[0]
    return at(np, name)(*args, **options)


def check(name: str, found: Any, expected: Any, source: str) -> None:
    found, expected = as_list(found), [np.asarray(v) for v in as_list(expected)]
    assert len(found) == len(expected)
    assert [v.dtype for v in found] == [v.dtype for v in expected], source
    assert [v.shape for v in found] == [v.shape for v in expected], source
    remake = FACTORIZATIONS.get(name.removeprefix("linalg."))
    if remake is not None:
        found, expected = [remake(*found)], [remake(*expected)]
    for ours, theirs in zip(found, expected, strict=True):
        if theirs.dtype.kind in "fc":
            tight = {"f4": 2e-5, "c8": 2e-5}.get(theirs.dtype.str[1:], 1e-11)
            np.testing.assert_allclose(ours, theirs, rtol=tight, atol=tight, err_msg=source)
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=source)


@pytest.mark.parametrize(("name", "args", "options"), CASES)
def test_as_numpy(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference(name, args, options)
        function = at(xp, name)
        values = function(*replaced(args, xp.asarray), **replaced(options, xp.asarray))
        assert all(isinstance(v, xp.Array) for v in as_list(values))
        assert type(values).__name__.lower().replace("result", "") == type(expected).__name__.lower().replace(
            "result", "") or not hasattr(expected, "_fields")
        check(name, [np.asarray(v) for v in as_list(values)], expected, "of values")
        for value, wanted in zip(as_list(values), as_list(expected), strict=True):
            assert value.dtype == wanted.dtype
            assert value.shape == wanted.shape
        of_inputs(name, args, options, expected)


def of_inputs(name: str, args: tuple[Any, ...], options: dict[str, Any], expected: Any) -> None:
    """The same of symbolic inputs, of which only the axes of length 1 are known (and those that must be)."""
    inputs, arrays = [], []

    def symbolic(array: Any) -> Any:
        lengths = array.shape if name == "unstack" else [1 if n == 1 else None for n in array.shape]
        inputs.append(T.tensor(array.dtype.name, shape=lengths))
        arrays.append(array)
        return xp.asarray(inputs[-1])

    made = at(xp, name)(*replaced(args, symbolic), **replaced(options, symbolic))
    run = sg.function(inputs, [v.variable for v in as_list(made)], on_unused_input="ignore")
    check(name, run(*arrays), expected, "of inputs")
    for value, wanted in zip(as_list(made), as_list(expected), strict=True):
        assert value.dtype == wanted.dtype
        assert value.ndim == wanted.ndim
        assert all(n in (None, m) for n, m in zip(value.shape, wanted.shape, strict=True))


@pytest.mark.parametrize("name", ["empty", "empty_like"])
def test_empty(name: str) -> None:
    made = xp.empty((2, 3), dtype=xp.int8) if name == "empty" else xp.empty_like(xp.ones((2, 3)), dtype=xp.int8)
    assert (made.shape, made.dtype) == ((2, 3), xp.int8)
    assert np.asarray(made).shape == (2, 3)


def test_every_function_is_tried() -> None:
    """But those that do not compute, which have tests of their own."""
    apart = {"asarray", "from_dlpack", "empty", "empty_like", "can_cast", "finfo", "iinfo", "isdtype", "result_type",
             "Array", "__array_namespace_info__"}
    public = {name for name in xp.__all__ if callable(getattr(xp, name))}
    public |= {f"linalg.{name}" for name in xp.linalg.__all__} | {f"fft.{name}" for name in xp.fft.__all__}
    assert public - apart == set(TABLE)
