"""From a plan to a function of Python, by way of its text; and from an error in it to the step that raised it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backends.numpy.render import Renderer
from backends.numpy.results import forget_results
from backends.numpy.tiles import tiling_of
from symgraph.backend import Pack, Program, untiled
from symgraph.plan import Plan, Step

__all__ = ["NumpyBackend"]


class NumpyBackend:
    """Renders plans to Python functions of NumPy calls."""

    name = "numpy"

    def compile(self, plan: Plan, name: str, pack: Pack, accept: Sequence[Callable[[Any], Any]],
                monitor: Any = None, clock: Any = None) -> Program:
        """Make a plan executable; see `symgraph.backend.Backend`."""
        renderer = Renderer(plan, name, monitor, clock)
        renderer.render(pack)
        renderer.render_entry(accept)
        renderer.writer.add_asides()
        namespace = renderer.writer.compile(name)

        def step_at(error: BaseException) -> tuple[Step, list[Any]] | None:
            return _step_at(error, renderer)

        def free() -> None:
            renderer.workspaces.scratch.clear()
            forget_results()

        return Program(namespace["run"], namespace["call"], renderer.writer.text(), step_at, free,
                       tiling_of if monitor is None else untiled, renderer.anew, positions=renderer.positions())


def _step_at(error: BaseException, renderer: Renderer) -> tuple[Step, list[Any]] | None:
    """The step an error comes from, and the values it read. In a loop over tiles, those of the tile."""
    writer, traceback = renderer.writer, error.__traceback__
    filename = writer.namespace["run"].__code__.co_filename
    found: Step | None = None
    values: dict[str, Any] = {}
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename:
            found = writer.steps.get(traceback.tb_lineno)
            values = {**writer.namespace, **traceback.tb_frame.f_locals}
        traceback = traceback.tb_next
    if found is None:
        return None
    for counter, loop in renderer.counters.get(found, ()):
        if counter in values:
            error.add_note(f"in step {values[counter]} of {loop}")
    names = [renderer.names[v] for v in found.node.inputs]
    return found, [values.get(f"{name}_", values.get(name)) for name in names]
