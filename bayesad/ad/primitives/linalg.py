"""Linear algebra primitives: matrix products, factorisations and solves, over leading batch axes.

The derivative formulas are those of Giles (2008), "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation", of Murray (2016), "Differentiation of the Cholesky decomposition", of Townsend (2016),
"Differentiating the singular value decomposition", and of Seeger et al. (2017), "Auto-differentiating linear algebra".

Conventions:

- A factorisation that fails (a matrix that is not positive definite, a singular system, no convergence) gives NaN for
  that matrix of the batch instead of an exception, so that a sampler sees a density that is not finite and rejects the
  point.
- ``cholesky`` and ``eigh`` read the lower triangle, as NumPy does, and their derivatives are those on the symmetric
  matrices: the cotangent is symmetric, and finite differences agree with it along symmetric perturbations.
- Eigenvectors and singular vectors of equal eigenvalues or singular values are not unique. Their part
  of the derivative is taken as 0, which is right for every function that does not depend on the choice.
- A primitive has one value: those of ``eigh``, ``qr`` and ``svd`` are stacked along the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bayesad.ad.primitives.shaping import sum_to
from bayesad.ad.primitives.table import FLOAT, Primitive, broadcast_shapes, define, promoted_type, require_shapes

__all__ = [
    "cholesky_p",
    "det_p",
    "eigh_p",
    "expm_p",
    "inv_p",
    "matmul_p",
    "pinv_p",
    "qr_p",
    "slogdet_p",
    "solve_p",
    "solve_triangular_p",
    "svd_p",
    "unpack_eigh",
    "unpack_qr",
    "unpack_svd",
]


def _bind(primitive: Any, *args: Any, **attributes: Any) -> Any:
    from bayesad.ad.array import bind

    return bind(primitive, args, attributes)


def _mT(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


def _symmetric(a: Any) -> Any:
    return 0.5 * (a + _mT(a))


def _scale_columns(a: Any, v: Any) -> Any:
    """``a @ diag(v)``."""
    return a * v[..., None, :]


def _require_square(a: Any, *others: Any) -> None:
    holds = a.ndim >= 2 and a.shape[-1] == a.shape[-2]
    require_shapes(holds, "an operation on square matrices", a, *others)


def _of_square(shape: Callable[[Any], tuple[int, ...]]) -> Callable[[Any], tuple[tuple[int, ...], np.dtype]]:
    """The shape rule of an operation on square matrices."""

    def infer(a: Any) -> tuple[tuple[int, ...], np.dtype]:
        _require_square(a)
        return shape(a), FLOAT

    return infer


def _of_matrix(shape: Callable[[Any], tuple[int, ...]]) -> Callable[[Any], tuple[tuple[int, ...], np.dtype]]:
    """The shape rule of an operation on matrices, by the last two axes of its result."""

    def infer(a: Any) -> tuple[tuple[int, ...], np.dtype]:
        require_shapes(a.ndim >= 2, "an operation on matrices", a)
        return (*a.shape[:-2], *shape(a)), FLOAT

    return infer


_same_type = _of_square(lambda a: a.shape)


def _batches(a: np.ndarray) -> Iterator[tuple[int, ...]]:
    return np.ndindex(a.shape[:-2])


def _or_nan(function: Callable[..., Any], shape: Callable[..., tuple[int, ...]]) -> Callable[..., Any]:
    """A NumPy factorisation that gives NaN, of the shape its last two axes have, for the matrices where it fails."""

    def evaluate(*arrays: Any) -> Any:
        try:
            return function(*arrays)
        except np.linalg.LinAlgError:
            batch = broadcast_shapes(*[a.shape[:-2] for a in arrays])
            spread = [np.broadcast_to(a, batch + a.shape[-2:]) for a in arrays]
            out = np.full(batch + shape(*arrays), np.nan)
            for i in np.ndindex(batch):
                try:
                    out[i] = function(*[a[i] for a in spread])
                except np.linalg.LinAlgError:
                    continue
            return out

    return evaluate


def _square(a: Any) -> tuple[int, ...]:
    _require_square(a)
    return a.shape[-2:]


# --- products (Giles 2008, 2.2.2)
def _matmul_shape(a: Any, b: Any) -> tuple[tuple[int, ...], np.dtype]:
    holds = a.ndim > 0 and b.ndim > 0 and a.shape[-1] == b.shape[max(b.ndim - 2, 0)]
    require_shapes(holds, "matmul", a, b)
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2]) if a.ndim > 2 or b.ndim > 2 else ()
    rows = a.shape[-2:-1] if a.ndim > 1 else ()
    columns = b.shape[-1:] if b.ndim > 1 else ()
    return (*batch, *rows, *columns), promoted_type(a.dtype, b.dtype)


def _matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g * b if a.ndim == 1 else sum_to(g[..., None] * b, a.shape)
    if a.ndim == 1:
        return sum_to(np.matmul(b, g[..., None])[..., 0], a.shape)
    return sum_to(np.matmul(g, _mT(b)), a.shape)


def _matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return g * a if b.ndim == 1 else sum_to(a[:, None] * g[..., None, :], b.shape)
    if b.ndim == 1:
        if a.ndim == 2:
            return np.matmul(np.transpose(a), g)
        return sum_to(np.matmul(_mT(a), g[..., None])[..., 0], b.shape)
    return sum_to(np.matmul(_mT(a), g), b.shape)


matmul_p = define("matmul", np.matmul, _matmul_shape, vjp=(_matmul_left, _matmul_right), jvp="multilinear")


# --- triangular systems (Giles 2008, 2.3.1; Seeger et al. 2017, 3.2)
def _trtrs(a: np.ndarray, b: np.ndarray, lower: bool, trans: bool, unit: bool) -> Any:
    from scipy.linalg.lapack import dtrtrs  # here, as SciPy costs more time than starting does

    if a.flags.c_contiguous:  # LAPACK reads columns: the transpose costs no copy
        x, info = dtrtrs(a.T, b, lower=not lower, trans=not trans, unitdiag=unit)
    else:
        x, info = dtrtrs(a, b, lower=lower, trans=trans, unitdiag=unit)
    return x if info == 0 else np.nan


def _solved_shape(a: Any, b: Any, **attributes: Any) -> tuple[tuple[int, ...], np.dtype]:
    _require_square(a, b)
    require_shapes(b.ndim >= 2 and a.shape[-1] == b.shape[-2], "a linear system", a, b)
    return broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], FLOAT


def _solve_triangular(a: Any, b: Any, lower: bool, trans: bool, unit: bool) -> Any:
    shape, _ = _solved_shape(a, b)
    out = np.empty(shape)
    if out.size == 0:
        return out
    a, b = np.asarray(a, dtype=FLOAT), np.asarray(b, dtype=FLOAT)
    if len(shape) == 2:
        out[...] = _trtrs(a, b, lower, trans, unit)
        return out
    a, b = np.broadcast_to(a, shape[:-2] + a.shape[-2:]), np.broadcast_to(b, shape)
    for i in _batches(out):
        out[i] = _trtrs(a[i], b[i], lower, trans, unit)
    return out


def _triangle(a: Any, lower: bool, unit: bool) -> Any:
    """The entries that the solver reads."""
    return np.tril(a, -1 if unit else 0) if lower else np.triu(a, 1 if unit else 0)


def _times_transposed(a: Any, b: Any) -> Any:
    """``a @ b.T``: for single columns an elementwise product, which joins the loops around it."""
    return a * _mT(b) if b.shape[-1] == 1 else np.matmul(a, _mT(b))


def _triangular_vjp_a(g: Any, y: Any, a: Any, b: Any, lower: bool, trans: bool, unit: bool) -> Any:
    back = _bind(solve_triangular_p, a, g, lower=lower, trans=not trans, unit=unit)
    outer = _times_transposed(y, back) if trans else _times_transposed(back, y)
    return sum_to(-_triangle(outer, lower, unit), a.shape)


def _triangular_jvp_a(t: Any, y: Any, a: Any, b: Any, lower: bool, trans: bool, unit: bool) -> Any:
    change = _triangle(t, lower, unit)
    moved = np.matmul(_mT(change) if trans else change, y)
    return -_bind(solve_triangular_p, a, moved, lower=lower, trans=trans, unit=unit)


solve_triangular_p: Primitive = define(
    "solve_triangular",
    _solve_triangular,
    _solved_shape,
    vjp=(
        _triangular_vjp_a,
        lambda g, y, a, b, lower, trans, unit: sum_to(
            _bind(solve_triangular_p, a, g, lower=lower, trans=not trans, unit=unit), b.shape
        ),
    ),
    jvp=(
        _triangular_jvp_a,
        lambda t, y, a, b, lower, trans, unit: _bind(solve_triangular_p, a, t, lower=lower, trans=trans, unit=unit),
    ),
)


# --- Cholesky (Murray 2016, eqs 8 and 10; differentiated again)
def _half_lower(a: Any) -> Any:
    """Murray's Phi: the lower triangle with the diagonal halved."""
    weights = np.tril(np.ones(a.shape[-2:])) - 0.5 * np.eye(a.shape[-1])
    return a * weights


