"""Kernels: covariance functions of points, composed by sums, products and scaling (Rasmussen & Williams 2006, ch. 4).

A kernel is called on points, ``kernel(X)`` for their covariance matrix or ``kernel(X, Y)`` for that of two sets. Points
are numbers, shape (n,), or vectors, shape (n, d). Hyperparameters are numbers or arrays, traced ones too.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bayesad import ad
from bayesad.ad.functions.linalg import safe_root
from bayesad.errors import DistributionError

__all__ = [
    "Constant",
    "ExpQuad",
    "Kernel",
    "Linear",
    "Matern12",
    "Matern32",
    "Matern52",
    "Periodic",
    "RationalQuadratic",
    "WhiteNoise",
    "points",
]


def points(X: Any) -> Any:
    """Points as an array of shape (n, d).

    Raises
    ------
    DistributionError
        For another number of axes.
    """
    X = ad.asarray(X)
    if X.ndim not in (1, 2):
        raise DistributionError(f"gp: points have shape (n,) or (n, d), not {X.shape}.")
    return X[:, None] if X.ndim == 1 else X


def _number(kernel: str, name: str, x: Any) -> Any:
    """A hyperparameter as an array of shape (); DistributionError for another shape."""
    x = ad.asarray(x)
    if x.ndim:
        raise DistributionError(f"gp: {name} of {kernel} is one number; got shape {x.shape}.")
    return x


class Kernel(ABC):
    """A covariance function; immutable."""

    __array_ufunc__ = None  # NumPy's arrays and numbers leave + and * to the kernel

    @abstractmethod
    def __call__(self, X: Any, Y: Any = None) -> Any:
        """The covariances of the points X with the points Y (or with each other).

        Parameters
        ----------
        X : array, shape (n,) or (n, d)
        Y : array, shape (m,) or (m, d), optional

        Returns
        -------
        array, shape (n, n) or (n, m)
        """

    @abstractmethod
    def diagonal(self, X: Any) -> Any:
        """The variances at the points, shape (n,)."""

    def spectral_density(self, omega: Any) -> Any:
        """The Fourier transform of a stationary kernel at angular frequencies.

        Parameters
        ----------
        omega : array, shape (m,) or (m, d)

        Returns
        -------
        array, shape (m,)

        Raises
        ------
        DistributionError
            If the kernel has none here.
        """
        raise DistributionError(f"gp: {type(self).__name__} has no spectral density.")

    def __add__(self, other: Any) -> "Kernel":
        return _Sum(self, _kernel(other))

    def __radd__(self, other: Any) -> "Kernel":
        return _Sum(_kernel(other), self)

    def __mul__(self, other: Any) -> "Kernel":
        return _Product(self, _kernel(other))

    def __rmul__(self, other: Any) -> "Kernel":
        return _Product(_kernel(other), self)


def _kernel(x: Any) -> Kernel:
    return x if isinstance(x, Kernel) else Constant(x)


@dataclass(frozen=True, eq=False)
class _Sum(Kernel):
    first: Kernel
    second: Kernel

    def __call__(self, X: Any, Y: Any = None) -> Any:
        return self.first(X, Y) + self.second(X, Y)

    def diagonal(self, X: Any) -> Any:
        return self.first.diagonal(X) + self.second.diagonal(X)

    def spectral_density(self, omega: Any) -> Any:
        return self.first.spectral_density(omega) + self.second.spectral_density(omega)


@dataclass(frozen=True, eq=False)
class _Product(Kernel):
    first: Kernel
    second: Kernel

    def __call__(self, X: Any, Y: Any = None) -> Any:
        return self.first(X, Y) * self.second(X, Y)

    def diagonal(self, X: Any) -> Any:
        return self.first.diagonal(X) * self.second.diagonal(X)

    def spectral_density(self, omega: Any) -> Any:
        for factor, other in ((self.first, self.second), (self.second, self.first)):
            if isinstance(factor, Constant):
                return factor.value * other.spectral_density(omega)
        return super().spectral_density(omega)


@dataclass(frozen=True, eq=False)
class Constant(Kernel):
    """The same covariance for all points: a random constant, or the scale of a product.

    Parameters
    ----------
    value : array, shape ()
        A variance.
    """

    value: Any

    def __call__(self, X: Any, Y: Any = None) -> Any:
        n, m = len(points(X)), len(points(X if Y is None else Y))
        return np.broadcast_to(_number("Constant", "value", self.value), (n, m))

    def diagonal(self, X: Any) -> Any:
        return np.broadcast_to(_number("Constant", "value", self.value), (len(points(X)),))


@dataclass(frozen=True, eq=False)
class WhiteNoise(Kernel):
    """Independent noise at every point: sigma² for a point with itself, 0 with all others, equal ones too.

    Parameters
    ----------
    sigma : array, shape ()
        A standard deviation.
    """

    sigma: Any

    def __call__(self, X: Any, Y: Any = None) -> Any:
        n = len(points(X))
        return _number("WhiteNoise", "sigma", self.sigma) ** 2 * (
            np.eye(n) if Y is None else np.zeros((n, len(points(Y))))
        )

    def diagonal(self, X: Any) -> Any:
        return np.broadcast_to(_number("WhiteNoise", "sigma", self.sigma) ** 2, (len(points(X)),))


class _OnPoints(Kernel):
    """What kernels have in common that look at the points, at all their columns or at `active_dims` of them."""

    active_dims: Any

    def _columns(self, X: Any) -> Any:
        X = points(X)
        if self.active_dims is None:
            return X
        return X[:, [self.active_dims] if isinstance(self.active_dims, (int, np.integer)) else list(self.active_dims)]

    def _pair(self, X: Any, Y: Any) -> tuple[Any, Any]:
        x = self._columns(X)
        y = x if Y is None else self._columns(Y)
        if x.shape[1] != y.shape[1]:
            raise DistributionError(f"gp: the points have {x.shape[1]} and {y.shape[1]} columns; they must agree.")
        return x, y


def _squares(x: Any, y: Any, weights: Any) -> Any:
    """Σ_k weights_k (x_ik − y_jk)², or without the sum's weights for one weight: data stay data."""
    squares = [(x[:, None, k] - y[None, :, k]) ** 2 for k in range(x.shape[1])]
    if weights.ndim == 0:
        return weights * sum(squares)
    return sum(weights[k] * square for k, square in enumerate(squares))


