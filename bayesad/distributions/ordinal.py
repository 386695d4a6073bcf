"""Laws of ordered categories: a latent variable between cutpoints."""

from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.discrete import chosen
from bayesad.distributions.domains import OrderedVector, Real
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import log_minus_exp
from bayesad.distributions.supports import Support

__all__ = ["OrderedLogistic", "OrderedProbit"]


class _Ordered(Distribution):
    """What both share: label k where the latent variable eta + noise lies between cutpoints k - 1 and k."""

    eta: Real
    cutpoints: OrderedVector

    @property
    def support(self) -> Support:
        return Support("integer", 0, self.cutpoints.shape[-1])

    def _around(self, x: Any) -> tuple[Any, Any, Any, Any]:
        """The cutpoints below and above each label, and whether there are such."""
        last = self.cutpoints.shape[-1]
        below, above = (chosen(self.cutpoints, np.clip(k, 0, last - 1)) for k in (x - 1, x))
        return below, above, x > 0, x < last

    def _label(self, noise: np.ndarray) -> np.ndarray:
        return ((self.eta + noise)[..., None] > self.cutpoints).sum(axis=-1)


class OrderedLogistic(_Ordered):
    """A label 0 … K-1 with P(X > k) = expit(eta - cutpoints[k]) (Stan: ordered_logistic, which counts from 1).

    Parameters
    ----------
    eta : array
        Linear predictor.
    cutpoints : array, shape (..., K-1)
        Increasing.
    """

    def _log_density(self, x: Any) -> Any:
        """expit(a) - expit(b) = expit(a) expit(-b) (1 - exp(b - a)), where the last factor has the cutpoints alone."""
        below, above, has_below, has_above = self._around(x)
        gaps = np.log(-np.expm1(self.cutpoints[..., :-1] - self.cutpoints[..., 1:]))
        end = np.zeros((*self.cutpoints.shape[:-1], 1))
        between = chosen(np.concatenate([end, gaps, end], axis=-1), x)
        over = np.where(has_below, special.log_expit(self.eta - below), 0.0)
        under = np.where(has_above, special.log_expit(above - self.eta), 0.0)
        return over + under + between

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._label(rng.logistic(size=shape))

    def _cdf(self, x: Any) -> Any:
        return special.expit(chosen(self.cutpoints, x) - self.eta)  # x is not the last label: the support settles it

    def _sf(self, x: Any) -> Any:
        return special.expit(self.eta - chosen(self.cutpoints, x))


class OrderedProbit(_Ordered):
    """A label 0 … K-1 with P(X > k) = Φ(eta - cutpoints[k]) (Stan: ordered_probit, which counts from 1).

    Parameters
    ----------
    eta : array
        Linear predictor.
    cutpoints : array, shape (..., K-1)
        Increasing.
    """

    def _log_density(self, x: Any) -> Any:
        """log(Φ(high) - Φ(low)), turned round where both are in the upper tail."""
        below, above, has_below, has_above = self._around(x)
        low, high = below - self.eta, above - self.eta
        inner = has_below & has_above
        turned = low + high > 0.0
        larger = special.log_ndtr(np.where(inner, np.where(turned, -low, high), np.where(has_above, high, -low)))
        smaller = special.log_ndtr(np.where(inner, np.where(turned, -high, low), 0.0))
        ends_differ = np.where(inner, smaller, larger - 1.0)
        return np.where(inner, log_minus_exp(larger, ends_differ), larger)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._label(rng.standard_normal(shape))

    def _cdf(self, x: Any) -> Any:
        return special.ndtr(chosen(self.cutpoints, x) - self.eta)

    def _sf(self, x: Any) -> Any:
        return special.ndtr(self.eta - chosen(self.cutpoints, x))
