"""The modelling language: data conversion, shapes and dims, names, missing values, and what each error says."""

import inspect
import linecache
import threading

import numpy as np
import pytest

import bayesad as ba
from bayesad.errors import BayesadError, DataError, DistributionError, ModelError


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


def seen_by_model(x):
    """A data argument as it arrives in a model."""
    seen = []

    @ba.model
    def look(x):
        seen.append(x)

    look(x=x)
    return seen[0]


# --- models
def test_a_model_keeps_its_name_signature_docstring_and_file():
    @ba.model
    def regression(x, y, scale=2.0):
        """A straight line."""

    assert isinstance(regression, ba.Model)
    assert regression.__name__ == regression.name == "regression"
    assert regression.__doc__ == "A straight line."
    assert list(inspect.signature(regression).parameters) == ["x", "y", "scale"]
    assert regression.file == __file__
    assert "regression(x, y, scale=2.0)" in repr(regression)


def test_data_may_be_given_by_position_or_name_and_defaults_fill_in():
    seen = {}

    @ba.model
    def three(a, b, c=7):
        seen.update(a=a, b=b, c=c)

    three(1, b=2)
    assert seen == {"a": 1, "b": 2, "c": 7}


# --- data
@pytest.mark.parametrize(
    ("given", "dtype", "values"),
    [
        ([1, 2, 3], np.int64, [1, 2, 3]),
        ([1, 2.5], np.float64, [1.0, 2.5]),
        ([True, False], np.bool_, [True, False]),
        ([[1, 2], [3, 4]], np.int64, [[1, 2], [3, 4]]),
        ((1.0, 2.0), np.float64, [1.0, 2.0]),
        (range(3), np.int64, [0, 1, 2]),
        ([], np.float64, []),
        ([1, None, 3], np.float64, [1.0, np.nan, 3.0]),
        ([[None, 2], [3, 4]], np.float64, [[np.nan, 2.0], [3.0, 4.0]]),
        ([np.array([1, 2]), np.array([3, 4])], np.int64, [[1, 2], [3, 4]]),
        (np.array([1, 2], dtype=np.int32), np.int64, [1, 2]),
        (np.array([1, 2], dtype=np.uint8), np.int64, [1, 2]),
        (np.array([1.5, 2.5], dtype=np.float32), np.float64, [1.5, 2.5]),
        (np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]), np.float64, [1.0, np.nan, 3.0]),
        (np.ma.masked_array([1, 2, 3]), np.int64, [1, 2, 3]),
    ],
)
def test_lists_and_arrays_become_read_only_arrays_of_standard_types(given, dtype, values):
    x = seen_by_model(given)
    assert type(x) is np.ndarray
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, values)
    assert not x.flags.writeable


def test_series_and_data_arrays_become_arrays():
    import pandas as pd
    import xarray as xr

    for foreign in (pd.Series([1, 2], name="y"), xr.DataArray([1, 2])):
        x = seen_by_model(foreign)
        assert type(x) is np.ndarray
        assert x.dtype == np.int64
    table = pd.DataFrame({"a": [1, 2], "b": ["u", "v"]})
    assert seen_by_model(table) is table


def test_scalars_strings_callables_and_distributions_pass_unchanged():
    for x in (3, 2.5, True, "text", None, np.float64(1.5), len, ba.Normal(0, 1)):
        assert seen_by_model(x) is x


def test_lists_of_other_things_keep_their_elements():
    laws = [ba.Normal(0, 1), ba.Cauchy(0, 1)]
    assert seen_by_model(laws) == laws
    mixed = seen_by_model({"rows": [1, 2], "law": laws[0]})
    assert mixed["law"] is laws[0]
    assert mixed["rows"].dtype == np.int64
    np.testing.assert_array_equal(seen_by_model(["b", "a"]), ["b", "a"])


