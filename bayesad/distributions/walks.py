"""Random walks with steps of any law. Time runs along the first event axis."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.continuous import Normal
from bayesad.distributions.multivariate import MvNormal
from bayesad.distributions.series import Event, Series, require_length, series_length
from bayesad.distributions.supports import REAL
from bayesad.errors import DistributionError

__all__ = ["GaussianRandomWalk", "MvGaussianRandomWalk", "RandomWalk"]


class RandomWalk(Series):
    """A random walk: x_t − x_(t−1) has the law `innovation`.

    Parameters
    ----------
    innovation : Distribution
        Of unbounded real numbers or vectors of them. The last axis of its batch shape, if it has one, is time.
    initial : Distribution, optional
        Of the first value. Without it the first value has the law of a step from 0.
    length : int, optional

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad.distributions import RandomWalk, StudentT
    >>> RandomWalk(StudentT(4.0, 0.0, 0.1), length=5).sample(np.random.default_rng(1)).shape
    (5,)
    """

    innovation: Distribution
    initial: Any = None
    length: Any = None
    support = REAL

    @property
    def event_shape(self) -> Event:
        steps = self.innovation.batch_shape[-1:]
        varying = None if steps in ((), (1,)) else steps[0] + (self.initial is not None)
        return (series_length(self, varying), *self.innovation.event_shape)

    def _validate(self) -> None:
        for law in [self.innovation] if self.initial is None else [self.innovation, self.initial]:
            real = isinstance(law, Distribution) and law.support.kind == "real" and not law.support.bounded
            if not real or law.event_shape != self.innovation.event_shape or law.event_ndim > 1:
                raise DistributionError(
                    f"{self._name}: innovation and initial value must be laws of unbounded real numbers, or of vectors "
                    f"of one length; got {law!r}."
                )

    def _batch_shapes(self) -> dict[str, Shape]:
        return {name: shape[:-1] if name == "innovation" else shape for name, shape in super()._batch_shapes().items()}

    def _steps(self, x: Any) -> Sequence[Any]:
        steps = self._at(x, slice(1, None)) - self._at(x, slice(None, -1))
        if self.initial is None:
            steps = np.concatenate([self._at(x, slice(1)), steps], axis=self._time)
            return (self.innovation._log_density(steps),)
        return self.initial._log_density(self._at(x, 0))[..., None], self.innovation._log_density(steps)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        split = len(shape) - self.event_ndim
        batch, length, event = shape[:split], shape[split], shape[split + 1 :]
        if self.initial is None:
            return np.cumsum(self.innovation.draw(rng, (*batch, length, *event)), axis=self._time)
        start = np.expand_dims(self.initial.draw(rng, (*batch, *event)), self._time)
        steps = self.innovation.draw(rng, (*batch, length - 1, *event))
        return np.cumsum(np.concatenate([start, steps], axis=self._time), axis=self._time)

    def _mean(self) -> Any:
        length, event = require_length(self) - (self.initial is not None), self.event_shape[1:]
        drift = np.broadcast_to(self.innovation.mean, (*self.batch_shape, length, *event))  # type: ignore[arg-type]
        if self.initial is not None:
            start = np.broadcast_to(self.initial.mean, (*self.batch_shape, *event))  # type: ignore[arg-type]
            drift = np.concatenate([np.expand_dims(start, self._time), drift], axis=self._time)
        return np.cumsum(drift, axis=self._time)

    @property
    def _time(self) -> int:
        """The axis that is time."""
        return -1 - self.innovation.event_ndim

    def _at(self, x: Any, time: Any) -> Any:
        return x[(..., time, *[slice(None)] * self.innovation.event_ndim)]


def GaussianRandomWalk(mu: Any = 0.0, sigma: Any = 1.0, initial: Any = None, length: int | None = None) -> RandomWalk:
    """A random walk with normal steps: x_t − x_(t−1) ~ Normal(mu, sigma).

    Parameters
    ----------
    mu, sigma : array, shape () or (..., steps)
        Mean and standard deviation of the steps; the last axis is time (of length 1 for what does not vary).
    initial : Distribution, optional
        Of the first value. Without it the first value has the law of a step from 0.
    length : int, optional
        Where neither a parameter nor the value's shape says it.

    Returns
    -------
    RandomWalk
        A law of vectors.
    """
    return RandomWalk(Normal(mu, sigma), initial, length)


def MvGaussianRandomWalk(
    mu: Any = 0.0,
    cov: Any = None,
    chol: Any = None,
    precision: Any = None,
    initial: Any = None,
    length: int | None = None,
) -> RandomWalk:
    """A random walk of vectors with normal steps: x_t − x_(t−1) ~ MvNormal(mu, …).

    Parameters
    ----------
    mu : array, shape () or (..., K) or (..., steps, K)
        Mean of the steps.
    cov, chol, precision : array, shape (..., K, K)
        Exactly one, as for `MvNormal`. Leading axes of mu and matrix are batches, the last of them time.
    initial : Distribution, optional
        Of the first vector. Without it the first has the law of a step from 0.
    length : int, optional

    Returns
    -------
    RandomWalk
        A law of matrices of shape (time, K).
    """
    return RandomWalk(MvNormal(mu, cov, chol, precision), initial, length)
