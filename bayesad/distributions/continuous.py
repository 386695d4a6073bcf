"""Laws on the whole real line, and the flat laws on any part of it."""

from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import Lower, Positive, Real, Upper, check_order
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_2, LOG_PI, log1p_square, log_gamma_ratio, spread
from bayesad.distributions.supports import REAL, Support
from bayesad.errors import DistributionError

__all__ = ["Cauchy", "DoubleExponential", "Flat", "Laplace", "Logistic", "Normal", "StudentT", "Uniform"]


class Normal(Distribution):
    """Normal law with mean `mu` and standard deviation `sigma` (Stan: normal)."""

    mu: Real = 0.0
    sigma: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        return -0.5 * ((x - self.mu) / self.sigma) ** 2 - (np.log(self.sigma) + HALF_LOG_2PI)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.normal(self.mu, self.sigma, shape)

    def _cdf(self, x: Any) -> Any:
        return special.ndtr((x - self.mu) / self.sigma)

    def _sf(self, x: Any) -> Any:
        return special.ndtr((self.mu - x) / self.sigma)

    def _log_cdf(self, x: Any) -> Any:
        return special.log_ndtr((x - self.mu) / self.sigma)

    def _log_sf(self, x: Any) -> Any:
        return special.log_ndtr((self.mu - x) / self.sigma)

    def _icdf(self, p: Any) -> Any:
        return self.mu + self.sigma * special.ndtri(p)

    def _mean(self) -> Any:
        return self.mu


class StudentT(Distribution):
    """Student's t law with `nu` degrees of freedom, location `mu` and scale `sigma` (Stan: student_t)."""

    nu: Positive
    mu: Real = 0.0
    sigma: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        width = self.sigma * np.sqrt(self.nu)
        constant = log_gamma_ratio(0.5 * self.nu, 0.5) - 0.5 * LOG_PI - np.log(width)
        return constant - 0.5 * (self.nu + 1.0) * log1p_square((x - self.mu) / width)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.mu + self.sigma * rng.standard_t(self.nu, shape)

    def _cdf(self, x: Any) -> Any:
        return special.stdtr(self.nu, (x - self.mu) / self.sigma)

    def _sf(self, x: Any) -> Any:
        return special.stdtr(self.nu, (self.mu - x) / self.sigma)

    def _icdf(self, p: Any) -> Any:
        return self.mu + self.sigma * special.stdtrit(self.nu, p)

    def _mean(self) -> Any:
        return np.where(self.nu > 1.0, self.mu, np.nan)


class Cauchy(Distribution):
    """Cauchy law with location `mu` and scale `sigma` (Stan: cauchy)."""

    mu: Real = 0.0
    sigma: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        return -log1p_square((x - self.mu) / self.sigma) - (np.log(self.sigma) + LOG_PI)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.mu + self.sigma * rng.standard_cauchy(shape)

    def _cdf(self, x: Any) -> Any:
        return np.arctan2(1.0, (self.mu - x) / self.sigma) / np.pi

    def _sf(self, x: Any) -> Any:
        return np.arctan2(1.0, (x - self.mu) / self.sigma) / np.pi

    def _icdf(self, p: Any) -> Any:
        return self.mu - self.sigma * special.cotdg(180.0 * p)

    def _mean(self) -> Any:
        return np.nan


class Laplace(Distribution):
    """Double exponential law with location `mu` and scale `sigma` (Stan: double_exponential)."""

    mu: Real = 0.0
    sigma: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        return -np.abs((x - self.mu) / self.sigma) - (np.log(self.sigma) + LOG_2)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.laplace(self.mu, self.sigma, shape)

    def _cdf(self, x: Any) -> Any:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_cdf(self, x: Any) -> Any:
        z = (x - self.mu) / self.sigma
        return np.where(z < 0, z - LOG_2, np.log1p(-0.5 * np.exp(-np.abs(z))))

    def _log_sf(self, x: Any) -> Any:
        z = (self.mu - x) / self.sigma
        return np.where(z < 0, z - LOG_2, np.log1p(-0.5 * np.exp(-np.abs(z))))

    def _icdf(self, p: Any) -> Any:
        return self.mu + self.sigma * np.where(p < 0.5, np.log(2.0 * p), -np.log(2.0 * (1.0 - p)))

    def _mean(self) -> Any:
        return self.mu


DoubleExponential = Laplace


class Logistic(Distribution):
    """Logistic law with location `mu` and scale `sigma` (Stan: logistic)."""

    mu: Real = 0.0
    sigma: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        z = (x - self.mu) / self.sigma
        return z + 2.0 * special.log_expit(-z) - np.log(self.sigma)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.logistic(self.mu, self.sigma, shape)

    def _cdf(self, x: Any) -> Any:
        return special.expit((x - self.mu) / self.sigma)

    def _sf(self, x: Any) -> Any:
        return special.expit((self.mu - x) / self.sigma)

    def _log_cdf(self, x: Any) -> Any:
        return special.log_expit((x - self.mu) / self.sigma)

    def _log_sf(self, x: Any) -> Any:
        return special.log_expit((self.mu - x) / self.sigma)

    def _icdf(self, p: Any) -> Any:
        return self.mu + self.sigma * special.logit(p)

    def _mean(self) -> Any:
        return self.mu


class Uniform(Distribution):
    """Uniform law on the closed interval from `lower` to `upper` (Stan: uniform)."""

    lower: Real
    upper: Real

    @property
    def support(self) -> Support:
        return Support("real", self.lower, self.upper)

    def _validate(self) -> None:
        check_order(self._name, self.lower, self.upper)

    def _log_density(self, x: Any) -> Any:
        return spread(-np.log(self.upper - self.lower), x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.uniform(self.lower, self.upper, shape)

    def _cdf(self, x: Any) -> Any:
        return (x - self.lower) / (self.upper - self.lower)

    def _sf(self, x: Any) -> Any:
        return (self.upper - x) / (self.upper - self.lower)

    def _icdf(self, p: Any) -> Any:
        return self.lower + p * (self.upper - self.lower)

    def _mean(self) -> Any:
        return 0.5 * (self.lower + self.upper)


class Flat(Distribution):
    """Improper uniform law: density 1 on the real line, or between bounds, which may depend on parameters."""

    lower: Lower = None
    upper: Upper = None

    @property
    def support(self) -> Support:
        return Support("real", self.lower, self.upper)

    def _validate(self) -> None:
        check_order(self._name, self.lower, self.upper)

    def _log_density(self, x: Any) -> Any:
        return spread(np.broadcast_to(0.0, self.batch_shape), x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        raise DistributionError(
            "Flat is improper, so there is nothing to draw from; use a proper law to draw from the prior."
        )
