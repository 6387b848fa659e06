"""Where a gradient can be other than zero: what keeps a branch not taken from leaking NaN into it.

The gradient that comes through ``switch(c, a, b)`` is zero wherever a branch was not taken, but what is multiplied by
it there may be infinite or NaN (the branch was left for a reason), and zero times that is NaN. So operations that
multiply ask for the support of the gradient they are given, compute, and put the zeros back. The support is not
carried along: it is found by looking at how the gradient was made, from the last `switch` on.

Two choices bound the cost. Indices that a mask gave (``x[mask]``) count as a condition, other indices do not; and a
product whose own value is compared to decide (a rectifier after a matrix product) is not guarded against factors that
are not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.type import DisconnectedType
from symgraph.tensor.elemwise import Elemwise, cast, confine, elemwise
from symgraph.tensor.type import TensorType

__all__ = ["compared", "confined", "support"]

#: Set on variables known to have no zeros worth knowing of, so that long chains are not searched again and again.
_FULL = "_full_support"

Rule = Callable[[Any, Apply, Callable[[Any], Any]], Any]


def support(g: Any) -> Any | None:
    """Where a gradient can be other than zero.

    Parameters
    ----------
    g : TensorVariable
        A gradient, or a piece of one.

    Returns
    -------
    TensorVariable or None
        Booleans of the rank of `g`, each axis of its length or 1: False only where the branch of a `switch` was not
        taken, or a part was set to zero. None where nothing is known.
    """
    found: dict[Variable, Any] = {}
    pending: list[Any] = [g]
    while pending:
        v = pending[-1]
        if v in found:
            pending.pop()
            continue
        rule = None if v.owner is None or _FULL in v.__dict__ else _rules().get(type(v.owner.op))
        unknown = [] if rule is None else [x for x in _parts(v.owner) if x not in found]
        if unknown:
            pending.extend(unknown)
            continue
        found[v] = _of_source(v) if rule is None else rule(v, v.owner, found.get)
        if found[v] is None:
            v.__dict__[_FULL] = True
        pending.pop()
    return found[g]


def confined(op: Any, inputs: Sequence[Any], outputs: Sequence[Any], gradients: Sequence[Any],
             back: Sequence[Any]) -> Sequence[Any]:
    """What an operation pulled back, with zeros wherever only branches not taken used the input.

    Parameters
    ----------
    op : TensorOp
        Its `reach` says which parts of the inputs are meant.
    inputs, outputs : sequence of TensorVariable
    gradients : sequence of Variable
        By the outputs; some may be disconnected.
    back : sequence of Variable
        By the inputs.
    """
    if type(op) in _rules() and getattr(op, "kind", "sum") == "sum":
        return back  # zeros pass through unharmed, or the operation sees to it
    masks = []
    for z, g in zip(outputs, gradients, strict=True):
        if isinstance(g.type, DisconnectedType):
            continue
        mask = support(g) if isinstance(g.type, TensorType) else None
        if mask is None:
            return back
        masks.append((z, mask))
    if not masks:
        return back
    kept = []
    for x, term in zip(inputs, back, strict=True):
        if not isinstance(getattr(term, "type", None), TensorType):
            kept.append(term)
            continue
        kept.append(confine(term, _any([op.reach(x, z, mask) for z, mask in masks])))
    return kept


def compared(g: Any, z: Any) -> bool:
    """Whether `g` came through a choice made by comparing z, or z plus something, with something."""
    if g.owner is None or not _is(g.owner.op, "switch"):
        return False
    condition = g.owner.inputs[0].owner
    if condition is None or not _is(condition.op, "lt", "le", "gt", "ge"):
        return False
    return any(x is z or (x.owner is not None and _is(x.owner.op, "add", "sub") and z in x.owner.inputs)
               for x in condition.inputs)


def _is(op: Any, *names: str) -> bool:
    return isinstance(op, Elemwise) and op.scalar.name in names


def _parts(node: Apply) -> Sequence[Any]:
    """The inputs whose support matters: those of elements, not of conditions, lengths and indices."""
    if _is(node.op, "switch"):
        return node.inputs[1:]
    if _is(node.op, "second"):
        return node.inputs[1:]
    if _is(node.op, "mul", "true_div"):
        return node.inputs[:1]  # the gradient comes first; what it is multiplied by is the program's
    return [x for x in node.inputs if not x.type.is_discrete]


def _of_source(v: Any) -> Any | None:
    """Constant zeros have no support; of what is computed otherwise nothing is known."""
    from symgraph.tensor.basic import as_tensor_variable

    if isinstance(v, Constant) and v.data.size and not v.data.any():
        return as_tensor_variable(np.zeros((1,) * v.type.ndim, bool))
    return None


# ---- one rule for each operation that passes zeros on ----------------------------------------------------------


@cache
def _rules() -> dict[type, Rule]:
    """The rules by operation; imported late, since the operations ask here in their turn."""
    from symgraph.tensor.basic import Alloc
    from symgraph.tensor.cumulative import Accumulate
    from symgraph.tensor.dimshuffle import DimShuffle
    from symgraph.tensor.join import Join, Split
    from symgraph.tensor.products import BatchedMatMul, Dot
    from symgraph.tensor.reduce import Reduce
    from symgraph.tensor.shape import Reshape
    from symgraph.tensor.specify import RequireLengths, SpecifyShape
    from symgraph.tensor.subtensor import IncSubtensor, Subtensor

    return {
        Elemwise: _elemwise, DimShuffle: _dimshuffle, Reshape: _stretched, Subtensor: _stretched, Split: _split,
        Alloc: _same, SpecifyShape: _same, RequireLengths: _same, Reduce: _reduce, Accumulate: _accumulate, Join: _join,
        Dot: _product, BatchedMatMul: _product, IncSubtensor: _written,
    }


def _elemwise(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    name = node.op.scalar.name
    found = [of(x) for x in node.inputs]
    known = [_padded(m, v.type.ndim) for m in found if m is not None]
    if not known:
        return _condition(node.inputs[0], v, True) if name == "switch" and _zero(node.inputs[2]) else None
    if name == "switch":
        return _of_switch(v, node, found)
    if name in ("mul", "true_div", "neg", "conj", "identity", "second", "real", "imag") or name.startswith("cast{"):
        return known[0]
    return _any(known) if name in ("add", "sub") and len(known) == len(found) else None


def _zero(x: Any) -> bool:
    return isinstance(x, Constant) and not x.data.any()


def _of_switch(v: Any, node: Apply, found: Sequence[Any]) -> Any | None:
    condition, yes, no = node.inputs
    if _zero(no):
        terms = [_condition(condition, v, True), found[1]]
    elif _zero(yes):
        terms = [_condition(condition, v, False), found[2]]
    elif None in found[1:]:
        return None
    else:
        return _padded(elemwise(scalar.switch)(condition, found[1], found[2]), v.type.ndim)
    return _all([_padded(m, v.type.ndim) for m in terms if m is not None])


def _condition(condition: Any, v: Any, when: bool) -> Any:
    if condition.type.dtype != "bool":
        condition = elemwise(scalar.neq)(condition, 0)
    return _padded(condition if when else elemwise(scalar.logical_not)(condition), v.type.ndim)


def _padded(mask: Any, ndim: int) -> Any:
    """The mask with leading axes of length 1 up to a rank."""
    extra = ndim - mask.type.ndim
    return mask if extra <= 0 else mask.dimshuffle(["x"] * extra + list(range(mask.type.ndim)))


def _all(masks: Sequence[Any]) -> Any:
    total = masks[0]
    for mask in masks[1:]:
        total = total & mask
    return total


def _any(masks: Sequence[Any]) -> Any:
    total = masks[0]
    for mask in masks[1:]:
        total = total | mask
    return total


def _over(x: Any, mask: Any) -> Any:
    """The mask in the whole shape of x."""
    return elemwise(scalar.second)(x, mask) if mask.type.broadcastable != x.type.broadcastable else mask


def _same(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    mask = of(node.inputs[0])
    return None if mask is None else _padded(mask, v.type.ndim)


def _dimshuffle(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    mask = of(node.inputs[0])
    return None if mask is None else node.op(mask)


def _stretched(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    """What moves elements to other places moves the support's too."""
    x, *rest = node.inputs
    mask = of(x)
    return None if mask is None else node.op(_over(x, mask), *rest)


