"""Laws of areas on a graph of neighbours: ICAR, proper CAR, BYM2. Densities cost one operation per pair of neighbours.

An adjacency is a symmetric matrix of weights, 0 for areas that are no neighbours: an array or a SciPy sparse matrix; or
a `Graph`, made from a list of pairs.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.array import value_of
from bayesad.ad.trace import untraced
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import Positive, Probability, Real, RealOrVector
from bayesad.distributions.numerics import HALF_LOG_2PI
from bayesad.distributions.supports import REAL, TOLERANCE, ZERO_SUM
from bayesad.errors import DistributionError

__all__ = ["BYM2", "CAR", "ICAR", "Graph", "bym2_scaling_factor"]

# How near to singular the precision of a CAR may come: rounding of its eigenvalues.
_LEAST = 1e-12


def _found_once(compute: Callable[["Graph"], Any]) -> Any:
    """A property that is computed once per graph, of plain arrays also inside a trace."""

    def plain(graph: "Graph") -> Any:
        with untraced():
            return compute(graph)

    return derived(plain)


class Graph:
    """Areas and pairs of neighbours; each pair once.

    What laws need to know of a graph is found once for all laws on it.

    Attributes
    ----------
    n : int
        Number of areas.
    first, second : int arrays, shape (pairs,)
        The areas of each pair, counted from 0.
    weights : float array, shape (pairs,)
    """

    def __init__(self, n: int, first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> None:
        self.n, self.first, self.second, self.weights = n, first, second, weights

    def __repr__(self) -> str:
        return f"<graph of {self.n} areas and {len(self.first)} pairs of neighbours>"

    @classmethod
    def from_pairs(cls, pairs: Any, n: int | None = None, weights: Any = 1.0) -> "Graph":
        """A graph from pairs of neighbours.

        Parameters
        ----------
        pairs : int array, shape (pairs, 2)
            Areas counted from 0. A pair given both ways counts once.
        n : int, optional
            Number of areas; by default one more than the largest in `pairs`.
        weights : array, optional
            One positive weight per pair, or one for all.

        Raises
        ------
        DistributionError
            If `pairs` has another shape, an area is its own neighbour or does not exist, or a weight is not positive.
        """
        pairs = value_of(ad.asarray(pairs))
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu" or not len(pairs):
            raise DistributionError(f"Graph: pairs must be whole numbers of shape (pairs, 2); got {pairs.shape}.")
        ends = np.sort(pairs, axis=1)
        size = int(ends.max()) + 1 if n is None else int(n)
        if ends.min() < 0 or ends.max() >= size or (ends[:, 0] == ends[:, 1]).any():
            raise DistributionError(f"Graph: pairs must be of two different areas from 0 to {size - 1}.")
        unique, where = np.unique(ends, axis=0, return_index=True)
        of_pairs = np.broadcast_to(np.asarray(weights, dtype=np.float64), len(ends))[where]
        if not (of_pairs > 0).all():
            raise DistributionError("Graph: weights must be positive.")
        return _graph(size, unique.astype(np.int64).tobytes(), value_of(of_pairs).tobytes())

    @classmethod
    def of(cls, adjacency: Any) -> "Graph":
        """A graph from an adjacency matrix (an array or a SciPy sparse matrix), or the graph itself.

        Raises
        ------
        DistributionError
            If the matrix is not square, symmetric and non-negative, or has something on its diagonal.
        """
        if isinstance(adjacency, Graph):
            return adjacency
        if ad.is_traced(adjacency):
            raise DistributionError("Graph: an adjacency is data; this one depends on parameters.")
        if hasattr(adjacency, "tocoo"):
            sparse = adjacency.tocsr().tocoo()  # entries given in parts are added up
            shape, rows, columns, weights = sparse.shape, sparse.row, sparse.col, sparse.data
        else:
            dense = value_of(ad.asarray(adjacency))
            shape = dense.shape
            if dense.ndim != 2:
                raise DistributionError(f"Graph: an adjacency is a square matrix; got shape {shape}.")
            rows, columns = np.nonzero(dense)
            weights = dense[rows, columns]
        above, below = (np.lexsort((columns, rows)), np.lexsort((rows, columns)))
        symmetric = (
            shape[0] == shape[1]
            and np.array_equal(rows[above], columns[below])
            and np.array_equal(columns[above], rows[below])
            and np.allclose(weights[above], weights[below], rtol=TOLERANCE, atol=0.0)
        )
        if not symmetric or (rows == columns).any():
            raise DistributionError(
                f"Graph: an adjacency is a symmetric matrix with zeros on its diagonal; got one of shape {shape} that "
                "is not."
            )
        once = (rows < columns) & (weights != 0)
        return cls.from_pairs(np.stack([rows[once], columns[once]], axis=1), shape[0], weights[once])

    @_found_once
    def degrees(self) -> Any:
        """Sum of the weights of every area's neighbours, shape (n,)."""
        total = np.bincount(self.first, self.weights, self.n)
        return total + np.bincount(self.second, self.weights, self.n)

    @_found_once
    def adjacency(self) -> Any:
        """The sparse matrix of weights."""
        from scipy.sparse import coo_array

        ends = (np.concatenate([self.first, self.second]), np.concatenate([self.second, self.first]))
        return coo_array((np.concatenate([self.weights, self.weights]), ends), shape=(self.n, self.n)).tocsr()

    @_found_once
    def laplacian(self) -> Any:
        """The matrix of degrees less that of weights, dense: the precision of an ICAR with sigma 1."""
        return np.diag(self.degrees) - self.adjacency.toarray()

    @_found_once
    def components(self) -> Any:
        """Number of the connected component that each area belongs to, shape (n,)."""
        from scipy.sparse.csgraph import connected_components

        return connected_components(self.adjacency, directed=False)[1]

    @_found_once
    def half_log_det(self) -> float:
        """Half of the log of the product of the Laplacian's positive eigenvalues, if the graph is connected.

        That product is n times any cofactor (Kirchhoff's theorem), whose triangular factors are sparse.
        """
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import splu

        if self.n == 1:
            return 0.0
        cofactor = (diags_array(self.degrees) - self.adjacency).tocsc()[1:, 1:]
        pivots = splu(cofactor, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).U.diagonal()
        return 0.5 * float(np.log(np.abs(pivots)).sum() + np.log(self.n))

    @_found_once
    def root(self) -> Any:
        """Upper triangular R, RᵀR the Laplacian and a constant direction: R⁻¹ z, centred, is an ICAR with sigma 1."""
        return np.linalg.cholesky(self.laplacian + 1.0 / self.n).T

    @_found_once
    def scaling_factor(self) -> Any:
        """See `bym2_scaling_factor`."""
        return _scaled(self.laplacian)[1]

    @_found_once
    def spectrum(self) -> Any:
        """Eigenvalues and eigenvectors of the scaled covariance: ICARs of typical variance 1 in each connected part."""
        covariance = np.eye(self.n)
        for part in range(self.components.max() + 1):
            areas = np.flatnonzero(self.components == part)
            if areas.size > 1:
                block = np.ix_(areas, areas)
                covariance[block] = _scaled(self.laplacian[block])[0]
        values, vectors = np.linalg.eigh(covariance)
        return np.maximum(values, 0.0), vectors

    @_found_once
    def relative_eigenvalues(self) -> Any:
        """Of D^(−1/2) W D^(−1/2), between −1 and 1."""
        root = np.sqrt(self.degrees)
        return np.linalg.eigvalsh(self.adjacency.toarray() / np.outer(root, root))


