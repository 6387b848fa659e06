"""`scan`: from a user's function of one step to the operation that loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from itertools import pairwise
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.graph.basic import Constant, Variable
from symgraph.graph.inner import InnerGraph
from symgraph.graph.origin import current_origin
from symgraph.graph.testvalues import compute_test_values, test_values_at
from symgraph.graph.traversal import clone_replace, graph_inputs, toposort
from symgraph.scan.arguments import (
    Info,
    Result,
    Taken,
    as_list,
    number_of_steps,
    parse_infos,
    parse_result,
    parse_sequences,
)
from symgraph.scan.op import Outputs, Scan
from symgraph.scan.updates import OrderedUpdates
from symgraph.shared import SharedVariable, Storage
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.checks import require
from symgraph.tensor.elemwise import cast
from symgraph.tensor.math import ge
from symgraph.tensor.shape import ShapeI, shape_i
from symgraph.tensor.type import TensorType

__all__ = ["Loop", "close", "scan"]


@dataclass
class State:
    """A value that a step reads and gives anew.

    Attributes
    ----------
    initial, slot, after : Variable
        Its value before the first step, what stands for it in a step, and its next value.
    label : str
    kept : bool
        Whether all its values are wanted.
    """

    initial: Any
    slot: Any
    after: Any
    label: str
    kept: bool = False


@dataclass
class Loop:
    """A loop in the making, and made.

    Attributes
    ----------
    outputs : list of Variable
        For each output of a step, its values in all steps.
    last : list of Variable or None
        Their last values, or the initial ones if no step is made; None for what is only collected.
    updates : OrderedUpdates
    several : bool
        Whether the step function returned a list.
    """

    outputs: list[Any] = field(default_factory=list)
    last: list[Any] = field(default_factory=list)
    updates: OrderedUpdates = field(default_factory=OrderedUpdates)
    several: bool = False


def scan(fn: Callable[..., Any], sequences: Any = None, outputs_info: Any = None, non_sequences: Any = None,
         n_steps: Any = None, truncate_gradient: int = -1, go_backwards: bool = False, mode: Any = None,
         name: str | None = None, profile: Any = False, allow_gc: Any = None, strict: bool = False,
         return_list: bool = False) -> tuple[Any, OrderedUpdates]:
    """Apply a function again and again, to elements of sequences and to what it gave before.

    Parameters
    ----------
    fn : callable
        One step. It takes an element of each sequence (one for each tap, in their order), earlier values of those
        outputs that have an initial value (one for each tap), and the `non_sequences`; all as symbolic variables. It
        returns the outputs of the step, one or a list, and if need be updates of shared variables (a dict or a list of
        pairs), and `until` a condition holds.
    sequences : tensor, dict, or list of these, optional
        What to go along, by the first axis. A dict has an ``input`` and ``taps``: which elements a step takes, counted
        from the present one, such as ``[-1, 0, 2]``.
    outputs_info : tensor, dict, None, or list of these, optional
        For each output of a step its value before the first step; None for an output that no step reads. A dict has
        ``initial`` and ``taps``: which earlier values a step takes, such as ``[-3, -1]``. With taps other than ``[-1]``
        the initial value has an axis more in front, with a row for each step back.
    non_sequences : tensor, or list of these, optional
        Further arguments, the same in all steps. What the function uses of variables around it need not be named.
    n_steps : int or scalar integer, optional
        How many steps to make; as many as the shortest sequence has elements for, unless given.
    truncate_gradient : int
        How many steps back, from the last, derivatives go; -1 for all.
    go_backwards : bool
        Go along the sequences from their ends.
    name : str, optional
        For printing and messages.
    strict : bool
        Let the function use only its arguments: other variables are an error.
    return_list : bool
        Return a list of outputs also where there is one.
    mode, profile, allow_gc
        Without effect, and there for programs that pass them. A loop is part of the function that holds it: it is
        rewritten in that function's mode, timed with ``function(..., profile=True)``, and its memory is planned with
        the function's.

    Returns
    -------
    outputs : Variable, list of Variable, or None
        Each output of all steps, along a new first axis.
    updates : OrderedUpdates
        The shared variables that the steps update, those of random streams among them, and their values after the last
        step: for ``function(updates=...)``.

    Raises
    ------
    TypeError
        When a sequence has no axis, an output is not of the type of its initial value, something other than a shared
        variable is updated, or `n_steps` is no integer.
    ValueError
        When a sequence is shorter than `n_steps`, `n_steps` is negative, or outputs and `outputs_info` differ in
        number.

    Notes
    -----
    Derivatives are computed by going back through the steps (P. J. Werbos, "Backpropagation through time: what it does
    and how to do it", Proceedings of the IEEE 78, 1990). A state keeps its shape and dtype in all steps.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x, a = T.dvector("x"), T.dscalar("a")
    >>> values, updates = sg.scan(lambda x_t, h: a * h + x_t, sequences=x, outputs_info=T.constant(0.0))
    >>> f = sg.function([x, a], [values, sg.grad(values[-1], a)])
    >>> f([1.0, 1.0, 1.0], 2.0)
    [array([1., 3., 7.]), array(5.)]
    """
    loop = make_loop(fn, sequences, outputs_info, non_sequences, n_steps, truncate_gradient, go_backwards, name, strict)
    outputs: Any = loop.outputs
    if not return_list and len(outputs) < 2:
        outputs = outputs[0] if outputs else None
    return outputs, loop.updates


def make_loop(fn: Callable[..., Any], sequences: Any = None, outputs_info: Any = None, non_sequences: Any = None,
              n_steps: Any = None, truncate_gradient: int = -1, go_backwards: bool = False, name: str | None = None,
              strict: bool = False) -> Loop:
    """What `scan` does, with the last values of states beside all values."""
    if not callable(fn):
        raise TypeError(f"scan: fn must be a function of one step, not {fn!r}")
    if not isinstance(truncate_gradient, (int, np.integer)) or (truncate_gradient < 1 and truncate_gradient != -1):
        raise ValueError(f"scan: truncate_gradient must be a positive number of steps, or -1 for all, not "
                         f"{truncate_gradient!r}")
    taken, infos = parse_sequences(sequences), parse_infos(outputs_info)
    fixed = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in as_list(non_sequences)]
    rows = [(t, t.rows()[::-1] if go_backwards else t.rows()) for t in taken]
    steps = number_of_steps(n_steps, rows)
    if n_steps is not None:
        who = f"scan{{{name}}}" if name else "scan"
        steps = _not_negative(who, steps)
        rows = [(t, _long_enough(f"{who}: the sequence {t.label}", x, steps)) for t, x in rows]
    rows = [(t, x if _has_length(x, steps) else x[:steps]) for t, x in rows]
    elements = [_slot(x.type.clone(shape=x.type.shape[1:]), t.name) for t, x in rows]
    groups = [[State(info.before(lag), None, None, info.label) for lag in range(1, info.depth + 1)] for info in infos]
    for info, states in zip(infos, groups, strict=True):
        for lag, state in enumerate(states, 1):
            state.slot = _slot(state.initial.type, f"{info.label}[t-{lag}]")
    earlier = [states[lag - 1].slot for info, states in zip(infos, groups, strict=True) for lag in info.lags]
    begun = Storage(None).serial  # what has a later number is made by the step function
    _check_arguments(fn, elements, earlier, fixed)
    with test_values_at("off"):
        result = parse_result(fn(*elements, *earlier, *fixed))
    infos = _matched(infos, result, outputs_info)
    groups += [[] for _ in range(len(infos) - len(groups))]
    traces = []
    for place, (states, output) in enumerate(zip(groups, result.outputs, strict=True)):
        if not states:
            traces.append(output)
            continue
        states[0].after, states[0].kept = _next_state(output, states[0], place), True
        for later, state in pairwise(states):
            state.after = _next_state(later.slot, state, place)
    shared = _shared_states(result, traces, groups, begun)
    states = [state for group in groups for state in group] + [state for _, state in shared]
    condition = [] if result.condition is None else [result.condition]
    op, values = _closed(rows, elements, states, traces, condition, fixed if strict else None, int(truncate_gradient),
                         name)
    node = op.make_node(steps, *values)
    if config.compute_test_value != "off":
        compute_test_values(node)
    return _finished(op.outputs(node.outputs), infos, groups, shared, result, begun)


def _check_arguments(fn: Callable[..., Any], elements: Sequence[Any], earlier: Sequence[Any],
                     fixed: Sequence[Any]) -> None:
    """Refuse a step function that cannot take what it is given.

    Raises
    ------
    TypeError
    """
    try:
        signature(fn).bind(*elements, *earlier, *fixed)
    except ValueError:  # a function of C that does not tell what it takes
        return
    except TypeError as error:
        kinds = (("elements of sequences", elements), ("earlier values", earlier), ("non_sequences", fixed))
        given = "; ".join(f"{kind}: {', '.join(map(str, values))}" for kind, values in kinds if values) or "nothing"
        raise TypeError(
            f"scan: the step function {getattr(fn, '__name__', fn)}{signature(fn)} cannot take what it is given "
            f"({error}). It gets {given}. An output whose earlier value it takes needs an initial value in outputs_info"
        ) from None


def _has_length(x: Any, steps: Any) -> bool:
    """Whether a sequence is known to have an element for each step and no more."""
    if isinstance(steps, int):
        return bool(x.type.shape[0] == steps)
    owner = steps.owner
    return owner is not None and owner.inputs[0] is x and getattr(owner.op, "axis", None) == 0


def _not_negative(who: str, steps: Any) -> Any:
    """A given number of steps, checked when the function runs: what it is used for must not count from the end."""
    if isinstance(steps, int) or isinstance(getattr(steps.owner, "op", None), ShapeI):
        return steps
    return require(steps, ge(steps, 0), f"{who}: n_steps must not be negative. To go through sequences from their end, "
                                        "pass go_backwards=True")


def _long_enough(who: str, x: Any, steps: Any) -> Any:
    """A sequence that has an element for each of a given number of steps, checked when the function runs."""
    if _has_length(x, steps) or (isinstance(steps, int) and x.type.shape[0] is not None):
        return x
    return require(x, ge(shape_i(x, 0), steps), f"{who} has elements for fewer than n_steps steps. Pass a smaller "
                                                "n_steps, or a longer sequence")


def _slot(kind: Any, name: str) -> Any:
    slot = kind.make_variable(name)
    slot.origin = current_origin()
    return slot


def _matched(infos: list[Info], result: Result, given: Any) -> list[Info]:
    """An entry of `outputs_info` for each output."""
    count = len(result.outputs)
    if given is None or (not infos and count):
        return [Info(None, (), f"output{i}") for i in range(count)]
    if len(infos) != count:
        raise ValueError(
            f"scan: the step function returned {count} output{'s' * (count != 1)}, but outputs_info has {len(infos)} "
            f"entr{'ies' if len(infos) != 1 else 'y'}. Give one for each output: its initial value, or None for "
            "an output that no step reads")
    return infos


def _next_state(output: Any, state: State, place: int) -> Any:
    """An output as the next value of a state, of its dtype and rank.

    Raises
    ------
    TypeError, ValueError
        When its dtype, rank or a known length differ.
    """
    wanted, found = state.slot.type, output.type
    line = output.owner.origin if output.owner is not None else output.origin
    who = f"scan, output {place} ({state.label})"
    if found.dtype != wanted.dtype:
        if not np.can_cast(found.numpy_dtype, wanted.numpy_dtype, "safe"):
            raise TypeError(
                f"{who}: its initial value is {wanted.dtype}, but a step gives {found.dtype} (built at {line}). Start "
                f"with T.cast(initial, {found.dtype!r}), or return T.cast(output, {wanted.dtype!r})")
        output = cast(output, wanted.dtype)
    if found.ndim != wanted.ndim:
        raise ValueError(
            f"{who}: its initial value has {wanted.ndim} dimensions ({wanted}), but a step gives {found.ndim} "
            f"({found}, built at {line}). Give an initial value of the shape that one step gives")
    for axis, (n, m) in enumerate(zip(wanted.shape, found.shape, strict=True)):
        if n is not None and m is not None and n != m:
            raise ValueError(
                f"{who}: its initial value has length {n} along axis {axis} ({wanted}), but a step gives {m} ({found}, "
                f"built at {line}). A state keeps its shape: start with T.zeros or T.alloc of the shape of the output")
    return output  # what its type does not say of its shape, the loop makes sure of


def _shared_states(result: Result, traces: Sequence[Any], groups: Sequence[Sequence[State]],
                   begun: int) -> list[tuple[SharedVariable, State]]:
    """The shared variables that a step updates: those it says, and those it made that update themselves."""
    updates = dict(result.updates)
    roots = [*traces, *(s.after for group in groups for s in group), *updates.values()]
    roots += [] if result.condition is None else [result.condition]
    pending = [v for v in roots if isinstance(v, Variable)]
    seen: set[Variable] = set()
    while pending:
        found = [v for v in graph_inputs(pending) if v not in seen]
        seen.update(found)
        pending = []
        for v in found:
            if isinstance(v, SharedVariable) and v not in updates and v.container.serial > begun and (
                    v.default_update is not None):
                updates[v] = v.default_update
                pending.append(v.default_update)
    states = []
    for target, value in updates.items():
        slot = _slot(target.type, target.name or "shared")
        states.append((target, State(target, slot, _new_value(target, value), target.name or "shared variable")))
    return states


def _new_value(target: Any, value: Any) -> Any:
    try:
        wanted, found = (getattr(v, "type", None) for v in (target, value))
        if isinstance(wanted, TensorType) and isinstance(found, TensorType) and wanted.dtype != found.dtype:
            raise TypeError(f"it is {found.dtype} instead of {wanted.dtype}: return T.cast(..., {wanted.dtype!r})")
        return target.type.filter_variable(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"scan: the new value of the shared variable {target} does not fit: {error}") from None


def _closed(rows: Sequence[tuple[Taken, Any]], elements: Sequence[Any], states: Sequence[State], traces: Sequence[Any],
            condition: Sequence[Any], allowed: Sequence[Any] | None, truncate: int,
            name: str | None) -> tuple[Scan, list[Any]]:
    """The operation, and its inputs after the number of steps."""
    outputs = [*(s.after for s in states), *traces, *condition]
    inside = {**dict.fromkeys(elements), **{s.slot: None for s in states},
              **{s.initial: None for s in states if isinstance(s.initial, SharedVariable) and not s.kept}}
    replaced = {s.initial: s.slot for s in states if s.initial in inside and s.initial is not s.slot}
    inputs = [*elements, *(s.slot for s in states)]
    graph, fixed = close(inputs, outputs, replaced, name or "scan")
    if allowed is not None:
        _check_strict(fixed, allowed)
    op = Scan(graph, len(elements), len(states), [s.kept for s in states], len(traces), bool(condition), truncate, name)
    return op, [*(x for _, x in rows), *(s.initial for s in states), *fixed]


def close(inputs: Sequence[Any], outputs: Sequence[Any], replaced: dict[Any, Any],
          name: str) -> tuple[InnerGraph, list[Any]]:
    """The graph from `inputs` to `outputs`, and what it reads beside these, which it takes as further inputs.

    What does not depend on the inputs is not part of the graph: it is read as it is.

    Parameters
    ----------
    inputs, outputs : sequence of Variable
    replaced : dict of Variable to Variable
        Other variables for which inputs stand.
    name : str
    """
    moving: set[Any] = {*inputs, *replaced}
    read: dict[Any, None] = {}
    for node in toposort(outputs, moving):
        if not moving.isdisjoint(node.inputs):
            moving.update(node.outputs)
            read.update(dict.fromkeys(node.inputs))
    read.update(dict.fromkeys(outputs))
    fixed = [v for v in read if v not in moving and not isinstance(v, Constant)]
    stand_ins = {v: v.type.make_variable(v.name) for v in fixed}
    for v, stand_in in stand_ins.items():
        stand_in.origin = v.origin if v.owner is None else v.owner.origin
    body = clone_replace(outputs, {**replaced, **stand_ins, **{v: v for v in inputs}})
    return InnerGraph([*inputs, *stand_ins.values()], body, name), fixed


def _check_strict(fixed: Iterable[Any], allowed: Sequence[Any]) -> None:
    """Refuse what is used without being an argument."""
    given = set(allowed)
    for v in fixed:
        for leaf in graph_inputs([v], given):
            if leaf not in given and not isinstance(leaf, Constant):
                raise ValueError(f"scan: with strict=True the step function may use its arguments only, but it uses "
                                 f"{leaf} ({leaf.type}): add it to non_sequences, and to the function's arguments")


def _finished(found: Outputs, infos: Sequence[Info], groups: Sequence[Sequence[State]],
              shared: Sequence[tuple[SharedVariable, State]], result: Result, begun: int) -> Loop:
    loop = Loop(several=result.several)
    place, traces = 0, iter(found.traces)
    for states in groups:
        if not states:
            loop.outputs.append(next(traces))
            loop.last.append(None)
            continue
        loop.outputs.append(found.histories[place][1:])
        loop.last.append(found.final[place])
        place += len(states)
    for target, _ in shared:
        after = loop.updates[target] = found.final[place]
        if target.container.serial > begun:
            target.default_update = after  # made for this loop alone: it goes on where the loop ends
        place += 1
    return loop
