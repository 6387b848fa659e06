"""How functions of elements are spelled in NumPy."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.numpy import elements, runtime
from backends.numpy.lowering import Lowering, lower, type_of
from symgraph.graph.basic import Apply, Constant
from symgraph.plan import Use
from symgraph.tensor.elemwise import Elemwise

if TYPE_CHECKING:
    from backends.numpy.render import Renderer

__all__ = ["ELEMWISE", "INTEGERS", "SCALARS"]


@lower(Elemwise)
def _elemwise(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    assert isinstance(node.op, Elemwise)
    function = node.op.scalar
    if type_of(node).ndim == 0 and (node.outputs[0] in r.numbers or type_of(node).dtype in ("float32", "float64")):
        written = (INTEGERS if node.outputs[0] in r.numbers else SCALARS).get(function.name)
        if written is not None:
            return written.format(*(args if node.outputs[0] in r.numbers else map(r.scalar, node.inputs)))
    special = ELEMWISE.get(function.name.partition("{")[0])
    if special is not None:
        return special(r, node, args, target, out)
    return _by_name(r, node, args, out)


def _by_name(r: Renderer, node: Apply, args: list[str], out: str | None) -> str:
    """By the ufunc's own name, or through the function on arrays."""
    function = node.op.scalar
    module, _, name = function.spelling.partition(":")
    if module == "numpy":
        if out is not None and name not in _BY_KEYWORD and _turns(r, node):
            plain = f"np.{name}({', '.join(args)}{r.into(out, keyword=False)})"
            turned = f"np.{name}({', '.join(_turned(node, args))}, {out}.T).T"
            return f"{plain} if {out}.flags.c_contiguous else {turned}"
        if out is not None and out.startswith("spare_array("):
            out = _spare(r, node, out)
        return f"np.{name}({', '.join(args)}{r.into(out, keyword=name in _BY_KEYWORD)})"
    if name and all(v.type.dtype in ("float32", "float64") for v in (*node.inputs, *node.outputs)):
        local = f"scipy_{name}" if name[-1].isdigit() else name  # i0 might be a name the writer makes
        r.writer.namespace[local] = getattr(importlib.import_module(module), name)
        return f"{local}({', '.join(args)}{r.into(out)})"
    beside = name or hasattr(elements, function.name)  # a function of floats only
    own = f"{function.name}_of_any" if beside else function.name
    r.writer.namespace[own] = function.impl
    return f"{own}({', '.join(args)})"


_FEW = 4096  # elements, for which a new array is got sooner than it is asked whether there is one


def _spare(r: Renderer, node: Apply, out: str) -> str:
    """The array for a next value: for a short vector None, which means a new one."""
    buffer = r.plan.blocks[node.outputs[0]].buffer
    shape = () if buffer is None else buffer.shape or ()
    if len(shape) != 1 or isinstance(shape[0], int):
        return out
    return f"{out} if {r.measure(*shape[0])} > {_FEW} else None"


def _turns(r: Renderer, node: Apply) -> bool:
    """Whether a matrix that may lie by columns is made of one that lies by rows.

    Where operands lie in different ways, NumPy's loops run along the rows, even if these are short; of transposed
    operands, along the columns.
    """
    buffer = r.plan.blocks[node.outputs[0]].buffer
    if buffer is None or not buffer.by_columns or buffer.use is not Use.SCRATCH:
        return False
    matrices = [r.plan.blocks[v].buffer for v in node.inputs if v.type.ndim == 2 and 1 not in v.type.shape]
    return any(held is None or not held.by_columns for held in matrices)


def _turned(node: Apply, args: Sequence[str]) -> list[str]:
    """The operands of a matrix, transposed."""
    ends = {2: ".T", 1: "[:, None]", 0: ""}
    return [f"{a}{ends[v.type.ndim]}" for v, a in zip(node.inputs, args, strict=True)]


