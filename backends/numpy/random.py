"""Random tensors on several threads: whole blocks of words at a time, so that numbers are the same on any machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.numpy.threads import Tiles, run_tiles
from symgraph.random.draw import Draw

__all__ = ["draw"]

_LEAST = 1 << 13  # blocks that are worth sharing among threads
_WORDS = 4  # of a block


def draw(op: Draw, state: Any, *inputs: Any, out: Any = None) -> Any:
    """What an operation draws.

    Parameters
    ----------
    op : Draw
    state : array
    inputs
        Parameters and lengths.
    out : array, optional
        In C order, to draw into.
    """
    result = np.empty(op.shape(inputs), op.dtype) if out is None else out
    flat, parameters = result.reshape(-1), op.spread(inputs, result.shape)
    blocks = -(-flat.size // op.per_block)
    if blocks < _LEAST:
        op.fill(state, flat, 0, flat.size, parameters)
    else:
        run_tiles(_fill, blocks, blocks * _WORDS, op, state, flat, parameters)
    return result


def _fill(tiles: Tiles, step: int, op: Draw, state: Any, flat: Any, parameters: Any) -> None:
    for _, blocks in tiles:
        for first in blocks:
            last = min(first + step, blocks.stop)
            op.fill(state, flat, first * op.per_block, min(last * op.per_block, flat.size), parameters)
