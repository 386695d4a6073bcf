"""Tails of laws as integrals without cancellation, by the tanh-sinh rule (Takahasi & Mori 1974)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.primitives.incomplete import FALL, POINTS, WEIGHTS

__all__ = ["skew_tail"]


def skew_tail(h: Any, a: Any) -> Any:
    """P(Y < -h) of a skew normal Y with slant `a`: 2 (T(h, inf) - T(h, a)) with Owen's function T.

    Owen's integral (Owen 1956, eq. 1.4) from a to infinity, over the angle from arctan(a) on, cut off where the
    integrand has fallen by exp(-45).

    Parameters
    ----------
    h, a : arrays
        Non-negative; they broadcast.

    Returns
    -------
    array
        Relative error below 1e-13 where the result is a normal float.
    """
    h, a = np.broadcast_arrays(np.asarray(h, dtype=np.float64), np.asarray(a, dtype=np.float64))
    with np.errstate(all="ignore"):
        square = 0.5 * h * h
        beyond = FALL / square
        reach = np.sqrt(a * a + beyond)
        angle = np.where(np.isfinite(reach), np.arctan2(beyond / (reach + a), 1.0 + a * reach), np.arctan2(1.0, a))
        tangent = np.tan(angle[..., None] * POINTS)
        slant = a[..., None]
        step = (1.0 + slant * slant) * tangent / (1.0 - slant * tangent)  # tan(arctan(a) + angle) - a
        fallen = np.exp(-square[..., None] * step * (step + 2.0 * slant))
        fallen = np.where((h == 0.0)[..., None], 1.0, fallen)
        return (np.exp(-square * (1.0 + a * a)) / np.pi * angle * np.sum(WEIGHTS * fallen, axis=-1))[()]
