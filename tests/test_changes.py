"""condition, do and reparameterise: densities, and that names and results stay as they are."""

import arviz_stats
import numpy as np
import pytest
from scipy import stats

import bayesad as ba
from bayesad import gp, pilot
from bayesad.errors import ModelError


@ba.model
def schools(y):
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfNormal(2))
    theta = ba.sample("theta", ba.Normal(mu, tau), dims="school")
    ba.deterministic("twice", 2 * theta, dims="school")
    ba.sample("y", ba.Normal(theta, 1.0), obs=y, dims="school")


SCHOOLS = schools.with_coords(school=["a", "b", "c"])
Y = np.array([1.0, -0.5, 2.0])
POINT = {"mu": 0.4, "tau": 0.8, "theta": np.array([0.2, -0.1, 1.1])}


def test_condition_makes_an_unknown_observed():
    posterior = ba.condition(SCHOOLS, {"theta": POINT["theta"]})(y=Y)
    assert list(posterior.parameters) == ["mu", "tau"]
    expected = SCHOOLS(y=Y).neg_log_posterior(POINT)
    assert posterior.neg_log_posterior({"mu": 0.4, "tau": 0.8}) == pytest.approx(expected, rel=1e-14)
    np.testing.assert_array_equal(posterior.observed_data["theta"], POINT["theta"])
    assert posterior.coords["school"].tolist() == ["a", "b", "c"]


def test_condition_with_missing_entries_leaves_these_unknown():
    posterior = ba.condition(SCHOOLS, {"theta": [0.2, np.nan, 1.1]})(y=Y)
    assert {name: p.shape for name, p in posterior.parameters.items()} == {"mu": (), "tau": (), "theta_missing": (1,)}


def test_condition_takes_the_place_of_data_and_of_sums():
    posterior = ba.condition(SCHOOLS, {"y": Y + 1})(y=Y)
    np.testing.assert_array_equal(posterior.observed_data["y"], Y + 1)

    @ba.model
    def mixture(y):
        k = ba.sample("k", ba.Bernoulli(0.3), shape=len(y), marginalize=True)
        ba.sample("y", ba.Normal(ba.sample("mu", ba.Normal(0, 1), shape=2)[k], 1), obs=y)

    posterior = ba.condition(mixture, {"k": [0, 1, 1]})(y=Y)
    expected = np.log(0.7 * 0.3 * 0.3) + stats.norm.logpdf([0.5, 1.5]).sum()
    expected += stats.norm.logpdf(Y, [0.5, 1.5, 1.5], 1).sum()
    assert posterior.neg_log_posterior({"mu": [0.5, 1.5]}) == pytest.approx(-expected)


def test_do_sets_a_value_without_a_density():
    posterior = ba.do(SCHOOLS, {"tau": 0.8, "mu": 0.4})(y=Y)
    assert list(posterior.parameters) == ["theta"]
    density = stats.norm.logpdf(POINT["theta"], 0.4, 0.8).sum() + stats.norm.logpdf(Y, POINT["theta"], 1).sum()
    assert posterior.neg_log_posterior({"theta": POINT["theta"]}) == pytest.approx(-density)
    drawn = posterior.sample(chains=1, warmup=20, draws=5, seed=1)["posterior"]
    np.testing.assert_array_equal(drawn["tau"], np.full((1, 5), 0.8))


def test_do_reaches_deterministic_and_observed_variables_and_broadcasts():
    posterior = ba.do(SCHOOLS, {"twice": 7.0, "y": 0.0})(y=Y)
    assert posterior.observed_data == {}
    values = posterior.values(posterior.unconstrained.pack(POINT))
    np.testing.assert_array_equal(values["twice"], [7.0, 7.0, 7.0])
    prior = stats.norm.logpdf(0.4, 0, 5) + stats.halfnorm.logpdf(0.8, scale=2)
    prior += stats.norm.logpdf(POINT["theta"], 0.4, 0.8).sum()
    assert posterior.neg_log_posterior(POINT) == pytest.approx(-prior)


