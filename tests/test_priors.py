"""Shrinkage priors: their densities written a second time, and what their authors say of them."""

import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad.errors import ModelError


@ba.model
def horseshoe():
    ba.coord("predictor", 3)
    beta = ba.regularised_horseshoe("beta", scale=0.1, slab_scale=2.0, slab_df=4.0, dims="predictor")
    ba.factor("used", -np.sum(beta**2))


@ba.model
def plain_horseshoe():
    ba.regularised_horseshoe("beta", 200, scale=0.1, slab_scale=None)


@ba.model
def shares():
    sigma = ba.sample("sigma", ba.HalfNormal(1.0))
    ba.r2d2("beta", 3, sigma=sigma, mean=0.4, precision=5.0, concentration=0.5, deviations=np.array([1.0, 2.0, 3.0]))


def test_regularised_horseshoe():
    posterior = horseshoe()
    z, local, tau, slab = np.array([0.4, -1.0, 2.0]), np.array([0.3, 5.0, 40.0]), 0.2, 3.0
    spread = tau * local * np.sqrt(slab / (slab + tau**2 * local**2))
    expected = st.norm.logpdf(z).sum() + st.halfcauchy.logpdf(local).sum() + st.halfcauchy(0, 0.1).logpdf(tau)
    expected += st.invgamma(2.0, scale=8.0).logpdf(slab) - np.sum((z * spread) ** 2)
    point = {"beta_z": z, "beta_local": local, "beta_global": tau, "beta_slab": slab}
    np.testing.assert_allclose(posterior.neg_log_posterior(point), -expected)
    assert (spread < slab**0.5).all()
    assert posterior.dims["beta"] == ("predictor",)


def test_a_horseshoe_without_slab_has_the_heavy_tails_of_its_local_scales():
    prior = plain_horseshoe().prior(draws=50, seed=1)["prior"]
    assert "beta_slab" not in prior
    ratio = np.abs(prior["beta"].values / prior["beta_global"].values[..., None])
    exact = np.random.default_rng(2)
    other = np.abs(exact.standard_normal(ratio.size) * exact.standard_cauchy(ratio.size))
    assert st.ks_2samp(ratio.ravel(), other).pvalue > 1e-4


def test_global_scale_is_that_of_the_expected_number():
    np.testing.assert_allclose(ba.global_scale(5, 105, 400, sigma=2.0), 5 / 100 * 2 / 20)
    with pytest.raises(ModelError, match="between 0 and 3"):
        ba.global_scale(3, 3, 10)


def test_r2d2():
    posterior = shares()
    sigma, explained, share, z = 1.3, 0.6, np.array([0.2, 0.5, 0.3]), np.array([0.4, -1.0, 2.0])
    expected = st.halfnorm.logpdf(sigma) + st.norm.logpdf(z).sum() + st.beta(2.0, 3.0).logpdf(explained)
    expected += st.dirichlet([0.5] * 3).logpdf(share)
    point = {"sigma": sigma, "beta_z": z, "beta_R2": explained, "beta_share": share}
    np.testing.assert_allclose(posterior.neg_log_posterior(point), -expected)
    prior = posterior.prior(draws=300, seed=1)["prior"]
    scale = prior["beta"].values / prior["beta_z"].values * [1.0, 2.0, 3.0]
    variance = (scale**2).sum(axis=-1)  # of the linear predictor
    found = variance / (variance + prior["sigma"].values ** 2)
    np.testing.assert_allclose(found, prior["beta_R2"].values, rtol=1e-9)
