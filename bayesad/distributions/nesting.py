"""What laws made from laws share."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution
from bayesad.distributions.numerics import log_minus_exp
from bayesad.distributions.supports import Support
from bayesad.errors import DistributionError

__all__ = ["hull", "log_probability", "require_law", "require_numbers", "same_support", "tighter"]


def require_law(wrapper: str, d: Any, what: str = "the first argument") -> None:
    """Raise DistributionError unless `d` is a distribution without point masses among real numbers."""
    if not isinstance(d, Distribution):
        raise DistributionError(f"{wrapper}: {what} must be a distribution; got {d!r}.")
    if d.has_atoms:
        raise DistributionError(
            f"{wrapper}: {d} gives single real numbers a probability; apply {wrapper} to the law inside, and what "
            "makes those point masses (censored, zero_inflated, hurdle) last."
        )


def require_numbers(wrapper: str, d: Any) -> None:
    """Raise DistributionError unless `d` is a law of real or whole numbers, or of vectors of them."""
    require_law(wrapper, d)
    if d.support.kind not in ("real", "integer"):
        raise DistributionError(f"{wrapper}: {d} is a law of {d.support.kind} values; a law of numbers is needed.")


def tighter(old: Any, new: Any, closed: bool, choose: Callable[[Any, Any], Any]) -> tuple[Any, bool]:
    """The tighter of two bounds, and whether it belongs to the support; a new bound does."""
    if new is None:
        return old, closed
    if old is None:
        return new, True
    bound = choose(old, new)
    if closed or ad.is_traced(bound):
        return bound, True
    kept = bound == old
    if np.all(kept):
        return bound, False
    # where the old bound stays in some places alone: an open end is the closed one at the number next to it
    return np.where(kept, np.nextafter(bound, choose(-np.inf, np.inf)), bound), True


def hull(supports: list[Support]) -> Support:
    """The smallest interval that has the supports of several laws of numbers inside."""
    lower: Any = None
    upper: Any = None
    if all(s.lower is not None for s in supports):
        lower = _extreme(np.minimum, [s.lower for s in supports])
    if all(s.upper is not None for s in supports):
        upper = _extreme(np.maximum, [s.upper for s in supports])
    closed = any(s.closed[0] for s in supports), any(s.closed[1] for s in supports)
    return Support(supports[0].kind, lower, upper, closed)


def _extreme(choose: Callable[[Any, Any], Any], bounds: list[Any]) -> Any:
    found = bounds[0]
    for bound in bounds[1:]:
        found = found if _same(found, bound) else choose(found, bound)
    return found


def same_support(a: Support, b: Support) -> bool:
    """Whether two supports are known to be the same set."""
    if a is b:
        return True
    alike = (a.kind, a.closed) == (b.kind, b.closed) and a.parts is b.parts
    return alike and _same(a.lower, b.lower) and _same(a.upper, b.upper)


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    return not (a is None or b is None or ad.is_traced(a) or ad.is_traced(b)) and np.array_equal(a, b)


def log_probability(d: Distribution, low: Any, high: Any) -> Any:
    """log P(low < X <= high), from whichever tail is nearer; None for no bound."""
    if low is None:
        return 0.0 if high is None else d.log_cdf(high)
    if high is None:
        return d.log_sf(low)
    upper_tail = d.cdf(low) > 0.5
    larger = np.where(upper_tail, d.log_sf(low), d.log_cdf(high))
    smaller = np.where(upper_tail, d.log_sf(high), d.log_cdf(low))
    return log_minus_exp(larger, smaller)
