"""Special functions as primitives: the ufuncs of scipy.special that have real derivatives.

Each rule uses only functions that have rules themselves, so derivatives of any order exist unless an argument is
marked NO_RULE: there a derivative is known to exist but is not implemented (orders of Bessel functions, for
example), and asking for it is an error. Arguments that are whole numbers (the n of ``expn``, the counts of
``bdtr``) have derivative 0.

Conventions at the edges: ``xlogy``, ``xlog1py`` and ``rel_entr`` at x = 0 have derivative 0 in their second
argument, whatever its value; the derivatives of functions of |x| scaled by exp(-|x|) (``i0e``, ``i1e``, ``ive``)
leave out the kink at 0.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import scipy.special as sp

from bayesad.ad.primitives import incomplete, tails
from bayesad.ad.primitives.table import INTEGER, NO_RULE, elementwise

__all__ = ["polygamma", "zeta"]

# Most have poles, overflow or end somewhere: their slope may be infinite where the value is not used.
singular = functools.partial(elementwise, singular=True)

SQRT_PI = float(np.sqrt(np.pi))
SQRT_2PI = float(np.sqrt(2.0 * np.pi))
SQRT_2 = float(np.sqrt(2.0))
LOG2 = float(np.log(2.0))
LOG10 = float(np.log(10.0))
DEGREE = float(np.pi / 180.0)


def _bind(primitive: Any, *args: Any) -> Any:
    from bayesad.ad.array import bind

    return bind(primitive, args)


def _safe(denominator: Any, x: Any) -> Any:
    """``denominator`` with 1 where x is 0; itself where x is known to be nowhere 0."""
    if isinstance(x, (int, float, np.ndarray, np.generic)) and np.all(np.not_equal(x, 0)):
        return denominator
    return np.where(np.equal(x, 0), 1.0, denominator)


# --- gamma and beta functions
def zeta(s: Any, q: Any) -> Any:
    """The Hurwitz zeta function, as a function of plain or traced arrays."""
    plain = isinstance(s, (int, float, np.generic, np.ndarray)) and np.ndim(s) == 0
    return _bind(trigamma, q) if plain and s == 2 else _bind(zeta_p, s, q)


def polygamma(n: Any, x: Any) -> Any:
    """The derivative of order n of psi; ``n`` holds plain whole numbers."""
    if np.ndim(n) == 0 and n == 0:
        return sp.psi(x)
    n = np.asarray(n, dtype=np.float64)
    derivative = np.where(n % 2 == 1, 1.0, -1.0) * sp.gamma(n + 1.0) * zeta(np.maximum(n, 1.0) + 1.0, x)
    return derivative if np.all(n > 0) else np.where(n == 0, sp.psi(x), derivative)


def _reciprocal_gamma_slope(g: Any, y: Any, x: Any) -> Any:
    """Left of 1/2 by reflection, which holds at the zeros 0, -1, -2, … too."""
    left = x < 0.5
    reflected = np.where(left, 1.0 - x, 0.5)
    mirrored = sp.gamma(reflected) * (np.cos(np.pi * x) - sp.psi(reflected) * np.sin(np.pi * x) / np.pi)
    return g * np.where(left, mirrored, -y * sp.psi(np.where(left, 1.0, x)))


zeta_p = singular("zeta", sp.zeta, NO_RULE, lambda g, y, s, q: -(g * (s * zeta(s + 1.0, q))))
trigamma = singular("trigamma", lambda x: sp.zeta(2.0, x), lambda g, y, x: -(g * (2.0 * zeta(3.0, x))))
singular("gammaln", sp.gammaln, lambda g, y, x: g * sp.psi(x))
singular("loggamma", sp.loggamma, lambda g, y, x: g * sp.psi(x))
singular("gamma", sp.gamma, lambda g, y, x: g * (y * sp.psi(x)))
singular("rgamma", sp.rgamma, _reciprocal_gamma_slope)
elementwise("gammasgn", sp.gammasgn, None)
singular("psi", sp.psi, lambda g, y, x: g * zeta(2.0, x))
singular(
    "poch",
    sp.poch,
    lambda g, y, x, m: g * (y * (sp.psi(x + m) - sp.psi(x))),
    lambda g, y, x, m: g * (y * sp.psi(x + m)),
)
singular(
    "binom",
    sp.binom,
    lambda g, y, n, k: g * (y * (sp.psi(n + 1.0) - sp.psi(n - k + 1.0))),
    lambda g, y, n, k: g * (y * (sp.psi(n - k + 1.0) - sp.psi(k + 1.0))),
)
singular(
    "beta",
    sp.beta,
    lambda g, y, a, b: g * (y * (sp.psi(a) - sp.psi(a + b))),
    lambda g, y, a, b: g * (y * (sp.psi(b) - sp.psi(a + b))),
)
singular(
    "betaln",
    sp.betaln,
    lambda g, y, a, b: g * (sp.psi(a) - sp.psi(a + b)),
    lambda g, y, a, b: g * (sp.psi(b) - sp.psi(a + b)),
)


# --- error functions and the normal law
def _scaled_erfc_integral(x: Any) -> Any:
    """1/sqrt(pi) - x erfcx(x), without cancellation for large x (DLMF 7.12.1)."""
    x = np.asarray(x, dtype=np.float64)
    far = x > 25.0
    w = 0.5 / np.square(np.where(far, x, 25.0))
    tail = w * (1.0 - w * (3.0 - w * (15.0 - w * (105.0 - w * (945.0 - w * 10395.0)))))
    return np.where(far, tail / SQRT_PI, 1.0 / SQRT_PI - x * sp.erfcx(np.where(far, 25.0, x)))[()]


def _inverse_mills_slope(g: Any, y: Any, x: Any) -> Any:
    """y' = -y (x + y), where x + y tends to 0 from above as x falls."""
    left = x < 0.0
    sum_left = y * (SQRT_PI * _bind(scaled_erfc_integral, np.where(left, x, 0.0) * (-1.0 / SQRT_2)))
    return -(g * (y * np.where(left, sum_left, x + y)))


