"""Rows of operations that are computed by leaf kernels: reading and writing through an index, random numbers, joins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy import library
from backends.cupy.leaves import convolutions, copies, cumulative, lines, pools, random, sorts, tiled, windows
from backends.cupy.leaves.gathers import gather
from backends.cupy.leaves.leaf import LeafOp, Leaves
from backends.cupy.leaves.scatters import scatter
from backends.cupy.lowering import LOWERINGS, Unsupported, lower
from backends.source import tuple_text
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.op import Op
from symgraph.random.draw import Advance, Categorical, Draw, Multinomial
from symgraph.tensor.basic import Eye
from symgraph.tensor.counting import BinCount
from symgraph.tensor.cumulative import Accumulate
from symgraph.tensor.factors import OtherFactors, ProductShares, Recurrence
from symgraph.tensor.join import Join
from symgraph.tensor.lu import PivotsToRows
from symgraph.tensor.nnet.conv_ops import Conv, ConvGradInputs, ConvGradWeights
from symgraph.tensor.nnet.windows import OverlapAdd, Windows
from symgraph.tensor.products import BatchedMatMul
from symgraph.tensor.shape import MakeVector
from symgraph.tensor.signal.pool_ops import MaxPool, MaxPoolGather, MaxPoolGrad, SumPool, SumPoolGrad
from symgraph.tensor.sort import ArgSort, ArgTopK, Sort
from symgraph.tensor.stretch import Stretch, SumTo
from symgraph.tensor.subtensor import ARRAY, IncSubtensor, Subtensor

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__ = ["leaf"]


def leaf(r: Renderer, what: str, template: Callable[..., Leaves], arrays: Sequence[Variable],
         numbers: Sequence[Variable] = (), wrap: Callable[[LeafOp], Any] | None = None) -> str:
    """A call of an operation made of leaf kernels.

    Parameters
    ----------
    r : Renderer
    what : str
        For the report.
    template : callable
        From the layouts of the arrays, and the numbers, to what is launched.
    arrays, numbers : sequence of Variable
        What is passed as arrays of the device, and as integers of the host. What is recorded holds for these integers.
    wrap : callable, optional
        From the operation to what is called in its place.
    """
    names = [r.dev(v) for v in arrays]
    integers = [r.number(v) for v in numbers]
    r.fixed.update(text for text in integers if text.isidentifier())
    places = [r.passed.index(name) if name in r.passed and not r.is_nested else None for name in names]
    name = r.writer.fresh("f")
    made = LeafOp(template, r.kernels, r.errors, places)
    made.step = r.writer.current
    r.writer.namespace[name] = made if wrap is None else wrap(made)
    r.entries[-1].kernel, r.entries[-1].made = f"kernel: {what}", made
    return f"{name}({r.d}, {tuple_text(names)}, {tuple_text(integers)})"


# ---- indexing ---------------------------------------------------------------------------------------------------


def _index_inputs(node: Apply, first: int) -> tuple[list[Variable], list[Variable]]:
    """The index arrays of a node, and the integers among its index."""
    op: Any = node.op
    marks = [part for entry in op.spec for part in (getattr(entry, "parts", None) or (entry,)) if isinstance(part, str)
             and part in ("array", "scalar")]
    inputs = node.inputs[first:]
    return ([v for v, mark in zip(inputs, marks, strict=True) if mark == ARRAY],
            [v for v, mark in zip(inputs, marks, strict=True) if mark != ARRAY])


_views = LOWERINGS[Subtensor]


@lower(Subtensor)
def _subtensor(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, Subtensor)
    if ARRAY in op.spec and not r.placement.is_on_host(node.outputs[0]):
        arrays, numbers = _index_inputs(node, 1)
        return leaf(r, "gather", partial(gather, op.spec), [node.inputs[0], *arrays], numbers)
    return _views(r, node)


@lower(IncSubtensor)
def _inc_subtensor(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, IncSubtensor)
    arrays, numbers = _index_inputs(node, 2)
    template, operands = partial(scatter, op), [*node.inputs[:2], *arrays]
    target = r.overwriting.by_step(r.writer.current, may_fail=True)
    if target is not None:
        return leaf(r, f"{op.verb}, in place", partial(template, in_place=True, guarded=True), operands, numbers,
                    partial(_over, target))
    if r.overwriting.on_input(r.writer.current) and r.may_write_on(node.inputs[0]):
        return leaf(r, f"{op.verb}, in place", partial(template, in_place=True), operands, numbers, _in_place)
    return leaf(r, op.verb, template, operands, numbers)


def _in_place(by_kernel: LeafOp) -> Callable[..., Any]:
    """Write on the memory of what is read, which nobody needs any more."""

    def write(d: Any, arrays: tuple[Any, ...], numbers: tuple[Any, ...]) -> Any:
        x = arrays[0]
        if not x.flags.c_contiguous:
            x = d.empty(x.shape, x.dtype)
            d.copy(x, arrays[0])
        return by_kernel(d, (x, *arrays[1:]), numbers, into=x)

    return write


def _over(target: Any, by_kernel: LeafOp) -> Callable[..., Any]:
    """Write on the present value of a shared variable, or on a copy of it where nothing is recorded yet."""

    def write(d: Any, arrays: tuple[Any, ...], numbers: tuple[Any, ...]) -> Any:
        out = d.empty(arrays[0].shape, arrays[0].dtype)
        d.may_lie_over(out, target)
        d.copy(out, arrays[0])
        return by_kernel(d, (out, *arrays[1:]), numbers, into=out)

    return write


# ---- making, joining, accumulating ----------------------------------------------------------------------------------


@lower(Join)
def _join(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, Join)
    if r.placement.is_on_host(node.outputs[0]):
        return f"np.concatenate({tuple_text([r.host(v) for v in node.inputs])}, axis={op.axis})"
    dtype = node.outputs[0].type.dtype
    return leaf(r, "join", partial(copies.join, op.axis, dtype), node.inputs)


@lower(MakeVector)
def _make_vector(r: Renderer, node: Apply) -> str:
    dtype: str = node.outputs[0].type.dtype
    if r.placement.is_on_host(node.outputs[0]):
        return f"np.array([{', '.join(r.host(v) for v in node.inputs)}], np.{dtype})"
    return leaf(r, "make_vector", partial(copies.make_vector, dtype), node.inputs)


@lower(Eye)
def _eye(r: Renderer, node: Apply) -> str:
    dtype: str = node.outputs[0].type.dtype
    return leaf(r, "eye", partial(copies.eye, dtype), (), node.inputs)


@lower(Accumulate)
def _accumulate(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, Accumulate)
    dtype: str = node.outputs[0].type.dtype
    return leaf(r, str(op), partial(cumulative.accumulate, op.kind, op.axis, dtype), node.inputs)


@lower(Stretch)
def _stretch(r: Renderer, node: Apply) -> str:
    return leaf(r, "stretch", copies.stretch, node.inputs[:1], node.inputs[1:])


@lower(SumTo)
def _sum_to(r: Renderer, node: Apply) -> str:
    return leaf(r, "sum_to", copies.sum_to, node.inputs[:1], node.inputs[1:])


#: What goes along an axis step by step.
_LINES: dict[type[Op], Callable[..., Leaves]] = {
    Recurrence: lines.recurrence, OtherFactors: lines.other_factors, ProductShares: lines.product_shares,
}


@lower(*_LINES)
def _along(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return leaf(r, str(op), partial(_LINES[type(op)], op.axis), node.inputs)


@lower(PivotsToRows)
def _pivots_to_rows(r: Renderer, node: Apply) -> str:
    return leaf(r, "pivots to rows", lines.rows_of_pivots, node.inputs[:1], node.inputs[1:])


@lower(BinCount)
def _bincount(r: Renderer, node: Apply) -> str:
    """The array library counts; weights are added by a kernel, in order, which the library does in any."""
    x, least, *weights = node.inputs
    dtype: str = node.outputs[0].type.dtype
    if not weights:
        return library.called(r, library.bincount, "bincount", r.dev(x), r.number(least), repr(dtype))
    r.xp("bincount")
    r.xp("zeros")
    return leaf(r, "bincount", partial(scatter, IncSubtensor((ARRAY,), False)), [x, *weights], [least],
                wrap=partial(_weighted, dtype))


def _weighted(dtype: str, add: LeafOp) -> Callable[..., Any]:

    def bincount(d: Any, arrays: tuple[Any, ...], numbers: tuple[Any, ...]) -> Any:
        (x, weights), (least,) = arrays, numbers
        bins = library.bincount(d.xp, x, least, "int64").shape[0]
        return add(d, (d.xp.zeros(bins, np.float64), weights, x)).astype(dtype)

    return bincount


# ---- sorting: short rows by a kernel, long ones by the array library, which is not recorded --------------------------


def _if_short(axis: int, function: Callable[..., Any], by_kernel: LeafOp) -> Callable[..., Any]:

    def call(d: Any, arrays: tuple[Any, ...], numbers: tuple[Any, ...]) -> Any:
        if arrays[0].shape[axis] <= sorts.LONGEST:
            return by_kernel(d, arrays, numbers)
        return function(d.xp, *arrays, *numbers)

    return call


@lower(Sort)
def _sort(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return leaf(r, str(op), partial(sorts.sort, op.axis), node.inputs,
                wrap=partial(_if_short, op.axis, lambda xp, x: xp.sort(x, axis=op.axis)))


@lower(ArgSort)
def _argsort(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return leaf(r, str(op), partial(sorts.argsort, op.axis, "int64"), node.inputs,
                wrap=partial(_if_short, op.axis, lambda xp, x: xp.argsort(x, axis=op.axis).astype("int64")))


@lower(ArgTopK)
def _argtopk(r: Renderer, node: Apply) -> str:
    op: Any = node.op
    return leaf(r, str(op), partial(sorts.argtopk, op.axis, op.idx_dtype), node.inputs[:1], node.inputs[1:],
                wrap=partial(_if_short, op.axis, lambda xp, x, k: library.argtopk(xp, x, k, op.axis, op.idx_dtype)))


# ---- convolution and pooling --------------------------------------------------------------------------------------

#: From operations to their templates, and how many of their inputs are arrays; the others are lengths.
_WINDOWED: dict[type[Op], tuple[Callable[..., Leaves], int]] = {
    Conv: (convolutions.conv, 2), ConvGradInputs: (convolutions.conv_grad_inputs, 2),
    ConvGradWeights: (convolutions.conv_grad_weights, 2), MaxPool: (pools.max_pool, 1),
    MaxPoolGrad: (pools.max_pool_grad, 3), MaxPoolGather: (pools.max_pool_gather, 3), SumPool: (pools.sum_pool, 1),
    SumPoolGrad: (pools.sum_pool_grad, 1), Windows: (windows.windows, 1), OverlapAdd: (windows.overlap_add, 1),
}


@lower(*_WINDOWED)
def _windowed(r: Renderer, node: Apply) -> str:
    template, arrays = _WINDOWED[type(node.op)]
    return leaf(r, str(node.op), partial(template, node.op), node.inputs[:arrays], node.inputs[arrays:])


@lower(BatchedMatMul)
def _matmul(r: Renderer, node: Apply) -> str:
    return leaf(r, "matmul", tiled.matmul, node.inputs, wrap=_by_library)


def _by_library(by_kernel: LeafOp) -> Callable[..., Any]:
    """Stacks of matrices as the vendor's library takes them are multiplied by it, others by the kernel."""

    def matmul(d: Any, arrays: tuple[Any, ...], numbers: tuple[Any, ...]) -> Any:
        a, b = arrays
        if not (a.dtype == b.dtype and a.dtype.name in ("float16", "float32", "float64") and a.ndim == b.ndim == 3
                and a.size and b.size and a.shape[2] == b.shape[1] and _is_plain(a) and _is_plain(b)):
            return by_kernel(d, arrays, numbers)
        out = d.empty((max(a.shape[0], b.shape[0]), a.shape[1], b.shape[2]), a.dtype)
        d.product(out, a, b)
        return out

    return matmul


