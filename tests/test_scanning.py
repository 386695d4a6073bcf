"""Variables in the steps of `ba.scan`: against the loop written out in Python, scipy.stats and the Kalman filter."""

import numpy as np
import pytest
from scipy import stats

import bayesad as ba
from bayesad.errors import BayesadError, ModelError

T = 5
Y = np.array([0.3, 0.1, -0.5, 0.8, 1.2])
Z = np.array([0.1, 0.4, -0.2, 0.5, 0.9])
PAIRS = np.random.default_rng(1).normal(size=(T, 2))
COUNTS = np.array([2, 0, 3, 1, 4])


def normal(x, mu, sigma):
    return stats.norm.logpdf(x, mu, sigma).sum()


# --- models, each with points and the log density by scipy


@ba.model
def local_level(y):
    sigma = ba.sample("sigma", ba.HalfNormal(1))

    def step(level, now):
        level = ba.sample("level", ba.Normal(level, sigma))
        ba.sample("y", ba.Normal(level, 0.5), obs=now)
        return level, None

    ba.scan(step, 0.0, y)


def local_level_density(y, sigma, level):
    return stats.halfnorm.logpdf(sigma) + normal(np.diff(level, prepend=0.0), 0, sigma) + normal(y, level, 0.5)


@ba.model
def everything(y):
    def step(carry, row):
        x, volatility = carry
        volatility = ba.sample("volatility", ba.LogNormal(np.log(volatility), 0.3))
        x = ba.sample("x", ba.Normal(0.9 * x, volatility), shape=2)
        size = ba.deterministic("size", np.sum(x**2))
        ba.factor("penalty", -0.1 * size * row["weight"])
        ba.sample("y", ba.Normal(x, 1), obs=row["y"])
        return (x, volatility), x[0]

    (x, _), firsts = ba.scan(step, (np.zeros(2), 1.0), {"y": y, "weight": np.arange(1.0, T + 1)})
    ba.sample("end", ba.Normal(x.sum() + firsts.sum(), 1), obs=0.5)


def everything_density(y, volatility, x):
    before = np.vstack([np.zeros(2), x[:-1]])
    total = stats.lognorm.logpdf(volatility, 0.3, scale=np.append(1.0, volatility[:-1])).sum()
    total += normal(x, 0.9 * before, volatility[:, None]) + normal(y, x, 1)
    total -= 0.1 * np.sum((x**2).sum(axis=1) * np.arange(1, T + 1))
    return total + normal(0.5, x[-1].sum() + x[:, 0].sum(), 1)


@ba.model
def backwards(y):
    top = ba.sample("top", ba.HalfNormal(5))

    def step(rate, now):
        share = ba.sample("share", ba.Uniform(0, top))
        ba.sample("y", ba.Poisson(rate + share), obs=now)
        return 0.5 * (rate + share), rate

    _, rates = ba.scan(step, 1, y, reverse=True)
    ba.factor("rates", -rates)


def backwards_density(y, top, share):
    total, rate = stats.halfnorm.logpdf(top, scale=5) - T * np.log(top), 1.0
    for t in reversed(range(T)):
        total += stats.poisson.logpmf(y[t], rate + share[t]) - rate
        rate = 0.5 * (rate + share[t])
    return total


@ba.model
def autoregressive(y):
    """The observations are handed on; two of them are missing."""
    phi = ba.sample("phi", ba.Normal(0, 1))

    def step(before, now):
        now = ba.sample("y", ba.Normal(phi * before, 1), obs=now)
        return now, None

    ba.scan(step, 0.0, y)


def autoregressive_density(y, phi, y_missing):
    whole = y.copy()
    whole[np.isnan(y)] = y_missing
    return normal(phi, 0, 1) + normal(whole, phi * np.append(0.0, whole[:-1]), 1)


