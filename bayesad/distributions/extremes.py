"""Laws of extremes and of what exceeds a threshold."""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import Positive, Real
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import EULER, log1p_ratio
from bayesad.distributions.supports import POSITIVE, REAL, Support

__all__ = ["Frechet", "GeneralizedExtremeValue", "GeneralizedPareto", "Gumbel", "Pareto", "ParetoType2"]


class Gumbel(Distribution):
    """Gumbel law of maxima with location `mu` and scale `beta` (Stan: gumbel)."""

    mu: Real = 0.0
    beta: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        z = (x - self.mu) / self.beta
        return -(z + np.exp(-z)) - np.log(self.beta)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.gumbel(self.mu, self.beta, shape)

    def _cdf(self, x: Any) -> Any:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: Any) -> Any:
        return -np.expm1(self._log_cdf(x))

    def _log_cdf(self, x: Any) -> Any:
        return -np.exp((self.mu - x) / self.beta)

    def _icdf(self, p: Any) -> Any:
        return self.mu - self.beta * np.log(-np.log(p))

    def _mean(self) -> Any:
        return self.mu + self.beta * EULER


class Frechet(Distribution):
    """Fréchet law of maxima with shape `alpha` and scale `sigma` (Stan: frechet)."""

    alpha: Positive
    sigma: Positive
    support = POSITIVE

    def _log_density(self, x: Any) -> Any:
        y = self.sigma / x
        return (self.alpha + 1.0) * np.log(y) - y**self.alpha + np.log(self.alpha / self.sigma)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.sigma / rng.weibull(self.alpha, shape)

    def _cdf(self, x: Any) -> Any:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: Any) -> Any:
        return -np.expm1(self._log_cdf(x))

    def _log_cdf(self, x: Any) -> Any:
        return -((self.sigma / x) ** self.alpha)

    def _icdf(self, p: Any) -> Any:
        return self.sigma * (-np.log(p)) ** (-1.0 / self.alpha)

    def _mean(self) -> Any:
        exists = self.alpha > 1.0
        return np.where(exists, self.sigma * special.gamma(1.0 - 1.0 / np.where(exists, self.alpha, 2.0)), np.inf)


class GeneralizedExtremeValue(Distribution):
    """Law of maxima with location `mu`, scale `sigma` and shape `xi` (Coles 2001, eq. 3.2).

    `xi` > 0: heavy upper tail, from mu - sigma/xi on (Fréchet); 0: Gumbel; < 0: up to mu - sigma/xi (Weibull). A bound
    that depends on parameters is kept in the density, which is -inf (with gradient 0) beyond it.
    """

    mu: Real
    sigma: Positive
    xi: Real

    @property
    def support(self) -> Support:
        ends = _end(self)
        return REAL if ends is None else Support("real", *ends, closed=(False, False))

    def _log_density(self, x: Any) -> Any:
        inside, minus_log_t = _scaled(self, x)
        log_density = -(self.xi + 1.0) * minus_log_t - np.exp(-minus_log_t) - np.log(self.sigma)
        return np.where(inside, log_density, -np.inf)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        y = rng.gumbel(size=shape)
        return self.mu + self.sigma * (y * special.exprel(self.xi * y))

    def _cdf(self, x: Any) -> Any:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: Any) -> Any:
        return -np.expm1(self._log_cdf(x))

    def _log_cdf(self, x: Any) -> Any:
        inside, minus_log_t = _scaled(self, x)
        return np.where(inside, -np.exp(-minus_log_t), np.where(self.xi > 0.0, -np.inf, 0.0))

    def _icdf(self, p: Any) -> Any:
        y = -np.log(-np.log(p))
        return self.mu + self.sigma * (y * special.exprel(self.xi * y))

    def _mean(self) -> Any:
        exists, near_0 = self.xi < 1.0, np.abs(self.xi) < 1e-5
        xi = np.where(exists & ~near_0, self.xi, -1.0)
        growth = np.expm1(special.gammaln(1.0 - xi)) / xi
        growth = np.where(near_0, EULER + 0.5 * self.xi * (EULER**2 + np.pi**2 / 6.0), growth)
        return np.where(exists, self.mu + self.sigma * growth, np.inf)


