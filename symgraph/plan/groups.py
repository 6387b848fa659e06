"""Grouping: which items of a plan are computed together, and in which order of stages.

Items are taken in the order of the plan. One that reads what a group computes joins that group where it reads only
what its own block holds; else it has to wait for the next stage. See `symgraph.plan.jobs` for what groups become.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from symgraph.graph.basic import Constant, Variable
from symgraph.plan.items import Fold, Gather, Item, Product, Put, Sample, Shuffle, counts_rows, items_of, lengths_in
from symgraph.plan.kernel import is_cheap
from symgraph.plan.lengths import Length
from symgraph.plan.numbers import find_numbers
from symgraph.plan.plan import Home, Plan, Step
from symgraph.scalar import ScalarFunction
from symgraph.tensor.shape import ShapeI
from symgraph.tensor.type import tensor_type

if TYPE_CHECKING:
    from symgraph.plan.jobs import Abilities

__all__ = ["Group", "Grouping"]

Lengthwise = tuple[int | Length, ...]

_PARTED = frozenset(("sum", "prod", "max", "min", "top", "all", "any"))


class Group:
    """What will be a job.

    Attributes
    ----------
    kind : str
    stage : int
    number : int
        In the order of their making.
    space : tuple
        The lengths, but for those known to be 1, of what a block holds elements of.
    rows : tuple
        For rows: the lengths of the axes that count them.
    heads : set of Length
        Other lengths of the first axis, of vectors that have elements for the first rows only.
    made : dict of Variable to Item
    parts : dict of Variable to Item
    combines : Variable or None
        The parts that its reduction combines.
    behind : Group or None
        The rows whose last block does it.
    """

    def __init__(self, kind: str, stage: int, number: int, space: Lengthwise, rows: Lengthwise = ()) -> None:
        self.kind, self.stage, self.number, self.space, self.rows = kind, stage, number, space, rows
        self.heads: set[int | Length] = set()
        self.made: dict[Variable, Item] = {}
        self.parts: dict[Variable, Item] = {}
        self.absorbed: Group | None = None
        self.combines: Variable | None = None
        self.behind: Group | None = None


class Grouping:
    """The groups of a plan.

    Attributes
    ----------
    items : dict of Variable to Item
        How each variable is computed that is.
    floating : dict of Variable to Item
        Those that belong to no group. Some are computed and stored by a loop too, their `copy_of`.
    others : list of Step
        Steps that have no items, and arithmetic on numbers of the host.
    views : list of Step
        Steps that only permute axes.
    on_host : set of Variable
        Numbers that the host knows.
    """

    def __init__(self, plan: Plan, sizes: Mapping[Variable, Sequence[int]], abilities: Abilities,
                 on_host: Iterable[Variable] = (), on_device: Iterable[Variable] = ()) -> None:
        self.plan = plan
        self.on_device = set(on_device)
        self.abilities = abilities
        results = [*(o.variable for o in plan.outputs), *(u.variable for u in plan.updates)]
        self.on_host = find_numbers(plan.steps, results).union(on_host)
        self.items: dict[Variable, Item] = {}
        self.floating: dict[Variable, Item] = {}
        self.others: list[Step] = []
        self.views: list[Step] = []
        self._homes: dict[Variable, Group] = {}
        self._copies: dict[Variable, Group] = {}
        self._ready: dict[Variable, int] = {}
        self._size: dict[Variable, int] = {}
        self._lengths: dict[Variable, Lengthwise] = {}
        self._groups: list[Group] = []
        self._known = self._known_lengths(sizes)

    def group(self) -> None:
        """Take all steps."""
        for step in self.plan.steps:
            items = self._items(step)
            if items is None:
                self._other(step)
                continue
            for item in items:
                self.items[item.output] = item
                self._add(item)
            if isinstance(items[-1].meaning, Shuffle):
                self.views.append(step)

    # ---- what is known of variables --------------------------------------------------------------------------

    def home_of(self, variable: Variable) -> Group | None:
        """The group that computes a variable."""
        group = self._homes.get(variable)
        while group is not None and group.absorbed is not None:
            group = group.absorbed
        return group

    def copy_of(self, variable: Variable) -> Group | None:
        """The loop that stores a floating variable, if there is one."""
        return self._copies.get(variable)

    def groups(self) -> list[Group]:
        """All groups."""
        return [group for group in self._groups if group.absorbed is None]

    def ready(self, variable: Variable) -> int:
        """The first stage in which a variable can be read from memory, or computed on the way."""
        home = self.home_of(variable)
        return home.stage + 1 if home is not None else self._ready.get(variable, 0)

    def available(self, variable: Variable) -> int:
        """The first stage in which a variable that is stored can be read from memory, as it is or as a view."""
        source = self.source_of_view(variable)
        copy = self.copy_of(source)
        return copy.stage + 1 if copy is not None else self.ready(source)

    def lengths(self, variable: Variable) -> Lengthwise:
        """The lengths of a variable's axes."""
        found = self._lengths.get(variable)
        return found if found is not None else self.plan.lengths.of(variable)

    def is_number(self, variable: Variable) -> bool:
        """Whether the host knows a value: a constant, an argument of the function or what it computes itself."""
        if variable.type.ndim:
            return False
        if isinstance(variable, Constant) or variable in self.on_host:
            return True
        block = self.plan.blocks.get(variable)
        return block is not None and block.home is Home.INPUT and block.root is variable and (
            variable not in self.on_device)

    def outcomes(self, group: Group) -> list[Variable]:
        """All that a group computes."""
        return [*group.made, *(v for item in group.parts.values() for v in item.inputs)]

    @staticmethod
    def is_product(item: Item) -> bool:
        """Whether an item is a product of matrices."""
        return isinstance(item.meaning, Product)

    def source_of_view(self, variable: Variable) -> Variable:
        """What a chain of permuted axes starts from."""
        item = self.floating.get(variable)
        while item is not None and isinstance(item.meaning, Shuffle):
            variable = item.inputs[0]
            item = self.floating.get(variable)
        return variable

    def _known_lengths(self, sizes: Mapping[Variable, Sequence[int]]) -> dict[Length, int]:
        known: dict[Length, int] = {}
        for variable, shape in sizes.items():
            if variable in self.plan.blocks:
                for length, n in zip(self.plan.lengths.of(variable), shape, strict=True):
                    if isinstance(length, Length):
                        known[length.find()] = int(n)
        return known

    def _number(self, length: int | Length) -> int | None:
        return length if isinstance(length, int) else self._known.get(length.find())

    # ---- steps ----------------------------------------------------------------------------------------------

    def _items(self, step: Step) -> list[Item] | None:
        output = step.node.outputs[0]
        if output in self.on_host or type(step.node.op) is ShapeI:
            self.on_host.add(output)
            return None
        items = items_of(step)
        if items is None or not all(item.is_anchor or self.abilities.computes(item) for item in items):
            return None
        if not all(self.is_number(v) for item in items for v in lengths_in(item)):
            return None
        if any(self.is_product(item) and self._is_large(item) for item in items):
            return None
        for item in items:
            self._measure(item)
        return items

    def _is_large(self, item: Item) -> bool:
        a, b = item.inputs
        lengths = [self._number(n) for v in (a, b) for n in self.lengths(v)]
        if item.output.type.dtype not in ("float32", "float64", "float16") or None in (*lengths[:2], lengths[3]):
            return False
        return math.prod((*lengths[:2], lengths[3])) >= self.abilities.large_product  # type: ignore[arg-type]

    def _measure(self, item: Item) -> None:
        """The lengths of a variable that is not the plan's."""
        if item.output in self.plan.blocks:
            return
        if isinstance(item.meaning, Shuffle):
            source = self.lengths(item.inputs[0])
            self._lengths[item.output] = tuple(1 if a == "x" else source[a] for a in item.meaning.order)  # type: ignore[index]
        elif isinstance(item.meaning, Product):
            a, b = item.inputs
            self._lengths[item.output] = (self.lengths(a)[0], self.lengths(b)[1])
        elif isinstance(item.meaning, Fold):
            source = self.lengths(item.inputs[0])
            self._lengths[item.output] = tuple(n for axis, n in enumerate(source) if axis not in item.meaning.axes)
        else:
            ndim = item.output.type.ndim
            padded = [(1,) * (ndim - v.type.ndim) + self.lengths(v) for v in item.inputs]
            self._lengths[item.output] = tuple(
                next((n for n in axis if n != 1), 1) for axis in zip(*padded, strict=True))

    def _other(self, step: Step) -> None:
        for variable in step.node.inputs:
            self.materialise(self.source_of_view(variable))
        stage = max((self.available(v) for v in step.node.inputs), default=0)
        self._ready.update((output, stage) for output in step.node.outputs)
        self.others.append(step)

    def materialise(self, variable: Variable) -> None:
        """Have a floating variable stored by a loop, beside others over the same space."""
        if variable not in self.floating or variable in self._copies:
            return
        stage, space = self._ready[variable], self._space(variable)
        group = next((g for g in self._groups if g.kind == "loop" and g.stage == stage and g.space == space
                      and len(g.made) < 16), None) or self._new("loop", stage, space)
        group.made[variable] = self.floating[variable]
        self._copies[variable] = group

    # ---- items ----------------------------------------------------------------------------------------------

    def _add(self, item: Item) -> None:
        if isinstance(item.meaning, Fold):
            self._add_fold(item, item.meaning)
        elif isinstance(item.meaning, Product):
            self._add_product(item)
        else:
            group = self._group_for(item)
            if group is not None:
                self._join(group, item)
            else:
                self._float(item)

    def _float(self, item: Item) -> None:
        size = 1 + sum(self._size.get(v, 0) for v in item.inputs)
        if size > self.abilities.most_items:  # what several inputs are made of was counted several times
            size = self._count(item)
        if size > self.abilities.most_items:
            size = 1
            for variable in item.inputs:
                if self._size.get(variable, 0) > 1:
                    self.materialise(variable)
            self._ready[item.output] = max(self.available(v) for v in item.inputs)
        else:
            self._ready[item.output] = max((self.ready(v) for v in item.inputs), default=0)
        self._size[item.output] = size
        self.floating[item.output] = item

    def _count(self, item: Item) -> int:
        """How many items an expression consists of; it suffices to know that there are too many."""
        found: set[Variable] = {item.output}
        waiting = list(item.inputs)
        while waiting and len(found) <= self.abilities.most_items:
            variable = waiting.pop()
            if variable not in found and variable in self.floating and variable not in self._copies:
                found.add(variable)
                waiting += self.floating[variable].inputs
        return len(found)

    def _new(self, kind: str, stage: int, space: Lengthwise, rows: Lengthwise = ()) -> Group:
        group = Group(kind, stage, len(self._groups), space, rows)
        self._groups.append(group)
        return group

    def _join(self, group: Group, item: Item) -> None:
        group.made[item.output] = item
        self._homes[item.output] = group

    def _space(self, variable: Variable) -> Lengthwise:
        return tuple(n for n in self.lengths(variable) if n != 1)

    def _latest(self, inputs: Iterable[Variable]) -> tuple[list[Group], int]:
        """The groups of the last stage among those that compute some variables; and the stage to read the others."""
        homes = {v: g for v in inputs if (g := self.home_of(v)) is not None}
        last = max((g.stage for g in homes.values()), default=-1)
        found = list(dict.fromkeys(g for g in homes.values() if g.stage == last))
        return found, max((self.ready(v) for v in inputs if homes.get(v) not in found), default=0)

    def _group_for(self, item: Item) -> Group | None:
        """The group an item joins: one that computes what it reads, where it can be computed in the same place."""
        found, others = self._latest(item.inputs)
        if not found or others > found[0].stage or not all(self._fits(group, item) for group in found):
            return None
        if any(len(g.made) + 1 > 2 * self.abilities.most_items for g in found):
            return None
        first, *rest = sorted(found, key=lambda g: g.number)
        if rest and any(g.kind != "rows" or first.kind != "rows" or g.rows != first.rows for g in rest):
            return None
        for group in rest:
            self._absorb(first, group)
        return first

    def _absorb(self, group: Group, other: Group) -> None:
        group.made.update(other.made)
        group.parts.update(other.parts)
        group.heads |= other.heads
        other.absorbed = group

    def _fits(self, group: Group, item: Item) -> bool:
        """Whether the block that holds what an item reads of a group can compute it."""
        inside = [i for i, v in enumerate(item.inputs) if self.home_of(v) is group]
        if group.kind == "rows":
            return self._fits_rows(group, item, inside)
        plain = isinstance(item.meaning, (ScalarFunction, Shuffle))
        if isinstance(item.meaning, Shuffle):
            kept = [a for a in item.meaning.order if a != "x"]
            plain = kept == sorted(kept)
        return plain and all(self._space(v) == group.space for v in (item.output, *(item.inputs[i] for i in inside)))

    def _has_rows(self, group: Group, variable: Variable) -> bool:
        lengths = self.lengths(variable)
        k = len(group.rows)
        return lengths[:k] == group.rows or (k == 1 and len(lengths) == 1 and lengths[0] in group.heads)

    def _fits_rows(self, group: Group, item: Item, inside: Sequence[int]) -> bool:
        k, meaning = len(group.rows), item.meaning
        if isinstance(meaning, Gather):
            return self._fits_gather(group, item, inside)
        if not self._has_rows(group, item.output):
            return False
        if isinstance(meaning, Shuffle):
            return meaning.order[:k] == tuple(range(k))
        if isinstance(meaning, Put):
            return k == 1 and item.output.type.ndim <= 2
        return isinstance(meaning, ScalarFunction) and all(
            item.inputs[i].type.ndim == item.output.type.ndim for i in inside)

    def _fits_gather(self, group: Group, item: Item, inside: Sequence[int]) -> bool:
        x, first, *more = item.inputs
        fits = len(group.rows) == 1 and counts_rows(first) and x.type.ndim == 1 + len(more) and all(
            v.type.ndim == 1 and v.type.shape[0] != 1 for v in more)
        if fits and inside == [0] and self._has_rows(group, x) and x.type.shape[0] != 1:
            group.heads.add(self.lengths(item.output)[0])
            return True
        return fits and self._has_rows(group, item.output) and all(
            self._has_rows(group, item.inputs[i]) for i in inside)

    def _add_fold(self, item: Item, fold: Fold) -> None:
        (x,) = item.inputs
        home, ndim = self.home_of(x), x.type.ndim
        if home is not None and home.kind == "rows":
            k = len(home.rows)
            if fold.axes == tuple(range(k, ndim)) and self.lengths(x)[:k] == home.rows:
                return self._join(home, item)
            if fold.axes in (tuple(range(k)), tuple(range(ndim))) and fold.kind in _PARTED and self._has_rows(home, x):
                return self._part(home, item, fold)
        k = fold.axes[0]
        trailing = k > 0 and fold.axes == tuple(range(k, ndim)) and 1 not in x.type.shape[:k]
        rows = self.lengths(x)[:k] if trailing else ()
        space = tuple(n for axis, n in enumerate(self.lengths(x)) if axis not in fold.axes and n != 1)
        return self._join(self._new("rows" if trailing else "reduction", self.ready(x), space, rows), item)

    def _part(self, group: Group, item: Item, fold: Fold) -> None:
        """A reduction over rows: each block gives a part, and a reduction in the next stage combines them."""
        (x,) = item.inputs
        kept = [axis for axis in range(x.type.ndim) if axis not in fold.axes]
        part = Variable(tensor_type(fold.accumulate, (None, *(x.type.shape[axis] for axis in kept))))
        self._lengths[part] = (Length(self.plan.lengths), *(self.lengths(x)[axis] for axis in kept))
        group.parts[part] = item
        self._homes[part] = group
        out: Variable = item.output
        if fold.keepdims:
            out = Variable(tensor_type(out.type.dtype, tuple(x.type.shape[axis] for axis in kept)))
            self._lengths[out] = tuple(self.lengths(x)[axis] for axis in kept)
        combine = Item(Fold(fold.kind, (0,), fold.accumulate, False), (part,), out, item.step)
        self.items[part] = item
        self.items[out] = combine
        combining = self._new("reduction", group.stage + 1, self._space(out))
        combining.combines = part
        self._join(combining, combine)
        if fold.keepdims:
            places = iter(range(len(kept)))
            order = tuple("x" if axis in fold.axes else next(places) for axis in range(x.type.ndim))
            again = Item(Shuffle(order), (out,), item.output, item.step)
            self.items[item.output] = again
            self._add(again)

    def _add_product(self, item: Item) -> None:
        a, b = item.inputs
        thin = self._is_thin(a, b)
        home = self.home_of(a)
        if home is not None and home.kind == "rows" and len(home.rows) == 1 and thin and (
            self.ready(b) <= home.stage and self.lengths(a)[:1] == home.rows
        ):
            return self._join(home, item)
        stage = 0
        for variable in (a, b):
            if self._cheap_to_repeat(variable):
                stage = max(stage, self.ready(variable))
            else:
                self.materialise(self.source_of_view(variable))
                stage = max(stage, self.available(variable))
        if thin and self.lengths(a)[0] != 1:
            return self._join(self._new("rows", stage, (), self.lengths(a)[:1]), item)
        return self._join(self._new("product", stage, self._space(item.output)), item)

    def _is_thin(self, a: Variable, b: Variable) -> bool:
        """Whether rows of a matrix can be multiplied by another one within a job of rows: it must be small, and the
        rows of the first must lie in one piece."""
        known = [self._number(n) for n in self.lengths(b)]
        if None in known or math.prod(known) > self.abilities.small_matrix:  # type: ignore[arg-type]
            return False
        if 1 in (*b.type.shape, a.type.shape[1]):
            return False
        item: Any = self.floating.get(a)
        return item is None or not isinstance(item.meaning, Shuffle) or item.meaning.order[-1] == 1

    def _cheap_to_repeat(self, variable: Variable) -> bool:
        """Whether a floating operand of a product may be computed anew by every tile that reads it."""
        waiting, seen = [variable], 0
        while waiting:
            item = self.floating.get(waiting.pop())
            if item is None:
                continue
            seen += 1
            dear = isinstance(item.meaning, ScalarFunction) and not is_cheap(item.meaning)
            if dear or isinstance(item.meaning, (Gather, Put, Sample)) or seen > 8:
                return False
            waiting += item.inputs
        return True
