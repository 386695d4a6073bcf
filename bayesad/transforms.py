"""Transforms between a constrained support and all of R^n, with log |det Jacobian|.

One table, ``TRANSFORMS``, has an entry per kind of support; half lines and intervals are told apart by which bounds
exist. The transforms are Stan's (Stan reference manual, "Constraint transforms"), so that unconstrained points can be
exchanged with Stan, except for the simplex:

==================  =====================================================================================
real                the identity
lower bound a       x = a + exp(u)
upper bound b       x = b - exp(u)
interval (a, b)     x = a + (b - a) expit(u)
simplex             x = softmax(H u), H an orthonormal basis of the vectors that sum to zero
ordered             x_1 = u_1, x_k = x_{k-1} + exp(u_k)
positive_ordered    the same with x_1 = exp(u_1)
unit_vector         x = u / |u|, with the standard normal density for u (K numbers for K - 1 degrees of freedom)
zero_sum            x = H u, H as for the simplex: volumes within the plane are those of u; so for each part of several
cholesky_corr       rows of a hemisphere, from partial correlations tanh(u), row by row
cholesky_cov        row by row, with exp(u) on the diagonal
corr, cov           L Lᵀ, L one of these
==================  =====================================================================================

The simplex uses the isometric log-ratio transform (Egozcue et al. 2003) rather than stick breaking: it treats all
entries alike, maps 0 to the centre, keeps the relative accuracy of every entry however small, and a Dirichlet density
is closer to a normal one in it; stick breaking multiplies up rounding errors along the stick.

All functions are plain NumPy and work on traced arrays; leading axes are batches.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.ad.functions.linalg import cholesky
from bayesad.distributions.lazy import special
from bayesad.distributions.supports import Support

__all__ = ["TRANSFORMS", "Transform", "constrain", "unconstrain", "unconstrained_shape"]

Shape = tuple[int, ...]


class Transform(NamedTuple):
    """One entry of the table.

    Attributes
    ----------
    constrain : callable
        ``constrain(support, u) -> (x, log_det)``.
    unconstrain : callable
        ``unconstrain(support, x) -> u``, its inverse.
    event_shape : callable
        ``event_shape(support, shape)``: the event shape of u from that of x.
    """

    constrain: Callable[[Support, Any], tuple[Any, Any]]
    unconstrain: Callable[[Support, Any], Any]
    event_shape: Callable[[Support, Shape], Shape] = lambda support, shape: shape


def constrain(support: Support, u: Any) -> tuple[Any, Any]:
    """Map unconstrained numbers into the support.

    Parameters
    ----------
    support : Support
        Continuous; bounds may be arrays that broadcast to the shape of the value, or traced.
    u : array, shape batch + unconstrained event
        See `unconstrained_shape`.

    Returns
    -------
    value : array, shape batch + event
    log_det : array that broadcasts to the batch shape
        log |det dx/du|. On a simplex the volume is that of all entries but one; of a correlation matrix or its
        Cholesky factor, that of the entries below the diagonal; of a covariance matrix or its factor, of these and
        the diagonal; of zero-sum vectors, that within their plane. For a unit vector -|u|²/2 takes its place.
    """
    with np.errstate(all="ignore"):
        if support.standard is not None:
            return support.standard.value(u), support.standard.log_det(u)
        return TRANSFORMS[_entry(support)].constrain(support, ad.asarray(u))


def unconstrain(support: Support, x: Any) -> Any:
    """The inverse of `constrain`; NaN or infinite where x is on the boundary of the support or outside.

    Parameters
    ----------
    support : Support
    x : array, shape batch + event

    Returns
    -------
    array, shape batch + unconstrained event
    """
    with np.errstate(all="ignore"):
        if support.standard is not None:
            return support.standard.coordinate(x)
        return TRANSFORMS[_entry(support)].unconstrain(support, ad.asarray(x))


def unconstrained_shape(support: Support, shape: Shape) -> Shape:
    """The shape of u for a value of the given shape (batch + event)."""
    split = len(shape) - support.event_ndim
    return shape[:split] + TRANSFORMS[_entry(support)].event_shape(support, shape[split:])


def _entry(support: Support) -> str:
    """The key of the table: the kind of the support, or for "real" which bounds there are."""
    if support.kind != "real":
        return support.kind
    lower, upper = _presence(support.lower), _presence(support.upper)
    if "some" in (lower, upper):
        return "mixed"
    return {"nn": "real", "an": "lower", "na": "upper", "aa": "interval"}[lower[0] + upper[0]]


def _presence(bound: Any) -> str:
    """Whether "all", "some" or "none" of the elements have this bound; infinite ones are none."""
    if bound is None:
        return "none"
    if ad.is_traced(bound):
        return "all"
    finite = np.isfinite(bound)
    return "all" if np.all(finite) else "some" if np.any(finite) else "none"


# --- the line and its parts
def _lower_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    return _plus(support.lower, np.exp(u)), u


def _lower_unconstrain(support: Support, x: Any) -> Any:
    return np.log(_minus(x, support.lower))


def _upper_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    return support.upper - np.exp(u), u


def _upper_unconstrain(support: Support, x: Any) -> Any:
    return np.log(support.upper - x)


def _interval_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    """Measured from the nearer end, so that both ends keep their relative accuracy."""
    width = _minus(support.upper, support.lower)
    log_det = special.log_expit(u) + special.log_expit(-u) + np.log(width)
    share = special.expit(u)
    if _is_zero(support.lower) and _is_zero(support.upper - 1.0):
        return share, log_det
    value = np.where(u > 0, support.upper - width * special.expit(-u), _plus(support.lower, width * share))
    return value, log_det


def _interval_unconstrain(support: Support, x: Any) -> Any:
    return np.log(_minus(x, support.lower)) - np.log(support.upper - x)


def _plus(bound: Any, x: Any) -> Any:
    return x if _is_zero(bound) else bound + x


def _minus(x: Any, bound: Any) -> Any:
    return x if _is_zero(bound) else x - bound


def _is_zero(bound: Any) -> bool:
    return not ad.is_traced(bound) and np.ndim(bound) == 0 and bound == 0


def _mixed_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    """Bounds that exist for some elements only: each group of elements by its own transform."""
    groups = _groups(support, np.shape(u))
    flat = np.reshape(u, -1)
    pairs = [constrain(part, flat[where]) for part, where in groups]
    log_dets = [np.broadcast_to(log_det, where.shape) for (_, log_det), (_, where) in zip(pairs, groups, strict=True)]
    return _gather(groups, [x for x, _ in pairs], np.shape(u)), _gather(groups, log_dets, np.shape(u))


def _mixed_unconstrain(support: Support, x: Any) -> Any:
    groups = _groups(support, np.shape(x))
    flat = np.reshape(x, -1)
    return _gather(groups, [unconstrain(part, flat[where]) for part, where in groups], np.shape(x))


def _groups(support: Support, shape: Shape) -> list[tuple[Support, np.ndarray]]:
    """The supports of the elements with the same bounds present, and their flat positions."""
    lower, upper = (
        np.reshape(np.broadcast_to(default if bound is None else bound, shape), -1)
        for bound, default in ((support.lower, -math.inf), (support.upper, math.inf))
    )
    has_lower, has_upper = (_finite(bound) for bound in (lower, upper))
    groups = []
    for low in (False, True):
        for high in (False, True):
            where = np.flatnonzero((has_lower == low) & (has_upper == high))
            if where.size:
                part = Support("real", lower[where] if low else None, upper[where] if high else None)
                groups.append((part, where))
    return groups


def _finite(bound: Any) -> np.ndarray:
    return np.broadcast_to(True, bound.shape) if ad.is_traced(bound) else np.isfinite(bound)


def _gather(groups: list[tuple[Support, np.ndarray]], parts: list[Any], shape: Shape) -> Any:
    order = np.argsort(np.concatenate([where for _, where in groups]))
    return np.reshape(np.concatenate(parts)[order], shape)


# --- vectors
def _from_zero_sum_basis(u: Any) -> Any:
    """Helmert's basis applied by cumulative sums: z_k = Σ_{n≥k} w_n − (k−1) w_{k−1}, w_n = u_n / sqrt(n (n+1))."""
    n = np.arange(1.0, np.shape(u)[-1] + 1)
    w = u / np.sqrt(n * (n + 1.0))
    zero = np.broadcast_to(0.0, (*np.shape(u)[:-1], 1))
    after = np.cumsum(w[..., ::-1], axis=-1)[..., ::-1]
    return np.concatenate([after, zero], axis=-1) - np.concatenate([zero, n * w], axis=-1)


