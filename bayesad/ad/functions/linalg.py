"""numpy.linalg on traced arrays: factorisations, systems, determinants and norms.

A matrix that cannot be factorised gives NaN instead of LinAlgError (see ``bayesad/ad/primitives/linalg.py``, which
also says what is meant by the derivative with respect to a symmetric matrix).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.array import asarray, bind, implements
from bayesad.ad.functions.products import matmul
from bayesad.ad.functions.reductions import normalise_axes
from bayesad.ad.primitives import linalg as p
from bayesad.errors import TracingError

__all__ = ["as_square", "expm", "safe_root", "solve_triangular"]


class Slogdet(NamedTuple):
    sign: Any
    logabsdet: Any


class Eigh(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class QR(NamedTuple):
    Q: Any
    R: Any


class SVD(NamedTuple):
    U: Any
    S: Any
    Vh: Any


def _as_matrix(a: Any, name: str) -> Any:
    a = asarray(a)
    if a.ndim < 2:
        raise np.linalg.LinAlgError(f"{name} needs a matrix; the array has shape {a.shape}")
    return a


def as_square(a: Any, name: str) -> Any:
    """``a`` as an array of square matrices; LinAlgError if it is none."""
    a = _as_matrix(a, name)
    if a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"{name} needs square matrices; the array has shape {a.shape}")
    return a


def _swapped(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


# --- symmetric matrices
@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    a = as_square(a, "cholesky")
    return _swapped(bind(p.cholesky_p, (_swapped(a),))) if upper else bind(p.cholesky_p, (a,))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Eigh:
    a = as_square(a, "eigh")
    return Eigh(*p.unpack_eigh(bind(p.eigh_p, (a if UPLO.upper() == "L" else _swapped(a),))))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    return eigh(a, UPLO).eigenvalues


# --- general matrices
@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    a, b = as_square(a, "solve"), asarray(b)
    rows = b.shape[0] if b.ndim == 1 else b.shape[-2] if b.ndim else 0
    if rows != a.shape[-1]:
        raise ValueError(f"solve: the matrix has shape {a.shape}, the right-hand side {b.shape}")
    if b.ndim == 1:
        return bind(p.solve_p, (a, b[:, None]))[..., 0]
    return bind(p.solve_p, (a, b))


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    return bind(p.inv_p, (as_square(a, "inv"),))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    if rcond is not None or hermitian or rtol not in (None, np._NoValue):
        raise TracingError("pinv of a traced matrix takes no rcond, rtol or hermitian; leave them out")
    return bind(p.pinv_p, (_as_matrix(a, "pinv"),))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    return bind(p.det_p, (as_square(a, "det"),))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Slogdet:
    packed = bind(p.slogdet_p, (as_square(a, "slogdet"),))
    return Slogdet(packed[..., 0], packed[..., 1])


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Reduced QR; of a wide matrix the first columns are factorised, the others rotated."""
    a = _as_matrix(a, "qr")
    rows, columns = a.shape[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and rows <= columns):
        raise TracingError(
            f"qr of a traced matrix of shape {a.shape} with mode={mode!r} has no derivative; use mode='reduced'"
        )
    q, r = p.unpack_qr(bind(p.qr_p, (a[..., :, :rows] if columns > rows else a,)))
    if columns > rows:
        r = np.concatenate([r, matmul(_swapped(q), a[..., :, rows:])], axis=-1)
    return r if mode == "r" else QR(q, r)


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    a = _as_matrix(a, "svd")
    if compute_uv and full_matrices and a.shape[-1] != a.shape[-2]:
        raise TracingError(
            f"svd of a traced matrix of shape {a.shape} needs full_matrices=False: "
            "the further vectors have no derivative"
        )
    u, s, v = p.unpack_svd(bind(p.svd_p, (a,)), a.shape[-2])
    return SVD(u, s, _swapped(v)) if compute_uv else s


@implements(np.linalg.svdvals)
def svdvals(a: Any, /) -> Any:
    return svd(a, compute_uv=False)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, int, Any]:
    """Least squares for a matrix of full rank (its rank is taken to be min(a.shape))."""
    a, b = _as_matrix(a, "lstsq"), asarray(b)
    x = matmul(pinv(a), b)
    rows, columns = a.shape
    if rows > columns:
        residuals = np.sum(np.square(b - matmul(a, x)), axis=0)
        residuals = residuals[None] if b.ndim == 1 else residuals
    else:
        residuals = np.zeros(0)
    return x, residuals, min(rows, columns), svd(a, compute_uv=False)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    a = as_square(a, "matrix_power")
    power = inv(a) if n < 0 else a
    left, result = abs(int(n)), None
    while left:
        if left % 2:
            result = power if result is None else matmul(result, power)
        left //= 2
        power = matmul(power, power) if left else power
    return np.broadcast_to(np.eye(a.shape[-1]), a.shape) if result is None else result


