"""The folder of compiled kernels: nothing is compiled twice.

Results lie under the digest of all that they depend on. Files appear there in one step and carry a digest of their own
content, so that several processes can share the folder, and what a crash or a full disk has damaged is made anew. When
they take more than `limit` bytes together, those that were not used for the longest time go.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Kept", "cache_folder", "cached", "content_of", "kept", "limit"]

_MARK = b"symgraph"  # ends every file of the cache, after the digest of what stands before it
_LIMIT = 500.0       # MiB
_FILLED = 0.8        # of the limit is what stays
_IN_USE = 600.0      # seconds: who was given a file may still have to read it
_LEFT = 86400.0      # seconds after which nobody writes any more what was begun
_PLACE = re.compile(r"[0-9a-f]{62}\.\w+")


@dataclass(frozen=True)
class Kept:
    """A file of the cache.

    Attributes
    ----------
    place : Path
    size : int
    used : float
        When, in seconds.
    """

    place: Path
    size: int
    used: float


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


def limit() -> int:
    """The most bytes that are kept: ``SYMGRAPH_CACHE_SIZE``, in MiB; 500 of them by default.

    Raises
    ------
    ValueError
        When the variable is no number, or a negative one.
    """
    text = os.environ.get("SYMGRAPH_CACHE_SIZE", "")
    try:
        size = float(text) if text else _LIMIT
    except ValueError:
        size = -1.0
    if not size >= 0:
        raise ValueError(f"SYMGRAPH_CACHE_SIZE is how many MiB of compiled kernels are kept, not {text!r}")
    return int(min(size, 2.0**40) * 2**20)


def kept() -> list[Kept]:
    """All files of the cache; in the user's cache folder there may be others, which are not its own."""
    found = []
    for place in cache_folder().glob("[0-9a-f][0-9a-f]/*"):
        with suppress(FileNotFoundError):  # another process removes some too
            status = place.stat()
            if _PLACE.fullmatch(place.name) and stat.S_ISREG(status.st_mode):
                found.append(Kept(place, status.st_size, status.st_mtime))
    return found


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
    with _locked(alone=False):
        if _is_whole(place):
            with suppress(OSError):
                os.utime(place)  # that it was used
            return place
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=place.parent) as folder:
        made = Path(folder) / f"made{suffix}"
        build(made)
        content = made.read_bytes()
        with made.open("ab") as file:
            file.write(hashlib.sha256(content).digest() + _MARK)
        made.replace(place)
    _added(place)
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


# ---- what goes

#: For each folder, how many bytes are kept there at least, as far as this process knows.
_sizes: dict[Path, int] = {}


def _added(place: Path) -> None:
    """A file was added; the folder is looked through only when it may have grown too large."""
    folder = cache_folder()
    if folder in _sizes:
        _sizes[folder] += place.stat().st_size
    if _sizes.get(folder, limit() + 1) > limit():
        _sizes[folder] = _trim(limit())


def _trim(most: int) -> int:
    """Remove what was not used for the longest time, if all together takes too much; returns what is left."""
    files = sorted(kept(), key=lambda file: file.used)
    total = sum(file.size for file in files)
    if total <= most:
        return total
    now = time.time()
    for folder in cache_folder().glob("[0-9a-f][0-9a-f]/.making-*"):
        with suppress(OSError):
            if now - folder.stat().st_mtime > _LEFT:  # of a process that did not live to see it finished
                shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        if total <= _FILLED * most or now - file.used < _IN_USE:
            break
        with _locked(alone=True), suppress(OSError):
            if file.place.stat().st_mtime == file.used:  # nobody has taken it meanwhile
                file.place.unlink()
                total -= file.size
    return total


@contextmanager
def _locked(alone: bool) -> Iterator[None]:
    """Hold the folder, alone or with others that do not either: nothing is removed that somebody is about to take."""
    try:
        import fcntl

        handle = os.open(cache_folder(), os.O_RDONLY)
    except (ImportError, OSError):  # no such locks here: then files are removed only when long unused
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)
