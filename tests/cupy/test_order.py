"""Several streams: the emulated ones show a missing event, and functions that share values are ordered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.cupy import backend_on
from backends.cupy.devices.device import KernelError
from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.order import Order, Turn
from tests.cupy.common_programs import device, on_device
from tests.cupy.test_device import SCALE, launch_scale

N = 8


# ---- the emulated streams --------------------------------------------------------------------------------------------


def test_a_stream_puts_off_what_it_is_given_and_keeps_the_order() -> None:
    device = EmulatedDevice(checked=True)
    x, y = device.to_device(np.ones(N, np.float32)), device.to_device(np.zeros(N, np.float32))
    with device.new_stream() as stream:
        launch_scale(device, y, x, 2.0)
        launch_scale(device, y, y, 3.0)
        assert (device.counts.launches, len(stream)) == (0, 2)
        np.testing.assert_array_equal(device.to_host(y), np.full(N, 6.0))
        device.copy(x, y)
        device.to_device(np.full(N, 7.0, np.float32), y)
    assert len(stream) == 2
    device.finish()
    np.testing.assert_array_equal(device.to_host(x), np.full(N, 6.0))
    np.testing.assert_array_equal(device.to_host(y), np.full(N, 7.0))


def test_what_is_put_off_has_the_arguments_that_it_was_given() -> None:
    device = EmulatedDevice(checked=True)
    x, y, host = device.to_device(np.ones(N, np.float32)), device.empty((N,), np.float32), np.ones(N, np.float32)
    kernel, = device.load(SCALE, ["scale"])
    bound = device.bind(kernel, (1, 1, 1), (32, 1, 1), 0, [y, x, np.float32(2), np.int32(N)])
    with device.new_stream():
        device.to_device(host, x)
        bound()
        bound.arguments[2].value, host[:] = 5.0, 9.0
        np.testing.assert_array_equal(device.to_host(y), np.full(N, 2.0))
        with device.capture([bound]) as graph:
            bound()
        graph.launch()
        bound.arguments[2].value = 3.0
        graph.change(bound)
        np.testing.assert_array_equal(device.to_host(y), np.full(N, 5.0))
        graph.launch()
        np.testing.assert_array_equal(device.to_host(y), np.full(N, 3.0))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("hazard", ["read after write", "write after read", "write after write"])
def test_a_missing_event_shows(hazard: str, ordered: bool) -> None:
    device = EmulatedDevice(checked=True)
    x, y, z = (device.to_device(np.full(N, k, np.float32)) for k in (1, 2, 3))
    first, second = device.new_stream(), device.new_stream()
    with first:
        launch_scale(device, *((z, y) if hazard == "write after read" else (y, x)), 10.0)
        event = device.record()
    with second:
        if ordered:
            device.wait(event)
        launch_scale(device, *((z, y) if hazard == "read after write" else (y, x)), 5.0)
        device.synchronize()
    device.finish()
    found = device.to_host(y)[0], device.to_host(z)[0]
    right = {"read after write": (10, 50), "write after read": (5, 20), "write after write": (5, 3)}[hazard]
    wrong = {"read after write": (10, 10), "write after read": (5, 50), "write after write": (10, 3)}[hazard]
    assert found == (right if ordered else wrong)


def test_events_of_the_first_stream_have_happened_and_it_waits_for_others() -> None:
    device = EmulatedDevice(checked=True)
    x, y = device.to_device(np.ones(N, np.float32)), device.to_device(np.zeros(N, np.float32))
    early = device.record()
    with device.new_stream():
        device.wait(early)
        launch_scale(device, y, x, 2.0)
        event = device.record()
    np.testing.assert_array_equal(device.to_host(y), np.zeros(N))
    device.wait(event)
    np.testing.assert_array_equal(device.to_host(y), np.full(N, 2.0))


def test_memory_is_freed_in_the_order_of_its_stream() -> None:
    device = EmulatedDevice(checked=True)
    y = device.empty((N,), np.float32)
    with device.new_stream():
        for k in range(3):
            x = device.to_device(np.full(N, k, np.float32))
            launch_scale(device, y, x, 2.0)
            del x
        np.testing.assert_array_equal(device.to_host(y), np.full(N, 4.0))


@pytest.mark.parametrize("what", ["record", "wait", "finish", "stream"])
def test_what_of_streams_a_capture_forbids(what: str) -> None:
    device = EmulatedDevice(checked=True)
    event, stream = device.record(), device.new_stream()
    forbidden = {"record": device.record, "wait": lambda: device.wait(event), "finish": device.finish,
                 "stream": stream.__enter__}[what]
    with pytest.raises(KernelError, match="not permitted while a graph is captured"), device.capture():
        forbidden()
    assert device.stream is None


def test_another_thread_goes_on_while_one_captures() -> None:
    device = EmulatedDevice(checked=True)
    x, y, z = (device.to_device(np.ones(N, np.float32)) for _ in range(3))
    with device.capture() as graph:
        launch_scale(device, y, x, 2.0)
        other = threading.Thread(target=lambda: launch_scale(device, z, x, 3.0))
        other.start()
        other.join()
    assert len(graph) == 1
    np.testing.assert_array_equal(device.to_host(z), np.full(N, 3.0))
    np.testing.assert_array_equal(device.to_host(y), np.ones(N))


# ---- functions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def streams() -> Iterator[list[Any]]:
    """Three streams of the device that functions run on; afterwards it is as if there had been none."""
    order = backend_on("emulated").memory.order
    made = [device().new_stream() for _ in range(3)]
    order.__init__(device())  # type: ignore[misc]
    yield made
    device().finish()
    device()._streams.clear()
    order.__init__(device())  # type: ignore[misc]


Pair = tuple[Callable[[], Any], Callable[[], Any], Any]


def pair(graph: str) -> Pair:
    """A function that doubles a matrix and adds 1, one that returns its sum, and the matrix."""
    with on_device(cuda_graph=graph):
        w = sg.shared(np.ones((3, 3), "float32"), name="w")
        grow = sg.function([], [], updates=[(w, 2 * w + 1)])
        look = sg.function([], sg.Out(w.sum() * 1, device=True))
    for f in (grow, look):
        f(), f()
    w.set_value(np.ones((3, 3), "float32"))
    return grow, look, w


@pytest.mark.parametrize("graph", ["always", "never"])
@pytest.mark.parametrize("ordered", [True, False])
def test_functions_that_share_a_value_are_ordered(graph: str, ordered: bool, streams: list[Any],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    grow, look, w = pair(graph)
    if not ordered:
        monkeypatch.setattr(Order, "before", lambda *_: None)
        monkeypatch.setattr(Turn, "__enter__", lambda *_: None)
    a, b, c = streams
    sums = []
    for turn in range(4):
        with (a, b, a, c)[turn]:
            grow()
        for other in (b, c):
            with other:
                sums.append(look())
    with c:
        found = [float(np.asarray(value.get())) for value in sums]
        last = w.get_value()
    wanted = [9.0 * k for k in (3, 3, 7, 7, 15, 15, 31, 31)]
    device().finish()
    if ordered:
        assert found == wanted
        np.testing.assert_array_equal(last, np.full((3, 3), 31.0))
    else:
        assert found != wanted, "the streams show what is missing"


def test_set_value_and_get_value_wait_too(streams: list[Any]) -> None:
    grow, look, w = pair("auto")
    a, b, c = streams
    with a:
        grow()
    with b:
        before = look()
        w.set_value(np.full((3, 3), 10, "float32"))
    with c:
        grow()
    with a:
        np.testing.assert_array_equal(w.get_value(), np.full((3, 3), 21.0))
        after = look()
        w.zero()
    with b:
        np.testing.assert_array_equal(w.get_value(borrow=True, return_internal_type=True).get(), np.zeros((3, 3)))
        assert before.get() == 27
    with c:
        w.set_value(np.ones((2, 2), "float32"))
    with a:
        grow()
        assert after.get() == 189
    with b:
        np.testing.assert_array_equal(w.get_value(), np.full((2, 2), 3.0))


def test_one_function_on_several_streams(streams: list[Any]) -> None:
    """Its own memory is one stream's at a time."""
    with on_device(cuda_graph="always"):
        x = T.matrix("x")
        f = sg.function([x], sg.Out(T.nnet.softmax(x @ x) @ x, device=True))
    values = [device().to_device(np.random.default_rng(k).normal(size=(4, 4)).astype("float32")) for k in range(6)]
    wanted = [f(value).get() for value in values]
    device().finish()
    found = []
    for k, value in enumerate(values):
        with streams[k % 3]:
            found.append(f(value))
    for k in (5, 3, 4, 1, 2, 0):
        with streams[k % 3]:
            np.testing.assert_array_equal(found[k].get(), wanted[k])


