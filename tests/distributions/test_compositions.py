"""Laws made from laws made from laws: whatever can be built is whole."""

import copy
import itertools

import numpy as np
import pytest

import bayesad.distributions as laws
from bayesad.errors import DistributionError

WRAPPERS = {
    "truncated": lambda d: laws.truncated(d, *((1, 5) if d.support.discrete else (0.2, 0.8))),
    "restricted": lambda d: laws.restricted(d, *((1, 5) if d.support.discrete else (0.1, 0.9))),
    "censored": lambda d: laws.censored(d, *((1, 5) if d.support.discrete else (0.2, 0.8))),
    "interval_censored": laws.interval_censored,
    "Mixture": lambda d: laws.Mixture([0.4, 0.6], [d, d]),
    "ordered": laws.ordered,
    "transformed": lambda d: laws.transformed(d, "sinh"),
    "zero_inflated": lambda d: laws.zero_inflated(d, 0.2),
    "hurdle": lambda d: laws.hurdle(d, 0.2),
}
P = np.array([0.1, 0.5, 0.9])


@pytest.mark.parametrize("inner", list(WRAPPERS))
@pytest.mark.parametrize("d", [laws.Gamma(2.0, 3.0), laws.Geometric(0.4)], ids=["Gamma", "Geometric"])
def test_what_can_be_composed_is_a_law(d: laws.Distribution, inner: str) -> None:
    for outer, wrap in WRAPPERS.items():
        try:
            law = wrap(WRAPPERS[inner](d))
        except DistributionError:
            continue
        assert_whole(law, adds_up="restricted" not in (inner, outer))


def assert_whole(law: laws.Distribution, adds_up: bool) -> None:
    """Draws, density, cdf and its inverse fit each other."""
    x = law.draw(np.random.default_rng(2), (20, *[n or 3 for n in law.event_shape]))
    assert np.isfinite(law.log_prob(x)).all(), law
    assert repr(copy.deepcopy(law)) == repr(law)
    if law.has_cdf:
        np.testing.assert_allclose(law.cdf(x) + law.sf(x), 1.0, rtol=1e-9, err_msg=repr(law))
        assert (law.cdf(law.icdf(P)) >= P - 1e-9).all(), law
    if law.support.discrete and not law.event_shape and adds_up:
        np.testing.assert_allclose(np.exp(law.log_prob(np.arange(-200, 200))).sum(), 1.0, rtol=1e-9, err_msg=repr(law))


@pytest.mark.parametrize("inner", ["", "truncated", "censored"])
@pytest.mark.parametrize(
    "d",
    [laws.VonMises(0.5, 1.5), laws.Skellam(4.0, 1.5), laws.COMPoisson(3.0, 0.8), laws.BetaNegativeBinomial(4, 40, 30)],
    ids=lambda d: type(d).__name__,
)
def test_laws_whose_cdf_is_a_sum_compose_like_others(d: laws.Distribution, inner: str) -> None:
    if not inner:
        assert_whole(laws.hurdle(d, 0.2), adds_up=True)
        return
    assert_whole(WRAPPERS[inner](d), adds_up=True)
    if inner == "truncated" or d.support.discrete:
        assert_whole(laws.zero_inflated(WRAPPERS[inner](d), 0.2), adds_up=True)


def test_which_wrappers_compose_with_which() -> None:
    def composes(outer: str, inner: str, d: laws.Distribution) -> bool:
        try:
            WRAPPERS[outer](WRAPPERS[inner](d))
        except DistributionError:
            return False
        return True

    pairs = list(itertools.product(WRAPPERS, WRAPPERS))
    assert sum(composes(*pair, laws.Geometric(0.4)) for pair in pairs) >= 30
    assert composes("censored", "truncated", laws.Gamma(2.0, 3.0))
    assert composes("zero_inflated", "truncated", laws.Gamma(2.0, 3.0))
    assert composes("Mixture", "truncated", laws.Gamma(2.0, 3.0))
    assert not composes("truncated", "censored", laws.Gamma(2.0, 3.0))
