"""Launches at run time: a kernel is written and compiled for each layout of its arrays, once, and launched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from backends.cupy.devices.device import Device
from backends.cupy.jobs.launches import Binding, DoesNotFit, Layout, bind
from backends.cupy.jobs.shapes import shapes_in
from backends.cupy.language.prelude import prelude
from backends.cupy.report import Entry
from backends.cupy.runtime import blame
from symgraph.graph.basic import Variable
from symgraph.plan import Step
from symgraph.plan.items import Fold, Gather, Product, Put, lengths_in
from symgraph.plan.jobs import Launch
from symgraph.scalar import ScalarFunction

__all__ = ["Direct", "DoesNotFit", "Errors", "Kernels", "Launcher"]


class Errors:
    """The error word of a program: what kernels that index found out of range.

    Kernels cannot raise; they note the first such index here and go on, and leave shared values as they are. The host
    looks before it hands anything out.

    Parameters
    ----------
    device : Device
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.places: dict[Step, None] = {}  # the steps that may fail
        self._word: Any = None
        self._clear = np.zeros(3, np.int64)

    @property
    def may_fail(self) -> bool:
        """Whether any kernel met so far indexes what it cannot be sure of."""
        return bool(self.places)

    @property
    def word(self) -> Any:
        """Three int64 on the device."""
        if self._word is None:
            self._word = self.device.to_device(self._clear)
        return self._word

    def check(self) -> None:
        """Raise IndexError if a kernel has noted something; waits for the device.

        Raises
        ------
        IndexError
        """
        if self.may_fail:
            self.raise_for(self.device.to_host(self.word))

    def raise_for(self, found: Any) -> None:
        """Raise for the content of the word, and clear it."""
        failed, index, length = (int(n) for n in found)
        if failed:
            self.device.to_device(self._clear, self.word)
            told = f"index {index} is out of bounds for axis of size {length}"
            if len(self.places) == 1:
                raise blame(IndexError(told), *self.places)
            lines = dict.fromkeys(f"{step.node.op}, built at {step.node.origin}" for step in self.places)
            raise IndexError("\n  ".join([f"{told}, in one of", *lines]))


class Written(Protocol):
    """A kernel's text."""

    @property
    def name(self) -> str:
        """Of its function."""
        ...

    @property
    def source(self) -> str:
        """CUDA C, without what `prelude` puts in front."""
        ...


class Kernels:
    """Compiled kernels of a program, by their text.

    Attributes
    ----------
    listener : callable or None
        Called when a kernel was added.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.sources: dict[str, Any] = {}
        self.listener: Callable[[], None] | None = None

    def load(self, binding: Written) -> Any:
        """The kernel of a binding; compiled when its text is met first."""
        found = self.sources.get(binding.source)
        if found is None:
            text = f"{prelude(binding.source)}\n{binding.source}"
            found = self.sources[binding.source] = self.device.load(text, [binding.name])[0]
            if self.listener is not None:
                self.listener()
        return found

    def text(self) -> str:
        """The CUDA C of all kernels met so far."""
        return "\n".join(self.sources)


class Direct:
    """Does at once what a program says; the first rung, and what recording looks over the shoulder of."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.empty = device.empty
        self.copy = device.copy
        self.product = device.product
        self.to_device = device.to_device
        self.to_host = device.to_host
        self.launch = device.launch
        self.xp = device.xp

    def start(self, kernel: Any, binding: Binding, arguments: Sequence[Any], sources: dict[int, int]) -> None:
        """Launch a kernel. `sources` says which arguments are values passed to the program, for who records it."""
        self.device.launch(kernel, binding.grid, binding.block, binding.shared_bytes, arguments)

    def may_lie_over(self, array: Any, target: Any, guarded: bool = True) -> None:
        """Note that an array just made may be written over the present value of a shared variable: not here."""


