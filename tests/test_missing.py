"""NaN in observed values: the entries become a free parameter, and the model sees the completed array."""

import numpy as np
import pytest

import bayesad as ba
from bayesad.errors import BayesadError, ModelError


def fails(kind, run, *parts):
    """The error that ``run`` raises; its message must contain all parts."""
    with pytest.raises(kind) as caught:
        run()
    for part in parts:
        assert part in str(caught.value), f"{part!r} is not in: {caught.value}"
    assert isinstance(caught.value, BayesadError)


def model_error(body, *parts, data=None):
    """Conditioning a model with this body fails; the message names the model and holds all parts."""

    @ba.model
    def wrong(y=None):
        body(y)

    fails(ModelError, lambda: wrong(y=data), "'wrong'", *parts)


def shapes_of(posterior):
    return {name: parameter.shape for name, parameter in posterior.parameters.items()}


def test_missing_entries_become_one_parameter_in_the_order_of_the_array():
    seen = {}

    @ba.model
    def m(y):
        seen["y"] = ba.sample("y", ba.Normal(ba.sample("mu", ba.Normal(0, 1)), 2.0), obs=y)

    posterior = m(y=[[1.0, np.nan, 3.0], [np.nan, 5.0, 6.0]])
    assert shapes_of(posterior) == {"mu": (), "y_missing": (2,)}
    values = posterior.values(np.array([0.5, 20.0, 40.0]))
    np.testing.assert_array_equal(values["y_missing"], [20.0, 40.0])
    np.testing.assert_array_equal(values["y"], [[1.0, 20.0, 3.0], [40.0, 5.0, 6.0]])
    np.testing.assert_array_equal(posterior.observed_data["y"], [[1.0, np.nan, 3.0], [np.nan, 5.0, 6.0]])
    assert posterior.coords[posterior.dims["y_missing"][0]].tolist() == ["0,1", "1,0"]


def test_missing_entries_are_labelled_by_the_coordinates_of_the_variable():
    @ba.model
    def m(y):
        ba.coord("day", ["mon", "tue", "wed"])
        ba.sample("y", ba.Normal(0, 1), obs=y, dims="day")

    posterior = m(y=[np.nan, 1.0, np.nan])
    assert posterior.coords[posterior.dims["y_missing"][0]].tolist() == ["mon", "wed"]


def test_a_single_missing_number_is_an_unknown():
    @ba.model
    def m(y):
        ba.sample("y", ba.Normal(0, 1), obs=y)

    assert m(y=np.nan).unconstrained.dimension == 1
    assert m(y=[np.nan]).unconstrained.dimension == 1


def test_missing_entries_keep_to_the_support_element_by_element():
    @ba.model
    def m(y):
        upper = ba.sample("upper", ba.Uniform(5.0, 6.0))
        ba.sample("y", ba.Uniform(np.array([0.0, 1.0, 2.0]), upper), obs=y)

    posterior = m(y=[np.nan, 1.5, np.nan])
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = posterior.unconstrained.unpack(rng.normal(scale=3, size=3))
        assert np.all(values["y_missing"] > [0.0, 2.0])
        assert np.all(values["y_missing"] < values["upper"])


def test_a_covariate_may_be_missing():
    """x is modelled; its missing entry takes part in the regression."""

    @ba.model
    def m(x, y):
        x = ba.sample("x", ba.Normal(0, 1), obs=x)
        ba.sample("y", ba.Normal(2 * x, 1), obs=y)

    posterior = m(x=[0.5, np.nan], y=[1.0, 3.0])
    expected = 0.5 * (0.5**2 + 1.2**2 + (1 - 1) ** 2 + (3 - 2.4) ** 2) + 2 * np.log(2 * np.pi)
    assert posterior.neg_log_posterior({"x_missing": [1.2]}) == pytest.approx(expected, rel=1e-14)


def test_constrained_values_and_those_of_infinitely_many_cannot_be_missing():
    body = lambda y: ba.sample("y", ba.Poisson(1.0), obs=y)
    model_error(body, "'y_missing'", "infinitely many", "ba.truncated", data=[1.0, np.nan])
    simplexes = np.array([[0.5, np.nan]])
    model_error(lambda y: ba.sample("y", ba.Dirichlet(np.ones(2)), obs=y), "'y'", "NaN", "simplex", data=simplexes)


def test_the_name_of_missing_entries_may_not_be_taken():
    def body(y):
        ba.sample("y_missing", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(0, 1), obs=y)

    model_error(body, "'y_missing'", "names must differ", data=[1.0, np.nan])
