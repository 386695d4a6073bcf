"""Likelihoods of generalised linear models in one line: the law of the outcomes from a design matrix.

Each is the plain law of the linear predictor ``alpha + X @ beta``, written out: what a model with that law says, is
said here, and both are simplified alike. The densities are those of Stan's functions of the same names.
"""

from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution
from bayesad.distributions.continuous import Normal
from bayesad.distributions.discrete import (
    BernoulliLogit,
    BinomialLogit,
    CategoricalLogit,
    NegativeBinomial2Log,
    PoissonLog,
)
from bayesad.distributions.ordinal import OrderedLogistic
from bayesad.errors import DistributionError

__all__ = [
    "BernoulliLogitGLM",
    "BinomialLogitGLM",
    "CategoricalLogitGLM",
    "NegativeBinomial2LogGLM",
    "NormalIDGLM",
    "OrderedLogisticGLM",
    "PoissonLogGLM",
]


def NormalIDGLM(X: Any, alpha: Any, beta: Any, sigma: Any) -> Distribution:
    """Linear regression: ``Normal(alpha + X @ beta, sigma)`` (Stan: normal_id_glm).

    Parameters
    ----------
    X : array, shape (N, D)
    alpha : array, shape () or (N,)
    beta : array, shape (D,)
    sigma : array, shape () or (N,)
    """
    return Normal(_predictor("NormalIDGLM", X, alpha, beta), sigma)


def BernoulliLogitGLM(X: Any, alpha: Any, beta: Any) -> Distribution:
    """Logistic regression: ``BernoulliLogit(alpha + X @ beta)`` (Stan: bernoulli_logit_glm); shapes as NormalIDGLM."""
    return BernoulliLogit(_predictor("BernoulliLogitGLM", X, alpha, beta))


def BinomialLogitGLM(n: Any, X: Any, alpha: Any, beta: Any) -> Distribution:
    """Logistic regression of counts of `n`: ``BinomialLogit(n, alpha + X @ beta)`` (Stan: binomial_logit_glm)."""
    return BinomialLogit(n, _predictor("BinomialLogitGLM", X, alpha, beta))


def PoissonLogGLM(X: Any, alpha: Any, beta: Any) -> Distribution:
    """Poisson regression: ``PoissonLog(alpha + X @ beta)`` (Stan: poisson_log_glm); shapes as NormalIDGLM."""
    return PoissonLog(_predictor("PoissonLogGLM", X, alpha, beta))


def NegativeBinomial2LogGLM(X: Any, alpha: Any, beta: Any, phi: Any) -> Distribution:
    """Negative binomial regression: ``NegativeBinomial2Log(alpha + X @ beta, phi)`` (Stan: neg_binomial_2_log_glm)."""
    return NegativeBinomial2Log(_predictor("NegativeBinomial2LogGLM", X, alpha, beta), phi)


def OrderedLogisticGLM(X: Any, beta: Any, cutpoints: Any) -> Distribution:
    """Ordinal regression: ``OrderedLogistic(X @ beta, cutpoints)`` (Stan: ordered_logistic_glm)."""
    return OrderedLogistic(_predictor("OrderedLogisticGLM", X, 0.0, beta), cutpoints)


def CategoricalLogitGLM(X: Any, alpha: Any, beta: Any) -> Distribution:
    """Regression of labels: ``CategoricalLogit(alpha + X @ beta)`` (Stan: categorical_logit_glm).

    Parameters
    ----------
    X : array, shape (N, D)
    alpha : array, shape (K,)
    beta : array, shape (D, K)
    """
    return CategoricalLogit(_predictor("CategoricalLogitGLM", X, alpha, beta))


def _predictor(name: str, X: Any, alpha: Any, beta: Any) -> Any:
    X, beta = ad.asarray(X), ad.asarray(beta)
    if X.ndim != 2 or np.shape(beta)[:1] != X.shape[1:]:
        raise DistributionError(
            f"{name}: X must be a matrix with a row for each outcome and a column for each entry of beta; got X of "
            f"shape {X.shape} and beta of shape {np.shape(beta)}."
        )
    return ad.asarray(alpha) + X @ beta
