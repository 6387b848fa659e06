"""mnist.pkl.gz: the genuine form is read, whoever wrote it; nothing else is, and nothing is executed."""

import copyreg
import pickle
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgraph.datasets import DatasetError, pickled
from symgraph.datasets.images import Images
from symgraph.datasets.pickled import read_pickle
from tests.datasets import hostile
from tests.datasets.files import (
    Arrays,
    assert_read_or_refused,
    deeplearning_triple,
    python2_pickle,
    small_arrays,
    write_pickle,
)

in_a_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def assert_same(images: Images, arrays: Arrays) -> None:
    for found, expected in zip((*images.train, *images.test), arrays, strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("protocol", [0, 2])
def test_python_2_wrote_what_our_test_files_hold(protocol: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy.core is deprecated, but that is what the file names
        loaded = pickle.loads(python2_pickle(small_arrays(), protocol), encoding="latin1")
    for pair, expected in zip(loaded, deeplearning_triple(small_arrays()), strict=True):
        for half, original in zip(pair, expected, strict=True):
            assert half.dtype == original.dtype
            np.testing.assert_array_equal(half, original)


@pytest.mark.parametrize("protocol", [0, 2])
@pytest.mark.parametrize("name", ["mnist.pkl.gz", "mnist.pkl"])
def test_as_python_2_wrote_it(tmp_path: Path, protocol: int, name: str) -> None:
    arrays = small_arrays()
    images = read_pickle(write_pickle(tmp_path / name, python2_pickle(arrays, protocol, n_valid=3)))
    assert_same(images, arrays)
    assert (images.n_valid, images.levels) == (3, 256)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("layout", ["tuples", "lists"])
def test_as_today_s_numpy_writes_it(tmp_path: Path, protocol: int, layout: str) -> None:
    arrays = small_arrays()
    triple: Any = deeplearning_triple(arrays)
    if layout == "lists":
        triple = [list(pair) for pair in triple]
    images = read_pickle(write_pickle(tmp_path / "mnist.pkl.gz", pickle.dumps(triple, protocol)))
    assert_same(images, arrays)


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtypes_orders_and_three_dimensions(tmp_path: Path, protocol: int, dtype: str, order: Any) -> None:
    x_train, y_train, x_test, y_test = arrays = small_arrays()
    divisor = 1 if dtype == "u1" else 255
    x, x_test = (np.asarray(a / divisor, dtype=dtype, order=order) for a in (x_train, x_test))
    y = y_train.astype(">i4")
    pairs = ((x[:8], y[:8]), (x[8:], y[8:]), (x_test, y_test))
    images = read_pickle(write_pickle(tmp_path / "mnist.pkl.gz", pickle.dumps(pairs, protocol)))
    assert_same(images, arrays)
    assert images.n_valid == 4


def test_numbers_that_are_no_grey_levels_stay_as_they_are(tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((6, 16))
    y = np.arange(6)
    images = read_pickle(write_pickle(tmp_path / "mnist.pkl.gz", pickle.dumps(((x, y), (x, y), (x, y)))))
    assert images.levels is None
    np.testing.assert_array_equal(images.test.x, x.reshape(6, 4, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y[:-1]), "12 images in .* test images, but 11 labels"),
        (lambda x, y: (x, y + 1), r"1 of 12 labels are not 0 to 9; label 9 is 10"),
        (lambda x, y: (x, y - 1), "2 of 12 labels are not 0 to 9; label 0 is -1"),
        (lambda x, y: (x, y / 1), "expected a vector of labels, found .* float64"),
        (lambda x, y: (y, x), "expected images"),
        (lambda x, y: (x[:, :15], y), "images of 15 pixels are not square"),
        (lambda x, y: (x[:, :9], y), r"training images are \(4, 4\) pixels, test images \(3, 3\)"),
        (lambda x, y: (x[:0], y[:0]), "expected images"),
    ],
)
def test_mislabelled(tmp_path: Path, change: Any, message: str) -> None:
    x, y = np.zeros((12, 16), np.float32), np.arange(12) % 10
    content = pickle.dumps(((x, y), (x, y), change(x, y)), 3)
    with pytest.raises(DatasetError, match=message):
        read_pickle(write_pickle(tmp_path / "mnist.pkl.gz", content))


def test_training_and_validation_images_must_agree(tmp_path: Path) -> None:
    x, y = np.zeros((12, 16), np.float32), np.arange(12) % 10
    content = pickle.dumps(((x, y), (x.astype(float), y), (x, y)), 2)
    with pytest.raises(DatasetError, match=r"training images are float32 \(4, 4\), validation images not"):
        read_pickle(write_pickle(tmp_path / "mnist.pkl.gz", content))


@pytest.fixture
def extension_code() -> Iterator[None]:
    """A registered extension code that was used before, so that it is known without looking its name up."""
    copyreg.add_extension(hostile.MODULE, "fire", hostile.EXTENSION_CODE)
    assert pickle.loads(bytes([0x80, 2, 0x82, hostile.EXTENSION_CODE]) + b".") is hostile.fire
    yield
    copyreg.remove_extension(hostile.MODULE, "fire", hostile.EXTENSION_CODE)


@pytest.mark.usefixtures("extension_code")
@pytest.mark.parametrize("attack", hostile.attacks("marker"))
def test_attacks_execute_nothing(tmp_path: Path, attack: str) -> None:
    marker = tmp_path / "marker"
    payload = hostile.attacks(str(marker))[attack]
    for file in ("mnist.pkl", "mnist.pkl.gz"):
        hostile.fired.clear()
        with pytest.raises(DatasetError, match=r"not a pickle of NumPy arrays alone: .* Nothing of it was executed"):
            read_pickle(write_pickle(tmp_path / file, payload))
        assert not hostile.fired
        assert not marker.exists()


@pytest.mark.usefixtures("extension_code")
@pytest.mark.parametrize("attack", hostile.attacks("marker"))
def test_attacks_are_real(tmp_path: Path, attack: str) -> None:
    """The standard library's unpickler falls for each, so refusing them means something."""
    marker = tmp_path / "marker"
    payload = hostile.attacks(str(marker))[attack]
    hostile.fired.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pickle.loads(payload, encoding="bytes")
        except Exception:  # the harm is done on the way
            assert hostile.fired
    assert hostile.fired or marker.exists()


@pytest.mark.parametrize("title", hostile.OTHERS)
def test_anything_else_is_refused_in_little_memory(tmp_path: Path, title: str) -> None:
    file = write_pickle(tmp_path / "mnist.pkl", hostile.OTHERS[title])
    hostile.fired.clear()
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError) as caught:
            read_pickle(file)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not hostile.fired


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("an empty stack", "the stack runs empty"),
        ("an empty stack above a mark", "the stack runs empty"),
        ("data, cut in an array", "it is truncated"),
        ("a line without end", "it is truncated, or holds too long a line"),
        ("bytes of four exabytes", "it holds over 1,073,741,824 bytes"),
        ("a million marks", "it takes over 10,000 instructions"),
        ("an unknown extension code", "instruction EXT1 has no place in one"),
        ("no such instruction", "instruction ff has no place in one"),
        ("data, then more", "too long: bytes follow the pickle"),
        ("two pairs", r"expected \(train, valid, test\), each a pair"),
    ],
)
def test_reasons(tmp_path: Path, title: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_pickle(write_pickle(tmp_path / "mnist.pkl", hostile.OTHERS[title]))


def test_the_limit_holds_for_all_strings_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = python2_pickle(small_arrays())
    file = write_pickle(tmp_path / "mnist.pkl.gz", content)
    monkeypatch.setattr(pickled, "_MAX_STREAM", len(content))
    assert_same(read_pickle(file), small_arrays())
    monkeypatch.setattr(pickled, "_MAX_STREAM", len(content) - 1)
    with pytest.raises(DatasetError, match="it holds over"):
        read_pickle(file)


@pytest.mark.parametrize("title", hostile.CONTRADICTIONS)
def test_arrays_that_contradict_themselves(tmp_path: Path, title: str) -> None:
    array, message = hostile.CONTRADICTIONS[title]
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=message):
            read_pickle(write_pickle(tmp_path / "mnist.pkl", hostile.in_place(array)))
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@in_a_folder
@given(st.data())
def test_random_corruption_gives_images_or_a_dataset_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(python2_pickle(small_arrays(4, 2, 2), data.draw(st.sampled_from([0, 2]), "protocol")))
    for _ in range(data.draw(st.integers(1, 4), "edits")):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    file = write_pickle(tmp_path / data.draw(st.sampled_from(["a.pkl", "a.pkl.gz"])), bytes(content))
    assert_read_or_refused(read_pickle, file)


PIECES = [bytes([code]) for code in b"(.01Nbcet]lapqrghj\x85\x86\x87\x88\x89\x94R)aC"] + [
    b"K\x00",
    b"K\x01",
    b"U\x01b",
    b"C\x04abcd",
    hostile.RECONSTRUCT,
    hostile.NDARRAY,
    hostile.DTYPE,
    hostile.ENCODE,
    hostile.EMPTY_ARRAY,
    hostile.BYTES,
    hostile.text("latin1"),
    hostile.FIRE,
]


@in_a_folder
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_random_programs_are_refused(tmp_path: Path, program: bytes) -> None:
    hostile.fired.clear()
    file = write_pickle(tmp_path / "mnist.pkl", program + b".")
    with pytest.raises(DatasetError):
        read_pickle(file)
    assert not hostile.fired
