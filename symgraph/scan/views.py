"""Loops of common kinds: `map`, `reduce`, `foldl`, `foldr`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.scan.build import Loop, make_loop
from symgraph.scan.updates import OrderedUpdates

__all__ = ["foldl", "foldr", "map", "reduce"]

Step = Callable[..., Any]


def map(fn: Step, sequences: Any, non_sequences: Any = None, truncate_gradient: int = -1, go_backwards: bool = False,
        mode: Any = None, name: str | None = None) -> tuple[Any, OrderedUpdates]:
    """Apply a function to the elements of sequences, one after the other.

    Parameters
    ----------
    fn : callable
        It takes an element of each sequence and the `non_sequences`.
    sequences, non_sequences, truncate_gradient, go_backwards, mode, name
        As for `scan`.

    Returns
    -------
    outputs : Variable or list of Variable
        The results, along a new first axis.
    updates : OrderedUpdates

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> squares, _ = sg.map(lambda v: v ** 2, x)
    >>> squares.eval({x: [1.0, 2.0, 3.0]})
    array([1., 4., 9.])
    """
    loop = make_loop(fn, sequences, None, non_sequences, None, truncate_gradient, go_backwards, name)
    return (loop.outputs if len(loop.outputs) != 1 else loop.outputs[0]), loop.updates


def reduce(fn: Step, sequences: Any, outputs_info: Any, non_sequences: Any = None, go_backwards: bool = False,
           mode: Any = None, name: str | None = None) -> tuple[Any, OrderedUpdates]:
    """Apply a function to the elements of sequences and to its last result; what it gives last.

    Parameters
    ----------
    fn : callable
        It takes an element of each sequence, the results of the step before, and the `non_sequences`.
    sequences, outputs_info, non_sequences, go_backwards, mode, name
        As for `scan`.

    Returns
    -------
    outputs : Variable or list of Variable
        The results of the last step; the initial values if there is none.
    updates : OrderedUpdates

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> total, _ = sg.reduce(lambda v, s: s + v, x, T.constant(0.0))
    >>> float(total.eval({x: [1.0, 2.0, 3.0]}))
    6.0
    """
    return _last(make_loop(fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards, name=name))


def foldl(fn: Step, sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
          name: str | None = None) -> tuple[Any, OrderedUpdates]:
    """`reduce`, from the first element to the last.

    Parameters
    ----------
    fn, sequences, outputs_info, non_sequences, mode, name
        As for `reduce`.

    Returns
    -------
    outputs : Variable or list of Variable
    updates : OrderedUpdates

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> digits = T.lvector("digits")
    >>> number, _ = sg.foldl(lambda d, n: 10 * n + d, digits, T.constant(0))
    >>> int(number.eval({digits: [1, 2, 3]}))
    123
    """
    return reduce(fn, sequences, outputs_info, non_sequences, False, mode, name)


def foldr(fn: Step, sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
          name: str | None = None) -> tuple[Any, OrderedUpdates]:
    """`reduce`, from the last element to the first.

    Parameters
    ----------
    fn, sequences, outputs_info, non_sequences, mode, name
        As for `reduce`.

    Returns
    -------
    outputs : Variable or list of Variable
    updates : OrderedUpdates

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> c, x = T.dvector("coefficients"), T.dscalar("x")
    >>> value, _ = sg.foldr(lambda a, v: v * x + a, c, T.constant(0.0))  # 1 + 2 x + 3 x**2, by Horner's rule
    >>> float(value.eval({c: [1.0, 2.0, 3.0], x: 2.0}))
    17.0
    """
    return reduce(fn, sequences, outputs_info, non_sequences, True, mode, name)


def _last(loop: Loop) -> tuple[Any, OrderedUpdates]:
    last = [values[-1] if end is None else end for values, end in zip(loop.outputs, loop.last, strict=True)]
    return (last if len(last) != 1 else last[0]), loop.updates
