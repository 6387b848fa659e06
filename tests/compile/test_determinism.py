"""The same program gives the same rewriting, plan and source: every time, and in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T

PROGRAM = """
import numpy as np, symgraph as sg, symgraph.tensor as T

def train():
    x, y = T.dmatrix("x"), T.ivector("y")
    shapes = {"w": (4, 3), "b": (3,), "v": (4, 4), "c": (4,)}
    w, b, v, c = parameters = [sg.shared(np.ones(shape), name) for name, shape in shapes.items()]
    p = T.nnet.softmax(T.tanh(x @ v + c) @ w + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y]) + 0.01 * sum((q ** 2).sum() for q in parameters)
    gradients = sg.grad(cost, parameters)
    updates = [(q, q - 0.1 * g) for q, g in zip(parameters, gradients)]
    return sg.function([x, y], {"cost": cost, "labels": p.argmax(axis=1)}, updates=updates, name="train")
"""
SHOW = """
f = train()
print(f.source, f.plan, *map(str, f.fired), sep="\\n")
"""


def test_in_one_process() -> None:
    names: dict[str, Any] = {}
    exec(PROGRAM, names)
    made = [names["train"]() for _ in range(10)]
    assert len({f.source for f in made}) == 1
    assert len({tuple(str(one.rule) for one in f.fired) for f in made}) == 1
    assert len(made[0].fired) > 5


def test_in_processes_of_different_hash_seeds() -> None:
    seen = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", PROGRAM + SHOW], capture_output=True, text=True, timeout=120,
                              check=True, env=environment)
        assert "def run" in done.stdout
        seen.add(done.stdout)
    assert len(seen) == 1


def test_results_are_bit_for_bit_the_same() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], [T.exp(x @ x.T).sum(axis=0), T.nnet.softmax(x)])
    data = np.random.default_rng(0).normal(size=(7, 5))
    want = [r.tobytes() for r in f(data)]
    for made in (f, f.copy()):
        for _ in range(5):
            assert [r.tobytes() for r in made(data)] == want
