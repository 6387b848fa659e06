"""TensorType: arrays of one dtype and rank, with what is known of their shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.graph.type import NullType, Type
from symgraph.tensor.foreign import lent_array

if TYPE_CHECKING:
    from symgraph.tensor.variable import TensorVariable

__all__ = ["DISCRETE_KINDS", "TensorType", "broadcast_static_shapes", "dtype_name", "tensor_type"]

Shape = tuple[int | None, ...]

#: NumPy kinds whose values form a discrete set: no derivative passes through them.
DISCRETE_KINDS = "biu"

_DTYPES = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
           "float64", "complex64", "complex128"}
_interned: dict[tuple[str, Shape], TensorType] = {}
_names: dict[np.dtype[Any], str] = {}


class TensorType(Type):
    """Arrays of a dtype, a rank, and lengths that are known or not.

    Types of equal dtype and shape are one object.

    Parameters
    ----------
    dtype : str or numpy.dtype
        ``"floatX"`` stands for `config.floatX`.
    shape : sequence of int or None
        The length of each axis, None where it is only known at run time. Only an axis known to be 1 broadcasts.
        A sequence of booleans is read as Theano's broadcastable pattern: True means 1, False unknown.
    name : str, optional
        Ignored; accepted for programs that name types.
    broadcastable : sequence of bool, optional
        The older way to give the shape.

    Raises
    ------
    TypeError
        For a dtype that is not a number.

    Examples
    --------
    >>> TensorType("float32", (None, 1))
    TensorType(float32, (None, 1))
    >>> TensorType("float32", (None, 1)).broadcastable
    (False, True)
    """

    __slots__ = ("broadcastable", "dtype", "ndim", "numpy_dtype", "shape")

    dtype: str
    shape: Shape
    ndim: int
    numpy_dtype: np.dtype[Any]
    broadcastable: tuple[bool, ...]

    def __new__(cls, dtype: Any, shape: Iterable[int | bool | None] | None = None, name: str | None = None, *,
                broadcastable: Iterable[bool] | None = None) -> TensorType:
        if shape is None:
            shape = broadcastable if broadcastable is not None else ()
        lengths = tuple(_length(n) for n in shape)
        if dtype == "floatX":
            dtype = config.floatX
        try:
            kind = np.dtype(dtype)
        except TypeError as error:
            raise TypeError(f"{dtype!r} is not a dtype: {error}") from None
        name = dtype_name(kind)
        if name not in _DTYPES:
            raise TypeError(f"tensors hold numbers or booleans, not {name}")
        return tensor_type(name, lengths)

    def __init__(self, dtype: Any, shape: Iterable[int | bool | None] | None = None, name: str | None = None, *,
                 broadcastable: Iterable[bool] | None = None) -> None:
        pass  # everything is set once, in tensor_type

    def __reduce__(self) -> Any:
        return tensor_type, (self.dtype, self.shape)

    def __repr__(self) -> str:
        return f"TensorType({self.dtype}, {self.shape})"

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join('?' if n is None else str(n) for n in self.shape)}]"

    def __call__(self, name: str | None = None) -> TensorVariable:
        """A new symbolic tensor of this type; as an input, it carries the user's line."""
        return super().__call__(name)  # type: ignore[return-value]

    # ---- relations ------------------------------------------------------------------------------------------

    def clone(self, dtype: str | None = None, shape: Sequence[int | None] | None = None) -> TensorType:
        """The same type with another dtype or shape."""
        return TensorType(dtype or self.dtype, self.shape if shape is None else shape)

    @property
    def is_discrete(self) -> bool:
        """Whether the dtype is boolean or integer."""
        return self.numpy_dtype.kind in DISCRETE_KINDS

    def is_super(self, other: Type) -> bool:
        return (
            isinstance(other, TensorType) and other.dtype == self.dtype and other.ndim == self.ndim
            and all(mine is None or mine == theirs for mine, theirs in zip(self.shape, other.shape, strict=True))
        )

    def is_interchangeable(self, other: Type) -> bool:
        """Whether a variable of type `other` may stand where one of this type stood: what is known must agree."""
        return (
            isinstance(other, TensorType) and other.dtype == self.dtype and other.ndim == self.ndim
            and self.broadcastable == other.broadcastable
            and all(a is None or b is None or a == b for a, b in zip(self.shape, other.shape, strict=True))
        )

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Variable:
        """Return `other` as a variable of this type; what is only less known about its shape is taken on trust."""
        from symgraph.tensor.basic import as_tensor_variable
        from symgraph.tensor.specify import specify_shape

        variable = other if isinstance(other, Variable) else as_tensor_variable(np.asarray(other, self.numpy_dtype)
                                                                                if np.isscalar(other) else other)
        if self.is_super(variable.type):
            return variable
        kind = variable.type
        if isinstance(kind, TensorType) and kind.dtype == self.dtype and kind.ndim == self.ndim and all(
            a is None or b is None or a == b for a, b in zip(self.shape, kind.shape, strict=True)
        ):
            return specify_shape(variable, self.shape)
        raise TypeError(f"cannot use a variable of type {kind} where {self} is wanted")

    # ---- values ---------------------------------------------------------------------------------------------

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> np.ndarray[Any, Any]:
        """Return `value` as an array of this type.

        Raises
        ------
        TypeError
            When the dtype would lose precision (and `allow_downcast` does not permit it) or the rank differs.
        ValueError
            When a length differs from the known one.
        """
        if type(value) is np.ndarray and value.dtype is self.numpy_dtype:
            array = value
        else:
            array = self._convert(value, strict, allow_downcast)
        if array.ndim != self.ndim:
            raise TypeError(
                f"expected {self.ndim} dimensions ({self}), got {array.ndim}: an array of shape {array.shape}"
            )
        for axis, (known, actual) in enumerate(zip(self.shape, array.shape, strict=True)):
            if known is not None and known != actual:
                raise ValueError(
                    f"expected length {known} along axis {axis} ({self}), got an array of shape {array.shape}"
                )
        return array

    def _convert(self, value: Any, strict: bool, allow_downcast: bool | None) -> np.ndarray[Any, Any]:
        if isinstance(value, Variable):
            raise TypeError(
                f"expected a value of type {self}, got the symbolic variable {value}: a compiled function takes "
                "arrays; "
                "to put one expression in the place of another use givens, or clone_replace"
            )
        if strict:
            if not isinstance(value, np.ndarray) or value.dtype != self.numpy_dtype:
                found = f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
                raise TypeError(f"expected exactly {self} (strict), got {found}")
            return value
        value = lent_array(value)
        if type(value) in (bool, int, float, complex):
            return self._convert_scalar(value, allow_downcast)
        array = np.asarray(value)
        if array.dtype == self.numpy_dtype:
            return array
        if array.dtype == object:
            raise TypeError(
                f"expected a value of type {self}, got {type(value).__name__}, which is not an array of numbers"
            )
        return self._downcast(array, value, allow_downcast)

    def _convert_scalar(self, value: Any, allow_downcast: bool | None) -> np.ndarray[Any, Any]:
        """Python's own numbers have no dtype to lose: they fit where NumPy would let them be weak."""
        kind = self.numpy_dtype.kind
        if isinstance(value, complex) and kind != "c" and not allow_downcast:
            raise TypeError(f"expected {self}, got the complex number {value}")
        if isinstance(value, float) and kind in DISCRETE_KINDS and not allow_downcast:
            raise TypeError(f"expected {self}, got the float {value}; cast it, or pass allow_input_downcast=True")
        if isinstance(value, float) and kind == "f" and allow_downcast is False and self.dtype != "float64" and (
            float(self.numpy_dtype.type(value)) != value and value == value
        ):
            raise TypeError(f"expected {self}, got {value}, which it cannot hold exactly (allow_input_downcast=False)")
        if kind == "b" and type(value) is int and value not in (0, 1):
            raise TypeError(f"expected {self}, got the integer {value}")
        try:
            return np.asarray(value, self.numpy_dtype)
        except OverflowError:
            raise TypeError(f"expected {self}, got {value}, which is out of its range") from None

    def _downcast(self, array: np.ndarray[Any, Any], value: Any, allow_downcast: bool | None) -> np.ndarray[Any, Any]:
        if allow_downcast or np.can_cast(array.dtype, self.numpy_dtype, "safe"):
            return array.astype(self.numpy_dtype)
        if isinstance(value, (list, tuple)):  # as weak as the numbers in it, as long as they are of the same kind
            if np.can_cast(array.dtype, self.numpy_dtype, "same_kind"):
                with np.errstate(over="ignore"):
                    converted = array.astype(self.numpy_dtype)
                if array.dtype.kind not in "iu" or np.array_equal(converted, array):
                    return converted
            if array.size == 0:
                return array.astype(self.numpy_dtype)
        raise TypeError(
            f"expected {self}, got {array.dtype} of shape {array.shape}: the conversion would lose precision. "
            "Convert with "
            f".astype({self.dtype!r}) or pass allow_input_downcast=True"
        )

    def values_eq(self, a: Any, b: Any) -> bool:
        a, b = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and a.shape == b.shape and bool(
            np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))

    def values_eq_approx(self, a: Any, b: Any) -> bool:
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        rtol = {"float16": 1e-2, "float32": 1e-4, "complex64": 1e-4}.get(self.dtype, 1e-8)
        return (
            bool(np.allclose(a, b, rtol=rtol, atol=rtol, equal_nan=True))
            if a.dtype.kind in "fc"
            else self.values_eq(a, b)
        )

    # ---- what the chain rule asks ---------------------------------------------------------------------------

    def gradient_type(self) -> TensorType:
        """The type of a gradient of such a variable: floating, also where the variable is an integer."""
        return TensorType("floatX", self.shape) if self.is_discrete else self

    def zeros_like(self, variable: Variable) -> Variable:
        from symgraph.tensor.basic import zeros_like

        return zeros_like(variable, dtype=self.gradient_type().dtype)

    def add_terms(self, terms: list[Variable]) -> Variable:
        from symgraph.tensor.elemwise import chosen

        choices = [chosen(term) for term in terms]
        first = choices[0]
        together = first is not None and all(
            c is not None and c.condition is first.condition and c.when is first.when for c in choices
        )
        parts: list[Any] = [c.gradient for c in choices if c is not None] if together else list(terms)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return self.check_gradient(terms[0], first.restrict(total) if together and first is not None else total)

    def seed(self, variable: Variable) -> Variable:
        from symgraph.tensor.basic import constant

        if self.ndim != 0:
            raise TypeError(
                f"the cost must be a scalar, but {variable} has {self.ndim} dimension{'s' * (self.ndim > 1)} "
                f"({self}). Take its "
                "sum() or mean(), or give known_grads"
            )
        if self.is_discrete:
            raise TypeError(f"the cost must be a floating-point scalar, but {variable} is {self}: nothing is "
                            "differentiable in steps")
        if self.numpy_dtype.kind == "c":
            raise TypeError(f"the cost must be a real scalar, but {variable} is {self}: a complex number has no least "
                            "value. Take its real(), imag() or abs()")
        return constant(np.ones((), self.numpy_dtype))

    def check_gradient(self, variable: Variable, gradient: Variable) -> Variable:
        from symgraph.tensor.elemwise import cast

        if isinstance(gradient.type, NullType):
            return gradient
        if not isinstance(gradient.type, TensorType):
            raise TypeError(f"the gradient of {variable} must be a tensor, not {gradient.type}")
        mine, theirs = variable.type.shape if isinstance(variable.type, TensorType) else self.shape, gradient.type.shape
        if len(mine) != len(theirs):
            raise ValueError(
                f"the gradient of {variable} ({variable.type}) has {len(theirs)} dimensions instead of {len(mine)}"
            )
        if any(a is not None and b is not None and a != b for a, b in zip(mine, theirs, strict=True)):
            raise ValueError(f"the gradient of {variable} has shape {theirs} instead of {mine}")
        if any(a == 1 and b is None for a, b in zip(mine, theirs, strict=True)):
            # A known 1 is what lets an axis be stretched and dropped; an operation's gradient may not know it (split).
            from symgraph.tensor.specify import specify_shape

            gradient = specify_shape(gradient, [1 if a == 1 else None for a in mine])
        kind: Any = gradient.type
        wanted = self.gradient_type().dtype
        if kind.numpy_dtype.kind == "c" and self.numpy_dtype.kind != "c":  # a real number moves along one axis only
            gradient = gradient.real  # type: ignore[attr-defined]
            kind = gradient.type
        if kind.dtype == wanted or (self.is_discrete and not kind.is_discrete):
            return gradient
        return cast(gradient, wanted)


