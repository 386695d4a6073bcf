"""Where derivatives do not exist or a branch is not taken: the documented conventions, tested."""

import numpy as np
import pytest
import scipy.special as sp

from bayesad import ad


def both_modes(f, x):
    reverse, forward = ad.gradient(f, x), ad.gradient(f, x, mode=ad.Forward)
    np.testing.assert_array_equal(reverse, forward)
    return reverse


X = np.array([-2.0, 0.0, 0.5, 3.0])

# function -> its gradient at X, where untaken branches are NaN or infinite in value or slope
UNTAKEN = {
    "log": (lambda x: np.where(x > 0, np.log(x), x), [1.0, 1.0, 2.0, 1 / 3]),
    "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), [0.0, 0.0, 0.5 / np.sqrt(0.5), 0.5 / np.sqrt(3.0)]),
    "divide": (lambda x: np.where(x != 0, np.sin(x) / x, 1.0), None),
    "power": (lambda x: np.where(x > 0, x**-1.5, 0.0), None),
    "product of NaN": (lambda x: np.where(x > 0, np.log(x) * np.sqrt(x) * x, x), None),
    "NaN through smooth functions": (
        lambda x: np.where(x > 0, np.sin(np.exp(np.log(x)) * np.tanh(np.log(x))), 0.0),
        None,
    ),
    "overflow": (lambda x: np.where(x > 0, x, np.exp(-400.0 * x) * np.exp(-400.0 * x)), [-np.inf, -800.0, 1.0, 1.0]),
    "nested": (lambda x: np.where(x > 0, np.where(x > 1, np.log(x - 1.0), np.log(x)), -x), [-1.0, -1.0, 2.0, 0.5]),
    "special": (lambda x: np.where(x > 0, sp.xlogy(x, x) + sp.gammaln(x), 0.0), None),
    "logit": (lambda x: np.where((x > 0) & (x < 1), sp.logit(x), 0.0), [0.0, 0.0, 4.0, 0.0]),
}


@pytest.mark.parametrize("name", UNTAKEN)
def test_untaken_branches_leave_no_nan(name, difference_gradient):
    f, expected = UNTAKEN[name]
    with np.errstate(all="ignore"):
        found = ad.gradient(lambda x: np.sum(f(x)), X)
        if expected is None:
            at = np.array([-2.0, 0.5, 3.0])
            expected = np.insert(difference_gradient(lambda x: np.sum(f(x)), at), 1, found[1])
            assert np.isfinite(found[1])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
    tangent = ad.jvp(lambda x: np.sum(f(x)), X[[0, 2, 3]], np.ones(3))[1]
    np.testing.assert_allclose(tangent, np.sum(found[[0, 2, 3]]), rtol=1e-12)


def test_untaken_branches_with_whole_array_operations_inside():
    x = np.array([-1.0, 2.0])
    w = np.array([3.0, 4.0])

    def f(p, taken):
        inner = [
            np.sum(np.log(p["x"]) * p["w"]),
            np.log(p["x"]) @ p["w"],
            np.prod(np.sqrt(p["x"])),
            sp.logsumexp(np.log(p["x"])),
        ]
        return np.where(taken, sum(inner), np.sum(p["x"] * p["w"]))

    slopes = ad.gradient(lambda p: f(p, np.sum(p["x"]) > 100.0), {"x": x, "w": w})
    np.testing.assert_array_equal(slopes["x"], w)
    np.testing.assert_array_equal(slopes["w"], x)
    taken = ad.gradient(lambda p: f(p, np.sum(p["x"]) > 0.0), {"x": np.array([1.0, 2.0]), "w": w})
    assert np.isfinite(taken["x"]).all() and np.any(taken["x"] != w)


def test_rows_of_missing_data_behind_a_mask():
    data = np.array([[1.0, np.nan], [2.0, 3.0], [np.inf, 1.0]])
    here = np.isfinite(data).all(axis=1)
    f = lambda b: np.sum(np.where(here, (data @ b) ** 2, 0.0))
    b = np.array([0.5, -1.0])
    np.testing.assert_allclose(ad.gradient(f, b), 2.0 * (data[1] @ b) * data[1])
    y = np.array([1.0, np.nan, 2.0])
    g = lambda m: np.sum(np.where(np.isnan(y), 0.0, (y - m) ** 2))
    assert ad.gradient(g, 0.5) == -2.0 * (0.5 + 1.5)


def test_a_nan_that_is_used_stays_nan():
    # masking must not hide real trouble
    assert np.isnan(ad.gradient(lambda x: np.log(x) * np.sqrt(x), -1.0))
    slopes = ad.gradient(lambda x: np.sum(np.where(x > -5, np.log(x) * np.sqrt(x), 0.0)), np.array([-1.0, 1.0]))
    assert np.isnan(slopes[0]) and slopes[1] == 1.0


def test_second_derivatives_through_an_untaken_branch():
    f = lambda x: np.sum(np.where(x > 0, np.log(x) * x, x**2))
    hessian = ad.hessian(f, np.array([-1.0, 2.0]))
    np.testing.assert_allclose(hessian, [[2.0, 0.0], [0.0, 0.5]])


