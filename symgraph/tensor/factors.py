"""Derivatives of products: without a division, so that they are right however many factors are zero, in every order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.type import Type
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import TensorOp, conjugated
from symgraph.tensor.shape import reshape, shape_i
from symgraph.tensor.type import TensorType

__all__ = ["OtherFactors", "ProductShares", "Recurrence", "other_factors"]


@frozen(repr=False)
class _AlongAxis(TensorOp):
    """What the operations here share: tensors of one type in, and out.

    Parameters
    ----------
    axis : int
    """

    axis: int

    def infer_type(self, *types: Type) -> Sequence[Type]:
        first = types[0]
        for kind in types:
            assert isinstance(kind, TensorType)
            assert isinstance(first, TensorType)
            if kind.dtype != first.dtype or kind.ndim != first.ndim:
                raise TypeError(f"{type(self).__name__} takes tensors of one type, not {first} and {kind}")
        return (first,)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return [((0, axis), (place, axis)) for place, v in enumerate(node.inputs) if place
                for axis in range(v.type.ndim) if v.type.shape[axis] != 1]

    def part(self, x: Any, start: int | None, stop: int | None, step: int = 1) -> Any:
        """A slice along the axis."""
        return x[(slice(None),) * self.axis + (slice(start, stop, step),)]

    def flipped(self, x: Any) -> Any:
        """The elements along the axis in reverse order."""
        return self.part(x, None, None, -1)

    def later(self, x: Any) -> Any:
        """Each element at the next one's place; at the first place zero."""
        from symgraph.tensor.join import join

        return join(self.axis, self.part(x, 0, 1).zeros_like(), self.part(x, None, -1))

    def before(self, x: Any) -> Any:
        """The product of the elements before each."""
        from symgraph.tensor.cumulative import cumprod
        from symgraph.tensor.join import join

        return self.part(cumprod(join(self.axis, self.part(x, 0, 1).ones_like(), x), self.axis), None, -1)

    def pulled_through(self, meaning: Any, inputs: Sequence[Any], g: Any) -> list[Variable]:
        """The gradients by the inputs of an expression of them that means the same as this operation."""
        from symgraph.graph.gradient import grad

        found: list[Variable] = grad(None, list(inputs), inputs, disconnected_inputs="ignore", known_grads={meaning: g})
        return found


def _before(x: Any, axis: int) -> Any:
    """The product of the elements of an array before each, along an axis."""
    result = np.ones_like(x)
    if x.shape[axis] > 1:
        head = (slice(None),) * axis
        np.multiply.accumulate(x[(*head, slice(None, -1))], axis=axis, out=result[(*head, slice(1, None))])
    return result


@frozen(repr=False)
class OtherFactors(_AlongAxis):
    """The product of all elements along an axis but each itself."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        (x,) = inputs
        result = _before(x, self.axis)
        result *= np.flip(_before(np.flip(x, self.axis), self.axis), self.axis)
        output_storage[0][0] = result

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x,) = inputs
        meaning = self.before(x) * self.flipped(self.before(self.flipped(x)))
        return self.pulled_through(meaning, inputs, output_gradients[0])

    def __repr__(self) -> str:
        return f"other_factors{{axis={self.axis}}}"


@frozen(repr=False)
class ProductShares(_AlongAxis):
    """The gradient of a running product, from its factors x and the gradient g of its values.

    At each place it is the product of the factors before, times the sum over all places from there on of g and the
    product of the factors between.
    """

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, g = inputs
        with np.errstate(all="ignore"):
            zero = x == 0
            if zero.any() or not np.isfinite(x).all():
                back = np.flip(_recurrence(np.flip(_shifted(x, self.axis), self.axis), np.flip(g, self.axis),
                                           self.axis), self.axis)
                output_storage[0][0] = _before(x, self.axis) * back
                return
            z = np.multiply.accumulate(x, axis=self.axis)
            sums = np.flip(np.add.accumulate(np.flip(g * z, self.axis), axis=self.axis), self.axis)
            output_storage[0][0] = np.asarray(sums / x, x.dtype)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        x, g = inputs
        # Backward: what is ahead of each place, r[i] = g[i] + x[i + 1] r[i + 1].
        ahead = self.flipped(Recurrence(self.axis)(self.later(self.flipped(x)), self.flipped(g)))
        return self.pulled_through(self.before(x) * ahead, inputs, output_gradients[0])

    def __repr__(self) -> str:
        return f"product_shares{{axis={self.axis}}}"


def _shifted(x: Any, axis: int) -> Any:
    """Each element at the place of the one before it; zero at the last place."""
    result = np.zeros_like(x)
    head = (slice(None),) * axis
    result[(*head, slice(None, -1))] = x[(*head, slice(1, None))]
    return result


def _recurrence(a: Any, b: Any, axis: int) -> Any:
    result = np.array(b)
    along, factors = np.moveaxis(result, axis, 0), np.moveaxis(a, axis, 0)
    for i in range(1, len(along)):
        along[i] += factors[i] * along[i - 1]
    return result


@frozen(repr=False)
class Recurrence(_AlongAxis):
    """``y[i] = b[i] + a[i] * y[i - 1]`` along an axis, from inputs a and b; the first y is the first b."""

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        a, b = inputs
        output_storage[0][0] = _recurrence(a, b, self.axis)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (a, _), (y,), (g,) = inputs, outputs, output_gradients
        by_b = self.flipped(self(conjugated(self.later(self.flipped(a))), self.flipped(g)))
        return [by_b * conjugated(self.later(y)), by_b]

    def __repr__(self) -> str:
        return f"recurrence{{axis={self.axis}}}"


def other_factors(x: Any, axes: Sequence[int]) -> Any:
    """For each element, the product of the others over some axes: the derivative of their product."""
    if not axes:
        return x.ones_like()
    if len(axes) == 1:
        return OtherFactors(axes[0])(x)
    rest = [axis for axis in range(x.type.ndim) if axis not in axes]
    order = [*rest, *axes]
    lengths = [shape_i(x, axis) for axis in order]
    joined = lengths[len(rest)]
    for length in lengths[len(rest) + 1:]:
        joined = joined * length
    moved = reshape(dimshuffle(x, order), [*lengths[: len(rest)], joined])
    others = reshape(OtherFactors(len(rest))(moved), lengths)
    return dimshuffle(others, [order.index(axis) for axis in range(x.type.ndim)])
