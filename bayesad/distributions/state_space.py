"""Linear Gaussian state-space models: the Kalman filter's likelihood, filtered and smoothed states, forecasts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.ad.functions.linalg import cholesky, solve_triangular
from bayesad.distributions.base import Shape, derived
from bayesad.distributions.domains import RealOrVector, SquareMatrix, as_float
from bayesad.distributions.numerics import HALF_LOG_2PI, solve_lower
from bayesad.distributions.series import Series, require_length
from bayesad.distributions.supports import REAL
from bayesad.errors import DistributionError

__all__ = ["LinearGaussianStateSpace"]


class Moments(NamedTuple):
    """Means and covariances of one vector per time.

    Attributes
    ----------
    mean : array, shape (..., time, K)
    cov : array, shape (..., time, K, K)
    """

    mean: Any
    cov: Any


class _Step(NamedTuple):
    """What the filter finds at one time: for the likelihood, of the states, and for the smoother."""

    log_density: Any
    predicted: Moments
    filtered: Moments
    score: Any  # Hᵀ S⁻¹ (y − H m)
    information: Any  # Hᵀ S⁻¹ H
    kept: Any  # I − G H, G the gain


def _transposed(m: Any) -> Any:
    return np.swapaxes(m, -1, -2)


def _times(matrix: Any, vector: Any) -> Any:
    return np.matmul(matrix, vector[..., None])[..., 0]


def _around(matrix: Any, cov: Any) -> Any:
    """The covariance of a linear image, symmetric to the last digit."""
    image = np.matmul(np.matmul(matrix, cov), _transposed(matrix))
    return 0.5 * (image + _transposed(image))


def _root(cov: np.ndarray) -> np.ndarray:
    """Some square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(cov)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _each(x: Any, batch: Shape) -> Any:
    return (x[i] for i in np.ndindex(batch))


