"""Graphs over many values at once: `vectorize_graph` and `vmap`.

Every operation has a way to act on values stacked along a leading axis (`symgraph.vectorize.rules`): mostly the same
operation on one axis more, so that a graph for one value becomes a graph for many without a loop. An operation for
which there is no such way is applied to one value after another, inside one node of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import numpy as np

from symgraph.graph.basic import Variable
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import moveaxis
from symgraph.tensor.specify import specify_shape
from symgraph.tensor.type import TensorType
from symgraph.vectorize.batch import repeated, size_of, vectorize_all

__all__ = ["vectorize_graph", "vmap"]


def vectorize_graph(outputs: Variable | Sequence[Variable], replace: Mapping[Any, Any]) -> Any:
    """The outputs for many values at once: inputs with a leading axis more make outputs with one more.

    Parameters
    ----------
    outputs : Variable or sequence of Variable
        Tensors.
    replace : dict of Variable to Variable
        What stands for a variable: a tensor of its dtype with one (leading) axis more, along which its values are
        stacked, or one of its rank, the same for all.

    Returns
    -------
    Variable or list of Variable
        As `outputs` was given. An output that depends on nothing stacked has no axis more.

    Raises
    ------
    TypeError
        When a replacement is not of the dtype of what it replaces, or its rank is neither the same nor one more.
    ValueError
        When stacks are known to be of different lengths.

    Notes
    -----
    Nothing is computed in a loop but operations that have no form for stacks (`symgraph.vectorize.BATCHING` lists those
    that have); memory grows with the number of values for every intermediate result that depends on them.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x, xs = T.dvector("x"), T.dmatrix("xs")
    >>> norms = vectorize_graph(T.sqrt((x ** 2).sum()), {x: xs})
    >>> norms.eval({xs: [[3.0, 4.0], [6.0, 8.0]]})
    array([ 5., 10.])
    """
    several = not isinstance(outputs, Variable)
    wanted: list[Variable] = list(outputs) if several else [outputs]  # type: ignore[arg-type, list-item]
    pairs = {old: _replacement(old, new) for old, new in dict(replace).items()}
    size = size_of([x for x, stacked in pairs.values() if stacked])
    pairs = {old: (_of_length(x, size), True) if stacked else (x, False) for old, (x, stacked) in pairs.items()}
    result = [v for v, _ in vectorize_all(wanted, pairs)]
    return result if several else result[0]


def _of_length(stack: Any, size: Any) -> Any:
    """A stack whose length is said by its type, where another's is."""
    if not isinstance(size, int) or stack.type.shape[0] is not None:
        return stack
    return specify_shape(stack, [size] + [None] * (stack.type.ndim - 1))


def _replacement(old: Any, new: Any) -> tuple[Any, bool]:
    if not isinstance(old, Variable) or not isinstance(old.type, TensorType):
        raise TypeError(f"vectorize_graph replaces tensor variables, not {old!r}")
    kind = old.type
    new = new if isinstance(new, Variable) else as_tensor_variable(new)
    extra = new.type.ndim - kind.ndim if isinstance(new.type, TensorType) else -1
    if extra not in (0, 1) or new.type.dtype != kind.dtype:
        raise TypeError(f"cannot put {new} ({new.type}) in the place of {old} ({kind}): what stands for it must be a "
                        f"{kind.dtype} tensor of {kind.ndim + 1} dimensions (many values, stacked) or {kind.ndim} "
                        "(the same for all)")
    if extra == 0:
        return kind.filter_variable(new), False
    missing = [n if m is None else None for n, m in zip(kind.shape, new.type.shape[1:], strict=True)]
    for axis, (n, m) in enumerate(zip(kind.shape, new.type.shape[1:], strict=True)):
        if n is not None and m is not None and n != m:
            raise TypeError(f"cannot put {new} ({new.type}) in the place of {old} ({kind}): axis {axis} of a value has "
                            f"length {m}")
    return (new if not any(n is not None for n in missing) else specify_shape(new, [None, *missing])), True


def vmap(fn: Callable[..., Any], in_axes: Any = 0, out_axes: int = 0) -> Callable[..., Any]:
    """A function of values turned into one of many values at once.

    Parameters
    ----------
    fn : callable
        From symbolic tensors to one or several (a list or tuple).
    in_axes : int, None, or sequence of these
        For each argument, the axis along which its values are stacked; None for one that is the same for all. One
        entry stands for all arguments.
    out_axes : int
        Where the results are stacked.

    Returns
    -------
    callable
        It takes tensors with one axis more, where `in_axes` says so.

    Raises
    ------
    ValueError
        When `in_axes` does not fit the arguments, or names no stacked one.
    numpy.exceptions.AxisError
        When an axis does not exist.

    Examples
    --------
    >>> import numpy as np, symgraph.tensor as T
    >>> a, b = T.dmatrix("a"), T.dvector("b")
    >>> products = vmap(lambda row, v: row @ v, in_axes=(0, None))(a, b)
    >>> products.eval({a: np.eye(2) * 3, b: [1.0, 2.0]})
    array([3., 6.])
    """

    @wraps(fn)
    def over_stacks(*args: Any) -> Any:
        variables = [as_tensor_variable(a) for a in args]
        axes = [in_axes] * len(args) if in_axes is None or isinstance(in_axes, (int, np.integer)) else list(in_axes)
        if len(axes) != len(args):
            raise ValueError(f"vmap: in_axes has {len(axes)} entries for {len(args)} arguments")
        if all(axis is None for axis in axes):
            raise ValueError("vmap: in_axes names no axis: at least one argument must be stacked")
        stacks = [v if axis is None else moveaxis(v, axis, 0) for v, axis in zip(variables, axes, strict=True)]
        size = size_of([x for x, axis in zip(stacks, axes, strict=True) if axis is not None])
        stacks = [x if axis is None else _of_length(x, size) for x, axis in zip(stacks, axes, strict=True)]
        ones = [x if axis is None else x.type.clone(shape=x.type.shape[1:])(v.name)
                for x, axis, v in zip(stacks, axes, variables, strict=True)]
        results = fn(*ones)
        several = isinstance(results, (list, tuple))
        wanted = [as_tensor_variable(r) for r in (results if several else [results])]
        pairs = {one: (x, True) for one, x, axis in zip(ones, stacks, axes, strict=True) if axis is not None}
        found = [moveaxis(v if stacked else repeated(v, size), 0, out_axes)
                 for v, stacked in vectorize_all(wanted, pairs)]
        return type(results)(found) if several else found[0]

    return over_stacks
