"""Integers of the host: found where only positions and lengths are meant, exact, and tensors everywhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.plan import find_numbers


def numbers_of(f: Any) -> set[str]:
    results = [o.variable for o in f.plan.outputs] + [u.variable for u in f.plan.updates]
    return {str(v.owner.op) for v in find_numbers(f.plan.steps, results)}


def test_bounds_of_a_slice_are_numbers() -> None:
    x, i = T.dmatrix("x"), T.lscalar("i")
    f = sg.function([x, i], x[i * 3:(i + 1) * 3].sum(axis=1))
    assert numbers_of(f) == {"mul", "add"}
    np.testing.assert_array_equal(f(np.ones((7, 2)), 1), [2, 2, 2])
    np.testing.assert_array_equal(f(np.ones((7, 2)), 2), [2])


def test_what_is_returned_or_reckoned_with_further_is_a_tensor() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    f = sg.function([x, i], [x[i + 1:], i + 1, x[i * 2:], T.exp(i * 2), x[(i - 1) // 2]])
    assert numbers_of(f) == set()
    found = f(np.arange(6.0), 2)
    np.testing.assert_array_equal(found[0], [3, 4, 5])
    assert found[1].dtype == np.int64
    np.testing.assert_array_equal(found[2], [4, 5])
    assert found[3] == np.exp(4)
    assert found[4] == 0


def test_a_length_is_a_number_also_as_a_float() -> None:
    x = T.fmatrix("x")
    f = sg.function([x], [x.sum() / x.shape[0].astype("float32"), T.zeros((x.shape[0] + 1,)), x.reshape((x.size,))])
    assert numbers_of(f)
    mean, zeros, flat = f(np.ones((4, 2), "float32"))
    assert mean == 2
    assert mean.dtype == np.float32
    assert zeros.shape == (5,)
    assert flat.shape == (8,)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64"])
def test_positions_of_every_dtype(dtype: str) -> None:
    x, i = T.dmatrix("x"), T.scalar("i", dtype=dtype)
    f = sg.function([x, i], [x[i], x[i, i:], T.set_subtensor(x[i], 0.0), T.inc_subtensor(x[i:], 1.0)])
    value = np.arange(9.0).reshape(3, 3)
    row, part, put, added = f(value, np.asarray(1, dtype))
    np.testing.assert_array_equal(row, [3, 4, 5])
    np.testing.assert_array_equal(part, [4, 5])
    np.testing.assert_array_equal(put[1], np.zeros(3))
    np.testing.assert_array_equal(added[1:], value[1:] + 1)
    with pytest.raises(IndexError):
        f(value, np.asarray(3, dtype))


def test_bounds_do_not_wrap() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    f = sg.function([x, i], x[:i * 4])
    assert len(f(np.ones(3), 2**62)) == 3
