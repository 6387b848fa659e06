"""Functions that are short compositions of others, under the names Theano and NumPy give them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor import math
from symgraph.tensor.basic import as_tensor_variable, number_constant
from symgraph.tensor.dimshuffle import atleast_1d, atleast_2d, dimshuffle, normalize_axis
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.extra_ops import flip
from symgraph.tensor.join import concatenate, join, split, stack
from symgraph.tensor.products import dot, matmul
from symgraph.tensor.reduce import mean
from symgraph.tensor.reduce import sum as tensor_sum
from symgraph.tensor.shape import flatten, reshape, shape_i
from symgraph.tensor.subtensor import nonzero
from symgraph.tensor.type import TensorType

__all__ = [
    "append", "argwhere", "array_split", "average", "batched_tensordot", "ceil_intdiv",
    "column_stack", "count_nonzero", "default", "dsplit", "dstack", "flatnonzero", "fliplr", "flipud",
    "horizontal_stack", "hsplit", "hstack", "inverse_permutation", "isneginf", "isposinf", "largest", "nan_to_num",
    "nonzero_values", "select", "smallest", "stacklists", "tri_gamma", "vdot", "vertical_stack", "vsplit", "vstack",
]

# ---- putting together ----------------------------------------------------------------------------------------


def vstack(tup: Sequence[Any]) -> Any:
    """Tensors put below each other, vectors as rows, as `numpy.vstack`."""
    return concatenate([atleast_2d(a) for a in tup], axis=0)


def hstack(tup: Sequence[Any]) -> Any:
    """Tensors put beside each other: along the second axis, vectors along their only one, as `numpy.hstack`."""
    tensors = [atleast_1d(a) for a in tup]
    return concatenate(tensors, axis=0 if tensors[0].type.ndim == 1 else 1)


def dstack(tup: Sequence[Any]) -> Any:
    """Tensors put behind each other along a third axis, as `numpy.dstack`."""
    tensors = [atleast_2d(a) for a in tup]
    return concatenate([dimshuffle(a, (0, 1, "x")) if a.type.ndim == 2 else a for a in tensors], axis=2)


def column_stack(tup: Sequence[Any]) -> Any:
    """Vectors as the columns of a matrix, beside matrices as they are, as `numpy.column_stack`."""
    tensors = [as_tensor_variable(a) for a in tup]
    return concatenate([a if a.type.ndim > 1 else reshape(a, (-1, 1)) for a in tensors], axis=1)


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`arr` with `values` put after it along an axis; both flattened when there is none, as `numpy.append`."""
    if axis is None:
        arr, values, axis = flatten(as_tensor_variable(arr)), flatten(as_tensor_variable(values)), 0
    return concatenate([arr, values], axis)


def _matrices(args: Sequence[Any], who: str) -> list[Any]:
    tensors = [as_tensor_variable(a) for a in args]
    if len(tensors) < 2 or any(a.type.ndim != 2 for a in tensors):
        raise ValueError(f"{who} takes two matrices or more, not {', '.join(str(a.type) for a in tensors)}")
    return tensors


def horizontal_stack(*args: Any) -> Any:
    """Matrices side by side."""
    return join(1, *_matrices(args, "horizontal_stack"))


def vertical_stack(*args: Any) -> Any:
    """Matrices below each other."""
    return join(0, *_matrices(args, "vertical_stack"))


def stacklists(arg: Any) -> Any:
    """Nested lists of tensors of one shape as one tensor, with an axis for each level of nesting.

    Examples
    --------
    >>> stacklists([[1, 2], [3, 4]]).eval().shape
    (2, 2)
    """
    return stack([stacklists(a) for a in arg]) if isinstance(arg, (list, tuple)) else as_tensor_variable(arg)


# ---- taking apart --------------------------------------------------------------------------------------------


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """A tensor cut along an axis into parts nearly equal, or at given places, as `numpy.array_split`.

    Parameters
    ----------
    ary : tensor-like
    indices_or_sections : int or sequence of int
        How many parts, the first ones longer by one where the length is no multiple; or where to cut.
    axis : int
    """
    return _cut(ary, indices_or_sections, axis, equal=False)