class GeneralizedPareto(Distribution):
    """Law of what exceeds the threshold `mu`, with scale `sigma` and shape `xi` (Coles 2001, eq. 4.2).

    `xi` > 0: heavy tail; 0: exponential; < 0: up to mu - sigma/xi. If that bound depends on parameters, it is kept in
    the density, which is -inf (with gradient 0) beyond it.
    """

    mu: Real
    sigma: Positive
    xi: Real

    @property
    def support(self) -> Support:
        ends = _end(self)
        return Support("real", self.mu, None if ends is None else ends[1])

    def _log_density(self, x: Any) -> Any:
        inside, hazard = _scaled(self, x)
        return np.where(inside, -(self.xi + 1.0) * hazard - np.log(self.sigma), -np.inf)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        y = rng.standard_exponential(shape)
        return self.mu + self.sigma * (y * special.exprel(self.xi * y))

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self._log_sf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_sf(self, x: Any) -> Any:
        inside, hazard = _scaled(self, x)
        return np.where(inside, -hazard, -np.inf)

    def _icdf(self, p: Any) -> Any:
        y = -np.log1p(-p)
        return self.mu + self.sigma * (y * special.exprel(self.xi * y))

    def _mean(self) -> Any:
        exists = self.xi < 1.0
        return np.where(exists, self.mu + self.sigma / np.where(exists, 1.0 - self.xi, 1.0), np.inf)


def _scaled(law: Any, x: Any) -> tuple[Any, Any]:
    """Whether 1 + xi z > 0, z = (x - mu)/sigma, and there log(1 + xi z)/xi."""
    z = (x - law.mu) / law.sigma
    inside = law.xi * z > -1.0
    return inside, np.where(inside, z, 0.0) * log1p_ratio(np.where(inside, law.xi * z, 0.0))


def _end(law: Any) -> tuple[Any, Any] | None:
    """The bounds that the sign of a constant xi puts on x, infinite where there is none; None if nothing is known."""
    if any(map(ad.is_traced, (law.mu, law.sigma, law.xi))):
        return None
    with np.errstate(all="ignore"):
        end = law.mu - law.sigma / law.xi
    lower, upper = np.where(law.xi > 0.0, end, -np.inf), np.where(law.xi < 0.0, end, np.inf)
    return None if np.all(lower == -np.inf) else lower, None if np.all(upper == np.inf) else upper


class Pareto(Distribution):
    """Pareto law from `y_min` on with shape `alpha` (Stan: pareto)."""

    y_min: Positive
    alpha: Positive

    @property
    def support(self) -> Support:
        return Support("real", lower=self.y_min)

    def _log_density(self, x: Any) -> Any:
        return np.log(self.alpha) + self._log_sf(x) - np.log(x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.y_min * np.exp(rng.standard_exponential(shape) / self.alpha)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self._log_sf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_sf(self, x: Any) -> Any:
        share = self.y_min / x
        near = share > 0.5  # there the difference from y_min is exact
        far = np.log(np.where(near, 0.5, share))
        return self.alpha * np.where(near, np.log1p(np.where(near, (self.y_min - x) / x, 0.0)), far)

    def _icdf(self, p: Any) -> Any:
        return self.y_min * np.exp(-np.log1p(-p) / self.alpha)

    def _mean(self) -> Any:
        exists = self.alpha > 1.0
        return np.where(exists, self.y_min * (self.alpha / np.where(exists, self.alpha - 1.0, 1.0)), np.inf)


class ParetoType2(Distribution):
    """Pareto (Lomax) law from `mu` on with scale `lambda_` and shape `alpha` (Stan: pareto_type_2)."""

    mu: Real
    lambda_: Positive
    alpha: Positive

    @property
    def support(self) -> Support:
        return Support("real", lower=self.mu)

    def _log_density(self, x: Any) -> Any:
        return np.log(self.alpha / self.lambda_) - (self.alpha + 1.0) * np.log1p((x - self.mu) / self.lambda_)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.mu + self.lambda_ * np.expm1(rng.standard_exponential(shape) / self.alpha)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self._log_sf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_sf(self, x: Any) -> Any:
        return -self.alpha * np.log1p((x - self.mu) / self.lambda_)

    def _icdf(self, p: Any) -> Any:
        return self.mu + self.lambda_ * np.expm1(-np.log1p(-p) / self.alpha)

    def _mean(self) -> Any:
        exists = self.alpha > 1.0
        return np.where(exists, self.mu + self.lambda_ / np.where(exists, self.alpha - 1.0, 1.0), np.inf)
