"""Array: a symbolic tensor with the operators and attributes of the Python array API standard."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from symgraph.graph.basic import Constant, Variable
from symgraph.graph.traversal import graph_inputs
from symgraph.tensor import math
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle, swapaxes
from symgraph.tensor.elemwise import cast
from symgraph.tensor.products import matmul
from symgraph.tensor.subtensor import set_subtensor
from symgraph.tensor.type import TensorType
from symgraph.tensor.variable import SymbolicTensor

__all__ = ["Array", "fitting", "unwrap", "value_of", "variable_of", "wrap"]

_SHOWN = 60


class Array:
    """A symbolic tensor as the array API standard has it; made by `symgraph.array_api.asarray`.

    It holds a variable of `symgraph.tensor`, in ``variable``, and its operations build expressions. Otherwise it
    behaves as an array: ``==`` compares elements (two *variables* are compared by identity), ``x[key] = value`` and
    ``x += y`` put a new expression in the place of the old. Unlike NumPy's, its parts are not views: what is assigned
    to ``x`` is not seen in ``x[0]`` taken before.

    What needs a value at once (``bool``, ``int``, ``float``, ``numpy.asarray``) computes it where the expression has
    no symbolic inputs, only constants and shared variables. Otherwise it raises a TypeError that says what to write.

    Parameters
    ----------
    variable : SymbolicTensor

    Attributes
    ----------
    variable : SymbolicTensor
        For `symgraph.function`, `symgraph.grad` and the functions of `symgraph.tensor`.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> import symgraph.array_api as xp
    >>> v = T.dvector("v")
    >>> x = xp.asarray(v)
    >>> y = xp.sum(xp.where(x == 2, 0., x) ** 2)
    >>> f = sg.function([v], y.variable)
    >>> float(f([1., 2., 3.]))
    10.0
    >>> bool(xp.asarray(3.) > 2)
    True
    """

    __slots__ = ("__weakref__", "variable")
    __array_priority__ = 2000  # NumPy's arrays leave their operators to ours

    variable: SymbolicTensor

    def __init__(self, variable: SymbolicTensor) -> None:
        if not isinstance(variable, Variable) or not isinstance(variable.type, TensorType):
            raise TypeError(f"Array holds a tensor variable, not {type(variable).__name__}: use asarray")
        self.variable = variable

    # ---- what it is -----------------------------------------------------------------------------------------

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype."""
        return self.variable.type.numpy_dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.variable.type.ndim

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The lengths of the axes; None where a length is known at run time only, when there are symbolic inputs.

        The symbolic lengths are ``x.variable.shape``.
        """
        known = self.variable.type.shape
        if None in known and not inputs_of(self.variable):
            return tuple(int(n) for n in value_of(self).shape)
        return known

    @property
    def size(self) -> int | None:
        """The number of elements; None where that is known at run time only."""
        total = 1
        for n in self.shape:
            if n is None:
                return None
            total *= n
        return total

    @property
    def device(self) -> str:
        """Where it lives."""
        return "cpu"

    @property
    def T(self) -> Array:
        """The transpose of a matrix."""
        if self.ndim != 2:
            raise ValueError(f"x.T is defined for matrices, not for {self.ndim} dimensions: use x.mT or permute_dims")
        return Array(dimshuffle(self.variable, (1, 0)))

    @property
    def mT(self) -> Array:
        """The matrices in the last two axes, transposed."""
        if self.ndim < 2:
            raise ValueError(f"x.mT is defined for two dimensions or more, not for {self.ndim}")
        return Array(swapaxes(self.variable, -1, -2))

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The namespace of the standard's functions."""
        return self.variable.__array_namespace__(api_version=api_version)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Array:
        """The array itself: there is one device, ``"cpu"``."""
        if device != "cpu":
            raise ValueError(f"arrays live on 'cpu', not on {device!r}")
        return self

    def __repr__(self) -> str:
        return f"Array({self.variable}, {self.variable.type})"

    def lift_op(self, op: Any, args: Any) -> Any:
        """An operation of `symgraph.tensor` applied to arrays, or to arrays and variables: an array again."""
        return wrap(op(*map(unwrap, args)))

    # ---- values ---------------------------------------------------------------------------------------------

    def _number(self, what: str) -> Any:
        if self.ndim != 0:
            raise TypeError(f"{what}() takes an array of 0 dimensions, not of {self.ndim}")
        return value_of(self, what)[()]

    def __bool__(self) -> bool:
        return bool(self._number("bool"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __float__(self) -> float:
        value = self._number("float")
        if self.dtype.kind == "c":
            raise TypeError("a complex array has no float: take real() or abs() of it")
        return float(value)

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"only an array of integers is an index, not one of {self.dtype}")
        return int(self._number("operator.index"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("the array of an expression is computed: it cannot be had without a copy")
        value = value_of(self, "numpy.asarray")
        return value if dtype is None else value.astype(dtype, copy=False)

    def __dlpack__(self, *, stream: Any = None, max_version: tuple[int, int] | None = None,
                   dl_device: tuple[Any, int] | None = None, copy: bool | None = None) -> Any:
        """A capsule of the value, for ``from_dlpack`` of another library."""
        if stream is not None:
            raise BufferError("an array on the CPU has no stream: leave stream out")
        value = value_of(self, "from_dlpack")
        return value.__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's name for the CPU."""
        return (1, 0)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("an array of 0 dimensions has no length")
        known = self.shape[0]
        if known is None:
            raise TypeError(f"the length of {_shown(self.variable)} is not known before the function runs: use "
                            "x.variable.shape[0], or declare it, T.matrix(shape=(3, None))")
        return known

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    # ---- parts ----------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Array:
        return Array(self.variable[_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        part = self.variable[_key(key)]
        self._become(set_subtensor(part, fitting(value, self.variable)), "x[key] = value")

    def _become(self, variable: Any, what: str) -> None:
        """Hold another expression of the same dtype and rank."""
        old, new = self.variable.type, variable.type
        if new.dtype != old.dtype or new.ndim != old.ndim:
            raise TypeError(f"{what} would turn {old} into {new}; write it without assigning in place")
        self.variable = variable

    # ---- comparisons that are not of identity -----------------------------------------------------------------

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return _operate(math.eq, self, other)

    def __ne__(self, other: object) -> Any:
        return _operate(math.neq, self, other)

    def __pos__(self) -> Array:
        return self

    def __matmul__(self, other: Any) -> Any:
        return _operate(matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _operate(matmul, other, self)

    def __imatmul__(self, other: Any) -> Any:
        return _operate_in_place(matmul, self, other, "@=")


def _operand(value: Any) -> Any:
    """What an operation of `symgraph.tensor` takes: a variable, or a number, which is weak. None for what it is not."""
    if isinstance(value, Array):
        return value.variable
    if isinstance(value, (bool, int, float, complex, Variable, np.ndarray, np.generic)):
        return value
    return None


def _operate(operation: Callable[..., Any], *operands: Any) -> Any:
    values = [_operand(v) for v in operands]
    return NotImplemented if any(v is None for v in values) else Array(operation(*values))


def _operate_in_place(operation: Callable[..., Any], x: Array, other: Any, symbol: str) -> Any:
    value = _operand(other)
    if value is None:
        return NotImplemented
    x._become(operation(x.variable, value), f"x {symbol} y")
    return x


def _add_operators() -> None:
    """The operators that have a reflected form and one in place, and those of one operand."""
    symbols = {
        "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "and": "&",
        "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
    }
    for name, symbol in symbols.items():
        operation = getattr(operator, f"__{name}__")

        def forward(self: Any, other: Any, operation: Any = operation) -> Any:
            return _operate(operation, self, other)

        def reflected(self: Any, other: Any, operation: Any = operation) -> Any:
            return _operate(operation, other, self)

        def in_place(self: Any, other: Any, operation: Any = operation, symbol: str = symbol) -> Any:
            return _operate_in_place(operation, self, other, f"{symbol}=")

        for prefix, method in (("", forward), ("r", reflected), ("i", in_place)):
            _add(f"__{prefix}{name}__", method)
    for name in ("lt", "le", "gt", "ge"):
        operation = getattr(operator, name)
        _add(f"__{name}__", lambda self, other, operation=operation: _operate(operation, self, other))
    for name in ("neg", "abs", "invert"):
        operation = getattr(operator, name)
        _add(f"__{name}__", lambda self, operation=operation: _operate(operation, self))


def _add(name: str, method: Any) -> None:
    method.__name__, method.__qualname__ = name, f"Array.{name}"
    setattr(Array, name, method)


_add_operators()


def _key(key: Any) -> Any:
    """An index with variables in the place of arrays."""
    if isinstance(key, tuple):
        return tuple(map(_key, key))
    if isinstance(key, slice):
        return slice(*map(_key, (key.start, key.stop, key.step)))
    return key.variable if isinstance(key, Array) else key


def fitting(value: Any, like: SymbolicTensor) -> Any:
    """A value in the dtype of what it is put among.

    Raises
    ------
    TypeError
        When it is of another kind, such as a float among integers.
    """
    if isinstance(value, (bool, int, float, complex)):
        kinds = {"b": bool, "i": int, "u": int, "f": float, "c": complex}
        order = "biufc"
        kind = like.type.numpy_dtype.kind
        fits = ["bool", "int", "float", "complex"].index(type(value).__name__) <= (0, 1, 1, 2, 3)[order.index(kind)]
        if fits:
            return as_tensor_variable(np.asarray(kinds[kind](value), like.type.numpy_dtype))
        raise TypeError(f"{value!r} does not fit among elements of {like.type.dtype}: astype")
    variable = variable_of(value)
    if not np.can_cast(variable.type.numpy_dtype, like.type.numpy_dtype, "same_kind"):
        raise TypeError(f"elements of {variable.type.dtype} do not fit among those of {like.type.dtype}: astype")
    return cast(variable, like.type.dtype)


def inputs_of(variable: Variable) -> list[Variable]:
    """The symbolic inputs an expression depends on: neither constants nor shared variables."""
    return [v for v in graph_inputs([variable]) if not isinstance(v, Constant) and not hasattr(v, "container")]


def value_of(x: Array, what: str | None = None) -> np.ndarray[Any, Any]:
    """The value of an array that depends on no symbolic input.

    Parameters
    ----------
    x : Array
    what : str, optional
        Who asks for it, for the message.

    Raises
    ------
    TypeError
        When it does depend on some.
    """
    variable = x.variable
    if isinstance(variable, Constant):
        return np.array(variable.data)
    inputs = inputs_of(variable)
    if inputs:
        _refuse(variable, inputs, what)
    value: np.ndarray[Any, Any] = variable.eval()
    return value


_ADVICE = {
    "bool": "Choose elements with where(condition, a, b), combine conditions with & and |, reduce with any or all",
    "int": "Convert the elements with astype(x, int64)",
    "float": "Convert the elements with astype(x, float64)",
    "complex": "Convert the elements with astype(x, complex128)",
    "operator.index": "Index with the array itself: x[i]",
}


def _refuse(variable: Variable, inputs: list[Variable], what: str | None) -> NoReturn:
    names = ", ".join(map(_shown, inputs[:4])) + ", ..." * (len(inputs) > 4)
    asked = f"{what}() asks for the value of" if what else "this asks for the value of"
    advice = _ADVICE.get(what or "", "Build the expression of it first")
    raise TypeError(
        f"{asked} {_shown(variable)} ({variable.type}) while the expression is built, but it depends on the symbolic "
        f"input{'s' * (len(inputs) > 1)} {names}. {advice}; or compute it: x.variable.eval({{...}}), "
        "symgraph.function([...], x.variable)"
    )


def _shown(variable: Variable) -> str:
    text = str(variable)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN - 3]}..."


def variable_of(x: Any) -> Any:
    """The variable of an array or array-like."""
    return x.variable if isinstance(x, Array) else as_tensor_variable(x)


def unwrap(value: Any) -> Any:
    """An argument with variables in the place of arrays, in lists and tuples too."""
    if isinstance(value, Array):
        return value.variable
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(v) for v in value)
    return value


def wrap(value: Any) -> Any:
    """A result with arrays in the place of variables, in lists and tuples too."""
    if isinstance(value, (list, tuple)):
        return type(value)(wrap(v) for v in value)
    return Array(value) if isinstance(value, SymbolicTensor) else value