def test_training_on_changing_streams(streams: list[Any]) -> None:
    from tests.cupy.test_graphs import recurrent

    runs = []
    for places in ([0], [0, 1], [2, 0, 1, 1]):
        with on_device():
            step, parameters = recurrent(3)
        costs = []
        for k in range(8):
            with streams[places[k % len(places)]]:
                costs.append(np.asarray(step(k % 4, 0.3)))
        with streams[places[0]]:
            costs += list(step.map([0, 1, 2], [0.1, 0.2, 0.3]))  # type: ignore[attr-defined]
        runs.append([*costs, *(p.get_value() for p in parameters)])
    for run in runs[1:]:
        for a, b in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_threads_with_streams_of_their_own(streams: list[Any]) -> None:
    with on_device(cuda_graph="always"):
        total, x = sg.shared(np.zeros(4, "float32")), T.vector("x")
        add = sg.function([x], sg.Out(total * 1, device=True), updates=[(total, total + x)])
        double = sg.function([x], [], updates=[(total, total + 2 * x)])
    seen: list[list[float]] = [[], [], []]

    def work(k: int) -> None:
        with streams[k]:
            for _ in range(6):
                kept = add(np.full(4, 1, "float32"))
                double(np.full(4, 1, "float32"))
                seen[k].append(float(kept.get()[0]))

    workers = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with streams[0]:
        np.testing.assert_array_equal(total.get_value(), np.full(4, 54))
    for found in seen:
        assert found == sorted(set(found)), "each thread sees what it has added"
    assert len({value for found in seen for value in found}) == 18


