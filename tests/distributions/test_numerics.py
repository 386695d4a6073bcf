"""Shared formulas against 60-digit arithmetic."""

import mpmath as mp
import numpy as np
import pytest

from bayesad import ad
from bayesad.distributions.numerics import (
    draw_poisson,
    log1p_square,
    log_gamma_ratio,
    log_minus_exp,
    safe_log,
    solve_lower,
)


@pytest.mark.parametrize("a", [1e-8, 0.3, 1.0, 2999.0, 3001.0, 1e5, 1e9, 1e16, 1e100])
@pytest.mark.parametrize("x", [0.0, 0.5, 1.0, 17.0, 1e4])
def test_log_gamma_ratio_does_not_cancel(a: float, x: float) -> None:
    with mp.workdps(150):
        exact = float(mp.loggamma(mp.mpf(a) + x) - mp.loggamma(mp.mpf(a)))
    np.testing.assert_allclose(log_gamma_ratio(a, x), exact, rtol=1e-12, atol=2e-11)


@pytest.mark.parametrize("a", [0.3, 2999.0, 3001.0, 1e6])
def test_log_gamma_ratio_has_the_derivative_of_the_digamma_function(a: float) -> None:
    got = ad.gradient(lambda p: log_gamma_ratio(p["a"], p["x"]), {"a": np.float64(a), "x": np.float64(17.0)})
    with mp.workdps(60):
        expected = float(mp.digamma(mp.mpf(a) + 17) - mp.digamma(mp.mpf(a))), float(mp.digamma(mp.mpf(a) + 17))
    np.testing.assert_allclose([got["a"], got["x"]], expected, rtol=1e-9)


@pytest.mark.parametrize("z", [0.0, 1e-200, -1e-9, 0.7, -1e8, 1e153, 2e154, -1e300])
def test_log1p_square_is_accurate_for_every_size(z: float) -> None:
    with mp.workdps(700):
        expected = float(mp.log(1 + mp.mpf(z) ** 2))
    with np.errstate(over="ignore"):  # as the laws do: the square that overflows is not taken
        np.testing.assert_allclose(log1p_square(np.float64(z)), expected, rtol=1e-15)
    slope = ad.gradient(log1p_square, np.float64(z))
    np.testing.assert_allclose(slope, 2.0 / (z + 1.0 / z) if z else 0.0, rtol=1e-14)


def test_log_minus_exp_is_the_log_of_a_difference() -> None:
    np.testing.assert_allclose(log_minus_exp(-1000.0, -1000.5), -1000.0 + np.log(1.0 - np.exp(-0.5)), rtol=1e-15)
    assert log_minus_exp(-3.0, -np.inf) == -3.0


def test_safe_log_of_zero_has_derivative_zero() -> None:
    value, slope = ad.value_and_gradient(lambda p: np.sum(np.exp(safe_log(p))), np.array([0.0, 2.0]))
    assert value == 2.0
    np.testing.assert_array_equal(slope, [0.0, 1.0])


@pytest.mark.parametrize(
    ("factor_shape", "b_shape"), [((3, 3), (3,)), ((3, 3), (5, 3)), ((3, 3), (2, 5, 3)), ((2, 3, 3), (5, 2, 3))]
)
def test_solve_lower_solves_for_vectors_on_the_last_axis(factor_shape: tuple, b_shape: tuple) -> None:
    rng = np.random.default_rng(3)
    factor = np.tril(rng.normal(size=factor_shape)) + 3.0 * np.eye(3)
    b = rng.normal(size=b_shape)
    z = solve_lower(factor, b)
    np.testing.assert_allclose((factor @ z[..., None])[..., 0], b, atol=1e-12)


def test_poisson_draws_with_rates_beyond_int64_saturate() -> None:
    x = draw_poisson(np.random.default_rng(0), np.array([2.0, 1e30, np.inf]), (3,))
    assert x.dtype == np.int64
    assert (x[1:] > 9e18).all()
