"""Roots, fixed points and minima: derivatives through the solution against closed forms and differences."""

import numpy as np
import pytest

import bayesad as ba
from bayesad import ad
from bayesad.errors import SolverError


def test_a_cubic_root_with_first_to_third_derivatives():
    def cube_root(a):
        return ad.root(lambda x: x**3 - a, 1.5)

    first = ad.gradient(cube_root, 5.0)
    second = ad.gradient(lambda a: ad.gradient(cube_root, a), 5.0)
    third = ad.gradient(lambda a: ad.gradient(lambda b: ad.gradient(cube_root, b), a), 5.0)
    assert np.isclose(cube_root(5.0), np.cbrt(5.0), rtol=1e-14)
    assert np.isclose(first, 5.0 ** (-2 / 3) / 3, rtol=1e-12)
    assert np.isclose(second, -2 / 9 * 5.0 ** (-5 / 3), rtol=1e-12)
    assert np.isclose(third, 10 / 27 * 5.0 ** (-8 / 3), rtol=1e-11)


def system(x, p):
    return np.stack([x[0] + 0.5 * np.sin(x[1]) - p[0], x[1] - np.exp(-p[1] * x[0])])


def solution(p):
    return ad.root(lambda x: system(x, p), [0.1, 0.1])  # p is closed over


def test_a_system_in_both_modes_against_differences():
    p = np.array([0.7, 1.2])
    assert np.allclose(system(solution(p), p), 0.0, atol=1e-14)
    step = 1e-5 * np.eye(2)
    differences = np.stack([(solution(p + s) - solution(p - s)) / 2e-5 for s in step], axis=1)
    assert np.allclose(ad.jacobian(solution, p), differences, rtol=1e-8)
    v = np.array([0.4, -1.0])
    assert np.allclose(ad.jvp(solution, p, v)[1], differences @ v, rtol=1e-8)
    hessian = ad.hessian(lambda p: np.sum(solution(p) ** 2), p)
    gradient = ad.compile(lambda p: ad.gradient(lambda q: np.sum(solution(q) ** 2), p))
    second = np.stack([(gradient(p + s) - gradient(p - s)) / 2e-5 for s in step], axis=1)
    assert np.allclose(hessian, second, rtol=1e-7, atol=1e-9)


def test_a_tree_of_unknowns_and_arguments():
    def f(x, scale):
        return {"a": x["a"] - scale * np.array([1.0, 2.0]), "b": x["b"] * x["a"][0] - 1.0}

    found = ad.root(f, {"a": np.ones(2), "b": 1.0}, 4.0)
    assert np.allclose(found["a"], [4.0, 8.0])
    assert np.isclose(found["b"], 0.25)
    assert np.isclose(ad.gradient(lambda s: ad.root(f, {"a": np.ones(2), "b": 1.0}, s)["b"], 4.0), -1 / 16)


def test_a_fixed_point():
    """Kepler's equation E = M + e sin E; dE/dM = 1 / (1 - e cos E)."""

    def anomaly(m, e):
        return ad.fixed_point(lambda x: m + e * np.sin(x), m)

    m, e = np.array([0.3, 1.0, 2.5]), 0.6
    found = anomaly(m, e)
    assert np.allclose(found - e * np.sin(found), m, atol=1e-14)
    assert np.allclose(ad.jacobian(lambda m: anomaly(m, e), m), np.diag(1 / (1 - e * np.cos(found))), rtol=1e-12)
    slope = ad.gradient(lambda e: np.sum(anomaly(m, e)), e)
    assert np.isclose(slope, np.sum(np.sin(found) / (1 - e * np.cos(found))), rtol=1e-12)


def test_a_minimum_is_that_of_ridge_regression():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=30)

    def by_minimize(v):
        def loss(b):
            return np.sum((y - x @ b) ** 2) + np.exp(v) * np.sum(b**2)

        return ad.minimize(loss, np.zeros(4))

    def exact(v):
        return np.linalg.solve(x.T @ x + np.exp(v) * np.eye(4), x.T @ y)

    assert np.allclose(by_minimize(0.7), exact(0.7), rtol=1e-10)
    assert np.allclose(ad.jacobian(by_minimize, 0.7), ad.jacobian(exact, 0.7), rtol=1e-10)
    outer = (lambda v: np.sum(by_minimize(v) ** 2)), (lambda v: np.sum(exact(v) ** 2))
    assert np.isclose(*[ad.hessian(f, 0.7) for f in outer], rtol=1e-9)


def test_machine_code_and_sampling_with_failures():
    """Where theta > 1 there is no root; the density is zero there."""

    @ba.model
    def model(seen):
        theta = ba.sample("theta", ba.Normal(0.5, 0.5))
        x = ad.root(lambda x: x**2 + theta - 1.0, 1.0)
        ba.sample("seen", ba.Normal(x, 0.3), obs=seen)

    posterior = model(seen=0.6)
    assert posterior.unconstrained.log_density([2.0]) == -np.inf
    draws = posterior.sample(chains=2, warmup=150, draws=150, seed=1, initial={"theta": 0.5}).posterior["theta"].values
    assert np.all(draws < 1.0)
    compiled = ad.compile(lambda t: ad.root(lambda x: x**2 + t - 1.0, 1.0))
    for _ in range(30):
        assert np.isclose(compiled(0.19), 0.9, rtol=1e-12)
        with pytest.raises(SolverError):
            compiled(2.0)


@pytest.mark.parametrize(
    ("solve", "message"),
    [
        (lambda: ad.root(lambda x: x**2 + 1.0, 0.3), "^root from .*(did not converge|singular)"),
        (lambda: ad.root(lambda x: np.stack([x, x]), 1.0), "2 numbers for 1 unknowns"),
        (lambda: ad.root(lambda x: x if x > 0 else -x, 1.0), "branches on a value"),
        (lambda: ad.minimize(lambda x: np.stack([x, x]), 1.0), "one number"),
        (lambda: ad.minimize(lambda x: -(x**2), 0.0), "no minimum"),
        (lambda: ad.fixed_point(lambda x: x + 1.0, 0.0), "singular"),
        (lambda: ad.root(lambda x: x, []), "no numbers"),
        (lambda: ad.root(lambda x: x, 1.0, method="newton"), "no method 'newton'.*hybr, lm"),
        (lambda: ad.minimize(lambda x: x**2, 1.0, method="bfgs"), "there are BFGS"),
    ],
)
def test_errors(solve, message):
    with pytest.raises(SolverError, match=message):
        solve()
