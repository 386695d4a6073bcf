"""Rows of the table for the families beyond the basic ones."""

import functools
import itertools
from typing import Any

import mpmath as mp
import numpy as np
import scipy.special as sp
import scipy.stats as st
from scipy.integrate import quad
from scipy.special import expit, logit

import bayesad.distributions as laws
from tests.distributions.table import LOCATION_SCALE, Row, gamma, log_choose, negative_binomial, normal


class Image:
    """The law of f(X) for an increasing f, from that of X."""

    def __init__(self, law: Any, forward: Any, inverse: Any, log_slope: Any, mean: float = np.nan) -> None:
        self.law, self.forward, self.inverse, self.log_slope, self.expected = law, forward, inverse, log_slope, mean

    def logpdf(self, y: Any) -> Any:
        return self.law.logpdf(self.inverse(y)) - self.log_slope(self.inverse(y))

    def cdf(self, y: Any) -> Any:
        return self.law.cdf(self.inverse(y))

    def sf(self, y: Any) -> Any:
        return self.law.sf(self.inverse(y))

    def ppf(self, p: Any) -> Any:
        return self.forward(self.law.ppf(p))

    def isf(self, q: Any) -> Any:
        return self.forward(self.law.isf(q))

    def mean(self) -> Any:
        return self.expected


class Precise:
    """A law of scipy.stats that loses tails, with its cdf in mpmath."""

    def __init__(self, law: Any, cdf: Any, *parameters: float, sf: Any = None, digits: int = 150) -> None:
        self.law, self.parameters, self.digits = law, parameters, digits
        self.exact_cdf, self.exact_sf = cdf, sf or (lambda *args: 1 - cdf(*args))
        self.logpdf, self.ppf, self.isf, self.mean = law.logpdf, law.ppf, law.isf, law.mean

    def cdf(self, x: Any) -> Any:
        return self.law.cdf(x) if np.size(x) > 100 else self._each(x, self.exact_cdf)

    def sf(self, x: Any) -> Any:
        return self._each(x, self.exact_sf)

    def _each(self, x: Any, f: Any) -> Any:
        with mp.workdps(self.digits):
            parameters = list(map(mp.mpf, self.parameters))
            return np.array([float(f(mp.mpf(v), *parameters)) for v in np.asarray(x).tolist()])


class Integrated:
    """A positive law of scipy.stats that loses tails, with its cdf by quadrature over pieces of some scale's length."""

    def __init__(self, law: Any, scale: float) -> None:
        self.law, self.scale = law, scale
        self.logpdf, self.ppf, self.isf, self.mean = law.logpdf, law.ppf, law.isf, law.mean

    def cdf(self, x: Any) -> Any:
        return self.law.cdf(x) if np.size(x) > 100 else np.array([self._mass(v, -self.scale) for v in x])

    def sf(self, x: Any) -> Any:
        return np.array([self._mass(v, self.scale) for v in x])

    def _mass(self, x: float, step: float) -> float:
        ends = np.maximum(x + step * np.array([0.0, 0.3, 1.0, 3.0, 10.0, 40.0]), 0.0)
        peak = max(self.logpdf(ends[ends > 0]))
        density = lambda t: np.exp(self.logpdf(t) - peak)
        return np.exp(peak) * sum(
            abs(quad(density, *e, epsrel=1e-12)[0]) for e in itertools.pairwise(ends) if e[0] != e[1]
        )


class WithMean:
    """A law of scipy.stats with its mean from elsewhere."""

    def __init__(self, law: Any, mean: float) -> None:
        self.logpdf, self.ppf, self.isf, self.cdf, self.sf = law.logpdf, law.ppf, law.isf, law.cdf, law.sf
        self.expected = mean

    def mean(self) -> float:
        return self.expected


def phi(z: Any) -> Any:
    return mp.erfc(-z / mp.sqrt(2)) / 2


