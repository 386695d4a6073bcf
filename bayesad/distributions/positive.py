"""Laws on the positive half line."""

from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import Positive, Real
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_2, LOG_PI, log1p_square, log_gamma_ratio
from bayesad.distributions.supports import NONNEGATIVE, POSITIVE

__all__ = [
    "Exponential",
    "Gamma",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "InverseGamma",
    "LogNormal",
    "Weibull",
]

SQRT_HALF = float(np.sqrt(0.5))


class HalfNormal(Distribution):
    """Law of |X|, X normal with mean 0 and standard deviation `sigma`."""

    sigma: Positive = 1.0
    support = NONNEGATIVE

    def _log_density(self, x: Any) -> Any:
        return -0.5 * (x / self.sigma) ** 2 - (np.log(self.sigma) + (HALF_LOG_2PI - LOG_2))

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return np.abs(rng.normal(0.0, self.sigma, shape))

    def _cdf(self, x: Any) -> Any:
        return special.erf(SQRT_HALF * x / self.sigma)

    def _sf(self, x: Any) -> Any:
        return special.erfc(SQRT_HALF * x / self.sigma)

    def _log_sf(self, x: Any) -> Any:
        return LOG_2 + special.log_ndtr(-x / self.sigma)

    def _icdf(self, p: Any) -> Any:
        return self.sigma * (special.erfinv(p) / SQRT_HALF)

    def _mean(self) -> Any:
        return self.sigma * np.sqrt(2.0 / np.pi)


class HalfStudentT(Distribution):
    """Law of |X|, X Student's t with `nu` degrees of freedom, location 0 and scale `sigma`."""

    nu: Positive
    sigma: Positive = 1.0
    support = NONNEGATIVE

    def _log_density(self, x: Any) -> Any:
        width = self.sigma * np.sqrt(self.nu)
        constant = log_gamma_ratio(0.5 * self.nu, 0.5) + (LOG_2 - 0.5 * LOG_PI) - np.log(width)
        return constant - 0.5 * (self.nu + 1.0) * log1p_square(x / width)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return np.abs(self.sigma * rng.standard_t(self.nu, shape))

    def _cdf(self, x: Any) -> Any:
        t = x / self.sigma
        small = t < 1.0  # there the incomplete beta function keeps the digits of a probability near 0
        near_0 = special.betainc(0.5, 0.5 * self.nu, 1.0 / (1.0 + self.nu / np.where(small, t, 1.0) ** 2))
        return np.where(small, near_0, 1.0 - self._sf(x))

    def _sf(self, x: Any) -> Any:
        return 2.0 * special.stdtr(self.nu, -x / self.sigma)

    def _icdf(self, p: Any) -> Any:
        small = p < 0.5  # t² / (nu + t²) has the beta law with parameters 1/2 and nu/2
        near_0 = special.betaincinv(0.5, 0.5 * self.nu, np.where(small, p, 0.5))
        far = special.betaincinv(0.5 * self.nu, 0.5, np.where(small, 0.5, 1.0 - p))
        odds = np.where(small, near_0 / (1.0 - near_0), (1.0 - far) / far)
        return self.sigma * np.sqrt(self.nu * odds)

    def _mean(self) -> Any:
        usable = np.where(self.nu > 1.0, self.nu, 2.0)
        ratio = np.exp(log_gamma_ratio(0.5 * usable, 0.5)) / (usable - 1.0)
        mean = 2.0 * self.sigma * np.sqrt(usable / np.pi) * ratio
        return np.where(self.nu > 1.0, mean, np.inf)


class HalfCauchy(Distribution):
    """Law of |X|, X Cauchy with location 0 and scale `sigma`."""

    sigma: Positive = 1.0
    support = NONNEGATIVE

    def _log_density(self, x: Any) -> Any:
        return -log1p_square(x / self.sigma) - (np.log(self.sigma) + (LOG_PI - LOG_2))

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return np.abs(self.sigma * rng.standard_cauchy(shape))

    def _cdf(self, x: Any) -> Any:
        return np.arctan(x / self.sigma) * (2.0 / np.pi)

    def _sf(self, x: Any) -> Any:
        return np.arctan2(1.0, x / self.sigma) * (2.0 / np.pi)

    def _icdf(self, p: Any) -> Any:
        return self.sigma * special.tandg(90.0 * p)

    def _mean(self) -> Any:
        return np.inf


