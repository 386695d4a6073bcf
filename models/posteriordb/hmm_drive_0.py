"""Drives to the basket: hidden Markov model with two states, of speed and distance to the hoop.

Source: Ali 2019, Tagging basketball events with HMM in Stan.
"""

import numpy as np
from scipy.special import logsumexp

import bayesad as ba


@ba.model
def hmm_drive_0(u, v, alpha):
    theta1 = ba.sample("theta1", ba.Dirichlet(alpha[0]))
    theta2 = ba.sample("theta2", ba.Dirichlet(alpha[1]))
    phi = ba.sample("phi", ba.ordered(ba.Normal([0, 3], 1), positive=True), shape=2)
    lambda_ = ba.sample("lambda", ba.ordered(ba.Normal([0, 3], 1), positive=True), shape=2)
    log_transition = np.log(np.array([theta1, theta2]))
    log_emission = ba.Exponential(phi).log_prob(u[:, None]) + ba.Exponential(lambda_).log_prob(v[:, None])
    gamma = log_emission[0]
    for t in range(1, len(u)):
        gamma = log_emission[t] + logsumexp(gamma[:, None] + log_transition, axis=0)
    ba.factor("drive", logsumexp(gamma))
