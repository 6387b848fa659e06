"""Examples for every rule that is a function: expressions on which it fires, and on which it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor.basic import Alloc
from symgraph.tensor.nnet.softmax import LogSoftmax, LogSumExp, Softmax, SoftmaxGrad
from symgraph.tensor.shape import DimShuffle, Reshape, Shape, SpecifyShape
from symgraph.tensor.specify import require_lengths
from symgraph.tensor.subtensor import ARRAY, IncSubtensor, SliceSpec, Subtensor

Array = np.ndarray[Any, Any]
Build = Callable[..., Any]


def floats(*shape: int, seed: int = 0, dtype: str = "float64") -> Array:
    return np.random.default_rng(seed + len(shape)).uniform(0.5, 2, shape).astype(dtype)


def integers(*shape: int, dtype: str = "int64") -> Array:
    return np.random.default_rng(5).integers(0, 3, shape).astype(dtype)


class Fails(sg.Op):
    """An operation that cannot be computed."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        raise ZeroDivisionError("by design")


def _softmax(x: Any) -> Any:
    e = T.exp(x - T.max(x, axis=1, keepdims=True))
    return e / T.sum(e, axis=1, keepdims=True)


@dataclass(frozen=True)
class Example:
    """An expression of inputs with these values, on which a rule fires, or must not.

    An input's length is known to the expression where it is 1.
    """

    rule: str
    build: Build
    values: tuple[Array, ...]

    def __str__(self) -> str:
        return f"{self.rule}-{'-'.join(f'{v.dtype}{list(v.shape)}' for v in self.values)}".replace(" ", "")


def example(rule: str, build: Build, *values: Any) -> Example:
    return Example(rule, build, tuple(np.asarray(v) for v in values))


def rows(x: Any) -> Any:
    return T.arange(x.shape[0])


def scattered(x: Any, v: Any, i: Any, j: Any) -> Any:
    return T.inc_subtensor(T.zeros_like(x)[i, j], v)


def uses_twice(build: Build) -> Build:
    """An expression whose parts something else reads as well."""
    return lambda *inputs: (lambda whole: T.sum(whole) + T.sum(whole[0]))(build(*inputs))


X, Y, V = floats(3, 4), floats(3, 4, seed=7), floats(4)
I, J = np.array([0, 2, 1]), np.array([3, 0, 3])

