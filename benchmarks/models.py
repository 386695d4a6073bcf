"""Models of the benchmarks that are nowhere else, in the plain DSL."""

import numpy as np

import bayesad as ba


@ba.model
def linear_regression(X, y):
    alpha = ba.sample("alpha", ba.Normal(0, 1))
    beta = ba.sample("beta", ba.Normal(0, 1), shape=X.shape[1])
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    ba.sample("y", ba.Normal(alpha + X @ beta, sigma), obs=y)


@ba.model
def logistic_regression(X, y):
    alpha = ba.sample("alpha", ba.Normal(0, 1))
    beta = ba.sample("beta", ba.Normal(0, 1), shape=X.shape[1])
    ba.sample("y", ba.BernoulliLogit(X @ beta + alpha), obs=y)


@ba.model
def varying_intercepts(x, y, group):
    mu = ba.sample("mu", ba.Normal(0, 1))
    tau = ba.sample("tau", ba.HalfNormal(1))
    beta = ba.sample("beta", ba.Normal(0, 1))
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    alpha = ba.sample("alpha", ba.Normal(mu, tau), shape=group.max() + 1)
    ba.sample("y", ba.Normal(alpha[group] + beta * x, sigma), obs=y)


@ba.model
def warm_up(y):
    mu = ba.sample("mu", ba.Normal(0, 1))
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    ba.sample("y", ba.Normal(mu, sigma), obs=y)


@ba.model
def ten_thousand_steps(y):
    """An autoregressive moving-average recursion, as a Python loop over the observations."""
    phi = ba.sample("phi", ba.Normal(0, 0.5))
    theta = ba.sample("theta", ba.Normal(0, 0.5))
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    errors = [y[0]]
    for t in range(1, len(y)):
        errors.append(y[t] - phi * y[t - 1] - theta * errors[t - 1])
    ba.factor("likelihood", ba.Normal(0, sigma).log_prob(np.array(errors)))


@ba.model
def standard_normal(dimension):
    ba.sample("x", ba.Normal(0, 1), shape=dimension)
