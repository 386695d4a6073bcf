"""Counts that vary more than a Poisson law allows: drivers killed or seriously injured in Great Britain, 1969-1984.

Monthly counts, log-linear in the price of petrol, the seat belt law of February 1983 and the month of the year
(Harvey and Durbin 1986). The negative binomial law has mean exp(eta) and variance exp(eta) + exp(eta)**2 / phi:
the larger phi, the closer to a Poisson law. With 16 years of data for every month, the effects of the season are
better centred, drawn from Normal(0, sigma_season) themselves, than scaled from standard normal ones.
"""

import numpy as np

import bayesad as ba


@ba.model
def poisson_overdispersed(drivers, log_petrol_price, seat_belt_law):
    ba.coord("month", 12)
    month = np.arange(len(drivers)) % 12
    price = log_petrol_price - log_petrol_price.mean()
    alpha = ba.sample("alpha", ba.Normal(7, 1))
    beta_price = ba.sample("beta_price", ba.Normal(0, 1))
    beta_law = ba.sample("beta_law", ba.Normal(0, 0.5))
    sigma_season = ba.sample("sigma_season", ba.HalfNormal(0.5))
    season = ba.sample("season", ba.Normal(0, sigma_season), dims="month")
    phi = ba.sample("phi", ba.Gamma(2, 0.02))
    eta = alpha + beta_price * price + beta_law * seat_belt_law + season[month]
    ba.sample("drivers", ba.NegativeBinomial2Log(eta, phi), obs=drivers, dims="time")
