"""A first graph: five minutes from an expression to the program it becomes.

Run it with ``python -m tutorials.first_graph`` and read the output beside this file. Nothing here is special to the
tutorial: every line is one a program of yours could hold.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T

__all__ = ["main"]


def heading(number: int, title: str) -> None:
    """Print the title of a step."""
    print(f"\n{number}. {title}\n{'-' * (len(title) + 3)}")


def write_expression() -> tuple[Any, Any, Any, Any]:
    """Step 1: an expression is data. Nothing is computed; each call adds a node that remembers this line."""
    heading(1, "The expression")
    x = T.dvector("x")                       # an input: a vector of float64 whose length is not known yet
    w = sg.shared(np.array([2.0, -1.0]), name="w")  # a value of its own, kept between calls
    z = T.dot(x, w)
    cost = T.log(1 + T.exp(-z))              # the logistic loss, as a textbook writes it
    cost.name = "cost"
    print("cost =", sg.printing.pprint(cost))
    print(f"its type is {cost.type}; it was written at {cost.owner.origin}")
    return x, w, z, cost


def differentiate(w: Any, cost: Any) -> Any:
    """Step 2: the chain rule gives another expression. It is as large as what was written, and as naive."""
    heading(2, "The gradient")
    slope = sg.grad(cost, w)
    print("dcost/dw =", sg.printing.pprint(slope))
    return slope


def show_what_naive_means(x: Any, cost: Any) -> None:
    """Step 3: computed as written, the loss overflows where the answer is plain."""
    heading(3, "Why it is rewritten")
    as_written = sg.function([x], cost, mode="None")
    stable = sg.function([x], cost)
    far_off = np.array([-400.0, 0.0])        # here z = -800 and the loss is 800
    with np.errstate(over="ignore"):
        print(f"as written:  {as_written(far_off)}")
    print(f"compiled:    {stable(far_off)}")


def compile_step(x: Any, w: Any, cost: Any, slope: Any) -> sg.Function:
    """Step 4: compile a training step, and see which laws were used."""
    heading(4, "The rules that fired")
    step = sg.function([x], cost, updates=[(w, w - 0.1 * slope)], name="step")
    for fired in step.fired:
        print(" ", fired)
    return step


def show_plan_and_source(step: sg.Function) -> None:
    """Steps 5 and 6: what is done in which order and memory, and the Python it becomes."""
    heading(5, "The plan")
    print(step.plan)
    heading(6, "The program")
    print(step.source)


def call(step: sg.Function, w: Any) -> None:
    """Step 7: a call returns the cost at the old w and puts the new w in its place."""
    heading(7, "Calls")
    for _ in range(3):
        print(f"cost {float(step(np.array([1.0, 2.0]))):.6f}   then w = {w.get_value()}")


def make_a_mistake(step: sg.Function) -> None:
    """Step 8: a wrong call says what, where and which line. The shared value stays as it was."""
    heading(8, "A mistake")
    try:
        step(np.ones(3))
    except ValueError as error:
        print(f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ()), sep="\n")


def main() -> int:
    """Walk through all the steps."""
    x, w, _, cost = write_expression()
    slope = differentiate(w, cost)
    show_what_naive_means(x, cost)
    step = compile_step(x, w, cost, slope)
    show_plan_and_source(step)
    call(step, w)
    make_a_mistake(step)
    return 0


if __name__ == "__main__":
    sys.exit(main())
