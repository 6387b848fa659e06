"""Philox-4x64-10: random words as a function of a key and a counter.

A *state* is a vector of three uint64: two words of key, and the number of the next block. Block number b consists of
the four 64-bit words that ten rounds of Philox-4x64 make of the key and of the 256-bit counter

    b + attempt * 2**64 + lane * 2**128

where `attempt` and `lane` are 0 except in sampling by rejection and in multinomial draws. One round takes the counter
(c0, c1, c2, c3), lowest word first, and the key (k0, k1) to

    (high(M1 * c2) ^ c1 ^ k0,  low(M1 * c2),  high(M0 * c0) ^ c3 ^ k1,  low(M0 * c0))

and between rounds the key grows by (W0, W1), modulo 2**64. Word number w of a state is word w % 4 of its block w // 4.
Where words of 32 bits are drawn, each word gives two, its lower half first.

NumPy's own bit generator computes consecutive blocks: 2.2 nanoseconds for 32 bits (on an AMD EPYC), against 8.6 for
Philox-4x32 in array operations that stay in the cache. That is why the words have 64 bits. Single blocks far apart,
which rejection asks for, are computed here.

References
----------
J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["Array", "Seed", "blocks", "blocks_at", "high_product", "make_state", "words"]

Array = np.ndarray[Any, Any]
Seed = int | np.integer[Any] | Sequence[int] | None

_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_WORD = (1 << 64) - 1
_COUNTER = (1 << 256) - 1
_ROUNDS = 10


class _Local(threading.local):
    """A bit generator for each thread: placing one anew costs a tenth of making one."""

    @cached_property
    def generator(self) -> np.random.Philox:
        return np.random.Philox(0)  # not at once: to import numpy.random takes longer than most of this package


_local = _Local()


def make_state(seed: Seed = None, number: int = 0) -> Array:
    """The state that a stream starts from.

    Parameters
    ----------
    seed : int, sequence of int, or None
        An integer in [0, 2**64) is the first word of the key itself. Anything else is hashed to one by
        `numpy.random.SeedSequence`; None takes entropy from the system.
    number : int
        Which of the streams of this seed: the second word of the key. Streams of different numbers are independent.

    Raises
    ------
    ValueError
        For a negative seed.
    TypeError
        When the seed is not made of integers.

    Examples
    --------
    >>> make_state(7, 2)
    array([7, 2, 0], dtype=uint64)
    """
    if isinstance(seed, (bool, float, np.floating, str)):
        raise TypeError(f"a seed is an integer or a sequence of integers, not {seed!r}")
    if isinstance(seed, (int, np.integer)) and 0 <= int(seed) <= _WORD:
        first = int(seed)
    else:
        first = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    return np.array([first, number & _WORD, 0], np.uint64)


def words(state: Array, block: int, count: int, attempt: int = 0, lane: int = 0) -> Array:
    """`count` consecutive words of 64 bits, from the first of a block on.

    Parameters
    ----------
    state : array of 3 uint64
    block : int
        Counted from the state's own.
    count : int
    attempt, lane : int
        The upper parts of the counter.

    Examples
    --------
    >>> [hex(w) for w in words(make_state(0), 0, 2)]
    ['0x16554d9eca36314c', '0xdb20fe9d672d0fdc']
    """
    first, second, counter = state.tolist()
    before = ((counter + block & _WORD) + (attempt << 64) + (lane << 128) - 1) & _COUNTER
    # NumPy's generator counts on before it computes. Tuples are read faster than arrays, which are what it asks for.
    placed: Any = {
        "bit_generator": "Philox",
        "state": {"counter": (before & _WORD, before >> 64 & _WORD, before >> 128 & _WORD, before >> 192),
                  "key": (first, second)},
        "buffer": (0, 0, 0, 0), "buffer_pos": 4, "has_uint32": 0, "uinteger": 0,
    }
    generator = _local.generator
    generator.state = placed
    return generator.random_raw(count)


def blocks(state: Array, block: int, count: int, attempt: int = 0, lane: int = 0) -> Array:
    """`count` consecutive blocks, as an array of shape (count, 4)."""
    return words(state, block, 4 * count, attempt, lane).reshape(count, 4)


def high_product(a: Array, b: Any) -> Array:
    """The upper 64 bits of the products of two arrays of uint64, the first of at least one dimension."""
    if np.ndim(b) == 0 and b <= _LOW:
        low = a & _LOW
        low *= b
        low >>= _HALF
        high = a >> _HALF
        high *= b
        high += low
        high >>= _HALF
        return high
    a0, a1, b0, b1 = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a1 * b0 + (a0 * b0 >> _HALF)
    cross = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (cross >> _HALF)


def blocks_at(state: Array, places: Array, attempt: int = 0, lane: int = 0) -> Array:
    """The blocks at any places, as `blocks` would give them: an array of shape (len(places), 4)."""
    c0 = places.astype(np.uint64) + np.uint64(state[2])
    c1, c2, c3 = (np.full(len(places), value, np.uint64) for value in (attempt, lane, 0))
    k0, k1 = int(state[0]), int(state[1])
    for _ in range(_ROUNDS):
        c0, c1, c2, c3 = (high_product(c2, _M1) ^ c1 ^ np.uint64(k0), c2 * _M1,
                          high_product(c0, _M0) ^ c3 ^ np.uint64(k1), c0 * _M0)
        k0, k1 = k0 + _W0 & _WORD, k1 + _W1 & _WORD
    return np.stack([c0, c1, c2, c3], axis=-1)
