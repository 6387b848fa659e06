"""What an input is when nothing is passed for it, and what is said when arguments do not fit a function's inputs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from symgraph.compile.recipe import Recipe
from symgraph.shared import SharedVariable, TensorSharedVariable, device_name, memory_of
from symgraph.tensor.type import TensorType

__all__ = ["default_of", "refuse_call", "state_of"]


def refuse_call(recipe: Recipe, places: Sequence[int], has_default: Callable[[int], bool], args: tuple[Any, ...],
                kwargs: dict[str, Any]) -> NoReturn:
    """Say what is wrong with the arguments of a call."""
    inputs = recipe.inputs
    who = f"{recipe.name}()" if recipe.name else recipe.label
    names = [inputs[i].name or f"argument {i}" for i in places]
    if len(args) > len(names):
        counted = f"{len(names)} argument{'s' * (len(names) != 1)} ({', '.join(names)})"
        raise TypeError(f"{who} takes {counted if names else 'no arguments'} but {len(args)} "
                        f"{'was' if len(args) == 1 else 'were'} given")
    passed = set(places[: len(args)])
    for name in kwargs:
        matches = [i for i in places if inputs[i].name == name]
        if not matches:
            raise TypeError(f"{who} has no input named {name!r}; its inputs are {', '.join(names) or 'none'}")
        if len(matches) > 1:
            raise TypeError(f"{who} has {len(matches)} inputs named {name!r}: pass them by position")
        if matches[0] in passed:
            raise TypeError(f"{who} got two values for input {name!r}")
        passed.add(matches[0])
    missing = [i for i in range(len(inputs)) if i not in passed and not has_default(i)]
    wanted = ", ".join(f"{inputs[i].name or f'argument {i}'} ({inputs[i].variable.type})" for i in missing)
    raise TypeError(f"{who} is missing {len(missing)} of its {len(inputs)} inputs: {wanted}")


def default_of(recipe: Recipe, position: int, value: Any) -> Any:
    """A value as the default of an input: of its type, and a copy unless the input borrows."""
    entry = recipe.inputs[position]
    try:
        filtered = entry.variable.type.filter(value, entry.strict, recipe.may_downcast(entry))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{recipe.label}, value of input {entry.name or position}: {error}") from None
    return filtered if entry.borrow else copy.deepcopy(filtered)


def state_of(recipe: Recipe, position: int) -> SharedVariable:
    """Where the present value of a stateful input is kept."""
    entry = recipe.inputs[position]
    kind = entry.variable.type
    value = default_of(recipe, position, entry.value)
    if not isinstance(kind, TensorType):
        return SharedVariable(kind, value, entry.name)
    linker = recipe.mode.linker
    memory = memory_of(device_name("cpu" if linker == "numpy" else "cuda" if linker == "cupy" else linker))
    return TensorSharedVariable(kind, value if memory is None else memory.put(value), entry.name, memory=memory)
