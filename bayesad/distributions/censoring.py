"""Censored laws: values known only to lie at or beyond a bound, or between two bounds."""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import Above, Below, check_order
from bayesad.distributions.nesting import log_probability, require_numbers, tighter
from bayesad.distributions.supports import INTERVALS, Support
from bayesad.errors import DistributionError

__all__ = ["censored", "interval_censored"]


class censored(Distribution):
    """The law of X moved to the bounds where it is beyond them, X having the law `d`.

    A value at a bound means "at or beyond": its term is log P(X <= lower) or log P(X >= upper). Values between the
    bounds have the density of `d`. Right-censored survival times with one censoring time each:
    ``ba.censored(ba.Weibull(alpha, sigma), upper=time_of_censoring)``, infinite where the time was observed.

    Parameters
    ----------
    d : Distribution
        With a cdf.
    lower, upper : array, traced array or None
        Bounds; None or infinite entries where there is none. Of laws of whole numbers they are rounded inwards.

    Raises
    ------
    DistributionError
        If `d` has no cdf, or lower is not below upper.

    Notes
    -----
    For observed values only: the bounds have a probability (`has_atoms`).
    """

    d: Distribution
    lower: Below = None
    upper: Above = None

    @property
    def support(self) -> Support:
        inside = self.d.support
        lower, closed_below = tighter(inside.lower, self._lower, inside.closed[0], np.maximum)
        upper, closed_above = tighter(inside.upper, self._upper, inside.closed[1], np.minimum)
        return Support(inside.kind, lower, upper, (closed_below, closed_above))

    @property
    def has_atoms(self) -> bool:
        return not self.d.support.discrete and (self.lower is not None or self.upper is not None)

    def _validate(self) -> None:
        require_numbers(self._name, self.d)
        _require_cdf(self._name, self.d)
        check_order(self._name, self._lower, self._upper)

    def _log_density(self, x: Any) -> Any:
        result = self.d._log_density(x)
        if self._lower is not None:
            result = np.where(x <= self._lower, self.d.log_cdf(self._lower), result)
        if self._upper is not None:
            result = np.where(x >= self._upper, self.d.log_sf(self._below_upper), result)
        return result

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        x = self._moved(self.d.draw(rng, shape))
        return x.astype(np.int64) if self.d.support.discrete else x

    def _cdf(self, x: Any) -> Any:
        return self.d.cdf(x)  # x is between the bounds: the rest is settled by the support

    def _sf(self, x: Any) -> Any:
        return self.d.sf(x)

    def _log_cdf(self, x: Any) -> Any:
        return self.d.log_cdf(x)

    def _log_sf(self, x: Any) -> Any:
        return self.d.log_sf(x)

    def _icdf(self, p: Any) -> Any:
        return self._moved(self.d.icdf(p))

    def _moved(self, x: Any) -> Any:
        x = x if self._lower is None else np.maximum(x, self._lower)
        return x if self._upper is None else np.minimum(x, self._upper)

    @derived
    def _lower(self) -> Any:
        return np.ceil(self.lower) if self.d.support.discrete and self.lower is not None else self.lower

    @derived
    def _upper(self) -> Any:
        return np.floor(self.upper) if self.d.support.discrete and self.upper is not None else self.upper

    @derived
    def _below_upper(self) -> Any:
        """The place beyond which X counts as at the upper bound."""
        return self._upper - 1.0 if self.d.support.discrete else self._upper


class interval_censored(Distribution):
    """Pairs (low, high) that say low < X <= high, X having the law `d`: the term is log P(low < X <= high).

    low may be -inf (left-censored) and high inf (right-censored). Where both are equal X itself was observed and the
    term is the log density of `d`.

    Parameters
    ----------
    d : Distribution
        Of real or whole numbers, with a cdf.

    Raises
    ------
    DistributionError
        If `d` has no cdf.

    Notes
    -----
    The event shape is (2,): observe an array of shape (N, 2). Draws are exact values, as pairs of equal numbers.
    """

    d: Distribution
    support = INTERVALS

    @property
    def event_shape(self) -> Shape:
        return (2,)

    @property
    def has_atoms(self) -> bool:
        return True

    def _validate(self) -> None:
        require_numbers(self._name, self.d)
        _require_cdf(self._name, self.d)

    def _log_density(self, x: Any) -> Any:
        low, high = x[..., 0], x[..., 1]
        exact = low == high
        if not ad.is_traced(exact) and not exact.any():
            return log_probability(self.d, low, high)
        # any interval and any value will do where the other is meant
        between = log_probability(self.d, np.where(exact, -np.inf, low), np.where(exact, np.inf, high))
        return np.where(exact, self.d.log_prob(low), between)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return np.repeat(self.d.draw(rng, shape[:-1])[..., None], 2, axis=-1)


def _require_cdf(wrapper: str, d: Distribution) -> None:
    if not d.has_cdf:
        raise DistributionError(
            f"{wrapper}: {d} has no cumulative distribution function, from which the probability of what lies beyond "
            "the bounds would come."
        )
