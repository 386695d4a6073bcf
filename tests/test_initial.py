"""Starting points: where they come from, that they are tried again, and what is said when none works."""

import math

import numpy as np
import pytest
from scipy import stats

import bayesad as ba
from bayesad.errors import InitialisationError, ModelError
from bayesad.initial import find_candidates

SCHOOLS = {"y": [28, 8, -3, 7, -1, 1, 18, 12], "sigma": [15, 10, 16, 11, 9, 11, 10, 18]}


@ba.model
def eight_schools(y, sigma):
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    z = ba.sample("z", ba.Normal(0, 1), dims="school")
    theta = ba.deterministic("theta", mu + tau * z, dims="school")
    ba.sample("y", ba.Normal(theta, sigma), obs=y)


@pytest.fixture(scope="module")
def schools():
    return eight_schools.with_coords(school=8)(**SCHOOLS)


def test_uniform_starting_points_lie_within_two_and_are_reproducible(schools):
    q = [schools.initial(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(q[0], q[1])
    assert not np.array_equal(q[0], q[2])
    assert np.all(np.abs(np.stack(q)) <= 2.0)


def test_starting_points_from_the_prior_are_draws_from_it(schools):
    """Kolmogorov-Smirnov, 300 draws of mu ~ Normal(0, 5); false alarm 1 in 10^5 (fixed seed)."""
    rng = np.random.default_rng(1)
    mu = [schools.initial(rng, "prior")[0] for _ in range(300)]
    assert stats.kstest(mu, stats.norm(0, 5).cdf).pvalue > 1e-5


def test_improper_priors_start_uniformly():
    """1 − exp(u) with u uniform on (−2, 2)."""

    @ba.model
    def m():
        ba.sample("proper", ba.Normal(100, 1))
        ba.sample("below", ba.Flat(upper=1.0))

    posterior = m()
    rng = np.random.default_rng(1)
    starts = [posterior.unconstrained.unpack(posterior.initial(rng, "prior")) for _ in range(20)]
    below = np.array([start["below"] for start in starts])
    assert np.all((below < 1 - math.exp(-2)) & (below > 1 - math.exp(2)))
    assert np.all([start["proper"] > 90 for start in starts])


def test_given_values_are_kept_and_the_others_drawn(schools):
    q = schools.initial(np.random.default_rng(1), {"tau": 3.0})
    assert q[1] == pytest.approx(math.log(3.0))
    assert np.all(np.abs(np.delete(q, 1)) <= 2.0)
    complete = {"mu": 1.0, "tau": 2.0, "z": np.arange(8.0)}
    np.testing.assert_array_equal(
        schools.initial(np.random.default_rng(1), complete), schools.unconstrained.pack(complete)
    )
    np.testing.assert_array_equal(schools.initial(np.random.default_rng(1), np.full(10, 0.5)), np.full(10, 0.5))


def test_impossible_kinds_and_names_of_starting_values_are_errors(schools):
    rng = np.random.default_rng(1)
    with pytest.raises(ModelError, match="'unifrm'"):
        schools.initial(rng, "unifrm")
    with pytest.raises(ModelError, match=r"'tua'.*did you mean 'tau'"):
        schools.initial(rng, {"tua": 1.0})
    with pytest.raises(ModelError, match=r"'z'.*\(3,\).*\(8,\)"):
        schools.initial(rng, {"z": np.zeros(3)})
    with pytest.raises(ModelError, match=r"\(10,\)"):
        schools.initial(rng, np.zeros(9))


def test_points_without_a_finite_density_are_tried_again():
    """Half of the uniform starting points are impossible here."""

    @ba.model
    def m(y):
        x = ba.sample("x", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(0, x), obs=y)

    for seed in range(10):
        assert m(y=[0.5]).initial(np.random.default_rng(seed))[0] > 0


def test_points_where_a_solver_fails_are_tried_again_and_named():
    @ba.model
    def m(y, shift):
        start = ba.sample("start", ba.Normal(0, 1))
        end = ba.odeint(lambda t, y: y**2, [start + shift], [1.0])[0, 0]  # none beyond t = 1 from 1 on
        ba.sample("y", ba.Normal(end, 1.0), obs=y)

    posterior = m(y=0.3, shift=0.0)
    tried = [rng.uniform(-2, 2, 1)[0] for rng in map(np.random.default_rng, range(12))]
    assert 0 < np.sum(np.array(tried) > 1) < 12
    assert all(posterior.initial(np.random.default_rng(seed))[0] < 1 for seed in range(12))
    with pytest.raises(InitialisationError, match=r"log density of 'y' is nan .*; where start = "):
        m(y=0.3, shift=5.0).initial(np.random.default_rng(1))


def test_when_no_point_works_the_guilty_term_its_line_and_the_values_are_named():
    @ba.model
    def hopeless(y):
        x = ba.sample("x", ba.Normal(0, 1))
        ba.sample("fine", ba.Normal(x, 1), obs=y)
        ba.factor("guilty", np.log(x - 100.0))

    with pytest.raises(InitialisationError) as caught:
        hopeless(y=1.0).initial(np.random.default_rng(1))
    message = str(caught.value)
    for words in ("'hopeless'", "100", "uniform(-2, 2)", "'guilty' is nan", "x = ", __file__):
        assert words in message
    assert "'fine'" not in message


def test_an_infinite_gradient_is_named_as_such():
    @ba.model
    def cusp(y):
        x = ba.sample("x", ba.Normal(0, 1))
        ba.factor("root", np.sqrt(x * 0.0))

    with pytest.raises(InitialisationError, match=r"gradient with respect to 'x' is not finite"):
        cusp(y=1.0).initial(np.random.default_rng(1), {"x": 0.5})


def test_a_given_starting_point_that_fails_is_not_tried_again(schools):
    rng = np.random.default_rng(1)
    with pytest.raises(InitialisationError, match=r"the given starting point does not have .* 'tau' is -inf"):
        schools.initial(rng, np.array([0.0, 800.0, *np.zeros(8)]))
    for name, value in (("mu", np.inf), ("tau", -1.5)):
        with pytest.raises(InitialisationError, match=rf"'{name}', {value}, is not inside its support"):
            schools.initial(rng, {name: value})


@ba.model
def exploding(y):
    """A recursion that grows without bound for |phi| > 1: the log density falls to -1e120 within (-2, 2)."""
    phi = ba.sample("phi", ba.Flat())
    x = 1.0
    for _ in range(200):
        x = phi * x
    ba.factor("end", -((y - x) ** 2))


def test_starting_points_with_an_exploding_gradient_are_passed_over():
    posterior = exploding(y=1.0)
    for seed in range(5):
        q = posterior.initial(np.random.default_rng(seed))
        assert np.max(np.abs(posterior.unconstrained.log_density_and_gradient(q)[1])) <= 1e20
    steep = np.array([1.9])
    np.testing.assert_array_equal(posterior.initial(np.random.default_rng(1), steep), steep)


def test_the_least_steep_starting_point_is_taken_where_all_are_steep():
    @ba.model
    def steep(y):
        x = ba.sample("x", ba.Flat())
        ba.factor("slope", -1e25 * (x + x**3))

    posterior = steep(y=0.0)
    found = [float(posterior.initial(np.random.default_rng(seed))[0]) for seed in range(5)]
    assert np.max(np.abs(found)) < 0.2  # the smallest of 100 uniform numbers; beyond it with probability 3e-5


def test_candidates_are_the_starting_point_and_others_unless_nothing_is_random(schools):
    candidates = find_candidates(schools, np.random.default_rng(3), "uniform", 5)
    assert candidates.shape == (5, 10)
    np.testing.assert_array_equal(candidates[0], schools.initial(np.random.default_rng(3)))
    assert len(np.unique(candidates[:, 0])) == 5
    given = {"mu": 1.0, "tau": 2.0, "z": np.arange(8.0)}
    for kind in (np.full(10, 0.5), given):
        assert find_candidates(schools, np.random.default_rng(3), kind, 5).shape == (1, 10)
    partly = find_candidates(schools, np.random.default_rng(3), {"mu": 1.0}, 5)
    assert np.all(partly[:, 0] == 1.0)
    assert len(np.unique(partly[:, 1])) == 5


def test_missing_values_in_a_predictor_are_named():
    def line(x, y):
        slope = ba.sample("slope", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(slope * x, 1), obs=y)

    posterior = ba.model(line)(x=[1.0, 2.0, np.nan], y=[1.0, 2.0, 3.0])
    with pytest.raises(InitialisationError, match=r"NaN is in the data: 'x' at index \[2\]\. Leave these rows out"):
        posterior.initial(np.random.default_rng(1))