def _cast(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    literal = args[0].removeprefix("-").isdigit()
    if not literal and node.inputs[0] in r.numbers and type_of(node).dtype == "float32":
        r.writer.namespace["float32_of"] = runtime.float32_of
        return f"float32_of({args[0]})"
    if literal or node.inputs[0] in r.numbers or node.inputs[0] in r.integers:
        return f"{r.dtype(type_of(node).dtype)}({args[0]})"
    if out is None:
        return f"{args[0]}.astype({r.dtype(type_of(node).dtype)})"
    if out != target:
        r.line(f"{target} = {out}", node)
    r.line(f"np.copyto({target}, {args[0]}, casting='unsafe')", node if out == target else None)
    return None


def _identity(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    return f"np.array({args[0]})"


def _of_floats(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    assert isinstance(node.op, Elemwise)
    if type_of(node).dtype in ("float32", "float64") and node.inputs[0].type.dtype == type_of(node).dtype:
        name = node.op.scalar.name
        r.writer.namespace[name] = getattr(elements, name)
        return f"{name}({args[0]}{r.into(out, keyword=False)})"
    return _by_name(r, node, args, out)


def _switch(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    condition, a, b = (v.type for v in node.inputs)
    dtype = type_of(node).dtype
    plain = dtype in ("float32", "float64", "int32", "int64") and a.dtype == b.dtype == dtype
    if not plain or condition.dtype != "bool" or type_of(node).ndim == 0:
        return f"np.where({', '.join(args)})"
    r.writer.namespace["select"] = elements.select
    return f"select({', '.join(args)}{r.into(out)})"


def _clip(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    assert isinstance(node.op, Elemwise)
    name = node.op.scalar.name
    at = _bounded(node) if elements.clip is not None and name in _BOUNDS else None
    if at is None:
        return f"np.minimum(np.maximum({args[0]}, {args[1]}), {args[2]}{r.into(out)})" if name == "clip" else _by_name(
            r, node, args, out)
    r.writer.namespace["clip"] = elements.clip
    if name == "clip":
        return f"clip({', '.join(args)}{r.into(out, keyword=False)})"
    x, bound, dtype = args[at], args[1 - at], type_of(node).dtype
    if at == 0 and name == "maximum" and _is_zero(node.inputs[1]):
        r.writer.namespace["above_zero"] = elements.above_zero
        return f"above_zero({x}{r.into(out, keyword=False)})"
    if at == 0 and not _is_not_zero(node.inputs[1]):
        return _by_name(r, node, args, out)
    if name == "maximum":
        r.writer.namespace[f"inf_{dtype}"] = np.asarray(np.inf, dtype)
        return f"clip({x}, {bound}, inf_{dtype}{r.into(out, keyword=False)})"
    r.writer.namespace[f"minus_inf_{dtype}"] = np.asarray(-np.inf, dtype)
    return f"clip({x}, minus_inf_{dtype}, {bound}{r.into(out, keyword=False)})"


_BOUNDS = frozenset(("maximum", "minimum", "clip"))


def _bounded(node: Apply) -> int | None:
    """Which input of a maximum, a minimum or a clip is an array of floats whose bounds are single floats of its dtype.

    NumPy's `clip` is up to four times as fast then as its `maximum` and `minimum`, which have vector code for two
    arrays only.
    """
    kinds: list[Any] = [v.type for v in node.inputs]
    if type_of(node).ndim == 0 or type_of(node).dtype not in ("float32", "float64"):
        return None
    if any(kind.dtype != type_of(node).dtype for kind in kinds):
        return None
    wide = [place for place, kind in enumerate(kinds) if set(kind.shape) - {1}]
    return wide[0] if len(wide) == 1 and (len(kinds) == 2 or wide == [0]) else None


def _is_zero(bound: Any) -> bool:
    """Whether a bound is known to be 0, and not -0."""
    return isinstance(bound, Constant) and bool((bound.data == 0).all()) and not np.signbit(bound.data).any()


def _is_not_zero(bound: Any) -> bool:
    """Whether a bound is known not to be 0.

    Of 0 and -0 `numpy.maximum` gives the second, and `clip` the first.
    """
    return isinstance(bound, Constant) and bool((bound.data != 0).all())


#: Functions of two arguments that do not take the array to compute into by position: others took it for a third.
_BY_KEYWORD = frozenset(("maximum", "minimum"))


def _neg(r: Renderer, node: Apply, args: list[str], target: str, out: str | None) -> str | None:
    if out is None or r.is_plain(out):
        return f"np.negative({args[0]}{r.into(out, keyword=False)})"
    r.writer.namespace["negative"] = elements.negative
    return f"negative({args[0]}{r.into(out, keyword=False)})"


#: Arithmetic on floating scalars of NumPy, for which operators are several times faster than ufuncs.
SCALARS = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "true_div": "{} / {}", "neg": "-{}"}
#: And on integers of Python, which positions and lengths are.
INTEGERS = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "maximum": "max({}, {})", "minimum": "min({}, {})"}

ELEMWISE: dict[str, Lowering] = {
    "cast": _cast,
    "identity": _identity,
    "neg": _neg,
    "switch": _switch,
    "clip": _clip,
    "maximum": _clip,
    "minimum": _clip,
    "real": lambda r, node, args, target, out: f"np.array({args[0]}.real)",  # NumPy gives views
    "imag": lambda r, node, args, target, out: f"np.array({args[0]}.imag)",
    "expm1": _of_floats,
    "log1p": _of_floats,
    "sigmoid": _of_floats,
    "softplus": _of_floats,
    "sqr": lambda r, node, args, target, out: f"np.square({args[0]}{r.into(out, keyword=False)})",
}
