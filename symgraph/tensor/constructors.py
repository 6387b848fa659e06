"""Symbolic inputs: ``scalar``, ``vector``, ``matrix`` and the rest, with every dtype prefix and plural.

``fmatrix("x")`` is a float32 matrix, ``matrix("x")`` one of floatX, ``matrices("x y")`` or ``matrices("x", "y")`` two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.tensor.type import TensorType

#: Prefix to dtype, as Theano's programs spell them.
PREFIXES = {"": "floatX", "b": "int8", "w": "int16", "i": "int32", "l": "int64", "h": "float16", "f": "float32",
            "d": "float64", "c": "complex64", "z": "complex128"}

#: Constructor to (plural, static shape).
RANKS: dict[str, tuple[str, tuple[int | None, ...]]] = {
    "scalar": ("scalars", ()),
    "vector": ("vectors", (None,)),
    "row": ("rows", (1, None)),
    "col": ("cols", (None, 1)),
    "matrix": ("matrices", (None,) * 2),
    **{f"tensor{n}": (f"tensor{n}s", (None,) * n) for n in range(3, 8)},
}


def tensor(dtype: Any = "floatX", shape: Any = None, name: str | None = None, *, broadcastable: Any = None) -> Any:
    """A symbolic tensor of a dtype and a (partly known) shape.

    Parameters
    ----------
    dtype : str
        ``"floatX"`` by default. A string that is no dtype is taken as the name: ``tensor("x", shape=(None, 3))``.
    shape : sequence of int or None
    name : str, optional
    broadcastable : sequence of bool, optional
        The older form of `shape`.
    """
    if isinstance(dtype, str) and name is None and dtype != "floatX":
        try:
            kind = TensorType(dtype, shape, broadcastable=broadcastable)
        except TypeError:
            kind, name = TensorType("floatX", shape, broadcastable=broadcastable), dtype
        return kind(name)
    return TensorType(dtype, shape, broadcastable=broadcastable)(name)


def _constructor(kind: str, prefix: str) -> Callable[..., Any]:
    lengths, default = RANKS[kind][1], PREFIXES[prefix]

    if prefix:

        def construct(name: str | None = None, shape: Any = None) -> Any:
            return TensorType(default, lengths if shape is None else shape)(name)
    else:

        def construct(name: str | None = None, dtype: Any = None, shape: Any = None) -> Any:  # type: ignore[misc]
            return TensorType(dtype or "floatX", lengths if shape is None else shape)(name)

    construct.__name__ = construct.__qualname__ = prefix + kind
    construct.__doc__ = f"A symbolic {kind} of {default} (static shape {lengths})."
    return construct


def _plural(kind: str, prefix: str) -> Callable[..., Any]:
    single = _constructor(kind, prefix)

    def construct(*names: Any, dtype: Any = None) -> Any:
        more = {} if prefix or dtype is None else {"dtype": dtype}
        if len(names) == 1 and isinstance(names[0], int):
            return [single(None, **more) for _ in range(names[0])]
        if len(names) == 1 and isinstance(names[0], str):
            names = tuple(names[0].replace(",", " ").split()) if len(names[0].split()) > 1 else tuple(names[0])
        return [single(name, **more) for name in names]

    construct.__name__ = construct.__qualname__ = prefix + RANKS[kind][0]
    construct.__doc__ = f"Several symbolic tensors as `{prefix + kind}` makes them, one for each name."
    return construct


CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    **{p + k: _constructor(k, p) for k in RANKS for p in PREFIXES},
    **{p + RANKS[k][0]: _plural(k, p) for k in RANKS for p in PREFIXES},
}
