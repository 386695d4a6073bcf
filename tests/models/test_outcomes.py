"""Densities of models of censored, truncated, ordered, inflated, joint and missing outcomes, a second time by scipy."""

import numpy as np
import pytest
from scipy import special, stats


def leukaemia(data, shape, log_scale, effect):
    prior = stats.gamma.logpdf(shape, 4, scale=1 / 3) + stats.norm.logpdf(log_scale, 2.5, 1) + stats.norm.logpdf(effect)
    law = stats.weibull_min(shape, scale=np.exp(log_scale + effect * data["treated"]))
    seen = data["censored"] == 0
    return prior + np.where(seen, law.logpdf(data["weeks"]), law.logsf(data["weeks"])).sum()


def sleepstudy(data, mean, scale, factor, persons, sigma):
    prior = stats.norm.logpdf(mean, [250, 0], [100, 20]).sum() + stats.halfnorm.logpdf(scale, scale=[50, 20]).sum()
    # LKJ with eta 2 for 2 x 2: the correlation r has density 3/4 (1 - r²), and |dr / dL_21| = 1.
    prior += np.log(0.75) + np.log1p(-(factor[1, 0] ** 2)) + stats.halfnorm.logpdf(sigma, scale=50)
    whole = scale[:, None] * factor
    prior += stats.multivariate_normal(mean, whole @ whole.T).logpdf(persons).sum()
    own = persons[data["subject"]]
    expected = own[:, 0] + own[:, 1] * data["days"]
    return prior + stats.t(4, expected, sigma).logpdf(data["reaction"]).sum()


def biochemists(data, level, slopes, phi, zero_level, zero_mentor):
    columns = [data[name] for name in ("woman", "married", "children", "prestige")]
    X = np.column_stack([*columns, np.log(1 + data["mentor"])])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    prior = stats.norm.logpdf(level) + stats.norm.logpdf(slopes, 0, 0.5).sum() + stats.gamma.logpdf(phi, 2, scale=2)
    prior += stats.norm.logpdf(zero_level, -2, 1) + stats.norm.logpdf(zero_mentor)
    mean = np.exp(level + X @ slopes)
    count = stats.nbinom(phi, phi / (phi + mean))
    never = special.expit(zero_level + zero_mentor * X[:, 4])
    y = data["articles"]
    return prior + np.log(never * (y == 0) + (1 - never) * count.pmf(y)).sum()


def wine(data, cutpoints, warmth, skins, spread, z):
    prior = stats.norm.logpdf(cutpoints, 0, 4).sum() + stats.norm.logpdf([warmth, skins], 0, 2).sum()
    prior += stats.halfnorm.logpdf(spread, scale=1.5) + stats.norm.logpdf(z).sum()
    eta = warmth * data["warm"] + skins * data["contact"] + spread * z[data["judge"]]
    edges = np.concatenate([[-np.inf], cutpoints, [np.inf]])
    a, b = edges[data["rating"]] - eta, edges[data["rating"] + 1] - eta
    # expit(b) - expit(a) = expit(b) expit(-a) (1 - exp(a - b)), without cancellation
    return prior + (special.log_expit(b) + special.log_expit(-a) + np.log1p(-np.exp(a - b))).sum()


def airquality(data, mean_sun, spread_sun, sun_missing, level, by_warmth, by_wind, by_sun, sigma, log_ozone_missing):
    sun, ozone = data["solar"] / 100, np.log(data["ozone"])
    sun[np.isnan(sun)] = sun_missing
    ozone[np.isnan(ozone)] = log_ozone_missing
    warm, breeze = (data["temperature"] - data["temperature"].mean()) / 10, (data["wind"] - data["wind"].mean()) / 5
    prior = stats.norm.logpdf(mean_sun, 2, 1) + stats.halfnorm.logpdf([spread_sun, sigma]).sum()
    prior += stats.norm.logpdf(level, 3.5, 1) + stats.norm.logpdf([by_warmth, by_wind, by_sun]).sum()
    prior += stats.norm.logpdf(sun, mean_sun, spread_sun).sum()
    expected = level + by_warmth * warm + by_wind * breeze + by_sun * (sun - 2)
    return prior + stats.norm.logpdf(ozone, expected, sigma).sum()


def epilepsy(data, level, slopes, spread, z, phi):
    log_base = np.log(data["base"] / 4)
    columns = [log_base, data["treated"], log_base * data["treated"], np.log(data["age"]), data["period"] == 4]
    X = np.column_stack(columns)
    mean = np.exp(level + (X - X.mean(axis=0)) @ slopes + spread * z[data["patient"]])
    prior = stats.norm.logpdf(level, 1.5, 1) + stats.norm.logpdf(slopes).sum() + stats.halfnorm.logpdf(spread)
    prior += stats.norm.logpdf(z).sum() + stats.gamma.logpdf(phi, 2, scale=5)
    return prior + stats.nbinom.logpmf(data["seizures"], phi, phi / (phi + mean)).sum()


