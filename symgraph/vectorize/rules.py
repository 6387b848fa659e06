"""Rules for stacked values of the operations that need no loop over them: mostly the same, on one axis more."""

from __future__ import annotations

from typing import Any

from symgraph import scalar
from symgraph.graph.gates import GradientGate
from symgraph.ifelse import IfElse
from symgraph.opfromgraph import OpFromGraph
from symgraph.tensor.basic import Alloc
from symgraph.tensor.checks import Assert
from symgraph.tensor.cumulative import Accumulate
from symgraph.tensor.decompositions import SVD
from symgraph.tensor.dimshuffle import DimShuffle, dimshuffle
from symgraph.tensor.eigen import Eigh, Eigvalsh
from symgraph.tensor.elemwise import Elemwise, elemwise
from symgraph.tensor.factors import _AlongAxis
from symgraph.tensor.fourier import Fit, Fourier
from symgraph.tensor.inverses import Cofactors, Det, MatrixInverse, MatrixPinv, SLogDet
from symgraph.tensor.join import Join, Split
from symgraph.tensor.nnet.conv_ops import Conv, ConvGradInputs
from symgraph.tensor.nnet.softmax import _OverAxes
from symgraph.tensor.products import BatchedMatMul, Dot
from symgraph.tensor.reduce import ArgReduce, Reduce
from symgraph.tensor.shape import MakeVector, Reshape, Shape, ShapeI, shape_i
from symgraph.tensor.signal.pool_ops import MaxPool, MaxPoolGather, MaxPoolGrad, SumPool, SumPoolGrad
from symgraph.tensor.slinalg import Cholesky
from symgraph.tensor.sort import ArgPartition, ArgSort, ArgTopK, Sort
from symgraph.tensor.specify import RequireLengths, SpecifyShape
from symgraph.tensor.stretch import Stretch
from symgraph.tensor.systems import Solve, SolveTriangular
from symgraph.tensor.type import TensorType
from symgraph.vectorize.batch import Batch, Outputs, all_of, as_known, batching, repeated, vectorize_all
from symgraph.vectorize.looped import stacked_pull

__all__: list[str] = []


# ---- element by element, and along axes ---------------------------------------------------------------------------


@batching(Elemwise)
def _elemwise(batch: Batch) -> Outputs:
    rank = max(batch.rank(i) for i in range(len(batch.inputs)))
    return all_of(batch.op.make_node(*[batch.padded(i, rank) for i in range(len(batch.inputs))]).outputs)


@batching(GradientGate)
def _gate(batch: Batch) -> Outputs:
    return all_of(batch.op(batch.inputs[0]))


@batching(Reduce, ArgReduce, Sort, ArgSort, ArgPartition, ArgTopK, Accumulate, Fourier, Fit, Split,
          _OverAxes, _AlongAxis, Join)
def _along_axis(batch: Batch) -> Outputs:
    """The same along the next axis."""
    places = range(len(batch.inputs))
    numbers = [i for i in places if i and batch.rank(i) == 0]
    if any(batch.stacked[i] for i in numbers):
        return None
    inputs = [batch.inputs[i] if i in numbers else batch.all_stacked(i) for i in places]
    return all_of(_shifted(batch.op)(*inputs, return_list=True))


def _shifted(op: Any) -> Any:
    if hasattr(op, "axis"):
        return _changed(op, axis=op.axis + 1)
    return _changed(op, axes=tuple(axis + 1 for axis in op.axes))


def _changed(op: Any, **changes: Any) -> Any:
    """The operation with other values of some fields."""
    names = getattr(op, "_fields", None) or op.__dataclass_fields__
    return type(op)(**{name: changes.get(name, getattr(op, name)) for name in names})


# ---- shapes ---------------------------------------------------------------------------------------------------------


