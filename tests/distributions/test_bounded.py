"""Laws on intervals whose parameters are vectors or are bound to each other."""

import numpy as np
import pytest
import scipy.stats as st
from scipy.integrate import quad

import bayesad.distributions as laws
from bayesad import ad
from bayesad.errors import DistributionError
from tests.distributions.checks import assert_gradient

X, HEIGHTS = np.array([-1.0, 0.0, 0.5, 2.0, 3.0]), np.array([0.0, 2.0, 2.0, 0.5, 0.0])


def test_interpolated_density_is_linear_between_points() -> None:
    d = laws.Interpolated(X, HEIGHTS)
    area = np.trapezoid(HEIGHTS, X)
    x = np.array([-0.7, 0.0, 0.2, 1.1, 2.9])
    np.testing.assert_allclose(np.exp(d.log_prob(x)), np.interp(x, X, HEIGHTS) / area, rtol=1e-13)
    np.testing.assert_array_equal(d.log_prob([-1.1, 3.1]), -np.inf)
    for v in x:
        mass = quad(lambda t: np.exp(d.log_prob(t)), -1.0, v, points=X[1:-1])[0]
        np.testing.assert_allclose(d.cdf(v), mass, rtol=1e-8)
    np.testing.assert_allclose(d.icdf(d.cdf(x)), x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(d.mean, quad(lambda t: t * np.exp(d.log_prob(t)), -1, 3, points=X[1:-1])[0], rtol=1e-8)
    assert st.kstest(d.sample(np.random.default_rng(2), 3000), d.cdf).pvalue > 1e-6
    inner = np.array([-0.7, 1.1])
    slope = ad.gradient(lambda x: np.sum(d.log_prob(x)), inner)
    np.testing.assert_allclose(slope, [1 / 0.3, -1.0 / np.interp(1.1, X, HEIGHTS)], rtol=1e-12)
    uniform = laws.Interpolated([0.0, 2.0], [5.0, 5.0])
    np.testing.assert_allclose(uniform.icdf([0.1, 0.9]), [0.2, 1.8])


def test_intervals_say_what_is_wrong() -> None:
    for make, message in [
        (lambda: laws.Interpolated([0.0, 0.0], [1.0, 1.0]), "Interpolated: x must be increasing"),
        (lambda: laws.Interpolated([0.0, 1.0], [1.0, -1.0]), "density must be non-negative"),
        (lambda: laws.Interpolated([0.0, 1.0], [1.0]), r"of one length; got shapes \(2,\) and \(1,\)"),
        (lambda: laws.Interpolated([0.0, 1.0], [0.0, 0.0]), "with some positive density"),
        (lambda: laws.Triangular(0.0, 2.0, 1.0), "Triangular: lower must be at most mode"),
        (lambda: laws.BetaProportion(1.0, 2.0), "BetaProportion: mu must be between 0 and 1, these excluded; got 1.0"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()


def test_bounds_that_depend_on_parameters_are_in_the_density() -> None:
    for law in (laws.GeneralizedExtremeValue, laws.GeneralizedPareto):
        x = np.array([1.0, 4.0])

        def log_density(p, law=law, x=x):
            return law(p["mu"], p["sigma"], p["xi"]).log_prob(x)

        assert_gradient(log_density, {"mu": 0.5, "sigma": 1.5, "xi": 0.3})
        assert_gradient(log_density, {"mu": 0.5, "sigma": 1.5, "xi": 1e-12})
        beyond = {"mu": np.float64(0.5), "sigma": np.float64(1.5), "xi": np.float64(-0.8)}
        value, gradient = ad.value_and_gradient(lambda p, f=log_density: np.sum(f(p)), beyond)
        assert value == -np.inf
        assert all(np.isfinite(g) for g in gradient.values())
        cdf = law(0.5, 1.5, -0.8).cdf(x)
        np.testing.assert_allclose(ad.compile(lambda xi, law=law, x=x: law(0.5, 1.5, xi).cdf(x))(-0.8), cdf)
