"""Children's test scores on standardised schooling and IQ of the mother and their interaction.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import bayesad as ba


def standardised(x):
    """x centred and divided by two standard deviations."""
    return (x - x.mean()) / (2 * x.std(ddof=1))


@ba.model
def kidscore_interaction_z(kid_score, mom_hs, mom_iq):
    h, q = standardised(mom_hs), standardised(mom_iq)
    beta = ba.sample("beta", ba.Flat(), shape=4)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    mean = beta[0] + beta[1] * h + beta[2] * q + beta[3] * h * q
    ba.sample("kid_score", ba.Normal(mean, sigma), obs=kid_score)
