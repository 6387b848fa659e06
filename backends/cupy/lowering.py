"""How operations that are no generated loops are spelled on a GPU: a row for each class.

A row is a function of the renderer and the node. It returns the expression of the results, in which `d` is the device
(or what records for it) and `xp` its array library. What a row cannot say for certain arguments it refuses by raising
`Unsupported`, with the reason; then, and where there is no row, the operation is computed on the host if
`config.cuda_fallback` allows that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy import runtime
from backends.source import tuple_text
from symgraph.graph.basic import Apply, Constant
from symgraph.graph.gates import GradientGate
from symgraph.graph.op import Op
from symgraph.tensor.basic import Alloc, ARange
from symgraph.tensor.devices import Transfer
from symgraph.tensor.join import Split
from symgraph.tensor.shape import DimShuffle, Reshape, Shape, ShapeI
from symgraph.tensor.specify import RequireLengths, SpecifyShape
from symgraph.tensor.subtensor import Subtensor

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__ = ["LOWERINGS", "REASONS", "VIEWS", "Unsupported", "lower", "lowering_of"]

Lowering = Callable[["Renderer", Apply], str]

LOWERINGS: dict[type[Op], Lowering] = {}

#: Operations whose result is another way to read the memory of their first input.
VIEWS = (DimShuffle, Subtensor, Reshape, SpecifyShape, RequireLengths, GradientGate, Split)


_PROGRAMS = "it runs programs of this backend, which are called as they are"
_REPLACED = "the compiler puts something else in its place"
_NO_FUNCTION = "CuPy has no function for it"

#: Why operations have no row, by the names of their classes; those of users have none either.
REASONS: dict[str, str] = {
    "LazyIfElse": _PROGRAMS, "InnerProgram": _PROGRAMS, "IfElse": _REPLACED, "Scan": _REPLACED,
    "Looped": "it is computed by the operation's own method, for one of a stack after the other",
    "OpFromGraph": "it stands for a graph, which the compiler puts in its place unless told not to",
    "FunctionOp": "it is a Python function of host arrays", "Print": "it prints values of the host",
    "Logm": _NO_FUNCTION, "Sqrtm": _NO_FUNCTION,
}


class Unsupported(Exception):
    """An operation the device cannot compute; the message says why."""


def lower(*ops: type[Op]) -> Callable[[Lowering], Lowering]:
    """Enter a function into the table for some classes of operations."""

    def enter(function: Lowering) -> Lowering:
        for op in ops:
            LOWERINGS[op] = function
        return function

    return enter


def lowering_of(op: Op) -> Lowering | None:
    """The row for an operation; None when there is none."""
    return next((LOWERINGS[cls] for cls in type(op).__mro__ if cls in LOWERINGS), None)


def _dtype(node: Apply) -> str:
    kind: Any = node.outputs[0].type
    return "np.bool" if kind.dtype == "bool" else f"np.{kind.dtype}"


def _viewed(r: Renderer, node: Apply) -> str:
    """The array that a view is taken of, on the side where the view is wanted."""
    return r.host(node.inputs[0]) if r.placement.is_on_host(node.outputs[0]) else r.dev(node.inputs[0])


def _axes(node: Apply, first: int, r: Renderer) -> str:
    return tuple_text([r.number(v) for v in node.inputs[first:]])


# ---- lengths and views ------------------------------------------------------------------------------------------


@lower(DimShuffle)
def _dimshuffle(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, DimShuffle)
    ndim = node.inputs[0].type.ndim
    text = _viewed(r, node)
    if len(op.kept) < ndim:
        text += f"[{', '.join(':' if axis in op.kept else '0' for axis in range(ndim))}]"
    ranks = {axis: place for place, axis in enumerate(sorted(op.kept))}
    order = [ranks[axis] for axis in op.kept]
    if order != sorted(order):
        text += f".transpose({', '.join(map(str, order))})"
    if "x" in op.order:
        text += f"[{', '.join('None' if axis == 'x' else ':' for axis in op.order)}]"
    return text


@lower(Reshape)
def _reshape(r: Renderer, node: Apply) -> str:
    if r.placement.is_on_host(node.outputs[0]):
        return f"{r.host(node.inputs[0])}.reshape({_axes(node, 1, r)})"
    r.writer.namespace["reshaped"] = runtime.reshaped
    return f"reshaped({r.d}, {r.dev(node.inputs[0])}, {_axes(node, 1, r)})"


@lower(ShapeI)
def _shape_i(r: Renderer, node: Apply) -> str:
    assert isinstance(node.op, ShapeI)
    length = f"{r.value(node.inputs[0])}.shape[{node.op.axis}]"
    return length if node.outputs[0] in r.numbers else f"np.int64({length})"


@lower(Shape)
def _shape(r: Renderer, node: Apply) -> str:
    return f"np.array({r.value(node.inputs[0])}.shape, np.int64)"


@lower(SpecifyShape)
def _specify_shape(r: Renderer, node: Apply) -> str:
    assert isinstance(node.op, SpecifyShape)
    r.writer.namespace["has_lengths"] = _has_lengths
    return f"has_lengths({_viewed(r, node)}, {node.op.lengths})"


def _has_lengths(x: Any, lengths: tuple[int | None, ...]) -> Any:
    for axis, (claimed, actual) in enumerate(zip(lengths, x.shape, strict=True)):
        if claimed is not None and claimed != actual:
            raise ValueError(f"the shape is {x.shape}, but length {claimed} was specified for axis {axis}")
    return x


@lower(RequireLengths)
def _require_lengths(r: Renderer, node: Apply) -> str:
    assert isinstance(node.op, RequireLengths)
    r.writer.namespace["fits"] = _fits
    return f"fits({_viewed(r, node)}, {node.op.axes}, {_axes(node, 1, r)})"


def _fits(x: Any, axes: tuple[int, ...], lengths: tuple[int, ...]) -> Any:
    for axis, length in zip(axes, lengths, strict=True):
        if x.shape[axis] != length:
            stretch = ""
            if x.shape[axis] == 1:
                stretch = ". Only an axis known to be 1 is stretched: use T.addbroadcast"
            raise ValueError(f"an array of shape {x.shape} does not fit: its axis {axis} must have length {length}"
                             f"{stretch}")
    return x


@lower(GradientGate)
def _gate(r: Renderer, node: Apply) -> str:
    return _viewed(r, node)


@lower(Transfer)
def _transfer(r: Renderer, node: Apply) -> str:
    assert isinstance(node.op, Transfer)
    if node.op.target == "cpu":
        return f"np.array({r.host(node.inputs[0])})"
    return r.dev(node.inputs[0])


@lower(Split)
def _split(r: Renderer, node: Apply) -> str:
    assert isinstance(node.op, Split)
    r.writer.namespace["pieces"] = _pieces
    return f"pieces({_viewed(r, node)}, {node.op.axis}, {_axes(node, 1, r)})"


def _pieces(x: Any, axis: int, lengths: tuple[int, ...]) -> Any:
    ends = np.cumsum(lengths).tolist()
    if ends and ends[-1] != x.shape[axis]:
        raise ValueError(f"split: lengths {list(lengths)} do not add up to {x.shape[axis]}, the length of axis {axis}")
    before = (slice(None),) * axis
    found = tuple(x[(*before, slice(end - n, end))] for end, n in zip(ends, lengths, strict=True))
    return found[0] if len(found) == 1 else found


# ---- indexing ---------------------------------------------------------------------------------------------------


def _index(r: Renderer, node: Apply, first: int) -> str:
    """The index as Python text: positions are numbers of the host, index arrays are on the device."""
    op: Any = node.op
    parts = [r.number(v) if v.type.ndim == 0 else r.value(v) for v in node.inputs[first:]]
    return op.show(parts) or "..."


@lower(Subtensor)
def _subtensor(r: Renderer, node: Apply) -> str:
    return f"{_viewed(r, node)}[{_index(r, node, 1)}]"


# ---- making -----------------------------------------------------------------------------------------------------


@lower(Alloc)
def _alloc(r: Renderer, node: Apply) -> str:
    value = node.inputs[0]
    lengths = _axes(node, 1, r)
    uniform = getattr(value, "uniform_value", None)
    if uniform is not None:
        r.writer.namespace[name := r.writer.fresh("v")] = uniform
        return f"{r.xp('full')}({lengths}, {name}, {_dtype(node)})"
    return f"{r.xp('array')}({r.xp('broadcast_to')}({r.dev(value)}, {lengths}))"


@lower(ARange)
def _arange(r: Renderer, node: Apply) -> str:
    numbers = [str(v.data.item()) if isinstance(v, Constant) else r.scalar(v) for v in node.inputs]
    return f"{r.xp('arange')}({', '.join(numbers)}, dtype={_dtype(node)})"
