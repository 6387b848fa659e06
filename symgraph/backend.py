"""The Backend protocol, and finding a backend by name. The only place that names the `backends` package."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from symgraph.config import config
from symgraph.plan import Kernel, Plan, Step
from symgraph.shared import Memory, open_memory_with

__all__ = ["Backend", "Finding", "Pack", "Program", "Tiling", "examine", "get_backend", "untiled"]


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
    inside : callable or None
        As `run`, for a program inside another of the same backend: values come and go as that backend stores them.
    many : callable or None
        Runs the program once for each of a list of argument tuples, and gives the outputs stacked.
    report : callable or None
        Says where each step runs and how.
    positions : collection of int
        Inputs, by their places, for which `run` takes an integer of Python within the bounds of int64 as well.
    """

    run: Callable[..., Any]
    call: Callable[..., Any]
    source: str
    step_at: Callable[[BaseException], tuple[Step, list[Any]] | None]
    free: Callable[[], None]
    tiling: Callable[[Kernel, int, int], Tiling | None] = untiled
    anew: Collection[Step] = ()
    inside: Callable[..., Any] | None = None
    many: Callable[[Sequence[tuple[Any, ...]]], Any] | None = None
    report: Callable[[], Any] | None = None
    positions: Collection[int] = ()


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


_DEVICES = {"cpu": "numpy", "cuda": "cupy", "emulated": "cupy"}
_INSTALL = {"cupy": "install CuPy (pip install 'symgraph[cuda13]' or 'symgraph[cuda12]')"}


def get_backend(name: str) -> Backend:
    """The backend for a device (``cpu``, ``cuda``, ``emulated``, ``auto``) or of a name (``numpy``, ``cupy``).

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
    module = _module(name)
    if not hasattr(module, "backend_on"):
        backend: Backend = module.backend
        return backend
    device = "emulated" if "emulated" in (name, config.device) else "cuda"
    try:
        made: Backend = module.backend_on(device)
    except (ModuleNotFoundError, RuntimeError) as error:
        advice = f"; {_INSTALL['cupy']}" if isinstance(error, ModuleNotFoundError) else ""
        raise RuntimeError(f"device {name!r} cannot be used: {error}{advice}. Use device='cpu'") from error
    return made


def _module(name: str) -> Any:
    """The package of a backend."""
    package = _DEVICES.get(name, name)
    try:
        return importlib.import_module(f"backends.{package}")
    except ModuleNotFoundError as error:
        if error.name == f"backends.{package}":
            reason = "this version of symgraph has no backend for it"
        else:
            reason = f"{error}; {_INSTALL.get(package, 'a package it needs is missing')}"
        raise RuntimeError(f"device {name!r} cannot be used: {reason}. Use device='cpu'") from error


@dataclass(frozen=True)
class Finding:
    """Something that a device needs, and how it stands with it.

    Attributes
    ----------
    name : str
    state : {'here', 'works', 'missing', 'fails'}
    detail : str
        Its version and place, or what is wrong.
    advice : str
        What to install or do, if anything.
    """

    name: str
    state: str
    detail: str
    advice: str = ""


def examine(device: str) -> Iterator[Finding]:
    """What a device needs, what of it is here, and whether it works. Never raises for what is missing.

    Parameters
    ----------
    device : str
        ``cuda`` or ``emulated``.
    """
    findings: Iterator[Finding] = _module(f"{_DEVICES.get(device, device)}.doctor").examine()
    return findings


def _memory_on(device: str) -> Memory:
    memory: Memory = get_backend(device).memory  # type: ignore[attr-defined]
    return memory


open_memory_with(_memory_on)