def test_powers():
    assert both_modes(lambda x: x**0, 0.0) == 0.0
    assert both_modes(lambda x: x**0.0, 3.0) == 0.0
    assert both_modes(lambda x: x**1, 0.0) == 1.0
    assert both_modes(lambda x: x**2, 0.0) == 0.0
    assert both_modes(lambda x: x**2.5, 0.0) == 0.0
    assert both_modes(lambda x: x**3, -2.0) == 12.0
    assert both_modes(lambda x: x**-2, 2.0) == -0.25
    assert both_modes(lambda x: x**0.5, 0.0) == np.inf
    np.testing.assert_array_equal(both_modes(lambda x: np.sum(x ** np.array([0, 1, 2])), np.zeros(3)), [0.0, 1.0, 0.0])
    # exponent: 0**p has derivative 0; so has a negative base, whose power is real at single exponents only
    assert both_modes(lambda p: 0.0**p, 2.0) == 0.0
    assert both_modes(lambda p: 0.0**p, 0.0) == 0.0
    assert both_modes(lambda p: (-2.0) ** p, 3.0) == 0.0
    assert both_modes(lambda p: 2.0**p, 3.0) == pytest.approx(8.0 * np.log(2.0))
    both = ad.gradient(lambda z: z[0] ** z[1], np.array([0.0, 0.0]))
    np.testing.assert_array_equal(both, [0.0, 0.0])
    assert ad.hessian(lambda x: x**2, 0.0) == 2.0
    assert ad.hessian(lambda x: x**1, 0.0) == 0.0


def test_roots_at_zero():
    assert both_modes(np.sqrt, 0.0) == np.inf
    assert both_modes(np.cbrt, 0.0) == np.inf
    assert np.isnan(both_modes_nan(np.sqrt, -1.0))
    # the product with an exact zero behind a where is zero
    assert both_modes(lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.0) == 0.0
    assert both_modes(lambda x: np.hypot(x, 0.0), 0.0) == 0.0


def both_modes_nan(f, x):
    return ad.gradient(f, x) + ad.gradient(f, x, mode=ad.Forward)


def test_ties_share():
    assert both_modes(lambda x: np.maximum(x, 0.0), 0.0) == 0.5
    assert both_modes(lambda x: np.minimum(x, 0.0), 0.0) == 0.5
    assert both_modes(lambda x: np.maximum(x, x), 2.0) == 1.0
    for f in (np.max, np.min):
        np.testing.assert_array_equal(both_modes(f, np.array([2.0, 2.0])), [0.5, 0.5])
    np.testing.assert_allclose(both_modes(np.max, np.array([1.0, 3.0, 3.0, 3.0])), [0.0, 1 / 3, 1 / 3, 1 / 3])
    assert both_modes(lambda x: np.fmax(x, np.nan), 1.0) == 1.0
    assert both_modes(lambda x: np.clip(x, 0.0, 1.0), 0.3) == 1.0
    assert both_modes(lambda x: np.clip(x, 0.0, 1.0), 2.0) == 0.0


def test_signs_and_steps():
    assert both_modes(np.abs, 0.0) == 0.0
    assert both_modes(np.fabs, 0.0) == 0.0
    assert both_modes(np.sign, 0.0) == 0.0
    assert both_modes(lambda x: np.copysign(x, -1.0), 2.0) == -1.0
    for f in (np.floor, np.ceil, np.rint, np.trunc, np.round):
        assert both_modes(f, 1.0) == 0.0
    assert both_modes(lambda x: np.heaviside(x, 0.5), 0.0) == 0.0


def test_zero_times_log_zero():
    assert both_modes(lambda y: sp.xlogy(0.0, y), 0.0) == 0.0
    assert np.isnan(ad.gradient(lambda x: 0.0 * np.log(x), 0.0))  # as plain NumPy: write xlogy
    counts = np.array([0.0, 2.0])
    loss = lambda p: np.sum(sp.xlogy(counts, p) - p)
    np.testing.assert_array_equal(both_modes(loss, np.array([0.0, 4.0])), [-1.0, -0.5])


def test_products_with_zeros():
    np.testing.assert_array_equal(both_modes(np.prod, np.array([0.0, 2.0, 3.0])), [6.0, 0.0, 0.0])
    np.testing.assert_array_equal(both_modes(np.prod, np.array([0.0, 0.0, 3.0])), [0.0, 0.0, 0.0])
    slopes = both_modes(lambda x: np.sum(np.cumprod(x)), np.array([2.0, 0.0, 3.0]))
    np.testing.assert_array_equal(slopes, [1.0, 8.0, 0.0])


def test_log_sums_of_nothing():
    minus = -np.inf
    assert both_modes(lambda x: np.logaddexp(x, minus), 1.0) == 1.0
    np.testing.assert_array_equal(both_modes(sp.logsumexp, np.array([minus, 0.0])), [0.0, 1.0])
    np.testing.assert_array_equal(both_modes(sp.logsumexp, np.array([minus, minus])), [0.0, 0.0])
    assert ad.gradient(lambda x: np.logaddexp(x, minus), minus) == 0.0
    huge = np.array([1000.0, 1000.0])
    np.testing.assert_allclose(both_modes(sp.logsumexp, huge), [0.5, 0.5], rtol=1e-12)


def test_empty_arrays():
    x = np.ones((0, 3))
    for f in (np.sum, np.prod, lambda a: np.sum(np.exp(a) @ np.ones(3)), lambda a: np.sum(np.cumsum(a, axis=0))):
        assert both_modes(f, x).shape == (0, 3)
    np.testing.assert_array_equal(both_modes(lambda a: np.sum(a[:0]) + a[0], np.ones(2)), [1.0, 0.0])
