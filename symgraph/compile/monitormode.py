"""MonitorMode: functions of the user's are called before and after each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.compile.mode import Mode
from symgraph.compile.recipe import Recipe
from symgraph.compile.watch import Record, WatchedFunction
from symgraph.graph.basic import Apply
from symgraph.plan import Step

__all__ = ["Moment", "MonitorFunction", "MonitorMode"]

#: Called with the step's number, its application, and the values.
Hook = Callable[[int, Apply, "Moment"], Any]


class Moment:
    """The values a step reads and those it made, as Theano's programs look at them.

    Attributes
    ----------
    inputs, outputs : list of list
        For each input and output of the application a list that holds its value: ``fn.inputs[0][0]``. Before the step
        the outputs hold None. After it, an input that the step computed over holds its result: who needs the old value
        takes a copy before.
    """

    __slots__ = ("inputs", "outputs")

    def __init__(self, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        self.inputs = [[value] for value in inputs]
        self.outputs = [[value] for value in outputs]


def MonitorMode(pre_func: Hook | None = None, post_func: Hook | None = None, optimizer: str | None = "default",
                linker: str | None = None) -> Mode:
    """The mode that calls a function before, or after, each step of a compiled function.

    Steps run one after the other on whole arrays, without kernels. What the functions raise ends the call, and nothing
    is updated then. They must not write on the values.

    Parameters
    ----------
    pre_func, post_func : callable, optional
        Called with the step's number, its application (whose ``op``, ``inputs`` and ``origin`` say what it computes,
        and for which line), and the values: ``fn.inputs`` and ``fn.outputs``, lists of one-element lists.
    optimizer, linker : str, optional
        As for `Mode`; ``"default"`` is ``"FAST_RUN"``.

    Returns
    -------
    Mode

    Raises
    ------
    TypeError
        When a function cannot be called.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> def detect_nan(i, node, fn):
    ...     for cell in fn.outputs:
    ...         if np.isnan(cell[0]).any():
    ...             print("NaN in", node.op, "of", fn.inputs[0][0])
    >>> x = T.dscalar("x")
    >>> f = sg.function([x], T.log(x) * 0, mode=MonitorMode(post_func=detect_nan))
    >>> with np.errstate(invalid="ignore"):
    ...     y = f(-2.0)
    NaN in log of -2.0
    NaN in mul of nan
    """
    for name, function in (("pre_func", pre_func), ("post_func", post_func)):
        if function is not None and not callable(function):
            raise TypeError(f"MonitorMode: {name} must be callable, not {type(function).__name__}")
    return Mode(linker=linker, optimizer="FAST_RUN" if optimizer == "default" else optimizer, name="MonitorMode",
                watch="monitor", pre_func=pre_func, post_func=post_func)


class _Hooks:
    """What the program calls: after each step this, before each step its method."""

    def __init__(self, pre_func: Hook | None, post_func: Hook | None) -> None:
        self.pre_func, self.post_func = pre_func, post_func

    def before(self, step: Step, inputs: tuple[Any, ...]) -> None:
        if self.pre_func is not None:
            self.pre_func(step.index, step.node, Moment(inputs, (None,) * len(step.node.outputs)))

    def __call__(self, step: Step, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        if self.post_func is not None:
            self.post_func(step.index, step.node, Moment(inputs, outputs))


class _Record:
    """Nothing is kept of a call."""

    def begin(self) -> None:
        pass

    def after_step(self, step: Step, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        pass


class MonitorFunction(WatchedFunction):
    """A function under MonitorMode."""

    def _monitor(self, recipe: Recipe) -> Any:
        return _Hooks(recipe.mode.pre_func, recipe.mode.post_func)

    def record(self, values: list[Any]) -> Record:
        return _Record()
