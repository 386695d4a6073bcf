"""The table of laws: what is known of each from scipy.stats and from its density in arithmetic of many digits."""

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import scipy.stats as st
from scipy.special import expit

import bayesad.distributions as laws


class Row(NamedTuple):
    """What is known of a law from elsewhere."""

    law: type[laws.Distribution]
    twin: Callable[..., Any]  # parameters -> frozen law of scipy.stats (or the like)
    exact: Callable[..., Any]  # (x, *parameters) -> log density in mpmath
    parameters: list[tuple[float, ...]]
    gradient_at: tuple[float, ...]  # parameters in general position: no kink, no exponent of exactly 0


class Folded:
    """The law of |X| from that of a symmetric X."""

    def __init__(self, law: Any, mean: float) -> None:
        self.law, self.expected = law, mean

    def logpdf(self, x: Any) -> Any:
        return np.where(np.asarray(x) < 0, -np.inf, np.log(2.0) + self.law.logpdf(x))

    def cdf(self, x: Any) -> Any:
        near_0 = 2.0 * np.asarray(x) * self.law.pdf(0.0)
        difference = self.law.cdf(x) - self.law.cdf(-np.asarray(x))
        return np.where(np.asarray(x) < 0, 0.0, np.where(near_0 < 1e-6, near_0, difference))

    def sf(self, x: Any) -> Any:
        return np.where(np.asarray(x) < 0, 1.0, 2.0 * self.law.sf(x))

    def ppf(self, p: Any) -> Any:
        return self.law.ppf(0.5 + 0.5 * np.asarray(p))

    def isf(self, q: Any) -> Any:
        return self.law.isf(0.5 * np.asarray(q))

    def mean(self) -> Any:
        return self.expected


