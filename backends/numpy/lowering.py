"""How each operation is spelled in NumPy: one row for a name, a short function where a row would not do.

A function of this table takes the renderer, the node, the names of its inputs, the name of its result, and the
expression of an array to compute into (or None). It returns the expression to assign to the result, or None when it
has written its own lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.numpy import blas, random, runtime, shared_sums, sums
from backends.numpy.cells import cells, picked
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.op import Op
from symgraph.random.draw import Advance, Draw
from symgraph.tensor.basic import Alloc, ARange, Eye
from symgraph.tensor.blas import Gemm, Inner
from symgraph.tensor.devices import Transfer
from symgraph.tensor.join import Join
from symgraph.tensor.products import BatchedMatMul, Dot
from symgraph.tensor.reduce import ArgReduce, Reduce
from symgraph.tensor.shape import DimShuffle, MakeVector, Reshape, Shape, ShapeI
from symgraph.tensor.subtensor import ARRAY, IncSubtensor, Subtensor

if TYPE_CHECKING:
    from backends.numpy.render import Renderer

__all__ = ["LOWERINGS", "adds_floats", "lower", "lowering_of", "needs_no_counting", "type_of"]

Lowering = Callable[["Renderer", Apply, list[str], str, "str | None"], "str | None"]

LOWERINGS: dict[type[Op], Lowering] = {}


def lower(*ops: type[Op]) -> Callable[[Lowering], Lowering]:
    """Enter a function into the table for some classes of operations."""

    def enter(function: Lowering) -> Lowering:
        for op in ops:
            LOWERINGS[op] = function
        return function

    return enter


def lowering_of(op: Op) -> Lowering:
    """The row for an operation; one that is not listed is computed by its own `perform`."""
    for cls in type(op).__mro__:
        if cls in LOWERINGS:
            return LOWERINGS[cls]
    return _perform


def type_of(node: Apply) -> Any:
    """The type of the first result."""
    return node.outputs[0].type


def _perform(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    """Any operation: call its own method."""
    name = r.writer.bind(r.performer(node), "op")
    return f"{name}({', '.join(args)})"


# ---- reductions -------------------------------------------------------------------------------------------------


@lower(Reduce)
def _reduce(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    op = node.op
    assert isinstance(op, Reduce)
    x: Any = node.inputs[0].type
    ufunc = op.reduction.ufunc
    result = np.dtype(type_of(node).dtype)
    accumulate = np.dtype(op.acc_dtype) if op.acc_dtype else result
    if adds_floats(node):
        by_product = _sum_by_product(r, op, args[0], x.ndim, out)
        if by_product is not None:
            return by_product
    chosen = accumulate == op.reduction.dtype(x.numpy_dtype)  # by NumPy itself
    cast = accumulate != result and op.kind not in ("all", "any")
    if out is not None and not cast:
        r.taken = True
    arguments = [
        "0" if op.axes == (0,) else "None" if len(op.axes) == x.ndim else _axes(op.axes),
        "None" if chosen or op.kind in ("all", "any") else r.dtype(accumulate.name),
        out if out is not None and r.taken else "None",
        str(op.keepdims),
        "" if op.reduction.initial is None else f"{'-' * (op.reduction.initial < 0)}np.inf",
    ]
    while len(arguments) > (x.ndim > 1) and arguments[-1] == _UNSAID[len(arguments) - 1]:
        arguments.pop()
    text = f"np.{ufunc.__name__}.reduce({', '.join([args[0], *arguments])})"
    return f"{text}.astype({r.dtype(result.name)})" if cast else text


#: What axis, dtype, out, keepdims and initial of a reduction are unless it is said. By position they cost less.
_UNSAID = ("0", "None", "None", "False", "")


def adds_floats(node: Apply) -> bool:
    """Whether a reduction is a sum of float32 or float64 numbers in their own type."""
    op, x, result = node.op, node.inputs[0].type, type_of(node)
    assert isinstance(op, Reduce)
    own: Any = op.acc_dtype in (None, result.dtype) and result.dtype == x.dtype
    return bool(op.kind == "sum" and own and result.dtype in ("float32", "float64"))


def _sum_by_product(r: Renderer, op: Reduce, x: str, ndim: int, out: str | None) -> str | None:
    """A sum of floats along the axes for which there is a quicker way."""
    if len(op.axes) == ndim and not op.keepdims:
        return f"{_sum_function(r, 'total')}({x})"
    if ndim != 2 or (op.axes != (1,) and not (op.axes == (0,) and r.large)):
        return None
    name = _sum_function(r, "row_sums" if op.axes == (1,) else "column_sums")
    into = r.into(out, keyword=False) or (", None" if op.keepdims else "")
    return f"{name}({x}{into}{', True' if op.keepdims else ''})"


def _sum_function(r: Renderer, name: str) -> str:
    """The name of a function of sums, that for large arrays where only such come."""
    module, name = (shared_sums, f"shared_{name}") if r.large else (sums, name)
    r.writer.namespace[name] = getattr(module, name)
    return name


def _axes(axes: tuple[int, ...]) -> str:
    return str(axes[0]) if len(axes) == 1 else str(axes)


@lower(ArgReduce)
def _arg_reduce(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    op = node.op
    assert isinstance(op, ArgReduce)
    if op.kind.startswith("nan"):
        return f"np.{op.kind}({args[0]}, axis={op.axis})"
    return f"{args[0]}.{op.kind}(axis={op.axis})"


# ---- products ---------------------------------------------------------------------------------------------------


@lower(Dot)
def _dot(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    # np.dot computes only into arrays in C order.
    return f"np.dot({', '.join(args)}{r.into(out if out is not None and r.is_plain(out) else None, keyword=False)})"


@lower(Gemm)
def _gemm(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    r.writer.namespace["gemm"] = blas.gemm
    return f"gemm({', '.join(args)}{r.into(out if out is not None and r.is_plain(out) else None)})"


@lower(Inner)
def _inner(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    r.writer.namespace["inner"] = blas.inner
    return f"inner({', '.join(args)})"


@lower(BatchedMatMul)
def _matmul(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    return f"np.matmul({', '.join(args)}{r.into(out, keyword=False)})"


# ---- shapes and views -------------------------------------------------------------------------------------------


@lower(DimShuffle)
def _dimshuffle(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    op = node.op
    assert isinstance(op, DimShuffle)
    ndim = node.inputs[0].type.ndim
    text = args[0]
    if len(op.kept) < ndim:
        text += f"[{', '.join(':' if axis in op.kept else '0' for axis in range(ndim))}]"
    ranks = {axis: place for place, axis in enumerate(sorted(op.kept))}
    order = [ranks[axis] for axis in op.kept]
    if order == sorted(order, reverse=True) and len(order) > 1:
        text += ".T"
    elif order != sorted(order):
        text += f".transpose({', '.join(map(str, order))})"
    if "x" in op.order:
        text += f"[{', '.join('None' if axis == 'x' else ':' for axis in op.order)}]"
    return text


def _lengths(r: Renderer, node: Apply, args: list[str], first: int) -> str:
    """The lengths a node takes as inputs, as a tuple; known ones as numbers."""
    parts = [str(int(v.data)) if isinstance(v, Constant) else a
             for v, a in zip(node.inputs[first:], args[first:], strict=True)]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


@lower(Reshape)
def _reshape(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    return f"{args[0]}.reshape({_lengths(r, node, args, 1)})"


@lower(ShapeI)
def _shape_i(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    assert isinstance(node.op, ShapeI)
    length = f"{args[0]}.shape[{node.op.axis}]"
    return length if node.outputs[0] in r.numbers else f"np.int64({length})"


@lower(Shape)
def _shape(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    return f"np.array({args[0]}.shape, np.int64)"


@lower(MakeVector)
def _make_vector(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    return f"np.array([{', '.join(args)}], {r.dtype(type_of(node).dtype)})"


@lower(Alloc)
def _alloc(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    value = node.inputs[0]
    lengths = _lengths(r, node, args, 1)
    uniform = getattr(value, "uniform_value", None)
    dtype = r.dtype(type_of(node).dtype)
    if _is_blank(r, node.outputs[0]):
        r.counts.add(node.outputs[0])
        return args[1]
    if uniform is not None and uniform == 0 and not (uniform.dtype.kind == "f" and np.signbit(uniform)):
        return f"np.zeros({lengths}, {dtype})"
    return f"np.full({lengths}, {args[0]}, {dtype})"


def _is_blank(r: Renderer, variable: Variable) -> bool:
    """Whether nobody needs more of a vector of zeros than how many they are: a number is added to the first of them."""
    made, kind = variable.owner, variable.type
    if made is None or not isinstance(made.op, Alloc) or kind.ndim != 1 or made.inputs[1] not in r.numbers:
        return False
    zero = getattr(made.inputs[0], "uniform_value", None)
    if zero is None or zero != 0 or made.inputs[0].type.dtype != kind.dtype:
        return False
    readers = r.readers(variable)
    if readers is None or len(readers) != 1 or type(readers[0].op) is not IncSubtensor:
        return False
    node, value = readers[0], readers[0].inputs[1]
    return node.inputs.count(variable) == 1 and node.inputs[0] is variable and not node.op.set_instead and (
        value.type.ndim == 0 and value.type.dtype == kind.dtype and len(node.inputs) == 3 and (
            node.op.spec == (ARRAY,) and _stop(r, node.inputs[2]) is not None))


@lower(ARange)
def _arange(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    start, _, step = node.inputs
    if r.is_count(node.outputs[0]):
        r.counts.add(node.outputs[0])
        return args[1]
    plain = isinstance(start, Constant) and start.data == 0 and isinstance(step, Constant) and step.data == 1
    bounds = args[1] if plain else ", ".join(args)
    return f"np.arange({bounds}, dtype={r.dtype(type_of(node).dtype)})"


@lower(Eye)
def _eye(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    return f"np.eye({', '.join(args)}, dtype={r.dtype(type_of(node).dtype)})"


@lower(Draw)
def _draw(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    r.writer.namespace["draw"] = random.draw
    into = r.into(out if out is not None and r.is_plain(out) else None)
    return f"draw({r.writer.bind(node.op, 'op')}, {', '.join(args)}{into})"


@lower(Advance)
def _advance(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    assert isinstance(node.op, Advance)
    return f"{r.writer.bind(node.op.after, 'after')}({', '.join(args)})"


@lower(Transfer)
def _transfer(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    r.writer.namespace["fetched"] = runtime.fetched
    return f"fetched({args[0]})"


@lower(Join)
def _join(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    assert isinstance(node.op, Join)
    return f"np.concatenate(({', '.join(args)}{',' * (len(args) == 1)}), axis={node.op.axis})"


# ---- indexing ---------------------------------------------------------------------------------------------------


def _index(op: Any, args: list[str]) -> str:
    """The index as Python text, from its spec and the names of its symbolic parts."""
    return op.show(args) or "..."


def _count_of(r: Renderer, node: Apply, place: int) -> str | None:
    """The n of an index that is just ``arange(n)``, along the first axis; else None."""
    assert isinstance(node.op, (Subtensor, IncSubtensor))
    return _counted(r, node.inputs[place]) if len(node.inputs) == place + 1 and node.op.spec == (ARRAY,) else None


def _stop(r: Renderer, index: Variable) -> Variable | None:
    """The n of ``arange(n)`` where that is a number; else None."""
    made = index.owner
    if made is None or not isinstance(made.op, ARange):
        return None
    start, stop, step = made.inputs
    plain = isinstance(start, Constant) and start.data == 0 and isinstance(step, Constant) and step.data == 1
    return stop if plain and (isinstance(stop, Constant) or stop in r.numbers) else None


def _counted(r: Renderer, index: Variable) -> str | None:
    """The n of ``arange(n)`` as it is written; else None."""
    stop = _stop(r, index)
    if stop is None:
        return None
    return str(int(stop.data)) if isinstance(stop, Constant) else r.names[stop]


def _has_cells(r: Renderer, node: Apply, place: int) -> bool:
    """Whether an index is ``[arange(n), v]`` of a matrix, v a vector of integers."""
    assert isinstance(node.op, (Subtensor, IncSubtensor))
    if node.op.spec != (ARRAY, ARRAY) or node.inputs[0].type.ndim != 2 or _counted(r, node.inputs[place]) is None:
        return False
    kind: Any = node.inputs[place + 1].type
    return bool(kind.ndim == 1 and kind.dtype.startswith(("int", "uint"))) and (
        isinstance(node.op, Subtensor) or node.op.set_instead or node.op.unique)


def _cells(r: Renderer, node: Apply, args: list[str], place: int) -> str:
    """The name of the cells an index means; a line that makes them, unless they are there."""
    index = node.inputs[place], node.inputs[place + 1]
    if index not in r.cells:
        r.writer.namespace["cells"] = cells
        r.cells[index] = r.writer.fresh("e")
        r.line(f"{r.cells[index]} = cells({args[0]}, {_counted(r, index[0])}, {args[place + 1]})")
    return r.cells[index]


def needs_no_counting(r: Renderer, variable: Variable, readers: Sequence[Apply]) -> bool:
    """Whether nobody who reads ``arange(n)`` needs more of it than n."""
    if _counted(r, variable) is None:
        return False
    for node in readers:
        place = {Subtensor: 1, IncSubtensor: 2}.get(type(node.op))
        if place is None or variable not in node.inputs[place:place + 1] or node.inputs.count(variable) > 1:
            return False
        if _count_of(r, node, place) is None and not _has_cells(r, node, place):
            return False
    return True


@lower(Subtensor)
def _subtensor(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    count = _count_of(r, node, 1)
    if count is not None:
        r.writer.namespace["head"] = runtime.head
        return f"{args[0]}[:{count}].copy() if {count} <= len({args[0]}) else head({args[0]}, {count})"
    if _has_cells(r, node, 1):
        index = node.inputs[1], node.inputs[2]
        if index in r.cells:
            return f"{r.cells[index]}.of({args[0]})"
        r.writer.namespace["picked"] = picked
        r.cells[index] = r.writer.fresh("e")
        r.line(f"{r.cells[index]}, {target} = picked({args[0]}, {_counted(r, index[0])}, {args[2]})", node)
        return None
    return f"{args[0]}[{_index(node.op, args[1:])}]"


@lower(IncSubtensor)
def _inc_subtensor(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    op = node.op
    assert isinstance(op, IncSubtensor)
    index = _index(op, args[2:])
    if _is_blank(r, node.inputs[0]):
        r.writer.namespace["zeros_but_head"] = runtime.zeros_but_head
        return f"zeros_but_head({args[0]}, {_count_of(r, node, 2)}, {args[1]})"
    if out is None:
        r.line(f"{target} = np.array({args[0]})", node)
    else:
        r.line(f"{target} = {out}", node)
        if out != args[0]:
            r.line(f"{target}[...] = {args[0]}")
    if _has_cells(r, node, 2):
        r.line(f"{_cells(r, node, [target, *args[1:]], 2)}.{'put' if op.set_instead else 'add'}({target}, {args[1]})")
    elif (count := _count_of(r, node, 2)) is not None and op.set_instead:
        r.writer.namespace["set_head"] = runtime.set_head
        r.line(f"set_head({target}, {count}, {args[1]})")
    elif op.set_instead:
        r.line(f"{target}[{index}] = {args[1]}")
    elif count is not None:
        r.writer.namespace["add_to_head"] = runtime.add_to_head
        r.line(f"add_to_head({target}, {count}, {args[1]})")
    elif op.is_advanced and not op.unique:
        value = args[1]
        if op.misread(node.inputs[0].type, node.inputs[1].type, node.inputs[2].type):
            value = f"np.broadcast_to({value}, {args[2]}.shape)"
        r.line(f"np.add.at({target}, ({index},), {value})" if ":" not in index
               else f"np.add.at({target}, np.s_[{index}], {value})")
    else:
        r.line(f"{target}[{index}] += {args[1]}")
    return None
