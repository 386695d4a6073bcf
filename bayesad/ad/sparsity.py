"""Sparse Jacobians and Hessians from few passes: entries that cannot meet share a direction.

Columns of a Jacobian that have no row in common get one colour, and one forward pass in the direction of their sum
gives them all (Curtis, Powell & Reid 1974); rows likewise by reverse passes. For a Hessian, which is symmetric, a star
colouring does with fewer: two for an arrow (Coleman & Moré 1984; Gebremedhin, Manne & Pothen 2005, algorithm 4.1).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from bayesad.errors import DerivativeError

__all__ = ["Sparsity"]

AGREEMENT = 1e-6  # relative; how well entries must explain the derivative in a random direction


class Sparsity:
    """Where a Jacobian or Hessian can be other than zero, with its colourings, which are found once.

    Parameters
    ----------
    pattern : scipy.sparse array or matrix, or array, shape (n_out, n_in)
        Every stored entry, or every entry that is not zero, may be other than zero. Arrays of an argument or a result
        that is a tree follow each other in the order of the tree, each in C order.
    """

    def __init__(self, pattern: Any) -> None:
        given: Any = pattern if sparse.issparse(pattern) else np.asarray(pattern) != 0
        if len(given.shape) != 2:
            raise DerivativeError(f"a sparsity pattern has two axes (results, inputs), not shape {given.shape}")
        entries: Any = sparse.coo_array(given)
        rows, columns = entries.coords
        ones: Any = sparse.csr_array((np.ones(entries.nnz), (rows, columns)), shape=entries.shape)
        ones.sum_duplicates()
        self.shape: tuple[int, int] = ones.shape
        self.indptr, self.columns = ones.indptr, ones.indices
        self.rows = np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    @classmethod
    def of(cls, pattern: Any) -> Sparsity:
        return pattern if isinstance(pattern, Sparsity) else cls(pattern)

    def matrix(self, values: np.ndarray) -> sparse.csr_array:
        """The matrix with these values of its entries, row by row."""
        return sparse.csr_array((values, self.columns.copy(), self.indptr.copy()), shape=self.shape)

    @functools.cached_property
    def column_colours(self) -> np.ndarray:
        """A colour for each column; columns of one colour have no row in common."""
        return _distance_two(self.columns, self.rows, self.shape[1])

    @functools.cached_property
    def row_colours(self) -> np.ndarray:
        """A colour for each row; rows of one colour have no column in common."""
        return _distance_two(self.rows, self.columns, self.shape[0])

    @functools.cached_property
    def star_colours(self) -> np.ndarray:
        """A colour for each row and column of a symmetric matrix.

        Neighbours differ in colour, and so do no fewer than three colours stand on any path over four of them.
        """
        self.check_symmetric()
        return _star(self.indptr, self.columns, self.shape[0])

    def check_symmetric(self) -> None:
        n, m = self.shape
        if n != m or set(zip(self.rows, self.columns, strict=True)) != set(zip(self.columns, self.rows, strict=True)):
            raise DerivativeError(
                f"the sparsity pattern of a Hessian has to be symmetric; this one of {n} × {m} is not"
            )


def compressed(
    sparsity: Sparsity, colours: np.ndarray, derivative: Callable[[list[np.ndarray]], Sequence[Any]], *, by_rows: bool
) -> np.ndarray:
    """The entries of a Jacobian, row by row, from one derivative for each colour."""
    products = np.stack(derivative(_groups(colours))) if len(colours) else np.zeros((0, 0))
    if by_rows:
        return products[colours[sparsity.rows], sparsity.columns]
    return products[colours[sparsity.columns], sparsity.rows]


def symmetric(sparsity: Sparsity, derivative: Callable[[list[np.ndarray]], Sequence[Any]]) -> np.ndarray:
    """The entries of a Hessian, row by row, from one product with it for each colour of a star colouring."""
    colours = sparsity.star_colours
    if not len(colours):
        return np.zeros(0)
    products = np.stack(derivative(_groups(colours)))
    rows, columns = sparsity.rows, sparsity.columns
    keys = rows.astype(np.int64) * (colours.max() + 1) + colours[columns]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    alone = counts[inverse] == 1  # no other entry of the row shares the column's colour
    return np.where(alone, products[colours[columns], rows], products[colours[rows], columns])


def check_entries(sparsity: Sparsity, values: np.ndarray, product: Callable[[np.ndarray], np.ndarray]) -> None:
    """DerivativeError if the matrix of these entries does not give the derivative in a random direction."""
    direction = np.random.default_rng(0).standard_normal(sparsity.shape[1])
    matrix = sparsity.matrix(values)
    found, expected = matrix @ direction, product(direction)
    scale = abs(matrix) @ np.abs(direction) + np.abs(expected)
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(np.abs(found - expected) > AGREEMENT * scale + np.finfo(float).tiny)
    if wrong.size:
        raise DerivativeError(
            f"the sparsity pattern misses entries: row {wrong[0]} varies with inputs for which the pattern has none "
            f"({wrong.size} of {sparsity.shape[0]} rows do); add them, or leave sparsity out"
        )


def _groups(colours: np.ndarray) -> list[np.ndarray]:
    """For each colour the sum of the unit vectors that have it."""
    return [np.asarray(colours == c, dtype=np.float64) for c in range(int(colours.max()) + 1)]


def _distance_two(own: np.ndarray, other: np.ndarray, n: int) -> np.ndarray:
    """Colours for n columns such that those which meet in a row differ: greedy, in two orders, the better one."""
    order = np.argsort(own, kind="stable")
    starts = np.searchsorted(own[order], np.arange(n + 1))
    met = [other[order[starts[j] : starts[j + 1]]].tolist() for j in range(n)]
    n_other = int(other.max()) + 1 if len(other) else 0

    def greedy(sequence: Sequence[int]) -> np.ndarray:
        taken: list[set[int]] = [set() for _ in range(n_other)]
        colours = np.zeros(n, dtype=np.int64)
        for j in sequence:
            colour = _smallest(set().union(*[taken[i] for i in met[j]]))
            colours[j] = colour
            for i in met[j]:
                taken[i].add(colour)
        return colours

    crowded_first = sorted(range(n), key=lambda j: -len(met[j]))
    return min((greedy(range(n)), greedy(crowded_first)), key=lambda colours: colours.max(initial=0))


def _star(indptr: np.ndarray, columns: np.ndarray, n: int) -> np.ndarray:
    near = [[int(j) for j in columns[indptr[i] : indptr[i + 1]] if j != i] for i in range(n)]
    colours = [-1] * n
    for v in sorted(range(n), key=lambda i: -len(near[i])):
        forbidden = set()
        for w in near[v]:
            if colours[w] >= 0:
                forbidden.add(colours[w])
            for x in near[w]:
                if x == v or colours[x] < 0:
                    continue
                two_of_a_colour = any(y != w and colours[y] == colours[w] for y in near[x])
                if colours[w] < 0 or two_of_a_colour:
                    forbidden.add(colours[x])
        colours[v] = _smallest(forbidden)
    return np.array(colours, dtype=np.int64)


def _smallest(taken: set[int]) -> int:
    """The smallest colour that is not taken."""
    colour = 0
    while colour in taken:
        colour += 1
    return colour
