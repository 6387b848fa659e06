"""The search for data, what is said about them, and the shapes they come in; on small stand-ins."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symgraph.datasets import DatasetError, __main__, load_mnist, mnist
from symgraph.datasets.locate import cache_folder, find_at
from tests.datasets.files import (
    PARTS,
    idx_bytes,
    python2_pickle,
    small_arrays,
    write_idx,
    write_npz,
    write_pickle,
)

pytestmark = pytest.mark.usefixtures("nowhere")


def write(kind: str, folder: Path) -> Path:
    """The small data set in one of its formats; the path that a user would give."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = small_arrays()
    match kind:
        case "npz":
            return write_npz(folder / "mnist.npz", arrays)
        case "pickle":
            return write_pickle(folder / "mnist.pkl.gz", python2_pickle(arrays))
        case "raw IDX":
            return write_idx(folder, arrays, packed=False)
    return write_idx(folder, arrays)


@pytest.mark.parametrize("kind", ["IDX", "raw IDX", "npz", "pickle"])
@pytest.mark.parametrize("as_folder", [False, True])
def test_every_format_gives_the_same_arrays(tmp_path: Path, kind: str, as_folder: bool) -> None:
    path = write(kind, tmp_path / "data")
    data = load_mnist(path.parent if as_folder and path.is_file() else path)
    x_train, y_train, x_test, y_test = small_arrays()
    expected = (x_train.reshape(12, 16) / np.float32(255), y_train, x_test.reshape(6, 16) / np.float32(255), y_test)
    for found, original in zip((*data.train_test()[0], *data.test), expected, strict=True):
        np.testing.assert_array_equal(found, original)
    assert [len(split.y) for split in data.splits] == [10, 2, 6]
    assert data.image_shape == (4, 4)


def test_data_that_are_not_mnist_are_not_called_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write("IDX", tmp_path / "fashion")
    data = load_mnist(path)
    assert data.name == "unrecognised"
    assert data.notice is not None
    assert "are not MNIST (their checksums differ)" in data.notice
    assert caplog.messages == [data.notice]
    with pytest.raises(DatasetError, match="MNIST itself was asked for"):
        load_mnist(path, source="mnist")
    with pytest.raises(DatasetError, match="MNIST itself was asked for"):
        mnist.load_data(path)
    (x, y), (x_test, y_test) = mnist.load_data(path, verify=False)
    for found, original in zip((x, y, x_test, y_test), small_arrays(), strict=True):
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, original)
    assert caplog.messages == [data.notice] * 2


