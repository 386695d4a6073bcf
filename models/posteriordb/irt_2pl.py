"""Item response with two parameters per item: discrimination a and difficulty b.

Source: Birnbaum 1968.
"""

import bayesad as ba


@ba.model
def irt_2pl(y):
    n_items, n_persons = y.shape
    sigma_theta = ba.sample("sigma_theta", ba.HalfCauchy(2))
    theta = ba.sample("theta", ba.Normal(0, sigma_theta), shape=n_persons)
    sigma_a = ba.sample("sigma_a", ba.HalfCauchy(2))
    a = ba.sample("a", ba.LogNormal(0, sigma_a), shape=n_items)
    mu_b = ba.sample("mu_b", ba.Normal(0, 5))
    sigma_b = ba.sample("sigma_b", ba.HalfCauchy(2))
    b = ba.sample("b", ba.Normal(mu_b, sigma_b), shape=n_items)
    ba.sample("y", ba.BernoulliLogit(a[:, None] * (theta - b[:, None])), obs=y)