def test_a_later_change_of_the_callers_array_does_not_reach_the_model():
    y = np.array([1.0, 2.0])

    @ba.model
    def m(y):
        ba.sample("y", ba.Normal(ba.sample("mu", ba.Normal(0, 1)), 1), obs=y)

    posterior = m(y=y)
    before = posterior.neg_log_posterior({"mu": 0.0})
    y[:] = 100.0
    assert m(y=[1.0, 2.0]).neg_log_posterior({"mu": 0.0}) == before
    assert posterior.neg_log_posterior({"mu": 0.0}) == before
    assert y.flags.writeable


def test_what_data_alone_determine_is_plain():
    seen = {}

    @ba.model
    def m(y, group):
        mu = ba.sample("mu", ba.Normal(0, 1), shape=max(group) + 1)
        labels, counts = np.unique(group, return_counts=True)
        seen.update(mask=y > 1, labels=labels, counts=counts, mean=y.mean())
        value = ba.sample("y", ba.Normal(mu[group], 1), obs=y)
        seen["value"] = value

    m(y=[0.5, 1.5, 2.5], group=[0, 1, 1])
    assert all(isinstance(x, (np.ndarray, np.generic)) for x in seen.values())
    assert seen["counts"].tolist() == [1, 2]
    assert not seen["value"].flags.writeable


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([[1, 2], [3]], "entry 0 has shape (2,), entry 1 has shape (1,)"),
        ([1, [2, 3]], "entry 0 has shape (), entry 1 has shape (2,)"),
        ([[[1], [2, 3]], [[4], [5]]], "within entry 0, entry 0 has shape (1,), entry 1 has shape (2,)"),
    ],
)
def test_a_ragged_list_is_an_error_that_shows_where(given, words):
    fails(DataError, lambda: seen_by_model(given), "'x'", "ragged", words)


def test_numbers_mixed_with_text_are_an_error():
    fails(DataError, lambda: seen_by_model([1, "two"]), "'x'", "'two'")


# --- shapes and dims
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


# --- names
def test_names_may_be_any_string_and_equal_an_argument():
    @ba.model
    def m(y, scale):
        a = ba.sample("lambda", ba.Normal(0, 1))
        b = ba.sample("a name with spaces / and a slash", ba.Normal(a, scale))
        ba.sample("scale", ba.Normal(0, 1))
        ba.deterministic("θ", a + b)
        ba.sample("y", ba.Normal(b, 1), obs=y)

    posterior = m(y=[1.0], scale=2.0)
    assert list(posterior.parameters) == ["lambda", "a name with spaces / and a slash", "scale"]
    assert "θ" in posterior.values(np.zeros(3))


@pytest.mark.parametrize(
    "second",
    [
        lambda: ba.sample("a", ba.Normal(0, 1)),
        lambda: ba.sample("a", ba.Normal(0, 1), obs=1.0),
        lambda: ba.deterministic("a", 1.0),
        lambda: ba.factor("a", 1.0),
    ],
)
def test_a_name_used_twice_shows_both_lines(second):
    def body(y):
        ba.sample("a", ba.Normal(0, 1))  # first use
        second()

    model_error(body, "'a'", line_of("first use"), "names must differ")


def test_a_name_must_be_a_string():
    model_error(lambda y: ba.sample(3, ba.Normal(0, 1)), "3", "string")


def test_the_second_argument_must_be_a_distribution():
    model_error(lambda y: ba.sample("mu", 5.0), "'mu'", "must be a distribution", "5.0")


# --- errors of data and distributions
def test_a_misspelt_data_argument_suggests_the_right_one():
    @ba.model
    def schools(y, sigma):
        pass

    def call():
        schools(y=[1.0], sigm=[1.0])  # misspelt

    fails(
        DataError, call, "'schools'", "'sigm'", "did you mean 'sigma'?", "needs the data argument 'sigma'", "y, sigma"
    )
    fails(DataError, call, line_of("misspelt"))


