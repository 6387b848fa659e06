"""Threads for NumPy written by hand: ufuncs release the interpreter's lock, so halves of an array run side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["Team", "tiles"]


class Team:
    """Runs parts of a piece of work in threads that stay alive.

    Parameters
    ----------
    threads : int
        How many, this one included.

    Examples
    --------
    >>> found = []
    >>> Team(2).run(found.append)
    >>> sorted(found)
    [0, 1]
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def run(self, part: Callable[[int], object]) -> None:
        """Call ``part(0)``, ``part(1)``, ... with one number for each thread, and wait for all."""
        if self.pool is None:
            part(0)
            return
        others = [self.pool.submit(part, number) for number in range(1, self.threads)]
        part(0)
        for other in others:
            other.result()


def tiles(length: int, size: int, part: int = 0, parts: int = 1) -> list[slice]:
    """The slices of at most `size` that make up one of `parts` equal shares of ``range(length)``.

    Examples
    --------
    >>> tiles(10, 4)
    [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    >>> tiles(10, 4, part=1, parts=2)
    [slice(5, 9, None), slice(9, 10, None)]
    """
    first, last = length * part // parts, length * (part + 1) // parts
    return [slice(start, min(start + size, last)) for start in range(first, last, size)]
