"""Factors: rows of data replaced, group by group, by as few rows with the same sums of squares, by Householder QR.

For a matrix A = QR and any vector s, |A s| = |R s|. The computed R is the exact factor of A + E with columns
|e_j| <= c |a_j| (Higham 2002, Accuracy and Stability of Numerical Algorithms, theorem 19.4, and for factors of factors
Demmel et al. 2012), so that | |R s| - |A s| | <= c sum_j |a_j| |s_j|: the same form as the bound for evaluating A s
itself. The normal equations would have the square root of c in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesad.ad.rewrites.groups import Groups

__all__ = ["BLOCK", "Factors", "factor", "probed"]

BLOCK = 1 << 17  # elements of a matrix that are factored at once

Fill = Callable[[slice | np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Factors:
    """What rows of width k became.

    Attributes
    ----------
    heads : float array, shape (groups, h, k)
        Upper trapezoids: row i of each is 0 in the columns before i.
    tail : float array, shape (at most k - h, k)
        What is left of all groups, 0 in the first h columns: an upper triangle in the others.
    zeros : bool array, shape (groups, k)
        Whether a column has a zero among the rows of the group.
    """

    heads: np.ndarray
    tail: np.ndarray
    zeros: np.ndarray


def triangles(rows: np.ndarray) -> np.ndarray:
    """The triangles R of the QR factorisations of a stack of matrices, shape (…, rows, width), from those of parts."""
    width = rows.shape[-1]
    part = max(2 * width, min(256, 8192 // width))  # few enough rows for the cache, and for BLAS to use one thread
    while rows.shape[-2] > part:
        rows = np.concatenate([rows, np.zeros((*rows.shape[:-2], -rows.shape[-2] % part, width))], axis=-2)
        parts = np.linalg.qr(rows.reshape(*rows.shape[:-2], -1, part, width), mode="r")
        rows = np.reshape(parts, (*rows.shape[:-2], -1, width))
    return np.asarray(np.linalg.qr(rows, mode="r"))


def factor(fill: Fill, groups: Groups, heads: int, width: int) -> Factors:
    """Factor the rows of each group.

    Parameters
    ----------
    fill : callable
        From row numbers to those rows, shape (rows, width).
    groups : Groups
    heads : int
        The first columns belong to the groups: as many rows of each factor are kept for it. What
        remains of all groups has zeros there and is factored together.
    width : int
    """
    out = np.zeros((groups.count, heads, width))
    zeros = np.zeros((groups.count, width), dtype=bool)
    left: list[np.ndarray] = []
    most = max(BLOCK // width, 1)

    def keep(which: np.ndarray, factors: np.ndarray) -> None:
        """Share out a stack of factors: the first rows to the groups, the others to what is left."""
        own = factors[:, :heads]
        out[which, : own.shape[1]] = own
        if heads < min(width, factors.shape[1]):
            left.append(factors[:, heads:, heads:].reshape(-1, width - heads))
            if sum(map(len, left)) > most:
                left[:] = [triangles(np.concatenate(left))]

    for g in np.flatnonzero(groups.sizes > most):
        total = np.zeros((0, width))
        for start in range(groups.starts[g], groups.starts[g + 1], most):
            rows = fill(groups.rows(start, min(start + most, groups.starts[g + 1])))
            zeros[g] |= np.any(rows == 0.0, axis=0)
            total = triangles(np.concatenate([total, rows]))
        keep(np.array([g]), total[None])
    longest = 1
    while longest // 2 < min(groups.sizes.max(), most):
        of_size = np.flatnonzero((groups.sizes > longest // 2) & (groups.sizes <= min(longest, most)))
        for piece in np.array_split(of_size, max(1, len(of_size) * longest // most)):
            if len(piece):
                rows, absent = _padded(fill, groups, piece, longest)
                zeros[piece] = np.any((rows == 0.0) & ~absent[:, :, None], axis=1)
                keep(piece, triangles(rows))
        longest *= 2
    tail = triangles(np.concatenate(left)) if left else np.zeros((0, width - heads))
    return Factors(out, np.pad(tail, ((0, 0), (heads, 0))), zeros)


def _padded(fill: Fill, groups: Groups, piece: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of some groups as a stack of matrices of one length; and which rows of it are only zeros put there."""
    places = groups.starts[piece, None] + np.arange(longest)
    absent = places >= groups.starts[piece + 1, None]
    places[absent] = 0
    flat = places.ravel() if groups.order is None else groups.order[places.ravel()]
    rows = fill(flat).reshape(len(piece), longest, -1)
    rows[absent] = 0.0
    return rows, absent


def probed(fill: Fill, groups: Groups, factors: Factors, n: int) -> bool:
    """Whether the factors give the sum of squares of the rows at two probes, to within rounding.

    At the probes all columns contribute as much: s_j = 1/|a_j|, and the same with every other sign changed. The
    difference may be 64 k eps (sum_j |a_j| |s_j|)^2; also False where anything is not finite.
    """
    own = factors.heads.reshape(-1, factors.heads.shape[-1])
    with np.errstate(all="ignore"):
        lengths = np.sqrt(np.sum(np.square(own), axis=0) + np.sum(np.square(factors.tail), axis=0))
        width = len(lengths)
        probes = np.where(lengths > 0.0, 1.0 / lengths, 0.0)[:, None] * np.array([[1.0, 1.0]] * width)
        probes[1::2, 1] *= -1.0
        found = np.sum(np.square(own @ probes), axis=0) + np.sum(np.square(factors.tail @ probes), axis=0)
        wanted = np.zeros(2)
        step = max(BLOCK // width, 1)
        for start in range(0, n, step):
            wanted += np.sum(np.square(fill(slice(start, min(start + step, n))) @ probes), axis=0)
        return bool(np.all(np.abs(found - wanted) <= 64 * width**3 * np.finfo(np.float64).eps))
