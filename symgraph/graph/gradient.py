"""The chain rule over graphs.

`grad` walks an expression backward and asks each operation's `L_op`; `Lop` and `Rop` are the two directional
products; a family of identity operations (`disconnected_grad`, `grad_clip`, ...) changes only what flows back.

Nothing here knows tensors: a `Type` says what its zero, its one and its sums are.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgraph.errors import DisconnectedInputError, NullTypeGradError
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.op import Op
from symgraph.graph.origin import deriving
from symgraph.graph.traversal import toposort, walk_variables
from symgraph.graph.type import DisconnectedType, NullType, Type

__all__ = [
    "Lop", "Rop", "consider_constant", "disconnected_grad", "grad", "grad_clip", "grad_not_implemented", "grad_scale",
    "grad_undefined", "subgraph_grad", "undefined_grad", "zero_grad",
]

_LEVELS = ("raise", "warn", "ignore")


def grad(
    cost: Variable | None,
    wrt: Variable | Sequence[Variable],
    consider_constant: Iterable[Variable] | None = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Mapping[Variable, Variable] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """The gradient of a scalar cost with respect to one or several variables.

    Parameters
    ----------
    cost : Variable or None
        A 0-dimensional floating-point expression. None when `known_grads` starts the chain instead.
    wrt : Variable or sequence of Variable
        What to differentiate by.
    consider_constant : iterable of Variable, optional
        Expressions not to differentiate through.
    disconnected_inputs : {'raise', 'warn', 'ignore'}
        What to do about a `wrt` the cost does not depend on.
    add_names : bool
        Name each gradient ``(dcost/dname)`` where both have names.
    known_grads : dict of Variable to Variable, optional
        Gradients already known of intermediate variables; with them the chain may start below the cost.
    return_disconnected : {'zero', 'none', 'disconnected'}
        What stands for the gradient of a disconnected `wrt`: zeros, None, or a variable of `DisconnectedType`.
    null_gradients : {'raise', 'return'}
        What to do when a gradient is undefined: raise, or return a variable of `NullType`.

    Returns
    -------
    Variable or list of Variable
        One for each of `wrt`, of the same type; a list exactly when `wrt` is a sequence.

    Raises
    ------
    TypeError
        When the cost is not a floating-point scalar.
    DisconnectedInputError
        When a `wrt` does not influence the cost and `disconnected_inputs` is ``'raise'``.
    NullTypeGradError
        When the chain meets an operation without a derivative and `null_gradients` is ``'raise'``.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x = T.dscalar("x")
    >>> float(sg.grad(x ** 3, x).eval({x: 2.0}))
    12.0
    """
    _one_of("disconnected_inputs", disconnected_inputs, _LEVELS)
    _one_of("return_disconnected", return_disconnected, ("zero", "none", "disconnected"))
    _one_of("null_gradients", null_gradients, ("raise", "return"))
    several = not isinstance(wrt, Variable)
    targets: list[Variable] = list(wrt) if several else [wrt]  # type: ignore[arg-type, list-item]
    for target in targets:
        if not isinstance(target, Variable):
            raise TypeError(f"wrt must hold symbolic variables, not {type(target).__name__}: {target!r}")
    seeds: dict[Variable, Variable] = dict(known_grads or {})
    if cost is None:
        if not seeds:
            raise ValueError("grad needs a cost, or known_grads to start from")
    elif not isinstance(cost, Variable):
        raise TypeError(f"cost must be a symbolic variable, not {type(cost).__name__}: {cost!r}")
    elif isinstance(cost.type, NullType):
        raise NullTypeGradError(f"the cost itself is undefined: {cost.type.why}")
    elif cost not in seeds:
        seeds[cost] = cost.type.seed(cost)
    chain = _Chain(seeds, targets, set(consider_constant or ()))
    results = []
    for target in targets:
        gradient = chain.gradient_of(target)
        result = _finish(gradient, target, disconnected_inputs, return_disconnected, null_gradients)
        if add_names and result is not None and result.name is None and cost is not None and cost.name and target.name:
            result.name = f"(d{cost.name}/d{target.name})"
        results.append(result)
    return results if several else results[0]


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}")


def _finish(gradient: Variable | None, target: Variable, disconnected_inputs: str, return_disconnected: str,
            null_gradients: str) -> Variable | None:
    if gradient is None or isinstance(gradient.type, DisconnectedType):
        message = (
            f"the cost does not depend on {_describe(target)}, so it has no gradient there. Use it in the cost, leave "
            "it out of wrt, or pass disconnected_inputs='ignore' to take zeros"
        )
        if disconnected_inputs == "raise":
            raise DisconnectedInputError(message)
        if disconnected_inputs == "warn":
            warnings.warn(message, stacklevel=3)
        if return_disconnected == "zero":
            return target.type.zeros_like(target)
        return None if return_disconnected == "none" else DisconnectedType()()
    if isinstance(gradient.type, NullType) and null_gradients == "raise":
        raise NullTypeGradError(f"the gradient with respect to {_describe(target)} is undefined: {gradient.type.why}")
    return gradient


def _describe(variable: Variable) -> str:
    origin = variable.owner.origin if variable.owner is not None else variable.origin
    return f"{variable}, built at {origin}" if origin is not None else str(variable)


class _Chain:
    """One backward walk: gathers the contributions to each variable and sums them when they are all there."""

    def __init__(self, seeds: Mapping[Variable, Variable], targets: Sequence[Variable], constants: set[Variable]) -> None:
        self.terms: dict[Variable, list[Variable]] = {v: [g] for v, g in seeds.items()}
        self.known = set(seeds)
        nodes = toposort(seeds, constants)
        influenced = self._influenced(nodes, targets)
        for node in reversed(nodes):
            if any(v in influenced for v in node.outputs) and any(v in self.terms for v in node.outputs):
                self._back_through(node, influenced, constants)

    @staticmethod
    def _influenced(nodes: Iterable[Apply], targets: Sequence[Variable]) -> set[Variable]:
        """The targets and everything whose value depends on them."""
        found = set(targets)
        for node in nodes:
            if any(v in found for v in node.inputs):
                pattern = node.op.connection_pattern(node)
                for j, output in enumerate(node.outputs):
                    if any(v in found and pattern[i][j] for i, v in enumerate(node.inputs)):
                        found.add(output)
        return found

    def gradient_of(self, variable: Variable) -> Variable | None:
        """The sum of what flowed back to `variable`; None when nothing did."""
        terms = self.terms.get(variable)
        if terms is None:
            return None
        for term in terms:
            if isinstance(term.type, NullType):
                return term
        if len(terms) > 1:
            self.terms[variable] = terms = [variable.type.add_terms(terms)]
        return terms[0]

    def _back_through(self, node: Apply, influenced: set[Variable], constants: set[Variable]) -> None:
        flowing = [self.gradient_of(v) for v in node.outputs]
        pattern = node.op.connection_pattern(node)
        wanted = [
            v in influenced and v not in constants and v not in self.known
            and any(pattern[i][j] and g is not None for j, g in enumerate(flowing))
            for i, v in enumerate(node.inputs)
        ]
        if not any(wanted):
            return
        null = next((g for g in flowing if g is not None and isinstance(g.type, NullType)), None)
        if null is not None:
            back: Sequence[Any] = [null] * len(node.inputs)
        else:
            given = [DisconnectedType()() if g is None else g for g in flowing]
            with deriving(node.origin, f"gradient of {node.op}"):
                back = node.op.L_op(node.inputs, node.outputs, given)
                if len(back) != len(node.inputs):
                    raise ValueError(f"{node.op}.L_op returned {len(back)} gradients for {len(node.inputs)} inputs")
                back = [self._checked(node, i, g) if wanted[i] else None for i, g in enumerate(back)]
        for variable, want, gradient in zip(node.inputs, wanted, back, strict=True):
            if want and gradient is not None and not isinstance(gradient.type, DisconnectedType):
                self.terms.setdefault(variable, []).append(gradient)

    @staticmethod
    def _checked(node: Apply, index: int, gradient: Any) -> Variable | None:
        """An operation is somebody's code: hold what it returned to the contract."""
        if gradient is None or (isinstance(gradient, Variable) and isinstance(gradient.type, (DisconnectedType, NullType))):
            return gradient
        if not isinstance(gradient, Variable):
            raise TypeError(
                f"{node.op}.L_op returned {type(gradient).__name__} as the gradient of input {index}; it must return "
                "symbolic variables, or DisconnectedType()() for an input with no influence"
            )
        variable = node.inputs[index]
        try:
            return variable.type.check_gradient(variable, gradient)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{node.op}.L_op, gradient of input {index}: {error}") from None


