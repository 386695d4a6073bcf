"""Laws of series: AR(p), ARMA(p, q), GARCH(1, 1).

Time runs along the first event axis. A series is as long as a parameter that varies over time, or as `length` says;
otherwise the value decides.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import (
    NonNegative,
    OptionalPositive,
    OptionalVector,
    Positive,
    RealOrVector,
    RealVector,
)
from bayesad.distributions.numerics import HALF_LOG_2PI
from bayesad.distributions.series import Event, Series, require_length, series_length
from bayesad.distributions.supports import REAL
from bayesad.errors import DistributionError

__all__ = ["AR", "ARMA", "GARCH"]


def _log_normal(residual: Any, variance: Any) -> Any:
    return -0.5 * (residual**2 / variance + np.log(variance)) - HALF_LOG_2PI


def _event(law: Any) -> Event:
    """The event shape of a law with a mean `mu`, which tells the length where it varies over time."""
    varying = law.mu.shape[-1:]
    return (series_length(law, None if varying in ((), (1,)) else varying[0]),)


class AR(Series):
    """Autoregression of order p: x_t = mu + Σ_i coefficients_i (x_(t−i) − mu) + e_t, e_t ~ Normal(0, sigma).

    Parameters
    ----------
    coefficients : array, shape (..., p)
        Of the values 1 … p steps before.
    sigma : array
        Standard deviation of the innovations.
    mu : array, shape () or (..., time)
        Mean, which may vary over time (as for a regression with autocorrelated errors).
    initial : "stationary", Distribution or None
        Of the first p values: those of a process that has been running for ever (log density −inf where the
        coefficients allow none); a law of numbers, or of vectors of length p; or none. Without one the density is
        that of the other values given these, so that it is improper and cannot be drawn from.
    length : int, optional

    Raises
    ------
    DistributionError
        If `initial` is something else; for values shorter than p, unless it is stationary.
    """

    coefficients: RealVector
    sigma: Positive = 1.0
    mu: RealOrVector = 0.0
    initial: Any = None
    length: Any = None
    support = REAL

    @property
    def event_shape(self) -> Event:
        return _event(self)

    @property
    def _order(self) -> int:
        return self.coefficients.shape[-1]

    def _validate(self) -> None:
        law = self.initial
        if law is None or (isinstance(law, str) and law == "stationary"):
            return
        if not isinstance(law, Distribution) or law.event_shape not in ((), (self._order,)):
            raise DistributionError(
                f"AR: initial must be 'stationary', a law of numbers, a law of vectors of length {self._order}, or "
                f"None; got {law!r}."
            )

    def _batch_shapes(self) -> dict[str, Shape]:
        shapes = super()._batch_shapes()
        if "initial" in shapes and not self.initial.event_shape:
            shapes["initial"] = shapes["initial"][:-1]
        return shapes

    def _steps(self, x: Any) -> Sequence[Any]:
        p, T = self._order, x.shape[-1]
        if p > T and not isinstance(self.initial, str):
            raise DistributionError(f"AR: a series of length {T} is shorter than its {p} initial values.")
        r = x - self.mu
        lagged = [self.coefficients[..., i, None] * r[..., p - 1 - i : max(T - 1 - i, 0)] for i in range(p)]
        later = _log_normal(r[..., p:] - sum(lagged), self.sigma[..., None] ** 2)
        return (*self._first_steps(x, r), later)

    def _first_steps(self, x: Any, r: Any) -> Iterator[Any]:
        if self.initial is None:
            return
        if not isinstance(self.initial, str):
            density = self.initial.log_prob(x[..., : self._order])
            yield density[..., None] if self.initial.event_shape else density
            return
        exists, start = self._stationary
        for k, (weights, sd) in enumerate(start[: x.shape[-1]]):
            predicted = sum(weights[j] * r[..., k - 1 - j] for j in range(k))
            density = _log_normal(r[..., k] - predicted, sd**2)
            yield (np.where(exists, density, -np.inf) if k == 0 else density)[..., None]

    @derived
    def _stationary(self) -> tuple[Any, list[tuple[list[Any], Any]]]:
        """Whether the process can be stationary, and for k = 0 … p − 1 the regression of a value on the k before it.

        The recursion of Durbin and Levinson, downwards from order p: the last coefficient of each order is a partial
        autocorrelation, and all of them are between −1 and 1 exactly for stationary processes.
        """
        weights = [self.coefficients[..., i] for i in range(self._order)]
        sd, exists, start = self.sigma, True, []
        while weights:
            last = weights[-1]
            inside = np.abs(last) < 1.0
            exists, last = exists & inside, np.where(inside, last, 0.0)
            left = 1.0 - last * last
            weights = [(w + last * v) / left for w, v in zip(weights[:-1], weights[-2::-1], strict=True)]
            sd = sd / np.sqrt(left)
            start.append((weights, sd))
        return exists, start[::-1]

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        p, T, batch = self._order, shape[-1], shape[:-1]
        if self.initial is None:
            raise DistributionError(
                "AR without a law of its initial values is improper, so there is nothing to draw from; give "
                "initial='stationary' or a law."
            )
        mu, noise = np.broadcast_to(self.mu, shape), rng.standard_normal(shape)
        r = np.zeros(shape)
        if isinstance(self.initial, str):
            exists, start = self._stationary
            if not np.all(exists):
                raise DistributionError(f"{self}: no stationary process has these coefficients.")
            for k, (weights, sd) in enumerate(start[:T]):
                r[..., k] = sum(weights[j] * r[..., k - 1 - j] for j in range(k)) + sd * noise[..., k]
        else:
            first = self.initial.draw(rng, (*batch, p))
            r[..., :p] = first[..., :T] - mu[..., :p]
        for t in range(p, T):
            r[..., t] = (self.coefficients * r[..., t - p : t][..., ::-1]).sum(axis=-1) + self.sigma * noise[..., t]
        return mu + r

    def _mean(self) -> Any:
        if not isinstance(self.initial, str):
            return super()._mean()
        require_length(self)
        return np.where(self._stationary[0][..., None], self.mu, np.nan)


class ARMA(Series):
    """ARMA(p, q): x_t = mu + Σ_i ar_i (x_(t−i) − mu) + e_t + Σ_j ma_j e_(t−j), e_t ~ Normal(0, sigma).

    Before the first value the process is at rest: x_t = mu and e_t = 0 (the conditional likelihood; Box & Jenkins
    1976, section 7.1.2).

    Parameters
    ----------
    ar : array, shape (..., p), optional
        Coefficients of earlier values.
    ma : array, shape (..., q), optional
        Coefficients of earlier innovations.
    sigma : array
        Standard deviation of the innovations.
    mu : array, shape () or (..., time)
        Mean, which may vary over time.
    length : int, optional
    """

    ar: OptionalVector = None
    ma: OptionalVector = None
    sigma: Positive = 1.0
    mu: RealOrVector = 0.0
    length: Any = None
    support = REAL

    @property
    def event_shape(self) -> Event:
        return _event(self)

    def _steps(self, x: Any) -> Sequence[Any]:
        return (_log_normal(self.innovations(x), self.sigma[..., None] ** 2),)

    def innovations(self, x: Any) -> Any:
        """The innovations e_t that made a series.

        Parameters
        ----------
        x : array, shape (..., time)

        Returns
        -------
        array, shape (..., time)
            The leading axes broadcast against the batch shape.
        """
        shape = (*np.broadcast_shapes(self.batch_shape, x.shape[:-1]), x.shape[-1])
        r = np.broadcast_to(x - self.mu, shape)
        e = r - sum(self.ar[..., i, None] * _delayed(r, i + 1) for i in range(_order(self.ar)))
        if self.ma is None:
            return e
        ma = [np.broadcast_to(self.ma[..., j], shape[:-1]) for j in range(_order(self.ma))]

        def step(before: tuple[Any, ...], now: Any) -> tuple[tuple[Any, ...], Any]:
            found = now - sum(weight * past for weight, past in zip(ma, before, strict=True))
            return (found, *before[:-1]), found

        _, found = ad.scan(step, tuple(np.zeros(shape[:-1]) for _ in ma), np.moveaxis(e, -1, 0))
        return np.moveaxis(found, 0, -1)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        e = self.sigma[..., None] * rng.standard_normal(shape)
        driven = e + sum(self.ma[..., j, None] * _delayed(e, j + 1) for j in range(_order(self.ma)))
        r = np.zeros(shape)
        for t in range(shape[-1]):
            past = sum(self.ar[..., i] * r[..., t - 1 - i] for i in range(min(t, _order(self.ar))))
            r[..., t] = driven[..., t] + past
        return self.mu + r

    def _mean(self) -> Any:
        require_length(self)
        return self.mu


def _order(coefficients: Any) -> int:
    return 0 if coefficients is None else coefficients.shape[-1]


def _delayed(x: Any, steps: int) -> Any:
    """A series some steps later, with zeros before."""
    steps = min(steps, x.shape[-1])
    return np.concatenate([np.zeros((*x.shape[:-1], steps)), x[..., : x.shape[-1] - steps]], axis=-1)


# --- changing variance
class GARCH(Series):
    """GARCH(1, 1): x_t ~ Normal(mu, sigma_t), sigma_t² = alpha0 + alpha1 (x_(t−1) − mu)² + beta1 sigma_(t−1)².

    As in the Stan user's guide, chapter "Time-series models".

    Parameters
    ----------
    mu : array, shape () or (..., time)
        Mean.
    alpha0 : array
        Positive.
    alpha1, beta1 : array
        Non-negative, with sum below 1 for a stationary process.
    sigma1 : array, optional
        Standard deviation of the first value; without it the stationary one, and the log density is −inf where there
        is none.
    length : int, optional
    """

    mu: RealOrVector
    alpha0: Positive
    alpha1: NonNegative
    beta1: NonNegative
    sigma1: OptionalPositive = None
    length: Any = None
    support = REAL

    @property
    def event_shape(self) -> Event:
        return _event(self)

    def _steps(self, x: Any) -> Sequence[Any]:
        exists, density = self._first[0], _log_normal(x - self.mu, self.variances(x))
        return (density if self.sigma1 is not None else np.where(exists[..., None], density, -np.inf),)

    def _log_density(self, x: Any) -> Any:
        density = _log_normal(x - self.mu, self.variances(x)).sum(axis=-1)
        return np.where(self._first[0], density, -np.inf)  # one choice for all, which leaves the sum as it is

    def variances(self, x: Any) -> Any:
        """sigma_t² of every value of a series.

        Parameters
        ----------
        x : array, shape (..., time)

        Returns
        -------
        array, shape (..., time)
            The leading axes broadcast against the batch shape.
        """
        batch = np.broadcast_shapes(self.batch_shape, x.shape[:-1])
        first = np.broadcast_to(self._first[1], batch)
        driven = self.alpha0[..., None] + self.alpha1[..., None] * np.square(x - self.mu)[..., :-1]

        def step(before: Any, now: Any) -> tuple[Any, Any]:
            variance = now + self.beta1 * before
            return variance, variance

        _, found = ad.scan(step, first, np.moveaxis(np.broadcast_to(driven, (*batch, x.shape[-1] - 1)), -1, 0))
        return np.concatenate([first[..., None], np.moveaxis(found, 0, -1)], axis=-1)

    @derived
    def _first(self) -> tuple[Any, Any]:
        """Whether there is a first variance, and it (1 where there is none)."""
        if self.sigma1 is not None:
            return True, self.sigma1**2
        left = 1.0 - self.alpha1 - self.beta1
        exists = left > 0.0
        return exists, np.where(exists, self.alpha0 / np.where(exists, left, 1.0), 1.0)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        exists, variance = self._first
        if not np.all(exists):
            raise DistributionError(f"{self}: no stationary process has alpha1 + beta1 of 1 or more; give sigma1.")
        r, noise = np.zeros(shape), rng.standard_normal(shape)
        for t in range(shape[-1]):
            r[..., t] = np.sqrt(variance) * noise[..., t]
            variance = self.alpha0 + self.alpha1 * r[..., t] ** 2 + self.beta1 * variance
        return self.mu + r

    def _mean(self) -> Any:
        require_length(self)
        return self.mu
