"""Records of the public operations, which drive the generic tests."""

from tests.records.elementwise import ELEMENTWISE
from tests.records.extra import EXTRA
from tests.records.indexing import INDEXING
from tests.records.nnet import NNET
from tests.records.reductions import REDUCTIONS
from tests.records.shapes import CREATION, JOINS, PRODUCTS, SHAPES
from tests.records.sorting import SORTING

RECORDS = (*REDUCTIONS, *SHAPES, *JOINS, *CREATION, *PRODUCTS, *INDEXING, *NNET, *EXTRA, *SORTING)

__all__ = ["ELEMENTWISE", "RECORDS"]
