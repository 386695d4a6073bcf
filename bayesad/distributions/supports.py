"""Supports: the sets that distributions live on, one table row per kind, on plain and traced arrays alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.ad.functions.linalg import cholesky
from bayesad.errors import DistributionError

__all__ = [
    "CHOLESKY_CORR",
    "CHOLESKY_COV",
    "CORR",
    "COV",
    "INTERVALS",
    "NAMED",
    "NONNEGATIVE",
    "NONNEGATIVE_INTEGER",
    "POSITIVE",
    "POSITIVE_INTEGER",
    "REAL",
    "SIMPLEX",
    "TOLERANCE",
    "UNIT_INTERVAL",
    "UNIT_VECTOR",
    "ZERO_OR_ONE",
    "ZERO_SUM",
    "Support",
    "contains",
    "excludes",
    "interior",
]

# How far a simplex, an ordered, unit or zero-sum vector, a matrix or a Cholesky factor may be from its constraint;
# where the entries have no scale of their own, relative to the largest of them.
TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class Support:
    """The set of values that a distribution (or a free parameter) can take.

    Parameters
    ----------
    kind : str
        "real": real numbers, with `lower` and/or `upper` a half line or an interval; "integer": whole numbers
        with inclusive bounds; "simplex": non-negative vectors with sum 1; "ordered": increasing vectors;
        "positive_ordered": increasing vectors of non-negative numbers; "unit_vector": vectors of Euclidean
        length 1; "zero_sum": vectors with sum 0, or with `parts` that each have; "corr" and "cov": correlation and
        covariance matrices (symmetric, positive definite); "cholesky_corr" and "cholesky_cov": their lower Cholesky
        factors; "intervals": pairs of numbers, the first at most the second, infinite ones too; "counts": vectors of
        whole numbers that add up to `upper`.
    lower, upper : array, traced array or None
        Bounds of "real" and "integer"; None where there is none. They broadcast against the value. The sum of "counts".
    standard : Standard or None
        Coordinates in which a free parameter is sampled instead of those of the kind (`bayesad.reparameterise`).
    closed : (bool, bool)
        Whether the lower and the upper bound of "real" belong to the set: not where a density is undefined there.
    parts : tuple of int arrays, or None
        Of "zero_sum": which entries have no constraint, and then those of each part that sums to 0; all entries occur
        once. None: the whole vector is such a part.

    Raises
    ------
    DistributionError
        If `kind` is none of the above, or has no bounds but was given some.
    """

    kind: str
    lower: Any = None
    upper: Any = None
    closed: tuple[bool, bool] = (True, True)
    standard: Any = None
    parts: tuple[np.ndarray, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise DistributionError(f"Support: unknown kind {self.kind!r}; the kinds are {', '.join(_KINDS)}.")
        if self.bounded and self.event_ndim and self.kind != "counts":
            raise DistributionError(f"Support: {self.kind!r} takes no bounds; only 'real' and 'integer' do.")

    @property
    def event_ndim(self) -> int:
        """Number of trailing axes that form one value: 0 for numbers, 1 for vectors, 2 for matrices."""
        return _KINDS[self.kind].event_ndim

    @property
    def discrete(self) -> bool:
        """Whether the values are whole numbers."""
        return self.kind in ("integer", "counts")

    @property
    def bounded(self) -> bool:
        """Whether there is a lower or an upper bound."""
        return self.lower is not None or self.upper is not None


def contains(support: Support, x: Any) -> Any:
    """Whether values lie in a support; infinite values and NaN never do.

    Parameters
    ----------
    support : Support
    x : array or traced array, shape (..., *event)

    Returns
    -------
    bool array (traced if x or a bound is), shape (...) broadcast with the bounds
        Equality constraints and order hold within `TOLERANCE`.
    """
    x = ad.asarray(x)
    event_axes = tuple(range(-support.event_ndim, 0))
    missing = np.isnan(x).any(axis=event_axes) if event_axes else np.isnan(x)
    return ~(excludes(support, x) | missing)


def excludes(support: Support, x: Any) -> Any:
    """Whether values lie outside a support: `not contains`, except that NaN is left in (but is no whole number).

    A density is -inf where its support excludes the value; a NaN that is left in makes it NaN.
    """
    with np.errstate(all="ignore"):
        return _KINDS[support.kind].excludes(support, ad.asarray(x))


def interior(support: Support, x: Any, outside: Any) -> Any:
    """`x` with the values that are `outside` replaced by some point well inside the support.

    Densities evaluated there are finite, so that `np.where(outside, -inf, density)` has no NaN in its
    derivative. Simplex entries that are negative within `TOLERANCE` become 0.
    """
    point = _KINDS[support.kind].point(support, x)
    x = np.where(outside[(..., *[None] * support.event_ndim)], point, x)
    return np.maximum(x, 0.0) if support.kind == "simplex" else x


def _outside_bounds(support: Support, x: Any) -> Any:
    lower = -np.inf if support.lower is None else support.lower
    upper = np.inf if support.upper is None else support.upper
    closed_below, closed_above = support.closed
    below = x < lower if closed_below and support.lower is not None else x <= lower
    above = x > upper if closed_above and support.upper is not None else x >= upper
    return below | above


def _outside_integers(support: Support, x: Any) -> Any:
    return _outside_bounds(support, x) | (x != np.floor(x))


def _outside_simplex(support: Support, x: Any) -> Any:
    return (x < -TOLERANCE).any(axis=-1) | (np.abs(x.sum(axis=-1) - 1.0) > TOLERANCE)


def _outside_ordered(support: Support, x: Any) -> Any:
    disordered = (x[..., 1:] - x[..., :-1] < -TOLERANCE).any(axis=-1)
    return disordered | (np.abs(x) == np.inf).any(axis=-1)


def _outside_positive_ordered(support: Support, x: Any) -> Any:
    return _outside_ordered(support, x) | (x < 0.0).any(axis=-1)


def _outside_sphere(support: Support, x: Any) -> Any:
    return np.abs((x**2).sum(axis=-1) - 1.0) > TOLERANCE


def _outside_zero_sum(support: Support, x: Any) -> Any:
    size = np.abs(x).max(axis=-1)
    parts = [x] if support.parts is None else [x[..., where] for where in support.parts[1:]]
    outside = size == np.inf
    for part in parts:
        outside = outside | (np.abs(part.sum(axis=-1)) > TOLERANCE * np.maximum(size, 1.0))
    return outside


def _outside_cholesky_cov(support: Support, x: Any) -> Any:
    rows, columns = np.indices(x.shape[-2:])
    size = np.abs(x).max(axis=(-2, -1))
    above_diagonal = np.where(columns > rows, np.abs(x), 0.0).max(axis=(-2, -1)) > TOLERANCE * size
    not_positive = (np.where(columns == rows, x, 1.0) <= 0.0).any(axis=(-2, -1))
    return above_diagonal | not_positive | (size == np.inf)


def _outside_cholesky_corr(support: Support, x: Any) -> Any:
    return _outside_cholesky_cov(support, x) | _outside_sphere(support, x).any(axis=-1)


def _outside_cov(support: Support, x: Any) -> Any:
    size = np.abs(x).max(axis=(-2, -1))
    asymmetric = np.abs(x - np.swapaxes(x, -1, -2)).max(axis=(-2, -1)) > TOLERANCE * size
    indefinite = np.isnan(np.diagonal(cholesky(x), axis1=-2, axis2=-1)).any(axis=-1) & ~np.isnan(size)
    return asymmetric | indefinite | (size == np.inf)


def _outside_corr(support: Support, x: Any) -> Any:
    off_one = np.abs(np.diagonal(x, axis1=-2, axis2=-1) - 1.0) > TOLERANCE
    return _outside_cov(support, x) | off_one.any(axis=-1)


def _outside_intervals(support: Support, x: Any) -> Any:
    return x[..., 0] > x[..., 1]


def _outside_counts(support: Support, x: Any) -> Any:
    return (x < 0.0).any(axis=-1) | (x != np.floor(x)).any(axis=-1) | (x.sum(axis=-1) != support.upper)


def _point_of_counts(support: Support, x: Any) -> Any:
    return np.asarray(support.upper)[..., None] * (np.arange(x.shape[-1]) == 0)


def _point_between_bounds(support: Support, x: Any) -> Any:
    if support.lower is None:
        return 0.0 if support.upper is None else support.upper - 1.0
    return support.lower + 1.0 if support.upper is None else 0.5 * (support.lower + support.upper)


def _point_of_integers(support: Support, x: Any) -> Any:
    if support.lower is not None:
        return support.lower
    return 0 if support.upper is None else support.upper


def _identity(support: Support, x: Any) -> Any:
    return np.eye(x.shape[-1])


class _Kind(NamedTuple):
    """What there is to know of one kind of support."""

    event_ndim: int
    excludes: Callable[[Support, Any], Any]  # (support, x) -> bool array of batch shape
    point: Callable[[Support, Any], Any]  # (support, x) -> a value inside, broadcasting against x


_KINDS = {
    "real": _Kind(0, _outside_bounds, _point_between_bounds),
    "integer": _Kind(0, _outside_integers, _point_of_integers),
    "simplex": _Kind(1, _outside_simplex, lambda support, x: 1.0 / x.shape[-1]),
    "ordered": _Kind(1, _outside_ordered, lambda support, x: np.arange(1.0, x.shape[-1] + 1)),
    "positive_ordered": _Kind(1, _outside_positive_ordered, lambda support, x: np.arange(1.0, x.shape[-1] + 1)),
    "unit_vector": _Kind(1, _outside_sphere, lambda support, x: x.shape[-1] ** -0.5),
    "intervals": _Kind(1, _outside_intervals, lambda support, x: np.array([-np.inf, np.inf])),
    "counts": _Kind(1, _outside_counts, _point_of_counts),
    "zero_sum": _Kind(1, _outside_zero_sum, lambda support, x: 0.0),
    "cholesky_corr": _Kind(2, _outside_cholesky_corr, _identity),
    "cholesky_cov": _Kind(2, _outside_cholesky_cov, _identity),
    "corr": _Kind(2, _outside_corr, _identity),
    "cov": _Kind(2, _outside_cov, _identity),
}

REAL = Support("real")
NONNEGATIVE = Support("real", lower=0.0)
POSITIVE = Support("real", lower=0.0, closed=(False, True))
UNIT_INTERVAL = Support("real", lower=0.0, upper=1.0)
NONNEGATIVE_INTEGER = Support("integer", lower=0)
POSITIVE_INTEGER = Support("integer", lower=1)
ZERO_OR_ONE = Support("integer", lower=0, upper=1)
SIMPLEX = Support("simplex")
INTERVALS = Support("intervals")
CHOLESKY_CORR = Support("cholesky_corr")
CHOLESKY_COV = Support("cholesky_cov")
CORR = Support("corr")
COV = Support("cov")
UNIT_VECTOR = Support("unit_vector")
ZERO_SUM = Support("zero_sum")

NAMED = {
    "positive": POSITIVE,
    "nonnegative": NONNEGATIVE,
    "unit_interval": UNIT_INTERVAL,
    "nonnegative_integer": NONNEGATIVE_INTEGER,
    "positive_integer": POSITIVE_INTEGER,
    "zero_or_one": ZERO_OR_ONE,
}
"""Sets with bounds that have a name."""