@batching(DimShuffle)
def _dimshuffle(batch: Batch) -> Outputs:
    order = tuple(a if a == "x" else a + 1 for a in batch.op.order)
    x = batch.inputs[0]
    dropped = {axis + 1 for axis in range(batch.rank(0))} - set(order)
    return all_of(DimShuffle((0, *order))(as_known(x, [1 if a in dropped else None for a in range(1, x.type.ndim)])))


@batching(Shape)
def _shape(batch: Batch) -> Outputs:
    return [(Shape()(batch.inputs[0])[1:], False)]


@batching(ShapeI)
def _shape_i(batch: Batch) -> Outputs:
    return [(ShapeI(batch.op.axis + 1)(batch.inputs[0]), False)]


@batching(MakeVector)
def _make_vector(batch: Batch) -> Outputs:
    columns = [dimshuffle(batch.all_stacked(i), [0, "x"]) for i in range(len(batch.inputs))]
    return all_of(Join(1)(*columns) if len(columns) > 1 else columns)


@batching(Reshape)
def _reshape(batch: Batch) -> Outputs:
    x, *lengths = batch.inputs
    return all_of(Reshape()(x, batch.size, *lengths)) if batch.only_first() else None


@batching(Alloc, Stretch)
def _alloc(batch: Batch) -> Outputs:
    _, *lengths = batch.inputs
    if not batch.only_first():
        return None
    return all_of(type(batch.op)()(batch.padded(0, len(lengths)), batch.size, *lengths))


@batching(SpecifyShape)
def _specify_shape(batch: Batch) -> Outputs:
    return all_of(SpecifyShape((None, *batch.op.lengths))(batch.inputs[0]))


@batching(RequireLengths)
def _require_lengths(batch: Batch) -> Outputs:
    if not batch.only_first():
        return None
    return all_of(_changed(batch.op, axes=tuple(a + 1 for a in batch.op.axes))(*batch.inputs))


@batching(Assert)
def _assert(batch: Batch) -> Outputs:
    x, *conditions = batch.inputs
    if batch.stacked[0]:
        return all_of(batch.op(x, *conditions))
    return [(batch.op(x, *conditions), False)]


# ---- products and matrices ------------------------------------------------------------------------------------------


@batching(Dot)
def _dot(batch: Batch) -> Outputs:
    """Of matrices; one factor that is the same for all values makes it a single product."""
    (a, b), (stacked_a, stacked_b) = batch.inputs, batch.stacked
    columns = batch.rank(1) == 2
    if not stacked_b and batch.rank(0) == 1:
        return all_of(Dot()(a, b))
    if not stacked_a and not columns:
        return all_of(Dot()(b, a if batch.rank(0) == 1 else a.T))
    if not stacked_b and batch.rank(0) == 2:
        count, rows = batch.size, shape_i(a, 1)
        product = Dot()(Reshape()(a, count * rows, shape_i(a, 2)), b)
        return all_of(Reshape()(product, count, rows, shape_i(b, 1)) if columns else Reshape()(product, count, rows))
    left = a if batch.rank(0) == 2 else dimshuffle(a, [*range(a.type.ndim - 1), "x", a.type.ndim - 1])
    right = b if columns else dimshuffle(b, [*range(b.type.ndim), "x"])
    product = BatchedMatMul()(left, right)
    rows = ["x"] if batch.rank(0) == 1 else [1]
    kept = [0, *(rows if batch.rank(0) == 2 else []), *([2] if columns else [])]
    return all_of(dimshuffle(as_known(product, [1 if batch.rank(0) == 1 else None, None if columns else 1]), kept))


@batching(BatchedMatMul)
def _matmul(batch: Batch) -> Outputs:
    rank = max(batch.rank(0), batch.rank(1))
    return all_of(BatchedMatMul()(batch.padded(0, rank), batch.padded(1, rank)))