def _in_zero_sum_basis(z: Any) -> Any:
    """The coordinates of z, less its mean, in Helmert's basis."""
    n = np.arange(1.0, np.shape(z)[-1])
    return (np.cumsum(z, axis=-1)[..., :-1] - n * z[..., 1:]) / np.sqrt(n * (n + 1.0))


def _zero_sum_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    log_det = np.broadcast_to(0.0, np.shape(u)[:-1])
    if support.parts is None:
        return _from_zero_sum_basis(u), log_det
    alone, *parts = support.parts
    ends = np.cumsum([alone.size, *[where.size - 1 for where in parts]])
    pieces = [_from_zero_sum_basis(u[..., start:stop]) for start, stop in itertools.pairwise(ends)]
    order = np.argsort(np.concatenate(support.parts))
    return np.concatenate([u[..., : alone.size], *pieces], axis=-1)[..., order], log_det


def _zero_sum_unconstrain(support: Support, x: Any) -> Any:
    if support.parts is None:
        return _in_zero_sum_basis(x)
    alone, *parts = support.parts
    return np.concatenate([x[..., alone], *[_in_zero_sum_basis(x[..., where]) for where in parts]], axis=-1)


def _simplex_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    z = _from_zero_sum_basis(u)
    z = z - ad.stop_gradient(np.max(z, axis=-1, keepdims=True))
    log_x = z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
    return np.exp(log_x), np.sum(log_x, axis=-1) + 0.5 * math.log(np.shape(z)[-1])


