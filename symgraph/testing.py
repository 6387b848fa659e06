"""Checking derivatives against finite differences, and expressions against each other: for users' tests and our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.compile.function import function
from symgraph.graph.basic import Constant, Variable
from symgraph.graph.gradient import grad
from symgraph.graph.traversal import toposort
from symgraph.tensor import as_tensor_variable, cast
from symgraph.tensor import sum as tensor_sum
from symgraph.tensor.type import TensorType

__all__ = ["GradientError", "assert_same_graph", "numeric_grad", "verify_grad"]

#: By dtype: the step of a finite difference, and how far (absolutely or relatively) derivatives may differ.
STEPS = {"float64": 1e-7, "float32": 3e-4, "float16": 1e-1, "complex128": 1e-7, "complex64": 3e-4}
TOLERANCES = {"float64": 1e-4, "float32": 1e-2, "float16": 5e-2, "complex128": 1e-4, "complex64": 1e-2}

Array = np.ndarray[Any, Any]


class GradientError(AssertionError):
    """A symbolic derivative and a finite difference differ.

    Attributes
    ----------
    argument : int
        Which argument is differentiated by.
    index : tuple of int
        Which element of it.
    analytic, numeric : float or complex
        The two derivatives.
    """

    def __init__(self, message: str, argument: int, index: tuple[int, ...], analytic: complex,
                 numeric: complex) -> None:
        super().__init__(message)
        self.argument, self.index, self.analytic, self.numeric = argument, index, analytic, numeric


def numeric_grad(f: Callable[..., Any], pt: Sequence[Any], eps: float | None = None) -> list[Array]:
    """The gradient of a function of arrays by central differences.

    Parameters
    ----------
    f : callable
        Takes the arrays in `pt`, returns one number.
    pt : sequence of array-like
        Where; floating-point or complex.
    eps : float, optional
        The step; by default 1e-7, 3e-4 or 1e-1 for float64, float32, float16 (the least exact dtype in `pt`).

    Returns
    -------
    list of numpy.ndarray
        float64, of the shapes of `pt`; by complex numbers z = a + ib, df/da + i df/db as complex128.

    Raises
    ------
    TypeError
        When an array in `pt` is not of floats.

    Examples
    --------
    >>> [g.round(6).tolist() for g in numeric_grad(lambda x: (x ** 2).sum(), [np.array([1.0, 3.0])])]
    [[2.0, 6.0]]
    """
    points = [np.array(p) for p in pt]  # a copy: the caller's arrays are left alone
    for place, point in enumerate(points):
        if point.dtype.name not in STEPS:
            raise TypeError(f"numeric_grad: argument {place} must be of floats, not {point.dtype}")
    step = max((STEPS[p.dtype.name] for p in points), default=STEPS["float64"]) if eps is None else eps
    return _differences(f, points, step, lambda above, below: float(above) - float(below))


def _differences(
    f: Callable[..., Any], points: list[Array], step: float, change: Callable[[Any, Any], float]
) -> list[Array]:
    """For each element of each point, the change of f per unit step; the points are moved and put back."""
    gradients = []
    for point in points:
        gradient = np.zeros(point.shape, _wide(point))
        for index in np.ndindex(point.shape):
            for unit in (1, 1j) if point.dtype.kind == "c" else (1,):
                gradient[index] += unit * _slope(f, points, point, index, step * unit, change)
        gradients.append(gradient)
    return gradients


def _slope(f: Callable[..., Any], points: list[Array], point: Array, index: tuple[int, ...], step: complex,
           change: Callable[[Any, Any], float]) -> float:
    """The change of f per unit along a step of one element."""
    here = point[index]
    point[index] = here + step
    above, forward = f(*points), point[index]
    point[index] = here - step
    below, backward = f(*points), point[index]
    point[index] = here
    taken = abs(np.asarray(forward, _wide(point)) - np.asarray(backward, _wide(point)))  # after rounding
    return change(above, below) / float(taken)


def _wide(array: Array) -> str:
    """The dtype derivatives are compared in."""
    return "complex128" if array.dtype.kind == "c" else "float64"


def verify_grad(
    fun: Callable[..., Any], pt: Sequence[Any], n_tests: int = 2, rng: Any = None, eps: float | None = None,
    out_type: str | None = None, abs_tol: float | None = None, rel_tol: float | None = None, mode: Any = None,
    cast_to_output_type: bool = False, no_debug_ref: bool = True, *, order: int = 1,
) -> None:
    """Check a symbolic gradient against finite differences.

    The output is projected on a random direction, so that one number is differentiated and every element of every
    argument's gradient is compared.

    Parameters
    ----------
    fun : callable
        From symbolic tensors to one symbolic tensor.
    pt : sequence of array-like
        The arguments, of floats or complex numbers, where `fun` is differentiable. By a complex argument
        z = a + ib, the gradient is that by a plus i times that by b (see `symgraph.grad`).
    n_tests : int
        How many random projections to try.
    rng : numpy.random.Generator or RandomState, optional
        Gives the projections; seeded when not given, so that a failure repeats.
    eps : float, optional
        The step of the differences; see `numeric_grad`.
    out_type : str, optional
        Cast the output to this dtype first.
    abs_tol, rel_tol : float, optional
        An element fails when it exceeds both. By default 1e-4, 1e-2 or 5e-2 for float64, float32, float16.
    mode : str or Mode, optional
        In which the functions are compiled.
    cast_to_output_type : bool
        Compare in the output's dtype: its step and tolerance are used when it is the less exact one.
    no_debug_ref : bool
        Accepted for Theano's programs: the differences are computed in the same mode, but never under DebugMode.
    order : {1, 2}
        With 2, the gradient is itself differentiated and checked.

    Raises
    ------
    GradientError
        An AssertionError that names the argument, the element and both numbers.
    TypeError
        When an argument is not of floats, or `fun` does not return one floating-point tensor.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> verify_grad(lambda x, y: T.tanh(x * y), [np.array([0.5, 1.0]), np.array(2.0)], order=2)
    """
    if order not in (1, 2):
        raise ValueError(f"verify_grad: order must be 1 or 2, not {order!r}")
    points = [np.asarray(p) for p in pt]
    for place, point in enumerate(points):
        if point.dtype.name not in STEPS:
            raise TypeError(
                f"verify_grad: argument {place} must be of floats, not {point.dtype} of shape {point.shape}"
            )
    rng = np.random.default_rng(20240229) if rng is None else rng
    inputs = [TensorType(p.dtype, [1 if n == 1 else None for n in p.shape])(f"input{i}") for i, p in enumerate(points)]
    output = _one_output(fun, inputs, out_type)
    dtypes = [p.dtype.name for p in points] + [output.type.dtype] * (cast_to_output_type or out_type is not None)
    settings: dict[str, Any] = {
        "eps": max(STEPS[d] for d in dtypes) if eps is None else eps,
        "abs_tol": max(TOLERANCES[d] for d in dtypes) if abs_tol is None else abs_tol,
        "rel_tol": max(TOLERANCES[d] for d in dtypes) if rel_tol is None else rel_tol,
    }
    compute = function(inputs, output, mode=_without_debugging(mode, no_debug_ref), on_unused_input="ignore")
    shape = np.shape(compute(*points))
    for _ in range(n_tests):
        direction = _random_direction(rng, shape, output.type.dtype)
        weighted = output * as_tensor_variable(direction.conj())
        cost = tensor_sum(weighted.real if direction.dtype.kind == "c" else weighted)
        gradients = grad(cost, inputs, disconnected_inputs="ignore")
        _compare(inputs, points, compute, direction, gradients, mode, settings)
        if order == 2:
            for gradient in gradients:
                _verify_again(gradient, inputs, points, rng, mode, settings, no_debug_ref)


def _random_direction(rng: Any, shape: tuple[int, ...], dtype: str) -> Array:
    """Elements of neither part near 0."""
    parts = [rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)
             for _ in range(2 if np.dtype(dtype).kind == "c" else 1)]
    return np.asarray(parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1], dtype)


def _verify_again(gradient: Any, inputs: list[Any], points: list[Array], rng: Any, mode: Any, settings: dict[str, Any],
                  no_debug_ref: bool) -> None:
    from symgraph.graph.traversal import clone_replace

    def second(*new: Any) -> Any:
        return clone_replace(gradient, dict(zip(inputs, new, strict=True)))

    verify_grad(second, points, 1, rng, mode=mode, no_debug_ref=no_debug_ref, **settings)


def _one_output(fun: Callable[..., Any], inputs: list[Any], out_type: str | None) -> Any:
    output = fun(*inputs)
    if isinstance(output, (list, tuple)):
        if len(output) != 1:
            raise TypeError(f"verify_grad checks one output at a time, but the function returned {len(output)}")
        output = output[0]
    output = as_tensor_variable(output)
    if out_type is not None:
        output = cast(output, out_type)
    if output.type.dtype not in STEPS:
        raise TypeError(f"verify_grad: the function returned {output.type}; only floats have gradients to check")
    return output


def _without_debugging(mode: Any, no_debug_ref: bool) -> Any:
    watching = getattr(mode, "watch", mode)
    return None if no_debug_ref and str(watching).lower() in ("debug", "debugmode", "debug_mode") else mode


def _compare(inputs: list[Any], points: list[Array], compute: Any, direction: Array, gradients: list[Any], mode: Any,
             settings: dict[str, Any]) -> None:
    wide = direction.conj().astype(_wide(direction))

    def change(above: Any, below: Any) -> float:
        # Element by element, then summed: what does not change must not drown what does in its rounding.
        return float(((np.asarray(above, wide.dtype) - np.asarray(below, wide.dtype)) * wide).real.sum())

    analytic = function(inputs, gradients, mode=mode, on_unused_input="ignore")(*points)
    numeric = _differences(compute, [np.array(p) for p in points], settings["eps"], change)
    for place, (found, expected, point) in enumerate(zip(analytic, numeric, points, strict=True)):
        found = np.asarray(found, expected.dtype)
        if found.shape != point.shape:
            raise GradientError(f"the gradient by argument {place} has shape {found.shape}, the argument {point.shape}",
                                place, (), float("nan"), float("nan"))
        distance = np.abs(found - expected)
        relative = distance / np.maximum(np.abs(found) + np.abs(expected), 1e-8)
        excess = np.minimum(distance / settings["abs_tol"], relative / settings["rel_tol"])
        excess = np.where(np.isfinite(excess), excess, np.inf)
        if excess.size and excess.max() > 1:
            index = tuple(int(i) for i in np.unravel_index(int(excess.argmax()), excess.shape))
            raise GradientError(
                f"the gradient by argument {place} (shape {point.shape}) is wrong at index {index}: symbolic "
                f"{found[index]:.10g}, by finite differences {expected[index]:.10g}; absolute error "
                f"{distance[index]:.3g} "
                f"(allowed {settings['abs_tol']:.3g}), relative {relative[index]:.3g} (allowed "
                f"{settings['rel_tol']:.3g})",
                place,
                index,
                found[index].item(),
                expected[index].item(),
            )


# ---- comparing expressions -------------------------------------------------------------------------------------


def assert_same_graph(a: Variable | Sequence[Variable], b: Variable | Sequence[Variable],
                      given: Mapping[Variable, Variable] | None = None) -> None:
    """Check that two expressions apply the same operations to the same inputs in the same way.

    Constants are the same when their types and values are. Inputs must be the same variables, unless `given` says
    which of `b` stands for which of `a`. Sharing is not compared: ``f(x) + f(x)`` is the same built once or twice.

    Parameters
    ----------
    a, b : Variable or sequence of Variable
    given : dict of Variable to Variable, optional
        Variables of `a` to those of `b`.

    Raises
    ------
    AssertionError
        With both expressions and the first place where they differ.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.vector("x")
    >>> assert_same_graph(T.log(1 + x), T.log(1 + x))
    """
    left = [a] if isinstance(a, Variable) else list(a)
    right = [b] if isinstance(b, Variable) else list(b)
    if len(left) != len(right):
        raise AssertionError(f"{len(left)} outputs against {len(right)}")
    pending = list(zip(left, right, strict=True))[::-1]
    seen: set[tuple[Variable, Variable]] = set()
    while pending:
        pair = pending.pop()
        if pair in seen:
            continue
        seen.add(pair)
        why = _difference(*pair, given or {})
        if why:
            raise AssertionError(f"{why}\n--- first:\n{_listing(left)}\n--- second:\n{_listing(right)}")
        if pair[0].owner is not None and pair[0] is not pair[1] and pair[0] not in (given or {}):
            assert pair[1].owner is not None
            pending.extend(list(zip(pair[0].owner.inputs, pair[1].owner.inputs, strict=True))[::-1])


def _difference(a: Variable, b: Variable, given: Mapping[Variable, Variable]) -> str:
    """Why two variables are not the same, leaving their owners' inputs aside; empty when they are."""
    if a is b:
        return ""
    if a in given:
        return "" if given[a] is b else f"{a} stands for {given[a]}, not for {b}"
    if a.type != b.type:
        return f"the types of {a} and {b} differ: {a.type} and {b.type}"
    if isinstance(a, Constant) and isinstance(b, Constant):
        return "" if a.signature() == b.signature() else f"the constants {a} and {b} differ"
    if a.owner is None or b.owner is None:
        return f"{a} and {b} are not the same variable"
    if a.owner.op != b.owner.op or a.index != b.index:
        return f"the operations {a.owner.op} (output {a.index}) and {b.owner.op} (output {b.index}) differ"
    if len(a.owner.inputs) != len(b.owner.inputs):
        return f"{a.owner.op} has {len(a.owner.inputs)} and {len(b.owner.inputs)} inputs"
    return ""


def _listing(outputs: Sequence[Variable], limit: int = 40) -> str:
    """The nodes of an expression, one to a line, each result named."""
    names: dict[Variable, str] = {}
    lines = []
    for node in toposort(outputs):
        arguments = ", ".join(names.get(v, str(v)) for v in node.inputs)
        for output in node.outputs:
            names[output] = f"v{len(names)}"
        results = ", ".join(names[v] for v in node.outputs)
        lines.append(f"  {results} = {node.op}({arguments})  # {', '.join(str(v.type) for v in node.outputs)}")
    if len(lines) > limit:
        lines[limit // 2:-(limit // 2)] = [f"  ... {len(lines) - limit} more ..."]
    return "\n".join([*lines, f"  return {', '.join(names.get(v, str(v)) for v in outputs)}"])
