"""Predators and prey: the Lotka–Volterra equations for pelts of hares and lynxes, every year from 1900 to 1920.

Source: Carpenter 2018, Predator-Prey Population Dynamics: the Lotka-Volterra model in Stan (Stan case studies).
"""

import numpy as np

import bayesad as ba


@ba.model
def lotka_volterra(ts, y_init, y):
    center, spread = np.array([1, 0.05, 1, 0.05]), np.array([0.5, 0.05, 0.5, 0.05])
    theta = ba.sample("theta", ba.restricted(ba.Normal(center, spread), lower=0))
    z_init = ba.sample("z_init", ba.LogNormal(np.log(10), 1), shape=2)
    sigma = ba.sample("sigma", ba.LogNormal(-1, 1), shape=2)

    def rates(t, z):
        alpha, beta, gamma, delta = theta
        u, v = z
        return (alpha - beta * v) * u, (-gamma + delta * u) * v

    z = ba.odeint(rates, z_init, ts, method="dopri8", rtol=1e-10, atol=1e-10)
    ba.sample("y_init", ba.LogNormal(np.log(z_init), sigma), obs=y_init)
    ba.sample("y", ba.LogNormal(np.log(z), sigma), obs=y)
