"""Mixtures of laws, and counts (or amounts) with more zeros than their law has."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.discrete import draw_labels
from bayesad.distributions.domains import Probability, SimplexVector
from bayesad.distributions.lazy import special
from bayesad.distributions.nesting import hull, require_law, require_numbers, same_support
from bayesad.distributions.numerics import safe_log
from bayesad.distributions.supports import Support, interior
from bayesad.distributions.wrappers import truncated
from bayesad.errors import DistributionError

__all__ = ["Mixture", "hurdle", "mixture_same_family", "zero_inflated"]


class Mixture(Distribution):
    """The law of a value from component k with probability weights[k].

    Parameters
    ----------
    weights : array, shape (..., K)
        Simplex.
    components : list of K laws, or one law
        Laws of real numbers on any supports, of whole numbers, or of vectors with one support and one event shape. One
        law has the components along the last axis of its batch shape, of length K:
        ``Mixture(w, Normal(mu, sigma))`` with mu of shape (K,).

    Raises
    ------
    DistributionError
        If there are not K components, or their supports or event shapes cannot be mixed.

    Notes
    -----
    The sum over components is taken in log space. As a prior of an unknown, components on different supports live on
    the interval that has all of them inside.
    """

    weights: SimplexVector
    components: Any

    @property
    def support(self) -> Support:
        return self._support

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        return self._several[0].event_shape

    @property
    def has_cdf(self) -> bool:
        return all(c.has_cdf for c in self._several)

    def __init__(self, weights: Any, components: Any) -> None:
        several = isinstance(components, (list, tuple))
        super().__init__(weights, tuple(components) if several else components)

    def _validate(self) -> None:
        shapes = {c.event_shape for c in self._several}
        kinds = {c.support.kind for c in self._several}
        if len(shapes) > 1 or len(kinds) > 1:
            raise DistributionError(
                f"Mixture: the components must have one kind of value; they have {', '.join(sorted(kinds))} of event "
                f"shape {' and '.join(map(str, sorted(shapes, key=str)))}."
            )
        first = self._several[0].support
        if first.kind not in ("real", "integer") and not all(same_support(first, c.support) for c in self._several):
            raise DistributionError(f"Mixture: the components have different supports of {first.kind} values.")

    def _log_density(self, x: Any) -> Any:
        def density(c: Distribution, x: Any) -> Any:
            return c._log_density(x) if same_support(c.support, self._support) else c.log_prob(x)

        return self._log_mean(density, x)

    def _along_components(self, x: Any) -> Any:
        """A value with an axis for the components of one law, before its event axes."""
        return np.expand_dims(x, np.ndim(x) - self.event_ndim) if self._is_batch else x

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        batch, event = shape[: len(shape) - self.event_ndim], shape[len(shape) - self.event_ndim :]
        labels = draw_labels(rng, self.weights, batch)
        if self._is_batch:
            values = self.components.draw(rng, (*batch, self._length, *event))
            index = np.reshape(labels, (*batch, 1, *(1,) * self.event_ndim))
            return np.take_along_axis(values, index, axis=len(batch)).reshape(shape)
        labels = np.reshape(labels, (*batch, *(1,) * self.event_ndim))
        values = self._several[0].draw(rng, shape)
        for k, c in enumerate(self._several[1:], 1):
            values = np.where(labels == k, c.draw(rng, shape), values)
        return values

    def _cdf(self, x: Any) -> Any:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_cdf(self, x: Any) -> Any:
        return self._log_mean(lambda c, x: c.log_cdf(x), x)

    def _log_sf(self, x: Any) -> Any:
        return self._log_mean(lambda c, x: c.log_sf(x), x)

    def _log_mean(self, log_value: Callable[[Distribution, Any], Any], x: Any) -> Any:
        """log of the weighted mean of exp(log_value) over the components."""
        values = [log_value(c, self._along_components(x)) for c in self._several]
        if self._is_batch:
            return special.logsumexp(self._log_weights + values[0], axis=-1)
        return _log_sum([self._log_weights[..., k] + value for k, value in enumerate(values)])

    def _mean(self) -> Any:
        weights = np.reshape(self.weights, (*self.weights.shape, *(1,) * self.event_ndim))
        axis = -1 - self.event_ndim
        if self._is_batch:
            return (weights * self.components.mean).sum(axis=axis)
        return sum(w * c.mean for w, c in zip(np.moveaxis(weights, axis, 0), self._several, strict=True))

    @derived
    def _log_weights(self) -> Any:
        return safe_log(self.weights)

    @property
    def _is_batch(self) -> bool:
        return not isinstance(self.components, tuple)

    @property
    def _length(self) -> int:
        return self.weights.shape[-1]

    @derived
    def _several(self) -> tuple[Distribution, ...]:
        return self.components if isinstance(self.components, tuple) else (self.components,)

    @derived
    def _support(self) -> Support:
        """The hull of the components' supports: for one law also over the axis of components."""
        support = hull([c.support for c in self._several])
        if not self._is_batch or not support.bounded:
            return support
        lower, upper = (
            bound if np.ndim(bound) <= self.event_ndim else extreme(bound, axis=-1 - self.event_ndim)
            for bound, extreme in ((support.lower, np.min), (support.upper, np.max))
        )
        return Support(support.kind, lower, upper, support.closed)

    def _batch_shapes(self) -> dict[str, Shape]:
        for c in self._several:
            require_law(self._name, c, what="each component")
        shapes = {"weights": self.weights.shape[:-1]}
        if not self._is_batch:
            if len(self._several) != self._length:
                raise DistributionError(
                    f"Mixture: weights has {self._length} entries for {len(self._several)} components."
                )
            return {**shapes, **{f"components[{k}]": c.batch_shape for k, c in enumerate(self._several)}}
        batch = self.components.batch_shape
        if batch[-1:] != (self._length,):
            raise DistributionError(
                f"Mixture: the components' batch shape is {batch}; its last axis must have length {self._length}, one "
                "component for each entry of weights."
            )
        return {**shapes, "components": batch[:-1]}