@ba.model
def grouped(y):
    """In a plate, with another one and a prefix inside, and steps without data."""
    with ba.plate("group", 2):

        def step(level, _):
            with ba.prefix("inner"):
                level = ba.sample("level", ba.Normal(level, 1))
            with ba.plate("item", 3):
                effect = ba.sample("effect", ba.Normal(0, 2))
            return level + effect.sum(axis=-1), level

        last, _ = ba.scan(step, np.zeros(2), length=2, dim="time")
    ba.sample("y", ba.Normal(last, 1), obs=y)


def grouped_density(y, **params):
    level, effect = params["inner.level"], params["effect"]
    second = level[0] + effect[0].sum(axis=-1)
    total = normal(level[0], 0, 1) + normal(level[1], second, 1) + normal(effect, 0, 2)
    return total + normal(y, level[1] + effect[1].sum(axis=-1), 1)


@ba.model
def switching(y):
    """Discrete unknowns from before the scan are summed out."""
    k = ba.sample("k", ba.Bernoulli(0.3), shape=T, marginalize=True)

    def step(level, row):
        level = ba.sample("level", ba.Normal(level, 1))
        ba.sample("y", ba.Normal(level + 2.0 * row[0], 0.5), obs=row[1])
        return level, None

    ba.scan(step, 0.0, (k, y))


def switching_density(y, level):
    both = np.log([[0.7], [0.3]]) + stats.norm.logpdf(y, level + np.array([[0.0], [2.0]]), 0.5)
    return normal(np.diff(level, prepend=0.0), 0, 1) + np.logaddexp(*both).sum()


@ba.model
def parts(y):
    """Laws made of laws, and of numbers from inside and outside of the loop."""
    spread = ba.sample("spread", ba.HalfNormal(1))

    def step(level, now):
        weights = np.array([0.3, 0.7]) + 0.0 * level
        level = ba.sample("level", ba.Mixture(weights, [ba.Normal(level, 1), ba.Normal(0, 2)]))
        ba.sample("y", ba.truncated(ba.Normal(level, spread), lower=-3.0), obs=now)
        ba.sample("sum", ba.MvNormal(0.5 * level, cov=np.eye(2)), obs=[0.5, 0.2])
        return level, None

    ba.scan(step, 0.0, y)


def parts_density(y, spread, level):
    before = np.append(0.0, level[:-1])
    both = [np.log(0.3) + stats.norm.logpdf(level, before), np.log(0.7) + stats.norm.logpdf(level, 0, 2)]
    total = stats.halfnorm.logpdf(spread) + np.logaddexp(*both).sum()
    total += np.sum(stats.norm.logpdf(y, level, spread) - stats.norm.logsf(-3.0, level, spread))
    return total + normal(np.array([0.5, 0.2]), 0.5 * level[:, None], 1)


GAPS = np.where([False, True, False, True, False], np.nan, Y)
CASES = {
    "local level": (local_level, Y, {"sigma": 0.7, "level": Z}, local_level_density),
    "everything": (everything, PAIRS, {"volatility": np.exp(Z), "x": PAIRS[::-1]}, everything_density),
    "backwards": (backwards, COUNTS, {"top": 3.0, "share": np.exp(Z)}, backwards_density),
    "autoregressive": (autoregressive, GAPS, {"phi": 0.6, "y_missing": [0.2, -0.3]}, autoregressive_density),
    "grouped": (
        grouped,
        Y[:2],
        {"inner.level": PAIRS[:2], "effect": np.random.default_rng(2).normal(size=(2, 2, 3))},
        grouped_density,
    ),
    "switching": (switching, Y, {"level": Z}, switching_density),
    "parts": (parts, Y, {"spread": 0.8, "level": Z}, parts_density),
}
every_case = pytest.mark.parametrize(("model", "y", "params", "density"), CASES.values(), ids=CASES)


