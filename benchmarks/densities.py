"""The log densities of the cases, up to constants, for array libraries that differentiate by themselves.

``library`` is a `peers.Library`: a namespace like NumPy's and a recursion. q are bayesad's unconstrained vectors.
"""

from __future__ import annotations

from typing import Any

__all__ = ["eight_schools", "garch", "gaussian_mixture", "hierarchical", "linear_regression", "logistic"]


def eight_schools(library: Any, q: Any, *, y: Any, sigma: Any, **_: Any) -> Any:
    xp = library.namespace
    z, mu, log_tau = q[:-2], q[-2], q[-1]
    tau = xp.exp(log_tau)
    residual = (y - mu - tau * z) / sigma
    return -0.5 * xp.sum(residual**2) - 0.5 * xp.sum(z**2) - mu**2 / 50 - xp.log1p((tau / 5) ** 2) + log_tau


def linear_regression(library: Any, q: Any, *, X: Any, y: Any) -> Any:
    xp = library.namespace
    alpha, beta, log_sigma = q[0], q[1:-1], q[-1]
    sigma = xp.exp(log_sigma)
    residual = (y - alpha - xp.dot(X, beta)) / sigma
    prior = -0.5 * (alpha**2 + xp.sum(beta**2) + sigma**2) + log_sigma
    return -0.5 * xp.sum(residual**2) - y.shape[0] * log_sigma + prior


def logistic(library: Any, q: Any, *, X: Any, y: Any) -> Any:
    xp = library.namespace
    alpha, beta = q[0], q[1:]
    eta = xp.dot(X, beta) + alpha
    return xp.sum(y * eta - xp.logaddexp(0.0, eta)) - 0.5 * (alpha**2 + xp.sum(beta**2))


def hierarchical(library: Any, q: Any, *, x: Any, y: Any, group: Any) -> Any:
    xp = library.namespace
    mu, log_tau, beta, log_sigma, alpha = q[0], q[1], q[2], q[3], q[4:]
    tau, sigma = xp.exp(log_tau), xp.exp(log_sigma)
    residual = (y - alpha[group] - beta * x) / sigma
    prior = -0.5 * (mu**2 + beta**2 + tau**2 + sigma**2) + log_tau + log_sigma
    groups = -0.5 * xp.sum(((alpha - mu) / tau) ** 2) - alpha.shape[0] * log_tau
    return -0.5 * xp.sum(residual**2) - y.shape[0] * log_sigma + groups + prior


def garch(library: Any, q: Any, *, y: Any, sigma1: Any) -> Any:
    xp = library.namespace
    mu, alpha0 = q[0], xp.exp(q[1])
    alpha1, share = 1 / (1 + xp.exp(-q[2])), 1 / (1 + xp.exp(-q[3]))
    beta1 = (1 - alpha1) * share
    squares = (y - mu) ** 2
    variance = library.recursion(lambda v, s: alpha0 + alpha1 * s + beta1 * v, sigma1**2, squares[:-1])
    jacobian = q[1] + xp.log(alpha1 * share * (1 - share)) + 2 * xp.log1p(-alpha1)
    likelihood = xp.sum(xp.log(variance)) + xp.sum(squares[1:] / variance) + squares[0] / sigma1**2
    return -0.5 * likelihood + jacobian


def gaussian_mixture(library: Any, q: Any, *, y: Any) -> Any:
    xp = library.namespace
    mu0, mu1 = q[0], q[0] + xp.exp(q[1])
    sigma0, sigma1 = xp.exp(q[2]), xp.exp(q[3])
    theta = 1 / (1 + xp.exp(-q[4]))
    first = xp.log(theta) - 0.5 * ((y - mu0) / sigma0) ** 2 - q[2]
    second = xp.log1p(-theta) - 0.5 * ((y - mu1) / sigma1) ** 2 - q[3]
    prior = -(mu0**2 + mu1**2 + sigma0**2 + sigma1**2) / 8 + 5 * (xp.log(theta) + xp.log1p(-theta))
    return xp.sum(xp.logaddexp(first, second)) + prior + q[1] + q[2] + q[3]
