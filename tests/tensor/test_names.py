"""The names that Theano's programs use, each with one use."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import symgraph as sg
import symgraph.tensor as T

A = np.array([[0.5, -1.5, 2.0], [3.25, 0.0, -2.0]])
P = np.array([[0.25, 0.5, 2.0], [3.0, 1.0, 1.5]])
S = np.array([[4.0, 1.0], [1.0, 3.0]])
I = np.array([2, 0, 1])

#: A name of `symgraph.tensor`: a use of it, a value for the argument, and what comes out.
Use = tuple[Callable[[Any], Any], Any, Any]
USES: dict[str, Use] = {
    "grad": (lambda x: T.grad(T.sum(x ** 2), x), A, 2 * A), "dot": (lambda x: T.dot(x, x.T), A, A @ A.T),
    "log": (T.log, P, np.log(P)), "sqrt": (T.sqrt, P, np.sqrt(P)), "tanh": (T.tanh, A, np.tanh(A)),
    "sum": (lambda x: T.sum(x, axis=1, keepdims=True), A, A.sum(1, keepdims=True)),
    "arange": (lambda x: T.arange(x.shape[1], dtype="int32"), A, np.arange(3, dtype="int32")),
    "switch": (lambda x: T.switch(T.gt(x, 0), x, 0), A, np.where(A > 0, A, 0)),
    "mean": (lambda x: T.mean(x, axis=0, dtype="float64"), A, A.mean(0)), "exp": (T.exp, A, np.exp(A)),
    "cast": (lambda x: T.cast(x, dtype="int32"), A, A.astype("int32")),
    "concatenate": (lambda x: T.concatenate([x, x], axis=1), A, np.hstack([A, A])),
    "maximum": (lambda x: T.maximum(x, 0), A, np.maximum(A, 0)), "sqr": (T.sqr, A, A * A),
    "alloc": (lambda x: T.alloc(0.5, x.shape[0], 2), A, np.full((2, 2), 0.5)),
    "argmax": (lambda x: T.argmax(x, axis=1), A, A.argmax(1)),
    "zeros": (lambda x: T.zeros(shape=(2, 3), dtype="float32") + 0, A, np.zeros((2, 3), "float32")),
    "set_subtensor": (lambda x: T.set_subtensor(x[0], 1.0), A, np.array([[1.0, 1, 1], A[1]])),
    "clip": (lambda x: T.clip(x, -1, 1), A, A.clip(-1, 1)), "neq": (lambda x: T.neq(x, 0), A, A != 0),
    "eq": (lambda x: T.eq(x, 0), A, A == 0), "zeros_like": (T.zeros_like, A, np.zeros_like(A)),
    "max": (lambda x: T.max(x, axis=0, keepdims=True), A, A.max(0, keepdims=True)),
    "stack": (lambda x: T.stack([x, x], axis=1), A, np.stack([A, A], 1)),
    "minimum": (lambda x: T.minimum(x, 0), A, np.minimum(A, 0)), "ge": (lambda x: T.ge(x, 0), A, A >= 0),
    "as_tensor_variable": (lambda x: T.as_tensor_variable([x[0], x[1]]), A, A),
    "ones": (lambda x: T.ones((2,)) * 1, A, np.ones(2)), "abs_": (T.abs_, A, abs(A)),
    "ones_like": (T.ones_like, A, np.ones_like(A)), "flatten": (lambda x: T.flatten(x, outdim=1), A, A.ravel()),
    "sgn": (T.sgn, A, np.sign(A)), "constant": (lambda x: T.constant(A, name="c") + x, A, 2 * A),
    "prod": (lambda x: T.prod(x, axis=1), A, A.prod(1)),
    "repeat": (lambda x: T.repeat(x, 2, axis=0), A, A.repeat(2, 0)),
    "reshape": (lambda x: T.reshape(x, (3, 2), ndim=2), A, A.reshape(3, 2)), "square": (T.square, A, A * A),
    "gt": (lambda x: T.gt(x, 0), A, A > 0),
    "inc_subtensor": (lambda x: T.inc_subtensor(x[:, 0], 1.0), A, A + np.array([1, 0, 0])),
    "min": (T.min, A, A.min()), "shape_padleft": (T.shape_padleft, A, A[None]), "sin": (T.sin, A, np.sin(A)),
    "shape_padright": (T.shape_padright, A, A[..., None]), "lt": (lambda x: T.lt(x, 0), A, A < 0),
    "add": (lambda x: T.add(x, x, x), A, 3 * A), "cos": (T.cos, A, np.cos(A)),
    "unbroadcast": (lambda x: T.unbroadcast(T.shape_padleft(x), 0), A, A[None]),
    "extra_ops.repeat": (lambda x: T.extra_ops.repeat(x, 2), A, A.repeat(2)),
    "tensordot": (lambda x: T.tensordot(x, x, axes=[[0], [0]]), A, A.T @ A),
    "eye": (lambda x: T.eye(2) + 0, A, np.eye(2)),
    "isnan": (T.isnan, A, np.isnan(A)), "tile": (lambda x: T.tile(x, (2, 1)), A, np.tile(A, (2, 1))),
    "Rop": (lambda x: T.Rop(x ** 2, x, T.ones_like(x)), A, 2 * A), "le": (lambda x: T.le(x, 0), A, A <= 0),
    "Lop": (lambda x: T.Lop(x ** 2, x, T.ones_like(x)), A, 2 * A), "transpose": (T.transpose, A, A.T),
    "as_tensor": (T.as_tensor, A, A), "all": (lambda x: T.all(x, axis=1), A, A.all(1)),
    "patternbroadcast": (lambda x: T.patternbroadcast(x, (False, False)), A, A), "inv": (T.inv, P, 1 / P),
    "isinf": (T.isinf, A, np.isinf(A)), "pow": (lambda x: T.pow(x, 2), A, A ** 2), "round": (T.round, A, np.round(A)),
    "argsort": (lambda x: T.argsort(x, axis=1), A, A.argsort(1)), "floor": (T.floor, A, np.floor(A)),
    "batched_dot": (lambda x: T.batched_dot(x, x), A, (A * A).sum(1)), "squeeze": (lambda x: T.squeeze(x[:1]), A, A[0]),
    "identity_like": (T.identity_like, S, np.eye(2)), "or_": (lambda x: T.or_(x > 1, x < 0), A, (A > 1) | (A < 0)),
    "and_": (lambda x: T.and_(x > 0, x < 1), A, (A > 0) & (A < 1)), "expm1": (T.expm1, A, np.expm1(A)),
    "extra_ops.to_one_hot": (lambda i: T.extra_ops.to_one_hot(i, 3), I, np.eye(3)[I]),
    "mul": (lambda x: T.mul(x, x, x), A, A ** 3),
    "addbroadcast": (lambda x: T.addbroadcast(x[:1], 0) + P, A, A[:1] + P),
    "ceil": (T.ceil, A, np.ceil(A)), "any": (T.any, A, A.any()),
    "join": (lambda x: T.join(0, x, x), A, np.vstack([A, A])),
    "extra_ops.cumprod": (lambda x: T.extra_ops.cumprod(x, axis=0), A, A.cumprod(0)),
    "extra_ops.cumsum": (lambda x: T.extra_ops.cumsum(x, axis=0), A, A.cumsum(0)), "log1p": (T.log1p, P, np.log1p(P)),
    "diag": (lambda x: T.diag(x), S, np.diag(S)), "bitwise_or": (lambda i: T.bitwise_or(i, 1), I, I | 1),
    "nlinalg.diag": (lambda x: T.nlinalg.diag(x), S, np.diag(S)), "power": (lambda x: T.power(x, 2), A, A ** 2),
    "nlinalg.det": (lambda x: T.nlinalg.det(x), S, np.linalg.det(S)), "erfc": (T.erfc, A, scipy.special.erfc(A)),
    "gammaln": (T.gammaln, P, scipy.special.gammaln(P)), "outer": (lambda x: T.outer(x[0], x[1]), A, np.outer(*A)),
    "nlinalg.matrix_inverse": (lambda x: T.nlinalg.matrix_inverse(x), S, np.linalg.inv(S)),
    "slinalg.Cholesky": (lambda x: T.slinalg.Cholesky()(x), S, np.linalg.cholesky(S)),
    "slinalg.Solve": (lambda x: T.slinalg.Solve()(x, x), S, np.eye(2)),
    "nlinalg.eigh": (lambda x: T.nlinalg.eigh(x)[0], S, np.linalg.eigvalsh(S)),
    "erfcx": (lambda x: T.erfcx(x), A, scipy.special.erfcx(A)), "mod": (lambda x: T.mod(x, 2), A, A % 2),
    "nlinalg.trace": (lambda x: T.nlinalg.trace(x), S, np.trace(S)),
    "slinalg.cholesky": (lambda x: T.slinalg.cholesky(x), S, np.linalg.cholesky(S)),
    "get_scalar_constant_value": (lambda x: x * float(T.get_scalar_constant_value(T.constant(2.0))), A, 2 * A),
    "consider_constant": (lambda x: T.grad((T.consider_constant(x) * x).sum(), x), A, A), "copy": (T.copy, A, A),
    "intdiv": (lambda i: T.intdiv(i, 2), I, I // 2), "floor_div": (lambda i: T.floor_div(i, 2), I, I // 2),
    "tri_gamma": (T.tri_gamma, P, scipy.special.polygamma(1, P)),
    "permute_row_elements": (lambda x: T.permute_row_elements(x, [2, 0, 1]), A, A[:, [2, 0, 1]]),
    "tensor_from_scalar": (lambda x: T.tensor_from_scalar(x[0, 0]) + x, A, A + A[0, 0]),
    "scalar_from_tensor": (lambda x: T.scalar_from_tensor(x[0, 0]) + x, A, A + A[0, 0]),
    "extract_constant": (lambda x: x * float(T.extract_constant(T.constant(2.0))), A, 2 * A),
    "jn": (lambda x: T.jn(2, x), P, scipy.special.jv(2, P)), "j0": (T.j0, P, scipy.special.j0(P)),
    "i1": (T.i1, P, scipy.special.i1(P)), "transfer": (lambda x: T.transfer(x, None), A, A),
    "Flatten": (lambda x: T.Flatten(1)(x), A, A.ravel()), "Argmax": (lambda x: T.Argmax((1,))(x), A, A.argmax(1)),
    "MaxAndArgmax": (lambda x: T.MaxAndArgmax(0)(x)[0], A, A.max(0)),
    "Rebroadcast": (lambda x: T.Rebroadcast((0, True), (1, False))(x[:1]) + P, A, A[:1] + P),
    "elemwise.Sum": (lambda x: T.elemwise.Sum(axis=0)(x), A, A.sum(0)),
    "elemwise.Prod": (lambda x: T.elemwise.Prod(axis=[1], dtype="float64")(x), A, A.prod(1)),
    "elemwise.All": (lambda x: T.elemwise.All()(x), A, A.all()),
    "elemwise.Any": (lambda x: T.elemwise.Any(axis=1)(x), A, A.any(1)),
    "extra_ops.CpuContiguous": (lambda x: T.extra_ops.CpuContiguous()(x.T), A, A.T),
    "extra_ops.bartlett": (lambda x: T.extra_ops.bartlett(x.shape[1]), A, np.bartlett(3)),
    "extra_ops.broadcast_shape": (lambda x: T.zeros(T.extra_ops.broadcast_shape(x, P)) + 1, A, np.ones((2, 3))),
    "extra_ops.searchsorted": (lambda x: T.extra_ops.searchsorted([0.0, 1.0], x), A, np.searchsorted([0.0, 1.0], A)),
    "extra_ops.compress": (lambda x: T.extra_ops.compress([False, True], x, axis=0), A, A[1:]),
    "extra_ops.diff": (lambda x: T.extra_ops.diff(x, n=1, axis=0), A, np.diff(A, axis=0)),
    "extra_ops.bincount": (lambda i: T.extra_ops.bincount(i), I, np.bincount(I)),
    "extra_ops.squeeze": (lambda x: T.extra_ops.squeeze(T.shape_padleft(x)), A, A),
    "extra_ops.fill_diagonal": (lambda x: T.extra_ops.fill_diagonal(x, 9), S, np.array([[9.0, 1.0], [1.0, 9.0]])),
    "extra_ops.Unique": (lambda i: T.extra_ops.Unique()(i), I, np.unique(I)),
    "extra_ops.unravel_index": (lambda i: T.extra_ops.unravel_index(i, (2, 3))[1], I, np.unravel_index(I, (2, 3))[1]),
    "sort.argsort": (lambda x: T.sort.argsort(x, axis=0), A, A.argsort(0)),  # type: ignore[attr-defined]
    "basic.dot": (lambda x: T.basic.dot(x, x.T), A, A @ A.T), "basic.exp": (lambda x: T.basic.exp(x), A, np.exp(A)),
    "inverse_permutation": (lambda i: T.inverse_permutation(i), I, np.argsort(I)),
    "nonzero_values": (lambda x: T.nonzero_values(x), A, A[A != 0]),
    "mgrid": (lambda x: T.mgrid[0:2, 0:3][1] * x, A, np.mgrid[0:2, 0:3][1] * A),
    "linspace of symbolic num": (lambda x: T.linspace(0.0, 1.0, x.shape[1]), A, np.linspace(0.0, 1.0, 3)),
    "arange of floats": (lambda x: T.arange(x[0, 0], 3.0, 0.5), A, np.arange(0.5, 3.0, 0.5)),
    "where": (lambda x: T.where(x > 0, x, -x), A, abs(A)),
    "where alone": (lambda x: T.where(x > 0)[1], A, np.where(A > 0)[1]),
    "jacobian": (lambda x: T.jacobian(x[0] ** 2, x)[:, 0].diagonal(), A, 2 * A[0]),  # type: ignore[attr-defined]
    "arange of ends": (lambda i: T.arange(1, i[0] + 5), I, np.arange(1, 7)),
    "arange backwards": (lambda i: T.arange(i[0], -3, -2), I, np.arange(2, -3, -2)),
}

SYMBOL = T.dscalar("s")


def _is_state(variable: Any) -> bool:
    """Also once pickled; and other shared variables are none."""
    kind = T.shared_randomstreams.RandomStateSharedVariable  # type: ignore[attr-defined]
    again = pickle.loads(pickle.dumps(variable))
    return isinstance(variable, kind) and isinstance(again, kind) and not isinstance(sg.shared(1.0), kind)


#: Names that are classes, exceptions or functions of other things than one tensor.
KINDS: dict[str, Callable[[], bool]] = {
    "TensorType": lambda: T.TensorType(dtype="float32", broadcastable=(False, True))().ndim == 2,
    "TensorVariable": lambda: isinstance(T.dmatrix(), T.TensorVariable) and not isinstance(
        sg.shared(1.0), T.TensorVariable) and not isinstance(T.constant(1.0), T.TensorVariable),
    "Variable": lambda: isinstance(T.dmatrix(), T.Variable),
    "TensorConstant": lambda: isinstance(T.constant(1), T.TensorConstant),
    "Constant": lambda: isinstance(T.constant(1), T.Constant),
    "Elemwise": lambda: isinstance(T.exp(T.dmatrix()).owner.op, T.Elemwise),
    "DimShuffle": lambda: isinstance(T.dmatrix().T.owner.op, T.DimShuffle),
    "Subtensor": lambda: isinstance(T.dmatrix()[0].owner.op, T.Subtensor),
    "IncSubtensor": lambda: isinstance(T.inc_subtensor(T.dmatrix()[0], 1).owner.op, T.IncSubtensor),
    "CAReduce": lambda: isinstance(T.dmatrix().sum().owner.op, T.CAReduce),
    "Dot": lambda: isinstance(T.dot(T.dmatrix(), T.dmatrix()).owner.op, T.Dot),
    "Reshape": lambda: isinstance(T.dmatrix().reshape((3, 2)).owner.op, T.Reshape),
    "Join": lambda: isinstance(T.join(0, T.dmatrix(), T.dmatrix()).owner.op, T.Join),
    "Split": lambda: isinstance(T.split(T.dmatrix(), [1, 2])[0].owner.op, T.Split),
    "Alloc": lambda: isinstance(T.alloc(0.0, T.iscalar()).owner.op, T.Alloc),
    "ARange": lambda: isinstance(T.arange(T.iscalar()).owner.op, T.ARange),
    "sharedvar.SharedVariable": lambda: isinstance(sg.shared(1.0), T.sharedvar.SharedVariable),  # type: ignore[attr-defined]
    "sharedvar.TensorSharedVariable": lambda: isinstance(sg.shared(1.0), T.sharedvar.TensorSharedVariable),  # type: ignore[attr-defined]
    "var.TensorVariable": lambda: isinstance(T.dmatrix(), T.var.TensorVariable),  # type: ignore[attr-defined]
    "basic.as_tensor_variable": lambda: T.basic.as_tensor_variable(1).ndim == 0,
    "TensorSharedVariable": lambda: isinstance(sg.shared(1.0), T.TensorSharedVariable),  # type: ignore[attr-defined]
    "elemwise.Elemwise": lambda: T.elemwise.Elemwise is T.Elemwise,
    "elemwise.DimShuffle": lambda: isinstance(T.dmatrix().T.owner.op, T.elemwise.DimShuffle),  # type: ignore[attr-defined]
    "elemwise.CAReduce": lambda: isinstance(T.dmatrix().sum().owner.op, T.elemwise.CAReduce),  # type: ignore[attr-defined]
    "elemwise.Sum": lambda: isinstance(T.dmatrix().sum().owner.op, T.elemwise.Sum) and not isinstance(  # type: ignore[attr-defined]
        T.dmatrix().max().owner.op, T.elemwise.Sum),  # type: ignore[attr-defined]
    "subtensor.Subtensor": lambda: isinstance(T.dmatrix()[0].owner.op, T.subtensor.Subtensor),
    "Assert": lambda: isinstance(T.assert_op(T.dscalar(), True).owner.op, T.Assert),
    "extract_constant": lambda: T.extract_constant(SYMBOL) is SYMBOL
    and T.extract_constant(T.alloc(2.0, 3), only_process_constants=True).owner is not None,
    "NotScalarConstantError": lambda: issubclass(T.NotScalarConstantError, Exception),
    "shared_randomstreams.RandomStateSharedVariable": lambda: _is_state(
        T.shared_randomstreams.RandomStreams(1).uniform((2,)).rng),  # type: ignore[attr-defined]
    "_allclose": lambda: T._allclose(A, A + 1e-12) and not T._allclose(A, A + 1e-3),
}
CONSTRUCTORS = (
    "scalar", "vector", "matrix", "tensor3", "tensor4", "ivector", "lscalar", "iscalar", "imatrix", "lvector",
    "dmatrix", "lmatrix", "fmatrix", "ftensor4", "dvector", "fscalar", "itensor3", "dscalar", "row", "col",
    "fvector", "dtensor3",
)


@pytest.mark.parametrize("name", USES)
def test_a_name_behaves(name: str) -> None:
    use, value, want = USES[name]
    x = T.TensorType(value.dtype, (None,) * value.ndim)("x")
    if name == "squeeze":
        x = T.TensorType(value.dtype, (2, 3))("x")
    found = sg.function([x], use(x), on_unused_input="ignore")(value)
    assert found.dtype == np.asarray(want).dtype
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_what_it_says(name: str) -> None:
    assert KINDS[name]()


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_a_constructor_takes_a_name(name: str) -> None:
    x = getattr(T, name)("x")
    assert x.name == "x"
    assert getattr(T, name)(name="y").type == x.type


def test_where_takes_both_or_neither() -> None:
    with pytest.raises(ValueError, match="both x and y"):
        T.where(T.dvector() > 0, 1.0)


def test_plurals() -> None:
    assert [v.name for v in T.matrices("a", "b")] == ["a", "b"]


def test_names_of_the_package() -> None:
    x, y = T.dmatrices("x", "y")
    np.testing.assert_allclose(sg.dot(x, y).eval({x: A, y: A.T}), A @ A.T)
    package: Any = sg
    assert package._asarray([1, 2], dtype="float32").dtype == "float32"
    np.testing.assert_allclose(sg.clone(x + 1, replace={x: y * 2}).eval({y: A}), 2 * A + 1)
    fresh = sg.clone(x + 1, share_inputs=False)
    assert fresh.owner.inputs[0] is not x
    assert fresh.owner.inputs[0].name == "x"
    assert issubclass(sg.gradient.NullTypeGradError, TypeError)
    limited: Any = sg.gradient.grad_clip(x, -1, 1)
    clipped = sg.grad(limited.sum() * 5, x)
    np.testing.assert_array_equal(clipped.eval({x: A}), np.ones_like(A))
    assert isinstance(sg.gradient.DisconnectedType()().type, sg.gradient.DisconnectedType)
    assert sg.gradient.disconnected_grad is sg.disconnected_grad
    assert sg.gradient.zero_grad is sg.zero_grad
    assert callable(sg.gradient.grad_not_implemented)
    assert sg.gradient.grad is sg.grad
    assert sg.compile.function is sg.function
    assert issubclass(sg.compile.SharedVariable, sg.Variable)
    assert sg.compile.get_default_mode() is not None
    assert sg.printing.Print is sg.Print
    assert sg.tensor is T
    with sg.config.change_flags(floatX="float32"):
        assert sg.config.floatX == T.scalar().dtype == "float32"


ATTRIBUTES = (
    "shape", "sum", "mean", "reshape", "astype", "ndim", "dimshuffle", "flatten", "argmax", "max", "copy",
    "dtype", "prod", "name", "T", "size", "min", "transpose", "type", "argsort", "eval", "dot", "std",
    "zeros_like", "broadcastable", "clip", "repeat", "any", "round", "nonzero", "tag", "all", "norm", "var",
    "squeeze", "cumsum", "swapaxes", "sort", "ones_like", "argmin", "owner", "ravel", "fill", "trace", "clone",
    "diagonal", "compress", "conjugate", "choose", "searchsorted", "cumprod", "take", "conj", "real", "imag",
    "ptp",
)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_variables_have_the_attribute(name: str) -> None:
    assert getattr(T.dmatrix("x"), name, None) is not None or name == "owner"


def test_shared_variables_have_theirs() -> None:
    s = sg.shared(A, name="s")
    s.set_value(A + 1)
    np.testing.assert_array_equal(s.get_value(borrow=True), A + 1)
    assert s.container is not None
    s.default_update = s + 1
    sg.function([], [])()
    sg.function([], s.sum())()
    np.testing.assert_array_equal(s.get_value(), A + 2)


def test_verify_grad_among_the_tensors() -> None:
    tensors: Any = T
    tensors.verify_grad(lambda x: T.sum(x ** 3), [A], rng=np.random.RandomState(1))
    with pytest.raises(Exception, match="gradient"):
        tensors.verify_grad(lambda x: sg.disconnected_grad(x).sum() + x.sum() * 0 + x[0, 0] ** 2 * 0 + sg.grad_scale(
            x, 3).sum(), [A], rng=np.random.RandomState(1))
