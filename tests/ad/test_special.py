"""Special functions: derivatives in the tails and at the edges of their domains, against mpmath and exact values."""

import mpmath as mp
import numpy as np
import pytest
import scipy.special as sp

from bayesad import ad
from bayesad.ad.primitives.incomplete import beta_score, gamma_score, student_score

mp.mp.dps = 40


def derivative(f, x):
    return float(ad.gradient(f, float(x)))


def second(f, x):
    return float(ad.gradient(lambda u: ad.gradient(f, u), float(x)))


def exact(f, x, order=1):
    """Derivative by mpmath in so many digits that a difference of tiny step keeps 15 of them."""
    with mp.workdps(120):
        x = mp.mpf(x)
        h = mp.mpf(10) ** -25 * (abs(x) or 1)
        if order == 1:
            return float((f(x + h) - f(x - h)) / (2 * h))
        return float((f(x + h) - 2 * f(x) + f(x - h)) / h**2)


def log_ndtr(x):
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


TAILS = [
    ("gammaln", sp.gammaln, mp.loggamma, [1e-8, 0.5, 3.0, 1e3, 1e8, 1e15], 1e-13),
    ("psi", sp.psi, mp.digamma, [1e-6, 0.5, 3.0, 1e3, 1e8], 1e-12),
    ("gamma", sp.gamma, mp.gamma, [1e-6, 0.5, -0.5, -3.3, 20.0, 150.0], 1e-12),
    ("rgamma", sp.rgamma, mp.rgamma, [-5.0, -2.0, -1.0, 0.0, 0.3, 0.7, 5.0, -1.5], 1e-12),
    ("erf", sp.erf, mp.erf, [-5.0, 0.0, 1e-9, 5.0, 10.0], 1e-12),
    ("erfc", sp.erfc, mp.erfc, [-5.0, 0.0, 5.0, 20.0], 1e-12),
    ("erfcx", sp.erfcx, lambda x: mp.exp(x * x) * mp.erfc(x), [-5.0, 0.0, 10.0, 24.9, 25.1, 30.0], 1e-12),
    ("dawsn", sp.dawsn, lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), [0.0, 0.5, 3.0], 1e-12),
    ("ndtr", sp.ndtr, mp.ncdf, [-30.0, -5.0, 0.0, 5.0], 1e-12),
    ("log_ndtr", sp.log_ndtr, log_ndtr, [-40.0, -10.0, -1.0, 0.0, 1.0, 5.0, 10.0], 1e-12),
    ("expit", sp.expit, lambda x: 1 / (1 + mp.exp(-x)), [-700.0, -30.0, 0.0, 10.0], 1e-11),
    ("log_expit", sp.log_expit, lambda x: -mp.log(1 + mp.exp(-x)), [-700.0, -30.0, 0.0, 30.0], 1e-12),
    ("logit", sp.logit, lambda p: mp.log(p / (1 - p)), [1e-12, 1e-3, 0.5, 0.999], 1e-12),
    ("spence", sp.spence, lambda z: mp.polylog(2, 1 - z), [1e-4, 0.9999999, 1.0, 1.0000001, 1.9], 1e-9),
    ("exprel", sp.exprel, lambda x: mp.expm1(x) / x if x else mp.mpf(1), [-30.0, -1e-3, 1e-8, 1e-3, 5.0, 30.0], 1e-11),
    ("ellipk", sp.ellipk, mp.ellipk, [-3.0, 1e-12, 0.5, 0.99], 1e-11),
    ("ellipe", sp.ellipe, mp.ellipe, [-3.0, 1e-12, 0.5, 0.99], 1e-11),
    ("i0e", sp.i0e, lambda x: mp.exp(-abs(x)) * mp.besseli(0, x), [1e-3, 1.0, 50.0], 1e-12),
    ("i1e", sp.i1e, lambda x: mp.exp(-abs(x)) * mp.besseli(1, x), [1e-3, 1.0, 50.0], 1e-12),
    ("ive", lambda x: sp.ive(2.5, x), lambda x: mp.exp(-x) * mp.besseli(2.5, x), [0.1, 1.0, 50.0], 1e-11),
    ("kve", lambda x: sp.kve(2.5, x), lambda x: mp.exp(x) * mp.besselk(2.5, x), [0.1, 1.0, 50.0], 1e-12),
    ("kv", lambda x: sp.kv(0.3, x), lambda x: mp.besselk(mp.mpf(0.3), x), [0.1, 1.0, 50.0], 1e-12),
    ("jv", lambda x: sp.jv(1.5, x), lambda x: mp.besselj(1.5, x), [0.1, 1.0, 30.0], 1e-11),
    ("zeta", lambda q: sp.zeta(3.0, q), lambda q: mp.zeta(3, q), [0.01, 1.0, 100.0], 1e-12),
    ("polygamma", lambda x: sp.polygamma(2, x), lambda x: mp.psi(2, x), [0.01, 1.0, 100.0], 1e-12),
    ("voigt", lambda x: sp.voigt_profile(x, 0.5, 0.2), None, [0.0, 0.5, 30.0], 1e-11),
    ("boxcox", lambda p: sp.boxcox(3.0, p), lambda p: (3**p - 1) / p if p else mp.log(3), [-2.0, 1e-9, 2.0], 1e-11),
]