@every_case
def test_density_and_gradient_are_those_of_the_loop(model, y, params, density):
    posterior = model(y=y)
    params = {name: np.asarray(value) for name, value in params.items()}
    assert {name: p.shape for name, p in posterior.parameters.items()} == {n: np.shape(v) for n, v in params.items()}
    assert posterior.neg_log_posterior(params) == pytest.approx(-density(y, **params), rel=1e-11)
    gradient = posterior.gradient(params)
    for name, value in params.items():
        for i in np.ndindex(value.shape):
            step = np.zeros(value.shape)
            step[i] = 1e-5
            up, down = (density(y, **{**params, name: value + s * step}) for s in (1, -1))
            assert gradient[name][i] == pytest.approx(-(up - down) / 2e-5, rel=1e-6, abs=1e-7)


@every_case
def test_plain_runs_see_what_traced_ones_do(model, y, params, density):
    from bayesad.running import Handler
    from bayesad.terms import has_density, log_density_of

    posterior = model(y=y)
    q = posterior.unconstrained.pack(params)
    recorded = posterior.values(q)
    terms, values = {}, {}

    def note(site, value):
        if has_density(site):
            terms[site.name] = log_density_of(site, value, check=True)
        values[site.name] = value

    posterior.run(Handler(lambda site: np.asarray(params[site.name]), note=note))
    if posterior.enumeration is None:
        assert terms == pytest.approx(posterior.log_density_terms(params), rel=1e-11)
    for name, value in recorded.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-12)
    assert list(posterior.structure.quantities) == [n for n in values if n in posterior.structure.quantities]