def log_phi(z: Any) -> Any:
    """log of the normal cdf, far out by its asymptotic series."""
    if z > -1e5:
        return mp.log(phi(z))
    series = sum((-1) ** k * mp.fac2(2 * k - 1) / z ** (2 * k) for k in range(40))
    return -z * z / 2 - mp.log(-z) - mp.log(2 * mp.pi) / 2 + mp.log(series)


def skew_normal_cdf(x: Any, xi: Any, omega: Any, alpha: Any) -> Any:
    z = (x - xi) / omega
    if alpha < 0:
        return skew_normal_sf(-z, 0, 1, -alpha)
    return skew_normal_tail(z, alpha) if z < 0 else 1 - skew_normal_sf(z, 0, 1, alpha)


def skew_normal_sf(x: Any, xi: Any, omega: Any, alpha: Any) -> Any:
    z = (x - xi) / omega
    if alpha < 0:
        return skew_normal_cdf(-z, 0, 1, -alpha)
    return 1 - skew_normal_tail(z, alpha) if z < 0 else 2 * phi(-z) - skew_normal_tail(z, alpha)


def skew_normal_tail(z: Any, alpha: Any) -> Any:
    """The cdf at -|z|: Owen's integral from alpha to infinity."""
    scale = 1 / (1 + abs(z) * (1 + alpha * abs(z)))
    ends = [alpha, *[alpha + k * scale for k in (0.5, 1, 2, 4, 8, 16, 40)], mp.inf]
    return mp.quad(lambda t: mp.exp(-z * z * (1 + t * t) / 2) / (1 + t * t), ends) / mp.pi


def pareto_cdf(x: Any, low: Any, alpha: Any) -> Any:
    return 1 - (low / x) ** alpha


def log_logistic_cdf(x: Any, alpha: Any, beta: Any) -> Any:
    return 1 / (1 + (x / alpha) ** -beta)


def skew_t_cdf(x: Any, a: Any, b: Any, mu: Any, sigma: Any) -> Any:
    return mp.betainc(a, b, 0, skew_t_shares((x - mu) / sigma, a, b)[0], regularized=True)


def skew_t_shares(z: Any, a: Any, b: Any) -> Any:
    r = mp.sqrt(a + b + z * z)
    small = (a + b) / (2 * r * (r + abs(z)))
    return (small, 1 - small) if z < 0 else (1 - small, small)


def exp_mod_normal_cdf(x: Any, mu: Any, sigma: Any, rate: Any) -> Any:
    z, k = (x - mu) / sigma, rate * sigma
    return phi(z) - mp.exp(k * k / 2 - k * z) * phi(z - k)


def inverse_gaussian_cdf(x: Any, mu: Any, shape: Any) -> Any:
    root = mp.sqrt(shape / x)
    return phi(root * (x / mu - 1)) + mp.exp(2 * shape / mu) * phi(-root * (x / mu + 1))


def skew_normal(x: Any, xi: Any, omega: Any, alpha: Any) -> Any:
    return mp.log(2) + normal(x, xi, omega) + log_phi(alpha * (x - xi) / omega)


def asymmetric_laplace(x: Any, left: Any, right: Any) -> Any:
    return mp.log(left * right / (left + right)) - (right * x if x > 0 else -left * x)


def extreme_value(x: Any, mu: Any, sigma: Any, xi: Any) -> Any:
    z = (x - mu) / sigma
    log_t = -mp.log(1 + xi * z) / xi if xi != 0 else -z
    return (xi + 1) * log_t - mp.exp(log_t) - mp.log(sigma)


def extreme_value_mean(xi: float) -> float:
    with mp.workdps(50):
        return np.inf if xi >= 1 else float((mp.gamma(1 - xi) - 1) / xi) if xi else np.euler_gamma


def generalized_pareto(x: Any, mu: Any, sigma: Any, xi: Any) -> Any:
    z = (x - mu) / sigma
    return -(1 + 1 / xi) * mp.log(1 + xi * z) - mp.log(sigma) if xi != 0 else -z - mp.log(sigma)