class LogNormal(Distribution):
    """Law of exp(X), X normal with mean `mu` and standard deviation `sigma` (Stan: lognormal)."""

    mu: Real = 0.0
    sigma: Positive = 1.0
    support = POSITIVE

    def _log_density(self, x: Any) -> Any:
        log_x = np.log(x)
        return -0.5 * ((log_x - self.mu) / self.sigma) ** 2 - log_x - (np.log(self.sigma) + HALF_LOG_2PI)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.lognormal(self.mu, self.sigma, shape)

    def _cdf(self, x: Any) -> Any:
        return special.ndtr((np.log(x) - self.mu) / self.sigma)

    def _sf(self, x: Any) -> Any:
        return special.ndtr((self.mu - np.log(x)) / self.sigma)

    def _log_cdf(self, x: Any) -> Any:
        return special.log_ndtr((np.log(x) - self.mu) / self.sigma)

    def _log_sf(self, x: Any) -> Any:
        return special.log_ndtr((self.mu - np.log(x)) / self.sigma)

    def _icdf(self, p: Any) -> Any:
        return np.exp(self.mu + self.sigma * special.ndtri(p))

    def _mean(self) -> Any:
        return np.exp(self.mu + 0.5 * self.sigma**2)


class Exponential(Distribution):
    """Exponential law with rate `beta` (Stan: exponential)."""

    beta: Positive
    support = NONNEGATIVE

    def _log_density(self, x: Any) -> Any:
        return np.log(self.beta) - self.beta * x

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.exponential(1.0 / self.beta, shape)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(-self.beta * x)

    def _sf(self, x: Any) -> Any:
        return np.exp(-self.beta * x)

    def _log_sf(self, x: Any) -> Any:
        return -self.beta * x

    def _icdf(self, p: Any) -> Any:
        return -np.log1p(-p) / self.beta

    def _mean(self) -> Any:
        return 1.0 / self.beta


class Gamma(Distribution):
    """Gamma law with shape `alpha` and rate `beta` (Stan: gamma)."""

    alpha: Positive
    beta: Positive
    support = NONNEGATIVE

    def _log_density(self, x: Any) -> Any:
        constant = self.alpha * np.log(self.beta) - special.gammaln(self.alpha)
        return special.xlogy(self.alpha - 1.0, x) - self.beta * x + constant

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.gamma(self.alpha, 1.0 / self.beta, shape)

    def _cdf(self, x: Any) -> Any:
        return special.gammainc(self.alpha, self.beta * x)

    def _sf(self, x: Any) -> Any:
        return special.gammaincc(self.alpha, self.beta * x)

    def _icdf(self, p: Any) -> Any:
        return special.gammaincinv(self.alpha, p) / self.beta

    def _mean(self) -> Any:
        return self.alpha / self.beta


class InverseGamma(Distribution):
    """Law of 1/X, X gamma with shape `alpha` and rate `beta`; `beta` is its scale (Stan: inv_gamma)."""

    alpha: Positive
    beta: Positive
    support = POSITIVE

    def _log_density(self, x: Any) -> Any:
        constant = self.alpha * np.log(self.beta) - special.gammaln(self.alpha)
        return constant - (self.alpha + 1.0) * np.log(x) - self.beta / x

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.beta / rng.standard_gamma(self.alpha, shape)

    def _cdf(self, x: Any) -> Any:
        return special.gammaincc(self.alpha, self.beta / x)

    def _sf(self, x: Any) -> Any:
        return special.gammainc(self.alpha, self.beta / x)

    def _icdf(self, p: Any) -> Any:
        return self.beta / special.gammainccinv(self.alpha, p)

    def _mean(self) -> Any:
        return np.where(self.alpha > 1.0, self.beta / np.where(self.alpha > 1.0, self.alpha - 1.0, 1.0), np.inf)


class Weibull(Distribution):
    """Weibull law with shape `alpha` and scale `sigma` (Stan: weibull)."""

    alpha: Positive
    sigma: Positive
    support = NONNEGATIVE

    def _log_density(self, x: Any) -> Any:
        y = x / self.sigma
        return special.xlogy(self.alpha - 1.0, y) - y**self.alpha + np.log(self.alpha / self.sigma)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.sigma * rng.weibull(self.alpha, shape)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(-((x / self.sigma) ** self.alpha))

    def _sf(self, x: Any) -> Any:
        return np.exp(-((x / self.sigma) ** self.alpha))

    def _log_sf(self, x: Any) -> Any:
        return -((x / self.sigma) ** self.alpha)

    def _icdf(self, p: Any) -> Any:
        return self.sigma * (-np.log1p(-p)) ** (1.0 / self.alpha)

    def _mean(self) -> Any:
        return self.sigma * special.gamma(1.0 + 1.0 / self.alpha)