class Launcher:
    """One launch of a program, for arrays of any layout.

    Parameters
    ----------
    launch : Launch
    kernels : Kernels
    errors : Errors
    places : sequence of int or None
        For each input and number, its place among the values passed to the program; None for what the program makes.
    scalars : sequence of Variable
        The numbers it takes.
    over : dict of Variable to SharedVariable
        Next values that may be written over the present ones.
    name : str
    entry : Entry
        Of the report: it is told what the launch costs.
    """

    def __init__(self, launch: Launch, kernels: Kernels, errors: Errors, places: Sequence[int | None],
                 scalars: Sequence[Variable], over: dict[Variable, Any], name: str, entry: Entry) -> None:
        self.launch, self.kernels, self.errors, self.places = launch, kernels, errors, list(places)
        self.scalars, self.over, self.name, self.entry = list(scalars), over, name, entry
        lengths = lengths_of(launch)
        self.is_length = [v in lengths for v in self.scalars]
        self._bindings: dict[Any, tuple[Binding, Any, list[Any]]] = {}

    def __call__(self, d: Any, arrays: tuple[Any, ...], numbers: tuple[Any, ...]) -> tuple[Any, ...]:
        device = self.kernels.device
        layouts = [Layout.of(a, device.address(a) % 16 == 0) for a in arrays]
        key = (tuple(layouts), tuple(int(n) for n, is_length in zip(numbers, self.is_length, strict=True) if is_length))
        found = self._bindings.get(key)
        if found is None:
            found = self._bindings[key] = self._bind(layouts, numbers)
        binding, kernel, scratch = found
        outputs = []
        for v in self.launch.outputs:
            outputs.append(d.empty(binding.shapes[v], v.type.numpy_dtype, str(v)))
            if v in self.over and not binding.may_fail:
                d.may_lie_over(outputs[-1], self.over[v])
        held = dict(zip(self.launch.inputs, arrays, strict=True)) | dict(
            zip(self.launch.outputs, outputs, strict=True))
        values = dict(zip(self.scalars, numbers, strict=True))
        arguments = binding.arguments(self.errors.word, held, values, scratch)
        if binding.grid[0]:
            d.start(kernel, binding, arguments, self._sources(binding))
        return tuple(outputs)

    def _sources(self, binding: Binding) -> dict[int, int]:
        """From the places of a kernel's arguments to those of the program's values that they are."""
        known = dict(zip([*self.launch.inputs, *self.scalars], self.places, strict=True))
        behind = 1 + len(binding.inputs) + len(binding.outputs) + len(binding.scratch)
        at = [*enumerate(binding.inputs, 1), *enumerate(binding.scalars, behind)]
        return {i: place for i, v in at if (place := known[v]) is not None}

    def _bind(self, layouts: Sequence[Layout], numbers: Sequence[Any]) -> tuple[Binding, Any, list[Any]]:
        device = self.kernels.device
        integers = {v: int(n) for v, n, is_length in zip(self.scalars, numbers, self.is_length, strict=True)
                    if is_length}
        binding = bind(self.launch, dict(zip(self.launch.inputs, layouts, strict=True)), integers, self.name,
                       device.multiprocessors)
        if binding.may_fail:
            found = [item.step for job in self.launch.jobs for item in job.items.values()
                     if isinstance(item.meaning, (Gather, Put))]
            self.errors.places.update(dict.fromkeys(found or self.launch.steps))
        self._note_costs(binding, dict(zip(self.launch.inputs, layouts, strict=True)), integers)
        scratch = []
        for size, zeroed in binding.scratch:
            scratch.append(device.to_device(np.zeros(size, np.uint8)) if zeroed else device.empty((size,), np.uint8))
        return binding, self.kernels.load(binding), scratch


    def _note_costs(self, binding: Binding, layouts: Mapping[Variable, Layout],
                    integers: Mapping[Variable, int]) -> None:
        """Tell the report what is read and written, and how much is computed."""
        shapes = {v: layout.shape for v, layout in layouts.items()} | binding.shapes
        self.entry.bytes = sum(math.prod(shape) * v.type.numpy_dtype.itemsize for v, shape in shapes.items())
        self.entry.flops = 0
        precisions: dict[str, None] = {}
        shapes = shapes_in(self.launch, shapes, integers)
        for job in self.launch.jobs:
            for item in job.items.values():
                made, read = math.prod(shapes[item.output]), [shapes.get(v, ()) for v in item.inputs]
                if isinstance(item.meaning, Product):
                    self.entry.flops += 2 * made * read[0][-1]
                    precisions[item.output.type.dtype] = None
                elif isinstance(item.meaning, Fold):
                    self.entry.flops += math.prod(read[0])
                    precisions[item.meaning.accumulate] = None
                elif isinstance(item.meaning, ScalarFunction):
                    self.entry.flops += made
        self.entry.precision = ", ".join(precisions)


def lengths_of(launch: Launch) -> set[Variable]:
    """The numbers that say how long something is."""
    return {v for job in launch.jobs for item in job.items.values() for v in lengths_in(item)}