def _simplex_unconstrain(support: Support, x: Any) -> Any:
    return _in_zero_sum_basis(np.log(x))


def _ordered_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    steps = np.concatenate([u[..., :1], np.exp(u[..., 1:])], axis=-1)
    return np.cumsum(steps, axis=-1), np.sum(u[..., 1:], axis=-1)


def _ordered_unconstrain(support: Support, x: Any) -> Any:
    return np.concatenate([x[..., :1], np.log(x[..., 1:] - x[..., :-1])], axis=-1)


def _positive_ordered_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    return np.cumsum(np.exp(u), axis=-1), np.sum(u, axis=-1)


def _positive_ordered_unconstrain(support: Support, x: Any) -> Any:
    return np.log(np.concatenate([x[..., :1], x[..., 1:] - x[..., :-1]], axis=-1))


def _unit_vector_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    square = np.sum(u * u, axis=-1)
    return u / np.sqrt(square)[..., None], -0.5 * square


def _unit_vector_unconstrain(support: Support, x: Any) -> Any:
    return x


# --- matrices
def _cholesky_corr_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    """Row i: x_ij = tanh(u_ij) · sqrt(Π_{l<j} (1 − tanh² u_il)), and on the diagonal the square root alone.

    The products are sums of log(1 − tanh² u) = 2 (log 2 + u − log(1 + exp(2u))).
    """
    k = _size_from_pairs(np.shape(u)[-1])
    below = _square(u, k)
    log_rest = 2.0 * (math.log(2.0) + below - np.logaddexp(0.0, 2.0 * below))
    zero = np.broadcast_to(0.0, (*np.shape(u)[:-1], k, 1))
    log_left = 0.5 * np.concatenate([zero, np.cumsum(log_rest, axis=-1)[..., :-1]], axis=-1)
    rows, columns = np.ogrid[:k, :k]
    value = (np.tanh(below) + (rows == columns)) * np.exp(log_left)
    return value, np.sum(log_rest + np.where(columns < rows, log_left, 0.0), axis=(-2, -1))


def _cholesky_corr_unconstrain(support: Support, x: Any) -> Any:
    """u_ij = arcsinh(x_ij / sqrt(Σ_{l>j} x_il²)): artanh of the partial correlation, without cancellation near ±1."""
    k = np.shape(x)[-1]
    rows, columns = np.ogrid[:k, :k]
    square = np.where(columns <= rows, x * x, 0.0)
    zero = np.broadcast_to(0.0, (*np.shape(x)[:-1], 1))
    from_here = np.cumsum(square[..., ::-1], axis=-1)[..., ::-1]
    beyond = np.concatenate([from_here[..., 1:], zero], axis=-1)
    rows, columns = np.tril_indices(k, -1)
    return np.arcsinh(x[..., rows, columns] / np.sqrt(beyond[..., rows, columns]))


def _corr_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    """|det dC/dL| = Π_k L_kk^(K − k) (Lewandowski, Kurowicka & Joe 2009, section 3.2)."""
    factor, log_det = _cholesky_corr_constrain(support, u)
    k = factor.shape[-1]
    log_diagonal = np.log(np.diagonal(factor, axis1=-2, axis2=-1))
    value = np.where(np.eye(k, dtype=bool), 1.0, _times_transpose(factor))  # ones without rounding: constant draws
    return value, log_det + np.sum(np.arange(k - 1.0, -1.0, -1.0) * log_diagonal, axis=-1)


