"""Every elementwise function: values and dtypes against NumPy, promotion, broadcasting, derivatives, special values."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from symgraph.testing import verify_grad
from tests.records.base import ALL, FLOATS
from tests.records.elementwise import ELEMENTWISE, Elementwise
from tests.tensor.common import MODES, assert_value, compute, inferred_shapes, perform, symbol

WITH_GRADIENT = [r for r in ELEMENTWISE if not r.gradient]
SEVERAL = [r for r in ELEMENTWISE if r.nin > 1]
#: The argument of greatest rank decides the shape: this one does not broadcast against the others by itself.
SHAPE_OF_FIRST = {"fill"}


def records(rows: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", rows, ids=str)


def expected_or_none(record: Elementwise, values: Any) -> Any:
    try:
        with np.errstate(all="ignore"):
            return record.expected(*values)
    except TypeError:
        return None


@pytest.mark.parametrize("dtype", ALL)
@records(ELEMENTWISE)
def test_value(record: Elementwise, dtype: str) -> None:
    """The value, dtype and shape are NumPy's, in every mode; where NumPy refuses a dtype, so do we, when building."""
    rng = np.random.default_rng(3)
    values = record.sample(rng, [dtype] * record.nin, [(3, 4)] * record.nin)
    expected = expected_or_none(record, values)
    inputs = [symbol(v) for v in values]
    if expected is None:
        with pytest.raises(TypeError):
            record.call(*inputs)
        return
    out = record.call(*inputs)
    assert out.type.dtype == expected.dtype.name
    assert_value(perform([out], dict(zip(inputs, values, strict=True)))[0], expected, what="perform")
    for mode in MODES:
        assert_value(compute(inputs, out, values, mode), expected, what=mode)


@records(SEVERAL)
def test_promotion(record: Elementwise) -> None:
    """All pairs of dtypes give NumPy's dtype, or are refused where NumPy refuses them."""
    rng = np.random.default_rng(4)
    for pair in itertools.product(ALL, repeat=2):
        dtypes = list(pair) + [pair[1]] * (record.nin - 2)
        values = record.sample(rng, dtypes, [(3,)] * record.nin)
        expected = expected_or_none(record, values)
        inputs = [symbol(v) for v in values]
        if expected is None:
            with pytest.raises(TypeError):
                record.call(*inputs)
            continue
        out = record.call(*inputs)
        assert out.type.dtype == expected.dtype.name, f"{pair}: {out.type.dtype}, expected {expected.dtype}"
        assert_value(perform([out], dict(zip(inputs, values, strict=True)))[0], expected, what=str(pair))


@pytest.mark.parametrize("number", [True, 2, 2.0, 1.5, 2j], ids=repr)
@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "true_div", "int_div", "mod", "pow", "maximum", "lt", "eq", "arctan2"]
)
def test_weak_numbers(name: str, number: Any) -> None:
    """A Python number takes the dtype NumPy lets it take beside an array, on either side."""
    record = next(r for r in ELEMENTWISE if r.name == name)
    rng = np.random.default_rng(5)
    for dtype in ALL:
        array = record.sample(rng, [dtype] * 2, [(3,)] * 2)[1]
        for place in (0, 1):
            values = [array, number] if place else [number, array]
            try:
                with np.errstate(all="ignore"):
                    expected = np.asarray(record.reference(*values))
            except TypeError:
                expected = None
            x = symbol(array)
            arguments = [x, number] if place else [number, x]
            if expected is None:
                with pytest.raises(TypeError):
                    record.call(*arguments)
                continue
            out = record.call(*arguments)
            assert out.type.dtype == expected.dtype.name, f"{dtype} with {number!r} at {place}"
            assert_value(compute([x], out, [array]), expected, what=f"{dtype} with {number!r} at {place}")


def test_python_integers_out_of_range_are_refused() -> None:
    x = TensorType("int8", (None,))("x")
    with pytest.raises(OverflowError, match="300"):
        x + 300
    assert (x < 300).type.dtype == "bool"
    np.testing.assert_array_equal(compute([x], x < 300, [np.array([1, 127], "int8")]), [True, True])


