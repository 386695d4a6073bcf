"""Distribution functions of counts without a closed form, as sums of a few hundred terms at most, in log space.

They are plain NumPy on a further axis of nodes, so they are differentiated like any other formula, as often as wanted.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution

__all__ = ["EXACT", "FromOneTail", "gamma_median", "log_partial_sum", "skellam_log_tail"]


class FromOneTail(Distribution):
    """Laws that give, at every value, the logarithm of one of their tails; the other one is its complement."""

    @abstractmethod
    def _log_tail(self, x: Any) -> tuple[Any, Any]:
        """Whether it is the upper tail, and log P(X > x) there, else log P(X <= x); best the smaller of the two."""

    def _cdf(self, x: Any) -> Any:
        upper, log_p = self._log_tail(x)
        return np.where(upper, -np.expm1(log_p), np.exp(log_p))

    def _sf(self, x: Any) -> Any:
        upper, log_p = self._log_tail(x)
        return np.where(upper, np.exp(log_p), -np.expm1(log_p))

    def _log_cdf(self, x: Any) -> Any:
        upper, log_p = self._log_tail(x)
        return np.where(upper, _log_complement(log_p), log_p)

    def _log_sf(self, x: Any) -> Any:
        upper, log_p = self._log_tail(x)
        return np.where(upper, log_p, _log_complement(log_p))


def _log_complement(log_p: Any) -> Any:
    """log(1 - p) from log(p); with derivative 0 where p is 0, or 1 but for rounding."""
    inside = (log_p > -745.0) & (log_p < 0.0)
    return np.where(inside, np.log1p(-np.exp(np.where(inside, log_p, -1.0))), np.where(log_p < 0.0, 0.0, -np.inf))


# --- the difference of two Poisson numbers

HALF_NODES = 40
TRAPEZOID = np.array([0.5, *[1.0] * (HALF_NODES - 1), 0.5]) / (HALF_NODES * np.pi)


def skellam_log_tail(x: Any, mu1: Any, mu2: Any) -> Any:
    """log P(N1 - N2 <= x) for x below the mean, N1 and N2 having Poisson laws of means `mu1` and `mu2`.

    The probability is the integral of exp(K(z) - x z)/(1 - exp(z))/(2 pi i) over z = s + i phi, phi from -pi to pi,
    for any s < 0, with the cumulant generating function K. On the line through the saddle point (Lugannani & Rice
    1980), moved left where the pole at 0 is near, the integrand is a hump without cancellation, on which the
    trapezoidal rule converges geometrically.

    Parameters
    ----------
    x, mu1, mu2 : arrays
        They broadcast; x holds whole numbers; below -1e18 the probability is taken as 0.
    """
    beyond, x = x < -1e18, np.clip(x, -1e18, 1e18)
    spread = np.hypot(x, 2.0 * np.sqrt(mu1) * np.sqrt(mu2))  # the second derivative of K at the saddle point
    larger = 0.5 * (spread + np.abs(x))
    smaller = mu1 * mu2 / larger
    up, down = (np.where(x < 0.0, *pair) for pair in ((smaller, larger), (larger, smaller)))  # mu1 e^s, mu2 e^-s there
    saddle = np.where(x < 0.0, np.log(mu2 / larger), np.log(larger / mu1))
    angle = 2.0 * np.arcsin(np.sqrt(np.minimum(30.0 / np.maximum(spread, 30.0), 0.99)))
    reach = ad.stop_gradient(np.where(spread > 30.0, angle, np.pi))
    s = np.minimum(saddle, -6.0 * reach / HALF_NODES)
    up_more, down_more = up * np.expm1(s - saddle), down * np.expm1(saddle - s)
    exponent = mu1 * np.expm1(s) + mu2 * np.expm1(-s) - x * s

    phi = reach[..., None] * np.linspace(0.0, 1.0, HALF_NODES + 1)
    sine, fall = np.sin(phi), 2.0 * np.square(np.sin(0.5 * phi))  # 1 - cos(phi)
    s, x = s[..., None], x[..., None]
    width, bend = (spread + up_more + down_more)[..., None], (up_more - down_more)[..., None]  # bend: K'(s) - x
    phase = bend * sine + x * _sine_excess(phi, sine)
    real, imaginary = np.exp(s) * fall - np.expm1(s), np.exp(s) * sine  # of 1 - exp of the conjugate of z
    hump = np.exp(-width * fall) * (real * np.cos(phase) - imaginary * np.sin(phase))
    integral = np.sum(TRAPEZOID * hump / (np.square(real) + np.square(imaginary)), axis=-1)
    return np.where(beyond, -np.inf, exponent + np.log(reach * integral))


def _sine_excess(phi: Any, sine: Any) -> Any:
    """sin(phi) - phi, without cancellation for small phi >= 0."""
    small = phi < 0.7
    w = np.square(np.where(small, phi, 0.0))
    series = 1.0 - w / 156.0 * (1.0 - w / 210.0)
    for k in (110.0, 72.0, 42.0, 20.0):
        series = 1.0 - w / k * series
    return np.where(small, -phi * w / 6.0 * series, sine - phi)


# --- sums over an interval of whole numbers

POINTS = 131  # of an integral
EXACT = 28  # terms at an end of the interval that are summed as they are
END_WEIGHTS = (
    -0.07523240913673701, 0.025394303871718926, -0.007672233851187637, 0.00173936603994061, -0.0002539297439987751,
    1.76701400711404e-05,
)  # fmt: skip


def _corrected() -> np.ndarray:
    """w with Σ_{j>=0} f(j) = Σ_j w_j f(j) + ∫_EXACT^∞ f for polynomials f up to degree 12 (times a falling one).

    The weights from EXACT - 6 to EXACT + 6 are those of the Euler–Maclaurin formula with central differences for the
    derivatives: Σ_i c_i i^k = ζ(-k), with c_0 = 1/2 and c_-i = -c_i.
    """
    end = np.array(END_WEIGHTS)
    near = np.concatenate([1.0 - end[::-1], [0.5], end])
    return np.concatenate([np.ones(EXACT - end.size), near])


def _exp_sinh(first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    """Points in (0, inf) and their weights (Takahasi & Mori 1974)."""
    y, step = np.linspace(first, last, POINTS, retstep=True)
    points = np.exp(0.5 * np.pi * np.sinh(y))
    return points, step * 0.5 * np.pi * np.cosh(y) * points


def _tanh_sinh(last: float) -> tuple[np.ndarray, np.ndarray]:
    """Points in (0, 1) and their weights."""
    odds, weights = _exp_sinh(-last, last)
    return odds / (1.0 + odds), weights / np.square(1.0 + odds)


NEAR = _corrected()
FAR, FAR_WEIGHTS = _exp_sinh(-3.7, 6.6)
BETWEEN, BETWEEN_WEIGHTS = _tanh_sinh(3.9)


def log_partial_sum(log_term: Callable[[Any], Any], x: Any, upper: Any, scale: Any) -> Any:
    """log of Σ f(k) over 0 <= k <= x or, where `upper`, over k > x, for smooth positive terms f with one hump.

    Where more than 70 terms count, those next to the ends are added as they are; the others are an integral, by a
    double exponential rule, with end corrections.

    Parameters
    ----------
    log_term : callable
        log f of an array with one more axis (at the end) than `x`, at real numbers too.
    x : array
        Whole numbers; in the upper tail where `upper`, else in the lower one.
    upper : bool array
    scale : array
        About the distance over which f falls by a factor, from `EXACT` behind x on, where `upper`.
    """
    x, upper, scale = (a[..., None] for a in np.broadcast_arrays(x, upper, scale))
    j = np.arange(NEAR.size)
    few = ~upper & (x < 2 * NEAR.size)
    inner = np.maximum(x - 2.0 * EXACT, 0.0)
    nodes = [  # next to x, next to 0, and those of the integral
        np.where(upper, x + 1.0 + j, np.where(few, j, x - j)),
        np.where(few, j + NEAR.size, j),
        np.where(upper, x + 1.0 + EXACT + scale * FAR, EXACT + inner * BETWEEN),
    ]
    weights = [
        np.where(few, nodes[0] <= x, NEAR),
        np.where(few, nodes[1] <= x, np.where(upper, 0.0, NEAR)),
        np.where(upper, scale * FAR_WEIGHTS, np.where(few, 0.0, inner * BETWEEN_WEIGHTS)),
    ]
    weight = np.concatenate(weights, axis=-1)
    counts = weight != 0.0
    log_terms = np.where(counts, log_term(np.concatenate(nodes, axis=-1)), -np.inf)
    largest = ad.stop_gradient(np.max(log_terms, axis=-1))
    return largest + np.log(np.sum(weight * np.exp(log_terms - largest[..., None]), axis=-1))


def gamma_median(a: Any) -> Any:
    """About the median of the standard gamma law with shape `a` (Lyon 2021): 2^(-1/a) (exp(-γ) + a)."""
    return 2.0 ** (-1.0 / a) * (np.exp(-np.euler_gamma) + a)