def _scaled(laplacian: np.ndarray) -> tuple[np.ndarray, float]:
    """The generalised inverse of a connected graph's Laplacian over the geometric mean of its diagonal, and that."""
    n, size = len(laplacian), np.diagonal(laplacian).mean()
    covariance = np.linalg.inv(laplacian + size / n) - 1.0 / (size * n)
    factor = float(np.exp(np.log(np.diagonal(covariance)).mean()))
    return covariance / factor, factor


@lru_cache(maxsize=16)
def _graph(n: int, pairs: bytes, weights: bytes) -> Graph:
    """One object per graph, however often it is read from data."""
    first, second = np.frombuffer(pairs, dtype=np.int64).reshape(-1, 2).T
    return Graph(n, first, second, np.frombuffer(weights))


def _connected(law: str, adjacency: Any) -> Graph:
    graph = Graph.of(adjacency)
    parts = graph.components.max() + 1
    if parts > 1:
        raise DistributionError(
            f"{law}: the graph falls into {parts} parts without neighbours in each other; give each part a variable of "
            "its own (areas without neighbours a plain Normal one)."
        )
    return graph


def _check_mean(law: str, mu: Any, n: int) -> None:
    if mu.shape and mu.shape[-1] not in (1, n):
        raise DistributionError(f"{law}: mu has shape {mu.shape}, but there are {n} areas.")


def _squares_of_differences(graph: Graph, x: Any) -> Any:
    """Σ over pairs of weight (x_i − x_j)²."""
    return (graph.weights * (x[..., graph.first] - x[..., graph.second]) ** 2).sum(axis=-1)


def bym2_scaling_factor(adjacency: Any) -> float:
    """The geometric mean of the variances of an ICAR with sigma 1 (Riebler et al. 2016, section 3.2).

    An ICAR divided by its square root has entries of typical variance 1, whatever the graph.

    Parameters
    ----------
    adjacency : array, sparse matrix or Graph
        Connected.

    Notes
    -----
    A dense matrix of all areas is inverted: seconds for a few thousand of them.
    """
    return _connected("bym2_scaling_factor", adjacency).scaling_factor


class ICAR(Distribution):
    """Intrinsic conditional autoregression (Besag 1974): neighbours differ by Normal(0, sigma) amounts.

    The density is proportional to exp(−Σ_pairs weight (x_i − x_j)² / (2 sigma²)) on vectors that sum to zero, where it
    is proper and normalised: with respect to volume within that plane, as `zero_sum`. It costs O(pairs).

    Parameters
    ----------
    adjacency : array, sparse matrix or Graph
        Symmetric, connected; see `Graph.from_pairs` for lists of pairs.
    sigma : array

    Raises
    ------
    DistributionError
        If the graph is not connected.
    """

    adjacency: Any
    sigma: Positive = 1.0
    support = ZERO_SUM

    @property
    def event_shape(self) -> Shape:
        return (self.graph.n,)

    @derived
    def graph(self) -> Graph:
        """The pairs of neighbours."""
        return _connected(self._name, self.adjacency)

    def _validate(self) -> None:
        self.graph  # noqa: B018  (so that an unfit one is told at once)

    def _log_density(self, x: Any) -> Any:
        rank = self.graph.n - 1
        square = _squares_of_differences(self.graph, x) / self.sigma**2
        return -0.5 * square - rank * (np.log(self.sigma) + HALF_LOG_2PI) + self.graph.half_log_det

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        noise = np.reshape(rng.standard_normal(shape), (-1, shape[-1])).T
        x = np.reshape(np.linalg.solve(self.graph.root, noise).T, shape)
        x = self.sigma[..., None] * (x - x.mean(axis=-1, keepdims=True))
        return x - x.mean(axis=-1, keepdims=True)  # what rounding left

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
