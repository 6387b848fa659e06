"""Kernels: which steps share a loop, that the loop is legal, and that tiles give what whole arrays give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from backends.numpy import threads, tiles
from symgraph.graph.basic import Apply
from symgraph.plan.fusion import fuse
from symgraph.plan.kernel import role_of
from tests.compile.test_updates import interrupted_at
from tests.plan.test_fuzz import RELAXED, check, choices


@pytest.fixture
def always_in_tiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every kernel runs in tiles, of a few elements each, on three threads."""
    for module, name, value in ((tiles, "_LEAST", 0), (tiles, "_MOST", 0), (tiles, "_LEAST_ROWS", 1),
                                (threads, "_TILE", 3), (threads, "_LEAST_OF_CHUNK", 1)):
        monkeypatch.setattr(module, name, value)
    with sg.config.change_flags(threads=3):
        yield


def kernels_of(f: Any) -> list[list[str]]:
    """The operations of each kernel."""
    return [[str(step.node.op) for step in kernel.steps] for kernel in f.plan.kernels]


# ---- what is fused ----------------------------------------------------------------------------------------------


def test_a_chain_is_one_kernel() -> None:
    x, y = T.dvectors("xy")
    f = sg.function([x, y], T.tanh(x * y) + T.exp(x))
    assert kernels_of(f) == [["mul", "tanh", "exp", "add"]]


def test_a_row_reduction_stays_inside() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], T.nnet.softmax(x))
    assert [kernel.steps for kernel in f.plan.kernels] == [f.plan.steps]


def test_a_reduction_over_rows_ends_a_kernel() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], T.exp(x - T.exp(x).sum(axis=0)))
    assert [len(k) for k in kernels_of(f)] == [2, 2]


def test_both_sums_of_one_array_share_a_kernel() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], [x.sum(axis=0), x.sum(axis=1), x.max()])
    assert [len(k) for k in kernels_of(f)] == [3]


def test_a_product_in_between_keeps_apart() -> None:
    x, w = T.dmatrices("xw")
    e = T.exp(x)
    f = sg.function([x, w], T.tanh(T.dot(e, w)) + e)  # exp must be whole before the product, tanh comes after it
    made = {str(step.node.op): step.kernel for step in f.plan.steps}
    assert made["exp"] is not made["tanh"]
    assert made["tanh"] is made["add"]


def test_a_result_that_returns_through_another_unit_keeps_apart() -> None:
    x = T.dmatrix("x")
    exp = T.exp(x)
    f = sg.function([x], exp * T.exp(exp.sum(axis=0)) + T.cumsum(T.tanh(exp), axis=0))
    f.plan.check()
    e = np.exp(np.eye(3))
    np.testing.assert_allclose(f(np.eye(3)), e * np.exp(e.sum(axis=0)) + np.cumsum(np.tanh(e), axis=0))


def test_small_arrays_of_known_shape_need_no_kernel() -> None:
    x = T.tensor("float64", shape=(10, 10))
    assert sg.function([x], T.exp(x) + 1).plan.kernels == []


def units_are_legal(nodes: list[Apply]) -> None:
    """No circle between units, and inside a loop everything is read row by row."""
    units = [(unit.nodes, bool(unit.roles)) for unit in fuse(nodes)]
    assert sorted(map(id, (n for unit, _ in units for n in unit))) == sorted(map(id, nodes))
    graph = nx.DiGraph()
    maker = {o: k for k, (unit, _) in enumerate(units) for node in unit for o in node.outputs}
    graph.add_edges_from((maker[v], k) for k, (unit, _) in enumerate(units) for node in unit for v in node.inputs
                         if v in maker and maker[v] != k)
    assert nx.is_directed_acyclic_graph(graph)
    assert all(a < b for a, b in graph.edges)
    for k, (unit, loop) in enumerate(units):
        for node in unit if loop else ():
            role = role_of(node)
            assert role is not None
            inside = [i for i, v in enumerate(node.inputs) if maker.get(v) == k]
            assert set(inside) <= set(role.by_rows)
            assert not any(role_of(node.inputs[i].owner).over_rows for i in inside)  # type: ignore[union-attr]


