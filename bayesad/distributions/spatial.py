"""Laws of areas on a graph of neighbours: ICAR, proper CAR, BYM2. Densities cost one operation per pair of neighbours.

An adjacency is a symmetric matrix of weights, 0 for areas that are no neighbours: an array or a SciPy sparse matrix; or
a `Graph`, made from a list of pairs.
"""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import Positive, Probability, Real, RealOrVector
from bayesad.distributions.graphs import Graph
from bayesad.distributions.numerics import HALF_LOG_2PI
from bayesad.distributions.supports import REAL, ZERO_SUM, Support
from bayesad.errors import DistributionError

__all__ = ["BYM2", "CAR", "ICAR", "bym2_scaling_factor"]

# How near to singular the precision of a CAR may come: rounding of its eigenvalues.
_LEAST = 1e-12


def _check_mean(law: str, mu: Any, n: int) -> None:
    if mu.shape and mu.shape[-1] not in (1, n):
        raise DistributionError(f"{law}: mu has shape {mu.shape}, but there are {n} areas.")


def _squares_of_differences(graph: Graph, x: Any) -> Any:
    """Σ over pairs of weight (x_i − x_j)²."""
    return (graph.weights * (x[..., graph.first] - x[..., graph.second]) ** 2).sum(axis=-1)


def bym2_scaling_factor(adjacency: Any) -> Any:
    """The geometric mean of the variances of an ICAR with sigma 1 (Riebler et al. 2016, section 3.2).

    An ICAR divided by its square root has entries of typical variance 1, whatever the graph.

    Parameters
    ----------
    adjacency : array, sparse matrix or Graph

    Returns
    -------
    float or array, shape (n,)
        For a graph in several parts the factor of each area's part, 1 for areas without neighbours (Freni-Sterrantino,
        Ventrucci & Rue 2018).

    Notes
    -----
    A dense matrix of all areas of a part is inverted: seconds for a few thousand of them.
    """
    factors = Graph.of(adjacency).scaling_factors
    return float(factors[0]) if np.all(factors == factors[0]) else factors.copy()


class ICAR(Distribution):
    """Intrinsic conditional autoregression (Besag 1974): neighbours differ by Normal(0, sigma) amounts.

    The density is proportional to exp(−Σ_pairs weight (x_i − x_j)² / (2 sigma²)) on vectors that sum to zero, where it
    is proper and normalised: with respect to volume within that plane, as `zero_sum`. It costs O(pairs).

    In a graph of several connected parts each of them sums to zero, and areas without neighbours are independent, with
    the law Normal(0, sigma) (Freni-Sterrantino, Ventrucci & Rue 2018); parts get the same typical variance by
    `bym2_scaling_factor`.

    Parameters
    ----------
    adjacency : array, sparse matrix or Graph
        Symmetric; see `Graph.from_pairs` for lists of pairs.
    sigma : array
    """

    adjacency: Any
    sigma: Positive = 1.0

    @property
    def support(self) -> Support:
        parts = self.graph.parts
        return ZERO_SUM if len(parts[1:]) == 1 and not parts[0].size else Support("zero_sum", parts=parts)

    @property
    def event_shape(self) -> Shape:
        return (self.graph.n,)

    @derived
    def graph(self) -> Graph:
        """The pairs of neighbours."""
        return Graph.of(self.adjacency)

    def _validate(self) -> None:
        self.graph  # noqa: B018  (so that an unfit one is told at once)

    def _log_density(self, x: Any) -> Any:
        alone, *parts = self.graph.parts
        square = _squares_of_differences(self.graph, x)
        square = square + (x[..., alone] ** 2).sum(axis=-1) if alone.size else square
        rank = self.graph.n - len(parts)
        return -0.5 * square / self.sigma**2 - rank * (np.log(self.sigma) + HALF_LOG_2PI) + self.graph.half_log_det

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        noise = np.reshape(rng.standard_normal(shape), (-1, shape[-1])).T
        x = self._centred(np.reshape(np.linalg.solve(self.graph.root, noise).T, shape))
        return self._centred(self.sigma[..., None] * x)  # once more for what rounding left

    def _centred(self, x: np.ndarray) -> np.ndarray:
        x = x.copy()
        for areas in self.graph.parts[1:]:
            x[..., areas] -= x[..., areas].mean(axis=-1, keepdims=True)
        return x

    def _mean(self) -> Any:
        return 0.0


