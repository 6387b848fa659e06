"""Where data may lie: a given path, ``SYMGRAPH_DATA``, the user's cache; and which of the known formats lies there."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from symgraph.datasets.errors import DatasetError
from symgraph.datasets.idx import read_idx
from symgraph.datasets.images import Images, checked_split
from symgraph.datasets.npz import read_npz
from symgraph.datasets.payload import open_payload
from symgraph.datasets.pickled import read_pickle

__all__ = ["Found", "cache_folder", "find_at", "find_in"]

PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_FOLDERS = (".", "mnist", "raw", "MNIST/raw")  # the last two are torchvision's


@dataclass(frozen=True)
class Found:
    """A data set on disk: one npz or pickle file, or the four IDX files in the order of `PARTS`."""

    kind: Literal["IDX", "npz", "pickle"]
    paths: tuple[Path, ...]

    @property
    def origin(self) -> str:
        """Where it is, for people."""
        return f"{self.paths[0].parent} (IDX files)" if self.kind == "IDX" else str(self.paths[0])

    def read(self) -> Images:
        """Read the files, whatever they turn out to hold.

        Raises
        ------
        DatasetError
            If a file is damaged or does not hold images and labels.
        """
        if self.kind == "npz":
            return read_npz(self.paths[0])
        if self.kind == "pickle":
            return read_pickle(self.paths[0])
        names = [str(path) for path in self.paths]
        x_train, y_train, x_test, y_test = (read_idx(path) for path in self.paths)
        train = checked_split(x_train, y_train, names[0], names[1])
        return Images.of(train, checked_split(x_test, y_test, names[2], names[3]))


def cache_folder() -> Path:
    """The folder that downloads go to, by the platform's custom: ``~/.cache/symgraph/mnist`` on Linux."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "symgraph" / "mnist"


def find_in(folder: Path) -> Found | None:
    """Find a data set in a folder by file names: four IDX files, ``mnist.npz``, ``mnist.pkl.gz`` or ``mnist.pkl``.

    Raises
    ------
    DatasetError
        If some of the four IDX files are there, others are not, and there is nothing else.
    """
    partial: list[Path | None] = []
    for place in (folder / name for name in _FOLDERS):
        parts = [_part(place, name) for name in PARTS]
        present = tuple(path for path in parts if path is not None)
        if len(present) == len(PARTS):
            return Found("IDX", present)
        if (place / "mnist.npz").is_file():
            return Found("npz", (place / "mnist.npz",))
        for name in ("mnist.pkl.gz", "mnist.pkl"):
            if (place / name).is_file():
                return Found("pickle", (place / name,))
        if present and not partial:
            partial = list(parts)
    if partial:
        missing = ", ".join(name for name, path in zip(PARTS, partial, strict=True) if path is None)
        there = next(path for path in partial if path is not None)
        raise DatasetError(f"{there.parent} holds {there.name} but lacks {missing} (each with or without .gz)")
    return None


def _part(folder: Path, name: str) -> Path | None:
    dotted = name.replace("-idx", ".idx")  # as some archives unpack them
    candidates = (folder / (stem + suffix) for stem in (name, dotted) for suffix in (".gz", ""))
    return next((path for path in candidates if path.is_file()), None)


def find_at(path: Path) -> Found:
    """Find the data set that a path names: a folder (see `find_in`), or a file of any name, told by its first bytes.

    One of the four IDX files stands for all four.

    Raises
    ------
    DatasetError
        If there is nothing there, or nothing known.
    """
    if not path.exists():
        raise DatasetError(f"{path} does not exist")
    if path.is_dir():
        found = find_in(path)
        if found is None:
            raise DatasetError(
                f"No data in {path}: looked there and in {', '.join(_FOLDERS[1:])} for "
                f"{PARTS[0]}[.gz] and its three companions, mnist.npz, mnist.pkl.gz and mnist.pkl"
            )
        return found
    with open_payload(path) as stream:
        start = stream.read(4)
    if start[:2] == b"PK":
        return Found("npz", (path,))
    if start[:1] in (b"\x80", b"("):
        return Found("pickle", (path,))
    if start[:3] == b"\0\0\x08":
        companions = find_in(path.parent)
        if companions is not None and path in companions.paths:
            return companions
    raise DatasetError(
        f"{path} is none of: an npz archive, a pickle, or one of the four IDX files {PARTS[0]}[.gz] and companions; "
        f"it starts with bytes {start.hex(' ') or '(none)'}"
    )
