"""Every operation that is not elementwise on empty and 0-d tensors, on NaN, infinities and -0, and on all dtypes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
from tests.records import RECORDS
from tests.records.base import ALL, COMPLEX, TOLERANCE, Array, Record
from tests.tensor.common import assert_value, compute, perform, symbol

TAKERS = [r for r in RECORDS if r.gradient != "its arguments are lengths"]

LENGTHS = "its options say lengths that no longer hold"
WINDOW = "a window or filter has at least one element"
RANK = "it is defined from one dimension on"
#: Where the reference gives a value on empty tensors and we refuse, and why.
EMPTY = {
    "specify_shape": LENGTHS, "addbroadcast": LENGTHS, "patternbroadcast": LENGTHS, "split": LENGTHS,
    "nanquantile": "NumPy drops the axis of the shares",
    "slinalg.lu_solve": "it takes square matrices", "linalg.matrix_rank": "it asks for the largest singular value",
    "slinalg.lu of rows": "SciPy drops the rows' permutation", "slinalg.lu of places": "SciPy drops the permutation",
}
#: The same for tensors of 0 dimensions.
SCALAR = {
    **dict.fromkeys(("nnet.softmax", "nnet.logsoftmax", "nnet.to_one_hot", "to_one_hot", "horizontal_stack",
                     "vertical_stack", "argwhere", "fourier.fftn", "fourier.ifftn", "slinalg.expm", "slinalg.sqrtm",
                     "slinalg.lu_factor", "nnet.softmax_with_bias", "histogramdd", "convolve", "trim_zeros",
                     "broadcast_shape"), RANK),
    **dict.fromkeys(("flatten", "specify_shape", "addbroadcast", "patternbroadcast"), LENGTHS),
    "gradient": RANK, "nnet.batch_normalization_test": "its channels are an axis",
}
#: Where what is not finite comes out otherwise, and why.
SPECIAL = {
    "nnet.relu": "the reference multiplies infinities by 0",
    "nnet.logsoftmax": "SciPy leaves infinite maxima out of the shift",
    "nnet.bilinear_upsampling": "the reference multiplies infinities by weights of 0",
    "nnet.frac_bilinear_upsampling": "the reference multiplies infinities by weights of 0",
    "geomspace": "NumPy repairs the two ends",
    "nnet.crossentropy_softmax_1hot": "as nnet.logsoftmax",
    "nnet.crossentropy_softmax_1hot_with_bias": "as nnet.logsoftmax",
    "nnet.logsoftmax_op": "as nnet.logsoftmax",
    "nnet.softminus": "the reference subtracts infinities",
    "nnet.kl_divergence": "infinities meet logarithms of 0 in another order",
    "unshared nnet.conv2d_grad_wrt_inputs": "the reference multiplies infinities by zeros around",
    "unshared nnet.conv2d_grad_wrt_weights": "the reference multiplies infinities by zeros around",
}
#: What LAPACK cannot do: the reference itself would not end.
ENDLESS = ("nlinalg.lstsq", "linalg.lstsq", "nlinalg.lstsq of values")
ORDER = "the order of its products and sums decides what infinities meet"
SPECIAL |= dict.fromkeys(("nlinalg.matrix_dot", "linalg.multi_dot", "slinalg.solve_triangular",
                          "slinalg.solve_lower_triangular", "slinalg.solve_upper_triangular"), ORDER)
SPECIAL["slinalg.solve_symmetric"] = "SciPy refuses what is not finite"
SPECIAL["slinalg.cho_solve"] = "a factor with a zero on its diagonal is refused as singular"
SPECIAL_VALUES = (np.nan, np.inf, -np.inf, -0.0)
#: Records whose values on dtypes they do not list differ from the reference's, and why.
DTYPES = {
    **dict.fromkeys(("nnet.elu", "nnet.selu", "nnet.softsign", "nnet.hard_sigmoid", "nnet.batch_normalization",
                     "nnet.bilinear_upsampling", "nnet.crossentropy_categorical_1hot"),
                    "a function of real numbers; its reference drops imaginary parts"),
    "geomspace": "of integers NumPy truncates",
    "ceil_intdiv": "a function of integers", "arange": "NumPy counts booleans up to 2 only",
    "argtopk": "which of several equal ones is open", "topk_and_argtopk": "which of several equal ones is open",
    "kaiser_of_beta": "window and reference are of different precision",
    "histogram2d": "edges are of the input's precision",
    "unwrap": "differences of unsigned angles wrap around in NumPy", "vander": "powers of small integers wrap around",
}


def records(rows: Iterable[Record]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", rows, ids=str)


def reference(record: Record, values: Any, options: Any) -> Any:
    """The reference's value; None where it refuses, for whatever reason."""
    if record.name in ENDLESS and not np.isfinite(values[0]).all():
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return np.asarray(record.reference(*values, **options))
        except Exception:
            return None


def dtype_of(record: Record) -> str:
    return "float64" if "float64" in record.dtypes else record.dtypes[0]


def first_samples(record: Record, dtype: str, count: int) -> list[tuple[tuple[Array, ...], dict[str, Any]]]:
    return [s for s in record.samples(np.random.default_rng(1), dtype) if s[0]][:count]


def value(record: Record, values: Any, options: Any, mode: str) -> Any:
    inputs = [symbol(v) for v in values]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        out = record.call(*inputs, **options)
        if mode == "perform":
            return perform([out], dict(zip(inputs, values, strict=True)))[0]
        return compute(inputs, out, values, mode)