def skew_t(x: Any, a: Any, b: Any, mu: Any, sigma: Any) -> Any:
    z = (x - mu) / sigma
    low, high = skew_t_shares(z, a, b)
    constant = (a + b - 1) * mp.log(2) + mp.log(mp.beta(a, b)) + mp.log(a + b) / 2 + mp.log(sigma)
    return (a + 0.5) * mp.log(2 * low) + (b + 0.5) * mp.log(2 * high) - constant


def beta(x: Any, a: Any, b: Any) -> Any:
    return (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x) - mp.log(mp.beta(a, b))


def triangular(x: Any, low: Any, mode: Any, high: Any) -> Any:
    slope = (x - low) / (mode - low) if x < mode else (high - x) / (high - mode)
    return mp.log(2 * slope / (high - low))


def log_bessel_i(v: Any, z: Any) -> Any:
    """log(exp(-z) I_v(z)), by the power series with its large factor taken out."""
    q, term, total, k = z * z / 4, mp.mpf(1), mp.mpf(0), 0
    while k * (k + v) < q or term > total * mp.mpf(10) ** -60:
        total += term
        k += 1
        term *= q / (k * (k + v))
    return v * mp.log(z / 2) - mp.loggamma(v + 1) + mp.log(total) - z


def log_i0(x: Any) -> Any:
    """log I0, by its asymptotic series where the power series would need too many terms."""
    if x < 1e5:
        return mp.log(mp.besseli(0, x))
    terms = sum(mp.rf(mp.mpf(1) / 2, k) ** 2 / (mp.factorial(k) * (2 * x) ** k) for k in range(60))
    return x - mp.log(2 * mp.pi * x) / 2 + mp.log(terms)


class Circular:
    """Von Mises law with its centre at 0: scipy.stats, but its tails by integrals of the density."""

    def __init__(self, centre: float, concentration: float) -> None:
        self.law, self.concentration = st.vonmises(concentration, centre), concentration

    def __getattr__(self, name: str) -> Any:
        return getattr(self.law, name)

    def cdf(self, x: Any) -> Any:
        values = np.array(self.law.cdf(x))
        for i in np.flatnonzero(np.minimum(values, 1.0 - values) < 1e-3):
            tail = self._tail(abs(np.asarray(x)[i]))
            values[i] = tail if x[i] < 0.0 else 1.0 - tail
        return values

    def sf(self, x: Any) -> Any:
        return self.cdf(-np.asarray(x))

    def _tail(self, x: float) -> float:
        reach = min(np.pi, x + 40.0 / (self.concentration * np.sin(0.5 * (x + np.pi)) + 10.0))
        return quad(self.law.pdf, x, max(reach, min(np.pi, 2.0 * x)), epsabs=0.0, epsrel=1e-12, limit=200)[0]


