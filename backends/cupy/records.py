"""The rungs on which a program's calls are run: at once, step by step; recorded; many calls as one graph.

The first call for arguments of certain lengths runs step by step and is recorded as it runs, so that nothing is done
twice. Later ones replay the record. What cannot be recorded, because the host decides something in between or a library
allocates its own memory, stays on the first rung, and `Report.why` says so.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.cupy.devices.device import KernelError
from backends.cupy.recording import WORD, Memory, Passed, Recorder, Reference, Result, Unrecordable
from backends.cupy.replay import Recording

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
    """

    def __init__(self, program: CupyProgram) -> None:
        self.program, self.device = program, program.device
        renderer = program.renderer
        self.why: list[str] = list(dict.fromkeys(renderer.direct))
        self.rung = "step by step"
        self._fixed = [name in renderer.fixed for name in renderer.passed]
        self._arrays = [name in renderer.roots for name in renderer.passed]
        self._targets = renderer.targets
        self._found: OrderedDict[Any, Recording] = OrderedDict()
        self._graphs: OrderedDict[Any, _Graph] = OrderedDict()
        self._no_graph = False  # whether capturing one has failed
        used = dict.fromkeys([*program.plan.shared, *(u.target for u in program.plan.updates)])
        self.shared = [variable for variable in used if variable.device != "cpu"]
        self._reads_host = len(self.shared) < len(used)
        if any(u.target.device == "cpu" for u in program.plan.updates):
            self.why.append("a shared variable in host memory is updated")

    def free(self) -> None:
        """Forget all records, and the memory they hold."""
        self._found.clear()
        self._graphs.clear()

    @property
    def arena(self) -> int:
        """The bytes of all arenas."""
        return sum(record.bytes for record in self._found.values())

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
            self.rung = "step by step"
            return [program.for_caller(o, value)
                    for o, value in zip(program.plan.outputs, program.computed(passed), strict=True)]
        return self._first(self._key(passed), passed)

    def replayed(self, passed: Sequence[Any]) -> list[Any] | None:
        """The same where there is a record; else None."""
        if self.why:
            return None
        key = self._key(passed)
        record = self._found.get(key)
        if record is None:
            return None
        self._found.move_to_end(key)
        self.rung = "recorded"
        return self._again(record, passed)

    def _key(self, passed: Sequence[Any]) -> Any:
        """What a record holds for: the layouts of arrays, and numbers that lengths and places within depend on."""
        address = self.device.address
        return tuple([
            (value.shape, value.strides, address(value) % 16 == 0) if array
            else (_frozen(value) if fixed else None)
            for value, array, fixed in zip(passed, self._arrays, self._fixed, strict=True)])

    def _again(self, record: Recording, passed: Sequence[Any]) -> list[Any]:
        record.launch(passed)
        may_fail = self.program.errors.may_fail
        raw = None
        if record.commits:
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

    def _result(self, record: Recording, output: Any, value: Any, passed: Sequence[Any], raw: Any) -> Any:
        if isinstance(value, Result):
            return value.of(raw)
        if isinstance(value, Reference):
            return self.program.memory.copy(record.array(value, passed, record.board, WORD))
        if isinstance(value, Passed):
            value = passed[value.place]
        return self.program.for_caller(output, _copied(value))

    def _check(self, record: Recording) -> None:
        self._raise(self.device.to_host(record.board[:WORD]), record.board)

    def _raise(self, raw: Any, board: Any) -> None:
        """Raise for what kernels noted in the error word, which is cleared for the next call."""
        word = raw[:24].view(np.int64)
        if word[0]:
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
            self._found[key] = Recording(recorder, noted, commit)
            self.rung = "recorded"
            if len(self._found) > _MOST:
                self._found.popitem(last=False)
        return results

    def _noted(self, recorder: Recorder, output: Any, value: Any) -> Any:
        if not self.device.is_array(value):
            return value
        return recorder.held(value) if output.stays else recorder.result(value)

    def _kept(self, output: Any, value: Any) -> Any:
        return self.program.memory.copy(value) if output.stays and self.device.is_array(value) else _copied(value)

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
            return len(rows), graph.run(self)
        steps: list[tuple[Recording, Any]] = []
        for row in rows:
            passed = self._values(row)
            record = None if self.why else self._found.get(self._key(passed))
            if record is None or not self._may_follow(record):
                if not steps:
                    found = self.replayed(passed)
                    return 1, [self.run(passed) if found is None else found]
                break
            steps.append((record, passed))
        if self._no_graph:
            return len(steps), [self._again(record, passed) for record, passed in steps]
        try:
            graph = _Graph(self, steps)
        except KernelError as error:
            self._no_graph = True
            warnings.warn(f"{self.program.renderer.title}: many calls are launched one by one, because no graph could "
                          f"be captured: {error}", stacklevel=2)
            return len(steps), [self._again(record, passed) for record, passed in steps]
        if known is not None and len(steps) == len(rows):
            self._graphs[known] = graph
            if len(self._graphs) > _MOST:
                self._graphs.popitem(last=False)
        return len(steps), graph.run(self)

    def _may_follow(self, record: Recording) -> bool:
        """Whether a call can be launched without the host looking at the one before."""
        stays = any(isinstance(output, Reference) for output in record.outputs)
        return not stays and not (record.commits and self.program.errors.may_fail)


class _Graph:
    """Many calls, captured as one graph."""

    def __init__(self, records: Records, steps: Sequence[tuple[Recording, Any]]) -> None:
        device = records.device
        self.steps = list(steps)  # keeps what is passed alive
        self.starts: list[int] = []
        total = WORD
        for record, _ in self.steps:
            self.starts.append(total)
            total += record.result_bytes
        self.board = device.to_device(np.zeros(total, np.uint8))
        self.values = [(v.container, v.container.value) for v in records.shared]
        with device.capture() as self.graph:
            for (record, passed), start in zip(self.steps, self.starts, strict=True):
                record.launch(passed, self.board, start)
                record.commit(passed, self.board, start)

    def is_valid(self) -> bool:
        """Whether shared values lie where they lay."""
        return all(storage.value is value for storage, value in self.values)

    def run(self, records: Records) -> list[list[Any]]:
        """Launch it, and fetch all results at once."""
        self.graph.launch()
        records.rung = "graph"
        outputs = records.program.plan.outputs
        for_host = any(record.for_host for record, _ in self.steps)
        raw: Any = None
        if for_host or records.program.errors.may_fail:
            raw = records.device.to_host(self.board if for_host else self.board[:WORD])
            records._raise(raw, self.board)
        return [[value.of(raw, start) if isinstance(value, Result) else records._result(record, o, value, passed, raw)
                 for o, value in zip(outputs, record.outputs, strict=True)]
                for (record, passed), start in zip(self.steps, self.starts, strict=True)]


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