def test_there_are_no_events_as_long_as_there_is_one_stream(streams: list[Any],
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for name in ("record", "wait", "finish"):
        was = getattr(device(), name)
        monkeypatch.setattr(device(), name, lambda *args, was=was, name=name: (made.append(name), was(*args))[1])
    a, b, _ = streams
    with a:
        grow, look, w = pair("auto")
        for _ in range(3):
            grow(), look(), w.get_value()
    assert made == []
    for _ in range(2):  # who has gone to another stream for good is soon left alone
        with b:
            for _ in range(3):
                grow(), look(), w.get_value()
        assert made == ["finish"], "what was given to the first stream is waited for"
    with a:
        grow(), grow()
    assert made == ["finish", "finish"]
    with b:
        look(), look()
    assert made[2:] == ["finish", "record", "record"], "there are several"
    with a:
        grow()
    assert made[5:] == ["wait", "record"]


def test_a_stream_that_is_met_while_another_is_used(streams: list[Any]) -> None:
    """By another thread: what both have done until then is waited for, and nothing is unnoted."""
    order = backend_on("emulated").memory.order
    mine, other = (sg.shared(np.float32(0), target="emulated") for _ in range(2))
    turns = [Turn(order, [], [v.container]) for v in (mine, other)]
    a, b, _ = streams

    def between() -> None:
        with b, turns[1]:
            device().copy(other.container.value, device().to_device(np.float32(5)))

    with a:
        with turns[0]:
            thread = threading.Thread(target=between)
            thread.start()
            thread.join()
            assert (order.only, order.several) == (b, False)
            device().copy(mine.container.value, device().to_device(np.float32(4)))
        assert order.several
        assert other.get_value() == 5
    with b:
        assert mine.get_value() == 4


def test_uses_of_values_that_are_gone_are_forgotten(streams: list[Any]) -> None:
    order = backend_on("emulated").memory.order
    for stream in (*streams, streams[0]):
        with stream:
            _, look, w = pair("auto")
            look()
    assert order._uses
    with streams[0]:
        before = len(order._uses)
        kept = [sg.shared(np.ones(3, "float32"), target="emulated") for _ in range(5)]
        assert len(order._uses) == before + 5
        del kept
        assert len(order._uses) == before
    del look, w
