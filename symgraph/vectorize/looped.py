"""Any operation without a rule of its own: applied to one value after another, inside one node of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.chain import pattern_of
from symgraph.graph.gradient import grad
from symgraph.graph.inner import perform_node
from symgraph.graph.op import Op
from symgraph.graph.type import DisconnectedType, NullType, Type
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.type import TensorType, tensor_type
from symgraph.vectorize.batch import Batch, Outputs, all_of, batching, repeated, vectorize_all

__all__ = ["Looped", "stacked_pull"]


@dataclass(frozen=True, eq=False, repr=False)
class Looped(TensorOp):
    """An operation applied to one value after another, and the results stacked.

    Parameters
    ----------
    node : Apply
        The application to one value.
    stacked : tuple of bool
        Which inputs have a leading axis more.
    """

    node: Apply
    stacked: tuple[bool, ...]

    def infer_type(self, *types: Type) -> Sequence[Type]:
        size = next((t.shape[0] for t, s in zip(types, self.stacked, strict=True) if s), None)  # type: ignore[attr-defined]
        return [tensor_type(v.type.dtype, (size, *v.type.shape)) for v in self.node.outputs]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        sizes = {len(x) for x, s in zip(inputs, self.stacked, strict=True) if s}
        if len(sizes) > 1:
            raise ValueError(f"{self}: stacks of different lengths, {sorted(sizes)}")
        rows = [perform_node(self.node, [np.asarray(x[i]) if s else x
                                         for x, s in zip(inputs, self.stacked, strict=True)])
                for i in range(sizes.pop())]
        for j, (cell, output) in enumerate(zip(output_storage, self.node.outputs, strict=True)):
            kind = output.type
            if not rows:
                cell[0] = np.zeros((0, *(n or 0 for n in kind.shape)), kind.dtype)
                continue
            results = [np.asarray(row[j]) for row in rows]
            if len({r.shape for r in results}) > 1:
                shapes = ", ".join(map(str, dict.fromkeys(r.shape for r in results)))
                raise ValueError(f"{self}: the results have different shapes and cannot be stacked: {shapes}")
            cell[0] = np.stack(results)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        pattern = pattern_of(self.node)
        return [list(row) for row in pattern] if pattern is not None else [
            [True] * len(node.outputs) for _ in node.inputs]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return stacked_pull(self.node, self.stacked, inputs, outputs, output_gradients)

    def __repr__(self) -> str:
        return f"{self.node.op}, one after another"


def stacked_pull(node: Apply, stacked: Sequence[bool], inputs: Sequence[Any], outputs: Sequence[Any],
                 output_gradients: Sequence[Any]) -> list[Any]:
    """The backward pass of a node applied to stacked inputs: its own for one value, vectorised.

    Parameters
    ----------
    node : Apply
        The application to one value.
    stacked : sequence of bool
        Which of the inputs are stacked; all outputs are.
    inputs, outputs, output_gradients : sequence of Variable
    """
    one_inputs = [v.type() for v in node.inputs]
    one_outputs = node.clone_with_new_inputs(one_inputs).outputs
    seeds = {z: z.type.gradient_type()() for z, g in zip(one_outputs, output_gradients, strict=True)
             if not isinstance(g.type, DisconnectedType)}
    result: list[Any] = grad(None, one_inputs, disconnected_inputs="ignore", known_grads=seeds,
                             return_disconnected="disconnected", null_gradients="return")
    live = [i for i, g in enumerate(result) if not isinstance(g.type, (DisconnectedType, NullType))]
    replaced = {one: (x, s) for one, x, s in zip(one_inputs, inputs, stacked, strict=True)}
    replaced |= {z: (whole, True) for z, whole in zip(one_outputs, outputs, strict=True)}
    replaced |= {seeds[z]: (g, True) for z, g in zip(one_outputs, output_gradients, strict=True) if z in seeds}
    size = outputs[0].shape[0]
    for i, (g, many) in zip(live, vectorize_all([result[i] for i in live], replaced), strict=True):
        if stacked[i]:
            result[i] = g if many else repeated(g, size)
        else:
            result[i] = g.sum(axis=0) if many else g * size
    return result


@batching(Op)
def _one_by_one(batch: Batch) -> Outputs:
    for variable in (*batch.node.inputs, *batch.node.outputs):
        if not isinstance(variable.type, TensorType):
            raise NotImplementedError(f"{batch.op} cannot be vectorized: {variable} is no tensor but {variable.type}")
    inside = [v.type() for v in batch.node.inputs]
    node = batch.node
    constants = [v if not s else fresh for v, fresh, s in zip(node.inputs, inside, batch.stacked, strict=True)]
    # What is the same for all values keeps what its type knows; constants stay, for operations that read them early.
    one = node.clone_with_new_inputs(constants)
    return all_of(Looped(one, tuple(batch.stacked))(*batch.inputs, return_list=True))
