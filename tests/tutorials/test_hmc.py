"""Hybrid Monte Carlo: its steps can be undone, and what it draws has the density."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from tutorials import hmc
from tutorials.hmc import Gaussian, deviations, leapfrog, write_sampler


def test_leapfrog_steps_keep_the_energy_and_can_be_undone() -> None:
    gaussian = Gaussian(3, np.random.default_rng(0))
    x, v, length = T.matrix("x"), T.matrix("v"), T.scalar("length")
    f = sg.function([x, v, length], leapfrog(gaussian.energy, x, v, length, 40))
    energy = sg.function([x, v], gaussian.energy(x) + 0.5 * T.sum(v**2, axis=1))
    rng = np.random.default_rng(1)
    places, velocities = rng.normal(size=(2, 5, 3))
    far, fast = f(places, velocities, 0.05)
    assert abs(far - places).max() > 1
    changes = []
    for step in (0.05, 0.025):
        arrived = f(places, velocities, step)
        changes.append(abs(energy(*arrived) - energy(places, velocities)).max())
    assert changes[0] < 0.05 * abs(energy(places, velocities)).max()
    assert changes[1] < changes[0]
    back, turned = f(far, -fast, 0.05)
    np.testing.assert_allclose(back, places, atol=1e-10)
    np.testing.assert_allclose(turned, -velocities, atol=1e-10)


@pytest.mark.parametrize("flags", [["--dimensions", "2", "--chains", "20", "--samples", "200"],
                                   ["--dimensions", "6", "--samples", "150", "--leapfrogs", "7"]])
def test_mean_and_covariance_come_out(capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
    assert hmc.main(flags) == 0
    told = capsys.readouterr().out
    assert "standard errors" in told
    accepted = float(told.split(" % accepted")[0].split(", ")[-1])
    assert 70 < accepted < 90  # the step was adapted


def test_another_density() -> None:
    """Two hills: exp(-(x**2 - 4)**2 / 8) of one dimension, by its moments."""
    sampler = write_sampler(lambda x: T.sum((x**2 - 4) ** 2 / 8, axis=1), np.ones((60, 1)), 10, 3)
    with np.errstate(over="ignore", invalid="ignore"):  # steps that are too long lead to infinity, and are refused
        sampler.warm_up(150)
        points, accepted = sampler.draw(400)
    assert points.shape == (400, 60, 1)
    assert 0.5 < accepted.mean() < 1
    grid = np.linspace(-6, 6, 4001)
    density = np.exp(-((grid**2 - 4) ** 2) / 8)
    density /= density.sum()
    for power in (1, 2, 4):
        wanted = (grid**power * density).sum()
        assert abs(deviations((points[:, :, 0] ** power).mean(axis=0), wanted)) < 5
    assert (points < -1).any()
    assert (points > 1).any()


def test_what_differs_is_told() -> None:
    """Points of another Gaussian do not pass."""
    rng = np.random.default_rng(0)
    gaussian, other = Gaussian(2, rng), Gaussian(2, rng)
    points = rng.multivariate_normal(other.mean, other.covariance, size=(100, 20))
    assert hmc.compare(points, gaussian) > 10
    points = rng.multivariate_normal(gaussian.mean, gaussian.covariance, size=(100, 20))
    assert hmc.compare(points, gaussian) < 5


def test_the_same_seed_draws_the_same_points() -> None:
    gaussian = Gaussian(2, np.random.default_rng(0))
    runs = []
    for _ in range(2):
        sampler = write_sampler(gaussian.energy, np.zeros((5, 2)), 5, 7)
        sampler.warm_up(5)
        runs.append(sampler.draw(5)[0])
    np.testing.assert_array_equal(*runs)
    assert (sampler.draw(5)[0] != runs[0]).any()


def test_too_few_chains(capsys: pytest.CaptureFixture[str]) -> None:
    assert hmc.main(["--chains", "2"]) == 2
    assert "--chains must be at least 5" in capsys.readouterr().err