def test_switches(tmp_path: Path) -> None:
    path = write("IDX", tmp_path / "data")
    x_train, y_train, _, _ = small_arrays()

    x, y = load_mnist(path, flatten=False, normalize=False, dtype="uint8").train
    assert (str(x.dtype), str(y.dtype)) == ("uint8", "int32")
    np.testing.assert_array_equal(x, x_train[:10])

    x, y = load_mnist(path, normalize="levels", one_hot_label=True, dtype="float64").train
    assert (str(x.dtype), str(y.dtype)) == ("float64", "float64")
    np.testing.assert_array_equal(x, x_train[:10].reshape(10, 16) / 256)
    np.testing.assert_array_equal(y, np.eye(10)[y_train[:10]])

    assert load_mnist(path, normalize="max").train.x.max() == 1
    assert load_mnist(path, normalize=False).train.x.max() == 255


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dtype": "int32"}, TypeError, r"dtype int32 cannot hold the images; give a floating-point dtype \(or"),
        (
            {"dtype": "int8", "normalize": False},
            TypeError,
            "dtype int8 cannot hold the images; give a dtype that holds",
        ),
        ({"dtype": "S4", "normalize": False}, TypeError, "cannot hold the images"),
        ({"dtype": "complex64"}, TypeError, "cannot hold the images"),
        ({"dtype": "nonsense"}, TypeError, "nonsense"),
        ({"normalize": "mean"}, ValueError, "normalize is True, False, 'max' or 'levels', not 'mean'"),
        ({"source": "openml"}, ValueError, "source is 'auto', 'mnist' or 'digits', not 'openml'"),
        ({"source": "digits", "path": "x"}, ValueError, "has no use for path='x'"),
    ],
)
def test_options_without_a_meaning(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_mnist(**options)


def test_fractions_are_not_cut_to_integers(tmp_path: Path) -> None:
    x_train, y_train, x_test, y_test = small_arrays()
    path = write_npz(tmp_path / "mnist.npz", (x_train / np.pi, y_train, x_test / np.pi, y_test))
    np.testing.assert_allclose(load_mnist(path, flatten=False).test.x, x_test / np.pi, rtol=1e-6)
    with pytest.raises(TypeError, match="dtype uint8 cannot hold these images, which are fractions"):
        load_mnist(path, normalize=False, dtype="uint8")


def test_search_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    assert load_mnist().name == "digits"
    write("npz", nowhere)
    assert load_mnist().origin == str(nowhere / "mnist.npz")
    named = write("IDX", tmp_path / "named")
    monkeypatch.setenv("SYMGRAPH_DATA", str(named))
    assert load_mnist().origin == f"{named} (IDX files)"
    given = write("pickle", tmp_path / "given")
    assert load_mnist(given).origin == str(given)
    assert load_mnist(source="digits").name == "digits"
    monkeypatch.setenv("SYMGRAPH_DATA", str(given))
    assert load_mnist().origin == str(given)


def test_symgraph_data_may_hold_other_things_but_must_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    monkeypatch.setenv("SYMGRAPH_DATA", str(tmp_path))
    write("npz", nowhere)
    assert load_mnist().origin == str(nowhere / "mnist.npz")
    monkeypatch.setenv("SYMGRAPH_DATA", str(tmp_path / "absent"))
    with pytest.raises(DatasetError, match=r"SYMGRAPH_DATA names .*absent, which does not exist"):
        load_mnist()


def test_damage_is_never_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    write("npz", nowhere)
    monkeypatch.setenv("SYMGRAPH_DATA", str(write("IDX", tmp_path / "named")))
    (tmp_path / "named" / f"{PARTS[1]}.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DatasetError, match="truncated"):
        load_mnist()
    monkeypatch.delenv("SYMGRAPH_DATA")
    (nowhere / "mnist.npz").write_bytes(b"PK")
    with pytest.raises(DatasetError, match="not a zip file"):
        load_mnist()


@pytest.mark.parametrize("place", [".", "mnist", "raw", "MNIST/raw"])
@pytest.mark.parametrize("kind", ["IDX", "npz", "pickle"])
def test_customary_folders(tmp_path: Path, place: str, kind: str) -> None:
    write(kind, tmp_path / place)
    assert load_mnist(tmp_path).name == "unrecognised"


def test_customary_file_names(tmp_path: Path) -> None:
    for part, array in zip(PARTS, small_arrays(), strict=True):
        (tmp_path / part.replace("-idx", ".idx")).write_bytes(idx_bytes(array))
    assert load_mnist(tmp_path).name == "unrecognised"


@pytest.mark.parametrize(("kind", "found"), [("npz", "npz"), ("pickle", "pickle")])
def test_a_file_of_any_name_is_told_by_its_content(tmp_path: Path, kind: str, found: str) -> None:
    renamed = write(kind, tmp_path / "data").rename(tmp_path / "renamed.bin")
    assert find_at(renamed).kind == found
    assert load_mnist(renamed).origin == str(renamed)


@pytest.mark.parametrize("part", PARTS)
def test_one_idx_file_stands_for_its_folder(tmp_path: Path, part: str) -> None:
    folder = write("IDX", tmp_path / "data")
    assert load_mnist(folder / f"{part}.gz").origin == f"{folder} (IDX files)"


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="absent does not exist"):
        load_mnist(tmp_path / "absent")
    with pytest.raises(
        DatasetError, match=r"No data in .*: looked there and in mnist, raw, MNIST/raw for train-images"
    ):
        load_mnist(tmp_path)
    other = tmp_path / "picture.png"
    other.write_bytes(b"\x89PNG")
    with pytest.raises(DatasetError, match="it starts with bytes 89 50 4e 47"):
        load_mnist(other)
    other.write_bytes(idx_bytes(np.arange(5, dtype=np.uint8)))  # IDX, but one of no four
    with pytest.raises(DatasetError, match="one of the four IDX files"):
        load_mnist(other)
    write("IDX", tmp_path)  # and is none of them when they are beside it
    with pytest.raises(DatasetError, match="one of the four IDX files"):
        load_mnist(other)


def test_missing_companions(tmp_path: Path) -> None:
    folder = write("IDX", tmp_path / "data")
    (folder / f"{PARTS[1]}.gz").unlink()
    (folder / f"{PARTS[3]}.gz").unlink()
    for path in (folder, folder / f"{PARTS[0]}.gz"):
        with pytest.raises(
            DatasetError, match=r"holds train-images-idx3-ubyte.gz but lacks train-labels-.*, t10k-labels"
        ):
            load_mnist(path)
    write("npz", folder)
    assert load_mnist(folder).origin == str(folder / "mnist.npz")


@pytest.mark.parametrize(
    ("part", "array", "message"),
    [
        (0, small_arrays()[1], r"train-images.*: expected images \(n, rows, columns\), found shape \(12,\)"),
        (1, small_arrays()[0], r"train-labels.*: expected a vector of labels, found shape \(12, 4, 4\)"),
        (1, small_arrays()[3], r"12 images in .*train-images.*, but 6 labels in .*train-labels"),
        (3, np.array([0, 1, 2, 10, 4, 255], np.uint8), r"t10k-labels.*: 2 of 6 labels are not 0 to 9; label 3 is 10"),
        (3, np.arange(6, dtype=np.float32), "expected a vector of labels, found .* float32"),
        (2, np.zeros((6, 5, 5), np.uint8), r"training images are \(4, 4\) pixels, test images \(5, 5\)"),
        (2, np.zeros((0, 4, 4), np.uint8), "expected images"),
    ],
)
def test_mislabelled(tmp_path: Path, part: int, array: Any, message: str) -> None:
    folder = write("raw IDX", tmp_path / "data")
    (folder / PARTS[part]).write_bytes(idx_bytes(array))
    with pytest.raises(DatasetError, match=message):
        load_mnist(folder)


def test_digits_are_a_last_resort_and_say_so(nowhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = load_mnist()
    assert (data.name, data.image_shape, data.n_classes) == ("digits", (8, 8), 10)
    assert data.origin == "scikit-learn's bundled digits"
    assert caplog.record_tuples == [("symgraph.datasets", logging.WARNING, data.notice)]
    assert f"MNIST was not found (looked at SYMGRAPH_DATA (not set), {nowhere})" in str(data.notice)
    assert "1,797 8x8 digits instead" in str(data.notice)
    for strict in (lambda: load_mnist(source="mnist"), mnist.load_data, lambda: mnist.load_data(verify=False)):
        with pytest.raises(DatasetError, match=r"MNIST was not found .* To get it: "):
            strict()


def test_digits_on_request_need_no_notice(caplog: pytest.LogCaptureFixture) -> None:
    assert load_mnist(source="digits").notice is None
    assert not caplog.records


def test_digits_split() -> None:
    from sklearn.datasets import load_digits

    data = load_mnist(source="digits", normalize=False, dtype="uint8")
    every = [tuple(row) for split in data.splits for row in np.column_stack([split.x, split.y])]
    bunch = load_digits()
    assert sorted(every) == sorted(tuple(row) for row in np.column_stack([bunch.data, bunch.target]).astype(int))
    assert [len(split.y) for split in data.splits] == [1290, 255, 252]
    for split, share in zip(data.splits, (5 / 7, 1 / 7, 1 / 7), strict=True):
        np.testing.assert_allclose(np.bincount(split.y) / np.bincount(bunch.target), share, atol=0.01)
    assert load_mnist(source="digits").train.x.max() == 1
    assert load_mnist(source="digits", normalize="levels").train.x.max() == np.float32(16) / np.float32(17)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(
        DatasetError, match=r"not found .* pip install scikit-learn. To get it: load_mnist\(download=True\)"
    ):
        load_mnist()


def test_cache_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    monkeypatch.setenv("LOCALAPPDATA", "local")
    ends = {"linux": "caches/symgraph/mnist", "win32": "local/symgraph/mnist", "darwin": "Caches/symgraph/mnist"}
    for platform, end in ends.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder().as_posix().endswith(end)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/symgraph/mnist"


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("IDX", tmp_path / "data")
    assert __main__.main([str(path)]) == 0
    assert "<Dataset unrecognised: train 10, valid 2, test 6; 4x4 images; from" in capsys.readouterr().out
    assert __main__.main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["dataset"], found["train"], found["image_shape"]) == ("digits", 1290, [8, 8])
    assert __main__.main([str(tmp_path / "absent")]) == 1
    assert "absent does not exist" in capsys.readouterr().err


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, symgraph.datasets\n"
        "print([name for name in ('pooch', 'requests', 'tqdm', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
