"""Shapes, dims and coordinates of a model's variables, and the errors where they do not agree."""

import linecache

import numpy as np
import pytest

import bayesad as ba
from bayesad.errors import BayesadError, ModelError


def line_of(marker):
    """``file:line`` of the line of this file that carries the comment ``# <marker>``."""
    for number, line in enumerate(linecache.getlines(__file__), 1):
        if line.rstrip().endswith(f"# {marker}"):
            return f"{__file__}:{number}"
    raise AssertionError(f"no line is marked {marker!r}")


def fails(kind, run, *parts):
    """The error that ``run`` raises; its message must contain all parts."""
    with pytest.raises(kind) as caught:
        run()
    for part in parts:
        assert part in str(caught.value), f"{part!r} is not in: {caught.value}"
    assert isinstance(caught.value, BayesadError)


def shapes_of(posterior):
    return {name: parameter.shape for name, parameter in posterior.parameters.items()}


def test_shapes_come_from_shape_dims_or_the_distribution():
    @ba.model
    def m():
        ba.coord("group", ["a", "b", "c"])
        ba.coord("time", 2)
        ba.sample("plain", ba.Normal(0, 1))
        ba.sample("own", ba.Normal(np.zeros(4), 1))
        ba.sample("int", ba.Normal(0, 1), shape=5)
        ba.sample("wide", ba.Normal(np.zeros(4), 1), shape=(3, 4))
        ba.sample("stretched", ba.Normal(np.zeros((3, 1)), 1), shape=(2, 3, 4))
        ba.sample("named", ba.Normal(0, 1), dims=("group", "time"))
        ba.sample("both", ba.Normal(0, 1), dims="group", shape=3)
        ba.sample("weights", ba.Dirichlet(np.ones(3)), shape=(2, 3))
        ba.sample("rows", ba.Dirichlet(np.ones((4, 3))))
        ba.sample("vector", ba.MvNormal(0.0, cov=np.eye(2)))
        ba.sample("factor", ba.LKJCholesky(3, 2.0))
        ba.sample("cuts", ba.ordered(ba.Normal(0, 1)), shape=4)

    posterior = m()
    assert shapes_of(posterior) == {
        "plain": (), "own": (4,), "int": (5,), "wide": (3, 4), "stretched": (2, 3, 4), "named": (3, 2), "both": (3,),
        "weights": (2, 3), "rows": (4, 3), "vector": (2,), "factor": (3, 3), "cuts": (4,),
    }  # fmt: skip
    assert posterior.dims == {"named": ("group", "time"), "both": ("group",)}
    assert posterior.coords["group"].tolist() == ["a", "b", "c"]
    assert posterior.coords["time"].tolist() == [0, 1]


def test_coordinates_may_come_from_outside():
    @ba.model
    def m():
        labels = ba.coord("school", 2)
        ba.sample("z", ba.Normal(0, 1), dims="school")
        assert labels.tolist() == ["A", "B"]

    posterior = m.with_coords(school=["A", "B"])()
    assert posterior.coords["school"].tolist() == ["A", "B"]
    assert m.coords == {}, "with_coords leaves the model itself as it was"


def test_an_observed_variable_gives_its_dims_their_lengths():
    @ba.model
    def m(y):
        ba.sample("y", ba.Normal(ba.sample("mu", ba.Normal(0, 1)), 1), obs=y, dims=("row", "column"))
        ba.sample("later", ba.Normal(0, 1), dims="column")

    posterior = m(y=np.zeros((2, 3)))
    assert posterior.coords["row"].tolist() == [0, 1]
    assert posterior.parameters["later"].shape == (3,)


def test_a_number_may_be_observed_by_every_element():
    @ba.model
    def m():
        ba.sample("y", ba.Normal(ba.sample("mu", ba.Normal(0, 1), shape=3), 1), obs=0.5)

    assert m().observed_data["y"].tolist() == [0.5, 0.5, 0.5]


# --- errors of shapes and dims
def model_error(body, *parts, data=None):
    """Conditioning a model with this body fails; the message names the model and holds all parts."""

    @ba.model
    def wrong(y=None):
        body(y)

    fails(ModelError, lambda: wrong(y=data), "'wrong'", *parts)


