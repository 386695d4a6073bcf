"""Who uses contraception in Bangladesh: a model that a formula wrote, with effects of districts (Huq and Cleland 1990).

use: 0 or 1; age: years from the mean; children: 0, 1, 2 or 3+; urban: 0 or 1; district. Town and country differ by
district: the intercepts and slopes of 60 districts are correlated. Source, data and coordinates are those that

    bayesad new contraception --data models/data/contraception.csv --family bernoulli
        --formula "use ~ age + I(age**2) + children + urban + (1 + urban | district)"

writes, and the model is that of `ba.glm` for this formula; from here on it can be changed like any other.
"""

import numpy as np

import bayesad as ba


@ba.model
def contraception(use, age, I_age_2, children, urban, district_index):
    b_age = ba.sample("age", ba.Normal(0, 0.2774))
    b_I_age_2 = ba.sample("I(age ** 2)", ba.Normal(0, 0.02812))
    b_children = ba.sample("children", ba.Normal(0, np.array([6.45087, 6.8594, 5.1398])), dims="children_dim")
    b_urban = ba.sample("urban", ba.Normal(0, 5.506))
    level = ba.sample("Intercept_at_means", ba.Normal(0, 2.5))
    shift = (
        b_age * 0.00219788
        + b_I_age_2 * 81.1966
        + np.array([0.184074, 0.157704, 0.384178]) @ b_children
        + b_urban * 0.290589
    )
    ba.deterministic("Intercept", level - shift)
    sd_district = ba.sample(
        "1 + urban|district_sigma", ba.HalfStudentT(3, np.array([2.5, 5.50619])), dims="1 + urban|district_effect"
    )
    L_district = ba.sample("1 + urban|district_cholesky", ba.LKJCholesky(2, 1))
    ba.deterministic("1 + urban|district_correlation", L_district @ L_district.T)
    u_district = ba.sample(
        "1 + urban|district",
        ba.MvNormal(0, chol=sd_district[:, None] * L_district),
        dims=("district", "1 + urban|district_effect"),
    )
    eta = (
        level
        + b_age * (age - 0.00219788)
        + b_I_age_2 * (I_age_2 - 81.1966)
        + (children - np.array([0.184074, 0.157704, 0.384178])) @ b_children
        + b_urban * (urban - 0.290589)
        + u_district[district_index, 0]
        + u_district[district_index, 1] * urban
    )
    ba.sample("use", ba.BernoulliLogit(eta), obs=use, dims="row")


# Coordinates of effects: "centred", "noncentred", or "auto", for those that a short run finds better.
contraception = ba.reparameterise(contraception, {"1 + urban|district": "noncentred"})


def picture(tree, posterior):
    """Chances by age and children, and by district, rural and urban; below, shares drawn and in the data."""
    from matplotlib.figure import Figure
    from scipy.special import expit

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplot_mosaic("ab;cc")

    years = np.linspace(-13, 19, 60)
    by_age = draws.age.values * years[:, None] + draws["I(age ** 2)"].values * years[:, None] ** 2
    children = np.concatenate([np.zeros((1, draws.sizes["sample"])), draws.children.values])
    styles = {"0": ("-", "#0072b2"), "1": (":", "#d55e00"), "2": ("--", "#d55e00"), "3+": ("-", "#d55e00")}
    for (label, (line, colour)), effect in zip(styles.items(), children, strict=True):
        low, middle, high = np.quantile(expit(draws.Intercept.values + by_age + effect), [0.05, 0.5, 0.95], axis=1)
        axes["a"].plot(years, middle, line, color=colour, label=label)
        if line == "-":
            axes["a"].fill_between(years, low, high, color=colour, alpha=0.2, linewidth=0)
    axes["a"].set(xlabel="age, years from the mean", ylabel="chance, rural", ylim=(0, 0.6))
    axes["a"].legend(title="children", frameon=False, ncols=4, loc="lower center")

    mean_woman = draws.Intercept.values + (posterior.data["children"] @ draws.children.values).mean(axis=0)
    rural = mean_woman + draws["1 + urban|district"].values[:, 0]
    urban = rural + draws.urban.values + draws["1 + urban|district"].values[:, 1]
    (left, x, right), (low, y, high) = (np.quantile(expit(a), [0.05, 0.5, 0.95], axis=1) for a in (rural, urban))
    axes["b"].hlines(y, left, right, color="#56b4e9", alpha=0.25)
    axes["b"].vlines(x, low, high, color="#56b4e9", alpha=0.25)
    axes["b"].plot(x, y, "o", color="#0072b2", markersize=4)
    axes["b"].axline((0.4, 0.4), slope=1, color="#999999", linewidth=1)
    axes["b"].set(xlabel="chance by district, rural", ylabel="urban", xlim=(0, 0.9), ylim=(0, 0.9))

    district, use = posterior.data["district_index"], posterior.data["use"]
    predicted = posterior.predict(tree.isel(draw=slice(0, None, 4)), seed=1).posterior_predictive.use.values
    women = np.eye(60)[district]
    shares = predicted.reshape(-1, len(use)) @ women / women.sum(axis=0)
    observed = use @ women / women.sum(axis=0)
    order = np.argsort(observed)
    low, high = np.quantile(shares, [0.05, 0.95], axis=0)[:, order]
    axes["c"].vlines(range(60), low, high, color="#0072b2", alpha=0.4, linewidth=4, label="drawn, 90 %")
    axes["c"].plot(observed[order], "k.", label="data")
    axes["c"].set(xlabel="districts, by their share", ylabel="share of users", xticks=[])
    axes["c"].legend(frameon=False)
    return figure