def _corr_unconstrain(support: Support, x: Any) -> Any:
    return _cholesky_corr_unconstrain(support, cholesky(x))


def _cholesky_cov_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    k = _size_from_triangle(np.shape(u)[-1])
    rows, columns = np.ogrid[:k, :k]
    log_diagonal = u[..., _place(np.arange(k), np.arange(k))]
    source = np.where(columns < rows, _place(rows, columns), np.shape(u)[-1] + np.where(columns == rows, rows, k))
    zero = np.broadcast_to(0.0, (*np.shape(u)[:-1], 1))
    return np.concatenate([u, np.exp(log_diagonal), zero], axis=-1)[..., source], np.sum(log_diagonal, axis=-1)


def _cholesky_cov_unconstrain(support: Support, x: Any) -> Any:
    rows, columns = np.tril_indices(np.shape(x)[-1])
    below = x[..., rows, columns]
    on_diagonal = rows == columns
    return np.where(on_diagonal, np.log(np.where(on_diagonal, below, 1.0)), below)


def _cov_constrain(support: Support, u: Any) -> tuple[Any, Any]:
    """|det dX/dL| = 2^K Π_k L_kk^(K − k + 1) (Muirhead 1982, theorem 2.1.9), and L_kk = exp(u_kk)."""
    k = _size_from_triangle(np.shape(u)[-1])
    factor, _ = _cholesky_cov_constrain(support, u)
    log_diagonal = u[..., _place(np.arange(k), np.arange(k))]
    return _times_transpose(factor), np.sum(np.arange(k + 1.0, 1.0, -1.0) * log_diagonal, axis=-1) + k * math.log(2.0)


def _cov_unconstrain(support: Support, x: Any) -> Any:
    return _cholesky_cov_unconstrain(support, cholesky(x))


def _times_transpose(factor: Any) -> Any:
    return np.matmul(factor, np.swapaxes(factor, -1, -2))


def _place(row: Any, column: Any) -> Any:
    """Where an entry of a lower triangle, diagonal included, stands row by row."""
    return row * (row + 1) // 2 + column


def _size_from_triangle(entries: int) -> int:
    return (math.isqrt(1 + 8 * entries) - 1) // 2


def _square(u: Any, k: int) -> Any:
    """Numbers below the diagonal, row by row, as a k × k matrix with zeros elsewhere."""
    rows, columns = np.ogrid[:k, :k]
    source = np.where(columns < rows, rows * (rows - 1) // 2 + columns, np.shape(u)[-1])
    zero = np.broadcast_to(0.0, (*np.shape(u)[:-1], 1))
    return np.concatenate([u, zero], axis=-1)[..., source]


def _size_from_pairs(pairs: int) -> int:
    return (1 + math.isqrt(1 + 8 * pairs)) // 2


def _triangle_shape(support: Support, shape: Shape) -> Shape:
    return (shape[0] * (shape[0] + 1) // 2,)


TRANSFORMS: dict[str, Transform] = {
    "real": Transform(lambda support, u: (u, 0.0), lambda support, x: x),
    "lower": Transform(_lower_constrain, _lower_unconstrain),
    "upper": Transform(_upper_constrain, _upper_unconstrain),
    "interval": Transform(_interval_constrain, _interval_unconstrain),
    "mixed": Transform(_mixed_constrain, _mixed_unconstrain),
    "simplex": Transform(_simplex_constrain, _simplex_unconstrain, lambda support, shape: (shape[0] - 1,)),
    "ordered": Transform(_ordered_constrain, _ordered_unconstrain),
    "positive_ordered": Transform(_positive_ordered_constrain, _positive_ordered_unconstrain),
    "unit_vector": Transform(_unit_vector_constrain, _unit_vector_unconstrain),
    "cholesky_corr": Transform(
        _cholesky_corr_constrain, _cholesky_corr_unconstrain, lambda support, shape: (shape[0] * (shape[0] - 1) // 2,)
    ),
    "zero_sum": Transform(
        _zero_sum_constrain,
        _zero_sum_unconstrain,
        lambda support, shape: (shape[0] - (1 if support.parts is None else len(support.parts) - 1),),
    ),
    "corr": Transform(_corr_constrain, _corr_unconstrain, lambda support, shape: (shape[0] * (shape[0] - 1) // 2,)),
    "cholesky_cov": Transform(_cholesky_cov_constrain, _cholesky_cov_unconstrain, _triangle_shape),
    "cov": Transform(_cov_constrain, _cov_unconstrain, _triangle_shape),
}
