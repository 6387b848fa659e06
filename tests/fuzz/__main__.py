"""Run random graphs: ``python -m tests.fuzz --graphs 1000 --seed 0``; every mismatch is printed, cut down.

With ``--indexing``, random index expressions instead.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections import Counter

import numpy as np

from tests.fuzz import indexing
from tests.fuzz.compare import check
from tests.fuzz.minimise import minimise
from tests.fuzz.recipes import Choose, Recipe, grow
from tests.fuzz.table import OPERATIONS


def seeded(seed: int) -> Choose:
    """Choices from a seeded generator."""
    rng = np.random.default_rng(seed)
    return lambda n: int(rng.integers(n))


def failure(recipe: Recipe) -> Exception | None:
    """What is wrong with a recipe, if anything is."""
    try:
        check(recipe)
    except Exception as error:
        return error
    return None


def report(seed: int, recipe: Recipe | None, error: Exception) -> str:
    """A mismatch in full; the recipe cut down while the same kind of thing is wrong."""
    lines = [f"==== seed {seed}: {type(error).__name__}"]
    if recipe is not None:
        small = minimise(recipe, lambda r: type(failure(r)) is type(error))
        error = failure(small) or error
        lines.append(small.describe())
    lines.append(f"{type(error).__name__}: {error}"[:3000])
    if not isinstance(error, AssertionError):
        lines.append("".join(traceback.format_exception(error)[-4:]))
    return "\n".join(lines)


def run(seeds: range, tally: Counter[str]) -> int:
    """The number of mismatches; each is printed."""
    count = 0
    for seed in seeds:
        recipe = None
        try:
            recipe = grow(seeded(seed), OPERATIONS)
            tally["graphs"] += 1
            tally["nodes"] += len(recipe.steps)
            check(recipe, tally)
        except Exception as error:
            count += 1
            print(report(seed, recipe, error), flush=True)
    return count


def run_indexing(seeds: range, tally: Counter[str]) -> int:
    """The number of mismatches; each is printed. One case in five is differentiated."""
    count = 0
    for seed in seeds:
        try:
            tally["index expressions"] += 1
            indexing.check(indexing.grown(seeded(seed)), gradients=seed % 5 == 0)
        except Exception as error:
            count += 1
            print(f"==== seed {seed}: {type(error).__name__}: {error}", flush=True)
    return count


def main() -> None:
    """Parse the command line, run, and print the tally."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--graphs", type=int, default=1000, help="how many graphs in all")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first")
    parser.add_argument("--shards", type=int, default=1, help="into how many parts they are divided")
    parser.add_argument("--shard", type=int, default=0, help="which part to run")
    parser.add_argument("--indexing", action="store_true", help="index expressions instead of graphs")
    options = parser.parse_args()
    first = options.seed + options.graphs * options.shard // options.shards
    last = options.seed + options.graphs * (options.shard + 1) // options.shards
    tally: Counter[str] = Counter()
    start = time.perf_counter()
    count = (run_indexing if options.indexing else run)(range(first, last), tally)
    print(f"seeds {first} to {last - 1}: {count} mismatches, {time.perf_counter() - start:.0f} s")
    for what, number in sorted(tally.items()):
        print(f"  {what}: {number}")
    raise SystemExit(count > 0)


if __name__ == "__main__":
    main()
