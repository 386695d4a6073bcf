"""Density of predators and prey, whose equations are solved to a tolerance, against arithmetic of many digits."""

import sys
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # models/ is part of the checkout, not of the installed package

from models.posteriordb._posteriors import ReferencePosterior

REFERENCE = ReferencePosterior("hudson_lynx_hare-lotka_volterra")
POINTS = REFERENCE.golden["points"]

# Log density at the golden points and its derivative along their directions, by `log_density` below with 64 steps a
# year of Taylor series of order 40 in 40 digits (100 steps give the same 36), and central differences of step 1e-13.
EXACT = [
    ("-828.3021419743338962921754", "-54.41957270332907312225553"),
    ("-128.8365001837474439806702", "8.838382204496730440404002"),
    ("-128.0483973753447504511768", "21.72109399615203790489003"),
]


def taylor_step(u, v, rates, h, order):
    """Prey and predators after a time h: the coefficients of their Taylor series follow from the equations."""
    alpha, beta, gamma, delta = rates
    prey, predators = [u], [v]
    for k in range(order):
        meetings = mp.fdot(prey, predators[::-1])
        prey.append((alpha * prey[k] - beta * meetings) / (k + 1))
        predators.append((delta * meetings - gamma * predators[k]) / (k + 1))
    powers = [h**k for k in range(order + 1)]
    return mp.fdot(prey, powers), mp.fdot(predators, powers)


def normal(x, mu, sigma):
    return -mp.log(sigma) - mp.log(2 * mp.pi) / 2 - ((x - mu) / sigma) ** 2 / 2


def lognormal(x, mu, sigma):
    return normal(mp.log(x), mu, sigma) - mp.log(x)


def log_density(data, theta, z_init, sigma, steps=12, order=16):
    """The model's log density, solved with so many steps a year."""
    found = sum(map(normal, theta, [mp.mpf(1), mp.mpf(0.05)] * 2, [mp.mpf(0.5), mp.mpf(0.05)] * 2))
    found += sum(lognormal(s, -1, 1) for s in sigma) + sum(lognormal(z, mp.log(10), 1) for z in z_init)
    state = tuple(z_init)
    for seen in [data["y_init"], *data["y"]]:
        found += sum(lognormal(float(y), mp.log(z), s) for y, z, s in zip(seen, state, sigma, strict=True))
        for _ in range(steps):
            state = taylor_step(*state, theta, mp.mpf(1) / steps, order)
    return found


def along(point, t):
    """The parameters at a golden point, moved by t in its direction."""
    return {
        name: [mp.mpf(x) + t * mp.mpf(d) for x, d in zip(value, point["direction"]["parameters"][name], strict=True)]
        for name, value in point["parameters"].items()
    }


def test_the_exact_values_are_those_of_taylor_series():
    data, point, (value, slope) = REFERENCE.posterior.data, POINTS[1], EXACT[1]
    with mp.workdps(30):
        h = mp.mpf(10) ** -10
        lower, middle, upper = (log_density(data, **along(point, t)) for t in (-h, 0, h))
        assert abs(middle - mp.mpf(value)) < 1e-18
        assert abs((upper - lower) / (2 * h) - mp.mpf(slope)) < 1e-15


def test_log_densities_and_their_differences_are_the_exact_ones_to_ten_and_eight_digits():
    ours = [-REFERENCE.posterior.neg_log_posterior(point["parameters"]) for point in POINTS]
    exact = [float(value) for value, _ in EXACT]
    np.testing.assert_allclose(ours, exact, rtol=2e-10)
    np.testing.assert_allclose(np.subtract(ours, ours[-1])[:2], np.subtract(exact, exact[-1])[:2], rtol=5e-9)
    values = [REFERENCE.posterior.unconstrained.pack(point["parameters"]) for point in POINTS]
    with_gradient = [REFERENCE.posterior.unconstrained.log_density_and_gradient(q)[0] for q in values]
    jacobian = [point["log_density_with_jacobian"] - point["log_density"] for point in POINTS]
    np.testing.assert_allclose(np.subtract(with_gradient, jacobian), exact, rtol=2e-11)


def test_derivatives_are_the_exact_ones_to_nine_digits():
    for point, (_, slope) in zip(POINTS, EXACT, strict=True):
        gradient = REFERENCE.posterior.gradient(point["parameters"])
        direction = point["direction"]["parameters"]
        ours = -sum(np.sum(gradient[name] * np.asarray(step)) for name, step in direction.items())
        assert ours == pytest.approx(float(slope), rel=1e-9)


def test_the_golden_values_are_exact_to_their_own_tolerance():
    for point, (value, slope) in zip(POINTS, EXACT, strict=True):
        assert point["log_density"] == pytest.approx(float(value), abs=2e-10)
        assert point["direction"]["log_density"] == pytest.approx(float(slope), rel=2e-9)
