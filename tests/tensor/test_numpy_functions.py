"""What NumPy has and what we have: each of its functions has a counterpart or a reason, and bad input raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor.numpy_table import FUNCTIONS, UFUNCS_WITHOUT, WITHOUT
from symgraph.tensor.protocols import ufunc_functions
from symgraph.tensor.ufuncs import UFUNCS
from tests.records import editing, sequences, statistics
from tests.records.base import ALL
from tests.tensor.test_ops_records import test_value as check_value

A = np.array([[0.5, -1.5, 2.0], [3.25, 0.0, -2.0]])
NAN = float("nan")
V1, W1 = np.array([3.0, -1.0, 2.0, 0.5]), np.array([2.0, 0.5, 7.0, -1.0, 4.0])


def numpy_functions() -> set[str]:
    """The public functions of NumPy that ask their arguments."""
    found = set()
    for module, prefix in ((np, ""), (np.linalg, "linalg."), (np.fft, "fft.")):
        found |= {prefix + name for name in dir(module)
                  if not name.startswith("_") and hasattr(getattr(module, name), "_implementation")}
    return found


def test_each_function_has_a_counterpart_or_a_reason() -> None:
    transforms = {"fft." + name for name in T.fft.__all__}
    missing = numpy_functions() - set(FUNCTIONS) - set(WITHOUT) - transforms
    assert not missing, f"{sorted(missing)}: add a row, or a reason, to symgraph/tensor/numpy_table.py"
    assert not set(FUNCTIONS) & set(WITHOUT)
    assert len(set(FUNCTIONS) & numpy_functions()) >= 150


def test_each_ufunc_builds_or_says_why_not() -> None:
    ufuncs = {name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)}
    built = {name for name in ufuncs if getattr(np, name) in ufunc_functions() or getattr(np, name) in UFUNCS}
    assert ufuncs - built == set(UFUNCS_WITHOUT)
    with pytest.raises(TypeError, match=r"isnat has no counterpart.*dates"):
        np.isnat(T.dvector())


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_a_reason_is_given(name: str) -> None:
    x = T.dvector("x")
    calls: dict[str, Callable[[Any], Any]] = {
        "copyto": lambda f: f(np.zeros(3), x), "put": lambda f: f(x, [0], 1), "place": lambda f: f(x, x, [1]),
        "put_along_axis": lambda f: f(x, x, 1, 0), "putmask": lambda f: f(x, x, 1), "fill_diagonal": lambda f: f(x, 1),
        "save": lambda f: f("", x), "savez": lambda f: f("", x), "savez_compressed": lambda f: f("", x),
        "savetxt": lambda f: f("", x), "busday_count": lambda f: f(x, x), "busday_offset": lambda f: f(x, 1),
        "shares_memory": lambda f: f(x, x), "may_share_memory": lambda f: f(x, x), "einsum_path": lambda f: f("i", x),
        "apply_along_axis": lambda f: f(np.sum, 0, x), "polyfit": lambda f: f(x, x, 1), "polydiv": lambda f: f(x, x),
        "roots": lambda f: f([x[0], x[1]]),
    }
    with pytest.raises(TypeError, match=f"np.{name} has no counterpart for symbolic tensors: "):
        calls.get(name, lambda f: f(x))(getattr(np, name))


METHODS: tuple[tuple[Callable[[Any], Any], str], ...] = (
    (np.subtract.reduce, "combine the slices"), (np.power.accumulate, "T.cummax"),
    (lambda x: np.add.at(x, 0, 1), "T.inc_subtensor"), (lambda x: np.add.reduceat(x, [0]), "T.stack"),
    (np.bitwise_or.reduce, "combine the slices"),
)


@pytest.mark.parametrize(("call", "words"), METHODS)
def test_a_method_says_what_to_write(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=f"has no counterpart for symbolic tensors: .*{words}"):
        call(T.dvector("x"))


def test_ufunc_methods() -> None:
    x = T.dmatrix("x")
    calls: list[Any] = [
        np.maximum.accumulate, lambda a: np.minimum.accumulate(a, axis=1), lambda a: np.logaddexp.reduce(a, axis=None),
        lambda a: np.logaddexp.reduce(a, axis=1, keepdims=True), lambda a: np.arctan2.outer(a, a[0]),
    ]
    for call in calls:
        np.testing.assert_allclose(call(x).eval({x: A}), call(A), rtol=1e-12)


X, V, C, L = T.dmatrix("X"), T.dvector("V"), T.zmatrix("C"), T.lvector("L")
#: What is refused while the expression is built: the call, the exception NumPy gives, and words of the message.
REFUSED: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "median axis": (lambda: T.median(X, 2), np.exceptions.AxisError, "out of bounds"),
    "median complex": (lambda: T.median(C), TypeError, "real numbers"),
    "quantile empty": (lambda: T.quantile(np.zeros((0, 2)), 0.5, 0), IndexError, "empty axis"),
    "isposinf complex": (lambda: T.isposinf(C), TypeError, "real numbers"),
    "isneginf complex": (lambda: T.isneginf(C), TypeError, "real numbers"),
    "digitize complex": (lambda: T.digitize(C, [0.0, 1.0]), TypeError, "real numbers"),
    "digitize complex edges": (lambda: T.digitize(X, np.array([0j, 1])), TypeError, "real numbers"),
    "interp complex": (lambda: T.interp(C, [0.0, 1.0], [0.0, 1.0]), TypeError, "real numbers"),
    "quantile method": (lambda: T.quantile(X, 0.5, method="q"), ValueError, "method must be"),
    "quantile q": (lambda: T.quantile(X, 1.5), ValueError, "between 0 and 1"),
    "percentile q": (lambda: T.percentile(X, [-1, 5]), ValueError, "between 0 and 100"),
    "quantile of matrix": (lambda: T.quantile(X, X), ValueError, "scalar or a vector"),
    "cov rank": (lambda: T.cov(T.dtensor3()), ValueError, "at most 2"),
    "cov ddof": (lambda: T.cov(X, ddof=1.5), ValueError, "ddof"),  # type: ignore[arg-type]
    "cov fweights": (lambda: T.cov(X, fweights=V), TypeError, "integers"),
    "cov aweights": (lambda: T.cov(X, aweights=X), RuntimeError, "vector"),
    "histogram rule": (lambda: T.histogram(X, "auto"), TypeError, "depends on the values"),
    "histogram none": (lambda: T.histogram(X, 0), ValueError, "at least one bin"),
    "histogram falls": (lambda: T.histogram(X, [1, 0]), ValueError, "ascend"),
    "histogram range": (lambda: T.histogram(X, range=(2, 1)), ValueError, "downwards"),
    "histogram infinite": (lambda: T.histogram(X, range=(0, np.inf)), ValueError, "not finite"),
    "histogram weights": (lambda: T.histogram(X, weights=V), ValueError, "weights of 1 dimensions"),
    "histogramdd": (lambda: T.histogramdd(X), ValueError, "known number of columns"),
    "histogramdd bins": (lambda: T.histogramdd([V, V], [1, 2, 3]), ValueError, "one for each of 2 axes"),
    "digitize": (lambda: T.digitize(X, [0, 2, 1]), ValueError, "ascend or descend"),
    "digitize matrix": (lambda: T.digitize(X, X), ValueError, "vector of edges"),
    "convolve rank": (lambda: T.convolve(X, V), ValueError, "vectors"),
    "convolve mode": (lambda: T.convolve(V, V, "q"), ValueError, "mode must be"),
    "convolve empty": (lambda: T.convolve(V, []), ValueError, "without elements"),
    "window": (lambda: T.hanning(V), TypeError, "scalar integer"),
    "trapezoid": (lambda: T.trapezoid(1.0), ValueError, "axis"),
    "interp": (lambda: T.interp(V, X, V), ValueError, "vectors"),
    "interp lengths": (lambda: T.interp(V, [1.0], [1.0, 2.0]), ValueError, "one length"),
    "interp period": (lambda: T.interp(V, V, V, period=0), ValueError, "period"),
    "gradient order": (lambda: T.gradient(X, edge_order=3), ValueError, "edge_order"),
    "gradient distances": (lambda: T.gradient(X, 1.0, 2.0, 3.0), TypeError, "3 distances for 2 axes"),
    "gradient points": (lambda: T.gradient([1.0]), ValueError, "2 points"),
    "ediff1d": (lambda: T.ediff1d(L, to_end=1.5), TypeError, "to_end"),
    "vander": (lambda: T.vander(X), ValueError, "vector"), "polyval": (lambda: T.polyval(X, X), ValueError, "vector"),
    "polyder": (lambda: T.polyder(V, -1), ValueError, "negative"),
    "polyint": (lambda: T.polyint(V, 3, [1, 2]), ValueError, "2 constants for 3"),
    "poly": (lambda: T.poly(V), TypeError, "number of zeros must be known"),
    "delete": (lambda: T.delete([1, 2], 5), IndexError, "5"),
    "insert": (lambda: T.insert([1, 2], 5, 0), IndexError, "5"),
    "insert places": (lambda: T.insert(V, 1.5, 0), TypeError, "integer"),
    "trim_zeros": (lambda: T.trim_zeros(V, "x"), ValueError, "letters"),
    "block": (lambda: T.block([[X], X]), ValueError, "nested alike"),
    "block tuple": (lambda: T.block((X, X)), TypeError, "list"),
    "block empty": (lambda: T.block([]), ValueError, "empty"),
    "rollaxis": (lambda: T.rollaxis(X, 0, 5), np.exceptions.AxisError, "start"),
    "rot90": (lambda: T.rot90(X, axes=(0, 0)), ValueError, "differ"),
    "cross": (lambda: T.cross([1, 2], [1, 2]), ValueError, "3 components"),
    "ix_": (lambda: T.ix_(X), ValueError, "vectors"),
    "tril_indices_from": (lambda: T.tril_indices_from(V), ValueError, "matrix"),
    "diag_indices_from": (lambda: T.diag_indices_from(np.ones((2, 3))), ValueError, "one length"),
    "piecewise": (lambda: T.piecewise(X, [X > 0], []), ValueError, "0 functions for 1"),
    "partition": (lambda: T.partition([1, 2], 5), ValueError, "out of bounds"),
    "partition kth": (lambda: T.partition(V, 0.5), TypeError, "integer"),
    "lexsort": (lambda: T.lexsort(X), TypeError, "known number of keys"),
    "lexsort none": (lambda: T.lexsort([]), TypeError, "at least one"),
    "cummax": (lambda: T.cummax(C), TypeError, "complex"),
    "permute_row_elements": (lambda: T.permute_row_elements(X, V), TypeError, "integers"),
    "broadcast_shape": (lambda: T.broadcast_shape(np.ones(2), np.ones(3)), ValueError, "2"),
    "transfer": (lambda: T.transfer(X, "gpu"), ValueError, "no target"),
    "scalar_from_tensor": (lambda: T.scalar_from_tensor(X), TypeError, "scalar"),
    "linspace": (lambda: T.linspace(0.0, 1.0, V), TypeError, "scalar integer"),
    "pad function": (lambda: T.pad(X, 1, lambda *a: None), TypeError, "set_subtensor"),  # type: ignore[arg-type]
    "pad option": (lambda: T.pad(X, 1, "edge", stat_length=2), ValueError, "takes no stat_length"),
    "pad stat_length": (lambda: T.pad(X, 1, "mean", stat_length=0), ValueError, "stat_length of 0"),
    "pad reflect_type": (lambda: T.pad(X, 1, "reflect", reflect_type="x"), ValueError, "'even' or 'odd'"),
    "einsum labels": (lambda: T.einsum(X, [0, 60]), ValueError, "between 0 and 51"),
    "einsum lists": (lambda: T.einsum(X, V), TypeError, "behind each"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_while_building(case: str) -> None:
    call, exception, words = REFUSED[case]
    with pytest.raises(exception, match=words):
        call()


n = T.lscalar("n")
#: What only shows when the function runs.
REFUSED_LATER: dict[str, tuple[Any, dict[Any, Any], Any]] = {
    "quantile": (T.quantile(X, V), {X: A, V: np.array([0.5, 2.0])}, ValueError),
    "digitize": (T.digitize(X, V), {X: A, V: np.array([0.0, 2.0, 1.0])}, ValueError),
    "histogram": (T.histogram(X, V)[0], {X: A, V: np.array([2.0, 1.0])}, ValueError),
    "nanargmin": (T.nanargmin(X, 1), {X: np.full((2, 2), NAN)}, ValueError),
    "nanargmax": (T.nanargmax(X), {X: np.full((2, 2), NAN)}, ValueError),
    "quantile of nothing": (T.quantile(X, 0.5, 0), {X: np.zeros((0, 2))}, IndexError),
    "linspace": (T.linspace(0.0, 1.0, n), {n: -1}, ValueError),
    "delete": (T.delete(V, n), {V: np.zeros(3), n: 4}, IndexError),
    "insert": (T.insert(V, n, 0.0), {V: np.zeros(3), n: 4}, IndexError),
    "convolve": (T.convolve(V, V), {V: np.zeros(0)}, ValueError),
    "cross": (T.cross(X, X), {X: np.zeros((2, 4))}, ValueError),
    "partition": (T.partition(V, 4), {V: np.zeros(3)}, ValueError),
    "assert": (T.Assert("so it is")(X, X > 0), {X: A}, AssertionError),
}


@pytest.mark.parametrize("case", REFUSED_LATER)
def test_bad_input_is_refused_when_run(case: str) -> None:
    expression, values, exception = REFUSED_LATER[case]
    f = sg.function(list(values), expression)
    with pytest.raises(exception):
        f(*values.values())


@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_either_vector_may_be_the_longer(name: str) -> None:
    x, y = T.dvectors("x", "y")
    for mode in ("full", "same", "valid"):
        f = sg.function([x, y], getattr(T, name)(x, y, mode))
        for shorter, longer in ((1, 1), (1, 4), (2, 5), (3, 4), (4, 4)):
            for a, b in ((V1[:shorter], W1[:longer]), (W1[:longer], V1[:shorter])):
                np.testing.assert_allclose(f(a, b), getattr(np, name)(a, b, mode), rtol=1e-12)
                known = getattr(T, name)(T.constant(a), b, mode)
                assert known.type.shape == np.convolve(a, b, mode).shape


def test_windows_of_a_length_known_later() -> None:
    for name, more in (("bartlett", ()), ("hanning", ()), ("blackman", ()), ("kaiser", (5.0,))):
        f = sg.function([n], getattr(T, name)(n, *more))
        for length in (0, 1, 2, 7):
            np.testing.assert_allclose(f(length), getattr(np, name)(length, *more), rtol=1e-12, atol=1e-15)


def test_evenly_spaced_numbers_of_a_number_known_later() -> None:
    for name in ("linspace", "geomspace", "logspace"):
        for endpoint in (True, False):
            f = sg.function([n], getattr(T, name)(1.0, [2.0, 4.0], n, endpoint))
            for number in (0, 1, 2, 5):
                want = getattr(np, name)(1.0, [2.0, 4.0], number, endpoint)
                np.testing.assert_allclose(f(number), want, rtol=1e-12)
    _, step = T.linspace(0.0, 3.0, n, retstep=True)
    f = sg.function([n], step)
    np.testing.assert_array_equal([f(4), f(1)], [1.0, np.nan])


def test_paddings_of_widths_known_later() -> None:
    for mode, options in (("mean", {"stat_length": n}), ("median", {}), ("maximum", {"stat_length": (1, 2)}),
                          ("linear_ramp", {"end_values": 7.0}), ("reflect", {"reflect_type": "odd"}), ("wrap", {})):
        f = sg.function([X, n], T.pad(X, n, mode, **options), on_unused_input="ignore")
        known = {key: 3 if value is n else value for key, value in options.items()}
        np.testing.assert_allclose(f(A, 3), np.pad(A, 3, mode, **known), rtol=1e-12, err_msg=mode)


def test_no_gradient_flows_into_what_is_left_out() -> None:
    x = T.dvector("x")
    value = np.array([1.0, NAN, 3.0, 2.0])
    for cost, want in ((T.nansum(x), [1, 0, 1, 1]), (T.nanmean(x), [1 / 3, 0, 1 / 3, 1 / 3]),
                       (T.nanprod(x), [6, 0, 2, 3]), (T.nanmax(x), [0, 0, 1, 0]), (T.nanmin(x), [1, 0, 0, 0]),
                       (T.nanvar(x), [-2 / 3, 0, 2 / 3, 0]), (T.nanmedian(x), [0, 0, 0, 1]),
                       (T.nanquantile(x, 0.25), [0.5, 0, 0, 0.5]), (T.nancumsum(x).sum(), [4, 0, 2, 1])):
        np.testing.assert_allclose(sg.grad(cost, x).eval({x: value}), want, rtol=1e-12, atol=1e-12)


def test_the_nan_of_one_operand_gives_way() -> None:
    x, y = T.dvectors("x", "y")
    values = {x: np.array([1.0, NAN, 3.0, NAN]), y: np.array([NAN, 2.0, 1.0, NAN])}
    for name in ("fmax", "fmin"):
        expression = getattr(T, name)(x, y)
        np.testing.assert_array_equal(expression.eval(values), getattr(np, name)(*values.values()))
    np.testing.assert_array_equal(sg.grad(T.fmax(x, y)[:3].sum(), x).eval(values), [1, 0, 1, 0])


def test_ends_of_ufuncs() -> None:
    x = T.dvector("x")
    value = np.array([0.0, -0.0, np.inf, -np.inf, NAN, 5e-324, -1.0, 8.0, np.nextafter(8, 0), 1e308])
    for name in ("modf", "frexp"):
        for ours, theirs in zip(getattr(T, name)(x), getattr(np, name)(value), strict=True):
            found = ours.eval({x: value})
            np.testing.assert_array_equal(found, theirs)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(theirs))
    i = T.lvector("i")
    np.testing.assert_array_equal(np.reciprocal(i).eval({i: np.array([1, -1, 3])}), [1, -1, 0])
    assert np.reciprocal(i).dtype == "int64"
    h = T.dvector("h")
    step = sg.grad(T.heaviside(x, h).sum(), h).eval({x: np.array([-1.0, 0.0, 1.0]), h: np.ones(3)})
    np.testing.assert_array_equal(step, [0, 1, 0])
    equal = sg.grad(T.logaddexp2(x, h).sum(), x).eval({x: np.ones(2), h: np.array([1.0, -np.inf])})
    np.testing.assert_allclose(equal, [0.5, 1.0])


MORE = [(r, d) for r in (*statistics.STATISTICS, *sequences.SEQUENCES, *editing.EDITING, *editing.UFUNCS)
        for d in ALL if "float32" in r.dtypes and len(r.dtypes) > 1 and d not in r.dtypes
        and (d[0] != "c" or any(e[0] == "c" for e in r.dtypes)) and d != "bool"]


@pytest.mark.slow
@pytest.mark.parametrize(("record", "dtype"), MORE, ids=[f"{r.name}-{d}" for r, d in MORE])
def test_value_of_more_dtypes(record: Any, dtype: str) -> None:
    check_value(record, dtype)
