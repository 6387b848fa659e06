"""Where each value of a plan lives while its function runs on a GPU: in its memory, or on the host.

Positions and lengths are integers of Python, and arithmetic on them is done on the host. So is arithmetic on single
numbers that the host has anyway: a learning rate passed as an argument, one over the number of rows. Kernels take such
numbers by value. Everything else is computed on the device, unless it is made of what the user put into host memory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any

from symgraph.graph.basic import Constant, Variable
from symgraph.plan import Plan, Step, find_numbers
from symgraph.tensor.basic import Alloc, ARange, Eye
from symgraph.tensor.devices import Transfer
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.join import Join
from symgraph.tensor.shape import DimShuffle, MakeVector, Reshape, Shape
from symgraph.tensor.subtensor import Subtensor
from symgraph.tensor.type import TensorType

__all__ = ["Place", "Placement", "place_all"]


class Place(Enum):
    """Where a value is."""

    NUMBER = "an integer of Python"
    SCALAR = "a single number on the host"
    HOST = "an array on the host"
    DEVICE = "the device"


#: Operations on short vectors of lengths, which stay on the host.
_ON_LENGTHS = (Elemwise, MakeVector, Join, Subtensor, DimShuffle, Reshape)
_LONGEST = 32


@dataclass(frozen=True)
class Placement:
    """The places of a plan's values.

    Attributes
    ----------
    places : dict of Variable to Place
    bound : dict of Variable to Variable
        For what is computed on the host because the user put something there: that shared variable, or that transfer.
    """

    places: dict[Variable, Place]
    bound: dict[Variable, Variable]

    def __getitem__(self, variable: Variable) -> Place:
        return self.places[variable]

    def is_on_host(self, variable: Variable) -> bool:
        """Whether a value is on the host, in any form."""
        return self.places[variable] is not Place.DEVICE


def place_all(plan: Plan, device: str, passed_on_host: Collection[Variable] | None = None) -> Placement:
    """Find a place for each value of a plan.

    Parameters
    ----------
    plan : Plan
    device : str
        Where shared values of the device live, by the name of `symgraph.config.config.device`.
    passed_on_host : collection of Variable, optional
        The inputs that are values of the host; by default single numbers, and what is no tensor.

    Raises
    ------
    TypeError
        When an operation reads values of both memories; the message names both.
    """
    return _Placer(plan, device, passed_on_host).placement()


class _Placer:
    def __init__(self, plan: Plan, device: str, passed_on_host: Collection[Variable] | None) -> None:
        self.plan, self.device, self.passed_on_host = plan, device, passed_on_host
        results = [o.variable for o in plan.outputs] + [u.variable for u in plan.updates]
        self.numbers: Collection[Variable] = find_numbers(plan.steps, results)
        self.places: dict[Variable, Place] = {}
        self.bound: dict[Variable, Variable] = {}
        self.resident: dict[Variable, Variable] = {}  # what is on the device, and the shared variable that put it there

    def placement(self) -> Placement:
        for variable in [*self.plan.inputs, *self.plan.constants]:
            self.places[variable] = self._of_leaf(variable)
        if self.passed_on_host is not None:
            self.places.update((v, Place.DEVICE) for v in self.plan.inputs if v not in self.passed_on_host)
        for variable in self.plan.shared:
            self._shared(variable)
        for step in self.plan.steps:
            self._step(step)
        for update in self.plan.updates:
            self._check_update(update.target, update.variable)
        return Placement(self.places, self.bound)

    @staticmethod
    def _of_leaf(variable: Variable) -> Place:
        kind = variable.type
        if not isinstance(kind, TensorType):
            return Place.HOST
        return Place.SCALAR if kind.ndim == 0 else Place.DEVICE

    def _shared(self, variable: Any) -> None:
        if variable.device == self.device:
            self.places[variable], self.resident[variable] = Place.DEVICE, variable
        elif variable.device == "cpu":
            scalar = isinstance(variable.type, TensorType) and variable.type.ndim == 0
            self.places[variable] = Place.SCALAR if scalar else Place.HOST
            if isinstance(variable.type, TensorType):
                self.bound[variable] = variable
        else:
            raise TypeError(f"{variable} lives on {variable.device!r}, and the function is compiled for "
                            f"{self.device!r}")

    def _step(self, step: Step) -> None:
        node, op = step.node, step.node.op
        if isinstance(op, Transfer):
            output = node.outputs[0]
            if op.target == "cpu":
                self.places[output] = Place.SCALAR if output.type.ndim == 0 else Place.HOST
                self.bound[output] = output
            else:
                self.places[output], self.resident[output] = Place.DEVICE, output
            return
        held = next((v for v in node.inputs if v in self.bound), None)
        if held is not None:
            self._on_host(step, held)
            return
        if node.outputs[0] in self.numbers:
            self.places[node.outputs[0]] = Place.NUMBER
            return
        place = self._free(step)
        tenant = next((self.resident[v] for v in node.inputs if v in self.resident), None)
        for output in node.outputs:
            self.places[output] = place
            if tenant is not None and place is Place.DEVICE:
                self.resident[output] = tenant

    def _on_host(self, step: Step, held: Variable) -> None:
        """A step that reads what the user put on the host: all of it is computed there."""
        node = step.node
        for variable in node.inputs:
            if variable in self.resident:
                raise TypeError(self._mixed(step, self.bound[held], self.resident[variable]))
        for output in node.outputs:
            scalar = isinstance(output.type, TensorType) and output.type.ndim == 0
            self.places[output] = Place.SCALAR if scalar else Place.HOST
            self.bound[output] = self.bound[held]

    def _mixed(self, step: Step, host: Variable, resident: Variable) -> str:
        return (f"{step.node.op}, built at {step.node.origin}, reads {host}, which lives in the memory of the "
                f"processor, and {resident}, which lives on {self.device!r}. Move one of them: "
                f"{host.name or 'x'}.transfer('cuda'), or {resident.name or 'x'}.transfer('cpu')")

    def _free(self, step: Step) -> Place:
        """The place of what nothing binds."""
        node, op = step.node, step.node.op
        kinds = [v.type for v in node.outputs]
        if not all(isinstance(kind, TensorType) for kind in kinds):
            return Place.HOST
        if isinstance(op, Shape):
            return Place.HOST
        inside = all(self.places[v] is not Place.DEVICE or self._is_short(v) for v in node.inputs)
        some = any(self.places[v] is not Place.DEVICE for v in node.inputs)
        if not (inside and some) or isinstance(op, (Alloc, ARange, Eye)):
            return Place.DEVICE
        kind: Any = kinds[0]
        if isinstance(op, Elemwise) and kind.ndim == 0:
            return Place.SCALAR
        if isinstance(op, _ON_LENGTHS) and kind.ndim <= 1 and kind.dtype in ("int64", "int32", "bool"):
            return Place.SCALAR if kind.ndim == 0 else Place.HOST
        return Place.DEVICE

    @staticmethod
    def _is_short(variable: Variable) -> bool:
        return isinstance(variable, Constant) and getattr(variable.data, "size", _LONGEST + 1) <= _LONGEST

    def _check_update(self, target: Any, variable: Variable) -> None:
        """A value of the device becomes that of a variable on the host, or the other way, only where it is moved."""
        if target.device == "cpu" and variable in self.resident and isinstance(target.type, TensorType):
            raise TypeError(f"the update of {target}, which lives in the memory of the processor, is computed from "
                            f"{self.resident[variable]}, which lives on {self.device!r}. Move it: .transfer('cpu')")
        if target.device != "cpu" and variable in self.bound:
            raise TypeError(f"the update of {target}, which lives on {target.device!r}, is computed from "
                            f"{self.bound[variable]}, which lives in the memory of the processor. Move it: "
                            ".transfer('cuda')")
