"""Prefixes, submodels and plates: names, shapes and dims, and densities against the same model written out."""

import numpy as np
import pytest
from scipy import stats

import bayesad as ba
from bayesad.errors import ModelError


def line(x, spread=1.0):
    intercept = ba.sample("intercept", ba.Normal(0, 2))
    slope = ba.sample("slope", ba.Normal(0, spread))
    return ba.deterministic("mean", intercept + slope * x)


@ba.model
def two_lines(x, y):
    with ba.prefix("first"):
        mean = line(x)
        with ba.prefix("noise"):
            sigma = ba.sample("sigma", ba.HalfNormal(1))
            ba.factor("penalty", -sigma)
    ba.sample("y", ba.Normal(mean + ba.submodel("second", line, x, spread=3.0), sigma), obs=y)


X, Y = np.array([0.0, 1.0, 2.0]), np.array([0.3, 1.4, 1.9])
POINT = {
    "first.intercept": 0.1,
    "first.slope": 0.4,
    "first.noise.sigma": 0.7,
    "second.intercept": -0.2,
    "second.slope": 0.5,
}


def test_names_get_the_prefixes_in_force():
    posterior = two_lines(x=X, y=Y)
    assert list(posterior.parameters) == list(POINT)
    values = posterior.values(posterior.unconstrained.pack(POINT))
    np.testing.assert_allclose(values["second.mean"], -0.2 + 0.5 * X)
    expected = stats.norm.logpdf([0.1, -0.2], 0, 2).sum() + stats.norm.logpdf(0.4) + stats.norm.logpdf(0.5, 0, 3)
    expected += stats.halfnorm.logpdf(0.7) - 0.7 + stats.norm.logpdf(Y, -0.1 + 0.9 * X, 0.7).sum()
    assert posterior.neg_log_posterior(POINT) == pytest.approx(-expected, rel=1e-12)
    assert set(posterior.log_density_terms(POINT)) == {*POINT, "first.noise.penalty", "y"}


def test_draws_of_prefixed_variables_keep_their_names():
    draws = two_lines(x=X, y=Y).sample(chains=1, warmup=20, draws=5, seed=1)
    assert {"first.intercept", "first.noise.sigma", "second.mean"} <= set(draws["posterior"].data_vars)


def test_a_name_may_be_used_once_in_each_prefix():
    @ba.model
    def wrong():
        for _ in range(2):
            ba.submodel("a", line, 1.0)

    with pytest.raises(ModelError, match=r"'a\.intercept'.*taken"):
        wrong()


def test_a_model_as_a_part_brings_its_coordinates_and_changes():
    @ba.model
    def groups(tau):
        return ba.sample("effect", ba.Normal(0, tau), dims="group")

    part = ba.do(groups.with_coords(group=["a", "b"]), {})

    @ba.model
    def whole(y):
        tau = ba.sample("tau", ba.HalfNormal(1))
        ba.sample("y", ba.Normal(ba.submodel("inner", part, tau), 1), obs=y)

    posterior = whole(y=[0.1, 0.2])
    assert posterior.dims["inner.effect"] == ("group",)
    assert posterior.coords["group"].tolist() == ["a", "b"]

    @ba.model
    def fixed(y):
        inner = ba.do(part, {"effect": [1.0, 2.0]})
        ba.sample("y", ba.Normal(ba.submodel("inner", inner, 1.0), ba.sample("s", ba.HalfNormal(1))), obs=y)

    assert list(fixed(y=[0.1, 0.2]).parameters) == ["s"]


# --- plates


@ba.model
def schools(y, sigma):
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    with ba.plate("school", ["A", "B", "C"]) as labels:
        assert list(labels) == ["A", "B", "C"]
        theta = ba.sample("theta", ba.Normal(mu, tau))
        shares = ba.sample("shares", ba.Dirichlet([1.0, 2.0]))
        ba.deterministic("twice", 2 * theta)
        with ba.plate("pupil", 2):
            ba.sample("y", ba.Normal(theta[:, None] + shares[:, :1], sigma), obs=y)


