"""Laws on the whole real line that lean to one side."""

from abc import abstractmethod
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import OpenProbability, Positive, Real
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import EULER, HALF_LOG_2PI, LOG_2
from bayesad.distributions.supports import REAL

__all__ = [
    "AsymmetricLaplace",
    "ExGaussian",
    "ExpModNormal",
    "Moyal",
    "SkewDoubleExponential",
    "SkewNormal",
    "SkewStudentT",
]

SQRT_HALF = float(np.sqrt(0.5))


class SkewNormal(Distribution):
    """Skew normal law with location `xi`, scale `omega` and slant `alpha` (Stan: skew_normal)."""

    xi: Real = 0.0
    omega: Positive = 1.0
    alpha: Real = 0.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        z = (x - self.xi) / self.omega
        return special.log_ndtr(self.alpha * z) - 0.5 * z**2 - (np.log(self.omega) + (HALF_LOG_2PI - LOG_2))

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        root = np.hypot(1.0, self.alpha)
        noise = rng.standard_normal((2, *shape))
        return self.xi + self.omega * (self.alpha * np.abs(noise[0]) + noise[1]) / root

    def _cdf(self, x: Any) -> Any:
        return np.where(self.alpha >= 0.0, *self._tails(x))

    def _sf(self, x: Any) -> Any:
        return np.where(self.alpha < 0.0, *self._tails(x))

    def _tails(self, x: Any) -> tuple[Any, Any]:
        """P(Y <= y) and P(Y > y) of Y = ±X, which leans to the right, at ±x."""
        z, right = (x - self.xi) / self.omega, self.alpha >= 0.0
        y, slant = np.where(right, z, -z), np.where(right, self.alpha, -self.alpha)
        distance = np.where(y < 0.0, -y, y)
        light = _skew_tail(distance, slant)
        heavy = special.ndtr(-distance) + 2.0 * special.owens_t(distance, slant)
        return np.where(y < 0.0, light, 1.0 - heavy), np.where(y < 0.0, 1.0 - light, heavy)

    def _mean(self) -> Any:
        return self.xi + self.omega * (self.alpha / np.hypot(1.0, self.alpha)) * np.sqrt(2.0 / np.pi)


def _skew_tail(h: Any, a: Any) -> Any:
    """P(Y < -h) of a standard skew normal Y with slant a, for h >= 0 and a >= 0."""
    from bayesad.ad.primitives import special as primitives  # here, as SciPy costs more time than starting does

    return bind(primitives.skew_tail, (h, a))


class ExpModNormal(Distribution):
    """Law of a normal variable (`mu`, `sigma`) plus an exponential one of rate `lambda_` (Stan: exp_mod_normal)."""

    mu: Real
    sigma: Positive
    lambda_: Positive
    support = REAL

    def _log_density(self, x: Any) -> Any:
        z = (x - self.mu) / self.sigma
        return np.log(self.lambda_) + self._log_excess(z)

    def _log_excess(self, z: Any) -> Any:
        """log of the density over the rate, exp(k²/2 - k z) Φ(z - k), without overflow for large k = rate · sigma."""
        k = self.lambda_ * self.sigma
        left = z < k
        far = np.log(special.erfcx(SQRT_HALF * np.where(left, k - z, 1.0))) - LOG_2 - 0.5 * z**2
        near = k * (0.5 * k - z) + special.log_ndtr(np.where(left, 0.0, z - k))
        return np.where(left, far, near)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.normal(self.mu, self.sigma, shape) + rng.exponential(1.0 / self.lambda_, shape)

    def _cdf(self, x: Any) -> Any:
        z = (x - self.mu) / self.sigma
        left = z < 0.0
        w = np.where(left, -z, 0.0)
        k = self.lambda_ * self.sigma
        difference = special.erfcx(SQRT_HALF * w) - special.erfcx(SQRT_HALF * (w + k))
        lower = 0.5 * np.exp(-0.5 * w**2) * difference
        return np.where(left, lower, special.ndtr(z) - np.exp(self._log_excess(z)))

    def _sf(self, x: Any) -> Any:
        z = (x - self.mu) / self.sigma
        return special.ndtr(-z) + np.exp(self._log_excess(z))

    def _mean(self) -> Any:
        return self.mu + 1.0 / self.lambda_


ExGaussian = ExpModNormal


class _TwoExponentials(Distribution):
    """Exponential on either side of `mu`, with rates of its own: what the asymmetric Laplace laws share."""

    mu: Real
    sigma: Positive
    support = REAL

    @abstractmethod
    def _rates(self) -> tuple[Any, Any]:
        """The rates to the left and to the right."""

    def _log_density(self, x: Any) -> Any:
        (left, right), d = self._rates(), x - self.mu
        return np.log(left) + np.log(right / (left + right)) - np.where(d < 0.0, -left * d, right * d)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        left, right = self._rates()
        return self.mu + rng.exponential(1.0 / right, shape) - rng.exponential(1.0 / left, shape)

    def _cdf(self, x: Any) -> Any:
        lower, upper = self._tails(x)
        return np.where(x < self.mu, lower, 1.0 - upper)

    def _sf(self, x: Any) -> Any:
        lower, upper = self._tails(x)
        return np.where(x < self.mu, 1.0 - lower, upper)

    def _tails(self, x: Any) -> tuple[Any, Any]:
        """P(X <= x) for x below mu, P(X > x) for x above."""
        (left, right), d = self._rates(), x - self.mu
        both = left + right
        return right / both * np.exp(left * np.minimum(d, 0.0)), left / both * np.exp(-right * np.maximum(d, 0.0))

    def _icdf(self, p: Any) -> Any:
        left, right = self._rates()
        both = left + right
        return self.mu + np.where(
            p * both < right, np.log(p * both / right) / left, -np.log((1 - p) * both / left) / right
        )

    def _mean(self) -> Any:
        left, right = self._rates()
        return self.mu + 1.0 / right - 1.0 / left


