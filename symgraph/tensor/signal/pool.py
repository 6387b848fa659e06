"""Pooling over the last two or three axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Constant
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import elemwise
from symgraph.tensor.signal.pool_ops import MaxPool, MaxPoolGrad, SumPool

__all__ = ["Pool", "max_pool_2d_same_size", "pool_2d", "pool_3d"]

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def _numbers(value: Any, rank: int, least: int, name: str, who: str) -> tuple[int, ...]:
    """An integer for each axis, from one for all or one for each; known when the expression is built."""
    if isinstance(value, Constant):
        value = np.asarray(value.data)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank
    values = tuple(v.data.item() if isinstance(v, Constant) else v for v in values)
    if len(values) != rank or not all(isinstance(v, (int, np.integer)) and int(v) >= least for v in values):
        raise ValueError(f"{who}: {name} must be {rank} integers of at least {least}, known when the expression is "
                         f"built, not {value!r}")
    return tuple(map(int, values))


def _one_of(new: Any, old: Any, names: tuple[str, str], who: str) -> Any:
    if new is not None and old is not None:
        raise ValueError(f"{who}: {names[0]} and {names[1]} are the same; give one of them")
    return old if new is None else new


def _pool(rank: int, x: Any, ws: Any, ignore_border: bool | None, stride: Any, pad: Any, mode: str, who: str) -> Any:
    variable = as_tensor_variable(x)
    if ws is None:
        raise ValueError(f"{who}: ws, the size of the windows, must be given")
    window = _numbers(ws, rank, 1, "ws", who)
    step = window if stride is None else _numbers(stride, rank, 1, "stride", who)
    sides = (0,) * rank if pad is None else _numbers(pad, rank, 0, "pad", who)
    if mode not in MODES:
        raise ValueError(f"{who}: mode must be one of {', '.join(MODES)}, not {mode!r}")
    if any(sides) and not ignore_border:
        raise ValueError(f"{who}: pad={sides} needs ignore_border=True")
    if any(p >= w for p, w in zip(sides, window, strict=True)):
        raise ValueError(f"{who}: pad={sides} must be smaller than ws={window}: a window would see nothing")
    if mode == "max":
        return MaxPool(window, step, sides, bool(ignore_border))(variable)
    if mode != "sum" and variable.type.is_discrete:
        variable = elemwise(scalar.true_div)(variable, 1)
    return SumPool(window, step, sides, bool(ignore_border), mode)(variable)


def pool_2d(input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None, pad: Any = None,
            mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None) -> Any:
    """Each window over the last two axes to one number.

    Parameters
    ----------
    input : tensor-like
        Of at least 2 dimensions.
    ws : int or pair of int
        The windows' rows and columns.
    ignore_border : bool
        Leave out windows that would reach over the end. By default they are cut off there.
    stride : int or pair of int, optional
        The step from one window to the next; by default `ws`, so that windows do not overlap.
    pad : int or pair of int, optional
        What is added on both sides: less than nothing for the maximum, else zeros. Needs `ignore_border`.
    mode : str
        ``'max'``, ``'sum'``, ``'average_inc_pad'`` or ``'average_exc_pad'``: the average counts what was added, or
        does not. Averages of integers are floats.
    ds, st, padding
        Older names of `ws`, `stride` and `pad`.

    Returns
    -------
    TensorVariable
        Of the dtype of the input. Where elements tie for the maximum, each gets the whole gradient, as with `max`.

    Raises
    ------
    ValueError
        For arguments out of range, and for symbolic ones.
    TypeError
        For the maximum of complex numbers and the sum of booleans.

    Examples
    --------
    >>> pool_2d(np.arange(9).reshape(3, 3), 2).eval()
    array([[4, 5],
           [7, 8]])
    >>> pool_2d(np.arange(9).reshape(3, 3), 2, ignore_border=True).eval()
    array([[4]])
    """
    return _pool(2, input, _one_of(ws, ds, ("ws", "ds"), "pool_2d"), ignore_border,
                 _one_of(stride, st, ("stride", "st"), "pool_2d"), _one_of(pad, padding, ("pad", "padding"), "pool_2d"),
                 mode, "pool_2d")


def pool_3d(input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None, pad: Any = None,
            mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None) -> Any:
    """`pool_2d` over the last three axes."""
    return _pool(3, input, _one_of(ws, ds, ("ws", "ds"), "pool_3d"), ignore_border,
                 _one_of(stride, st, ("stride", "st"), "pool_3d"), _one_of(pad, padding, ("pad", "padding"), "pool_3d"),
                 mode, "pool_3d")


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Any:
    """The input, with zeros in place of all that is not the largest of its patch.

    Patches do not overlap; what does not fill a patch at the end of an axis becomes zero too.

    Parameters
    ----------
    input : tensor-like
        Of at least 2 dimensions.
    patch_size : int or pair of int

    Examples
    --------
    >>> max_pool_2d_same_size(np.array([[1, 2], [4, 3]]), 2).eval()
    array([[0, 0],
           [4, 0]])
    """
    variable = as_tensor_variable(input)
    patch = _numbers(patch_size, 2, 1, "patch_size", "max_pool_2d_same_size")
    largest = MaxPool(patch, patch, (0, 0), True)(variable)
    return MaxPoolGrad(patch, patch, (0, 0), True)(variable, largest, largest)


class Pool:
    """Theano's class: called with a tensor, windows, and perhaps steps and zeros, it pools the last axes.

    Parameters
    ----------
    ignore_border, mode
        As for `pool_2d`.
    ndim : int
        Over how many last axes.
    openmp
        Accepted for Theano's programs.

    Examples
    --------
    >>> Pool(ignore_border=True)(np.arange(16).reshape(4, 4), (2, 2)).eval()
    array([[ 5,  7],
           [13, 15]])
    """

    def __init__(self, ignore_border: bool = False, mode: str = "max", ndim: int = 2, openmp: Any = None) -> None:
        self.ignore_border, self.mode, self.ndim = ignore_border, mode, ndim

    def __call__(self, x: Any, ws: Any, stride: Any = None, pad: Any = None) -> Any:
        return _pool(self.ndim, x, ws, self.ignore_border, stride, pad, self.mode, "Pool")

    @staticmethod
    def out_shape(imgshape: Any, ws: Any = None, ignore_border: bool = False, stride: Any = None, pad: Any = None,
                  ndim: int = 2, ds: Any = None, st: Any = None, padding: Any = None) -> list[Any]:
        """The shape that images of `imgshape` are pooled to, whose lengths may be symbolic.

        Examples
        --------
        >>> Pool.out_shape((8, 3, 28, 28), (2, 2))
        [8, 3, 14, 14]
        """
        window = _numbers(_one_of(ws, ds, ("ws", "ds"), "Pool.out_shape"), ndim, 1, "ws", "Pool.out_shape")
        given, sides = _one_of(stride, st, ("stride", "st"), "Pool.out_shape"), _one_of(
            pad, padding, ("pad", "padding"), "Pool.out_shape")
        step = window if given is None else _numbers(given, ndim, 1, "stride", "Pool.out_shape")
        zeros = (0,) * ndim if sides is None else _numbers(sides, ndim, 0, "pad", "Pool.out_shape")
        return list(MaxPool(window, step, zeros, bool(ignore_border)).pooled(tuple(imgshape)))