def _split(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    x, *rest = node.inputs
    mask = of(x)
    return None if mask is None else node.op(_over(x, mask), *rest, return_list=True)[v.index]


def _reduce(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    from symgraph.tensor.reduce import Reduce

    op: Any = node.op
    mask = of(node.inputs[0]) if op.kind == "sum" else None
    return None if mask is None else Reduce("any", op.axes, None, None, op.keepdims)(mask)


def _accumulate(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    op: Any = node.op
    mask = of(node.inputs[0]) if op.kind == "sum" else None
    return None if mask is None else elemwise(scalar.neq)(op(_over(node.inputs[0], mask)), 0)


def _join(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    masks = [of(x) for x in node.inputs]
    if all(m is None for m in masks):
        return None
    return node.op(*[_over(x, _everywhere(x) if m is None else m) for x, m in zip(node.inputs, masks, strict=True)])


def _everywhere(x: Any) -> Any:
    from symgraph.tensor.basic import as_tensor_variable

    return as_tensor_variable(np.ones((1,) * x.type.ndim, bool))


def _product(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    """An element of a product is zero where its whole row, or its whole column, is."""
    from symgraph.tensor.reduce import any as some

    a, b = node.inputs
    rows, columns = a.type.ndim > 1, b.type.ndim > 1
    terms = []
    if of(a) is not None:
        line = some(of(a), axis=-1)
        terms.append(line.dimshuffle([*range(line.type.ndim), *["x"] * columns]))
    if of(b) is not None:
        line = some(of(b), axis=-2 if columns else -1)
        order: list[Any] = list(range(line.type.ndim))
        terms.append(line.dimshuffle([*order[:-1], "x", *order[-1:]] if rows and columns else order))
    return _all([_padded(term, v.type.ndim) for term in terms]) if terms else None


def _written(v: Any, node: Apply, of: Callable[[Any], Any]) -> Any | None:
    from symgraph.tensor.subtensor import IncSubtensor, NonZero

    op: Any = node.op
    x, y, *indices = node.inputs
    before, value = of(x), of(y)
    if op.set_instead:
        if before is None and value is None:
            return None
    elif before is None or (value is None and not any(
            i.owner is not None and isinstance(i.owner.op, NonZero) for i in indices)):
        return None
    before = _everywhere(x) if before is None else before
    value = _everywhere(y) if value is None else value
    return IncSubtensor(op.spec, op.set_instead, op.unique)(_over(x, before), cast(value, "bool"), *indices)
