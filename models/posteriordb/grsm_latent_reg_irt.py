"""Attitudes to science: generalised rating scale model with a latent regression.

Source: Muraki 1990; Furr 2017, edstan.
"""

import numpy as np

import bayesad as ba


@ba.model
def grsm_latent_reg_irt(ii, jj, y, W):
    n_items, (n_persons, n_covariates), m = ii.max(), W.shape, y.max()
    alpha = ba.sample("alpha", ba.LogNormal(1, 1), shape=n_items)
    beta_free = ba.sample("beta_free", ba.Flat(), shape=n_items - 1)
    kappa_free = ba.sample("kappa_free", ba.Flat(), shape=m - 1)
    lambda_adj = ba.sample("lambda_adj", ba.StudentT(3, 0, 1), shape=n_covariates)
    theta = ba.sample("theta", ba.Normal(W @ lambda_adj, 1), shape=n_persons)
    beta = np.append(beta_free, -beta_free.sum())
    kappa = np.append(kappa_free, -kappa_free.sum())
    ba.factor("beta", ba.Normal(0, 3).log_prob(beta))
    ba.factor("kappa", ba.Normal(0, 3).log_prob(kappa))
    item, person = ii - 1, jj - 1
    steps = (theta[person] * alpha[item] - beta[item])[:, None] - kappa
    scores = np.concatenate([np.zeros((len(y), 1)), np.cumsum(steps, axis=1)], axis=1)
    ba.sample("y", ba.CategoricalLogit(scores), obs=y)
