"""The functions of scipy.special that are not ufuncs, on traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import asarray, is_traced
from bayesad.ad.functions.reductions import logsumexp
from bayesad.errors import TracingError

__all__ = ["FUNCTIONS"]


def log_softmax(x: Any, axis: Any = None) -> Any:
    x = asarray(x)
    return x - logsumexp(x, axis=axis, keepdims=True)


def softmax(x: Any, axis: Any = None) -> Any:
    return np.exp(log_softmax(x, axis))


def multigammaln(a: Any, d: int) -> Any:
    """log of the multivariate gamma function (Anderson 2003, eq. 7.2.18)."""
    from scipy.special import gammaln

    a = asarray(a)
    steps = 0.5 * np.arange(int(d))
    return 0.25 * d * (d - 1) * np.log(np.pi) + np.sum(gammaln(a[..., None] - steps), axis=-1)


def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """The Hurwitz zeta function; Riemann's (without ``q``) has no derivative here."""
    if q is None:
        raise TracingError(
            "scipy.special.zeta(x) has no derivative rule; use zeta(ad.stop_gradient(x), 1.0) if x counts as constant"
        )
    from bayesad.ad.primitives import special  # here, as SciPy costs more time than starting does

    return special.zeta(x, q)


def polygamma(n: Any, x: Any) -> Any:
    """The derivative of order ``n`` of psi, for plain whole ``n``."""
    if is_traced(n):
        raise TracingError("scipy.special.polygamma(n, x) needs an order n that is a plain integer, not a traced array")
    from bayesad.ad.primitives import special

    return special.polygamma(n, x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow."""
    return np.logaddexp(0.0, asarray(x))


def lambertw(z: Any, k: Any = 0, tol: Any = 1e-8) -> Any:
    raise TracingError(
        "scipy.special.lambertw is complex; for z > 0 use scipy.special.wrightomega(np.log(z)), its real part"
    )


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "logsumexp": logsumexp,
    "log_softmax": log_softmax,
    "softmax": softmax,
    "multigammaln": multigammaln,
    "polygamma": polygamma,
    "zeta": zeta,
    "softplus": softplus,
    "lambertw": lambertw,
}
