"""Items: a plan's steps said element by element, so that a kernel can be made of them.

Each item says how an element of its output follows from elements of its inputs. An application is one item or a few
(``beta * C + alpha * dot(A, B)`` is a product, two scalings and a sum), whose results in between are variables of their
own. What cannot be said so has no items: it stays a step, run as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.op import Op
from symgraph.plan.plan import Step
from symgraph.random.draw import Advance, Draw
from symgraph.random.variates import STANDARD
from symgraph.scalar import ScalarFunction, cast_to
from symgraph.tensor.basic import Alloc, ARange
from symgraph.tensor.blas import Gemm, Inner
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.products import Dot
from symgraph.tensor.reduce import ArgReduce, Reduce
from symgraph.tensor.shape import DimShuffle
from symgraph.tensor.subtensor import ARRAY, IncSubtensor, Subtensor
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["Count", "Fill", "Fold", "Gather", "Item", "Meaning", "NextState", "Product", "Put", "Sample", "Shuffle",
           "counts_rows", "items_of", "lengths_in", "may_fail"]


@dataclass(frozen=True)
class Shuffle:
    """Element (i, j) is that of x with the indices in another order; ``'x'`` marks a new axis.

    Attributes
    ----------
    order : tuple of int or 'x'
    """

    order: tuple[int | str, ...]


@dataclass(frozen=True)
class Fill:
    """The first input, broadcast to the lengths that the others say."""


@dataclass(frozen=True)
class Count:
    """Element i is start + i * step, of inputs start, stop and step."""


@dataclass(frozen=True)
class Gather:
    """``x[i, j, ...]``: the elements of x at places that index arrays name, which are the other inputs."""


@dataclass(frozen=True)
class Put:
    """x with one element of each row set, or increased. Inputs are x, the values, the rows' numbers and what else
    indexes an element of x.

    Attributes
    ----------
    set_instead : bool
        Set rather than increase.
    """

    set_instead: bool


@dataclass(frozen=True)
class Fold:
    """A reduction over axes.

    Attributes
    ----------
    kind : str
        A row of `symgraph.tensor.reduce.REDUCTIONS`, or ``argmax`` or ``argmin``.
    axes : tuple of int
        Sorted.
    accumulate : str
        The dtype in which it accumulates.
    keepdims : bool
    """

    kind: str
    axes: tuple[int, ...]
    accumulate: str
    keepdims: bool


@dataclass(frozen=True)
class Product:
    """Of two matrices."""


@dataclass(frozen=True)
class Sample:
    """Random numbers: element i, in C order, is a function of i, of the state and of its own parameters.

    Inputs are the state, of which all three words are read for each element, the parameters and the lengths.

    Attributes
    ----------
    draw : Draw
    """

    draw: Draw


@dataclass(frozen=True)
class NextState:
    """A state after a draw of some lengths, which are the inputs behind it: its last word grown by the blocks drawn.

    Attributes
    ----------
    per_block : int
        How many elements a block gives.
    """

    per_block: int


Meaning = ScalarFunction | Shuffle | Fill | Count | Gather | Put | Fold | Product | Sample | NextState


@dataclass(frozen=True, eq=False)
class Item:
    """How the elements of a variable follow from those of others.

    Attributes
    ----------
    meaning : Meaning
    inputs : tuple of Variable
    output : Variable
    step : Step
        The step it is part of.
    """

    meaning: Meaning
    inputs: tuple[Variable, ...]
    output: Variable
    step: Step

    @property
    def is_anchor(self) -> bool:
        """Whether an element needs many elements of its inputs, so that a loop is built around it."""
        return isinstance(self.meaning, (Fold, Product))


def items_of(step: Step) -> list[Item] | None:
    """The items of a step, the last of which makes its output; None when it has none."""
    node = step.node
    if len(node.outputs) != 1 or not all(isinstance(v.type, TensorType) for v in (*node.inputs, *node.outputs)):
        return None
    kinds = (kind for kind in type(node.op).__mro__ if kind in _MAKERS or "perform" in vars(kind))
    make = _MAKERS.get(next(kinds, Op))
    return None if make is None else make(step, node, node.op)


def counts_rows(variable: Variable) -> bool:
    """Whether a variable is ``arange(n)``: as an index, element i of what it reads is in row i."""
    node = variable.owner
    if node is None or type(node.op) is not ARange:
        return False
    start, _, step = node.inputs
    return isinstance(start, Constant) and start.data == 0 and isinstance(step, Constant) and step.data == 1


def lengths_in(item: Item) -> tuple[Variable, ...]:
    """The inputs of an item that say how long its output is: the host has to know them."""
    if isinstance(item.meaning, Fill):
        return item.inputs[1:]
    if isinstance(item.meaning, Sample):
        return item.inputs[1 + item.meaning.draw.arity:]
    if isinstance(item.meaning, NextState):
        return item.inputs[1:]
    return item.inputs if isinstance(item.meaning, Count) else ()


def may_fail(item: Item) -> bool:
    """Whether an item takes indices that could be out of range."""
    if isinstance(item.meaning, Gather):
        return not all(map(counts_rows, item.inputs[1:]))
    return isinstance(item.meaning, Put) and len(item.inputs) > 3


def _elemwise(step: Step, node: Apply, op: Elemwise) -> list[Item]:
    return [Item(op.scalar, node.inputs, node.outputs[0], step)]


def _dimshuffle(step: Step, node: Apply, op: DimShuffle) -> list[Item]:
    return [Item(Shuffle(op.order), node.inputs, node.outputs[0], step)]


def _alloc(step: Step, node: Apply, op: Alloc) -> list[Item]:
    return [Item(Fill(), node.inputs, node.outputs[0], step)]


def _arange(step: Step, node: Apply, op: ARange) -> list[Item] | None:
    kinds = {v.type.numpy_dtype.kind for v in (*node.inputs, *node.outputs)}  # of floats, NumPy rounds in its own way
    return [Item(Count(), node.inputs, node.outputs[0], step)] if kinds <= {"i", "u"} else None


def _subtensor(step: Step, node: Apply, op: Subtensor) -> list[Item] | None:
    if not op.spec or set(op.spec) != {ARRAY}:
        return None
    return [Item(Gather(), node.inputs, node.outputs[0], step)]


def _inc_subtensor(step: Step, node: Apply, op: IncSubtensor) -> list[Item] | None:
    x, value, *indices = node.inputs
    if set(op.spec) != {ARRAY} or len(op.spec) != x.type.ndim or not counts_rows(indices[0]):
        return None
    if any(v.type.ndim != 1 or v.type.shape[0] == 1 for v in indices) or value.type.ndim > 1:
        return None
    if value.type.dtype != x.type.dtype:
        return None
    return [Item(Put(op.set_instead), node.inputs, node.outputs[0], step)]


def _reduce(step: Step, node: Apply, op: Reduce) -> list[Item]:
    out = node.outputs[0].type.dtype
    if not op.axes:
        function = scalar.neq if op.kind in ("all", "any") else cast_to(out)
        if op.kind in ("all", "any"):
            return [Item(cast_to("bool"), node.inputs, node.outputs[0], step)]
        return [Item(function, node.inputs, node.outputs[0], step)]
    wide = op.acc_dtype or out
    accumulate = "bool" if op.kind in ("all", "any") else "float32" if wide == "float16" else wide
    return [Item(Fold(op.kind, op.axes, accumulate, op.keepdims), node.inputs, node.outputs[0], step)]


def _arg_reduce(step: Step, node: Apply, op: ArgReduce) -> list[Item] | None:
    if op.kind not in ("argmax", "argmin") or node.inputs[0].type.dtype.startswith("complex"):
        return None
    return [Item(Fold(op.kind, (op.axis,), node.inputs[0].type.dtype, False), node.inputs, node.outputs[0], step)]


def _new(dtype: str, shape: Sequence[int | None]) -> Variable:
    return Variable(tensor_type(dtype, tuple(shape)))


def _product(step: Step, a: Variable, b: Variable, out: Variable) -> list[Item]:
    """``dot(a, b)`` into a variable. With a vector it is a sum of products, which a reduction computes."""
    dtype = out.type.dtype
    if a.type.ndim == b.type.ndim == 2:
        return [Item(Product(), (a, b), out, step)]
    items, left, right = [], a, b
    if a.type.ndim == 1 and b.type.ndim == 2:
        left = _new(a.type.dtype, (a.type.shape[0], 1))
        items.append(Item(Shuffle((0, "x")), (a,), left, step))
    terms = _new(dtype, b.type.shape if b.type.ndim == 2 else a.type.shape)
    items.append(Item(scalar.mul, (left, right), terms, step))
    wide = "float32" if dtype == "float16" else dtype
    axis = 1 if a.type.ndim == 2 else 0
    return [*items, Item(Fold("any" if dtype == "bool" else "sum", (axis,), wide, False), (terms,), out, step)]


def _dot(step: Step, node: Apply, op: Dot) -> list[Item] | None:
    a, b = node.inputs
    if 0 in (a.type.ndim, b.type.ndim) or max(a.type.ndim, b.type.ndim) > 2:
        return None
    return _product(step, a, b, node.outputs[0])


def _gemm(step: Step, node: Apply, op: Gemm) -> list[Item] | None:
    c, alpha, a, b, beta = node.inputs
    out = node.outputs[0]
    product = _new(out.type.dtype, out.type.shape)
    items = _product(step, a, b, product)
    scaled = product
    if not (isinstance(alpha, Constant) and alpha.data == 1):
        scaled = _new(out.type.dtype, out.type.shape)
        items.append(Item(scalar.mul, (alpha, product), scaled, step))
    if not (isinstance(beta, Constant) and beta.data == 1):
        left = _new(out.type.dtype, c.type.shape)
        items.append(Item(scalar.mul, (beta, c), left, step))
        c = left
    return [*items, Item(scalar.add, (c, scaled), out, step)]


def _inner(step: Step, node: Apply, op: Inner) -> list[Item]:
    x, y = node.inputs
    terms = _new(x.type.dtype, x.type.shape)
    axes = tuple(range(x.type.ndim))
    return [Item(scalar.mul, (x, y), terms, step),
            Item(Fold("sum", axes, x.type.dtype, False), (terms,), node.outputs[0], step)]


def _draw(step: Step, node: Apply, op: Draw) -> list[Item] | None:
    """Not where numbers are rejected until one is good: that takes attempts that nobody can foresee."""
    if op.arity and op.kind != "integers":
        return None
    assert op.arity or op.kind in STANDARD
    return [Item(Sample(op), node.inputs, node.outputs[0], step)]


def _advance(step: Step, node: Apply, op: Advance) -> list[Item]:
    return [Item(NextState(op.per_block), node.inputs, node.outputs[0], step)]


_MAKERS: dict[type, Any] = {
    Elemwise: _elemwise, DimShuffle: _dimshuffle, Alloc: _alloc, ARange: _arange, Subtensor: _subtensor,
    IncSubtensor: _inc_subtensor, Reduce: _reduce, ArgReduce: _arg_reduce, Dot: _dot, Gemm: _gemm, Inner: _inner,
    Draw: _draw, Advance: _advance,
}
