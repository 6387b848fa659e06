"""What can be asked of a compiled function: its source, plan, graph, memory, times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from symgraph.graph.digraph import to_networkx

if TYPE_CHECKING:
    from collections.abc import Mapping

    import networkx as nx

    from symgraph.compile.build import Built
    from symgraph.compile.firings import Firings
    from symgraph.compile.memory import LengthsProgram, Memory
    from symgraph.compile.profile import Profile
    from symgraph.compile.recipe import Recipe
    from symgraph.plan import Plan
    from symgraph.shared import SharedVariable

__all__ = ["Looking"]


class Looking:
    """The part of a compiled function that tells how it was made and what it does.

    Attributes
    ----------
    recipe : Recipe
    profile : Profile or None
        Where the time of its calls goes, when it was made with ``profile=True``.
    """

    recipe: Recipe
    profile: Profile | None
    _built: Built
    _states: Mapping[int, SharedVariable]
    _lengths: dict[str, LengthsProgram]

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Arguments, keywords and defaults in the order of the inputs."""
        raise NotImplementedError

    def report(self) -> Any:
        """Where each part of the program runs and how; printed, a table. On the CPU, the plan.

        For a GPU it has, for each launch and step: the device, the kernel, the bytes it reads and writes, its
        floating-point operations, what it moves between host and device, and in which precision it multiplies; and for
        the whole, how calls are run and what stands in the way of a faster way.
        """
        report = self._built.program.report
        return self.plan if report is None else report()

    @property
    def source(self) -> str:
        """The generated program, as text."""
        return self._built.program.source

    @property
    def plan(self) -> Plan:
        """The plan: steps, buffers, views. Printed, a line for each step, with results named as in the source."""
        return self._built.plan

    @property
    def fired(self) -> Firings:
        """Which rewrite rules fired, on what, for which line: a list that prints as a table."""
        return self._built.fired

    def memory(self, *args: Any, **kwargs: Any) -> Memory:
        """The memory a call holds, and the most it holds at once, without calling.

        Parameters
        ----------
        *args, **kwargs
            As for a call; but a tuple of integers in the place of an array is a shape. Shared variables count with the
            values they have.

        Returns
        -------
        Memory
            The bytes of arguments, shared values, scratch memory, results and the peak as attributes; printed, a table.

        Raises
        ------
        TypeError, ValueError
            When the arguments do not fit, or a length depends on a value of which only the shape is given.

        Notes
        -----
        A repeated call is reckoned, which finds the scratch memory of the first. Loops over large arrays hold what
        passes between their steps in tiles only. What NumPy or SciPy need inside an operation is not counted.

        Examples
        --------
        >>> import symgraph as sg, symgraph.tensor as T
        >>> x = T.dmatrix("x")
        >>> f = sg.function([x], T.exp(x @ x))
        >>> m = f.memory((1000, 1000))
        >>> m.arguments, m.peak
        (8000000, 16000000)
        """
        from symgraph.compile.memory import memory_of

        return memory_of(self, args, kwargs)

    @property
    def fgraph(self) -> Any:
        """The rewritten graph."""
        return self._built.fgraph

    @property
    def graph(self) -> nx.DiGraph[Any]:
        """The rewritten graph as a `networkx.DiGraph`."""
        return to_networkx(self._built.fgraph.outputs)

    @property
    def maker(self) -> SimpleNamespace:
        """What Theano's programs look into: ``f.maker.fgraph``, ``f.maker.mode``, ``f.maker.inputs``."""
        return SimpleNamespace(fgraph=self.fgraph, mode=self.recipe.mode, inputs=list(self.recipe.inputs),
                               outputs=list(self.recipe.outputs))

    @property
    def calls(self) -> int:
        """How many calls there were, of a profiled function."""
        return sum(profile.calls for profile in self._profiles())

    @property
    def seconds(self) -> float:
        """How long all calls took, of a profiled function."""
        return sum((profile.seconds for profile in self._profiles()), 0.0)

    def _profiles(self) -> list[Profile]:
        return [] if self.profile is None else [self.profile, *self.profile.subsets.values()]

    @property
    def compile_seconds(self) -> dict[str, float]:
        """How long each stage of the compilation took, in seconds."""
        return dict(self._built.seconds)

    def get_shared(self) -> list[SharedVariable]:
        """The shared variables it reads or updates."""
        own = set(self._states.values())
        found = dict.fromkeys([*self.plan.shared, *(u.target for u in self.plan.updates)])
        return [variable for variable in found if variable not in own]
