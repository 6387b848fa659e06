"""The rewrite rules that fired, as a list that prints as a table."""

from __future__ import annotations

from typing import Any

from symgraph.compile.errors import clip
from symgraph.graph.rewrite import Fired, brief

__all__ = ["Firings"]

_MOST = 40  # lines
_WIDEST = 56  # characters of an expression


class Firings(list[Fired]):
    """Firings of rules, in order; each has ``phase``, ``rule``, ``before``, ``after`` and ``origin``.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x = T.dscalar("x")
    >>> f = sg.function([x], T.log(1 + T.exp(x)))
    >>> print(f.fired)
    simplify  log1p     log(add(1.0, exp(x))) -> log1p(exp(x))    ...
    simplify  softplus  log1p(exp(x)) -> softplus(x)    ...
    """

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return Firings(found) if isinstance(key, slice) else found

    def __str__(self) -> str:
        shown = list(self)[:_MOST]
        phase = max((len(fired.phase) for fired in shown), default=0)
        rule = max((len(fired.rule) for fired in shown), default=0)
        lines = []
        for fired in shown:
            before, after = (clip(brief(v, 3, by_name=False), _WIDEST) for v in (fired.before, fired.after))
            lines.append(f"{fired.phase:{phase}}  {fired.rule:{rule}}  {before} -> {after}    {fired.origin}")
        if len(self) > _MOST:
            lines.append(f"... and {len(self) - _MOST} more")
        return "\n".join(lines)