def _both_sides(factor: Any, a: Any, trans: bool) -> Any:
    """``inv(L) @ a @ inv(L).T`` for a lower triangular L, or ``inv(L).T @ a @ inv(L)`` if trans."""
    half = _bind(solve_triangular_p, factor, a, lower=True, trans=trans, unit=False)
    return _mT(_bind(solve_triangular_p, factor, _mT(half), lower=True, trans=trans, unit=False))


def _cholesky_jvp(t: Any, y: Any, a: Any) -> Any:
    return np.matmul(y, _half_lower(_both_sides(y, _symmetric(t), trans=False)))


def _evaluate_cholesky(a: Any) -> Any:
    factor = _or_nan(np.linalg.cholesky, _square)(a)
    # LAPACK lets NaN and infinite pivots pass.
    sound = np.isfinite(np.diagonal(factor, axis1=-2, axis2=-1)).all(axis=-1)
    return factor if sound.all() else np.where(sound[..., None, None], factor, np.nan)


cholesky_p = define(
    "cholesky",
    _evaluate_cholesky,
    _same_type,
    vjp=(lambda g, y, a: _bind(cholesky_pullback_p, y, g),),
    jvp=(_cholesky_jvp,),
)


# The cotangent of a symmetric matrix from its Cholesky factor and the cotangent of that, whose lower triangle is read.
# A primitive of its own, as it takes a sixth of the work that the products and solves of its formula take.
def _evaluate_pullback(factor: Any, g: Any) -> Any:
    half = _solve_triangular(factor, _symmetric(_half_lower(np.matmul(_mT(factor), np.tril(g)))), True, True, False)
    return _solve_triangular(factor, _mT(half), True, True, False)


