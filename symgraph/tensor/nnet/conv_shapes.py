"""The shapes of convolutions and of their gradients, as numbers, expressions, or None where they cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.graph.basic import Constant
from symgraph.tensor.nnet.conv_ops import BorderMode, output_shape, window_pads

__all__ = [
    "as_border", "as_each_axis", "assert_conv_shape", "check_conv_gradinputs_shape", "get_conv_gradinputs_shape",
    "get_conv_gradweights_shape", "get_conv_output_shape", "get_conv_shape_1axis", "known_lengths",
]


def as_each_axis(value: Any, rank: int, name: str, who: str) -> tuple[int, ...]:
    """A positive integer for each spatial axis, from one for all or one for each."""
    values = tuple(value) if isinstance(value, (list, tuple, np.ndarray)) else (value,) * rank
    if len(values) != rank or not all(isinstance(v, (int, np.integer)) and v >= 1 for v in values):
        raise ValueError(f"{who}: {name} must be {rank} positive integers, not {value!r}")
    return tuple(map(int, values))


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and int(value) >= 0


def as_border(mode: Any, rank: int, who: str) -> BorderMode:
    """A border mode as one of three words, or zeros before and after each axis."""
    if isinstance(mode, str):
        if mode in ("valid", "full", "half", "same"):
            return "half" if mode == "same" else mode
    else:
        sides = tuple(mode) if isinstance(mode, (list, tuple, np.ndarray)) else (mode,) * rank
        pairs = [tuple(s) if isinstance(s, (list, tuple, np.ndarray)) else (s, s) for s in sides]
        if len(pairs) == rank and all(len(p) == 2 and all(map(_is_count, p)) for p in pairs):
            return tuple((int(p[0]), int(p[1])) for p in pairs)
    raise ValueError(f"{who}: border_mode must be 'valid', 'full', 'half', an integer, or for each of {rank} axes an "
                     f"integer or a pair (before, after), none negative; not {mode!r}")


def known_lengths(shape: Any) -> list[int | None]:
    """The lengths that are known now; None for symbolic ones."""
    return [int(n.data) if isinstance(n, Constant) else int(n) if isinstance(n, (int, np.integer)) else None
            for n in shape]


def _checked(first: Sequence[Any], second: Sequence[Any], border_mode: Any, subsample: Any, dilation: Any, names: str,
             who: str) -> tuple[BorderMode, tuple[int, ...], tuple[int, ...]]:
    rank = len(first) - 2
    if rank < 1 or len(second) != rank + 2:
        raise ValueError(f"{who}: {names} must have the same number of lengths, at least 3, not {tuple(first)} and "
                         f"{tuple(second)}")
    apart = (1,) * rank if dilation is None else as_each_axis(dilation, rank, "filter_dilation", who)
    return as_border(border_mode, rank, who), as_each_axis(subsample, rank, "subsample", who), apart


def get_conv_output_shape(image_shape: Sequence[Any], kernel_shape: Sequence[Any], border_mode: Any, subsample: Any,
                          filter_dilation: Any = None) -> tuple[Any, ...]:
    """The shape a convolution gives.

    Parameters
    ----------
    image_shape, kernel_shape : sequence of int, scalar variable or None
        (batch, channels, *space) and (outputs, channels, *space).
    border_mode, subsample, filter_dilation
        As for `conv2d`.

    Returns
    -------
    tuple
        (batch, outputs, *space), None where it cannot be told.

    Examples
    --------
    >>> get_conv_output_shape((None, 3, 28, 28), (20, 3, 5, 5), "valid", (2, 2))
    (None, 20, 12, 12)
    """
    border, steps, apart = _checked(image_shape, kernel_shape, border_mode, subsample, filter_dilation,
                                    "image_shape and kernel_shape", "get_conv_output_shape")
    return (image_shape[0], kernel_shape[0], *output_shape(image_shape[2:], kernel_shape[2:], border, steps, apart))


def get_conv_shape_1axis(image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: int,
                         dilation: int = 1) -> Any:
    """The length a convolution gives along one axis.

    Parameters
    ----------
    image_shape, kernel_shape : int, scalar variable or None
    border_mode : str, int or pair of int
        A pair is the zeros before and after.
    subsample, dilation : int

    Examples
    --------
    >>> get_conv_shape_1axis(28, 5, "valid", 2)
    12
    """
    who = "get_conv_shape_1axis"
    border = as_border([border_mode] if isinstance(border_mode, tuple) else border_mode, 1, who)
    return output_shape([image_shape], [kernel_shape], border, as_each_axis(subsample, 1, "subsample", who),
                        as_each_axis(dilation, 1, "dilation", who))[0]


def get_conv_gradinputs_shape(kernel_shape: Sequence[Any], top_shape: Sequence[Any], border_mode: Any, subsample: Any,
                              filter_dilation: Any = None, num_groups: int = 1) -> tuple[Any, ...]:
    """The shape of a convolution's input, from those of its filters and its result.

    Several lengths may give the same result where `subsample` is not 1: there it is None.

    Parameters
    ----------
    kernel_shape, top_shape : sequence of int, scalar variable or None
        (outputs, channels / num_groups, *space) and (batch, outputs, *space).
    border_mode, subsample, filter_dilation, num_groups
        As for `conv2d`.

    Examples
    --------
    >>> get_conv_gradinputs_shape((20, 3, 5, 5), (None, 20, 24, 12), "valid", (1, 2))
    (None, 3, 28, None)
    """
    border, steps, apart = _checked(kernel_shape, top_shape, border_mode, subsample, filter_dilation,
                                    "kernel_shape and top_shape", "get_conv_gradinputs_shape")
    made: list[Any] = []
    for axis, (k, n, s, d) in enumerate(zip(kernel_shape[2:], top_shape[2:], steps, apart, strict=True)):
        if k is None or n is None or s != 1:
            made.append(None)
            continue
        (before, after), = window_pads(border if isinstance(border, str) else border[axis: axis + 1], [k], [d])
        made.append(n - 1 + (k - 1) * d + 1 - before - after)
    channels = None if kernel_shape[1] is None else kernel_shape[1] * num_groups
    return (top_shape[0], channels, *made)


def get_conv_gradweights_shape(image_shape: Sequence[Any], top_shape: Sequence[Any], border_mode: Any, subsample: Any,
                               filter_dilation: Any = None, num_groups: int = 1) -> tuple[Any, ...]:
    """The shape of a convolution's filters, from those of its input and its result.

    None where several lengths give the same result: with `subsample` not 1, and for ``'half'``.

    Examples
    --------
    >>> get_conv_gradweights_shape((None, 3, 28, 28), (None, 20, 24, 32), ((0, 0), (4, 4)), (1, 1))
    (20, 3, 5, 5)
    """
    border, steps, apart = _checked(image_shape, top_shape, border_mode, subsample, filter_dilation,
                                    "image_shape and top_shape", "get_conv_gradweights_shape")
    made: list[Any] = []
    for axis, (n, m, s, d) in enumerate(zip(image_shape[2:], top_shape[2:], steps, apart, strict=True)):
        if n is None or m is None or s != 1 or border == "half":
            made.append(None)
        elif border == "full":
            made.append((m - n) // d + 1)
        else:
            made.append((n + (0 if isinstance(border, str) else sum(border[axis])) - m) // d + 1)
    return (top_shape[1], None if image_shape[1] is None else image_shape[1] // num_groups, *made)


def check_conv_gradinputs_shape(image_shape: Sequence[Any], kernel_shape: Sequence[Any], output_shape: Sequence[Any],
                                border_mode: Any, subsample: Any, filter_dilation: Any = None) -> bool:
    """Whether a convolution of such images and filters gives such a result, as far as lengths are known.

    Examples
    --------
    >>> check_conv_gradinputs_shape((1, 3, 28, 28), (20, 3, 5, 5), (1, 20, 12, 12), "valid", (2, 2))
    True
    """
    made = get_conv_output_shape(image_shape, kernel_shape, border_mode, subsample, filter_dilation)
    if len(output_shape) != len(made):
        return False
    pairs = zip(known_lengths(made), known_lengths(output_shape), strict=True)
    return all(a is None or b is None or a == b for a, b in pairs)


def assert_conv_shape(shape: Sequence[Any]) -> tuple[Any, ...]:
    """A shape, found to be possible for a convolution's result: known lengths now, symbolic ones when computed.

    Parameters
    ----------
    shape : sequence of int or scalar variable
        The first two may be 0, the others must be positive.

    Raises
    ------
    AssertionError
        When they are not.

    Examples
    --------
    >>> assert_conv_shape((2, 3, 1))
    (2, 3, 1)
    """
    from symgraph.tensor.checks import require

    made: list[Any] = []
    for axis, (n, known) in enumerate(zip(shape, known_lengths(shape), strict=True)):
        least = 0 if axis < 2 else 1
        message = f"the convolution would give length {{}} along axis {axis}, which must be at least {least}"
        if known is None:
            made.append(n if n is None else require(n, n >= least, message.format("less"), AssertionError))
        elif known < least:
            raise AssertionError(message.format(known))
        else:
            made.append(known)
    return tuple(made)
