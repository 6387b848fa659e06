"""Running a loop over rows in tiles, on several threads.

NumPy lets go of Python's lock while it computes, so threads that each take tiles from one list keep all cores busy. How
the rows are cut depends on their number and size only, never on the threads: results are the same on any machine.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from symgraph.config import config

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Tiles", "chunks_of", "count_threads", "finish", "rows_of_tile", "run_chunks", "run_tiles"]

_TILE = 1 << 16      # elements of the widest array in a tile: what a kernel touches then fits the cache of a core
_MOST_CHUNKS = 64    # parts into which the rows are cut, so that threads can share them
_LEAST_OF_CHUNK = 16  # rows; each chunk has its own part of a reduction over the rows, which takes memory

#: What a kernel takes its work from: a number and the first rows of tiles.
Tiles = Iterator[tuple[int, range]]

_pool: ThreadPoolExecutor | None = None
_size = 0


def count_threads() -> int:
    """How many threads a loop may use: `config.threads`, or else as many as this process may use cores."""
    return config.threads or _cores()


def _cores() -> int:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(wanted), cores) if wanted.isdigit() and int(wanted) > 0 else cores


def chunks_of(rows: int, size: int = 0) -> int:
    """Into how many parts a loop over rows is cut; with a size, not into more than there are tiles."""
    most = -(-rows // rows_of_tile(rows, size)) if size else rows
    return max(1, min(_MOST_CHUNKS, rows // _LEAST_OF_CHUNK, most))


def rows_of_tile(rows: int, size: int) -> int:
    """The rows of a tile, of so many rows of so many elements in all."""
    return max(1, _TILE * rows // size)


def run_tiles(kernel: Callable[..., None], rows: int, size: int, *values: Any) -> None:
    """Run a kernel over all rows.

    Parameters
    ----------
    kernel : callable
        Takes the tiles, the most rows of a tile, and the values.
    rows, size : int
        The number of rows and of elements of its widest array.
    values
        Arrays and lengths it works on.
    """
    _run(kernel, rows, chunks_of(rows, size), rows_of_tile(rows, size), values)


def run_chunks(kernel: Callable[..., None], rows: int, *values: Any) -> None:
    """Run a kernel whose steps pass nothing on to each other: smaller tiles would only cost time."""
    _run(kernel, rows, chunks_of(rows), rows, values)


def _run(kernel: Callable[..., None], rows: int, chunks: int, step: int, values: tuple[Any, ...]) -> None:
    bounds = [rows * i // chunks for i in range(chunks + 1)]
    tiles = iter([(i, range(bounds[i], bounds[i + 1], step)) for i in range(chunks)])
    helpers = [_start(kernel, tiles, step, *values) for _ in range(min(count_threads(), chunks) - 1)]
    try:
        kernel(tiles, step, *values)
    finally:
        for _ in tiles:  # after an error nobody starts another part
            pass
        errors = [helper.exception() for helper in helpers if not helper.cancel()]
    for error in errors:
        if error is not None:
            raise error


def finish(kernel: Callable[..., None], rows: int, chunks: int, step: int, values: Sequence[Any]) -> None:
    """Run a kernel to its end, whatever comes from the keyboard; an interrupt is raised afterwards.

    Python delivers interrupts to the main thread only, so the work is done by another.
    """
    worker = _start(_run, kernel, rows, chunks, step, tuple(values))
    interrupt: BaseException | None = None
    while not worker.done():
        try:
            worker.exception()
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt
    worker.result()


def _start(function: Callable[..., None], *values: Any) -> Future[None]:
    """Run a function on another thread, under the caller's `numpy.errstate`."""
    global _pool, _size
    if _pool is None or _size < count_threads():
        from concurrent.futures import ThreadPoolExecutor  # with logging, a tenth of the time a first compile takes

        _size = count_threads()
        _pool = ThreadPoolExecutor(_size, thread_name_prefix="symgraph")
    return _pool.submit(contextvars.copy_context().run, function, *values)


def _forget() -> None:
    """In a forked child the threads are gone."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
