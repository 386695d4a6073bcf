"""Flow of the Nile at Aswan, 1871 to 1970: a level that drifts, with the states integrated out (Cobb 1978).

year; flow: 10^8 cubic metres. Two blocks of years are taken as missing, to see what the model thinks of them; a NaN is
no unknown here: the Kalman filter integrates it out.
"""

import numpy as np

import bayesad as ba

MISSING = [(1890, 1899), (1930, 1934)]


def without_gaps(year, flow):
    """The flow in 10^10 cubic metres, NaN in the years that are taken as missing."""
    gone = np.any([(year >= first) & (year <= last) for first, last in MISSING], axis=0)
    return np.where(gone, np.nan, flow / 100)


def law(sigma_level, sigma_flow):
    """A level that walks, observed with noise."""
    return ba.LinearGaussianStateSpace(
        initial_mean=10.0,
        initial_cov=[[9.0]],
        transition=[[1.0]],
        transition_cov=[[sigma_level**2]],
        observation=[1.0],
        observation_cov=sigma_flow**2,
    )


@ba.model
def nile(year, flow):
    sigma_level = ba.sample("sigma_level", ba.HalfNormal(1))
    sigma_flow = ba.sample("sigma_flow", ba.HalfNormal(2))
    ba.sample("flow", law(sigma_level, sigma_flow), obs=without_gaps(year, flow), dims="year")


def picture(tree, posterior):
    """The flow, hollow where it was taken as missing, and the level's 90 % interval, by states drawn for some draws."""
    from matplotlib.figure import Figure

    year, flow = posterior.data["year"], posterior.data["flow"] / 100
    y, rng = without_gaps(posterior.data["year"], posterior.data["flow"]), np.random.default_rng(1)
    some = tree.posterior.to_dataset().stack(sample=("chain", "draw")).isel(sample=slice(0, None, 20))
    scales = zip(some.sigma_level.values, some.sigma_flow.values, strict=True)
    levels = np.array([law(*pair).sample_states(rng, y)[:, 0] for pair in scales])
    low, middle, high = np.quantile(levels, [0.05, 0.5, 0.95], axis=0)
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    ax = figure.subplots()
    ax.fill_between(year, low, high, color="#0072b2", alpha=0.3, linewidth=0)
    ax.plot(year, middle, color="#0072b2")
    ax.plot(year, y, "k.", markersize=5)
    ax.plot(year[np.isnan(y)], flow[np.isnan(y)], "o", color="#d55e00", fillstyle="none", markersize=5)
    ax.set(ylabel="flow, $10^{10}$ m³", xlabel="year")
    return figure
