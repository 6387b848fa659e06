"""DebugMode over the corpus of operations: nothing it looks for is found in any of them, nor in their gradients."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.compile.watch import Finding
from tests.records import ELEMENTWISE, RECORDS
from tests.records.base import Record
from tests.records.elementwise import Elementwise

pytestmark = pytest.mark.slow


def programs(record: Record, dtype: str) -> Any:
    """Each sample's value, and where there is one the gradient of a scalar made of it."""
    for values, options in record.samples(np.random.default_rng(3), dtype):
        inputs = [T.TensorType(v.dtype, (None,) * v.ndim)() for v in values]
        try:
            result = record.call(*inputs, **options)
        except (TypeError, ValueError):
            continue  # refused while building: not for unknown lengths, or not for this dtype
        results = list(result) if isinstance(result, (list, tuple)) else [result]
        outputs = list(results)
        places = record.wrt if record.wrt is not None else [i for i, v in enumerate(values) if v.dtype.kind == "f"]
        if not record.gradient and dtype == "float64" and places:
            parts = [part for r in results for part in ((r.real, r.imag) if r.dtype == "complex128" else (r,))]
            cost = sum((T.sin(part) * 1.5).sum() for part in parts if part.dtype == "float64")
            outputs += sg.grad(cost, [inputs[i] for i in places], disconnected_inputs="ignore")
        yield inputs, outputs, values


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "bool", "complex128"])
@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_operation(record: Record, dtype: str) -> None:
    if dtype not in record.dtypes:
        pytest.skip("no samples of this dtype")
    for inputs, outputs, values in programs(record, dtype):
        f = sg.function(inputs, outputs, mode="DebugMode", on_unused_input="ignore")
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                f(*values)
            except Finding:
                raise
            except (ValueError, IndexError, TypeError, ZeroDivisionError):
                continue  # an ordinary refusal; what an operation refuses is tested with the operation


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
@pytest.mark.parametrize("record", ELEMENTWISE, ids=str)
def test_elementwise(record: Elementwise, dtype: str) -> None:
    values = record.sample(np.random.default_rng(4), [dtype] * record.nin, [(3, 4)] * record.nin)
    inputs = [T.TensorType(v.dtype, (None,) * v.ndim)() for v in values]
    try:
        result = record.call(*inputs)
    except TypeError:
        pytest.skip("not for this dtype")
    outputs = [result]
    places = [i for i, v in enumerate(values) if v.dtype.kind == "f" and (record.wrt is None or i in record.wrt)]
    if not record.gradient and places and result.dtype == dtype:
        outputs += sg.grad(result.sum(), [inputs[i] for i in places], disconnected_inputs="ignore")
    with np.errstate(all="ignore"):
        sg.function(inputs, outputs, mode="DebugMode", on_unused_input="ignore")(*values)