def voigt(x, sigma=0.5, gamma=0.2):
    z = (x + 1j * mp.mpf(gamma)) / (mp.mpf(sigma) * mp.sqrt(2))
    return mp.re(mp.exp(-z * z) * mp.erfc(-1j * z)) / (mp.mpf(sigma) * mp.sqrt(2 * mp.pi))


@pytest.mark.parametrize(("name", "f", "oracle", "points", "relative"), TAILS, ids=[row[0] for row in TAILS])
def test_derivative_in_the_tails_equals_mpmath(name, f, oracle, points, relative):
    for x in points:
        true = exact(oracle or voigt, x)
        assert derivative(f, x) == pytest.approx(true, rel=relative, abs=1e-280), x


@pytest.mark.parametrize("x", [-40.0, -5.0, 0.0, 3.0, 6.0])
def test_second_derivative_of_log_ndtr_in_the_tails(x):
    assert second(sp.log_ndtr, x) == pytest.approx(exact(log_ndtr, x, 2), rel=1e-9)


def test_log_ndtr_stays_exact_where_its_parts_overflow():
    # log Phi(x) ~ -x²/2 - log|x| far to the left: slope -x - 1/x, curvature -1 + 1/x²; on the right all is 0
    for x in (-1e4, -1e8, -1e150):
        assert derivative(sp.log_ndtr, x) == pytest.approx(-x - 1.0 / x, rel=1e-14)
        assert second(sp.log_ndtr, x) == pytest.approx(-1.0 + 1.0 / x**2, rel=1e-9)
    for x in (40.0, 1e4, 1e150):
        assert derivative(sp.log_ndtr, x) == 0.0
        assert second(sp.log_ndtr, x) == 0.0


def test_erfcx_slope_far_out_follows_its_asymptotic_series():
    for x in (1e3, 1e6, 1e100):
        assert derivative(sp.erfcx, x) == pytest.approx(-(1.0 - 1.5 / x / x) / (np.sqrt(np.pi) * x) / x, rel=1e-11)


@pytest.mark.parametrize("p", [1e-300, 1e-100, 1e-10, 0.3, 0.5, 0.999])
def test_normal_quantiles_near_their_ends(p):
    # d ndtri/dp = 1/phi(x); in log p: ndtri_exp' = p/phi(x)
    x = float(sp.ndtri(p))
    log_density = -0.5 * x * x - 0.5 * np.log(2.0 * np.pi)
    assert derivative(sp.ndtri, p) == pytest.approx(np.exp(-log_density), rel=1e-9)
    assert derivative(sp.ndtri_exp, np.log(p)) == pytest.approx(np.exp(np.log(p) - log_density), rel=1e-9)
    assert derivative(sp.erfcinv, p) == pytest.approx(
        -np.sqrt(np.pi) / 2 * np.exp(float(sp.erfcinv(p)) ** 2), rel=1e-12
    )


def test_ndtri_exp_for_probabilities_below_the_smallest_float():
    y = -1e6  # x ~ -sqrt(-2y): dx/dy = Phi/phi ~ 1/|x|
    x = float(sp.ndtri_exp(y))
    assert derivative(sp.ndtri_exp, y) == pytest.approx(-1.0 / x, rel=1e-5)


@pytest.mark.parametrize("x", [-800.0, -745.0, 745.0, 800.0])
def test_log_expit_saturates_without_nan(x):
    assert derivative(sp.log_expit, x) == (1.0 if x < 0 else sp.expit(-x))
    assert second(sp.log_expit, x) == pytest.approx(0.0, abs=1e-300)
    assert derivative(lambda u: np.logaddexp(0.0, u), x) == pytest.approx(sp.expit(x), rel=1e-12, abs=1e-320)


