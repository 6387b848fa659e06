"""Many calls of a function in one: its steps one after the other, and their results stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgraph.compile.io import Form
from symgraph.tensor.type import TensorType

if TYPE_CHECKING:
    from symgraph.compile.function import Function

__all__ = ["call_many"]


def call_many(f: Function, sequences: Sequence[Any]) -> Any:
    """The outputs of a function for each row of arguments, stacked; see `Function.map`."""
    columns = [list(sequence) for sequence in sequences]
    lengths = [len(column) for column in columns]
    if not columns:
        raise TypeError("map takes a sequence for each input, of which there must be one at least")
    if len(set(lengths)) > 1:
        raise ValueError(f"map takes sequences of one length, not of {', '.join(map(str, lengths))}")
    rows = list(zip(*columns, strict=True))
    many = f.program_of_many()
    if many is not None and rows:
        return many(rows)
    results = [f(*row) for row in rows]
    return stacked(f.recipe.form, results, [o.variable.type for o in f.recipe.outputs])


def stacked(form: Form, results: Sequence[Any], types: Sequence[Any]) -> Any:
    """Results of one form as one result of that form, of arrays with an axis more."""
    if form is None:
        return []
    if isinstance(form, int):
        kind = types[form]
        if not results and isinstance(kind, TensorType):
            return np.zeros((0, *(n or 0 for n in kind.shape)), kind.numpy_dtype)
        return np.stack(results) if isinstance(kind, TensorType) else list(results)
    if isinstance(form, dict):
        return {key: stacked(part, [result[key] for result in results], types) for key, part in form.items()}
    return type(form)(stacked(part, [result[i] for result in results], types) for i, part in enumerate(form))