def mixture_same_family(weights: Any, component: Distribution) -> Mixture:
    """The mixture of the components of one law, which lie along the last axis of its batch shape.

    Parameters
    ----------
    weights : array, shape (..., K)
        Simplex.
    component : Distribution
        With batch shape (..., K).

    Raises
    ------
    DistributionError
        If it is a list, or has not K components.
    """
    if not isinstance(component, Distribution):
        raise DistributionError(
            f"mixture_same_family: component is one law with the components along its last batch axis, as in "
            f"Normal(mu, sigma) with mu of shape (K,); got a {type(component).__name__}. For a list there is Mixture."
        )
    return Mixture(weights, component)


class zero_inflated(Distribution):
    """0 with probability `p`, else a value of the law `d`, which may be 0 too.

    Parameters
    ----------
    d : Distribution
        Of whole numbers, or of real ones: then 0 alone has the probability `p`.
    p : array
        Probability of the additional zeros.

    Raises
    ------
    DistributionError
        If `d` is no law of numbers.
    """

    d: Distribution
    p: Probability

    @property
    def support(self) -> Support:
        inside = self.d.support
        at_0 = Support(inside.kind, 0.0, 0.0)
        return inside if same_support(inside, hull([inside, at_0])) else hull([inside, at_0])

    @property
    def has_atoms(self) -> bool:
        return not self.d.support.discrete

    @property
    def has_cdf(self) -> bool:
        return self.d.has_cdf

    def _validate(self) -> None:
        require_numbers(self._name, self.d)
        if self.d.event_shape:
            raise DistributionError(f"{self._name}: needs a law of single numbers; got {self.d}.")

    def _log_density(self, x: Any) -> Any:
        zero = x == 0.0
        if self.has_atoms:
            away = self.d.log_prob(interior(self.d.support, x, zero))
            return np.where(zero, safe_log(self.p), np.log1p(-self.p) + away)
        same = same_support(self.d.support, self.support)
        return self._with_zeros(zero, self.d._log_density(x) if same else self.d.log_prob(x))

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        x = self.d.draw(rng, shape)
        return np.where(rng.random(shape) < self.p, np.zeros_like(x), x)

    def _cdf(self, x: Any) -> Any:
        return self.p * (x >= 0.0) + (1.0 - self.p) * self.d.cdf(x)

    def _sf(self, x: Any) -> Any:
        return self.p * (x < 0.0) + (1.0 - self.p) * self.d.sf(x)

    def _log_cdf(self, x: Any) -> Any:
        return self._with_zeros(x >= 0.0, self.d.log_cdf(x))

    def _log_sf(self, x: Any) -> Any:
        return self._with_zeros(x < 0.0, self.d.log_sf(x))

    def _with_zeros(self, counted: Any, from_d: Any) -> Any:
        """The log of (1 - p) exp(from_d), and of p more where the additional zeros are counted."""
        from_d = np.log1p(-self.p) + from_d
        return np.where(counted, np.logaddexp(safe_log(self.p), from_d), from_d)

    def _mean(self) -> Any:
        return (1.0 - self.p) * self.d.mean


def hurdle(d: Distribution, p: Any) -> Distribution:
    """0 with probability `p`, else a value of the law `d` given that it is not 0.

    Parameters
    ----------
    d : Distribution
        Of whole numbers from 0 on, with a cdf; or of real numbers, where hurdle and zero inflation are the same.
    p : array
        Probability of 0.

    Returns
    -------
    Distribution
        ``zero_inflated(truncated(d, lower=1), p)`` for counts.

    Raises
    ------
    DistributionError
        If `d` is no law of numbers, or a law of counts without a cdf.
    """
    require_numbers("hurdle", d)
    return zero_inflated(truncated(d, lower=1) if d.support.discrete else d, p)


def _log_sum(terms: list[Any]) -> Any:
    """log of the sum of the exponentials of a few arrays, element by element in one pass."""
    return functools.reduce(np.logaddexp, terms)
