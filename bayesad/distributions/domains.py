"""What the parameters of laws may be: one table entry per domain, and the message when a value is outside it."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.distributions.supports import TOLERANCE
from bayesad.errors import DistributionError

__all__ = [
    "Above",
    "Below",
    "CholeskyFactor",
    "Count",
    "Domain",
    "Lower",
    "Matrix",
    "NonNegative",
    "NonNegativeVector",
    "OpenProbability",
    "OptionalPositive",
    "OptionalVector",
    "OrderedVector",
    "Positive",
    "PositiveVector",
    "Probability",
    "Real",
    "RealOrMatrix",
    "RealOrVector",
    "RealVector",
    "SimplexVector",
    "SquareMatrix",
    "StochasticMatrix",
    "Upper",
    "Whole",
    "as_float",
    "check_order",
    "check_size",
    "shown",
]

# What stands after "must be" in the message, and a test that gives one bool per element or event.
Check = tuple[str, Callable[[np.ndarray], Any]]


class Domain(NamedTuple):
    """The values that a parameter can take, and how many trailing axes one value has.

    Parameters
    ----------
    event_ndim : int
        Number of axes of one value: 0 for numbers, 1 for vectors, 2 for matrices.
    checks : tuple of (str, callable)
        Tested in turn on constant values; the first that fails is named in the error.
    optional : bool
        Whether None may be given.
    scalar : bool
        Whether a single number may stand for a vector or a matrix of equal ones.
    absent : float or None
        The constant that means the same as None: an infinite bound is no bound.
    square : bool
        Whether matrices must be square.
    """

    event_ndim: int
    checks: tuple[Check, ...]
    optional: bool = False
    scalar: bool = False
    absent: float | None = None
    square: bool = True

    def convert(self, law: str, name: str, value: Any) -> Any:
        """A parameter as a float64 array; of traced arrays only the shape is checked, None may pass unchanged.

        Raises
        ------
        DistributionError
            If `value` is not numeric or outside the domain; the message names law, parameter, value and place.
        """
        if value is None and self.optional:
            return None
        try:
            x = as_float(value)
        except (TypeError, ValueError):
            raise DistributionError(f"{law}: {name} must be a number or an array of numbers; got {value!r}.") from None
        if self.event_ndim and not self._has_events(x.shape):
            events = _EVENTS[self.event_ndim] if self.square else _MATRICES
            raise DistributionError(f"{law}: {name} must be {events}; got shape {x.shape}.")
        if ad.is_traced(x):
            return x
        if self.absent is not None and (x == self.absent).all():
            return None
        number = x[()]  # quicker to check, if it is one
        for description, holds in self.checks:
            passed = holds(number)
            if not (passed if x.ndim == 0 else passed.all()):
                index, at = _first_failure(np.asarray(passed))
                raise DistributionError(f"{law}: {name} must be {description}; got {shown(np.asarray(x[index]))}{at}.")
        fresh = isinstance(value, (int, float, list, tuple)) or not x.flags.writeable
        return x if fresh else x.copy()  # what the caller writes into it later must not reach the law

    def _has_events(self, shape: tuple[int, ...]) -> bool:
        event = shape[max(len(shape) - self.event_ndim, 0) :]
        if len(event) < self.event_ndim:
            return self.scalar and not event
        return 0 not in event and (not self.square or len(set(event)) <= 1)


_EVENTS = {
    1: "a vector, or an array of them on its last axis",
    2: "a square matrix, or an array of them on its last axes",
}
_MATRICES = "a matrix, or an array of them on its last axes"


def as_float(x: Any) -> Any:
    """`x` as a float64 array; traced arrays pass unchanged."""
    x = ad.asarray(x)
    if ad.is_traced(x):
        return x
    if x.dtype.kind not in "biuf":
        raise TypeError(f"real numbers are needed, not {x.dtype}")
    return x.astype(np.float64, copy=False)


def check_order(law: str, lower: Any, upper: Any, strict: bool = True) -> None:
    """Raise DistributionError unless every constant `lower` is below (or, if not strict, equal to) its `upper`."""
    if lower is None or upper is None or ad.is_traced(lower) or ad.is_traced(upper):
        return
    lower, upper = np.broadcast_arrays(lower, upper)
    holds = lower < upper if strict else lower <= upper
    if not holds.all():
        index, at = _first_failure(holds)
        words = "below" if strict else "at most"
        raise DistributionError(
            f"{law}: lower must be {words} upper; got lower {float(lower[index])} and upper {float(upper[index])}{at}."
        )


def check_size(law: str, K: Any, name: str = "K") -> None:
    """Raise DistributionError unless a number of rows or entries is a positive int."""
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or K < 1:
        raise DistributionError(f"{law}: {name} must be a positive int; got {K!r}.")


def shown(value: Any) -> str:
    """A value as it appears in messages: short, on one line."""
    if ad.is_traced(value):
        return f"<traced array of shape {value.shape}>"
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return repr(value.item())
        return " ".join(np.array2string(value, precision=6, threshold=12, separator=", ").split())
    return repr(value)


def _first_failure(holds: np.ndarray) -> tuple[tuple[int, ...], str]:
    """Where the first False is, as an index and in words."""
    index = tuple(int(i) for i in np.argwhere(~holds)[0])
    return index, f" (at index {list(index)})" if index else ""


def _symmetric(m: np.ndarray) -> Any:
    scale = np.abs(m).max(axis=(-2, -1))
    return np.abs(m - np.swapaxes(m, -1, -2)).max(axis=(-2, -1)) <= TOLERANCE * scale


def _positive_definite(m: np.ndarray) -> Any:
    try:
        np.linalg.cholesky(m)
        return np.ones(m.shape[:-2], dtype=bool)
    except np.linalg.LinAlgError:
        single = m.reshape(-1, *m.shape[-2:])
        return np.reshape([_has_cholesky(one) for one in single], m.shape[:-2])


def _has_cholesky(m: np.ndarray) -> bool:
    try:
        np.linalg.cholesky(m)
    except np.linalg.LinAlgError:
        return False
    return True


_FINITE: Check = ("finite", np.isfinite)
_NUMBER: Check = ("a number", lambda x: ~np.isnan(x))
_POSITIVE: Check = ("positive", lambda x: x > 0)
_NON_NEGATIVE: Check = ("non-negative", lambda x: x >= 0)
_WHOLE: Check = ("a whole number", lambda x: x == np.floor(x))
_PROBABILITY: Check = ("between 0 and 1", lambda x: (x >= 0) & (x <= 1))
_OPEN_PROBABILITY: Check = ("between 0 and 1, these excluded", lambda x: (x > 0) & (x < 1))
_SUM_1: Check = (f"a simplex (sum 1 within {TOLERANCE:g})", lambda x: np.abs(x.sum(axis=-1) - 1) <= TOLERANCE)
_ROWS_SUM_1: Check = (f"a matrix whose rows sum to 1 (within {TOLERANCE:g})", _SUM_1[1])
_SYMMETRIC: Check = ("symmetric", _symmetric)
_DEFINITE: Check = ("positive definite", _positive_definite)
_TRIANGULAR: Check = ("lower triangular", lambda m: (np.abs(np.triu(m, 1)) <= TOLERANCE).all(axis=(-2, -1)))
_INCREASING: Check = ("increasing", lambda x: (np.diff(x) > 0).all(axis=-1))
_DIAGONAL: Check = ("positive on its diagonal", lambda m: (np.diagonal(m, axis1=-2, axis2=-1) > 0).all(axis=-1))

# The annotations with which laws declare their parameters.
Real = Annotated[Any, Domain(0, (_FINITE,))]
Positive = Annotated[Any, Domain(0, (_FINITE, _POSITIVE))]
NonNegative = Annotated[Any, Domain(0, (_FINITE, _NON_NEGATIVE))]
Probability = Annotated[Any, Domain(0, (_PROBABILITY,))]
OpenProbability = Annotated[Any, Domain(0, (_OPEN_PROBABILITY,))]
Count = Annotated[Any, Domain(0, (_FINITE, _NON_NEGATIVE, _WHOLE))]
Lower = Annotated[Any, Domain(0, (_FINITE,), optional=True, absent=-np.inf)]
Upper = Annotated[Any, Domain(0, (_FINITE,), optional=True, absent=np.inf)]
Whole = Annotated[Any, Domain(0, (_FINITE, _WHOLE))]
Below = Annotated[Any, Domain(0, (_NUMBER,), optional=True, absent=-np.inf)]
Above = Annotated[Any, Domain(0, (_NUMBER,), optional=True, absent=np.inf)]
RealVector = Annotated[Any, Domain(1, (_FINITE,))]
RealOrVector = Annotated[Any, Domain(1, (_FINITE,), scalar=True)]
NonNegativeVector = Annotated[Any, Domain(1, (_FINITE, _NON_NEGATIVE))]
PositiveVector = Annotated[Any, Domain(1, (_FINITE, _POSITIVE))]
OrderedVector = Annotated[Any, Domain(1, (_FINITE, _INCREASING))]
SimplexVector = Annotated[Any, Domain(1, (_NON_NEGATIVE, _SUM_1))]
StochasticMatrix = Annotated[Any, Domain(2, (_NON_NEGATIVE, _ROWS_SUM_1))]
Matrix = Annotated[Any, Domain(2, (_FINITE, _SYMMETRIC, _DEFINITE), optional=True)]
CholeskyFactor = Annotated[Any, Domain(2, (_FINITE, _TRIANGULAR, _DIAGONAL), optional=True)]
OptionalPositive = Annotated[Any, Domain(0, (_FINITE, _POSITIVE), optional=True)]
OptionalVector = Annotated[Any, Domain(1, (_FINITE,), optional=True)]
RealOrMatrix = Annotated[Any, Domain(2, (_FINITE,), scalar=True, square=False)]
SquareMatrix = Annotated[Any, Domain(2, (_FINITE,))]
