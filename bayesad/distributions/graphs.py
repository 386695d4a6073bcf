"""Graphs of areas and their neighbours, and what laws on them need to know, found once per graph."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.array import value_of
from bayesad.ad.trace import untraced
from bayesad.distributions.base import derived
from bayesad.distributions.supports import TOLERANCE
from bayesad.errors import DistributionError

__all__ = ["Graph"]


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
    def parts(self) -> Any:
        """The areas without neighbours, then those of each connected component of several areas: int arrays."""
        order = np.argsort(self.components, kind="stable")
        components = np.split(order, np.cumsum(np.bincount(self.components))[:-1])
        alone = np.concatenate([np.arange(0), *[areas for areas in components if areas.size == 1]])
        return (alone, *[areas for areas in components if areas.size > 1])

    @_found_once
    def half_log_det(self) -> float:
        """Half of the log of the product of the Laplacian's positive eigenvalues.

        Within a component that product is its size times any cofactor (Kirchhoff's theorem); the triangular factors
        of these are sparse.
        """
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import splu

        kept = np.setdiff1d(np.arange(self.n), [*self.parts[0], *[areas[0] for areas in self.parts[1:]]])
        if not kept.size:
            return 0.0
        cofactors = (diags_array(self.degrees) - self.adjacency).tocsr()[kept][:, kept].tocsc()
        pivots = splu(cofactors, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).U.diagonal()
        return 0.5 * float(np.log(np.abs(pivots)).sum() + sum(np.log(areas.size) for areas in self.parts[1:]))

    @_found_once
    def root(self) -> Any:
        """Upper triangular R: R⁻¹ z, centred within each component of several areas, is an ICAR with sigma 1.

        RᵀR is the Laplacian and a constant direction for each component.
        """
        together = np.equal.outer(self.components, self.components)
        return np.linalg.cholesky(self.laplacian + together / together.sum(axis=0)).T

    @_found_once
    def scaling_factors(self) -> Any:
        """See `bym2_scaling_factor`; shape (n,)."""
        factors = np.ones(self.n)
        for areas in self.parts[1:]:
            factors[areas] = _scaled(self.laplacian[np.ix_(areas, areas)])[1]
        return factors

    @_found_once
    def spectrum(self) -> Any:
        """Eigenvalues and eigenvectors of the scaled covariance: ICARs of typical variance 1 in each connected part."""
        covariance = np.eye(self.n)
        for areas in self.parts[1:]:
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
