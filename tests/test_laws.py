"""Laws by one program over many draws: the same predictions, digit by digit, as from running the model at each draw."""

import numpy as np
import pytest

import bayesad as ba
from bayesad import ad, predictive
from bayesad.errors import DistributionError
from bayesad.laws import Laws, Opaque, put_together, taken_apart
from tests.distributions.more_laws import MORE_LAWS
from tests.distributions.table import BASIC_LAWS

SEED = 5
DRAWS = 60


def rebuilt(make, *parameters):
    """The law made of traced parameters, taken apart and put together from their values."""
    found = []

    def trace(*traced):
        form, numbers = taken_apart(make(*traced))
        found.append((form, [number.value for number in numbers]))
        return numbers

    ad.trace(trace, *map(np.asarray, parameters))
    form, numbers = found[0]
    assert numbers
    return put_together(form, iter(numbers))


COMPOSED = {
    "truncated": (lambda m, s: ba.truncated(ba.Normal(m, s), lower=m - 0.5, upper=2.0), (0.3, 1.2)),
    "censored": (lambda m, s: ba.censored(ba.Normal(m, s), upper=1.0), (0.3, 1.2)),
    "mixture": (lambda w, m: ba.Mixture(w, [ba.Normal(m, 1.0), ba.Cauchy(0.0, 2.0)]), ([0.3, 0.7], 4.0)),
    "batch": (lambda w, m: ba.Mixture(w, ba.Normal(m, 0.1)), ([0.3, 0.7], [4.0, 5.0])),
    "vector": (lambda m, c: ba.MvNormal(m, chol=c), ([1.0, 2.0], [[1.0, 0.0], [0.5, 2.0]])),
    "inflated": (lambda m, p: ba.zero_inflated(ba.Poisson(m), p), ([3.0, 4.0], 0.4)),
    "labels": (lambda p: ba.Categorical(p), ([0.2, 0.3, 0.5],)),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_law_is_put_together_as_it_was():
    cases = [(row.law, parameters, row.law.__name__) for row in BASIC_LAWS + MORE_LAWS for parameters in row.parameters]
    cases += [(make, parameters, name) for name, (make, parameters) in COMPOSED.items()]
    for make, parameters, name in cases:
        expected = make(*map(np.asarray, parameters))
        shape = (4, *expected.batch_shape, *expected.event_shape)
        one, other = (law.draw(np.random.default_rng(1), shape) for law in (expected, rebuilt(make, *parameters)))
        np.testing.assert_array_equal(one, other, err_msg=name)
        assert one.dtype == other.dtype


def test_what_may_hide_numbers_is_not_taken_apart():
    def trace(mu):
        law = ba.CustomDistribution(lambda x: -((x - mu) ** 2), sample=lambda rng, shape: rng.normal(mu, size=shape))
        with pytest.raises(Opaque):
            taken_apart(law)
        return mu

    ad.trace(trace, np.float64(1.0))


# --- predictions
@ba.model
def curve(times, y, k):
    rate = ba.sample("rate", ba.HalfNormal(1))
    spread = ba.sample("spread", ba.HalfNormal(1))
    mean = ad.odeint(lambda t, y: -rate * y, [2.0], times)[:, 0]
    ba.sample("y", ba.Normal(mean, spread), obs=y)
    ba.sample("k", ba.Poisson(5.0 * mean), obs=k)


@ba.model
def missing_predictor(x, y):
    slope = ba.sample("slope", ba.Normal(0, 1))
    x = ba.sample("x", ba.Normal(1.0, 1.0), obs=x)
    ba.sample("y", ba.StudentT(4.0, slope * x, 1.0), obs=y)


@ba.model
def other_form(y):
    a = ba.sample("a", ba.Normal(0, 1))
    ba.sample("y", ba.Normal(a, 1.0) if a > 0 else ba.Cauchy(a, 1.0), obs=y, shape=2)


@ba.model
def hidden_numbers(y):
    a = ba.sample("a", ba.Normal(0, 1))
    law = ba.CustomDistribution(lambda x: -((x - a) ** 2), sample=lambda rng, shape: rng.normal(a, size=shape))
    ba.sample("y", law, obs=y, shape=2)


@ba.model
def branch_on_data(y, z):
    a = ba.sample("a", ba.Normal(0, 1))
    y = ba.sample("y", ba.Normal(a, 1.0), obs=y)
    ba.sample("z", ba.Normal(a if y > 0 else 3.0 * a, 0.1), obs=z)


@ba.model
def long_chain(y):
    a = last = ba.sample("a", ba.Normal(0, 1))
    for i in range(len(y)):
        last = ba.sample(f"y{i}", ba.Normal(a + 0.5 * last, 1.0), obs=y[i])


@ba.model
def classes(y):
    level = ba.sample("level", ba.Normal(0, 3), shape=2)
    label = ba.sample("label", ba.Bernoulli(0.4), shape=3, marginalize=True)
    ba.sample("y", ba.Normal(level[label], 0.1), obs=y)


RNG = np.random.default_rng(3)
NORMAL = RNG.normal(size=(2, DRAWS // 2))
CASES = {
    "program": (curve(times=[0.5, 1.0], y=[1.0, 0.5], k=[4, 2]), {"rate": abs(NORMAL), "spread": abs(NORMAL[::-1])}, 0),
    "later": (
        missing_predictor(x=[0.5, np.nan, 2.0], y=[0.1, 0.2, 0.3]),
        {"slope": NORMAL, "x_missing": NORMAL[..., None]},
        0,
    ),
    "summed": (classes(y=[1.0, 2.0, 3.0]), {"level": RNG.normal(size=(2, DRAWS // 2, 2))}, 0),
    "branch": (branch_on_data(y=1.0, z=2.0), {"a": NORMAL}, 0),
    "form": (other_form(y=[1.0, 2.0]), {"a": NORMAL}, DRAWS),
    "hidden": (hidden_numbers(y=[1.0, 2.0]), {"a": NORMAL}, DRAWS),
    "chain": (long_chain(y=list(range(10))), {"a": NORMAL}, DRAWS),
}


@pytest.mark.parametrize("case", CASES)
def test_predictions_are_those_of_running_the_model(case, monkeypatch):
    posterior, draws, least_runs = CASES[case]
    runs = []
    run = type(posterior).run

    def counted(self, handler):
        runs.append(1)
        return run(self, handler)

    by_program = predictive.predict(posterior, draws, seed=SEED)["posterior_predictive"]
    monkeypatch.setattr(type(posterior), "run", counted)
    predictive.predict(posterior, draws, seed=SEED)
    assert least_runs <= len(runs) <= least_runs + 10
    monkeypatch.setattr(predictive, "FEW", 10**9)
    by_running = predictive.predict(posterior, draws, seed=SEED)["posterior_predictive"]
    assert set(by_program.data_vars) == set(by_running.data_vars)
    for name, expected in by_running.items():
        np.testing.assert_allclose(by_program[name].values, expected.values, rtol=1e-12)
        assert by_program[name].dtype == expected.dtype


def test_laws_at_more_draws_than_memory_is_meant_for(monkeypatch):
    from bayesad import laws

    posterior, draws, _ = CASES["program"]
    expected = posterior.predict(draws, seed=SEED)["posterior_predictive"]["y"].values
    monkeypatch.setattr(laws, "AT_ONCE", 50)
    np.testing.assert_array_equal(posterior.predict(draws, seed=SEED)["posterior_predictive"]["y"].values, expected)


def test_a_draw_that_no_law_has_is_told_with_its_place():
    posterior, draws, _ = CASES["program"]
    spread = draws["spread"].copy()
    spread[1, 7] = -1.0
    with pytest.raises(DistributionError, match=r"'curve', variable 'y'.*sigma must be positive; got -1.0"):
        posterior.predict({**draws, "spread": spread}, seed=1)


def test_solvers_that_fail_at_one_draw():
    @ba.model
    def explosion(y):
        start = ba.sample("start", ba.HalfNormal(1))
        far = ad.odeint(lambda t, y: y**2, [start], [1.0])[0, 0]
        ba.deterministic("far", far)
        ba.sample("y", ba.Normal(far, 1.0), obs=y)

    posterior = explosion(y=1.0)
    start = np.full((1, DRAWS), 0.5)
    start[0, 20] = 2.0
    with pytest.raises(DistributionError, match=r"variable 'y'.*mu must be finite; got nan"):
        posterior.predict({"start": start}, seed=1)
    q = np.log(start)[..., None]
    far = posterior.values(q)["far"]
    assert np.flatnonzero(np.isnan(far[0])).tolist() == [20]
    np.testing.assert_allclose(np.delete(far[0], 20), 1.0, rtol=1e-4)


def test_laws_say_which_depend_on_values_drawn_before():
    posterior, draws, _ = CASES["later"]
    sites = {"x": np.ones(3), "y": np.ones(3)}

    def run(values, draw, note):
        posterior.run(
            predictive.Handler(
                lambda site: np.full(site.shape, np.nan) if site.missing is not None else values[site.name],
                lambda site, value: draw(site),
                note,
            )
        )

    laws = Laws(run, {"slope": draws["slope"][0]}, sites)
    assert laws.at(0, "x", {}).mu == 1.0
    np.testing.assert_allclose(laws.at(0, "y", {"x": np.full(3, 7.0)}).mu, 7.0 * draws["slope"][0, 0])
