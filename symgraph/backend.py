"""The Backend protocol, and finding a backend by name. The only place that names the `backends` package."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from symgraph.plan import Kernel, Plan, Step

__all__ = ["Backend", "Pack", "Program", "Tiling", "get_backend", "untiled"]


#: From the names of the results to the expression that is returned, and the names it needs.
Pack = Callable[[list[str]], tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Tiling:
    """How a kernel is run over large arrays: a tile of rows at a time.

    Attributes
    ----------
    rows : int
        Of a tile.
    threads : int
        The most tiles in work at once.
    parts : int
        Into which a reduction over the rows is cut.
    """

    rows: int
    threads: int
    parts: int


def untiled(kernel: Kernel, rows: int, size: int) -> Tiling | None:
    """The tiling of programs that do all steps one after the other: none."""
    return None


@dataclass
class Program:
    """A plan made executable.

    Attributes
    ----------
    run : callable
        Takes the inputs' values, already of their types; commits the updates and returns the outputs.
    call : callable
        The same, checking and converting each value first.
    source : str
        The text a person can read.
    step_at : callable
        From an exception to the step that raised it and the run-time values of its inputs, or None.
    free : callable
        Lets go of memory kept between calls.
    tiling : callable
        From a kernel and the rows and elements of its widest array to how the kernel is run then; None when its steps
        are done one after the other, on whole arrays.
    anew : collection of Step
        Steps that make an array of their own although the plan has one for them to compute into.
    """

    run: Callable[..., Any]
    call: Callable[..., Any]
    source: str
    step_at: Callable[[BaseException], tuple[Step, list[Any]] | None]
    free: Callable[[], None]
    tiling: Callable[[Kernel, int, int], Tiling | None] = untiled
    anew: Collection[Step] = ()


class Backend(Protocol):
    """What turns plans into something that runs."""

    name: str

    def compile(self, plan: Plan, name: str, pack: Pack, accept: Sequence[Callable[[Any], Any]],
                monitor: Any = None, clock: Any = None) -> Program:
        """Make a plan executable.

        Parameters
        ----------
        plan : Plan
        name : str
            What the function is called; shown in the source as a comment.
        pack : callable
            From the names of the results to the expression that is returned, and names it needs.
        accept : sequence of callables
            For each input, what checks and converts a value that is not at once seen to be right.
        monitor : callable, optional
            Called after each step with the step, the values it read and those it made. Its method `before`, if it has
            one, is called before each step with the step and the values it reads.
        clock : callable, optional
            Called at the start of each call; gives what notes where its time goes, `symgraph.compile.profile.Laps`.
        """
        ...


_DEVICES = {"cpu": "numpy", "cuda": "cupy"}
_INSTALL = {"cupy": "install CuPy (pip install 'symgraph[cuda13]' or 'symgraph[cuda12]')"}


def get_backend(name: str) -> Backend:
    """The backend for a device (``cpu``, ``cuda``, ``auto``) or of a name (``numpy``, ``cupy``).

    Raises
    ------
    RuntimeError
        When it cannot be used here; the message says why and what to do. Nothing falls back in silence.
    """
    if name == "auto":
        try:
            return get_backend("cuda")
        except RuntimeError:
            return get_backend("cpu")
    package = _DEVICES.get(name, name)
    try:
        module = importlib.import_module(f"backends.{package}")
    except ModuleNotFoundError as error:
        if error.name == f"backends.{package}":
            reason = "this version of symgraph has no backend for it"
        else:
            reason = f"{error}; {_INSTALL.get(package, 'a package it needs is missing')}"
        raise RuntimeError(f"device {name!r} cannot be used: {reason}. Use device='cpu'") from error
    backend: Backend = module.backend
    return backend