FIRES = [
    example("fold_constants", lambda x: x * (T.constant(2.0) + T.constant(3.0)), X),
    example("fold_constants", lambda x: x + T.exp(T.constant(np.arange(4.0))), X),
    example("alloc_of_padded", lambda v, x: Alloc()(v.dimshuffle("x", 0), x.shape[0], x.shape[1]), V, X),
    example("written_value_needs_no_stretching", lambda x, v: T.set_subtensor(x[:2], T.alloc(v, 2, 4)), X, V),
    example("written_value_needs_no_stretching", lambda x, v, i: T.inc_subtensor(x[i], T.alloc(v, 3, 4)), X, V, I),
    example("length_is_not_negative", lambda x: T.maximum(x.shape[0], 0), X),
    example("length_of", lambda x: T.exp(x).shape[1], X),
    example("length_of", lambda x, y: T.tanh(T.dot(x, y.T)).shape[1], X, Y),
    example("length_of", lambda x: T.exp(x)[1:].shape[0], X),
    example("shape_of_computed", lambda x, y: Shape()(x * y), X, Y),
    example("shape_of_computed", lambda x: Shape()(T.exp(x).T), X),
    example("element_of_shape", lambda x: Subtensor((1,))(Shape()(x)), X),
    example("element_of_shape", lambda x: Subtensor((-1,))(Shape()(x)), X),
    example("element_of_shape", lambda x: Subtensor((1,))(T.stack([x.shape[0], x.shape[1]])), X),
    example("whole", lambda x: x[:], X),
    example("whole", lambda x: x[:, :], X),
    example("merge_dimshuffles", lambda x: x.T.dimshuffle("x", 1, 0), X),
    example("merge_dimshuffles", lambda x: x.T.T, X),
    example("merge_dimshuffles", lambda x: DimShuffle((1, "x"))(x), X[:1]),
    example("merge_dimshuffles", lambda x: DimShuffle((0, 1))(x), X),
    example("merge_reshapes", lambda x: x.flatten().reshape((4, 3)), X),
    example("merge_reshapes", lambda v: Reshape()(v, -1), V),
    example("known_shape", SpecifyShape((1, None)), X[:1]),
    example("alloc_of_alloc", lambda x: Alloc()(T.alloc(x, 4), 3, 4), 2.0),
    example("alloc_of_alloc", lambda x: Alloc()(T.alloc(x, 3, 4), 2, 3, 4), V),
    example("gate_is_identity", lambda x: sg.disconnected_grad(x) * x, X),
    example("gate_is_identity", lambda x: sg.grad_clip(x, -1, 1), X),
    example("copy_is_identity", lambda x: T.tensor_copy(x) if hasattr(T, "tensor_copy") else x.copy(), X),
    example("cast_of_cast", lambda i: T.cast(T.cast(i, "int64"), "float64"), integers(4, dtype="int8")),
    example("cast_of_cast", lambda x: T.cast(T.cast(x, "float64"), "float32"), floats(4, dtype="float32")),
    example("part_of_cast", lambda i: T.cast(i, "float64")[1:], integers(4)),
    example("second_is_stretching", T.fill, X, V),
    example("second_is_stretching", T.fill, X, 2.0),
    example("operand_needs_no_stretching", lambda x, v: x + T.alloc(v, *x.shape), X, V),
    example("operand_needs_no_stretching", lambda x, v: T.switch(T.alloc(v, *x.shape), x, 0), X, V > 1),
    example("constant_condition", lambda x, y: T.switch(T.constant(True), x, y), X, Y),
    example("constant_condition", lambda x, y: T.switch(np.zeros((1, 1), bool), x, y), X, Y),
    example("constant_condition", lambda c, x: T.switch(c, x, x), X > 1, X),
    example("reduce_nothing", lambda x: T.sum(x, axis=()), X),
    example("shuffle_of_alloc", lambda x, y: Alloc()(x, y.shape[0], y.shape[1]).T, 2.0, X),
    example("negated_comparison", lambda x, y: ~T.eq(x, y), X, np.where(Y > 1, X, Y)),
    example("negated_comparison", lambda i, j: ~T.lt(i, j), integers(9), integers(9)[::-1]),
    example("log_of_softmax", lambda x: T.log(T.nnet.softmax(x)), X),
    example("log_of_softmax", lambda x, i, j: T.log(T.nnet.softmax(x)[i, j]), X, I, J),
    example("log_of_softmax", lambda x: T.log(T.nnet.softmax(x).T), X),
    example("gradient_of_log_of_softmax", lambda x, g: SoftmaxGrad((1,))(g / Softmax((1,))(x), Softmax((1,))(x)), X, Y),
    example("gradient_of_log_of_softmax",
            lambda x: SoftmaxGrad((1,))(-(3.0 / Softmax((1,))(x) / 5.0), Softmax((1,))(x)), X),
    example("gradient_of_log_of_softmax", lambda x, i, j: sg.grad(T.log(T.nnet.softmax(x)[i, j]).sum(), x), X, I, J),
    example("log_of_sum_of_exp", lambda x: T.log(T.exp(x).sum(axis=1)), X),
    example("log_of_sum_of_exp", lambda x: T.log(T.exp(x).sum(axis=(0, 1), keepdims=True)), X),
    example("sum_of_quotient", lambda x, y: T.sum(x / y), X, 3.0),
    example("sum_of_quotient", lambda x, y: T.sum(-(x / y), axis=1), X, Y[:, :1]),
    example("sum_of_quotient", lambda x, y: T.sum(x / y, axis=1, keepdims=True), X, Y[:, :1]),
    example("factors", lambda x: T.exp(x) / T.exp(x).sum(axis=1, keepdims=True), X),
    example("factors", lambda x, y: y * T.exp(x) * T.nnet.sigmoid(-x) / 3.0, X, Y),
    example("factors", lambda x, y: -(y / T.nnet.sigmoid(x)) * T.nnet.sigmoid(x), X, Y),
    example("distribute_to_cancel", lambda x, y: (y / T.nnet.sigmoid(x) + 3.0) * T.nnet.sigmoid(x), X, Y),
    example("part_of_log_softmax", lambda x, i, j: LogSoftmax((1,))(x)[i, j], X, I, J),
    example("sum_of_scattered", lambda x, v, j: T.sum(scattered(x, v, rows(x), j), axis=1), X, V[:3], J),
    example("sum_of_scattered", lambda x, v, i, j: T.sum(scattered(x, v, i, j), axis=1, keepdims=True), X, V[:3], I, J),
    example("sum_of_scattered", lambda x, v, i, j: T.sum(scattered(x, v, i, j), axis=1), X, V[:3], I // 2, J),
    example("index_is_unique", lambda x, v, j: T.inc_subtensor(x[rows(x), j], v), X, V[:3], J),
    example("index_is_unique", lambda x, y: T.inc_subtensor(x[T.arange(2)], y), X, Y[:2]),
    example("add_to_scattered", lambda x, y, v, i, j: scattered(x, v, i, j) + y, X, Y, V[:3], I, J),
    example("add_to_scattered", lambda x, y, v, i, j: y + scattered(x, v, i, j), X, Y, V[:3], I, J),
    example("add_to_scattered", lambda x, y, v, i, j: y - scattered(x, v, i, j), X, Y, V[:3], I, J),
    example("add_to_scattered", lambda x, y, v, i, j: scattered(x, v, i, j) - y, X, Y, V[:3], I, J),
    example("sign_to_small_factor", lambda x, y: -(x * y), X[:, :1], Y),
    example("sign_to_small_factor", lambda x, y: -(x / y), X, V),
    example("expand_softmax", Softmax((1,)), X),
    example("scale_of_softmax", lambda x, y: T.sum(y, axis=1, keepdims=True) * _softmax(x), X, Y),
    example("negative_of_scattered", lambda x, i: -IncSubtensor((ARRAY,), False)(T.zeros(6), x.sum(), i), V, [1, 3]),
    example("negative_of_scattered",
            lambda x, i: -IncSubtensor((ARRAY,), False, True)(T.zeros(6), x[0], i).dimshuffle(0, "x"), V, [1, 3]),
    example("sigmoid_by_exponential", lambda x: T.nnet.sigmoid(100 * x) + T.nnet.sigmoid(-x), X - 1),
    example("expand_softmax", LogSoftmax((0,)), X),
    example("expand_softmax", LogSumExp((0, 1)), X),
    example("expand_softmax", SoftmaxGrad((1,)), X, Y),
    example("gemm", lambda w, x, d: w - 0.1 * T.dot(x.T, d), floats(4, 4), X, Y),
    example("gemm", lambda w, x, d, s: w - s * (T.dot(x.T, d) + 2 * s * w), floats(4, 4), X, Y, 0.25),
    example("gemm", lambda w, x, d: -w / 3 + T.dot(x.T, d) * 2, *(floats(*s, dtype="float32") for s in
                                                                  ((4, 4), (3, 4), (3, 4)))),
    example("gemm", lambda x, d, u: T.dot(x.T, d) + T.dot(u, u), X, Y, floats(4, 4)),
    example("gemm", lambda x, d, u: T.dot(x.T, d) - T.dot(u, u) + T.dot(u, u.T), X, Y, floats(4, 4)),
    example("gemv", lambda v, x, u: v + T.dot(u, x) / 3, V, X, floats(3)),
    example("gemv", lambda v, x, u, s: v * s - T.dot(x, u), floats(3), X, V, 0.5),
    example("ger", lambda x, u, v, s: x - T.outer(u, v) * s, X, floats(3), V, 0.5),
    example("ger", lambda x, u, v: x / 2 + T.outer(u, v), X, floats(3), V),
    example("inner", lambda x: T.sum(T.sqr(x)), X),
    example("inner", lambda x, y: T.sum(x * y), X, Y),
    example("inner", lambda u, v: T.sum(u * v), V, V[::-1]),
]

#: Those of algebra, reductions and parts.
FIRES += [
    example("multiply_whole_by_zero", lambda i: i * 0, integers(3, 4)),
    example("multiply_whole_by_zero", lambda b: b & False | (b * T.constant(False)), X > 1),
    example("without_itself", lambda i: i - i, integers(4, dtype="uint8")),
    example("without_itself", lambda i: i ^ i, X > 1),
    example("remainder_by_one", lambda i: i % 1, integers(4, dtype="int8")),
    *(example("compare_with_itself", lambda i, f=f: f(i, i), integers(4))
      for f in (T.eq, T.neq, T.lt, T.le, T.gt, T.ge)),
    example("decided_by_constant", lambda b: b & False, X > 1),
    example("decided_by_constant", lambda b: b | True, X > 1),
    example("power_zero", lambda x: x ** 0, np.array([1.0, 0.0, np.nan, np.inf])),
    example("power_zero", lambda i: i ** np.int8(0), integers(4, dtype="int8")),
    example("power_minus_one", lambda x: x ** -1, X),
    example("done_already", lambda x: T.floor(T.ceil(x)), X),
    example("done_already", lambda x: T.sgn(T.sgn(x - 1)), X),
    example("abs_of_not_negative", lambda x: abs(T.exp(x)), X),
    example("even_function", lambda x: T.cos(-x), X),
    example("even_function", lambda x: T.cosh(abs(x - 1)), X),
    example("even_function", lambda x: abs(-x), X),
    example("constants_multiplied", lambda x: 2 * (x * 3), X),
    example("constants_multiplied", lambda i: 100 * (i * 77), integers(4, dtype="int8")),
    example("constants_added", lambda i: 100 + (i + 77), integers(4, dtype="int8")),
    example("sign_of_constant", lambda x: -(3 * x), X),
    example("product_with_whole_zeros", lambda i: T.dot(i, T.zeros((4, 2), "int64")), integers(3, 4)),
    example("zero_term", lambda x: x + 0 * T.sgn(x), X),
    example("zero_term", lambda x, y: y - (x * 2 + 0 * T.tanh(x)), X, Y),
    example("zero_term", lambda x, y: T.sum(y) - 0 * T.sum(abs(x)) + 3 * T.sum(T.sqr(x)), X, Y),
    example("unsafe_product_with_zeros", lambda x: T.dot(x, T.zeros((4, 2))), X),
    *(example("power_by_squaring", lambda x, n=n: x ** n, X) for n in range(3, 9)),
    example("power_by_squaring", lambda i: i ** np.int8(5), integers(4, dtype="int8")),
    example("power_minus_half", lambda x: x ** -0.5, X),
    example("divide_by_power_of_two", lambda x: x / 8, X),
    example("divide_by_power_of_two", lambda x: x / -0.25, X.astype("float32")),
    example("sum_of_negative", lambda x: T.sum(-x, axis=1), X),
    example("sum_of_scaled", lambda x, a: T.sum(a * x), X, 3.0),
    example("sum_of_scaled", lambda x: T.sum(x * 0.1, axis=1, keepdims=True), X),
    example("sum_of_scaled", lambda i: T.sum(i * 7, axis=0), integers(3, 4)),
    example("reduce_of_reduced", lambda x: T.sum(T.sum(x, axis=1), axis=0), floats(2, 3, 4)),
    example("reduce_of_reduced", lambda x: T.max(T.max(x, axis=0), axis=1), floats(2, 3, 4)),
    example("reduce_of_reduced", lambda x: T.prod(T.prod(x, axis=1, keepdims=True), axis=0, keepdims=True), X),
    example("reduce_of_reduced", lambda x: T.sum(T.sum(x, axis=0, keepdims=True), axis=2), floats(2, 3, 4)),
    example("reduce_of_reduced", lambda i: T.sum(T.sum(i, axis=0)), integers(3, 4, dtype="int8")),
    example("reduce_of_shuffled", lambda x: T.sum(x.T), X),
    example("reduce_of_shuffled", lambda x: T.max(x.dimshuffle(1, "x", 0)), X),
    example("reduce_of_one", lambda x: T.sum(x, axis=1), X[:, :1]),
    example("reduce_of_one", lambda x: T.max(x, axis=0, keepdims=True), X[:1]),
    example("reduce_of_stretched", lambda x: T.sum(T.alloc(0.5, *x.shape)), X),
    example("reduce_of_stretched", lambda x: T.sum(T.ones_like(x, dtype="bool")), X),
    example("reduce_of_stretched", lambda: T.max(T.alloc(0.5, 3, 4))),
    example("extreme_of_increasing", lambda x: T.max(T.exp(x), axis=1), X),
    example("extreme_of_increasing", lambda x: T.min(T.nnet.sigmoid(x)), X),
    example("extreme_of_negative", lambda x: T.max(-x, axis=0, keepdims=True), X),
    example("product_of_transposes", lambda x, y: T.dot(x.T, y.T), X, floats(5, 3)),
    example("gemm", lambda w, x, d: w - T.dot(x, d).T, floats(5, 3), X, floats(4, 5)),
    example("reshape_of_padded", lambda x: x.dimshuffle(0, "x", 1).reshape((4, 3)), X),
    example("reshape_to_itself", lambda x: x.reshape(x.shape, ndim=2), X),
    example("reshape_to_itself", lambda x: T.specify_shape(x, (3, 4)).reshape((3, -1)), X),
    example("lengths_as_required", lambda x: require_lengths(x, [x.shape[0], None]), X),
    example("stretched_to_itself", lambda x: Alloc()(x, *x.shape), X),
    example("function_of_stretched", lambda v, x: T.exp(T.alloc(v, x.shape[0], 4)), V, X),
    example("function_of_stretched", lambda x: 2 ** T.alloc(x[0, 0], x.shape[0], 4), X),
    example("part_of_part", lambda x: x[1][2], X),
    example("part_of_part", lambda x, k: x[k:2 * k][:, 1], X, np.array(1)),
    example("part_of_part", lambda x: x[1:][1:], X),
    example("part_of_part", lambda x: x[:, ::2][:, 1], X),
    example("part_of_part", lambda x: x[:, 1:4][:, 0:2], X),
    example("part_of_part", lambda x: x[::-1][::-1], X),
    example("part_of_part", lambda x: x[0][None], X),
    example("part_of_part", lambda x: x[:, None][1, 0], X),
    example("part_of_part", lambda x: x[None][:, 1], X),
    example("slice_to_the_end", lambda x: x[1:x.shape[0]], X),
    example("slice_to_the_end", lambda x: x[:, :x.shape[1]], X),
    example("slice_to_the_end", lambda x: T.exp(x)[:x.shape[0]], X),
    example("gather_in_order", lambda x: x[T.arange(x.shape[0])], X),
    example("part_of_vector", lambda x: x[0, 0] + T.stack([x[0, 1], x[1, 0], x[1, 1]])[1:], X),
    example("part_of_stretched", lambda x: T.alloc(2.0, x.shape[0], 4)[1:], X),
    example("part_of_stretched", lambda v, x: T.alloc(v, x.shape[0], 4)[1:3], V, X),
    example("part_of_joined", lambda x: T.stack([T.exp(x), T.sin(x)])[1], X),
    example("part_of_joined", lambda x: T.concatenate([T.zeros((2, 4)), T.ones((3, 4)), x])[2:4], X),
    example("part_of_joined", lambda x: T.concatenate([x, x + 1], axis=1)[:, 1], X[:, :1]),
    example("part_just_set", lambda x, v: T.set_subtensor(x[1:3], v)[1:3], X, X[:2]),
    example("part_just_set", lambda x, v: T.inc_subtensor(T.zeros((3, 4))[1], v)[1], X, V),
    example("part_not_written", lambda v: T.set_subtensor(T.ones((3, 4))[1], v)[-1], V),
    example("part_of_shuffled", lambda x: x.T[1], X),
    example("part_of_shuffled", lambda x: x.dimshuffle(1, "x", 0)[1:, 0], X),
    example("write_all", lambda x, y: T.set_subtensor(x[:], T.exp(x)), X, Y),
    example("write_all", lambda x, v: T.set_subtensor(x[:, :], v), X, V[:1]),
    example("write_all", lambda x, y: T.inc_subtensor(x[:], y), X, Y),
    example("set_twice", lambda x, v: T.set_subtensor(T.set_subtensor(x[1], v)[1], v + 1), X, V),
    example("set_to_itself", lambda x: T.set_subtensor(x[1:], x[1:]), X),
    example("part_of_elementwise", lambda x: (x * 2 + 1)[1], X),
    example("part_of_elementwise", lambda x: T.exp(x)[:, 1:], X),
    example("part_of_elementwise", lambda x, a: (x / a)[:, 0], X, np.array([[2.0]])),
    example("part_of_elementwise", lambda x: (T.exp(x) * T.sin(x))[0], X),
    example("part_of_reduced", lambda x: T.sum(x, axis=1)[1], X),
    example("part_of_reduced", lambda x: T.max(x, axis=1)[:, 1:], floats(2, 3, 4)),
    example("part_of_product", lambda x, y: T.dot(x, y.T)[1, 0], X, Y),
    example("part_of_product", lambda x, y: T.dot(x, y.T)[:, 1:], X, Y),
    example("part_of_product", lambda v, x: T.dot(x, v)[1], V, X),
]

#: Where a rule must hold back: its law would not hold, or the result would be of another type.
DECLINES = [
    example("multiply_whole_by_zero", lambda x: x * 0, X),
    example("without_itself", lambda x: x - x, X),
    example("compare_with_itself", lambda x: T.eq(x, x), X),
    example("remainder_by_one", lambda x: x % 1, X),
    example("decided_by_constant", lambda i: i & 0, integers(4)),
    example("power_minus_one", lambda x: x ** -1, X.astype("complex128")),
    example("done_already", lambda x: T.floor(T.exp(x)), X),
    example("abs_of_not_negative", lambda x: abs(T.sin(x)), X),
    example("even_function", lambda i: abs(-i), integers(4, dtype="int8")),
    example("constants_multiplied", lambda x: 1e30 * (1e30 * x), X.astype("float32")),
    example("constants_multiplied", lambda x: 1e30 * (1e-30 * x), X.astype("float32")),
    example("constants_added", lambda x: (x + 1e16) + -1e16, X),
    example("sign_of_constant", lambda i: -(3 * i), integers(4)),
    example("product_with_whole_zeros", lambda x: T.dot(x, T.zeros((4, 2))), X),
    example("zero_term", lambda x, y: y + 0 * x, X, Y),
    example("zero_term", lambda x, y: T.exp(x) + 0 * x, X, Y),
    example("zero_term", lambda x: x + 0 * T.exp(x), X),
    example("zero_term", lambda x: x + 0 * (0 * x), X),
    example("power_by_squaring", lambda x: x ** 2.5, X),
    example("power_by_squaring", lambda x: x ** 3, X.astype("complex128")),
    example("divide_by_power_of_two", lambda x: x / 3, X),
    example("divide_by_power_of_two", lambda x: x / 2.0 ** 1023 / 0.0, X),
    example("sum_of_negative", lambda i: T.sum(-i), integers(4, dtype="int8")),
    example("sum_of_scaled", lambda i: T.sum(i * np.int8(100)), integers(4, dtype="int8")),
    example("sum_of_scaled", lambda x, v: T.sum(x * v), X, V),
    example("reduce_of_reduced", lambda x: T.sum(T.max(x, axis=0)), X),
    example("reduce_of_shuffled", lambda x: T.sum(x.T, axis=0), X),
    example("reduce_of_one", lambda x: T.sum(x, axis=0), X[:, :1]),
    example("reduce_of_stretched", lambda x, a: T.sum(T.alloc(a, *x.shape)), X, 2.0),  # no elements, and a infinite
    example("reduce_of_stretched", lambda x: T.max(T.alloc(2.0, *x.shape)), X),  # no elements: an error
    example("extreme_of_increasing", uses_twice(lambda x: T.exp(x)), X),
    example("extreme_of_increasing", lambda x: T.max(T.log(x)), X),
    example("extreme_of_negative", lambda i: T.max(-i), integers(4)),
    example("product_of_transposes", lambda x, y: T.dot(x, y.T), X, Y),
    example("reshape_of_padded", lambda x: x.dimshuffle(1, "x", 0).reshape((3, 4)), X),
    example("reshape_to_itself", lambda x: x.reshape((3, 4)), X),
    example("reshape_to_itself", lambda x: x.reshape((x.shape[0], -1)), X),  # without elements, -1 is an error
    example("lengths_as_required", lambda x: require_lengths(x, [x.shape[1], None]), floats(3, 3)),
    example("stretched_to_itself", lambda v, x: Alloc()(v, x.shape[1]), V, X),
    example("function_of_stretched", lambda v, x: x + T.alloc(v, 3, 4), V, X),
    example("part_of_part", lambda x: x[1:2][1], X),
    example("part_of_part", lambda x: x[1:][-1], X),
    example("part_of_part", lambda x, k: x[k:][1:], X, np.array(1)),
    example("part_of_part", lambda x, i: x[i][1:], X, I),
    example("slice_to_the_end", lambda x: x[:x.shape[1]], X),
    example("gather_in_order", lambda x: x[T.arange(x.shape[1])], floats(4, 4)),
    example("part_of_stretched", lambda x: T.alloc(2.0, *x.shape)[1], X),
    example("part_of_joined", lambda x: T.concatenate([x, x + 1])[1], X),
    example("part_of_joined", lambda x: T.stack([x, x + 1])[:, 1], X),
    example("part_just_set", lambda x, v: T.set_subtensor(x[1], v)[1], X, V),  # it might be out of range
    example("part_just_set", lambda x, v: T.set_subtensor(x[1:], v)[:-1], X, V),
    example("part_not_written", lambda v: T.set_subtensor(T.ones((3, 4))[1], v)[-2], V),
    example("part_of_shuffled", lambda x, i: x.T[i], X, I),
    example("write_all", lambda x, v: T.set_subtensor(x[1:], v), X, V),
    example("set_twice", lambda x, v: T.set_subtensor(T.inc_subtensor(x[0], v)[1], v), X, V),
    example("set_to_itself", lambda x: T.set_subtensor(x[1:], x[:-1]), X),
    example("part_of_elementwise", uses_twice(T.exp), X),
    example("part_of_elementwise", lambda x, y: (x + y)[0], X, Y),  # their lengths must agree
    example("part_of_elementwise", lambda x, v: (x * v)[:, 0], X, V),
    example("part_of_reduced", uses_twice(lambda x: T.sum(x, axis=1)), X),
    example("part_of_product", uses_twice(lambda x: T.dot(x, x.T)), X),
    example("gemm", lambda w, x, d: T.dot(w, w) + T.dot(w, w) ** 2, floats(4, 4), X, Y),  # computed once
    example("gemm", lambda w, v: T.dot(w, w) + v, floats(4, 4), V),
    example("gemm", lambda w, x: w + x + T.dot(w, x), floats(4, 4), floats(4, 4)),
    example("gemm", lambda w, u: u + T.dot(w, w), integers(4, 4), integers(4, 4)),
    example("gemm", lambda w, u: u + 1e-30 * (1e-30 * T.dot(w, w)), *(floats(4, 4, dtype="float32"),) * 2),
    example("gemm", lambda w, u: u + 0 * T.dot(w, w), floats(4, 4), floats(4, 4)),  # may be NaN
    example("gemv", lambda x, u, v: T.dot(x, u) + T.dot(v, v), X, V, floats(3)),
    example("ger", lambda x, u, v: x * u.dimshuffle(0, "x") + v, X, floats(3), V),
    example("fold_constants", lambda x: T.exp(x) + 1, X),
    example("fold_constants", lambda: T.zeros((1 << 10, 1 << 10))),
    example("fold_constants", lambda: Fails()(T.constant(1.0))),
    example("length_is_not_negative", lambda x: T.maximum(x.shape[0], 1), X),
    example("length_of", lambda x: Subtensor((SliceSpec(1, None, None),))(x).shape[0], X),
    example("shape_of_computed", lambda x: Shape()(x[1:].T), X),
    example("element_of_shape", lambda x, i: T.shape(x)[i], X, np.array(1)),
    example("whole", lambda x: x[::2], X),
    example("whole", lambda x: x[:, 1:], X),
    example("merge_reshapes", lambda x: x.reshape((4, 3)), X),
    example("merge_reshapes", lambda v: Reshape()(v, 3), X[:1, :3]),
    example("known_shape", lambda x: T.specify_shape(x, (3, 4)), X),
    example("alloc_of_padded", lambda v: Alloc()(v.dimshuffle(0, "x"), 4, 3), V),
    example("cast_of_cast", lambda x: T.cast(T.cast(x, "int32"), "float64"), X),
    example("cast_of_cast", lambda i: T.cast(T.cast(i, "int8"), "int64"), integers(4)),
    example("part_of_cast", lambda i, j: T.cast(i, "float64")[j], integers(4), J),
    example("operand_needs_no_stretching", lambda x, v: x + T.alloc(v, 3, 4), X, V),  # the lengths of x are checked
    example("operand_needs_no_stretching", lambda v: T.alloc(v, 3, 4) + T.alloc(v, 3, 1), V[:1]),
    example("constant_condition", lambda x, v: T.switch(T.constant(True), v, x), X, V),
    example("constant_condition", lambda v: T.switch(T.constant(np.arange(4) > 1), v, v + 1), V),
    example("constant_condition", lambda x, i: T.switch(T.constant(False), x, i), X, integers(3, 4)),
    example("reduce_nothing", lambda i: T.sum(i, axis=()), integers(3, 4, dtype="int8")),
    example("shuffle_of_alloc", lambda v: T.alloc(v, 3, 4).T, V),
    example("negated_comparison", lambda x, y: ~T.lt(x, y), np.array([1.0, np.nan]), np.array([np.nan, 2.0])),
    example("log_of_softmax", lambda x: T.log(T.nnet.softmax(x) + 1), X),
    example("gradient_of_log_of_softmax", lambda x, g: SoftmaxGrad((1,))(g / x, Softmax((1,))(x)), X, Y),
    example("log_of_sum_of_exp", lambda x: T.log(T.exp(x).max(axis=1)), X),
    example("log_of_sum_of_exp", lambda x: T.log(T.sum(T.exp(x), dtype="float64")), X.astype("float32")),
    example("sum_of_quotient", lambda x, y: T.sum(x / y, axis=0), X, Y[:, :1]),
    example("sum_of_quotient", lambda x, y: T.sum(y / x), X, 3.0),
    example("sum_of_quotient", lambda i, y: T.sum(i / y), integers(3, 4, dtype="int8"), np.float32(3.0)),
    example("sum_of_quotient", lambda x, y: T.sum(x / y), X.astype("float32"), 3.0),
    example("factors", lambda x: x / x, X),
    example("factors", lambda x: T.exp(x) / T.exp(x).sum(axis=1), floats(4, 4)),
    example("factors", lambda i: T.exp(i) * T.nnet.sigmoid(-i), integers(4, dtype="uint8")),
    example("distribute_to_cancel", lambda x, y: (y / x + 3.0) * x, X, Y),
    example("part_of_log_softmax", lambda x, i, j: LogSoftmax((0,))(x)[i, j], X, I, J),
    example("sum_of_scattered", lambda x, v, i, j: T.sum(scattered(x, v, i, j), axis=0), X, V[:3], I, J),
    example("sum_of_scattered", lambda x, v, i, j: T.sum(T.inc_subtensor(x[i, j], v), axis=1), X, V[:3], I, J),
    example("sum_of_scattered", lambda x, v, i, j: T.sum(scattered(x, v, i, j), axis=1), X, V[:1], I[:1], J),
    example("index_is_unique", lambda x, v, i, j: T.inc_subtensor(x[i, j], v), X, V[:3], I, J),
    example("index_is_unique", lambda x, v, j: T.inc_subtensor(x[T.arange(1), j], v), X, V[:1], J),
    example("index_is_unique", lambda v: T.inc_subtensor(v[T.arange(-4, 4)], 1.0), V),
    example("add_to_scattered", lambda x, y, v, i, j: T.inc_subtensor(x[i, j], v) + y, X, Y, V[:3], I, J),
    example("add_to_scattered", lambda x, y, v, i, j: scattered(x, v, i, j) + y, X, Y[:1], V[:3], I, J),
    example("sign_to_small_factor", lambda x, y: -(x * y), X, Y),
    example("sign_to_small_factor", lambda x, y: -(x * y), V > 1, Y),
    example("sign_to_small_factor", lambda x, y: -(x * y), integers(4, dtype="uint8"), integers(3, 4)),
]