def _length(length: Any) -> int | None:
    if length is None:
        return None
    if isinstance(length, (bool, np.bool_)):
        return 1 if length else None
    if isinstance(length, (int, np.integer)) and length >= 0:
        return int(length)
    if isinstance(length, str):
        raise TypeError(f"a type's shape holds no names, such as {length!r}: they are given where a variable is made, "
                        "T.tensor(dtype, shape=('B', None))")
    raise TypeError(f"a shape holds non-negative integers and None, not {length!r}")


def dtype_name(dtype: np.dtype[Any]) -> str:
    """``dtype.name``, which NumPy puts together anew each time, in some ten microseconds."""
    name = _names.get(dtype)
    if name is None:
        name = dtype.name
        if name in _DTYPES:  # there are as many others as there are lengths of strings
            _names[dtype] = name
    return name


def tensor_type(dtype: str, shape: Shape) -> TensorType:
    """The one `TensorType` of a dtype name and a shape, both already checked."""
    found = _interned.get((dtype, shape))
    if found is None:
        found = object.__new__(TensorType)
        found.dtype = dtype
        found.shape = shape
        found.ndim = len(shape)
        found.numpy_dtype = np.dtype(dtype)
        found.broadcastable = tuple(n == 1 for n in shape)
        found = _interned.setdefault((dtype, shape), found)
    return found


def broadcast_static_shapes(shapes: Sequence[Shape], who: str) -> Shape:
    """What is known of the shape of an elementwise result.

    Only an axis known to be 1 broadcasts, so an unknown axis keeps its length, whatever it meets.

    Raises
    ------
    ValueError
        When two known lengths differ and neither is 1.
    """
    ndim = max(map(len, shapes))
    result: list[int | None] = []
    for axis in range(-ndim, 0):
        known = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        lengths = known - {None}
        if len(lengths) > 1:
            raise ValueError(f"{who}: shapes do not fit together: {' and '.join(_show(s) for s in shapes)}")
        result.append(lengths.pop() if lengths else None if known else 1)
    return tuple(result)


def _show(shape: Shape) -> str:
    return f"({', '.join('?' if n is None else str(n) for n in shape)}{',' * (len(shape) == 1)})"

