"""The CPU benchmarks run, at sizes that take no time, and refuse rivals that do not do the same work."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks
from benchmarks.cpu import __main__ as command
from benchmarks.cpu.report import case_table, summary
from benchmarks.cpu.workload import Case, Measured, Rival, Settings, function, training
from benchmarks.timing import Timing, interleaved

MODULES = [i.name for i in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.") if not i.name.endswith("__main__")]
EXPECTED = {
    "W1": {"logistic-regression step, batch 30"},
    "W2": {"perceptron step, batch 4", "perceptron step, batch 6", "peak memory of training, batch 4"},
    "W3": {"RMSProp step, batch 6"},
    "W4": {"x + 1, one element", "increment a shared scalar"},
    "W5": {
        "formula, 200 elements",
        "formula, 50 elements",
        "gradient of the formula, 200 elements",
        "gradient of the formula, 50 elements",
    },
    "W6": {"first training step, 1 hidden layer", "chain of 30 operations", "import"},
    "W7": {"recurrent step, 3 steps of 2 x 4"},
    "W9": {
        "log-softmax, 30 x 20",
        "sum over axis 0, 30 x 20",
        "sum over axis 1, 30 x 20",
        "sum over both axes, 30 x 20",
    },
}


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command leaves the threads of the tests' own process alone."""
    monkeypatch.setattr(command, "settle_threads", lambda threads: None)


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("workload", EXPECTED)
def test_a_workload_runs_and_its_rivals_agree(
    workload: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    command.main(["--only", workload, "--tiny", "--rounds", "2", "--peers", "none", "--json", str(file)])
    report = json.loads(file.read_text())
    assert {case["title"] for case in report["cases"]} == EXPECTED[workload]
    assert report["environment"]["numpy"] == np.__version__
    for case in report["cases"]:
        assert "symgraph" in case["rivals"]
        for name, figures in case["rivals"].items():
            assert 0 <= figures["min"] <= figures["median"]
            assert name == "symgraph" or figures["ratio"] > 0
    told = capsys.readouterr().err
    assert all(title in told for title in EXPECTED[workload])


@pytest.mark.parametrize("module", MODULES)
def test_examples_of(module: str) -> None:
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not module.endswith("_rivals"):
            raise
        pytest.skip(f"{error.name} is not installed")
    assert doctest.testmod(loaded).failed == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--only", "W1,W77"], "W77 is not one of W1,W2"),
        (["--threads", "0"], "'0' is not a positive whole number"),
        (["--rounds", "many"], "'many' is not a positive whole number"),
        (["--peers", "matlab"], "matlab is not one of pytensor"),
    ],
    ids=["workload", "threads", "rounds", "peer"],
)
def test_a_flag_that_cannot_be_followed(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(flags)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def _case(ours: Any, **peers: Any) -> Case:
    one = {"NumPy, plain": lambda: function(lambda: np.ones(3))}
    return Case("W0", "a test", {"symgraph": ours}, one, peers)


TINY = Settings(rounds=2, tiny=True)


def test_rivals_that_disagree_are_not_timed() -> None:
    with pytest.raises(AssertionError, match="W0 a test: symgraph and NumPy, plain disagree"):
        _case(lambda: function(lambda: np.array([1, 1, 1.01]))).measure(TINY)


def test_peers_that_disagree_are_not_timed() -> None:
    def wrong() -> Rival:
        return function(lambda: np.zeros(3))

    with pytest.raises(AssertionError, match="peer and NumPy, plain disagree"):
        _case(lambda: function(lambda: np.ones(3)), peer=wrong).measure(TINY)


def test_a_peer_that_is_not_there_or_fails_is_named_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    def absent() -> Rival:
        raise ImportError("No module named 'absent'")

    def broken() -> Rival:
        raise RuntimeError("no compiler\nand more")

    measured = _case(lambda: function(lambda: np.ones(3)), absent=absent, broken=broken).measure(TINY)
    assert set(measured.timings) == {"symgraph", "NumPy, plain"}
    assert measured.missing == {"absent": "not there: No module named 'absent'", "broken": "RuntimeError: no compiler"}
    assert "broken: RuntimeError: no compiler" in case_table(measured)
    assert "broken fails" in capsys.readouterr().err


def test_only_the_peers_asked_for_are_built() -> None:
    def unwanted() -> Rival:
        raise AssertionError("built")

    case = _case(lambda: function(lambda: np.ones(3)), unwanted=unwanted)
    measured = case.measure(Settings(rounds=2, tiny=True, peers=("torch",)))
    assert not measured.missing
    assert Settings(peers=("torch",)).wants("torch.compile")


def test_a_training_rival_walks_over_the_minibatches() -> None:
    seen: list[int] = []

    def step(index: int) -> int:
        seen.append(index)
        return index * 10

    rival = training(step, lambda: [np.ones(2)], batches=3)
    for _ in range(5):
        rival.call()
    assert seen == [0, 1, 2, 0, 1]
    assert rival.result()[0] == 10


def test_the_summary_compares_with_the_best_of_a_kind() -> None:
    def timing(*rounds: float) -> Timing:
        return Timing("", rounds)

    ours = timing(2000.0, 4000.0)
    timings = {"symgraph": ours, "NumPy, plain": timing(4000.0, 8000.0), "NumPy, out=": timing(9000.0, 9000.0),
               "NumPy, tuned": timing(1000.0, 2000.0), "slow": timing(8000.0, 8000.0), "quick": timing(4000.0, 4000.0)}
    measured = Measured("W0", "a test", "us", 1e3, timings, dict.fromkeys(list(timings)[1:], ours))
    line = summary([measured]).splitlines()[1]
    assert line.split() == ["W0", "a", "test", "3.00", "us", "0.50", "2.00", "0.75", "quick"]


def test_rounds_stop_when_time_is_up_but_not_before_ten() -> None:
    assert len(interleaved({"nothing": lambda: None}, 100, round_ns=1e3, seconds=0.0)["nothing"].rounds) == 10


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_the_general_product_is_that_of_the_definition(transposed: tuple[bool, bool]) -> None:
    from benchmarks.cpu.blas import Product, general_product

    try:
        general_product()
    except ImportError as error:
        pytest.skip(str(error))
    random = np.random.default_rng(3)
    a, b, c = (random.standard_normal(shape).astype(np.float32) for shape in ((4, 5), (5, 3), (4, 3)))
    a, b = (np.asfortranarray(m) if flag else m for m, flag in zip((a, b), transposed, strict=True))
    expected = 2 * c - 0.5 * a @ b
    Product(a, b, c, alpha=-0.5, beta=2.0)(a)
    np.testing.assert_allclose(c, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="float32 matrices"):
        Product(a.astype(np.float64), b, c, 1.0, 0.0)
