"""NumPy's protocols: what ``np.exp(x)``, ``np.sum(x, axis=0)`` and ``np.add.reduce(x)`` mean for a symbolic `x`.

Which functions there are is said in `symgraph.tensor.numpy_table`. Its rows are looked up by name when first used:
importing the package costs nothing for them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.frozen import frozen
from symgraph.scalar import ScalarFunction
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.numpy_table import FUNCTIONS, METHODS, UFUNCS_WITHOUT, WITHOUT

__all__ = ["FUNCTIONS", "array_function", "array_ufunc", "refuse_arguments"]

#: Arguments that change nothing, wherever they are refused otherwise.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "where": (True,), "order": ("C", "K", "A"), "casting": ("same_kind", "safe", "unsafe"), "subok": (True, False),
    "copy": (True, False), "returned": (False,), "kind": ("quicksort", "stable", "mergesort", "heapsort"),
    "keepdims": (False,), "overwrite_input": (False,), "retstep": (False,), "hermitian": (False,),
    "equal_nan": (False, True), "stable": (False, True), "upper": (False,), "device": ("cpu",),
    "optimize": (True, False),
}
#: What to write in place of an argument that is refused.
_INSTEAD = {
    "out": "use what the call returns: symbolic results are not written into arrays",
    "dtype": "convert the argument or the result with T.cast(..., dtype)",
    "where": "choose elements with T.switch(condition, x, ...)",
    "initial": "combine it with the result: T.maximum(result, initial), result + initial, ...",
    "order": "the compiler chooses the memory layout", "shape": "use T.full(shape, value)",
    "casting": "convert with T.cast first",
}


@frozen
class _Parameter:
    name: str
    ours: str
    refused: bool
    rest: bool


@frozen
class _Row:
    name: str
    function: Callable[..., Any]
    parameters: tuple[_Parameter, ...]

    def __call__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        positional: list[Any] = []
        given: list[tuple[_Parameter, Any]] = []
        left = list(args)
        for p in self.parameters:
            if p.rest:
                positional, left = self._rest(given, left), []
                given = []
            elif left:
                given.append((p, left.pop(0)))
        if left:
            raise TypeError(f"np.{self.name} takes at most {len(self.parameters)} arguments")
        known = {p.name: p for p in self.parameters if not p.rest}
        options = dict(kwargs)
        for p in self.parameters:
            if p.rest and p.name in options:  # the one argument of a function called by its name
                positional.append(options.pop(p.name))
        for name, value in options.items():
            if name not in known:
                raise TypeError(f"np.{self.name} of a symbolic tensor takes no argument {name!r}")
            given.append((known[name], value))
        refuse_arguments(f"np.{self.name}", {p.name: value for p, value in given if p.refused})
        passed = {p.ours: value for p, value in given if not p.refused and value is not np._NoValue}
        return self.function(*positional, **passed)

    def _rest(self, before: list[tuple[_Parameter, Any]], left: list[Any]) -> list[Any]:
        """What is passed by position: all that came before, then as many as a star takes."""
        return [value for _, value in before] + left


def refuse_arguments(who: str, options: Mapping[str, Any], known_only: bool = False) -> None:
    """Raise for arguments of NumPy's that mean nothing, or something we do not have, for a symbolic tensor.

    Parameters
    ----------
    who : str
        The function, for the message.
    options : mapping of str to object
        What was given; those that have NumPy's default pass.
    known_only : bool
        Refuse names that are no argument of any function of NumPy's whatever their value.

    Raises
    ------
    TypeError
        Naming the argument and what to write instead.
    """
    for name, value in options.items():
        if known_only and name not in _INSTEAD and name not in _HARMLESS:
            raise TypeError(f"{who} takes no argument {name!r}")
        if value is None or value is np._NoValue or (isinstance(value, tuple) and all(v is None for v in value)):
            continue
        if isinstance(value, (bool, str)) and value in _HARMLESS.get(name, ()):
            continue
        advice = _INSTEAD.get(name)
        raise TypeError(f"{who} of a symbolic tensor does not take {name}={_short(value)}"
                        + (f": {advice}" if advice else ""))


def _short(value: Any) -> str:
    text = type(value).__name__ if isinstance(value, np.ndarray) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _parameters(text: str) -> tuple[_Parameter, ...]:
    found = []
    for word in text.split():
        name, _, ours = word.lstrip("!*").partition(">")
        found.append(_Parameter(name, ours or name, word.startswith("!"), word.startswith("*")))
    return tuple(found)


def _ours(path: str) -> Any:
    """What a row names: a helper, a function of `symgraph.tensor` or of a module in it; None if not there."""
    if path.startswith("protocols."):
        from symgraph.tensor import numpy_names

        return getattr(numpy_names, path.removeprefix("protocols."))
    import symgraph.tensor

    value = _at(symgraph.tensor, path)
    return value if callable(value) else None


def _at(place: Any, path: str) -> Any:
    for part in path.split("."):
        place = getattr(place, part, None)
    return place


@functools.cache
def _row(function: Any) -> _Row | None:
    """The row of a function of NumPy, or None."""
    module = str(getattr(function, "__module__", ""))
    name = f"{module.removeprefix('numpy').lstrip('.')}.{function.__name__}".lstrip(".")
    found = FUNCTIONS.get(name)
    if found is None and module.startswith("numpy.fft"):
        some = "x axes" if "shift" in name else "a s axes norm !out" if name[-1] in "2n" else "a n axis norm !out"
        found = (f"fourier.{function.__name__}", some)
    if found is None or _at(np, name) is not function:
        return None
    ours = _ours(found[0])
    return None if ours is None else _Row(name, ours, _parameters(found[1]))


def array_function(function: Any, types: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What ``__array_function__`` answers: our function for one of NumPy's.

    Raises
    ------
    TypeError
        When there is no counterpart, or an argument has no meaning here.
    """
    from symgraph.graph.basic import Variable

    for kind in types:
        if not issubclass(kind, (Variable, np.ndarray)):
            return NotImplemented
    row = _row(function)
    if row is None:
        module = function.__module__.removeprefix("numpy").lstrip(".")
        name = f"np.{module}{'.' * bool(module)}{function.__name__}"
        reason = WITHOUT.get(name.removeprefix("np."))
        raise TypeError(f"{name} has no counterpart for symbolic tensors" + (f": {reason}" if reason else (
            ". Compute the value first, with .eval({...}) or a compiled function, or wrap the NumPy code in an "
            "operation with as_op")))
    return row(args, kwargs)