LAYOUTS: dict[str, Any] = {
    "empty": lambda a: a[:, :0],
    "0-d": lambda a: np.array(a[0, 0]),
    "transposed": lambda a: a.T,
    "strided": lambda a: a[::2, 1::2],
    "reversed": lambda a: a[::-1, ::-1],
    "fortran": np.asfortranarray,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@records(ELEMENTWISE)
def test_layout(record: Elementwise, layout: str) -> None:
    """Empty and 0-d arrays, and arrays whose elements do not lie in order."""
    rng = np.random.default_rng(6)
    for dtype in ("float64", "int32", "bool"):
        values = [LAYOUTS[layout](v) for v in record.sample(rng, [dtype] * record.nin, [(4, 6)] * record.nin)]
        expected = expected_or_none(record, values)
        if expected is not None:
            inputs = [symbol(v) for v in values]
            out = record.call(*inputs)
            assert_value(compute(inputs, out, values, "FAST_RUN"), expected, what=dtype)
            assert out.type.ndim == expected.ndim


SHAPES = [
    ((3, 4), (1, 4)),
    ((3, 4), (3, 1)),
    ((3, 1), (1, 4)),
    ((3, 4), ()),
    ((), (3, 4)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((2, 3, 4), (3, 1)),
    ((1, 1), (3, 4)),
]


@records(SEVERAL)
def test_broadcasting(record: Elementwise) -> None:
    """Rows, columns, scalars and lower ranks: shape known when building, inferred, and real; gradients summed back."""
    rng = np.random.default_rng(7)
    dtype = "int64" if record.gradient and expected_or_none(record, record.sample(
        rng, ["float64"] * record.nin, [()] * record.nin)) is None else "float64"
    for pair in SHAPES:
        shapes = list(pair) + [pair[1]] * (record.nin - 2)
        values = record.sample(rng, [dtype] * record.nin, shapes)
        expected = record.expected(*values)
        inputs = [symbol(v) for v in values]
        out = record.call(*inputs)
        known = record.call(*[symbol(v, static=True) for v in values])
        assert known.type.shape == expected.shape
        lengths = inferred_shapes([out])[0]
        results = compute(inputs, [out, *lengths], values)
        assert_value(results[0], expected, what=str(shapes))
        assert [int(n) for n in results[1:]] == list(expected.shape)
        if not record.gradient and pair in SHAPES[:6:2]:
            verify(record, values, order=1)


def verify(record: Elementwise, values: Any, order: int) -> None:
    wrt = record.wrt if record.wrt is not None else tuple(range(record.nin))

    def partial(*moving: Any) -> Any:
        arguments: list[Any] = list(values)
        for place, x in zip(wrt, moving, strict=True):
            arguments[place] = x
        return record.call(*arguments)

    verify_grad(
        partial, [values[i] for i in wrt], 1, eps=1e-5, abs_tol=2e-6, rel_tol=2e-6, mode="FAST_RUN", order=order
    )


@records(WITH_GRADIENT)
def test_gradient(record: Elementwise) -> None:
    """First and second derivatives against finite differences."""
    rng = np.random.default_rng(8)
    verify(record, record.sample(rng, ["float64"] * record.nin, [(2, 3)] * record.nin), record.order)


@records(WITH_GRADIENT)
def test_rop_is_lop(record: Elementwise) -> None:
    """u (J v) = (u J) v, and both derivatives have the dtype of what they are the derivative of."""
    rng = np.random.default_rng(9)
    wrt = record.wrt if record.wrt is not None else tuple(range(record.nin))
    for dtype in FLOATS[1:]:
        values = record.sample(rng, [dtype] * record.nin, [(2, 3)] * record.nin)
        inputs = [symbol(v) for v in values]
        out = record.call(*inputs)
        moving = [inputs[i] for i in wrt]
        directions = [rng.normal(size=(2, 3)).astype(dtype) for _ in moving]
        weights = (rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3)) if out.dtype.startswith("c") else
                   rng.normal(size=(2, 3))).astype(out.dtype)
        pushed = sg.Rop(out, moving, [T.as_tensor_variable(d) for d in directions])
        pulled = sg.Lop(out, moving, T.as_tensor_variable(weights))
        assert pushed.type.dtype == out.type.dtype
        assert [g.type.dtype for g in pulled] == [dtype] * len(moving)
        jv, *vj = compute(inputs, [pushed, *pulled], values, "FAST_RUN")
        left, right = (weights.conj() * jv).real.sum(), sum((a * b).sum() for a, b in zip(vj, directions, strict=True))
        np.testing.assert_allclose(left, right, rtol=1e-10 if dtype == "float64" else 2e-4)


