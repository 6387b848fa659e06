"""Accumulators of reductions, in CUDA C."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backends.cupy.language.scalars import ctype, expression, literal
from symgraph.plan.items import Fold
from symgraph.scalar import TABLE, cast_to

__all__ = ["Accumulator"]

_COMBINED_BY = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum", "top": "maximum", "all": "and_",
                "any": "or_"}


@dataclass(frozen=True)
class Accumulator:
    """How a reduction goes over its elements.

    Attributes
    ----------
    fold : Fold
    dtype : str
        Of the elements.
    """

    fold: Fold
    dtype: str

    @property
    def finds(self) -> bool:
        """Whether it looks for a place."""
        return self.fold.kind.startswith("arg")

    @cached_property
    def wide(self) -> str:
        """The dtype in which it goes."""
        return "float32" if self.fold.accumulate == "float16" else self.fold.accumulate

    @property
    def ctype(self) -> str:
        """The C type of what it keeps."""
        return f"sg_best<{ctype(self.wide)}>" if self.finds else ctype(self.wide)

    @property
    def size(self) -> int:
        """The bytes of what it keeps."""
        return 16 if self.finds else np.dtype(self.wide).itemsize

    @property
    def shuffles(self) -> bool:
        """Whether it can be passed between the threads of a warp."""
        return not self.finds and np.dtype(self.wide).kind in "biuf"

    @property
    def start(self) -> str:
        """What it keeps of no elements."""
        if self.finds:
            return f"sg_best_of({literal(0, self.wide)}, -1ll)"
        kind, dtype = self.fold.kind, np.dtype(self.wide)
        if kind in ("sum", "any", "prod", "all"):
            return literal(kind in ("prod", "all"), self.wide)
        sign = 1 if kind == "min" else -1
        if dtype.kind in "fc":
            return literal(complex(sign * np.inf, sign * np.inf) if dtype.kind == "c" else sign * np.inf, self.wide)
        if dtype.kind == "b":
            return literal(sign > 0, self.wide)
        return literal(np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min, self.wide)

    def combined(self, a: str, b: str) -> str:
        """What it keeps of two sets of elements."""
        if self.finds:
            return f"sg_{'larger' if self.fold.kind == 'argmax' else 'smaller'}({a}, {b})"
        return expression(TABLE[_COMBINED_BY[self.fold.kind]], [a, b], [self.wide, self.wide], self.wide)

    def element(self, value: str, place: str) -> str:
        """What it keeps of one element."""
        wide = expression(cast_to(self.wide), [value], [self.dtype], self.wide)
        return f"sg_best_of({wide}, (long long){place})" if self.finds else wide

    def result(self, kept: str, dtype: str) -> str:
        """The value of the reduction."""
        if self.finds:
            return f"{kept}.at"
        return expression(cast_to(dtype), [kept], [self.wide], dtype)