class LinearGaussianStateSpace(Series):
    """Observations y_t = H z_t + offset_t + noise of states z_t = A z_(t−1) + noise, z_1 normal; the states integrated
    out.

    The log density is that of the Kalman filter in Joseph's form, which keeps covariances positive definite (Kalman
    1960; Bucy & Joseph 1968). NaN marks what was not observed, which is left out: whole vectors or entries of them.

    Parameters
    ----------
    initial_mean : array, shape (K,) or ()
        Of z_1, the state at the first observation.
    initial_cov : array, shape (K, K)
    transition : array, shape (K, K)
        A.
    transition_cov : array, shape (K, K)
        Of the states' noise; may be singular.
    observation : array, shape (M, K), (time, M, K) or (K,)
        H, fixed or one for each time. A vector stands for one number observed at each time: values have shape (time,).
    observation_cov : array, shape (M, M), or () for a vector H
        Of the observations' noise; may be singular.
    offset : array
        Added to the observations' means: a number, one for each entry, or values for each time.
    length : int, optional
        Number of times, where neither `observation`, `offset` nor the value says it.

    Examples
    --------
    A level that walks, observed with noise::

        ba.sample("y", ba.LinearGaussianStateSpace(
            initial_mean=0.0, initial_cov=[[100.0]], transition=[[1.0]], transition_cov=[[sigma_level**2]],
            observation=[1.0], observation_cov=sigma_y**2), obs=y)
    """

    initial_mean: RealOrVector
    initial_cov: SquareMatrix
    transition: SquareMatrix
    transition_cov: SquareMatrix
    observation: Any
    observation_cov: Any
    offset: Any = 0.0
    length: Any = None
    support = REAL
    integrates_missing = True

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        lengths = {None if self.length is None else int(self.length)}
        if self._H.ndim == 3:
            lengths.add(self._H.shape[0])
        if self._offset.ndim == (1 if self._single else 2):
            lengths.add(self._offset.shape[0])
        known = lengths - {None}
        if len(known) > 1:
            raise DistributionError(
                f"LinearGaussianStateSpace: observation, offset and length are for different numbers of times: "
                f"{', '.join(map(str, sorted(known)))}."  # type: ignore[type-var]
            )
        length = known.pop() if known else None
        return (length,) if self._single else (length, self._H.shape[-2])

    @derived
    def _single(self) -> bool:
        """Whether one number is observed at each time, and values have no axis for it."""
        return as_float(self.observation).ndim == 1

    @derived
    def _H(self) -> Any:
        H = as_float(self.observation)
        return H[None, :] if H.ndim == 1 else H

    @derived
    def _R(self) -> Any:
        R = as_float(self.observation_cov)
        return R[None, None] if R.ndim == 0 else R

    @derived
    def _offset(self) -> Any:
        return as_float(self.offset)

    @derived
    def _m(self) -> Any:
        return np.broadcast_to(self.initial_mean, self.transition.shape[-1:])

    def _batch_shapes(self) -> dict[str, Shape]:
        return {}

    def _validate(self) -> None:
        K, M = self.transition.shape[-1], self._H.shape[-2]
        wanted = {
            "initial_mean": (self.initial_mean, [(), (K,)]),
            "initial_cov": (self.initial_cov, [(K, K)]),
            "transition": (self.transition, [(K, K)]),
            "transition_cov": (self.transition_cov, [(K, K)]),
            "observation": (self._H, [(M, K), (*self._H.shape[:1], M, K)]),
            "observation_cov": (self._R, [(M, M)]),
        }
        for name, (value, shapes) in wanted.items():
            if value.shape not in shapes or value.ndim > 3:
                raise DistributionError(
                    f"LinearGaussianStateSpace: for {K} states and {M} observed numbers {name} needs the shape "
                    f"{' or '.join(map(str, shapes))}; got {value.shape}."
                )
        self.event_shape  # noqa: B018  (so that lengths that do not agree are told at once)

    # --- the filter
    def _steps(self, x: Any) -> Sequence[Any]:
        return (np.moveaxis(self._filter(x, lambda step: step.log_density)[1], 0, -1),)

    def filtered(self, y: Any) -> Moments:
        """Moments of the states given the observations up to their time.

        Parameters
        ----------
        y : array, shape (..., *event_shape)

        Returns
        -------
        Moments
        """
        return self._times_last(self._filter(y, lambda step: step.filtered)[1])

    def smoothed(self, y: Any) -> Moments:
        """Moments of the states given all observations (de Jong 1989: no covariance of states is inverted).

        Parameters
        ----------
        y : array, shape (..., *event_shape)

        Returns
        -------
        Moments
        """
        _, steps = self._filter(y, lambda step: step)

        def back(later: tuple[Any, Any], step: _Step) -> tuple[tuple[Any, Any], Moments]:
            carried = np.matmul(self.transition, step.kept)
            r = step.score + _times(_transposed(carried), later[0])
            N = step.information + _around(_transposed(carried), later[1])
            mean, cov = step.predicted
            return (r, N), Moments(mean + _times(cov, r), cov - _around(cov, N))

        begin = (np.zeros(steps.score.shape[1:]), np.zeros(steps.information.shape[1:]))
        return self._times_last(ad.scan(back, begin, steps, reverse=True)[1])

    def forecast(self, y: Any, steps: int) -> Moments:
        """Moments of the observations after the last one, given all of them; without what `offset` gives by time.

        Parameters
        ----------
        y : array, shape (..., *event_shape)
        steps : int

        Returns
        -------
        Moments
            Of vectors of the M numbers observed at each time.

        Raises
        ------
        DistributionError
            If `observation` or `offset` are given for the known times only.
        """
        if self._H.ndim == 3 or self._offset.ndim == (1 if self._single else 2):
            raise DistributionError(
                "LinearGaussianStateSpace: a forecast needs an observation and an offset that do not change over time."
            )
        (mean, cov), _ = self._filter(y, lambda step: None)
        means, covs = [], []
        for _ in range(steps):
            means.append(_times(self._H, mean) + self._offset)
            covs.append(_around(self._H, cov) + self._R)
            mean, cov = _times(self.transition, mean), _around(self.transition, cov) + self.transition_cov
        return Moments(np.stack(means, axis=-2), np.stack(covs, axis=-3))

    def sample_states(self, rng: np.random.Generator, y: Any) -> np.ndarray:
        """Random paths of the states given all observations (Durbin & Koopman 2002, algorithm 2).

        Parameters
        ----------
        rng : numpy.random.Generator
        y : array, shape (..., *event_shape)
            One path for each series.

        Returns
        -------
        array, shape (..., time, K)
        """
        y = np.asarray(y, dtype=np.float64)
        states, other = self._simulate(rng, y.shape)
        other = np.where(np.isnan(y), np.nan, other)
        return states + self.smoothed(y).mean - self.smoothed(other).mean

    def _filter(self, y: Any, of_step: Any) -> tuple[Any, Any]:
        """The moments of the state after the last time, and what is asked of every step, times first."""
        y = as_float(y) - self._offset
        y = y[..., None] if self._single else y
        seen = ~np.isnan(y)
        batch = y.shape[:-2]
        if not ad.is_traced(seen) and all(np.array_equal(one, seen[(0,) * len(batch)]) for one in _each(seen, batch)):
            seen = seen[(0,) * len(batch)]  # covariances depend on what was seen alone: one for all series
        rows: Any = (np.moveaxis(np.where(seen, y, 0.0), -2, 0), np.moveaxis(seen.astype(np.float64), -2, 0))
        changing = self._H.ndim == 3

        def step(state: Moments, row: Any) -> tuple[Moments, Any]:
            found = self._update(state, row[0], row[1], row[2] if changing else self._H)
            mean, cov = found.filtered
            later = Moments(_times(self.transition, mean), _around(self.transition, cov) + self.transition_cov)
            return later, of_step(found)

        K = self.transition.shape[-1]
        series = seen.shape[:-2]
        begin = Moments(np.broadcast_to(self._m, (*batch, K)), np.broadcast_to(self.initial_cov, (*series, K, K)))
        return ad.scan(step, begin, (*rows, self._H) if changing else rows)

    def _update(self, state: Moments, y: Any, seen: Any, H: Any) -> _Step:
        """One observation: rows of what is not seen become 0, with variance 1 of their own."""
        mean, cov = state
        H = seen[..., None] * H
        R = self._R * (seen[..., :, None] * seen[..., None, :]) + np.eye(y.shape[-1]) * (1.0 - seen)[..., None]
        across = np.matmul(H, cov)
        L = cholesky(np.matmul(across, _transposed(H)) + R)
        whitened = solve_lower(L, y - _times(H, mean))
        half_gain = solve_triangular(L, across, True, False, False)
        gain = _transposed(solve_triangular(L, half_gain, True, True, False))
        kept = np.eye(cov.shape[-1]) - np.matmul(gain, H)
        half = solve_triangular(L, H, True, False, False)
        log_scale = np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)
        return _Step(
            -0.5 * (whitened**2).sum(axis=-1) - log_scale - HALF_LOG_2PI * seen.sum(axis=-1),
            state,
            Moments(mean + _times(_transposed(half_gain), whitened), _around(kept, cov) + _around(gain, R)),
            _times(_transposed(half), whitened),
            np.matmul(_transposed(half), half),
            kept,
        )

    def _times_last(self, found: Moments) -> Moments:
        """Moments with their times after the batch, which covariances have too."""
        mean, cov = np.moveaxis(found.mean, 0, -2), np.moveaxis(found.cov, 0, -3)
        return Moments(mean, np.broadcast_to(cov, (*mean.shape, mean.shape[-1])))

    # --- draws
    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._simulate(rng, shape)[1]

    def _simulate(self, rng: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """States, shape (..., time, K), and observations of the given shape."""
        batch, T = shape[: len(shape) - self.event_ndim], shape[len(shape) - self.event_ndim]
        K, M = self.transition.shape[-1], self._H.shape[-2]
        H, z = np.broadcast_to(self._H, (T, M, K)), np.empty((*batch, T, K))
        noise = rng.standard_normal((*batch, T, K))
        walk = _root(self.transition_cov)
        state = self._m + noise[..., 0, :] @ _root(self.initial_cov).T if T else None
        for t in range(T):
            if t:
                state = state @ self.transition.T + noise[..., t, :] @ walk.T
            z[..., t, :] = state
        y = np.einsum("tmk,...tk->...tm", H, z) + rng.standard_normal((*batch, T, M)) @ _root(self._R).T
        return z, (y[..., 0] if self._single else y) + self._offset

    def _mean(self) -> Any:
        means, state = [], self._m
        for t in range(require_length(self)):
            means.append(_times(self._H[t] if self._H.ndim == 3 else self._H, state))
            state = _times(self.transition, state)
        y = np.stack(means)
        return (y[..., 0] if self._single else y) + self._offset
