"""Loops over tiles for arrays as small as the fuzzer's: what only large arrays go through otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import symgraph as sg
from backends.numpy import threads, tiles
from symgraph.plan import kernel


@contextmanager
def small_tiles() -> Iterator[None]:
    """Every kernel runs in tiles of a few elements each, on three threads."""
    with (
        mock.patch.multiple(tiles, _LEAST=0, _MOST=0, _LEAST_ROWS=1),
        mock.patch.multiple(threads, _TILE=3, _LEAST_OF_CHUNK=1),
        mock.patch.object(kernel, "_SMALL", 0),
        sg.config.change_flags(threads=3),
    ):
        yield
