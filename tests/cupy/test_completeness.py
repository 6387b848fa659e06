"""Every operation of the library has a way onto a GPU, or a reason why not."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import symgraph
from backends.cupy.lowering import LOWERINGS, REASONS
from symgraph.graph.op import Op
from symgraph.plan.items import _MAKERS

#: What operations derive from, without being any themselves.
BASES = {"TensorOp", "Indexing", "MatrixOp", "MatrixFunction", "System"}


def operations() -> Iterator[type[Op]]:
    for module in pkgutil.walk_packages(symgraph.__path__, "symgraph."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting, seen = [Op], {Op}
    while waiting:
        for cls in waiting.pop().__subclasses__():
            if cls not in seen:
                seen.add(cls)
                waiting.append(cls)
                if cls.__module__.startswith("symgraph.") and cls.__name__ not in BASES and cls.__name__[0] != "_":
                    yield cls


def test_every_operation_has_a_kernel_a_view_a_function_or_a_reason() -> None:
    lacking = [cls.__name__ for cls in operations()
               if cls not in _MAKERS and cls.__name__ not in REASONS and not any(c in LOWERINGS for c in cls.__mro__)]
    assert not lacking


def test_reasons_are_for_operations_that_have_nothing_else() -> None:
    names = {cls.__name__: cls for cls in operations()}
    for name, reason in REASONS.items():
        assert name in names, name
        assert names[name] not in _MAKERS
        assert names[name] not in LOWERINGS
        assert reason
