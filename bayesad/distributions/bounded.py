"""Laws on an interval: the unit interval, a circle, and intervals of one's own."""

import functools
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import NonNegative, NonNegativeVector, OpenProbability, OrderedVector, Positive, Real
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_2, safe_log
from bayesad.distributions.reparametrised import Reparametrised
from bayesad.distributions.summation import FromOneTail
from bayesad.distributions.supports import UNIT_INTERVAL, Support
from bayesad.errors import DistributionError

__all__ = ["Beta", "BetaProportion", "Interpolated", "Kumaraswamy", "LogitNormal", "Triangular", "VonMises"]


class Beta(Distribution):
    """Beta law with shapes `alpha` and `beta` (Stan: beta)."""

    alpha: Positive
    beta: Positive
    support = UNIT_INTERVAL

    def _log_density(self, x: Any) -> Any:
        return (
            special.xlogy(self.alpha - 1.0, x)
            + special.xlog1py(self.beta - 1.0, -x)
            - special.betaln(self.alpha, self.beta)
        )

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.beta(self.alpha, self.beta, shape)

    def _cdf(self, x: Any) -> Any:
        return special.betainc(self.alpha, self.beta, x)

    def _sf(self, x: Any) -> Any:
        return special.betaincc(self.alpha, self.beta, x)

    def _icdf(self, p: Any) -> Any:
        return special.betaincinv(self.alpha, self.beta, p)

    def _mean(self) -> Any:
        return self.alpha / (self.alpha + self.beta)


class BetaProportion(Reparametrised):
    """Beta law with mean `mu` and precision `kappa`, alpha + beta of the usual form (Stan: beta_proportion)."""

    mu: OpenProbability
    kappa: Positive

    def _law(self) -> Distribution:
        return Beta(self.mu * self.kappa, (1.0 - self.mu) * self.kappa)


class Kumaraswamy(Distribution):
    """Kumaraswamy's law on the unit interval: P(X > x) = (1 - x^a)^b (Kumaraswamy 1980)."""

    a: Positive
    b: Positive
    support = UNIT_INTERVAL

    def _log_density(self, x: Any) -> Any:
        constant = np.log(self.a) + np.log(self.b)
        return constant + special.xlogy(self.a - 1.0, x) + special.xlogy(self.b - 1.0, self._rest(x))

    def _rest(self, x: Any) -> Any:
        """1 - x^a."""
        return -np.expm1(self.a * np.log(x))

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return (-np.expm1(-rng.standard_exponential(shape) / self.b)) ** (1.0 / self.a)

    def _cdf(self, x: Any) -> Any:
        return -np.expm1(self.b * np.log1p(-(x**self.a)))

    def _sf(self, x: Any) -> Any:
        return self._rest(x) ** self.b

    def _log_sf(self, x: Any) -> Any:
        return self.b * np.log(self._rest(x))

    def _icdf(self, p: Any) -> Any:
        return (-np.expm1(np.log1p(-p) / self.b)) ** (1.0 / self.a)

    def _mean(self) -> Any:
        return self.b * special.beta(1.0 + 1.0 / self.a, self.b)


class LogitNormal(Distribution):
    """Law of expit(X), X normal with mean `mu` and standard deviation `sigma`."""

    mu: Real = 0.0
    sigma: Positive = 1.0
    support = Support("real", lower=0.0, upper=1.0, closed=(False, False))

    def _log_density(self, x: Any) -> Any:
        z = (special.logit(x) - self.mu) / self.sigma
        return -0.5 * z**2 - np.log(x) - np.log1p(-x) - (np.log(self.sigma) + HALF_LOG_2PI)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return special.expit(rng.normal(self.mu, self.sigma, shape))

    def _cdf(self, x: Any) -> Any:
        return special.ndtr((special.logit(x) - self.mu) / self.sigma)

    def _sf(self, x: Any) -> Any:
        return special.ndtr((self.mu - special.logit(x)) / self.sigma)

    def _log_cdf(self, x: Any) -> Any:
        return special.log_ndtr((special.logit(x) - self.mu) / self.sigma)

    def _log_sf(self, x: Any) -> Any:
        return special.log_ndtr((self.mu - special.logit(x)) / self.sigma)

    def _icdf(self, p: Any) -> Any:
        return special.expit(self.mu + self.sigma * special.ndtri(p))


