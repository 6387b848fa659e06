"""Training on the emulated device: the classic lessons agree with the CPU's, in few launches and without transfers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tests.cupy.common_programs import counted

RATE = 0.13


def logistic_regression(device: str, rows: int, width: int, classes: int, batch: int) -> tuple[Any, list[Any]]:
    """A function of the minibatch's number that takes a step and returns the cost, and the parameters."""
    return network(device, rows, width, None, classes, batch, 0.0)


def network(device: str, rows: int, width: int, hidden: int | None, classes: int, batch: int,
            decay: float = 1e-3, drop: bool = False) -> tuple[Any, list[Any]]:
    """The same for a perceptron with one hidden layer, of which half may be dropped, and a penalty on its weights."""
    rng, streams = np.random.default_rng(1), sg.random.RandomStreams(1)
    with sg.config.change_flags(device=device, floatX="float32"):
        data = sg.shared(rng.normal(size=(rows, width)).astype("float32"), name="data")
        labels = sg.shared(rng.integers(0, classes, rows).astype("int32"), name="labels")
        x, y, i = T.matrix("x"), T.ivector("y"), T.lscalar("i")
        parameters, layer = [], x
        for before, behind in ([(width, classes)] if hidden is None else [(width, hidden), (hidden, classes)]):
            weights = sg.shared((rng.normal(size=(before, behind)) * 0.1).astype("float32"), name="W")
            bias = sg.shared(np.zeros(behind, "float32"), name="b")
            layer = layer @ weights + bias
            layer = T.tanh(layer) if len(parameters) == 0 and hidden is not None else layer
            if drop and not parameters:
                layer = layer * streams.binomial(layer.shape, p=0.5, dtype="float32")
            parameters += [weights, bias]
        cost = -T.mean(T.log(T.nnet.softmax(layer))[T.arange(y.shape[0]), y])
        if decay:
            cost = cost + decay * sum((w ** 2).sum() for w in parameters[::2])
        gradients = sg.grad(cost, parameters)
        step = sg.function([i], cost, updates=[(p, p - RATE * g) for p, g in zip(parameters, gradients, strict=True)],
                           givens={x: data[i * batch:(i + 1) * batch], y: labels[i * batch:(i + 1) * batch]})
    return step, parameters


CASES = {
    "logistic regression": lambda device: logistic_regression(device, 90, 20, 5, 20),
    "perceptron": lambda device: network(device, 90, 20, 12, 5, 20),
    "dropout": lambda device: network(device, 90, 20, 12, 5, 20, drop=True),
}


@pytest.mark.parametrize("which", CASES)
def test_steps_agree_with_those_of_the_cpu(which: str) -> None:
    ours, mine = CASES[which]("emulated")
    theirs, wanted = CASES[which]("cpu")
    for k in (0, 1, 2, 3, 4, 0, 4, 2):  # the last minibatch is half as long
        np.testing.assert_allclose(ours(k), theirs(k), rtol=1e-5)
    for p, q in zip(mine, wanted, strict=True):
        np.testing.assert_allclose(p.get_value(), q.get_value(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("which", CASES)
def test_many_steps_are_one_graph(which: str) -> None:
    ours, mine = CASES[which]("emulated")
    theirs, wanted = CASES[which]("cpu")
    for _ in range(3):
        np.testing.assert_allclose(ours.map(range(5)), theirs.map(range(5)), rtol=1e-4)
    for p, q in zip(mine, wanted, strict=True):
        np.testing.assert_allclose(p.get_value(), q.get_value(), rtol=1e-4, atol=1e-5)
    with counted() as done:
        costs = ours.map(range(5))
    assert costs.shape == (5,)
    assert (done["graph_launches"], done["to_host"], done["to_device"], done["allocations"]) == (1, 1, 0, 0)


@pytest.mark.parametrize("which", CASES)
def test_a_step_moves_one_cost_and_nothing_else(which: str) -> None:
    step, _ = CASES[which]("emulated")
    step(0)
    with counted() as done:
        for k in (1, 2, 3):
            step(k)
    assert (done["to_host"], done["to_device"], done["library_calls"], done["allocations"]) == (3, 0, 0, 0)
    assert done["bytes_to_host"] <= 3 * 512
    assert step.report().rung == "launches"


def test_launches_of_a_step_of_logistic_regression() -> None:
    """With the sizes of the lesson on MNIST: the rows from pixels to gradients, then sums and updates."""
    step, _ = logistic_regression("emulated", 1200, 784, 10, 600)
    step(0)
    with counted() as done:
        step(1)
    assert done["launches"] == step.report().launches == 2


@pytest.mark.parametrize("drop", [False, True])
def test_launches_of_a_step_of_the_perceptron(drop: bool) -> None:
    """The hidden layer; the rows from there to gradients; then products, sums and updates. What drops half of the
    hidden layer is drawn where it is read, and the state behind it is written over the present one."""
    step, _ = network("emulated", 60, 784, 500, 10, 20, drop=drop)
    step(0)
    with counted() as done:
        step(1)
    assert done["launches"] == step.report().launches == 3
    assert done["to_host"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("lesson", ["logistic_regression", "mlp"])
def test_lessons_learn_the_same(lesson: str, tmp_path: Path) -> None:
    told = []
    for device in ("cpu", "emulated"):
        command = [sys.executable, "-m", f"tutorials.{lesson}", "--data", "digits", "--epochs", "1", "--device", device,
                   "--out", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              env={"SYMGRAPH_FLAGS": "floatX=float32", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
        told.append([line for line in (done.stdout + done.stderr).splitlines() if "error" in line])
    assert told[0] == told[1] != []
