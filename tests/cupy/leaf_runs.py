"""Running leaf templates in tests: over host arrays, on a device, and through the compile gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backends.cupy.execution import Direct, Errors, Kernels
from backends.cupy.language.prelude import prelude
from backends.cupy.leaves.leaf import LeafOp, Leaves, Operand
from tests.cupy.gate import check_compiles


def run_leaf(device: Any, template: Callable[..., Leaves], arrays: Sequence[Any], *numbers: Any) -> Any:
    """What a template computes of host arrays, on the host again. Strides are kept where an array is a view.

    Raises
    ------
    IndexError
        When a kernel has set the error word.
    """
    errors = Errors(device)
    moved = tuple(on_device(device, np.asarray(a)) for a in arrays)
    found = LeafOp(template, Kernels(device), errors)(Direct(device), moved, numbers)
    errors.raise_for(device.to_host(errors.word))
    return tuple(device.to_host(f) for f in found) if isinstance(found, tuple) else device.to_host(found)


def on_device(device: Any, array: np.ndarray) -> Any:
    """An array on the device; one with its axes in another order keeps its strides."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    back = [order.index(axis) for axis in range(array.ndim)]
    return device.to_device(np.array(array.transpose(order), order="C")).transpose(back)


def compiles(template: Callable[..., Leaves], arrays: Sequence[Any], *numbers: Any) -> None:
    """The kernels of a template go through the compile gate."""
    leaves = template(tuple(Operand.of(np.asarray(a)) for a in arrays), *numbers)
    check_compiles(*(prelude(leaf.source) + leaf.source for leaf in leaves.launches))
