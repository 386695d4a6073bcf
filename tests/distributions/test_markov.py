"""Markov chains and hidden Markov models against sums over all paths of states."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayesad as ba
from bayesad import ad
from bayesad.errors import DistributionError

START = np.array([0.6, 0.3, 0.1])
STEP = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5], [0.3, 0.3, 0.4]])
STEPS = np.stack([STEP, STEP[::-1], np.roll(STEP, 1, axis=1), STEP.T / STEP.T.sum(axis=1, keepdims=True)])
MU, SIGMA = np.array([-1.0, 0.5, 3.0]), np.array([1.0, 0.5, 2.0])
Y = np.array([0.1, -0.7, 3.2, 0.4, 5.0])
EMISSION = stats.norm.logpdf(Y[:, None], MU, SIGMA)
MATRICES = {"one matrix": STEP, "a matrix for each step": STEPS}


def paths(transition, emission):
    """Every path of states with its log density jointly with the observations."""
    n, states = emission.shape
    steps = np.broadcast_to(transition, (n - 1, states, states))
    with np.errstate(divide="ignore"):
        for path in itertools.product(range(states), repeat=n):
            log_p = np.log(START[path[0]]) + sum(np.log(steps[t, path[t], path[t + 1]]) for t in range(n - 1))
            yield path, log_p + sum(emission[t, path[t]] for t in range(n))


def conditional(transition, emission):
    """All paths, and the probability of each given the observations."""
    found, log_p = zip(*paths(transition, emission), strict=True)
    return np.array(found), np.exp(np.array(log_p) - logsumexp(log_p))


@pytest.mark.parametrize("transition", MATRICES.values(), ids=MATRICES)
def test_log_prob_is_the_sum_over_all_paths(transition):
    expected = logsumexp([log_p for _, log_p in paths(transition, EMISSION)])
    assert ba.HiddenMarkov(START, transition, EMISSION).log_prob() == pytest.approx(expected, rel=1e-13)
    assert ba.HiddenMarkov(START, transition, EMISSION).log_prob(Y) == pytest.approx(expected, rel=1e-13)
    assert ba.HiddenMarkov(START, transition, ba.Normal(MU, SIGMA)).log_prob(Y) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("transition", MATRICES.values(), ids=MATRICES)
def test_state_probabilities_and_the_most_likely_path_are_those_of_all_paths(transition):
    found, probability = conditional(transition, EMISSION)
    law = ba.HiddenMarkov(START, transition, ba.Normal(MU, SIGMA))
    expected = np.stack([(probability[:, None] * (found == k)).sum(axis=0) for k in range(3)], axis=-1)
    np.testing.assert_allclose(law.state_probabilities(Y), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(law.most_likely_states(Y), found[probability.argmax()])


# A path's share of 20000 draws is off by more than 5 standard errors and 3 draws with a probability below 1e-6 each.
@pytest.mark.parametrize("transition", MATRICES.values(), ids=MATRICES)
def test_drawn_paths_have_their_probabilities(transition):
    emission = EMISSION[:3]
    steps = transition[:2] if transition.ndim == 3 else transition
    found, probability = conditional(steps, emission)
    law = ba.HiddenMarkov(START, steps, np.broadcast_to(emission, (20000, 3, 3)))
    drawn = law.sample_states(np.random.default_rng(1))
    for path, p in zip(found, probability, strict=True):
        share = (drawn == path).all(axis=-1).mean()
        assert abs(share - p) <= 5 * np.sqrt(p * (1 - p) / 20000) + 3 / 20000


def test_missing_observations_are_integrated_out():
    y = np.where([False, True, False, True, True], np.nan, Y)
    emission = np.where(np.isnan(y)[:, None], 0.0, EMISSION)
    expected = logsumexp([log_p for _, log_p in paths(STEP, emission)])
    law = ba.HiddenMarkov(START, STEP, ba.Normal(MU, SIGMA))
    assert law.log_prob(y) == pytest.approx(expected, rel=1e-13)
    assert law.log_prob(y) == pytest.approx(law.log_prob(y[:3]), rel=1e-13)  # nothing is known of the end


def test_sequences_in_batches_have_their_own_matrices_and_lengths():
    transition = np.stack([STEP, STEP[::-1]])[:, None]
    y = np.stack([Y, np.where(np.arange(5) < 4, Y[::-1], np.nan)])
    each = [
        ba.HiddenMarkov(START, STEP, ba.Normal(MU, SIGMA)).log_prob(Y),
        ba.HiddenMarkov(START, STEP[::-1], ba.Normal(MU, SIGMA)).log_prob(Y[::-1][:4]),
    ]
    law = ba.HiddenMarkov(START, transition, ba.Normal(MU, SIGMA))
    assert law.batch_shape == (2,)
    np.testing.assert_allclose(law.log_prob(y), each, rtol=1e-13)
    assert law.state_probabilities(y).shape == (2, 5, 3)
    assert law.most_likely_states(y).shape == law.sample_states(np.random.default_rng(0), y).shape == (2, 5)


def test_vectors_and_regressions_are_emitted():
    vectors = np.stack([Y, Y**2], axis=-1)
    law = ba.HiddenMarkov(START, STEP, ba.MvNormal(np.stack([MU, SIGMA], axis=-1), cov=np.eye(2)))
    emission = stats.norm.logpdf(vectors[:, None], np.stack([MU, SIGMA], axis=-1), 1).sum(axis=-1)
    assert law.log_prob(vectors) == pytest.approx(ba.HiddenMarkov(START, STEP, emission).log_prob(), rel=1e-13)
    mean = np.arange(5.0)[:, None] * MU
    law = ba.HiddenMarkov(START, STEP, ba.Normal(mean, 1))
    assert law.event_shape == (5,)
    emission = stats.norm.logpdf(Y[:, None], mean, 1)
    assert law.log_prob(Y) == pytest.approx(ba.HiddenMarkov(START, STEP, emission).log_prob(), rel=1e-13)


def test_very_unlikely_observations_neither_underflow_nor_lose_their_gradient():
    y = np.array([0.0, 1e4, -1e4, 0.0] * 50)

    def log_prob(mu):
        return ba.HiddenMarkov(START, STEP, ba.Normal(mu, SIGMA)).log_prob(y)

    value, gradient = ad.value_and_gradient(log_prob, MU)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    h = 0.1
    slope = (log_prob(MU + h * np.eye(3)[2]) - log_prob(MU - h * np.eye(3)[2])) / (2 * h)
    assert gradient[2] == pytest.approx(slope, rel=1e-4)


def test_gradient_passes_states_that_cannot_be():
    def log_prob(p):
        start = np.array([1.0, 0.0])
        step = np.array([[1 - p, p], [0.0, 1.0]])
        return ba.HiddenMarkov(start, step, ba.Bernoulli(np.array([0.0, 0.9]))).log_prob([0, 0, 1, 1])

    def exact(p):  # the first state was left before time 2 or before time 1
        return np.log((1 - p) * p * 0.9**2 + p * 0.1 * 0.9**2)

    value, gradient = ad.value_and_gradient(log_prob, 0.3)
    assert value == pytest.approx(exact(0.3), rel=1e-13)
    assert gradient == pytest.approx((exact(0.3 + 1e-6) - exact(0.3 - 1e-6)) / 2e-6, rel=1e-8)


@pytest.mark.parametrize("transition", MATRICES.values(), ids=MATRICES)
def test_a_chain_by_itself_has_the_density_of_its_path(transition):
    law = ba.DiscreteMarkovChain(START, transition)
    found, log_p = zip(*paths(transition, np.zeros((5, 3))), strict=True)
    np.testing.assert_allclose(law.log_prob(np.array(found)), log_p, rtol=1e-13)
    assert logsumexp(law.log_prob(np.array(found))) == pytest.approx(0, abs=1e-12)


# Each of the 9 shares is off by more than 5 standard errors with a probability below 1e-6.
def test_draws_of_chains_and_of_observations_have_the_law():
    rng = np.random.default_rng(2)
    drawn = ba.DiscreteMarkovChain(START, STEP).draw(rng, (20000, 2))
    for i, j in itertools.product(range(3), repeat=2):
        p = START[i] * STEP[i, j]
        share = ((drawn[:, 0] == i) & (drawn[:, 1] == j)).mean()
        assert abs(share - p) <= 5 * np.sqrt(p * (1 - p) / 20000)
    y = ba.HiddenMarkov(START, STEP, ba.Normal(MU, 0.0001)).draw(rng, (20000, 2))
    nearest = np.abs(y[..., None] - MU).argmin(axis=-1)
    share = ((nearest[:, 0] == 0) & (nearest[:, 1] == 1)).mean()
    assert abs(share - 0.12) <= 5 * np.sqrt(0.12 * 0.88 / 20000)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: ba.HiddenMarkov(START, STEP[:, :2], EMISSION), "square matrix"),
        (lambda: ba.HiddenMarkov(START, STEP * 0.9, EMISSION), "rows sum to 1"),
        (lambda: ba.HiddenMarkov(START[:2] / 0.9, STEP, EMISSION), "initial has 2 states"),
        (lambda: ba.HiddenMarkov(START, STEP, EMISSION[:, :2]), "must end with T, 3"),
        (lambda: ba.HiddenMarkov(START, STEPS[:3], EMISSION), "between 4 observations"),
        (lambda: ba.HiddenMarkov(START, STEP, EMISSION).sample(np.random.default_rng(0)), "no law to draw"),
        (lambda: ba.HiddenMarkov(START, STEP, ba.Normal(MU, 1)).log_prob(), "observations are needed"),
        (lambda: ba.HiddenMarkov(START, STEP, "x"), "distribution or an array"),
    ],
)
def test_errors_say_what_does_not_fit(make, part):
    with pytest.raises(DistributionError, match=part):
        make()


def test_a_model_observes_a_hidden_chain_with_missing_entries():
    @ba.model
    def m(y):
        mu = ba.sample("mu", ba.ordered(ba.Normal(0, 5)), shape=3)
        ba.sample("y", ba.HiddenMarkov(START, STEP, ba.Normal(mu, SIGMA)), obs=y)

    y = np.where(np.arange(5) == 2, np.nan, Y)
    posterior = m(y=y)
    assert list(posterior.parameters) == ["mu"]
    expected = stats.norm.logpdf(MU, 0, 5).sum() + ba.HiddenMarkov(START, STEP, ba.Normal(MU, SIGMA)).log_prob(y)
    assert posterior.neg_log_posterior({"mu": MU}) == pytest.approx(-expected, rel=1e-12)
    again = posterior.predict({"mu": MU[None, None]}, seed=1)
    assert again.posterior_predictive["y"].shape == (1, 1, 5)