class CAR(Distribution):
    """Proper conditional autoregression: a normal law with precision (D − alpha W) / sigma² (Besag 1974).

    W is the matrix of weights, D the diagonal matrix of its row sums. The density costs O(pairs); log |D − alpha W| is
    a sum over the eigenvalues of D^(−1/2) W D^(−1/2), found once (Jin, Carlin & Banerjee 2005).

    Parameters
    ----------
    adjacency : array, sparse matrix or Graph
        Symmetric; every area has a neighbour.
    alpha : array
        Strength of the dependence, from 0 (none) to below 1; also negative, down to −1 (more where every eigenvalue
        allows). The log density is −inf where the precision is not positive definite.
    sigma : array
    mu : array, shape () or (..., n)
        Mean.
    """

    adjacency: Any
    alpha: Real
    sigma: Positive = 1.0
    mu: RealOrVector = 0.0
    support = REAL

    @property
    def event_shape(self) -> Shape:
        return (self.graph.n,)

    @derived
    def graph(self) -> Graph:
        """The pairs of neighbours."""
        graph = Graph.of(self.adjacency)
        alone = np.flatnonzero(graph.degrees == 0)
        if alone.size:
            raise DistributionError(
                f"CAR: area {alone[0]} has no neighbours (nor have {alone.size - 1} others); leave such areas out."
            )
        return graph

    def _validate(self) -> None:
        _check_mean(self._name, self.mu, self.graph.n)

    def _log_density(self, x: Any) -> Any:
        """xᵀ (D − alpha W) x = alpha Σ_pairs weight (x_i − x_j)² + (1 − alpha) Σ_i degree x_i²."""
        r, alpha = x - self.mu, self.alpha
        own = (self.graph.degrees * r**2).sum(axis=-1)
        square = (alpha * _squares_of_differences(self.graph, r) + (1.0 - alpha) * own) / self.sigma**2
        left = 1.0 - alpha[..., None] * self.graph.relative_eigenvalues
        valid = (left > _LEAST).all(axis=-1)
        log_det = np.log(np.where(valid[..., None], left, 1.0)).sum(axis=-1) + np.log(self.graph.degrees).sum()
        density = 0.5 * (log_det - square) - self.graph.n * (np.log(self.sigma) + HALF_LOG_2PI)
        return np.where(valid, density, -np.inf)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        weights = self.graph.adjacency.toarray()
        precision = np.diag(self.graph.degrees) - self.alpha[..., None, None] * weights
        try:
            root = np.swapaxes(np.linalg.cholesky(precision), -1, -2)
        except np.linalg.LinAlgError:
            raise DistributionError(f"{self}: the precision is not positive definite for this alpha.") from None
        noise = np.linalg.solve(root, rng.standard_normal(shape)[..., None])[..., 0]
        return self.mu + self.sigma[..., None] * noise

    def _mean(self) -> Any:
        return self.mu


class BYM2(Distribution):
    """Sum of independent and of spatial effects with one scale: sigma (sqrt(1 − rho) a + sqrt(rho / s) b).

    a is a vector of independent standard normal numbers, b an `ICAR` with sigma 1, s its scaling factor, so that sigma
    is the typical standard deviation whatever the graph, and rho the share of the variance that is spatial (Riebler et
    al. 2016). Both fields are integrated out: n unknowns instead of 2n, for a product with an n × n matrix. For many
    thousand areas write the two fields out instead, which costs O(pairs)::

        a = ba.sample("a", ba.Normal(0, 1), dims="area")
        b = ba.sample("b", ba.ICAR(graph), dims="area")
        effect = sigma * (np.sqrt(1 - rho) * a + np.sqrt(rho / ba.bym2_scaling_factor(graph)) * b)

    Parameters
    ----------
    adjacency : array, sparse matrix or Graph
        Symmetric. Each connected part has a scaling factor of its own, and areas without neighbours have independent
        effects alone (Freni-Sterrantino, Ventrucci & Rue 2018).
    sigma : array
    rho : array
        Between 0 and 1 (excluded, as there is no density on all of space for it).
    mu : array, shape () or (..., n)
        Mean: of observations with spatial errors, their regression.
    """

    adjacency: Any
    sigma: Positive
    rho: Probability
    mu: RealOrVector = 0.0
    support = REAL

    @property
    def event_shape(self) -> Shape:
        return (self.graph.n,)

    def _validate(self) -> None:
        _check_mean(self._name, self.mu, self.graph.n)
        if not ad.is_traced(self.rho) and np.any(self.rho == 1.0):
            raise DistributionError("BYM2: rho must be below 1; for a purely spatial effect use ICAR.")

    @derived
    def graph(self) -> Graph:
        """The pairs of neighbours."""
        return Graph.of(self.adjacency)

    def _log_density(self, x: Any) -> Any:
        values, vectors = self.graph.spectrum
        rho = self.rho[..., None]
        variance = self.sigma[..., None] ** 2 * (1.0 - rho + rho * values)
        return (-0.5 * (np.matmul(x - self.mu, vectors) ** 2 / variance + np.log(variance)) - HALF_LOG_2PI).sum(axis=-1)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        values, vectors = self.graph.spectrum
        rho = self.rho[..., None]
        sd = self.sigma[..., None] * np.sqrt(1.0 - rho + rho * values)
        return self.mu + np.matmul(sd * rng.standard_normal(shape), vectors.T)

    def _mean(self) -> Any:
        return self.mu
