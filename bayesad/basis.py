"""Functions of predictors to write models with: B-splines, monotonic effects, a basis of vectors that sum to zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.array import value_of
from bayesad.errors import DataError

__all__ = ["bspline_basis", "monotonic", "zero_sum_basis"]


def bspline_basis(
    x: Any,
    knots: Any = None,
    df: int | None = None,
    degree: int = 3,
    bounds: tuple[float, float] | None = None,
    intercept: bool = True,
) -> np.ndarray:
    """B-spline functions at the values of a predictor (de Boor 1978), a column each, to be multiplied by coefficients.

    Parameters
    ----------
    x : array, shape (n,)
        Data.
    knots : array, optional
        Inner knots, strictly between the bounds.
    df : int, optional
        Number of functions; without `knots`, as many inner knots as that needs lie at equally spaced quantiles of x.
    degree : int
        3 for cubic splines, 1 for broken lines, 0 for steps.
    bounds : (float, float), optional
        Where the splines begin and end; the range of x by default. Give them for predictions at other x.
    intercept : bool
        Whether to keep the first function. All of them add up to 1 everywhere, so that with an intercept of its own a
        model needs one less.

    Returns
    -------
    array, shape (n, len(knots) + degree + intercept)

    Raises
    ------
    DataError
        If x is not within the bounds, knots are not, or neither or contradictory numbers of functions are given.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad.basis import bspline_basis
    >>> bspline_basis(np.array([0.0, 0.25, 1.0]), knots=[0.5], degree=1)
    array([[1. , 0. , 0. ],
           [0.5, 0.5, 0. ],
           [0. , 0. , 1. ]])
    """
    from scipy.interpolate import BSpline  # here, as SciPy costs more time than starting does

    x = _data(x, "bspline_basis")
    low, high = (x.min(), x.max()) if bounds is None else bounds
    if x.size and not (low <= x.min() and x.max() <= high and low < high):
        raise DataError(
            f"bspline_basis: x runs from {x.min():g} to {x.max():g}, beyond the bounds {low:g} and {high:g}"
        )
    inner = _inner_knots(x, knots, df, degree, intercept)
    if inner.size and not (low < inner.min() and inner.max() < high):
        raise DataError(f"bspline_basis: inner knots lie strictly between the bounds {low:g} and {high:g}; got {inner}")
    padded = np.concatenate([np.full(degree + 1, low), np.sort(inner), np.full(degree + 1, high)])
    columns = value_of(BSpline.design_matrix(x, value_of(padded), degree).toarray())
    return columns if intercept else columns[:, 1:]


def _inner_knots(x: np.ndarray, knots: Any, df: int | None, degree: int, intercept: bool) -> np.ndarray:
    if knots is None and df is None:
        raise DataError("bspline_basis: give the inner knots or the number of functions, df")
    if knots is None:
        number = int(df) - degree - intercept  # type: ignore[arg-type]
        if number < 0:
            raise DataError(f"bspline_basis: df={df} is too few for degree {degree}; give {degree + intercept} or more")
        return value_of(np.quantile(x, np.linspace(0.0, 1.0, number + 2)[1:-1]))
    inner = _data(knots, "bspline_basis")
    if df is not None and df != inner.size + degree + intercept:
        raise DataError(
            f"bspline_basis: {inner.size} inner knots make {inner.size + degree + intercept} functions, not df={df}"
        )
    return inner


def monotonic(x: Any, simplex: Any) -> Any:
    """The effect of an ordinal predictor, in units of the mean step (Bürkner & Charpentier 2020, eq. 2).

    D Σ_{i ≤ x} simplex_i: 0 for the lowest category, D for the highest. Times a coefficient b it is monotonic, with
    steps in the proportions of the simplex that are b on average.

    Parameters
    ----------
    x : integer array
        Categories 0 … D.
    simplex : array, shape (..., D)
        Shares of the steps; a Dirichlet prior with concentrations 1 is usual.

    Returns
    -------
    array, shape (..., *x.shape)

    Raises
    ------
    DataError
        If x are no whole numbers from 0 to D.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad.basis import monotonic
    >>> monotonic(np.array([0, 1, 2]), np.array([0.25, 0.75]))
    array([0. , 0.5, 2. ])
    """
    simplex = ad.asarray(simplex)
    D = simplex.shape[-1]
    categories = _data(x, "monotonic")
    whole = categories.astype(np.int64)
    if np.any(whole != categories) or np.any(whole < 0) or np.any(whole > D):
        raise DataError(f"monotonic: x must be whole numbers from 0 to {D}, one more than the simplex has entries")
    zero = np.broadcast_to(0.0, (*simplex.shape[:-1], 1))
    return D * np.concatenate([zero, np.cumsum(simplex, axis=-1)], axis=-1)[..., whole]


def zero_sum_basis(K: int) -> np.ndarray:
    """An orthonormal basis of the vectors of length K that sum to 0: Helmert's contrasts.

    Parameters
    ----------
    K : int

    Returns
    -------
    array, shape (K, K - 1)
        ``zero_sum_basis(K) @ u`` sums to 0 and is as long as u. The same basis is used for unknowns of the law
        `zero_sum`.
    """
    n = np.arange(1.0, K)
    rows = np.arange(K)[:, None]
    return value_of(np.where(rows < n, 1.0, np.where(rows == n, -n, 0.0)) / np.sqrt(n * (n + 1.0)))


def _data(x: Any, name: str) -> np.ndarray:
    x = ad.asarray(x)
    if ad.is_traced(x):
        raise DataError(f"{name}: the predictor and the knots are data; these depend on parameters")
    x = value_of(x)
    if x.dtype.kind not in "biuf" or (x.dtype.kind == "f" and np.isnan(x).any()):
        raise DataError(f"{name}: the predictor and the knots must be numbers without NaN")
    return x.astype(np.float64)
