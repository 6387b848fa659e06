"""Sums of large float arrays over axes, shared among threads: as fast as memory is read.

They are products with vectors of ones, which BLAS computes with all of a vector register while it reads several rows
side by side. Its threads share a product. (Threads of ours would share the cores with them: for some time after any
product they wait busily for the next. Where BLAS has one thread only, ours take parts of the work instead.)

How OpenBLAS cuts a product among its threads shows in the last bits, but only where it cuts inside of what its kernels
take at once: four rows where elements of a row are added, so many columns where rows are. So every product given to it
is one of which each thread gets a multiple of that: most of the rows (or columns) first, then the last few once more,
together with some before them. The result is the same for any number of threads, of ours and of theirs. Another BLAS is
not asked at all.

A row is added in pieces of some thousand elements, and rows in blocks of some hundred, whose sums are added afterwards:
a long sum is more exact for it than one element after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from backends.numpy.blas import thread_count
from backends.numpy.sums import ones_of, row_sums, total
from backends.numpy.threads import Tiles, run

__all__ = ["SHARES", "shared_column_sums", "shared_row_sums", "shared_total"]

#: A vector, a matrix, and an array for the vector times the matrix.
Product = tuple[Any, Any, Any]

SHARES = 16    # parts that threads of ours take one after the other; a thread does not wake up for shorter ones
_MOST = 64     # threads of BLAS; those of NumPy's own have no more
_ROWS, _COLUMNS = 4, 16  # that BLAS takes at once, or a multiple
_WIDTH = 2560  # elements of a row that are added one after the other, in several lanes
_LEAST = 256   # elements in a row: fewer are added sooner without a product
_BLOCK = 2048  # rows that are added one after the other
_PARTS, _HEIGHT = 4, 256  # of an array all of which is added: matrices it is seen as, and their rows


def shared_total(x: Any) -> Any:
    """``np.add.reduce(x, axis=None)`` of a large array."""
    if x.flags.c_contiguous:
        return _sum_of_flat(x.reshape(-1))
    if x.flags.f_contiguous:
        return _sum_of_flat(x.T.reshape(-1))
    if x.ndim == 2:
        return np.add.reduce(shared_row_sums(x.T if _has_rows(x.T) else x))
    return total(x)


def shared_row_sums(x: Any, out: Any = None, keepdims: bool = False) -> Any:
    """``np.add.reduce(x, axis=1, out=out, keepdims=keepdims)`` of a large matrix."""
    into = np.empty(len(x), x.dtype) if out is None else out[:, 0] if keepdims else out
    _add_up(x, into)
    return out if out is not None else into[:, None] if keepdims else into


def shared_column_sums(x: Any, out: Any = None, keepdims: bool = False) -> Any:
    """``np.add.reduce(x, axis=0, out=out, keepdims=keepdims)`` of a large matrix."""
    into = np.empty(x.shape[1], x.dtype) if out is None else out[0] if keepdims else out
    _add_up(x.T, into)
    return out if out is not None else into[None] if keepdims else into


def _add_up(x: Any, into: Any) -> None:
    """Sums along the second axis, the way that suits how a matrix lies in memory."""
    threads = thread_count()
    if not 0 < threads <= _MOST:
        _without_blas(x, into)
    elif _has_rows(x) and len(x) >= _ROWS * _MOST and x.shape[1] >= _LEAST:
        _along_rows(x, into, threads)
    elif _has_rows(x.T) and len(x) >= _COLUMNS * _MOST:
        _across_rows(x.T, into, threads)
    elif x.flags.f_contiguous and x.shape[1] >= _COLUMNS * _MOST:
        _across_few(x.T, into, threads)
    else:
        _without_blas(x, into)


def _without_blas(x: Any, into: Any) -> None:
    if x.strides[0] < x.strides[1]:
        parts = np.empty((SHARES, len(x)), x.dtype)
        _run(_add_part, SHARES, x.T, parts)
        np.add.reduce(parts, axis=0, out=into)
    else:
        _run(_add_rows, len(x), x, into)


def _has_rows(x: Any) -> bool:
    """Whether a matrix lies in memory as BLAS takes it: row after row, each in one piece."""
    return bool(x.strides[1] == x.itemsize and x.strides[0] >= x.shape[1] * x.itemsize)


def _run(kernel: Any, count: int, *values: Any) -> None:
    run(kernel, count, max(1, min(SHARES, count)), max(1, count), values)


# ---- what a thread of ours does -------------------------------------------------------------------------------------


def _add_rows(tiles: Tiles, step: int, x: Any, into: Any) -> None:
    for _, part in tiles:
        row_sums(x[part.start:part.stop], into[part.start:part.stop])


def _add_part(tiles: Tiles, step: int, x: Any, parts: Any) -> None:
    for number, _ in tiles:
        first, last = (len(x) * i // len(parts) for i in (number, number + 1))
        np.add.reduce(x[first:last], axis=0, out=parts[number])


def _add_share(tiles: Tiles, step: int, flat: Any, parts: Any) -> None:
    for number, _ in tiles:
        first, last = (len(flat) * i // len(parts) for i in (number, number + 1))
        parts[number] = total(flat[first:last])


def _multiply(tiles: Tiles, step: int, parts: Sequence[Product]) -> None:
    for _, part in tiles:
        for vector, matrix, sums in parts[part.start:part.stop]:
            np.matmul(vector, matrix, sums)


# ---- by products ----------------------------------------------------------------------------------------------------


def _share(products: Iterable[Product], unit: int, threads: int) -> None:
    """Compute products with matrices so that each thread has whole units of their columns."""
    wholes, again = [], []
    for vector, matrix, sums in products:
        columns = matrix.shape[1]
        whole = columns // (unit * threads) * unit * threads
        wholes.append((vector, matrix[:, :whole], sums[:whole]))
        if whole < columns:
            first = columns - unit * threads
            again.append((vector, matrix[:, first:], sums[first:]))
    if threads == 1:
        _run(_multiply, len(wholes), wholes)
    else:
        for vector, matrix, result in wholes:
            np.matmul(vector, matrix, result)
    for vector, matrix, result in again:  # when the others are there: a product adds up where it is to stand
        np.matmul(vector, matrix, result)


def _cut(length: int, most: int) -> list[tuple[int, int]]:
    """A length in even parts of so much at most: where they begin and end."""
    count = -(-length // most)
    return list(pairwise([length * i // count for i in range(count + 1)]))


def _along_rows(x: Any, into: Any, threads: int) -> None:
    """The sums of rows that lie one after the other."""
    rows, columns = x.shape
    pieces = _cut(columns, _WIDTH)
    shares = max(1, SHARES // len(pieces)) if threads == 1 else 1
    step = -(-rows // (shares * _ROWS)) * _ROWS
    parts = list(pairwise([*range(0, rows - _ROWS, step), rows]))
    ones, sums = ones_of(x.dtype), np.empty((len(pieces), rows), x.dtype)
    _share([(ones[:b - a], x[i:j, a:b].T, sums[number, i:j])
            for i, j in parts for number, (a, b) in enumerate(pieces)], _ROWS, threads)
    np.add.reduce(sums, axis=0, out=into)


def _across_rows(x: Any, into: Any, threads: int) -> None:
    """The sums of the columns of a matrix that lies row after row."""
    rows, columns = x.shape
    blocks = _cut(rows, _BLOCK)
    ones, sums = ones_of(x.dtype), np.empty((len(blocks), columns), x.dtype)
    _share([(ones[:b - a], x[a:b], sums[i]) for i, (a, b) in enumerate(blocks)], _COLUMNS, threads)
    np.add.reduce(sums, axis=0, out=into)


def _across_few(x: Any, into: Any, threads: int) -> None:
    """The sums of few columns: rows beside each other make a wide matrix."""
    rows, columns = x.shape
    many = 2 * _COLUMNS * _MOST // columns
    cut = rows // many * many
    sums = np.empty(many * columns, x.dtype)
    _across_rows(x[:cut].reshape(-1, many * columns), sums, threads)
    np.add(np.add.reduce(sums.reshape(many, columns), axis=0), np.add.reduce(x[cut:], axis=0), into)


def _sum_of_flat(flat: Any) -> Any:
    threads, width = thread_count(), len(flat) // (_PARTS * _HEIGHT)
    if not 0 < threads <= _MOST or width < _COLUMNS * _MOST:
        parts = np.empty(SHARES, flat.dtype)
        _run(_add_share, SHARES, flat, parts)
        return np.add.reduce(parts)
    cut = _PARTS * _HEIGHT * width
    ones, sums = ones_of(flat.dtype)[:_HEIGHT], np.empty((_PARTS, width), flat.dtype)
    matrices = flat[:cut].reshape(_PARTS, _HEIGHT, width)
    _share([(ones, matrix, part) for matrix, part in zip(matrices, sums, strict=True)], _COLUMNS, threads)
    return np.add.reduce(sums, axis=None) + np.add.reduce(flat[cut:])
