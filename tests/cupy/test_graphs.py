"""Calls as graphs: the same bits on every rung, what differs from call to call, what bars a graph or ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy import graphs
from backends.cupy.devices.device import KernelError
from backends.cupy.devices.emulated import EmulatedGraph
from tests.cupy.common_programs import counted, device, on_device
from tests.cupy.test_recording import records_of
from tests.cupy.test_training import CASES

RNG = np.random.default_rng(0)
Built = tuple[Callable[..., Any], list[Any]]


def recurrent(steps: int = 6, rate: float | None = None) -> Built:
    """A step of training a recurrent network on one of four sequences, at a rate that is passed; and its parameters."""
    rng = np.random.default_rng(1)
    data = sg.shared(rng.normal(size=(4, steps, 2, 3)).astype("float32"))
    w, u, b = (sg.shared((rng.normal(size=s) * 0.5).astype("float32"), name=name)
               for name, s in (("w", (3, 4)), ("u", (4, 4)), ("b", 4)))
    i, x, passed = T.lscalar("i"), T.tensor3("x"), T.scalar("rate")
    states, _ = sg.scan(lambda row, h: T.tanh(T.dot(row, w) + T.dot(h, u) + b), sequences=x,
                        outputs_info=T.zeros((2, 4)))
    cost = (states[-1] ** 2).mean() + T.log(T.exp(states[-1]).sum())
    parameters = [w, u, b]
    return sg.function([i, passed] if rate is None else [i], cost, givens={x: data[i]}, updates=[
        (p, p - (passed if rate is None else np.float32(rate)) * g)
        for p, g in zip(parameters, sg.grad(cost, parameters), strict=True)]), parameters


def training(which: str) -> Callable[[], Built]:
    def build() -> Built:
        step, parameters = CASES[which]("emulated")
        return lambda i, rate: step(i), parameters

    return build


def chain(x: Any, n: int) -> Any:
    """A value that takes so many launches, each of which needs the one before."""
    for _ in range(n):
        x = T.nnet.softmax(x @ x)
    return x


# ---- the same on every rung ----------------------------------------------------------------------------------------


def run(rung: str) -> tuple[list[Any], str]:
    """Eight steps of `recurrent` on a rung: costs, then parameters; and the rung that the report tells."""
    with on_device(cuda_graph={"launches": "never", "graph": "always"}.get(rung, "auto")):
        step, parameters = recurrent()
    if rung == "step by step":
        records_of(step).why.append("asked for")
    calls = [(k % 4, np.float32(0.1 * k)) for k in range(8)]
    if rung == "graph of many calls":
        for k in range(2):  # both alignments are known then
            step(k, np.float32(0))
        costs = list(step.map(*zip(*calls, strict=True)))  # type: ignore[attr-defined]
    else:
        costs = [step(*call) for call in calls]
    return [*costs, *(p.get_value() for p in parameters)], step.report().rung  # type: ignore[attr-defined]


def test_every_rung_gives_the_same_bits() -> None:
    wanted, _ = run("step by step")
    assert len(set(map(float, wanted[:8]))) == 8
    for rung in ("step by step", "launches", "graph", "graph of many calls"):
        found, told = run(rung)
        assert told == rung
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("which", CASES)
def test_training_steps_as_graphs(which: str) -> None:
    with on_device(cuda_graph="always"):
        ours, mine = CASES[which]("emulated")
    with on_device(cuda_graph="never"):
        theirs, wanted = CASES[which]("emulated")
    for k in (0, 1, 2, 3, 4, 0, 4, 2, 4):  # the last minibatch is half as long
        np.testing.assert_array_equal(ours(k), theirs(k))
    for p, q in zip(mine, wanted, strict=True):
        np.testing.assert_array_equal(p.get_value(), q.get_value())
    assert (ours.report().rung, theirs.report().rung) == ("graph", "launches")


def test_a_step_back_through_time_is_one_graph_and_moves_a_cost() -> None:
    with on_device():
        step, _ = recurrent(12)
    for k in range(6):
        step(k % 4, 0.5)
    with counted() as done:
        step(1, 0.5)
    report = step.report()  # type: ignore[attr-defined]
    assert (report.rung, report.why) == ("graph", [])
    assert done["launches"] == report.launches > 20
    assert (done["graph_launches"], done["to_host"], done["to_device"]) == (1, 1, 0)
    assert done["allocations"] <= 1, "the sequence, turned round"
    assert done["changes"] <= 3, "those that take the sequence"
    with counted() as done:
        step(1, 0.5)
    assert done["changes"] <= 1, "nothing else differs"


# ---- what differs from call to call ----------------------------------------------------------------------------------


def test_numbers_of_every_kind_are_told_apart() -> None:
    with on_device(cuda_graph="always"):
        x, a, n = T.vector("x"), T.scalar("a"), T.lscalar("n")
        f = sg.function([x, a, n], [x * a, T.copysign(x, a), x + n])
    ones = np.ones(3, "float32")
    for a, n in ((0.0, 0), (0.0, 1), (-0.0, 1), (np.nan, 2), (np.inf, 2**40), (0.0, -1), (1e-45, -1)):
        scaled, signed, moved = f(ones, a, n)
        np.testing.assert_array_equal(scaled, np.full(3, np.float32(a)))
        np.testing.assert_array_equal(signed, np.copysign(ones, np.float32(a)))
        np.testing.assert_array_equal(moved, np.full(3, np.float32(1) + np.float32(n)))
    assert f.report().rung == "graph"


def test_arguments_that_many_launches_take_are_copied_and_others_changed() -> None:
    with on_device():
        x, y, k = T.matrix("x"), T.matrix("y"), T.scalar("k")
        z = x
        for _ in range(6):
            z = T.nnet.softmax(z @ z + x)
        f = sg.function([x, y, k], z @ y + k)
    xs = [device().to_device(RNG.normal(size=(5, 5)).astype("float32")) for _ in range(3)]
    for n in (0, 1, 0, 2, 1):
        wanted = xs[n].get()
        for _ in range(6):
            e = np.exp(wanted @ wanted + xs[n].get())
            wanted = e / e.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(f(xs[n], xs[-n], n), wanted @ xs[-n].get() + n, rtol=1e-4, atol=1e-5)
    with counted() as done:
        f(xs[2], xs[1], 0)
    assert (f.report().rung, done["allocations"], done["graph_launches"]) == ("graph", 0, 1)
    assert 0 < done["changes"] <= 2


def test_strided_arguments_are_not_copied() -> None:
    with on_device():
        x = T.matrix("x")
        z = x
        for _ in range(8):
            z = T.nnet.softmax(z @ z + x)
        f = sg.function([x], z)
    whole = device().to_device(RNG.normal(size=(8, 9)).astype("float32"))
    for view in (whole[::2, 1:5], whole[:4, 1:5].T, whole[1::2, 1:5], whole[1:5, 1:5].T):
        for _ in range(2):
            wanted = view.get()
            for _ in range(8):
                e = np.exp(wanted @ wanted + view.get())
                wanted = e / e.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(f(view), wanted, rtol=1e-4)
        assert f.report().rung == "graph"


def test_arguments_of_library_calls_are_copied_if_that_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_device(cuda_graph="always"):
        x, w = T.matrix("x"), sg.shared(RNG.normal(size=(2048, 1024)).astype("float32"))
        f = sg.function([x], (x @ w).sum(axis=1))
    xs = [device().to_device(RNG.normal(size=(64, 2048)).astype("float32")) for _ in range(2)]
    wanted = [(x.get() @ w.get_value()).sum(axis=1) for x in xs]
    for k in (0, 1, 0, 1):
        np.testing.assert_allclose(f(xs[k]), wanted[k], rtol=1e-3, atol=1e-1)
    assert f.report().rung == "graph"
    assert all(record.pinned for record in records_of(f)._found.values())
    monkeypatch.setattr(graphs, "MOST_COPIED", 1000)
    f.free()
    for k in (0, 1, 0):
        np.testing.assert_allclose(f(xs[k]), wanted[k], rtol=1e-3, atol=1e-1)
    report = f.report()
    assert (report.rung, len(report.why)) == ("launches", 1)
    assert "524288 bytes goes to a library" in report.why[0]


def test_results_that_stay_are_the_callers() -> None:
    with on_device(cuda_graph="always"):
        x, total = T.matrix("x"), sg.shared(np.zeros((4, 4), "float32"))
        f = sg.function([x], [sg.Out(chain(x, 3), device=True), total.sum()], updates=[(total, total + x)])
    values = [RNG.normal(size=(4, 4)).astype("float32") for _ in range(4)]
    kept = [f(value)[0] for value in values]
    assert f.report().rung == "graph"
    for value, found in zip(values, kept, strict=True):
        wanted = value
        for _ in range(3):
            e = np.exp(wanted @ wanted)
            wanted = e / e.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.get(), wanted, rtol=1e-4)
    np.testing.assert_allclose(total.get_value(), sum(values), rtol=1e-5)


def test_an_index_out_of_range_in_a_graph_updates_nothing() -> None:
    with on_device(cuda_graph="always"):
        i, table = T.ivector("i"), sg.shared(np.arange(12, dtype="float32").reshape(4, 3))
        total = sg.shared(np.zeros(3, "float32"))
        f = sg.function([i], table[i].sum(), updates=[(total, total + table[i].sum(axis=0)), (table, table * 1)])
    good, bad = np.array([0, 3, -4], "int32"), np.array([0, 4, 1], "int32")
    rows = table.get_value()
    for k in range(1, 4):
        assert f(good) == rows[[0, 3, 0]].sum()
        with pytest.raises(IndexError, match=r"index 4 is out of bounds"):
            f(bad)
        np.testing.assert_allclose(total.get_value(), k * rows[[0, 3, 0]].sum(0))
    assert f.report().rung == "graph"


# ---- when there is one --------------------------------------------------------------------------------------------


def test_few_launches_are_no_graph_unless_asked_for() -> None:
    told = {}
    for wanted in ("auto", "always", "never"):
        with on_device(cuda_graph=wanted):
            x = T.matrix("x")
            short, long = sg.function([x], chain(x, 1)), sg.function([x], chain(x, 8))
        for f in (short, long):
            f(np.eye(3, dtype="float32")), f(np.eye(3, dtype="float32"))
            told[wanted, f is long] = f.report()
    assert {key: report.rung for key, report in told.items()} == {
        ("auto", False): "launches", ("auto", True): "graph", ("always", False): "graph", ("always", True): "graph",
        ("never", False): "launches", ("never", True): "launches"}
    assert "too few for a graph" in told["auto", False].why[0]
    assert told["never", True].why == ["cuda_graph=never"]
    assert "no graph, because: cuda_graph=never" in str(told["never", True])
    assert told["auto", True].why == []


def test_never_is_never_for_many_calls_too() -> None:
    with on_device(cuda_graph="never"):
        i, total = T.lscalar("i"), sg.shared(np.float32(0))
        f = sg.function([i], total, updates=[(total, total + i)])
    for _ in range(2):
        total.set_value(np.float32(0))
        with counted() as done:
            np.testing.assert_array_equal(f.map(range(4)), [0, 0, 1, 3])
        assert done["graph_launches"] == 0
    assert f.report().rung == "launches"


def test_where_every_launch_is_waited_for_there_is_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device(), "waits_for_each", True)
    with on_device(cuda_graph="always"):
        x = T.vector("x")
        f = sg.function([x], T.exp(x))
    f(np.ones(3, "float32")), f(np.ones(3, "float32"))
    assert f.report().rung == "launches"
    assert "SYMGRAPH_CUDA_SYNC" in f.report().why[0]


def test_a_graph_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MOST_LAUNCHES", 5)
    monkeypatch.setattr("backends.cupy.records.MOST_LAUNCHES", 5)
    with on_device():
        x, total = T.matrix("x"), sg.shared(np.zeros((3, 3), "float32"))
        long = sg.function([x], chain(x, 8))
        short = sg.function([x], total.sum(), updates=[(total, total + x)])
    value = np.eye(3, dtype="float32")
    long(value), long(value), short(value)
    assert "more than a graph should have" in long.report().why[0]
    with counted() as done:
        np.testing.assert_array_equal(short.map([value] * 11), 3.0 + 3 * np.arange(11))
    assert done["graph_launches"] == 6, "two calls, each of a launch and a copy, in all but the last"


# ---- what ends it -------------------------------------------------------------------------------------------------


def failing(at: str) -> Any:
    """A device on which something about graphs fails, after half of it was done."""
    capture = device().capture

    @contextmanager
    def half(changing: Any = ()) -> Iterator[Any]:
        with capture(changing) as graph:
            yield graph
            raise KernelError("the capture is void")

    def refuse(self: Any, *_: Any) -> None:
        raise KernelError(f"no {at}")

    return (device(), "capture", half) if at == "capture" else (EmulatedGraph, at, refuse)


@pytest.mark.parametrize("at", ["capture", "launch", "change"])
def test_where_a_graph_fails_calls_go_on_launch_by_launch(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_device(cuda_graph="always"):
        x, w = T.matrix("x"), sg.shared(np.zeros((3, 3), "float32"))
        f = sg.function([x], chain(x, 4).sum(), updates=[(w, w + x)], name="four")
    values = [device().to_device(np.full((3, 3), k, "float32")) for k in range(5)]
    f(values[0])
    if at == "change":
        f(values[1]), f(values[2])
        assert f.report().rung == "graph"
        w.set_value(np.zeros((3, 3), "float32"))
    monkeypatch.setattr(*failing(at))
    with pytest.warns(UserWarning, match=rf"four'?: calls are launched one by one.*({at}|void)") as told:
        f(values[1])
    for k in range(2, 5):
        assert f(values[k]) == pytest.approx(3)
    assert len(told) == 1
    np.testing.assert_array_equal(w.get_value(), np.full((3, 3), 10))
    report = f.report()
    assert (report.rung, report.launches) == ("launches", report.launches)
    assert {"capture": "void"}.get(at, at) in report.why[0]
    np.testing.assert_allclose(f.map([v.get() for v in values]), 3, rtol=1e-5)
    np.testing.assert_array_equal(w.get_value(), np.full((3, 3), 20))


def test_values_that_have_moved_are_captured_anew() -> None:
    """Copied at the end, so that a graph holds where they are."""
    with on_device(cuda_graph="always"):
        v, w = (sg.shared(RNG.normal(size=(3, 3)).astype("float32"), name=name) for name in "vw")
        f = sg.function([], (v @ w).sum(), updates=[(v, w), (w, v)])
    first = v.get_value(), w.get_value()
    for k in range(9):
        if k in (3, 6):
            for shared in (v, w):
                shared.set_value(np.ones((5, 5), "float32"))
            assert f() == 125
            for shared, value in zip((v, w), first, strict=True):
                shared.set_value(value)
        a, b = first[::-1] if k % 3 % 2 else first
        np.testing.assert_array_equal([v.get_value(), w.get_value()], [a, b])
        np.testing.assert_allclose(f(), (a @ b).sum(), rtol=1e-5)
    assert all(record.pinned for record in records_of(f)._found.values())
    assert f.report().rung == "graph"


def test_values_that_move_all_the_time_end_it_and_are_named() -> None:
    with on_device(cuda_graph="always"):
        w, v = sg.shared(np.ones(3, "float32"), name="restless"), sg.shared(np.ones(3, "float32"), name="still")
        f = sg.function([], (w * v).sum(), updates=[(v, v + 1)])

    def move(value: float) -> None:
        w.set_value(np.ones(4, "float32"))
        w.set_value(np.full(3, value, "float32"))

    f(), f()
    for k in range(2):
        move(2.0)
        assert f() == 6 * (k + 3)
    move(1.0)
    with pytest.warns(UserWarning, match="restless has moved 3 times within 100 calls"):
        assert f() == 15
    assert f() == 18
    assert f.report().rung == "launches"
    assert "restless" in f.report().why[0]


def test_what_decides_on_the_host_stays_step_by_step() -> None:
    with on_device(cuda_graph="always"):
        x = T.vector("x")
        until, _ = sg.scan(lambda v: (v * 2, sg.scan_module.until(v.sum() > 20)), outputs_info=x, n_steps=9)
        f = sg.function([x], until[-1])
    for _ in range(3):
        np.testing.assert_array_equal(f(np.ones(3, "float32")), np.full(3, 16))
    report = f.report()
    assert report.rung == "step by step"
    assert "condition of a loop" in report.why[0]
