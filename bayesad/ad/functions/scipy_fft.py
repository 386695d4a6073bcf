"""Cosine and sine transforms of SciPy on traced arrays: products with the matrix that such a transform is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import asarray
from bayesad.errors import TracingError

__all__ = ["FUNCTIONS"]

LONGEST = 2048  # a longer transform's matrix is larger than 32 MB


def _transform(name: str) -> Callable[..., Any]:
    def traced(
        x: Any,
        type: int = 2,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        x = np.moveaxis(asarray(x), axis, -1)
        length = x.shape[-1]
        if n not in (None, length):
            raise TracingError(f"scipy.fft.{name} of unknowns takes no n=; cut or pad them to that length before")
        if length > LONGEST:
            raise TracingError(
                f"scipy.fft.{name} of unknowns is for up to {LONGEST} numbers, not {length}; use ad.rfft"
            )
        return np.moveaxis(x @ _matrix(name, length, type, norm, orthogonalize), -1, axis)

    return traced


@functools.lru_cache(maxsize=32)
def _matrix(name: str, n: int, type: int, norm: str | None, orthogonalize: bool | None) -> np.ndarray:
    """Row i: the transform of the unit vector i."""
    import scipy.fft

    matrix = getattr(scipy.fft, name)(np.eye(n), type=type, norm=norm, orthogonalize=orthogonalize)
    matrix.flags.writeable = False
    return matrix


FUNCTIONS: dict[str, Callable[..., Any]] = {name: _transform(name) for name in ("dct", "idct", "dst", "idst")}
