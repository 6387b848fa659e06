"""In and Out: what may be said of one input or output of a compiled function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symgraph.graph.basic import Constant, Variable
from symgraph.shared import SharedVariable

__all__ = ["Form", "In", "Out", "Param", "parse_inputs", "parse_outputs"]

#: The form of a result: the number of an output, or a list, tuple or dict of forms; None for no outputs at all.
Form = Any


class In:
    """An input of a compiled function, with what may be said of it.

    What is passed for it may be an array of any library that lends its memory to NumPy, by DLPack, buffers or the array
    interface. It is used without a copy where its dtype is the input's.

    Parameters
    ----------
    variable : Variable
    name : str, optional
        For passing it by keyword; the variable's own name unless given.
    value : object, optional
        What it is when the caller passes nothing.
    update : Variable, optional
        A new default, computed in every call: the input becomes a state of the function.
    mutable : bool
        The function may overwrite the array passed.
    strict : bool
        Take only arrays of exactly the input's type.
    allow_downcast : bool or None
        Whether a conversion may lose precision; None allows it for Python floats only.
    borrow : bool, optional
        An output may share memory with the array passed, and `value` is kept without a copy; True when `mutable`.
    implicit : bool, optional
        The input cannot be passed: it keeps its value and update.

    Raises
    ------
    TypeError
        When `variable` is not symbolic, or `value` or `update` is not of its type.
    ValueError
        When an implicit or updated input has no value, or a mutable one is not to be borrowed.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x, n = T.dscalars("x", "n")
    >>> count = sg.function([x, sg.In(n, value=0.0, update=n + x)], n)
    >>> [float(count(5)) for _ in range(3)]
    [0.0, 5.0, 10.0]
    """

    def __init__(self, variable: Variable, name: str | None = None, value: Any = None, update: Any = None,
                 mutable: bool | None = None, strict: bool = False, allow_downcast: bool | None = None,
                 autoname: bool = True, borrow: bool | None = None, implicit: bool | None = None) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"In takes a symbolic variable, not {type(variable).__name__}")
        self.variable = variable
        self.name = name if name is not None else variable.name if autoname else None
        self.value = value
        self.mutable = bool(mutable)
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.borrow = self.mutable if borrow is None else bool(borrow)
        self.implicit = bool(implicit)
        if mutable and borrow is False:
            raise ValueError(f"input {variable}: an array that may be overwritten (mutable) is borrowed too")
        if self.implicit and value is None:
            raise ValueError(f"input {variable}: an implicit input needs a value")
        if update is not None and value is None:
            raise ValueError(f"input {variable}: an input with an update needs a first value")
        self.update = None if update is None else self._fitting(update)

    def _fitting(self, update: Any) -> Variable:
        from symgraph.compile.updates import fit

        return fit(self.variable, update, "input")

    def __repr__(self) -> str:
        return f"In({self.variable})"


def Param(variable: Variable, default: Any = None, name: str | None = None, mutable: bool = False,
          strict: bool = False, allow_downcast: bool | None = None, implicit: bool | None = None,
          borrow: bool | None = None) -> In:
    """An input of a compiled function: `In` under its older name, with the value first.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x, rate = T.dscalars("x", "rate")
    >>> float(sg.function([x, Param(rate, default=0.5)], x * rate)(3))
    1.5
    """
    return In(variable, name=name, value=default, mutable=mutable, strict=strict, allow_downcast=allow_downcast,
              borrow=borrow, implicit=implicit)


class Out:
    """An output of a compiled function.

    Parameters
    ----------
    variable : Variable
    borrow : bool
        The array returned may share memory with an input: no copy is made for safety.
    device : bool
        On a GPU, return an array in the GPU's memory rather than a NumPy array: nothing is moved, and the call need
        not wait for the result. On the CPU it is a NumPy array in either case.
    """

    def __init__(self, variable: Variable, borrow: bool = False, device: bool = False) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"Out takes a symbolic variable, not {type(variable).__name__}")
        self.variable = variable
        self.borrow = bool(borrow)
        self.device = bool(device)

    def __repr__(self) -> str:
        return f"Out({self.variable})"


def parse_inputs(inputs: Any) -> list[In]:
    """The inputs argument of `function` as a list of `In`.

    Raises
    ------
    TypeError
        When it holds something that is not a variable, or a constant or a shared variable.
    ValueError
        When it holds a variable twice.
    """
    if isinstance(inputs, (Variable, In, str)) or not hasattr(inputs, "__iter__"):
        raise TypeError(
            f"function: inputs must be a list of variables, not {type(inputs).__name__}; write function([x], ...)"
        )
    parsed = [_parse_input(entry, position) for position, entry in enumerate(inputs)]
    seen: set[Variable] = set()
    for one in parsed:
        if one.variable in seen:
            raise ValueError(f"function: input {one.variable} is listed twice")
        seen.add(one.variable)
    return parsed


def _parse_input(entry: Any, position: int) -> In:
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], Variable):
        entry = In(entry[0], value=entry[1])
    if not isinstance(entry, (In, Variable)):
        raise TypeError(f"function: input {position} must be a symbolic variable, not {type(entry).__name__}")
    one = entry if isinstance(entry, In) else In(entry)
    if isinstance(one.variable, SharedVariable):
        raise TypeError(
            f"function: input {position} is the shared variable {one.variable}, which has a value of its own. Leave it "
            "out, or use givens to put something else in its place"
        )
    if isinstance(one.variable, Constant):
        raise TypeError(f"function: input {position} is a constant, {one.variable}")
    return one


def parse_outputs(outputs: Any) -> tuple[list[Out], Form]:
    """The outputs argument as a list of `Out`, and the form in which they are to be returned."""
    if outputs is None:
        return [], None
    parsed: list[Out] = []

    def parse(entry: Any, place: str) -> Form:
        if isinstance(entry, Mapping):
            return {key: parse(value, f"{place}[{key!r}]") for key, value in entry.items()}
        if isinstance(entry, (list, tuple)):
            forms = [parse(value, f"{place}[{position}]") for position, value in enumerate(entry)]
            return tuple(forms) if isinstance(entry, tuple) else forms
        parsed.append(_parse_output(entry, place))
        return len(parsed) - 1

    if isinstance(outputs, tuple):  # as Theano: the outermost tuple is one way to write a list
        outputs = list(outputs)
    form = parse(outputs, "outputs")
    return parsed, form


def _parse_output(entry: Any, place: str) -> Out:
    if isinstance(entry, Out):
        return entry
    if not isinstance(entry, Variable):
        from symgraph.tensor.basic import as_tensor_variable

        try:
            entry = as_tensor_variable(entry)
        except (TypeError, ValueError):
            raise TypeError(
                f"function: {place} must be a symbolic variable, not {entry!r} of type {type(entry).__name__}"
            ) from None
    return Out(entry)
