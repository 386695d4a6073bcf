"""Checking gradients against complex steps and differences of the function's values."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.operators import value_and_gradient

__all__ = ["Check", "check"]

COMPLEX_STEP = 1e-100
UNSETTLED = 0.01  # uncertainty of a difference, relative to the larger of it and 1


@dataclass(frozen=True)
class Check:
    """What `check` found; true where the gradient agrees with the reference.

    Attributes
    ----------
    ok : bool
    entry : str
        Where the disagreement is worst, such as ``x['w'][3]``.
    gradient, difference : float
        The two derivatives there.
    uncertainty : float
        Of the difference, from the last step of its extrapolation; of a complex step, its rounding.
    n, n_wrong : int
        Number of entries compared, and of those that disagree.
    n_complex : int
        Number of those that were compared with a complex step.
    value : float
        Of the function.
    """

    ok: bool
    entry: str
    gradient: float
    difference: float
    uncertainty: float
    n: int
    n_wrong: int = 0
    n_complex: int = 0
    value: float = 0.0

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.n == 0:
            return "There is nothing to compare: the argument holds no numbers."
        if not np.isfinite(self.value):
            return f"The function is {self.value} here: there is no derivative to compare."
        verdict = "agrees with" if self.ok else "DIFFERS from"
        where = f"{self.n} entries" if self.ok else f"{self.n_wrong} of {self.n} entries"
        references = ["complex steps"] * (self.n_complex > 0) + ["central differences"] * (self.n_complex < self.n)
        return (
            f"The gradient {verdict} {' and '.join(references)} in {where}. Worst at {self.entry}: gradient "
            f"{self.gradient:.12g}, reference {self.difference:.12g} ± {self.uncertainty:.1g}."
            + (" The differences do not settle: the function jumps or is noisy there." if self._is_unsettled else "")
        )

    @property
    def _is_unsettled(self) -> bool:
        return self.uncertainty > _most_uncertain(self.difference)


def _most_uncertain(difference: float) -> float:
    """Beyond which a difference says nothing about the derivative."""
    return UNSETTLED * max(1.0, abs(difference))


def check(f: Callable[..., Any], x: Any, tolerance: float = 1e-6) -> Check:
    """Compare ``ad.gradient(f, x)`` with derivatives from values of ``f`` on plain arrays.

    Central differences are extrapolated to step 0 (Ridders 1982), which gives their uncertainty too. A complex step
    (Squire & Trapp 1998) takes their place where it agrees with them: it is exact to rounding, but silently wrong at
    ``abs``, branches and whatever else is not analytic.

    Parameters
    ----------
    f : callable
        A scalar function of a tree of arrays.
    x : tree of arrays or floats
    tolerance : float
        Largest disagreement, relative to the larger of 1 and the derivative, beyond the uncertainty of the difference;
        a difference that is uncertain by a hundredth of that disagrees, too.

    Returns
    -------
    Check
        ``bool(check)`` says whether all is well, ``str(check)`` says it in words.
    """
    value, gradient = value_and_gradient(f, x)
    leaves, rebuild, _ = trees.flatten(x)
    leaves = [np.array(leaf, dtype=np.float64) for leaf in leaves]
    paths = [path for path, _ in trees.leaves_with_paths(x)]
    worst, found, n, n_wrong, n_complex = -1.0, Check(True, "", 0.0, 0.0, 0.0, 0), 0, 0, 0
    for i, (path, leaf, slopes) in enumerate(zip(paths, leaves, trees.flatten(gradient)[0], strict=True)):
        for position in np.ndindex(leaf.shape):

            def moved(step: complex, i: int = i, leaf: Any = leaf, position: Any = position) -> Any:
                other = leaf.astype(np.result_type(leaf, step))
                other[position] += step
                given = [*leaves[:i], other, *leaves[i + 1 :]]
                with np.errstate(all="ignore"):
                    return f(rebuild(iter([a[()] if a.ndim == 0 else a.copy() for a in given])))

            difference, uncertainty = _extrapolated(moved, 0.01 * max(1.0, abs(float(leaf[position]))))
            exact = _complex_step(moved)
            if abs(exact - difference) <= 10.0 * uncertainty + 1e-6 * max(1.0, abs(difference)):
                difference, uncertainty = exact, float(np.spacing(abs(exact)))
                n_complex += 1
            slope = float(np.asarray(slopes)[position])
            gap = abs(slope - difference)
            excess = gap / (tolerance * max(1.0, abs(slope)) + 2.0 * uncertainty)
            if uncertainty > _most_uncertain(difference):
                excess = np.inf
            n += 1
            n_wrong += not excess <= 1.0
            if not excess <= worst:  # NaN counts as worst
                worst = np.inf if np.isnan(excess) else excess
                entry = path + (f"[{', '.join(map(str, position))}]" if position else "")
                found = Check(bool(excess <= 1.0), entry, slope, difference, uncertainty, 0)
    return replace(found, n=n, n_wrong=n_wrong, n_complex=n_complex, value=float(value))


def _complex_step(f: Callable[[complex], Any]) -> float:
    """The derivative of f at 0 from the imaginary part of one value; NaN where f does not take complex numbers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an imaginary part was discarded
            return float(np.imag(f(COMPLEX_STEP * 1j)) / COMPLEX_STEP)
    except Exception:
        return np.nan


def _extrapolated(f: Callable[[complex], Any], step: float) -> tuple[float, float]:
    """Central difference of f at 0 extrapolated to step 0, and its uncertainty: Neville's scheme (Ridders 1982)."""
    best, uncertainty = np.nan, np.inf
    previous: list[float] = []
    for _ in range(8):
        row = [(float(f(step)) - float(f(-step))) / (2.0 * step)]
        for k, coarse in enumerate(previous):
            factor = 2.0 ** (2 * (k + 1))
            row.append(row[k] + (row[k] - coarse) / (factor - 1.0))
            gap = max(abs(row[k + 1] - row[k]), abs(row[k + 1] - coarse))
            if gap < uncertainty:
                best, uncertainty = row[k + 1], gap
        previous = row
        step *= 0.5
    return (best, uncertainty) if np.isfinite(best) else (np.nan, 0.0)
