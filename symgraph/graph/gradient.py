"""The chain rule over graphs.

`grad` walks an expression backward and asks each operation's `L_op`; `Lop` and `Rop` are the two directional
products; a family of identity operations (`disconnected_grad`, `grad_clip`, ..., of `symgraph.graph.gates`) changes
only what flows back.

Nothing here knows tensors: a `Type` says what its zero, its one and its sums are.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgraph.errors import DisconnectedInputError, NullTypeGradError
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.chain import Chain, pattern_of
from symgraph.graph.gates import (
    GradientGate,
    consider_constant,
    disconnected_grad,
    grad_clip,
    grad_not_implemented,
    grad_scale,
    grad_undefined,
    undefined_grad,
    zero_grad,
)
from symgraph.graph.origin import current_origin, deriving
from symgraph.graph.testvalues import test_values_at
from symgraph.graph.traversal import clone_replace, toposort, walk_variables
from symgraph.graph.type import DisconnectedType, NullType

__all__ = [
    "DisconnectedInputError", "DisconnectedType", "GradientGate", "Lop", "NullTypeGradError", "Rop",
    "consider_constant", "disconnected_grad", "grad", "grad_clip", "grad_not_implemented", "grad_scale",
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
    Variable, list or tuple of Variable
        One for each of `wrt`, of the same type; a tuple for a tuple, a list for any other sequence.

    Raises
    ------
    TypeError
        When the cost is not a floating-point scalar, or `wrt` holds something else than variables, or a constant.
    DisconnectedInputError
        When a `wrt` does not influence the cost and `disconnected_inputs` is ``'raise'``.
    NullTypeGradError
        When the chain meets an operation without a derivative and `null_gradients` is ``'raise'``.

    Notes
    -----
    The gradient of a real cost C by a complex z = a + ib is ``dC/da + i dC/db``: the direction of steepest ascent, so
    that a step ``z - rate * gradient`` descends. It is twice the derivative by the conjugate of z (Wirtinger's), what
    PyTorch gives, and the conjugate of what JAX gives. Through a holomorphic function f it is multiplied by the
    conjugate of f'. A real variable in a complex expression has a real gradient. `Lop` with complex tensors multiplies
    by the conjugate transpose of the Jacobian, `Rop` by the Jacobian.

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
    targets = _as_variables("wrt", wrt)
    for target in targets:
        if isinstance(target, Constant):
            raise TypeError(f"cannot differentiate by the constant {target}: make it an input (T.scalar, ...) or a "
                            "shared variable")
    constants = set(_as_variables("consider_constant", consider_constant)) if consider_constant is not None else set()
    results = []
    with test_values_at("ignore"):
        chain = Chain(_seeds(cost, known_grads), targets, constants)
        gradients = [chain.gradient_of(target) for target in targets]
    for target, gradient in zip(targets, gradients, strict=True):
        result = _finish(gradient, target, disconnected_inputs, return_disconnected, null_gradients)
        if add_names and result is not None and cost is not None and cost.name and target.name and chain.made(result):
            result.name = f"(d{cost.name}/d{target.name})"
        results.append(result)
    return _in_the_form_of(wrt, results)


def _as_variables(name: str, values: Any) -> list[Variable]:
    """An argument as a list of variables."""
    found = [values] if isinstance(values, Variable) else values
    if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
        raise TypeError(f"{name} must be a symbolic variable or several, not {type(values).__name__}: {values!r}")
    found = list(found)
    for value in found:
        if not isinstance(value, Variable):
            raise TypeError(f"{name} must hold symbolic variables, not {type(value).__name__}: {value!r}")
    return found


def _in_the_form_of(given: Any, results: list[Any]) -> Any:
    return results[0] if isinstance(given, Variable) else tuple(results) if isinstance(given, tuple) else results


def _direction(variable: Variable, value: Any, who: str) -> Variable:
    """A gradient or tangent somebody gives for a variable, as a variable of the right type."""
    try:
        if not isinstance(value, Variable):
            value = variable.type.gradient_type().filter_variable(value)
        return variable.type.check_gradient(variable, value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{who}, for {_describe(variable)}: {error}") from None


def _seeds(cost: Variable | None, known_grads: Mapping[Variable, Variable] | None) -> dict[Variable, Variable]:
    """What the backward walk starts from."""
    seeds: dict[Variable, Variable] = {}
    for variable, gradient in dict(known_grads or {}).items():
        if not isinstance(variable, Variable):
            raise TypeError(f"known_grads: {variable!r} is not a symbolic variable")
        if isinstance(gradient, Variable) and isinstance(gradient.type, (DisconnectedType, NullType)):
            seeds[variable] = gradient
            continue
        seeds[variable] = _direction(variable, gradient, "known_grads")
    if cost is None:
        if not seeds:
            raise ValueError("grad needs a cost, or known_grads to start from")
    elif not isinstance(cost, Variable):
        raise TypeError(f"cost must be a symbolic variable, not {type(cost).__name__}: {cost!r}")
    elif isinstance(cost.type, NullType):
        raise NullTypeGradError(f"the cost itself is undefined: {cost.type.why}")
    elif cost not in seeds:
        try:
            seeds[cost] = cost.type.seed(cost)
        except TypeError as error:
            raise TypeError(f"{error}. It was built at {_place(cost)}") from None
    return seeds


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
            _warn(message)
        if return_disconnected == "zero":
            return target.type.zeros_like(target)
        return None if return_disconnected == "none" else DisconnectedType()()
    if isinstance(gradient.type, NullType) and null_gradients == "raise":
        raise NullTypeGradError(f"the gradient with respect to {_describe(target)}, is undefined: {gradient.type.why}")
    return gradient


def _place(variable: Variable) -> Any:
    return (variable.owner.origin if variable.owner is not None else variable.origin) or "an unknown line"


def _describe(variable: Variable) -> str:
    return f"{variable}, built at {_place(variable)}"


def _warn(message: str) -> None:
    """Warn at the user's line, however deep in here the cause was noticed."""
    origin = current_origin()
    warnings.warn_explicit(message, UserWarning, origin.filename, origin.lineno)


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
        One for each of `f`, of its shape; None for one that does not count.
    consider_constant, disconnected_inputs
        As for `grad`.

    Returns
    -------
    Variable, list or tuple of Variable
        Of the shapes of `wrt`, in its form.

    Raises
    ------
    TypeError, ValueError
        When an eval point does not fit its variable, or their numbers differ.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> sg.Lop(x ** 2, x, v).eval({x: np.array([1.0, 2.0]), v: np.array([1.0, 10.0])})
    array([ 2., 40.])
    """
    outputs = _as_variables("f", f)
    points = _points(f, eval_points, len(outputs), "Lop: f")
    seeds: dict[Variable, Variable] = {}
    for output, point in zip(outputs, points, strict=True):
        if point is not None:
            # One of them may be made of another: each has its gradient at a place of its own.
            seeds[GradientGate("same")(output)] = _direction(output, point, "Lop, eval point")
    return grad(None, wrt, consider_constant, disconnected_inputs, known_grads=seeds)


def _points(of: Any, eval_points: Any, count: int, what: str) -> list[Any]:
    single = isinstance(of, Variable) and not isinstance(eval_points, (list, tuple))
    points = [eval_points] if single else list(eval_points)
    if len(points) != count:
        raise ValueError(f"{what} holds {count} variable{'s' * (count != 1)}, but there are {len(points)} eval_points")
    return points


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
        One for each of `wrt`, of its shape; None for one that does not move.
    disconnected_outputs : {'raise', 'warn', 'ignore'}
        What to do about an output that does not depend on `wrt`.
    return_disconnected : {'zero', 'none', 'disconnected'}
        What stands for such an output's derivative.

    Returns
    -------
    Variable, list or tuple of Variable
        Of the shapes of `f`, in its form.

    Raises
    ------
    TypeError, ValueError
        When an eval point does not fit its variable, or their numbers differ.
    DisconnectedInputError
        When an output does not depend on `wrt` and `disconnected_outputs` is ``'raise'``.
    NullTypeGradError
        When an output's derivative is undefined.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> sg.Rop(x ** 2, x, v).eval({x: np.array([1.0, 2.0]), v: np.array([1.0, 10.0])})
    array([ 2., 40.])
    """
    _one_of("disconnected_outputs", disconnected_outputs, _LEVELS)
    _one_of("return_disconnected", return_disconnected, ("zero", "none", "disconnected"))
    targets, outputs = _as_variables("wrt", wrt), _as_variables("f", f)
    tangents: dict[Variable, Variable | None] = {}
    for target, point in zip(targets, _points(wrt, eval_points, len(targets), "Rop: wrt"), strict=True):
        tangents[target] = None if point is None else _direction(target, point, "Rop, eval point")
    for node in toposort(outputs, set(tangents)):
        along = [tangents.get(v) for v in node.inputs]
        if any(t is not None for t in along):
            with deriving(node.origin, f"derivative of {node.op}"):
                for output, tangent in zip(node.outputs, _push(node, along), strict=True):
                    tangents.setdefault(output, tangent)
    found = [_finish_tangent(tangents.get(o), o, disconnected_outputs, return_disconnected) for o in outputs]
    return _in_the_form_of(f, found)


