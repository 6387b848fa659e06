"""Small data sets in each format, written as their makers wrote them."""

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgraph.datasets import DatasetError

PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def small_arrays(n_train: int = 12, n_test: int = 6, side: int = 4) -> Arrays:
    """x_train, y_train, x_test, y_test: noise, and every label that fits."""
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (n, side, side), np.uint8) for n in (n_train, n_test)]
    images[0][0, 0, 0] = 255
    return images[0], np.arange(n_train, dtype=np.uint8) % 10, images[1], np.arange(n_test, dtype=np.uint8) % 10


def idx_bytes(array: NDArray[Any]) -> bytes:
    codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    code = codes[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(folder: Path, arrays: Arrays, packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(PARTS, arrays, strict=True):
        data = idx_bytes(array)
        if packed:
            folder.joinpath(f"{name}.gz").write_bytes(gzip.compress(data, 1))
        else:
            folder.joinpath(name).write_bytes(data)
    return folder


def write_npz(path: Path, arrays: Arrays) -> Path:
    x_train, y_train, x_test, y_test = arrays
    np.savez_compressed(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


def python2_protocol2(array: NDArray[Any]) -> bytes:
    """An array as Python 2's cPickle wrote it with protocol 2 (without memo), as in the published file."""
    data = array.tobytes()
    shape = (
        b"".join(b"J" + struct.pack("<i", n) for n in array.shape) + {1: b"\x85", 2: b"\x86", 3: b"\x87"}[array.ndim]
    )
    return b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
            b"(K\x01" + shape + python2_dtype(array.dtype) + b"\x89T" + struct.pack("<i", len(data)) + data + b"tb",
        ]
    )


def python2_dtype(dtype: np.dtype[Any]) -> bytes:
    kind, order = dtype.str[1:].encode(), dtype.str[:1].encode()
    state = b"(K\x03U\x01" + order + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return b"cnumpy\ndtype\nU\x02" + kind + b"K\x00K\x01\x87R" + state


def python2_protocol0(array: NDArray[Any]) -> bytes:
    """The same with protocol 0, all in printable characters."""
    data = repr(array.tobytes())[1:].encode()
    shape = b"(" + b"".join(b"I%d\n" % n for n in array.shape) + b"t"
    kind, order = array.dtype.str[1:].encode(), array.dtype.str[:1].encode()
    dtype = b"cnumpy\ndtype\n(S'" + kind + b"'\nI0\nI1\ntR(I3\nS'" + order + b"'\nNNNI-1\nI-1\nI0\ntb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    return start + b"(I1\n" + shape + dtype + b"I00\nS" + data + b"\ntb"


def deeplearning_triple(arrays: Arrays, n_valid: int = 2) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
    """What the published pickle holds: float32 rows of bytes / 256, int64 labels, in three pairs."""
    x_train, y_train, x_test, y_test = arrays
    x, x_test = (a.reshape(len(a), -1).astype(np.float32) / np.float32(256) for a in (x_train, x_test))
    y, y_test = y_train.astype(np.int64), y_test.astype(np.int64)
    return (x[:-n_valid], y[:-n_valid]), (x[-n_valid:], y[-n_valid:]), (x_test, y_test)


def python2_pickle(arrays: Arrays, protocol: int = 2, n_valid: int = 2) -> bytes:
    pairs = deeplearning_triple(arrays, n_valid)
    out = io.BytesIO()
    if protocol == 2:
        out.write(b"\x80\x02")
        for x, y in pairs:
            out.write(python2_protocol2(x) + python2_protocol2(y) + b"\x86")
        out.write(b"\x87.")
    else:
        out.write(b"(")
        for x, y in pairs:
            out.write(b"(" + python2_protocol0(x) + python2_protocol0(y) + b"t")
        out.write(b"t.")
    return out.getvalue()


def write_pickle(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return path


def assert_read_or_refused(read: Callable[[Path], object], file: Path) -> None:
    """Damaged files may happen to be whole; else only a DatasetError that names the file will do."""
    try:
        read(file)
    except DatasetError as error:
        complaint = str(error)
    else:
        return
    assert str(file) in complaint