class AsymmetricLaplace(_TwoExponentials):
    """Asymmetric Laplace law: density falls as exp(-kappa z) to the right and exp(z/kappa) to the left of 0.

    z = (x - `mu`)/`sigma`; `mu` is the quantile of kappa²/(1 + kappa²) (Kotz, Kozubowski & Podgórski 2001, ch. 3).
    """

    kappa: Positive

    def _rates(self) -> tuple[Any, Any]:
        return 1.0 / (self.kappa * self.sigma), self.kappa / self.sigma


class SkewDoubleExponential(_TwoExponentials):
    """Skewed Laplace law with scale `sigma`; `mu` is its quantile of `tau` (Stan: skew_double_exponential)."""

    tau: OpenProbability

    def _rates(self) -> tuple[Any, Any]:
        return 2.0 * (1.0 - self.tau) / self.sigma, 2.0 * self.tau / self.sigma


class SkewStudentT(Distribution):
    """Skewed t law of Jones & Faddy (2003) with tails of 2 `a` (left) and 2 `b` (right) degrees of freedom.

    For a = b it is Student's t law with 2a degrees of freedom.
    """

    a: Positive
    b: Positive
    mu: Real = 0.0
    sigma: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        z, r = self._polar(x)
        size = np.where(z < 0.0, -z, z)
        power = self.a + self.b
        log_small = np.log(power) - np.log(r) - np.log(r + size)  # of 1 - |z|/r
        log_large = np.log1p(size / r)
        left = z < 0.0
        skew = (self.a + 0.5) * np.where(left, log_small, log_large) + (self.b + 0.5) * np.where(
            left, log_large, log_small
        )
        constant = (power - 1.0) * LOG_2 + special.betaln(self.a, self.b) + 0.5 * np.log(power)
        return skew - constant - np.log(self.sigma)

    def _polar(self, x: Any) -> tuple[Any, Any]:
        """z = (x - mu)/sigma and r with r² = a + b + z²: (1 + z/r)/2 is a beta variable."""
        z = (x - self.mu) / self.sigma
        return z, np.hypot(np.sqrt(self.a + self.b), z)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        p, q = rng.standard_gamma(self.a, shape), rng.standard_gamma(self.b, shape)
        return self.mu + self.sigma * 0.5 * np.sqrt(self.a + self.b) * (np.sqrt(p / q) - np.sqrt(q / p))

    def _cdf(self, x: Any) -> Any:
        left, small = self._smaller_share(x)
        return np.where(left, special.betainc(self.a, self.b, small), special.betaincc(self.b, self.a, small))

    def _sf(self, x: Any) -> Any:
        left, small = self._smaller_share(x)
        return np.where(left, special.betaincc(self.a, self.b, small), special.betainc(self.b, self.a, small))

    def _smaller_share(self, x: Any) -> tuple[Any, Any]:
        """Whether z < 0, and (1 - |z|/r)/2."""
        z, r = self._polar(x)
        left = z < 0.0
        return left, 0.5 * ((self.a + self.b) / r) / (r + np.where(left, -z, z))

    def _icdf(self, p: Any) -> Any:
        odds = special.betaincinv(self.a, self.b, p) / special.betainccinv(self.b, self.a, p)
        root = np.sqrt(odds)
        return self.mu + self.sigma * 0.5 * np.sqrt(self.a + self.b) * (root - 1.0 / root)

    def _mean(self) -> Any:
        """Jones & Faddy (2003), eq. 3."""
        exists = (self.a > 0.5) & (self.b > 0.5)
        a, b = np.where(exists, self.a, 1.0), np.where(exists, self.b, 1.0)
        log_ratio = special.gammaln(a - 0.5) - special.gammaln(a) + special.gammaln(b - 0.5) - special.gammaln(b)
        mean = self.mu + self.sigma * 0.5 * (a - b) * np.sqrt(a + b) * np.exp(log_ratio)
        return np.where(exists, mean, np.nan)


class Moyal(Distribution):
    """Moyal's law with location `mu` and scale `sigma`, of energy lost by charged particles (Moyal 1955)."""

    mu: Real = 0.0
    sigma: Positive = 1.0
    support = REAL

    def _log_density(self, x: Any) -> Any:
        z = (x - self.mu) / self.sigma
        return -0.5 * (z + np.exp(-z)) - (np.log(self.sigma) + HALF_LOG_2PI)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.mu - 2.0 * self.sigma * np.log(np.abs(rng.standard_normal(shape)))

    def _cdf(self, x: Any) -> Any:
        return special.erfc(SQRT_HALF * self._root(x))

    def _sf(self, x: Any) -> Any:
        return special.erf(SQRT_HALF * self._root(x))

    def _log_cdf(self, x: Any) -> Any:
        return LOG_2 + special.log_ndtr(-self._root(x))

    def _root(self, x: Any) -> Any:
        return np.exp(-0.5 * (x - self.mu) / self.sigma)

    def _icdf(self, p: Any) -> Any:
        return self.mu - 2.0 * self.sigma * np.log(special.erfcinv(p) / SQRT_HALF)

    def _mean(self) -> Any:
        return self.mu + self.sigma * (EULER + LOG_2)
