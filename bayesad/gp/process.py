"""GaussianProcess: the law of a function's values at given points."""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.functions.linalg import solve_triangular
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import NonNegative
from bayesad.distributions.multivariate import MvNormal
from bayesad.distributions.scatter import Scatter
from bayesad.distributions.supports import REAL
from bayesad.errors import DistributionError
from bayesad.gp.kernels import points

__all__ = ["GaussianProcess"]

# What is added to variances, relative to them, where there is no noise: distances between points may be so small that
# the covariance matrix is singular in double precision.
_JITTER = 1e-9


class GaussianProcess(Distribution):
    """The values at points X of a random function with a mean and a covariance kernel, plus independent noise.

    A multivariate normal law; the density costs O(n³) (Rasmussen & Williams 2006, section 2.2).

    Parameters
    ----------
    kernel : Kernel
    X : array, shape (n,) or (n, d)
        The points.
    mean : number, array of shape (n,) or callable
        Of the function; a callable gets points.
    noise : array, shape () or (n,)
        Standard deviation of the noise.
    jitter : float, optional
        Added to the variances, relative to them; by default 1e-9 where the noise is 0 for certain, else none.

    Examples
    --------
    Observed with noise, the function integrated out; its values at new points follow afterwards::

        process = ba.GaussianProcess(kernel, x, noise=sigma)
        ba.sample("y", process, obs=y)
        ba.deterministic("f_new", process.conditional(y, x_new).mu)

    As an unknown function behind any likelihood, non-centred::

        z = ba.sample("z", ba.Normal(0, 1), shape=len(x))
        f = ba.deterministic("f", ba.GaussianProcess(kernel, x).non_centred(z))
        ba.sample("count", ba.PoissonLog(f), obs=count)
    """

    kernel: Any
    X: Any
    mean: Any = 0.0
    noise: NonNegative = 0.0
    jitter: Any = None
    support = REAL

    @property
    def event_shape(self) -> Shape:
        return (len(points(self.X)),)

    def _validate(self) -> None:
        shapes = {"noise": self.noise.shape}
        if not callable(self.mean):
            shapes["mean"] = self._mean_at(self.X).shape
        for name, shape in shapes.items():
            if shape not in ((), self.event_shape):
                raise DistributionError(
                    f"GaussianProcess: {name} must be a number or have shape {self.event_shape}; got {shape}."
                )

    def _batch_shapes(self) -> dict[str, Shape]:
        return {}

    def _log_density(self, x: Any) -> Any:
        return self._law._log_density(x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._law._draw(rng, shape)

    def non_centred(self, z: Any) -> Any:
        """Values of the process from independent standard normal numbers: mean + L z, L Lᵀ the covariance.

        Parameters
        ----------
        z : array, shape (..., n)

        Returns
        -------
        array, shape (..., n)
        """
        return self._mean_at(self.X) + self._scatter.colour(z)

    def conditional(self, y: Any, X_new: Any, noise: Any = 0.0) -> MvNormal:
        """The law of the function at new points given its values at X (with their noise).

        Parameters
        ----------
        y : array, shape (n,)
        X_new : array, shape (m,) or (m, d)
        noise : array, shape () or (m,)
            Standard deviation of noise in the new values; without it the law is that of the function itself.

        Returns
        -------
        MvNormal
            With the mean `mu` and the covariance `cov`, to which jitter is added where there is no noise.

        Raises
        ------
        DistributionError
            If the mean is known at the points X only: give a number or a function of points.
        """
        if not callable(self.mean) and self._mean_at(self.X).ndim:
            raise DistributionError(
                "GaussianProcess: the mean is given at the points X only; for new points give a number or a function."
            )
        L = self._scatter.factor
        across = solve_triangular(L, self.kernel(self.X, X_new), True, False, False)
        residual = self._scatter.whiten(ad.asarray(y) - self._mean_at(self.X))
        prior = self.kernel(X_new)
        added = np.broadcast_to(ad.asarray(noise) ** 2 + 10.0 * _JITTER * self.kernel.diagonal(X_new), prior.shape[:1])
        cov = prior - np.matmul(np.transpose(across), across)
        cov = 0.5 * (cov + np.transpose(cov)) + np.eye(len(prior)) * added
        return MvNormal(self._mean_at(X_new) + np.matmul(np.transpose(across), residual), cov=cov)

    def _mean_at(self, X: Any) -> Any:
        return ad.asarray(self.mean(X) if callable(self.mean) else self.mean)

    @derived
    def _scatter(self) -> Scatter:
        covariance = self.kernel(self.X)
        without = self.jitter is None and not ad.is_traced(self.noise) and np.all(self.noise == 0.0)
        relative = _JITTER if without else self.jitter or 0.0
        added = np.broadcast_to(self.noise**2 + relative * self.kernel.diagonal(self.X), self.event_shape)
        return Scatter(np.linalg.cholesky(covariance + np.eye(len(covariance)) * added))

    @derived
    def _law(self) -> MvNormal:
        return MvNormal(self._mean_at(self.X), chol=self._scatter.factor)
