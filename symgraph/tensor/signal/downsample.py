"""Maximum pooling under its oldest name."""

from __future__ import annotations

from typing import Any

from symgraph.tensor.signal.pool import max_pool_2d_same_size, pool_2d

__all__ = ["DownsampleFactorMax", "max_pool_2d", "max_pool_2d_same_size"]


def max_pool_2d(input: Any, ds: Any, ignore_border: bool | None = None, st: Any = None, padding: Any = None,
                mode: str = "max") -> Any:
    """`pool_2d`, with its arguments in their older order and under their older names."""
    return pool_2d(input, ds, ignore_border, st, padding, mode)


class DownsampleFactorMax:
    """Theano's older class: called with a tensor, it pools the last two axes with the parameters given before.

    Parameters
    ----------
    ds, ignore_border, st, padding, mode
        As for `max_pool_2d`.
    """

    def __init__(self, ds: Any, ignore_border: bool = False, st: Any = None, padding: Any = None,
                 mode: str = "max") -> None:
        self.options: tuple[Any, ...] = (ds, ignore_border, st, padding, mode)

    def __call__(self, x: Any) -> Any:
        return max_pool_2d(x, *self.options)