CONTINUOUS = [
    Row(
        laws.SkewNormal,
        lambda xi, w, a: Precise(st.skewnorm(a, xi, w), skew_normal_cdf, xi, w, a, sf=skew_normal_sf, digits=30),
        skew_normal,
        [(0.0, 1.0, 0.0), (-3.0, 1e-3, 4.0), (1e3, 50.0, -0.6), (0.5, 1e100, 30.0)],
        (0.5, 1.5, 0.7),
    ),
    Row(
        laws.ExpModNormal,
        lambda m, s, r: Precise(st.exponnorm(1 / (s * r), m, s), exp_mod_normal_cdf, m, s, r),
        lambda x, m, s, r: mp.log(r) + r * (m - x) + (r * s) ** 2 / 2 + log_phi((x - m) / s - r * s),
        [(0.0, 1.0, 1.0), (-3.0, 0.1, 0.3), (2.0, 30.0, 4.0)],
        (0.5, 1.5, 0.7),
    ),
    Row(
        laws.AsymmetricLaplace,
        lambda m, s, k: st.laplace_asymmetric(k, m, s),
        lambda x, m, s, k: asymmetric_laplace(x - m, 1 / (k * s), k / s),
        [(0.0, 1.0, 1.0), (-3.0, 1e-3, 0.2), (1e3, 50.0, 7.0)],
        (0.5, 1.5, 0.7),
    ),
    Row(
        laws.SkewDoubleExponential,
        lambda m, s, t: st.laplace_asymmetric(np.sqrt(t / (1 - t)), m, s / (2 * np.sqrt(t * (1 - t)))),
        lambda x, m, s, t: asymmetric_laplace(x - m, 2 * (1 - t) / s, 2 * t / s),
        [(0.0, 1.0, 0.5), (-3.0, 1e-3, 0.02), (1e3, 50.0, 0.9)],
        (0.5, 1.5, 0.7),
    ),
    Row(
        laws.SkewStudentT,
        lambda *p: Precise(st.jf_skew_t(*p), skew_t_cdf, *p),
        skew_t,
        [(2.0, 2.0, 0.0, 1.0), (0.6, 7.0, -3.0, 1e-3), (30.0, 1.5, 2.0, 50.0)],
        (2.5, 1.2, 0.5, 1.5),
    ),
    Row(
        laws.Moyal,
        st.moyal,
        lambda x, m, s: -((x - m) / s + mp.exp(-(x - m) / s)) / 2 - mp.log(s) - mp.log(2 * mp.pi) / 2,
        LOCATION_SCALE[:3],
        (0.5, 1.5),
    ),
    Row(
        laws.Gumbel,
        st.gumbel_r,
        lambda x, m, s: -(x - m) / s - mp.exp(-(x - m) / s) - mp.log(s),
        LOCATION_SCALE[:3],
        (0.5, 1.5),
    ),
    Row(
        laws.Frechet,
        lambda a, s: WithMean(st.invweibull(a, scale=s), s * sp.gamma(1 - 1 / a) if a > 1 else np.inf),
        lambda x, a, s: mp.log(a / s) - (a + 1) * mp.log(x / s) - (x / s) ** -a,
        [(1.0, 1.0), (0.4, 1e-3), (3.0, 50.0)],
        (2.5, 1.5),
    ),
    Row(
        laws.GeneralizedExtremeValue,
        lambda m, s, xi: (
            st.genextreme(-xi, m, s) if xi != 1e-9 else WithMean(st.genextreme(-xi, m, s), m + s * np.euler_gamma)
        ),
        extreme_value,
        [(0.0, 1.0, 0.0), (2.0, 3.0, 0.3), (-5.0, 0.1, -0.4), (1.0, 1.0, 1e-9), (0.0, 2.0, 1.5)],
        (0.5, 1.5, 0.2),
    ),
    Row(
        laws.GeneralizedPareto,
        lambda m, s, xi: st.genpareto(xi, m, s),
        generalized_pareto,
        [(0.0, 1.0, 0.0), (0.0, 3.0, 0.3), (0.0, 0.1, -0.4), (0.0, 1.0, 1e-9), (0.0, 2.0, 1.5)],
        (0.5, 1.5, 0.2),
    ),
    Row(
        laws.Pareto,
        lambda low, a: Precise(st.pareto(a, scale=low), pareto_cdf, low, a),
        lambda x, low, a: mp.log(a) + a * mp.log(low / x) - mp.log(x),
        [(1.0, 1.0), (1e-3, 0.4), (50.0, 7.0)],
        (1.5, 2.5),
    ),
    Row(
        laws.ParetoType2,
        lambda m, s, a: st.lomax(a, m, s),
        lambda x, m, s, a: mp.log(a / s) - (a + 1) * mp.log(1 + (x - m) / s),
        [(0.0, 1.0, 1.0), (0.0, 1e-3, 0.4), (0.0, 50.0, 7.0)],
        (0.5, 1.5, 2.5),
    ),
    Row(
        laws.Rayleigh,
        lambda s: st.rayleigh(scale=s),
        lambda x, s: mp.log(x / s**2) - x**2 / (2 * s**2),
        [(1.0,), (1e-3,), (1e50,)],
        (1.5,),
    ),
    Row(
        laws.Rice,
        lambda nu, s: Integrated(st.rice(nu / s, scale=s), s),
        lambda x, nu, s: mp.log(x / s**2) - (x**2 + nu**2) / (2 * s**2) + log_i0(x * nu / s**2),
        [(1.0, 1.0), (0.0, 2.0), (30.0, 2.0)],
        (1.5, 0.8),
    ),
    Row(laws.ChiSquare, st.chi2, lambda x, nu: gamma(x, nu / 2, mp.mpf(0.5)), [(1.0,), (0.3,), (70.0,)], (3.5,)),
    Row(
        laws.InverseChiSquare,
        lambda nu: st.invgamma(nu / 2, scale=0.5),
        lambda x, nu: gamma(1 / x, nu / 2, mp.mpf(0.5)) - 2 * mp.log(x),
        [(1.0,), (0.3,), (70.0,)],
        (3.5,),
    ),
    Row(
        laws.ScaledInverseChiSquare,
        lambda nu, s: st.invgamma(nu / 2, scale=nu * s**2 / 2),
        lambda x, nu, s: gamma(1 / x, nu / 2, nu * s**2 / 2) - 2 * mp.log(x),
        [(1.0, 1.0), (0.3, 20.0), (70.0, 1e-3)],
        (3.5, 1.5),
    ),
    Row(
        laws.LogLogistic,
        lambda a, b: Precise(st.fisk(b, scale=a), log_logistic_cdf, a, b),
        lambda x, a, b: mp.log(b / a) + (b - 1) * mp.log(x / a) - 2 * mp.log(1 + (x / a) ** b),
        [(1.0, 1.0), (1e-3, 0.4), (50.0, 7.0)],
        (1.5, 2.5),
    ),
    Row(
        laws.InverseGaussian,
        lambda m, s: Precise(st.invgauss(m / s, scale=s), inverse_gaussian_cdf, m, s),
        lambda x, m, s: mp.log(s / (2 * mp.pi * x**3)) / 2 - s * (x - m) ** 2 / (2 * m**2 * x),
        [(1.0, 1.0), (1e-3, 2e-3), (50.0, 7.0), (2.0, 90.0)],
        (1.5, 2.5),
    ),
    Row(
        laws.BetaProportion,
        lambda mu, kappa: st.beta(mu * kappa, (1 - mu) * kappa),
        lambda x, mu, kappa: beta(x, mu * kappa, (1 - mu) * kappa),
        [(0.5, 2.0), (0.1, 30.0), (0.75, 0.8)],
        (0.3, 5.0),
    ),
    Row(
        laws.Kumaraswamy,
        lambda a, b: Image(
            st.beta(1, b),
            lambda t: t ** (1 / a),
            lambda x: x**a,
            lambda t: np.log(t) / a - np.log(t) - np.log(a),
            st.beta(1, b).expect(lambda t: t ** (1 / a)),
        ),
        lambda x, a, b: mp.log(a * b) + (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x**a),
        [(1.0, 1.0), (2.0, 7.0), (0.5, 0.5)],
        (2.5, 1.5),
    ),
    Row(
        laws.LogitNormal,
        lambda m, s: Image(st.norm(m, s), expit, logit, lambda u: np.log(expit(u)) + np.log(expit(-u))),
        lambda x, m, s: normal(mp.log(x / (1 - x)), m, s) - mp.log(x) - mp.log(1 - x),
        [(0.0, 1.0), (-3.0, 0.1), (2.0, 0.4)],
        (0.5, 1.5),
    ),
    Row(
        laws.Triangular,
        lambda low, mode, high: st.triang((mode - low) / (high - low), low, high - low),
        triangular,
        [(0.0, 0.25, 1.0), (0.0, 0.0, 1.0), (0.0, 8.0, 8.0), (-2.0, 1.0, 3.0)],
        (-2.0, 1.1, 3.0),
    ),
    Row(
        laws.VonMises,
        Circular,
        lambda x, m, k: k * mp.cos(x - m) - mp.log(2 * mp.pi) - log_i0(k),
        [(0.0, 1.0), (0.0, 1e-3), (0.0, 45.0), (0.0, 1e6)],
        (0.2, 2.5),
    ),
]


