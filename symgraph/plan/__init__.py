"""Plans: the order of steps, lifetimes and memory of a compiled function, independent of any backend."""

from symgraph.plan.kernel import Kernel, Role
from symgraph.plan.lengths import Length
from symgraph.plan.plan import Block, Buffer, Guard, Home, Output, Plan, Step, Update, Use
from symgraph.plan.storage import make_plan

__all__ = [
    "Block", "Buffer", "Guard", "Home", "Kernel", "Length", "Output", "Plan", "Role", "Step", "Update", "Use",
    "make_plan",
]
