"""What the generic tests share: building from samples, computing by `perform` alone, comparing with a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import symgraph as sg
from symgraph.graph import Constant, Variable, toposort
from symgraph.tensor import TensorType
from symgraph.tensor.basic import number_constant
from symgraph.tensor.shape import shape_i
from tests.records.base import TOLERANCE

MODES = ("FAST_RUN", "FAST_COMPILE", "None")


def symbol(array: Any, static: bool = False, name: str | None = None) -> Any:
    """An input for an array: lengths of 1 are known, others only when `static`."""
    return TensorType(array.dtype, [n if static or n == 1 else None for n in array.shape])(name)


def compute(inputs: Sequence[Any], outputs: Any, values: Sequence[Any], mode: str = "None") -> Any:
    """Compile and call once; floating-point warnings are the references' affair."""
    f = sg.function(list(inputs), outputs, mode=mode, on_unused_input="ignore")
    with np.errstate(all="ignore"):
        return f(*values)


def perform(outputs: Sequence[Variable], values: Mapping[Variable, Any]) -> list[Any]:
    """The value of expressions by each operation's own `perform`: the reference meaning, without plan or backend."""
    known: dict[Variable, Any] = dict(values)

    def value(v: Variable) -> Any:
        return v.data if isinstance(v, Constant) else known[v]

    with np.errstate(all="ignore"):
        for node in toposort(outputs):
            cells: list[list[Any]] = [[None] for _ in node.outputs]
            node.op.perform(node, [value(v) for v in node.inputs], cells)
            for variable, cell in zip(node.outputs, cells, strict=True):
                result = cell[0]
                assert isinstance(result, np.ndarray), f"{node.op}.perform gave {type(result).__name__}"
                kind: Any = variable.type
                assert result.dtype == kind.numpy_dtype, f"{node.op}.perform gave {result.dtype} for {kind}"
                assert result.ndim == kind.ndim, f"{node.op}.perform gave {result.ndim} dimensions for {kind}"
                assert all(k in (None, n) for k, n in zip(kind.shape, result.shape, strict=True)), (
                    f"{node.op}.perform gave shape {result.shape} for {kind}")
                known[variable] = result
    return [value(v) for v in outputs]


def inferred_shapes(outputs: Sequence[Any]) -> list[list[Any]]:
    """The lengths of expressions by `infer_shape` alone, as expressions of the inputs' lengths."""
    shapes: dict[Variable, list[Any]] = {}

    def shape_of(v: Any) -> list[Any]:
        if v not in shapes:
            shapes[v] = (
                [number_constant(np.asarray(n, "int64")) for n in v.data.shape]
                if isinstance(v, Constant)
                else [shape_i(v, i) for i in range(v.type.ndim)]
            )
        return shapes[v]

    for node in toposort(outputs):
        made: Any = node.outputs
        try:
            inferred = node.op.infer_shape(node, [tuple(shape_of(v)) for v in node.inputs])
        except NotImplementedError:  # the lengths depend on values
            inferred = [[shape_i(v, i) for i in range(v.type.ndim)] for v in made]
        for variable, lengths in zip(made, inferred, strict=True):
            shapes[variable] = [
                number_constant(np.asarray(n, "int64")) if isinstance(n, (int, np.integer)) else n for n in lengths]
    return [shape_of(v) for v in outputs]


def assert_value(found: Any, expected: Any, tolerance: Mapping[str, float] | None = None, what: str = "",
                 zero_signs: bool = False) -> None:
    """The same dtype, shape and elements, up to the rounding its dtype allows."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype, f"{what}: dtype {found.dtype}, expected {expected.dtype}"
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    name = expected.dtype.name
    if name in TOLERANCE:
        rtol = (tolerance or {}).get(name, TOLERANCE[name])
        if found.dtype.kind == "c" and not np.isfinite(expected).all():  # else next to infinities, exactly
            for part in ("real", "imag"):
                np.testing.assert_allclose(getattr(found, part), getattr(expected, part), rtol, rtol, err_msg=what)
        else:
            np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol, err_msg=what)
        if zero_signs:
            both = (found == 0) & (expected == 0)
            np.testing.assert_array_equal(np.signbit(found.real[both]), np.signbit(expected.real[both]), err_msg=what)
    else:
        np.testing.assert_array_equal(found, expected, err_msg=what)