scaled_erfc_integral = singular(
    "scaled_erfc_integral", _scaled_erfc_integral, lambda g, y, x: g * (2.0 * x * y - sp.erfcx(x))
)
inverse_mills = elementwise(
    "inverse_mills",
    lambda x: (2.0 / SQRT_2PI) / sp.erfcx(x * (-1.0 / SQRT_2)),  # density over distribution function
    _inverse_mills_slope,
)
elementwise("erf", sp.erf, lambda g, y, x: g * ((2.0 / SQRT_PI) * np.exp(-(x * x))))
elementwise("erfc", sp.erfc, lambda g, y, x: g * ((-2.0 / SQRT_PI) * np.exp(-(x * x))))
singular("erfcx", sp.erfcx, lambda g, y, x: g * (-2.0 * _bind(scaled_erfc_integral, x)))
singular("erfi", sp.erfi, lambda g, y, x: g * ((2.0 / SQRT_PI) * np.exp(x * x)))
elementwise("dawsn", sp.dawsn, lambda g, y, x: g * (1.0 - 2.0 * x * y))
singular("erfinv", sp.erfinv, lambda g, y, p: g * ((0.5 * SQRT_PI) * np.exp(y * y)))
singular("erfcinv", sp.erfcinv, lambda g, y, p: g * ((-0.5 * SQRT_PI) * np.exp(y * y)))
elementwise("ndtr", sp.ndtr, lambda g, y, x: g * (np.exp(-0.5 * (x * x)) * (1.0 / SQRT_2PI)))
elementwise("log_ndtr", sp.log_ndtr, lambda g, y, x: g * _bind(inverse_mills, x))
singular("ndtri", sp.ndtri, lambda g, y, p: g * (SQRT_2PI * np.exp(0.5 * (y * y))))
singular("ndtri_exp", sp.ndtri_exp, lambda g, y, log_p: g / _bind(inverse_mills, y))
elementwise(
    "owens_t",
    sp.owens_t,
    lambda g, y, h, a: g * ((-0.5 / SQRT_2PI) * np.exp(-0.5 * (h * h)) * sp.erf(a * h * (1.0 / SQRT_2))),
    lambda g, y, h, a: g * (np.exp(-0.5 * (h * h) * (1.0 + a * a)) / ((2.0 * np.pi) * (1.0 + a * a))),
)
skew_tail = singular(
    "skew_tail",
    tails.skew_tail,
    lambda g, y, h, a: g * ((-2.0 / SQRT_2PI) * np.exp(-0.5 * (h * h)) * sp.ndtr(-a * h)),
    lambda g, y, h, a: -(g * (np.exp(-0.5 * (h * h) * (1.0 + a * a)) / (np.pi * (1.0 + a * a)))),
)


# --- the profile of Voigt: profile + i dispersion = w((x + i gamma)/(sigma sqrt 2))/(sigma sqrt(2 pi)), w of Faddeeva
def _dispersion(x: Any, sigma: Any, gamma: Any) -> Any:
    return np.imag(sp.wofz((x + 1j * gamma) / (sigma * SQRT_2))) / (sigma * SQRT_2PI)


