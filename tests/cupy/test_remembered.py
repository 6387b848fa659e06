"""What is passed for numbers that a function was called with before: kept as long as it is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_programs import device, on_device
from tests.cupy.test_recording import records_of


def kept(f: Any) -> int:
    return len(records_of(f)._remembered._known)


def test_numbers_are_told_apart_to_the_bit() -> None:
    with on_device():
        a, n = T.scalar("a"), T.lscalar("n")
        x = sg.shared(np.arange(6, dtype="float32"))
        f = sg.function([a, n], [T.copysign(x[n:n + 2], a), a * 2, n + 1])
    for _ in range(3):
        for sign in (0.0, -0.0, np.nan, -np.nan, 1.5):
            for k in (0, 3, 1):
                cut, doubled, following = f(sign, k)
                np.testing.assert_array_equal(np.signbit(cut), np.full(2, np.signbit(sign)))
                np.testing.assert_array_equal(np.abs(cut), [k, k + 1])
                np.testing.assert_array_equal(doubled, np.float32(sign) * 2)
                assert following == k + 1
    assert kept(f) > 0


def test_results_are_the_callers_to_change() -> None:
    with on_device():
        n, x = T.lscalar("n"), sg.shared(np.arange(6, dtype="float32"))
        f = sg.function([n], [n * 3, 1 / T.cast(x[:n].shape[0], "float32"), x[:n].sum()])
    for _ in range(4):
        tripled, share, total = f(2)
        assert (tripled, share, total) == (6, 0.5, 1)
        for value in (tripled, share, total):
            value[...] = 77
    assert kept(f) == 1


def test_values_of_another_shape_are_seen_and_the_old_ones_let_go() -> None:
    with on_device():
        n, x = T.lscalar("n"), sg.shared(np.zeros(1000, "float32"))
        f = sg.function([n], x[n:n + 5].sum(), updates=[(x, x + 1)])
    for _ in range(4):
        f(1)
    assert f(1) == 20
    x.set_value(np.full(1000, 7, "float32"))
    assert f(1) == 35
    free = device().memory()[0]
    x.set_value(np.ones(3, "float32"))
    assert device().memory()[0] - free == 4000 - 12, "nobody keeps the old array"
    for k in range(3):
        assert f(1) == 2 * (k + 1)
    x.set_value(np.zeros(1000, "float32"))
    for k in range(3):
        assert f(1) == 5 * k


def test_updates_of_another_shape_are_seen() -> None:
    with on_device():
        n, x = T.lscalar("n"), sg.shared(np.ones(4, "float32"))
        grow = sg.function([n], x.sum() * n, updates=[(x, T.concatenate([x, x]))])
        look = sg.function([n], x.sum() * n)
    for k in range(4):
        assert [float(look(2)) for _ in range(3)] == [8 * 2**k] * 3
        assert grow(1) == 4 * 2**k


def test_what_the_host_does_for_its_effect_is_done_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    with on_device(cuda_fallback="cpu"):
        n, x = T.lscalar("n"), sg.shared(np.arange(6, dtype="float32"))
        with pytest.warns(UserWarning, match="computed on the host"):
            f = sg.function([n], x[sg.printing.Print("place")(n)] * 2)
    for _ in range(4):
        assert f(3) == 6
    assert capsys.readouterr().out.count("place") == 4
    assert kept(f) == 0


def test_numbers_that_are_trusted_as_they_are() -> None:
    with on_device():
        n, x = T.lscalar("n"), sg.shared(np.arange(9, dtype="float32"))
        f = sg.function([n], x[n:n + 2].sum())
    f.trust_input = True
    for _ in range(3):
        for k in (2, np.int64(3), np.asarray(4)):
            assert f(k) == 2 * int(k) + 1


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.cupy.remembered._MOST", 3)
    with on_device():
        n, x = T.lscalar("n"), sg.shared(np.arange(40, dtype="float32"))
        f = sg.function([n], x[n:n + 4].sum())
    for _ in range(2):
        for k in range(9):
            assert f(k) == 4 * k + 6
            assert kept(f) <= 3
    f.free()
    assert kept(f) == 0
    assert f(2) == 14
