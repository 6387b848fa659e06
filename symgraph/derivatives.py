"""Jacobians, Hessians and their products with vectors, built from `grad`, `Rop` and `vectorize_graph`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from symgraph.graph.basic import Variable
from symgraph.graph.gradient import Rop, grad
from symgraph.graph.type import DisconnectedType
from symgraph.tensor.basic import eye, zeros
from symgraph.tensor.shape import shape_i
from symgraph.tensor.type import TensorType
from symgraph.vectorize import repeated, vectorize_all

__all__ = ["hessian", "hessian_vector_product", "jacobian"]

Several = Variable | Sequence[Variable]


def jacobian(expression: Any, wrt: Several, consider_constant: Iterable[Variable] | None = None,
             disconnected_inputs: str = "raise") -> Any:
    """The derivatives of all elements of an expression by all elements of variables.

    Parameters
    ----------
    expression : TensorVariable
        A vector or a scalar, of a floating dtype.
    wrt : Variable or sequence of Variable
        Tensors of any rank.
    consider_constant : iterable of Variable, optional
        Expressions not to differentiate through.
    disconnected_inputs : {'raise', 'warn', 'ignore'}
        What to do about a `wrt` the expression does not depend on.

    Returns
    -------
    Variable, list or tuple of Variable
        For each of `wrt`, in its form: of the shape of the expression followed by that of the variable, so that
        element ``[i, ...]`` is the derivative of ``expression[i]``.

    Raises
    ------
    TypeError
        When the expression is no real floating tensor, or `wrt` holds something that cannot be differentiated by.
    ValueError
        When it has more than one dimension.
    DisconnectedInputError
        When the expression does not depend on a `wrt` and `disconnected_inputs` is ``'raise'``.

    Notes
    -----
    The product of a row vector with the Jacobian is one backward pass. It is written once and vectorised over the rows
    of the identity matrix, so that all n rows are computed together, without a loop: the time of n backward passes
    at the speed of large arrays, and the memory of n copies of what a backward pass holds. For few rows of a large
    Jacobian, or for products with it, use `Lop` and `Rop`, which do not build it.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> jacobian(x ** 2 * x[0], x).eval({x: np.array([1.0, 2.0])})
    array([[3., 0.],
           [4., 4.]])
    """
    if not isinstance(expression, Variable) or not isinstance(expression.type, TensorType):
        raise TypeError(f"jacobian: the expression must be a symbolic tensor, not {expression!r}")
    kind = expression.type
    if kind.ndim > 1:
        raise ValueError(f"jacobian: the expression must be a vector or a scalar, but {expression} has {kind.ndim} "
                         f"dimensions ({kind}). Use its flatten()")
    if kind.numpy_dtype.kind != "f":
        raise TypeError(f"jacobian: the expression must be of a real floating dtype, but {expression} is {kind}")
    if kind.ndim == 0:
        return grad(expression, wrt, consider_constant, disconnected_inputs)
    single = isinstance(wrt, Variable)
    targets: list[Any] = [wrt] if isinstance(wrt, Variable) else list(wrt)
    seed = kind()
    pulled = grad(None, targets, consider_constant, disconnected_inputs, known_grads={expression: seed},
                  return_disconnected="disconnected")
    length: Any = kind.shape[0] if kind.shape[0] is not None else shape_i(expression, 0)
    rows = eye(length, dtype=kind.dtype)
    reached = [g for g in pulled if not isinstance(g.type, DisconnectedType)]
    stacked = iter(vectorize_all(reached, {seed: (rows, True)}))
    results: list[Any] = []
    for target, g in zip(targets, pulled, strict=True):
        if isinstance(g.type, DisconnectedType):
            sizes = [shape_i(target, i) if n is None else n for i, n in enumerate(target.type.shape)]
            results.append(zeros([length, *sizes], target.type.gradient_type().dtype))
            continue
        found, is_stacked = next(stacked)
        results.append(found if is_stacked else repeated(found, length))
        if expression.name and target.name:
            results[-1].name = f"(d{expression.name}/d{target.name})"
    return results[0] if single else tuple(results) if isinstance(wrt, tuple) else results


def hessian(cost: Any, wrt: Several, consider_constant: Iterable[Variable] | None = None,
            disconnected_inputs: str = "raise") -> Any:
    """The second derivatives of a scalar by the elements of vectors, one matrix for each vector.

    Parameters
    ----------
    cost : TensorVariable
        A real floating scalar.
    wrt : Variable or sequence of Variable
        Vectors; each gives the second derivatives by its own elements.
    consider_constant : iterable of Variable, optional
    disconnected_inputs : {'raise', 'warn', 'ignore'}
        What to do about a vector on which the cost does not depend. Where it depends on it only linearly, the matrix
        is zero.

    Returns
    -------
    Variable, list or tuple of Variable
        A symmetric matrix for each of `wrt`, in its form.

    Raises
    ------
    TypeError
        When the cost is no real floating scalar.
    ValueError
        When a `wrt` is not a vector.
    DisconnectedInputError
        As for `grad`.

    Notes
    -----
    The Jacobian of the gradient, vectorised as `jacobian` is: n backward passes over a backward pass, all at once, in
    n times the memory of one. `hessian_vector_product` builds no matrix.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> hessian((x ** 3).sum() + x[0] * x[1], x).eval({x: np.array([1.0, 2.0])})
    array([[ 6.,  1.],
           [ 1., 12.]])
    """
    single = isinstance(wrt, Variable)
    targets: list[Any] = [wrt] if isinstance(wrt, Variable) else list(wrt)
    for target in targets:
        if isinstance(target, Variable) and getattr(target.type, "ndim", None) != 1:
            raise ValueError(f"hessian: {target} must be a vector, but is {target.type}. Make the cost an expression "
                             "of one vector, and reshape parts of it")
    results = []
    for target in targets:
        first = grad(cost, target, consider_constant, disconnected_inputs)
        results.append(jacobian(first, target, consider_constant, "ignore"))
    return results[0] if single else tuple(results) if isinstance(wrt, tuple) else results


def hessian_vector_product(cost: Any, wrt: Several, p: Any, **grad_kwargs: Any) -> Any:
    """The products of the Hessian of a scalar with vectors, without the Hessian.

    Parameters
    ----------
    cost : TensorVariable
        A real floating scalar.
    wrt : Variable or sequence of Variable
        Tensors of any rank: together, the variables by which the Hessian is meant.
    p : tensor-like, or sequence of tensor-like
        For each of `wrt`, of its shape: together, the vector it is multiplied by.
    **grad_kwargs
        For `grad`, by which the first derivatives are had.

    Returns
    -------
    Variable, list or tuple of Variable
        For each of `wrt`, in its form and of its shape: ``sum over j of (d2 cost / d wrt[i] d wrt[j]) p[j]``.

    Raises
    ------
    TypeError, ValueError
        When the cost is no real scalar, or a vector does not fit its variable.
    DisconnectedInputError
        As for `grad`.

    Notes
    -----
    The derivative of the gradient in the direction p, forward over reverse: two to three times the work and memory of
    the gradient, whatever the number of elements (B. A. Pearlmutter, "Fast exact multiplication by the Hessian",
    Neural Computation 6, 1994).

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> hessian_vector_product((x ** 3).sum(), x, v).eval({x: np.array([1.0, 2.0]), v: np.array([1.0, 10.0])})
    array([  6., 120.])
    """
    single = isinstance(wrt, Variable)
    targets: list[Any] = [wrt] if isinstance(wrt, Variable) else list(wrt)
    points = [p] if single and not isinstance(p, (list, tuple)) else list(p)
    if len(points) != len(targets):
        raise ValueError(f"hessian_vector_product: wrt holds {len(targets)} variables, but there are {len(points)} "
                         "vectors")
    gradients = grad(cost, targets, **grad_kwargs)
    products = Rop(gradients, targets, points, disconnected_outputs="ignore")
    return products[0] if single else tuple(products) if isinstance(wrt, tuple) else products
