"""Compiling CUDA C: for a GPU by NVRTC or nvcc, for the emulated device by the host's C++ compiler.

Nothing is compiled twice: results lie in a folder, under the digest of all that they depend on. Files appear there in
one step and carry a digest of their own content, so that several processes can share the folder, and what a crash or a
full disk has damaged is made anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from backends.cupy.device import KernelError

__all__ = ["cache_folder", "cached", "emulated_library", "emulation_scheduler", "host_compiler"]

_EMULATION = Path(__file__).parent / "emulation"
_MARK = b"symgraph"  # ends every file of the cache, after the digest of what stands before it


# ---- The cache


def cache_folder() -> Path:
    """Where compiled kernels are kept: ``SYMGRAPH_CACHE_DIR``, or ``symgraph`` in the user's cache folder.

    Compiled code is run, so a folder that others could write is not used: then one for this process alone is.
    """
    return _checked_folder(os.environ.get("SYMGRAPH_CACHE_DIR", ""), os.environ.get("XDG_CACHE_HOME", ""))


@functools.lru_cache(maxsize=8)
def _checked_folder(asked: str, user_caches: str) -> Path:
    folder = Path(asked) if asked else Path(user_caches or "~/.cache").expanduser() / "symgraph"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if os.access(folder, os.W_OK | os.X_OK) and not others and status.st_uid == os.geteuid():
            return folder
    except OSError:
        pass  # no home folder, or a disk that cannot be written
    import atexit

    own = tempfile.mkdtemp(prefix="symgraph-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


def cached(key: Sequence[str], suffix: str, build: Callable[[Path], None]) -> Path:
    """The file that `build` writes to the path it is given, made at most once for a key.

    Parameters
    ----------
    key : sequence of str
        All that the content depends on.
    suffix : str
        Of the file's name.
    build : callable
        Takes a path that does not exist and writes it.
    """
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
    place = cache_folder() / digest[:2] / f"{digest[2:]}{suffix}"
    if _is_whole(place):
        return place
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=place.parent) as folder:
        made = Path(folder) / f"made{suffix}"
        build(made)
        content = made.read_bytes()
        with made.open("ab") as file:
            file.write(hashlib.sha256(content).digest() + _MARK)
        made.replace(place)
    return place


def content_of(place: Path) -> bytes:
    """What was built into a file of the cache."""
    return place.read_bytes()[:-len(_MARK) - 32]


def _is_whole(place: Path) -> bool:
    try:
        data = place.read_bytes()
    except OSError:
        return False
    end = len(data) - len(_MARK) - 32
    return end > 0 and data.endswith(_MARK) and hashlib.sha256(data[:end]).digest() == data[end:end + 32]


def _run(command: Sequence[str], what: str) -> str:
    """The output of a compiler; its first lines as the error when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise KernelError("\n".join([f"{what} does not compile:", *lines[:10]]))
    return done.stdout + done.stderr


@functools.lru_cache(maxsize=8)
def _version(compiler: str) -> str:
    return _run([compiler, "--version"], f"{compiler} --version")


# ---- The emulated device


def host_compiler() -> str:
    """The C++ compiler of this machine.

    Raises
    ------
    KernelError
        When there is none.
    """
    found = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if not found:
        raise KernelError("the emulated device needs a C++ compiler, and none was found: install g++, or name one in "
                          "the environment variable CXX")
    return found


def emulation_scheduler() -> Path:
    """The library that runs the threads of emulated kernels and looks at their accesses to memory."""
    parts = [_EMULATION / name for name in ("scheduler.cpp", "accesses.cpp")]
    compiler = host_compiler()
    flags = ["-std=c++17", "-O2", "-fPIC", "-shared"]

    def build(made: Path) -> None:
        _run([compiler, *flags, *map(str, parts), "-o", str(made)], "the scheduler of emulated threads")

    text = [path.read_text() for path in (*parts, _EMULATION / "scheduler.h")]
    return cached([compiler, _version(compiler), *flags, *text], ".so", build)


#: Dynamic shared memory has no spelling in C++; lines stay where they are.
_DYNAMIC_SHARED = re.compile(
    r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s+)?([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;")


def emulated_library(source: str, names: Sequence[str], checked: bool = False) -> Path:
    """Kernels built for the host, behind ``emulation/cuda_emulation.h``.

    Parameters
    ----------
    source : str
        CUDA C that includes nothing.
    names : sequence of str
        Of its kernels.
    checked : bool
        Whether each access to memory is looked at.
    """
    header = _EMULATION / "cuda_emulation.h"
    compiler = host_compiler()
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-w", "-fno-strict-aliasing", "-ffp-contract=off",
             "-fvisibility=hidden", "-ftrivial-auto-var-init=pattern"]
    if checked:  # a call in front of each access, which the scheduler's library answers, not the sanitizer's
        flags += ["-g1", "-fsanitize=thread", "--param", "tsan-distinguish-volatile=1"]
    text = "\n".join([f'#include "{header.name}"', '#line 1 "kernels.cu"',
                      _DYNAMIC_SHARED.sub(r"SYMGRAPH_DYNAMIC_SHARED(\1, \2);", source),
                      *(f"SYMGRAPH_EXPORT({name})" for name in names), ""])

    def build(made: Path) -> None:
        kernels = made.with_name("kernels.cpp")
        kernels.write_text(text)
        part = made.with_name("kernels.o")
        _run([compiler, *flags, "-c", f"-I{_EMULATION}", str(kernels), "-o", str(part)], "a kernel")
        _run([compiler, "-shared", str(part), "-o", str(made)], "a kernel")

    return cached([compiler, _version(compiler), *flags, header.read_text(), (_EMULATION / "scheduler.h").read_text(),
                   text], ".so", build)
