"""The generator against published vectors, and the mapping from words to numbers against plain Python integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symgraph.random import philox
from symgraph.random.draw import Draw
from symgraph.random.rejection import Source

WORD = (1 << 64) - 1

#: Known answers of Random123 for philox4x64 with 10 rounds: counter, key, output.
KNOWN = [
    ((0, 0, 0, 0), (0, 0),
     (0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b)),
    ((WORD,) * 4, (WORD,) * 2,
     (0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0)),
    ((0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89),
     (0x452821e638d01377, 0xbe5466cf34e90c6c),
     (0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6)),
]


def block(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """The definition, in integers of Python."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = p1 >> 64 ^ c1 ^ k0, p1 & WORD, p0 >> 64 ^ c3 ^ k1, p0 & WORD
        k0, k1 = k0 + 0x9E3779B97F4A7C15 & WORD, k1 + 0xBB67AE8584CAA73B & WORD
    return c0, c1, c2, c3


def word(state: Any, number: int) -> int:
    b = int(state[2]) + number // 4 & WORD
    return block((b, 0, 0, 0), (int(state[0]), int(state[1])))[number % 4]


def drawn(kind: str, dtype: str, state: Any, size: int, *parameters: Any) -> Any:
    return Draw(kind, dtype)(state, *parameters, size).eval()


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter: Any, key: Any, answer: Any) -> None:
    state = np.array([*key, counter[0]], np.uint64)
    found = philox.words(state, 0, 4, attempt=counter[1], lane=counter[2] + (counter[3] << 64))
    assert tuple(found.tolist()) == block(counter, key) == answer


def test_consecutive_blocks_are_single_blocks() -> None:
    state = philox.make_state(2**64 - 3, 9)
    state[2] = 1000
    for attempt, lane in ((0, 0), (1, 0), (3, 7), (0, 5)):
        row = philox.blocks(state, 17, 40, attempt, lane)
        assert tuple(row[3].tolist()) == block((1020, attempt, lane, 0), (2**64 - 3, 9))
        np.testing.assert_array_equal(row, philox.blocks_at(state, np.arange(17, 57), attempt, lane))


def test_a_source_gives_the_same_blocks_however_few_are_asked_for() -> None:
    source = Source(philox.make_state(3), 100, 500)
    every = source(2, np.arange(500))
    for places in ([7], [0, 499], range(0, 500, 2), range(0, 500, 11)):
        np.testing.assert_array_equal(source(2, np.array(places)), every[list(places)])


def test_the_counter_wraps() -> None:
    state = np.array([1, 2, WORD], np.uint64)
    np.testing.assert_array_equal(philox.words(state, 1, 4), philox.words(philox.make_state(1, 2), 0, 4))


def test_upper_halves_of_products() -> None:
    rng = np.random.default_rng(0)
    a = np.append(rng.integers(0, WORD, 200, np.uint64, endpoint=True), np.array([0, 1, WORD, WORD], np.uint64))
    b = np.append(rng.integers(0, WORD, 200, np.uint64, endpoint=True), np.array([WORD, WORD, WORD, 1], np.uint64))
    wanted = [int(x) * int(y) >> 64 for x, y in zip(a, b, strict=True)]
    assert philox.high_product(a, b).tolist() == wanted


# ---- from words to numbers: what every backend must reproduce bit for bit ----------------------------------------


STATE = np.array([11, 22, 33], np.uint64)


def test_words_of_either_size() -> None:
    whole = [word(STATE, i) for i in range(7)]
    assert drawn("bits", "uint64", STATE, 7).tolist() == whole
    halves = [half for w in whole for half in (w & 0xFFFFFFFF, w >> 32)]
    assert drawn("bits", "uint32", STATE, 13).tolist() == halves[:13]


def test_uniform_numbers() -> None:
    assert drawn("uniform", "float64", STATE, 9).tolist() == [(word(STATE, i) >> 11) / 2**53 for i in range(9)]
    halves = drawn("bits", "uint32", STATE, 9).tolist()
    assert drawn("uniform", "float32", STATE, 9).tolist() == [(h >> 8) / 2**24 for h in halves]
    assert drawn("uniform", "float16", STATE, 9).tolist() == [(h >> 21) / 2**11 for h in halves]


def test_integers() -> None:
    for low, span in ((-5, 11), (0, 1), (-(2**63), 2**63 - 1), (7, 2**40 + 3)):
        found = drawn("integers", "int64", STATE, 6, low, span)
        assert found.tolist() == [low + (word(STATE, i) * span >> 64) for i in range(6)]
    everything = drawn("integers", "int64", STATE, 3, np.int64(-(2**63)), np.int64(0))
    assert everything.tolist() == [word(STATE, i) - 2**63 for i in range(3)]


def test_normal_numbers_come_in_pairs() -> None:
    found = drawn("normal", "float64", STATE, 5)
    for i in range(5):
        a, b = word(STATE, i // 2 * 2), word(STATE, i // 2 * 2 + 1)
        radius = np.sqrt(-2 * np.log(((a >> 12) + 0.5) / 2**52))
        angle = 2 * np.pi * ((b >> 11) / 2**53)
        np.testing.assert_allclose(found[i], radius * (np.sin(angle) if i % 2 else np.cos(angle)), rtol=1e-13)


@pytest.mark.parametrize("kind", ["uniform", "normal", "gamma", "binomial", "integers"])
@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 70_001])
def test_an_element_does_not_depend_on_how_many_there_are(kind: str, size: int) -> None:
    parameters: Any = {"gamma": (0.7,), "binomial": (100, 0.4), "integers": (0, 10)}.get(kind, ())
    dtype = "int64" if kind in ("binomial", "integers") else "float32"
    whole = drawn(kind, dtype, STATE, 70_001, *parameters)
    np.testing.assert_array_equal(drawn(kind, dtype, STATE, size, *parameters), whole[:size])


# ---- seeds -------------------------------------------------------------------------------------------------------


def test_seeds() -> None:
    assert philox.make_state(2**64 - 1, 3).tolist() == [2**64 - 1, 3, 0]
    assert philox.make_state([1, 2]).tolist() == philox.make_state([1, 2]).tolist()
    assert philox.make_state([1, 2]).tolist() != philox.make_state([2, 1]).tolist()
    assert philox.make_state(2**64)[0] != philox.make_state(0)[0]
    assert philox.make_state(None).tolist() != philox.make_state(None).tolist()
    with pytest.raises(ValueError, match="non-negative"):
        philox.make_state(-1)
    bad: Any
    for bad in (1.5, "1", True, np.float64(2)):
        with pytest.raises(TypeError, match="seed"):
            philox.make_state(bad)