def _is_plain(x: Any) -> bool:
    """Whether neighbours along a row, or a column, lie side by side, and all else behind each other."""
    short, long = sorted(x.strides[1:])
    return bool(short == x.itemsize and x.strides[0] >= long >= short)


# ---- random numbers -------------------------------------------------------------------------------------------------


@lower(Draw)
def _draw(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, Draw)
    if op.kind == "bits" and op.dtype not in ("uint32", "uint64", "int32", "int64"):
        raise Unsupported(f"random bits of {op.dtype}")
    return leaf(r, str(op), partial(random.draw, op), node.inputs[:1 + op.arity], node.inputs[1 + op.arity:])


@lower(Advance)
def _advance(r: Renderer, node: Apply) -> str:
    op = node.op
    assert isinstance(op, Advance)
    if r.placement.is_on_host(node.outputs[0]):
        return f"{r.writer.bind(op.after, 'after')}({', '.join(r.host(v) for v in node.inputs)})"
    return leaf(r, "advance", partial(random.advance, op.per_block), node.inputs[:1], node.inputs[1:])


@lower(Multinomial)
def _multinomial(r: Renderer, node: Apply) -> str:
    return leaf(r, "random_multinomial", random.multinomial, node.inputs)


@lower(Categorical)
def _categorical(r: Renderer, node: Apply) -> str:
    return leaf(r, "categorical", random.categorical, node.inputs)