def _as_list(values: Any) -> list[Any]:
    return [values] if isinstance(values, Variable) or values is None else list(values)


def Lop(
    f: Variable | Sequence[Variable], wrt: Variable | Sequence[Variable],
    eval_points: Variable | Sequence[Variable], consider_constant: Iterable[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """The product of a row vector with the Jacobian: sum over outputs of ``eval_point * d f / d wrt``.

    Parameters
    ----------
    f : Variable or sequence of Variable
        Any shapes.
    wrt : Variable or sequence of Variable
    eval_points : Variable or sequence of Variable
        One for each of `f`, of its shape.
    consider_constant, disconnected_inputs
        As for `grad`.

    Returns
    -------
    Variable or list of Variable
        Of the shapes of `wrt`.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> sg.Lop(x ** 2, x, v).eval({x: np.array([1.0, 2.0]), v: np.array([1.0, 10.0])})
    array([ 2., 40.])
    """
    outputs, points = _as_list(f), _as_list(eval_points)
    if len(outputs) != len(points):
        raise ValueError(f"Lop: {len(outputs)} outputs but {len(points)} eval_points")
    seeds: dict[Variable, Variable] = {}
    for output, point in zip(outputs, points, strict=True):
        point = output.type.check_gradient(output, output.type.filter_variable(point))
        seeds[output] = output.type.add_terms([seeds[output], point]) if output in seeds else point
    return grad(None, wrt, consider_constant, disconnected_inputs, known_grads=seeds)


def Rop(
    f: Variable | Sequence[Variable], wrt: Variable | Sequence[Variable],
    eval_points: Variable | Sequence[Variable], disconnected_outputs: str = "raise",
    return_disconnected: str = "zero",
) -> Any:
    """The product of the Jacobian with a column vector: the derivative of `f` in the direction `eval_points`.

    Each operation's `R_op` is used where it has one. Elsewhere the product is had from two backward passes: the
    first, ``v -> v J``, is linear in v, and its own backward pass is the product wanted (J. Townsend, "A new trick
    for calculating Jacobian vector products", 2017).

    Parameters
    ----------
    f : Variable or sequence of Variable
    wrt : Variable or sequence of Variable
    eval_points : Variable or sequence of Variable
        One for each of `wrt`, of its shape.
    disconnected_outputs : {'raise', 'warn', 'ignore'}
        What to do about an output that does not depend on `wrt`.
    return_disconnected : {'zero', 'none', 'disconnected'}
        What stands for such an output's derivative.

    Returns
    -------
    Variable or list of Variable
        Of the shapes of `f`.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> sg.Rop(x ** 2, x, v).eval({x: np.array([1.0, 2.0]), v: np.array([1.0, 10.0])})
    array([ 2., 40.])
    """
    _one_of("disconnected_outputs", disconnected_outputs, _LEVELS)
    targets, points, outputs = _as_list(wrt), _as_list(eval_points), _as_list(f)
    if len(targets) != len(points):
        raise ValueError(f"Rop: {len(targets)} variables in wrt but {len(points)} eval_points")
    tangents: dict[Variable, Variable | None] = {}
    for target, point in zip(targets, points, strict=True):
        tangents[target] = target.type.check_gradient(target, target.type.filter_variable(point))
    for node in toposort(outputs, tangents):
        along = [tangents.get(v) for v in node.inputs]
        if any(t is not None for t in along):
            with deriving(node.origin, f"derivative of {node.op}"):
                for output, tangent in zip(node.outputs, _push(node, along), strict=True):
                    tangents.setdefault(output, tangent)
    results = []
    for output in outputs:
        tangent = tangents.get(output)
        if isinstance(tangent, Variable) and isinstance(tangent.type, NullType):
            raise NullTypeGradError(f"the derivative of {_describe(output)} is undefined: {tangent.type.why}")
        if tangent is None:
            message = f"{_describe(output)} does not depend on wrt; pass disconnected_outputs='ignore' to take zeros"
            if disconnected_outputs == "raise":
                raise DisconnectedInputError(message)
            if disconnected_outputs == "warn":
                warnings.warn(message, stacklevel=2)
            if return_disconnected == "zero":
                tangent = output.type.zeros_like(output)
            elif return_disconnected == "disconnected":
                tangent = DisconnectedType()()
        results.append(tangent)
    return results[0] if isinstance(f, Variable) else results


def _push(node: Apply, along: list[Variable | None]) -> Sequence[Variable | None]:
    """The derivative of a node's outputs along `along`, by its `R_op` or by two backward passes."""
    try:
        tangents = list(node.op.R_op(node.inputs, along))
    except NotImplementedError:
        return _push_by_pulling_twice(node, along)
    return [t if t is None or isinstance(t.type, (NullType, DisconnectedType)) else o.type.check_gradient(o, t)
            for o, t in zip(node.outputs, tangents, strict=True)]


def _push_by_pulling_twice(node: Apply, along: list[Variable | None]) -> list[Variable | None]:
    pattern = node.op.connection_pattern(node)
    moved = [i for i, t in enumerate(along) if t is not None]
    results: list[Variable | None] = []
    for j, output in enumerate(node.outputs):
        if not any(pattern[i][j] for i in moved):
            results.append(None)
            continue
        seed = output.type.gradient_type()()
        given = [seed if k == j else DisconnectedType()() for k in range(len(node.outputs))]
        pulled = node.op.L_op(node.inputs, node.outputs, given)
        total: list[Variable] = []
        for i in moved:
            gradient, tangent = pulled[i], along[i]
            assert tangent is not None
            if gradient is None or isinstance(gradient.type, DisconnectedType):
                continue
            if isinstance(gradient.type, NullType):
                total = [gradient]
                break
            if seed in walk_variables([gradient]):
                total.append(Lop(gradient, seed, tangent))
        if total and isinstance(total[0].type, NullType):
            results.append(total[0])
        else:
            results.append(output.type.add_terms(total) if total else output.type.zeros_like(output))
    return results


def subgraph_grad(
    wrt: Sequence[Variable], end: Sequence[Variable], start: Mapping[Variable, Variable] | None = None,
    cost: Variable | None = None, details: bool = False,
) -> Any:
    """The backward pass in pieces: from known gradients, or a cost, down to the middle of a graph.

    Parameters
    ----------
    wrt : sequence of Variable
        Parameters whose gradients are wanted from this piece.
    end : sequence of Variable
        Where the piece ends; the gradients there are the next piece's `start`.
    start : dict of Variable to Variable, optional
        Gradients with which this piece begins.
    cost : Variable, optional
        A cost added to the piece.
    details : bool
        Also return the parts of the gradients due to `start` and to `cost`.

    Returns
    -------
    wrt_grads, end_grads : list of Variable
        With `details`, followed by the gradients from `start` and from `cost`.

    Raises
    ------
    ValueError
        When neither `start` nor `cost` is given.
    """
    if start is None and cost is None:
        raise ValueError("subgraph_grad needs a start, a cost, or both")
    params, stops = list(wrt), list(end)

    def piece(the_cost: Variable | None, known: Mapping[Variable, Variable] | None) -> list[Variable]:
        found: list[Variable] = grad(the_cost, params + stops, consider_constant=stops, disconnected_inputs="ignore",
                                     known_grads=known)
        return found

    from_start = piece(None, start) if start else None
    from_cost = piece(cost, None) if cost is not None else None
    parts = [p for p in (from_start, from_cost) if p is not None]
    sums = [t.type.add_terms(list(terms)) if len(terms) > 1 else terms[0]
            for t, *terms in zip(params + stops, *parts, strict=True)]
    result = (sums[: len(params)], sums[len(params):])
    return (*result, from_start, from_cost) if details else result


# ---- identity operations that change what flows back -----------------------------------------------------------


@dataclass(frozen=True, repr=False)
class GradientGate(Op):
    """The identity, with a rule of its own for the gradient that passes through.

    Parameters
    ----------
    kind : str
        ``disconnected``, ``zero``, ``undefined``, ``clip`` or ``scale``.
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
    return GradientGate("disconnected")(x)  # type: ignore[no-any-return]


def zero_grad(x: Variable) -> Variable:
    """`x`, with zeros flowing back: it counts as connected, with derivative 0."""
    return GradientGate("zero")(x)  # type: ignore[no-any-return]


consider_constant = zero_grad


def undefined_grad(x: Variable) -> Variable:
    """`x`, with an undefined gradient: a gradient taken through it raises `NullTypeGradError`."""
    return GradientGate("undefined")(x)  # type: ignore[no-any-return]


def grad_clip(x: Variable, lower_bound: float, upper_bound: float) -> Variable:
    """`x`, with the gradient that flows back clipped, element by element, to the bounds.

    Raises
    ------
    ValueError
        When the lower bound exceeds the upper.
    """
    if not lower_bound <= upper_bound:
        raise ValueError(f"grad_clip: the lower bound {lower_bound} exceeds the upper bound {upper_bound}")
    return GradientGate("clip", (lower_bound, upper_bound))(x)  # type: ignore[no-any-return]


def grad_scale(x: Variable, multiplier: float) -> Variable:
    """`x`, with the gradient that flows back multiplied by a number."""
    return GradientGate("scale", (multiplier,))(x)  # type: ignore[no-any-return]


def grad_undefined(op: Op, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """What an `L_op` returns for an input whose derivative does not exist."""
    return NullType(f"{op} has no derivative by input {x_pos}, {x}. {comment}".strip())()


def grad_not_implemented(op: Op, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """What an `L_op` returns for an input whose derivative is not written."""
    return NullType(f"the derivative of {op} by input {x_pos}, {x}, is not implemented. {comment}".strip())()