def stocks(data, mean, scale, chol):
    prior = stats.norm.logpdf(mean).sum() + stats.halfnorm.logpdf(scale, scale=3).sum()
    prior += np.log(0.75) + np.log1p(-(chol[1, 0] ** 2))  # LKJ as in `sleepstudy`
    laws = [stats.logistic(mean[i], scale[i]) for i in range(2)]
    values = [data["dax"], data["ftse"]]
    scores = np.column_stack([-special.ndtri_exp(law.logsf(x)) for law, x in zip(laws, values, strict=True)])
    joint = stats.multivariate_normal(np.zeros(2), chol @ chol.T).logpdf(scores) - stats.norm.logpdf(scores).sum(axis=1)
    return prior + joint.sum() + sum(law.logpdf(x).sum() for law, x in zip(laws, values, strict=True))


def oesophagus(data, level, **effects):
    prior, eta = stats.norm.logpdf(level, -1, 1.5), level
    for name, steps in (("age", 5), ("alcohol", 3), ("tobacco", 3)):
        mean_step, shares = effects[f"{name}.mean_step"], effects[f"{name}.shares"]
        prior += stats.norm.logpdf(mean_step) + special.gammaln(steps)  # the simplex's density is (steps - 1)!
        rise = np.array([mean_step * steps * shares[:k].sum() for k in data[name]])
        eta = eta + rise - rise.mean()
    return prior + stats.binom.logpmf(data["cases"], data["cases"] + data["controls"], special.expit(eta)).sum()


def rabbits(data, alpha, beta):
    prior = stats.lognorm.logpdf(alpha, 0.5, scale=1.5) + stats.lognorm.logpdf(beta, 0.7, scale=15)
    law = stats.betabinom(18, alpha, beta)
    return prior + np.sum(data["rabbits"] * (law.logpmf(data["captures"]) - np.log1p(-law.pmf(0))))


def deterioration(data, shape, median):
    prior = stats.gamma.logpdf(shape, 4, scale=1 / 2) + stats.lognorm.logpdf(median, 1, scale=30).sum()
    law = stats.fisk(shape, scale=median[data["chemotherapy"]])
    low, high = data["low"], data["high"]
    exact = low == high
    between = np.log(np.where(exact, 1.0, law.sf(low) - law.sf(high)))
    return prior + np.where(exact, law.logpdf(np.where(low > 0, low, 1.0)), between).sum()


def recreation(data, any_level, any_slopes, level, slopes, phi):
    elsewhere = np.log(np.minimum(data["cost_conroe"], data["cost_houston"]))
    columns = [data["quality"], data["ski"], data["income"], np.log(data["cost_somerville"]), elsewhere]
    X = np.column_stack(columns)
    X = X - X.mean(axis=0)
    prior = stats.norm.logpdf([any_level, level], 0, 1.5).sum() + stats.norm.logpdf([any_slopes, slopes]).sum()
    prior += stats.gamma.logpdf(phi, 2)
    some, mean, trips = special.expit(any_level + X @ any_slopes), np.exp(level + X @ slopes), data["trips"]
    count = stats.nbinom(phi, phi / (phi + mean))
    positive = np.log(some) + count.logpmf(trips) - np.log1p(-count.pmf(0))
    return prior + np.where(trips == 0, np.log1p(-some), positive).sum()


def port_pirie(data, place, scale, shape):
    prior = stats.norm.logpdf(place, 4, 1) + stats.halfnorm.logpdf(scale, scale=0.5) + stats.norm.logpdf(shape, 0, 0.3)
    return prior + stats.genextreme.logpdf(data["sea_level"], -shape, place, scale).sum()


def kidney_stones(data, share_large, to_surgery, chance):
    total = 0.0  # all priors are uniform
    for large, surgery, patients, cured in zip(*data.values(), strict=True):
        share = (share_large if large else 1 - share_large) * (to_surgery[large] if surgery else 1 - to_surgery[large])
        total += patients * np.log(share) + special.xlogy(cured, chance[large, surgery])
        total += special.xlog1py(patients - cured, -chance[large, surgery])
    return total


def rebound(data, level, spread, by_child, sigma):
    prior = stats.norm.logpdf(level, 4, 1).sum() + stats.halfnorm.logpdf([spread, sigma]).sum()
    prior += stats.norm.logpdf(by_child, 0, spread).sum()
    when = np.searchsorted([0, 1, 3, 6, 9, 12, 18, 24], data["month"])
    law = stats.t(4, level[when] + by_child[data["child"]], sigma)
    logs = np.log10(data["rna"])
    exact = law.logpdf(logs) - np.log(data["rna"] * np.log(10))
    return prior + np.select([data["limit"] < 0, data["limit"] > 0], [law.logcdf(logs), law.logsf(logs)], exact).sum()


DENSITIES = (
    leukaemia,
    sleepstudy,
    biochemists,
    wine,
    airquality,
    epilepsy,
    stocks,
    rabbits,
    deterioration,
    recreation,
    oesophagus,
    port_pirie,
    kidney_stones,
    rebound,
)


@pytest.mark.parametrize("density", DENSITIES, ids=lambda density: density.__name__)
def test_neg_log_posterior_equals_scipy(density, same_density):
    same_density(density)
