"""`Scan`: a loop as one operation of the graph.

One step of the loop is a graph from the elements of the sequences, the states and what is the same in all steps to the
next states, the values to collect and (if there is one) the condition that ends the loop. A state that looks further
back than one step is several states that pass values on. The first input of the operation is the number of steps, each
sequence has exactly as many rows, and every output is had from the steps alone: the states after the last step, their
histories (the initial value first), the collected values, and the number of steps made where a condition decides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.inner import InnerGraph
from symgraph.graph.op import Op
from symgraph.graph.type import Type
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import cast
from symgraph.tensor.shape import ShapeI
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["Inputs", "Outputs", "Scan", "check_length", "check_steps", "length_source", "steps_made"]


@dataclass(frozen=True)
class Inputs:
    """What a scan reads, or for one step what stands for it.

    Attributes
    ----------
    steps : the number of steps; None for one step
    sequences : or an element of each
    states : their initial values, or the present ones
    fixed : what is the same in all steps
    """

    steps: Any
    sequences: list[Any]
    states: list[Any]
    fixed: list[Any]

    @property
    def all(self) -> list[Any]:
        """In the order of the inputs."""
        return [*([] if self.steps is None else [self.steps]), *self.sequences, *self.states, *self.fixed]


@dataclass(frozen=True)
class Outputs:
    """What a scan gives.

    Attributes
    ----------
    final : the states after the last step
    histories : by the number of the state, its values, the initial one first; for those that are kept
    traces : the collected values
    steps : the number of steps made, where a condition ends the loop; else None
    """

    final: list[Any]
    histories: dict[int, Any]
    traces: list[Any]
    steps: Any


class Scan(Op):
    """A loop.

    Parameters
    ----------
    graph : InnerGraph
        One step. Inputs are an element of each sequence, the states, and what is the same in all steps; outputs are
        the next states, of the same types, what to collect, and the condition to stop after this step, if any.
    n_sequences, n_states : int
    kept : tuple of bool
        For each state whether all its values are wanted, and not only the last.
    n_traces : int
    until : bool
        Whether the last output is a condition that ends the loop.
    truncate : int
        How many steps back derivatives go; all for -1.
    name : str, optional
        For printing and messages.
    backwards : bool
        Whether the first step reads the last row of each sequence, and gives the last row of what is collected.
    """

    def __init__(self, graph: InnerGraph, n_sequences: int, n_states: int, kept: Sequence[bool], n_traces: int,
                 until: bool = False, truncate: int = -1, name: str | None = None, backwards: bool = False) -> None:
        self.graph, self.n_sequences, self.n_states = graph, n_sequences, n_states
        self.kept, self.n_traces, self.until = tuple(kept), n_traces, until
        self.truncate, self.name, self.backwards = truncate, name, backwards
        self._known: tuple[int, Any] | None = None
        self._read: set[Variable] | None = None
        self.normal_under: Any = None  # the rules under which the graph of a step is in normal form

    # ---- identity ---------------------------------------------------------------------------------------------

    def _identity(self) -> tuple[int, Any]:
        if self._known is None:
            parts = (self.n_sequences, self.n_states, self.kept, self.n_traces, self.until, self.truncate,
                     self.backwards, self.graph.signature())
            self._known = hash(parts), parts
        return self._known

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Scan) and type(other) is type(self)
                                 and self._identity() == other._identity())

    def __hash__(self) -> int:
        return self._identity()[0]

    def __getstate__(self) -> dict[str, Any]:
        kept = super().__getstate__()
        return {**kept, "_known": None, "_read": None, "normal_under": None}

    def __repr__(self) -> str:
        return f"scan{{{self.name}}}" if self.name else "scan"

    def changed(self, graph: InnerGraph, kept: Sequence[bool] | None = None, n_traces: int | None = None) -> Scan:
        """The scan with another graph of a step, that takes the same inputs and gives the same states."""
        kept, count = self.kept if kept is None else kept, self.n_traces if n_traces is None else n_traces
        return Scan(graph, self.n_sequences, self.n_states, kept, count, self.until, self.truncate, self.name,
                    self.backwards)

    # ---- parts ------------------------------------------------------------------------------------------------

    def inputs(self, values: Sequence[Any]) -> Inputs:
        """The inputs of a node, or anything in their order, by what they are."""
        s, h = 1 + self.n_sequences, 1 + self.n_sequences + self.n_states
        return Inputs(values[0], list(values[1:s]), list(values[s:h]), list(values[h:]))

    @property
    def slots(self) -> Inputs:
        """The inputs of the graph of a step, by what they are."""
        return self.inputs([None, *self.graph.inputs])

    def outputs(self, values: Sequence[Any]) -> Outputs:
        """The outputs of a node, or anything in their order, by what they are."""
        supply = iter(values)
        final = [next(supply) for _ in range(self.n_states)]
        histories = {i: next(supply) for i, kept in enumerate(self.kept) if kept}
        traces = [next(supply) for _ in range(self.n_traces)]
        return Outputs(final, histories, traces, next(supply) if self.until else None)

    @property
    def next_states(self) -> list[Any]:
        """In the graph of a step, the states after it."""
        return list(self.graph.outputs[: self.n_states])

    @property
    def traced(self) -> list[Any]:
        """In the graph of a step, what is collected."""
        return list(self.graph.outputs[self.n_states: self.n_states + self.n_traces])

    @property
    def condition(self) -> Any:
        """In the graph of a step, whether to stop after it; else None."""
        return self.graph.outputs[-1] if self.until else None

    # ---- building ---------------------------------------------------------------------------------------------

    def make_node(self, *inputs: Any) -> Apply:
        steps = as_tensor_variable(inputs[0])
        if steps.type.ndim or not steps.type.is_discrete:
            raise TypeError(f"{self}: the number of steps must be an integer, not {steps.type}")
        steps = cast(steps, "int64")
        parts, slots = self.inputs([steps, *inputs[1:]]), self.slots
        if len(parts.all) != 1 + len(self.graph.inputs):
            raise TypeError(f"{self} takes {len(self.graph.inputs)} inputs after the number of steps, not "
                            f"{len(inputs) - 1}")
        known = int(steps.data) if isinstance(steps, Constant) else None
        if known is not None:
            check_steps(str(self), known)
        for x, slot in zip(parts.sequences, slots.sequences, strict=True):
            self._check_type(x, slot, x.type.shape[:1])
            if known is not None and x.type.shape[0] is not None:
                check_length(str(self), slot, x.type.shape[0], known)
        for x, slot in zip([*parts.states, *parts.fixed], [*slots.states, *slots.fixed], strict=True):
            self._check_type(x, slot, ())
        return Apply(self, parts.all, self._types(known))

    def _check_type(self, x: Any, slot: Any, front: tuple[int | None, ...]) -> None:
        kind, wanted = x.type, slot.type
        if isinstance(wanted, TensorType):
            wanted = tensor_type(wanted.dtype, (*front, *wanted.shape))
            if wanted.is_super(kind) or wanted.is_interchangeable(kind):
                return
        elif wanted == kind:
            return
        raise TypeError(f"{self}: {x} is {kind}, but {slot} takes {wanted}")

    def _types(self, steps: int | None) -> list[Type]:
        if self.until:
            steps = None
        states = [v.type for v in self.slots.states]
        types = [*states]
        rows = None if steps is None else steps + 1
        types += [_stacked(t, rows) for t, kept in zip(states, self.kept, strict=True) if kept]
        types += [_stacked(v.type, steps) for v in self.traced]
        return [*types, tensor_type("int64", ())] if self.until else types

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        outputs, shapes = self.outputs(node.outputs), self.inputs(input_shapes)
        steps: Any = node.inputs[0]
        if isinstance(steps, Constant):
            steps = int(steps.data)
        of = dict(zip(self.slots.all, [*(s[1:] for s in shapes.sequences), *shapes.states, *shapes.fixed], strict=True))
        # A state that no step reads need not keep its shape.
        found: list[Any] = [shape if slot in self.read else tuple(ShapeI(a)(v) for a in range(v.type.ndim))
                            for shape, slot, v in zip(shapes.states, self.slots.states, outputs.final, strict=True)]
        for i, history in outputs.histories.items():
            found.append((ShapeI(0)(history) if self.until else steps + 1, *shapes.states[i]))
        for trace, v in zip(outputs.traces, self.traced, strict=True):
            lengths = []
            for axis in range(v.type.ndim):
                source = length_source(v, axis)
                lengths.append(ShapeI(axis + 1)(trace) if source is None else source if isinstance(source, int)
                               else of[source[0]][source[1]])
            found.append((ShapeI(0)(trace) if self.until else steps, *lengths))
        return [*found, ()] if self.until else found

    # ---- computing --------------------------------------------------------------------------------------------

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        parts = self.inputs(inputs)
        steps = int(parts.steps)
        check_steps(str(self), steps)
        for x, slot in zip(parts.sequences, self.slots.sequences, strict=True):
            check_length(str(self), slot, len(x), steps)
        states = [np.array(s) for s in parts.states]
        histories: dict[int, list[Any]] = {i: [states[i]] for i, kept in enumerate(self.kept) if kept}
        traces: list[list[Any]] = [[] for _ in range(self.n_traces)]
        made = 0
        while made < steps:
            try:
                row = steps - 1 - made if self.backwards else made
                found = self.graph.evaluate([*(np.asarray(x[row]) for x in parts.sequences), *states, *parts.fixed])
                self._check_states(states, found)
            except Exception as error:
                error.add_note(f"in step {made} of {self}")
                raise
            states, made = found[: self.n_states], made + 1
            for i, history in histories.items():
                history.append(states[i])
            for trace, value in zip(traces, found[self.n_states:], strict=False):
                trace.append(value)
            if self.until and found[-1]:
                break
        for trace in traces if self.backwards else ():
            trace.reverse()
        results: list[Any] = [*states, *histories.values(), *traces, *([np.asarray(made)] if self.until else [])]
        if not made:
            shapes = self.shapes_of_traces(inputs)
            results[len(states) + len(histories):len(results) - self.until] = [
                np.zeros((0, *shape), v.type.numpy_dtype) for shape, v in zip(shapes, self.traced, strict=True)]
        for cell, value in zip(output_storage, results, strict=True):
            cell[0] = _stack(value, str(self)) if isinstance(value, list) else np.array(value)

    def shapes_of_traces(self, inputs: Sequence[Any]) -> list[tuple[int, ...]]:
        """The shapes of one row of what is collected, where there is no row: from those of the inputs."""
        parts = self.inputs(inputs)
        shapes = [*(x.shape[1:] for x in parts.sequences), *(np.shape(v) for v in [*parts.states, *parts.fixed])]
        of = dict(zip(self.graph.inputs, shapes, strict=True))
        found = []
        tried: list[Any] | None = None
        for place, v in enumerate(self.traced):
            sources = [length_source(v, axis) for axis in range(v.type.ndim)]
            if None in sources and tried is None:
                tried = self._tried(shapes, [*parts.sequences, *parts.states, *parts.fixed])
            found.append(tuple(np.shape(tried[place])[axis] if source is None and tried else source if isinstance(
                source, int) else of[source[0]][source[1]] if source else 0 for axis, source in enumerate(sources)))
        return found

    def _tried(self, shapes: Sequence[tuple[int, ...]], values: Sequence[Any]) -> list[Any]:
        """What a step on zeros would collect; nothing where it fails."""
        try:
            with np.errstate(all="ignore"):
                found = self.graph.evaluate([np.zeros(s, v.dtype) for s, v in zip(shapes, values, strict=True)])
        except Exception:
            return []
        return found[self.n_states:]

    def _check_states(self, states: Sequence[Any], found: Sequence[Any]) -> None:
        """A state keeps its shape, unless no step reads it."""
        for slot, before, after in zip(self.slots.states, states, found, strict=False):
            if np.shape(before) != np.shape(after) and slot in self.read:
                state_changes(str(slot), np.shape(before), np.shape(after))

    @property
    def read(self) -> set[Variable]:
        """What of the graph's inputs a step reads, or passes on."""
        if self._read is None:
            self._read = {v for node in self.graph.nodes for v in node.inputs} | set(self.graph.outputs)
            self._read |= {slot for slot, kept in zip(self.slots.states, self.kept, strict=True) if kept}
        return self._read

    # ---- derivatives ------------------------------------------------------------------------------------------

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        sources = self.influences()
        outputs = self.outputs(range(len(node.outputs)))
        pattern = [[False] * len(node.outputs) for _ in node.inputs]
        for j, found in enumerate(sources):
            places = ([outputs.final[j], *([outputs.histories[j]] if j in outputs.histories else [])]
                      if j < self.n_states else [outputs.traces[j - self.n_states]])
            for i in found:
                for place in places:
                    pattern[1 + i][place] = True
        return pattern

    def influences(self) -> list[set[int]]:
        """For each state and each trace, the inputs of a step that it depends on after any number of steps."""
        rows = self.graph.connections()
        count = self.n_states + self.n_traces
        direct = [{i for i, row in enumerate(rows) if row[j]} for j in range(count)]
        found = [set(d) | ({self.n_sequences + j} if j < self.n_states else set()) for j, d in enumerate(direct)]
        changed = True
        while changed:
            changed = False
            for mine in found:
                size = len(mine)
                for i in list(mine):
                    if 0 <= i - self.n_sequences < self.n_states:
                        mine |= found[i - self.n_sequences]
                changed = changed or len(mine) > size
        return found

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        from symgraph.scan.gradient import pulled

        return pulled(self, inputs, outputs, output_gradients)

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        from symgraph.scan.gradient import pushed

        return pushed(self, inputs, eval_points)


