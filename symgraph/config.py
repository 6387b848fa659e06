"""Typed configuration flags.

A flag is set, later sources winning, by its default, by ``~/.symgraphrc`` (``name = value`` lines under
``[global]``), by the environment variable ``SYMGRAPH_FLAGS`` (``name=value,name=value``), by assignment
(``config.floatX = "float32"``) and inside ``with config.change_flags(...)``. Unknown names and unfit values are
refused with the nearest known ones. Flags of Theano that there is nothing to set of here (`INERT`: ``allow_gc``,
``cxx``, ``nvcc.fastmath``) are kept and read back, and have no effect, so that programs that set them run.

An assignment holds for the whole process. `change_flags` holds for the thread (or asynchronous task) that entered the
block and no other, as `numpy.errstate` does: threads that compile under different flags do not disturb each other.

Examples
--------
>>> from symgraph.config import config
>>> with config.change_flags(floatX="float32"):
...     config.floatX
'float32'
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symgraph.errors import ConfigError

__all__ = ["FLAGS", "GPUS", "INERT", "INERT_GROUPS", "Config", "Flag", "config"]


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
            choices = ", ".join(filter(None, self.choices))
            raise ConfigError(f"{self.name} takes one of {choices}, not {text!r}{_near(text, self.choices)}")
        try:
            return self.convert(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{self.name} does not take {value!r}: {error}") from None


def _near(word: str, known: tuple[str, ...] | list[str]) -> str:
    import difflib  # for messages only

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


#: Devices whose functions are CUDA programs.
GPUS = ("cuda", "emulated")

_LEVELS = ("ignore", "warn", "raise")
_FLOAT64_LEVELS = (*_LEVELS, "pdb")

FLAGS: dict[str, Flag] = {
    flag.name: flag
    for flag in (
        Flag("device", "cpu", "where compiled functions run; `auto` takes a GPU when there is one, `emulated` is a "
             "CUDA device emulated on the CPU, for tests", ("cpu", "cuda", "auto", "emulated")),
        Flag("floatX", "", "dtype of constructors without a prefix and of floats that arise from integers; "
             "float64 on the CPU and float32 on cuda unless set", ("", "float16", "float32", "float64")),
        Flag("cuda_fallback", "raise", "what a function for a GPU does about an operation nothing there can compute: "
             "`raise` when it is compiled, or compute it on the `cpu`, which moves its operands there and back",
             ("raise", "cpu")),
        Flag("matmul_precision", "float32", "how large float32 matrices are multiplied on a GPU: as `float32`, or as "
             "`tf32`, which rounds the factors to 10 bits and is several times faster", ("float32", "tf32")),
        Flag("cuda_graph", "auto", "whether calls of a function for a GPU are launched as CUDA graphs: where that "
             "should be faster, `always` where it is possible, or `never`", ("auto", "always", "never")),
        Flag("cast_policy", "floatX", "`floatX`: a float result that no wider float forced is capped at floatX; "
             "`numpy`: promotion exactly as NumPy's", ("floatX", "numpy")),
        Flag("warn_float64", "ignore", "what to do when an operation without float64 inputs makes float64",
             _FLOAT64_LEVELS),
        Flag("mode", "FAST_RUN", "the default compilation mode",
             ("FAST_RUN", "FAST_COMPILE", "DebugMode", "NanGuardMode", "None")),
        Flag("optimizer", "", "how much the default mode rewrites, under Theano's name",
             ("", "fast_run", "fast_compile", "merge", "None")),
        Flag("compute_test_value", "off", "compute every expression while it is built, from the `tag.test_value` of "
             "its inputs, so that what does not fit fails at the line that builds it; where an input has none, "
             "`ignore` it, `warn` or `raise`", ("off", "ignore", "warn", "raise")),
        Flag("on_unused_input", "raise", "what `function` does about an input nothing uses", _LEVELS),
        Flag("allow_input_downcast", None, "let inputs lose precision; None lets only Python floats become floatX",
             convert=lambda v: None if v in (None, "None", "") else _boolean(v)),
        Flag("fold_limit", 1 << 20, "largest constant, in bytes, that constant folding may create", convert=_count),
        Flag("rewrite_budget", 200, "firings of rewrite rules allowed per node before rewriting stops", convert=_count),
        Flag("threads", 0, "threads for loops over large arrays; 0 is as many as this process may use cores",
             convert=_count),
        Flag("profile", False, "collect timings of every compiled function", convert=_boolean),
        Flag("exception_verbosity", "low", "`high` adds the whole expression to run-time errors", ("low", "high")),
    )
}


#: Flags of Theano without effect here, and what they are unless set.
INERT: dict[str, Any] = {
    "allow_gc": True, "assert_no_cpu_op": "ignore", "base_compiledir": "", "compiledir": "", "compiledir_format": "",
    "compute_test_value_opt": "off", "cxx": "", "deterministic": "default", "force_device": False,
    "init_gpu_device": "", "int_division": "int", "linker": "vm", "nocleanup": False, "on_opt_error": "warn",
    "on_shape_error": "warn", "openmp": False, "openmp_elemwise_minsize": 200000, "optimizer_excluding": "",
    "optimizer_including": "", "optimizer_requiring": "", "optimizer_verbose": False, "print_active_device": True,
    "print_test_value": False, "profile_memory": False, "profile_optimizer": False,
    "reoptimize_unpickled_function": True, "unpickle_function": True,
}
#: Groups of such flags, as in ``config.nvcc.fastmath``.
INERT_GROUPS = frozenset({"DebugMode", "NanGuardMode", "ProfileMode", "blas", "cmodule", "compile", "cuda", "dnn",
                          "experimental", "gcc", "gpuarray", "lib", "numpy", "nvcc", "profiling", "scan", "tensor",
                          "traceback", "unittests", "vm", "warn"})

#: The flags that a `change_flags` block of this thread has set; None outside such blocks.
_changed: ContextVar[dict[str, Any] | None] = ContextVar("symgraph_changed_flags", default=None)


class Config:
    """The flags, as attributes.

    Attributes not listed in `FLAGS` cannot be read or set: a misspelt flag is an error, not a silent no-op.

    Parameters
    ----------
    *sources : tuple of (str, mapping)
        Where values come from, for error messages, and the values as text or as they are; later ones win.
    """

    __slots__ = ("_values",)

    def __init__(self, *sources: tuple[str, Mapping[str, Any]]) -> None:
        object.__setattr__(self, "_values", {**INERT, **{name: flag.default for name, flag in FLAGS.items()}})
        for place, values in sources:
            for name, value in values.items():
                try:
                    self._values[name] = _parsed(name, value)
                except ConfigError as error:
                    raise ConfigError(f"{place}: {error}") from None

    def __getattr__(self, name: str) -> Any:
        changed = _changed.get()
        values = self._values if changed is None or name not in changed else changed
        try:
            value = values[name]
        except KeyError:
            if name in INERT_GROUPS:
                return _Group(self, name)
            if _is_inert(name):
                return None
            raise AttributeError(f"unknown configuration flag {name!r}{_near(name, [*FLAGS, *INERT])}") from None
        if name == "floatX" and not value:
            return "float32" if self.device in GPUS else "float64"
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        parsed = _parsed(name, value)
        changed = _changed.get()
        if changed is not None and name in changed:
            changed[name] = parsed
        else:
            self._values[name] = parsed

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"flags cannot be deleted; assign {name!r} another value")

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *FLAGS]

    @contextmanager
    def change_flags(self, **flags: Any) -> Iterator[None]:
        """Set flags for the duration of a ``with`` block, in this thread, and restore them whatever happens inside.

        Raises
        ------
        ConfigError
            For an unknown name or an unfit value; no flag is changed then.
        """
        parsed = {name: _parsed(name, value) for name, value in flags.items()}
        token = _changed.set({**(_changed.get() or {}), **parsed})
        try:
            yield
        finally:
            _changed.reset(token)

    def __repr__(self) -> str:
        return "\n".join(f"{name} = {getattr(self, name)!r}    # {flag.doc}" for name, flag in FLAGS.items())


class _Group:
    """Theano's flags of one group, such as ``config.nvcc``, none of which has an effect."""

    __slots__ = ("_config", "_name")

    def __init__(self, config: Config, name: str) -> None:
        object.__setattr__(self, "_config", config)
        object.__setattr__(self, "_name", name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, f"{self._name}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._config, f"{self._name}.{name}", value)


def _is_inert(name: str) -> bool:
    group, dot, _ = name.partition(".")
    return name in INERT or (bool(dot) and group in INERT_GROUPS)


def _parsed(name: str, value: Any) -> Any:
    flag = FLAGS.get(name)
    if flag is None:
        if _is_inert(name):
            return value
        raise ConfigError(f"unknown configuration flag {name!r}{_near(name, [*FLAGS, *INERT])}")
    return flag.parse(value)


def _from_file(path: Path) -> dict[str, str]:
    """The flags of a configuration file; none when there is no such file."""
    try:
        if not path.is_file():
            return {}
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error}") from None
    import configparser  # few have the file

    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}. Write a line [global], then name = value lines "
                          "under it") from None
    for section in parser.sections():
        if section != "global":
            raise ConfigError(f"{path.name} holds the unknown section [{section}]; all flags stand under [global]")
    return dict(parser["global"]) if parser.has_section("global") else {}


def _from_environment(text: str) -> dict[str, str]:
    """The flags of a text such as ``device=cpu,floatX=float32``."""
    pairs = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, sign, value = part.partition("=")
        if not sign:
            raise ConfigError(f"SYMGRAPH_FLAGS holds {part!r}; write name=value, separated by commas")
        pairs[name.strip()] = value.strip()
    return pairs


def _user_file() -> Path | None:
    try:
        return Path.home() / ".symgraphrc"
    except RuntimeError:  # no home folder can be found
        return None


def _start() -> Config:
    """The flags as a new process finds them."""
    path = _user_file()
    return Config(
        ("~/.symgraphrc", _from_file(path) if path is not None else {}),
        ("SYMGRAPH_FLAGS", _from_environment(os.environ.get("SYMGRAPH_FLAGS", ""))),
    )


config = _start()
