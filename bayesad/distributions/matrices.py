"""Laws of matrices: correlation and covariance matrices, their Cholesky factors, and matrices of normal entries."""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.functions.linalg import cholesky, solve_triangular
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import CholeskyFactor, Matrix, Positive, RealOrMatrix, check_size, shown
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import HALF_LOG_2PI, LOG_2, LOG_PI
from bayesad.distributions.scatter import scatter_of
from bayesad.distributions.supports import CHOLESKY_CORR, CHOLESKY_COV, CORR, COV, REAL
from bayesad.errors import DistributionError

__all__ = ["LKJ", "InverseWishart", "LKJCholesky", "LKJCholeskyCovariance", "LKJCovariance", "MatrixNormal", "Wishart"]


def _transposed(m: Any) -> Any:
    return np.swapaxes(m, -1, -2)


def _log_diagonal(m: Any) -> Any:
    return np.log(np.diagonal(m, axis1=-2, axis2=-1))


def _solve(factor: Any, b: Any) -> Any:
    """L⁻¹ B for a lower triangular L."""
    return solve_triangular(factor, b, True, False, False)


# --- correlation matrices
class _OfCorrelations(Distribution):
    """What the LKJ laws of matrices and of their factors have in common."""

    K: int
    eta: Positive

    @property
    def event_shape(self) -> Shape:
        return (self.K, self.K)

    def _validate(self) -> None:
        check_size(self._name, self.K)

    @property
    def _log_constant(self) -> Any:
        """Of the density proportional to |C|^(eta − 1) (Lewandowski, Kurowicka & Joe 2009, section 3.2)."""
        eta, rows_after = self.eta[..., None], np.arange(self.K - 2, -1, -1)  # K - k for k = 2 … K
        constant = special.gammaln(eta + 0.5 * (self.K - 1)) - special.gammaln(eta + 0.5 * rows_after)
        return constant.sum(axis=-1) - 0.25 * self.K * (self.K - 1) * LOG_PI


class LKJ(_OfCorrelations):
    """LKJ law of K×K correlation matrices (Stan: lkj_corr): density proportional to |C|^(eta − 1).

    The density is over the entries below the diagonal. `LKJCholesky` is the same law over Cholesky factors, which a
    model usually needs anyway.

    Parameters
    ----------
    K : int
        Number of rows.
    eta : array
        Positive; 1 is uniform over correlation matrices, larger is closer to the identity.
    """

    support = CORR

    def _log_density(self, x: Any) -> Any:
        return 2.0 * (self.eta - 1.0) * _log_diagonal(cholesky(x)).sum(axis=-1) + self._log_constant

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        factor = LKJCholesky(self.K, self.eta).draw(rng, shape)
        x = np.matmul(factor, _transposed(factor))
        x[..., np.arange(self.K), np.arange(self.K)] = 1.0
        return x

    def _mean(self) -> Any:
        return np.eye(self.K)


class LKJCholesky(_OfCorrelations):
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

    support = CHOLESKY_CORR

    def _log_density(self, x: Any) -> Any:
        rows_after = np.arange(self.K - 2, -1, -1)
        powers = rows_after + 2.0 * (self.eta[..., None] - 1.0)
        return (powers * _log_diagonal(x)[..., 1:]).sum(axis=-1) + self._log_constant

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        below, above = self._beta
        norm_squared = rng.beta(below, above, (*shape[:-2], self.K - 1))
        direction = np.tril(rng.standard_normal(shape), -1)[..., 1:, :]
        factor = np.zeros(shape)
        factor[..., 0, 0] = 1.0
        factor[..., 1:, :] = direction * np.sqrt(norm_squared / (direction**2).sum(axis=-1))[..., None]
        rows = np.arange(1, self.K)
        factor[..., rows, rows] = np.sqrt(1.0 - norm_squared)
        return factor

    def _mean(self) -> Any:
        """Rows have no direction; the diagonal is the root of what a Beta law leaves."""
        below, above = self._beta
        log_root = special.betaln(below, above + 0.5) - special.betaln(below, above)
        one = np.broadcast_to(1.0, (*self.batch_shape, 1))
        return np.eye(self.K) * np.concatenate([one, np.exp(log_root)], axis=-1)[..., None, :]

    @property
    def _beta(self) -> tuple[Any, Any]:
        """Parameters of the Beta laws of the squared lengths of the rows' parts below the diagonal."""
        below = np.arange(1, self.K)
        return 0.5 * below, self.eta[..., None] + 0.5 * (self.K - 1 - below)