def test_changes_add_up_and_leave_the_model_as_it_was():
    changed = ba.do(ba.condition(SCHOOLS, {"mu": 0.4}), {"tau": 0.8})
    assert list(changed(y=Y).parameters) == ["theta"]
    assert list(SCHOOLS(y=Y).parameters) == ["mu", "tau", "theta"]
    assert list(changed.with_coords(school=["d", "e", "f"])(y=Y).parameters) == ["theta"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda: ba.condition(SCHOOLS, {"thta": 1.0}), "did you mean 'theta'"),
        (lambda: ba.condition(SCHOOLS, {"theta": [1.0, 2.0]}), "'theta'"),
        (lambda: ba.condition(SCHOOLS, {"twice": [1.0, 2.0, 3.0]}), "variables with a distribution"),
        (lambda: ba.do(SCHOOLS, {"theta": [1.0, 2.0]}), "does not broadcast to (3,)"),
        (lambda: ba.reparameterise(SCHOOLS, "auto"), "a choice for each unknown, as in {'theta': 'auto'}"),
        (lambda: ba.reparameterise(SCHOOLS, {"theta": "decentred"}), "'noncentred', 'centred' or 'auto'"),
        (lambda: ba.reparameterise(SCHOOLS, {"tau": "noncentred"}), "HalfNormal has no location and scale"),
        (lambda: ba.reparameterise(SCHOOLS, {"y": "noncentred"}), "unknowns that are sampled"),
    ],
)
def test_changes_that_do_not_fit_are_errors(change, part):
    with pytest.raises(ModelError) as caught:
        change()(y=Y)
    assert part in str(caught.value)


# --- other coordinates

COV = np.array([[2.0, 0.6], [0.6, 1.0]])
CHOL = np.linalg.cholesky(COV)
LAWS = {
    "Normal": (lambda mu, tau: ba.Normal(mu, tau), lambda z, mu, tau: mu + tau * z, stats.norm),
    "StudentT": (lambda mu, tau: ba.StudentT(4, mu, tau), lambda z, mu, tau: mu + tau * z, stats.t(4)),
    "Laplace": (lambda mu, tau: ba.Laplace(mu, tau), lambda z, mu, tau: mu + tau * z, stats.laplace),
    "Cauchy": (lambda mu, tau: ba.Cauchy(mu, tau), lambda z, mu, tau: mu + tau * z, stats.cauchy),
    "Logistic": (lambda mu, tau: ba.Logistic(mu, tau), lambda z, mu, tau: mu + tau * z, stats.logistic),
    "LogNormal": (lambda mu, tau: ba.LogNormal(mu, tau), lambda z, mu, tau: np.exp(mu + tau * z), stats.norm),
    "MvNormal, cov": (
        lambda mu, tau: ba.MvNormal(mu, cov=tau**2 * COV),
        lambda z, mu, tau: mu + tau * z @ CHOL.T,
        stats.norm,
    ),
    "MvNormal, precision": (
        lambda mu, tau: ba.MvNormal(mu, precision=COV / tau**2),
        lambda z, mu, tau: mu + tau * np.linalg.solve(CHOL.T, z.T).T,
        stats.norm,
    ),
    "GaussianRandomWalk": (
        lambda mu, tau: ba.GaussianRandomWalk(mu, tau),
        lambda z, mu, tau: np.cumsum(mu + tau * z, axis=-1),
        stats.norm,
    ),
    "GaussianRandomWalk from a first value": (
        lambda mu, tau: ba.GaussianRandomWalk(mu, tau, initial=ba.Normal(1, 2)),
        lambda z, mu, tau: np.cumsum(np.column_stack([1 + 2 * z[:, 0], mu + tau * z[:, 1]]), axis=-1),
        stats.norm,
    ),
    "GaussianProcess": (
        lambda mu, tau: ba.GaussianProcess(tau**2 * gp.ExpQuad(1.0), np.array([0.0, 1.0]), mean=mu, jitter=0.0),
        lambda z, mu, tau: mu + tau * z @ np.linalg.cholesky(np.exp([[0.0, -0.5], [-0.5, 0.0]])).T,
        stats.norm,
    ),
}


@pytest.mark.parametrize(("law", "value", "standard"), LAWS.values(), ids=LAWS)
def test_noncentred_coordinates_are_standardised_and_leave_the_density_of_the_values(law, value, standard):
    @ba.model
    def m():
        mu = ba.sample("mu", ba.Normal(0, 1))
        tau = ba.sample("tau", ba.Normal(1.5, 0.1))
        ba.sample("theta", law(mu, tau), shape=(3, 2))

    centred, noncentred = m(), ba.reparameterise(m, {"theta": "noncentred"})()
    z = np.random.default_rng(1).normal(size=(3, 2))
    q = np.concatenate([[0.3, 1.4], z.ravel()])
    params = noncentred.unconstrained.unpack(q)
    np.testing.assert_allclose(params["theta"], value(z, 0.3, 1.4), rtol=1e-12)
    np.testing.assert_allclose(noncentred.unconstrained.pack(params), q, rtol=1e-10)
    assert noncentred.neg_log_posterior(params) == pytest.approx(centred.neg_log_posterior(params), rel=1e-12)
    expected = stats.norm.logpdf(0.3) + stats.norm.logpdf(1.4, 1.5, 0.1) + standard.logpdf(z).sum()
    assert noncentred.unconstrained.log_density(q) == pytest.approx(expected, rel=1e-12)
    _, log_det = noncentred.unconstrained.constrain(*_site_of(noncentred, "theta", q))
    by_det = -noncentred.neg_log_posterior(params) + np.sum(log_det)
    assert noncentred.unconstrained.log_density(q) == pytest.approx(by_det, rel=1e-10)


