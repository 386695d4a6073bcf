"""The functions of scipy.linalg on traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import asarray
from bayesad.ad.functions import linalg
from bayesad.errors import TracingError

__all__ = ["FUNCTIONS"]


def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    return linalg.cholesky(a, upper=not lower)


def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, bool]:
    return cholesky(a, lower), lower


def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    factor, lower = c_and_lower
    half = linalg.solve_triangular(factor, b, lower, trans=not lower, unit=False)
    return linalg.solve_triangular(factor, half, lower, trans=bool(lower), unit=False)


def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    return linalg.solve_triangular(a, b, lower, trans not in (0, "N"), unit_diagonal)


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: Any = None,
    transposed: bool = False,
) -> Any:
    """``assume_a`` tells how the matrix is stored; "pos", "sym" and "her" read one triangle, as SciPy does."""
    a = linalg.as_square(a, "solve")
    if assume_a in ("pos", "sym", "her", "positive definite", "symmetric", "hermitian"):
        half = np.tril(a) if lower else np.triu(a)
        diagonal = np.eye(a.shape[-1], dtype=bool)
        a = half + np.where(diagonal, 0.0, np.swapaxes(half, -1, -2))
    elif assume_a in ("upper triangular", "lower triangular"):
        return linalg.solve_triangular(a, b, assume_a.startswith("lower"), transposed, False)
    elif assume_a not in (None, "gen", "general"):
        raise TracingError(f"scipy.linalg.solve of a traced matrix has no assume_a={assume_a!r}; leave it out")
    return linalg.solve(np.swapaxes(a, -1, -2) if transposed else a, b)


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True, **_: Any) -> Any:
    return linalg.inv(a)


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    return linalg.det(a)


def pinv(a: Any) -> Any:
    return linalg.pinv(a)


def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True) -> Any:
    return linalg.norm(a, ord, axis, keepdims)


def eigh(a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False, **others: Any) -> Any:
    if b is not None or others.get("subset_by_index") is not None or others.get("subset_by_value") is not None:
        raise TracingError(
            "scipy.linalg.eigh of a traced matrix takes neither b nor a subset; index the result instead"
        )
    values, vectors = linalg.eigh(a, "L" if lower else "U")
    return values if eigvals_only else (values, vectors)


def eigvalsh(a: Any, b: Any = None, *, lower: bool = True, **others: Any) -> Any:
    return eigh(a, b, lower=lower, eigvals_only=True, **others)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, **_: Any) -> Any:
    result = linalg.svd(a, full_matrices, compute_uv)
    return tuple(result) if compute_uv else result


def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    return linalg.svd(a, compute_uv=False)


def block_diag(*arrays: Any) -> Any:
    blocks = [np.atleast_2d(asarray(a)) for a in arrays]
    width = sum(b.shape[1] for b in blocks)
    rows, start = [], 0
    for b in blocks:
        before, after = np.zeros((b.shape[0], start)), np.zeros((b.shape[0], width - start - b.shape[1]))
        rows.append(np.concatenate([before, b, after], axis=1))
        start += b.shape[1]
    return np.concatenate(rows, axis=0)


def toeplitz(c: Any, r: Any = None) -> Any:
    """Gathered from the first column and row."""
    column = np.ravel(asarray(c))
    row = column if r is None else np.ravel(asarray(r))
    values = np.concatenate([column[::-1], row[1:]])
    i, j = np.indices((column.shape[0], row.shape[0]))
    return values[column.shape[0] - 1 - i + j]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cholesky": cholesky,
    "cho_factor": cho_factor,
    "cho_solve": cho_solve,
    "solve_triangular": solve_triangular,
    "solve": solve,
    "inv": inv,
    "det": det,
    "pinv": pinv,
    "norm": norm,
    "eigh": eigh,
    "eigvalsh": eigvalsh,
    "svd": svd,
    "svdvals": svdvals,
    "expm": linalg.expm,
    "block_diag": block_diag,
    "toeplitz": toeplitz,
    "khatri_rao": lambda a, b: np.reshape(asarray(a)[:, None, :] * asarray(b)[None, :, :], (-1, np.shape(a)[1])),
}