@RELAXED
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=40))
def test_units_of_random_graphs(moves: list[tuple[int, int, int]]) -> None:
    x = T.dmatrix("x")
    pool = [x, T.dvector("b")]
    for kind, i, j in moves:
        a, b = pool[i % len(pool)], pool[j % len(pool)]
        made = [lambda a, b: T.exp(a), lambda a, b: a + b, lambda a, b: a.sum(axis=0) if a.ndim else a,
                lambda a, b: a.max(axis=-1, keepdims=True) if a.ndim else a, lambda a, b: a.T,
                lambda a, b: T.dot(a, b) if a.ndim == b.ndim == 2 else T.tanh(b)][kind](a, b)
        pool.append(made)
    graph = sg.graph.FunctionGraph([x, pool[1]], pool[2:])
    units_are_legal(graph.toposort())


# ---- what a kernel gives ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("always_in_tiles")
class TestTiles:
    @RELAXED
    @given(st.binary(min_size=40, max_size=800))
    def test_memory_of_random_programs(self, numbers: bytes) -> None:
        check(choices(numbers))

    @pytest.mark.slow
    @pytest.mark.timeout(3600)
    @pytest.mark.parametrize("block", range(10))
    def test_memory_of_many_random_programs(self, block: int) -> None:
        for seed in range(500 * block, 500 * (block + 1)):
            rng = np.random.default_rng(seed)
            try:
                check(lambda n, rng=rng: int(rng.integers(n)), threads=4 if seed % 20 == 0 else 0)  # type: ignore[misc]
            except Exception as error:
                error.add_note(f"seed {seed}")
                raise

    def test_lengths_are_checked_before_the_loop(self) -> None:
        x, y, b = T.dmatrix("x"), T.dmatrix("y"), T.dvector("b")
        f = sg.function([x, y, b], T.exp(x * y) + b)
        with pytest.raises(ValueError, match=r"add: shapes \(4, 3\) and \(2,\) do not fit together"):
            f(np.ones((4, 3)), np.ones((4, 3)), np.ones(2))
        with pytest.raises(ValueError, match=r"mul: shapes \(4, 3\) and \(5, 3\) do not fit together"):
            f(np.ones((4, 3)), np.ones((5, 3)), np.ones(3))

    def test_an_error_in_a_tile_names_the_line(self) -> None:
        x = T.dvector("x")
        y = T.log(x) * 2
        f = sg.function([x], y)
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError) as caught:
            f(np.arange(100.0))
        assert "test_kernels.py" in "".join(caught.value.__notes__)
        with np.errstate(divide="ignore"):
            assert f(np.arange(100.0))[0] == -np.inf

    def test_the_number_of_threads_does_not_matter(self) -> None:
        x = T.fmatrix("x")
        f = sg.function([x], [T.exp(x).sum(), T.tanh(x).sum(axis=0), T.nnet.softmax(x).max()])
        value = np.random.default_rng(0).normal(size=(301, 7)).astype("float32")
        wanted = f(value)
        for count in (1, 2, 5):
            with sg.config.change_flags(threads=count):
                for got, right in zip(f(value), wanted, strict=True):
                    np.testing.assert_array_equal(got, right)


