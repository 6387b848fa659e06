"""Random graphs over all dtypes: NumPy, the unrewritten program and FAST_RUN agree."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import indexing
from tests.fuzz.__main__ import seeded
from tests.fuzz.compare import check
from tests.fuzz.minimise import minimise
from tests.fuzz.recipes import Choose, Leaf, Mismatch, Operation, Recipe, Step, grow
from tests.fuzz.small_tiles import small_tiles
from tests.fuzz.table import OPERATIONS

RELAXED = settings(
    deadline=None, derandomize=True, database=None, print_blob=False, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def choices(numbers: bytes) -> Choose:
    """What a recipe is grown from, as numbers given beforehand: zeros when they are used up."""
    supply = iter(numbers)
    return lambda n: next(supply, 0) % n


def compare(choose: Choose) -> None:
    """One random graph. NumPy warns of overflow on its own account."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recipe = grow(choose, OPERATIONS)
        try:
            check(recipe)
        except Exception as error:
            error.add_note(recipe.describe())
            raise


@settings(RELAXED, max_examples=60)
@given(st.binary(min_size=60, max_size=1000))
def test_random_graphs(numbers: bytes) -> None:
    compare(choices(numbers))


@pytest.mark.parametrize("block", range(3))
def test_seeded_graphs(block: int) -> None:
    """Hypothesis likes small numbers; these are spread evenly."""
    for seed in range(30 * block, 30 * (block + 1)):
        compare(seeded(seed))


def test_seeded_graphs_in_tiles() -> None:
    """In loops over tiles and threads, which large arrays take."""
    with small_tiles():
        for seed in range(100, 140):
            compare(seeded(seed))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(40))
def test_many_random_graphs(block: int) -> None:
    """10,000 graphs; ``python -m tests.fuzz`` runs any number, and cuts down what fails."""
    for seed in range(250 * block, 250 * (block + 1)):
        try:
            compare(seeded(seed))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@settings(RELAXED, max_examples=60)
@given(st.binary(min_size=20, max_size=200))
def test_random_index_expressions(numbers: bytes) -> None:
    indexing.check(indexing.grown(choices(numbers)), gradients=False)


def test_gradients_of_seeded_index_expressions() -> None:
    for seed in range(30):
        indexing.check(indexing.grown(seeded(seed)))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(8))
def test_many_random_index_expressions(block: int) -> None:
    for seed in range(500 * block, 500 * (block + 1)):
        indexing.check(indexing.grown(seeded(seed)), gradients=seed % 5 == 0)


def test_a_wrong_operation_is_found_and_cut_down() -> None:
    """What NumPy is told to compute otherwise is a mismatch, and all that has nothing to do with it goes."""
    table = {o.name: o for o in OPERATIONS}
    wrong = Operation("wrong", table["sub"].symbolic, np.add, table["sub"].draw)
    leaf = Leaf(np.array([1.0, 2.0]), (None,))
    recipe = Recipe((leaf, Step(table["exp"], (0,)), Step(table["neg"], (1,)), Step(wrong, (2, 1)),
                     Step(table["sum"], (3,), {"axis": None, "keepdims": False}), Step(table["cos"], (0,))))

    def fails(other: Recipe) -> bool:
        try:
            check(other)
        except Mismatch:
            return True
        return False

    assert fails(recipe)
    small = minimise(recipe, fails)
    assert [node.operation.name for node in small.nodes if isinstance(node, Step)] == ["wrong"]
