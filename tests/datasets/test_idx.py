"""IDX files: every type round-trips; every damage is a DatasetError and nothing else."""

import gzip
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from symgraph.datasets import DatasetError, read_idx
from tests.datasets.files import assert_read_or_refused, idx_bytes

in_a_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

arrays = st.sampled_from(["u1", "i1", "<i2", "<i4", "<f4", "<f8"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5))
)


@in_a_folder
@given(arrays, st.booleans())
def test_round_trip(tmp_path: Path, array: NDArray[Any], packed: bool) -> None:
    file = tmp_path / "anything"
    file.write_bytes(gzip.compress(idx_bytes(array), 1) if packed else idx_bytes(array))
    result = read_idx(file)
    assert result.dtype == array.dtype
    assert result.dtype.isnative
    assert result.flags.writeable
    np.testing.assert_array_equal(result, array)


def test_empty_dimension(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(idx_bytes(np.zeros((3, 0), np.uint8)))
    assert read_idx(file).shape == (3, 0)


LABELS = idx_bytes(np.arange(7, dtype=np.uint8))


@pytest.mark.parametrize("length", range(len(LABELS)))
@pytest.mark.parametrize("packed", [False, True])
def test_cut_short(tmp_path: Path, length: int, packed: bool) -> None:
    file = tmp_path / "labels"
    file.write_bytes(gzip.compress(LABELS[:length]) if packed else LABELS[:length])
    with pytest.raises(DatasetError, match=r"truncated|not an IDX file"):
        read_idx(file)


def test_gzip_cut_short(tmp_path: Path) -> None:
    packed = gzip.compress(LABELS)
    for length in range(3, len(packed)):
        file = tmp_path / "labels.gz"
        file.write_bytes(packed[:length])
        with pytest.raises(DatasetError, match="truncated"):
            read_idx(file)


def test_bytes_after_the_data(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_bytes(LABELS + b"\0")
    with pytest.raises(DatasetError, match="too long: bytes follow the 7 bytes"):
        read_idx(file)


def test_every_flipped_bit_of_a_gzip_is_noticed_or_harmless(tmp_path: Path) -> None:
    packed = gzip.compress(LABELS, mtime=0)
    file = tmp_path / "labels.gz"
    noticed = 0
    for position in range(8 * len(packed)):
        flipped = bytearray(packed)
        flipped[position // 8] ^= 1 << position % 8
        file.write_bytes(flipped)
        try:
            result = read_idx(file)
        except DatasetError:
            noticed += 1
        else:  # the header's time stamp and the bits that fill up the last byte carry no data
            np.testing.assert_array_equal(result, np.arange(7))
    assert noticed > 8 * (len(packed) - 10) - 8


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"", r"starts with bytes \(none\)"),
        (b"\0\0\x08", "starts with bytes 00 00 08"),
        (b"\0\0\x07\x01", "not an IDX file"),  # no such type
        (b"\0\0\x08\x00", "not an IDX file"),  # no dimension
        (b"\0\0\x08\xff", "not an IDX file"),  # more dimensions than an array may have
        (b"\x01\0\x08\x01", "not an IDX file"),
        (b"PK\x03\x04", "not an IDX file"),
    ],
)
def test_not_idx(tmp_path: Path, start: bytes, message: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(start + bytes(40) if len(start) == 4 else start)
    with pytest.raises(DatasetError, match=message):
        read_idx(file)


def test_a_header_that_promises_too_much_allocates_nothing(tmp_path: Path) -> None:
    file = tmp_path / "huge"
    file.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"x")
    with pytest.raises(DatasetError, match="over the limit of 536,870,912"):
        read_idx(file)
    file.write_bytes(b"\0\0\x08\x01" + (500 * 2**20).to_bytes(4, "big") + b"x")
    tracemalloc.start()
    with pytest.raises(DatasetError, match="truncated: 1 of the 524,288,000 bytes"):
        read_idx(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(LABELS + bytes(2**26)))
    tracemalloc.start()
    with pytest.raises(DatasetError, match="too long"):
        read_idx(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_max_bytes(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_bytes(LABELS)
    assert len(read_idx(file, max_bytes=7)) == 7
    with pytest.raises(DatasetError, match=r"shape \(7,\) would take 7 bytes, over the limit of 6"):
        read_idx(file, max_bytes=6)


def test_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        read_idx(tmp_path / "absent")
    with pytest.raises(DatasetError, match="not an ordinary file"):
        read_idx(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DatasetError, match="not an ordinary file"):
        read_idx(pipe)


@in_a_folder
@given(st.data())
def test_random_corruption_gives_an_array_or_a_dataset_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4)))
    if data.draw(st.booleans(), "packed"):
        content = bytearray(gzip.compress(content, mtime=0))
    for _ in range(data.draw(st.integers(1, 4), "edits")):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    file = tmp_path / "file"
    file.write_bytes(content)
    assert_read_or_refused(read_idx, file)


@in_a_folder
@given(st.binary(max_size=64).map(lambda tail: b"\0\0\x08" + tail) | st.binary(max_size=64))
def test_random_bytes_give_an_array_or_a_dataset_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert_read_or_refused(read_idx, file)