def _pulled_shape(factor: Any, g: Any) -> tuple[tuple[int, ...], np.dtype]:
    _require_square(factor, g)
    require_shapes(g.shape[-2:] == factor.shape[-2:], "the cotangent of a Cholesky factor", factor, g)
    return broadcast_shapes(factor.shape, g.shape), FLOAT


def _pulled_inner(g: Any, factor: Any) -> Any:
    """The cotangent of ``tril(factor.T @ cotangent)`` in the formula."""
    return _half_lower(_both_sides(factor, _symmetric(g), trans=False))


def _pullback_vjp_factor(g: Any, y: Any, factor: Any, cotangent: Any) -> Any:
    solved = _bind(solve_triangular_p, factor, _symmetric(g), lower=True, trans=False, unit=False)
    direct = np.matmul(np.tril(cotangent), _mT(_pulled_inner(g, factor)))
    return np.tril(direct - 2.0 * np.matmul(y, _mT(solved)))


def _pullback_jvp_factor(t: Any, y: Any, factor: Any, cotangent: Any) -> Any:
    change = np.tril(t)
    direct = _both_sides(factor, _symmetric(_half_lower(np.matmul(_mT(change), np.tril(cotangent)))), trans=True)
    right = _bind(solve_triangular_p, factor, _mT(np.matmul(y, change)), lower=True, trans=True, unit=False)
    return direct - (right + _mT(right))


