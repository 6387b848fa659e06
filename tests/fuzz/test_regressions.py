"""What random graphs found, each once more as a small program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special as special

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor import TensorType
from tests.fuzz.small_tiles import small_tiles
from tests.tensor.common import compute, symbol

MODES = ("FAST_RUN", "None")


@pytest.mark.parametrize("mode", MODES)
def test_a_special_function_of_two_dtypes_in_one_program(mode: str) -> None:
    """SciPy's function and the one for dtypes it does not take stand in one program under two names."""
    x, b = T.dvector("x"), TensorType("bool", (None,))("b")
    for function in (T.erfcx, T.erf, T.gammaln):
        out = compute([x, b], [function(x), function(b)], [np.array([0.5]), np.array([True])], mode)
        assert [a.dtype.name for a in out] == ["float64", "float16"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "ptp", "nan_to_num"])
def test_complex_numbers_have_an_order_and_their_parts_are_replaced(name: str, mode: str) -> None:
    z = np.array([1 - 2j, 1 + 3j, complex(0, np.inf), complex(np.nan, 2)])
    for array in (z[:3], z):
        expected: Any = getattr(np, name)(array)
        np.testing.assert_array_equal(compute([x := symbol(array)], getattr(T, name)(x), [array], mode), expected)


def test_norms_of_integers_are_floats() -> None:
    x = np.array([-3, 4], "int8")
    for order in (0, 1, 2, np.inf, -np.inf):
        found = compute([v := symbol(x)], T.norm(v, order), [x])
        assert found == np.linalg.norm(x, order)
        assert found.dtype == np.float64


def test_the_mean_of_large_integers_does_not_overflow() -> None:
    top = np.iinfo("int64").max
    x = np.array([top, top, -7], "int64")
    u = np.array([2**64 - 1, 2**64 - 3], "uint64")
    assert compute([v := symbol(x)], T.mean(v), [x]) == x.mean()
    assert compute([v := symbol(u)], T.mean(v), [u]) == u.mean()
    assert compute([v := symbol(u)], T.std(v), [u]) == u.std()


@pytest.mark.parametrize("mode", MODES)
def test_an_ellipsis_for_no_axes_keeps_index_arrays_apart(mode: str) -> None:
    """As in NumPy: what index arrays select then stands in front."""
    a, i, one = np.arange(8.0).reshape(4, 1, 2), np.array([[0, 1, 2]]), np.array([0])
    x, k = symbol(a), T.lmatrix("k")
    cases: Any = (((None, k, ..., 0, slice(None)), (None, i, ..., 0, slice(None))),
                  ((slice(None), 0, ..., one), (slice(None), 0, ..., one)),
                  ((slice(None), ..., 0, one), (slice(None), ..., 0, one)), ((k, 0, 1, ...), (i, 0, 1, ...)))
    for key, known in cases:
        out = [x[key], T.set_subtensor(x[key], 7), T.inc_subtensor(x[key], 1)]
        part, put, more = compute([x, k], out, [a, i], mode)
        np.testing.assert_array_equal(part, a[known], strict=True)
        instead, added = a.copy(), a.copy()
        instead[known] = 7
        np.add.at(added, known, 1)
        np.testing.assert_array_equal(put, instead)
        np.testing.assert_array_equal(more, added)


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
def test_taking_at_unsigned_places(mode: Any) -> None:
    x, places = np.arange(5.0), np.array([0, 4], "uint64")
    found = compute([v := symbol(x), p := symbol(places)], T.take(v, p, mode=mode), [x, places])
    np.testing.assert_array_equal(found, np.take(x, places, mode=mode))


def test_variances_of_halves_and_of_too_few_elements() -> None:
    half = np.array([400.0, 0, 0, 0, 0, 0], "float16")
    found = compute([x := symbol(half)], T.var(x), [half])
    assert found == half.astype("float32").var().astype("float16")  # NumPy's own overflows on the way
    assert found.dtype == np.float16
    for shape in ((0, 4), (1, 4)):
        few = np.ones(shape)
        expected = np.full(4, np.nan)  # as numpy.var, which also warns
        for static in (True, False):
            x = symbol(few, static=static)
            np.testing.assert_array_equal(compute([x], T.var(x, axis=0, ddof=2), [few]), expected)


