"""The NumPy table: every operation has a row or computes itself, and a row computes what `perform` does."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy.elemwise import ELEMWISE
from backends.numpy.lowering import LOWERINGS, lowering_of
from symgraph.graph import toposort
from symgraph.random.draw import Advance, Draw
from symgraph.scalar import TABLE, ScalarFunction, cast_to
from symgraph.tensor import TensorType
from symgraph.tensor.blas import Gemm, Inner
from symgraph.tensor.elemwise import Elemwise, elemwise
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import Shape
from tests.rewrites.reference import by_perform

Array = np.ndarray[Any, Any]
DTYPES = ("bool", "int8", "uint8", "int64", "float16", "float32", "float64", "complex128")

for module in pkgutil.walk_packages(sg.__path__, "symgraph."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def classes(base: Any = sg.Op) -> set[Any]:
    """Every operation of the package."""
    below: set[Any] = {c for cls in base.__subclasses__() for c in (cls, *classes(cls))}
    return {c for c in below if c.__module__.startswith("symgraph.")}


def is_abstract(cls: Any) -> bool:
    """A base that others build on: no operation is an instance of it."""
    return cls.__name__.startswith("_") or cls.__name__ in ("TensorOp", "Indexing", "MatrixOp")


@pytest.mark.parametrize("cls", sorted(classes(), key=str), ids=str)
def test_every_operation_can_be_computed(cls: Any) -> None:
    """By a row of the table, or by `perform`; and `perform` is always there, as the meaning of the operation."""
    if is_abstract(cls):
        return
    assert cls.perform is not sg.Op.perform, f"{cls.__qualname__} has no perform"


def test_every_row_is_of_an_operation() -> None:
    assert set(LOWERINGS) <= classes()
    assert set(ELEMWISE) <= {*TABLE, "cast"}


# ---- scalar functions -------------------------------------------------------------------------------------------


def draws(dtype: str, count: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.random(count) < 0.5
    if kind.kind in "iu":
        return rng.integers(0, 5, count).astype(kind)
    if kind.kind == "c":
        return (rng.normal(size=count) + 1j * rng.normal(size=count)).astype(kind)
    special = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan])
    return np.concatenate([special, rng.normal(size=count - len(special)) * 2]).astype(kind)


def assert_same(got: Any, wanted: Any, what: str) -> None:
    assert isinstance(got, np.ndarray), what
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), what
    np.testing.assert_array_equal(got, wanted, err_msg=what)


FUNCTIONS = [*TABLE.values(), *(cast_to(d) for d in ("bool", "int32", "float32", "float64"))]


@pytest.mark.filterwarnings("ignore")  # of casts that lose, on special values
@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_a_scalar_function_is_what_its_row_computes(function: ScalarFunction) -> None:
    """On every dtype it is defined for, as a step with memory to compute into and without."""
    tried = 0
    for dtype in DTYPES:
        values = [draws(dtype, 20, k) for k in range(function.nin)]
        if function.name == "polygamma":
            values[0] = np.arange(20) % 3 + 1
        inputs = [TensorType(v.dtype, (None,))(f"v{k}") for k, v in enumerate(values)]
        try:
            once = elemwise(function)(*inputs)
        except TypeError:
            continue
        tried += 1
        outputs = [once, T.sum(once) if once.type.dtype != "bool" else T.any(once)]  # one given away, one in scratch
        with np.errstate(all="ignore"):
            wanted = by_perform(outputs, dict(zip(inputs, values, strict=True)))
            for shown in (outputs, outputs[1:]):
                found = sg.function(inputs, shown, mode="None")(*values)
                for got, right in zip(found, wanted[-len(shown):], strict=True):
                    assert_same(got, right, f"{function} of {dtype}")
    assert tried


# ---- everything else --------------------------------------------------------------------------------------------

M, N = np.random.default_rng(0).normal(size=(3, 4)), np.random.default_rng(1).normal(size=(3, 4))
SQUARE, VECTOR = np.random.default_rng(2).normal(size=(4, 4)), np.random.default_rng(3).normal(size=4)
CUBE = np.random.default_rng(4).normal(size=(2, 3, 4))
WHOLE = np.arange(12).reshape(3, 4)

TWICE = np.array([1, 0, 1])
PLACES: list[Callable[[Any], Any]] = [
    lambda i: slice(1, None), lambda i: (0, slice(None, None, -1)), lambda i: i, lambda i: (slice(None), i),
    lambda i: (i, i), lambda i: i[0], lambda i: (slice(i[1], 2), 1),
]

#: (row, expression, values): at least one for each row of the table, and one for each branch of a row.
SEED = np.array([1, 2, 3], "uint64")
SAMPLES: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    *[("Reduce", lambda x, kind=kind, axis=axis, keep=keep: getattr(T, kind)(x, axis=axis, keepdims=keep), (CUBE,))
      for kind in ("sum", "prod", "max", "min") for axis in (None, 0, -1, (0, 2)) for keep in (False, True)],
    *[("Reduce", lambda x, kind=kind: getattr(T, kind)(x, axis=1), (M > 0,)) for kind in ("all", "any", "sum")],
    ("Reduce", lambda x: T.sum(x), (VECTOR,)),
    ("Reduce", lambda x: T.sum(x, axis=0), (WHOLE.astype("int8"),)),
    ("Reduce", lambda x: T.sum(x, axis=0, dtype="int8"), (WHOLE.astype("int8"),)),
    ("Reduce", lambda x: T.prod(x, dtype="uint32"), (WHOLE.astype("uint32"),)),
    ("Reduce", lambda x: T.prod(x, axis=0), (WHOLE.astype("uint16"),)),
    ("Reduce", lambda x: T.sum(x, dtype="float64"), (M.astype("float32"),)),
    ("Reduce", lambda x: T.sum(x, axis=0, acc_dtype="float64"), (M.astype("float32"),)),
    ("Reduce", lambda x: T.sum(x, axis=0), (M.astype("float16"),)),
    ("Reduce", lambda x: T.sum(x, axis=0, dtype="int32"), (WHOLE,)),
    *[("ArgReduce", lambda x, kind=kind, axis=axis: getattr(T, kind)(x, axis=axis), (CUBE,))
      for kind in ("argmax", "argmin") for axis in (None, 0, 2)],
    ("Dot", T.dot, (M, SQUARE)),
    ("Dot", T.dot, (M, VECTOR)),
    ("Dot", T.dot, (VECTOR, VECTOR)),
    ("Dot", lambda x, y: T.dot(x.T, y), (M, N)),
    ("Dot", lambda x, y: T.dot(x.T, y), (WHOLE, WHOLE)),
    ("Gemm", lambda c, a, b: Gemm()(c, -0.5, a, b, 2.0), (M, M @ SQUARE, SQUARE)),
    ("Gemm", lambda c, a, b: Gemm()(T.exp(c), -0.5, a, b, 2.0), (M @ SQUARE, M, SQUARE)),
    ("Gemm", lambda c, a, b: Gemm()(c, 0.5, a, b, 1.0), (M[:, 0], M, VECTOR)),
    ("Inner", lambda x, y: Inner()(x, y), (np.round(4 * M), np.round(4 * N))),
    ("BatchedMatMul", T.batched_dot, (CUBE, np.ones((2, 4, 5)))),
    ("DimShuffle", lambda x: x.dimshuffle(2, 0, 1), (CUBE,)),
    ("DimShuffle", lambda x: x.dimshuffle("x", 1, "x", 0), (M,)),
    ("DimShuffle", lambda x: x.dimshuffle(1), (M[:1],)),
    ("DimShuffle", lambda x: x.dimshuffle(2, "x", 1), (CUBE[:1],)),
    ("DimShuffle", lambda x: x.T, (CUBE,)),
    ("Reshape", lambda x: x.reshape((4, -1)), (M,)),
    ("Reshape", lambda x: x.flatten(), (CUBE,)),
    ("Reshape", lambda x: x.reshape((x.shape[1], x.shape[0])), (M,)),
    ("Reshape", lambda x: x.reshape(()), (M[:1, :1],)),
    ("ShapeI", lambda x: x.shape[1] + 0, (M,)),
    ("Shape", lambda x: Shape()(x), (CUBE,)),
    ("Shape", lambda x: Shape()(x), (np.float64(1.0),)),
    ("MakeVector", lambda x, y: T.stack([x, y]), (np.float64(1.0), np.float64(2.0))),
    ("MakeVector", lambda x: T.as_tensor_variable([x.shape[0], 7, x.shape[1]]), (M,)),
    ("Alloc", lambda x, y: T.alloc(x, y.shape[0], 2, 4), (VECTOR, M)),
    ("Alloc", lambda y: T.zeros(y.shape), (M,)),
    ("Alloc", lambda y: T.zeros_like(y, dtype="bool"), (M,)),
    ("Alloc", lambda y: T.alloc(np.float64(-0.0), y.shape[0]), (M,)),
    ("ARange", lambda x: T.arange(x.shape[0]), (M,)),
    ("ARange", lambda x: T.arange(1, x, 2), (np.int64(9),)),
    ("ARange", lambda x: T.arange(x, 0, -1), (np.int8(9),)),
    ("ARange", lambda x: T.arange(0.5, x, 0.25, dtype="float32"), (np.float64(2.0),)),
    ("Eye", lambda x: T.eye(x.shape[0], x.shape[1], 1), (M,)),
    ("Eye", lambda x: T.eye(x.shape[0], dtype="int8"), (M,)),
    *[("Draw", lambda state, kind=kind, dtype=dtype: Draw(kind, dtype)(state, 3, 5), (SEED,))
      for kind, dtype in (("uniform", "float32"), ("normal", "float64"), ("bits", "uint64"))],
    ("Draw", lambda state: Draw("normal", "float32")(state), (SEED,)),
    ("Draw", lambda state: Draw("uniform", "float64")(state, 7, 5001), (SEED,)),
    ("Draw", lambda state, x: Draw("gamma", "float64")(state, x, 3, 4), (SEED, np.float64(0.5))),
    ("Draw", lambda state, x: Draw("poisson", "int64")(state, x, 9000), (SEED, np.float64(20.0))),
    ("Advance", lambda state: Advance(4)(state, 3, 5), (SEED,)),
    ("Advance", lambda state, x: Advance(1)(state, x.shape[0]), (SEED, M)),
    ("Advance", lambda state: Advance(8)(state), (np.array([1, 2, 2**64 - 1], "uint64"),)),
    ("Join", lambda x, y: T.concatenate([x, y, x], axis=0), (M, N)),
    ("Join", lambda x, y: T.concatenate([x, y], axis=1), (M, WHOLE)),
    ("Subtensor", lambda x: x[1:, ::-2], (M,)),
    ("Subtensor", lambda x: x[-1], (CUBE,)),
    ("Subtensor", lambda x: x[None, ..., 0], (CUBE,)),
    ("Subtensor", lambda x, i: x[i], (CUBE, np.int64(1))),
    ("Subtensor", lambda x, i: x[:, i:, 0], (CUBE, np.int64(1))),
    ("Subtensor", lambda x, i: x[i, :], (M, np.array([2, 0, 2]))),
    ("Subtensor", lambda x, i: x[:, i], (M, np.array([[2, 0], [1, 1]]))),
    ("Subtensor", lambda x, i, j: x[i, j], (M, np.array([2, 0, 2]), np.array([3, 3, 0]))),
    ("Subtensor", lambda x, i: x[i, 1:, 0], (CUBE, np.array([1, 0, 1]))),
    ("Subtensor", lambda x, i: x[()] + x[i], (VECTOR, np.array([0, 1, 2, 3]))),
    *[("IncSubtensor", lambda x, y, i, act=act, at=at: getattr(T, act)(x[at(i)], y), (M, np.float64(7.0), TWICE))
      for act in ("set_subtensor", "inc_subtensor") for at in PLACES],
    ("IncSubtensor", lambda x, y, i: T.inc_subtensor(x[i], y), (M, N, np.array([1, 1, 1]))),
    ("IncSubtensor", lambda x, y: T.inc_subtensor(T.exp(x)[1:], y), (M, N[1:])),
    ("IncSubtensor", lambda x, y: T.set_subtensor(x[0], y), (WHOLE, np.int64(-1))),
    ("Elemwise", lambda x, y: T.switch(x > y, x, 0), (M, N)),
    ("Elemwise", lambda x: T.clip(x, -0.5, 0.5) + x, (M,)),
    ("Elemwise", lambda x, v: x * v + 1, (M, VECTOR)),
]
IDS = [f"{row}{k}" for k, (row, _, _) in enumerate(SAMPLES)]


#: Rows of operations that only compiling makes, and of what leaves the host: tests/test_ifelse.py, tests/scan and
#: tests/cupy try them.
ELSEWHERE = {"LazyIfElse", "Loop", "Transfer"}


def test_every_row_has_a_sample() -> None:
    assert {row for row, _, _ in SAMPLES} == {cls.__name__ for cls in LOWERINGS} - ELSEWHERE


@pytest.mark.parametrize(("row", "build", "values"), SAMPLES, ids=IDS)
def test_a_row_computes_what_perform_does(row: str, build: Callable[..., Any], values: tuple[Any, ...]) -> None:
    """Value, dtype and shape; the result given away, and kept in scratch for a further step; in two calls."""
    arrays = [np.asarray(v) for v in values]
    inputs = [TensorType(a.dtype, [1 if n == 1 else None for n in a.shape])(f"v{k}") for k, a in enumerate(arrays)]
    expression = build(*inputs)
    assert any(type(node.op).__name__ == row for node in toposort([expression]))
    given = dict(zip(inputs, arrays, strict=True))
    after = expression.T if expression.type.ndim else expression + 0
    for output in (expression, after):
        (wanted,) = by_perform([output], given)
        for mode in ("None", "FAST_RUN"):
            f = sg.function(inputs, output, mode=mode, on_unused_input="ignore")
            for _ in range(2):
                got = f(*arrays)
                assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
                if mode == "None":
                    np.testing.assert_array_equal(got, wanted)
                else:
                    np.testing.assert_allclose(got, wanted, rtol=1e-6 if "32" in got.dtype.name else 1e-13)


def test_an_operation_without_a_row_computes_itself() -> None:
    class Plus(sg.Op):
        __props__ = ()

        def make_node(self, x: Any) -> Any:
            return sg.Apply(self, [x], [x.type(), x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0], output_storage[1][0] = inputs[0] + 1, inputs[0] + 2

    x = T.dvector("x")
    assert lowering_of(Plus()) is not LOWERINGS[Elemwise]
    one, two = sg.function([x], Plus()(x))(np.zeros(2))
    np.testing.assert_array_equal([one, two], [[1, 1], [2, 2]])


def test_what_perform_leaves_is_held_to_the_type() -> None:
    class Wrong(sg.Op):
        __props__ = ()

        def make_node(self, x: Any) -> Any:
            return sg.Apply(self, [x], [x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = inputs[0].astype("float32")

    x = T.dvector("x")
    with pytest.raises(TypeError, match="returned a float32 array of 1 dimensions instead of float64"):
        sg.function([x], Wrong()(x))(np.zeros(2))


# ---- memory to compute into -------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [
    lambda x, y: T.exp(x), lambda x, y: x + y, lambda x, y: T.nnet.sigmoid(x), lambda x, y: T.sqr(x),
    lambda x, y: T.clip(x, 0, 1), lambda x, y: T.sum(x, axis=0), lambda x, y: T.max(x, axis=1, keepdims=True),
    lambda x, y: T.dot(x, y), lambda x, y: x > y,
], ids=["exp", "add", "sigmoid", "sqr", "clip", "sum", "max", "dot", "gt"])
def test_scratch_is_computed_into(build: Any) -> None:
    """A result that does not leave the function goes into memory kept from the last call."""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = sg.function([x, y], T.any(build(x, y) > 0), mode="None", on_unused_input="ignore")
    assert re.search(r"t0 = .*(, |out=)w\d[,)]", f.source)


def test_single_elements_are_not_computed_in_place() -> None:
    """Ufuncs take more than twice as long for that."""
    x = T.dvector("x")
    f = sg.function([x], T.exp(T.log(T.sum(x, axis=0, keepdims=True)) + 1)[0] + T.sum(T.exp(T.log(x) + 1)))
    assert re.search(r"t\d+ = np.add\(t(\d+), c\d+, t\1\)  *# float64\[\?\]", f.source)
    assert not re.search(r"= np\.\w+\(.*t(\d+).*, t\1\)  *# float64\[1\]", f.source)
    np.testing.assert_allclose(f([1, 2]), 6 * np.e, rtol=1e-15)


def test_a_cast_is_copied_into_scratch() -> None:
    x = T.dvector("x")
    f = sg.function([x], T.sum(T.cast(x, "float32")))
    assert "np.copyto(" in f.source
    assert f(np.arange(4.0)) == 6


def test_a_product_is_computed_only_into_arrays_in_c_order() -> None:
    """np.dot refuses others; a buffer may hold a result in another order, as ufuncs keep that of their operands."""
    x = T.dmatrix("x")
    total = T.sum(T.switch(x.T > 0, x.T, -x.T))
    product = T.dot(x, x)
    f = sg.function([x], [total + T.sum(T.exp(product)), T.sum(T.dot(T.exp(product), T.tanh(product)))])
    for order in ("C", "F"):
        value = np.asarray(SQUARE, order=order)
        wanted = by_perform(f.fgraph.outputs, {x: value})
        np.testing.assert_allclose(f(value), wanted, rtol=1e-12)


def test_parts_of_complex_numbers_are_copies() -> None:
    """NumPy's are views: to write on them would be to write on the caller's array."""
    z = T.zmatrix("z")
    f = sg.function([z], [T.exp(T.real(z)), T.imag(z) + 1, T.real(z)])
    value = M + 1j * N
    before = value.copy()
    results = f(value)
    np.testing.assert_array_equal(value, before)
    assert not any(np.shares_memory(r, value) for r in results)


def test_reductions_are_rows_of_numpy() -> None:
    x = T.dmatrix("x")
    node = T.sum(x, axis=1).owner
    assert isinstance(node.op, Reduce)
    assert "row_sums(x0)" in sg.function([x], T.sum(x, axis=1)).source


SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_single_bounds(name: str, dtype: str) -> None:
    """By NumPy's clip where that has the same signs of zeros: it gives the first of 0 and -0, `maximum` the second."""
    function, by_numpy = getattr(T, name), getattr(np, name)
    x, bound = T.vector("x", dtype), T.scalar("bound", dtype)
    values = np.array(SPECIAL * 600, dtype)
    f = sg.function([x, bound], [function(x, bound), T.exp(function(bound, x)), function(bound, x)])
    assert f.source.count("clip(x0, ") >= 1
    assert f"np.{name}(x0, x1" in f.source
    for limit in np.array(SPECIAL, dtype):
        first, second, third = f(values, np.array(limit))
        assert_same_signs(first, by_numpy(values, limit))
        np.testing.assert_array_equal(second, np.exp(by_numpy(limit, values)))
        assert_same_signs(third, by_numpy(limit, values))
        for few in (values, values[:18]):
            constant = np.asarray(limit)
            assert_same_signs(sg.function([x], function(x, constant))(few), by_numpy(few, limit))
            assert_same_signs(sg.function([x], function(constant, x))(few), by_numpy(limit, few))


