"""`ifelse`: of two expressions, only the one that a condition chooses is computed.

In a graph the choice is a node like any other, that reads the condition and both expressions: what it is made of can
still be differentiated by and rewritten. When a function is compiled, whatever only one branch needs is moved into
that branch (`symgraph.compile.branches`). The backward pass stays lazy in the same way: gradients that are zero unless
a branch was taken know it (`Branch`), and what the chain rule makes of them is computed in that branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.op import Op
from symgraph.graph.type import DisconnectedType, NullType, Type
from symgraph.tensor.basic import as_tensor_variable, zeros_like
from symgraph.tensor.elemwise import cast
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["Branch", "IfElse", "ifelse"]


class IfElse(Op):
    """A choice between as many variables and as many others; see `ifelse`.

    Inputs are the condition, the variables of the first branch, and those of the second.

    Parameters
    ----------
    n_outs : int
    name : str, optional
        For printing and messages.
    """

    __props__ = ("n_outs",)

    def __init__(self, n_outs: int, name: str | None = None) -> None:
        self.n_outs, self.name = n_outs, name

    def branches(self, values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """What the inputs (or something in their order) are for either branch."""
        return values[1: 1 + self.n_outs], values[1 + self.n_outs:]

    def infer_type(self, *types: Type) -> Sequence[Type]:
        if len(types) != 1 + 2 * self.n_outs:
            raise TypeError(f"{self} takes a condition and {self.n_outs} variables for each branch")
        condition = types[0]
        if not isinstance(condition, TensorType) or condition.ndim:
            raise TypeError(f"{self}: the condition must be a scalar, not {condition}. Use its all() or any(), or "
                            "T.switch to choose element by element")
        return [_common(a, b, f"{self}, output {i}")
                for i, (a, b) in enumerate(zip(*self.branches(types), strict=True))]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        chosen = self.branches(inputs)[0 if inputs[0] else 1]
        for cell, value in zip(output_storage, chosen, strict=True):
            cell[0] = np.array(value) if isinstance(value, np.ndarray) else value

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        rows = [[i == j for j in range(self.n_outs)] for i in range(self.n_outs)]
        return [[False] * self.n_outs, *rows, *rows]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        shapes = []
        for first, second in zip(*self.branches(input_shapes), strict=True):
            shapes.append(tuple(a if a is b else IfElse(1)(node.inputs[0], *map(_length, (a, b)))
                                for a, b in zip(first, second, strict=True)))
        return shapes

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        back: list[Variable] = [DisconnectedType()()]
        for taken, branch in zip((True, False), self.branches(inputs), strict=True):
            guard = Branch(((inputs[0], taken),))
            back += [g if isinstance(g.type, DisconnectedType) else guard.confine(g, x)
                     for g, x in zip(output_gradients, branch, strict=True)]
        return back

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        tangents: list[Any] = []
        for branches in zip(*self.branches(inputs), *self.branches(eval_points), strict=True):
            (a, b), points = branches[:2], branches[2:]
            null = next((t for t in points if t is not None and isinstance(t.type, NullType)), None)
            if null is not None or points == (None, None):
                tangents.append(null)
                continue
            moved = [x.type.zeros_like(x) if t is None else t for x, t in zip((a, b), points, strict=True)]
            tangents.append(IfElse(1, self.name)(inputs[0], *moved))
        return tangents

    def __repr__(self) -> str:
        return f"ifelse{{{self.name}}}" if self.name else "ifelse"


def _length(n: Any) -> Any:
    return cast(n, "int64") if isinstance(n, Variable) else as_tensor_variable(np.asarray(n, "int64"))


def _common(a: Type, b: Type, who: str) -> Type:
    """What is known of either branch."""
    if a == b:
        return a
    if not isinstance(a, TensorType) or not isinstance(b, TensorType):
        raise TypeError(f"{who}: the branches are of different types, {a} if the condition holds and {b} else")
    if a.dtype != b.dtype:
        wide = np.result_type(a.numpy_dtype, b.numpy_dtype).name
        narrow = " and ".join(f"{name} branch" for name, t in (("then", a), ("else", b)) if t.dtype != wide)
        raise TypeError(f"{who}: the branches are of different types, {a} if the condition holds and {b} else. Cast "
                        f"the {narrow}, with T.cast(..., {wide!r})")
    if a.ndim != b.ndim:
        raise TypeError(f"{who}: the branches have different ranks, {a} if the condition holds and {b} else. Give them "
                        "one, with T.zeros_like, T.alloc or dimshuffle")
    return tensor_type(a.dtype, tuple(n if n == m else None for n, m in zip(a.shape, b.shape, strict=True)))


@dataclass(frozen=True)
class Branch:
    """Marks gradients that are zero unless branches were taken, one inside the other.

    Attributes
    ----------
    taken : tuple of (Variable, bool)
        Conditions, the outermost first, and whether they hold.
    """

    taken: tuple[tuple[Variable, bool], ...]

    def common(self, other: Branch) -> Branch | None:
        """The branches that both are in."""
        shared = 0
        for mine, theirs in zip(self.taken, other.taken, strict=False):
            if mine != theirs:
                break
            shared += 1
        return Branch(self.taken[:shared]) if shared else None

    def confine(self, gradient: Any, x: Any) -> Any:
        """A gradient by `x` that is computed in these branches, and is zero elsewhere."""
        if not isinstance(gradient.type, TensorType):
            return gradient
        own = getattr(gradient, "_guard", None)
        if own is None:
            return _confined(gradient, self.taken, x)
        if own.taken[: len(self.taken)] == self.taken:
            return gradient
        return _confined(gradient._freed, (*self.taken, *(t for t in own.taken if t not in self.taken)), x)

    def freed(self, gradient: Any) -> Any:
        """A gradient without its choices, if these are its branches: for use in expressions that will be confined."""
        own = getattr(gradient, "_guard", None)
        return gradient._freed if own is not None and own.taken == self.taken else gradient

    def total(self, terms: Sequence[Any], x: Any) -> Any:
        """The sum of gradients by `x`, some of them confined: one choice for each condition, not one for each term."""
        guards = [getattr(t, "_guard", None) for t in terms]
        if len({t.type.dtype for t in terms}) > 1:
            return x.type.add_terms(list(terms))
        ways = [() if guard is None else guard.taken for guard in guards]
        start = 0
        while all(len(way) > start for way in ways) and len({way[start] for way in ways}) == 1:
            start += 1
        freed = [(way[start:], t if guard is None else t._freed)
                 for way, guard, t in zip(ways, guards, terms, strict=True)]
        total = _sum_of_ways(freed, x)
        return _confined(total, ways[0][:start], x) if start else total


def _confined(gradient: Any, taken: tuple[tuple[Variable, bool], ...], x: Any) -> Any:
    zero = zeros_like(x, dtype=gradient.type.dtype)
    result = gradient
    for condition, holds in reversed(taken):
        result = IfElse(1)(condition, *((result, zero) if holds else (zero, result)))
    result._guard, result._freed = Branch(taken), gradient
    return result


def _sum_of_ways(terms: Sequence[tuple[tuple[tuple[Variable, bool], ...], Any]], x: Any) -> Any:
    """The sum of gradients, each with the branches in which it is not zero."""
    parts = [g for way, g in terms if not way]
    for condition in dict.fromkeys(way[0][0] for way, _ in terms if way):
        sides = []
        for holds in (True, False):
            inside = [(way[1:], g) for way, g in terms if way and way[0] == (condition, holds)]
            sides.append(_sum_of_ways(inside, x) if inside else zeros_like(x, dtype=terms[0][1].type.dtype))
        parts.append(IfElse(1)(condition, *sides))
    return parts[0] if len(parts) == 1 else x.type.add_terms(parts)


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """One expression or another, of which only the one that is chosen is computed.

    `T.switch` chooses element by element and computes both.

    Parameters
    ----------
    condition : scalar
        Which holds unless it is zero.
    then_branch, else_branch : tensor-like, or list or tuple of these
        As many in either branch, of equal dtypes and ranks. A number takes the dtype of its counterpart.
    name : str, optional
        For printing and messages.

    Returns
    -------
    Variable, list or tuple of Variable
        In the form of `then_branch`.

    Raises
    ------
    TypeError
        When the condition is not a scalar, or the two sides of an output differ in dtype or rank.
    ValueError
        When the branches do not hold as many variables.

    Notes
    -----
    What only one branch needs is computed there, in every mode; what both need, or something outside, is computed
    before. That holds for gradients too: no derivative of the branch that is not taken is computed. What another choice
    by another condition needs as well is computed before both.

    Small branches become blocks of the compiled function, larger ones functions of their own, which are compiled when
    they are first taken.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> from symgraph.ifelse import ifelse
    >>> x = T.dscalar("x")
    >>> y = ifelse(x > 0, T.sqrt(x), x ** 2)
    >>> f = sg.function([x], [y, sg.grad(y, x)])
    >>> [float(v) for v in f(4.0)], [float(v) for v in f(-3.0)]
    ([2.0, 0.25], [9.0, -6.0])
    """
    condition = condition if isinstance(condition, Variable) else as_tensor_variable(condition)
    several = isinstance(then_branch, (list, tuple))
    if several != isinstance(else_branch, (list, tuple)):
        raise ValueError("ifelse: one branch is a sequence and the other is not")
    first, second = (list(b) if several else [b] for b in (then_branch, else_branch))
    if len(first) != len(second):
        raise ValueError(f"ifelse: the branches hold {len(first)} and {len(second)} variables; they must hold as many")
    if not first:
        raise ValueError("ifelse: the branches are empty")
    pairs = [(_beside(a, b), _beside(b, a)) for a, b in zip(first, second, strict=True)]
    outputs = IfElse(len(pairs), name)(condition, *[a for a, _ in pairs], *[b for _, b in pairs], return_list=True)
    return type(then_branch)(outputs) if several else outputs[0]


def _beside(value: Any, other: Any) -> Variable:
    """One side of an output as a variable; a Python number is of the dtype of the other side, if that can hold it."""
    if isinstance(value, Variable):
        return value
    if isinstance(value, (bool, int, float, complex)) and isinstance(other, Variable):
        kind = other.type
        if isinstance(kind, TensorType) and np.result_type(kind.numpy_dtype, value) == kind.numpy_dtype:
            return as_tensor_variable(np.asarray(value, kind.numpy_dtype))
    variable: Variable = as_tensor_variable(value)
    return variable


def branch_inputs(node: Apply, holds: bool) -> Sequence[Any]:
    """What a choice reads in one of its branches."""
    branches: Any = node.op.branches(node.inputs)
    inputs: Sequence[Any] = branches[0 if holds else 1]
    return inputs


def known_choice(condition: Variable) -> bool | None:
    """Whether a condition holds, where it is a constant."""
    return bool(condition.data) if isinstance(condition, Constant) else None
