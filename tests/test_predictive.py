"""Predictive draws and pointwise log likelihoods: their distributions, shapes, groups and seeds."""

import numpy as np
import pytest
from scipy import stats

import bayesad as ba
from bayesad.errors import DistributionError, ModelError


@ba.model
def regression(x, y, k):
    alpha = ba.sample("alpha", ba.Normal(1.0, 2.0))
    sigma = ba.sample("sigma", ba.HalfNormal(1.0))
    mean = ba.deterministic("mean", alpha + x, dims="row")
    ba.sample("y", ba.Normal(mean, sigma), obs=y, dims="row")
    ba.sample("k", ba.Poisson(np.exp(alpha / 4)), obs=k)


@pytest.fixture(scope="module")
def posterior():
    return regression(x=[0.0, 1.0, 2.0], y=[0.5, 1.5, 3.5], k=[2, 0])


def draws_of(chains=2, draws=500, seed=1):
    rng = np.random.default_rng(seed)
    return {"alpha": rng.normal(size=(chains, draws)), "sigma": rng.uniform(0.5, 1.5, size=(chains, draws))}


# --- posterior predictive
def test_predictions_come_in_arviz_groups_with_dims(posterior):
    tree = posterior.predict(draws_of(), seed=1)
    assert set(tree.children) == {"posterior_predictive", "observed_data"}
    y = tree["posterior_predictive"]["y"]
    assert y.dims == ("chain", "draw", "row")
    assert y.shape == (2, 500, 3)
    assert tree["posterior_predictive"]["k"].shape == (2, 500, 2)
    assert tree["posterior_predictive"]["k"].dtype == np.int64
    np.testing.assert_array_equal(tree["observed_data"]["y"], [0.5, 1.5, 3.5])


def test_predictions_follow_the_likelihood_at_each_draw(posterior):
    """Standardised predictions are standard normal: Kolmogorov-Smirnov, 3000 values, false alarm 1 in 10^5."""
    draws = draws_of()
    y = posterior.predict(draws, seed=2)["posterior_predictive"]["y"].values
    z = (y - draws["alpha"][..., None] - [0.0, 1.0, 2.0]) / draws["sigma"][..., None]
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-5
    assert abs(np.corrcoef(z[..., 0].ravel(), z[..., 1].ravel())[0, 1]) < 4.5 / np.sqrt(1000)


def test_counts_are_predicted_with_their_mean(posterior):
    """Mean of 40000 Poisson counts at a fixed parameter, within 4.5 standard errors (false alarm 1 in 10^5)."""
    draws = {"alpha": np.full((1, 20000), 2.0), "sigma": np.ones((1, 20000))}
    k = posterior.predict(draws, seed=3)["posterior_predictive"]["k"].values
    rate = np.exp(0.5)
    assert abs(k.mean() - rate) < 4.5 * np.sqrt(rate / k.size)


