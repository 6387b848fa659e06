"""Importing the package and compiling a first function bring in only what most programs need."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATE = ["scipy", "networkx", "matplotlib", "cupy", "sklearn", "numpy.random", "hashlib", "configparser", "difflib",
        "logging", "concurrent.futures", "subprocess", "ast"]

FIRST_FUNCTION = """
x = T.fmatrix("x")
W = symgraph.shared([[1.0, 2.0], [3.0, 4.0]], name="W")
cost = T.log(T.nnet.softmax(T.tanh(x @ W)))[T.arange(x.shape[0]), 0].mean()
f = symgraph.function([x], cost, updates=[(W, W - 0.1 * symgraph.grad(cost, W))])
f([[1.0, 2.0]])
"""


@pytest.mark.parametrize("program", ["", FIRST_FUNCTION], ids=["import", "first function"])
def test_what_is_not_needed_is_not_imported(program: str) -> None:
    text = ("import sys, numpy; before = set(sys.modules); import symgraph, symgraph.tensor as T\n"
            f"{program}\nprint(*[name for name in {LATE} if name in sys.modules and name not in before])")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
