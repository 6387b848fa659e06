"""Kernel: steps that one loop over their common rows can do together, whatever backend writes the loop.

A tensor's *rows* run along its first axis. Elementwise operations, reductions within a row and changes of the axes
behind the first compute row k of their result from row k of their operands (or from operands that are the same for
all rows), so any number of them can be done for a few rows at a time, with what they pass on to each other staying in
the cache or in registers. A reduction over the rows themselves can end such a loop: every part of the rows gives a
part of its result. These facts are an operation's `Role`; nothing else about it matters to fusion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from symgraph.graph.basic import Apply, Variable
from symgraph.scalar import ScalarFunction
from symgraph.tensor.blas import Inner
from symgraph.tensor.elemwise import Elemwise
from symgraph.tensor.reduce import Reduce
from symgraph.tensor.shape import DimShuffle

if TYPE_CHECKING:
    from symgraph.plan.plan import Step

__all__ = ["Kernel", "Role", "is_cheap", "role_of"]

_SMALL = 32768  # elements; below, a loop over tiles has nothing to gain

#: Rough costs of one element in nanoseconds on one core. They decide from what size on a loop in tiles pays, so only
#: the order of magnitude matters: arithmetic moves memory, the others compute.
_BY_BLAS, _CHEAP, _DEAR = 0.1, 0.4, 2.0
_CHEAP_FUNCTIONS = frozenset((
    "add", "sub", "mul", "neg", "abs", "sqr", "maximum", "minimum", "clip", "switch", "cast", "identity", "second",
    "eq", "neq", "lt", "le", "gt", "ge", "and_", "or_", "xor", "invert", "logical_and", "logical_or", "logical_xor",
    "logical_not", "isnan", "isinf", "isfinite", "signbit", "sgn", "floor", "ceil", "trunc", "true_div", "reciprocal",
    "sqrt", "conj", "real", "imag",
))
#: Reductions over the rows that a loop can end with, and the ufunc by which their parts combine.
_COMBINED_BY = {"sum": "add", "max": "maximum", "min": "minimum", "top": "maximum"}


@dataclass(frozen=True)
class Role:
    """What an application does with rows.

    Attributes
    ----------
    by_rows : tuple of int
        The inputs of which it reads row k for row k. It reads the others whole for every row.
    combined_by : str
        For one that reduces over the rows, so that its result has none: the ufunc by which results for some rows
        combine.
    cost : float
        Of one element of the largest operand, in nanoseconds.
    """

    by_rows: tuple[int, ...]
    combined_by: str = ""
    cost: float = _CHEAP

    @property
    def over_rows(self) -> bool:
        """Whether it reduces over the rows."""
        return bool(self.combined_by)


def role_of(node: Apply) -> Role | None:
    """An application's role, or None when it cannot be part of a loop over rows."""
    op = node.op
    if type(op) is Elemwise:
        return _elemwise_role(node, op)
    kind = node.inputs[0].type if node.inputs else None
    if type(op) is Reduce and kind.shape[:1] not in ((), (1,)):  # type: ignore[union-attr]
        if 0 not in op.axes:
            return Role((0,))
        exact = op.acc_dtype in (None, node.outputs[0].type.dtype) and node.outputs[0].type.dtype != "float16"
        return Role((0,), _COMBINED_BY[op.kind]) if op.kind in _COMBINED_BY and exact else None
    if type(op) is Inner and kind.shape[:1] not in ((), (1,)):  # type: ignore[union-attr]
        return Role((0, 1), "add", _BY_BLAS)
    if type(op) is DimShuffle and op.order[:1] == (0,) and kind.shape[0] != 1:  # type: ignore[union-attr]
        return Role((0,), cost=0.0)
    return None


def _elemwise_role(node: Apply, op: Elemwise) -> Role | None:
    out = node.outputs[0].type
    if out.ndim == 0 or out.shape[0] == 1:
        return None
    rows = tuple([i for i, v in enumerate(node.inputs) if v.type.ndim == out.ndim and v.type.shape[0] != 1])
    if not rows:
        return None
    return Role(rows, cost=_CHEAP if is_cheap(op.scalar) else _DEAR)


def is_cheap(function: ScalarFunction) -> bool:
    """Whether a scalar function is arithmetic, for which moving its operands costs more than computing it."""
    return function.name.partition("{")[0] in _CHEAP_FUNCTIONS


@dataclass(eq=False)
class Kernel:
    """Steps done together in one loop over rows.

    Attributes
    ----------
    index : int
    steps : list of Step
        In order, one directly after the other in the plan.
    roles : dict of Step to Role
        What each does with rows.
    over : dict of Variable to Variable
        For a kernel at the end of a plan that makes next values of shared variables only: the variable that each may
        be computed over, row by row.
    """

    index: int
    steps: list[Step]
    roles: dict[Step, Role]
    over: dict[Variable, Variable] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The index of its first step."""
        return self.steps[0].index

    @property
    def last(self) -> int:
        """The index of its last step."""
        return self.steps[-1].index

    @cached_property
    def made(self) -> dict[Variable, Step]:
        """What its steps make, each with its step."""
        return {step.node.outputs[0]: step for step in self.steps}

    @cached_property
    def inputs(self) -> dict[Variable, bool]:
        """What its steps read from outside, in order of first use; whether anything reads it by rows."""
        found: dict[Variable, bool] = {}
        for step, role in self.roles.items():
            for i, variable in enumerate(step.node.inputs):
                if variable not in self.made:
                    found[variable] = found.get(variable, False) or i in role.by_rows
        return found

    @cached_property
    def over_rows(self) -> list[Variable]:
        """The results that have no rows, being reduced over them."""
        return [v for v, step in self.made.items() if self.roles[step].over_rows]

    @cached_property
    def passes_on(self) -> bool:
        """Whether a step reads what another makes, so that it matters what stays in the cache."""
        return any(v in self.made for step in self.steps for v in step.node.inputs)

    @cached_property
    def reduces_rows(self) -> bool:
        """Whether it reduces each row of a matrix."""
        return any(isinstance(s.node.op, Reduce) and s.node.op.axes == (1,) and s.node.inputs[0].type.ndim == 2
                   for s in self.steps)

    @cached_property
    def cost(self) -> float:
        """Of one element, in nanoseconds, roughly."""
        return sum(role.cost for role in self.roles.values())

    @cached_property
    def widest(self) -> Variable:
        """A variable with rows and as many axes longer than 1 as any, if possible from outside."""
        rows = [v for v, by_rows in self.inputs.items() if by_rows] + [v for v in self.made if v not in self.over_rows]
        return max(rows, key=lambda v: v.type.ndim - sum(n == 1 for n in v.type.shape))

    @property
    def is_worth_it(self) -> bool:
        """Whether there is more to do than to move memory once, on arrays not known to be small."""
        shape = self.widest.type.shape
        reduces = any(isinstance(step.node.op, (Reduce, Inner)) for step in self.steps)
        return (reduces or self.cost > _CHEAP) and (None in shape or math.prod(shape) >= _SMALL)

    def __str__(self) -> str:
        return f"k{self.index} (steps {self.first} to {self.last})"
