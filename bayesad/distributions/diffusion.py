"""First passage times of a Wiener process: the drift diffusion model of decisions."""

from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import NonNegative, OpenProbability, Positive, Real
from bayesad.distributions.inversion import least
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_PI
from bayesad.distributions.supports import Support

__all__ = ["Wiener"]

# Of time over the squared separation: below, the series in images converges faster; above, that in sines.
_SHORT = 0.5
_IMAGES = np.arange(-5.0, 6.0)
_SINES = np.arange(1.0, 8.0)
_MORE_IMAGES = np.arange(-40.0, 41.0)


class Wiener(Distribution):
    """Time of a decision at the upper of two boundaries by a drifting Wiener process (Stan: wiener).

    A defective law: its density integrates to the probability that the upper boundary is reached before the lower one.
    For decisions at the lower boundary use ``Wiener(alpha, tau, 1 - beta, -delta)``. The density is summed by the two
    series of Navarro & Fuss (2009), for short and for long times; the terms left out are below rounding.

    Parameters
    ----------
    alpha : array
        Separation of the boundaries.
    tau : array
        Time that passes before and after the decision.
    beta : array
        Where the process starts, as a share of the way from the lower to the upper boundary.
    delta : array
        Drift.

    Notes
    -----
    Draws are times of decisions at the upper boundary, given that it is reached first.
    """

    alpha: Positive
    tau: NonNegative
    beta: OpenProbability
    delta: Real

    @property
    def support(self) -> Support:
        return Support("real", lower=self.tau, closed=(False, True))

    def _log_density(self, x: Any) -> Any:
        time, way = x - self.tau, 1.0 - self.beta
        drift = self.delta * (self.alpha * way - 0.5 * self.delta * time)
        return drift - 2.0 * np.log(self.alpha) + _log_standard(time / self.alpha**2, way)

    @np.errstate(all="ignore")
    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        longest = np.broadcast_to(60.0 * self.alpha**2, shape)
        reached = rng.random(shape) * self._reached(longest)
        return self.tau + least(lambda time: self._reached(time) >= reached, np.zeros(shape), longest)

    def _reached(self, time: Any) -> Any:
        """The probability that the upper boundary is reached within a time: an inverse Gaussian law for each image."""
        image = (self.alpha * (1.0 - self.beta))[..., None] + 2.0 * self.alpha[..., None] * _MORE_IMAGES
        distance, time, speed = np.abs(image), time[..., None], np.abs(self.delta)[..., None]
        root = np.sqrt(time)
        lead = self.delta[..., None] * (self.alpha * (1.0 - self.beta))[..., None]
        early = np.exp(lead - distance * speed) * special.ndtr((speed * time - distance) / root)
        late = np.exp(lead + distance * speed + special.log_ndtr(-(speed * time + distance) / root))
        return np.sum(np.sign(image) * (early + late), axis=-1)


def _log_standard(t: Any, way: Any) -> Any:
    """log density of the first passage over a boundary at distance `way` of 1, without drift, at time `t`."""
    short = t < _SHORT
    early, late = np.where(short, t, _SHORT), np.where(short, _SHORT, t)
    way = way + 0.0 * t  # in the shape that both have
    w = way[..., None]
    images = (w + 2.0 * _IMAGES) * np.exp(-2.0 * _IMAGES * (w + _IMAGES) / early[..., None])
    log_early = np.log(images.sum(axis=-1)) - 0.5 * way**2 / early - 1.5 * np.log(early) - HALF_LOG_2PI
    decay = 0.5 * np.pi**2
    sines = _SINES * np.sin(np.pi * _SINES * w) * np.exp(-decay * (_SINES**2 - 1.0) * late[..., None])
    log_late = np.log(sines.sum(axis=-1)) - decay * late + LOG_PI
    return np.where(short, log_early, log_late)
