"""The updates a loop returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symgraph.shared import SharedVariable

__all__ = ["OrderedUpdates"]


class OrderedUpdates(dict[Any, Any]):
    """New values of shared variables, in the order they were entered: for ``function(updates=...)``.

    Two of them can be added; a variable that both update must have the same new value in both.

    Raises
    ------
    TypeError
        When a key is not a shared variable.

    Examples
    --------
    >>> import symgraph as sg
    >>> n = sg.shared(0, name="n")
    >>> updates = OrderedUpdates({n: n + 1})
    >>> [str(v) for v in updates + {}]
    ['n']
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.update(*args, **kwargs)

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, SharedVariable):
            raise TypeError(f"only shared variables can be updated, not {key!r}")
        super().__setitem__(key, value)

    def update(self, other: Any = (), **kwargs: Any) -> None:  # type: ignore[override]
        """Enter the updates of a dict or of a list of pairs."""
        for key, value in other.items() if isinstance(other, Mapping) else other:
            if key in self and self[key] is not value:
                raise KeyError(f"two updates are given for {key}")
            self[key] = value

    def __add__(self, other: Any) -> OrderedUpdates:
        total = OrderedUpdates(self)
        total.update({} if other is None else other)
        return total

    def __radd__(self, other: Any) -> OrderedUpdates:
        total = OrderedUpdates({} if other is None else other)
        total.update(self)
        return total
