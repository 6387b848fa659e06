"""Convolutions of films, in the layout of Theano's module of this name."""

from __future__ import annotations

from typing import Any

from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.nnet.conv import conv3d as conv3d_of_channels

__all__ = ["conv3d"]


def conv3d(signals: Any, filters: Any, signals_shape: Any = None, filters_shape: Any = None,
           border_mode: Any = "valid") -> Any:
    """Films convolved with filters over time, rows and columns.

    Parameters
    ----------
    signals : 5-d tensor
        (films, time, channels, rows, columns).
    filters : 5-d tensor
        (outputs, time, channels, rows, columns).
    signals_shape, filters_shape : sequence of int or None, optional
        What is known of the shapes; checked at run time.
    border_mode
        As for `symgraph.tensor.nnet.conv3d`.

    Returns
    -------
    5-d tensor
        (films, time, outputs, rows, columns).

    Raises
    ------
    ValueError
        For other ranks, and where known lengths do not fit together.
    """
    x, w = as_tensor_variable(signals), as_tensor_variable(filters)
    for v, name in ((x, "signals"), (w, "filters")):
        if v.type.ndim != 5:
            raise ValueError(f"conv3d2d.conv3d takes {name} of 5 dimensions, not {v.type}")
    order = (0, 2, 1, 3, 4)
    known, known_filters = (
        None if shape is None else [shape[i] for i in order] for shape in (signals_shape, filters_shape))
    made = conv3d_of_channels(dimshuffle(x, order), dimshuffle(w, order), known, known_filters, border_mode)
    return dimshuffle(made, order)
