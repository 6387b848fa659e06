"""Finding NVIDIA's libraries: of the wheels that are installed beside this package, or of a CUDA toolkit."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find_header", "find_library", "load_library"]


def _numbers(path: Path) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", path.name)]


def _places(name: str) -> Iterator[Path]:
    """Files that may be the library, the likelier ones first."""
    for folder in sys.path:
        parts = Path(folder or ".") / "nvidia"
        if parts.is_dir():  # nvidia/cu13/lib of CUDA 13's wheels, nvidia/cublas/lib and the like of CUDA 12's
            yield from sorted(parts.glob(f"*/lib/lib{name}.so*"), key=_numbers, reverse=True)
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if os.environ.get(variable):
            yield from sorted(Path(os.environ[variable]).glob(f"lib*/lib{name}.so*"), key=_numbers, reverse=True)
    found = ctypes.util.find_library(name)
    if found:
        yield Path(found)
    for folder in ("/usr/local/cuda/lib64", "/opt/cuda/lib64"):
        yield from sorted(Path(folder).glob(f"lib{name}.so*"), key=_numbers, reverse=True)


@functools.cache
def load_library(name: str) -> ctypes.CDLL | None:
    """A library of NVIDIA's, such as ``nvrtc``; None when it is not to be found here."""
    for place in _places(name):
        try:
            return ctypes.CDLL(str(place))
        except OSError:
            continue  # of another architecture, or without what it needs: perhaps the next
    return None


def find_library(name: str) -> str | None:
    """The path of a library that can be loaded; None when there is none."""
    library = load_library(name)
    return None if library is None else str(library._name)


def find_header(name: str) -> str | None:
    """The path of one of the toolkit's headers; None when it is not to be found where CuPy looks."""
    wheels = [path for folder in sys.path for path in sorted((Path(folder or ".") / "nvidia").glob("*/include"))]
    toolkits = [Path(os.environ[v]) / "include" for v in ("CUDA_PATH", "CUDA_HOME") if os.environ.get(v)]
    for folder in (*wheels, *toolkits, Path("/usr/local/cuda/include")):
        if (folder / name).is_file():
            return str(folder / name)
    return None