def test_a_missing_data_argument_is_named():
    @ba.model
    def schools(y, sigma):
        pass

    def call():
        schools(y=[1.0])  # incomplete

    fails(DataError, call, "'schools'", "needs the data argument 'sigma'", line_of("incomplete"))
    fails(DataError, lambda: schools(1, 2, 3), "takes 2 data arguments, 3 were given")
    fails(DataError, lambda: schools(1, 2, y=3), "'y' twice")


def test_data_arguments_must_have_names():
    def anything(**data):
        pass

    fails(ModelError, lambda: ba.model(anything), "'anything'", "**data", __file__)


def test_a_constant_parameter_outside_its_domain_names_model_variable_value_and_line():
    @ba.model
    def m(y):
        mu = ba.sample("mu", ba.Normal(0, -2.0))  # constant outside
        ba.sample("y", ba.Normal(mu, 1), obs=y)

    fails(DistributionError, lambda: m(y=[1.0]), "'m'", "'mu'", "sigma", "-2.0", line_of("constant outside"))


def test_the_variable_is_found_around_a_statement_of_several_lines():
    @ba.model
    def m(y):
        ba.sample(
            name="tall",
            distribution=ba.Gamma(
                2.0,
                np.array([1.0, -1.0]),  # several lines
            ),
        )

    fails(DistributionError, lambda: m(y=1), "'m'", "'tall'", "beta", "-1.0", __file__)


def test_the_variable_is_found_from_inside_a_helper():
    def scale_prior(s):
        return ba.HalfNormal(s)  # in a helper

    @ba.model
    def m():
        for i in range(2):
            ba.sample(f"scale_{i}", scale_prior(-1.0))

    fails(DistributionError, m, "'m'", "scale_", "HalfNormal", "-1.0", line_of("in a helper"))


def test_distribution_parameters_that_do_not_broadcast_name_their_shapes():
    @ba.model
    def m():
        ba.sample("theta", ba.Normal(np.zeros(3), np.ones(4)))  # parameters differ

    fails(DistributionError, m, "'m'", "'theta'", "(3,)", "(4,)", line_of("parameters differ"))


def test_a_parameter_dependent_value_outside_a_domain_is_no_error():
    """A scale that is a linear function of a parameter is impossible in parts of the space only."""

    @ba.model
    def m(y):
        slope = ba.sample("slope", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(0, 0.1 + slope), obs=y)

    posterior = m(y=[0.3])
    assert np.isfinite(posterior.neg_log_posterior({"slope": 1.0}))
    assert not np.isfinite(posterior.unconstrained.log_density([-1.0]))


def test_an_observed_value_outside_the_support_names_value_and_index():
    @ba.model
    def m(y):
        ba.sample("y", ba.Gamma(ba.sample("a", ba.HalfNormal(1)), 1.0), obs=y)  # outside support

    fails(DataError, lambda: m(y=[1.0, 2.0, -3.0]), "'m'", "'y'", "-3.0", "[2]", "Gamma", line_of("outside support"))
    fails(DataError, lambda: m(y=[[1.0, -2.0], [-1.0, 3.0]]), "-2.0", "[0, 1]", "1 more")
    fails(DataError, lambda: m(y=-1.0), "-1.0")


@pytest.mark.parametrize(
    ("law", "y"),
    [
        (lambda: ba.Bernoulli(0.5), [0, 1, 2]),
        (lambda: ba.Poisson(2.0), [1.0, 2.0, 2.5]),
        (lambda: ba.Binomial(5, 0.5), [0, 5, 6]),
        (lambda: ba.Uniform(0.0, 1.0), [0.5, 0.25, 1.5]),
        (lambda: ba.Normal(0.0, 1.0), [0.5, 0.25, np.inf]),
    ],
)
def test_every_kind_of_support_is_checked(law, y):
    @ba.model
    def m(y):
        ba.sample("y", law(), obs=y)

    fails(DataError, lambda: m(y=y), "'y'", "[2]", str(y[2]))
    m(y=y[:2])


