"""Transforms: exact inverses, Jacobians against automatic derivatives and closed forms, accuracy far into the tails."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bayesad import ad
from bayesad.distributions.supports import Support, contains
from bayesad.transforms import constrain, unconstrain, unconstrained_shape

UNBOUNDED = Support("real")
LOWER = Support("real", lower=1.5)
UPPER = Support("real", upper=np.array([0.0, -2.0, 3.0]))
INTERVAL = Support("real", lower=-1.0, upper=np.array([0.0, 2.0, 30.0]))
MIXED = Support("real", lower=np.array([-np.inf, 0.0, 1.0, -np.inf]), upper=np.array([np.inf, np.inf, 2.0, 5.0]))

CASES = [
    (UNBOUNDED, (3,)),
    (LOWER, (2, 3)),
    (UPPER, (3,)),
    (INTERVAL, (3,)),
    (MIXED, (2, 4)),
    (Support("simplex"), (1,)),
    (Support("simplex"), (2,)),
    (Support("simplex"), (6,)),
    (Support("ordered"), (4,)),
    (Support("positive_ordered"), (4,)),
    (Support("cholesky_corr"), (1, 1)),
    (Support("cholesky_corr"), (2, 2)),
    (Support("cholesky_corr"), (5, 5)),
    (Support("zero_sum"), (1,)),
    (Support("zero_sum"), (2,)),
    (Support("zero_sum"), (6,)),
    (Support("corr"), (1, 1)),
    (Support("corr"), (4, 4)),
    (Support("cholesky_cov"), (1, 1)),
    (Support("cholesky_cov"), (3, 3)),
    (Support("cov"), (1, 1)),
    (Support("cov"), (4, 4)),
]
IDS = [f"{support.kind}{shape}" for support, shape in CASES]
VECTORS = [case for case in CASES if case[0].event_ndim]


def draw_u(support, shape, scale=1.5, seed=1):
    return np.random.default_rng(seed).normal(scale=scale, size=unconstrained_shape(support, shape))


def coordinates(support, x):
    """As many entries of a value as it has degrees of freedom: those that its volume is measured in."""
    if support.kind == "simplex":
        return x[..., :-1]
    if support.kind == "zero_sum":
        return x @ orthonormal_basis(x.shape[-1])
    if support.kind in ("cholesky_corr", "corr", "cholesky_cov", "cov"):
        rows, columns = np.tril_indices(x.shape[-1], -1 if "corr" in support.kind else 0)
        return x[..., rows, columns]
    return x


def orthonormal_basis(k):
    """Of the vectors that sum to zero: one of many."""
    return np.linalg.svd(np.eye(k) - 1.0 / k)[0][:, : k - 1]


def total(log_det, support, shape):
    return np.sum(np.broadcast_to(log_det, shape[: len(shape) - support.event_ndim]))


@pytest.mark.parametrize(("support", "shape"), CASES, ids=IDS)
def test_values_have_their_shape_and_lie_in_the_support(support, shape):
    x, log_det = constrain(support, draw_u(support, shape))
    assert x.shape == shape
    np.broadcast_to(log_det, shape[: len(shape) - support.event_ndim])
    assert np.all(contains(support, x))


@pytest.mark.parametrize(("support", "shape"), CASES, ids=IDS)
def test_log_det_is_that_of_the_automatic_jacobian(support, shape):
    u = draw_u(support, shape)
    jacobian = ad.jacobian(lambda u: coordinates(support, constrain(support, u)[0]), u).reshape(u.size, u.size)
    expected = np.linalg.slogdet(jacobian)[1] if u.size else 0.0
    assert total(constrain(support, u)[1], support, shape) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(("support", "shape"), CASES, ids=IDS)
def test_the_jacobian_agrees_with_central_differences(support, shape):
    u, step = draw_u(support, shape), 1e-6
    columns = []
    for i in range(u.size):
        shift = np.zeros(u.size)
        shift[i] = step
        above, below = (coordinates(support, constrain(support, u + s * shift.reshape(u.shape))[0]) for s in (1, -1))
        columns.append(np.ravel(above - below) / (2 * step))
    expected = np.linalg.slogdet(np.stack(columns, axis=-1))[1] if columns else 0.0
    assert total(constrain(support, u)[1], support, shape) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("support", "shape"), CASES, ids=IDS)
def test_unconstrain_inverts_constrain(support, shape):
    u = draw_u(support, shape)
    np.testing.assert_allclose(unconstrain(support, constrain(support, u)[0]), u, rtol=1e-12, atol=1e-13)


@given(hnp.arrays(np.float64, 5, elements=st.floats(-15, 15)))
@settings(max_examples=60, deadline=None)
def test_every_transform_is_inverted_for_any_numbers(u):
    for support in (Support("real", lower=0.0), Support("real", lower=0.0, upper=1.0), Support("simplex")):
        np.testing.assert_allclose(unconstrain(support, constrain(support, u)[0]), u, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("support", "shape"), VECTORS, ids=[f"{s.kind}{n}" for s, n in VECTORS])
def test_a_batch_is_transformed_value_by_value(support, shape):
    batch = (2, 3)
    u = draw_u(support, batch + shape)
    x, log_det = constrain(support, u)
    assert x.shape == batch + shape
    assert log_det.shape == batch
    np.testing.assert_allclose(unconstrain(support, x), u, rtol=1e-11, atol=1e-12)
    for i in np.ndindex(batch):
        single, single_det = constrain(support, u[i])
        np.testing.assert_allclose(x[i], single, rtol=1e-14)
        np.testing.assert_allclose(log_det[i], single_det, rtol=1e-14, atol=1e-14)


# --- Stan's scale
def test_numbers_are_transformed_as_stan_does():
    x = np.array([0.3, 2.0, 7.0])
    np.testing.assert_allclose(unconstrain(Support("real", lower=0.0), x), np.log(x), rtol=1e-15)
    np.testing.assert_allclose(unconstrain(Support("real", upper=9.0), x), np.log(9.0 - x), rtol=1e-15)
    logit = np.log((x - 0.1) / (8.0 - x))
    np.testing.assert_allclose(unconstrain(Support("real", lower=0.1, upper=8.0), x), logit, rtol=1e-14)
    np.testing.assert_allclose(unconstrain(Support("ordered"), x), [0.3, np.log(1.7), np.log(5.0)], rtol=1e-15)
    expected = [np.log(0.3), np.log(1.7), np.log(5.0)]
    np.testing.assert_allclose(unconstrain(Support("positive_ordered"), x), expected, rtol=1e-15)


def test_cholesky_factor_equals_the_sequential_definition():
    """The Stan reference manual's recursion, one row and one partial correlation after the other."""
    k = 5
    u = draw_u(Support("cholesky_corr"), (k, k))
    factor, log_det, position = np.zeros((k, k)), 0.0, 0
    for i in range(k):
        left = 1.0
        for j in range(i):
            z = math.tanh(u[position])
            position += 1
            factor[i, j] = z * math.sqrt(left)
            log_det += math.log(1.0 - z * z) + 0.5 * math.log(left)
            left -= factor[i, j] ** 2
        factor[i, i] = math.sqrt(left)
    x, found = constrain(Support("cholesky_corr"), u)
    np.testing.assert_allclose(x, factor, rtol=1e-12, atol=1e-15)
    assert found == pytest.approx(log_det, rel=1e-12)
    np.testing.assert_allclose(np.diagonal(x @ x.T), 1.0, rtol=1e-14)


