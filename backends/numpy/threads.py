"""Running a loop over rows in tiles, on several threads.

NumPy lets go of Python's lock while it computes, so threads that each take tiles from one list keep all cores busy. How
the rows are cut depends on their number and size only, never on the threads: results are the same on any machine.
"""

from __future__ import annotations

import _thread
import contextvars
import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

from symgraph.config import config

__all__ = [
    "Task", "Tiles", "chunks_of", "count_threads", "rows_of_tile", "run", "run_chunks", "run_tiles",
    "start",
]

_TILE = 1 << 16      # elements of the widest array in a tile, at least: what a kernel touches then stays in the cache
_LARGEST = 3         # such tiles at most in one: the more, the less often threads wait for Python's lock
_TILES = 16          # of more elements than so many tiles, tiles are larger: there are enough for all threads
_MOST_CHUNKS = 64    # parts into which the rows are cut, so that threads can share them
_MOST_PLAIN = 8      # the same, where nothing is gained by staying in the cache: to begin one has its price
_LEAST_OF_CHUNK = 16  # rows; each chunk has its own part of a reduction over the rows, which takes memory

#: What a kernel takes its work from: a number and the first rows of tiles.
Tiles = Iterator[tuple[int, range]]

_tasks: SimpleQueue[Task] = SimpleQueue()
_serving = 0  # threads that take tasks
_servers: list[int] = []  # the system's numbers of those that have begun
_kept_off = -1  # the core they keep off


def count_threads() -> int:
    """How many threads a loop may use: `config.threads`, or else as many as this process may use cores."""
    return config.threads or _cores()


def _cores() -> int:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(wanted), cores) if wanted.isdigit() and int(wanted) > 0 else cores


def chunks_of(rows: int, size: int = 0) -> int:
    """Into how many parts a loop over rows is cut; with a size, into parts of as many tiles each, if possible."""
    if not size:
        return max(1, min(_MOST_PLAIN, rows // _LEAST_OF_CHUNK))
    tiles = -(-rows // rows_of_tile(rows, size))
    return max(1, min(-(-tiles // -(-tiles // _MOST_CHUNKS)), rows // _LEAST_OF_CHUNK))


def rows_of_tile(rows: int, size: int) -> int:
    """The rows of a tile, of so many rows of so many elements in all."""
    tile = min(max(_TILE, size // _TILES), _LARGEST * _TILE)
    return max(1, tile * rows // size)


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
    run(kernel, rows, chunks_of(rows, size), rows_of_tile(rows, size), values)


def run_chunks(kernel: Callable[..., None], rows: int, *values: Any) -> None:
    """Run a kernel whose steps pass nothing on to each other: smaller tiles would only cost time."""
    run(kernel, rows, chunks_of(rows), rows, values)


def run(kernel: Callable[..., None], rows: int, chunks: int, step: int, values: Sequence[Any]) -> None:
    """Run a kernel over all rows, cut into so many chunks and these into tiles of so many rows."""
    bounds = [rows * i // chunks for i in range(chunks + 1)]
    tiles = iter([(i, range(bounds[i], bounds[i + 1], step)) for i in range(chunks)])
    helpers = [start(Task(kernel, (tiles, step, *values))) for _ in range(min(count_threads(), chunks) - 1)]
    try:
        kernel(tiles, step, *values)
    finally:
        for _ in tiles:  # after an error nobody starts another part
            pass
        errors = [helper.wait() for helper in helpers if not helper.cancel()]
    for error in errors:
        if error is not None:
            raise error


class Task:
    """Something another thread does.

    All it consists of is done in C, so that an interrupt from the keyboard finds it in order at any time: it strikes
    the main thread, and only between two instructions of Python.
    """

    __slots__ = ("_claim", "_context", "_errors", "_function", "_values")

    def __init__(self, function: Callable[..., None], values: tuple[Any, ...]) -> None:
        self._function, self._values = function, values
        self._context = contextvars.copy_context()  # of which numpy.errstate is a part
        self._claim = _thread.allocate_lock()
        self._errors: SimpleQueue[BaseException | None] = SimpleQueue()

    def do(self) -> None:
        """Do it, unless it was cancelled."""
        if not self._claim.acquire(blocking=False):
            return
        error: BaseException | None = None
        try:
            self._context.run(self._function, *self._values)
        except BaseException as caught:
            error = caught
        self._values = ()  # whoever waits may count who holds them
        self._errors.put(error)
        self._errors.put(error)  # for who was interrupted with the first in his hands

    def cancel(self) -> bool:
        """See to it that it is not begun; False when it was begun already."""
        cancelled = self._claim.acquire(blocking=False)
        if cancelled:
            self._values = ()
        return cancelled

    def wait(self) -> BaseException | None:
        """Until it is done; the error it ended with."""
        return self._errors.get()


def _core_getter() -> Callable[[], int]:
    """What tells the core the calling thread is on; -1 where nothing does, or threads cannot be moved."""
    try:
        getter: Any = ctypes.PyDLL(None).sched_getcpu
    except (AttributeError, OSError, TypeError):
        getter = None
    return getter if getter is not None and hasattr(os, "sched_setaffinity") else lambda: -1


_core = _core_getter()


def _keep_off(core: int) -> None:
    """Let those who take tasks run on other cores than the one whoever gives them is on, and goes on computing.

    Linux likes to wake a thread on the core of the one that wakes it, above all while threads of a BLAS wait busily on
    the others. It would be milliseconds before it moved one of the two.
    """
    global _kept_off
    if core < 0 or core == _kept_off:
        return
    _kept_off = core
    try:
        allowed = os.sched_getaffinity(0)
        if len(allowed) > 1:
            for server in tuple(_servers):
                os.sched_setaffinity(server, allowed - {core})
    except OSError:  # somebody else decides on cores
        pass


def start(task: Task) -> Task:
    """Let another thread do something."""
    global _serving
    while _serving < count_threads():
        _serving += 1
        _thread.start_new_thread(_serve, (_tasks,))
    _keep_off(_core())
    _tasks.put(task)
    return task


def _serve(tasks: SimpleQueue[Task]) -> None:
    global _kept_off
    _servers.append(_thread.get_native_id())
    _kept_off = -1
    while True:
        tasks.get().do()


def _forget() -> None:
    """In a forked child the threads are gone."""
    global _serving, _tasks, _kept_off
    _serving, _tasks, _kept_off = 0, SimpleQueue(), -1
    _servers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
