"""Laws of how often each of K categories was met in a number of trials."""

from abc import abstractmethod
from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import Count, PositiveVector, RealVector, SimplexVector
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import log_gamma_ratio
from bayesad.distributions.supports import Support

__all__ = ["DirichletMultinomial", "Multinomial", "MultinomialLogit"]


class _Counts(Distribution):
    """Vectors of counts that add up to `n`."""

    n: Count

    @property
    def support(self) -> Support:
        return Support("counts", upper=self.n)

    @property
    def event_shape(self) -> Shape:
        return self._vector.shape[-1:]

    @property
    @abstractmethod
    def _vector(self) -> Any:
        """The parameter whose last axis has the categories."""

    @abstractmethod
    def _probabilities(self, rng: np.random.Generator, shape: Shape) -> Any:
        """Of the categories, for draws."""

    def _log_coefficient(self, x: Any) -> Any:
        return special.gammaln(self.n + 1.0) - special.gammaln(x + 1.0).sum(axis=-1)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        p = np.broadcast_to(self._probabilities(rng, shape), shape)
        return rng.multinomial(np.broadcast_to(self.n, shape[:-1]).astype(np.int64), p / p.sum(axis=-1, keepdims=True))


class Multinomial(_Counts):
    """Counts of the categories in `n` trials with probabilities `theta`, shape (..., K) (Stan: multinomial)."""

    theta: SimplexVector

    @property
    def _vector(self) -> Any:
        return self.theta

    def _log_density(self, x: Any) -> Any:
        return self._log_coefficient(x) + special.xlogy(x, self.theta).sum(axis=-1)

    def _probabilities(self, rng: np.random.Generator, shape: Shape) -> Any:
        return self.theta

    def _mean(self) -> Any:
        return self.n[..., None] * self.theta


class MultinomialLogit(_Counts):
    """Counts in `n` trials with probabilities softmax(`gamma`), shape (..., K) (Stan: multinomial_logit)."""

    gamma: RealVector

    @property
    def _vector(self) -> Any:
        return self.gamma

    def _log_density(self, x: Any) -> Any:
        total = self.n * special.logsumexp(self.gamma, axis=-1)
        return self._log_coefficient(x) + (x * self.gamma).sum(axis=-1) - total

    def _probabilities(self, rng: np.random.Generator, shape: Shape) -> Any:
        return special.softmax(self.gamma, axis=-1)

    def _mean(self) -> Any:
        return self.n[..., None] * special.softmax(self.gamma, axis=-1)


class DirichletMultinomial(_Counts):
    """Multinomial counts whose probabilities have the law Dirichlet(`alpha`) (Stan: dirichlet_multinomial)."""

    alpha: PositiveVector

    @property
    def _vector(self) -> Any:
        return self.alpha

    def _log_density(self, x: Any) -> Any:
        log_rising = log_gamma_ratio(self.alpha, x).sum(axis=-1)
        return self._log_coefficient(x) + log_rising - log_gamma_ratio(self.alpha.sum(axis=-1), self.n)

    def _probabilities(self, rng: np.random.Generator, shape: Shape) -> Any:
        # log of gamma draws: Gamma(a) = Gamma(a + 1) U^(1/a), which does not underflow for small a
        log_gamma = np.log(rng.standard_gamma(self.alpha + 1.0, shape)) + np.log1p(-rng.random(shape)) / self.alpha
        return special.softmax(log_gamma, axis=-1)

    def _mean(self) -> Any:
        return self.n[..., None] * (self.alpha / self.alpha.sum(axis=-1, keepdims=True))