def test_two_by_two_cholesky_factor_has_the_correlation_tanh_u():
    x, log_det = constrain(Support("cholesky_corr"), np.array([0.7]))
    np.testing.assert_allclose(x, [[1.0, 0.0], [math.tanh(0.7), 1.0 / math.cosh(0.7)]], rtol=1e-15)
    assert log_det == pytest.approx(-2.0 * math.log(math.cosh(0.7)), rel=1e-14)


# --- the simplex
def test_zero_is_the_centre_of_the_simplex():
    x, log_det = constrain(Support("simplex"), np.zeros(3))
    np.testing.assert_allclose(x, 0.25, rtol=1e-15)
    assert log_det == pytest.approx(4 * math.log(0.25) + 0.5 * math.log(4.0), rel=1e-15)


def test_simplex_transform_is_an_isometry_of_log_ratios():
    """Aitchison's distance between two compositions is the Euclidean distance of their unconstrained vectors."""
    rng = np.random.default_rng(3)
    u, v = rng.normal(size=(2, 5))
    log_x, log_y = (np.log(constrain(Support("simplex"), w)[0]) for w in (u, v))
    difference = (log_x - log_x.mean()) - (log_y - log_y.mean())
    assert np.linalg.norm(difference) == pytest.approx(np.linalg.norm(u - v), rel=1e-13)


