"""Capture and recapture, detection by occasion; whether an augmented row is real is summed out.

Source: Kéry and Schaub 2012, Bayesian Population Analysis, chapter 6.
"""

import numpy as np

import bayesad as ba


@ba.model
def Mt_model(y):
    omega = ba.sample("omega", ba.Flat(lower=0, upper=1))
    p = ba.sample("p", ba.Flat(lower=0, upper=1), shape=y.shape[1])
    seen = y.any(axis=1)
    log_included = np.log(omega) + ba.Bernoulli(p).log_prob(y).sum(axis=1)
    ba.factor("seen", log_included[seen])
    ba.factor("never_seen", np.logaddexp(log_included[~seen], np.log1p(-omega)))
