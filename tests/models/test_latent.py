"""Densities of the models with hidden quantities, written a second time with scipy.stats, states summed plainly."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

import bayesad as ba
from bayesad.cli.inputs import load_posterior
from bayesad.config import load_config


def normal(x, mean, sd):
    return stats.norm.logpdf(x, mean, sd).sum()


def half_normal(x, sd):
    return stats.halfnorm.logpdf(x, scale=sd).sum()


def dirichlet(rows, alpha):
    """Simplexes on the last axis, with a concentration for each or one for all."""
    flat = np.reshape(rows, (-1, np.shape(rows)[-1]))
    alphas = np.broadcast_to(alpha, np.shape(rows)).reshape(flat.shape)
    return sum(stats.dirichlet.logpdf(row / row.sum(), a) for row, a in zip(flat, alphas, strict=True))


def coal_mining(data, before, after):
    prior = stats.expon.logpdf([before, after], scale=2).sum()
    y, n = data["disasters"], len(data["disasters"])
    each = [
        stats.poisson.logpmf(y[:k], before).sum() + stats.poisson.logpmf(y[k:], after).sum() - np.log(n)
        for k in range(n)
    ]
    return prior + logsumexp(each)


def dippers(data, survival, survival_in_flood, seen):
    """The multinomial cells in closed form: survive and be missed, until seen; or the rest."""
    phi = np.where(data["flood"], survival_in_flood, survival)
    total = 0.0  # all priors are uniform
    for i, n in enumerate(data["released"]):
        cells = [np.prod(phi[i : j + 1]) * (1 - seen) ** (j - i) * seen for j in range(i, len(phi))]
        counts = data["recaptured"][i, i:]
        total += np.sum(counts * np.log(cells)) + (n - counts.sum()) * np.log(1 - np.sum(cells))
    return total


def old_faithful(data, share, duration, sd_duration, pause, sd_pause):
    prior = dirichlet(share, 2.0) + normal(duration, 3, 2) + normal(pause, 70, 20)
    prior += stats.lognorm.logpdf(sd_duration, 0.5, scale=0.4).sum()
    prior += stats.lognorm.logpdf(sd_pause, 0.5, scale=6).sum()
    each = stats.norm.logpdf(data["minutes"][:, None], duration, sd_duration)
    each = each + stats.norm.logpdf(data["waiting"][:, None], pause, sd_pause) + np.log(share)
    return prior + logsumexp(each, axis=1).sum()


def earthquakes(data, rate, step):
    prior = stats.lognorm.logpdf(rate, 0.5, scale=20).sum() + dirichlet(step, 1 + 7 * np.eye(3))
    seen = stats.poisson.pmf(data["earthquakes"][:, None], rate)
    state, total = np.full(3, 1 / 3), 0.0
    for t, chances in enumerate(seen):
        state = (state @ step if t else state) * chances
        total, state = total + np.log(state.sum()), state / state.sum()
    return prior + total


def anaesthetists(data, share, rates):
    prior = dirichlet(share, 3.0) + dirichlet(rates, 1 + 2 * np.eye(4))
    joint = np.tile(np.log(share), (45, 1))
    for i, observer, rating in zip(data["patient"], data["observer"], data["rating"], strict=True):
        joint[i] += np.log(rates[observer, :, rating])
    return prior + logsumexp(joint, axis=1).sum()


def memos(data, about, use):
    anchors = np.zeros((2, 12))
    anchors[0, 2] = anchors[1, 10] = 3.0
    prior = dirichlet(about, 0.7) + dirichlet(use, 0.5 + anchors)
    return prior + np.log((about[data["document"]] * use.T[data["word"]]).sum(axis=1)).sum()


def cheese(data, guessing, taste, cuts):
    prior = stats.beta.logpdf(guessing, 1, 4) + normal(taste, 0, 3) + normal(cuts, 0, 5)
    for k, (additive, grade) in enumerate(itertools.product(range(4), range(9))):
        assert (data["additive"][k], data["grade"][k]) == (additive, grade)
        below = [0.0, *expit(cuts - taste[additive]), 1.0]
        chance = guessing / 9 + (1 - guessing) * (below[grade + 1] - below[grade])
        prior += data["tasters"][k] * np.log(chance)
    return prior


def coagulation(data, mean, between, within, level):
    prior = normal(mean, 65, 10) + half_normal([between, within], 5) + normal(level, mean, between)
    return prior + normal(data["seconds"], level[data["diet"]], within)


def corn(data, intercept, slope, sigma, centre, spread, true_nitrogen):
    prior = normal(intercept, 70, 30) + normal(slope, 0, 1) + half_normal(sigma, 10) + normal(centre, 70, 20)
    prior += half_normal(spread, 30) + normal(true_nitrogen, centre, spread)
    return (
        prior
        + normal(data["nitrogen"], true_nitrogen, 57**0.5)
        + normal(data["bushels"], intercept + slope * true_nitrogen, sigma)
    )


def phones(data, middle, slope, sigma, level, spread, share):
    prior = normal(middle, 15, 10) + normal(slope, 0, 2) + half_normal(sigma, 5)
    prior += normal(level, 100, 50) + half_normal(spread, 50) + stats.beta.logpdf(share, 1, 4)
    line = np.log1p(-share) + stats.norm.logpdf(data["calls"], middle + slope * (data["year"] - 1961.5), sigma)
    return prior + np.logaddexp(line, np.log(share) + stats.norm.logpdf(data["calls"], level, spread)).sum()


def lsat(data, easiness, spread, ability):
    prior = normal(easiness, 0, 2) + half_normal(spread, 1.5) + normal(ability, 0, 1)
    right = np.repeat(data["answers"], data["students"], axis=0)
    return prior + stats.bernoulli.logpmf(right, expit(easiness + spread * ability[:, None])).sum()


DENSITIES = (
    coal_mining,
    dippers,
    old_faithful,
    earthquakes,
    anaesthetists,
    memos,
    cheese,
    coagulation,
    corn,
    phones,
    lsat,
)


@pytest.mark.parametrize("density", DENSITIES, ids=lambda density: density.__name__)
def test_neg_log_posterior_equals_scipy(density, same_density):
    same_density(density)


# Means from 2 x 300 draws; each estimate's Monte Carlo error is below a tenth of the distance allowed.
def test_dippers_survive_as_published():
    """Lebreton and others (1992): 0.607 and, in years of flood, 0.469; seen with probability 0.900."""
    _, posterior, _ = load_posterior(load_config(Path(__file__).parents[2] / "configs" / "dippers.toml"))
    drawn = posterior.sample(ba.NUTS(), chains=2, warmup=300, draws=300, seed=1)["posterior"]
    for name, published in (("survival", 0.607), ("survival_in_flood", 0.469), ("seen", 0.900)):
        assert abs(float(drawn[name].mean()) - published) < 0.02