def test_a_dirichlet_density_integrates_to_one_on_the_unconstrained_scale():
    alpha = np.array([1.5, 2.0, 3.0])
    grid, step = np.linspace(-14, 14, 401, retstep=True)
    u = np.stack(np.meshgrid(grid, grid), axis=-1)
    x, log_det = constrain(Support("simplex"), u)
    constant = math.lgamma(alpha.sum()) - sum(map(math.lgamma, alpha))
    density = np.exp(constant + np.sum((alpha - 1) * np.log(x), axis=-1) + log_det)
    assert density.sum() * step**2 == pytest.approx(1.0, abs=1e-8)


# --- zero-sum vectors and matrices
def test_zero_sum_transform_is_an_isometry_onto_vectors_that_sum_to_zero():
    u, v = np.random.default_rng(4).normal(size=(2, 5)) * 1e3
    x, y = (constrain(Support("zero_sum"), w)[0] for w in (u, v))
    assert x.sum() == pytest.approx(0.0, abs=1e-11)
    assert np.linalg.norm(x - y) == pytest.approx(np.linalg.norm(u - v), rel=1e-14)


def test_covariance_matrices_are_transformed_as_stan_does():
    u = np.array([0.2, -1.5, -0.4, 3.0, 0.7, 0.1])  # row by row, the diagonal in logarithms
    factor = np.array([[math.exp(0.2), 0, 0], [-1.5, math.exp(-0.4), 0], [3.0, 0.7, math.exp(0.1)]])
    np.testing.assert_allclose(constrain(Support("cholesky_cov"), u)[0], factor, rtol=1e-15)
    x, log_det = constrain(Support("cov"), u)
    np.testing.assert_allclose(x, factor @ factor.T, rtol=1e-15)
    assert log_det == pytest.approx(3 * math.log(2.0) + 4 * 0.2 + 3 * -0.4 + 2 * 0.1, rel=1e-14)


def test_correlation_matrices_have_ones_on_their_diagonal():
    x, _ = constrain(Support("corr"), draw_u(Support("corr"), (50, 5, 5)))
    np.testing.assert_array_equal(np.diagonal(x, axis1=-2, axis2=-1), np.ones((50, 5)))
    np.testing.assert_array_equal(x, np.swapaxes(x, -1, -2))


def test_covariance_matrices_of_very_different_scales_round_trip():
    u = np.array([-30.0, 0.5, 40.0, 1.0, -2.0, -1.0])
    factor, _ = constrain(Support("cholesky_cov"), u)
    np.testing.assert_allclose(unconstrain(Support("cholesky_cov"), factor), u, rtol=1e-15)


# --- the unit vector
def test_unit_vector_is_the_direction_of_a_normal_vector():
    u = np.array([[3.0, 4.0], [-1e-3, 0.0]])
    x, log_det = constrain(Support("unit_vector"), u)
    np.testing.assert_allclose(x, [[0.6, 0.8], [-1.0, 0.0]], rtol=1e-15)
    np.testing.assert_allclose(log_det, [-12.5, -5e-7], rtol=1e-12)
    np.testing.assert_allclose(constrain(Support("unit_vector"), unconstrain(Support("unit_vector"), x))[0], x)


