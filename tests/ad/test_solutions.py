"""Roots, fixed points and minima: derivatives through the solution against closed forms and differences."""

from concurrent.futures import ThreadPoolExecutor

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
    with pytest.warns(RuntimeWarning, match=r"'model' \(.*test_solutions.py:\d+\): root from \[1\.\]: .* rejected"):
        draws = posterior.sample(chains=2, warmup=150, draws=150, seed=1, initial={"theta": 0.5}).posterior["theta"]
    assert np.all(draws.values < 1.0)
    compiled = ad.compile(lambda t: ad.root(lambda x: x**2 + t - 1.0, 1.0))
    for _ in range(30):
        assert np.isclose(compiled(0.19), 0.9, rtol=1e-12)
        with pytest.raises(SolverError):
            compiled(2.0)


def test_solvers_that_fail_during_warmup_alone_are_not_worth_a_warning(recwarn):
    @ba.model
    def model(seen):
        theta = ba.sample("theta", ba.Normal(0, 3))
        end = ba.odeint(lambda t, y: y**2, [theta], [1.0])[0, 0]  # none from 1 on
        ba.sample("seen", ba.Normal(end, 0.1), obs=seen)

    tree = model(seen=-0.8).sample(chains=1, warmup=100, draws=30, seed=2)
    assert not tree.sample_stats["diverging"].any()
    assert [str(warning.message) for warning in recwarn if "rejected" in str(warning.message)] == []


def test_solutions_in_several_threads_at_once():
    """Each call solves by Python, called from machine code, for other numbers than the threads beside it."""
    slope = ad.compile(lambda a: ad.gradient(lambda b: np.sum(solution(b) ** 2), a))
    points = np.stack([np.linspace(0.2, 1.5, 120), np.linspace(1.5, 0.5, 120)], axis=1)
    for _ in range(18):
        slope(points[0])
    one_by_one = [slope(p) for p in points]
    with ThreadPoolExecutor(4) as threads:
        np.testing.assert_array_equal(list(threads.map(slope, points)), one_by_one)


def depressed(p, q):
    """The real root of x³ + p x = q, for p > 0 (Cardano)."""
    s = np.sqrt(q**2 / 4 + p**3 / 27)
    return np.cbrt(q / 2 + s) - np.cbrt(s - q / 2)


def rows_of_roots(p, root):
    def step(carry, x):
        found = root(carry + p * x)
        return found, found

    return np.sum(ba.scan(step, 0.1, np.array([0.5, 1.0, 1.5]))[1] ** 2)


def roots_in_a_right_hand_side(p, root):
    return ad.odeint(lambda t, y: [-root(p * y[0])], [1.0], [1.0], rtol=1e-9, atol=1e-9)[0, 0]


def a_root_of_roots(p, root):
    return ad.root(lambda x: root(x) + x**2 - p, 0.5)


@pytest.mark.parametrize("f", [rows_of_roots, roots_in_a_right_hand_side, a_root_of_roots])
def test_roots_within_scans_differential_equations_and_roots(f):
    """x³ + x = q by `ad.root` and in closed form: values, slopes and curvatures, the slopes in machine code too."""

    def solved(p):
        return f(p, lambda q: ad.root(lambda x: x**3 + x - q, 0.0))

    def exact(p):
        return f(p, lambda q: depressed(1.0, q))

    assert np.isclose(solved(1.3), exact(1.3), rtol=1e-8)
    slope = ad.compile(lambda p: ad.gradient(solved, p))
    for _ in range(18):
        found = slope(1.3)
    assert np.isclose(found, ad.gradient(exact, 1.3), rtol=1e-7)
    assert np.isclose(ad.hessian(solved, 1.3), ad.hessian(exact, 1.3), rtol=1e-6)


def test_trial_points_at_which_an_inner_solver_fails_are_not_the_end():
    """Whatever is tried, the error is that of the outer solver; from a better start the solution is found."""

    def time_until(level, start):  # of y' = y², y(0) = 1, which is infinite at t = 1
        return ad.root(lambda t: ad.odeint(lambda t, y: y**2, [1.0], t[None], rtol=1e-9)[0, 0] - level, start)

    assert np.isclose(time_until(3.0, 0.7), 2 / 3, rtol=1e-6)
    assert np.isclose(ad.gradient(lambda level: time_until(level, 0.7), 3.0), 1 / 9, rtol=1e-5)
    with pytest.raises(SolverError, match=r"^root from \[0\.1\]"):
        time_until(3.0, 0.1)


def test_curvatures_of_a_fixed_point_and_of_a_minimum_of_several():
    """By differences of gradients, which other tests hold against closed forms."""

    def kepler(e):
        return ad.fixed_point(lambda x: 1.0 + e * np.sin(x), 1.0)

    def best(a):
        return np.sum(ad.minimize(lambda x: (x[0] - a) ** 2 + x[0] ** 4 + x[1] ** 2 - x[0] * x[1], [0.0, 0.0]) ** 3)

    for f in (kepler, best):
        upper, lower = (ad.gradient(f, 0.4 + h) for h in (1e-5, -1e-5))
        assert np.isclose(ad.hessian(f, 0.4), (upper - lower) / 2e-5, rtol=1e-7)


def test_a_failure_within_a_scan_of_machine_code_is_an_error_and_leaves_nothing_behind():
    def total(a):
        return ba.scan(lambda c, x: (c + ad.root(lambda z: z**2 + x - a, 1.0), None), 0.0, np.array([0.5, 1.0]))[0]

    compiled = ad.compile(total)
    expected = np.sqrt(2.5) + np.sqrt(2.0)
    for _ in range(20):
        assert np.isclose(compiled(3.0), expected)
    with pytest.raises(SolverError, match="root from"):
        compiled(0.7)
    assert np.isclose(compiled(3.0), expected)


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
