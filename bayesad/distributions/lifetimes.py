"""More laws on the positive half line: of squares, of waiting times and of lengths."""

from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import NonNegative, Positive
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_2
from bayesad.distributions.positive import Gamma, InverseGamma
from bayesad.distributions.reparametrised import Reparametrised
from bayesad.distributions.supports import POSITIVE

__all__ = [
    "ChiSquare",
    "InverseChiSquare",
    "InverseGaussian",
    "LogLogistic",
    "Rayleigh",
    "Rice",
    "ScaledInverseChiSquare",
    "Wald",
]

SQRT_HALF = float(np.sqrt(0.5))


class ChiSquare(Reparametrised):
    """Chi-square law with `nu` degrees of freedom (Stan: chi_square)."""

    nu: Positive

    def _law(self) -> Distribution:
        return Gamma(0.5 * self.nu, 0.5)


class InverseChiSquare(Reparametrised):
    """Law of 1/X, X chi-square with `nu` degrees of freedom (Stan: inv_chi_square)."""

    nu: Positive

    def _law(self) -> Distribution:
        return InverseGamma(0.5 * self.nu, 0.5)


class ScaledInverseChiSquare(Reparametrised):
    """Law of nu sigma²/X, X chi-square with `nu` degrees of freedom (Stan: scaled_inv_chi_square)."""

    nu: Positive
    sigma: Positive

    def _law(self) -> Distribution:
        return InverseGamma(0.5 * self.nu, 0.5 * self.nu * self.sigma**2)


class Rayleigh(Distribution):
    """Law of the length of a vector of two independent normal(0, `sigma`) numbers (Stan: rayleigh)."""

    sigma: Positive
    support = POSITIVE

    def _log_density(self, x: Any) -> Any:
        return np.log(x) - 0.5 * (x / self.sigma) ** 2 - 2.0 * np.log(self.sigma)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.rayleigh(self.sigma, shape)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self._log_sf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_sf(self, x: Any) -> Any:
        return -0.5 * (x / self.sigma) ** 2

    def _icdf(self, p: Any) -> Any:
        return self.sigma * np.sqrt(-2.0 * np.log1p(-p))

    def _mean(self) -> Any:
        return self.sigma * np.sqrt(0.5 * np.pi)


class Rice(Distribution):
    """Law of the length of a vector of two independent normal(·, `sigma`) numbers whose mean has length `nu`."""

    nu: NonNegative
    sigma: Positive
    support = POSITIVE

    def _log_density(self, x: Any) -> Any:
        y, centre = x / self.sigma, self.nu / self.sigma
        bessel = np.log(special.i0e(y * centre))
        return np.log(x) - 0.5 * (y - centre) ** 2 + bessel - 2.0 * np.log(self.sigma)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        noise = rng.standard_normal((2, *shape))
        return np.hypot(self.nu + self.sigma * noise[0], self.sigma * noise[1])

    def _cdf(self, x: Any) -> Any:
        return _rice_tail("rice_cdf", self.nu / self.sigma, x / self.sigma)

    def _sf(self, x: Any) -> Any:
        return _rice_tail("rice_sf", self.nu / self.sigma, x / self.sigma)

    def _mean(self) -> Any:
        half = 0.25 * (self.nu / self.sigma) ** 2
        laguerre = (1.0 + 2.0 * half) * special.i0e(half) + 2.0 * half * special.i1e(half)
        return self.sigma * np.sqrt(0.5 * np.pi) * laguerre


def _rice_tail(name: str, centre: Any, y: Any) -> Any:
    from bayesad.ad.primitives import special as primitives  # here, as SciPy costs more time than starting does

    return bind(getattr(primitives, name), (centre, y))


class LogLogistic(Distribution):
    """Law of exp(X), X logistic with location log `alpha` and scale 1/`beta` (Stan: loglogistic)."""

    alpha: Positive
    beta: Positive
    support = POSITIVE

    def _log_density(self, x: Any) -> Any:
        u = self._logit(x)
        return np.log(self.beta) - np.log(x) + special.log_expit(u) + special.log_expit(-u)

    def _logit(self, x: Any) -> Any:
        return self.beta * np.log(x / self.alpha)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.alpha * np.exp(rng.logistic(size=shape) / self.beta)

    def _cdf(self, x: Any) -> Any:
        return special.expit(self._logit(x))

    def _sf(self, x: Any) -> Any:
        return special.expit(-self._logit(x))

    def _log_cdf(self, x: Any) -> Any:
        return special.log_expit(self._logit(x))

    def _log_sf(self, x: Any) -> Any:
        return special.log_expit(-self._logit(x))

    def _icdf(self, p: Any) -> Any:
        return self.alpha * np.exp(special.logit(p) / self.beta)

    def _mean(self) -> Any:
        exists = self.beta > 1.0
        angle = np.pi / np.where(exists, self.beta, 2.0)
        return np.where(exists, self.alpha * angle / np.sin(angle), np.inf)


class InverseGaussian(Distribution):
    """Inverse Gaussian (Wald) law with mean `mu` and shape `lambda_`: variance mu³/lambda.

    The time at which a Brownian motion with drift first reaches a level (Chhikara & Folks 1989).
    """

    mu: Positive
    lambda_: Positive
    support = POSITIVE

    def _log_density(self, x: Any) -> Any:
        relative = (x - self.mu) / self.mu
        log_scale = 0.5 * np.log(self.lambda_) - 1.5 * np.log(x) - HALF_LOG_2PI
        return log_scale - 0.5 * self.lambda_ * relative * (relative / x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.wald(self.mu, self.lambda_, shape)

    def _cdf(self, x: Any) -> Any:
        below, passed = self._passages(x)
        return special.ndtr(below) + passed

    def _sf(self, x: Any) -> Any:
        below, passed = self._passages(x)
        a = np.where(below > 0.0, below, 0.0)
        difference = special.erfcx(SQRT_HALF * a) - special.erfcx(SQRT_HALF * self._reflected(x))
        upper = 0.5 * np.exp(-0.5 * a**2) * difference
        return np.where(below > 0.0, upper, special.ndtr(-below) - passed)

    def _reflected(self, x: Any) -> Any:
        return np.sqrt(self.lambda_ / x) * (x / self.mu + 1.0)

    def _passages(self, x: Any) -> tuple[Any, Any]:
        """a = sqrt(lambda/x) (x/mu - 1), and exp(2 lambda/mu) Φ(-b) with b² = a² + 4 lambda/mu."""
        a = np.sqrt(self.lambda_ / x) * ((x - self.mu) / self.mu)
        return a, np.exp(-0.5 * a**2 - LOG_2) * special.erfcx(SQRT_HALF * self._reflected(x))

    def _mean(self) -> Any:
        return self.mu


Wald = InverseGaussian