def _voigt_slopes(x: Any, sigma: Any, gamma: Any) -> tuple[Any, Any, Any, Any]:
    """Profile, dispersion and their derivatives in x (w' = -2 z w + 2i/sqrt(pi), DLMF 7.10.2)."""
    v, d = sp.voigt_profile(x, sigma, gamma), _bind(voigt_dispersion, x, sigma, gamma)
    variance = sigma * sigma
    return v, d, (gamma * d - x * v) / variance, (1.0 / np.pi - x * d - gamma * v) / variance


def _voigt_by_sigma(g: Any, y: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    v, _, v_x, d_x = _voigt_slopes(x, sigma, gamma)
    return -(g * ((v + x * v_x - gamma * d_x) / sigma))


def _dispersion_by_sigma(g: Any, y: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    _, d, v_x, d_x = _voigt_slopes(x, sigma, gamma)
    return -(g * ((d + x * d_x + gamma * v_x) / sigma))


singular(
    "voigt_profile",
    sp.voigt_profile,
    lambda g, y, *args: g * _voigt_slopes(*args)[2],
    _voigt_by_sigma,
    lambda g, y, *args: -(g * _voigt_slopes(*args)[3]),
)
voigt_dispersion = singular(
    "voigt_dispersion",
    _dispersion,
    lambda g, y, *args: g * _voigt_slopes(*args)[3],
    _dispersion_by_sigma,
    lambda g, y, *args: g * _voigt_slopes(*args)[2],
)

# --- logistic functions, logarithms, exponentials and entropies
elementwise("expit", sp.expit, lambda g, y, x: g * (y * sp.expit(-x)))
elementwise("log_expit", sp.log_expit, lambda g, y, x: g * sp.expit(-x))
singular("logit", sp.logit, lambda g, y, p: g / (p * (1.0 - p)))
singular(
    "xlogy",
    sp.xlogy,
    lambda g, y, x, z: g * np.log(z),
    lambda g, y, x, z: g * (x / _safe(z, x)),
)
singular(
    "xlog1py",
    sp.xlog1py,
    lambda g, y, x, z: g * np.log1p(z),
    lambda g, y, x, z: g * (x / _safe(1.0 + z, x)),
)
singular("entr", sp.entr, lambda g, y, x: -(g * (np.log(x) + 1.0)))
singular(
    "rel_entr",
    sp.rel_entr,
    lambda g, y, p, q: g * (np.log(p / q) + 1.0),
    lambda g, y, p, q: -(g * (p / _safe(q, p))),
)
singular(
    "kl_div",
    sp.kl_div,
    lambda g, y, p, q: g * np.log(p / q),
    lambda g, y, p, q: g * (1.0 - p / _safe(q, p)),
)
singular("exp2_special", sp.exp2, lambda g, y, x: g * (LOG2 * y))
singular("exp10", sp.exp10, lambda g, y, x: g * (LOG10 * y))
singular("expm1_special", sp.expm1, lambda g, y, x: g * np.exp(x))
singular("log1p_special", sp.log1p, lambda g, y, x: g / (1.0 + x))
singular("cbrt_special", sp.cbrt, lambda g, y, x: g / (3.0 * (y * y)))
elementwise("round_special", sp.round, None)
singular("exprel", sp.exprel, lambda g, y, x: g * (0.5 * sp.hyp1f1(2.0, 3.0, x)))
elementwise("cosm1", sp.cosm1, lambda g, y, x: -(g * np.sin(x)))
singular(
    "powm1",
    sp.powm1,
    lambda g, y, x, p: g * (p * x ** (p - 1.0)),
    lambda g, y, x, p: g * ((y + 1.0) * np.log(x)),
)
singular("wrightomega", sp.wrightomega, lambda g, y, x: g * (y / (1.0 + y)))
singular("spence", sp.spence, lambda g, y, x: -(g / sp.exprel(np.log(x))))
elementwise("sindg", sp.sindg, lambda g, y, x: g * (DEGREE * sp.cosdg(x)))
elementwise("cosdg", sp.cosdg, lambda g, y, x: g * (-DEGREE * sp.sindg(x)))
singular("tandg", sp.tandg, lambda g, y, x: g * (DEGREE * (1.0 + y * y)))
singular("cotdg", sp.cotdg, lambda g, y, x: g * (-DEGREE * (1.0 + y * y)))


# --- loss functions and power transformations
def _pseudo_huber_root(delta: Any, r: Any) -> Any:
    return np.sqrt(1.0 + np.square(r / delta))


def _boxcox_by_power(log_x: Any, power: Any) -> Any:
    """Derivative of (x**p - 1)/p = log_x exprel(p log_x) in p."""
    return 0.5 * (log_x * log_x) * sp.hyp1f1(2.0, 3.0, power * log_x)


elementwise(
    "huber",
    sp.huber,
    lambda g, y, delta, r: g * np.maximum(np.abs(r) - delta, 0.0),
    lambda g, y, delta, r: g * np.minimum(np.maximum(r, -delta), delta),
)
singular(
    "pseudo_huber",
    sp.pseudo_huber,
    lambda g, y, delta, r: g * (2.0 * y / delta - np.square(r / delta) * (delta / _pseudo_huber_root(delta, r))),
    lambda g, y, delta, r: g * (r / _pseudo_huber_root(delta, r)),
)
singular(
    "boxcox",
    sp.boxcox,
    lambda g, y, x, p: g * x ** (p - 1.0),
    lambda g, y, x, p: g * _boxcox_by_power(np.log(x), p),
)
singular(
    "boxcox1p",
    sp.boxcox1p,
    lambda g, y, x, p: g * (1.0 + x) ** (p - 1.0),
    lambda g, y, x, p: g * _boxcox_by_power(np.log1p(x), p),
)
singular(
    "inv_boxcox",
    sp.inv_boxcox,
    lambda g, y, z, p: g * y ** (1.0 - p),
    lambda g, y, z, p: -(g * (y ** (1.0 - p) * _boxcox_by_power(np.log(y), p))),
)
singular(
    "inv_boxcox1p",
    sp.inv_boxcox1p,
    lambda g, y, z, p: g * (1.0 + y) ** (1.0 - p),
    lambda g, y, z, p: -(g * ((1.0 + y) ** (1.0 - p) * _boxcox_by_power(np.log1p(y), p))),
)


# --- incomplete gamma functions: P(a, x), Q(a, x), their inverses, and the laws made of them
def _log_gamma_density(a: Any, x: Any) -> Any:
    return sp.xlogy(a - 1.0, x) - x - sp.gammaln(a)


def _gamma_density(a: Any, x: Any) -> Any:
    return np.exp(_log_gamma_density(a, x))


def _gamma_score(a: Any, x: Any) -> Any:
    return _bind(gamma_score, a, x)


def _poisson(k: Any, mean: Any) -> Any:
    return np.exp(sp.xlogy(k, mean) - mean - sp.gammaln(k + 1.0))


gamma_curvature = singular(
    "gammainc_aa",
    lambda a, x: incomplete.gamma_score(a, x, 2),
    NO_RULE,
    lambda g, y, a, x: g * (_gamma_density(a, x) * (np.square(np.log(x) - sp.psi(a)) - zeta(2.0, a))),
)
gamma_score = singular(
    "gammainc_a",
    incomplete.gamma_score,
    lambda g, y, a, x: g * _bind(gamma_curvature, a, x),
    lambda g, y, a, x: g * (_gamma_density(a, x) * (np.log(x) - sp.psi(a))),
)
singular(
    "gammainc",
    sp.gammainc,
    lambda g, y, a, x: g * _gamma_score(a, x),
    lambda g, y, a, x: g * _gamma_density(a, x),
)
singular(
    "gammaincc",
    sp.gammaincc,
    lambda g, y, a, x: -(g * _gamma_score(a, x)),
    lambda g, y, a, x: -(g * _gamma_density(a, x)),
)
singular(
    "gammaincinv",
    sp.gammaincinv,
    lambda g, y, a, p: -(g * (_gamma_score(a, y) / _gamma_density(a, y))),
    lambda g, y, a, p: g * np.exp(-_log_gamma_density(a, y)),
)
singular(
    "gammainccinv",
    sp.gammainccinv,
    lambda g, y, a, q: -(g * (_gamma_score(a, y) / _gamma_density(a, y))),
    lambda g, y, a, q: -(g * np.exp(-_log_gamma_density(a, y))),
)
singular(
    "gdtr",
    sp.gdtr,
    lambda g, y, rate, b, x: g * (x * _gamma_density(b, rate * x)),
    lambda g, y, rate, b, x: g * _gamma_score(b, rate * x),
    lambda g, y, rate, b, x: g * (rate * _gamma_density(b, rate * x)),
)
singular(
    "gdtrc",
    sp.gdtrc,
    lambda g, y, rate, b, x: -(g * (x * _gamma_density(b, rate * x))),
    lambda g, y, rate, b, x: -(g * _gamma_score(b, rate * x)),
    lambda g, y, rate, b, x: -(g * (rate * _gamma_density(b, rate * x))),
)
singular(
    "chdtr",
    sp.chdtr,
    lambda g, y, df, x: g * (0.5 * _gamma_score(0.5 * df, 0.5 * x)),
    lambda g, y, df, x: g * (0.5 * _gamma_density(0.5 * df, 0.5 * x)),
)
singular(
    "chdtrc",
    sp.chdtrc,
    lambda g, y, df, x: g * (-0.5 * _gamma_score(0.5 * df, 0.5 * x)),
    lambda g, y, df, x: g * (-0.5 * _gamma_density(0.5 * df, 0.5 * x)),
)
singular("pdtr", sp.pdtr, None, lambda g, y, k, mean: -(g * _poisson(np.floor(k), mean)))
singular("pdtrc", sp.pdtrc, None, lambda g, y, k, mean: g * _poisson(np.floor(k), mean))


# --- incomplete beta functions, their inverses, and the laws made of them
def _log_beta_density(a: Any, b: Any, x: Any) -> Any:
    return sp.xlogy(a - 1.0, x) + sp.xlog1py(b - 1.0, -x) - sp.betaln(a, b)


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    return np.exp(_log_beta_density(a, b, x))


def _beta_centres(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    """The derivatives of the log density in a and b."""
    both = sp.psi(a + b)
    return np.log(x) - sp.psi(a) + both, np.log1p(-x) - sp.psi(b) + both


def _curvature_by_x(wrt: str) -> Any:
    def rule(g: Any, y: Any, a: Any, b: Any, x: Any) -> Any:
        centres = dict(zip("ab", _beta_centres(a, b, x), strict=True))
        spread = zeta(2.0, a + b)
        if wrt != "ab":
            spread = spread - zeta(2.0, a if wrt == "aa" else b)
        return g * (_beta_density(a, b, x) * (centres[wrt[0]] * centres[wrt[1]] + spread))

    return rule


def _beta_curvature(wrt: str) -> Any:
    return singular(
        f"betainc_{wrt}",
        lambda a, b, x: incomplete.beta_score(a, b, x, wrt),
        NO_RULE,
        NO_RULE,
        _curvature_by_x(wrt),
    )


beta_aa, beta_ab, beta_bb = _beta_curvature("aa"), _beta_curvature("ab"), _beta_curvature("bb")
beta_a = singular(
    "betainc_a",
    lambda a, b, x: incomplete.beta_score(a, b, x, "a"),
    lambda g, y, a, b, x: g * _bind(beta_aa, a, b, x),
    lambda g, y, a, b, x: g * _bind(beta_ab, a, b, x),
    lambda g, y, a, b, x: g * (_beta_density(a, b, x) * _beta_centres(a, b, x)[0]),
)
beta_b = singular(
    "betainc_b",
    lambda a, b, x: incomplete.beta_score(a, b, x, "b"),
    lambda g, y, a, b, x: g * _bind(beta_ab, a, b, x),
    lambda g, y, a, b, x: g * _bind(beta_bb, a, b, x),
    lambda g, y, a, b, x: g * (_beta_density(a, b, x) * _beta_centres(a, b, x)[1]),
)
singular(
    "betainc",
    sp.betainc,
    lambda g, y, a, b, x: g * _bind(beta_a, a, b, x),
    lambda g, y, a, b, x: g * _bind(beta_b, a, b, x),
    lambda g, y, a, b, x: g * _beta_density(a, b, x),
)
singular(
    "betaincc",
    sp.betaincc,
    lambda g, y, a, b, x: -(g * _bind(beta_a, a, b, x)),
    lambda g, y, a, b, x: -(g * _bind(beta_b, a, b, x)),
    lambda g, y, a, b, x: -(g * _beta_density(a, b, x)),
)
for _name, _sign in (("betaincinv", 1.0), ("betainccinv", -1.0)):
    singular(
        _name,
        getattr(sp, _name),
        lambda g, y, a, b, p: -(g * (_bind(beta_a, a, b, y) / _beta_density(a, b, y))),
        lambda g, y, a, b, p: -(g * (_bind(beta_b, a, b, y) / _beta_density(a, b, y))),
        lambda g, y, a, b, p, _sign=_sign: g * (_sign * np.exp(-_log_beta_density(a, b, y))),
    )


def _student_log_density(df: Any, t: Any) -> Any:
    return -sp.betaln(0.5, 0.5 * df) - 0.5 * np.log(df) - (0.5 * df + 0.5) * np.log1p(t * t / df)


def _student_score_by_t(g: Any, y: Any, df: Any, t: Any) -> Any:
    r = t * t / df
    score = sp.psi(0.5 * df + 0.5) - sp.psi(0.5 * df) - 1.0 / df - np.log1p(r) + (1.0 + 1.0 / df) * (r / (1.0 + r))
    return g * (0.5 * score * np.exp(_student_log_density(df, t)))


student_score = singular("stdtr_df", incomplete.student_score, NO_RULE, _student_score_by_t)
singular(
    "stdtr",
    sp.stdtr,
    lambda g, y, df, t: g * _bind(student_score, df, t),
    lambda g, y, df, t: g * np.exp(_student_log_density(df, t)),
)
singular(
    "stdtrit",
    sp.stdtrit,
    lambda g, y, df, p: -(g * (_bind(student_score, df, y) * np.exp(-_student_log_density(df, y)))),
    lambda g, y, df, p: g * np.exp(-_student_log_density(df, y)),
)


def _fisher(sign: float) -> list[Any]:
    """Rules of the F law's distribution function, betainc(m/2, n/2, z) with z = m x/(n + m x), times ``sign``."""

    def parts(m: Any, n: Any, x: Any) -> tuple[Any, Any, Any]:
        z = m * x / (n + m * x)
        return z, (sign * z * (n / (n + m * x))) * _beta_density(0.5 * m, 0.5 * n, z), sign * 0.5

    def by_m(g: Any, y: Any, m: Any, n: Any, x: Any) -> Any:
        z, slope, half = parts(m, n, x)
        return g * (half * _bind(beta_a, 0.5 * m, 0.5 * n, z) + slope / m)

    def by_n(g: Any, y: Any, m: Any, n: Any, x: Any) -> Any:
        z, slope, half = parts(m, n, x)
        return g * (half * _bind(beta_b, 0.5 * m, 0.5 * n, z) - slope / n)

    def by_x(g: Any, y: Any, m: Any, n: Any, x: Any) -> Any:
        z = m * x / (n + m * x)
        return g * (sign * _beta_density(0.5 * m, 0.5 * n, z) * (m * n / np.square(n + m * x)))

    return [by_m, by_n, by_x]


singular("fdtr", sp.fdtr, *_fisher(1.0))
singular("fdtrc", sp.fdtrc, *_fisher(-1.0))


def _binomial_slope(k: Any, n: Any, p: Any) -> Any:
    """The derivative in p of P(K > k), K binomial."""
    k = np.floor(k)
    return np.where(k < n, _beta_density(k + 1.0, np.where(k < n, n - k, 1.0), p), 0.0)


singular("bdtr", sp.bdtr, None, None, lambda g, y, k, n, p: -(g * _binomial_slope(k, n, p)))
singular("bdtrc", sp.bdtrc, None, None, lambda g, y, k, n, p: g * _binomial_slope(k, n, p))
singular("nbdtr", sp.nbdtr, None, None, lambda g, y, k, n, p: g * _beta_density(n, np.floor(k) + 1.0, p))
singular("nbdtrc", sp.nbdtrc, None, None, lambda g, y, k, n, p: -(g * _beta_density(n, np.floor(k) + 1.0, p)))


# --- Marcum's Q function (rice_sf) and its complement
def _rice(upper: bool) -> Any:
    sign = -1.0 if upper else 1.0

    def by_a(g: Any, y: Any, a: Any, b: Any) -> Any:
        return g * (-sign * b * np.exp(-0.5 * np.square(b - a)) * sp.i1e(a * b))

    def by_b(g: Any, y: Any, a: Any, b: Any) -> Any:
        return g * (sign * b * np.exp(-0.5 * np.square(b - a)) * sp.i0e(a * b))

    return singular("rice_sf" if upper else "rice_cdf", lambda a, b: tails.rice_tail(a, b, upper), by_a, by_b)


rice_cdf, rice_sf = _rice(False), _rice(True)


# --- partial sums of the Conway–Maxwell–Poisson law, of exp(k a - nu log k!) over first <= k <= last; its derivatives
# are the cumulants of k and log k! under that law
def _com_poisson(name: str, what: str, by_rate: Any, by_nu: Any) -> Any:
    return singular(
        name, lambda a, nu, low, high: tails.com_poisson(a, nu, low, high, what), by_rate, by_nu, None, None
    )


com_poisson_kk = _com_poisson("com_poisson_kk", "kk", NO_RULE, NO_RULE)
com_poisson_kl = _com_poisson("com_poisson_kl", "kl", NO_RULE, NO_RULE)
com_poisson_ll = _com_poisson("com_poisson_ll", "ll", NO_RULE, NO_RULE)
com_poisson_mean = _com_poisson(
    "com_poisson_mean",
    "k",
    lambda g, y, *args: g * _bind(com_poisson_kk, *args),
    lambda g, y, *args: -(g * _bind(com_poisson_kl, *args)),
)
com_poisson_mean_log_factorial = _com_poisson(
    "com_poisson_mean_log_factorial",
    "l",
    lambda g, y, *args: g * _bind(com_poisson_kl, *args),
    lambda g, y, *args: -(g * _bind(com_poisson_ll, *args)),
)
com_poisson_log_sum = _com_poisson(
    "com_poisson_log_sum",
    "log_sum",
    lambda g, y, *args: g * _bind(com_poisson_mean, *args),
    lambda g, y, *args: -(g * _bind(com_poisson_mean_log_factorial, *args)),
)

# --- Bessel functions (DLMF 10.6, 10.29)
elementwise("j0", sp.j0, lambda g, y, x: -(g * sp.j1(x)))
elementwise("j1", sp.j1, lambda g, y, x: g * (0.5 * (sp.j0(x) - sp.jv(2.0, x))))
singular("jv", sp.jv, NO_RULE, lambda g, y, v, x: g * (0.5 * (sp.jv(v - 1.0, x) - sp.jv(v + 1.0, x))))
singular("y0", sp.y0, lambda g, y, x: -(g * sp.y1(x)))
singular("y1", sp.y1, lambda g, y, x: g * (0.5 * (sp.y0(x) - sp.yv(2.0, x))))
singular("yn", sp.yn, None, lambda g, y, n, x: g * (0.5 * (sp.yv(n - 1.0, x) - sp.yv(n + 1.0, x))))
singular("yv", sp.yv, NO_RULE, lambda g, y, v, x: g * (0.5 * (sp.yv(v - 1.0, x) - sp.yv(v + 1.0, x))))
singular("i0", sp.i0, lambda g, y, x: g * sp.i1(x))
singular("i1", sp.i1, lambda g, y, x: g * (0.5 * (sp.i0(x) + sp.iv(2.0, x))))
singular("iv", sp.iv, NO_RULE, lambda g, y, v, x: g * (0.5 * (sp.iv(v - 1.0, x) + sp.iv(v + 1.0, x))))
elementwise("i0e", sp.i0e, lambda g, y, x: g * (sp.i1e(x) - np.sign(x) * y))
singular("i1e", sp.i1e, lambda g, y, x: g * (0.5 * (sp.i0e(x) + sp.ive(2.0, x)) - np.sign(x) * y))
singular(
    "ive",
    sp.ive,
    NO_RULE,
    lambda g, y, v, x: g * (0.5 * (sp.ive(v - 1.0, x) + sp.ive(v + 1.0, x)) - np.sign(x) * y),
)


def _log_ive_slope(g: Any, y: Any, v: Any, z: Any) -> Any:
    return g * (np.exp(_bind(log_ive, v + 1.0, z) - y) + v / z - 1.0)


log_ive = singular("log_ive", tails.log_ive, NO_RULE, _log_ive_slope)
singular("k0", sp.k0, lambda g, y, x: -(g * sp.k1(x)))
singular("k1", sp.k1, lambda g, y, x: -(g * (sp.k0(x) + y / x)))
singular("k0e", sp.k0e, lambda g, y, x: g * (y - sp.k1e(x)))
singular("k1e", sp.k1e, lambda g, y, x: g * (y - sp.k0e(x) - y / x))
singular("kn", sp.kn, None, lambda g, y, n, x: g * (-0.5 * (sp.kv(n - 1.0, x) + sp.kv(n + 1.0, x))))
singular("kv", sp.kv, NO_RULE, lambda g, y, v, x: g * (-0.5 * (sp.kv(v - 1.0, x) + sp.kv(v + 1.0, x))))
singular(
    "kve",
    sp.kve,
    NO_RULE,
    lambda g, y, v, x: g * (y - 0.5 * (sp.kve(v - 1.0, x) + sp.kve(v + 1.0, x))),
)

# --- exponential integrals, hypergeometric, elliptic and Wright functions
singular("exp1", sp.exp1, lambda g, y, x: -(g * (np.exp(-x) / x)))
singular("expi", sp.expi, lambda g, y, x: g * (np.exp(x) / x))


def _expn_slope(g: Any, y: Any, n: Any, x: Any) -> Any:
    return -(g * np.where(n > 0, sp.expn(np.maximum(n - 1, 0), x), np.exp(-x) / x * (1.0 + 1.0 / x)))


singular("expn", sp.expn, None, _expn_slope)
singular("hyp0f1", sp.hyp0f1, NO_RULE, lambda g, y, v, x: g * (sp.hyp0f1(v + 1.0, x) / v))
singular("hyp1f1", sp.hyp1f1, NO_RULE, NO_RULE, lambda g, y, a, b, x: g * ((a / b) * sp.hyp1f1(a + 1.0, b + 1.0, x)))
singular(
    "hyp2f1",
    sp.hyp2f1,
    NO_RULE,
    NO_RULE,
    NO_RULE,
    lambda g, y, a, b, c, x: g * ((a * b / c) * sp.hyp2f1(a + 1.0, b + 1.0, c + 1.0, x)),
)
singular("hyperu", sp.hyperu, NO_RULE, NO_RULE, lambda g, y, a, b, x: -(g * (a * sp.hyperu(a + 1.0, b + 1.0, x))))
singular("ellipk", sp.ellipk, lambda g, y, m: g * ((np.pi / 8.0) * sp.hyp2f1(1.5, 1.5, 2.0, m)))
singular("ellipe", sp.ellipe, lambda g, y, m: g * ((-np.pi / 8.0) * sp.hyp2f1(0.5, 1.5, 2.0, m)))
singular("wright_bessel", sp.wright_bessel, NO_RULE, NO_RULE, lambda g, y, a, b, x: g * sp.wright_bessel(a, a + b, x))
if hasattr(sp, "log_wright_bessel"):  # SciPy 1.14
    singular(
        "log_wright_bessel",
        sp.log_wright_bessel,
        NO_RULE,
        NO_RULE,
        lambda g, y, a, b, x: g * np.exp(sp.log_wright_bessel(a, a + b, x) - y),
    )

# --- orthogonal polynomials of whole degree n (DLMF 18.9.15 to 18.9.26); degree 0 has derivative 0
elementwise("eval_chebyt", sp.eval_chebyt, None, lambda g, y, n, x: g * (n * sp.eval_chebyu(np.maximum(n - 1, 0), x)))
elementwise(
    "eval_chebyu",
    sp.eval_chebyu,
    None,
    lambda g, y, n, x: g * (np.sign(n) * 2.0 * sp.eval_gegenbauer(np.maximum(n - 1, 0), 2.0, x)),
)
elementwise(
    "eval_legendre",
    sp.eval_legendre,
    None,
    lambda g, y, n, x: g * (np.sign(n) * sp.eval_gegenbauer(np.maximum(n - 1, 0), 1.5, x)),
)
singular(
    "eval_gegenbauer",
    sp.eval_gegenbauer,
    None,
    NO_RULE,
    lambda g, y, n, a, x: g * (np.sign(n) * 2.0 * a * sp.eval_gegenbauer(np.maximum(n - 1, 0), a + 1.0, x)),
)
singular(
    "eval_jacobi",
    sp.eval_jacobi,
    None,
    NO_RULE,
    NO_RULE,
    lambda g, y, n, a, b, x: (
        g * (np.sign(n) * 0.5 * (n + a + b + 1.0) * sp.eval_jacobi(np.maximum(n - 1, 0), a + 1.0, b + 1.0, x))
    ),
)
elementwise(
    "eval_hermite",
    sp.eval_hermite,
    None,
    lambda g, y, n, x: g * (2.0 * n * sp.eval_hermite(np.maximum(n - 1, 0), x)),
    widen=INTEGER,
)
elementwise(
    "eval_hermitenorm",
    sp.eval_hermitenorm,
    None,
    lambda g, y, n, x: g * (n * sp.eval_hermitenorm(np.maximum(n - 1, 0), x)),
    widen=INTEGER,
)
elementwise(
    "eval_laguerre",
    sp.eval_laguerre,
    None,
    lambda g, y, n, x: -(g * (np.sign(n) * sp.eval_genlaguerre(np.maximum(n - 1, 0), 1.0, x))),
)
singular(
    "eval_genlaguerre",
    sp.eval_genlaguerre,
    None,
    NO_RULE,
    lambda g, y, n, a, x: -(g * (np.sign(n) * sp.eval_genlaguerre(np.maximum(n - 1, 0), a + 1.0, x))),
)
