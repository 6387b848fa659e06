"""The IDX format: a big-endian header (type, dimensions), then the numbers in C order.

The format is the one of http://yann.lecun.com/exdb/mnist: two zero bytes, a type code, the number of dimensions, each
dimension as an unsigned 32-bit integer, and the data, all big-endian.
"""

import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgraph.datasets.errors import DatasetError
from symgraph.datasets.payload import MAX_BYTES, Readable, open_payload, read_up_to, require_end

__all__ = ["read_idx"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_NDIM = 8


def read_idx(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """Read one array from an IDX file, raw or gzip-compressed.

    Parameters
    ----------
    path
        The file. Whether it is compressed is read from its first bytes, not from its name.
    max_bytes
        The most bytes the array may take. The header is checked against it before anything is allocated.

    Returns
    -------
    numpy.ndarray
        The array, in the machine's byte order, writable; uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    DatasetError
        If the file cannot be read, is not IDX, is cut short, altered (gzip checksum) or too long, or is over
        `max_bytes`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    ...     read_idx(file)
    array([5, 0, 4], dtype=uint8)
    """
    path = Path(path)
    with open_payload(path) as stream:
        dtype, shape = _read_header(stream, path)
        size = math.prod(shape) * dtype.itemsize
        if size > max_bytes:
            raise DatasetError(f"{path}: shape {shape} would take {size:,} bytes, over the limit of {max_bytes:,}")
        data = read_up_to(stream, size)
        if len(data) < size:
            raise DatasetError(f"{path} is truncated: {len(data):,} of the {size:,} bytes of shape {shape} are there")
        require_end(stream, path, f"{size:,} bytes of shape {shape}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: Readable, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = bytes(read_up_to(stream, 4))
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 1 <= magic[3] <= _MAX_NDIM:
        raise DatasetError(f"{path} is not an IDX file: it starts with bytes {magic.hex(' ') or '(none)'}")
    ndim = magic[3]
    sizes = read_up_to(stream, 4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DatasetError(f"{path} is truncated: it ends inside its header")
    return np.dtype(_DTYPES[magic[2]]), struct.unpack(f">{ndim}I", sizes)