@dataclass(frozen=True, eq=False)
class _Stationary(_OnPoints):
    """What kernels have in common that depend on the scaled distance.

    Parameters
    ----------
    length_scale : array, shape () or (d,)
        One for all columns, or one for each.
    active_dims : int or sequence of int, optional
        The columns that count; all of them by default.
    """

    length_scale: Any = 1.0
    active_dims: Any = None

    def __call__(self, X: Any, Y: Any = None) -> Any:
        x, y = self._pair(X, Y)
        length = self._lengths(x.shape[1])
        if length.ndim == 0:
            return self._correlation(safe_root(_squares(x, y, np.float64(1.0))) / length)
        return self._correlation(safe_root(_squares(x, y, 1.0 / length**2)))

    def diagonal(self, X: Any) -> Any:
        return np.ones(len(points(X)))

    def spectral_density(self, omega: Any) -> Any:
        omega = points(omega)
        d = omega.shape[1]
        if self.active_dims is not None:
            raise DistributionError("gp: a kernel of some columns has no spectral density in all of them.")
        length = np.broadcast_to(self._lengths(d), (d,))
        return np.prod(length) * self._spectrum(np.sum((length * omega) ** 2, axis=1), d)

    def _lengths(self, d: int) -> Any:
        length = ad.asarray(self.length_scale)
        if length.ndim > 1 or (length.ndim == 1 and length.shape != (d,)):
            raise DistributionError(
                f"gp: length_scale is a number or one for each of the {d} columns; got shape {length.shape}."
            )
        return length

    @abstractmethod
    def _correlation(self, r: Any) -> Any:
        """The correlation at distance r, in length scales."""

    def _spectrum(self, square: Any, d: int) -> Any:
        """The spectral density in d dimensions for length scale 1, of the squared frequency."""
        raise DistributionError(f"gp: {type(self).__name__} has no spectral density here.")