cholesky_pullback_p: Primitive = define(
    "cholesky_pullback",
    _evaluate_pullback,
    _pulled_shape,
    vjp=(_pullback_vjp_factor, lambda g, y, factor, cotangent: np.matmul(factor, _pulled_inner(g, factor))),
    jvp=(_pullback_jvp_factor, lambda t, y, factor, cotangent: _bind(cholesky_pullback_p, factor, t)),
)


# --- general systems, inverses and determinants (Giles 2008, 2.2.3, 2.2.4 and 2.3.1)
def _solve_jvp_a(t: Any, y: Any, a: Any, b: Any) -> Any:
    return -_bind(solve_p, a, np.matmul(t, y))


solve_p: Primitive = define(
    "solve",
    _or_nan(np.linalg.solve, lambda a, b: _solved_shape(a, b)[0][-2:]),
    _solved_shape,
    vjp=(
        lambda g, y, a, b: sum_to(-np.matmul(_bind(solve_p, _mT(a), g), _mT(y)), a.shape),
        lambda g, y, a, b: sum_to(_bind(solve_p, _mT(a), g), b.shape),
    ),
    jvp=(_solve_jvp_a, lambda t, y, a, b: _bind(solve_p, a, t)),
)
inv_p = define(
    "inv",
    _or_nan(np.linalg.inv, _square),
    _same_type,
    vjp=(lambda g, y, a: -np.matmul(_mT(y), np.matmul(g, _mT(y))),),
    jvp=(lambda t, y, a: -np.matmul(y, np.matmul(t, y)),),
)


def _pinv_vjp(g: Any, y: Any, a: Any) -> Any:
    yT, gT = _mT(y), _mT(g)
    inside = gT - np.matmul(a, np.matmul(y, gT))
    outside = gT - np.matmul(gT, np.matmul(y, a))
    return np.matmul(np.matmul(inside, y), yT) + np.matmul(yT, np.matmul(y, outside)) - np.matmul(yT, np.matmul(g, yT))


def _pinv_jvp(t: Any, y: Any, a: Any) -> Any:
    yT, tT = _mT(y), _mT(t)
    inside = tT - np.matmul(np.matmul(tT, a), y)
    outside = tT - np.matmul(y, np.matmul(a, tT))
    return np.matmul(y, np.matmul(yT, inside)) + np.matmul(np.matmul(outside, yT), y) - np.matmul(y, np.matmul(t, y))


# For matrices of locally constant rank (Golub & Pereyra 1973, eq. 4.12).
pinv_p = define(
    "pinv",
    _or_nan(np.linalg.pinv, lambda a: a.shape[:-3:-1]),
    _of_matrix(lambda a: (a.shape[-1], a.shape[-2])),
    vjp=(_pinv_vjp,),
    jvp=(_pinv_jvp,),
)


def _evaluate_slogdet(a: Any) -> Any:
    return np.stack(np.linalg.slogdet(a), axis=-1)


# (sign, log |det|) along the last axis; the sign does not vary smoothly.
slogdet_p = define(
    "slogdet",
    _evaluate_slogdet,
    _of_square(lambda a: (*a.shape[:-2], 2)),
    vjp=(lambda g, y, a: g[..., 1, None, None] * _mT(_bind(inv_p, a)),),
    jvp=(lambda t, y, a: np.stack([np.zeros(a.shape[:-2]), np.sum(t * _mT(_bind(inv_p, a)), axis=(-2, -1))], axis=-1),),
)


def _cofactors(a: Any) -> Any:
    """The derivative of the determinant, from the singular values: exact for singular matrices too."""
    _require_square(a)
    u, s, vT = np.linalg.svd(a)
    n = a.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1.0, s[..., None, :]).prod(axis=-1)
    orientation = np.linalg.det(u) * np.linalg.det(vT)
    return orientation[..., None, None] * np.matmul(u * others[..., None, :], vT)


def _cofactors_vjp(g: Any, y: Any, a: Any) -> Any:
    mixed = np.matmul(y, np.matmul(_mT(g), y))
    return (np.sum(g * y, axis=(-2, -1))[..., None, None] * y - mixed) / _bind(det_p, a)[..., None, None]


