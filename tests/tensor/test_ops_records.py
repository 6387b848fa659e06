"""Every operation that is not elementwise: values, dtypes, shapes, derivatives and memory layouts, from its record."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.testing import verify_grad
from tests.records import RECORDS
from tests.records.base import Array, Record
from tests.tensor.common import MODES, assert_value, compute, inferred_shapes, perform, symbol

CASES = [pytest.param(r, d, id=f"{r.name}-{d}") for r in RECORDS for d in r.dtypes]
SMOOTH = [r for r in RECORDS if not r.gradient]


def records(rows: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", rows, ids=str)


def samples(record: Record, dtype: str, seed: int = 1) -> list[tuple[tuple[Array, ...], dict[str, Any]]]:
    return list(record.samples(np.random.default_rng(seed), dtype))


def expected(record: Record, values: Any, options: Any) -> Any:
    """The reference's value, or None where it refuses."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return np.asarray(record.reference(*values, **options))
        except TypeError:
            return None


@pytest.mark.parametrize(("record", "dtype"), CASES)
def test_value(record: Record, dtype: str) -> None:
    """`perform`, and the compiled function in every mode, give the reference's value, dtype and shape."""
    for values, options in samples(record, dtype):
        what = f"shapes {[v.shape for v in values]}, {options}"
        wanted = expected(record, values, options)
        inputs = [symbol(v) for v in values]
        if wanted is None:
            with pytest.raises(TypeError):
                record.call(*inputs, **options)
            continue
        out = record.call(*inputs, **options)
        assert (out.type.dtype, out.type.ndim) == (wanted.dtype.name, wanted.ndim), what
        assert_value(
            perform([out], dict(zip(inputs, values, strict=True)))[0], wanted, record.tolerance, f"perform, {what}"
        )
        for mode in MODES:
            assert_value(compute(inputs, out, values, mode), wanted, record.tolerance, f"{mode}, {what}")


@records(RECORDS)
def test_shape(record: Record) -> None:
    """What the type says of the shape when all lengths are known, and what `infer_shape` says when none is."""
    dtype = "float64" if "float64" in record.dtypes else record.dtypes[0]
    for values, options in samples(record, dtype):
        wanted = expected(record, values, options).shape
        known = record.call(*[symbol(v, static=True) for v in values], **options)
        if record.weakly_typed:
            assert all(k in (None, n) for k, n in zip(known.type.shape, wanted, strict=True))
        else:
            assert known.type.shape == wanted, f"{[v.shape for v in values]}, {options}"
        inputs = [symbol(v) for v in values]
        lengths = inferred_shapes([record.call(*inputs, **options)])[0]
        if lengths:
            assert [int(n) for n in compute(inputs, lengths, values)] == list(wanted), (
                f"{[v.shape for v in values]}, {options}"
            )


def moving_parts(record: Record, values: Any) -> list[int]:
    if record.wrt is not None:
        return list(record.wrt)
    return [i for i, v in enumerate(values) if v.dtype.kind == "f"]


@records(SMOOTH)
def test_gradient(record: Record) -> None:
    """First and second derivatives against finite differences."""
    for values, options in samples(record, "float64"):
        wrt = moving_parts(record, values)

        def partial(*moving: Any, values: Any = values, options: Any = options, wrt: Any = wrt) -> Any:
            arguments: list[Any] = list(values)
            for place, x in zip(wrt, moving, strict=True):
                arguments[place] = x
            return record.call(*arguments, **options)

        try:
            verify_grad(partial, [values[i] for i in wrt], 1, eps=1e-5, abs_tol=2e-6, rel_tol=2e-6, order=record.order)
        except Exception as error:
            error.add_note(f"shapes {[v.shape for v in values]}, {options}")
            raise


