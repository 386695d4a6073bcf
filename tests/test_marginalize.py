"""Discrete unknowns summed out: densities and recovered draws against sums over all of their values.

Each case writes the joint density a second time with scipy.stats, for one assignment of values to the unknowns.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import special, stats

import bayesad as ba
from bayesad.errors import BayesadError, ConfigError, DataError, InitialisationError, ModelError

RNG = np.random.default_rng(11)
MU = np.array([-1.0, 0.5, 2.0])
START = np.array([0.5, 0.3, 0.2])
STEP = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])


def normal(x, mu, sigma):
    return np.sum(stats.norm.logpdf(x, mu, sigma))


class Case(NamedTuple):
    """A model, a point, and its joint density with the unknowns at given values."""

    model: Any
    data: dict
    params: dict
    sizes: dict  # unknown -> (shape, values)
    joint: Any

    def posterior(self):
        return self.model(**self.data)

    def assignments(self):
        """Every assignment of values, with its joint log density."""
        entries = [(name, i) for name, (shape, _) in self.sizes.items() for i in np.ndindex(shape)]
        values = [np.unique(np.asarray(self.sizes[name][1])) for name, _ in entries]
        for choice in itertools.product(*values):
            at = {name: np.zeros(shape, dtype=int) for name, (shape, _) in self.sizes.items()}
            for (name, i), value in zip(entries, choice, strict=True):
                at[name][i] = value
            with np.errstate(divide="ignore"):
                yield at, self.joint(**self.data, **self.params, **at)


# --- an unknown for each observation, and for each group of observations in any order


@ba.model
def mixture(y):
    mu = ba.sample("mu", ba.Normal(0, 5), shape=3)
    k = ba.sample("k", ba.Categorical(START), shape=len(y), marginalize=True)
    ba.sample("y", ba.Normal(mu[k], 1 + 0.5 * (k == 1)), obs=y)


def mixture_joint(y, mu, k):
    return normal(mu, 0, 5) + np.log(START[k]).sum() + normal(y, mu[k], 1 + 0.5 * (k == 1))


GROUP = np.array([2, 0, 1, 0, 2, 0, 0])


@ba.model
def groups(y):
    p = ba.sample("p", ba.Beta(2, 2))
    mu = ba.sample("mu", ba.Normal(0, 5))
    k = ba.sample("k", ba.Bernoulli(p), shape=3, marginalize=True)
    effect = ba.sample("effect", ba.Normal(3.0 * k, 1.0), shape=3)
    ba.sample("y", ba.Normal(mu + effect[GROUP], np.where(k[GROUP] == 1, 0.5, 1.5)), obs=y)


def groups_joint(y, p, mu, effect, k):
    prior = stats.beta.logpdf(p, 2, 2) + normal(mu, 0, 5) + stats.bernoulli.logpmf(k, p).sum()
    return prior + normal(effect, 3 * k, 1) + normal(y, mu + effect[GROUP], np.where(k[GROUP] == 1, 0.5, 1.5))


# --- several unknowns: of the same rows, above others, tied to others


@ba.model
def two_per_row(y):
    mu = ba.sample("mu", ba.Normal(0, 5), shape=2)
    a = ba.sample("a", ba.Bernoulli(0.3), shape=3, marginalize=True)
    b = ba.sample("b", ba.Binomial(2, 0.4), shape=3, marginalize=True)
    ba.sample("y", ba.Normal(mu[a] * b, 1), obs=y)


def two_per_row_joint(y, mu, a, b):
    prior = normal(mu, 0, 5) + stats.bernoulli.logpmf(a, 0.3).sum() + stats.binom.logpmf(b, 2, 0.4).sum()
    return prior + normal(y, mu[a] * b, 1)


CLASS = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6]])


@ba.model
def nested(y, x):
    mu = ba.sample("mu", ba.Normal(0, 5), shape=3)
    top = ba.sample("top", ba.Bernoulli(0.4), marginalize=True)
    k = ba.sample("k", ba.Categorical(CLASS[top]), shape=4, marginalize=True)
    ba.sample("y", ba.Normal(mu[k], 1), obs=y)
    ba.sample("x", ba.Normal(mu[0] * top, 2), obs=x)


def nested_joint(y, x, mu, top, k):
    prior = normal(mu, 0, 5) + stats.bernoulli.logpmf(top, 0.4) + np.log(CLASS[top, k]).sum()
    return prior + normal(y, mu[k], 1) + normal(x, mu[0] * top, 2)


HOUSE = np.array([0, 0, 1])


@ba.model
def houses(y):
    mu = ba.sample("mu", ba.Normal(0, 5), shape=2)
    top = ba.sample("top", ba.Bernoulli(0.4), shape=2, marginalize=True)
    k = ba.sample("k", ba.Bernoulli(np.where(top[HOUSE] == 1, 0.9, 0.2)), marginalize=True)
    ba.sample("y", ba.Normal(mu[k] + top[HOUSE], 1), obs=y)


def houses_joint(y, mu, top, k):
    prior = normal(mu, 0, 5) + stats.bernoulli.logpmf(top, 0.4).sum()
    prior += stats.bernoulli.logpmf(k, np.where(top[HOUSE] == 1, 0.9, 0.2)).sum()
    return prior + normal(y, mu[k] + top[HOUSE], 1)


@ba.model
def branches(y):
    mu = ba.sample("mu", ba.Normal(0, 5))
    k = ba.sample("k", ba.Categorical(START), marginalize=True)
    laws = [ba.Normal(mu, 1), ba.StudentT(3, mu, 1), ba.Normal(-mu, 1)]
    scale = 1.0
    for _ in range(k):
        scale *= 1.5
    if k == 2:
        scale = 0.5
    ba.factor("y", laws[k].log_prob(y / scale))


def branches_joint(y, mu, k):
    law = [stats.norm(mu, 1), stats.t(3, mu, 1), stats.norm(-mu, 1)][k]
    return normal(mu, 0, 5) + np.log(START[k]) + law.logpdf(y / [1.0, 1.5, 0.5][k]).sum()


N_TRIALS = np.array([1, 3, 0])


@ba.model
def counts(y):
    rate = ba.sample("rate", ba.Exponential(1))
    n = ba.sample("n", ba.Binomial(N_TRIALS, 0.3), shape=3, marginalize=True)
    m = ba.sample("m", ba.truncated(ba.Poisson(rate), upper=2), marginalize=True)
    ba.sample("y", ba.Normal(rate * n + m, 1), obs=y)


def counts_joint(y, rate, n, m):
    prior = stats.expon.logpdf(rate) + stats.binom.logpmf(n, N_TRIALS, 0.3).sum()
    prior += stats.poisson.logpmf(m, rate) - stats.poisson.logcdf(2, rate)
    return prior + normal(y, rate * n + m, 1)


@ba.model
def abundance(y):
    rate = ba.sample("rate", ba.Exponential(0.2))
    p = ba.sample("p", ba.Beta(2, 2))
    n = ba.sample("n", ba.truncated(ba.Poisson(rate), upper=6), shape=2, marginalize=True)
    ba.sample("y", ba.Binomial(n[:, None], p), obs=y)


def abundance_joint(y, rate, p, n):
    prior = stats.expon.logpdf(rate, scale=5) + stats.beta.logpdf(p, 2, 2)
    prior += (stats.poisson.logpmf(n, rate) - stats.poisson.logcdf(6, rate)).sum()
    return prior + stats.binom.logpmf(y, n[:, None], p).sum()


# --- chains


@ba.model
def chain_by_loop(y):
    mu = ba.sample("mu", ba.Normal(0, 3), shape=3)
    step = ba.sample("step", ba.Dirichlet(np.ones((3, 3))))
    z = ba.sample("z0", ba.Categorical(START), marginalize=True)
    ba.sample("y0", ba.Normal(mu[z], 1), obs=y[0])
    for t in range(1, len(y)):
        z = ba.sample(f"z{t}", ba.Categorical(step[z]), marginalize=True)
        ba.sample(f"y{t}", ba.Normal(mu[z], 1), obs=y[t])


def chain_joint(y, mu, step, z):
    log_p = np.log(START[z[0]]) + sum(np.log(step[z[t - 1], z[t]]) for t in range(1, len(y)))
    return normal(mu, 0, 3) + stats.dirichlet.logpdf(step[0], np.ones(3)) * 3 + log_p + normal(y, mu[z], 1)


def loop_joint(y, mu, step, **states):
    return chain_joint(y, mu, step, np.array([int(states[f"z{t}"]) for t in range(len(y))]))


@ba.model
def chain_of_constants(y):
    """The matrix and the means are plain data, which traced whole numbers cannot index."""
    shift = ba.sample("shift", ba.Normal(0, 1))
    z = 0
    for t in range(len(y)):
        z = ba.sample(f"z{t}", ba.Categorical(STEP[z]), marginalize=True)
        ba.sample(f"y{t}", ba.Normal(MU[z] + shift, 1), obs=y[t])


def constants_joint(y, shift, **states):
    z = np.array([0] + [int(states[f"z{t}"]) for t in range(len(y))])
    return normal(shift, 0, 1) + np.log(STEP[z[:-1], z[1:]]).sum() + normal(y, MU[z[1:]] + shift, 1)


@ba.model
def chain_put_together(y):
    mu = ba.sample("mu", ba.Normal(0, 3), shape=3)
    step = ba.sample("step", ba.Dirichlet(np.ones((3, 3))))
    z = [ba.sample("z0", ba.Categorical(START), marginalize=True)]
    for t in range(1, len(y)):
        z.append(ba.sample(f"z{t}", ba.Categorical(step[z[-1]]), marginalize=True))
    ba.sample("y", ba.Normal(mu[np.stack(z)], 1), obs=y)


@ba.model
def chain_of_rows(y):
    mu = ba.sample("mu", ba.Normal(0, 3), shape=2)
    stay = ba.sample("stay", ba.Beta(2, 2))
    z = ba.sample("z0", ba.Bernoulli(0.5), shape=y.shape[1], marginalize=True)
    ba.sample("y0", ba.Normal(mu[z], 1), obs=y[0])
    for t in range(1, len(y)):
        z = ba.sample(f"z{t}", ba.Bernoulli(np.where(z == 1, stay, 0.2)), marginalize=True)
        ba.sample(f"y{t}", ba.Normal(mu[z], 1), obs=y[t])


def rows_joint(y, mu, stay, z0, z1):
    prior = normal(mu, 0, 3) + stats.beta.logpdf(stay, 2, 2) + len(z0) * np.log(0.5)
    return prior + stats.bernoulli.logpmf(z1, np.where(z0 == 1, stay, 0.2)).sum() + normal(y, mu[np.stack([z0, z1])], 1)


@ba.model
def chain_as_vector(y):
    mu = ba.sample("mu", ba.Normal(0, 3), shape=3)
    step = ba.sample("step", ba.Dirichlet(np.ones((3, 3))))
    z = ba.sample("z", ba.DiscreteMarkovChain(START, step), shape=len(y), marginalize=True)
    ba.sample("y", ba.Normal(mu[z], 1), obs=y)


@ba.model
def chain_in_scan(y):
    mu = ba.sample("mu", ba.Normal(0, 3), shape=3)
    step = ba.sample("step", ba.Dirichlet(np.ones((3, 3))))
    z = ba.sample("z", ba.DiscreteMarkovChain(START, step), shape=len(y), marginalize=True)
    _, terms = ba.scan(lambda carry, row: (carry, ba.Normal(mu[row[0]], 1).log_prob(row[1])), 0.0, (z, y))
    ba.factor("y", terms)


@ba.model
def chains_under_a_switch(y):
    mu = ba.sample("mu", ba.Normal(0, 3), shape=3)
    on = ba.sample("on", ba.Bernoulli(0.4), shape=2, marginalize=True)
    z = ba.sample("z", ba.DiscreteMarkovChain(START, STEP), shape=y.shape, marginalize=True)
    ba.sample("y", ba.Normal(mu[z] + on[:, None], 1), obs=y)


def switch_joint(y, mu, on, z):
    log_p = np.log(START[z[:, 0]]).sum() + np.log(STEP[z[:, :-1], z[:, 1:]]).sum()
    return normal(mu, 0, 3) + stats.bernoulli.logpmf(on, 0.4).sum() + log_p + normal(y, mu[z] + on[:, None], 1)


# --- missing values


@ba.model
def missing(y, x):
    p = ba.sample("p", ba.Beta(2, 2))
    slope = ba.sample("slope", ba.Normal(0, 1))
    x = ba.sample("x", ba.Bernoulli(p), obs=x)
    ba.sample("y", ba.Normal(slope * x, 1), obs=y)


def missing_joint(y, x, p, slope, x_missing):
    x = np.array(x)
    x[np.isnan(x)] = x_missing
    prior = stats.beta.logpdf(p, 2, 2) + normal(slope, 0, 1) + stats.bernoulli.logpmf(x.astype(int), p).sum()
    return prior + normal(y, slope * x, 1)


ITEM, RATER = np.array([0, 1, 2, 0, 1, 2, 0, 1]), np.array([0, 0, 0, 1, 1, 1, 2, 2])  # the last pair was not rated


@ba.model
def crossed(y):
    """Classes of items, and types of raters under a type of all of them."""
    mu = ba.sample("mu", ba.Normal(0, 5), shape=3)
    school = ba.sample("school", ba.Bernoulli(0.4), marginalize=True)
    strict = ba.sample("strict", ba.Bernoulli(np.where(school == 1, 0.7, 0.2)), shape=3, marginalize=True)
    kind = ba.sample("kind", ba.Categorical(START), shape=3, marginalize=True)
    ba.sample("y", ba.Normal(mu[kind[ITEM]] - strict[RATER], 1), obs=y)


def crossed_joint(y, mu, school, strict, kind):
    prior = normal(mu, 0, 5) + stats.bernoulli.logpmf(school, 0.4) + np.log(START[kind]).sum()
    prior += stats.bernoulli.logpmf(strict, 0.7 if school == 1 else 0.2).sum()
    return prior + normal(y, mu[kind[ITEM]] - strict[RATER], 1)


@ba.model
def ring(y):
    """Four unknowns around a ring, tied by factors, each also to the one number in the middle."""
    k = ba.sample("k", ba.Bernoulli(0.4), shape=4, marginalize=True)
    j = ba.sample("j", ba.Bernoulli(0.3), shape=4, marginalize=True)
    middle = ba.sample("middle", ba.DiscreteUniform(0, 2), marginalize=True)
    ba.factor("right", 0.8 * k * j)
    ba.factor("left", -1.1 * k * j[[1, 2, 3, 0]] + 0.3 * middle * k)
    ba.sample("y", ba.Normal(middle + j, 1), obs=y)


def ring_joint(y, k, j, middle):
    prior = stats.bernoulli.logpmf(k, 0.4).sum() + stats.bernoulli.logpmf(j, 0.3).sum() - np.log(3)
    tied = np.sum(0.8 * k * j - 1.1 * k * np.roll(j, -1) + 0.3 * middle * k)
    return prior + tied + normal(y, middle + j, 1)


Y = RNG.normal(size=(2, 7)) * 2
LOOP = {f"z{t}": ((), range(3)) for t in range(4)}
CASES = {
    "crossed": Case(
        crossed,
        {"y": np.append(Y[0], 0.4)},
        {"mu": MU},
        {"school": ((), range(2)), "strict": ((3,), range(2)), "kind": ((3,), range(3))},
        crossed_joint,
    ),
    "ring": Case(
        ring,
        {"y": Y[1, :4]},
        {},
        {"k": ((4,), range(2)), "j": ((4,), range(2)), "middle": ((), range(3))},
        ring_joint,
    ),
    "mixture": Case(mixture, {"y": Y[0, :4]}, {"mu": MU}, {"k": ((4,), range(3))}, mixture_joint),
    "groups": Case(
        groups,
        {"y": Y[0]},
        {"p": 0.3, "mu": 0.2, "effect": np.array([0.5, 1.0, 3.3])},
        {"k": ((3,), range(2))},
        groups_joint,
    ),
    "two per row": Case(
        two_per_row,
        {"y": Y[0, :3]},
        {"mu": MU[:2]},
        {"a": ((3,), range(2)), "b": ((3,), range(3))},
        two_per_row_joint,
    ),
    "nested": Case(
        nested,
        {"y": Y[0, :4], "x": Y[1, :2]},
        {"mu": MU},
        {"top": ((), range(2)), "k": ((4,), range(3))},
        nested_joint,
    ),
    "houses": Case(
        houses, {"y": Y[1, :3]}, {"mu": MU[:2]}, {"top": ((2,), range(2)), "k": ((3,), range(2))}, houses_joint
    ),
    "branches": Case(branches, {"y": Y[0]}, {"mu": 0.7}, {"k": ((), range(3))}, branches_joint),
    "counts": Case(counts, {"y": Y[0, :3]}, {"rate": 0.8}, {"n": ((3,), range(4)), "m": ((), range(3))}, counts_joint),
    "abundance": Case(
        abundance,
        {"y": np.array([[1, 2, 0], [3, 3, 1]])},
        {"rate": 3.0, "p": 0.4},
        {"n": ((2,), range(7))},
        abundance_joint,
    ),
    "chain by loop": Case(chain_by_loop, {"y": Y[0, :4]}, {"mu": MU, "step": STEP}, LOOP, loop_joint),
    "chain of constants": Case(chain_of_constants, {"y": Y[0, :4]}, {"shift": 0.3}, LOOP, constants_joint),
    "chain put together": Case(
        chain_put_together,
        {"y": Y[0, :5]},
        {"mu": MU, "step": STEP},
        {f"z{t}": ((), range(3)) for t in range(5)},
        loop_joint,
    ),
    "chain of rows": Case(
        chain_of_rows,
        {"y": Y[:, :3]},
        {"mu": MU[:2], "stay": 0.8},
        {"z0": ((3,), range(2)), "z1": ((3,), range(2))},
        rows_joint,
    ),
    "chain as vector": Case(
        chain_as_vector, {"y": Y[0, :4]}, {"mu": MU, "step": STEP}, {"z": ((4,), range(3))}, chain_joint
    ),
    "chain in scan": Case(
        chain_in_scan, {"y": Y[0, :4]}, {"mu": MU, "step": STEP}, {"z": ((4,), range(3))}, chain_joint
    ),
    "chains under a switch": Case(
        chains_under_a_switch,
        {"y": Y[:, :2]},
        {"mu": MU},
        {"on": ((2,), range(2)), "z": ((2, 2), range(3))},
        switch_joint,
    ),
    "missing": Case(
        missing,
        {"y": Y[0, :5], "x": [1.0, np.nan, 0.0, np.nan, np.nan]},
        {"p": 0.3, "slope": 1.2},
        {"x_missing": ((3,), range(2))},
        missing_joint,
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_density_is_the_sum_over_all_values(case):
    posterior = case.posterior()
    expected = special.logsumexp([log_p for _, log_p in case.assignments()])
    assert posterior.neg_log_posterior(case.params) == pytest.approx(-expected, rel=1e-11)
    assert -sum(posterior.log_density_terms(case.params).values()) == pytest.approx(-expected, rel=1e-11)
    assert set(posterior.parameters) == set(case.params)


# A share of 4000 draws is off by more than 5 standard errors and a draw with a probability below 1e-5; there are about
# 200 of them.
@every_case
def test_recovered_draws_have_their_joint_distribution(case):
    posterior = case.posterior()
    q = posterior.unconstrained.pack(case.params)
    n = 4000
    found = posterior.recover(np.tile(q, (n, 1)), np.random.default_rng(1))
    assert {name: found[name].shape for name in case.sizes} == {k: (n, *shape) for k, (shape, _) in case.sizes.items()}
    assignments, log_p = zip(*case.assignments(), strict=True)
    weights = special.softmax(log_p)
    events = [(name, i) for name, (shape, _) in case.sizes.items() for i in np.ndindex(shape)]
    for (a, i), (b, j) in itertools.pairwise(events):
        for v, w in itertools.product(case.sizes[a][1], case.sizes[b][1]):
            p = sum(x for x, at in zip(weights, assignments, strict=True) if at[a][i] == v and at[b][j] == w)
            share = np.mean((found[a][(slice(None), *i)] == v) & (found[b][(slice(None), *j)] == w))
            assert abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n) + 2 / n
    if len(events) == 1:
        ((name, _),) = events
        for v in case.sizes[name][1]:
            p = sum(x for x, at in zip(weights, assignments, strict=True) if at[name] == v)
            assert abs(np.mean(found[name] == v) - p) <= 5 * np.sqrt(p * (1 - p) / n) + 2 / n


@pytest.mark.parametrize("name", ["groups", "chains under a switch"])
def test_gradient_of_machine_code_equals_finite_differences_of_the_sum(name):
    case = CASES[name]
    posterior = case.posterior()
    q = posterior.unconstrained.pack(case.params)
    value, gradient = posterior.unconstrained.compiled.log_density(q).at(q)
    assert value == pytest.approx(posterior.unconstrained.log_density(q), rel=1e-12)
    for i, h in itertools.product(range(len(q)), [1e-5]):
        e = h * np.eye(len(q))[i]
        slope = (posterior.unconstrained.log_density(q + e) - posterior.unconstrained.log_density(q - e)) / (2 * h)
        assert gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_values_at_which_an_observation_is_impossible_leave_the_gradient_finite():
    @ba.model
    def occupied(y):
        psi = ba.sample("psi", ba.Uniform(0, 1))
        p = ba.sample("p", ba.Uniform(0, 1))
        rate = ba.sample("rate", ba.Exponential(1))
        z = ba.sample("z", ba.Bernoulli(psi), shape=len(y), marginalize=True)
        ba.sample("y", ba.Bernoulli(p * z[:, None]), obs=y)
        ba.sample("count", ba.Poisson(rate * z), obs=y.sum(axis=1))

    y = np.array([[1, 0], [0, 0], [1, 1]])
    posterior = occupied(y=y)
    psi, p, rate = 0.6, 0.3, 1.7
    point = {"psi": psi, "p": p, "rate": rate}

    def density(psi, p, rate):
        present = psi * np.prod(np.where(y == 1, p, 1 - p), axis=1) * stats.poisson(rate).pmf(y.sum(axis=1))
        return np.sum(np.log(present + (1 - psi) * (y.sum(axis=1) == 0))) - rate

    free = posterior.unconstrained
    assert posterior.neg_log_posterior(point) == pytest.approx(-density(**point), rel=1e-12)
    q = free.pack(point)
    slopes = free.log_density_and_gradient(q)[1]
    for i, e in enumerate(1e-6 * np.eye(3)):
        assert slopes[i] == pytest.approx((free.log_density(q + e) - free.log_density(q - e)) / 2e-6, rel=1e-6)


def test_unconstrained_density_looks_at_supports_that_depend_on_an_unknown():
    @ba.model
    def m(y):
        x = ba.sample("x", ba.Normal(0, 1))
        n = ba.sample("n", ba.DiscreteUniform(1, 4), marginalize=True)
        ba.sample("y", ba.DiscreteUniform(0, n), obs=y)
        ba.factor("x and n", 0.1 * x * n)

    expected = special.logsumexp([np.log(0.25 / (n + 1) ** 2) + 0.05 * n for n in (3, 4)]) + stats.norm.logpdf(0.5)
    assert m(y=[3, 0]).unconstrained.log_density([0.5]) == pytest.approx(expected, rel=1e-12)


def test_states_that_cannot_be_left_or_reached_and_runs_of_a_chain():
    """One way through the states: every run has some of them impossible; 2 K − 1 runs tell all."""
    one_way = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])
    y = np.array([-1.0, 0.4, 0.6, 2.1, 1.9])

    @ba.model
    def through(y):
        z = ba.sample("z0", ba.Categorical([1.0, 0.0, 0.0]), marginalize=True)
        ba.sample("y0", ba.Normal(MU[z], 1), obs=y[0])
        for t in range(1, len(y)):
            z = ba.sample(f"z{t}", ba.Categorical(one_way[z]), marginalize=True)
            ba.sample(f"y{t}", ba.Normal(MU[z], 1), obs=y[t])

    posterior = through(y=y)
    assert len(posterior.enumeration.runs) == 2 * 3 - 1
    expected = ba.HiddenMarkov([1.0, 0.0, 0.0], one_way, ba.Normal(MU, 1)).log_prob(y)
    assert posterior.neg_log_posterior({}) == pytest.approx(-expected)


# --- what becomes of the unknowns after sampling


@ba.model
def labelled(y):
    mu = ba.sample("mu", ba.ordered(ba.Normal(0, 5)), shape=2)
    k = ba.sample("k", ba.Bernoulli(0.3), dims="row", marginalize=True)
    mean = ba.deterministic("mean", mu[k], dims="row")
    ba.deterministic("gap", mu[1] - mu[0])
    ba.sample("y", ba.Normal(mean, 1), obs=y, dims="row")


@pytest.fixture(scope="module")
def run():
    posterior = labelled.with_coords(row=["a", "b", "c"])(y=[-2.0, 0.0, 3.0])
    return posterior, posterior.sample(chains=2, warmup=100, draws=50, seed=1)


def test_draws_are_recovered_into_the_posterior_with_what_depends_on_them(run):
    posterior, tree = run
    drawn = tree["posterior"]
    assert list(drawn.data_vars) == ["mu", "k", "mean", "gap"]
    assert drawn["k"].dims == ("chain", "draw", "row")
    assert drawn["k"].dtype.kind == "i"
    mu, k = drawn["mu"].values, drawn["k"].values
    np.testing.assert_array_equal(drawn["mean"], np.take_along_axis(mu, k, axis=-1))
    np.testing.assert_allclose(drawn["gap"], mu[..., 1] - mu[..., 0])
    again = posterior.sample(chains=2, warmup=100, draws=50, seed=1)
    np.testing.assert_array_equal(again["posterior"]["k"], k)


def test_log_likelihood_of_an_observation_has_its_unknown_summed_out(run):
    posterior, tree = run
    found = posterior.log_likelihood(tree)["log_likelihood"]["y"]
    mu = tree["posterior"]["mu"].values[..., None, :]
    density = np.log([0.7, 0.3]) + stats.norm.logpdf(np.array([-2.0, 0.0, 3.0])[:, None], mu, 1)
    np.testing.assert_allclose(found, special.logsumexp(density, axis=-1), rtol=1e-11)
    assert found.dims == ("chain", "draw", "row")


@pytest.mark.parametrize(
    "name", ["chain by loop", "chain put together", "chain as vector", "nested", "houses", "two per row", "missing"]
)
def test_log_likelihood_sums_over_the_unknowns_distribution_without_the_other_observations(name):
    case = CASES[name]
    found = case.posterior().pointwise_log_likelihood(case.params)
    at, log_p = zip(*case.assignments(), strict=True)
    y = np.asarray(case.data["y"])

    def density_of_y(k):  # by difference, for the joint densities have it as their last term
        means = {
            "chain by loop": lambda: MU[[int(k[f"z{t}"]) for t in range(4)]],
            "chain put together": lambda: MU[[int(k[f"z{t}"]) for t in range(5)]],
            "chain as vector": lambda: MU[k["z"]],
            "nested": lambda: MU[k["k"]],
            "houses": lambda: MU[:2][k["k"]] + k["top"][HOUSE],
            "two per row": lambda: MU[:2][k["a"]] * k["b"],
            "missing": lambda: 1.2 * np.array([1, k["x_missing"][0], 0, *k["x_missing"][1:]]),
        }
        return stats.norm.logpdf(y, means[name](), 1)

    each = np.stack([density_of_y(k) for k in at])
    rest = np.array(log_p) - each.sum(axis=1)  # the prior of the unknowns, and what else is observed
    if name == "nested":
        rest = rest - np.array([normal(case.data["x"], MU[0] * k["top"], 2) for k in at])
    prior = rest - special.logsumexp(rest)
    expected = special.logsumexp(prior[:, None] + each, axis=0)
    values = [found[f"y{t}"] for t in range(4)] if name == "chain by loop" else found["y"]
    np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_predictions_take_the_unknowns_of_the_draws_or_draw_them_anew(run):
    posterior, tree = run
    mu = np.tile([-100.0, 100.0], (1, 400, 1))
    k = np.tile([0, 1, 1], (1, 400, 1))
    given = posterior.predict({"mu": mu, "k": k}, seed=1)["posterior_predictive"]["y"]
    np.testing.assert_array_equal(given > 0, k == 1)
    anew = posterior.predict({"mu": mu}, seed=1)["posterior_predictive"]["y"]
    assert abs((anew > 0).mean() - 0.3) < 5 * np.sqrt(0.21 / 1200)
    assert posterior.predict(tree, seed=1)["posterior_predictive"]["y"].shape == (2, 50, 3)


def test_prior_draws_have_the_unknowns(run):
    posterior, _ = run
    tree = posterior.prior(2000, seed=1)
    k = tree["prior"]["k"]
    assert abs(k.mean() - 0.3) < 5 * np.sqrt(0.21 / 6000)
    np.testing.assert_array_equal(
        tree["prior"]["mean"], np.take_along_axis(tree["prior"]["mu"].values, k.values, axis=-1)
    )


def test_a_missing_discrete_value_is_recovered_in_the_completed_variable():
    case = CASES["missing"]
    tree = case.posterior().sample(chains=1, warmup=50, draws=20, seed=1)["posterior"]
    np.testing.assert_array_equal(tree["x"].values[..., [1, 3, 4]], tree["x_missing"])
    np.testing.assert_array_equal(tree["x"].values[..., [0, 2]], np.tile([1, 0], (1, 20, 1)))


def test_an_unknown_without_observations_has_its_distribution():
    @ba.model
    def m():
        ba.sample("x", ba.Normal(0, 1))
        ba.sample("k", ba.Categorical(START), shape=2, marginalize=True)

    posterior = m()
    assert posterior.neg_log_posterior({"x": 0.0}) == pytest.approx(-stats.norm.logpdf(0))
    k = posterior.recover(np.zeros((3000, 1)), np.random.default_rng(0))["k"]
    shares = [(k == v).mean() for v in range(3)]
    np.testing.assert_allclose(shares, START, atol=5 * np.sqrt(0.25 / 6000))


# --- nothing but discrete unknowns


@ba.model
def only_discrete(y):
    top = ba.sample("top", ba.Bernoulli(0.4), marginalize=True)
    k = ba.sample("k", ba.Categorical(CLASS[top]), shape=len(y), marginalize=True)
    mean = ba.deterministic("mean", MU[k] + top)
    ba.sample("y", ba.Normal(mean, 1), obs=y)


def exactly(y):
    """Log density of the data, the chance of top == 1 and those of k, by adding everything up."""
    log_joint = np.log(CLASS)[:, None] + stats.norm.logpdf(np.array(y)[:, None], MU + np.arange(2)[:, None, None], 1)
    each = special.logsumexp(log_joint, axis=-1)
    tops = np.log([0.6, 0.4]) + each.sum(axis=1)
    chances = special.softmax(tops)
    return special.logsumexp(tops), chances[1], np.einsum("t,tnk->nk", chances, np.exp(log_joint - each[..., None]))


# Shares of 2000 independent draws, beyond 5 standard errors with a probability below 1e-6 each.
@pytest.mark.parametrize("sampler", [ba.NUTS(), ba.HMC()], ids=["nuts", "hmc"])
def test_a_model_of_discrete_unknowns_only_is_drawn_from_exactly(sampler):
    y = [0.3, 2.5]
    log_p, top, k = exactly(y)
    posterior = only_discrete(y=y)
    assert posterior.neg_log_posterior({}) == pytest.approx(-log_p)
    seen = []
    tree = posterior.sample(sampler, chains=2, draws=1000, warmup=10, seed=1, keep_warmup=True, progress=seen.append)
    drawn = tree["posterior"]
    assert list(drawn.data_vars) == ["top", "k", "mean"]
    assert drawn["k"].shape == (2, 1000, 2)
    assert tree["warmup_posterior"]["k"].shape == (2, 10, 2)
    assert abs(drawn["top"].mean() - top) < 5 * np.sqrt(top * (1 - top) / 2000)
    shares = np.stack([(drawn["k"].values == v).mean(axis=(0, 1)) for v in range(3)], axis=1)
    assert np.all(np.abs(shares - k) < 5 * np.sqrt(k * (1 - k) / 2000))
    np.testing.assert_array_equal(drawn["mean"], MU[drawn["k"]] + drawn["top"].values[..., None])
    np.testing.assert_allclose(tree["sample_stats"]["lp"], log_p)
    assert not tree["sample_stats"]["n_steps"].any()
    assert [chain.iteration for chain in seen[-1]] == [1010, 1010]
    chains = drawn["top"].values
    assert not np.array_equal(chains[0], chains[1])
    np.testing.assert_array_equal(
        posterior.sample(sampler, chains=1, draws=1000, warmup=0, seed=1)["posterior"]["top"].values[0], chains[0]
    )


def test_draws_of_discrete_unknowns_only_predict_and_are_judged_as_exact():
    from bayesad.diagnostics import advice, all_is_well, summary

    posterior = only_discrete(y=[0.3, 2.5])
    tree = posterior.sample(chains=1, draws=40, seed=2)
    assert advice(tree) == []
    del tree["posterior"]["mean"]
    assert "exact and independent" in all_is_well(summary(tree), 1)
    assert posterior.predict(tree, seed=1)["posterior_predictive"]["y"].shape == (1, 40, 2)
    found = posterior.log_likelihood(tree)["log_likelihood"]["y"]
    assert found.shape == (1, 40, 2)
    np.testing.assert_allclose(found[0, 0], [-only_discrete(y=[v]).neg_log_posterior({}) for v in (0.3, 2.5)])
    with pytest.raises(ModelError, match="there are no draws"):
        posterior.log_likelihood({})


def test_a_model_without_unknowns_cannot_be_sampled():
    for posterior in (
        ba.condition(only_discrete, {"top": 1, "k": [0, 2]})(y=[0.3, 2.5]),
        ba.do(only_discrete, {"top": 1, "k": [0, 2]})(y=[0.3, 2.5]),
    ):
        with pytest.raises(ConfigError, match=r"'only_discrete' has no unknowns.* observed or set .*y"):
            posterior.sample()
    conditioned = ba.condition(only_discrete, {"k": [0, 2]})(y=[0.3, 2.5])
    assert set(conditioned.sample(chains=1, draws=3, seed=1)["posterior"].data_vars) == {"top", "mean"}


def test_data_that_no_value_of_the_unknowns_allows_are_told_before_sampling():
    @ba.model
    def apart(y):
        k = ba.sample("k", ba.Bernoulli(0.5), marginalize=True)
        ba.sample("y", ba.Uniform(0.0 + k, 1.0 + k), obs=y)

    with pytest.raises(InitialisationError, match=r"not finite, whatever the values of its discrete unknowns.*'k'"):
        apart(y=[0.5, 1.5]).sample()


# --- what cannot be summed is refused


def refused(body, *parts, kind=ModelError):
    @ba.model
    def wrong():
        body()

    with pytest.raises(kind) as caught:
        wrong()
    for part in ("'wrong'", *parts):
        assert part in str(caught.value), f"{part!r} is not in: {caught.value}"
    assert isinstance(caught.value, BayesadError)


def bernoulli(shape=None, name="k"):
    return ba.sample(name, ba.Bernoulli(0.4), shape=shape, marginalize=True)


def test_a_term_that_depends_on_several_elements_is_refused():
    refused(lambda: ba.factor("f", np.sum(1.0 * bernoulli(3)) ** 2), "'f'", "several elements", "'k'")

    def neighbours():
        k = bernoulli(4)
        ba.factor("f", 0.3 * k[1:] * k[:-1])

    refused(neighbours, "'f'", "several elements", "ba.DiscreteMarkovChain")

    def ranks():
        k = bernoulli(4)
        ba.sample("y", ba.Normal(np.cumsum(k), 1), obs=np.zeros(4))

    refused(ranks, "'y'", "several elements")

    def only_far_away():
        far, k = ba.sample("far", ba.Normal(0, 1), shape=40) > 2.5, bernoulli(40)
        ba.sample("y", ba.Normal(np.where(far, k, 0.0), 1), obs=np.ones(40))

    refused(only_far_away, "'y'")


def test_nets_that_take_too_large_tables_are_refused():
    def net():
        item, rater = bernoulli(30, "item"), bernoulli(40, "rater")
        ba.sample("y", ba.Normal(np.add.outer(item, 2 * rater), 1), obs=np.zeros((30, 40)))

    refused(net, "'item'", "tied to several elements of 'rater'", "1048576 numbers", "ba.factor")


def test_the_smaller_side_of_a_net_is_taken_apart():
    @ba.model
    def net(y):
        ba.sample("x", ba.Normal(0, 1))
        item, rater = bernoulli(60, "item"), bernoulli(4, "rater")
        ba.sample("y", ba.Normal(np.add.outer(item, 2.0 * rater), 1), obs=y)

    y = RNG.normal(size=(60, 4))
    posterior = net(y=y)
    assert set(posterior.enumeration.net.elements) == {"rater"}
    by_rater = []
    for rater in itertools.product(range(2), repeat=4):
        each = [np.log(p) + stats.norm.logpdf(y, item + 2.0 * np.array(rater)).sum(axis=1) for item, p in BOTH]
        by_rater.append(stats.bernoulli.logpmf(rater, 0.4).sum() + np.logaddexp(*each).sum())
    expected = special.logsumexp(by_rater) + stats.norm.logpdf(0.3)
    assert posterior.neg_log_posterior({"x": 0.3}) == pytest.approx(-expected, rel=1e-12)


BOTH = ((0, 0.6), (1, 0.4))


def test_supports_that_are_not_finite_and_fixed_are_refused():
    refused(lambda: ba.sample("k", ba.Poisson(2.0), marginalize=True), "'k'", "infinitely many", "ba.truncated")
    refused(lambda: ba.sample("x", ba.Normal(0, 1), marginalize=True), "'x'", "Normal is continuous")
    refused(lambda: ba.sample("k", ba.Bernoulli(0.5)), "'k'", "marginalize=True")

    def open_bound():
        ba.sample("k", ba.Binomial(bernoulli(name="n") + 1, 0.5), marginalize=True)
        ba.sample("x", ba.Normal(0, 1))

    refused(open_bound, "'k'", "support depend on an unknown")


def test_observed_values_that_no_value_of_the_unknown_allows_are_refused():
    def impossible():
        ba.sample("y", ba.Binomial(bernoulli(2) + 1, 0.5), obs=[2, 3])

    refused(impossible, "'y'", "observed value 3 at index [1]", kind=DataError)


def test_observed_values_may_lie_outside_of_a_support_that_parameters_decide():
    @ba.model
    def m(y):
        upper = ba.sample("upper", ba.Exponential(0.1))
        k = ba.sample("k", ba.Bernoulli(0.4), shape=2, marginalize=True)
        ba.sample("y", ba.Uniform(-k, upper), obs=y)

    posterior = m(y=[8.0, -0.5])
    expected = np.log([0.6 / 9 + 0.4 / 10, 0.4 / 10]).sum() + stats.expon.logpdf(9, scale=10)
    assert posterior.neg_log_posterior({"upper": 9.0}) == pytest.approx(-expected)


def test_bounds_and_statements_that_depend_on_an_unknown_are_refused():
    refused(lambda: ba.sample("x", ba.Uniform(0.0, 1.0 + bernoulli())), "'x'", "bounds")

    def optional():
        if bernoulli() == 1:
            ba.factor("f", -1.0)

    refused(optional, "'k'", "same statements")

    def optional_for_two():
        j, k = bernoulli(name="j"), ba.sample("k", ba.DiscreteUniform(0, 2), marginalize=True)
        if j == 1 and k == 2:
            ba.factor("f", -1.0)

    refused(optional_for_two, "'j'", "same statements")
