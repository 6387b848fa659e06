"""Records of the public operations, which drive the generic tests."""

from tests.records.classification import CLASSIFICATION
from tests.records.compose import COMPOSED
from tests.records.convolution import CONVOLUTIONS
from tests.records.counting import COUNTING
from tests.records.editing import EDITING, UFUNCS
from tests.records.elementwise import ELEMENTWISE
from tests.records.extra import EXTRA
from tests.records.grids import GRIDS
from tests.records.indexing import INDEXING
from tests.records.layers import LAYERS
from tests.records.linalg import LINALG
from tests.records.newer import NEWER
from tests.records.nnet import NNET
from tests.records.normalization import NORMALIZATION
from tests.records.numpy_linalg import NUMPY_LINALG
from tests.records.pooling import POOLING
from tests.records.reductions import REDUCTIONS
from tests.records.sequences import SEQUENCES
from tests.records.shapes import CREATION, JOINS, PRODUCTS, SHAPES
from tests.records.sorting import SORTING
from tests.records.statistics import STATISTICS
from tests.records.transforms import TRANSFORMS

RECORDS = (*REDUCTIONS, *SHAPES, *JOINS, *CREATION, *PRODUCTS, *INDEXING, *NNET, *CONVOLUTIONS, *POOLING, *EXTRA,
           *COMPOSED, *SORTING, *COUNTING, *GRIDS, *TRANSFORMS, *LINALG, *NUMPY_LINALG, *NORMALIZATION, *CLASSIFICATION,
           *STATISTICS, *SEQUENCES, *EDITING, *UFUNCS, *LAYERS, *NEWER)

__all__ = ["ELEMENTWISE", "RECORDS"]
