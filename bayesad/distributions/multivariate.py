"""Laws of vectors and matrices: multivariate normal, Dirichlet, LKJ over Cholesky factors."""

from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import CholeskyFactor, Matrix, Positive, PositiveVector, RealOrVector
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_PI, solve_lower
from bayesad.distributions.supports import CHOLESKY_CORR, REAL, SIMPLEX
from bayesad.errors import DistributionError

__all__ = ["Dirichlet", "LKJCholesky", "MvNormal"]

# Entries of a drawn simplex that underflow become this, so that their logarithms are finite.
_SMALLEST = float(np.nextafter(0.0, 1.0))


class MvNormal(Distribution):
    """Multivariate normal law (Stan: multi_normal, multi_normal_cholesky, multi_normal_prec).

    Parameters
    ----------
    mu : array, shape (..., K) or ()
        Mean; broadcasts against the matrix.
    cov, chol, precision : array, shape (..., K, K)
        Exactly one: the covariance, its lower Cholesky factor, or its inverse.
    """

    mu: RealOrVector
    cov: Matrix = None
    chol: CholeskyFactor = None
    precision: Matrix = None
    support = REAL

    @property
    def event_shape(self) -> Shape:
        return self._matrix.shape[-1:]

    def _validate(self) -> None:
        length = self.event_shape[0]
        if self.mu.shape and self.mu.shape[-1] not in (1, length):
            raise DistributionError(
                f"MvNormal: mu has shape {self.mu.shape}, but the matrix has shape {self._matrix.shape}; "
                f"the last axis of mu must have length {length}."
            )

    def _log_density(self, x: Any) -> Any:
        centred = x - self.mu
        log_scale = np.log(np.diagonal(self._factor, axis1=-2, axis2=-1)).sum(axis=-1)
        if self.precision is not None:
            whitened, log_scale = np.matmul(centred[..., None, :], self._factor)[..., 0, :], -log_scale
        else:
            whitened = solve_lower(self._factor, centred)
        return -0.5 * (whitened**2).sum(axis=-1) - (log_scale + HALF_LOG_2PI * self.event_shape[0])

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        noise = rng.standard_normal(shape)[..., None]
        if self.precision is not None:
            return self.mu + np.linalg.solve(np.swapaxes(self._factor, -1, -2), noise)[..., 0]
        return self.mu + np.matmul(self._factor, noise)[..., 0]

    @derived
    def _matrix(self) -> Any:
        """The one matrix that was given."""
        given = {name: m for name in ("cov", "chol", "precision") if (m := getattr(self, name)) is not None}
        if len(given) != 1:
            raise DistributionError(
                f"MvNormal: give exactly one of cov, chol and precision; got {', '.join(given) or 'none of them'}."
            )
        return next(iter(given.values()))

    @derived
    def _factor(self) -> Any:
        """The lower Cholesky factor of the covariance or of the precision."""
        return self.chol if self.chol is not None else np.linalg.cholesky(self._matrix)

    def _mean(self) -> Any:
        return self.mu


class Dirichlet(Distribution):
    """Dirichlet law of K-simplexes with concentrations `alpha`, shape (..., K) (Stan: dirichlet)."""

    alpha: PositiveVector
    support = SIMPLEX

    @property
    def event_shape(self) -> Shape:
        return self.alpha.shape[-1:]

    def _log_density(self, x: Any) -> Any:
        constant = special.gammaln(self.alpha.sum(axis=-1)) - special.gammaln(self.alpha).sum(axis=-1)
        return special.xlogy(self.alpha - 1.0, x).sum(axis=-1) + constant

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        # log of gamma draws: Gamma(a) = Gamma(a + 1) U^(1/a), which does not underflow for small a
        log_gamma = np.log(rng.standard_gamma(self.alpha + 1.0, shape)) + np.log1p(-rng.random(shape)) / self.alpha
        return np.maximum(special.softmax(log_gamma, axis=-1), _SMALLEST)

    def _mean(self) -> Any:
        return self.alpha / self.alpha.sum(axis=-1, keepdims=True)


class LKJCholesky(Distribution):
    """LKJ law of K×K correlation matrices, as a density of their lower Cholesky factors (Stan: lkj_corr_cholesky).

    The density is over the entries below the diagonal. Row k of the factor is a point w in the unit ball of
    dimension k - 1 with density proportional to (1 - |w|²)^(eta - 1 + (K - k)/2), independently of the other
    rows; this gives both the constant and the draws (Lewandowski, Kurowicka & Joe 2009, section 3.2).

    Parameters
    ----------
    K : int
        Number of rows.
    eta : array
        Positive; 1 is uniform over correlation matrices, larger is closer to the identity.
    """

    K: int
    eta: Positive
    support = CHOLESKY_CORR

    @property
    def event_shape(self) -> Shape:
        return (self.K, self.K)

    def _validate(self) -> None:
        if not isinstance(self.K, (int, np.integer)) or self.K < 1:
            raise DistributionError(f"LKJCholesky: K must be a positive int; got {self.K!r}.")

    def _log_density(self, x: Any) -> Any:
        rows_after = np.arange(self.K - 2, -1, -1)  # K - k for k = 2 … K
        diagonal = np.diagonal(x, axis1=-2, axis2=-1)[..., 1:]
        eta = self.eta[..., None]
        constant = special.gammaln(eta + 0.5 * (self.K - 1)) - special.gammaln(eta + 0.5 * rows_after)
        log_density = (rows_after + 2.0 * (eta - 1.0)) * np.log(diagonal) + constant
        return log_density.sum(axis=-1) - 0.25 * self.K * (self.K - 1) * LOG_PI

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        below = np.arange(1, self.K)
        batch = shape[:-2]
        norm_squared = rng.beta(0.5 * below, self.eta[..., None] + 0.5 * (self.K - 1 - below), (*batch, self.K - 1))
        direction = np.tril(rng.standard_normal(shape), -1)[..., 1:, :]
        factor = np.zeros(shape)
        factor[..., 0, 0] = 1.0
        factor[..., 1:, :] = direction * np.sqrt(norm_squared / (direction**2).sum(axis=-1))[..., None]
        factor[..., below, below] = np.sqrt(1.0 - norm_squared)
        return factor
