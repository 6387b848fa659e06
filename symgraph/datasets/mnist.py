"""MNIST: found, checked, read, and handed over in the shape asked for.

The four parts of the genuine data are known by their SHA-256 sums, so that a data set is called MNIST for its
contents, not for its file names, whatever format it came in.
"""

import hashlib
import logging
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from symgraph.datasets.digits import read_digits
from symgraph.datasets.errors import DatasetError
from symgraph.datasets.fetch import download_mnist
from symgraph.datasets.images import Dataset, Images, Normalize, Split, present
from symgraph.datasets.locate import PARTS, Found, cache_folder, find_at, find_in

__all__ = ["load_data", "load_mnist"]

Source = Literal["auto", "mnist", "digits"]

logger = logging.getLogger("symgraph.datasets")

_SHA256 = (  # of the four uncompressed IDX files, in the order of PARTS
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
_N_VALID = 10_000


def load_mnist(
    path: str | os.PathLike[str] | None = None,
    *,
    source: Source = "auto",
    flatten: bool = True,
    normalize: Normalize = True,
    one_hot_label: bool = False,
    dtype: DTypeLike = "float32",
    download: bool = False,
) -> Dataset:
    """Load MNIST: 50,000 images to train on, 10,000 to validate and 10,000 to test; or say what was loaded instead.

    The data are looked for, in this order, at `path` (then nowhere else); in the folder or file that the
    environment variable ``SYMGRAPH_DATA`` names; in the user's cache; on the network, with ``download=True``. Where
    there are none, scikit-learn's 1,797 8x8 digits take their place: the result's `name` is then ``"digits"``, its
    `notice` says so, and so does a warning in the log ``symgraph.datasets`` (which Python prints on stderr unless
    told otherwise).

    Four forms are read: the published IDX files, raw or gzip-compressed; Keras' ``mnist.npz``; deeplearning.net's
    ``mnist.pkl.gz``, of which nothing is executed. The result does not depend on the form.

    Parameters
    ----------
    path
        A folder or a file. If given, there must be data there: nothing else is tried.
    source
        ``"auto"``: as above. ``"mnist"``: MNIST, by its checksums, or an error. ``"digits"``: the 8x8 digits.
    flatten
        Images as vectors of 784 pixels (64 for the digits) instead of 28x28 matrices.
    normalize
        True or ``"max"``: pixels divided by the largest grey, 255 (16 for the digits), so that they lie in [0, 1].
        ``"levels"``: divided by the number of greys, 256 (17), as in ``mnist.pkl.gz``: published results of that
        file's users are reproduced to the digit only so. False: grey levels 0 to 255 (16).
    one_hot_label
        Labels as rows of a `(n, 10)` matrix of `dtype`, instead of int32 numbers 0 to 9.
    dtype
        Of the images: a floating-point type, or with ``normalize=False`` any type that can hold the greys.
    download
        Fetch MNIST (12 MB, checked by SHA-256) into the user's cache where it is not found.

    Returns
    -------
    Dataset
        With `name`, `train`, `valid`, `test`, `image_shape`, `origin` and `notice`. Of data that are not MNIST but
        in its format (``name="unrecognised"``), the last sixth of the training images is for validation, unless the
        file says which.

    Raises
    ------
    DatasetError
        If `path` or ``SYMGRAPH_DATA`` names nothing known, a file found is damaged or does not fit its companions,
        or a download fails.
    TypeError, ValueError
        If an option has no meaning.

    Examples
    --------
    >>> from symgraph.datasets import load_mnist
    >>> data = load_mnist(source="digits")
    >>> data
    <Dataset digits: train 1,290, valid 255, test 252; 8x8 images; from scikit-learn's bundled digits>
    >>> x, y = data.train
    >>> x.shape, x.dtype, float(x.max()), y[:5]
    ((1290, 64), dtype('float32'), 1.0, array([0, 1, 2, 3, 4], dtype=int32))
    """
    _check_options(path, source, normalize, dtype)
    name, images, origin, notice = _obtain(path, source, download)
    if notice is not None:
        logger.warning(notice)

    train, test = (
        present(split, images.levels, flatten=flatten, normalize=normalize, one_hot_label=one_hot_label, dtype=dtype)
        for split in (images.train, images.test)
    )
    cut = len(train.y) - images.n_valid
    rows, columns = images.train.x.shape[1:]
    return Dataset(
        name=name,
        train=Split(train.x[:cut], train.y[:cut]),
        valid=Split(train.x[cut:], train.y[cut:]),
        test=test,
        image_shape=(rows, columns),
        origin=origin,
        notice=notice,
    )


def load_data(
    path: str | os.PathLike[str] | None = None, *, download: bool = False, verify: bool = True
) -> tuple[Split, Split]:
    """Load MNIST as Keras does: `(x_train, y_train), (x_test, y_test)`, bytes as they were published.

    Because these arrays cannot say what they are, the 8x8 digits never take their place here.

    Parameters
    ----------
    path, download
        As in `load_mnist`.
    verify
        Raise unless the checksums are MNIST's. With False, other data in the same format are loaded, with a warning
        in the log.

    Returns
    -------
    tuple
        `x_train` (60000, 28, 28), `y_train` (60000,), `x_test` (10000, 28, 28) and `y_test` (10000,), all uint8.

    Raises
    ------
    DatasetError
        If there is no MNIST, or it is damaged.

    Examples
    --------
    >>> from symgraph.datasets import mnist
    >>> (x_train, y_train), (x_test, y_test) = mnist.load_data()  # doctest: +SKIP
    >>> x_train.shape, y_train[:3], y_test[:3]                    # doctest: +SKIP
    ((60000, 28, 28), array([5, 0, 4], dtype=uint8), array([7, 2, 1], dtype=uint8))
    """
    _, images, _, notice = _obtain(path, "mnist" if verify else "auto", download, fallback=False)
    if notice is not None:
        logger.warning(notice)
    return images.train, images.test


def _check_options(path: object, source: Source, normalize: Normalize, dtype: DTypeLike) -> None:
    if source not in ("auto", "mnist", "digits"):
        raise ValueError(f"source is 'auto', 'mnist' or 'digits', not {source!r}")
    if path is not None and source == "digits":
        raise ValueError(f"source='digits' loads scikit-learn's digits; it has no use for path={path!r}")
    if normalize not in (True, False, "max", "levels"):
        raise ValueError(f"normalize is True, False, 'max' or 'levels', not {normalize!r}")
    target = np.dtype(dtype)
    if target.kind != "f" and (normalize or not np.can_cast(np.uint8, target) or target.kind not in "iu"):
        wanted = "a floating-point dtype (or pass normalize=False)" if normalize else "a dtype that holds 0 to 255"
        raise TypeError(f"dtype {target} cannot hold the images; give {wanted}")


def _obtain(
    path: str | os.PathLike[str] | None, source: Source, download: bool, fallback: bool = True
) -> tuple[str, Images, str, str | None]:
    """The name, contents, origin and notice of the data that the search order leads to."""
    if source == "digits":
        return "digits", read_digits(), "scikit-learn's bundled digits", None
    looked: list[str] = []
    found = _search(path, download, looked)
    if found is None:
        return _instead(looked, fallback and source == "auto")
    origin, images = found
    alike = _genuine_parts(images)
    if all(alike):
        return "mnist", replace(images, n_valid=_N_VALID), origin, None
    if sum(alike) == len(PARTS) - 1:
        part = PARTS[alike.index(False)]
        raise DatasetError(
            f"{origin}: {part} is damaged: its checksum is not MNIST's, while those of the other three parts are; "
            "fetch it again"
        )
    notice = (
        f"The data from {origin} are not MNIST (their checksums differ), but other images in its format: "
        f"{len(images.train.y):,} to train and {len(images.test.y):,} to test."
    )
    if source == "mnist":
        raise DatasetError(f"{notice} MNIST itself was asked for.")
    return "unrecognised", images, origin, notice


def _search(path: str | os.PathLike[str] | None, download: bool, looked: list[str]) -> tuple[str, Images] | None:
    """Read the first data, with their origin, that the search order leads to; note in `looked` where none were."""
    if path is not None:
        return _read(find_at(Path(path).expanduser()))
    named = os.environ.get("SYMGRAPH_DATA")
    if named:
        place = Path(named).expanduser()
        if not place.exists():
            raise DatasetError(f"The environment variable SYMGRAPH_DATA names {place}, which does not exist")
        found = find_in(place) if place.is_dir() else find_at(place)
        if found is not None:
            return _read(found)
    looked.append(f"SYMGRAPH_DATA={named} (no MNIST files)" if named else "SYMGRAPH_DATA (not set)")
    cache = cache_folder()
    looked.append(str(cache))
    try:
        found = find_in(cache)
        if found is not None:
            return _read(found)
    except DatasetError:
        if not download:
            raise
    if not download:
        return None
    download_mnist(cache)
    return _read(find_at(cache))


def _read(found: Found) -> tuple[str, Images]:
    return found.origin, found.read()


def _instead(looked: list[str], fallback: bool) -> tuple[str, Images, str, str]:
    """The digits, with a notice that they are not what was looked for."""
    missing = f"MNIST was not found (looked at {', '.join(looked)})."
    cure = (
        "To get it: load_mnist(download=True), or python -m symgraph.datasets --download, "
        "or set SYMGRAPH_DATA to a folder that holds it."
    )
    if not fallback:
        raise DatasetError(f"{missing} {cure}")
    try:
        images = read_digits()
    except DatasetError as error:
        raise DatasetError(f"{missing} {error}. {cure}") from error
    instead = (
        f"Using scikit-learn's {len(images.train.y) + len(images.test.y):,} 8x8 digits instead, "
        "on which error rates are not those of MNIST."
    )
    return "digits", images, "scikit-learn's bundled digits", f"{missing} {instead} {cure}"


def _genuine_parts(images: Images) -> list[bool]:
    arrays = (*images.train, *images.test)
    return [_idx_sha256(array) == digest for array, digest in zip(arrays, _SHA256, strict=True)]


def _idx_sha256(array: NDArray[Any]) -> str | None:
    """The checksum that the array's IDX file would have."""
    if array.dtype != np.uint8:
        return None
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    digest = hashlib.sha256(header)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
