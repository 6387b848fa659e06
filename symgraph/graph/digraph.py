"""Graphs as `networkx.DiGraph`: for analysis, drawing and the plan's questions of order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from symgraph.graph.basic import Constant, Variable
from symgraph.graph.traversal import toposort

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["to_networkx"]


def to_networkx(outputs: Variable | Iterable[Variable]) -> nx.DiGraph[Any]:
    """The graph of an expression as a `networkx.DiGraph`.

    Its nodes are integers: applications and input variables, numbered in topological order, with attributes
    ``label``, ``kind`` (``"apply"``, ``"input"`` or ``"constant"``), ``type`` (the first output's, as text),
    ``origin`` (``"model.py:7"``) and ``object`` (the `Apply` or `Variable`). An edge runs from what is computed
    to what reads it, with the attribute ``index``, the argument's position.

    Parameters
    ----------
    outputs : Variable or iterable of Variable

    Returns
    -------
    networkx.DiGraph

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> g = to_networkx(T.exp(x) + x)
    >>> [g.nodes[n]["label"] for n in g]
    ['x', 'exp', 'add']
    """
    import networkx as nx  # imported late: it takes longer to load than the rest of the package

    graph: nx.DiGraph[Any] = nx.DiGraph()
    number: dict[Any, int] = {}

    def source(variable: Variable) -> int:
        thing = variable.owner if variable.owner is not None else variable
        if thing not in number:
            number[thing] = len(number)
            kind = "constant" if isinstance(variable, Constant) else "input"
            graph.add_node(number[thing], label=str(variable), kind=kind, type=str(variable.type),
                           origin=str(variable.origin or ""), object=variable)
        return number[thing]

    wanted = [outputs] if isinstance(outputs, Variable) else list(outputs)
    for node in toposort(wanted):
        sources = [source(v) for v in node.inputs]
        number[node] = len(number)
        graph.add_node(number[node], label=str(node.op), kind="apply", type=str(node.outputs[0].type),
                       origin=str(node.origin), object=node)
        for index, start in enumerate(sources):
            graph.add_edge(start, number[node], index=index)
    for variable in wanted:
        source(variable)
    return graph
