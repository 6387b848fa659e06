"""Every public operation on the emulated device, from the records that drive the tests of the CPU."""

from __future__ import annotations

import importlib.util
import itertools
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from backends.cupy.array_functions import ARRAY_FUNCTIONS
from tests.cupy.common_programs import on_device
from tests.records import RECORDS
from tests.records.base import Record
from tests.tensor.common import assert_value, symbol
from tests.tensor.test_ops_records import expected, samples

#: What CuPy has no function for, and no kernel is generated.
LACKING = {"Logm": ("slinalg.logm",), "Sqrtm": ("slinalg.sqrtm",)}
BARRED = {name: op for op, names in LACKING.items() for name in names}
#: Of these kinds each, so that the default tests stay short.
EVERY = 40


def tried_dtype(record: Record) -> str:
    return next((d for d in ("float32", "int32", "complex64") if d in record.dtypes), record.dtypes[0])


def tolerance(record: Record) -> dict[str, float]:
    """Sums go in another order here."""
    return {**{dtype: max(t, 1e-5) for dtype, t in record.tolerance.items()},
            "float32": max(2e-5, record.tolerance.get("float32", 0)),
            "complex64": max(2e-5, record.tolerance.get("complex64", 0))}


def check(record: Record, dtype: str, count: int) -> None:
    for values, options in itertools.islice(samples(record, dtype), count):
        wanted = expected(record, values, options)
        if wanted is None:
            continue
        with on_device(floatX="float64"):
            inputs = [symbol(v) for v in values]
            f = sg.function(inputs, record.call(*inputs, **options), on_unused_input="ignore")
            for _ in range(2):  # as it is recorded, and as it is replayed
                with np.errstate(all="ignore"):
                    found = f(*values)
                assert_value(found, wanted, tolerance(record), f"shapes {[v.shape for v in values]}, {options}")


CASES = [pytest.param(r, id=str(r), marks=() if i % EVERY == 0 else pytest.mark.slow)
         for i, r in enumerate(RECORDS) if r.name not in BARRED]


@pytest.mark.parametrize("record", CASES)
def test_value(record: Record) -> None:
    check(record, tried_dtype(record), 2)


@pytest.mark.slow
@pytest.mark.parametrize("record", [r for r in RECORDS if r.name not in BARRED], ids=str)
def test_value_of_other_dtypes(record: Record) -> None:
    for dtype in ("bool", "int8", "uint64", "float16", "float64", "complex128"):
        if dtype in record.dtypes:
            check(record, dtype, 1)


@pytest.mark.parametrize("record", [r for r in RECORDS if r.name in BARRED], ids=str)
def test_what_cupy_lacks_is_said_or_computed_on_the_host(record: Record) -> None:
    dtype = tried_dtype(record)
    values, options = next(iter(samples(record, dtype)))
    inputs = [symbol(v) for v in values]
    with on_device(floatX="float64"):
        out: Any = record.call(*inputs, **options)
        with pytest.raises(NotImplementedError, match=rf"^{BARRED[record.name]}.*cuda_fallback='cpu'"):
            sg.function(inputs, out, on_unused_input="ignore")
    with on_device(floatX="float64", cuda_fallback="cpu"), pytest.warns(UserWarning, match="on the host"):
        f = sg.function(inputs, out, on_unused_input="ignore")
    assert_value(f(*values), expected(record, values, options), tolerance(record))


def test_functions_of_the_library_are_cupys() -> None:
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("CuPy is not installed")
    import cupy
    import cupyx.scipy.linalg

    for name in sorted(ARRAY_FUNCTIONS):
        place: Any = cupyx if name.startswith("scipy.") else cupy
        for part in name.split("."):
            place = getattr(place, part)
        assert callable(place), name