# --- covariance matrices
class _OfScales(_OfCorrelations):
    """What laws of covariances have in common that are made of standard deviations and LKJ correlations."""

    scale: Distribution

    def _validate(self) -> None:
        super()._validate()
        if not isinstance(self.scale, Distribution) or self.scale.support.kind != "real" or self.scale.event_shape:
            raise DistributionError(f"{self._name}: scale must be a law of positive numbers; got {self.scale!r}.")
        if self.scale.batch_shape[-1:] not in ((), (1,), (self.K,)):
            raise DistributionError(
                f"{self._name}: the last axis of scale's batch shape {self.scale.batch_shape} must be {self.K}."
            )

    def _batch_shapes(self) -> dict[str, Shape]:
        shapes = super()._batch_shapes()
        return {**shapes, "scale": shapes["scale"][:-1]} if "scale" in shapes else shapes

    def _draw_parts(self, rng: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Standard deviations and Cholesky factors of correlations."""
        return self.scale.draw(rng, shape[:-1]), LKJCholesky(self.K, self.eta).draw(rng, shape)


class LKJCovariance(_OfScales):
    """Covariance matrices with standard deviations of law `scale` and, independently, correlations of an LKJ law.

    The density is over the entries on and below the diagonal.

    Parameters
    ----------
    K : int
        Number of rows.
    eta : array
        Positive, of the `LKJ` law.
    scale : Distribution
        Of positive numbers; its batch shape is () or ends in K.
    """

    support = COV

    def _log_density(self, x: Any) -> Any:
        """|det dΣ/d(sigma, C)| = 2^K Π sigma_i^K."""
        sigma = np.sqrt(np.diagonal(x, axis1=-2, axis2=-1))
        log_det = 2.0 * (_log_diagonal(cholesky(x)) - np.log(sigma)).sum(axis=-1)
        correlations = (self.eta - 1.0) * log_det + self._log_constant
        entries = self.scale.log_prob(sigma) - (self.K * np.log(sigma) + LOG_2)
        return correlations + entries.sum(axis=-1)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        sigma, factor = self._draw_parts(rng, shape)
        factor = factor * sigma[..., None]
        return np.matmul(factor, _transposed(factor))


class LKJCholeskyCovariance(_OfScales):
    """The Cholesky factors of covariance matrices of the law `LKJCovariance`: diag(sigma) times those of correlations.

    The density is over the entries on and below the diagonal.

    Parameters
    ----------
    K : int
        Number of rows.
    eta : array
        Positive, of the `LKJ` law.
    scale : Distribution
        Of positive numbers; its batch shape is () or ends in K.
    """

    support = CHOLESKY_COV

    def _log_density(self, x: Any) -> Any:
        """Row i: |det dL_i/d(sigma_i, w)| = sigma_i^(i − 1) / sqrt(1 − |w|²), w the correlations' factor below."""
        sigma = np.sqrt((x**2).sum(axis=-1))
        factor = x / sigma[..., None]
        log_volume = (np.arange(self.K) * np.log(sigma) - _log_diagonal(factor)).sum(axis=-1)
        correlations = LKJCholesky(self.K, self.eta)._log_density(factor)
        return correlations + self.scale.log_prob(sigma).sum(axis=-1) - log_volume

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        sigma, factor = self._draw_parts(rng, shape)
        return factor * sigma[..., None]


class _OfSquares(Distribution):
    """What the Wishart laws have in common."""

    nu: Positive
    S: Matrix = None
    chol: CholeskyFactor = None
    support = COV

    @property
    def event_shape(self) -> Shape:
        return self._factor.shape[-2:]

    @derived
    def _factor(self) -> Any:
        return scatter_of(self._name, S=self.S, chol=self.chol).factor

    @property
    def _K(self) -> int:
        return self._factor.shape[-1]

    def _validate(self) -> None:
        least = self._K - 1
        if not ad.is_traced(self.nu) and np.any(self.nu <= least):
            raise DistributionError(f"{self._name}: nu must be greater than K - 1 = {least}; got {shown(self.nu)}.")

    @property
    def _log_constant(self) -> Any:
        """log of 2^(nu K/2) times the multivariate gamma function of nu/2."""
        return 0.5 * self.nu * self._K * LOG_2 + special.multigammaln(0.5 * self.nu, self._K)

    def _draw_root(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """The Cholesky factor of a draw with S the identity (Bartlett 1933)."""
        root, rows = np.tril(rng.standard_normal(shape), -1), np.arange(self._K)
        root[..., rows, rows] = np.sqrt(rng.chisquare(self.nu[..., None] - rows, shape[:-1]))
        return root


class Wishart(_OfSquares):
    """Wishart law: that of Σ z zᵀ over nu normal vectors z with covariance S (Stan: wishart).

    Parameters
    ----------
    nu : array
        Degrees of freedom, greater than K − 1.
    S, chol : array, shape (..., K, K)
        Exactly one: the scale matrix or its lower Cholesky factor.
    """

    def _log_density(self, x: Any) -> Any:
        root = cholesky(x)
        log_det, log_scale = (2.0 * _log_diagonal(m).sum(axis=-1) for m in (root, self._factor))
        trace = (_solve(self._factor, root) ** 2).sum(axis=(-2, -1))
        return 0.5 * ((self.nu - self._K - 1.0) * log_det - trace - self.nu * log_scale) - self._log_constant

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        root = np.matmul(self._factor, self._draw_root(rng, shape))
        return np.matmul(root, _transposed(root))

    def _mean(self) -> Any:
        return self.nu[..., None, None] * np.matmul(self._factor, _transposed(self._factor))


class InverseWishart(_OfSquares):
    """Inverse Wishart law: that of the inverse of a Wishart matrix with scale S⁻¹ (Stan: inv_wishart).

    Parameters
    ----------
    nu : array
        Degrees of freedom, greater than K − 1.
    S, chol : array, shape (..., K, K)
        Exactly one: the scale matrix or its lower Cholesky factor.
    """

    def _log_density(self, x: Any) -> Any:
        root = cholesky(x)
        log_det, log_scale = (2.0 * _log_diagonal(m).sum(axis=-1) for m in (root, self._factor))
        trace = (_solve(root, self._factor) ** 2).sum(axis=(-2, -1))
        return 0.5 * (self.nu * log_scale - trace - (self.nu + self._K + 1.0) * log_det) - self._log_constant

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        inverse = _solve(self._draw_root(rng, shape), np.broadcast_to(_transposed(self._factor), shape))
        return np.matmul(_transposed(inverse), inverse)

    def _mean(self) -> Any:
        excess = self.nu[..., None, None] - self._K - 1.0
        return np.where(excess > 0.0, np.matmul(self._factor, _transposed(self._factor)) / excess, np.nan)


# --- matrices of normal entries
class MatrixNormal(Distribution):
    """Matrix normal law: cov(x_ij, x_kl) = row_cov_ik column_cov_jl (Stan: matrix_normal_prec, by precisions).

    Parameters
    ----------
    mu : array, shape (..., N, M) or ()
        Mean.
    row_cov, row_chol : array, shape (..., N, N)
        Exactly one: the covariance among rows or its lower Cholesky factor.
    column_cov, column_chol : array, shape (..., M, M)
        Exactly one, among columns.
    """

    mu: RealOrMatrix
    row_cov: Matrix = None
    column_cov: Matrix = None
    row_chol: CholeskyFactor = None
    column_chol: CholeskyFactor = None
    support = REAL

    @property
    def event_shape(self) -> Shape:
        return (self._rows.shape[-1], self._columns.shape[-1])

    def _validate(self) -> None:
        shape = self.event_shape
        if self.mu.shape and self.mu.shape[-2:] != shape:
            raise DistributionError(
                f"MatrixNormal: mu has shape {self.mu.shape}, but by the covariances its matrices have shape {shape}."
            )

    @derived
    def _rows(self) -> Any:
        return scatter_of(self._name, row_cov=self.row_cov, row_chol=self.row_chol).factor

    @derived
    def _columns(self) -> Any:
        return scatter_of(self._name, column_cov=self.column_cov, column_chol=self.column_chol).factor

    def _log_density(self, x: Any) -> Any:
        N, M = self.event_shape
        whitened = _solve(self._rows, _transposed(_solve(self._columns, _transposed(x - self.mu))))
        log_scale = M * _log_diagonal(self._rows).sum(axis=-1) + N * _log_diagonal(self._columns).sum(axis=-1)
        return -0.5 * (whitened**2).sum(axis=(-2, -1)) - (log_scale + N * M * HALF_LOG_2PI)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        noise = rng.standard_normal(shape)
        return self.mu + np.matmul(np.matmul(self._rows, noise), _transposed(self._columns))

    def _mean(self) -> Any:
        return self.mu
