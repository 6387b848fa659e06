"""Identity operations that change only what the chain rule lets through: a gradient cut off, clipped, scaled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.op import Op
from symgraph.graph.type import DisconnectedType, NullType, Type

__all__ = [
    "GradientGate", "consider_constant", "disconnected_grad", "grad_clip", "grad_not_implemented", "grad_scale",
    "grad_undefined", "undefined_grad", "zero_grad",
]


@frozen(repr=False)
class GradientGate(Op):
    """The identity, with a rule of its own for the gradient that passes through.

    Parameters
    ----------
    kind : str
        ``disconnected``, ``zero``, ``undefined``, ``clip``, ``scale``, or ``same``: a place of its own for a gradient
        that is given, while what flows back to the input from elsewhere is added to it.
    bounds : tuple of float
        The parameters of ``clip`` (lower, upper) and ``scale`` (factor).
    """

    kind: str
    bounds: tuple[float, ...] = ()

    view_map = {0: [0]}  # noqa: RUF012

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return types

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = inputs[0]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[self.kind != "disconnected"]]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return input_shapes

    def L_op(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             output_gradients: Sequence[Variable]) -> Sequence[Variable]:
        return [self._back(inputs[0], output_gradients[0])]

    def _back(self, x: Variable, g: Any) -> Variable:
        match self.kind:
            case "same":
                same: Variable = g
                return same
            case "zero":
                return x.type.zeros_like(x)
            case "undefined":
                return NullType(f"{x} passed through undefined_grad")()
            case "clip":
                clipped: Variable = g.clip(*self.bounds)
                return clipped
            case "scale":
                scaled: Variable = g * self.bounds[0]
                return scaled
        return DisconnectedType()()

    def R_op(self, inputs: Sequence[Variable], eval_points: Sequence[Variable | None]) -> Sequence[Variable | None]:
        point = eval_points[0]
        if self.kind == "disconnected" or point is None:
            return [None]
        if self.kind in ("zero", "undefined"):
            return [self._back(inputs[0], point)]
        return [point]

    def __repr__(self) -> str:
        return f"{self.kind}_grad"


def disconnected_grad(x: Variable) -> Variable:
    """`x`, with nothing flowing back: the cost counts as not depending on it."""
    return GradientGate("disconnected")(x)


def zero_grad(x: Variable) -> Variable:
    """`x`, with zeros flowing back: it counts as connected, with derivative 0."""
    return GradientGate("zero")(x)


consider_constant = zero_grad


def undefined_grad(x: Variable) -> Variable:
    """`x`, with an undefined gradient: a gradient taken through it raises `NullTypeGradError`."""
    return GradientGate("undefined")(x)


def _number(value: Any) -> Any:
    """A number that can be hashed, of an array that holds one."""
    return value.item() if hasattr(value, "__array_interface__") and value.shape == () else value


def grad_clip(x: Variable, lower_bound: float, upper_bound: float) -> Variable:
    """`x`, with the gradient that flows back clipped, element by element, to the bounds.

    Raises
    ------
    ValueError
        When the lower bound exceeds the upper.
    """
    if not lower_bound <= upper_bound:
        raise ValueError(f"grad_clip: the lower bound {lower_bound} exceeds the upper bound {upper_bound}")
    return GradientGate("clip", (_number(lower_bound), _number(upper_bound)))(x)


def grad_scale(x: Variable, multiplier: float) -> Variable:
    """`x`, with the gradient that flows back multiplied by a number."""
    return GradientGate("scale", (_number(multiplier),))(x)


def grad_undefined(op: Op, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """What an `L_op` returns for an input whose derivative does not exist."""
    return NullType(f"{op} has no derivative by input {x_pos}, {x}. {comment}".strip())()


def grad_not_implemented(op: Op, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """What an `L_op` returns for an input whose derivative is not written."""
    return NullType(f"the derivative of {op} by input {x_pos}, {x}, is not implemented. {comment}".strip())()