class ExpQuad(_Stationary):
    """Exponentiated quadratic: exp(−r²/2), r the distance over the length scale (Stan: gp_exp_quad_cov)."""

    def __call__(self, X: Any, Y: Any = None) -> Any:
        x, y = self._pair(X, Y)
        return np.exp(_squares(x, y, -0.5 / self._lengths(x.shape[1]) ** 2))

    def _correlation(self, r: Any) -> Any:
        return np.exp(-0.5 * r**2)

    def _spectrum(self, square: Any, d: int) -> Any:
        return (2.0 * math.pi) ** (0.5 * d) * np.exp(-0.5 * square)


class _Matern(_Stationary):
    """Smoothness nu = p + 1/2; the spectral density is Rasmussen & Williams' (4.15) at angular frequencies."""

    nu: ClassVar[float]

    def _spectrum(self, square: Any, d: int) -> Any:
        nu, power = self.nu, self.nu + 0.5 * d
        constant = 2.0**d * math.pi ** (0.5 * d) * math.gamma(power) / math.gamma(nu) * (2.0 * nu) ** nu
        return constant * (2.0 * nu + square) ** -power


class Matern12(_Matern):
    """Matérn of smoothness 1/2: exp(−r), that of the Ornstein-Uhlenbeck process (Stan: gp_exponential_cov)."""

    nu = 0.5

    def _correlation(self, r: Any) -> Any:
        return np.exp(-r)


class Matern32(_Matern):
    """Matérn of smoothness 3/2: (1 + a) exp(−a), a = sqrt(3) r (Stan: gp_matern32_cov)."""

    nu = 1.5

    def _correlation(self, r: Any) -> Any:
        a = math.sqrt(3.0) * r
        return (1.0 + a) * np.exp(-a)


class Matern52(_Matern):
    """Matérn of smoothness 5/2: (1 + a + a²/3) exp(−a), a = sqrt(5) r (Stan: gp_matern52_cov)."""

    nu = 2.5

    def _correlation(self, r: Any) -> Any:
        a = math.sqrt(5.0) * r
        return (1.0 + a + a**2 / 3.0) * np.exp(-a)


@dataclass(frozen=True, eq=False)
class RationalQuadratic(_Stationary):
    """Rational quadratic: (1 + r²/(2 alpha))^(−alpha), a mixture of exponentiated quadratics over length scales."""

    alpha: Any = 1.0

    def _correlation(self, r: Any) -> Any:
        alpha = _number("RationalQuadratic", "alpha", self.alpha)
        return np.exp(-alpha * np.log1p(r**2 / (2.0 * alpha)))


@dataclass(frozen=True, eq=False)
class Periodic(_OnPoints):
    """Periodic: exp(−2 Σ_k sin²(pi |x_k − y_k| / period) / length_scale²) (MacKay 1998; Stan: gp_periodic_cov).

    Parameters
    ----------
    period : array, shape ()
    length_scale : array, shape ()
        Relative to the period: below 1 wiggly within it.
    active_dims : int or sequence of int, optional
        The columns that count; all of them by default.
    """

    period: Any
    length_scale: Any = 1.0
    active_dims: Any = None

    def __call__(self, X: Any, Y: Any = None) -> Any:
        x, y = self._pair(X, Y)
        period, length = (_number("Periodic", name, getattr(self, name)) for name in ("period", "length_scale"))
        squares = [np.sin(np.pi * (x[:, None, k] - y[None, :, k]) / period) ** 2 for k in range(x.shape[1])]
        return np.exp(-2.0 * sum(squares) / length**2)

    def diagonal(self, X: Any) -> Any:
        return np.ones(len(points(X)))


@dataclass(frozen=True, eq=False)
class Linear(_OnPoints):
    """Linear: Σ_k (x_k − center)(y_k − center), that of a line through 0 at the centre with standard normal slopes.

    Parameters
    ----------
    center : array, shape () or (d,)
    active_dims : int or sequence of int, optional
        The columns that count; all of them by default.
    """

    center: Any = 0.0
    active_dims: Any = None

    def __call__(self, X: Any, Y: Any = None) -> Any:
        x, y = self._pair(X, Y)
        return np.matmul(x - self.center, np.transpose(y - self.center))

    def diagonal(self, X: Any) -> Any:
        return np.sum((self._columns(X) - self.center) ** 2, axis=1)
