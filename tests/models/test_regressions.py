"""Densities of the regressions and hierarchies among the models, each written a second time with scipy.stats."""

import numpy as np
import pytest
from scipy import stats


def normal(x, mean, sd):
    return stats.norm.logpdf(x, mean, sd).sum()


def half_normal(x, sd):
    return stats.halfnorm.logpdf(x, scale=sd).sum()


def linear_regression(data, alpha, beta, sigma):
    prior = normal(alpha, 0, 1) + normal(beta, 0, 1) + half_normal(sigma, 2)
    return prior + normal(data["y"], alpha + beta * data["x"], sigma)


def eight_schools(data, mu, tau, z):
    prior = normal(mu, 0, 5) + stats.halfcauchy.logpdf(tau, scale=5) + normal(z, 0, 1)
    return prior + normal(data["y"], mu + tau * z, data["sigma"])


def eight_schools_centred(data, mu, tau, theta):
    prior = normal(mu, 0, 5) + stats.halfcauchy.logpdf(tau, scale=5) + normal(theta, mu, tau)
    return prior + normal(data["y"], theta, data["sigma"])


def logistic_regression(data, alpha, beta):
    x = np.stack([data["dist"] / 100, np.log(data["arsenic"]), data["educ"] / 4])
    p = 1 / (1 + np.exp(-alpha - beta @ (x - x.mean(axis=1, keepdims=True))))
    return normal(alpha, 0, 1.5) + normal(beta, 0, 1) + stats.bernoulli.logpmf(data["switched"], p).sum()


def radon(data, mu_alpha, mu_beta, sigma_alpha, sigma_beta, z_alpha, z_beta, sigma_y):
    prior = normal([mu_alpha, mu_beta], 0, 10) + half_normal([sigma_alpha, sigma_beta, sigma_y], 1)
    prior += normal(z_alpha, 0, 1) + normal(z_beta, 0, 1)
    level = np.array([mu_alpha + sigma_alpha * z_alpha[j - 1] for j in data["county_idx"]])
    slope = np.array([mu_beta + sigma_beta * z_beta[j - 1] for j in data["county_idx"]])
    return prior + normal(data["log_radon"], level + slope * data["floor_measure"], sigma_y)


def poisson_overdispersed(data, alpha, beta_price, beta_law, sigma_season, season, phi):
    prior = normal(alpha, 7, 1) + normal(beta_price, 0, 1) + normal(beta_law, 0, 0.5) + normal(season, 0, sigma_season)
    prior += half_normal(sigma_season, 0.5) + stats.gamma.logpdf(phi, 2, scale=50)
    price = data["log_petrol_price"] - np.mean(data["log_petrol_price"])
    mean = np.exp(alpha + beta_price * price + beta_law * data["seat_belt_law"] + np.tile(season, 16))
    return prior + stats.nbinom.logpmf(data["drivers"], phi, phi / (phi + mean)).sum()


def diabetes(data, sigma, beta_z, beta_R2, beta_share):
    def standardised(X):
        return (X - X.mean(axis=0)) / X.std(axis=0)

    single = standardised(np.column_stack([value for name, value in data.items() if name != "progression"]))
    pairs = [single[:, i] * single[:, j] for i in range(10) for j in range(i + 1, 10)]
    X = np.concatenate([single, standardised(np.column_stack(pairs))], axis=1)
    beta = beta_z * sigma * np.sqrt(beta_share * beta_R2 / (1 - beta_R2))
    prior = half_normal(sigma, 1) + normal(beta_z, 0, 1) + stats.beta.logpdf(beta_R2, 1, 1)
    prior += stats.dirichlet.logpdf(beta_share / beta_share.sum(), np.full(55, 0.3))
    return prior + normal(standardised(data["progression"]), X @ beta, sigma)


def crime(data, sigma, beta_z, beta_local, beta_global, beta_slab):
    X = data["X"].astype(float)
    logs = np.column_stack([x if set(x) <= {0.0, 1.0} else np.log(x) for x in X.T])
    X = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    y = np.log(data["crimes"])
    few = 5 / (14 - 5) * sigma / np.sqrt(47)
    prior = half_normal(sigma, 1) + normal(beta_z, 0, 1) + stats.halfcauchy.logpdf(beta_local).sum()
    prior += stats.halfcauchy.logpdf(beta_global, scale=few) + stats.invgamma.logpdf(beta_slab, 2, scale=8)
    wide = (beta_global * beta_local) ** 2
    beta = beta_z / np.sqrt(1 / wide + 1 / beta_slab)
    return prior + normal((y - y.mean()) / y.std(), X @ beta, sigma)


DENSITIES = (
    linear_regression,
    eight_schools,
    eight_schools_centred,
    logistic_regression,
    radon,
    poisson_overdispersed,
    diabetes,
    crime,
)


@pytest.mark.parametrize("density", DENSITIES, ids=lambda density: density.__name__)
def test_neg_log_posterior_equals_scipy(density, same_density):
    same_density(density)
