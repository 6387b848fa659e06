"""Reductions: sums, products, extremes and logic over axes, and what is composed of them."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable, number_constant
from symgraph.tensor.dimshuffle import is_axis_of_scalar
from symgraph.tensor.elemwise import TensorOp, cast, conjugated, elemwise
from symgraph.tensor.type import TensorType, dtype_name, tensor_type

__all__ = [
    "ArgReduce", "Reduce", "all", "any", "argmax", "argmin", "max", "max_and_argmax", "mean", "min", "norm",
    "normalize_axes",
    "prod", "ptp", "std", "sum", "var",
]


@frozen(eq=False, repr=False)
class Reduction:
    """One way to reduce: a ufunc, the dtype of its result, and how a gradient is pulled back.

    Parameters
    ----------
    name : str
    ufunc : numpy.ufunc
        Its ``reduce`` is the meaning.
    dtype : callable
        From the input's dtype to the default dtype of the result.
    pullback : callable or None
        ``(g, z, x)``, with g and z broadcastable against x, to the gradient; None when the result is discrete.
    has_identity : bool
        Whether an empty reduction has a value.
    """

    name: str
    ufunc: np.ufunc
    dtype: Callable[[np.dtype[Any]], np.dtype[Any]]
    pullback: Callable[..., Any] | None
    has_identity: bool = True
    initial: float | None = None  # the value of an empty reduction, where the ufunc has none of its own

    def __reduce__(self) -> Any:
        return REDUCTIONS.__getitem__, (self.name,)


def _sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """NumPy's: small integers are summed in the platform's, floats in their own."""
    if dtype.kind in "bi":
        return np.dtype("int64") if dtype.itemsize < 8 else dtype
    return np.dtype("uint64") if dtype.kind == "u" and dtype.itemsize < 8 else dtype


def _pull_prod(g: Any, z: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """The product of the *other* factors, also where some are zero."""
    from symgraph.tensor.factors import other_factors

    return g * conjugated(other_factors(x, axes))


def _pull_extreme(g: Any, z: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """Every element that attains the extreme takes the whole gradient, as in Theano."""
    return g * elemwise(scalar.eq)(x, z)


REDUCTIONS: dict[str, Reduction] = {
    r.name: r
    for r in (
        Reduction("sum", np.add, _sum_dtype, lambda g, z, x, axes: _stretch(g, x)),
        Reduction("prod", np.multiply, _sum_dtype, _pull_prod),
        Reduction("max", np.maximum, lambda d: d, _pull_extreme, has_identity=False),
        Reduction("min", np.minimum, lambda d: d, _pull_extreme, has_identity=False),
        Reduction("top", np.maximum, lambda d: d, _pull_extreme, initial=float("-inf")),  # what softmax shifts by
        Reduction("all", np.logical_and, lambda d: np.dtype(bool), None),
        Reduction("any", np.logical_or, lambda d: np.dtype(bool), None),
    )
}


def _stretch(g: Any, x: Any) -> Any:
    from symgraph.tensor.basic import full_like

    if x.type.ndim == 0:
        return g
    return full_like(x, g, dtype=g.type.dtype)


def normalize_axes(axis: Any, ndim: int, who: str, scalars: bool = False) -> tuple[int, ...]:
    """An axis argument (int, sequence or None for all) as sorted non-negative integers.

    Where `scalars` says so, tensors of 0 dimensions have an axis 0 or -1: none is left then.

    Raises
    ------
    ValueError
        For an axis out of range or given twice (`numpy.exceptions.AxisError` is a ValueError too).
    """
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (Variable, np.ndarray)):
        axis = np.asarray(getattr(axis, "data", axis)).tolist()
    if scalars and is_axis_of_scalar(axis, ndim):
        return ()
    axes = [axis] if isinstance(axis, (int, np.integer)) else list(axis)
    found = []
    for one in axes:
        if not isinstance(one, (int, np.integer)) or isinstance(one, bool):
            raise TypeError(f"{who}: an axis is an integer, not {one!r}")
        if not -ndim <= one < ndim:
            raise np.exceptions.AxisError(int(one), ndim, who)
        found.append(int(one) % ndim)
    if len(set(found)) != len(found):
        raise ValueError(f"{who}: an axis is given twice in {axes}")
    return tuple(sorted(found))


@frozen(repr=False)
class Reduce(TensorOp):
    """A reduction over axes.

    Parameters
    ----------
    kind : str
        A row of `REDUCTIONS`.
    axes : tuple of int
        Sorted, non-negative.
    dtype : str or None
        Of the result; the reduction's default when None.
    acc_dtype : str or None
        In which it accumulates; that of the result when None.
    keepdims : bool
        Whether reduced axes stay, with length 1.
    """

    kind: str
    axes: tuple[int, ...]
    dtype: str | None = None
    acc_dtype: str | None = None
    keepdims: bool = False

    accepts_out = True

    @property
    def reduction(self) -> Reduction:
        """The row of the table."""
        return REDUCTIONS[self.kind]

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        if not isinstance(x, TensorType):
            raise TypeError(f"{self.kind} takes a tensor, not {x}")
        if not self.reduction.has_identity and builtins.any(x.shape[axis] == 0 for axis in self.axes):
            raise ValueError(f"{self.kind} of an empty axis has no value: the shape is {x.shape}")
        if self.axes and self.axes[-1] >= x.ndim:
            raise np.exceptions.AxisError(self.axes[-1], x.ndim, self.kind)
        return (tensor_type(self.dtype or dtype_name(self.reduction.dtype(x.numpy_dtype)), self._reduced(x.shape)),)

    def _reduced(self, lengths: Sequence[Any]) -> tuple[Any, ...]:
        if self.keepdims:
            return tuple(1 if axis in self.axes else n for axis, n in enumerate(lengths))
        return tuple(n for axis, n in enumerate(lengths) if axis not in self.axes)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        out = node.outputs[0].type.numpy_dtype
        accumulate = None if self.kind in ("all", "any") else np.dtype(self.acc_dtype or out)
        start: Any = {} if self.reduction.initial is None else {"initial": self.reduction.initial}
        value = self.reduction.ufunc.reduce(x, axis=self.axes, dtype=accumulate, keepdims=self.keepdims, **start)
        output_storage[0][0] = np.asarray(value, out)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [self._reduced(input_shapes[0])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x,), (z,), (g,) = inputs, outputs, output_gradients
        if z.type.is_discrete or self.reduction.pullback is None:
            return [x.type.zeros_like(x)]
        if not self.keepdims:
            g, z = (self._expand(v, x.type.ndim) for v in (g, z))
        return [self.reduction.pullback(g, z, x, self.axes)]

    def reach(self, x: Any, z: Any, mask: Any) -> Any:
        return mask if self.keepdims else self._expand(mask, x.type.ndim)

    def _expand(self, reduced: Any, ndim: int) -> Any:
        kept = iter(range(reduced.type.ndim))
        return reduced.dimshuffle(["x" if axis in self.axes else next(kept) for axis in range(ndim)])

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        if eval_points[0] is None:
            return [None]
        if self.kind == "sum" and not inputs[0].type.is_discrete:
            return [self(eval_points[0])]
        raise NotImplementedError

    def __repr__(self) -> str:
        details = [f"axis={list(self.axes)}"] + [
            f"{n}={getattr(self, n)}" for n in ("dtype", "acc_dtype") if getattr(self, n)
        ]
        return f"{self.kind}{{{', '.join(details + ['keepdims'] * self.keepdims)}}}"


@frozen(repr=False)
class ArgReduce(TensorOp):
    """The index, along one axis, of the first largest or smallest element.

    Parameters
    ----------
    kind : str
        ``argmax`` or ``argmin``.
    axis : int
    """

    kind: str
    axis: int

    def infer_type(self, *types: Type) -> Sequence[Type]:
        (x,) = types
        if not isinstance(x, TensorType):
            raise TypeError(f"{self.kind} takes a tensor, not {x}")
        if self.axis >= x.ndim:
            raise np.exceptions.AxisError(self.axis, x.ndim, self.kind)
        if x.shape[self.axis] == 0:
            raise ValueError(f"{self.kind} of an empty axis has no value: the shape is {x.shape}")
        return (tensor_type("int64", x.shape[: self.axis] + x.shape[self.axis + 1:]),)

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(getattr(np, self.kind)(inputs[0], axis=self.axis), "int64")

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [tuple(n for axis, n in enumerate(input_shapes[0]) if axis != self.axis)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [inputs[0].type.zeros_like(inputs[0])]

    def __repr__(self) -> str:
        return f"{self.kind}{{axis={self.axis}}}"


# ---- public functions ------------------------------------------------------------------------------------------


def _reduce(kind: str, x: Any, axis: Any, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Any:
    variable = as_tensor_variable(x)
    axes = normalize_axes(axis, variable.type.ndim, kind, scalars=True)
    names = [None if d is None else config.floatX if d == "floatX" else dtype_name(np.dtype(d))
             for d in (dtype, acc_dtype)]
    if names[0] is not None and names[0] == dtype_name(REDUCTIONS[kind].dtype(variable.type.numpy_dtype)):
        names[0] = None
    return Reduce(kind, axes, names[0], names[1], keepdims)(variable)


def sum(input: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None) -> Any:
    """The sum over axes.

    Parameters
    ----------
    input : tensor-like
    axis : int, sequence of int, or None
        None sums over all axes.
    dtype : str, optional
        Of the result; by default the input's, and int64 (uint64) for smaller integers, as in NumPy.
    keepdims : bool
        Keep the reduced axes, with length 1.
    acc_dtype : str, optional
        In which the sum is accumulated; that of the result by default.

    Raises
    ------
    ValueError
        For an axis out of range.

    Examples
    --------
    >>> import numpy as np
    >>> sum(np.ones((2, 3)), axis=0).eval()
    array([2., 2., 2.])
    """
    return _reduce("sum", input, axis, dtype, keepdims, acc_dtype)


def prod(input: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
         no_zeros_in_input: bool = False) -> Any:
    """The product over axes; arguments as for `sum`.

    Its derivatives of every order are right where elements are zero.
    """
    return _reduce("prod", input, axis, dtype, keepdims, acc_dtype)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element over axes. In its gradient, every element that attains it takes the whole.

    Complex numbers are ordered as NumPy orders them: by their real parts, then by their imaginary ones.
    """
    return _reduce("max", x, axis, keepdims=keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest element over axes. In its gradient, every element that attains it takes the whole."""
    return _reduce("min", x, axis, keepdims=keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether all elements over axes are true (not zero)."""
    return _reduce("all", x, axis, keepdims=keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether any element over axes is true (not zero)."""
    return _reduce("any", x, axis, keepdims=keepdims)


def _arg(kind: str, x: Any, axis: Any, keepdims: bool) -> Any:
    variable = as_tensor_variable(x)
    if axis is None or is_axis_of_scalar(axis, variable.type.ndim):
        if variable.type.ndim == 0:
            return number_constant(np.zeros((), "int64"))
        index = ArgReduce(kind, 0)(variable.flatten())
        return index.dimshuffle(["x"] * variable.type.ndim) if keepdims else index
    axes = normalize_axes(axis, variable.type.ndim, kind)
    if len(axes) != 1:
        raise TypeError(f"{kind} runs along one axis or all of them, not {len(axes)}")
    index = ArgReduce(kind, axes[0])(variable)
    if not keepdims:
        return index
    rest = list(range(index.type.ndim))
    return index.dimshuffle([*rest[: axes[0]], "x", *rest[axes[0]:]])


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The index of the first largest element along an axis, or of all elements in order."""
    return _arg("argmax", x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The index of the first smallest element along an axis, or of all elements in order."""
    return _arg("argmin", x, axis, keepdims)


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> tuple[Any, Any]:
    """The largest element and its index."""
    return max(a, axis, keepdims), argmax(a, axis, keepdims)


def _count(x: Any, axes: tuple[int, ...]) -> Any:
    """How many elements are reduced to one: a Python integer where that is known."""
    from symgraph.tensor.shape import shape_i

    known, unknown = 1, None
    for axis in axes:
        length = x.type.shape[axis]
        if length is not None:
            known *= length
        else:
            factor = shape_i(x, axis)
            unknown = factor if unknown is None else unknown * factor
    return known if unknown is None else unknown if known == 1 else unknown * known


def mean(input: Any, axis: Any = None, dtype: Any = None, op: bool = False, keepdims: bool = False,
         acc_dtype: Any = None) -> Any:
    """The mean over axes. Of integers and booleans it is floatX; of float16 it is accumulated in float32."""
    variable = as_tensor_variable(input)
    axes = normalize_axes(axis, variable.type.ndim, "mean")
    if variable.type.is_discrete:
        result = np.dtype(config.floatX if dtype in (None, "floatX") else dtype).name
        if variable.type.dtype in ("int64", "uint64"):  # whose sums overflow
            total = sum(variable, axes, result, keepdims, acc_dtype or "float64")
        else:
            total = sum(variable, axes, None, keepdims, acc_dtype)
        return cast(total, result) / _as_dtype(_count(variable, axes), result)
    if variable.type.dtype == "float16" and acc_dtype is None and dtype is None:
        wide = sum(variable, axes, "float32", keepdims)
        return cast(wide / _as_dtype(_count(variable, axes), "float32"), "float16")
    total = sum(variable, axes, dtype, keepdims, acc_dtype)
    return total / _as_dtype(_count(variable, axes), total.type.dtype)


def _as_dtype(count: Any, dtype: str) -> Any:
    return cast(count, dtype) if isinstance(count, Variable) else number_constant(np.asarray(count, dtype))


def var(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
    """The variance over axes, by two passes: the mean of squared distances from the mean."""
    variable = as_tensor_variable(input)
    axes = normalize_axes(axis, variable.type.ndim, "var")
    if variable.type.dtype == "float16":  # whose squares overflow
        return cast(var(cast(variable, "float32"), axes, ddof, keepdims), "float16")
    centred = variable - mean(variable, axes, keepdims=True)
    if centred.type.numpy_dtype.kind == "c":
        squared = elemwise(scalar.sqr)(centred.real) + elemwise(scalar.sqr)(centred.imag)
    else:
        squared = elemwise(scalar.sqr)(centred)
    if ddof == 0:
        return mean(squared, axes, keepdims=keepdims)
    total = sum(squared, axes, keepdims=keepdims)
    free = _count(variable, axes) - ddof
    free = elemwise(scalar.maximum)(free, 0) if isinstance(free, Variable) else builtins.max(free, 0)
    return total / _as_dtype(free, total.type.dtype)


def std(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False) -> Any:
    """The standard deviation over axes: the root of `var`. Where it is 0, its gradient is taken to be 0."""
    return root(var(input, axis, ddof, keepdims))


def ptp(a: Any, axis: Any = None) -> Any:
    """The range of values over axes: largest minus smallest."""
    return max(a, axis) - min(a, axis)


def norm(x: Any, ord: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The vector norm of order `ord` over axes: 0 counts, inf and -inf take extremes. It is a float, of integers too.

    Where it is 0, the gradient of a norm of order 1 or more is taken to be 0, the subgradient of least length.
    """
    variable = as_tensor_variable(x)
    if isinstance(ord, str) and ord not in ("inf", "-inf"):
        raise ValueError(f"norm of order {ord!r} is not defined on vectors; T.nlinalg.norm has those of matrices")
    if variable.type.is_discrete:
        variable = cast(variable, "float64")
    size = elemwise(scalar.abs)(variable)
    if ord == 0:
        return sum(elemwise(scalar.neq)(variable, 0), axis, size.type.dtype, keepdims)
    if ord == 1:
        return sum(size, axis, keepdims=keepdims)
    if ord == 2:
        return root(sum(elemwise(scalar.sqr)(size), axis, keepdims=keepdims))
    if ord in (float("inf"), "inf"):
        return max(size, axis, keepdims)
    if ord in (float("-inf"), "-inf"):
        return min(size, axis, keepdims)
    total = sum(size ** ord, axis, keepdims=keepdims)
    if ord < 0:
        return total ** (1.0 / ord)
    zero, switch = elemwise(scalar.eq)(total, 0), elemwise(scalar.switch)
    return switch(zero, total, switch(zero, 1, total) ** (1.0 / ord))


def root(total: Any) -> Any:
    """The square root of a sum of squares: at 0 its derivative would be inf, and times that of the squares nan."""
    zero, switch = elemwise(scalar.eq)(total, 0), elemwise(scalar.switch)
    return switch(zero, total, elemwise(scalar.sqrt)(switch(zero, 1, total)))