def test_large_arrays_go_through_tiles() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], [T.exp(x).sum(axis=0), T.log(1 + T.exp(x))])
    value = np.random.default_rng(0).normal(size=(6000, 200))
    sums, softplus = f(value)
    np.testing.assert_allclose(sums, np.exp(value).sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(softplus, np.logaddexp(0, value), rtol=1e-13)


# ---- values computed over shared values -------------------------------------------------------------------------


def rmsprop(w: Any, memory: Any, x: Any, **options: Any) -> Any:
    """A step of RMSProp on the sum of squares of x - w; the gradient comes from elsewhere, as a product does."""
    gradient = T.dot(T.eye(w.get_value().shape[0]), w - x)
    new = 0.9 * memory + 0.1 * gradient**2
    return sg.function([x], [], updates=[(memory, new), (w, w - 0.1 * gradient / T.sqrt(new + 1e-3))], **options)


def by_hand(w: Any, memory: Any, x: Any) -> None:
    gradient = w - x
    memory[...] = 0.9 * memory + 0.1 * gradient**2
    w -= 0.1 * gradient / np.sqrt(memory + 1e-3)


@pytest.mark.usefixtures("always_in_tiles")
class TestOver:
    def test_updates_are_computed_over_the_values(self) -> None:
        x = T.dmatrix("x")
        w, memory = sg.shared(np.ones((30, 4)), "w"), sg.shared(np.zeros((30, 4)), "memory")
        f = rmsprop(w, memory, x)
        (over,) = [k.over for k in f.plan.kernels if k.over]
        assert set(over.values()) == {w, memory}
        right, squares, value = np.ones((30, 4)), np.zeros((30, 4)), np.random.default_rng(0).normal(size=(30, 4))
        where = [v.get_value(borrow=True).ctypes.data for v in (w, memory)]
        for _ in range(3):
            f(value)
            by_hand(right, squares, value)
            np.testing.assert_allclose(w.get_value(), right)
            np.testing.assert_allclose(memory.get_value(), squares)
        assert [v.get_value(borrow=True).ctypes.data for v in (w, memory)] == where

    def test_values_somebody_holds_stay(self) -> None:
        x = T.dmatrix("x")
        w, memory = sg.shared(np.ones((30, 4)), "w"), sg.shared(np.zeros((30, 4)), "memory")
        f = rmsprop(w, memory, x)
        held = w.get_value(borrow=True)
        view = memory.get_value(borrow=True)[3:]
        right, squares, value = np.ones((30, 4)), np.zeros((30, 4)), np.full((30, 4), 2.0)
        f(value)
        by_hand(right, squares, value)
        np.testing.assert_array_equal(held, np.ones((30, 4)))
        np.testing.assert_array_equal(view, np.zeros((27, 4)))
        np.testing.assert_allclose(w.get_value(), right)
        np.testing.assert_allclose(memory.get_value(), squares)

    def test_an_old_value_that_is_returned_or_read_elsewhere(self) -> None:
        x = T.dmatrix("x")
        w, other = sg.shared(np.ones((30, 4)), "w"), sg.shared(np.zeros((30, 4)), "other")
        f = sg.function([x], [w, w.T, T.cumsum(w, axis=0)], updates=[(w, 0.5 * w + T.exp(x)), (other, w)])
        assert any(k.over for k in f.plan.kernels)
        for k in range(3):
            before = w.get_value()
            found = f(np.full((30, 4), float(k)))
            np.testing.assert_array_equal(found[0], before)
            np.testing.assert_array_equal(found[1], before.T)
            np.testing.assert_allclose(found[2], np.cumsum(before, axis=0))
            np.testing.assert_array_equal(other.get_value(), before)
            np.testing.assert_allclose(w.get_value(), 0.5 * before + np.exp(k))

    def test_values_that_read_each_other(self) -> None:
        u, v = sg.shared(np.full((30, 4), 2.0), "u"), sg.shared(np.full((30, 4), 3.0), "v")
        f = sg.function([], [], updates=[(u, T.tanh(u) + v), (v, T.exp(v) * u)])
        f()
        np.testing.assert_allclose(u.get_value(), np.tanh(2.0) + 3)
        np.testing.assert_allclose(v.get_value(), np.exp(3.0) * 2)

    def test_errors_asked_for_leave_the_values(self) -> None:
        w, n = sg.shared(np.full((30, 4), 1e300), "w"), sg.shared(np.zeros(30), "n")
        f = sg.function([], [], updates=[(w, (w * w) * 2), (n, n + 1)])
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            f()
        np.testing.assert_array_equal(w.get_value(), np.full((30, 4), 1e300))
        np.testing.assert_array_equal(n.get_value(), np.zeros(30))
        with pytest.warns(RuntimeWarning, match="overflow encountered in an update"):
            f()
        assert np.isinf(w.get_value()).all()
        np.testing.assert_array_equal(n.get_value(), np.ones(30))
        with np.errstate(all="ignore"):
            f()

    def test_an_interrupt_at_any_instruction_finds_all_or_nothing(self) -> None:
        """Values computed over by a loop and by a product, and one that is replaced."""
        x = T.dmatrix("x")
        w, u, n = (sg.shared(np.zeros(shape), "wun"[i]) for i, shape in enumerate([(9, 4), (4, 4), (2,)]))
        f = sg.function([x], [], updates=[(w, 2 * T.tanh(w) + x), (u, u + T.dot(x.T, x)), (n, n + 1)])
        assert any(kernel.over for kernel in f.plan.kernels)
        assert any(step.commits for step in f.plan.steps)
        value, outcomes, position = np.ones((9, 4)), set(), 1
        f(value)
        while True:
            before = [v.get_value() for v in (w, u, n)]
            wanted = [2 * np.tanh(before[0]) + 1, before[1] + 9, before[2] + 1]
            interrupted = interrupted_at(position, lambda: f(value))
            after = [v.get_value() for v in (w, u, n)]
            same = [all(map(np.allclose, after, known)) for known in (before, wanted)]
            assert any(same), f"interrupted before instruction {position}"
            outcomes.add((interrupted, same[1]))
            if not interrupted:
                break
            position += 3
        assert outcomes >= {(True, False), (False, True)}