def _site_of(posterior, name, q):
    from bayesad.running import Handler

    found = []

    def parameter(site):
        found.extend([site] * (site.name == name))
        return posterior.unconstrained.constrain(site, q)[0]

    posterior.run(Handler(parameter))
    return found[0], q


def test_noncentred_coordinates_lose_nothing_where_the_scale_is_tiny():
    posterior = ba.reparameterise(SCHOOLS, {"theta": "noncentred"})(y=Y)
    q = np.array([0.3, -60.0, 0.1, -0.4, 1.2])
    value, gradient = posterior.unconstrained.log_density_and_gradient(q)
    expected = stats.norm.logpdf(0.3, 0, 5) + stats.halfnorm.logpdf(np.exp(-60), scale=2) - 60
    expected += stats.norm.logpdf(q[2:]).sum() + stats.norm.logpdf(Y, 0.3, 1).sum()
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient[2:], -q[2:], rtol=1e-12)


def test_results_of_reparameterised_models_keep_their_names():
    tree = ba.reparameterise(SCHOOLS, {"theta": "noncentred"})(y=Y).sample(chains=1, warmup=50, draws=20, seed=1)
    assert list(tree["posterior"].data_vars) == ["mu", "tau", "theta", "twice"]
    np.testing.assert_allclose(tree["posterior"]["twice"], 2 * tree["posterior"]["theta"])


def test_other_coordinates_go_together_with_sums_over_unknowns():
    @ba.model
    def m(y):
        tau = ba.sample("tau", ba.HalfNormal(1))
        mu = ba.sample("mu", ba.Normal(1.0, tau), shape=2)
        k = ba.sample("k", ba.Bernoulli(0.3), shape=3, marginalize=True)
        ba.sample("y", ba.Normal(mu[k], 1), obs=y)

    plain, other = m(y=Y), ba.reparameterise(m, {"mu": "noncentred"})(y=Y)
    q = np.array([0.2, 0.5, -0.7])
    params = other.unconstrained.unpack(q)
    assert other.neg_log_posterior(params) == pytest.approx(plain.neg_log_posterior(params))
    tau = np.exp(0.2)
    expected = -plain.neg_log_posterior(params) + 0.2 + 2 * np.log(tau)
    assert other.unconstrained.log_density(q) == pytest.approx(expected)
    assert other.recover(np.tile(q, (4, 1)), np.random.default_rng(0))["k"].shape == (4, 3)


def test_auto_takes_noncentred_for_weak_data_and_centred_for_strong():
    rng = np.random.default_rng(4)
    effects = rng.normal(0, 1, size=10)

    @ba.model
    def groups(y, error):
        mu = ba.sample("mu", ba.Normal(0, 3))
        tau = ba.sample("tau", ba.HalfNormal(2))
        theta = ba.sample("theta", ba.Normal(mu, tau), shape=10)
        ba.sample("y", ba.Normal(theta, error), obs=y)

    auto = ba.reparameterise(groups, {"theta": "auto"})
    chosen = {
        error: auto(y=effects + error * rng.normal(size=10), error=error).model.changes["theta"].value
        for error in (3.0, 0.05)
    }
    assert chosen == {3.0: "noncentred", 0.05: "centred"}


def test_auto_judges_each_of_several_unknowns_by_itself():
    rng = np.random.default_rng(7)

    @ba.model
    def pair(y, precise, vague):
        for name, error in (("a", precise), ("b", vague)):
            spread = ba.sample(f"spread_{name}", ba.HalfNormal(2))
            effects = ba.sample(name, ba.Normal(0, spread), shape=10)
            ba.sample(f"y_{name}", ba.Normal(effects, error), obs=y)

    auto = ba.reparameterise(pair, {"a": "auto", "b": "auto"})
    decided = auto(y=rng.normal(size=10), precise=0.05, vague=4.0).model.changes
    assert (decided["a"].value, decided["b"].value) == ("centred", "noncentred")