@batching(Cholesky, MatrixInverse, MatrixPinv, Det, SLogDet, Cofactors, SVD, Eigh, Eigvalsh)
def _matrix(batch: Batch) -> Outputs:
    """They take stacks already."""
    outputs = batch.op(*batch.inputs, return_list=True) if len(batch.inputs) == 1 else []
    good = outputs and all(new.type.ndim == old.type.ndim + 1
                           for new, old in zip(outputs, batch.node.outputs, strict=True))
    return all_of(outputs) if good else None


@batching(Solve, SolveTriangular)
def _system(batch: Batch) -> Outputs:
    b = batch.inputs[1]
    vector = batch.rank(1) == 1
    if vector:
        b = dimshuffle(b, [*range(b.type.ndim), "x"])
    sides = max(batch.rank(1), 2)
    rank = max(batch.rank(0), sides)
    if batch.stacked[1] and rank > sides:
        b = dimshuffle(b, [0, *["x"] * (rank - sides), *range(1, b.type.ndim)])
    solution = batch.op(batch.padded(0, rank), b)
    return all_of(solution[..., 0] if vector else solution)


@batching(Conv, ConvGradInputs)
def _convolution(batch: Batch) -> Outputs:
    """With the same filters for all, the images of all values are one larger batch."""
    place = 0 if isinstance(batch.op, Conv) else 1
    if not batch.stacked[place] or any(s for i, s in enumerate(batch.stacked) if i != place):
        return None
    images = batch.inputs[place]
    count, rest = shape_i(images, 1), [shape_i(images, i) for i in range(2, images.type.ndim)]
    inputs = list(batch.inputs)
    inputs[place] = Reshape()(images, batch.size * count, *rest)
    made = batch.op(*inputs)
    return all_of(Reshape()(made, batch.size, count, *[shape_i(made, i) for i in range(1, made.type.ndim)]))


@batching(MaxPool, MaxPoolGrad, MaxPoolGather, SumPool, SumPoolGrad)
def _pooling(batch: Batch) -> Outputs:
    """They take any number of axes before those with windows."""
    numbers = [i for i in range(len(batch.inputs)) if batch.rank(i) == 0]
    if any(batch.stacked[i] for i in numbers):
        return None
    return all_of(batch.op(*[v if i in numbers else batch.all_stacked(i) for i, v in enumerate(batch.inputs)]))


# ---- graphs and choices ---------------------------------------------------------------------------------------------


@batching(IfElse)
def _choice(batch: Batch) -> Outputs:
    """One choice for all values, or elementwise where each has its own condition."""
    op, condition = batch.op, batch.inputs[0]
    values = [batch.all_stacked(i) for i in range(1, len(batch.inputs))]
    if not batch.stacked[0]:
        return all_of(op(condition, *values, return_list=True))
    if not all(isinstance(v.type, TensorType) for v in batch.node.outputs):
        return None
    return all_of([elemwise(scalar.switch)(dimshuffle(condition, [0, *["x"] * (a.type.ndim - 1)]), a, b)
                   for a, b in zip(*op.branches([condition, *values]), strict=True)])


@batching(OpFromGraph)
def _graph(batch: Batch) -> Outputs:
    """The graph inside, vectorised; derivatives that were given for one value are given for many."""
    node, stacked = batch.node, list(batch.stacked)
    inside = [x.type() for x in batch.inputs]
    found = vectorize_all(node.op.graph.outputs, {
        slot: (x, s) for slot, x, s in zip(node.op.graph.inputs, inside, stacked, strict=True)})
    size = next(shape_i(x, 0) for x, s in zip(inside, stacked, strict=True) if s)
    results = [x if many else repeated(x, size) for x, many in found]

    def pull(inputs: Any, outputs: Any, gradients: Any) -> Any:
        return stacked_pull(node, stacked, inputs, outputs, gradients)

    op = OpFromGraph(inside, results, inline=node.op.is_inline, name=node.op.name,
                     lop_overrides=pull if node.op.has_overrides else None)
    return all_of(op(*batch.inputs, return_list=True))