# The derivative of the cofactors needs a regular matrix.
cofactors_p = define(
    "cofactors", _or_nan(_cofactors, _square), _same_type, vjp=(_cofactors_vjp,), jvp=(_cofactors_vjp,)
)
det_p = define(
    "det",
    np.linalg.det,
    _of_square(lambda a: a.shape[:-2]),
    vjp=(lambda g, y, a: g[..., None, None] * _bind(cofactors_p, a),),
    jvp=(lambda t, y, a: np.sum(t * _bind(cofactors_p, a), axis=(-2, -1)),),
)


# --- symmetric eigenproblems (Giles 2008, 2.4)
def _evaluate_eigh(a: Any) -> Any:
    w, v = np.linalg.eigh(a)
    return np.concatenate([w[..., None, :], v], axis=-2)


def unpack_eigh(y: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors from the value of ``eigh_p``."""
    return y[..., 0, :], y[..., 1:, :]


def _inverse_gaps(v: Any) -> Any:
    """1 / (v[j] - v[i]) at [i, j], 0 where they are equal."""
    gaps = v[..., None, :] - v[..., :, None]
    equal = gaps == 0.0
    return np.where(equal, 0.0, 1.0 / np.where(equal, 1.0, gaps))


def _eigh_vjp(g: Any, y: Any, a: Any) -> Any:
    w, v = unpack_eigh(y)
    g_w, g_v = unpack_eigh(g)
    inner = np.eye(a.shape[-1]) * g_w[..., None, :] + _inverse_gaps(w) * np.matmul(_mT(v), g_v)
    return _symmetric(np.matmul(v, np.matmul(inner, _mT(v))))


def _eigh_jvp(t: Any, y: Any, a: Any) -> Any:
    w, v = unpack_eigh(y)
    inner = np.matmul(_mT(v), np.matmul(_symmetric(t), v))
    t_w = np.diagonal(inner, axis1=-2, axis2=-1)
    return np.concatenate([t_w[..., None, :], np.matmul(v, _inverse_gaps(w) * inner)], axis=-2)


eigh_p = define(
    "eigh",
    _or_nan(_evaluate_eigh, lambda a: (_square(a)[0] + 1, a.shape[-1])),
    _of_square(lambda a: (*a.shape[:-2], a.shape[-1] + 1, a.shape[-1])),
    vjp=(_eigh_vjp,),
    jvp=(_eigh_jvp,),
)


# --- QR of matrices with no more columns than rows (Seeger et al. 2017, 3.3)
def _evaluate_qr(a: Any) -> Any:
    return np.concatenate(np.linalg.qr(a), axis=-2)


def _qr_shape(a: Any) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(a.ndim >= 2 and a.shape[-2] >= a.shape[-1], "qr", a)
    return (*a.shape[:-2], a.shape[-2] + a.shape[-1], a.shape[-1]), FLOAT


def unpack_qr(y: Any) -> tuple[Any, Any]:
    """Q and R from the value of ``qr_p``."""
    rows = y.shape[-2] - y.shape[-1]
    return y[..., :rows, :], y[..., rows:, :]


def _solve_right(a: Any, r: Any, trans: bool) -> Any:
    """``a @ inv(r)`` (``inv(r.T)`` if trans) for an upper triangular r."""
    return _mT(_bind(solve_triangular_p, r, _mT(a), lower=False, trans=not trans, unit=False))


def _qr_vjp(g: Any, y: Any, a: Any) -> Any:
    q, r = unpack_qr(y)
    g_q, g_r = unpack_qr(g)
    m = np.matmul(r, _mT(g_r)) - np.matmul(_mT(g_q), q)
    mirrored = np.tril(m) + _mT(np.tril(m, -1))
    return _solve_right(g_q + np.matmul(q, mirrored), r, trans=True)


def _qr_jvp(t: Any, y: Any, a: Any) -> Any:
    q, r = unpack_qr(y)
    scaled = _solve_right(t, r, trans=False)
    c = np.matmul(_mT(q), scaled)
    rotation = np.tril(c, -1) - _mT(np.tril(c, -1))
    t_q = scaled - np.matmul(q, c - rotation)
    return np.concatenate([t_q, np.matmul(c - rotation, r)], axis=-2)


qr_p = define(
    "qr",
    _evaluate_qr,
    _qr_shape,
    vjp=(_qr_vjp,),
    jvp=(_qr_jvp,),
)


# --- singular values, reduced (Townsend 2016)
def _evaluate_svd(a: Any) -> Any:
    u, s, vT = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([u, s[..., None, :], _mT(vT)], axis=-2)


def unpack_svd(y: Any, rows: int) -> tuple[Any, Any, Any]:
    """U, the singular values and V from the value of ``svd_p`` of a matrix with that many rows."""
    return y[..., :rows, :], y[..., rows, :], y[..., rows + 1 :, :]


def _inverse_or_zero(s: Any) -> Any:
    return np.where(s == 0.0, 0.0, 1.0 / np.where(s == 0.0, 1.0, s))


def _off_projection(a: Any, basis: Any) -> Any:
    """What of the columns of ``a`` is orthogonal to the orthonormal columns of ``basis``."""
    return a - np.matmul(basis, np.matmul(_mT(basis), a))


def _svd_vjp(g: Any, y: Any, a: Any) -> Any:
    rows, columns = a.shape[-2:]
    u, s, v = unpack_svd(y, rows)
    g_u, g_s, g_v = unpack_svd(g, rows)
    gaps = _inverse_gaps(s * s)
    turn_u, turn_v = np.matmul(_mT(u), g_u), np.matmul(_mT(v), g_v)
    inner = (
        _scale_columns(gaps * (turn_u - _mT(turn_u)), s)
        + s[..., :, None] * (gaps * (turn_v - _mT(turn_v)))
        + np.eye(s.shape[-1]) * g_s[..., None, :]
    )
    total = np.matmul(np.matmul(u, inner), _mT(v))
    if rows > columns:
        total = total + np.matmul(_scale_columns(_off_projection(g_u, u), _inverse_or_zero(s)), _mT(v))
    if columns > rows:
        total = total + np.matmul(u, _mT(_scale_columns(_off_projection(g_v, v), _inverse_or_zero(s))))
    return total


def _svd_jvp(t: Any, y: Any, a: Any) -> Any:
    rows, columns = a.shape[-2:]
    u, s, v = unpack_svd(y, rows)
    gaps = _inverse_gaps(s * s)
    tv, tTu = np.matmul(t, v), np.matmul(_mT(t), u)
    p = np.matmul(_mT(u), tv)
    ps, sp = _scale_columns(p, s), s[..., :, None] * p
    t_u = np.matmul(u, gaps * (ps + _mT(ps)))
    t_v = np.matmul(v, gaps * (sp + _mT(sp)))
    if rows > columns:
        t_u = t_u + _scale_columns(_off_projection(tv, u), _inverse_or_zero(s))
    if columns > rows:
        t_v = t_v + _scale_columns(_off_projection(tTu, v), _inverse_or_zero(s))
    t_s = np.diagonal(p, axis1=-2, axis2=-1)[..., None, :]
    return np.concatenate([t_u, t_s, t_v], axis=-2)


def _svd_rows(a: Any) -> tuple[int, int]:
    return a.shape[-2] + 1 + a.shape[-1], min(a.shape[-2:])


svd_p = define(
    "svd",
    _or_nan(_evaluate_svd, _svd_rows),
    _of_matrix(_svd_rows),
    vjp=(_svd_vjp,),
    jvp=(_svd_jvp,),
)


# --- the matrix exponential (Najfeld & Havel 1995, eq. 12: its derivative is a block of a larger exponential)
def _frechet(a: Any, t: Any) -> Any:
    n = a.shape[-1]
    top = np.concatenate([a, t], axis=-1)
    bottom = np.concatenate([np.zeros(a.shape), a], axis=-1)
    return _bind(expm_p, np.concatenate([top, bottom], axis=-2))[..., :n, n:]


def _evaluate_expm(a: np.ndarray) -> np.ndarray:
    from scipy.linalg import expm

    return expm(np.asarray(a, dtype=FLOAT))


expm_p = define(
    "expm",
    _evaluate_expm,
    _same_type,
    vjp=(lambda g, y, a: _frechet(_mT(a), g),),
    jvp=(lambda t, y, a: _frechet(a, t),),
)
