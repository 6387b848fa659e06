"""Tensor variables: what users hold, with NumPy's operators and methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Constant, Variable
from symgraph.tensor.dims import Dims, shown_type
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.operators import TensorOperators
from symgraph.tensor.type import TensorType

__all__ = ["SymbolicTensor", "TensorConstant", "TensorVariable"]

_HASHED_BYTES = 1 << 16  # larger constants are told apart by a digest

_array_namespace: Callable[[str | None], Any] | None = None


def set_array_namespace(find: Callable[[str | None], Any]) -> None:
    """Say what the array API's namespace is. The package does, since tensors do not know it."""
    global _array_namespace
    _array_namespace = find


_given_is_true = False


def let_given_be_true() -> None:
    """Let the truth of variables that are no condition be that they are there, as in Theano; see `pose_as_theano`."""
    global _given_is_true
    _given_is_true = True


def _refuse(method: str, options: dict[str, Any]) -> None:
    """Raise for arguments of NumPy's methods that mean nothing for symbolic tensors, and for unknown ones."""
    if options:
        from symgraph.tensor.protocols import refuse_arguments

        refuse_arguments(f"the method {method}", options, known_only=True)


class SymbolicTensor(TensorOperators, Variable):
    """A symbolic tensor: arithmetic, indexing and NumPy's methods build larger expressions."""

    __slots__ = ()

    type: TensorType

    # ---- what it is -----------------------------------------------------------------------------------------

    @property
    def dtype(self) -> str:
        """The dtype's name."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.type.ndim

    @property
    def dims(self) -> Dims | None:
        """The names of the axes' lengths, None for an axis without one; None when no axis has one.

        They are given with the shape of an input or a shared variable, ``T.matrix("x", shape=("B", 784))``, or set.
        What a function's givens put in the place of a variable takes no names from it.

        Raises
        ------
        ValueError
            When what is set has another number of axes, or names an axis of known length.
        """
        found: Dims | None = self.__dict__.get("dims")
        return found

    @dims.setter
    def dims(self, names: Dims | None) -> None:
        if self.owner is not None:
            raise ValueError(f"{self} is computed: the lengths of inputs and shared variables have names")
        if names is None:
            self.__dict__.pop("dims", None)
            return
        names = tuple(names)
        if len(names) != self.type.ndim:
            raise ValueError(f"{len(names)} names for the {self.type.ndim} axes of {self} ({self.type})")
        for name, known in zip(names, self.type.shape, strict=True):
            if name is not None and known is not None:
                raise ValueError(f"a length of {self} ({self.type}) is {known}: it takes no name, {name!r}")
        self.__dict__["dims"] = names

    def clone(self, name: str | None = None) -> Variable:
        """A new variable of the same type, name and names of lengths."""
        copy = super().clone(name)
        if self.dims is not None and copy.owner is None and copy is not self:
            copy.__dict__["dims"] = self.dims
        return copy

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self} : {shown_type(self)}>"

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each axis, whether its length is known to be 1."""
        return self.type.broadcastable

    @property
    def shape(self) -> Any:
        """The run-time shape, a symbolic vector of int64."""
        from symgraph.tensor.shape import shape

        return shape(self)

    @property
    def size(self) -> Any:
        """The run-time number of elements, a symbolic int64."""
        from symgraph.tensor.shape import size

        return size(self)

    # ---- what cannot be done with something whose value is not known --------------------------------------

    def __bool__(self) -> bool:
        if _given_is_true and self.type.dtype != "bool" and (self.owner is None or self.type.ndim):
            return True
        raise TypeError(
            f"the truth of {self} ({self.type}) is not known while the expression is built. Use "
            "T.switch(condition, a, b) for a "
            "choice by element, & and | for logic, T.all or T.any for a whole tensor, `is` to compare variables, "
            f"`{self} is not None` to ask whether one was given"
        )

    def __len__(self) -> int:
        known = self.type.shape[0] if self.type.ndim else None
        if known is None:
            raise TypeError(
                f"the length of {self} ({self.type}) is not known while the expression is built; use {self}.shape[0]"
            )
        return known

    def __iter__(self) -> Iterator[Any]:
        if self.type.ndim == 0:
            raise TypeError(f"cannot iterate over the scalar {self}")
        known = self.type.shape[0]
        if known is None:
            raise TypeError(
                f"cannot iterate over {self} ({self.type}): its length is not known while the expression is "
                "built. Use scan, "
                "a reduction, or declare the length: TensorType(dtype, shape=(3, ...))"
            )
        return (self[i] for i in range(known))

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("symbolic tensors cannot be assigned to: write y = T.set_subtensor(x[key], value) and use y")

    def __delitem__(self, key: Any) -> None:
        raise TypeError("nothing can be deleted from symbolic tensors: write y = T.delete(x, places, axis) and use y")

    def __contains__(self, value: Any) -> bool:
        raise TypeError(
            f"whether {self} ({self.type}) holds a value is not known while the expression is built: write "
            "T.any(T.eq(x, value))"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{self} is symbolic and has no array: compute it with .eval({{...}}) or compile it with function()"
        )

    def __index__(self) -> int:
        if isinstance(self, Constant) and self.type.is_discrete and self.type.ndim == 0:
            return int(self.data)
        raise TypeError(f"{self} ({self.type}) is symbolic and cannot be used as a Python integer")

    __float__ = __int__ = __complex__ = lambda self: self._no_number()

    def _no_number(self) -> Any:
        raise TypeError(
            f"{self} ({self.type}) is symbolic and has no number: use T.cast, or .eval({{...}}) for its value"
        )

    # ---- NumPy's functions ----------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from symgraph.tensor.protocols import array_ufunc

        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from symgraph.tensor.protocols import array_function

        return array_function(function, types, args, kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The namespace of the Python array API standard, `symgraph.array_api`, whose `asarray` takes variables.

        Its arrays compare by element; variables do not, ``x == y`` asks whether they are the same.
        """
        if _array_namespace is None:
            raise RuntimeError("the array API needs the whole package: import symgraph first")
        return _array_namespace(api_version)

    # ---- indexing -------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        from symgraph.tensor.subtensor import subtensor

        return subtensor(self, key)

    def set(self, value: Any) -> Any:
        """For a part ``x[i]``: all of `x` with other values there, as ``T.set_subtensor(x[i], value)``."""
        from symgraph.tensor.subtensor import set_subtensor

        return set_subtensor(self, value)

    def inc(self, value: Any) -> Any:
        """For a part ``x[i]``: all of `x` with something added there, as ``T.inc_subtensor(x[i], value)``."""
        from symgraph.tensor.subtensor import inc_subtensor

        return inc_subtensor(self, value)

    def transfer(self, target: str) -> Any:
        """The tensor in the memory of a device, ``"cpu"`` or ``"cuda"``; what is computed from it alone is computed
        there. Where functions run on the CPU and it lives there, itself.

        Raises
        ------
        RuntimeError
            When functions do not run on such a device.
        """
        from symgraph.tensor.devices import moved

        return moved(self, target)

    def take(self, indices: Any, axis: int | None = None, mode: str = "raise", **numpy: Any) -> Any:
        """The elements (or slices along `axis`) at `indices`."""
        _refuse("take", numpy)
        from symgraph.tensor.subtensor import take

        return take(self, indices, axis, mode)

    # ---- shape ----------------------------------------------------------------------------------------------

    @property
    def T(self) -> Any:
        """The tensor with its axes in reverse order."""
        return self.transpose()

    def transpose(self, *axes: Any) -> Any:
        """Permute the axes; reverse them when none are given."""
        from symgraph.tensor.dimshuffle import transpose

        return transpose(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None)

    def dimshuffle(self, *pattern: Any) -> Any:
        """Permute, drop (length 1 only) and insert (``'x'``) axes."""
        from symgraph.tensor.dimshuffle import dimshuffle

        return dimshuffle(self, pattern[0] if len(pattern) == 1 and isinstance(pattern[0], (list, tuple)) else pattern)

    def reshape(self, *shape: Any, ndim: int | None = None, **numpy: Any) -> Any:
        """The same elements in another shape; one length may be -1."""
        _refuse("reshape", numpy)
        from symgraph.tensor.shape import reshape

        return reshape(self, shape[0] if len(shape) == 1 else shape, ndim=ndim)

    def flatten(self, ndim: int | str = 1, *, outdim: int | None = None, order: str = "C") -> Any:
        """Join trailing axes until `ndim` are left. `outdim` is its older name; NumPy's `order` is ``"C"``."""
        _refuse("flatten", {"order": ndim if isinstance(ndim, str) else order})
        ndim = outdim or (1 if isinstance(ndim, str) else ndim)
        from symgraph.tensor.shape import flatten

        return flatten(self, ndim)

    def ravel(self, order: str = "C") -> Any:
        """All elements in one axis."""
        _refuse("ravel", {"order": order})
        return self.flatten()

    def squeeze(self, axis: Any = None) -> Any:
        """Drop axes known to be of length 1."""
        from symgraph.tensor.dimshuffle import squeeze

        return squeeze(self, axis)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Exchange two axes."""
        from symgraph.tensor.dimshuffle import swapaxes

        return swapaxes(self, axis1, axis2)

    # ---- elements -------------------------------------------------------------------------------------------

    def astype(self, dtype: Any, **numpy: Any) -> Any:
        """Convert to another dtype."""
        _refuse("astype", numpy)
        return cast(self, dtype)

    def copy(self, name: str | None = None, **numpy: Any) -> Any:
        """A variable of its own with the same value."""
        _refuse("copy", numpy)
        return elemwise(scalar.identity)(self, name=name)

    def clip(self, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None, **numpy: Any) -> Any:
        """Limit every element to ``[a_min, a_max]``; a bound of None is none."""
        from symgraph.tensor import numpy_names

        _refuse("clip", numpy)
        return numpy_names.clip(self, min if a_min is None else a_min, max if a_max is None else a_max)

    def fill(self, value: Any) -> Any:
        """`value` in the shape of this tensor."""
        from symgraph.tensor.basic import full_like

        return full_like(self, value)

    def round(self, mode: str | int | None = None, *, decimals: int | None = None, **numpy: Any) -> Any:
        """The nearest integer; halves to even unless ``mode='half_away_from_zero'``. A number of decimals as NumPy."""
        from symgraph.tensor import math, numpy_names

        _refuse("round", numpy)
        if isinstance(mode, int):
            mode, decimals = None, mode
        return math.round(self, mode) if decimals is None else numpy_names.round(self, decimals)

    def __round__(self, ndigits: int | None = None) -> Any:
        return self.round(decimals=ndigits) if ndigits is not None else cast(self.round(), "int64")

    def conj(self) -> Any:
        """The complex conjugate."""
        return elemwise(scalar.conj)(self)

    conjugate = conj

    @property
    def real(self) -> Any:
        """The real part."""
        return elemwise(scalar.real)(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return elemwise(scalar.imag)(self)

    def zeros_like(self, dtype: Any = None) -> Any:
        """Zeros of this shape."""
        from symgraph.tensor.basic import zeros_like

        return zeros_like(self, dtype)

    def ones_like(self, dtype: Any = None) -> Any:
        """Ones of this shape."""
        from symgraph.tensor.basic import ones_like

        return ones_like(self, dtype)

    def nonzero(self, return_matrix: bool = False) -> Any:
        """The indices of the elements that are not zero, one vector for each axis."""
        from symgraph.tensor.subtensor import nonzero

        return nonzero(self, return_matrix)

    def sort(self, axis: Any = -1, kind: Any = None, order: Any = None) -> Any:
        """The elements along an axis in ascending order."""
        from symgraph.tensor.sort import sort

        return sort(self, axis, kind, order)

    def argsort(self, axis: Any = -1, kind: Any = None, order: Any = None) -> Any:
        """The places of the elements along an axis, in the order that sorts them."""
        from symgraph.tensor.sort import argsort

        return argsort(self, axis, kind, order)

    def cumsum(self, axis: Any = None, **numpy: Any) -> Any:
        """The sums of each element and those before it."""
        _refuse("cumsum", numpy)
        from symgraph.tensor.cumulative import cumsum

        return cumsum(self, axis)

    def cumprod(self, axis: Any = None, **numpy: Any) -> Any:
        """The products of each element and those before it."""
        _refuse("cumprod", numpy)
        from symgraph.tensor.cumulative import cumprod

        return cumprod(self, axis)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """Each element (or slice along `axis`) several times in a row."""
        from symgraph.tensor.extra_ops import repeat

        return repeat(self, repeats, axis)

    def compress(self, condition: Any, axis: Any = None, **numpy: Any) -> Any:
        """The elements (or slices along `axis`) where a condition holds."""
        _refuse("compress", numpy)
        from symgraph.tensor.choosing import compress

        return compress(condition, self, axis)

    def choose(self, choices: Any, mode: str = "raise", **numpy: Any) -> Any:
        """At each place, the element of the one of several tensors that this one says."""
        _refuse("choose", numpy)
        from symgraph.tensor.choosing import choose

        return choose(self, choices, mode)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        """The places where elements of `v` belong in this ascending vector."""
        from symgraph.tensor.counting import searchsorted

        return searchsorted(self, v, side, sorter)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The diagonal of the matrices in two axes, in a new last axis."""
        from symgraph.tensor.extra_ops import diagonal

        return diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, **numpy: Any) -> Any:
        """The sum of the diagonal."""
        _refuse("trace", numpy)
        from symgraph.tensor.extra_ops import trace

        return trace(self, offset, axis1, axis2)

    def dot(self, other: Any, **numpy: Any) -> Any:
        """The matrix product."""
        _refuse("dot", numpy)
        from symgraph.tensor.products import dot

        return dot(self, other)

    # ---- reductions -----------------------------------------------------------------------------------------

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
            **numpy: Any) -> Any:
        """The sum over axes."""
        _refuse("sum", numpy)
        from symgraph.tensor import reduce

        return reduce.sum(self, axis, dtype, keepdims, acc_dtype)

    def prod(self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
             **numpy: Any) -> Any:
        """The product over axes."""
        _refuse("prod", numpy)
        from symgraph.tensor import reduce

        return reduce.prod(self, axis, dtype, keepdims, acc_dtype)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
             **numpy: Any) -> Any:
        """The mean over axes."""
        _refuse("mean", numpy)
        from symgraph.tensor import reduce

        return reduce.mean(self, axis, dtype, keepdims=keepdims, acc_dtype=acc_dtype)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False,
            **numpy: Any) -> Any:
        """The variance over axes."""
        _refuse("var", numpy)
        from symgraph.tensor import reduce

        return reduce.var(self, axis, ddof, keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False,
            **numpy: Any) -> Any:
        """The standard deviation over axes."""
        _refuse("std", numpy)
        from symgraph.tensor import reduce

        return reduce.std(self, axis, ddof, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False, **numpy: Any) -> Any:
        """The largest element over axes."""
        _refuse("max", numpy)
        from symgraph.tensor import reduce

        return reduce.max(self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False, **numpy: Any) -> Any:
        """The smallest element over axes."""
        _refuse("min", numpy)
        from symgraph.tensor import reduce

        return reduce.min(self, axis, keepdims)

    def argmax(self, axis: Any = None, keepdims: bool = False, **numpy: Any) -> Any:
        """The index of the first largest element."""
        _refuse("argmax", numpy)
        from symgraph.tensor import reduce

        return reduce.argmax(self, axis, keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False, **numpy: Any) -> Any:
        """The index of the first smallest element."""
        _refuse("argmin", numpy)
        from symgraph.tensor import reduce

        return reduce.argmin(self, axis, keepdims)

    def all(self, axis: Any = None, keepdims: bool = False, **numpy: Any) -> Any:
        """Whether all elements are true."""
        _refuse("all", numpy)
        from symgraph.tensor import reduce

        return reduce.all(self, axis, keepdims)

    def any(self, axis: Any = None, keepdims: bool = False, **numpy: Any) -> Any:
        """Whether any element is true."""
        _refuse("any", numpy)
        from symgraph.tensor import reduce

        return reduce.any(self, axis, keepdims)

    def norm(self, L: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The L-norm over axes."""
        from symgraph.tensor import reduce

        return reduce.norm(self, L, axis, keepdims)

    def ptp(self, axis: Any = None, **numpy: Any) -> Any:
        """The largest element minus the smallest, over axes."""
        from symgraph.tensor import reduce

        _refuse("ptp", numpy)
        return reduce.ptp(self, axis)

    @property
    def mT(self) -> Any:
        """The tensor with its last two axes exchanged."""
        return self.swapaxes(-1, -2)

    def item(self, *args: Any) -> Any:
        """Refused: a symbolic tensor has no value to give."""
        return self._no_number()

    tolist = item


class TensorVariable(SymbolicTensor):
    """A symbolic tensor that is an input or computed, not a constant nor a shared variable.

    The three kinds have the same operators and methods. As in Theano, ``isinstance(x, T.TensorVariable)`` tells this
    one from the others.
    """

    __slots__ = ()


class TensorConstant(SymbolicTensor, Constant):
    """A tensor whose value is known when the graph is built."""

    __slots__ = ()

    data: np.ndarray[Any, Any]

    def signature(self) -> Any:
        data = self.data
        content: Any = data.tobytes()
        if len(content) > _HASHED_BYTES:
            import hashlib

            content = hashlib.blake2b(content).digest()
        return (self.type, content)

    @cached_property
    def uniform_value(self) -> Any:
        """The number every element equals (a NumPy scalar), or None."""
        data = self.data
        if data.size == 0:
            return None
        first = data.flat[0]
        return first if data.ndim == 0 or bool((data == first).all()) else None

    def __str__(self) -> str:
        if self.name:
            return self.name
        if self.data.ndim == 0:
            return str(self.data)
        if self.data.size <= 6:
            return str(self.data.tolist())
        return f"<{self.type} constant>"


TensorType.variable_class = TensorVariable
TensorType.constant_class = TensorConstant