@records([r for r in ELEMENTWISE if r.gradient])
def test_no_gradient_flows_through_steps(record: Elementwise) -> None:
    """Where the derivative is zero or the result discrete, zeros come back and nothing raises."""
    rng = np.random.default_rng(10)
    values = record.sample(rng, ["float64"] * record.nin, [(3,)] * record.nin)
    if expected_or_none(record, values) is None:
        values = record.sample(rng, ["int32"] * record.nin, [(3,)] * record.nin)
    x = [symbol(v) for v in values]
    cost = T.sum(T.cast(record.call(*x), "float64"))
    for gradient in compute(x, sg.grad(cost, x), values):
        np.testing.assert_array_equal(gradient, np.zeros(3))


SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -2.5, 1e-30, 60000.0, -60000.0, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("dtype", FLOATS)
@records([r for r in ELEMENTWISE if r.special])
def test_special_values(record: Elementwise, dtype: str) -> None:
    """Signed zeros, infinities, NaN, very large and very small numbers, halves, and ties."""
    with np.errstate(all="ignore"):
        points = np.array(SPECIAL).astype(dtype)
        grid = list(itertools.product(points, repeat=min(record.nin, 2)))
        values = [np.array(column, dtype) for column in zip(*grid, strict=True)]
        values += [values[-1]] * (record.nin - len(values))
        expected = expected_or_none(record, values)
    if expected is None:
        return
    inputs = [symbol(v) for v in values]
    out = record.call(*inputs)
    for mode in MODES:
        found = compute(inputs, out, values, mode)
        with np.errstate(all="ignore"):
            assert_value(found, expected, what=mode, zero_signs=expected.dtype.kind == "f")


@records([r for r in SEVERAL if r.name not in SHAPE_OF_FIRST])
def test_a_run_time_1_is_not_stretched(record: Elementwise) -> None:
    """An axis not known to be 1 is never stretched in silence, in no mode."""
    dtype = "int64" if record.gradient else "float64"
    values = record.sample(np.random.default_rng(11), [dtype] * record.nin, [(3,), (1,), (3,)][: record.nin])
    inputs = [TensorType(v.dtype, (None,))() for v in values]
    out = record.call(*inputs)
    for mode in MODES:
        with pytest.raises(ValueError, match="do not fit together"):
            compute(inputs, out, values, mode)


@records(SEVERAL)
def test_known_lengths_that_differ_are_refused_when_building(record: Elementwise) -> None:
    dtype = "int64" if record.gradient else "float64"
    values = record.sample(np.random.default_rng(12), [dtype] * record.nin, [(3,), (4,), (3,)][: record.nin])
    inputs = [symbol(v, static=True) for v in values]
    with pytest.raises(ValueError, match=r"do not fit together: \(3,\) and \(4,\)"):
        record.call(*inputs)


@records(ELEMENTWISE)
def test_wrong_number_of_arguments(record: Elementwise) -> None:
    if record.name in ("round", "isclose", "fill", "add", "mul"):
        pytest.skip("a function of its own signature")
    with pytest.raises(TypeError, match="argument"):
        record.call(*[T.dvector()] * (record.nin + 1))