@records(SMOOTH)
def test_rop_is_lop(record: Record) -> None:
    """u (J v) = (u J) v, which is the difference along v; both have the dtype of what they are the derivative of."""
    rng = np.random.default_rng(2)
    for dtype in ("float32", "float64"):
        for values, options in samples(record, dtype):
            inputs = [symbol(v) for v in values]
            out = record.call(*inputs, **options)
            wrt = moving_parts(record, values)
            moving = [inputs[i] for i in wrt]
            directions = [np.asarray(rng.normal(size=values[i].shape), dtype) for i in wrt]
            shape = expected(record, values, options).shape
            turned = 1j * rng.normal(size=shape) if out.type.dtype[0] == "c" else 0
            weights = np.asarray(rng.normal(size=shape) + turned, out.type.dtype)
            pushed = sg.Rop(out, moving, [T.as_tensor_variable(d) for d in directions])
            pulled = sg.Lop(out, moving, T.as_tensor_variable(weights), disconnected_inputs="ignore")
            assert pushed.type.dtype == out.type.dtype
            assert [g.type.dtype for g in pulled] == [dtype] * len(moving)
            if dtype == "float64":
                both_ways(inputs, out, pushed, pulled, values, dict(zip(wrt, directions, strict=True)), weights)


def both_ways(inputs: Any, out: Any, pushed: Any, pulled: Any, values: Any, directions: Any, weights: Any) -> None:
    """Compare the forward derivative with the backward one and with a difference, projected on `weights`."""
    f = sg.function(inputs, [out, pushed, *pulled], mode="FAST_RUN", on_unused_input="ignore")
    shifted = [[v + h * directions[i] if i in directions else v for i, v in enumerate(values)] for h in (1e-5, -1e-5)]
    with np.errstate(all="ignore"):
        _, jv, *vj = f(*values)
        above, below = (f(*arguments)[0] for arguments in shifted)
    forward = (weights.conj() * jv).real.sum()
    backward = sum((a * b).sum() for a, b in zip(vj, directions.values(), strict=True))
    difference = (weights.conj() * ((above - below) / 2e-5)).real.sum()
    np.testing.assert_allclose(forward, backward, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(forward, difference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "bool"])
@records(SMOOTH)
def test_no_gradient_flows_into_integers(record: Record, dtype: str) -> None:
    """The gradient by an integer tensor is zeros of floatX and of its shape, whatever is done with it."""
    if dtype not in record.dtypes:
        pytest.skip("not defined on that dtype")
    for values, options in samples(record, dtype):
        if not values or expected(record, values, options) is None:
            continue
        inputs = [symbol(v) for v in values]
        out = record.call(*inputs, **options)
        cost = T.sum(T.cast(out.real if out.type.dtype[0] == "c" else out, "float64"))
        wrt = inputs[0]
        gradient = compute(inputs, sg.grad(cost, wrt, disconnected_inputs="ignore"), values)
        assert gradient.shape == values[0].shape
        assert gradient.dtype == "float64"


LAYOUTS: dict[str, Any] = {
    "fortran": lambda a: np.asfortranarray(a) if a.ndim else a,
    "reversed": lambda a: np.array(a[(slice(None, None, -1),) * a.ndim])[(slice(None, None, -1),) * a.ndim],
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@records([r for r in RECORDS if r.gradient != "its arguments are lengths"])
def test_layout(record: Record, layout: str) -> None:
    """The order of elements in memory does not matter."""
    dtype = "float64" if "float64" in record.dtypes else record.dtypes[0]
    for values, options in samples(record, dtype):
        strange = [LAYOUTS[layout](v) for v in values]
        inputs = [symbol(v) for v in values]
        wanted = expected(record, values, options)
        found = compute(inputs, record.call(*inputs, **options), strange, "FAST_RUN")
        assert_value(found, wanted, {**record.tolerance, "float64": 1e-12}, str(options))


@records(RECORDS)
def test_the_caller_s_arrays_are_left_alone(record: Record) -> None:
    """No operation writes on its inputs, and no result shares memory with them."""
    dtype = "float64" if "float64" in record.dtypes else record.dtypes[0]
    for values, options in samples(record, dtype):
        before = [v.copy() for v in values]
        inputs = [symbol(v) for v in values]
        found = compute(inputs, record.call(*inputs, **options), values, "FAST_RUN")
        for value, copy in zip(values, before, strict=True):
            np.testing.assert_array_equal(value, copy)
            assert not np.shares_memory(found, value), options