def test_batch_shape_that_does_not_broadcast_names_both_shapes():
    def body(y):
        ba.sample("theta", ba.Normal(np.zeros(5), 1), shape=8)  # does not broadcast

    model_error(body, "'theta'", "(5,)", "(8,)", line_of("does not broadcast"))


def test_observed_shape_that_does_not_fit_names_both_shapes():
    def body(y):
        mu = ba.sample("mu", ba.Normal(0, 1), shape=8)
        ba.sample("y", ba.Normal(mu, 1), obs=y)  # observed does not fit

    model_error(body, "'y'", "(8,)", "(7,)", line_of("observed does not fit"), data=np.zeros(7))


def test_observations_are_not_stretched_along_axes_of_the_distribution():
    model_error(lambda y: ba.sample("y", ba.Normal(np.zeros((3, 1)), 1), obs=y), "(3, 1)", "(3,)", data=np.zeros(3))


def test_event_shape_must_end_the_shape():
    model_error(lambda y: ba.sample("w", ba.Dirichlet(np.ones(3)), shape=(3, 2)), "'w'", "(3, 2)", "(3,)", "Dirichlet")
    model_error(lambda y: ba.sample("w", ba.LKJCholesky(3, 1), shape=3), "'w'", "(3, 3)")


def test_an_open_event_needs_a_shape():
    model_error(lambda y: ba.sample("c", ba.ordered(ba.Normal(0, 1))), "'c'", "shape= or dims=")


def test_an_unknown_dim_suggests_the_nearest():
    def body(y):
        ba.coord("school", 3)
        ba.sample("z", ba.Normal(0, 1), dims="scool")  # unknown dim

    model_error(body, "'z'", "'scool'", "did you mean 'school'?", line_of("unknown dim"))
    model_error(lambda y: ba.sample("z", ba.Normal(0, 1), dims="other", shape=3), "'other'")


def test_shape_and_dims_must_agree():
    def body(y):
        ba.coord("school", 3)
        ba.sample("z", ba.Normal(0, 1), dims="school", shape=4)

    model_error(body, "'z'", "(3,)", "(4,)")
    model_error(lambda y: ba.sample("z", ba.Normal(0, 1), dims=("a", "b"), obs=y), "2 axes", data=np.zeros(3))
    model_error(lambda y: ba.sample("z", ba.Normal(0, 1), shape=2, obs=y), "shape=(2,)", "(3,)", data=np.zeros(3))


@pytest.mark.parametrize("shape", [-1, 2.5, "3", (2, -1)])
def test_an_impossible_shape_is_an_error(shape):
    model_error(lambda y: ba.sample("z", ba.Normal(0, 1), shape=shape), "'z'", "shape must be", repr(shape))


def test_dims_must_be_different_strings():
    model_error(lambda y: ba.sample("z", ba.Normal(0, 1), dims=("a", "a")), "'z'", "twice")
    model_error(lambda y: ba.sample("z", ba.Normal(0, 1), dims=3 * (1,)), "'z'", "strings")


def test_coordinates_must_agree():
    def lengths(y):
        ba.coord("g", 3)
        ba.coord("g", 4)  # other length

    def labels(y):
        ba.coord("g", ["a", "b"])
        ba.coord("g", ["a", "c"])

    model_error(lengths, "'g'", "4 labels", "3", line_of("other length"))
    model_error(labels, "'g'", "other labels")

    @ba.model
    def m():
        pass

    fails(ModelError, lambda: m.with_coords(g="abc"), "'g'", "flat sequence", "'abc'", __file__)
    fails(ModelError, lambda: m.with_coords(g=-1), "'g'", "flat sequence", "-1")
    fails(ModelError, lambda: m.with_coords(g=[["a"], ["b"]]), "'g'", "flat sequence")


def test_dims_of_a_deterministic_quantity_must_fit_its_value():
    def body(y):
        ba.coord("g", 3)
        ba.deterministic("d", np.zeros(4), dims="g")

    model_error(body, "'d'", "(3,)", "(4,)")
