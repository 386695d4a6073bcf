"""The modelling language: models and their arguments, names, and what each error says."""

import inspect
import linecache
import threading

import numpy as np
import pytest

import bayesad as ba
from bayesad import ad
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


def model_error(body, *parts, data=None):
    """Conditioning a model with this body fails; the message names the model and holds all parts."""

    @ba.model
    def wrong(y=None):
        body(y)

    fails(ModelError, lambda: wrong(y=data), "'wrong'", *parts)


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

    model_error(body, "'k'", "Poisson", "obs=", "marginalize=True", line_of("discrete unknown"))


@pytest.mark.parametrize("value", [None, "a", {"a": 1.0}])
def test_a_deterministic_quantity_is_an_array(value):
    @ba.model
    def m():
        ba.deterministic("d", value)

    with pytest.raises(ModelError, match=r"'d'.*must be a number or an array"):
        m()


def test_a_condition_is_no_log_density():
    @ba.model
    def m():
        ba.factor("positive", ba.sample("mu", ba.Normal(0, 1)) > 0)

    with pytest.raises(ModelError, match=r"'positive'.*np.where\(condition, 0.0, -np.inf\)"):
        m()


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


def test_a_statement_in_another_loop_than_a_scan_of_the_model_is_an_error():
    @ba.model
    def walk(y):
        def step(level, x):
            return ba.sample("level", ba.Normal(level, 1)), None  # inside

        ad.scan(step, 0.0, y)

    message = ("variable 'level'", line_of("inside"), "one for all steps", "ba.scan", "as xs")
    fails(ModelError, lambda: walk(y=np.zeros(3)).neg_log_posterior({"level": 0.0}), *message)


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


def test_models_defined_by_exec_may_fill_arrays_with_unknowns():
    namespace = {}
    source = """
import numpy as np
import bayesad as ba

@ba.model
def filled(y):
    x = ba.sample("x", ba.Normal(0, 1))
    a = np.zeros(2)
    a[1] = x
    ba.factor("f", np.sum(a * y))
"""
    exec(source, namespace)
    gradient = namespace["filled"](y=2.0).gradient({"x": 0.5})
    assert gradient["x"] == pytest.approx(0.5 - 2.0)


# --- what is passed by mistake
def one_number(y):
    ba.sample("y", ba.Normal(ba.sample("a", ba.Normal(0, 1)), 1), obs=y)


def text_factor():
    ba.factor("f", "x")


def no_submodel():
    ba.submodel("part", 3)


class Holder:
    def method(self, y):
        one_number(y)


def test_a_bound_method_may_be_a_model():
    assert list(ba.model(Holder().method)(y=[1.0]).parameters) == ["a"]


def open_length():
    ba.sample("a", ba.ordered(ba.Normal(0, 1)))


def two_lengths():
    ba.coord("group", 3)
    ba.sample("a", ba.Normal(0, 1), shape=4, dims="group")


@pytest.mark.parametrize(
    ("run", "parts"),
    [
        (lambda: ba.model(3), ["@ba.model stands above the def of a function", "got 3"]),
        (lambda: ba.model(one_number)(["2", "a", "4"]), ["variable 'y'", "'a' at index [1]", "np.unique"]),
        (lambda: ba.model(one_number)(["1", "2"]), ["text, '1' at index [0]"]),
        (lambda: ba.condition(one_number, {"a": 1.0}), ["condition changes a model, a function under @ba.model"]),
        (lambda: ba.model(no_submodel)(), ["variable 'part'", "a submodel is a model or a function", "got 3"]),
        (lambda: ba.model(text_factor)(), ["variable 'f'", "a number or an array of them, not 'x'"]),
        (lambda: ba.model(open_length)(), ["the length of the value of ordered is open; give shape= or dims="]),
        (lambda: ba.model(two_lengths)(), ["the shape is (4,); give one of them"]),
        (lambda: ba.model(one_number)([1.0]).gradient([0.0]), ["a point is a dict", "not [0.0]", "unpack(q)"]),
        (lambda: ba.model(one_number)([1.0]).gradient({"a": None}), ["'a' has no array of numbers"]),
        (lambda: ba.model(one_number)([1.0]).predict(3), ["draws are what posterior.sample() gave", "not 3"]),
        (lambda: ba.model(one_number)([1.0]).prior(draws=2.5), ["draws must be a whole number", "2.5"]),
    ],
)
def test_what_is_passed_by_mistake_is_told(run, parts):
    fails(ModelError, run, *parts)
