"""`Variable.eval`: compile once for each set of inputs, then call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symgraph.compile.errors import clip
from symgraph.compile.function import Function, function
from symgraph.compile.mode import get_mode
from symgraph.config import config
from symgraph.graph.basic import Constant, Variable, set_evaluator
from symgraph.graph.traversal import graph_inputs

__all__ = ["evaluate"]


def evaluate(variable: Variable, values: Mapping[Any, Any]) -> Any:
    """`Variable.eval`: compile once for each set of inputs, then call."""
    if not isinstance(values, Mapping):
        raise TypeError(f"eval takes a dict from input variables to their values, not {type(values).__name__}")
    named: dict[Variable, Any] = {}
    for key, value in values.items():
        if isinstance(key, str):
            known = [v for v in graph_inputs([variable]) if v.name and not isinstance(v, Constant)]
            matches = [v for v in known if v.name == key]
            if len(matches) != 1:
                names = ", ".join(dict.fromkeys(str(v.name) for v in known)) or "none"
                raise ValueError(f"eval: {len(matches) or 'no'} inputs are named {key!r}; the names are {names}")
            key = matches[0]
        named[key] = value
    cache: dict[Any, Function] = variable.__dict__.setdefault("_evaluators", {})
    setting = (frozenset(named), get_mode(None), config.device)
    compiled = cache.get(setting)
    if compiled is None:
        compiled = cache[setting] = function(
            list(named), variable, name=f"eval of {clip(str(variable), 40)}", on_unused_input="ignore")
    return compiled(*[named[entry.variable] for entry in compiled.recipe.inputs])


set_evaluator(evaluate)
