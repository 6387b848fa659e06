"""Rules about shapes: lengths are had from the inputs' lengths, and operations that change nothing go away."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.rewrite import made_of, rewrite_rule
from symgraph.rewrites.patterns import fitted, made_by, same_length, symbolic_lengths
from symgraph.tensor.basic import Alloc, as_tensor_variable, number_constant
from symgraph.tensor.elemwise import Elemwise, elemwise
from symgraph.tensor.index import result_lengths
from symgraph.tensor.shape import DimShuffle, MakeVector, Reshape, Shape, ShapeI, SpecifyShape, make_vector, shape_i
from symgraph.tensor.specify import RequireLengths
from symgraph.tensor.subtensor import IncSubtensor, SliceSpec, Subtensor

__all__ = ["SHAPE", "known_length", "same_lengths"]


@rewrite_rule(ShapeI, descends=True)
def length_of(node: Apply) -> Variable | None:
    """shape[i](f(x)) -> an expression of the lengths of x: nothing is computed to know a length."""
    length = _walked_down(node.outputs[0])
    return None if length is node.outputs[0] else length


def known_length(x: Variable, axis: int) -> Variable:
    """The length of an axis as `length_of` would say it: equal lengths are then mostly said in equal words."""
    return _walked_down(shape_i(x, axis))


def same_lengths(a: Variable, b: Variable) -> bool:
    """Whether two variables of one rank have one shape, as far as their expressions tell."""
    ndim: int = a.type.ndim
    return all(same_length(known_length(a, axis), known_length(b, axis)) for axis in range(ndim))


def _walked_down(length: Variable) -> Variable:
    way: list[tuple[dict[int, Variable], int]] = []
    # Most operations pass a length on: walk down to where it comes from, and remember the way for the next who asks.
    while (asking := made_by(length, ShapeI)) is not None:
        (source,), axis = asking.inputs, asking.op.axis
        known: dict[int, Variable] = source.__dict__.setdefault("_lengths", {})
        below = known[axis] if axis in known else _length_below(source, axis)
        if below is None:
            break
        way.append((known, axis))
        length = below
    for known, axis in way:
        known[axis] = length
    return length


def _length_below(x: Variable, axis: int) -> Variable | None:
    """The length of an axis in terms of the inputs of what computes x; None where it is best to ask x itself."""
    known = x.type.shape[axis]
    if known is not None:
        return number_constant(np.asarray(known, "int64"))
    if x.owner is None:
        return None
    if isinstance(x.owner.op, Subtensor) and _views_an_input(x):
        return _length_in_view(x.owner, axis)
    try:
        lengths = x.owner.op.infer_shape(x.owner, [symbolic_lengths(v) for v in x.owner.inputs])[x.index or 0]
    except NotImplementedError:
        return None
    length = lengths[axis]
    if not isinstance(length, Variable):
        return number_constant(np.asarray(length, "int64"))
    asking = made_by(length, ShapeI)
    if asking is not None and asking.inputs[0] is x:
        return None
    # To make a view of what is there costs nothing: where its length is not simply another's, ask the view.
    plain = isinstance(length, Constant) or asking is not None
    return length if plain or not _views_an_input(x) else None


def _length_in_view(node: Apply, axis: int) -> Variable | None:
    """The length of an axis of a part: that of the axis it is of, where it is the whole of it."""
    bounds = node.op.slices(node.inputs[1:])
    full = [all(part in (None, whole) for part, whole in zip(bounds.get(a, ()), (0, None, 1), strict=False))
            for a in range(node.inputs[0].type.ndim)]
    places: list[Any] = [("axis", a) for a in range(len(full))]
    taken = result_lengths(node.op.spec, places, (), lambda a: places[a] if full[a] else None)[axis]
    return shape_i(node.inputs[0], taken[1]) if isinstance(taken, tuple) else None


def _views_an_input(x: Variable) -> bool:
    """Whether a variable is only a view of an input, a shared variable or a constant: nothing is computed for it."""
    for _ in range(_MOST_VIEWS):
        if x.owner is None:
            return True
        viewed = x.owner.op.view_map.get(x.index or 0)
        if not viewed:
            return False
        x = x.owner.inputs[viewed[0]]
    return False


_MOST_VIEWS = 20  # in a row that are looked through


@rewrite_rule(Shape)
def shape_of_computed(node: Apply) -> Variable | None:
    """shape(f(x)) -> [shape[0](f(x)), ...], where f(x) need not be computed."""
    (x,) = node.inputs
    if type(node.op) is not Shape or x.type.ndim == 0 or _views_an_input(x):
        return None
    return make_vector(*symbolic_lengths(x), dtype="int64")


@rewrite_rule(Subtensor, when=made_of(Shape, MakeVector))
def element_of_shape(node: Apply) -> Variable | None:
    """shape(x)[i] -> shape[i](x), and [a, b, c][i] -> one of them."""
    (x, *symbolic), op = node.inputs, node.op
    if symbolic or len(op.spec) != 1 or not isinstance(op.spec[0], int) or x.owner is None:
        return None
    place = op.spec[0]
    if type(x.owner.op) is Shape:
        (source,) = x.owner.inputs
        ndim = source.type.ndim
        return as_tensor_variable(shape_i(source, place % ndim)) if -ndim <= place < ndim else None
    if isinstance(x.owner.op, MakeVector):
        element = x.owner.inputs[place]
        return element if element.type.dtype == node.outputs[0].type.dtype else None
    return None


@rewrite_rule(Subtensor)
def whole(node: Apply) -> Variable | None:
    """x[:] -> x."""
    full = all(isinstance(entry, SliceSpec) and entry.is_full for entry in node.op.spec)
    return node.inputs[0] if full else None


@rewrite_rule(DimShuffle)
def merge_dimshuffles(node: Apply) -> Variable | None:
    """Two permutations of axes in a row are one; one that changes nothing is none."""
    op, (x,) = node.op, node.inputs
    if op.order == tuple(range(x.type.ndim)):
        return x
    reused = _reuse_dropped(op.order, x.type.ndim)
    if reused != op.order:
        return x if reused == tuple(range(x.type.ndim)) else DimShuffle(reused)(x)
    first = made_by(x, DimShuffle)
    if first is None:
        return None
    inner = first.op.order
    order = tuple("x" if axis == "x" else inner[axis] for axis in op.order)
    source = first.inputs[0]
    if order == tuple(range(source.type.ndim)):
        return source
    return DimShuffle(order)(source)


def _reuse_dropped(order: tuple[int | str, ...], ndim: int) -> tuple[int | str, ...]:
    """Instead of dropping an axis (of length 1) and inserting one, keep it; in its own place where that is free."""
    dropped = [axis for axis in range(ndim) if axis not in order]
    result = list(order)
    for axis in list(dropped):
        if axis < len(result) and result[axis] == "x":
            result[axis] = axis
            dropped.remove(axis)
    for axis in dropped:
        if "x" in result:
            result[result.index("x")] = axis
    return tuple(result)


@rewrite_rule(Reshape)
def merge_reshapes(node: Apply) -> Variable | None:
    """reshape(reshape(x, a), b) -> reshape(x, b); to its own rank, where at most one length is unknown: x."""
    x, *lengths = node.inputs
    if len(lengths) == 1 and x.type.ndim == 1 and x.type.is_interchangeable(node.outputs[0].type) and (
        isinstance(lengths[0], Constant) and int(lengths[0].data) == -1
    ):
        return x
    first = made_by(x, Reshape)
    if first is None:
        return None
    merged = node.op(first.inputs[0], *lengths)
    same = merged.type.broadcastable == node.outputs[0].type.broadcastable  # the first may know what -1 stands for
    return merged if same else None


@rewrite_rule(Reshape, when=made_of(DimShuffle))
def reshape_of_padded(node: Apply) -> Variable | None:
    """reshape(x[:, None], n, m) -> reshape(x, n, m): axes of length 1 do not change the order of elements."""
    x, *lengths = node.inputs
    padded = made_by(x, DimShuffle)
    if padded is None or list(padded.op.kept) != sorted(padded.op.kept):
        return None
    return fitted(node.op(padded.inputs[0], *lengths), node)


@rewrite_rule(Reshape)
def reshape_to_itself(node: Apply) -> Variable | None:
    """reshape(x, x.shape) -> x; one of the lengths may be -1."""
    x, *lengths = node.inputs
    if len(lengths) != x.type.ndim:
        return None
    open_ = [axis for axis, n in enumerate(lengths) if not _is_length(n, x, axis)]
    if not open_:
        return fitted(x, node)
    last = lengths[open_[0]]
    missing = len(open_) == 1 and isinstance(last, Constant) and int(last.data) == -1
    others_known = missing and all(
        isinstance(n, Constant) and int(n.data) > 0 for axis, n in enumerate(lengths) if axis not in open_)
    return fitted(x, node) if others_known or (missing and x.type.ndim == 1) else None


def _is_length(n: Variable, x: Variable, axis: int) -> bool:
    """Whether a number is the length of an axis."""
    known = x.type.shape[axis]
    if isinstance(n, Constant):
        return known is not None and int(n.data) == known
    return same_length(n, known_length(x, axis)) or same_length(n, shape_i(x, axis))


@rewrite_rule(RequireLengths)
def lengths_as_required(node: Apply) -> Variable | None:
    """Lengths that are what they must be, as far as expressions tell, are not looked at."""
    x, *lengths = node.inputs
    return fitted(x, node) if all(map(_is_length, lengths, repeat(x), node.op.axes)) else None


@rewrite_rule(Alloc)
def stretched_to_itself(node: Apply) -> Variable | None:
    """alloc(x, x.shape) -> x: nothing is stretched."""
    x, *lengths = node.inputs
    if len(lengths) != x.type.ndim or not lengths:
        return None
    return fitted(x, node) if all(map(_is_length, lengths, repeat(x), range(len(lengths)))) else None


@rewrite_rule(Elemwise, when=made_of(Alloc))
def function_of_stretched(node: Apply) -> Variable | None:
    """exp(alloc(v, n)) -> alloc(exp(v), n): computed once, and then stretched."""
    stretched = [made_by(v, Alloc) for v in node.inputs]
    (first, *others) = [s for s in stretched if s is not None]
    others_scalar = all(v.type.ndim == 0 for v, s in zip(node.inputs, stretched, strict=True) if s is None)
    if others or not others_scalar or first.inputs[0].type == first.outputs[0].type:
        return None
    value = node.op.make_node(*[v if s is None else s.inputs[0] for v, s in zip(node.inputs, stretched, strict=True)])
    return fitted(Alloc()(value.outputs[0], *first.inputs[1:]), node)


@rewrite_rule(SpecifyShape)
def known_shape(node: Apply) -> Variable | None:
    """A claim the type already makes needs no check."""
    (x,) = node.inputs
    return x if x.type == node.outputs[0].type else None


@rewrite_rule(Alloc, when=made_of(Alloc))
def alloc_of_alloc(node: Apply) -> Variable | None:
    """A stretched value that is stretched again."""
    value, *lengths = node.inputs
    first = made_by(value, Alloc)
    if first is None:
        return None
    inner = first.inputs[0]
    # The inner stretching must have been to lengths that the outer one keeps.
    if inner.type.ndim == 0 or inner.type.broadcastable == value.type.broadcastable[-inner.type.ndim:]:
        return node.op(inner, *lengths)
    return None


@rewrite_rule(Alloc, when=made_of(DimShuffle))
def alloc_of_padded(node: Apply) -> Variable | None:
    """alloc(v[None, ...], a, b) -> alloc(v, a, b): stretching adds axes in front by itself."""
    value, *lengths = node.inputs
    padded = made_by(value, DimShuffle)
    if padded is None:
        return None
    order, (source,) = padded.op.order, padded.inputs
    rank = source.type.ndim
    if order == ("x",) * (len(order) - rank) + tuple(range(rank)):
        return node.op(source, *lengths)
    return None


@rewrite_rule(IncSubtensor, when=made_of(Alloc))
def written_value_needs_no_stretching(node: Apply) -> Variable | None:
    """x[i] += alloc(v) -> x[i] += v: writing stretches by itself."""
    x, value, *index = node.inputs
    first = made_by(value, Alloc)
    return None if first is None else node.op(x, first.inputs[0], *index)


@rewrite_rule(elemwise(scalar.maximum), when=made_of(ShapeI))
def length_is_not_negative(node: Apply) -> Variable | None:
    """maximum(length, 0) -> length."""
    for length, bound in (node.inputs, node.inputs[::-1]):
        zero = isinstance(bound, Constant) and bound.type.ndim == 0 and bound.data == 0
        if zero and made_by(length, ShapeI) is not None and length.type == node.outputs[0].type:
            return length
    return None


SHAPE = (
    alloc_of_padded, written_value_needs_no_stretching, length_is_not_negative, length_of, shape_of_computed,
    element_of_shape, whole, reshape_of_padded, reshape_to_itself, lengths_as_required, stretched_to_itself,
    function_of_stretched, merge_dimshuffles, merge_reshapes, known_shape, alloc_of_alloc,
)
