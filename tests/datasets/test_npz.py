"""Keras' mnist.npz: the four arrays, and no objects, bombs or damage."""

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgraph.datasets import DatasetError, npz
from symgraph.datasets.npz import read_npz
from tests.datasets import hostile
from tests.datasets.files import assert_read_or_refused, small_arrays, write_npz

NAMES = ("x_train", "y_train", "x_test", "y_test")


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array))
    return out.getvalue()


def archive(path: Path, members: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """The small data set, with some members replaced, or left out where empty."""
    contents = {name: npy(array) for name, array in zip(NAMES, small_arrays(), strict=True)} | (members or {})
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in contents.items():
            if data:
                file.writestr(f"{name}.npy", data)
    return path


def test_as_keras_writes_it(tmp_path: Path) -> None:
    images = read_npz(write_npz(tmp_path / "mnist.npz", small_arrays()))
    for found, expected in zip((*images.train, *images.test), small_arrays(), strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)
    assert (images.n_valid, images.levels) == (2, 256)


def test_scaled_pixels_and_wide_labels_are_the_same_data(tmp_path: Path) -> None:
    x_train, y_train, x_test, y_test = small_arrays()
    scaled = (x_train / np.float32(255), y_train.astype(np.int64), x_test / np.float32(255), y_test.astype(np.int64))
    images = read_npz(write_npz(tmp_path / "mnist.npz", scaled))
    for found, expected in zip((*images.train, *images.test), small_arrays(), strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


def test_a_header_by_python_2(tmp_path: Path) -> None:
    x = small_arrays()[0]
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (12L, 4L, 4L), }".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + x.tobytes()
    images = read_npz(archive(tmp_path / "mnist.npz", {"x_train": data}))
    np.testing.assert_array_equal(images.train.x, x)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"y_test": b""}, r"has no array 'y_test' \(it holds x_test.npy, x_train.npy, y_train.npy\)"),
        ({"x_train": npy(np.zeros(12, "S3"))}, "x_train holds .S3, not numbers"),
        ({"x_train": npy(np.zeros(12, "M8[s]"))}, "not numbers"),
        ({"x_train": npy(np.zeros(12, [("a", "f4")]))}, "not numbers"),
        ({"x_train": npy(np.zeros((12, 4, 4), complex))}, "not numbers"),
        (
            {"x_train": npy(np.zeros((12, 16), np.uint8))},
            r"expected images \(n, rows, columns\), found shape \(12, 16\)",
        ),
        ({"y_train": npy(np.zeros((12, 1), np.uint8))}, "expected a vector of labels"),
        ({"y_train": npy(np.zeros(11, np.uint8))}, "12 images in .*x_train, but 11 labels in .*y_train"),
        ({"y_test": npy(np.full(6, 10, np.uint8))}, "6 of 6 labels are not 0 to 9; label 0 is 10"),
        ({"x_test": npy(np.zeros((6, 5, 5), np.uint8))}, r"\(4, 4\) pixels, test images \(5, 5\)"),
        ({"x_train": npy(small_arrays()[0])[:-1]}, "promises 192 bytes of shape .* but holds 191"),
        ({"x_train": npy(small_arrays()[0]) + b"x"}, "promises 192 bytes of shape .* but holds 193"),
        ({"x_train": b"not npy at all"}, "cannot be read as an npz archive"),
        ({"x_train": b"\x93NUMPY\x03\x00" + npy(0)[8:]}, r"npy version \(3, 0\)"),
        ({"x_train": b"\x93NUMPY\x01\x00\xff\x7f" + b"(" * 0x7FFF}, "cannot be read as an npz archive"),
    ],
)
def test_not_the_data(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_npz(archive(tmp_path / "mnist.npz", members))


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    objects = np.empty(12, object)
    objects[:] = hostile.Reduces(hostile.fire, "npz")
    out = io.BytesIO()
    np.lib.format.write_array(out, objects, allow_pickle=True)
    hostile.fired.clear()
    pickle.loads(out.getvalue()[128:])
    assert hostile.fired, "the array is harmful"
    hostile.fired.clear()
    with pytest.raises(DatasetError, match="x_train holds object, not numbers"):
        read_npz(archive(tmp_path / "mnist.npz", {"x_train": out.getvalue()}))
    assert not hostile.fired


def test_a_promised_terabyte_is_not_allocated(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1048576, 1024, 1024), }".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"x"
    with pytest.raises(DatasetError, match="promises 1,099,511,627,776 bytes"):
        read_npz(archive(tmp_path / "mnist.npz", {"x_train": data}))


def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MAX_BYTES", 2**20)
    bomb = archive(tmp_path / "bomb.npz", {"x_train": npy(np.zeros((2**16, 32, 32), np.uint8))})
    tracemalloc.start()
    with pytest.raises(DatasetError, match="takes 67,108,992 bytes, over the limit of 1,048,576"):
        read_npz(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "bomb.npz", {"x_train": npy(np.zeros((2**16, 32, 32), np.uint8))})
    true_size = (2**26 + 128).to_bytes(4, "little")
    content = bomb.read_bytes()
    assert content.count(true_size) == 2
    bomb.write_bytes(content.replace(true_size, (1000).to_bytes(4, "little")))
    tracemalloc.start()
    with pytest.raises(DatasetError, match="Bad CRC-32"):
        read_npz(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_flipped_bits_are_noticed(tmp_path: Path) -> None:
    file = archive(tmp_path / "mnist.npz", compression=zipfile.ZIP_STORED)
    content = bytearray(file.read_bytes())
    content[content.index(small_arrays()[0].tobytes()) + 100] ^= 4
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"Bad CRC-32 for file 'x_train.npy'"):
        read_npz(file)


def test_cut_short(tmp_path: Path) -> None:
    content = archive(tmp_path / "mnist.npz").read_bytes()
    file = tmp_path / "cut.npz"
    for length in range(0, len(content), 7):
        file.write_bytes(content[:length])
        with pytest.raises(DatasetError, match="not a zip file"):
            read_npz(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_random_corruption_gives_images_or_a_dataset_error(tmp_path: Path, data: st.DataObject) -> None:
    compression = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), "compression")
    content = bytearray(archive(tmp_path / "mnist.npz", compression=compression).read_bytes())
    for _ in range(data.draw(st.integers(1, 4), "edits")):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    file = tmp_path / "damaged.npz"
    file.write_bytes(content)
    assert_read_or_refused(read_npz, file)