def test_a_plate_adds_an_axis_to_what_is_inside():
    y = np.arange(6.0).reshape(3, 2)
    posterior = schools(y=y, sigma=2.0)
    assert {name: p.shape for name, p in posterior.parameters.items()} == {
        "mu": (),
        "tau": (),
        "theta": (3,),
        "shares": (3, 2),
    }
    assert posterior.dims["theta"] == posterior.dims["twice"] == ("school",)
    assert posterior.dims["y"] == ("school", "pupil")
    assert posterior.dims["shares"] == ("school", "shares_dim_0")
    theta, shares = np.array([0.1, 0.5, 2.0]), np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    point = {"mu": 0.3, "tau": 1.2, "theta": theta, "shares": shares}
    expected = stats.norm.logpdf(0.3, 0, 5) + stats.halfcauchy.logpdf(1.2, scale=5)
    expected += stats.norm.logpdf(theta, 0.3, 1.2).sum() + sum(stats.dirichlet.logpdf(s, [1, 2]) for s in shares)
    expected += stats.norm.logpdf(y, theta[:, None] + shares[:, :1], 2).sum()
    assert posterior.neg_log_posterior(point) == pytest.approx(-expected, rel=1e-12)


def test_shape_dims_and_submodels_inside_of_a_plate_come_after_it():
    @ba.model
    def m():
        ba.coord("time", 4)
        with ba.plate("unit", 2):
            ba.sample("a", ba.Normal(0, 1), shape=3)
            ba.sample("b", ba.Normal(0, 1), dims="time")
            ba.submodel("part", line, 0.0)
            ba.sample("k", ba.Bernoulli(0.5), marginalize=True)

    posterior = m()
    assert {name: p.shape for name, p in posterior.parameters.items()} == {
        "a": (2, 3),
        "b": (2, 4),
        "part.intercept": (2,),
        "part.slope": (2,),
    }
    assert posterior.dims["b"] == ("unit", "time")
    assert posterior.structure.summed["k"].shape == (2,)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (lambda: ba.plate("a").__enter__(), "give its labels"),
        (lambda: nested_twice(), "open already"),
        (lambda: in_plate(lambda: ba.deterministic("d", 1.0)), "as many axes"),
        (lambda: in_plate(lambda: ba.sample("y", ba.Normal(0, 1), obs=[1.0, 2.0])), "lengths (3,)"),
        (lambda: in_plate(lambda: ba.sample("x", ba.Normal(np.zeros(2), 1), shape=3)), "does not broadcast"),
    ],
)
def test_errors_of_plates_say_what_does_not_fit(body, part):
    @ba.model
    def wrong():
        body()

    with pytest.raises(ModelError) as caught:
        wrong()
    assert part in str(caught.value)


def in_plate(body):
    with ba.plate("unit", 3):
        body()


def nested_twice():
    with ba.plate("unit", 3), ba.plate("unit", 3):
        pass


def test_parts_outside_of_a_model_are_errors():
    with pytest.raises(ModelError, match="outside a model"):
        ba.submodel("a", line, 1.0)
    with pytest.raises(ModelError, match="outside a model"), ba.plate("unit", 2):
        pass
    with pytest.raises(ModelError, match="outside a model"), ba.prefix("a"):
        pass


def test_a_variable_of_the_outer_plate_needs_an_axis_in_the_inner_one():
    @ba.model
    def m(y):
        with ba.plate("group", 2):
            mu = ba.sample("mu", ba.Normal(0, 1))
            with ba.plate("repeat", 3):
                ba.sample("y", ba.Normal(mu, 1), obs=y)

    with pytest.raises(ModelError, match=r"in the plate 'group' alone .* the plate 'repeat': x\[..., None\]"):
        m(y=np.zeros((2, 3)))
