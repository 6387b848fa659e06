"""What computes a step that no launch does: its row, arithmetic of the host, or its own `perform` there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.cupy import runtime
from backends.cupy.lowering import REASONS, Unsupported, lowering_of
from symgraph.config import config
from symgraph.graph.basic import Apply
from symgraph.plan import Step
from symgraph.tensor.devices import Transfer
from symgraph.tensor.elemwise import Elemwise

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__ = ["expression_of"]


def expression_of(r: Renderer, step: Step, on_host: bool) -> str:
    """The expression of a step's results, on the host or on the device.

    Raises
    ------
    NotImplementedError
        For what the device cannot compute, unless `config.cuda_fallback` lets the host do it.
    """
    node = step.node
    if on_host and node.outputs[0] in r.numbers:
        written = _number_text(node, [r.number(v) for v in node.inputs] if isinstance(node.op, Elemwise) else [])
        if written:
            return written
    if getattr(node.op, "runs_programs", False):
        return _programs(r, step)
    row = lowering_of(node.op)
    bound = any(v in r.placement.bound for v in node.outputs) and not isinstance(node.op, Transfer)
    if row is not None and not bound:
        before = len(r.writer.lines), len(r.direct)
        try:
            text = row(r, node)
        except Unsupported as error:
            del r.writer.lines[before[0]:], r.direct[before[1]:]
            return _by_host(r, step, str(error))
        if not on_host:
            r.entries[-1].device = "device"
        return text
    if on_host:
        return _performed(r, step)
    return _by_host(r, step, REASONS.get(type(node.op).__name__, ""))


def _programs(r: Renderer, step: Step) -> str:
    """An operation that runs programs of this backend."""
    r.entries[-1].device, r.entries[-1].kernel = "device", "a program of its own"
    r.direct.append(f"{step.node.op} runs a program of its own, at {step.node.origin}")
    name = r.writer.bind(runtime.runner(r.device, step.node), "op")
    return f"{name}({', '.join(r.value(v) for v in step.node.inputs)})"


def _performed(r: Renderer, step: Step) -> str:
    """A step of the host: arithmetic on single numbers, or the operation's own method."""
    node = step.node
    if isinstance(node.op, Elemwise) and node.outputs[0].type.ndim == 0:
        cast = node.op.scalar.name.startswith("cast{") and node.inputs[0] in r.numbers
        if cast and node.outputs[0].type.dtype != "bool":
            return f"np.{node.outputs[0].type.dtype}({r.number(node.inputs[0])})"
        name = r.writer.bind(runtime.arithmetic(node), node.op.scalar.name.partition("{")[0] + "_")
        return f"{name}({', '.join(r.host(v) for v in node.inputs)})"
    name = r.writer.bind(runtime.performer(step.node, step.copies), "op")
    return f"{name}({', '.join(r.host(v) for v in step.node.inputs)})"


def _by_host(r: Renderer, step: Step, why: str) -> str:
    """A step that only the host can compute, its operands moved there and its results back."""
    node = step.node
    reason = why or "nothing here computes it on a GPU"
    if config.cuda_fallback != "cpu":
        raise NotImplementedError(
            f"{node.op}, built at {node.origin}, cannot be computed on {r.memory!r}: {reason}. Compile the "
            "function for the CPU (device='cpu'), or let this operation run there, which moves its operands and "
            "results in every call (cuda_fallback='cpu')")
    r.entries[-1].device, r.entries[-1].kernel = "host (cuda_fallback)", reason
    if not r.quiet:
        warnings.warn(f"{node.op}, built at {node.origin}, is computed on the host, which moves its operands and "
                      f"results in every call: {reason}", stacklevel=2)
    arguments = [r.host(v) for v in node.inputs]
    name = r.writer.bind(runtime.performer(node, step.copies), "op")
    r.direct.append(f"{node.op} is computed on the host, at {node.origin}")
    r.entries[-1].transfers.append("its results to the device")
    if len(node.outputs) == 1:
        return f"put(D, {name}({', '.join(arguments)}))"
    return f"(put(D, r) for r in {name}({', '.join(arguments)}))"


#: Arithmetic on integers of Python, which positions and lengths are.
_INTEGERS = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "maximum": "max({}, {})", "minimum": "min({}, {})"}


def _number_text(node: Apply, parts: Sequence[str]) -> str:
    """Arithmetic on positions and lengths, as Python's; empty for what is none."""
    head = getattr(node.op, "scalar", None)
    form = _INTEGERS.get(head.name) if head is not None else None
    return form.format(*(f"({p})" if not p.isidentifier() and not p.isdigit() else p for p in parts)) if form else ""
