"""Laws from a density of the user's own, and laws of a transformed variable."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.lazy import special
from bayesad.distributions.nesting import require_numbers
from bayesad.distributions.supports import NAMED, Support
from bayesad.errors import DistributionError

__all__ = ["Bijection", "CustomDistribution", "transformed"]


# --- a density of one's own
def CustomDistribution(
    log_prob: Callable[[Any], Any],
    support: Support | str = "real",
    sample: Callable[[np.random.Generator, Shape], Any] | None = None,
    *,
    cdf: Callable[[Any], Any] | None = None,
    event_shape: int | tuple[int | None, ...] = (),
    batch_shape: int | Shape = (),
) -> Distribution:
    """A law given by its log density.

    Parameters
    ----------
    log_prob : callable
        ``log_prob(x) -> log density`` of values inside the support, in NumPy and scipy.special; shape: that of x
        without the event axes. It may use parameters of the model from around it.
    support : Support or str
        Where the density is positive; a string is a kind of `Support` without bounds, or "positive", "nonnegative",
        "unit_interval", "positive_integer", "nonnegative_integer" or "zero_or_one".
    sample : callable, optional
        ``sample(rng, shape) -> array`` of that full shape, for predictions.
    cdf : callable, optional
        ``cdf(x) -> P(X <= x)``, so that the law can be truncated or censored.
    event_shape, batch_shape : int or tuple of int
        Of one value (None for a length that the value decides), and of several laws in one.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If `log_prob` is no function, or the event shape does not fit the support.
    """
    for name, f in (("log_prob", log_prob), ("sample", sample), ("cdf", cdf)):
        if not callable(f) and (f is not None or name == "log_prob"):
            raise DistributionError(f"CustomDistribution: {name} must be a function; got {f!r}.")
    if isinstance(support, str):
        support = NAMED[support] if support in NAMED else Support(support)
    return _Custom(log_prob, support, sample, cdf, _as_shape(event_shape), _as_shape(batch_shape))


class _Custom(Distribution):
    density: Any
    values: Any
    sampler: Any
    distribution_function: Any
    event: Any
    batch: Any

    @property
    def support(self) -> Support:
        return self.values

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        return self.event

    @property
    def has_cdf(self) -> bool:
        return self.distribution_function is not None

    def _validate(self) -> None:
        if self.event_ndim < self.support.event_ndim:
            raise DistributionError(
                f"CustomDistribution: one value of the support {self.support.kind!r} has {self.support.event_ndim} "
                f"axes, so event_shape must have as many; got {self.event_shape}."
            )

    def _log_density(self, x: Any) -> Any:
        return ad.asarray(self.density(x))

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        if self.sampler is None:
            raise DistributionError("CustomDistribution: there is nothing to draw with; give it sample=.")
        x = np.asarray(self.sampler(rng, shape))
        if x.shape != tuple(shape):
            raise DistributionError(
                f"CustomDistribution: sample(rng, shape) must return the shape asked for, {tuple(shape)}; "
                f"got {x.shape}."
            )
        return x.astype(np.int64 if self.support.discrete else np.float64)

    def _cdf(self, x: Any) -> Any:
        return self.distribution_function(x) if self.has_cdf else super()._cdf(x)

    def _batch_shapes(self) -> dict[str, Shape]:
        return {"batch": self.batch}

    @property
    def _name(self) -> str:
        return "CustomDistribution"


def _as_shape(shape: Any) -> tuple[Any, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)


# --- transformed variables
class Bijection(NamedTuple):
    """A one-to-one function of numbers.

    Attributes
    ----------
    forward, inverse : callable
    log_slope : callable
        x -> log |d forward/dx|.
    domain, range : (float, float)
        Open intervals.
    increasing : bool
    """

    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    log_slope: Callable[[Any], Any]
    domain: tuple[float, float] = (-np.inf, np.inf)
    range: tuple[float, float] = (-np.inf, np.inf)
    increasing: bool = True


_POSITIVE = (0.0, np.inf)
_BIJECTIONS = {
    "exp": Bijection(np.exp, np.log, lambda x: x, range=_POSITIVE),
    "log": Bijection(np.log, np.exp, lambda x: -np.log(x), domain=_POSITIVE),
    "expit": Bijection(
        lambda x: special.expit(x),
        lambda y: special.logit(y),
        lambda x: special.log_expit(x) + special.log_expit(-x),
        range=(0.0, 1.0),
    ),
    "logit": Bijection(
        lambda x: special.logit(x), lambda y: special.expit(y), lambda x: -np.log(x) - np.log1p(-x), domain=(0.0, 1.0)
    ),
    "reciprocal": Bijection(
        lambda x: 1.0 / x, lambda y: 1.0 / y, lambda x: -2.0 * np.log(x), _POSITIVE, _POSITIVE, increasing=False
    ),
    "square": Bijection(np.square, np.sqrt, lambda x: np.log(2.0 * x), _POSITIVE, _POSITIVE),
    "sqrt": Bijection(np.sqrt, np.square, lambda x: -np.log(2.0 * np.sqrt(x)), _POSITIVE, _POSITIVE),
    "negative": Bijection(np.negative, np.negative, lambda x: 0.0 * x, increasing=False),
    "sinh": Bijection(np.sinh, np.arcsinh, lambda x: np.logaddexp(x, -x) - np.log(2.0)),
}


class transformed(Distribution):
    """The law of f(X), X having the law `d`.

    Parameters
    ----------
    d : Distribution
        Of real numbers, or of vectors of them, whose entries are transformed each.
    bijection : str or Bijection
        "exp", "log", "expit", "logit", "reciprocal", "square", "sqrt" (the last three of positive numbers),
        "negative", "sinh", or a function of one's own with its inverse and slope.

    Raises
    ------
    DistributionError
        If `d` is no law of real numbers, has values outside the domain of the function, or the name is unknown.
    """

    d: Distribution
    bijection: Any

    @property
    def support(self) -> Support:
        inside, f = self.d.support, self._f
        ends = f.range if f.increasing else f.range[::-1]
        images = [
            _image(f, x, edge, end, closed)
            for x, edge, end, closed in zip((inside.lower, inside.upper), f.domain, ends, inside.closed, strict=True)
        ]
        (lower, from_lower), (upper, to_upper) = images if f.increasing else images[::-1]
        return Support("real", lower, upper, (from_lower, to_upper))

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        return self.d.event_shape

    @property
    def has_cdf(self) -> bool:
        return self.d.has_cdf

    def _validate(self) -> None:
        require_numbers(self._name, self.d)
        if isinstance(self.bijection, str) and self.bijection not in _BIJECTIONS:
            raise DistributionError(
                f"transformed: the function {self.bijection!r} is unknown; the names are {', '.join(_BIJECTIONS)}."
            )
        inside, domain = self.d.support, self._f.domain
        low = -np.inf if inside.lower is None else inside.lower
        high = np.inf if inside.upper is None else inside.upper
        fits = [ad.is_traced(low) or np.all(low >= domain[0]), ad.is_traced(high) or np.all(high <= domain[1])]
        if inside.discrete or not all(fits):
            raise DistributionError(
                f"transformed: the function takes real numbers from {domain[0]} to {domain[1]}; {self.d} has others."
            )

    def _log_density(self, y: Any) -> Any:
        x = self._f.inverse(y)
        log_slope = self._f.log_slope(x)
        if self.event_ndim:
            log_slope = log_slope.sum(axis=tuple(range(-self.event_ndim, 0)))
        return self.d._log_density(x) - log_slope

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._f.forward(self.d.draw(rng, shape))

    def _cdf(self, y: Any) -> Any:
        return (self.d.cdf if self._f.increasing else self.d.sf)(self._f.inverse(y))

    def _sf(self, y: Any) -> Any:
        return (self.d.sf if self._f.increasing else self.d.cdf)(self._f.inverse(y))

    def _log_cdf(self, y: Any) -> Any:
        return (self.d.log_cdf if self._f.increasing else self.d.log_sf)(self._f.inverse(y))

    def _log_sf(self, y: Any) -> Any:
        return (self.d.log_sf if self._f.increasing else self.d.log_cdf)(self._f.inverse(y))

    def _icdf(self, p: Any) -> Any:
        return self._f.forward(self.d.icdf(p if self._f.increasing else 1.0 - p))

    @property
    def _f(self) -> Bijection:
        return _BIJECTIONS[self.bijection] if isinstance(self.bijection, str) else self.bijection


def _image(f: Bijection, x: Any, edge: float, end: float, closed: bool) -> tuple[Any, bool]:
    """Where f sends a bound x (None: the edge of its domain, whose image is `end`), and whether that is included."""
    if x is None or (not ad.is_traced(x) and np.all(x == edge)):
        return (None if np.isinf(end) else end), False
    return f.forward(x), closed
