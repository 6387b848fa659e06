"""The shapes of what a job computes, from those of what it reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from symgraph.graph.basic import Constant, Variable
from symgraph.plan.items import (
    Count,
    Fill,
    Fold,
    Gather,
    Item,
    NextState,
    Product,
    Put,
    Sample,
    Shuffle,
    counts_rows,
    lengths_in,
)

__all__ = ["blocks_of", "shapes_in", "shapes_of"]

if TYPE_CHECKING:
    from symgraph.plan.jobs import Launch

Shape = tuple[int, ...]


def shapes_of(items: Iterable[Item], shapes: Mapping[Variable, Sequence[int]],
              numbers: Mapping[Variable, int]) -> dict[Variable, Shape]:
    """The shape of each item's output.

    Parameters
    ----------
    items : iterable of Item
        Each after what it reads.
    shapes : mapping
        Of the arrays they read.
    numbers : mapping
        The values of the host's numbers among what they read: lengths and bounds.

    Raises
    ------
    ValueError
        When lengths that must be equal differ.
    IndexError
        When rows are counted that are not there.
    """
    found: dict[Variable, Shape] = {v: tuple(shape) for v, shape in shapes.items()}
    for item in items:
        for variable in item.inputs:
            if variable not in found:
                found[variable] = _shape_of_outside(variable)
        found[item.output] = _shape(item, [found[v] for v in item.inputs], numbers)
    return found


def shapes_in(launch: Launch, shapes: Mapping[Variable, Sequence[int]],
              numbers: Mapping[Variable, int]) -> dict[Variable, Shape]:
    """The shapes of all that the jobs of a launch compute and read.

    What a job leaves for its last block has as many elements as there are blocks, which is not known yet; here it has
    one.
    """
    found: dict[Variable, Shape] = {v: tuple(shape) for v, shape in shapes.items()}
    for job in launch.jobs:
        found |= dict.fromkeys(job.kept, (1,))
        found |= shapes_of(job.items.values(), found, numbers)
    return found


def _shape_of_outside(variable: Variable) -> Shape:
    if isinstance(variable, Constant):
        return tuple(variable.data.shape)
    assert variable.type.ndim == 0, f"the shape of {variable} is not known"
    return ()


def _number(variable: Variable, numbers: Mapping[Variable, int]) -> int:
    return int(variable.data) if isinstance(variable, Constant) else int(numbers[variable])


def _shape(item: Item, shapes: Sequence[Shape], numbers: Mapping[Variable, int]) -> Shape:
    meaning = item.meaning
    if isinstance(meaning, Shuffle):
        return tuple(1 if axis == "x" else shapes[0][axis] for axis in meaning.order)  # type: ignore[index]
    if isinstance(meaning, Fill):
        return tuple(max(_number(v, numbers), 0) for v in item.inputs[1:])
    if isinstance(meaning, Count):
        start, stop, step = (_number(v, numbers) for v in item.inputs)
        return (len(range(start, stop, step)),)
    if isinstance(meaning, Sample):
        return _drawn(item, numbers)
    if isinstance(meaning, Fold):
        return tuple(1 if axis in meaning.axes else n for axis, n in enumerate(shapes[0])
                     if meaning.keepdims or axis not in meaning.axes)
    if isinstance(meaning, Product):
        if shapes[0][1] != shapes[1][0]:
            raise ValueError(f"{item.step.node.op}: inner lengths differ, of shapes {shapes[0]} and {shapes[1]}")
        return shapes[0][0], shapes[1][1]
    if isinstance(meaning, (Gather, Put)):
        _check_rows(item, shapes)
    if isinstance(meaning, (Put, NextState)):
        return shapes[0]
    if isinstance(meaning, Gather):
        arrays = len(item.inputs) - 1
        return (*_broadcast(item, item.inputs[1:], shapes[1:]), *shapes[0][arrays:])
    return _broadcast(item, item.inputs, shapes)


def _drawn(item: Item, numbers: Mapping[Variable, int]) -> Shape:
    shape = tuple(_number(v, numbers) for v in lengths_in(item))
    if min(shape, default=0) < 0:
        raise ValueError(f"negative dimension in the size {shape} of a random tensor")
    return shape


def blocks_of(item: Item, numbers: Mapping[Variable, int]) -> int:
    """How many blocks of random words are behind a state and before the next one."""
    assert isinstance(item.meaning, NextState)
    return -(-math.prod(_drawn(item, numbers)) // item.meaning.per_block)


def _check_rows(item: Item, shapes: Sequence[Shape]) -> None:
    first = 2 if isinstance(item.meaning, Put) else 1
    for axis, (variable, shape) in enumerate(zip(item.inputs[first:], shapes[first:], strict=True)):
        if counts_rows(variable) and shape[0] > shapes[0][axis]:
            raise IndexError(f"index {shape[0] - 1} is out of bounds for axis {axis} with size {shapes[0][axis]}")


def _broadcast(item: Item, inputs: Sequence[Variable], shapes: Sequence[Shape]) -> Shape:
    ndim = max(map(len, shapes))
    result: list[int] = []
    for axis in range(-ndim, 0):
        lengths = [shape[axis] for v, shape in zip(inputs, shapes, strict=True)
                   if len(shape) >= -axis and v.type.shape[axis] != 1]
        if len(set(lengths)) > 1:
            raise ValueError(f"{item.step.node.op}: the lengths of axis {axis} differ, of shapes {list(shapes)}")
        result.append(lengths[0] if lengths else 1)
    return tuple(result)
