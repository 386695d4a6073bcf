"""Laws of other libraries as laws of this one: of scipy.stats, or any object with a density and a cdf."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.numerics import safe_log
from bayesad.distributions.supports import Support
from bayesad.errors import DistributionError

__all__ = ["foreign"]

Function = Callable[[Any], Any]


def _same(x: Any) -> Any:
    return x


# What is asked of a law -> the methods of other libraries that answer, best first, and what makes the answer of theirs.
_ANSWERS: dict[str, tuple[tuple[str, Function], ...]] = {
    "log_density": (("logpdf", _same), ("log_prob", _same), ("pdf", safe_log), ("prob", safe_log)),
    "log_cdf": (("logcdf", _same), ("log_cdf", _same), ("cdf", safe_log)),
    "log_sf": (
        ("logsf", _same),
        ("logccdf", _same),
        ("log_sf", _same),
        ("log_survival_function", _same),
        ("sf", safe_log),
        ("ccdf", safe_log),
        ("cdf", lambda p: safe_log(1.0 - p)),
    ),
    "icdf": (("ppf", _same), ("icdf", _same), ("quantile", _same)),
}

# The step of differences, over the interquartile range or the distance to the end of the support.
_STEP = 1e-3


def _finished(method: Function, finish: Function, x: Any) -> Any:
    return finish(np.asarray(method(x), dtype=np.float64))


class foreign(Distribution):
    """The law of an object of another library, for use by itself or inside `truncated`, copulas and so on.

    The object's parameters are fixed. Where a value is an unknown, the object is called on plain numbers: the
    derivative of its distribution function is its density, that of the log density comes from differences.

    Parameters
    ----------
    d : object
        Of a continuous law of real numbers: a frozen law of scipy.stats, or whatever else has one of the methods
        ``logpdf``, ``log_prob``, ``pdf``, and ``cdf`` (or logarithms of it and of its complement) if that is needed;
        ``ppf`` or ``icdf`` and ``rvs`` for draws; ``support``, ``mean``. They take and return arrays.

    Raises
    ------
    DistributionError
        If `d` has no density.

    Examples
    --------
    >>> import scipy.stats
    >>> from bayesad.distributions import foreign
    >>> float(foreign(scipy.stats.expon()).log_prob(2.0))
    -2.0
    """

    d: Any

    def _validate(self) -> None:
        if self._method("log_density") is None:
            raise DistributionError(
                f"foreign: {self.d!r} has no density (a method logpdf, log_prob or pdf), as a continuous law has."
            )

    def _batch_shapes(self) -> dict[str, Shape]:
        f = self._method("log_density")
        return {} if f is None else {"d": np.shape(f(np.array(0.5)))}

    @derived
    def support(self) -> Support:
        """From the object's ``support()``; all real numbers where it has none."""
        ends = self.d.support() if callable(getattr(self.d, "support", None)) else (-np.inf, np.inf)
        lower, upper = (np.asarray(end, dtype=np.float64) for end in ends)
        return Support("real", None if (lower == -np.inf).all() else lower, None if (upper == np.inf).all() else upper)

    @property
    def has_cdf(self) -> bool:
        return self._method("log_cdf") is not None

    def _log_density(self, x: Any) -> Any:
        return self._answer("log_density", x)

    def _cdf(self, x: Any) -> Any:
        return np.exp(self._log_cdf(x))

    def _sf(self, x: Any) -> Any:
        return np.exp(self._log_sf(x))

    def _log_cdf(self, x: Any) -> Any:
        return self._answer("log_cdf", x)

    def _log_sf(self, x: Any) -> Any:
        return self._answer("log_sf", x)

    def _icdf(self, p: Any) -> Any:
        f = self._method("icdf")
        return super()._icdf(p) if f is None or ad.is_traced(p) else f(p)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        if hasattr(self.d, "rvs"):
            return np.asarray(self.d.rvs(size=shape, random_state=rng))
        return self._icdf(rng.random(shape))

    def _mean(self) -> Any:
        found = getattr(self.d, "mean", None)
        if found is None:
            return super()._mean()
        return found() if callable(found) else found

    def _method(self, asked: str) -> Function | None:
        """A function of plain numbers that answers, or None."""
        for name, finish in _ANSWERS[asked]:
            found = getattr(self.d, name, None)
            if callable(found):
                return partial(_finished, found, finish)
        return None

    def _answer(self, asked: str, x: Any) -> Any:
        f = self._method(asked)
        if f is None:
            raise DistributionError(f"foreign: {self.d!r} has no method for its {asked.replace('_', ' of the ')}.")
        return self._opaque[asked](x) if ad.is_traced(x) else f(x)

    @derived
    def _opaque(self) -> dict[str, Function]:
        """The functions with derivatives: distribution functions have the density, the density has differences."""
        f = {asked: self._method(asked) for asked in ("log_density", "log_cdf", "log_sf")}
        slope = ad.custom_vjp(self._slope)
        density = ad.custom_vjp(f["log_density"], vjp=lambda g, y, x: g * slope(x))
        return {
            "log_density": density,
            "log_cdf": ad.custom_vjp(f["log_cdf"], vjp=lambda g, y, x: g * np.exp(density(x) - y)),
            "log_sf": ad.custom_vjp(f["log_sf"], vjp=lambda g, y, x: -(g * np.exp(density(x) - y))),
        }

    def _slope(self, x: np.ndarray) -> np.ndarray:
        """The slope of the log density, by central differences extrapolated to an error of order step⁴."""
        h, f, support = _STEP * self._spread, self._method("log_density"), self.support
        for end in (support.lower, support.upper):
            h = h if end is None else np.minimum(h, _STEP * np.abs(x - end))
        with np.errstate(all="ignore"):
            coarse, fine = ((f(x + k * h) - f(x - k * h)) / (2.0 * k * h) for k in (1.0, 0.5))  # type: ignore[misc]
        found = (4.0 * fine - coarse) / 3.0
        return np.where(np.isfinite(found), found, 0.0)

    @derived
    def _spread(self) -> np.ndarray:
        """The interquartile range; 1 for a law without a distribution function."""
        return np.asarray(self.icdf(0.75) - self.icdf(0.25)) if self.has_cdf else np.array(1.0)
