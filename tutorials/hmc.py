"""Hybrid Monte Carlo: drawing from a distribution by letting points roll.

A random walk finds its way through many dimensions slowly. Here a point is given a random velocity and then follows the
laws of mechanics for a while, downhill where the density grows [1]_. With the energy ``E(x) = -log p(x)`` up to a
constant, and unit masses::

    dx/dt = v        dv/dt = -dE/dx        E(x) + v.v / 2 stays the same

So it comes far, and where it arrives is nearly as probable as where it began. Time is cut into *leapfrog* steps, which
keep volumes and can be undone; what they do not keep exactly of the energy is made good by accepting the new place
with probability ``min(1, exp(-change of energy))``. Then the points that are visited have the density p [2]_.

The program is a loop in a loop: `symgraph.scan` over the leapfrog steps, in which `symgraph.grad` gives the force, in a
`symgraph.scan` over the points to draw, in which random numbers are drawn. One call of one function draws them all. The
length of the steps is found while warming up: longer if more points are accepted than wanted, shorter if fewer.

Any energy can be put in the place of the one here, a Gaussian's, whose mean and covariance are known: what was drawn
is compared with them.

Run it with::

    python -m tutorials.hmc                                                # 10 dimensions
    python -m tutorials.hmc --dimensions 100 --chains 200 --samples 500    # more of everything
    python -m tutorials.hmc --dimensions 2 --chains 10 --samples 200       # a moment

References
----------
.. [1] S. Duane, A. D. Kennedy, B. J. Pendleton, D. Roweth, "Hybrid Monte Carlo", Physics Letters B 195, 1987.
.. [2] R. M. Neal, "MCMC using Hamiltonian dynamics", Handbook of Markov Chain Monte Carlo, 2011.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.random import RandomStreams
from tutorials.flags import count, seed

__all__ = ["Gaussian", "Sampler", "main", "write_sampler"]

WANTED = 0.8  # the share of points to accept: what costs least in many dimensions
FIRST_STEP = 0.01

Energy = Callable[[T.TensorVariable], T.TensorVariable]


class Gaussian:
    """A Gaussian with a mean and a covariance drawn at random.

    Parameters
    ----------
    dimensions : int
    rng : Generator
    """

    def __init__(self, dimensions: int, rng: np.random.Generator) -> None:
        directions, _ = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))
        widths = np.linspace(0.3, 1.5, dimensions)
        self.mean = rng.uniform(-3, 3, dimensions)
        self.covariance = directions * widths**2 @ directions.T
        self._precision = directions / widths**2 @ directions.T

    def energy(self, x: T.TensorVariable) -> T.TensorVariable:
        """-log p of points, a row each, up to a constant."""
        away = x - self.mean
        return 0.5 * T.sum(T.dot(away, self._precision) * away, axis=1)


@dataclass(frozen=True)
class Sampler:
    """Compiled functions that move a number of points, each a chain of its own.

    Attributes
    ----------
    warm_up, draw : callable
        Of a number of moves: the points after each of them, (moves, chains, dimensions), and the share of them that was
        accepted in each. Warming up, the length of the steps is adapted, and what is drawn has not quite the density.
    places, length : SharedVariable
        Where the points are; the length of a leapfrog step.
    """

    warm_up: Callable[[int], list[np.ndarray]]
    draw: Callable[[int], list[np.ndarray]]
    places: Any
    length: Any


def leapfrog(energy: Energy, x: T.TensorVariable, v: T.TensorVariable, length: T.TensorVariable,
             steps: int) -> tuple[T.TensorVariable, T.TensorVariable]:
    """Roll for some steps: half a push, then places and pushes in turn, and the last push is half of one again."""

    def force(x: T.TensorVariable) -> T.TensorVariable:
        return -sg.grad(T.sum(energy(x)), x)

    def step(x: T.TensorVariable, v: T.TensorVariable) -> list[T.TensorVariable]:
        x = x + length * v
        return [x, v + length * force(x)]

    (xs, vs), _ = sg.scan(step, outputs_info=[x, v + length / 2 * force(x)], n_steps=steps)
    return xs[-1], vs[-1] - length / 2 * force(xs[-1])


def write_sampler(energy: Energy, places: np.ndarray, steps: int, seed: int) -> Sampler:
    """Write down hybrid Monte Carlo and compile it.

    Parameters
    ----------
    energy : callable
        From symbolic points, a row each, to their energies.
    places : array (chains, dimensions)
        Where to begin.
    steps : int
        Leapfrog steps a move.
    seed : int
    """
    streams = RandomStreams(seed)
    position = sg.shared(np.asarray(places), name="position")
    length = sg.shared(np.asarray(FIRST_STEP), name="length")
    moves = T.lscalar("moves")
    chains = position.shape[0]

    def move(x: T.TensorVariable, length: T.TensorVariable) -> tuple[T.TensorVariable, T.TensorVariable]:
        """Where the points go, and which of them do."""
        v = streams.normal(x.shape, dtype="float64")
        new_x, new_v = leapfrog(energy, x, v, length, steps)
        gained = (energy(new_x) + 0.5 * T.sum(new_v**2, axis=1)) - (energy(x) + 0.5 * T.sum(v**2, axis=1))
        accepted = T.log(streams.uniform((chains,), dtype="float64")) < -gained
        return T.switch(accepted.dimshuffle(0, "x"), new_x, x), T.mean(T.cast(accepted, "float64"))

    def warming(rate: T.TensorVariable, x: T.TensorVariable, length: T.TensorVariable) -> list[T.TensorVariable]:
        x, accepted = move(x, length)
        return [x, length * T.exp(rate * (accepted - WANTED)), accepted]

    def drawing(x: T.TensorVariable) -> list[T.TensorVariable]:
        return list(move(x, length))

    rates = 2 / T.sqrt(4.0 + T.arange(moves))  # quickly at first, then slowly enough for chance to even out
    (points, lengths, share), more = sg.scan(warming, rates, outputs_info=[position, length, None])
    found = T.exp(T.mean(T.log(lengths[moves // 2:])))
    warm_up = sg.function([moves], [points, share], updates=[*more.items(), (position, points[-1]), (length, found)])
    (points, share), more = sg.scan(drawing, outputs_info=[position, None], n_steps=moves)
    draw = sg.function([moves], [points, share], updates=[*more.items(), (position, points[-1])])
    return Sampler(warm_up, draw, position, length)


# ---- what was drawn, beside what is known ---------------------------------------------------------------------------


def deviations(drawn: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How many standard errors the means of the chains, together, are away from what they should be.

    Points of one chain depend on each other, chains do not: the error of their mean is told by how they differ.
    """
    chains = drawn.shape[0]
    error = drawn.std(axis=0, ddof=1) / np.sqrt(chains)
    away: np.ndarray = (drawn.mean(axis=0) - wanted) / error
    return away


