"""Names of lengths: ``T.matrix("x", shape=("B", 784))`` says that the first axis has the length called B.

A name is a mark on an input or shared variable, not part of its type: types, operations and rules know nothing of it.
When a function is compiled, axes of one name are one length, which saves checks; when it is called they are compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symgraph.tensor.type import TensorType

__all__ = ["Dims", "shown_type", "split_names"]

Dims = tuple[str | None, ...]


def split_names(shape: Any) -> tuple[Any, Dims | None]:
    """A shape in which names may stand, as one with None in their place, and the names; None when there are none.

    Raises
    ------
    ValueError
        For an empty name.

    Examples
    --------
    >>> split_names(("B", 784))
    ((None, 784), ('B', None))
    >>> split_names((None, 784))
    ((None, 784), None)
    """
    if shape is None or isinstance(shape, str):
        if shape is not None:
            raise TypeError(f"a shape is a sequence of lengths, not {shape!r}: for one axis write ({shape!r},)")
        return None, None
    entries = tuple(shape) if isinstance(shape, Iterable) else shape
    if not isinstance(entries, tuple) or not any(isinstance(n, str) for n in entries):
        return entries, None
    if "" in entries:
        raise ValueError(f"the shape {entries} holds an empty name")
    return (tuple(None if isinstance(n, str) else n for n in entries),
            tuple(n if isinstance(n, str) else None for n in entries))


def shown_type(variable: Any) -> str:
    """The type of a variable as text, with the names of its lengths."""
    kind, names = variable.type, getattr(variable, "dims", None)
    if names is None or not isinstance(kind, TensorType):
        return str(kind)
    parts = [name or ("?" if n is None else str(n)) for name, n in zip(names, kind.shape, strict=True)]
    return f"{kind.dtype}[{','.join(parts)}]"
