"""Laws made from laws: on a smaller support (with or without renormalising), on ordered and on zero-sum vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.continuous import Cauchy, Laplace, Logistic, Normal, StudentT
from bayesad.distributions.domains import Lower, Upper, check_order
from bayesad.distributions.inversion import least
from bayesad.distributions.nesting import log_probability, require_numbers, tighter
from bayesad.distributions.supports import ZERO_SUM, Support, contains
from bayesad.errors import DistributionError

__all__ = ["ordered", "restricted", "truncated", "zero_sum"]

# Laws whose density is highest at their mu.
_HIGHEST_AT_MU = (StudentT, Cauchy, Laplace, Logistic)

# Rejection sampling gives up after this many rounds.
_ROUNDS = 10_000


class _Between(Distribution):
    """What laws between bounds share."""

    d: Distribution
    lower: Lower = None
    upper: Upper = None

    @property
    def support(self) -> Support:
        inside = self.d.support
        lower, upper = self.lower, self.upper
        if inside.discrete:
            lower = None if lower is None else np.ceil(lower)
            upper = None if upper is None else np.floor(upper)
        lower, closed_below = tighter(inside.lower, lower, inside.closed[0], np.maximum)
        upper, closed_above = tighter(inside.upper, upper, inside.closed[1], np.minimum)
        return Support(inside.kind, lower, upper, (closed_below, closed_above))

    def _validate(self) -> None:
        require_numbers(self._name, self.d)
        support = self.support
        check_order(self._name, support.lower, support.upper, strict=not support.discrete)


class truncated(_Between):
    """The law of X given lower <= X <= upper, X having the law `d`; renormalised, also for traced bounds.

    The probability between the bounds is taken from the nearer tail in log space, so that bounds far out in a
    tail lose no digits.

    Parameters
    ----------
    d : Distribution
        With a cdf.
    lower, upper : array, traced array or None
        Inclusive bounds; None or infinite for none.

    Raises
    ------
    DistributionError
        If `d` has no cdf, no value lies between the bounds, or the probability between constant bounds is 0 in
        double precision.
    """

    def _validate(self) -> None:
        super()._validate()
        if not self.d.has_cdf:
            raise DistributionError(
                f"truncated: {self.d} has no cumulative distribution function to renormalise with; restricted() "
                "keeps its density on the smaller support without renormalising."
            )
        if not ad.is_traced(self._log_mass) and np.any(self._log_mass == -np.inf):
            raise DistributionError(
                f"{self}: the probability between the bounds is 0 in double precision; choose bounds nearer the bulk."
            )

    def _log_density(self, x: Any) -> Any:
        return self.d._log_density(x) - np.where(self._log_mass > -np.inf, self._log_mass, np.inf)

    def _cdf(self, x: Any) -> Any:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_cdf(self, x: Any) -> Any:
        return log_probability(self.d, self._interval[0], x) - self._log_mass

    def _log_sf(self, x: Any) -> Any:
        return log_probability(self.d, x, self._interval[1]) - self._log_mass

    @np.errstate(all="ignore")
    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """Draws by inversion: a point between the tails at the bounds, found in the tail that has the digits."""
        d, support = self.d, self.support
        a, b = self._interval
        low, high = -np.inf if a is None else a, np.inf if b is None else b
        u = rng.random(shape)
        upper_tail = d.cdf(low) > 0.5
        log_cdf = np.logaddexp(d.log_cdf(low) + np.log1p(-u), d.log_cdf(high) + np.log(u))
        log_sf = np.logaddexp(d.log_sf(low) + np.log1p(-u), d.log_sf(high) + np.log(u))
        x = least(
            lambda x: np.where(upper_tail, d.log_sf(x) <= log_sf, d.log_cdf(x) >= log_cdf),
            np.broadcast_to(-np.inf if support.lower is None else support.lower, shape),
            np.broadcast_to(np.inf if support.upper is None else support.upper, shape),
        )
        return x.astype(np.int64) if support.discrete else x

    @derived
    def _interval(self) -> tuple[Any, Any]:
        """(a, b) such that lower <= X <= upper is a < X <= b."""
        if not self.d.support.discrete:
            return self.lower, self.upper
        lower = None if self.lower is None else np.ceil(self.lower) - 1.0
        return lower, None if self.upper is None else np.floor(self.upper)

    @derived
    @np.errstate(all="ignore")
    def _log_mass(self) -> Any:
        return log_probability(self.d, *self._interval)


class restricted(_Between):
    """The density of `d` on a smaller support, not renormalised, as Stan's declared bounds do.

    Parameters
    ----------
    d : Distribution
        Of real or whole numbers, or of vectors of them, whose entries are bounded then.
    lower, upper : array, traced array or None
        Inclusive bounds; None or infinite for none.

    Raises
    ------
    DistributionError
        If `d` is no law of numbers, or no value lies between the bounds.

    Notes
    -----
    Draws come from the renormalised law.
    """

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        return self.d.event_shape

    def _log_density(self, x: Any) -> Any:
        return self.d._log_density(x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        if self.d.has_cdf:
            return truncated(self.d, self.lower, self.upper).draw(rng, shape)
        axes = tuple(range(-self.event_ndim, 0))
        return _rejection(
            self, lambda: self.d.draw(rng, shape), lambda x: contains(self.support, x).all(axis=axes, keepdims=True)
        )


class _AlongLastAxis(Distribution):
    """What laws of vectors have in common whose entries have the density of a law of numbers."""

    d: Distribution

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        length = self.d.batch_shape[-1:]
        return (None,) if length in ((), (1,)) else length

    def _log_density(self, x: Any) -> Any:
        return self.d._log_density(x).sum(axis=-1)

    def _batch_shapes(self) -> dict[str, Shape]:
        return {name: shape[:-1] for name, shape in super()._batch_shapes().items()}


class ordered(_AlongLastAxis):
    """Increasing vectors whose entries have the density of `d`, not renormalised, as Stan's ordered types do.

    Parameters
    ----------
    d : Distribution
        Of real numbers, unbounded or bounded below by 0. The last axis of its batch shape runs along the vector;
        if it has none (or has length 1), the value's shape decides how long the vector is.
    positive : bool
        Whether the entries must be positive too; implied if `d` is bounded below by 0.

    Raises
    ------
    DistributionError
        If `d` is no law of real numbers, or has other bounds.

    Notes
    -----
    Draws come from the renormalised law.
    """

    positive: bool = False

    @property
    def support(self) -> Support:
        positive = self.positive or self.d.support.bounded
        return Support("positive_ordered" if positive else "ordered")

    def _validate(self) -> None:
        require_numbers(self._name, self.d)
        support = self.d.support
        from_zero = support.upper is None and not ad.is_traced(support.lower) and np.all(support.lower == 0)
        if support.discrete or self.d.event_shape or (support.bounded and not from_zero):
            raise DistributionError(
                f"ordered: needs a law of real numbers, unbounded or bounded below by 0; got {self.d}."
            )

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        d = restricted(self.d, lower=0.0) if self.positive else self.d
        if _alike_on_last_axis(self.d):
            return np.sort(d.draw(rng, shape), axis=-1)
        return _rejection(self, lambda: d.draw(rng, shape), lambda x: (np.diff(x) > 0).all(axis=-1, keepdims=True))


class zero_sum(_AlongLastAxis):
    """Vectors with sum 0 whose entries have the density of `d`, not renormalised, as Stan's sum_to_zero_vector.

    K entries have K - 1 degrees of freedom. The density is that of `d` at all K entries, with respect to volume
    within the plane of vectors that sum to 0: no other factor. For equal normal entries it is that of a normal law
    there, up to the constant log(sigma sqrt(2 pi)); an entry has the variance sigma² (1 - 1/K).

    Parameters
    ----------
    d : Distribution
        Of unbounded real numbers. The last axis of its batch shape runs along the vector; if it has none (or has
        length 1), the value's shape decides how long the vector is.

    Raises
    ------
    DistributionError
        If `d` is no law of unbounded real numbers; in drawing, if it is none of Normal, StudentT, Cauchy, Laplace and
        Logistic.

    Notes
    -----
    Draws come from the renormalised law, which for entries that are not normal is no projection of independent values
    onto the plane.
    """

    support = ZERO_SUM

    def _validate(self) -> None:
        require_numbers(self._name, self.d)
        if self.d.support.kind != "real" or self.d.support.bounded or self.d.event_shape:
            raise DistributionError(f"zero_sum: needs a law of unbounded real numbers; got {self.d}.")

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        if isinstance(self.d, Normal):  # independent values, less their regression on their sum
            x, variance = self.d.draw(rng, shape), np.broadcast_to(self.d.sigma**2, shape)
            x = x - variance / variance.sum(axis=-1, keepdims=True) * x.sum(axis=-1, keepdims=True)
        elif isinstance(self.d, _HIGHEST_AT_MU):
            x = self._by_rejection(self.d, rng, shape)
        else:
            raise DistributionError(
                f"{self}: entries of this law cannot be drawn given that their sum is 0; those of Normal, StudentT, "
                "Cauchy, Laplace and Logistic can. Use one of them, or the density alone."
            )
        return x - x.mean(axis=-1, keepdims=True)  # what rounding left

    def _by_rejection(self, d: Any, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """All entries but the last independent, the last one what makes their sum 0, accepted by its density there."""
        highest = np.broadcast_to(d.log_prob(d.mu), shape)[..., -1:]

        def propose() -> np.ndarray:
            x = d.draw(rng, shape)[..., :-1]
            return np.concatenate([x, -x.sum(axis=-1, keepdims=True)], axis=-1)

        def accepts(x: np.ndarray) -> np.ndarray:
            return -rng.standard_exponential(highest.shape) < d.log_prob(x)[..., -1:] - highest

        return _rejection(self, propose, accepts)


def _alike_on_last_axis(d: Distribution) -> bool:
    """Whether no parameter varies along the last batch axis."""
    return all(value is None or value.ndim == 0 or bool((value == value[..., :1]).all()) for value in d.flat_parameters)


def _rejection(law: Distribution, propose: Callable[[], np.ndarray], accepts: Callable[[Any], Any]) -> np.ndarray:
    """Proposals, repeated where `accepts(values)` (event axes of length 1 kept) is False."""
    values = propose()
    accepted = accepts(values)
    for _ in range(_ROUNDS):
        if accepted.all():
            return values
        others = propose()
        values, accepted = np.where(accepted, values, others), accepted | accepts(others)
    raise DistributionError(f"{law}: {_ROUNDS} rounds of rejection sampling gave no draw that meets the constraint.")
