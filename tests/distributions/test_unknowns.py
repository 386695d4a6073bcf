"""Every law of vectors, matrices and series as the law of an unknown whose own parameter is unknown too."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bayesad as ba
from bayesad.distributions.supports import contains

EYE, TREE = np.eye(3), ba.Graph.from_pairs([[0, 1], [1, 2], [2, 3], [1, 3]])

# What of the unknown scale s makes the law, and the degrees of freedom of a value.
LAWS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "MvNormal of covariance": (lambda s: ba.MvNormal(s, cov=s * EYE + 0.1), 3),
    "MvNormal of factor": (lambda s: ba.MvNormal(0.0, chol=np.linalg.cholesky(s * EYE + 0.1)), 3),
    "MvNormal of precision": (lambda s: ba.MvNormal(0.0, precision=s * EYE + 0.1), 3),
    "MvNormal of factors": (
        lambda s: ba.MvNormal(0.0, chol=np.linalg.cholesky(s * EYE + np.array([0.1, 0.2])[:, None, None])),
        6,
    ),
    "MvStudentT": (lambda s: ba.MvStudentT(3.0 + s, 0.0, scale=s * EYE + 0.1), 3),
    "StickBreaking": (lambda s: ba.StickBreaking(s, 4), 3),
    "zero_sum": (lambda s: ba.zero_sum(ba.Normal(0, s * np.ones(4))), 3),
    "LKJ": (lambda s: ba.LKJ(3, s), 3),
    "LKJCovariance": (lambda s: ba.LKJCovariance(3, s, ba.HalfNormal(s)), 6),
    "LKJCholeskyCovariance": (lambda s: ba.LKJCholeskyCovariance(3, s, ba.HalfNormal(s)), 6),
    "Wishart": (lambda s: ba.Wishart(4.0 + s, EYE), 6),
    "InverseWishart": (lambda s: ba.InverseWishart(4.0 + s, chol=EYE), 6),
    "MatrixNormal": (lambda s: ba.MatrixNormal(0.0, row_cov=s * np.eye(2), column_cov=EYE), 6),
    "GaussianRandomWalk": (lambda s: ba.GaussianRandomWalk(0.0, s, length=5), 5),
    "MvGaussianRandomWalk": (lambda s: ba.MvGaussianRandomWalk(cov=s * np.eye(2), length=3), 6),
    "AR": (lambda s: ba.AR([0.5, 0.2], s, initial="stationary", length=5), 5),
    "ARMA": (lambda s: ba.ARMA([0.5], [0.4 * s], s, length=5), 5),
    "GARCH": (lambda s: ba.GARCH(0.0, s, 0.2, 0.3, length=5), 5),
    "ICAR": (lambda s: ba.ICAR(TREE, s), 3),
    "CAR": (lambda s: ba.CAR(TREE, 0.5, s), 4),
    "BYM2": (lambda s: ba.BYM2(TREE, s, 0.5), 4),
    "GaussianProcess": (lambda s: ba.GaussianProcess(ba.gp.Matern32(s), np.arange(4.0), noise=s), 4),
    "GaussianCopula": (lambda s: ba.GaussianCopula([ba.Gamma(2.0, s), ba.Normal(0, s)], 0.5 * np.eye(2) + 0.5), 2),
    "ClaytonCopula": (lambda s: ba.ClaytonCopula([ba.Gamma(2.0, s), ba.Normal(0, 1)], s), 2),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_law_of_an_unknown(name: str, assert_gradient: Callable[..., None]) -> None:
    law, freedom = LAWS[name]

    @ba.model
    def model() -> None:
        s = ba.sample("s", ba.LogNormal(0.0, 0.3))
        ba.sample("x", law(s))

    posterior = model()
    unconstrained = posterior.unconstrained
    assert unconstrained.dimension == 1 + freedom
    q = 0.5 * np.cos(np.arange(1.0, freedom + 2.0))
    params = unconstrained.unpack(q)
    np.testing.assert_allclose(unconstrained.pack(params), q, rtol=1e-10, atol=1e-12)
    terms = posterior.log_density_terms(params)
    assert terms["x"] == pytest.approx(float(np.sum(law(params["s"]).log_prob(params["x"]))), rel=1e-10)
    assert_gradient(unconstrained.compiled, q, 1e-7)
    drawn = posterior.prior(2, seed=1)["prior"]["x"].values
    assert drawn.shape == (1, 2, *params["x"].shape)
    assert np.all(contains(law(1.0).support, drawn))


def test_a_direction_as_an_unknown() -> None:
    """The unconstrained vector of a direction has one number more than degrees of freedom, so it is no bijection."""

    @ba.model
    def heading(y: Any) -> None:
        u = ba.sample("u", ba.UnitVector(2))
        ba.sample("y", ba.Normal(u, 0.1), obs=y)

    posterior = heading(y=np.array([0.6, 0.8]))
    assert posterior.unconstrained.dimension == 2
    u = posterior.sample(chains=1, warmup=200, draws=200, seed=1)["posterior"]["u"].values[0]
    np.testing.assert_allclose((u**2).sum(axis=-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(u.mean(axis=0), [0.6, 0.8], atol=0.06)  # six standard errors of 0.1 / sqrt(100)
