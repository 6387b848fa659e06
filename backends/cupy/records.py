"""The rungs on which a program's calls are run: step by step; launch by launch; as a graph; many calls as one graph.

The first call for arguments of certain lengths runs step by step and is recorded as it runs, so that nothing is done
twice. Later ones replay the record: launch by launch, or as a graph where a call has more than a few launches. What
cannot be recorded, because the host decides something in between or a library allocates its own memory, stays on the
first rung. Where no graph can be captured, calls go on launch by launch. `Report.why` says what stands in the way.
"""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy.devices.device import KernelError
from backends.cupy.graphs import MOST_LAUNCHES, ManyCalls, OneCall
from backends.cupy.recording import WORD, Memory, Passed, Recorder, Reference, Result, Unrecordable
from backends.cupy.remembered import Remembered
from backends.cupy.replay import Recording
from backends.cupy.report import Rung
from symgraph.config import config

if TYPE_CHECKING:
    from backends.cupy.program import CupyProgram

__all__ = ["Records"]

_MOST = 8         # records of a program
_LONGEST = 1024   # calls in one graph


class Records:
    """The records of one program.

    Parameters
    ----------
    program : CupyProgram

    Attributes
    ----------
    why : list of str
        Why it cannot be recorded.
    rung : Rung
        On which the last call was run.
    """

    def __init__(self, program: CupyProgram) -> None:
        self.program, self.device = program, program.device
        renderer = program.renderer
        self.why: list[str] = list(dict.fromkeys(renderer.direct))
        self.rung = Rung.STEPS
        self._fixed = [name in renderer.fixed for name in renderer.passed]
        self._arrays = [name in renderer.roots for name in renderer.passed]
        self._targets = renderer.targets
        self._found: OrderedDict[Any, Recording] = OrderedDict()
        self._graphs: OrderedDict[Any, ManyCalls] = OrderedDict()
        used = dict.fromkeys([*program.plan.shared, *(u.target for u in program.plan.updates)])
        self.shared = [variable for variable in used if variable.device != "cpu"]
        self._whole = {i for i, name in enumerate(renderer.passed) if renderer.roots.get(name) in set(self.shared)}
        self._others = [i for i in range(len(renderer.passed)) if i not in self._whole]
        self._seen: list[tuple[int, Any]] = [(i, _nothing) for i in sorted(self._whole)]  # the arrays of shared values
        self._of_shared: Any = ()  # their layouts
        self._stamp = 0            # another number when they are other arrays
        self._reads_host = len(self.shared) < len(used)
        if any(u.target.device == "cpu" for u in program.plan.updates):
            self.why.append("a shared variable in host memory is updated")
        self._wanted = config.cuda_graph
        self._no_graph = "cuda_graph=never" if self._wanted == "never" else ""
        if self.device.waits_for_each:
            self._no_graph = "every launch is waited for (SYMGRAPH_CUDA_SYNC)"
        self._remembered = Remembered(program)
        self._why_launches = ""  # why the last call that was replayed was no graph

    def free(self) -> None:
        """Forget all records, and the memory they hold, once nothing runs any more that uses it."""
        if self._found or self._graphs:
            self.device.finish()
        self._remembered.clear()
        self._found.clear()
        self._graphs.clear()

    @property
    def arena(self) -> int:
        """The bytes of all arenas."""
        return sum(record.bytes for record in self._found.values())

    @property
    def reasons(self) -> list[str]:
        """What stands in the way of a better rung."""
        if self.why:
            return self.why
        if self.rung is Rung.STEPS:
            return ["the first call for arguments of such lengths is recorded as it runs"]
        return [self._why_launches] if self.rung is Rung.LAUNCHES else []

    # ---- one call -------------------------------------------------------------------------------------------

    def run(self, passed: Sequence[Any]) -> list[Any]:
        """The outputs as the caller gets them, the updates committed.

        Parameters
        ----------
        passed : sequence
            What the program's ``arguments`` returned.
        """
        program = self.program
        if self.why:
            self.rung = Rung.STEPS
            return [program.for_caller(o, value)
                    for o, value in zip(program.plan.outputs, program.computed(passed), strict=True)]
        return self._first(self._key(passed), passed)

    def again(self, values: Sequence[Any]) -> list[Any] | None:
        """The same for values that it is known for what is passed for them; else None.

        Parameters
        ----------
        values : sequence
            Of the program's inputs.
        """
        known = self._remembered.get(values, self._stamp)
        if known is None or self._found.get(known.key) is not known.record:
            return None
        self._found.move_to_end(known.key)
        return self._again(known.record, known.passed, known.now)

    def replayed(self, passed: Sequence[Any], values: Sequence[Any] | None = None) -> list[Any] | None:
        """The same where there is a record; else None. What is passed for some `values` is kept for the next time."""
        if self.why:
            return None
        key = self._key(passed)
        record = self._found.get(key)
        if record is None:
            return None
        self._found.move_to_end(key)
        if values is None or not self._remembered.is_of_use:
            return self._again(record, passed)
        return self._again(record, passed, self._remembered.add(values, passed, key, record, self._stamp).now)

    def _key(self, passed: Sequence[Any]) -> Any:
        """What a record holds for: the layouts of arrays, and numbers that lengths and places within depend on."""
        for place, seen in self._seen:
            if seen() is not passed[place]:
                self._look_at_shared(passed)
                break
        parts = [self._of_shared]
        for place in self._others:
            value = passed[place]
            if self._arrays[place]:
                parts.append(self._layout(value))
            elif self._fixed[place]:
                parts.append(_frozen(value))
        return tuple(parts)

    def _layout(self, value: Any) -> Any:
        return value.shape, value.strides, self.device.address(value) % 16 == 0

    def _look_at_shared(self, passed: Sequence[Any]) -> None:
        """Shared variables have other arrays than in the call before."""
        self._stamp += 1
        self._seen = [(place, weakref.ref(passed[place])) for place in sorted(self._whole)]
        self._of_shared = tuple(self._layout(passed[place]) for place in sorted(self._whole))

    def _again(self, record: Recording, passed: Sequence[Any], known: Sequence[Any] | None = None) -> list[Any]:
        may_fail = self.program.errors.may_fail
        raw = None
        if not self._as_graph(record, passed):
            record.launch(passed, None, 0, self._stamp, known)
        if record.commits and not (self.rung is Rung.GRAPH and record.one.commits):
            if may_fail:
                self._check(record)
            record.commit(passed)
        if record.for_host:
            raw = self.device.to_host(record.board)
            if may_fail:
                self._raise(raw, record.board)
        elif may_fail and not record.commits:
            self._check(record)
        return [self._result(record, o, value, passed, raw)
                for o, value in zip(self.program.plan.outputs, record.outputs, strict=True)]

    def _as_graph(self, record: Recording, passed: Sequence[Any]) -> bool:
        """Launch a call as a graph; False where there is none, and it is to be launched launch by launch."""
        self.rung = Rung.LAUNCHES
        if self._no_graph:
            self._why_launches = self._no_graph
            return False
        if record.one is None:
            record.one = OneCall(record, self._whole, not self.program.errors.may_fail, self._wanted == "always",
                                 self._name, self.program.renderer.title)
        try:
            if record.one.launch(passed, self._stamp):
                self.rung = Rung.GRAPH
                return True
        except (KernelError, MemoryError) as error:
            self._without_graphs(error)
        self._why_launches = self._no_graph or record.one.why
        return False

    def _without_graphs(self, error: BaseException) -> None:
        """Go on launch by launch, for good."""
        self._no_graph = f"no graph could be captured: {error}"
        warnings.warn(f"{self.program.renderer.title}: calls are launched one by one, launch by launch, because "
                      f"{self._no_graph}", stacklevel=2)

    def _name(self, place: int) -> str:
        """How the value passed at a place is called."""
        return str(self.program.renderer.roots[self.program.renderer.passed[place]])

    def _result(self, record: Recording, output: Any, value: Any, passed: Sequence[Any], raw: Any) -> Any:
        if isinstance(value, Result):
            return value.of(raw)
        if isinstance(value, Reference):
            return self.program.memory.copied(record.array(value, passed, record.board, WORD))
        if isinstance(value, Passed):
            value = passed[value.place]
        return self.program.for_caller(output, _copied(value))

    def _check(self, record: Recording) -> None:
        self._raise(self.device.to_host(record.board[:WORD]), record.board)

    def _raise(self, raw: Any, board: Any) -> None:
        """Raise for what kernels noted in the error word, which is cleared for the next call."""
        if raw[0]:  # the first of three integers is 1
            word = raw[:24].view(np.int64)
            self.device.to_device(np.zeros(WORD, np.uint8), board[:WORD])
            self.program.errors.raise_for(word)

    # ---- recording ------------------------------------------------------------------------------------------

    def _first(self, key: Any, passed: Sequence[Any]) -> list[Any]:
        """Run step by step, and note it."""
        program, plan = self.program, self.program.plan
        own = [value[...] if array else value for value, array in zip(passed, self._arrays, strict=True)]
        recorder = Recorder(self.device, own, program.errors.word)
        try:
            outputs, updates = program.launches(recorder, *own)
            noted = [self._noted(recorder, o, value) if place is None else Passed(place) for o, value, place in zip(
                plan.outputs, outputs, program.renderer.returned, strict=True)]
        except Unrecordable as error:
            self.why.append(str(error))
            return self.run(passed)
        program.errors.check()
        results = [program.for_caller(o, self._kept(o, value)) for o, value in zip(plan.outputs, outputs, strict=True)]
        commit = self._commit(recorder, updates)
        if commit is not None:
            self._found[key] = Recording(recorder, noted, commit, self._whole)
            if len(self._found) > _MOST:
                self._let_go(self._found)
        self.rung = Rung.STEPS
        return results

    def _let_go(self, kept: OrderedDict[Any, Any]) -> None:
        """Forget the oldest, once nothing runs any more that uses its memory."""
        self.device.finish()
        self._remembered.clear()
        kept.popitem(last=False)

    def _noted(self, recorder: Recorder, output: Any, value: Any) -> Any:
        if not self.device.is_array(value):
            return value
        return recorder.held(value) if output.stays else recorder.result(value)

    def _kept(self, output: Any, value: Any) -> Any:
        return self.program.memory.copied(value) if output.stays and self.device.is_array(value) else _copied(value)

    def _commit(self, recorder: Recorder, updates: Sequence[Any]) -> int | None:
        """Copy new values to shared variables, and note it. Where a shape changes, nothing can be recorded: None."""
        program = self.program
        pairs = [(self._targets[u.target], value) for u, value in zip(program.plan.updates, updates, strict=True)]
        if any(recorder.values[place].shape != value.shape for place, value in pairs):
            program._commit(updates)
            return None
        may_fail = program.errors.may_fail
        over = {u.target: self._lies_over(recorder, u.target, value, may_fail)
                for u, value in zip(program.plan.updates, updates, strict=True)}
        changed = {place for place, _ in pairs}
        final = [(place, recorder.freed_of(value, changed)) for place, value in pairs]
        for (place, value), memory in zip(final, over.values(), strict=True):
            if memory is not None:
                self.device.copy(recorder.values[place], value)
                memory.place = place
        commit = len(recorder.entries)
        for (place, value), memory in zip(final, over.values(), strict=True):
            if memory is None:
                recorder.copy(recorder.values[place], value)
        return commit

    @staticmethod
    def _lies_over(recorder: Recorder, target: Any, value: Any, may_fail: bool) -> Memory | None:
        """The memory of a new value, if it may be that of the present one."""
        memory = recorder.reference(value).memory
        if memory is None or memory.over is not target or memory.result is not None:
            return None
        whole = memory.array.shape == value.shape and memory.array.strides == value.strides
        return memory if whole and (memory.guarded or not may_fail) else None

    # ---- many calls -----------------------------------------------------------------------------------------

    def many(self, rows: Sequence[tuple[Any, ...]]) -> Any:
        """The outputs of a call for each row of arguments, stacked."""
        program = self.program
        outputs: list[list[Any]] = []
        at = 0
        while at < len(rows):
            taken, found = self._together(rows[at:at + _LONGEST])
            outputs += found
            at += taken
        columns = zip(*outputs, strict=True) if program.plan.outputs else ()
        return program.packed(*[self._stacked(o, column)
                                for o, column in zip(program.plan.outputs, columns, strict=True)])

    def _stacked(self, output: Any, values: Sequence[Any]) -> Any:
        if self.device.is_array(values[0]):
            return self.device.xp.stack(list(values))
        return np.stack(values)

    def _values(self, row: tuple[Any, ...]) -> Any:
        program = self.program
        if len(row) != len(program.accept):
            raise TypeError(f"map takes {len(program.accept)} sequences, one for each input, not {len(row)}")
        return program.arguments(*map(program.accepted, program.plan.inputs, program.accept, row))

    def _together(self, rows: Sequence[tuple[Any, ...]]) -> tuple[int, list[list[Any]]]:
        """Run the first of some rows, as many as there are records for, and say how many these are."""
        known = None if self.why or self._reads_host else _hashable(rows)
        graph = self._graphs.get(known) if known is not None else None
        if graph is not None and graph.is_valid():
            self._graphs.move_to_end(known)
            return len(rows), self._run_many(graph)
        if graph is not None:
            self.device.finish()  # before it is let go
            del self._graphs[known]
            graph = None
        steps: list[tuple[Recording, Any]] = []
        launches = 0
        for row in rows:
            passed = self._values(row)
            record = None if self.why else self._found.get(self._key(passed))
            if record is None or not self._may_follow(record):
                if not steps:
                    found = self.replayed(passed)
                    return 1, [self.run(passed) if found is None else found]
                break
            launches += len(record.steps) + len(record.commits)
            if steps and launches > MOST_LAUNCHES:
                break
            steps.append((record, passed))
        if not self._no_graph:
            try:
                graph = ManyCalls(self.device, steps, self.shared)
            except (KernelError, MemoryError) as error:
                self._without_graphs(error)
        if self._no_graph or graph is None:
            return len(steps), [self._again(record, passed) for record, passed in steps]
        if known is not None and len(steps) == len(rows):
            self._graphs[known] = graph
            if len(self._graphs) > _MOST:
                self._let_go(self._graphs)
            return len(steps), self._run_many(graph)
        found_together = self._run_many(graph)
        self.device.synchronize()  # before the graph is let go
        return len(steps), found_together

    def _run_many(self, graph: ManyCalls) -> list[list[Any]]:
        """The outputs of each call of a graph."""
        may_fail = self.program.errors.may_fail
        raw = graph.launch(may_fail)
        self.rung = Rung.MANY
        if may_fail:
            self._raise(raw, graph.board)
        outputs = self.program.plan.outputs
        return [[value.of(raw, start) if isinstance(value, Result) else self._result(record, o, value, passed, raw)
                 for o, value in zip(outputs, record.outputs, strict=True)]
                for (record, passed), start in zip(graph.steps, graph.starts, strict=True)]

    def _may_follow(self, record: Recording) -> bool:
        """Whether a call can be launched without the host looking at the one before."""
        stays = any(isinstance(output, Reference) for output in record.outputs)
        return not stays and not (record.commits and self.program.errors.may_fail)


def _nothing() -> None:
    """What a reference gives to what is gone."""


def _frozen(value: Any) -> Any:
    """A host value as part of a key."""
    return (value.shape, value.tobytes()) if isinstance(value, (np.ndarray, np.generic)) else value


def _copied(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else value


def _hashable(rows: Sequence[tuple[Any, ...]]) -> Any:
    """Rows of numbers as a key; None when there is something else among them."""
    if all(isinstance(value, (int, float, np.generic)) for row in rows for value in row):
        return tuple((type(value), value) for row in rows for value in row), len(rows)
    return None