def test_the_seed_decides_the_predictions(posterior):
    draws = draws_of(draws=5)
    one, same, other = (posterior.predict(draws, seed=s)["posterior_predictive"]["y"].values for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.any(one == other)


def test_draws_may_come_in_a_tree_or_a_dataset(posterior):
    import xarray as xr

    draws = draws_of(draws=4)
    dataset = xr.Dataset({name: (("chain", "draw"), value) for name, value in draws.items()})
    tree = xr.DataTree.from_dict({"posterior": dataset})
    expected = posterior.predict(draws, seed=1)["posterior_predictive"]["y"].values
    for given in (dataset, tree, tree["posterior"]):
        np.testing.assert_array_equal(posterior.predict(given, seed=1)["posterior_predictive"]["y"].values, expected)


def test_predictions_for_new_data_use_the_new_shapes():
    new = regression(x=[10.0, 20.0], y=[0.0, 0.0], k=[0])
    draws = {"alpha": np.zeros((1, 50)), "sigma": np.full((1, 50), 1e-3)}
    y = new.predict(draws, seed=1)["posterior_predictive"]["y"].values
    assert y.shape == (1, 50, 2)
    np.testing.assert_allclose(y, np.broadcast_to([10.0, 20.0], y.shape), atol=0.01)


def test_names_that_xarray_cannot_hold_are_found_again():
    from bayesad.results import to_datatree

    @ba.model
    def m(y):
        a = ba.sample("group/a", ba.Normal(0, 1))
        b = ba.sample("group_a", ba.Normal(0, 1))
        ba.sample("y", ba.Normal(a + 100 * b, 1e-6), obs=y)

    posterior = m(y=0.0)
    draws = {"group/a": np.array([[1.0]]), "group_a": np.array([[2.0]])}
    stored = to_datatree({"posterior": draws})
    for given in (draws, stored):
        assert posterior.predict(given, seed=1)["posterior_predictive"]["y"].item() == pytest.approx(201.0, abs=1e-4)


def test_draws_that_lack_a_parameter_or_have_another_shape_are_errors(posterior):
    with pytest.raises(ModelError, match=r"'regression'.*lack the parameter 'sigma'.*alpha"):
        posterior.predict({"alpha": np.zeros((1, 2))})
    with pytest.raises(ModelError, match=r"'sigma'.*\(4,\).*\(chain, draw\)"):
        posterior.predict({"alpha": np.zeros((1, 4)), "sigma": np.ones(4)})
    with pytest.raises(ModelError, match=r"'sigma'.*\(1, 2, 3\).*\(\)"):
        posterior.log_likelihood({"alpha": np.zeros((1, 2)), "sigma": np.ones((1, 2, 3))})
    with pytest.raises(ModelError, match="differ"):
        posterior.predict({"alpha": np.zeros((1, 2)), "sigma": np.ones((1, 3))})


# --- prior
def test_prior_draws_come_in_arviz_groups(posterior):
    tree = posterior.prior(50, seed=1)
    assert set(tree.children) == {"prior", "prior_predictive", "observed_data"}
    assert set(tree["prior"].data_vars) == {"alpha", "sigma", "mean"}
    assert tree["prior"]["mean"].dims == ("chain", "draw", "row")
    assert tree["prior"]["alpha"].shape == (1, 50)
    assert tree["prior_predictive"]["y"].shape == (1, 50, 3)
    np.testing.assert_array_equal(
        tree["prior"]["mean"].values, tree["prior"]["alpha"].values[..., None] + np.array([0.0, 1.0, 2.0])
    )


def test_prior_draws_follow_the_priors_and_predictions_their_marginal(posterior):
    """Kolmogorov-Smirnov, 2000 draws each; false alarm 3 in 10^5. Given sigma, y_1 ~ N(1, sqrt(4 + sigma²))."""
    tree = posterior.prior(2000, seed=1)
    alpha, sigma = (tree["prior"][name].values.ravel() for name in ("alpha", "sigma"))
    y = tree["prior_predictive"]["y"].values[0, :, 0]
    assert stats.kstest(alpha, stats.norm(1, 2).cdf).pvalue > 1e-5
    assert stats.kstest(sigma, stats.halfnorm.cdf).pvalue > 1e-5
    assert stats.kstest((y - 1) / np.sqrt(4 + sigma**2), "norm").pvalue > 1e-5


def test_the_seed_decides_the_prior_draws(posterior):
    one, same, other = (posterior.prior(5, seed=s)["prior"]["alpha"].values for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.any(one == other)


def test_elements_that_share_parameters_are_drawn_apart():
    @ba.model
    def m():
        ba.sample("x", ba.Normal(np.array([[0.0], [10.0]]), 1.0), shape=(3, 2, 4))

    x = m().prior(1, seed=1)["prior"]["x"].values[0, 0]
    assert len(np.unique(x)) == 24
    assert np.all(np.abs(x - np.array([[0.0], [10.0]])) < 5)  # 24 standard normals: false alarm 1.4e-5


def test_an_improper_prior_cannot_be_drawn_from():
    @ba.model
    def m():
        ba.sample("x", ba.Flat())

    with pytest.raises(DistributionError, match=r"'m', variable 'x'.*Flat"):
        m().prior(1, seed=1)


def test_a_number_of_draws_that_is_not_positive_is_an_error(posterior):
    with pytest.raises(ModelError, match=r"draws.*0"):
        posterior.prior(0)


# --- log likelihood
def test_log_likelihood_is_pointwise(posterior):
    draws = draws_of(draws=3)
    tree = posterior.log_likelihood(draws)
    assert set(tree.children) == {"log_likelihood", "observed_data"}
    found = tree["log_likelihood"]
    assert found["y"].dims == ("chain", "draw", "row")
    mean = draws["alpha"][..., None] + np.array([0.0, 1.0, 2.0])
    expected = stats.norm(mean, draws["sigma"][..., None]).logpdf([0.5, 1.5, 3.5])
    np.testing.assert_allclose(found["y"].values, expected, rtol=1e-12)
    rate = np.exp(draws["alpha"] / 4)[..., None]
    np.testing.assert_allclose(found["k"].values, stats.poisson(rate).logpmf([2, 0]), rtol=1e-12)


def test_a_vector_counts_as_one_observation():
    @ba.model
    def m(y):
        mu = ba.sample("mu", ba.Normal(0, 1), shape=2)
        ba.sample("y", ba.MvNormal(mu, cov=np.array([[2.0, 0.5], [0.5, 1.0]])), obs=y, dims=("case", "axis"))

    y = np.arange(6.0).reshape(3, 2)
    mu = np.array([[[0.1, 0.2]]])
    found = m(y=y).log_likelihood({"mu": mu})["log_likelihood"]["y"]
    assert found.dims == ("chain", "draw", "case")
    expected = stats.multivariate_normal(mu[0, 0], [[2.0, 0.5], [0.5, 1.0]]).logpdf(y)
    np.testing.assert_allclose(found.values[0, 0], expected, rtol=1e-12)


# --- missing values
@ba.model
def with_gap(y):
    mu = ba.sample("mu", ba.Normal(0, 1))
    ba.sample("y", ba.Normal(mu, 1.0), obs=y)


def test_missing_entries_have_no_log_likelihood():
    posterior = with_gap(y=[1.0, np.nan, 3.0])
    draws = {"mu": np.array([[0.5]]), "y_missing": np.array([[[9.0]]])}
    found = posterior.log_likelihood(draws)["log_likelihood"]["y"].values
    np.testing.assert_allclose(found, [[stats.norm(0.5, 1).logpdf([1.0, 3.0])]], rtol=1e-13)


def test_missing_entries_are_predicted_like_the_others():
    posterior = with_gap(y=[1.0, np.nan, 3.0])
    y = posterior.predict({"mu": np.array([[0.5, 0.6]])}, seed=1)["posterior_predictive"]["y"].values
    assert y.shape == (1, 2, 3)
    assert np.all(np.isfinite(y))
    tree = posterior.prior(3, seed=1)
    assert set(tree["prior"].data_vars) == {"mu"}
    assert np.all(np.isfinite(tree["prior_predictive"]["y"].values))


def test_parameters_that_a_scan_indexes_by_data_are_predicted_with():
    @ba.model
    def m(group, y):
        level = ba.sample("level", ba.Normal(0, 1), shape=3)
        _, mean = ba.scan(lambda last, g: (level[g], level[g] + 0.5 * last), 0.0, group)
        ba.sample("y", ba.Normal(mean, 0.0001), obs=y)

    posterior = m(group=[0, 2, 1], y=[0.1, 0.2, 0.3])
    level = np.array([[[1.0, 2.0, 3.0]]])
    y = posterior.predict({"level": level}, seed=1)["posterior_predictive"]["y"]
    np.testing.assert_allclose(y.values[0, 0], [1.0, 3.5, 3.5], atol=0.001)
    assert posterior.prior(3, seed=1)["prior_predictive"]["y"].shape == (1, 3, 3)