def test_a_python_loop_has_the_same_density():
    @ba.model
    def written_out(y):
        sigma, level = ba.sample("sigma", ba.HalfNormal(1)), 0.0
        for t in range(T):
            level = ba.sample(f"level{t}", ba.Normal(level, sigma))
            ba.sample(f"y{t}", ba.Normal(level, 0.5), obs=y[t])

    one, other = local_level(y=Y).unconstrained, written_out(y=Y).unconstrained
    q = np.array([-0.3, *Z])
    for found, expected in zip(one.log_density_and_gradient(q), other.log_density_and_gradient(q), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    value, gradient = one.compiled.log_density(q).at(q)
    assert value == pytest.approx(one.log_density(q), rel=1e-12)
    np.testing.assert_allclose(gradient, one.log_density_and_gradient(q)[1], rtol=1e-11)


def test_the_posterior_of_a_local_level_is_that_of_the_kalman_filter():
    """All is normal: the mode is the smoothed mean, and Laplace's approximation of the evidence is exact."""
    posterior = ba.do(local_level, {"sigma": 0.7})(y=Y)
    filter_ = ba.LinearGaussianStateSpace(
        initial_mean=0.0,
        initial_cov=[[0.49]],
        transition=[[1.0]],
        transition_cov=[[0.49]],
        observation=[1.0],
        observation_cov=0.25,
    )
    mean = filter_.smoothed(Y).mean[:, 0]
    density = posterior.unconstrained
    np.testing.assert_allclose(density.log_density_and_gradient(mean)[1], 0, atol=1e-10)
    slopes = [density.log_density_and_gradient(mean + e)[1] for e in np.eye(T)]
    _, log_det = np.linalg.slogdet(-np.array(slopes))
    evidence = density.log_density(mean) + 0.5 * T * np.log(2 * np.pi) - 0.5 * log_det
    assert evidence == pytest.approx(filter_.log_prob(Y), rel=1e-11)
    np.testing.assert_allclose(np.diag(-np.linalg.inv(slopes)), filter_.smoothed(Y).cov[:, 0, 0], rtol=1e-9)
    steps = filter_.one_step_ahead(Y).sum()
    assert steps == pytest.approx(evidence, rel=1e-11)


# --- names, dims, draws

# Limits of 5 standard errors of a variance or a mean: a false alarm below 1e-6 for each of about 20.
N = 1000


def near(found, expected, error):
    assert np.all(np.abs(found - expected) < 5 * error), (found, expected)


def test_steps_have_a_dim_and_those_of_the_variable_come_after():
    posterior = grouped(y=Y[:2])
    assert posterior.dims["inner.level"] == ("time", "group")
    assert posterior.dims["effect"] == ("time", "group", "item")
    assert list(posterior.coords["time"]) == [0, 1]

    @ba.model
    def named(y):
        def step(level, now):
            level = ba.sample("level", ba.Normal(level, 1), dims="side")
            ba.sample("y", ba.Normal(level, 1), obs=now, dims="side")
            return level, None

        ba.scan(step, np.zeros(2), y, dim="year")

    years = [1990, 1991, 1992, 1993, 1994]
    tree = named.with_coords(side=["left", "right"], year=years)(y=PAIRS).prior(3, seed=1)
    for variable in (tree["prior"]["level"], tree["prior_predictive"]["y"], tree["observed_data"]["y"]):
        assert variable.dims[-2:] == ("year", "side")
        assert list(variable["year"]) == years
    with pytest.raises(ModelError, match=r"'level'.*lengths \(3, 2\)"):
        named.with_coords(side=["left", "right"], year=years[:3])(y=PAIRS)
    unnamed = everything(y=PAIRS)
    assert "x" not in unnamed.dims


def test_prior_draws_go_from_step_to_step():
    tree = ba.do(local_level, {"sigma": 0.7})(y=Y).prior(N, seed=1)
    level, y = tree["prior"]["level"].values[0], tree["prior_predictive"]["y"].values[0]
    assert level.shape == y.shape == (N, T)
    variances = 0.49 * np.arange(1, T + 1)
    near(level.var(axis=0), variances, variances * np.sqrt(2 / N))
    near((level[:, 1:] * level[:, :-1]).mean(axis=0), variances[:-1], np.sqrt(3 * variances[1:] * variances[:-1] / N))
    near((y - level).var(axis=0), 0.25, 0.25 * np.sqrt(2 / N))


def test_predicted_observations_are_handed_on():
    posterior = autoregressive(y=GAPS)
    tree = posterior.predict({"phi": np.full((1, N), 0.6)}, seed=2)
    y = tree["posterior_predictive"]["y"].values[0]
    variances = np.cumsum(0.36 ** np.arange(T))
    near(y.var(axis=0), variances, variances * np.sqrt(2 / N))
    again = posterior.predict({"phi": np.full((1, N), 0.6)}, seed=2)
    np.testing.assert_array_equal(again["posterior_predictive"]["y"].values[0], y)


def test_predictions_take_the_states_of_the_draws():
    level = 100.0 * np.arange(1, T + 1)
    draws = {"sigma": np.ones((1, 3)), "level": np.tile(level, (1, 3, 1))}
    y = local_level(y=Y).predict(draws, seed=1)["posterior_predictive"]["y"].values
    np.testing.assert_allclose(y, np.tile(level, (1, 3, 1)), atol=5)


def test_many_predictions_come_from_one_program_where_nothing_drawn_is_handed_on(monkeypatch):
    def runs(posterior, draws):
        counted = []
        run = type(posterior).run
        monkeypatch.setattr(type(posterior), "run", lambda self, handler: counted.append(1) or run(self, handler))
        y = posterior.predict(draws, seed=3)["posterior_predictive"]["y"].values[0]
        monkeypatch.undo()
        return y, len(counted)

    level = np.tile(100.0 * np.arange(1, T + 1), (1, N, 1))
    y, n = runs(local_level(y=Y), {"sigma": np.ones((1, N)), "level": level})
    assert n < 10
    near((y - level[0]).mean(axis=0), 0, 0.5 / np.sqrt(N))
    near((y - level[0]).var(axis=0), 0.25, 0.25 * np.sqrt(2 / N))
    assert runs(autoregressive(y=GAPS), {"phi": np.full((1, 60), 0.6)})[1] >= 60


def test_starting_points_from_the_prior_and_from_values():
    posterior = everything(y=PAIRS)
    rng = np.random.default_rng(1)
    q = np.stack([posterior.initial(rng, "prior") for _ in range(400)])
    first = q[:, posterior.parameters["volatility"].start]  # log volatility, Normal(0, 0.3)
    near(first.var(), 0.09, 0.09 * np.sqrt(2 / 400))
    given = posterior.unconstrained.unpack(posterior.initial(rng, {"x": PAIRS}))
    np.testing.assert_allclose(given["x"], PAIRS)

    @ba.model
    def improper():
        ba.scan(lambda carry, _: (ba.sample("x", ba.Flat()), None), 0.0, length=3)
        ba.factor("x is small", -1.0)

    assert np.all(np.abs(improper().initial(rng, "prior")) <= 2)


def test_draws_of_the_posterior_have_all_steps_and_their_log_likelihood():
    posterior = everything(y=PAIRS)
    tree = posterior.sample(chains=1, warmup=50, draws=30, seed=1)
    drawn = tree["posterior"]
    assert list(drawn.data_vars) == ["volatility", "x", "size"]
    np.testing.assert_allclose(drawn["size"], (drawn["x"].values ** 2).sum(axis=-1), rtol=1e-12)
    found = posterior.log_likelihood(tree)["log_likelihood"]["y"].values
    np.testing.assert_allclose(found, stats.norm.logpdf(PAIRS, drawn["x"], 1), rtol=1e-10)
    missing = autoregressive(y=GAPS).pointwise_log_likelihood({"phi": 0.6, "y_missing": [0.2, -0.3]})["y"]
    expected = stats.norm.logpdf([0.3, -0.5, 1.2], [0.0, 0.12, -0.18], 1)
    np.testing.assert_allclose(missing, expected, rtol=1e-12)


def test_variables_of_a_step_can_be_observed_and_set():
    conditioned = ba.condition(local_level, {"level": Z})(y=Y)
    assert list(conditioned.parameters) == ["sigma"]
    assert conditioned.neg_log_posterior({"sigma": 0.7}) == pytest.approx(-local_level_density(Y, 0.7, Z), rel=1e-12)
    fixed = ba.do(local_level, {"level": Z})(y=Y)
    expected = stats.halfnorm.logpdf(0.7) + normal(Y, Z, 0.5)
    assert fixed.neg_log_posterior({"sigma": 0.7}) == pytest.approx(-expected, rel=1e-12)
    tree = fixed.prior(2, seed=1)
    np.testing.assert_array_equal(tree["prior"]["level"].values, np.tile(Z, (1, 2, 1)))
    with pytest.raises(ModelError, match=r"'level'.*3 rows, but the loop has 5 steps"):
        ba.condition(local_level, {"level": Z[:3]})(y=Y)


def test_a_scan_as_a_part():
    def walk(y):
        def step(level, now):
            level = ba.sample("level", ba.Normal(level, 1))
            ba.sample("y", ba.Normal(level, 1), obs=now)
            return level, None

        return ba.scan(step, 0.0, y)[0]

    @ba.model
    def two(y):
        last = ba.submodel("first", walk, y)
        ba.submodel("second", walk, y[::-1])
        ba.deterministic("last", last)

    posterior = two(y=Y)
    assert list(posterior.parameters) == ["first.level", "second.level"]
    assert list(posterior.observed_data) == ["first.y", "second.y"]
    np.testing.assert_array_equal(posterior.observed_data["second.y"], Y[::-1])
    assert posterior.values(np.arange(10.0))["last"] == 4.0


def test_observed_values_may_be_computed_from_rows_of_data():
    @ba.model
    def differences(y):
        mu = ba.sample("mu", ba.Normal(0, 1))

        def step(carry, row):
            ba.sample("d", ba.Normal(mu, 1), obs=row[1] - row[0])
            ba.sample("zero", ba.Normal(mu, 2), obs=0.0)
            return carry, None

        ba.scan(step, 0.0, (y[:-1], y[1:]))

    posterior = differences(y=Y)
    np.testing.assert_allclose(posterior.observed_data["d"], np.diff(Y))
    np.testing.assert_array_equal(posterior.observed_data["zero"], np.zeros(T - 1))
    expected = normal(0.2, 0, 1) + normal(np.diff(Y), 0.2, 1) + normal(np.zeros(4), 0.2, 2)
    assert posterior.neg_log_posterior({"mu": 0.2}) == pytest.approx(-expected, rel=1e-12)
    assert posterior.prior(2, seed=1)["prior_predictive"]["d"].shape == (1, 2, T - 1)


def test_a_scan_outside_of_a_model_and_one_without_variables_are_plain_ones():
    last, ys = ba.scan(lambda c, x: (c + x, c), 0.0, Y)
    assert last == pytest.approx(Y.sum())
    np.testing.assert_allclose(ys, np.cumsum(Y) - Y)

    @ba.model
    def sums(y):
        mu = ba.sample("mu", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(ba.scan(lambda c, x: (c + mu * x, None), 0, y)[0], 1), obs=0.0)

    assert sums(y=Y).prior(2, seed=1)["prior"]["mu"].shape == (1, 2)


# --- what does not go

SHARED = np.zeros(3)


def loop(body, carry=0.0, xs=SHARED, **kwargs):
    return lambda: ba.scan(lambda c, x: (body(c, x), None), carry, xs, **kwargs)


def other_names(c, x):
    ba.sample("x", ba.Normal(0, 1))
    return ba.sample("x", ba.Normal(0, 1))


WRONG = {
    "discrete": (loop(lambda c, x: ba.sample("x", ba.Bernoulli(0.5))), ("DiscreteMarkovChain", "shape=3")),
    "summed": (
        loop(lambda c, x: 1.0 * ba.sample("x", ba.Categorical([0.5, 0.5]), marginalize=True)),
        ("DiscreteMarkovChain", "HiddenMarkov"),
    ),
    "missing counts": (
        loop(lambda c, x: c + ba.sample("x", ba.Poisson(1.0), obs=x), xs=np.array([1, np.nan, 2])),
        ("1 observed values are NaN",),
    ),
    "bounds by the carry": (loop(lambda c, x: ba.sample("x", ba.Uniform(c, 5.0))), ("bounds", "carry")),
    "bounds by rows": (loop(lambda c, x: ba.sample("x", ba.Uniform(0.0, 1.0 + x))), ("bounds", "rows")),
    "observed carry": (loop(lambda c, x: ba.sample("x", ba.Normal(0, 1), obs=c)), ("obs depends on parameters",)),
    "two of a name": (loop(other_names), ("taken",)),
    "name from outside": (
        lambda: (ba.sample("x", ba.Normal(0, 1)), loop(lambda c, x: ba.sample("x", ba.Normal(0, 1)))()),
        ("taken",),
    ),
    "within a loop": (
        loop(lambda c, x: ba.scan(lambda d, _: (ba.sample("x", ba.Normal(d, 1)), None), c, length=2)[0]),
        ("one for all steps", "within a loop"),
    ),
    "no steps": (loop(lambda c, x: ba.sample("x", ba.Normal(c, 1)), xs=np.zeros(0)), ("no steps",)),
}


@pytest.mark.parametrize(("body", "parts"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_variable_and_line(body, parts):
    @ba.model
    def wrong():
        body()

    with pytest.raises(BayesadError) as caught:
        wrong()
    for part in ("model 'wrong'", "variable 'x'", __file__, *parts):
        assert part in str(caught.value)


def test_other_coordinates_are_to_be_written():
    with pytest.raises(ModelError, match=r"'level'.*level \+ scale"):
        ba.reparameterise(local_level, {"level": "noncentred"})(y=Y)
    assert ba.reparameterise(local_level, {"level": "centred"})(y=Y).unconstrained.dimension == 1 + T
