"""Products of labelled arrays of pandas and xarray, which are data, with traced vectors and matrices.

Their other operations leave traced arrays to the traced meaning by themselves; these would refuse them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import asarray

__all__ = ["METHODS"]


def product(a: Any, x: Any) -> Any:
    """``a @ x`` of the values, without their labels."""
    return np.matmul(np.asarray(a), asarray(x))


METHODS: dict[str, Callable[..., Any]] = {"__matmul__": product, "dot": product}
