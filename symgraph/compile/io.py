"""In and Out: what may be said of one input or output of a compiled function."""

from __future__ import annotations

from typing import Any

from symgraph.graph.basic import Constant, Variable
from symgraph.shared import SharedVariable

__all__ = ["In", "Out", "parse_inputs", "parse_outputs"]


class In:
    """An input of a compiled function, with what may be said of it.

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
        An output may share memory with the array passed; True when `mutable`.
    implicit : bool, optional
        The input cannot be passed: it keeps its value and update.
    """

    def __init__(self, variable: Variable, name: str | None = None, value: Any = None, update: Any = None,
                 mutable: bool | None = None, strict: bool = False, allow_downcast: bool | None = None,
                 autoname: bool = True, borrow: bool | None = None, implicit: bool | None = None) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"In takes a symbolic variable, not {type(variable).__name__}")
        self.variable = variable
        self.name = name if name is not None else variable.name if autoname else None
        self.value = value
        self.update = None if update is None else variable.type.filter_variable(update)
        self.mutable = bool(mutable)
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.borrow = self.mutable if borrow is None else borrow
        self.implicit = bool(implicit)
        if mutable and borrow is False:
            raise ValueError(f"input {variable}: an array that may be overwritten (mutable) is borrowed too")
        if self.implicit and value is None:
            raise ValueError(f"input {variable}: an implicit input needs a value")
        if self.update is not None and value is None:
            raise ValueError(f"input {variable}: an input with an update needs a first value")

    def __repr__(self) -> str:
        return f"In({self.variable})"


class Out:
    """An output of a compiled function.

    Parameters
    ----------
    variable : Variable
    borrow : bool
        The array returned may share memory with an input or with another output: no copy is made for safety.
    """

    def __init__(self, variable: Variable, borrow: bool = False) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"Out takes a symbolic variable, not {type(variable).__name__}")
        self.variable = variable
        self.borrow = borrow

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
    if isinstance(inputs, (Variable, In)) or not hasattr(inputs, "__iter__"):
        raise TypeError(f"function: inputs must be a list of variables, not {type(inputs).__name__}; write function([x], ...)")
    parsed: list[In] = []
    for position, entry in enumerate(inputs):
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], Variable):
            entry = In(entry[0], value=entry[1])
        one = entry if isinstance(entry, In) else None
        if one is None:
            if not isinstance(entry, Variable):
                raise TypeError(f"function: input {position} must be a symbolic variable, not {type(entry).__name__}")
            one = In(entry)
        if isinstance(one.variable, SharedVariable):
            raise TypeError(
                f"function: input {position} is the shared variable {one.variable}: it has a value of its own. Leave it out, or use "
                "givens to put something else in its place"
            )
        if isinstance(one.variable, Constant):
            raise TypeError(f"function: input {position} is a constant, {one.variable}")
        parsed.append(one)
    seen: set[Variable] = set()
    for one in parsed:
        if one.variable in seen:
            raise ValueError(f"function: input {one.variable} is listed twice")
        seen.add(one.variable)
    return parsed


def parse_outputs(outputs: Any) -> tuple[list[Out], str | list[Any]]:
    """The outputs argument as a list of `Out`, and its form: ``'none'``, ``'single'``, ``'list'`` or a dict's keys."""
    form: str | list[Any] = "list"
    if outputs is None:
        return [], "none"
    if isinstance(outputs, dict):
        form, outputs = list(outputs), list(outputs.values())
    elif isinstance(outputs, (list, tuple)):
        outputs = list(outputs)
    else:
        form, outputs = "single", [outputs]
    parsed = []
    for position, entry in enumerate(outputs):
        if isinstance(entry, Out):
            parsed.append(entry)
            continue
        if not isinstance(entry, Variable):
            from symgraph.tensor.basic import as_tensor_variable

            try:
                entry = as_tensor_variable(entry)
            except TypeError:
                raise TypeError(f"function: output {position} must be a symbolic variable, not {type(entry).__name__}") from None
        parsed.append(Out(entry))
    return parsed, form