# --- norms
def safe_root(total: Any) -> Any:
    """The square root of a sum of squares, with derivative 0 where it is 0."""
    zero = total == 0.0
    return np.where(zero, 0.0, np.sqrt(np.where(zero, 1.0, total)))


def _vector_norm(a: Any, axes: tuple[int, ...], order: Any, keepdims: bool) -> Any:
    if order is None or order == 2:
        return safe_root(np.sum(np.square(a), axis=axes, keepdims=keepdims))
    size = np.abs(a)
    if order == np.inf:
        return np.max(size, axis=axes, keepdims=keepdims)
    if order == -np.inf:
        return np.min(size, axis=axes, keepdims=keepdims)
    if order == 0:
        return np.sum((a != 0).astype(float), axis=axes, keepdims=keepdims)
    if order == 1:
        return np.sum(size, axis=axes, keepdims=keepdims)
    total = np.sum(size**order, axis=axes, keepdims=keepdims)
    zero = total == 0.0
    return np.where(zero, 0.0, np.where(zero, 1.0, total) ** (1.0 / order))


def _matrix_norm(a: Any, axes: tuple[int, int], order: Any, keepdims: bool) -> Any:
    if order in (None, "fro", "f"):
        return _vector_norm(a, axes, 2, keepdims)
    matrix = np.moveaxis(a, axes, (-2, -1))
    if order in (1, -1, np.inf, -np.inf):
        totals = np.sum(np.abs(matrix), axis=-2 if order in (1, -1) else -1)
        norm = np.max(totals, axis=-1) if order > 0 else np.min(totals, axis=-1)
    elif order in (2, -2, "nuc"):
        singular = svd(matrix, compute_uv=False)
        norm = np.sum(singular, axis=-1) if order == "nuc" else singular[..., 0 if order == 2 else -1]
    else:
        raise ValueError(f"unknown order {order!r} of a matrix norm")
    return np.expand_dims(norm, tuple(sorted(i % a.ndim for i in axes))) if keepdims else norm


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Vector and matrix norms; the Euclidean ones have derivative 0 at 0."""
    x = asarray(x)
    if axis is None and ord is None:
        return _vector_norm(x, tuple(range(x.ndim)), 2, keepdims)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        return _vector_norm(x, normalise_axes(axes, x.ndim), ord, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, axes, ord, keepdims)
    raise ValueError(f"a norm is taken over one or two axes; an array of shape {x.shape} with axis={axis!r} was given")


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    x = asarray(x)
    return _vector_norm(x, normalise_axes(axis, x.ndim), ord, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return _matrix_norm(_as_matrix(x, "matrix_norm"), (-2, -1), ord, keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    x = _as_matrix(x, "cond")
    if p in (None, 2, -2):
        singular = svd(x, compute_uv=False)
        return singular[..., -1] / singular[..., 0] if p == -2 else singular[..., 0] / singular[..., -1]
    return _matrix_norm(x, (-2, -1), p, False) * _matrix_norm(inv(x), (-2, -1), p, False)


# --- shared with scipy.linalg
def solve_triangular(a: Any, b: Any, lower: bool, trans: bool, unit: bool) -> Any:
    """Triangular systems; ``b`` is a vector if it has one axis, else matrices."""
    a, b = as_square(a, "solve_triangular"), asarray(b)
    attributes = {"lower": bool(lower), "trans": bool(trans), "unit": bool(unit)}
    if b.ndim == 0 or b.shape[0 if b.ndim == 1 else -2] != a.shape[-1]:
        raise ValueError(f"solve_triangular: the matrix has shape {a.shape}, the right-hand side {b.shape}")
    if b.ndim == 1:
        return bind(p.solve_triangular_p, (a, b[:, None]), attributes)[..., 0]
    return bind(p.solve_triangular_p, (a, b), attributes)


def expm(a: Any) -> Any:
    return bind(p.expm_p, (as_square(a, "expm"),))