def equal_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`array_split` into parts of one length, as `numpy.split`: a length that is no multiple is an error."""
    return _cut(ary, indices_or_sections, axis, equal=True)


def _cut(ary: Any, indices_or_sections: Any, axis: int, equal: bool) -> list[Any]:
    x = as_tensor_variable(ary)
    axis = normalize_axis(axis, x.type.ndim)
    length = shape_i(x, axis)
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if count <= 0:
            raise ValueError(f"the number of parts must be positive, not {count}")
        known = x.type.shape[axis]
        if equal and known is not None and known % count:
            raise ValueError(f"axis {axis}, of length {known}, cannot be cut into {count} equal parts")
        sizes = [(length + (0 if equal else count - 1 - part)) // count for part in range(count)]
        return split(x, sizes, n_splits=count, axis=axis)
    cuts = [None, *(int(cut) for cut in indices_or_sections), None]
    return [x[(*(slice(None),) * axis, slice(a, b))] for a, b in pairwise(cuts)]


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """A tensor cut into equal parts, or at given places, along the second axis; along the only one of a vector."""
    x = as_tensor_variable(ary)
    return equal_split(x, indices_or_sections, 0 if x.type.ndim == 1 else 1)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """A tensor of at least two dimensions cut into equal parts, or at given places, along the first axis."""
    if as_tensor_variable(ary).type.ndim < 2:
        raise ValueError("vsplit takes tensors of at least 2 dimensions; use array_split")
    return equal_split(ary, indices_or_sections, 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """A tensor cut into equal parts, or at given places, along the third axis."""
    return equal_split(ary, indices_or_sections, 2)


# ---- order and broadcasting ----------------------------------------------------------------------------------


def fliplr(m: Any) -> Any:
    """The columns in reverse order."""
    return flip(m, 1)


def flipud(m: Any) -> Any:
    """The rows in reverse order."""
    return flip(m, 0)


def inverse_permutation(perm: Any) -> Any:
    """For each place, which entry of a permutation of 0, ..., n - 1 names it; of each row of a matrix."""
    from symgraph.tensor.sort import argsort

    return cast(argsort(perm, axis=-1), as_tensor_variable(perm).type.dtype)


# ---- choosing and counting -----------------------------------------------------------------------------------


def flatnonzero(a: Any) -> Any:
    """The indices of the elements that are not zero, counted in row-major order."""
    return nonzero(flatten(as_tensor_variable(a)))[0]


def nonzero_values(a: Any) -> Any:
    """The elements that are not zero, in row-major order."""
    x = as_tensor_variable(a)
    return flatten(x)[flatnonzero(x)]


def argwhere(a: Any) -> Any:
    """The indices of the elements that are not zero: one row for each."""
    return nonzero(as_tensor_variable(a), return_matrix=True).T


def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """How many elements over axes are not zero."""
    return tensor_sum(math.neq(a, 0), axis, keepdims=keepdims)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """At each place the first choice whose condition holds there, as `numpy.select`."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(f"select takes as many choices as conditions, not {len(choicelist)} and {len(condlist)}")
    result: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = math.switch(condition, choice, result)
    return result


def default(x: Any, default: Any) -> Any:
    """`x`, or where it is None the other."""
    return as_tensor_variable(default if x is None else x)


# ---- element by element --------------------------------------------------------------------------------------


def ceil_intdiv(a: Any, b: Any) -> Any:
    """The quotient of integers, rounded up."""
    quotient = math.int_div(a, b)
    return quotient + cast(math.neq(math.mod(a, b), 0), quotient.type.dtype)


def largest(*args: Any) -> Any:
    """The largest of several tensors, element by element."""
    return _extreme(scalar.maximum, args, "largest")


def smallest(*args: Any) -> Any:
    """The smallest of several tensors, element by element."""
    return _extreme(scalar.minimum, args, "smallest")


def _extreme(function: scalar.ScalarFunction, args: tuple[Any, ...], who: str) -> Any:
    if not args:
        raise TypeError(f"{who} takes at least one tensor")
    found = args[0]
    for other in args[1:]:
        found = elemwise(function)(found, other)
    return as_tensor_variable(found)


def isposinf(x: Any) -> Any:
    """Where an element is positive infinity; TypeError for complex numbers."""
    return math.eq(_ordered(x, "isposinf"), float("inf"))


def isneginf(x: Any) -> Any:
    """Where an element is negative infinity; TypeError for complex numbers."""
    return math.eq(_ordered(x, "isneginf"), float("-inf"))


