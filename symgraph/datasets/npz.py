"""Keras' ``mnist.npz``: a zip archive of four arrays, x_train, y_train, x_test and y_test."""

import io
import math
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgraph.datasets.errors import DatasetError
from symgraph.datasets.images import Images, checked_split
from symgraph.datasets.payload import MAX_BYTES, open_payload, read_up_to

__all__ = ["read_npz"]

_NAMES = ("x_train", "y_train", "x_test", "y_test")
_HEADER_ROOM = 2**16


def read_npz(path: Path) -> Images:
    """Read an archive in the form of Keras' ``mnist.npz``; nothing in it is ever unpickled.

    Raises
    ------
    DatasetError
        If the file is not such an archive, is damaged (the zip checksums), holds objects, or would take too much
        memory.
    """
    try:
        with open_payload(path) as stream, zipfile.ZipFile(stream) as archive:
            x_train, y_train, x_test, y_test = (_read_member(archive, path, name) for name in _NAMES)
    except DatasetError:
        raise
    except Exception as error:  # zipfile meets damage with exceptions of a dozen types, NotImplementedError among them
        raise DatasetError(f"{path} cannot be read as an npz archive: {error or type(error).__name__}") from error
    train = checked_split(x_train, y_train, f"{path}: x_train", f"{path}: y_train")
    test = checked_split(x_test, y_test, f"{path}: x_test", f"{path}: y_test")
    return Images.of(train, test)


def _read_member(archive: zipfile.ZipFile, path: Path, name: str) -> NDArray[Any]:
    what = f"{path}: {name}"
    if f"{name}.npy" not in archive.namelist():
        found = ", ".join(sorted(archive.namelist())[:6]) or "nothing"
        raise DatasetError(f"{path} has no array {name!r} (it holds {found}); Keras' mnist.npz has {', '.join(_NAMES)}")
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MAX_BYTES + _HEADER_ROOM:
        raise DatasetError(f"{what} takes {info.file_size:,} bytes, over the limit of {MAX_BYTES:,}")
    with archive.open(info) as member:
        data = bytes(read_up_to(member, info.file_size + 1))
    stream = io.BytesIO(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of headers written by Python 2, which are as good as others
        shape, dtype = _read_header(stream, what)
        size = math.prod(shape) * dtype.itemsize
        held = len(data) - stream.tell()
        if size != held:
            raise DatasetError(f"{what} promises {size:,} bytes of shape {shape} but holds {held:,}")
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_header(stream: io.BytesIO, what: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DatasetError(f"{what} is of npy version {version}; 1.0 and 2.0 are known")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.kind not in "uifb":
        raise DatasetError(f"{what} holds {dtype}, not numbers; it is not read")
    return shape, dtype