def emptied(values: tuple[Array, ...]) -> Iterable[tuple[Array, ...]]:
    """The arrays with one axis after the other made empty."""
    for axis in range(max(v.ndim for v in values)):
        yield tuple(v[(slice(None),) * axis + (slice(0, 0),)] if v.ndim > axis else v for v in values)


def check(record: Record, variants: Iterable[Any], options: Any, reasons: dict[str, str], mode: str) -> None:
    for values in variants:
        wanted = reference(record, values, options)
        if wanted is None:
            continue
        what = f"{mode}, shapes {[v.shape for v in values]}, {options}"
        try:
            found = value(record, values, options, mode)
        except Exception as error:
            if record.name in reasons or record.name.startswith(tuple(FILTERS)):
                continue
            error.add_note(what)
            raise
        if record.name not in reasons:
            assert_value(found, wanted, record.tolerance, what)


#: Beginnings of names of what takes filters and windows: see `WINDOW`.
FILTERS = ("nnet.conv", "nnet.causal_conv", "nnet.separable_conv", "unshared nnet.conv", "signal.conv",
           "nnet.images2neibs", "signal.pool", "nnet.abstract_conv", "conv3d2d")


@records(TAKERS)
def test_empty(record: Record) -> None:
    """Tensors of no elements, along each axis in turn: what the reference gives."""
    for values, options in first_samples(record, dtype_of(record), 1):
        check(record, emptied(values), options, EMPTY, "perform")


@records(TAKERS)
def test_scalar(record: Record) -> None:
    """Tensors of 0 dimensions."""
    for values, options in first_samples(record, dtype_of(record), 2):
        flat = tuple(np.array(v[(0,) * v.ndim]) if v.size else v for v in values)
        check(record, [flat], options, SCALAR, "perform")


def marked(values: tuple[Array, ...]) -> Iterable[tuple[Array, ...]]:
    """The arrays with one float in the middle of each replaced by what is special."""
    for special in SPECIAL_VALUES:
        copies = [v.copy() for v in values]
        for copy in copies:
            if copy.dtype.kind == "f" and copy.size:
                copy.flat[copy.size // 2] = special
        yield tuple(copies)


@records([r for r in TAKERS if "float64" in r.dtypes])
def test_special_values(record: Record) -> None:
    """NaN, infinities and -0."""
    if record.name in SPECIAL:
        pytest.skip(SPECIAL[record.name])
    for values, options in first_samples(record, "float64", 1):
        check(record, marked(values), options, {}, "perform")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "None", "DebugMode"])
@records(TAKERS)
def test_corners_in_every_mode(record: Record, mode: str) -> None:
    """All of the above, compiled. Debug mode refuses what is not finite, as it should."""
    for values, options in first_samples(record, dtype_of(record), 1):
        check(record, emptied(values), options, EMPTY, mode)
        finite = record.name in SPECIAL or "float64" not in record.dtypes
        if not finite and mode != "DebugMode":
            check(record, marked(values), options, {}, mode)


@pytest.mark.slow
@records(TAKERS)
def test_debug_mode(record: Record) -> None:
    """Values and derivatives under all of the debug mode's checks."""
    import symgraph.tensor as T

    for values, options in first_samples(record, dtype_of(record), 2):
        wanted = reference(record, values, options)
        inputs = [symbol(v) for v in values]
        out = record.call(*inputs, **options)
        outputs = [out]
        moving = [i for i, v in enumerate(values) if v.dtype.kind == "f"] if record.wrt is None else list(record.wrt)
        if not record.gradient and moving and not out.type.is_discrete:
            outputs += sg.grad(T.sum(T.real(out)), [inputs[i] for i in moving], disconnected_inputs="ignore")
        found = compute(inputs, outputs, values, "DebugMode")[0]
        assert_value(found, wanted, record.tolerance, str(options))


@pytest.mark.slow
@records(TAKERS)
def test_dtypes_a_record_does_not_list(record: Record) -> None:
    """On every other dtype: refused when building, or the reference's value, as far as its dtype is exact."""
    if record.name in DTYPES:
        pytest.skip(DTYPES[record.name])
    for dtype in ALL:
        try:
            of_reals = record.name.startswith("nnet.") and dtype in COMPLEX  # their references drop imaginary parts
            samples = first_samples(record, dtype, 2) if dtype not in record.dtypes and not of_reals else []
        except OverflowError:  # the sampler has no such numbers
            continue
        for values, options in samples:
            wanted = reference(record, values, options)
            if wanted is None:
                continue
            try:
                found = np.asarray(value(record, values, options, "perform"))
            except (TypeError, IndexError, ValueError):
                continue
            both = [a.dtype.name for a in (found, wanted) if a.dtype.name in TOLERANCE]
            loosest = max((record.tolerance.get(d, TOLERANCE[d]) for d in both), default=0.0)
            if found.dtype.kind == "f" and wanted.dtype.kind in "biu":
                continue  # the reference gives its argument's dtype, and truncates
            if both and np.dtype(dtype).itemsize <= 2:  # computed in half or single precision, in several roundings
                loosest = max(loosest, 3e-2)
            np.testing.assert_allclose(found, wanted, rtol=2 * loosest, atol=2 * loosest, err_msg=f"{dtype}, {options}")


def test_reasons_are_of_records_that_exist() -> None:
    names = {r.name for r in RECORDS}
    assert (set(EMPTY) | set(SCALAR) | set(SPECIAL) | set(DTYPES)) <= names
