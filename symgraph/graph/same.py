"""Whether two expressions are built alike, and the nodes between given variables: Theano's questions about graphs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.traversal import toposort

__all__ = ["equal_computations", "io_toposort", "is_same_graph", "list_of_nodes"]


def equal_computations(xs: Sequence[Variable], ys: Sequence[Variable], in_xs: Sequence[Variable] | None = None,
                       in_ys: Sequence[Variable] | None = None) -> bool:
    """Whether expressions apply equal operations, in the same way, to the same inputs and equal constants.

    Parameters
    ----------
    xs, ys : sequence of Variable
        Compared one by one.
    in_xs, in_ys : sequence of Variable, optional
        Variables of `xs`, and those of `ys` that are to count as the same.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> equal_computations([T.exp(x) + 1], [T.exp(x) + 1]), equal_computations([x + 1], [y + 1], [x], [y])
    (True, True)
    """
    if len(xs) != len(ys):
        return False
    stands_for = dict(zip(in_xs or (), in_ys or (), strict=True))
    pending = list(zip(xs, ys, strict=True))
    seen: set[tuple[Variable, Variable]] = set()
    while pending:
        pair = pending.pop()
        a, b = pair
        if pair in seen or stands_for.get(a, a) is b:
            continue
        seen.add(pair)
        if isinstance(a, Constant) and isinstance(b, Constant):
            if a.signature() != b.signature():
                return False
            continue
        if a in stands_for or a.owner is None or b.owner is None:
            return False
        if a.owner.op != b.owner.op or a.index != b.index or len(a.owner.inputs) != len(b.owner.inputs):
            return False
        pending.extend(zip(a.owner.inputs, b.owner.inputs, strict=True))
    return True


def is_same_graph(var1: Variable, var2: Variable, givens: Mapping[Variable, Any] | None = None) -> bool:
    """Whether two variables are computed alike; `givens` says what stands in both for some variables.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> is_same_graph(x + 1, y + 1), is_same_graph(x + 1, y + 1, givens={x: y})
    (False, True)
    """
    return equal_computations([var1], [var2], *(zip(*givens.items(), strict=True) if givens else ()))


def io_toposort(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> list[Apply]:
    """The nodes between `inputs` and `outputs`, each after those it reads."""
    return toposort(outputs, set(inputs))


def list_of_nodes(inputs: Iterable[Variable], outputs: Iterable[Variable]) -> list[Apply]:
    """The nodes between `inputs` and `outputs`; see `io_toposort`."""
    return io_toposort(inputs, outputs)
