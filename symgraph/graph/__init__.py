"""What holds for any operations at all: variables, applications, types, traversal, the chain rule, rewriting."""

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.digraph import to_networkx
from symgraph.graph.fgraph import FunctionGraph
from symgraph.graph.op import Op, as_op
from symgraph.graph.origin import Origin
from symgraph.graph.traversal import ancestors, clone_replace, graph_inputs, toposort
from symgraph.graph.type import DisconnectedType, NullType, Type

__all__ = [
    "Apply", "Constant", "DisconnectedType", "FunctionGraph", "NullType", "Op", "Origin", "Type", "Variable",
    "ancestors", "as_op", "clone_replace", "graph_inputs", "to_networkx", "toposort",
]