def test_an_observed_simplex_off_the_plane_is_an_error():
    @ba.model
    def m(y):
        ba.sample("y", ba.Dirichlet(np.ones(2)), obs=y)

    fails(DataError, lambda: m(y=[[0.5, 0.5], [0.5, 0.6]]), "'y'", "[1]", "0.6", "simplex")


def test_a_discrete_unknown_must_be_observed_or_summed_out():
    def body(y):
        ba.sample("k", ba.Poisson(3.0))  # discrete unknown

    model_error(body, "'k'", "Poisson", "obs=", "ba.factor", line_of("discrete unknown"))


def test_an_observation_that_depends_on_parameters_points_to_factor():
    def body(y):
        mu = ba.sample("mu", ba.Normal(0, 1))
        ba.sample("z", ba.Normal(0, 1), obs=y - mu)  # traced obs

    model_error(body, "'z'", "depends on parameters", "ba.factor('z'", line_of("traced obs"), data=np.zeros(3))


def test_a_list_with_a_parameter_in_it_cannot_be_observed():
    def body(y):
        ba.sample("z", ba.Normal(0, 1), obs=[1.0, ba.sample("mu", ba.Normal(0, 1))])

    model_error(body, "'z'", "depends on parameters")


def test_observations_must_be_numbers():
    model_error(lambda y: ba.sample("y", ba.Normal(0, 1), obs=y), "'y'", "numbers", data=["a", "b"])
    model_error(lambda y: ba.sample("y", ba.Normal(0, 1), obs=[[1.0], [1.0, 2.0]]), "'y'")


@pytest.mark.parametrize(
    "statement",
    [
        lambda: ba.sample("mu", ba.Normal(0, 1)),
        lambda: ba.deterministic("mu", 1.0),
        lambda: ba.factor("mu", 1.0),
        lambda: ba.coord("mu", 3),
    ],
)
def test_a_statement_outside_a_model_is_an_error(statement):
    fails(ModelError, statement, "'mu'", "outside a model", __file__)


def test_an_exception_in_a_model_leaves_no_run_behind():
    @ba.model
    def m():
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        m()
    fails(ModelError, lambda: ba.factor("f", 1.0), "outside a model")


def test_models_may_be_conditioned_in_several_threads_at_once():
    start = threading.Barrier(4)
    found = {}

    @ba.model
    def m(y, n):
        start.wait(timeout=30)
        for i in range(n):
            ba.sample(f"x{i}", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(0, 1), obs=y)

    def work(n):
        found[n] = list(m(y=[float(n)], n=n).parameters)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found == {n: [f"x{i}" for i in range(n)] for n in range(1, 5)}


# --- missing values
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


def test_discrete_or_constrained_values_cannot_be_missing():
    model_error(lambda y: ba.sample("y", ba.Poisson(1.0), obs=y), "'y'", "NaN", "discrete", data=[1.0, np.nan])
    simplexes = np.array([[0.5, np.nan]])
    model_error(lambda y: ba.sample("y", ba.Dirichlet(np.ones(2)), obs=y), "'y'", "NaN", "simplex", data=simplexes)


def test_the_name_of_missing_entries_may_not_be_taken():
    def body(y):
        ba.sample("y_missing", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(0, 1), obs=y)

    model_error(body, "'y_missing'", "names must differ", data=[1.0, np.nan])


# --- the public names
def test_public_names_are_found_and_others_are_not():
    for name in (
        "model",
        "sample",
        "deterministic",
        "factor",
        "coord",
        "Model",
        "Posterior",
        "Normal",
        "truncated",
        "ad",
    ):
        assert getattr(ba, name) is not None
        assert name in dir(ba)
    with pytest.raises(AttributeError, match="Nrmal"):
        ba.Nrmal
