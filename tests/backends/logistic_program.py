"""The step of logistic regression, as the tutorial writes it: its generated source is kept as a golden text.

Run ``python -m tests.backends.logistic_program`` to write that anew, and read the difference before you keep it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T

GOLDEN = Path(__file__).parents[1] / "golden" / "logistic_regression.py.txt"


def step() -> Any:
    """One step of minibatch gradient descent on data held in shared variables."""
    rng = np.random.default_rng(0)
    data = sg.shared(rng.random((60, 8)).astype("float32"), name="data")
    labels = T.cast(sg.shared(rng.integers(0, 3, 60).astype("float32"), name="labels"), "int32")
    W = sg.shared(np.zeros((8, 3), "float32"), name="W")
    b = sg.shared(np.zeros(3, "float32"), name="b")
    x, y, index = T.fmatrix("x"), T.ivector("y"), T.lscalar("index")
    p = T.nnet.softmax(T.dot(x, W) + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    slopes = sg.grad(cost, [W, b])
    return sg.function(
        [index], cost, updates=[(v, v - 0.13 * g) for v, g in zip((W, b), slopes, strict=True)],
        givens={x: data[index * 20:(index + 1) * 20], y: labels[index * 20:(index + 1) * 20]}, name="step",
    )


if __name__ == "__main__":
    GOLDEN.write_text(step().source, encoding="utf-8")
    print(f"wrote {GOLDEN}")
