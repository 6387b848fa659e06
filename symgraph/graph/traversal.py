"""Walks over graphs. All are iterative and linear, so a chain of 100,000 nodes needs no deep recursion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable

__all__ = ["ancestors", "clone", "clone_replace", "graph_inputs", "toposort", "variable_path", "walk_variables"]


def toposort(outputs: Iterable[Variable], blockers: Collection[Variable] = ()) -> list[Apply]:
    """The nodes that compute `outputs`, each after the nodes it reads.

    Parameters
    ----------
    outputs : iterable of Variable
    blockers : collection of Variable
        Treated as inputs: what computes them is left out.

    Returns
    -------
    list of Apply
        The order is a function of the graph alone.
    """
    blocked = blockers if isinstance(blockers, (set, frozenset, dict)) else set(blockers)
    done: set[Apply] = set()
    order: list[Apply] = []
    for output in outputs:
        root = output.owner
        if root is None or root in done or output in blocked:
            continue
        path = [root]
        remaining = [iter(root.inputs)]
        while path:
            for variable in remaining[-1]:
                owner = variable.owner
                if owner is not None and owner not in done and variable not in blocked:
                    path.append(owner)
                    remaining.append(iter(owner.inputs))
                    break
            else:
                node = path.pop()
                remaining.pop()
                done.add(node)
                order.append(node)
    return order


def walk_variables(outputs: Iterable[Variable], blockers: Collection[Variable] = ()) -> list[Variable]:
    """Every variable that `outputs` depend on, themselves included, each once; inputs before what uses them."""
    found: dict[Variable, None] = {}
    outputs = list(outputs)
    for node in toposort(outputs, blockers):
        for variable in (*node.inputs, *node.outputs):
            found[variable] = None
    for output in outputs:
        found[output] = None
    return list(found)


def ancestors(outputs: Iterable[Variable], blockers: Collection[Variable] = ()) -> list[Variable]:
    """Every variable that `outputs` depend on, themselves included."""
    return walk_variables(outputs, blockers)


def graph_inputs(outputs: Iterable[Variable], blockers: Collection[Variable] = ()) -> list[Variable]:
    """The variables without an owner (constants too) that `outputs` depend on, and the blockers met."""
    stop = set(blockers)
    return [v for v in walk_variables(outputs, stop) if v.owner is None or v in stop]


def clone_replace(
    outputs: Sequence[Variable] | Variable, replace: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]] = (),
    *, copy_inputs: bool = False,
) -> Any:
    """Copy the graph of `outputs`, putting other variables in the place of some.

    Parameters
    ----------
    outputs : Variable or sequence of Variable
    replace : dict or list of pairs
        Old variable to new one. A replacement is taken as it is; nothing is replaced inside it.
    copy_inputs : bool
        Also make new input variables in place of the old ones.

    Returns
    -------
    Variable or list of Variable
        As `outputs` was given.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> float(clone_replace(x * 2, {x: y + 1}).eval({y: 3.0}))
    8.0
    """
    pairs = dict(replace)
    memo: dict[Variable, Variable] = {}
    for old, new in pairs.items():
        if not isinstance(old, Variable):
            raise TypeError(f"clone_replace: only variables can be replaced, not {type(old).__name__}: {old!r}")
        memo[old] = new if isinstance(new, Variable) and old.type.is_super(new.type) else old.type.filter_variable(new)
    several = not isinstance(outputs, Variable)
    wanted: list[Variable] = list(outputs) if several else [outputs]  # type: ignore[arg-type, list-item]
    if copy_inputs:
        for variable in graph_inputs(wanted, pairs):
            if not isinstance(variable, Constant):
                memo.setdefault(variable, variable.clone())
    copy_nodes(toposort(wanted, pairs), memo, force=copy_inputs)
    result = [memo.get(v, v) for v in wanted]
    return result if several else result[0]


def clone(
    output: Sequence[Variable] | Variable,
    replace: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]] | None = None,
    strict: bool = True, share_inputs: bool = True,
) -> Any:
    """`clone_replace`, with Theano's arguments.

    Parameters
    ----------
    output : Variable or sequence of Variable
    replace : dict or list of pairs, optional
    strict : bool
        Accepted; a replacement is always of the type of what it stands for.
    share_inputs : bool
        Keep the input variables; make new ones otherwise.
    """
    return clone_replace(output, () if replace is None else replace, copy_inputs=not share_inputs)


def copy_nodes(nodes: Iterable[Apply], memo: dict[Variable, Variable], force: bool = False) -> None:
    """Rebuild `nodes`, in order, on the variables `memo` maps to; enter the new outputs into `memo`.

    A node none of whose inputs changed is kept, unless `force`.
    """
    for node in nodes:
        inputs = tuple([memo.get(v, v) for v in node.inputs])
        if not force and inputs == node.inputs:  # variables are equal when they are one
            continue
        if any(isinstance(old, Constant) and new is not old for new, old in zip(inputs, node.inputs, strict=True)):
            copy = node.op.make_node(*inputs)  # a type may have been made of the value of a constant
            copy.origin = node.origin
        else:
            copy = node.clone_with_new_inputs(inputs)
        for old, new in zip(node.outputs, copy.outputs, strict=True):
            new.name, new.origin = old.name, old.origin
            memo.setdefault(old, new)


def variable_path(start: Variable, outputs: Iterable[Variable]) -> list[Variable]:
    """A shortest chain of variables from `start` to one of `outputs`; empty when there is none."""
    users: dict[Variable, list[Apply]] = {}
    goals = dict.fromkeys(outputs)
    for node in toposort(goals):
        for variable in node.inputs:
            users.setdefault(variable, []).append(node)
    came_from: dict[Variable, Variable | None] = {start: None}
    frontier = [start]
    while frontier:
        following: list[Variable] = []
        for variable in frontier:
            if variable in goals:
                path: list[Variable] = []
                step: Variable | None = variable
                while step is not None:
                    path.append(step)
                    step = came_from[step]
                return path[::-1]
            for node in users.get(variable, ()):
                for output in node.outputs:
                    if output not in came_from:
                        came_from[output] = variable
                        following.append(output)
        frontier = following
    return []
