"""Categorical laws: labels, batches, impossible labels."""

import numpy as np
import pytest
import scipy.stats as st
from scipy.special import log_softmax

from bayesad import ad
from bayesad.distributions import Bernoulli, BernoulliLogit, Categorical, CategoricalLogit

RNG = np.random.default_rng(5)


def laws_and_tables(shape: tuple[int, ...]) -> list[tuple[Categorical | CategoricalLogit, np.ndarray]]:
    """The two forms of one law with the table of its log probabilities."""
    beta = RNG.normal(size=shape)
    table = log_softmax(beta, axis=-1)
    return [(Categorical(np.exp(table)), table), (CategoricalLogit(beta), table)]


@pytest.mark.parametrize(
    ("table_shape", "label_shape"),
    [
        ((3,), ()),
        ((3,), (50,)),
        ((4, 3), (4,)),
        ((4, 3), (7, 4)),
        ((1, 3), (6,)),
        ((5, 1, 3), (5, 4)),
        ((5, 1, 3), (4,)),
    ],
)
def test_one_label_per_leading_index(table_shape: tuple[int, ...], label_shape: tuple[int, ...]) -> None:
    labels = RNG.integers(0, 3, label_shape)
    for law, table in laws_and_tables(table_shape):
        assert law.event_shape == ()
        batch = np.broadcast_shapes(table_shape[:-1], label_shape)
        spread_table = np.broadcast_to(table, (*batch, 3))
        spread_labels = np.broadcast_to(labels, batch)
        expected = np.take_along_axis(spread_table, spread_labels[..., None], axis=-1)[..., 0]
        np.testing.assert_allclose(law.log_prob(labels), expected, rtol=1e-13)
        cumulative = np.cumsum(np.exp(spread_table), axis=-1)
        expected = np.take_along_axis(cumulative, spread_labels[..., None], axis=-1)[..., 0]
        np.testing.assert_allclose(law.cdf(labels), expected, rtol=1e-13)


def test_labels_outside_the_range_have_probability_zero() -> None:
    for law, _ in laws_and_tables((3,)):
        np.testing.assert_array_equal(law.log_prob([-1, 3, 0.5, np.nan, 100]), np.full(5, -np.inf))
        np.testing.assert_array_equal(law.cdf([-1, 3]), [0.0, 1.0])
        assert law.log_prob(2) == law.log_prob(2.0)


def test_labels_of_probability_zero_spoil_no_gradient() -> None:
    def log_density(theta: object) -> object:
        return np.sum(Categorical(theta).log_prob(np.array([0, 2, 2, 0, 2])))

    theta = np.array([0.25, 0.0, 0.75])
    value, gradient = ad.value_and_gradient(log_density, theta)
    assert value == 2 * np.log(0.25) + 3 * np.log(0.75)
    np.testing.assert_allclose(gradient, [8.0, 0.0, 4.0])
    assert Categorical(theta).log_prob(1) == -np.inf


@pytest.mark.parametrize(
    ("table_shape", "label_shape"), [((3,), (2,)), ((3,), (9,)), ((4, 3), (4,)), ((2, 1, 3), (2, 4))]
)
def test_gradients_equal_finite_differences(table_shape: tuple[int, ...], label_shape: tuple[int, ...]) -> None:
    labels = RNG.integers(0, 3, label_shape)
    for make, start in (
        (CategoricalLogit, RNG.normal(size=table_shape)),
        (Categorical, RNG.uniform(0.1, 1, table_shape)),
    ):
        got = ad.gradient(lambda p, make=make: np.sum(make(p).log_density(labels)), start)
        step = 1e-6
        for index in np.ndindex(table_shape):
            nudge = np.zeros(table_shape)
            nudge[index] = step
            # differences of the formula itself: entries of theta count as free
            values = [
                ad.compile(lambda p, make=make: np.sum(make(p).log_density(labels)))(start + s * nudge) for s in (1, -1)
            ]
            np.testing.assert_allclose(got[index], (values[0] - values[1]) / (2 * step), rtol=1e-6, atol=1e-8)


def test_draws_have_the_given_probabilities() -> None:
    theta = np.array([[0.2, 0.0, 0.5, 0.3], [0.0, 0.9, 0.1, 0.0]])
    for law in (Categorical(theta), CategoricalLogit(np.log(np.maximum(theta, 1e-300)))):
        x = law.sample(np.random.default_rng(2), 5000)
        assert x.dtype == np.int64
        for column, p in zip(x.T, theta, strict=True):
            counts = np.bincount(column, minlength=4)
            assert counts[p == 0].sum() == 0
            assert st.chisquare(counts[p > 0], 5000 * p[p > 0]).pvalue > 1e-6  # the chance of a false alarm


def test_certain_outcomes_have_log_probability_zero() -> None:
    np.testing.assert_array_equal(Bernoulli([0.0, 1.0]).log_prob([0, 1]), [0.0, 0.0])
    np.testing.assert_array_equal(Bernoulli([0.0, 1.0]).log_prob([1, 0]), [-np.inf, -np.inf])
    assert CategoricalLogit([0.0, 800.0]).log_prob(1) == 0.0
    np.testing.assert_allclose(BernoulliLogit([800.0, -800.0]).log_prob([0, 1]), [-800.0, -800.0], rtol=1e-15)
    np.testing.assert_allclose(BernoulliLogit([40.0, -40.0]).log_prob([1, 0]), -np.exp(-40.0), rtol=1e-14)
