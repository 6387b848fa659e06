"""Finding, checking and reading the data that the tutorials train on.

>>> from symgraph.datasets import load_mnist
>>> (x_train, y_train), (x_valid, y_valid), (x_test, y_test) = load_mnist(source="digits").splits
>>> x_train.shape, y_train.dtype
((1290, 64), dtype('int32'))

``python -m symgraph.datasets`` says which data are found, and ``--download`` fetches MNIST.
"""

from symgraph.datasets import mnist
from symgraph.datasets.errors import DatasetError
from symgraph.datasets.idx import read_idx
from symgraph.datasets.images import Dataset, Split
from symgraph.datasets.mnist import load_mnist

__all__ = ["Dataset", "DatasetError", "Split", "load_mnist", "mnist", "read_idx"]
