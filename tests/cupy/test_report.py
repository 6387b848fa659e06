"""What a function says of itself on a device: its report, and modes that look on while it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.compile.debug import BadThunkOutput
from symgraph.compile.monitormode import MonitorMode
from symgraph.compile.nanguard import NanGuardError
from tests.cupy.common_programs import counted, on_device

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def step_of_descent(**options: Any) -> tuple[Any, Any]:
    """A function that takes a step of descent, and the weights."""
    w, x = sg.shared(np.full((3, 2), 0.5, "float32"), name="w"), T.matrix("x")
    cost = (T.tanh(x @ w) ** 2).sum()
    return sg.function([x], cost, updates=[(w, w - 0.1 * sg.grad(cost, w))], **options), w


def test_a_report_tells_device_kernel_bytes_flops_precision_and_rung() -> None:
    with on_device():
        f, _ = step_of_descent(name="descent")
        assert f.report().rung == "step by step"
        f(X), f(X)
        report = f.report()
    assert (report.rung, report.device) == ("launches", "emulated:0")
    assert [why for why in report.why if "too few for a graph" in why] == report.why != []
    launched = [entry for entry in report.entries if entry.kernel.startswith("launch")]
    assert len(launched) == report.launches > 0
    assert all(entry.device == "device" and entry.bytes and entry.flops for entry in launched)
    assert "float32" in {entry.precision for entry in launched}
    read_and_written = launched[0].bytes
    assert read_and_written is not None
    assert read_and_written >= X.nbytes + 3 * 2 * 4
    assert any("x to the device" in text for text in report.transfers)
    text = str(report)
    for part in ("descent", "launches", "no graph, because: ", "test_report.py", "float32",
                 "moved in every call: x to the device"):
        assert part in text


def test_a_report_tells_what_stands_in_the_way() -> None:
    with on_device():
        x, y = T.vector("x"), T.vector("y")
        f = sg.function([x, y], [T.unique(x), y[T.argmax(x):]])
    f(X[:, 0], X[:, 1])
    report = f.report()
    assert report.rung == "step by step"
    assert any("unique" in why for why in report.why)
    assert any("to the host" in text for text in report.transfers)
    assert "not recorded, because" in str(report)


def test_launches_are_those_that_are_done() -> None:
    with on_device():
        f, _ = step_of_descent()
        f(X)
    with counted() as done:
        f(X)
    assert f.report().launches == done["launches"]


def test_on_the_cpu_it_is_the_plan() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], T.tanh(x) + 1)
    assert "tanh" in str(f.report())


# ---- modes that look on ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["DebugMode", "NanGuardMode", "FAST_COMPILE", "None"])
def test_modes_agree(mode: str) -> None:
    with on_device():
        plain, w = step_of_descent()
        watched, v = step_of_descent(mode=mode)
    for _ in range(3):
        np.testing.assert_allclose(watched(X), plain(X), rtol=1e-5)
        np.testing.assert_allclose(v.get_value(), w.get_value(), rtol=1e-5)


def test_debug_mode_finds_a_kernel_that_computes_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.cupy.language import scalars

    monkeypatch.setitem(scalars.ROWS, "tanh", {"f": "(tanh{f}({0}) + 1.0f)"})
    with on_device():
        x = T.matrix("x")
        f = sg.function([x], T.tanh(x), mode="DebugMode")
    with pytest.raises(BadThunkOutput, match="tanh"):
        f(X)


def test_nan_guard_stops_before_anything_is_updated() -> None:
    with on_device():
        x, w = T.vector("x"), sg.shared(np.ones(3, "float32"), name="w")
        f = sg.function([x], T.log(x), updates=[(w, w + x)], mode="NanGuardMode")
    f(np.ones(3, "float32"))
    with pytest.raises(NanGuardError, match="log"):
        f(np.array([1, -1, 2], "float32"))
    np.testing.assert_array_equal(w.get_value(), 2)


def test_a_monitor_sees_every_step_with_values_of_the_host() -> None:
    seen: list[Any] = []

    def look(*arguments: Any) -> None:
        seen.append(arguments)

    with on_device():
        x = T.matrix("x")
        f = sg.function([x], T.exp(x).sum(), mode=MonitorMode(post_func=look))
    np.testing.assert_allclose(f(X), np.exp(X).sum(), rtol=1e-5)
    assert len(seen) == len(f.plan.steps) == 2


def test_profiles_time_launches() -> None:
    with on_device():
        f, _ = step_of_descent(profile=True)
    f(X), f(X)
    assert f.profile.calls == 2
    assert "dot" in str(f.profile)
    assert f.report().rung == "step by step"


def test_float64_by_accident_is_told() -> None:
    with on_device(warn_float64="raise", cast_policy="numpy"):
        x, n = T.vector("x"), T.lvector("n")
        with pytest.raises(TypeError, match="float64"):
            x * n


def test_a_report_tells_what_is_computed_in_float64_unasked() -> None:
    with on_device(cast_policy="numpy"):
        x, n, d = T.fmatrix("x"), T.lvector("n"), T.dmatrix("d")
        functions = [sg.function(*program) for program in (
            ([x, n], (x * n).sum()), ([x], x.sum(dtype="float64")), ([x], x.sum()), ([x, d], (x * d).sum()))]
    hidden, summed, plain, asked = (f.report().float64 for f in functions)
    assert [text.partition("{")[0].partition(",")[0] for text in hidden] == ["mul", "sum"]
    assert "test_report.py" in hidden[0]
    assert len(summed) == 1
    assert plain == asked == []
    assert "in float64, as no argument and no shared variable is: mul" in str(functions[0].report())
