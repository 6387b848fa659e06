"""scikit-learn's bundled 8x8 digits: 1,797 small images, there when nothing else is."""

import numpy as np

from symgraph.datasets.errors import DatasetError
from symgraph.datasets.images import N_CLASSES, Images, Split

__all__ = ["read_digits"]


def read_digits() -> Images:
    """Read the digits and split them 5 : 1 : 1 (1,290 : 255 : 252), as MNIST is split.

    Of the images of each digit, in their stored order, every run of seven gives five to training, the sixth to
    validation and the seventh to testing: no chance is involved, and each split has all digits in equal parts. Some
    writers have images in more than one split, so errors are a little lower than on unknown writers.

    The set is the test half of UCI's "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998).

    Raises
    ------
    DatasetError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DatasetError(
            "The 8x8 digits need scikit-learn, which is not installed: pip install scikit-learn"
        ) from error
    bunch = load_digits()
    x, y = bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
    place = np.empty(len(y), np.intp)
    for digit in range(N_CLASSES):
        mine = np.flatnonzero(y == digit)
        place[mine] = np.arange(len(mine)) % 7
    train, valid, test = (np.flatnonzero(chosen) for chosen in (place < 5, place == 5, place == 6))
    training = np.concatenate([train, valid])
    return Images(Split(x[training], y[training]), Split(x[test], y[test]), n_valid=len(valid), levels=17)