class Tabulated:
    """A law on 0, 1, … from the logarithms of its probabilities, most of which a table holds."""

    def __init__(self, log_probability: Any, size: int = 600) -> None:
        self.logpmf = lambda x: np.array([float(log_probability(k)) for k in np.asarray(x).tolist()])
        self.p = np.exp(self.logpmf(np.arange(float(size))))
        self.below, self.above = np.cumsum(self.p), np.append(np.cumsum(self.p[::-1])[::-1], 0.0)

    def _at(self, table: Any, x: Any) -> Any:
        x = np.asarray(x).astype(int)
        return table[np.clip(x, 0, len(table) - 1)]

    def cdf(self, x: Any) -> Any:
        return np.where(np.asarray(x) < 0, 0.0, self._at(self.below, x))

    def sf(self, x: Any) -> Any:
        return np.where(np.asarray(x) < 0, 1.0, self._at(self.above, np.asarray(x) + 1))

    def ppf(self, p: Any) -> Any:
        return np.searchsorted(self.below, p).astype(float)

    def isf(self, q: Any) -> Any:
        """No further out than where what lies beyond the table does not count."""
        places = len(self.p) - np.searchsorted(self.above[::-1], np.maximum(q, 1e-13))
        return np.where(np.less(q, 1e-13), np.maximum(places, len(self.p) // 6), places).astype(float)

    def mean(self) -> Any:
        return np.sum(np.arange(len(self.p)) * self.p)


class Difference:
    """Skellam's law: scipy.stats, but the upper tail from the lower one of -X."""

    def __init__(self, mu1: float, mu2: float) -> None:
        self.law, self.mirrored = st.skellam(mu1, mu2), st.skellam(mu2, mu1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.law, name)

    def sf(self, x: Any) -> Any:
        return self.mirrored.cdf(-np.asarray(x) - 1.0)


def discrete_weibull(k: Any, q: Any, beta: Any) -> Any:
    return mp.log(q ** (mp.mpf(k) ** beta) - q ** (mp.mpf(k + 1) ** beta))


@functools.cache
def com_poisson_sum(rate: Any, nu: Any, digits: int) -> Any:
    total, term, k = mp.mpf(0), mp.mpf(1), 0
    while k <= rate ** (1 / nu) or term > total * mp.mpf(10) ** -digits:
        total += term
        k += 1
        term *= rate / mp.mpf(k) ** nu
    return total


def com_poisson(k: Any, rate: Any, nu: Any) -> Any:
    return k * mp.log(rate) - nu * mp.loggamma(k + 1) - mp.log(com_poisson_sum(mp.mpf(rate), mp.mpf(nu), mp.mp.dps))


def log_beta(a: Any, b: Any) -> Any:
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def beta_negative_binomial(k: Any, r: Any, a: Any, b: Any) -> Any:
    return log_choose(k + r - 1, k) + log_beta(a + r, b + k) - log_beta(a, b)


def beta_binomial(k: Any, n: Any, a: Any, b: Any) -> Any:
    return log_choose(n, k) + log_beta(k + a, n - k + b) - log_beta(a, b)


def hypergeometric(k: Any, n: Any, a: Any, b: Any) -> Any:
    if not 0 <= k <= a or not 0 <= n - k <= b:
        return -mp.inf
    return log_choose(a, k) + log_choose(b, n - k) - log_choose(a + b, n)


def tabulated(exact: Any, of_n: bool = False) -> Any:
    """What makes the twin of a law from its exact density; `of_n`: there are values up to the first parameter only."""

    @functools.cache
    def twin(*parameters: float) -> Tabulated:
        with mp.workdps(60):
            given = [mp.mpf(p) for p in parameters]
            return Tabulated(lambda k: exact(mp.mpf(k), *given), int(parameters[0]) + 1 if of_n else 600)

    return twin


COUNTS = [
    Row(
        laws.Geometric,
        st.geom,
        lambda k, p: mp.log(p) + (k - 1) * mp.log(1 - p),
        [(0.3,), (1e-3,), (0.99,)],
        (0.3,),
    ),
    Row(
        laws.NegativeBinomial,
        lambda a, b: st.nbinom(a, b / (1 + b)),
        lambda k, a, b: negative_binomial(k, a / b, a),
        [(3.0, 2.0), (0.4, 0.1), (2e3, 10.0)],
        (2.5, 0.7),
    ),
    Row(
        laws.NegativeBinomialP,
        st.nbinom,
        lambda k, n, p: negative_binomial(k, n * (1 - p) / p, n),
        [(3.0, 0.2), (0.4, 0.9), (2e3, 0.8)],
        (2.5, 0.3),
    ),
    Row(
        laws.BetaBinomial,
        tabulated(beta_binomial, of_n=True),
        beta_binomial,
        [(1.0, 1.0, 1.0), (20.0, 0.3, 2.0), (100.0, 50.0, 7.0), (30.0, 2e3, 1e5)],
        (20.0, 2.5, 1.5),
    ),
    Row(
        laws.BetaNegativeBinomial,
        tabulated(beta_negative_binomial),
        beta_negative_binomial,
        [(1.0, 20.0, 1.0), (4.0, 30.0, 20.0), (0.5, 20.0, 9.0)],
        (4.5, 13.5, 7.5),
    ),
    Row(
        laws.Hypergeometric,
        tabulated(hypergeometric, of_n=True),
        hypergeometric,
        [(1.0, 1.0, 1.0), (10.0, 20.0, 7.0), (50.0, 40.0, 200.0), (9.0, 5.0, 5.0)],
        (10.0, 20.0, 7.0),
    ),
    Row(
        laws.DiscreteUniform,
        lambda a, b: st.randint(a, b + 1),
        lambda k, a, b: -mp.log(b - a + 1),
        [(0.0, 1.0), (-3.0, 9.0), (5.0, 5.0)],
        (-3.0, 9.0),
    ),
    Row(
        laws.Skellam,
        Difference,
        lambda k, a, b: (
            k / 2 * mp.log(a / b) - (mp.sqrt(a) - mp.sqrt(b)) ** 2 + log_bessel_i(abs(k), 2 * mp.sqrt(a * b))
        ),
        [(1.0, 1.0), (0.01, 3.0), (40.0, 9.0), (300.0, 250.0)],
        (2.5, 1.2),
    ),
    Row(
        laws.DiscreteWeibull,
        tabulated(discrete_weibull),
        discrete_weibull,
        [(0.5, 1.0), (0.9, 2.0), (0.05, 1.6)],
        (0.6, 1.3),
    ),
    Row(
        laws.COMPoisson,
        tabulated(com_poisson),
        com_poisson,
        [(1.0, 1.0), (3.0, 0.7), (50.0, 2.5), (0.9, 0.05), (60.0, 0.9)],
        (3.5, 1.3),
    ),
    Row(
        laws.YuleSimon,
        st.yulesimon,
        lambda k, a: mp.log(a) + log_beta(k, a + 1),
        [(1.5,), (0.4,), (20.0,)],
        (2.5,),
    ),
]

MORE_LAWS = CONTINUOUS + COUNTS