LAWS = {  # law -> (centred coordinates and log |det d value / d coordinates| from the value, the same non-centred)
    "Normal": lambda x, sigma: ((x, 0.0), ((x - 1) / sigma, 3 * np.log(sigma))),
    "LogNormal": lambda x, sigma: (
        (np.log(x), np.log(x).sum()),
        ((np.log(x) - 1) / sigma, 3 * np.log(sigma) + np.log(x).sum()),
    ),
}


@pytest.mark.parametrize("coordinates", ["centred", "noncentred"])
@pytest.mark.parametrize("law", LAWS)
def test_auto_compares_the_coordinates_of_the_same_value(law, coordinates):
    @ba.model
    def m():
        sigma = ba.sample("sigma", ba.HalfNormal(1))
        ba.sample("x", getattr(ba, law)(1.0, sigma), shape=3)

    posterior = ba.reparameterise(m, {"x": coordinates})()
    q = np.array([0.4, -0.3, 0.8, 1.9])
    point = posterior.unconstrained.unpack(q)
    (found,) = pilot._coordinates(posterior, ["x"], q).values()
    for choice, (u, log_det) in zip(("centred", "noncentred"), LAWS[law](point["x"], point["sigma"]), strict=True):
        np.testing.assert_allclose(found[choice][0], u, rtol=1e-12)
        assert found[choice][1] == pytest.approx(log_det, rel=1e-12)


def test_the_divergence_is_the_same_in_all_linear_coordinates():
    """But for the correlations being drawn towards 0, which is little for many draws."""
    rng = np.random.default_rng(2)
    factor = np.array([[2.0, 0.0], [0.9, 0.3]])
    draws = rng.normal(size=(20_000, 2))
    plain = pilot._divergence(draws, np.zeros(20_000))
    assert plain == pytest.approx(0.5 * np.linalg.slogdet(np.cov(draws.T))[1], abs=1e-3)
    coloured = pilot._divergence(draws @ factor.T, np.full(20_000, -np.linalg.slogdet(factor)[1]))
    assert coloured == pytest.approx(plain, abs=5e-3)


def test_the_divergence_of_a_log_normal_law_from_a_normal_one():
    """Of x = exp(z / 2) with a standard normal z: Var x = (r - 1) r for r = exp(1 / 4), and E log dx/dz = log 1/2."""
    z = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)[:, None]
    x, r = np.exp(0.5 * z), np.exp(0.25)
    difference = pilot._divergence(x, np.zeros(100_000)) - pilot._divergence(z, np.log(0.5 * x[:, 0]))
    assert difference == pytest.approx(0.5 * np.log((r - 1) * r) - np.log(0.5), abs=1e-3)


def test_the_divergence_of_fewer_draws_than_coordinates():
    x = np.random.default_rng(3).normal(size=(6, 9))
    correlations = (6 * np.corrcoef(x.T) + 9 * np.eye(9)) / 15
    expected = np.log(x.std(axis=0)).sum() + 0.5 * np.linalg.slogdet(correlations)[1] + 0.7
    assert pilot._divergence(x, np.full(6, 0.7)) == pytest.approx(expected, rel=1e-9)


def test_choices_are_changed_one_by_one_until_none_is_better():
    badness = {("a", "a"): 3.0, ("b", "a"): 2.0, ("a", "b"): 2.5, ("b", "b"): 1.0}
    named = {"a": "centred", "b": "noncentred"}
    table = {tuple(named[each] for each in key): value for key, value in badness.items()}
    found = pilot._descend({"x": "centred", "y": "centred"}, lambda choices: table[tuple(choices.values())])
    assert found == {"x": "noncentred", "y": "noncentred"}


@pytest.mark.parametrize(("r_hat", "chosen"), [(1.1, "noncentred"), (4.0, "centred")])
def test_auto_does_not_believe_chains_that_disagree(r_hat, chosen, monkeypatch):
    """Each run finds its own coordinates the better ones."""
    r_hats = {"noncentred": r_hat, "centred": 1.0}
    monkeypatch.setattr(pilot, "_run", lambda posterior, choices: pilot.Pilot(choices, choices, r_hats[choices["a"]]))

    @ba.model
    def m():
        ba.sample("a", ba.Normal(0, ba.sample("spread", ba.HalfNormal(1))), shape=2)

    assert ba.reparameterise(m, {"a": "auto"})().model.changes["a"].value == chosen


def test_the_split_r_hat_is_that_of_arviz():
    draws = np.random.default_rng(5).normal(size=(2, 150, 3)) + np.array([[[0.0]], [[0.4]]])
    expected = [float(arviz_stats.rhat(draws[..., k], chain_axis=0, draw_axis=1, method="split")) for k in range(3)]
    assert pilot._split_r_hat(draws) == pytest.approx(max(expected), rel=1e-9)