def _finish_tangent(tangent: Variable | None, output: Variable, disconnected_outputs: str,
                    return_disconnected: str) -> Variable | None:
    if tangent is None:
        message = f"{_describe(output)}, does not depend on wrt; pass disconnected_outputs='ignore' to take zeros"
        if disconnected_outputs == "raise":
            raise DisconnectedInputError(message)
        if disconnected_outputs == "warn":
            _warn(message)
        if return_disconnected == "zero":
            return output.type.zeros_like(output)
        return None if return_disconnected == "none" else DisconnectedType()()
    if isinstance(tangent.type, NullType):
        raise NullTypeGradError(f"the derivative of {_describe(output)}, is undefined: {tangent.type.why}")
    return tangent


def _push(node: Apply, along: list[Variable | None]) -> Sequence[Variable | None]:
    """The derivative of a node's outputs along `along`, by its `R_op` or by two backward passes."""
    pattern = pattern_of(node)
    for i, tangent in enumerate(along):
        if tangent is not None and isinstance(tangent.type, NullType):
            return [tangent if pattern is None or pattern[i][j] else None for j in range(len(node.outputs))]
    try:
        tangents = list(node.op.R_op(node.inputs, along))
    except NotImplementedError:
        return _push_by_pulling_twice(node, along, pattern)
    if len(tangents) != len(node.outputs):
        raise ValueError(f"{node.op}.R_op returned {len(tangents)} derivatives for {len(node.outputs)} outputs")
    return [_checked_tangent(node, i, t) for i, t in enumerate(tangents)]


