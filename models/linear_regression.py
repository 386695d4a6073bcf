"""Linear regression on 20 simulated observations of y = 1/2 - x/2 + 2 noise, with the priors passed as data.

`python models/linear_regression.py` shows the parts one by one: the model conditioned on its data, a point drawn
from the priors, the negative log posterior and its gradient there, and draws from the posterior.
"""

from pathlib import Path

import numpy as np

import bayesad as ba

DATA = Path(__file__).parent / "data" / "linear_regression.csv"

PRIOR_ALPHA = ba.Normal(0, 1)
PRIOR_BETA = ba.Normal(0, 1)
PRIOR_SIGMA = ba.HalfNormal(2)


@ba.model
def linear_regression(x, y, prior_alpha=PRIOR_ALPHA, prior_beta=PRIOR_BETA, prior_sigma=PRIOR_SIGMA):
    alpha = ba.sample("alpha", prior_alpha)
    beta = ba.sample("beta", prior_beta)
    sigma = ba.sample("sigma", prior_sigma)
    ba.sample("y", ba.Normal(alpha + beta * x, sigma), obs=y)


def main():
    """Evaluate the posterior at a point drawn from the priors, then sample it."""
    x, y = np.loadtxt(DATA, delimiter=",", skiprows=1, unpack=True)
    priors = {"alpha": PRIOR_ALPHA, "beta": PRIOR_BETA, "sigma": PRIOR_SIGMA}
    posterior = linear_regression(x, y, *priors.values())

    rng = np.random.default_rng(1)
    params = {name: prior.sample(rng) for name, prior in priors.items()}
    print("parameters", {name: round(float(value), 4) for name, value in params.items()})
    print("neg_log_posterior", round(posterior.neg_log_posterior(params), 4))
    print("gradient", {name: round(float(value), 4) for name, value in posterior.gradient(params).items()})

    draws = posterior.sample(seed=1).posterior
    for name in priors:
        print(f"{name:>9}: mean {float(draws[name].mean()):.2f}, sd {float(draws[name].std()):.2f}")


if __name__ == "__main__":
    main()
