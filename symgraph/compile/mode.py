"""Modes: how much a function is rewritten before it is planned, and what watches it run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from symgraph.config import config

__all__ = ["FAST_COMPILE", "FAST_RUN", "LARGE_INSIDE", "MODES", "UNREWRITTEN", "Mode", "get_default_mode", "get_mode"]


#: Ways in which Theano ran one and the same program; programs that name them get the device's backend.
_THEANO_LINKERS = {"py", "c", "c|py", "c|py_nogc", "cvm", "cvm_nogc", "vm", "vm_nogc", "c&py"}


@dataclass(frozen=True)
class Mode:
    """What happens between an expression and its program.

    Parameters
    ----------
    linker : str or None
        The backend; that of the configured device when None.
    optimizer : str or None
        ``"FAST_RUN"`` for all rules, ``"FAST_COMPILE"`` for those that make results right (stabilising laws) and are
        cheap to find, None for no rewriting at all.
    name : str
        For display.
    excluded, included : frozenset of str
        Names or tags of rules left out, or added.
    watch : str
        ``""``, ``"debug"`` (compare with the unrewritten expression, check every result), ``"nan"`` (stop at the
        first NaN, infinity or huge number) or ``"monitor"`` (call functions before and after each step).
    guards : frozenset of str
        What ``"nan"`` stops at: any of ``"nan"``, ``"inf"``, ``"big"``.
    pre_func, post_func : callable, optional
        What ``"monitor"`` calls; see `MonitorMode`.

    Raises
    ------
    ValueError
        For an optimizer or a watch there is not.
    """

    linker: str | None = None
    optimizer: str | None = "FAST_RUN"
    name: str = ""
    excluded: frozenset[str] = field(default_factory=frozenset)
    included: frozenset[str] = field(default_factory=frozenset)
    watch: str = ""
    guards: frozenset[str] = frozenset({"nan", "inf", "big"})
    pre_func: Callable[..., Any] | None = None
    post_func: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        known = {"fast_run": "FAST_RUN", "fast_compile": "FAST_COMPILE", "none": None, "merge": None}
        level = self.optimizer
        if isinstance(level, str):
            if level.lower() not in known:
                raise ValueError(f"optimizer must be FAST_RUN, FAST_COMPILE or None, not {level!r}")
            object.__setattr__(self, "optimizer", known[level.lower()])
        if self.linker in _THEANO_LINKERS:
            object.__setattr__(self, "linker", None)
        if self.watch not in ("", "debug", "nan", "monitor"):
            raise ValueError(f"watch must be '', 'debug', 'nan' or 'monitor', not {self.watch!r}")

    def excluding(self, *tags: str) -> Mode:
        """This mode without the rules of some names or tags."""
        return replace(self, excluded=self.excluded | set(tags), name="")

    def including(self, *tags: str) -> Mode:
        """This mode with the rules of some names or tags.

        ``"unsafe"`` adds laws that are untrue of NaN and infinity, such as ``x - x`` being 0, which no mode has unless
        it says so.

        Examples
        --------
        >>> import symgraph as sg, symgraph.tensor as T
        >>> x = T.dvector("x")
        >>> f = sg.function([x], x * 0, mode=FAST_RUN.including("unsafe"))
        >>> f([1.0, float("inf")])
        array([0., 0.])
        """
        return replace(self, included=self.included | set(tags), excluded=self.excluded - set(tags), name="")

    def requiring(self, *tags: str) -> Mode:
        """This mode with some rules, which must exist."""
        from symgraph.rewrites.pipeline import known_tags

        missing: Iterable[str] = set(tags) - known_tags()
        if missing:
            raise ValueError(f"no rule has the name or tag {', '.join(sorted(missing))}")
        return self.including(*tags)

    def __str__(self) -> str:
        return self.name or f"Mode(linker={self.linker!r}, optimizer={self.optimizer!r})"


#: Rules that make huge numbers on the way to good ones, which a guard would stop at.
LARGE_INSIDE = frozenset({"sigmoid_by_exponential"})

FAST_RUN = Mode(name="FAST_RUN")
FAST_COMPILE = Mode(optimizer="FAST_COMPILE", name="FAST_COMPILE")
UNREWRITTEN = Mode(optimizer=None, name="None")
MODES: dict[str, Mode] = {
    "FAST_RUN": FAST_RUN,
    "FAST_COMPILE": FAST_COMPILE,
    "None": UNREWRITTEN,
    "DebugMode": Mode(name="DebugMode", watch="debug"),
    "NanGuardMode": Mode(name="NanGuardMode", watch="nan", excluded=LARGE_INSIDE),
}


def get_mode(mode: Any) -> Mode:
    """The mode of a name, a mode itself, or the configured one for None.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if mode is None:
        mode = config.mode
        if config.optimizer and mode == "FAST_RUN":
            return Mode(optimizer=config.optimizer)
    if isinstance(mode, Mode):
        return mode
    if isinstance(mode, str):
        found = {name.lower(): m for name, m in MODES.items()}.get(mode.lower().replace("_mode", "mode"))
        if found is not None:
            return found
    raise ValueError(f"mode must be one of {', '.join(MODES)} or a Mode, not {mode!r}")


def get_default_mode() -> Mode:
    """The configured mode."""
    return get_mode(None)
