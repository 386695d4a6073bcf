"""The functions of scipy.special that are not ufuncs, on traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import asarray
from bayesad.ad.functions.reductions import logsumexp

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


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "logsumexp": logsumexp,
    "log_softmax": log_softmax,
    "softmax": softmax,
    "multigammaln": multigammaln,
}