def assert_same_signs(found: Any, wanted: Any) -> None:
    """The same dtype and elements, down to the signs of zeros."""
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    known = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(wanted)[known])


def test_maximum_with_zero_is_by_clip() -> None:
    x = T.fmatrix("x")
    assert "above_zero(x0)" in sg.function([x], T.maximum(x, 0)).source
    assert "clip(x0, " in sg.function([x], T.maximum(x, 0.5)).source


def test_bounds_on_both_sides() -> None:
    x, low, high = T.fvector("x"), T.fscalar("low"), T.fscalar("high")
    f, values = sg.function([x, low, high], T.clip(x, low, high)), np.array(SPECIAL, "float32")
    assert "clip(x0, x1, x2)" in f.source
    for a in values:
        for b in values:
            np.testing.assert_array_equal(f(values, np.array(a), np.array(b)), np.minimum(np.maximum(values, a), b))


@pytest.mark.parametrize("build", [
    lambda x, y, n: T.maximum(x, y), lambda x, y, n: T.maximum(x, y[0]), lambda x, y, n: T.minimum(n, 2),
    lambda x, y, n: T.maximum(x, n[0]), lambda x, y, n: T.clip(x[0], x, y), lambda x, y, n: T.maximum(x[0], x[1]),
    lambda x, y, n: T.clip(x, y, 1),
], ids=["arrays", "float64", "integers", "integer bound", "wide bounds", "scalars", "one wide bound"])
def test_what_clip_is_not_for(build: Any) -> None:
    x, y, n = T.fvector("x"), T.dvector("y"), T.lvector("n")
    out = build(x, y, n)
    f = sg.function([x, y, n], out, on_unused_input="ignore")
    assert not re.search(r"= clip\(", f.source)
    values = {x: np.array([2, -1, 0.5], "float32"), y: np.array([-2, 1, 0.25]), n: np.array([3, 1, 2])}
    result, (wanted,) = f(*values.values()), by_perform([out], values)
    np.testing.assert_array_equal(result, wanted)
    assert result.dtype == out.dtype