# --- tails
@pytest.mark.parametrize("u", [-700.0, -300.0, -40.0, 40.0, 300.0, 700.0])
def test_half_lines_keep_relative_accuracy_in_the_tails(u):
    x, log_det = constrain(Support("real", lower=0.0), np.array(u))
    assert x == pytest.approx(float(mpmath.exp(u)), rel=1e-13)
    assert log_det == u
    assert unconstrain(Support("real", lower=0.0), x) == pytest.approx(u, rel=1e-15)
    mirrored, _ = constrain(Support("real", upper=0.0), np.array(u))
    assert mirrored == -x


@pytest.mark.parametrize("u", [-700.0, -300.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 300.0, 700.0])
def test_intervals_keep_relative_accuracy_at_both_ends(u):
    with mpmath.workdps(700):
        below, above = 1 / (1 + mpmath.exp(-mpmath.mpf(u))), 1 / (1 + mpmath.exp(mpmath.mpf(u)))
        exact_det = float(mpmath.log(3 * below * above))
        from_below, from_above = float(3 * below), float(3 * above)
    for support, expected in ((Support("real", 0.0, 3.0), from_below), (Support("real", -3.0, 0.0), -from_above)):
        x, log_det = constrain(support, np.array(u))
        assert x == pytest.approx(expected, rel=1e-13)
        assert log_det == pytest.approx(exact_det, rel=1e-15)
    near_end = Support("real", -3.0, 0.0) if u > 0 else Support("real", 0.0, 3.0)
    assert unconstrain(near_end, constrain(near_end, np.array(u))[0]) == pytest.approx(u, rel=1e-13, abs=1e-15)


def test_log_det_of_an_interval_stays_finite_where_the_value_has_reached_the_end():
    x, log_det = constrain(Support("real", 0.0, 2.0), np.array([-2000.0, 2000.0]))
    np.testing.assert_array_equal(x, [0.0, 2.0])
    np.testing.assert_allclose(log_det, -2000.0 + math.log(2.0), rtol=1e-15)


def test_derivative_of_an_interval_at_its_middle_is_a_quarter_of_the_width():
    gradient = ad.gradient(lambda u: constrain(Support("real", 1.0, 5.0), u)[0], np.array(0.0))
    assert gradient == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize("scale", [50.0, 300.0])
def test_simplex_keeps_relative_accuracy_of_tiny_entries(scale):
    u = scale * np.array([1.0, -0.7, 0.4])
    x, log_det = constrain(Support("simplex"), u)
    with mpmath.workdps(50):
        z = [mpmath.mpf(0)] * 4
        for n in range(1, 4):
            w = mpmath.mpf(float(u[n - 1])) / mpmath.sqrt(n * (n + 1))
            for k in range(n):
                z[k] += w
            z[n] -= n * w
        weights = [mpmath.exp(value) for value in z]
        exact = [weight / mpmath.fsum(weights) for weight in weights]
        exact_det = mpmath.fsum(mpmath.log(value) for value in exact) + mpmath.log(4) / 2
        assert x == pytest.approx([float(value) for value in exact], rel=1e-12)
        assert log_det == pytest.approx(float(exact_det), rel=1e-14)
    np.testing.assert_allclose(unconstrain(Support("simplex"), x), u, rtol=1e-13)
    assert x.sum() == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("scale", [20.0, 150.0])
def test_cholesky_factor_round_trips_at_nearly_perfect_correlations(scale):
    u = scale * np.array([1.0, -1.0, 0.5])
    x, log_det = constrain(Support("cholesky_corr"), u)
    np.testing.assert_allclose(unconstrain(Support("cholesky_corr"), x), u, rtol=1e-13)
    log_sech_squared = [2 * (math.log(2.0) - abs(a) - math.log1p(math.exp(-2 * abs(a)))) for a in u]
    assert log_det == pytest.approx(sum(log_sech_squared) + 0.5 * log_sech_squared[1], rel=1e-13)
    assert np.all(np.diagonal(x) > 0)