class Triangular(Distribution):
    """Law whose density rises linearly from 0 at `lower` to `mode` and falls linearly to 0 at `upper`."""

    lower: Real
    mode: Real
    upper: Real

    @property
    def support(self) -> Support:
        return Support("real", self.lower, self.upper)

    def _validate(self) -> None:
        traced = [ad.is_traced(bound) for bound in (self.lower, self.mode, self.upper)]
        if not any(traced) and not np.all(
            (self.lower <= self.mode) & (self.mode <= self.upper) & (self.lower < self.upper)
        ):
            raise DistributionError(
                f"Triangular: lower must be at most mode and mode at most upper, lower below upper; got {self}."
            )

    def _log_density(self, x: Any) -> Any:
        rising = np.where(x < self.mode, (x - self.lower) / (self.mode - self.lower), 1.0)
        falling = np.where(x > self.mode, (self.upper - x) / (self.upper - self.mode), 1.0)
        return safe_log(rising * falling) + LOG_2 - np.log(self.upper - self.lower)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.triangular(self.lower, self.mode, self.upper, shape)

    def _cdf(self, x: Any) -> Any:
        lower, upper = self._tails(x)
        return np.where(x < self.mode, lower, 1.0 - upper)

    def _sf(self, x: Any) -> Any:
        lower, upper = self._tails(x)
        return np.where(x < self.mode, 1.0 - lower, upper)

    def _tails(self, x: Any) -> tuple[Any, Any]:
        """P(X <= x) for x below the mode, P(X > x) for x above."""
        width = self.upper - self.lower
        return (x - self.lower) / width * ((x - self.lower) / (self.mode - self.lower)), (self.upper - x) / width * (
            (self.upper - x) / (self.upper - self.mode)
        )

    def _icdf(self, p: Any) -> Any:
        width, left, right = self.upper - self.lower, self.mode - self.lower, self.upper - self.mode
        rising = p * width < left
        from_lower = self.lower + np.sqrt(np.where(rising, p, 1.0) * width * left)
        return np.where(rising, from_lower, self.upper - np.sqrt(np.where(rising, 1.0, 1.0 - p) * width * right))

    def _mean(self) -> Any:
        return (self.lower + self.mode + self.upper) / 3.0


class VonMises(FromOneTail):
    """Von Mises law of angles from -π to π with centre `mu` and concentration `kappa` (Stan: von_mises)."""

    mu: Real = 0.0
    kappa: NonNegative = 1.0
    support = Support("real", lower=-np.pi, upper=np.pi)

    def _log_density(self, x: Any) -> Any:
        sine = np.sin(0.5 * (x - self.mu))
        return -2.0 * self.kappa * sine**2 - np.log(special.i0e(self.kappa)) - 2.0 * HALF_LOG_2PI

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.vonmises(self.mu, self.kappa, shape)

    def _log_tail(self, x: Any) -> tuple[Any, Any]:
        """In two parts, where the mode is near an end: from that end down to the valley, and from there up to x."""
        mode = self.mu - 2.0 * np.pi * np.round(self.mu / (2.0 * np.pi))
        upper = x > mode
        x, mode = np.where(upper, -x, x), np.where(upper, -mode, mode)
        # np.where instead of maxima and minima: where they are equal, one part alone has the derivative
        above, near = mode > 0.0, mode - x < np.pi
        parts = [  # as distances from the mode
            (np.pi - np.where(above, mode, 0.0), np.where(near, np.pi, 2.0 * np.pi - (mode - x))),
            (np.where(near, mode - x, np.pi), np.pi + np.where(above, 0.0, mode)),
        ]
        logs = [_log_von_mises_integral(*part, self.kappa) for part in parts]
        return upper, np.logaddexp(*logs) - np.log(special.i0e(self.kappa)) - 2.0 * HALF_LOG_2PI