# ---- ufuncs ------------------------------------------------------------------------------------------------------

#: Ufuncs whose reduce is a reduction of ours, and whose accumulate is a running one.
_REDUCE = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all",
           "logical_or": "any", "logaddexp": "logsumexp"}
_ACCUMULATE = {"add": "cumsum", "multiply": "cumprod", "maximum": "cummax", "minimum": "cummin"}
#: Ufuncs that are other names of a row of the scalar table.
_SAME = {"radians": "deg2rad", "degrees": "rad2deg"}


@functools.cache
def ufunc_functions() -> dict[Any, ScalarFunction]:
    """The rows of the scalar table by the ufunc of NumPy that computes them."""
    found = {
        row.impl: row for row in scalar.TABLE.values() if isinstance(row._impl, np.ufunc) and row.name != "identity"
    }
    return found | {getattr(np, name): scalar.TABLE[ours] for name, ours in _SAME.items()}


def _foreign_function(ufunc: Any) -> ScalarFunction | None:
    """The row that a ufunc of another library computes, such as `scipy.special.erf`; it has been imported by now."""
    for row in scalar.TABLE.values():
        module, _, name = row.spelling.partition(":")
        if module != "numpy" and getattr(sys.modules.get(module), name, None) is ufunc:
            return row
    name = str(ufunc.__name__)
    return scalar.TABLE.get(name) if getattr(sys.modules.get("scipy.special"), name, None) is ufunc else None


def array_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What ``__array_ufunc__`` answers: the operation for a ufunc called, or for its reduce, accumulate or outer.

    Raises
    ------
    TypeError
        When there is no counterpart, or an argument has no meaning here.
    """
    who = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if method in ("reduce", "accumulate"):
        table = _REDUCE if method == "reduce" else _ACCUMULATE
        name = ufunc.__name__
        ours = _ours(table[name]) if name in table and getattr(np, name, None) is ufunc else None
        if ours is None:
            raise TypeError(f"{who} has no counterpart for symbolic tensors: {METHODS[method]}")
        return _run(ours, who, inputs, options, method)
    refuse_arguments(who, options)
    if method == "__call__":
        return _apply(ufunc, inputs)
    if method == "outer" and ufunc.nin == 2 and ufunc.signature is None:
        a, b = (_tensor(v) for v in inputs)
        return _apply(ufunc, (a.dimshuffle(*range(a.type.ndim), *["x"] * b.type.ndim), b))
    raise TypeError(f"{who} has no counterpart for symbolic tensors: {METHODS[method]}")


def _run(ours: Callable[..., Any], who: str, inputs: Sequence[Any], options: Mapping[str, Any], method: str) -> Any:
    """A reduction or a running one: along the first axis unless told otherwise, as NumPy's ufuncs do it."""
    names = ("axis", "dtype", "out", "keepdims", "initial", "where")[: 6 if method == "reduce" else 3]
    given = {"axis": 0, **dict(zip(names, inputs[1:], strict=False)), **options}
    passed = {name: given.pop(name) for name in ("axis", "dtype", "keepdims") if name in given}
    if ours.__name__ not in ("sum", "prod"):
        given["dtype"] = passed.pop("dtype", None)
    refuse_arguments(who, given)
    return ours(_tensor(inputs[0]), **passed)


def _tensor(value: Any) -> Any:
    from symgraph.tensor.basic import as_tensor_variable

    return as_tensor_variable(value)


def _apply(ufunc: Any, inputs: Sequence[Any]) -> Any:
    """One call of a ufunc."""
    function = ufunc_functions().get(ufunc)
    if function is not None:
        return elemwise(function)(*inputs)
    from symgraph.tensor.ufuncs import UFUNCS

    composed = UFUNCS.get(ufunc)
    if composed is not None:
        return composed(*inputs)
    function = _foreign_function(ufunc)
    if function is None:
        reason = UFUNCS_WITHOUT.get(ufunc.__name__)
        raise TypeError(f"the ufunc {ufunc.__name__} has no counterpart for symbolic tensors" + (
            f": {reason}" if reason else
            ". Compute the value first, or wrap the NumPy code in an operation with as_op"))
    return elemwise(function)(*inputs)
