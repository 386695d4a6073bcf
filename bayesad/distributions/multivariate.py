"""Laws of vectors: multivariate normal and t, Dirichlet, stick breaking, directions."""

from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import CholeskyFactor, Matrix, Positive, PositiveVector, RealOrVector, check_size
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_2, LOG_PI, log_gamma_ratio
from bayesad.distributions.scatter import Scatter, scatter_of
from bayesad.distributions.supports import REAL, SIMPLEX, UNIT_VECTOR
from bayesad.errors import DistributionError

__all__ = ["Dirichlet", "MvNormal", "MvStudentT", "StickBreaking", "UnitVector", "stick_breaking"]

# Entries of a drawn simplex that underflow become this, so that their logarithms are finite.
_SMALLEST = float(np.nextafter(0.0, 1.0))


class _Elliptical(Distribution):
    """What laws have in common whose density depends on the length of the whitened residual."""

    support = REAL

    @property
    def event_shape(self) -> Shape:
        return self._scatter.factor.shape[-1:]

    @property
    def _scatter(self) -> Scatter:
        """The matrix that was given; each law has its own names for it."""
        raise NotImplementedError

    def _validate(self) -> None:
        length, mu = self.event_shape[0], self.parameters["mu"]
        if mu.shape and mu.shape[-1] not in (1, length):
            raise DistributionError(
                f"{self._name}: mu has shape {mu.shape}, but the matrix has shape {self._scatter.factor.shape}; "
                f"the last axis of mu must have length {length}."
            )


class MvNormal(_Elliptical):
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

    @derived
    def _scatter(self) -> Scatter:
        return scatter_of(self._name, cov=self.cov, chol=self.chol, precision=self.precision)

    def _log_density(self, x: Any) -> Any:
        whitened = self._scatter.whiten(x - self.mu)
        return -0.5 * (whitened**2).sum(axis=-1) - (self._scatter.log_scale + HALF_LOG_2PI * self.event_shape[0])

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self.mu + self._scatter.colour(rng.standard_normal(shape))

    def _mean(self) -> Any:
        return self.mu


class MvStudentT(_Elliptical):
    """Multivariate Student t law (Stan: multi_student_t): a normal vector over an independent root of chi²/nu.

    Parameters
    ----------
    nu : array
        Degrees of freedom, positive.
    mu : array, shape (..., K) or ()
        Location; broadcasts against the matrix.
    scale, chol, precision : array, shape (..., K, K)
        Exactly one: the scale matrix (the covariance is nu/(nu − 2) times it), its lower Cholesky factor, or its
        inverse.
    """

    nu: Positive
    mu: RealOrVector
    scale: Matrix = None
    chol: CholeskyFactor = None
    precision: Matrix = None

    @derived
    def _scatter(self) -> Scatter:
        return scatter_of(self._name, scale=self.scale, chol=self.chol, precision=self.precision)

    def _log_density(self, x: Any) -> Any:
        K, nu = self.event_shape[0], self.nu
        square = (self._scatter.whiten(x - self.mu) ** 2).sum(axis=-1)
        constant = log_gamma_ratio(0.5 * nu, 0.5 * K) - 0.5 * K * (np.log(nu) + LOG_PI) - self._scatter.log_scale
        return constant - 0.5 * (nu + K) * np.log1p(square / nu)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        shrink = np.sqrt(rng.chisquare(self.nu, shape[:-1]) / self.nu)[..., None]
        return self.mu + self._scatter.colour(rng.standard_normal(shape)) / shrink

    def _mean(self) -> Any:
        return np.where(self.nu[..., None] > 1.0, self.mu, np.nan)


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


class StickBreaking(Distribution):
    """Weights of a Dirichlet process with concentration `alpha`, cut off after K sticks (Sethuraman 1994).

    The fractions v_k = w_k / (w_k + … + w_K) are independent Beta(1, alpha) for k < K; the last stick is what is
    left. The density is over all weights but one, as a Dirichlet's.

    Parameters
    ----------
    alpha : array
        Positive; the expected number of clusters grows with it.
    K : int
        Number of weights. The expected weight of what is cut off is (alpha / (1 + alpha))^K.
    """

    alpha: Positive
    K: int
    support = SIMPLEX

    @property
    def event_shape(self) -> Shape:
        return (self.K,)

    def _validate(self) -> None:
        check_size(self._name, self.K)

    def _log_density(self, x: Any) -> Any:
        """Each fraction v_k has density alpha (1 − v_k)^(alpha − 1), and dw_k/dv_k is the stick that was left."""
        log_left = np.log(np.cumsum(x[..., ::-1], axis=-1)[..., ::-1])[..., 1:]  # after stick 1 … K - 1
        shrinking = special.xlogy(self.alpha - 1.0, x[..., -1])
        return (self.K - 1) * np.log(self.alpha) + shrinking - log_left[..., :-1].sum(axis=-1)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        log_left = np.cumsum(-rng.standard_exponential((*shape[:-1], self.K - 1)) / self.alpha[..., None], axis=-1)
        left = np.concatenate([np.ones((*shape[:-1], 1)), np.exp(log_left)], axis=-1)
        weights = np.concatenate([-np.diff(left, axis=-1), left[..., -1:]], axis=-1)
        return np.maximum(weights, _SMALLEST)

    def _mean(self) -> Any:
        left = (self.alpha / (1.0 + self.alpha))[..., None] ** np.arange(self.K)
        return np.concatenate([left[..., :-1] - left[..., 1:], left[..., -1:]], axis=-1)


def stick_breaking(v: Any) -> Any:
    """Weights from the fractions that are broken off a stick: w_k = v_k Π_{j<k} (1 − v_j), and what is left.

    Parameters
    ----------
    v : array, shape (..., K - 1)
        Between 0 and 1; independent Beta(1, alpha) for a Dirichlet process, Beta(1 − d, alpha + k d) for that of
        Pitman and Yor.

    Returns
    -------
    array, shape (..., K)
        On the simplex.
    """
    log_left = np.cumsum(np.log1p(-v), axis=-1)
    zero = np.broadcast_to(0.0, (*np.shape(v)[:-1], 1))
    left = np.exp(np.concatenate([zero, log_left], axis=-1))
    return np.concatenate([v * left[..., :-1], left[..., -1:]], axis=-1)


class UnitVector(Distribution):
    """Uniform law of directions: vectors of Euclidean length 1 in K dimensions.

    The density is with respect to area on the sphere, which is 2 pi^(K/2) / Gamma(K/2).
    """

    K: int
    support = UNIT_VECTOR

    @property
    def event_shape(self) -> Shape:
        return (self.K,)

    def _validate(self) -> None:
        check_size(self._name, self.K)

    def _log_density(self, x: Any) -> Any:
        value = special.gammaln(0.5 * self.K) - LOG_2 - 0.5 * self.K * LOG_PI
        return np.broadcast_to(value, x.shape[:-1])

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        x = rng.standard_normal(shape)
        return x / np.sqrt((x**2).sum(axis=-1, keepdims=True))

    def _mean(self) -> Any:
        return np.zeros(self.K)
