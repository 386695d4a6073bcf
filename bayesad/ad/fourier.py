"""Fourier transforms of real arrays, with real and imaginary parts side by side: traced arrays are real.

Short transforms are products with a matrix of data. Longer ones are operations of their own, which take a table of
roots of one, data too: machine code has a kernel for them, but for lengths of large prime factors, which NumPy does.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.bodies import as_floats
from bayesad.ad.primitives.table import FLOAT, define

__all__ = ["has_small_factors", "irfft", "rfft"]

LONGEST_PRODUCTS = 64, 128  # a matrix of so many rows is read in about the time of the kernel, and of calling NumPy
GREATEST_FACTOR = 13  # of a length for the kernel, where a factor p costs p operations for each number


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
    n = _at_least_one("rfft", x.shape[-1])
    found = np.reshape(x @ _matrix(n), (*x.shape[:-1], n // 2 + 1, 2)) if _is_short(n) else _forward(x)
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
    n = _at_least_one("irfft", 2 * (parts.shape[-2] - 1) if n is None else int(n))
    if parts.shape[-2] != n // 2 + 1:
        raise ValueError(f"irfft: a result of length {n} has a transform of length {n // 2 + 1}, not {parts.shape[-2]}")
    if _is_short(n):
        found = np.reshape(parts, (*parts.shape[:-2], -1)) @ _inverse(n)
    else:
        found = _backward(parts, n)
    return np.moveaxis(found, -1, axis)


def has_small_factors(n: int) -> bool:
    """Whether a length is a product of primes that the kernel takes."""
    for p in range(2, GREATEST_FACTOR + 1):
        while n % p == 0:
            n //= p
    return n == 1


def _at_least_one(name: str, n: int) -> int:
    if n < 1:
        raise ValueError(f"{name}: the array needs at least one number along the axis, found a length of {n}")
    return n


def _is_short(n: int) -> bool:
    """Whether a transform is a product with a matrix."""
    return n <= LONGEST_PRODUCTS[not has_small_factors(n)]


@functools.cache
def _matrix(n: int) -> np.ndarray:
    """Of the transform: row i is that of the unit vector i, real and imaginary parts in turn."""
    return np.reshape(_rfft(np.eye(n)), (n, -1))


@functools.cache
def _inverse(n: int) -> np.ndarray:
    """Of the inverse transform."""
    parts = 2 * (n // 2 + 1)
    return _irfft(np.reshape(np.eye(parts), (parts, -1, 2)), n=n)


@functools.cache
def _roots(n: int) -> np.ndarray:
    """Cosines and sines of 2 pi i / n, a row each."""
    angles = np.arange(n) / n
    found = np.stack([np.cos(2.0 * np.pi * angles), np.sin(2.0 * np.pi * angles)])
    found.flags.writeable = False
    return found


def _forward(x: Any) -> Any:
    return bind(rfft_p, (x, _roots(x.shape[-1])))


def _backward(parts: Any, n: int) -> Any:
    return bind(irfft_p, (parts, _roots(n)), {"n": n})


def _rfft(x: Any, roots: Any = None) -> np.ndarray:
    found = np.fft.rfft(x)
    return np.stack([found.real, found.imag], axis=-1)


def _irfft(parts: Any, roots: Any = None, *, n: int) -> np.ndarray:
    return np.fft.irfft(parts[..., 0] + 1j * parts[..., 1], n)


def _weights(n: int) -> np.ndarray:
    """How often each frequency counts: those between the first and, of even lengths, the last stand for two."""
    weights = np.full((n // 2 + 1, 1), 2.0)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return weights


# Each is the transpose of the other, but for how often frequencies count.
def _rfft_vjp(g: Any, y: Any, x: Any, roots: Any) -> Any:
    n = x.shape[-1]
    return _backward(g / _weights(n), n) * float(n)


def _irfft_vjp(g: Any, y: Any, parts: Any, roots: Any, n: int) -> Any:
    return _forward(g) * (_weights(n) / n)


rfft_p = define(
    "rfft",
    _rfft,
    lambda x, roots: ((*x.shape[:-1], x.shape[-1] // 2 + 1, 2), FLOAT),
    vjp=(_rfft_vjp, None),
    jvp="multilinear",
)
irfft_p = define(
    "irfft",
    _irfft,
    lambda parts, roots, n: ((*parts.shape[:-2], n), FLOAT),
    vjp=(_irfft_vjp, None),
    jvp="multilinear",
)
