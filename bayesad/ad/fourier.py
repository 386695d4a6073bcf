"""Fourier transforms of real arrays, with real and imaginary parts side by side: traced arrays are real.

Short transforms are products with a matrix of data, which machine code does itself; longer ones are left to NumPy.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.bodies import as_floats
from bayesad.ad.primitives.table import FLOAT, define

__all__ = ["irfft", "rfft"]

LONGEST_PRODUCT = 128  # a matrix of so many rows is read in about the time that calling NumPy takes


def rfft(x: Any, axis: int = -1) -> tuple[Any, Any]:
    """The discrete Fourier transform of a real array, as `numpy.fft.rfft`: its real and its imaginary part.

    Parameters
    ----------
    x : array, n long along the axis
    axis : int

    Returns
    -------
    real, imaginary : arrays, n // 2 + 1 long along the axis

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> def power(x):
    ...     real, imaginary = ad.rfft(x)
    ...     return np.sum(real**2 + imaginary**2)
    >>> ad.gradient(power, np.array([1.0, 0.0, 0.0, 0.0]))
    array([6., 0., 2., 0.])
    """
    x = np.moveaxis(as_floats(x), axis, -1)
    n = x.shape[-1]
    found = np.reshape(x @ _matrix(n), (*x.shape[:-1], n // 2 + 1, 2)) if n <= LONGEST_PRODUCT else bind(rfft_p, (x,))
    return np.moveaxis(found[..., 0], -1, axis), np.moveaxis(found[..., 1], -1, axis)


def irfft(real: Any, imaginary: Any, n: int | None = None, axis: int = -1) -> Any:
    """The real array that has a Fourier transform, as `numpy.fft.irfft`: the inverse of `rfft`.

    Parameters
    ----------
    real, imaginary : arrays, n // 2 + 1 long along the axis
    n : int, optional
        The length of the result; by default it is even.
    axis : int

    Returns
    -------
    array, n long along the axis
    """
    parts = np.stack([np.moveaxis(as_floats(part), axis, -1) for part in (real, imaginary)], axis=-1)
    n = 2 * (parts.shape[-2] - 1) if n is None else int(n)
    if parts.shape[-2] != n // 2 + 1:
        raise ValueError(f"irfft: a result of length {n} has a transform of length {n // 2 + 1}, not {parts.shape[-2]}")
    if n <= LONGEST_PRODUCT:
        found = np.reshape(parts, (*parts.shape[:-2], -1)) @ _inverse(n)
    else:
        found = bind(irfft_p, (parts,), {"n": n})
    return np.moveaxis(found, -1, axis)


@functools.cache
def _matrix(n: int) -> np.ndarray:
    """Of the transform: row i is that of the unit vector i, real and imaginary parts in turn."""
    return np.reshape(_rfft(np.eye(n)), (n, -1))


@functools.cache
def _inverse(n: int) -> np.ndarray:
    """Of the inverse transform."""
    parts = 2 * (n // 2 + 1)
    return _irfft(np.reshape(np.eye(parts), (parts, -1, 2)), n)


def _rfft(x: Any) -> np.ndarray:
    found = np.fft.rfft(x)
    return np.stack([found.real, found.imag], axis=-1)


def _irfft(parts: Any, n: int) -> np.ndarray:
    return np.fft.irfft(parts[..., 0] + 1j * parts[..., 1], n)


def _weights(n: int) -> np.ndarray:
    """How often each frequency counts: those between the first and, of even lengths, the last stand for two."""
    weights = np.full((n // 2 + 1, 1), 2.0)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return weights


# Each is the transpose of the other, but for how often frequencies count.
def _rfft_vjp(g: Any, y: Any, x: Any) -> Any:
    n = x.shape[-1]
    return bind(irfft_p, (g / _weights(n),), {"n": n}) * float(n)


def _irfft_vjp(g: Any, y: Any, parts: Any, n: int) -> Any:
    return bind(rfft_p, (g,)) * (_weights(n) / n)


rfft_p = define(
    "rfft", _rfft, lambda x: ((*x.shape[:-1], x.shape[-1] // 2 + 1, 2), FLOAT), vjp=(_rfft_vjp,), jvp="multilinear"
)
irfft_p = define(
    "irfft", _irfft, lambda parts, n: ((*parts.shape[:-2], n), FLOAT), vjp=(_irfft_vjp,), jvp="multilinear"
)
