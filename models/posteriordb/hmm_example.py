"""Hidden Markov model with two states and normal emissions; the states are summed out.

Source: Ali 2019, Tagging basketball events with HMM in Stan.
"""

import numpy as np
from scipy.special import logsumexp

import bayesad as ba


@ba.model
def hmm_example(y):
    theta1 = ba.sample("theta1", ba.Dirichlet([1, 1]))
    theta2 = ba.sample("theta2", ba.Dirichlet([1, 1]))
    mu = ba.sample("mu", ba.ordered(ba.Normal([3, 10], 1), positive=True), shape=2)
    log_transition = np.log(np.array([theta1, theta2]))
    log_emission = ba.Normal(mu, 1).log_prob(y[:, None])
    gamma = log_emission[0]
    for t in range(1, len(y)):
        gamma = log_emission[t] + logsumexp(gamma[:, None] + log_transition, axis=0)
    ba.factor("y", logsumexp(gamma))
