"""Gaussian processes as linear models in few basis functions, for many points.

>>> import numpy as np
>>> from bayesad.gp import ExpQuad, HilbertBasis
>>> basis = HilbertBasis(np.linspace(0, 10, 1000), m=30)
>>> basis.function(ExpQuad(1.5), np.zeros(30)).shape  # in a model: coefficients with a standard normal prior
(1000,)
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.array import value_of
from bayesad.distributions.lazy import special
from bayesad.errors import DistributionError
from bayesad.gp.kernels import Kernel, points

__all__ = ["HilbertBasis", "PeriodicBasis"]

# Variances of coefficients that underflow count as this one, so that the derivative of their root is finite.
_LEAST = 1e-300


def _root(variance: Any) -> Any:
    return np.sqrt(np.maximum(variance, _LEAST))


def _data(X: Any) -> np.ndarray:
    if ad.is_traced(X):
        raise DistributionError("gp: the points of a basis are data; these depend on parameters.")
    return value_of(points(X))


class HilbertBasis:
    """Eigenfunctions of the Laplacian on a box around the points (Solin & Särkkä 2020; Riutort-Mayol et al. 2023).

    A process with a stationary kernel is approximately a sum over them with independent normal coefficients, whose
    variances are the kernel's spectral density at the roots of the eigenvalues. That costs O(n M) instead of O(n³).

    Parameters
    ----------
    X : array, shape (n,) or (n, d)
        The points: data.
    m : int or sequence of int
        Number of functions for each column; there are M = m^d in all.
    factor : float or sequence of float
        Half the width of the box over half the range of the points. With r the length scale over half the range, it
        should be at least 1.2 and 3.2 r (ExpQuad), 4.1 r (Matern52) or 4.5 r (Matern32), and m at least 1.75, 2.65 or
        3.42 times factor / r (Riutort-Mayol et al. 2023, section 4.2).
    bounds : array, shape (2,) or (d, 2), optional
        The range to use instead of that of the points, for predictions beyond them.

    Attributes
    ----------
    values : array, shape (n, M)
        The functions at the points.
    frequencies : array, shape (M, d)
        Roots of the eigenvalues.
    """

    def __init__(
        self, X: Any, m: int | Sequence[int], factor: float | Sequence[float] = 1.5, bounds: Any = None
    ) -> None:
        x = _data(X)
        d = x.shape[1]
        ends = np.stack([x.min(axis=0), x.max(axis=0)], axis=1) if bounds is None else np.reshape(bounds, (-1, 2))
        factors, sizes = np.broadcast_to(factor, (d,)), [int(k) for k in np.broadcast_to(m, (d,))]
        if len(ends) != d or (ends[:, 0] >= ends[:, 1]).any() or (factors < 1.0).any() or min(sizes) < 1:
            raise DistributionError(
                f"HilbertBasis: needs m of at least 1, a factor of at least 1 and a range with some width for each of "
                f"the {d} columns; got m={m}, factor={factor} and the ranges {ends.tolist()}."
            )
        self._center = value_of(ends.mean(axis=1))
        self._half_width = value_of(factors * 0.5 * (ends[:, 1] - ends[:, 0]))
        numbers = np.array(list(itertools.product(*[range(1, k + 1) for k in sizes])), dtype=np.float64)
        self.frequencies = value_of(0.5 * np.pi * numbers / self._half_width)
        self.values = self.at(X)

    def at(self, X: Any) -> np.ndarray:
        """The functions at other points, shape (n, M); 0 on the boundary of the box and meaningless beyond."""
        x = _data(X) - self._center + self._half_width
        waves = [np.sin(x[:, k, None] * self.frequencies[:, k]) / np.sqrt(w) for k, w in enumerate(self._half_width)]
        return value_of(np.prod(waves, axis=0))

    def weights(self, kernel: Kernel) -> Any:
        """Standard deviations of the coefficients, shape (M,)."""
        return _root(kernel.spectral_density(self.frequencies))

    def function(self, kernel: Kernel, coefficients: Any, X: Any = None) -> Any:
        """The function with these coefficients.

        Parameters
        ----------
        kernel : Kernel
            With a spectral density: ExpQuad, Matérn, and sums and multiples of them.
        coefficients : array, shape (M,)
            With a standard normal prior.
        X : array, optional
            Other points than those of the basis.

        Returns
        -------
        array, shape (n,)
        """
        return np.matmul(self.values if X is None else self.at(X), self.weights(kernel) * coefficients)


class PeriodicBasis:
    """Cosines and sines, for processes with a `Periodic` kernel (Solin & Särkkä 2014, section 3.4).

    Parameters
    ----------
    X : array, shape (n,)
        The points: data.
    m : int
        Number of harmonics; there are M = 2 m + 1 functions.
    period : float

    Attributes
    ----------
    values : array, shape (n, M)
        cos(0), …, cos(m a), sin(a), …, sin(m a) of the phase a of the points.
    """

    def __init__(self, X: Any, m: int, period: float) -> None:
        self.m, self.period = int(m), float(period)
        self.values = self.at(X)

    def at(self, X: Any) -> np.ndarray:
        """The functions at other points, shape (n, M)."""
        x = _data(X)
        if x.shape[1] != 1:
            raise DistributionError(f"PeriodicBasis: points are numbers; got {x.shape[1]} columns.")
        phase = 2.0 * np.pi / self.period * x * np.arange(self.m + 1)
        return value_of(np.concatenate([np.cos(phase), np.sin(phase[:, 1:])], axis=1))

    def weights(self, length_scale: Any) -> Any:
        """Standard deviations of the coefficients, shape (M,): exp(a cos t) = I_0(a) + 2 Σ I_j(a) cos(j t)."""
        order = np.arange(self.m + 1.0)
        variance = special.ive(order, 1.0 / length_scale**2) * np.where(order == 0, 1.0, 2.0)
        sd = _root(variance)
        return np.concatenate([sd, sd[1:]])

    def function(self, length_scale: Any, coefficients: Any, X: Any = None) -> Any:
        """The function with these coefficients, of standard normal prior, for ``Periodic(period, length_scale)``.

        Parameters
        ----------
        length_scale : array, shape ()
        coefficients : array, shape (M,)
        X : array, optional
            Other points than those of the basis.

        Returns
        -------
        array, shape (n,)
        """
        return np.matmul(self.values if X is None else self.at(X), self.weights(length_scale) * coefficients)
