"""Gaussian processes: kernels by composition, exact processes, approximations by basis functions.

    >>> import numpy as np
    >>> import bayesad as ba
    >>> from bayesad import gp
    >>> @ba.model
    ... def curve(x, y):
    ...     scale = ba.sample("scale", ba.HalfNormal(1))
    ...     length = ba.sample("length", ba.InverseGamma(5, 5))
    ...     sigma = ba.sample("sigma", ba.HalfNormal(1))
    ...     kernel = scale**2 * gp.ExpQuad(length) + gp.Linear()
    ...     ba.sample("y", ba.GaussianProcess(kernel, x, noise=sigma), obs=y)
    >>> curve(x=np.linspace(0, 1, 5), y=np.zeros(5)).unconstrained.dimension
    3

Kernels are added and multiplied, with each other and with numbers; hyperparameters may be unknowns.
"""

from bayesad.gp.hilbert import HilbertBasis, PeriodicBasis
from bayesad.gp.kernels import (
    Constant,
    ExpQuad,
    Kernel,
    Linear,
    Matern12,
    Matern32,
    Matern52,
    Periodic,
    RationalQuadratic,
    WhiteNoise,
)
from bayesad.gp.process import GaussianProcess

__all__ = [
    "Constant",
    "ExpQuad",
    "GaussianProcess",
    "HilbertBasis",
    "Kernel",
    "Linear",
    "Matern12",
    "Matern32",
    "Matern52",
    "Periodic",
    "PeriodicBasis",
    "RationalQuadratic",
    "WhiteNoise",
]