def test_a_known_mask_of_one_element_is_stretched() -> None:
    x, known = T.dmatrix("x"), np.array([True, False, False])
    a = np.arange(6.0).reshape(3, 2)
    out = compute([x], x[known, np.array([1, 0])], [a])
    np.testing.assert_array_equal(out, a[known, np.array([1, 0])])


@pytest.mark.parametrize("mode", MODES)
def test_an_index_of_unknown_length_is_not_stretched_beside_a_mask(mode: str) -> None:
    """As documented, and unlike NumPy; the type says how to have it."""
    x, places, mask = T.dmatrix("x"), T.lvector("places"), np.array([True, False, True])
    a, zero = np.arange(9.0).reshape(3, 3), np.zeros(1, "int64")
    with pytest.raises(IndexError, match="Only an axis known to be 1 is stretched"):
        compute([x, places], T.inc_subtensor(x[places, mask], 1), [a, zero], mode)
    one = T.specify_shape(places, (1,))
    wanted = a.copy()
    wanted[zero, mask] += 1
    np.testing.assert_array_equal(compute([x, places], T.inc_subtensor(x[one, mask], 1), [a, zero], mode), wanted)


def test_a_product_of_two_dtypes_is_no_call_of_blas() -> None:
    c, a, b = T.dmatrix("c"), T.bmatrix("a"), T.dmatrix("b")
    values = [np.ones((2, 2)), np.eye(2, dtype="int8"), np.full((2, 2), 0.5)]
    np.testing.assert_array_equal(compute([c, a, b], c + T.dot(a, b), values, "FAST_RUN"), np.full((2, 2), 1.5))


@pytest.mark.parametrize("mode", MODES)
def test_a_vector_is_added_at_a_matrix_of_places_of_a_vector(mode: str) -> None:
    """`numpy.add.at` reads beyond the end of the vector."""
    x, y, places = T.dvector("x"), T.dvector("y"), T.lmatrix("places")
    values = [np.zeros(4), np.array([1.0, 2.0]), np.array([[0, 1], [-4, 2], [0, 3]])]
    np.testing.assert_array_equal(compute([x, y, places], T.inc_subtensor(x[places], y), values, mode), [3, 2, 2, 2])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("static", [True, False])
def test_a_mask_of_no_elements_stands_for_any_length(mode: str, static: bool) -> None:
    a, nothing = np.ones((2, 3)), np.zeros(0, bool)
    x, mask = symbol(a, static=static), symbol(nothing, static=static)
    for out in (x[:, mask], x[:, nothing]):
        np.testing.assert_array_equal(compute([x, mask], out, [a, nothing], mode), a[:, nothing], strict=True)


@pytest.mark.parametrize("mode", MODES)
def test_names_and_numbers_in_the_generated_program(mode: str) -> None:
    """A function whose name looks like one of the program's own variables; the cast of a length that is known."""
    v, w = T.dvector("v"), T.dmatrix("w")
    x, one = np.array([0.5, 1.0]), TensorType("float32", (1,))("one")
    out = [T.i0(v), T.i1(v) * w.shape[0], T.j0(v) + w[w.shape[1] - 1, 0], T.stack([one.shape[0], v[0]])]
    found = compute([v, w, one], out, [x, np.ones((2, 2)), np.ones(1, "float32")], mode)
    np.testing.assert_allclose(found[0], special.i0(x), rtol=1e-15)
    np.testing.assert_allclose(found[1], 2 * special.i1(x), rtol=1e-15)
    np.testing.assert_allclose(found[2], special.j0(x) + 1, rtol=1e-15)
    np.testing.assert_array_equal(found[3], [1.0, 0.5])


def test_a_length_of_1_known_from_stretching_alone_stays_known() -> None:
    x, y = T.zvector("x"), TensorType("complex128", (1,))("y")
    out = T.switch(np.array([1]), T.set_subtensor(T.constant(np.array([2j]))[:], x), y)
    np.testing.assert_array_equal(compute([x, y], out, [np.array([3j]), np.array([4j])], "FAST_RUN"), [3j])


