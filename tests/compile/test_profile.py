"""Profiles: everything is counted once, in the right place, in threads, tiles and all modes; results are the same."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy.blas import Product
from symgraph.compile.profile import Laps, Profile
from symgraph.config import config

RNG = np.random.default_rng(3)
MODES = ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode", "NanGuardMode"]


def training(profile: bool, mode: Any = None) -> tuple[Any, Any]:
    x, t = T.matrix("x"), T.ivector("t")
    w = sg.shared(np.zeros((20, 4)), name="w")
    p = T.nnet.softmax(x @ w)
    cost = -T.mean(T.log(p)[T.arange(t.shape[0]), t])
    step = sg.function([x, t], [cost, p], updates=[(w, w - 0.1 * sg.grad(cost, w))], profile=profile, mode=mode,
                       name="train")
    return step, w


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [30, 40_000])
def test_a_profiled_function_gives_the_same(mode: Any, rows: int) -> None:
    if rows > 100 and mode != "FAST_RUN":
        rows = 2_000
    args = RNG.normal(size=(rows, 20)), RNG.integers(0, 4, rows, dtype="int32")
    plain, w = training(False, mode)
    profiled, v = training(True, mode)
    for _ in range(3):
        for a, b in zip(plain(*args), profiled(*args), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(w.get_value(), v.get_value())
    assert profiled.profile.calls == profiled.calls == profiled.profile.finished == 3
    assert [line.count for line in profiled.profile.steps()] == [3] * len(profiled.plan.steps)


@pytest.mark.parametrize("mode", MODES)
def test_times_add_up(mode: Any) -> None:
    f, _ = training(True, mode)
    args = RNG.normal(size=(3000, 20)), RNG.integers(0, 4, 3000, dtype="int32")
    for _ in range(3):
        f(*args)
    profile = f.profile
    steps = sum(line.seconds for line in profile.steps())
    assert 0 < steps <= profile.seconds == f.seconds
    for grouped in (profile.by_op(), profile.by_class(), profile.by_line()):
        assert sum(line.seconds for line in grouped) == pytest.approx(steps)
        assert sum(line.count for line in grouped) == 3 * len(f.plan.steps)
        assert [line.seconds for line in grouped] == sorted((line.seconds for line in grouped), reverse=True)
    assert all(line.seconds >= 0 for line in profile.steps())
    assert steps + sum(line.seconds for line in profile.rest()) == pytest.approx(profile.seconds)
    shares = sum(line.share for line in [*profile.steps(), *profile.rest()])
    assert shares == pytest.approx(1)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_kernel_runs_in_tiles_and_its_steps_share_its_time(threads: int) -> None:
    a, b = T.vectors("a", "b")
    f = sg.function([a, b], T.sum(T.tanh(a * b + 1) * T.exp(-b * b)), profile=True)
    values = RNG.normal(size=1_500_000)
    with config.change_flags(threads=threads):
        f(values, values)
    assert "run_tiles" in f.source
    lines = f.profile.steps()
    assert [line.tiled for line in lines] == [1 if line.step.kernel is not None else 0 for line in lines]
    assert any(line.tiled for line in lines)
    tanh = next(line for line in lines if str(line.step.node.op) == "tanh")
    assert tanh.seconds > max(line.seconds for line in lines if str(line.step.node.op) in ("add", "neg"))
    assert "ran in tiles" in f.profile.summary()
    assert sum(line.seconds for line in lines) <= f.profile.seconds


def test_small_arrays_run_no_tiles() -> None:
    a = T.vector("a")
    f = sg.function([a], T.sum(T.tanh(a + 1)), profile=True)
    f(np.ones(5))
    assert not any(line.tiled for line in f.profile.steps())
    assert "tiles" not in f.profile.summary()


def test_products_over_shared_values_get_their_share_of_the_commit() -> None:
    x, d = T.matrices("x", "d")
    w, v = sg.shared(np.zeros((300, 200))), sg.shared(np.zeros((3, 2)))
    f = sg.function([x, d], [], updates=[(w, w - 0.1 * x.T @ d), (v, v - 0.1 * x[:, :3].T @ d[:, :2])], profile=True)
    assert any(step.commits for step in f.plan.steps)
    f(np.ones((400, 300)), np.ones((400, 200)))
    large, small = (line.seconds for line in f.profile.steps() if line.step.commits)
    assert large > 10 * small > 0
    laps = Laps(None, 4)
    made = [Product(print, np.ones((6, 5)), 0.1, np.ones((6, n)), np.ones((n, 5)), 1.0) for n in (20, 10)]
    laps.last -= 3.0
    laps.products([(0, made[0]), (2, made[1]), (3, np.ones(3))])
    assert laps.seconds[0] == pytest.approx(2 * laps.seconds[2])
    assert laps.seconds[1] == laps.seconds[3] == 0
    assert sum(laps.seconds) == pytest.approx(3.0, rel=0.01)


def test_loops_at_the_commit_get_their_share() -> None:
    w, s = sg.shared(np.zeros((500, 400))), sg.shared(np.ones((500, 400)))
    g = T.matrix("g")
    new = 0.9 * s + 0.1 * g**2
    f = sg.function([g], [], updates=[(s, new), (w, w - 0.1 * g / T.sqrt(new + 1e-6))], profile=True)
    for _ in range(2):
        f(np.ones((500, 400)))
    np.testing.assert_allclose(s.get_value(), 1.0)
    assert all(line.seconds > 0 for line in f.profile.steps())
    assert sum(line.seconds for line in f.profile.steps()) <= f.profile.seconds
    laps = Laps(None, 5)
    for spent in ((1.0, 3.0, 0.0), (2.0, 1.0, 0.0), (0.0, 0.0, 0.5)):
        laps.thread().seconds[1:4] = spent
    laps.last -= 6.0
    laps.products([])
    assert laps.seconds[1:4] == pytest.approx([4 * 3 / 7, 4 * 4 / 7, 0.5], rel=0.01)
    laps(4)
    assert laps.seconds[4] == pytest.approx(1.5, rel=0.01)


def test_a_loop_is_shared_as_its_threads_spent() -> None:
    laps = Laps(None, 5)
    for spent in ((1.0, 3.0), (2.0, 2.0)):
        laps.thread().seconds[1:3] = spent
    laps.last -= 2.0
    laps.join(1, 2)
    assert laps.seconds[1:3] == pytest.approx([0.75, 1.25], rel=0.01)
    assert (laps.seconds[0], laps.seconds[3]) == (0, 0)
    assert laps.tiled == [1, 2]
    laps.join(3, 4)  # the clock did not move in it
    assert laps.seconds[3] >= 0


def test_calls_from_many_threads_are_all_counted() -> None:
    x = T.vector("x")
    f = sg.function([x], T.exp(x) @ T.exp(x), profile=True)

    def work() -> None:
        for _ in range(200):
            f(np.ones(3))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert f.profile.calls == f.profile.finished == 1200
    assert {line.count for line in f.profile.steps()} == {1200}


def test_calls_that_fail_count_but_have_no_steps() -> None:
    x, y = T.vectors("x", "y")
    f = sg.function([x, y], T.exp(x) + y, profile=True)
    f(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="do not fit"):
        f(np.ones(2), np.ones(3))
    with pytest.raises(TypeError):
        f(np.ones(2))
    assert (f.profile.calls, f.profile.finished) == (3, 1)


def test_an_unprofiled_function_has_nothing_of_it() -> None:
    plain, _ = training(False)
    profiled, _ = training(True)
    assert plain.profile is None
    assert (plain.calls, plain.seconds) == (0, 0.0)
    assert "lap" not in plain.source
    assert "lap" in profiled.source


def test_the_program_is_that_of_an_unprofiled_function() -> None:
    """But for readings of the clock, and for results that are named before the commit."""
    def lines(f: Any) -> list[str]:
        return [line.partition("#")[0].replace(", lap", "").replace(", call", "").strip()
                for line in f.source.splitlines() if not line.strip().startswith("lap")]

    x = T.matrix("x")
    outputs = [T.tanh(x * 2) * T.exp(x), T.exp(x @ x).sum(axis=1)]
    assert lines(sg.function([x], outputs, profile=True)) == lines(sg.function([x], outputs, profile=False))


def test_compiling_and_rewrites() -> None:
    f, _ = training(True)
    assert list(f.profile.compile_seconds) == ["graph", "rewrites", "plan", "source"]
    assert f.profile.compile_seconds == f.compile_seconds
    assert sum(f.profile.rewrites.values()) == len(f.fired)
    assert set(f.profile.rewrites) == {fired.rule for fired in f.fired}
    counts = list(f.profile.rewrites.values())
    assert counts == sorted(counts, reverse=True)


def test_the_summary() -> None:
    f, _ = training(True)
    assert "0 calls" in f.profile.summary()
    args = np.ones((6, 20)), np.zeros(6, "int32")
    f(*args)
    f(*args)
    text = f.profile.summary(most=4)
    assert text.startswith("Profile of function 'train'\n  2 calls in ")
    assert "... " in text
    assert "test_profile.py:" in text
    assert "Gemm" in text or "Dot" in text
    assert str(f.profile) == f.profile.summary()
    assert len(f.profile.summary(most=1000).splitlines()) >= len(f.plan.steps)
    assert repr(f.profile).startswith("<Profile of function 'train': 2 calls, ")
    assert max(map(len, text.splitlines())) < 200


def test_resetting() -> None:
    f, _ = training(True)
    args = np.ones((6, 20)), np.zeros(6, "int32")
    f(*args)
    f(*args, output_subset=[0])
    assert f.calls == 2
    f.profile.reset()
    assert (f.calls, f.seconds, f.profile.finished) == (0, 0.0, 0)
    assert not any(line.seconds for line in f.profile.steps())
    f(*args)
    assert f.profile.calls == 1


def test_a_reset_during_a_call_is_no_error() -> None:
    x = T.vector("x")
    f: Any = None

    def forget(value: Any) -> Any:
        f.profile.reset()
        return value

    op = sg.as_op([T.dvector], [T.dvector])(forget)
    f = sg.function([x], T.exp(op(x)), profile=True)
    f(np.ones(3))
    assert f.profile.calls == 1


def test_a_flag_and_copies() -> None:
    x = T.vector("x")
    with config.change_flags(profile=True):
        f = sg.function([x], T.exp(x))
        g = sg.function([x], T.exp(x), profile=False)
    assert isinstance(f.profile, Profile)
    assert g.profile is None
    f(np.ones(2))
    other = f.copy()
    restored = pickle.loads(pickle.dumps(f))
    for made in (other, restored):
        assert made.profile is not f.profile
        assert made.profile.calls == 0
        made(np.ones(2))
        assert made.profile.calls == made.profile.finished == 1
    assert f.profile.calls == 1
    assert f.copy(profile=False).profile is None
    assert g.copy(profile=True).profile.calls == 0


def test_subsets_have_profiles_of_their_own() -> None:
    f, _ = training(True)
    args = np.ones((6, 20)), np.zeros(6, "int32")
    f(*args)
    f(*args, output_subset=[0])
    f(*args, output_subset=[0])
    assert f.profile.calls == 1
    assert f.profile.subsets[0,].calls == f.profile.subsets[0,].finished == 2
    assert f.calls == 3
    assert "2 calls with output_subset=[0]" in f.profile.summary()
