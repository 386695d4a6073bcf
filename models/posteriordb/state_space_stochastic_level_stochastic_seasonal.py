"""Log of drivers killed or injured in Great Britain: stochastic level and season, petrol price, seat belts.

Source: Commandeur and Koopman 2007, An Introduction to State Space Time Series Analysis.
"""

import bayesad as ba


@ba.model
def state_space_stochastic_level_stochastic_seasonal(y, x, w):
    n, mean, sd = len(y), y.mean(), y.std(ddof=1)
    mu = ba.sample("mu", ba.Flat(lower=mean - 3 * sd, upper=mean + 3 * sd), shape=n)
    seasonal = ba.sample("seasonal", ba.Flat(), shape=n)
    beta = ba.sample("beta", ba.Flat())
    lambda_ = ba.sample("lambda", ba.Flat())
    sigma = ba.sample("sigma", ba.ordered(ba.StudentT(4, 0, 1), positive=True), shape=3)
    last_eleven = sum(seasonal[i : n - 11 + i] for i in range(11))
    ba.factor("season", ba.Normal(-last_eleven, sigma[0]).log_prob(seasonal[11:]))
    ba.factor("level", ba.Normal(mu[:-1], sigma[1]).log_prob(mu[1:]))
    ba.sample("y", ba.Normal(mu + beta * x + lambda_ * w + seasonal, sigma[2]), obs=y)
