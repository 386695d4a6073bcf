"""Densities of the models of designed experiments and repeated parts, each written a second time with scipy.stats."""

import numpy as np
import pytest
from scipy import stats

from models.football import dixon_coles


def normal(x, mean, sd):
    return stats.norm.logpdf(x, mean, sd).sum()


def log_normal(x, median, sd):
    return stats.lognorm.logpdf(x, sd, scale=median).sum()


def oats(data, mean, by_variety, by_nitrogen, contrasts, spread, z_block, whole_plot, z_plot, split_plot):
    prior = normal(mean, 100, 25) + normal(by_variety, 0, 15) + normal(by_nitrogen, 0, 30) + normal(contrasts, 0, 10)
    prior += (
        log_normal(spread, 15, 0.7) + log_normal(whole_plot, 10, 0.7) + normal(z_block, 0, 1) + normal(z_plot, 0, 1)
    )
    prior += stats.halfnorm.logpdf(split_plot, scale=20)
    for sums in (by_variety.sum(), by_nitrogen.sum(), z_block.sum(), z_plot.sum(axis=1)):
        assert np.allclose(sums, 0)
    # Helmert's contrasts: of each level with the ones before it
    varieties = np.array([[1, 1], [-1, 1], [0, -2]]) / np.sqrt([2, 6])
    amounts = np.array([[1, 1, 1], [-1, 1, 1], [0, -2, 1], [0, 0, -3]]) / np.sqrt([2, 6, 12])
    for crop, block, variety, nitrogen in zip(
        *(data[name] for name in ("crop", "block", "variety", "nitrogen")), strict=True
    ):
        expected = mean + by_variety[variety] + by_nitrogen[nitrogen]
        expected += varieties[variety] @ contrasts @ amounts[nitrogen]
        expected += spread * z_block[block] + whole_plot * z_plot[block, variety]
        prior += normal(crop, expected, split_plot)
    return prior


def loblolly(data, **unknown):
    total = log_normal(unknown["growth.bend"], 0.5, 0.3) + stats.halfnorm.logpdf(unknown["sigma"], scale=2)
    for name, guess in (("final", 60), ("delay", 1)):
        typical, spread, own = (unknown[f"growth.{name}.{part}"] for part in ("typical", "spread", "own"))
        total += log_normal(typical, guess, 0.5) + stats.halfnorm.logpdf(spread, scale=0.2)
        total += log_normal(own, typical, spread)
    for k, heights in enumerate(data["height"]):
        final, delay = unknown["growth.final.own"][k], unknown["growth.delay.own"][k]
        expected = final * np.exp(delay - delay * (data["age"] / 25) ** -unknown["growth.bend"])
        total += normal(heights, expected, unknown["sigma"])
    return total


def puromycin(data, sigma, **unknown):
    total = stats.halfnorm.logpdf(sigma, scale=20)
    for group in ("without", "with"):
        total += normal(unknown[f"{group}.maximum"], 200, 50) + log_normal(unknown[f"{group}.half"], 0.1, 1)
    for concentration, rate, treated in zip(*data.values(), strict=True):
        group = "with" if treated else "without"
        share = 1 / (1 + unknown[f"{group}.half"] / concentration)
        total += normal(rate, unknown[f"{group}.maximum"] * share, sigma)
    return total


def football(data, level, at_home, spread, z, rho):
    prior = normal([level, at_home], 0, 0.5) + log_normal(spread, 0.2, 0.5) + normal(z, 0, 1)
    prior += stats.truncnorm.logpdf(rho, -2, 2, scale=0.1)
    attack, defence = spread[:, None] * z
    for home, away, scored, conceded in zip(*(data[name] for name in list(data)[1:]), strict=True):
        rate = np.exp(level + at_home + attack[home] - defence[away])
        rate_away = np.exp(level + attack[away] - defence[home])
        table = {
            (0, 0): 1 - rate * rate_away * rho,
            (0, 1): 1 + rate * rho,
            (1, 0): 1 + rate_away * rho,
            (1, 1): 1 - rho,
        }
        prior += stats.poisson.logpmf(scored, rate) + stats.poisson.logpmf(conceded, rate_away)
        prior += np.log(table.get((scored, conceded), 1.0))
    return prior


@pytest.mark.parametrize("density", (oats, loblolly, puromycin, football), ids=lambda density: density.__name__)
def test_neg_log_posterior_equals_scipy(density, same_density):
    same_density(density)


# Each share of 60 000 draws is off by more than 5 standard errors with a probability below 1e-6.
def test_scores_are_drawn_with_the_probabilities_of_their_law():
    law = dixon_coles(np.array([[1.6, 0.9], [0.4, 2.2]]), -0.18)
    goals = law.sample(np.random.default_rng(1), 60_000)
    for score in ([0, 0], [0, 1], [1, 0], [1, 1], [2, 1]):
        chance = np.exp(law.log_prob(np.array([score, score])))
        share = np.mean(np.all(goals == score, axis=-1), axis=0)
        assert np.all(np.abs(share - chance) < 5 * np.sqrt(chance * (1 - chance) / 60_000))
