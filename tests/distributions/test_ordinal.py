"""Ordered categories against differences of the latent law's cdf in 60-digit arithmetic."""

import mpmath as mp
import numpy as np
import pytest

import bayesad.distributions as laws
from bayesad.errors import DistributionError
from tests.distributions.checks import assert_draws, assert_gradient

CDF = {
    laws.OrderedLogistic: lambda z: 1 / (1 + mp.exp(-z)),
    laws.OrderedProbit: lambda z: mp.erfc(-z / mp.sqrt(2)) / 2,
}


def exact(law: type, k: int, eta: float, cutpoints: list[float]) -> float:
    with mp.workdps(200):
        ends = [mp.mpf(0), *[CDF[law](mp.mpf(c) - mp.mpf(eta)) for c in cutpoints], mp.mpf(1)]
        return float(mp.log(ends[k + 1] - ends[k]))


@pytest.mark.parametrize("law", list(CDF), ids=lambda law: law.__name__)
@pytest.mark.parametrize("cutpoints", [[0.3], [-1.0, -0.2, 2.5], [-1.0, -1.0 + 1e-9, 20.0]], ids=str)
def test_probabilities_have_all_digits(law: type, cutpoints: list[float]) -> None:
    for eta in (0.0, 0.7, -8.0, 9.0):
        k = np.arange(len(cutpoints) + 1)
        expected = [exact(law, int(j), eta, cutpoints) for j in k]
        np.testing.assert_allclose(
            law(eta, cutpoints).log_prob(k), expected, rtol=1e-7 if 20.0 in cutpoints else 1e-12, atol=1e-16
        )


@pytest.mark.parametrize("law", list(CDF), ids=lambda law: law.__name__)
def test_ordered_laws_are_whole(law: type) -> None:
    d = law(0.4, [-1.0, 0.2, 1.5])
    p = np.exp(d.log_prob(np.arange(4)))
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-14)
    np.testing.assert_allclose(d.cdf([-1, 0, 1, 2, 3]), [0.0, *np.cumsum(p)], rtol=1e-13)
    np.testing.assert_allclose(d.sf([0, 1, 2]), [p[1:].sum(), p[2:].sum(), p[3]], rtol=1e-13)
    np.testing.assert_array_equal(d.log_prob([-1, 4, 0.5]), -np.inf)
    assert_draws(d)
    batch = law(np.zeros((5, 1)), [[-1.0, 1.0], [0.0, 2.0]])
    assert batch.batch_shape == (5, 2)
    assert batch.sample(np.random.default_rng(0), 3).shape == (3, 5, 2)
    np.testing.assert_allclose(batch.log_prob(1)[0, 1], law(0.0, [0.0, 2.0]).log_prob(1))
    labels = np.array([0, 1, 2, 3])
    assert_gradient(
        lambda p: law(p["eta"], np.stack([p["a"], p["b"], p["c"]])).log_prob(labels),
        {"eta": 0.4, "a": -1.0, "b": 0.2, "c": 1.5},
    )
    assert_gradient(lambda p: law(p["eta"], np.stack([p["a"]])).log_prob([0, 1]), {"eta": 0.4, "a": -1.0})


def test_cutpoints_must_increase() -> None:
    with pytest.raises(DistributionError, match=r"OrderedLogistic: cutpoints must be increasing; got \[1\., 1\.\]"):
        laws.OrderedLogistic(0.0, [1.0, 1.0])
