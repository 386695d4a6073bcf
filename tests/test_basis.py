"""B-splines against their recursion, monotonic effects and zero-sum contrasts against their definitions."""

import numpy as np
import pytest

import bayesad as ba
from bayesad import ad
from bayesad.distributions.supports import Support
from bayesad.errors import DataError
from bayesad.transforms import constrain

X = np.sort(np.random.default_rng(1).uniform(0, 10, 40))


def recursion(x, t, i, degree):
    """de Boor's recursion for the i-th B-spline on the knots t (Cox 1972); closed at the last knot."""
    if degree == 0:
        last = t[i] < t[i + 1] == t[-1]
        return float(t[i] <= x < t[i + 1] or (last and x == t[-1]))
    left = 0.0 if t[i + degree] == t[i] else (x - t[i]) / (t[i + degree] - t[i]) * recursion(x, t, i, degree - 1)
    span = t[i + degree + 1] - t[i + 1]
    right = 0.0 if span == 0 else (t[i + degree + 1] - x) / span * recursion(x, t, i + 1, degree - 1)
    return left + right


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_splines_follow_their_recursion(degree):
    knots, bounds = [2.0, 5.0, 5.5], (-1.0, 10.0)
    found = ba.bspline_basis(X, knots, degree=degree, bounds=bounds)
    t = np.array([bounds[0]] * (degree + 1) + knots + [bounds[1]] * (degree + 1))
    expected = [[recursion(x, t, i, degree) for i in range(len(knots) + degree + 1)] for x in X]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-13)
    np.testing.assert_array_equal(
        ba.bspline_basis(X, knots, degree=degree, bounds=bounds, intercept=False), found[:, 1:]
    )


def test_knots_lie_at_quantiles():
    by_number = ba.bspline_basis(X, df=7)
    assert by_number.shape == (40, 7)
    np.testing.assert_array_equal(by_number, ba.bspline_basis(X, np.quantile(X, [0.25, 0.5, 0.75])))
    assert ba.bspline_basis(X, df=6, intercept=False).shape == (40, 6)
    assert ba.bspline_basis(X, df=4).shape == (40, 4)  # no inner knots: one cubic


def test_cubic_polynomials_are_splines():
    basis = ba.bspline_basis(X, df=8)
    y = 1.0 - X + 0.3 * X**3
    fitted = basis @ np.linalg.lstsq(basis, y, rcond=None)[0]
    np.testing.assert_allclose(fitted, y, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give the inner knots or the number of functions"),
        ({"df": 3}, "df=3 is too few for degree 3; give 4 or more"),
        ({"knots": [5.0], "df": 6}, "1 inner knots make 5 functions, not df=6"),
        ({"knots": [11.0]}, "inner knots lie strictly between"),
        ({"df": 5, "bounds": (1.0, 9.0)}, "beyond the bounds 1 and 9"),
    ],
)
def test_what_makes_no_splines_is_an_error(arguments, message):
    with pytest.raises(DataError, match=message):
        ba.bspline_basis(X, **arguments)


def test_predictors_are_data():
    with pytest.raises(DataError, match="these depend on parameters"):
        ad.gradient(lambda x: np.sum(ba.bspline_basis(x, df=5)), X)
    with pytest.raises(DataError, match="without NaN"):
        ba.bspline_basis([0.0, np.nan], df=5)


def test_monotonic_effects():
    shares = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    x = np.array([[3, 0], [2, 1]])
    found = ba.monotonic(x, shares)
    for i, s in enumerate(shares):
        np.testing.assert_allclose(found[i], [[3 * s[:k].sum() for k in row] for row in x], rtol=1e-14)
    gradient = ad.gradient(lambda s: np.sum(ba.monotonic(x, s)), shares[0])
    np.testing.assert_allclose(gradient, 3.0 * np.array([3, 2, 1]))
    for wrong in ([-1], [4], [0.5]):
        with pytest.raises(DataError, match="whole numbers from 0 to 3"):
            ba.monotonic(wrong, shares[0])


@pytest.mark.parametrize("K", [1, 2, 5])
def test_zero_sum_basis_is_orthonormal_and_that_of_the_transform(K):
    basis = ba.zero_sum_basis(K)
    assert basis.shape == (K, K - 1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(K - 1), atol=1e-15)
    np.testing.assert_allclose(basis.sum(axis=0), 0.0, atol=1e-15)
    u = np.linspace(-1, 2, K - 1)
    np.testing.assert_allclose(basis @ u, constrain(Support("zero_sum"), u)[0], atol=1e-15)


def test_a_model_with_a_spline_and_an_ordinal_predictor():
    @ba.model
    def curve(x, level, y):
        w = ba.sample("w", ba.Normal(0, 1), shape=6)
        share = ba.sample("share", ba.Dirichlet(np.ones(3)))
        b = ba.sample("b", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(ba.bspline_basis(x, df=6) @ w + b * ba.monotonic(level, share), 0.5), obs=y)

    level = np.arange(40) % 4
    posterior = curve(x=X, level=level, y=np.sin(X) + level)
    w, share, b = np.linspace(-1, 1, 6), np.array([0.2, 0.3, 0.5]), 0.8
    mean = ba.bspline_basis(X, df=6) @ w + b * 3 * np.concatenate([[0.0], np.cumsum(share)])[level]
    normal = lambda z, s: -0.5 * (z / s) ** 2 - np.log(s * np.sqrt(2 * np.pi))
    expected = normal(w, 1).sum() + np.log(2.0) + normal(b, 1) + normal(np.sin(X) + level - mean, 0.5).sum()
    found = posterior.neg_log_posterior({"w": w, "share": share, "b": b})
    assert found == pytest.approx(-expected, rel=1e-12)