def _ordered(x: Any, who: str) -> Any:
    variable = as_tensor_variable(x)
    if variable.type.numpy_dtype.kind == "c":
        raise TypeError(f"{who} takes real numbers, which have a sign, not {variable.type}")
    return variable


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Finite numbers in the place of NaN and the infinities, the largest of the dtype unless said otherwise.

    The parts of complex numbers are replaced each for itself.
    """
    a = as_tensor_variable(x)
    if a.type.is_discrete:
        return a
    if a.type.numpy_dtype.kind == "c":
        return math.complex(*(nan_to_num(part, nan, posinf, neginf) for part in (a.real, a.imag)))
    limit = np.finfo(a.type.numpy_dtype)
    high, low = (limit.max if posinf is None else posinf), (limit.min if neginf is None else neginf)
    nan_, high_, low_ = (number_constant(np.asarray(v, a.type.numpy_dtype)) for v in (nan, high, low))
    return math.switch(math.isnan(a), nan_, math.switch(isposinf(a), high_, math.switch(isneginf(a), low_, a)))


def tri_gamma(a: Any) -> Any:
    """The second derivative of the logarithm of the gamma function."""
    return math.polygamma(1, a)


def _allclose(a: Any, b: Any, rtol: float | None = None, atol: float | None = None) -> bool:
    """Whether two arrays of numbers are close, for the narrowest of their float dtypes; Theano's name."""
    x, y = np.asarray(a), np.asarray(b)
    widths = [v.dtype.itemsize // (2 if v.dtype.kind == "c" else 1) for v in (x, y) if v.dtype.kind in "fc"]
    tolerance = {2: 1e-3, 4: 1e-5}.get(min(widths, default=8), 1e-8)
    return bool(np.allclose(x, y, tolerance * 10 if rtol is None else rtol, tolerance if atol is None else atol))


# ---- sums and products ---------------------------------------------------------------------------------------


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    """The mean over axes, each element with its weight where there are weights, as `numpy.average`.

    Parameters
    ----------
    a : tensor-like
    axis : int, sequence of int, or None
    weights : tensor-like, optional
        Of the shape of `a`, or a vector for the one axis.
    returned : bool
        Return the sum of the weights, in the shape of the average, too.
    keepdims : bool

    Examples
    --------
    >>> float(average([1.0, 2.0], weights=[3.0, 1.0]).eval())
    1.25
    """
    x = as_tensor_variable(a)
    if weights is None:
        found = mean(x, axis, keepdims=keepdims)
        whole = tensor_sum(math.fill(x, number_constant(np.ones((), found.type.dtype))), axis, keepdims=keepdims)
        return (found, whole) if returned else found
    w = as_tensor_variable(weights)
    if w.type.ndim == x.type.ndim and any(
        None not in (m, n) and m != n for m, n in zip(x.type.shape, w.type.shape, strict=True)
    ):
        raise (TypeError if axis is None else ValueError)(  # as NumPy
            f"average: the weights have shape {w.type.shape}, the tensor {x.type.shape}")
    if w.type.ndim != x.type.ndim:
        if w.type.ndim != 1 or not isinstance(axis, (int, np.integer)):
            raise TypeError("average: weights are of the shape of the tensor, or a vector for its one axis")
        place = normalize_axis(int(axis), x.type.ndim)
        w = dimshuffle(w, [0 if i == place else "x" for i in range(x.type.ndim)])
    whole = tensor_sum(math.fill(x, w), axis, keepdims=keepdims)
    found = tensor_sum(x * w, axis, keepdims=keepdims) / whole
    return (found, cast(whole, found.type.dtype)) if returned else found


def vdot(a: Any, b: Any) -> Any:
    """The sum of products of the elements, those of `a` conjugated, as `numpy.vdot`."""
    x, y = flatten(as_tensor_variable(a)), flatten(as_tensor_variable(b))
    return dot(math.conj(x) if x.type.numpy_dtype.kind == "c" else x, y)


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """`tensordot` of corresponding elements of two batches, along the first axis of both.

    Parameters
    ----------
    x, y : tensor-like
    axes : int or pair of sequences of int
        The last `axes` axes of `x` with the first of `y` after the batch, or which axes of each, 0 being the batch.
    """
    a, b = as_tensor_variable(x), as_tensor_variable(y)
    if isinstance(axes, (int, np.integer)):
        over_a, over_b = list(range(a.type.ndim - int(axes), a.type.ndim)), list(range(1, 1 + int(axes)))
    else:
        over_a, over_b = (np.atleast_1d(side).tolist() for side in axes)
    if len(over_a) != len(over_b) or 0 in over_a or 0 in over_b:
        raise ValueError("batched_tensordot: as many axes of either, none of them the batch's")
    rest_a = [i for i in range(1, a.type.ndim) if i not in over_a]
    rest_b = [i for i in range(1, b.type.ndim) if i not in over_b]
    left = reshape(dimshuffle(a, [0, *rest_a, *over_a]), _three(a, rest_a, over_a))
    right = reshape(dimshuffle(b, [0, *over_b, *rest_b]), _three(b, over_b, rest_b))
    lengths = [shape_i(a, 0), *(shape_i(a, i) for i in rest_a), *(shape_i(b, i) for i in rest_b)]
    return reshape(matmul(left, right), lengths)


def _three(x: Variable, rows: Sequence[int], columns: Sequence[int]) -> list[Any]:
    """The shape of a batch of matrices whose rows and columns are several axes each."""
    assert isinstance(x.type, TensorType)
    lengths: list[Any] = [shape_i(x, 0)]
    for axes in (rows, columns):
        product: Any = 1
        for axis in axes:
            product = shape_i(x, axis) if isinstance(product, int) else product * shape_i(x, axis)
        lengths.append(product)
    return lengths
