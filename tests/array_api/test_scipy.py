"""SciPy's functions that take arrays of the standard take ours: of values, and of symbolic inputs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import warnings
warnings.simplefilter("ignore")  # what SciPy says while it finds its way
import numpy as np, scipy.special, scipy.stats, scipy.fft
import symgraph as sg, symgraph.tensor as T, symgraph.array_api as xp

CALLS = {
    "logsumexp": lambda x: scipy.special.logsumexp(x, axis=0),
    "softmax": lambda x: scipy.special.softmax(x, axis=1),
    "zscore": lambda x: scipy.stats.zscore(x, axis=0),
    "gmean": lambda x: scipy.stats.gmean(x, axis=0),
    "rfft": lambda x: scipy.fft.rfft(x, axis=0),
}
a = np.random.default_rng(0).uniform(0.1, 2, size=(6, 4))
for name, call in CALLS.items():
    expected = call(a)
    of_values = call(xp.asarray(a))
    v = T.dmatrix("v", shape=a.shape)  # some of them ask for lengths
    made = call(xp.asarray(v))
    assert type(of_values) is type(made) is xp.Array, name
    np.testing.assert_allclose(np.asarray(of_values), expected, rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(sg.function([v], made.variable)(a), expected, rtol=1e-12, err_msg=name)
    if name == "zscore":  # the gradient goes through SciPy's code
        g = sg.function([v], sg.grad(T.sum(made.variable[0]), v))(a)
        assert g.shape == a.shape and np.isfinite(g).all() and (g != 0).any()
print("done")
"""


def test_functions_of_scipy_build_expressions() -> None:
    """In a process of its own: SciPy asks for the setting when it is imported."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=200, check=False,
                         cwd=Path(__file__).parents[2], env={**os.environ, "SCIPY_ARRAY_API": "1"})
    assert run.stdout.strip() == "done", run.stderr
