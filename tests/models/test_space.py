"""Densities of the models of places, curves and times, each written a second time with dense linear algebra."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import toeplitz


def columbus(data, level, by_income, by_value, spread, rho):
    n, edges = len(data["crime"]), data["edges"]
    precision = np.zeros((n, n))
    for i, j in edges:
        precision[[i, j], [i, j]] += 1.0
        precision[i, j] -= 1.0
        precision[j, i] -= 1.0
    covariance = np.linalg.pinv(precision, 1e-10, hermitian=True)
    scaling = np.exp(np.mean(np.log(np.diag(covariance))))
    whole = spread**2 * ((1 - rho) * np.eye(n) + rho * covariance / scaling)
    rich, dear = ((data[name] - data[name].mean()) / data[name].std() for name in ("income", "home_value"))
    prior = stats.norm.logpdf(level, 35, 10) + stats.norm.logpdf([by_income, by_value], 0, 10).sum()
    prior += stats.halfnorm.logpdf(spread, scale=10) + stats.beta.logpdf(rho, 2, 2)
    expected = level + by_income * rich + by_value * dear
    return prior + stats.multivariate_normal(expected, whole).logpdf(data["crime"])


def basis_sum(x, scale, length, z):
    """A sum of sines with the spectral density of the squared exponential kernel (Riutort-Mayol and others 2023)."""
    middle, half = (x.min() + x.max()) / 2, 1.5 * (x.max() - x.min()) / 2
    roots = np.arange(1, len(z) + 1) * np.pi / (2 * half)
    sines = np.sin((x[:, None] - middle + half) * roots) / np.sqrt(half)
    density = scale**2 * np.sqrt(2 * np.pi) * length * np.exp(-0.5 * (length * roots) ** 2)
    return sines @ (np.sqrt(density) * z)


def motorcycle(data, height, length, z, level, change, noise_length, noise_z):
    prior = stats.halfnorm.logpdf(height, scale=60) + stats.invgamma.logpdf(length, 5, scale=20)
    prior += stats.norm.logpdf(z).sum() + stats.norm.logpdf(level, 2, 1.5) + stats.halfnorm.logpdf(change, scale=1.5)
    prior += stats.invgamma.logpdf(noise_length, 5, scale=40) + stats.norm.logpdf(noise_z).sum()
    mean = basis_sum(data["time"], height, length, z)
    sigma = np.exp(level + basis_sum(data["time"], change, noise_length, noise_z))
    return prior + stats.norm.logpdf(data["acceleration"], mean, sigma).sum()


def nile(data, sigma_level, sigma_flow):
    year = data["year"]
    seen = ~((year >= 1890) & (year <= 1899) | (year >= 1930) & (year <= 1934))
    steps = np.minimum(np.arange(100)[:, None], np.arange(100))
    covariance = 9.0 + sigma_level**2 * steps + sigma_flow**2 * np.eye(100)
    law = stats.multivariate_normal(np.full(seen.sum(), 10.0), covariance[np.ix_(seen, seen)])
    return (
        stats.halfnorm.logpdf(sigma_level)
        + stats.halfnorm.logpdf(sigma_flow, scale=2)
        + law.logpdf(data["flow"][seen] / 100)
    )


def cubic_splines(x, knots):
    """The recursion of Cox and de Boor, in which 0 / 0 is 0."""
    x, splines = x[:, None], (knots[:-1] <= x[:, None]) & (x[:, None] < knots[1:])
    for k in (1, 2, 3):
        width = knots[k:] - knots[:-k]
        width = np.where(width > 0, width, np.inf)
        rising, falling = (x - knots[:-k]) / width, (knots[k:] - x) / width
        splines = rising[:, :-1] * splines[:, :-1] + falling[:, 1:] * splines[:, 1:]
    return splines


def gagurine(data, step, height, log_sigma, nu):
    inner = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0]
    splines = cubic_splines(data["age"], np.array([0.0] * 4 + inner + [18.0] * 4))
    prior = stats.halfnorm.logpdf(step, scale=0.5) + stats.gamma.logpdf(nu, 2, scale=10)
    prior += stats.norm.logpdf(height[0], 3, 1) + stats.norm.logpdf(np.diff(height), 0, step).sum()
    prior += stats.norm.logpdf(log_sigma[0], -1.5, 1) + stats.norm.logpdf(np.diff(log_sigma), 0, 0.2).sum()
    law = stats.t(nu, splines @ height, np.exp(splines @ log_sigma))
    return prior + law.logpdf(np.log(data["gag"])).sum()


def passengers(data, level, growth, departure, length, season, wiggle, memory, sigma):
    time = (data["year"] - 1955 + (data["month"] - 0.5) / 12)[:120]
    apart = np.abs(time[:, None] - time)
    scaled = np.sqrt(5) * apart / length
    covariance = departure**2 * (1 + scaled + scaled**2 / 3) * np.exp(-scaled) + sigma**2 * np.eye(120)
    covariance += season**2 * np.exp(-2 * np.sin(np.pi * apart) ** 2 / wiggle**2 - (apart / memory) ** 2 / 2)
    prior = stats.norm.logpdf(level, 5.5, 0.5) + stats.norm.logpdf(growth, 0.1, 0.1)
    prior += stats.halfnorm.logpdf([departure, season, sigma], scale=[0.2, 0.3, 0.05]).sum()
    prior += stats.invgamma.logpdf([length, wiggle, memory], [3, 5, 3], scale=[4, 4, 20]).sum()
    law = stats.multivariate_normal(level + growth * time, covariance)
    return prior + law.logpdf(np.log(data["passengers"][:120]))


def lake_huron(data, middle, trend, partial, sigma):
    memory = [partial[0] * (1 - partial[1]), partial[1]]
    correlation = [1.0, memory[0] / (1 - memory[1])]  # Yule and Walker's equations
    for _ in range(2, 98):
        correlation.append(memory[0] * correlation[-1] + memory[1] * correlation[-2])
    variance = sigma**2 / (1 - np.dot(memory, correlation[1:3]))
    expected = middle + trend * (data["year"] - 1923.5) / 100
    law = stats.multivariate_normal(expected, variance * toeplitz(correlation))
    prior = stats.norm.logpdf(middle, 579, 2) + stats.norm.logpdf(trend, 0, 5) + stats.halfnorm.logpdf(sigma, scale=2)
    return prior - 2 * np.log(2) + law.logpdf(data["level"])


DENSITIES = (columbus, motorcycle, nile, gagurine, passengers, lake_huron)


@pytest.mark.parametrize("density", DENSITIES, ids=lambda density: density.__name__)
def test_neg_log_posterior_equals_scipy(density, same_density):
    same_density(density, rel=1e-9)