def test_xlogy_and_its_kin_at_zero():
    for f in (sp.xlogy, sp.xlog1py):
        for z in (0.0, 2.0):
            assert derivative(lambda u, f=f: f(0.0, u), z) == 0.0
            x = np.array([0.0, 1.0, 0.0])
            slopes = ad.gradient(lambda u, f=f, x=x: np.sum(f(x, u)), np.array([0.0, 2.0, 3.0]))
            np.testing.assert_allclose(slopes, [0.0, 1 / 2 if f is sp.xlogy else 1 / 3, 0.0], rtol=1e-15)
    # both unknown: the slope in x is log z
    got = ad.gradient(lambda p: sp.xlogy(p[0], p[1]), np.array([0.0, 2.0]))
    np.testing.assert_allclose(got, [np.log(2.0), 0.0])
    assert derivative(lambda x: sp.xlogy(x, 0.0), 0.0) == -np.inf
    assert derivative(lambda q: sp.rel_entr(0.0, q), 0.0) == 0.0
    assert derivative(lambda q: sp.kl_div(0.0, q), 0.5) == 1.0


def test_logit_and_expit_undo_each_other_far_out():
    for x in (-30.0, -3.0, 0.0, 8.0):
        assert derivative(lambda u: sp.logit(sp.expit(u)), x) == pytest.approx(1.0, rel=1e-10)


def test_functions_that_are_not_ufuncs():
    x = np.array([0.5, 2.0, 7.0])
    for n in range(4):
        got = ad.gradient(lambda u, n=n: np.sum(sp.polygamma(n, u)), x)
        np.testing.assert_allclose(got, sp.polygamma(n + 1, x), rtol=1e-12)
    orders = np.array([0, 1, 2])
    got = ad.gradient(lambda u: np.sum(sp.polygamma(orders, u)), x)
    np.testing.assert_allclose(got, [sp.polygamma(n + 1, v) for n, v in zip(orders, x, strict=True)], rtol=1e-12)
    np.testing.assert_allclose(ad.gradient(lambda u: np.sum(sp.zeta(3.0, u)), x), -3.0 * sp.zeta(4.0, x), rtol=1e-13)
    with pytest.raises(TypeError, match="wrightomega"):
        ad.gradient(lambda u: sp.lambertw(u), 1.0)
    with pytest.raises(TypeError, match="plain integer"):
        ad.gradient(lambda u: sp.polygamma(u, 1.0), 1.0)
    with pytest.raises(TypeError, match="no derivative rule"):
        ad.gradient(lambda u: sp.zeta(u), 3.0)


# --- incomplete gamma and beta functions in their parameters
def in_parameter(f, a, order=1):
    h = a * mp.mpf(10) ** (-12 if order == 1 else -9)
    if order == 1:
        return float((f(a + h) - f(a - h)) / (2 * h))
    return float((f(a + h) - 2 * f(a) + f(a - h)) / h**2)


GAMMA = [(1e-3, 1e-5), (1e-3, 2.0), (0.1, 0.05), (0.5, 0.01), (1.0, 1.0), (2.5, 30.0), (3.0, 2.9), (50.0, 45.0)]
GAMMA += [(50.0, 80.0), (1e3, 1e3), (1e3, 1.2e3), (1e5, 99700.0), (4.0, 1e-9), (0.7, 200.0)]


@pytest.mark.parametrize(("a", "x"), GAMMA)
def test_incomplete_gamma_in_its_order_equals_mpmath(a, x):
    def function(s):  # the smaller side, so that mpmath's difference keeps its digits
        if x <= a:
            return mp.gammainc(s, 0, mp.mpf(x), regularized=True)
        return -mp.gammainc(s, mp.mpf(x), mp.inf, regularized=True)

    am = mp.mpf(a)
    assert gamma_score(a, x) == pytest.approx(in_parameter(function, am), rel=1e-11)
    assert gamma_score(a, x, 2) == pytest.approx(in_parameter(function, am, 2), rel=1e-9)
    assert derivative(lambda s: sp.gammainc(s, x), a) == gamma_score(a, x)
    assert derivative(lambda s: sp.gammaincc(s, x), a) == -gamma_score(a, x)
    assert second(lambda s: sp.gammainc(s, x), a) == gamma_score(a, x, 2)


BETA = [(0.5, 0.5, 0.3), (1.0, 1.0, 0.7), (2.0, 5.0, 0.01), (2.0, 5.0, 0.9), (30.0, 50.0, 0.4), (0.01, 3.0, 1e-20)]
BETA += [(0.02, 1.5, 0.3), (400.0, 2.0, 0.99), (1e3, 1e3, 0.51), (3.0, 0.01, 0.5)]


