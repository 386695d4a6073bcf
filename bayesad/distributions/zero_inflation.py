"""Short names of zero-inflated laws and hurdles. `p` is the probability of the (additional) zeros throughout."""

from typing import Any

from bayesad.distributions.base import Distribution
from bayesad.distributions.discrete import Binomial, NegativeBinomial2, Poisson
from bayesad.distributions.mixtures import hurdle, zero_inflated
from bayesad.distributions.positive import Gamma, LogNormal

__all__ = [
    "HurdleGamma",
    "HurdleLogNormal",
    "HurdleNegativeBinomial2",
    "HurdlePoisson",
    "ZeroInflatedBinomial",
    "ZeroInflatedNegativeBinomial2",
    "ZeroInflatedPoisson",
]


def ZeroInflatedPoisson(lambda_: Any, p: Any) -> Distribution:
    """``zero_inflated(Poisson(lambda_), p)``."""
    return zero_inflated(Poisson(lambda_), p)


def ZeroInflatedNegativeBinomial2(mu: Any, phi: Any, p: Any) -> Distribution:
    """``zero_inflated(NegativeBinomial2(mu, phi), p)``."""
    return zero_inflated(NegativeBinomial2(mu, phi), p)


def ZeroInflatedBinomial(n: Any, theta: Any, p: Any) -> Distribution:
    """``zero_inflated(Binomial(n, theta), p)``."""
    return zero_inflated(Binomial(n, theta), p)


def HurdlePoisson(lambda_: Any, p: Any) -> Distribution:
    """``hurdle(Poisson(lambda_), p)``."""
    return hurdle(Poisson(lambda_), p)


def HurdleNegativeBinomial2(mu: Any, phi: Any, p: Any) -> Distribution:
    """``hurdle(NegativeBinomial2(mu, phi), p)``."""
    return hurdle(NegativeBinomial2(mu, phi), p)


def HurdleGamma(alpha: Any, beta: Any, p: Any) -> Distribution:
    """``hurdle(Gamma(alpha, beta), p)``: 0 or a positive amount."""
    return hurdle(Gamma(alpha, beta), p)


def HurdleLogNormal(mu: Any, sigma: Any, p: Any) -> Distribution:
    """``hurdle(LogNormal(mu, sigma), p)``: 0 or a positive amount."""
    return hurdle(LogNormal(mu, sigma), p)