def test_ordered_vectors_round_trip_with_steps_of_very_different_size():
    u = np.array([-2.0, -20.0, 20.0, 3.0])
    x, _ = constrain(Support("ordered"), u)
    rounding = np.array([0.0, *(4 * np.spacing(np.abs(x[1:])) / np.diff(x))])  # of the entries, in units of the steps
    assert np.all(np.abs(unconstrain(Support("ordered"), x) - u) <= rounding)
    u = np.array([-600.0, -5.0, 200.0])
    x, log_det = constrain(Support("positive_ordered"), u)
    np.testing.assert_allclose(unconstrain(Support("positive_ordered"), x), u, rtol=1e-13)
    assert log_det == pytest.approx(-405.0)


# --- bounds
def test_infinite_bounds_are_no_bounds():
    u = np.array([-1.0, 2.0])
    for support in (Support("real", -np.inf, np.inf), Support("real", np.full(2, -np.inf), None)):
        x, log_det = constrain(support, u)
        np.testing.assert_array_equal(x, u)
        assert np.all(log_det == 0)


def test_bounds_may_be_infinite_for_some_elements_only():
    u = np.array([0.3, -0.4, 0.5, 0.6])
    x, log_det = constrain(MIXED, u)
    half = 1 / (1 + math.exp(-0.5))
    np.testing.assert_allclose(x, [0.3, math.exp(-0.4), 1 + half, 5 - math.exp(0.6)], rtol=1e-15)
    np.testing.assert_allclose(log_det, [0.0, -0.4, math.log(half * (1 - half)), 0.6], rtol=1e-14)
    np.testing.assert_allclose(unconstrain(MIXED, x), u, rtol=1e-14)


def test_derivatives_reach_bounds_that_are_computed_from_parameters():
    def f(p):
        x, log_det = constrain(Support("real", lower=p["a"], upper=p["a"] + np.exp(p["w"])), p["u"])
        return np.sum(x**2) + np.sum(log_det)

    at = {"a": np.array(0.3), "w": np.array([0.2, -1.0]), "u": np.array([0.5, -2.0])}
    sigmoid = 1 / (1 + np.exp(-at["u"]))
    width = np.exp(at["w"])
    x = at["a"] + width * sigmoid
    found = ad.gradient(f, at)
    assert found["a"] == pytest.approx(np.sum(2 * x), rel=1e-13)
    np.testing.assert_allclose(found["w"], 2 * x * width * sigmoid + 1.0, rtol=1e-13)  # 1: of log(upper − lower)
    np.testing.assert_allclose(found["u"], 2 * x * width * sigmoid * (1 - sigmoid) + 1 - 2 * sigmoid, rtol=1e-12)


@pytest.mark.parametrize(
    ("support", "x"),
    [
        (Support("real", lower=0.0), np.array([0.0, -1.0])),
        (Support("real", lower=0.0, upper=1.0), np.array([0.0, 1.0, 2.0])),
        (Support("simplex"), np.array([0.0, 0.0, 1.0])),
        (Support("ordered"), np.array([1.0, 1.0])),
        (Support("cholesky_corr"), np.array([[1.0, 0.0], [1.0, 0.0]])),
        (Support("corr"), np.array([[1.0, 1.0], [1.0, 1.0]])),
        (Support("cov"), np.array([[1.0, 2.0], [2.0, 1.0]])),
        (Support("cholesky_cov"), np.array([[1.0, 0.0], [2.0, -1.0]])),
    ],
)
def test_values_on_the_boundary_or_outside_have_no_finite_preimage(support, x):
    assert not np.all(np.isfinite(unconstrain(support, x)))