@pytest.mark.parametrize(("a", "b", "x"), BETA)
def test_incomplete_beta_in_its_parameters_equals_mpmath(a, b, x):
    def function(p, q):
        if x <= a / (a + b):
            return mp.betainc(p, q, 0, mp.mpf(x), regularized=True)
        return -mp.betainc(q, p, 0, 1 - mp.mpf(x), regularized=True)

    am, bm = mp.mpf(a), mp.mpf(b)
    assert beta_score(a, b, x, "a") == pytest.approx(in_parameter(lambda s: function(s, bm), am), rel=1e-10)
    assert beta_score(a, b, x, "b") == pytest.approx(in_parameter(lambda s: function(am, s), bm), rel=1e-10)
    assert beta_score(a, b, x, "aa") == pytest.approx(in_parameter(lambda s: function(s, bm), am, 2), rel=1e-8)
    assert beta_score(a, b, x, "bb") == pytest.approx(in_parameter(lambda s: function(am, s), bm, 2), rel=1e-8)
    h, k = am * mp.mpf(10) ** -9, bm * mp.mpf(10) ** -9
    corners = [s * t * function(am + s * h, bm + t * k) for s in (1, -1) for t in (1, -1)]
    assert beta_score(a, b, x, "ab") == pytest.approx(float(sum(corners) / (4 * h * k)), rel=1e-8)
    got = ad.gradient(lambda p: sp.betainc(p[0], p[1], x), np.array([a, b]))
    np.testing.assert_array_equal(got, [beta_score(a, b, x, "a"), beta_score(a, b, x, "b")])


@pytest.mark.parametrize(
    ("df", "t"), [(0.5, -3.0), (1.0, 1e-3), (3.0, 1.5), (4.0, -20.0), (60.0, 1.6), (1e4, 0.5), (1e4, -3.0)]
)
def test_student_distribution_in_its_degrees_of_freedom_equals_mpmath(df, t):
    def function(v):
        z = mp.mpf(t) ** 2
        if t * t < 2 * df and abs(t) < 2:
            return mp.sign(t) * mp.betainc(mp.mpf(0.5), v / 2, 0, z / (v + z), regularized=True) / 2
        return -mp.sign(t) * mp.betainc(v / 2, mp.mpf(0.5), 0, v / (v + z), regularized=True) / 2

    assert student_score(df, t) == pytest.approx(in_parameter(function, mp.mpf(df)), rel=1e-9)


def test_incomplete_functions_at_and_beyond_the_ends():
    np.testing.assert_array_equal(gamma_score([2.0, 2.0, 2.0, -1.0, np.nan], [0.0, np.inf, -1.0, 1.0, 1.0])[:2], 0.0)
    assert np.isnan(gamma_score([2.0, -1.0, np.nan], [-1.0, 1.0, 1.0])).all()
    np.testing.assert_array_equal(beta_score(2.0, 3.0, [0.0, 1.0]), 0.0)
    assert np.isnan(beta_score([2.0, -1.0], 3.0, [1.5, 0.5])).all()
    assert student_score(3.0, 0.0) == 0.0
    assert np.isnan(student_score(-3.0, 1.0))
    assert gamma_score(np.ones((0, 2)), 1.0).shape == (0, 2)


def test_student_score_far_in_heavy_tails():
    def tail(df, t):
        return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2

    for df, t in ((0.01, 1e15), (0.2, 1e60), (0.5, 1e120), (3.0, 1e40)):
        with mp.workdps(60):
            expected = float(mp.diff(lambda v, t=t: tail(v, mp.mpf(t)), mp.mpf(df)))
        assert float(student_score(df, -t)) == pytest.approx(expected, rel=1e-9)


def test_quantiles_move_with_the_parameters_of_their_law():
    # the distribution function at the quantile stays p, so all its derivatives along the curve vanish
    for p in (1e-6, 0.2, 0.9):
        assert derivative(lambda a, p=p: sp.gammainc(a, sp.gammaincinv(a, p)), 2.3) == pytest.approx(0.0, abs=1e-12)
        assert derivative(lambda a, p=p: sp.gammaincc(a, sp.gammainccinv(a, p)), 2.3) == pytest.approx(0.0, abs=1e-12)
        assert derivative(lambda v, p=p: sp.stdtr(v, sp.stdtrit(v, p)), 4.0) == pytest.approx(0.0, abs=1e-9)
        for b in (0.5, 3.0):
            whole = lambda a, p=p, b=b: sp.betainc(a, b, sp.betaincinv(a, b, p))
            assert derivative(whole, 2.3) == pytest.approx(0.0, abs=1e-12)
