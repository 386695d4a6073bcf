"""Traffic accidents in New York by census tract: spatial and independent effects (BYM2).

Source: Riebler et al. 2016; Morris et al. 2019.
"""

import numpy as np

import bayesad as ba


@ba.model
def bym2_offset_only(y, E, node1, node2, scaling_factor):
    N = len(y)
    beta0 = ba.sample("beta0", ba.Normal(0, 1))
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    rho = ba.sample("rho", ba.Beta(0.5, 0.5))
    theta = ba.sample("theta", ba.Normal(0, 1), shape=N)
    phi = ba.sample("phi", ba.Flat(), shape=N)
    ba.factor("neighbours", -0.5 * (phi[node1 - 1] - phi[node2 - 1]) ** 2)
    ba.factor("sum_to_zero", ba.Normal(0, 0.001 * N).log_prob(phi.sum()))
    effect = np.sqrt(1 - rho) * theta + np.sqrt(rho / scaling_factor) * phi
    ba.sample("y", ba.PoissonLog(np.log(E) + beta0 + sigma * effect), obs=y)
