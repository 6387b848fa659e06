"""Run random graphs: ``python -W ignore -m tests.fuzz --graphs 1000 --seed 0``.

Every mismatch is printed as it is found, with the seed that gives it again and the program cut down to what still
disagrees; how far the run is, every half minute. The summary counts graphs, their nodes, the operations of the table
that occurred, the comparisons of arrays, and what was judged by extended precision (`tests.fuzz.truth`) or could not
be judged because rounding alone moves it. The exit status is 1 where there were mismatches.

With ``--tiles`` FAST_RUN takes loops over tiles and threads, which otherwise are for large arrays. With ``--indexing``,
random index expressions instead.
"""

from __future__ import annotations

import argparse
import faulthandler
import time
import traceback
from collections import Counter
from contextlib import nullcontext

import numpy as np

from tests.fuzz import indexing
from tests.fuzz.compare import check
from tests.fuzz.minimise import minimise
from tests.fuzz.recipes import Choose, Recipe, Step, grow
from tests.fuzz.small_tiles import small_tiles
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


def again(seed: int, option: str = "") -> str:
    """The command that gives one graph again."""
    return f"==== mismatch: python -W ignore -m tests.fuzz --graphs 1 --seed {seed}{option}"


def report(heading: str, recipe: Recipe | None, error: Exception) -> str:
    """A mismatch in full; the recipe cut down while the same kind of thing is wrong."""
    lines = [heading]
    if recipe is not None:
        small = minimise(recipe, lambda r: type(failure(r)) is type(error))
        error = failure(small) or error
        lines.append(small.describe())
    lines.append(f"{type(error).__name__}: {error}"[:3000])
    if not isinstance(error, AssertionError):
        lines.append("".join(traceback.format_exception(error)[-4:]))
    return "\n".join(lines)


class Progress:
    """Prints how far a run is, every half minute; and where it is, when one seed takes five minutes.

    Attributes
    ----------
    count : int
        The mismatches so far.
    """

    def __init__(self, seeds: range, every: float = 30.0) -> None:
        self.seeds, self.every, self.count = seeds, every, 0
        self.start = self.last = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return time.perf_counter() - self.start

    def found(self, text: str) -> None:
        """Print a mismatch."""
        self.count += 1
        print(text, flush=True)

    def done(self, seed: int) -> None:
        """A seed is done."""
        faulthandler.dump_traceback_later(300)
        if time.perf_counter() - self.last > self.every:
            self.last = time.perf_counter()
            number = seed - self.seeds.start + 1
            print(f"  {number} of {len(self.seeds)}, {self.count} mismatches, {self.seconds:.0f} s", flush=True)


def run(seeds: range, tally: Counter[str], tiles: bool = False) -> int:
    """The number of mismatches; each is printed."""
    with small_tiles() if tiles else nullcontext():
        return run_graphs(seeds, tally, " --tiles" if tiles else "")


def run_graphs(seeds: range, tally: Counter[str], option: str) -> int:
    """The number of mismatches; each is printed."""
    progress = Progress(seeds)
    covered: set[str] = set()
    for seed in seeds:
        recipe = None
        try:
            recipe = grow(seeded(seed), OPERATIONS)
            tally["graphs"] += 1
            tally["nodes"] += len(recipe.steps)
            covered.update(node.operation.name for node in recipe.nodes if isinstance(node, Step))
            check(recipe, tally)
        except Exception as error:
            progress.found(report(again(seed, option), recipe, error))
        progress.done(seed)
    tally["operations covered"] = len(covered)
    missed = sorted({o.name for o in OPERATIONS} - covered)
    if missed and tally["graphs"] >= 1000:
        print(f"operations never drawn: {', '.join(missed)}")
    return progress.count


def run_indexing(seeds: range, tally: Counter[str]) -> int:
    """The number of mismatches; each is printed. One case in five is differentiated."""
    progress = Progress(seeds)
    for seed in seeds:
        try:
            tally["index expressions"] += 1
            indexing.check(indexing.grown(seeded(seed)), gradients=seed % 5 == 0)
        except Exception as error:
            progress.found(f"{again(seed, ' --indexing')}\n{type(error).__name__}: {error}")
        progress.done(seed)
    return progress.count


def summary(tally: Counter[str]) -> str:
    """The run in one line, and what else was counted."""
    first = ("graphs", "nodes", "operations covered", "comparisons", "index expressions")
    judged = sum(n for what, n in tally.items() if what.endswith("judged by extended precision"))
    line = ", ".join(f"{tally[what]} {what}" for what in first if tally[what])
    rest = "".join(f"\n  {what}: {number}" for what, number in sorted(tally.items()) if what not in first)
    return f"{line}, {judged} judged by extended precision{rest}"


def main() -> None:
    """Parse the command line, run, and print the tally."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--graphs", type=int, default=1000, help="how many graphs in all")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first")
    parser.add_argument("--shards", type=int, default=1, help="into how many parts they are divided")
    parser.add_argument("--shard", type=int, default=0, help="which part to run")
    parser.add_argument("--indexing", action="store_true", help="index expressions instead of graphs")
    parser.add_argument("--tiles", action="store_true", help="loops over tiles and threads, however small the arrays")
    options = parser.parse_args()
    first = options.seed + options.graphs * options.shard // options.shards
    last = options.seed + options.graphs * (options.shard + 1) // options.shards
    tally: Counter[str] = Counter()
    start = time.perf_counter()
    seeds = range(first, last)
    count = run_indexing(seeds, tally) if options.indexing else run(seeds, tally, options.tiles)
    print(f"seeds {first} to {last - 1}: {count} mismatches, {time.perf_counter() - start:.0f} s")
    print(summary(tally))
    raise SystemExit(count > 0)


if __name__ == "__main__":
    main()