def _stacked(kind: Any, length: int | None) -> Type:
    if not isinstance(kind, TensorType):
        raise TypeError(f"scan collects tensors only, not {kind}")
    return tensor_type(kind.dtype, (length, *kind.shape))


def _stack(values: list[Any], who: str) -> Any:
    for step, value in enumerate(values):
        if np.shape(value) != np.shape(values[0]):
            result_changes(who, step, np.shape(values[0]), np.shape(value))
    return np.stack([np.asarray(v) for v in values])


def check_steps(who: str, steps: int) -> None:
    """Refuse a negative number of steps."""
    if steps < 0:
        raise ValueError(f"{who}: n_steps must not be negative, but is {steps}. To go through sequences from their "
                         "end, pass go_backwards=True")


def check_length(who: str, slot: Variable, length: int, steps: int) -> None:
    """Refuse a sequence that has not as many elements as there are steps."""
    if length != steps:
        raise ValueError(f"{who}: the sequence of {slot} has {length} elements for {steps} steps. Pass "
                         f"n_steps={length} or less, or a longer sequence")


def state_changes(slot: str, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    """Raise for a state whose shape changed."""
    raise ValueError(f"the state {slot} has shape {before}, but its next value has shape {after}: a state keeps its "
                     "shape. Give it an initial value of the shape it will have (T.zeros, T.alloc)")


def result_changes(who: str, step: int, first: tuple[int, ...], found: tuple[int, ...]) -> None:
    """Raise for a collected value whose shape changed."""
    raise ValueError(f"{who}: what step {step} gives has shape {found}, what step 0 gave has shape {first}: what is "
                     "collected must have one shape in all steps")


def length_source(v: Any, axis: int) -> int | tuple[Variable, int] | None:
    """The length of an axis, or the input of the graph and its axis of the same length; None where neither is known."""
    while True:
        known = v.type.shape[axis]
        if known is not None:
            return int(known)
        if v.owner is None:
            return None if isinstance(v, Constant) else (v, axis)
        try:
            lengths = v.owner.op.infer_shape(v.owner, [
                tuple(ShapeI(i)(u) for i in range(getattr(u.type, "ndim", 0))) for u in v.owner.inputs])[v.index or 0]
        except NotImplementedError:
            return None
        length = lengths[axis]
        if not isinstance(length, Variable) or isinstance(length, Constant):
            return int(length.data if isinstance(length, Constant) else length)
        if length.owner is None or type(length.owner.op) is not ShapeI or length.owner.inputs[0] is v:
            return None
        v, axis = length.owner.inputs[0], length.owner.op.axis


def steps_made(node_inputs: Inputs, node_outputs: Outputs) -> Any:
    """The number of steps a scan makes, as an expression."""
    return node_inputs.steps if node_outputs.steps is None else node_outputs.steps
