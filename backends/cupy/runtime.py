"""What generated programs call: moving values, reading lengths, operations computed on the host, errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backends.conform import conform
from backends.lengths import mismatch, misnamed
from symgraph.graph.basic import Apply
from symgraph.plan import Step
from symgraph.tensor.type import TensorType

__all__ = [
    "arithmetic", "blame", "fetch", "mismatch", "misnamed", "performer", "put", "reshaped", "runner",
    "step_of",
]


def put(device: Any, value: Any) -> Any:
    """A value on the device: itself if it is there."""
    return value if device.is_array(value) else device.to_device(np.asarray(value))


def fetch(device: Any, value: Any) -> Any:
    """A value on the host: itself if it is there."""
    return device.to_host(value) if device.is_array(value) else value


def reshaped(device: Any, array: Any, shape: tuple[int, ...]) -> Any:
    """An array with the same elements in another shape: a view where they lie side by side, else over a copy."""
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape:
        shape = tuple(array.size // known if n == -1 and known else n for n in shape)
    if math.prod(shape) != array.size:
        raise ValueError(f"cannot reshape array of size {array.size} into shape {shape}")
    if not array.flags.c_contiguous:
        copy = device.empty(array.shape, array.dtype)
        device.copy(copy, array)
        array = copy
    return array.reshape(shape)


def arithmetic(node: Apply) -> Callable[..., Any]:
    """A function of single numbers on the host, which says nothing of overflows and the like: no kernel does."""
    function, dtype = node.op.scalar.impl, node.outputs[0].type.numpy_dtype

    def compute(*values: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(function(*values), dtype)

    return compute


def performer(node: Apply, copies: Sequence[int] = ()) -> Callable[..., Any]:
    """A node's own `perform`, as a function from host values to results on the host."""

    def perform(*values: Any) -> Any:
        inputs = [np.asarray(v) if isinstance(i.type, TensorType) else v
                  for v, i in zip(values, node.inputs, strict=True)]
        for place in copies:
            inputs[place] = np.array(inputs[place])
        storage: list[list[Any]] = [[None] for _ in node.outputs]
        node.op.perform(node, inputs, storage)
        results = [conform(cell[0], out, node) for cell, out in zip(storage, node.outputs, strict=True)]
        return results[0] if len(results) == 1 else tuple(results)

    return perform


def runner(device: Any, node: Apply) -> Callable[..., Any]:
    """A node's own `perform`, where that runs programs of this backend: from values to results on the device."""

    def run(*values: Any) -> Any:
        storage: list[list[Any]] = [[None] for _ in node.outputs]
        node.op.perform(node, list(values), storage)
        results = tuple(put(device, cell[0]) if isinstance(v.type, TensorType) else cell[0]
                        for cell, v in zip(storage, node.outputs, strict=True))
        return results[0] if len(results) == 1 else results

    return run


def blame(error: BaseException, step: Step) -> BaseException:
    """Note on an error in which step it arose."""
    error._symgraph_step = step  # type: ignore[attr-defined]
    return error


def step_of(error: BaseException) -> Step | None:
    """The step noted on an error."""
    found: Step | None = getattr(error, "_symgraph_step", None)
    return found
