"""Typed configuration flags.

A flag is set, later sources winning, by its default, by ``~/.symgraphrc`` (``name = value`` lines under
``[global]``), by the environment variable ``SYMGRAPH_FLAGS`` (``name=value,name=value``), by assignment
(``config.floatX = "float32"``) and inside ``with config.change_flags(...)``. Unknown names and unfit values are
refused with the nearest known ones.

Examples
--------
>>> from symgraph.config import config
>>> with config.change_flags(floatX="float32"):
...     config.floatX
'float32'
"""

from __future__ import annotations

import configparser
import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symgraph.errors import ConfigError

__all__ = ["FLAGS", "Config", "Flag", "config"]


@dataclass(frozen=True)
class Flag:
    """One flag: its name, default, meaning, and what values it takes."""

    name: str
    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    convert: Callable[[str], Any] = str

    def parse(self, value: Any) -> Any:
        """Return `value` as the flag stores it, or raise `ConfigError` naming what it takes."""
        if self.choices:
            text = str(value)
            if text in self.choices:
                return text
            raise ConfigError(f"{self.name} takes one of {', '.join(self.choices)}, not {text!r}{_near(text, self.choices)}")
        try:
            return self.convert(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{self.name} does not take {value!r}: {error}") from None


def _near(word: str, known: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise ValueError("a boolean is written True or False")


def _count(value: Any) -> int:
    number = int(value)
    if number < 0:
        raise ValueError("it cannot be negative")
    return number


_LEVELS = ("ignore", "warn", "raise")

FLAGS: dict[str, Flag] = {
    flag.name: flag
    for flag in (
        Flag("device", "cpu", "where compiled functions run; `auto` takes a GPU when there is one", ("cpu", "cuda", "auto")),
        Flag("floatX", "", "dtype of constructors without a prefix and of floats that arise from integers; "
             "float64 on the CPU and float32 on cuda unless set", ("", "float16", "float32", "float64")),
        Flag("cast_policy", "floatX", "`floatX`: a float result that no wider float forced is capped at floatX; "
             "`numpy`: promotion exactly as NumPy's", ("floatX", "numpy")),
        Flag("warn_float64", "ignore", "what to do when an operation without float64 inputs makes float64", _LEVELS),
        Flag("mode", "FAST_RUN", "the default compilation mode",
             ("FAST_RUN", "FAST_COMPILE", "DebugMode", "NanGuardMode", "None")),
        Flag("on_unused_input", "raise", "what `function` does about an input nothing uses", _LEVELS),
        Flag("allow_input_downcast", None, "let inputs lose precision; None lets only Python floats become floatX",
             convert=lambda v: None if v in (None, "None", "") else _boolean(v)),
        Flag("fold_limit", 1 << 20, "largest constant, in bytes, that constant folding may create", convert=_count),
        Flag("rewrite_budget", 200, "firings of rewrite rules allowed per node before rewriting stops", convert=_count),
        Flag("profile", False, "collect timings of every compiled function", convert=_boolean),
        Flag("exception_verbosity", "low", "`high` adds the whole expression to run-time errors", ("low", "high")),
    )
}


class Config:
    """The flags, as attributes.

    Attributes not listed in `FLAGS` cannot be read or set: a misspelt flag is a `ConfigError`, not a silent no-op.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        object.__setattr__(self, "_values", {name: flag.default for name, flag in FLAGS.items()})
        for name, value in (values or {}).items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._values[name]
        except KeyError:
            raise AttributeError(f"unknown configuration flag {name!r}{_near(name, list(FLAGS))}") from None
        if name == "floatX" and not value:
            return "float32" if self._values["device"] == "cuda" else "float64"
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        flag = FLAGS.get(name)
        if flag is None:
            raise ConfigError(f"unknown configuration flag {name!r}{_near(name, list(FLAGS))}")
        self._values[name] = flag.parse(value)

    @contextmanager
    def change_flags(self, **flags: Any) -> Iterator[None]:
        """Set flags for the duration of a ``with`` block, and restore them whatever happens inside.

        Raises
        ------
        ConfigError
            For an unknown name or an unfit value; no flag is changed then.
        """
        before = dict(self._values)
        try:
            for name, value in flags.items():
                setattr(self, name, value)
            yield
        finally:
            self._values.update(before)

    def __repr__(self) -> str:
        return "\n".join(f"{name} = {getattr(self, name)!r}    # {flag.doc}" for name, flag in FLAGS.items())


def _from_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return dict(parser["global"]) if parser.has_section("global") else {}


def _from_environment(text: str) -> dict[str, str]:
    pairs = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, sign, value = part.partition("=")
        if not sign:
            raise ConfigError(f"SYMGRAPH_FLAGS holds {part!r}; write name=value, separated by commas")
        pairs[name.strip()] = value.strip()
    return pairs


config = Config({**_from_file(Path.home() / ".symgraphrc"), **_from_environment(os.environ.get("SYMGRAPH_FLAGS", ""))})
