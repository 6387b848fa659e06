"""Plans: the order of steps, lifetimes and memory of a compiled function, independent of any backend."""

from symgraph.plan.choice import Branch, LazyIfElse
from symgraph.plan.kernel import Kernel, Role
from symgraph.plan.lengths import Length
from symgraph.plan.loop import Loop
from symgraph.plan.numbers import find_numbers, takes_number
from symgraph.plan.plan import Block, Buffer, Guard, Home, Output, Plan, Step, Update, Use
from symgraph.plan.storage import make_plan

__all__ = [
    "Block", "Branch", "Buffer", "Guard", "Home", "Kernel", "LazyIfElse", "Length", "Loop", "Output", "Plan", "Role",
    "Step", "Update", "Use", "find_numbers", "make_plan", "takes_number",
]
