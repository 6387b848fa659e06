"""The genuine MNIST, where SYMGRAPH_DATA names it: recognised by its contents, in every format."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from symgraph.datasets import DatasetError, load_mnist, mnist, read_idx
from symgraph.datasets.locate import PARTS, find_in
from tests.datasets.files import Arrays, python2_pickle, write_idx, write_npz, write_pickle

MD5 = {  # of the uncompressed files, as published
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder of the four IDX files; without them these tests are skipped."""
    named = os.environ.get("SYMGRAPH_DATA")
    if not named:
        pytest.skip("SYMGRAPH_DATA is not set: it should name a folder with MNIST's four IDX files")
    found = find_in(Path(named)) if Path(named).is_dir() else None
    if found is None or found.kind != "IDX":
        pytest.skip(f"SYMGRAPH_DATA={named} does not hold MNIST's four IDX files")
    return found.paths[0].parent


@pytest.fixture(scope="module")
def arrays(folder: Path) -> Arrays:
    (x_train, y_train), (x_test, y_test) = mnist.load_data(folder)
    return x_train, y_train, x_test, y_test


def test_the_files_are_the_published_ones(folder: Path) -> None:
    found = find_in(folder)
    assert found is not None
    for name, path in zip(PARTS, found.paths, strict=True):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == MD5[name]
    assert read_idx(found.paths[1])[:5].tolist() == [5, 0, 4, 1, 9]


def test_keras_form(arrays: Arrays) -> None:
    _, y_train, _, y_test = arrays
    assert [a.shape for a in arrays] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert {a.dtype for a in arrays} == {np.dtype(np.uint8)}
    assert (y_train[:3].tolist(), y_train[-3:].tolist()) == ([5, 0, 4], [5, 6, 8])
    assert (y_test[:3].tolist(), y_test[-3:].tolist()) == ([7, 2, 1], [4, 5, 6])
    assert all(a.flags.writeable for a in arrays)


def test_three_splits(arrays: Arrays, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("SYMGRAPH_DATA", str(folder))
    data = load_mnist(source="mnist")
    assert (data.name, data.notice, data.image_shape) == ("mnist", None, (28, 28))
    assert [(x.shape, str(x.dtype), y.shape, str(y.dtype)) for x, y in data.splits] == [
        ((50000, 784), "float32", (50000,), "int32"),
        ((10000, 784), "float32", (10000,), "int32"),
        ((10000, 784), "float32", (10000,), "int32"),
    ]
    x_train, y_train, x_test, _ = arrays
    np.testing.assert_array_equal(data.valid.y, y_train[50000:])
    np.testing.assert_array_equal(data.valid.x, x_train[50000:].reshape(-1, 784) / np.float32(255))
    np.testing.assert_array_equal(data.test.x, x_test.reshape(-1, 784) / np.float32(255))
    assert (data.train.x.min(), data.train.x.max()) == (0, 1)
    assert repr(data) == f"<Dataset mnist: train 50,000, valid 10,000, test 10,000; 28x28 images; from {data.origin}>"


def test_npz_and_raw_files_are_recognised(arrays: Arrays, tmp_path: Path) -> None:
    x_train, y_train, x_test, y_test = arrays
    np.savez(tmp_path / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    for path in (tmp_path / "mnist.npz", write_idx(tmp_path / "raw", arrays, packed=False)):
        data = load_mnist(path, normalize=False, dtype="uint8", flatten=False)
        assert data.name == "mnist"
        np.testing.assert_array_equal(data.train.x, x_train[:50000])
        np.testing.assert_array_equal(data.valid.y, y_train[50000:])


@pytest.mark.slow
def test_the_pickle_is_recognised(arrays: Arrays, tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "mnist.pkl", python2_pickle(arrays, 2, n_valid=5_000))
    data = load_mnist(path, normalize="levels")
    assert data.name == "mnist"
    assert [len(split.y) for split in data.splits] == [50_000, 10_000, 10_000]
    np.testing.assert_array_equal(data.valid.x, arrays[0][50_000:].reshape(-1, 784) / np.float32(256))


@pytest.mark.parametrize("part", range(4))
def test_one_flipped_bit_of_an_uncompressed_part_is_noticed(arrays: Arrays, tmp_path: Path, part: int) -> None:
    """Nothing but the checksum can tell: the file is still images, or labels from 0 to 9."""
    damaged = list(arrays)
    damaged[part] = damaged[part].copy()
    damaged[part].reshape(-1)[5000] ^= 1
    folder = write_idx(tmp_path, (damaged[0], damaged[1], damaged[2], damaged[3]), packed=False)
    with pytest.raises(DatasetError, match=f"{PARTS[part]} is damaged: its checksum is not MNIST's"):
        load_mnist(folder)


def test_altered_mnist_is_not_called_mnist(arrays: Arrays, tmp_path: Path) -> None:
    x_train, y_train, x_test, y_test = arrays
    path = write_npz(tmp_path / "mnist.npz", (x_train[:3000], y_train[:3000], x_test[:1000], y_test[:1000]))
    data = load_mnist(path)
    assert data.name == "unrecognised"
    assert [len(split.y) for split in data.splits] == [2500, 500, 1000]