def normal(x: Any, mu: Any, sigma: Any) -> Any:
    return -(((x - mu) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


def student_t(x: Any, nu: Any, mu: Any, sigma: Any) -> Any:
    constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2 - mp.log(sigma)
    return constant - (nu + 1) / 2 * mp.log(1 + ((x - mu) / sigma) ** 2 / nu)


def cauchy(x: Any, mu: Any, sigma: Any) -> Any:
    return -mp.log(mp.pi * sigma * (1 + ((x - mu) / sigma) ** 2))


def gamma(x: Any, alpha: Any, beta: Any) -> Any:
    return alpha * mp.log(beta) - mp.loggamma(alpha) + (alpha - 1) * mp.log(x) - beta * x


def log_choose(n: Any, k: Any) -> Any:
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)


def binomial(k: Any, n: Any, theta: Any) -> Any:
    return log_choose(n, k) + k * mp.log(theta) + (n - k) * mp.log(1 - theta)


def poisson(k: Any, rate: Any) -> Any:
    return k * mp.log(rate) - rate - mp.loggamma(k + 1)


def negative_binomial(k: Any, mu: Any, phi: Any) -> Any:
    return log_choose(k + phi - 1, k) + k * mp.log(mu / (mu + phi)) + phi * mp.log(phi / (mu + phi))


def logistic(a: Any) -> Any:
    return 1 / (1 + mp.exp(-a))


def folded_t(nu: float, s: float) -> Folded:
    law = st.t(nu, 0, s)
    return Folded(law, 2.0 * s**2 * law.pdf(0.0) * nu / (nu - 1.0) if nu > 1 else np.inf)


LOCATION_SCALE = [(0.0, 1.0), (-3.0, 1e-3), (1e3, 50.0), (0.5, 1e100)]
SCALE = [(1.0,), (1e-3,), (1e100,)]
SHAPE_RATE = [(1.0, 1.0), (0.3, 2.0), (2.5, 1e-4), (150.0, 30.0), (1e-2, 1e3)]

BASIC_LAWS = [
    Row(laws.Normal, st.norm, normal, LOCATION_SCALE, (0.5, 1.5)),
    Row(
        laws.StudentT,
        lambda nu, mu, sigma: st.t(nu, mu, sigma),
        student_t,
        [(1.0, 0.0, 1.0), (0.4, 2.0, 1e-3), (7.0, -1.0, 3.0), (3e3, 0.0, 1.0), (1e5, 0.0, 2.0), (1e13, 1.0, 2.0)],
        (3.5, 0.5, 1.5),
    ),
    Row(laws.Cauchy, st.cauchy, cauchy, LOCATION_SCALE, (0.5, 1.5)),
    Row(laws.Laplace, st.laplace, lambda x, m, s: -abs(x - m) / s - mp.log(2 * s), LOCATION_SCALE, (0.5, 1.5)),
    Row(
        laws.Logistic,
        st.logistic,
        lambda x, m, s: -(x - m) / s - mp.log(s) - 2 * mp.log(1 + mp.exp(-(x - m) / s)),
        LOCATION_SCALE,
        (0.5, 1.5),
    ),
    Row(
        laws.Uniform,
        lambda a, b: st.uniform(a, b - a),
        lambda x, a, b: -mp.log(b - a),
        [(0.0, 1.0), (-3.0, 5.0)],
        (-3.0, 5.0),
    ),
    Row(
        laws.HalfNormal,
        lambda s: Folded(st.norm(0, s), st.halfnorm(0, s).mean()),
        lambda x, s: mp.log(2) + normal(x, 0, s),
        SCALE,
        (1.5,),
    ),
    Row(
        laws.HalfCauchy,
        lambda s: Folded(st.cauchy(0, s), np.inf),
        lambda x, s: mp.log(2) + cauchy(x, 0, s),
        SCALE,
        (1.5,),
    ),
    Row(
        laws.HalfStudentT,
        folded_t,
        lambda x, nu, s: mp.log(2) + student_t(x, nu, 0, s),
        [(1.0, 1.0), (3.0, 1e-3), (0.4, 2.0), (1e9, 5.0)],
        (3.5, 1.5),
    ),
    Row(
        laws.LogNormal,
        lambda m, s: st.lognorm(s, scale=np.exp(m)),
        lambda x, m, s: normal(mp.log(x), m, s) - mp.log(x),
        [(0.0, 1.0), (-3.0, 0.1), (20.0, 3.0)],
        (0.5, 1.5),
    ),
    Row(laws.Exponential, lambda b: st.expon(scale=1 / b), lambda x, b: mp.log(b) - b * x, SCALE, (1.5,)),
    Row(laws.Gamma, lambda a, b: st.gamma(a, scale=1 / b), gamma, SHAPE_RATE, (2.5, 1.5)),
    Row(
        laws.InverseGamma,
        lambda a, b: st.invgamma(a, scale=b),
        lambda x, a, b: gamma(1 / x, a, b) - 2 * mp.log(x),
        SHAPE_RATE[:4],
        (2.5, 1.5),
    ),
    Row(
        laws.Weibull,
        lambda a, s: st.weibull_min(a, scale=s),
        lambda x, a, s: mp.log(a / s) + (a - 1) * mp.log(x / s) - (x / s) ** a,
        [(1.0, 1.0), (0.4, 1e-3), (3.0, 50.0), (30.0, 2.0)],
        (2.5, 1.5),
    ),
    Row(
        laws.Beta,
        st.beta,
        lambda x, a, b: (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x) - mp.log(mp.beta(a, b)),
        [(1.0, 1.0), (0.5, 0.5), (2.0, 7.0), (300.0, 0.2), (1e-2, 3.0)],
        (2.5, 1.5),
    ),
    Row(laws.Bernoulli, st.bernoulli, lambda k, p: binomial(k, mp.mpf(1), p), [(0.3,), (1e-20,), (0.999,)], (0.3,)),
    Row(
        laws.BernoulliLogit,
        lambda a: st.bernoulli(expit(a)),
        lambda k, a: binomial(k, mp.mpf(1), logistic(a)),
        [(0.7,), (-30.0,), (8.0,)],
        (0.7,),
    ),
    Row(laws.Binomial, st.binom, binomial, [(1.0, 0.5), (20.0, 0.3), (1000.0, 1e-4), (50.0, 0.99)], (20.0, 0.3)),
    Row(
        laws.BinomialLogit,
        lambda n, a: st.binom(n, expit(a)),
        lambda k, n, a: binomial(k, n, logistic(a)),
        [(1.0, 0.0), (20.0, -0.7), (1000.0, 3.0), (50.0, -10.0)],
        (20.0, -0.7),
    ),
    Row(laws.Poisson, st.poisson, poisson, [(3.5,), (1e-3,), (1e3,)], (3.5,)),
    Row(
        laws.PoissonLog,
        lambda a: st.poisson(np.exp(a)),
        lambda k, a: poisson(k, mp.exp(a)),
        [(1.0,), (-7.0,), (6.0,)],
        (1.2,),
    ),
    Row(
        laws.NegativeBinomial2,
        lambda mu, phi: st.nbinom(phi, phi / (mu + phi)),
        negative_binomial,
        [(3.0, 2.0), (40.0, 0.1), (1e-3, 5.0), (200.0, 2e3), (7.0, 1e4)],
        (3.5, 2.5),
    ),
    Row(
        laws.NegativeBinomial2Log,
        lambda eta, phi: st.nbinom(phi, phi / (np.exp(eta) + phi)),
        lambda k, eta, phi: negative_binomial(k, mp.exp(eta), phi),
        [(1.0, 2.0), (4.0, 0.1), (-7.0, 5.0), (5.0, 4e3)],
        (1.2, 2.5),
    ),
]