def _log_von_mises_integral(start: Any, end: Any, kappa: Any) -> Any:
    """log of the integral of exp(kappa (cos t - 1)) over 0 <= start < t < end <= π, by Gauss's rule.

    It stops where the integrand has fallen by exp(-40). -inf with derivative 0 where start = end.
    """
    nodes, weights = _gauss_legendre(48)
    height = np.square(np.sin(0.5 * start))
    drop = 20.0 / np.maximum(kappa, 20.0)
    far = np.minimum(height + drop, 1.0)
    across = np.sqrt(far * (1.0 - height)) + np.sqrt(height * (1.0 - far))
    reach = 2.0 * np.arcsin(np.minimum((far - height) / np.maximum(across, 1e-300), 1.0))
    length = np.minimum(ad.stop_gradient(np.where(height + drop < 1.0, reach, 2.0 * np.pi)), end - start)
    t = length[..., None] * nodes
    fall = np.sin(start[..., None] + 0.5 * t) * np.sin(0.5 * t)
    integral = np.sum(weights * np.exp(-2.0 * kappa[..., None] * fall), axis=-1)
    return safe_log(length) + np.log(integral) - 2.0 * kappa * height


@functools.cache
def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in (0, 1) and their weights."""
    points, weights = np.polynomial.legendre.leggauss(n)
    return 0.5 * (points + 1.0), 0.5 * weights


class Interpolated(Distribution):
    """Law whose density is linear between points and 0 outside them: an empirical prior, say from earlier draws.

    Parameters
    ----------
    x : array, shape (n,)
        Increasing.
    density : array, shape (n,)
        Non-negative heights at these points; they are divided by the area below.
    """

    x: OrderedVector
    density: NonNegativeVector

    @property
    def support(self) -> Support:
        return Support("real", float(self.x[0]), float(self.x[-1]))

    def _validate(self) -> None:
        if any(map(ad.is_traced, (self.x, self.density))) or self.x.shape != self.density.shape or self.x.ndim != 1:
            raise DistributionError(
                f"Interpolated: x and density must be plain vectors of one length; got shapes {self.x.shape} and "
                f"{self.density.shape}."
            )
        if self.x.size < 2 or self._areas[-1] <= 0:
            raise DistributionError("Interpolated: x needs two points or more, with some positive density.")

    @derived
    def _areas(self) -> np.ndarray:
        """The area to the left of each point."""
        steps = 0.5 * (self.density[1:] + self.density[:-1]) * np.diff(self.x)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @derived
    def _heights(self) -> np.ndarray:
        return self.density / self._areas[-1]

    @derived
    def _slopes(self) -> np.ndarray:
        return np.diff(self._heights) / np.diff(self.x)

    def _piece(self, x: Any) -> tuple[Any, Any]:
        """The piece on which each value lies, and how far it is from the piece's left end."""
        piece = (x[..., None] >= self.x[1:-1]).sum(axis=-1)
        return piece, x - np.take(self.x, piece)

    def _log_density(self, x: Any) -> Any:
        piece, d = self._piece(x)
        return safe_log(np.take(self._heights, piece) + np.take(self._slopes, piece) * d)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._icdf(rng.random(shape))

    def _cdf(self, x: Any) -> Any:
        piece, d = self._piece(x)
        return np.take(self._areas, piece) / self._areas[-1] + d * (
            np.take(self._heights, piece) + 0.5 * np.take(self._slopes, piece) * d
        )

    def _icdf(self, p: Any) -> Any:
        """The root of a quadratic, in the form that does not cancel for flat pieces."""
        cumulative = self._areas / self._areas[-1]
        piece = (p[..., None] >= cumulative[1:-1]).sum(axis=-1)
        rest, height = p - np.take(cumulative, piece), np.take(self._heights, piece)
        root = np.sqrt(np.maximum(height**2 + 2.0 * np.take(self._slopes, piece) * rest, 0.0))
        return np.take(self.x, piece) + 2.0 * rest / np.maximum(height + root, 1e-300)

    def _mean(self) -> Any:
        x, h = self.x, self._heights
        return np.sum(np.diff(x) * (x[:-1] * (2.0 * h[:-1] + h[1:]) + x[1:] * (h[:-1] + 2.0 * h[1:]))) / 6.0
