"""Labelled grey images: what a file held (`Images`), and what a program trains on (`Dataset`)."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from symgraph.datasets.errors import DatasetError

__all__ = ["Dataset", "Images", "Normalize", "Split", "checked_split", "present", "to_grey_levels"]

N_CLASSES = 10

Normalize = bool | Literal["max", "levels"]


class Split(NamedTuple):
    """Examples and their labels: `x, y = dataset.train`."""

    x: NDArray[Any]
    y: NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images of ten classes, in three splits, and what they truly are.

    Attributes
    ----------
    name
        ``"mnist"`` only where the contents have MNIST's checksums; ``"digits"`` for scikit-learn's 8x8 digits;
        ``"unrecognised"`` for other data in the same format (Fashion-MNIST, an altered copy of MNIST ...).
    train, valid, test
        The splits, each a pair `(x, y)`; `x` is of shape `(n, pixels)` or `(n, rows, columns)`, `y` of shape `(n,)`
        (int32) or `(n, 10)` (one-hot). For MNIST 50,000, 10,000 and 10,000 examples: `valid` is the last 10,000 of
        the 60,000 training images.
    image_shape
        Rows and columns of an image, also where `x` is flattened.
    n_classes
        The number of classes, 10.
    origin
        Where the data came from, for people.
    notice
        What the user should be told, or None: that this is not MNIST, and how to get it.
    """

    name: str
    train: Split
    valid: Split
    test: Split
    image_shape: tuple[int, int]
    origin: str
    notice: str | None = None
    n_classes: int = N_CLASSES

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        """The three splits, to unpack: `(x, y), (x_valid, y_valid), (x_test, y_test) = dataset.splits`."""
        return self.train, self.valid, self.test

    def train_test(self) -> tuple[Split, Split]:
        """All training examples (`train`, then `valid`) and the test examples: for MNIST 60,000 and 10,000.

        Examples
        --------
        >>> from symgraph.datasets import load_mnist
        >>> (x_train, y_train), (x_test, y_test) = load_mnist(source="digits").train_test()
        >>> x_train.shape, x_test.shape
        ((1545, 64), (252, 64))
        """
        pairs = zip(self.train, self.valid, strict=True)
        return Split(*(np.concatenate(pair) for pair in pairs)), self.test

    def __repr__(self) -> str:
        rows, columns = self.image_shape
        train, valid, test = (f"{len(split.y):,}" for split in self.splits)
        return (
            f"<Dataset {self.name}: train {train}, valid {valid}, test {test}; "
            f"{rows}x{columns} images; from {self.origin}>"
        )


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images as a file holds them: `(n, rows, columns)` and `(n,)`, labels uint8.

    `levels` is the number of grey levels, so that the largest is `levels - 1`: 256 for bytes; None where the file holds
    numbers that are no whole grey levels, which then stay as they are. The last `n_valid` of `train` are for
    validation.
    """

    train: Split
    test: Split
    n_valid: int
    levels: int | None = 256

    @classmethod
    def of(cls, train: Split, test: Split, n_valid: int | None = None) -> "Images":
        """Gather checked splits; without `n_valid`, the last sixth of the training images is for validation.

        Raises
        ------
        DatasetError
            If training and test images differ in size.
        """
        if train.x.shape[1:] != test.x.shape[1:]:
            raise DatasetError(f"training images are {train.x.shape[1:]} pixels, test images {test.x.shape[1:]}")
        n_valid = round(len(train.y) / 6) if n_valid is None else n_valid
        grey = to_grey_levels(train.x, test.x)
        if grey is None:
            return cls(train, test, n_valid, levels=None)
        return cls(Split(grey[0], train.y), Split(grey[1], test.y), n_valid)


def checked_split(x: NDArray[Any], y: NDArray[Any], images_name: str, labels_name: str) -> Split:
    """Pair images with labels, or say what is wrong with them.

    Raises
    ------
    DatasetError
        If `x` is not a stack of images of real numbers, `y` not a vector of as many whole numbers from 0 to 9.
    """
    if x.ndim != 3 or x.dtype.kind not in "uif" or not x.size:
        raise DatasetError(f"{images_name}: expected images (n, rows, columns), found shape {x.shape} of {x.dtype}")
    if y.ndim != 1 or y.dtype.kind not in "ui":
        raise DatasetError(f"{labels_name}: expected a vector of labels, found shape {y.shape} of {y.dtype}")
    if len(x) != len(y):
        raise DatasetError(f"{len(x):,} images in {images_name}, but {len(y):,} labels in {labels_name}")
    wrong = np.flatnonzero((y < 0) | (y >= N_CLASSES))
    if wrong.size:
        example = f"label {wrong[0]} is {y[wrong[0]]}"
        raise DatasetError(f"{labels_name}: {wrong.size:,} of {len(y):,} labels are not 0 to 9; {example}")
    return Split(x, y.astype(np.uint8, copy=False))


def to_grey_levels(*arrays: NDArray[Any]) -> list[NDArray[np.uint8]] | None:
    """The bytes that numbers were made from by dividing by 256, by 255 or by 1, else None.

    So an image is the same whichever file it came from: the published ``mnist.pkl.gz`` holds bytes divided by 256.
    """
    if all(x.dtype == np.uint8 for x in arrays):
        return list(arrays)
    for divisor in (256, 255, 1):
        bytes_of = [_whole(x, divisor) for x in arrays]
        found = [x for x in bytes_of if x is not None]
        if len(found) == len(arrays):
            return found
    return None


def _whole(x: NDArray[Any], multiplier: int) -> NDArray[np.uint8] | None:
    whole = np.empty(x.shape, np.uint8)
    for start in range(0, len(x), 1000):  # a thousand images at a time, to keep the copies small
        block = x[start : start + 1000].astype(np.float64) * multiplier
        nearest = np.rint(block)
        if not (np.abs(block - nearest) < 1e-3).all() or nearest.min() < 0 or nearest.max() > 255:  # NaN fails too
            return None
        whole[start : start + 1000] = nearest
    return whole


def present(
    split: Split, levels: int | None, *, flatten: bool, normalize: Normalize, one_hot_label: bool, dtype: DTypeLike
) -> Split:
    """Turn a split as stored into the numbers asked for.

    Raises
    ------
    TypeError
        If `dtype` is an integer type and the images are no whole grey levels.
    """
    x, y = split
    target = np.dtype(dtype)
    if levels is None and target.kind != "f":
        raise TypeError(f"dtype {target} cannot hold these images, which are fractions; give a floating-point dtype")
    divisor = 0 if levels is None or normalize is False else levels - (normalize != "levels")
    values = np.divide(x, target.type(divisor), dtype=target) if divisor else x.astype(target)
    if flatten:
        values = values.reshape(len(values), math.prod(values.shape[1:]))
    labels = np.eye(N_CLASSES, dtype=target)[y] if one_hot_label else y.astype(np.int32)
    return Split(values, labels)