def compare(points: np.ndarray, gaussian: Gaussian) -> float:
    """Print the mean and the covariance of points beside those of the Gaussian; the largest deviation of either."""
    away = points - gaussian.mean
    products = np.einsum("sci,scj->cij", away, away) / len(points)
    by_mean = deviations(points.mean(axis=0), gaussian.mean)
    by_covariance = deviations(products, gaussian.covariance)
    flat = points.reshape(-1, points.shape[-1])
    with np.printoptions(precision=3, suppress=True):
        print(f"mean        drawn {flat.mean(axis=0)[:5]}\n            true  {gaussian.mean[:5]}")
        print(f"covariance  drawn {np.cov(flat.T)[0, :5]}\n            true  {gaussian.covariance[0, :5]}")
    print(f"in standard errors, means are off by {np.sqrt(np.mean(by_mean**2)):.2f} on average and "
          f"{abs(by_mean).max():.2f} at most, covariances by {np.sqrt(np.mean(by_covariance**2)):.2f} and "
          f"{abs(by_covariance).max():.2f}")
    return float(max(abs(by_mean).max(), abs(by_covariance).max()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when mean and covariance come out as they should."""
    options = _parser().parse_args(arguments)
    if options.chains < 5:
        print("python -m tutorials.hmc: error: --chains must be at least 5, to tell errors by", file=sys.stderr)
        return 2
    rng = np.random.default_rng(options.seed)
    gaussian = Gaussian(options.dimensions, rng)
    started = time.perf_counter()
    start = rng.normal(size=(options.chains, options.dimensions))
    sampler = write_sampler(gaussian.energy, start, options.leapfrogs, options.seed)
    print(f"compiled in {time.perf_counter() - started:.2f} s")
    started = time.perf_counter()
    sampler.warm_up(options.warm_up)
    print(f"warmed up: leapfrog steps of {float(sampler.length.get_value()):.3f}")
    points, accepted = sampler.draw(options.samples)
    seconds = time.perf_counter() - started
    steps = (options.samples + options.warm_up) * options.leapfrogs
    print(f"{points.shape[0]} points of {points.shape[1]} chains in {points.shape[2]} dimensions, "
          f"{100 * float(np.mean(accepted)):.1f} % accepted, in {seconds:.2f} s: {1e6 * seconds / steps:.0f} us a "
          "leapfrog step of all chains")
    # The largest of so many numbers of Student's distribution, one in 10,000 times.
    from scipy.stats import t

    many = options.dimensions * (options.dimensions + 3) // 2
    most = float(t.isf(1e-4 / (2 * many), options.chains - 1))
    return int(compare(points, gaussian) > most)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tutorials.hmc",
                                     description="Draw from a Gaussian by hybrid Monte Carlo, and compare.")
    add = parser.add_argument
    add("--dimensions", type=count, default=10, metavar="N", help="of the Gaussian (%(default)s)")
    add("--chains", type=count, default=50, metavar="N", help="points that move side by side (%(default)s)")
    add("--samples", type=count, default=1000, metavar="N", help="moves of each of them (%(default)s)")
    add("--warm-up", type=count, default=200, metavar="N", help="moves before, to find the step (%(default)s)")
    add("--leapfrogs", type=count, default=10, metavar="N", help="steps a move (%(default)s)")
    add("--seed", type=seed, default=1, metavar="N", help="seed of the Gaussian and the moves (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