def test_the_sign_of_an_unsigned_factor() -> None:
    u, x = TensorType("uint8", (None,))("u"), T.dscalar("x")
    for scaled in (T.fill(u, np.uint8(2)) * x, T.constant(np.array([2, 2], "uint8")) * x):
        found = compute([u, x], -scaled, [np.array([2, 3], "uint8"), np.array(2.0)], "FAST_RUN")
        np.testing.assert_array_equal(found, [-4.0, -4.0])


def test_narrow_constants_are_multiplied_in_the_dtype_of_the_product() -> None:
    x, i, narrow = T.dvector("x"), T.lvector("i"), T.constant(np.uint8(200))
    out = [narrow * (narrow * x), narrow + (narrow + i), narrow * (narrow * i)]
    found = compute([x, i], out, [np.array([1.0]), np.array([1])], "FAST_RUN")
    assert [float(a[0]) for a in found] == [40000.0, 401.0, 40000.0]


def test_the_sign_of_a_complex_number_is_not_whole() -> None:
    z = T.zvector("z")
    np.testing.assert_array_equal(compute([z], T.round(T.sgn(z)), [np.array([3 + 4j])], "FAST_RUN"), [1 + 1j])


@pytest.mark.parametrize(("dtype", "apart"), [("float32", 4), ("int32", 4), ("float64", 8), ("int64", 8)])
def test_the_negatives_of_elements_that_lie_apart(dtype: str, apart: int) -> None:
    """NumPy's own, written over their arguments, are those of neighbours."""
    x = TensorType(dtype, (None,))("x")
    f = sg.function([sg.In(x, mutable=True)], -x)
    column = np.arange(1, 9 * apart + 1, dtype=dtype)[::apart]
    wanted = [-v for v in column.tolist()]
    assert f(column).tolist() == wanted


def test_negatives_of_rows_that_are_not_contiguous() -> None:
    """In a loop over tiles, what an index makes has its first axis innermost."""
    x = TensorType("float32", (None, 1, 2))("x")
    array = np.array([[[1, -1]], [[-1, 0]], [[1, 2]], [[0, 3]]], "float32")
    out = T.all(x[:, :, [0, 0, 0, 1]] * -1, axis=2)
    with small_tiles():
        np.testing.assert_array_equal(compute([x], out, [array], "FAST_RUN")[:, 0], [True, False, True, False])


@pytest.mark.parametrize("mode", MODES)
def test_an_arange_that_slices_read_is_made(mode: str) -> None:
    """Only what reads it as an index can do with its length."""
    x = T.dvector("x")
    places = T.arange(x.shape[0])
    found = compute([x], [places[::-1], x[places], T.vander(x)], [np.array([2.0, 3.0])], mode)
    for got, wanted in zip(found, ([1, 0], [2.0, 3.0], [[2.0, 1.0], [3.0, 1.0]]), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint64"])
def test_the_log_sigmoid_of_integers(dtype: str) -> None:
    """An unsigned integer has no negative."""
    x = np.array([0, 1], dtype)
    for function in (T.nnet.log_sigmoid, T.nnet.softminus):
        found = compute([v := symbol(x)], function(v), [x])
        np.testing.assert_allclose(found, -np.logaddexp(0, -x.astype(float)), rtol=2e-3)
        assert found.dtype == np.exp(x).dtype


def test_memory_that_a_view_keeps_is_there_for_a_single_element_too() -> None:
    x, z = T.dvectors("x", "z")
    square = x * x
    written = T.set_subtensor(square[slice(-1, None, 2), None], square)
    a, b = np.array([2.0]), np.arange(3.0)
    found = compute([x, z], [T.repeat(abs(abs(x)), 0, axis=-1), written, z ** 2], [a, b], "FAST_RUN")
    for got, wanted in zip(found, (a[:0], a ** 2, b ** 2), strict=True):
        np.testing.assert_array_equal(got, wanted)