def _checked_tangent(node: Apply, index: int, tangent: Any) -> Variable | None:
    if tangent is None:
        return None
    if not isinstance(tangent, Variable):
        raise TypeError(f"{node.op}.R_op returned {type(tangent).__name__} as the derivative of output {index}; it "
                        "must return symbolic variables, or None for an output with no influence")
    if isinstance(tangent.type, DisconnectedType):
        return None
    if isinstance(tangent.type, NullType):
        return tangent
    output = node.outputs[index]
    try:
        return output.type.check_gradient(output, tangent)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{node.op}.R_op, derivative of output {index}: {error}") from None


def _push_by_pulling_twice(node: Apply, along: list[Variable | None],
                           pattern: Sequence[Sequence[bool]] | None) -> list[Variable | None]:
    moved = [i for i, t in enumerate(along) if t is not None]
    results: list[Variable | None] = []
    for j, output in enumerate(node.outputs):
        if pattern is not None and not any(pattern[i][j] for i in moved):
            results.append(None)
            continue
        seed = output.type.gradient_type()()
        given = [seed if k == j else DisconnectedType()() for k in range(len(node.outputs))]
        pulled = node.op.L_op(node.inputs, node.outputs, given)
        if len(pulled) != len(node.inputs):
            raise ValueError(f"{node.op}.L_op returned {len(pulled)} gradients for {len(node.inputs)} inputs")
        results.append(_pull_again(node, output, seed, [(pulled[i], along[i]) for i in moved]))
    return results


def _pull_again(node: Apply, output: Variable, seed: Variable,
                pairs: Sequence[tuple[Variable | None, Variable | None]]) -> Variable:
    """The derivative of an output: the pulled gradients are linear in `seed`, so pull the tangents through them."""
    here = {*node.inputs, *node.outputs}  # nothing before the node depends on the seed
    total: list[Variable] = []
    for gradient, tangent in pairs:
        if gradient is None or tangent is None or isinstance(gradient.type, DisconnectedType):
            continue
        if isinstance(gradient.type, NullType):
            return gradient
        if seed in walk_variables([gradient], here):
            total.append(grad(None, seed, here, known_grads={gradient: tangent}))
    if not total:
        return output.type.zeros_like(output)
    # A shape may still be asked of the seed; its value no longer matters.
    kept: dict[Variable, Variable] = {v: v for v in here}
    kept.update((t, t) for _, t in pairs if t is not None)
    result: Variable = clone_replace(output.type.add_terms(total), {**kept, seed: output.type.zeros_like(output)})
    return result


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
