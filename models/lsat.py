"""Five items of the Law School Admission Test, answered by 1000 students: a Rasch model (Bock and Lieberman 1970).

answers: the 30 patterns of right (1) and wrong answers that were given; students: how many gave each. An item response
model: the chance of a right answer depends on a student's ability and on how easy an item is.
"""

import numpy as np

import bayesad as ba


@ba.model
def lsat(answers, students):
    right = np.repeat(answers, students, axis=0)
    ba.coord("item", [1, 2, 3, 4, 5])
    ba.coord("student", len(right))
    easiness = ba.sample("easiness", ba.Normal(0, 2), dims="item")
    spread = ba.sample("spread", ba.HalfNormal(1.5))
    ability = ba.sample("ability", ba.Normal(0, 1), dims="student")
    logit = easiness + spread * ability[:, None]
    ba.sample("right", ba.BernoulliLogit(logit), obs=right, dims=("student", "item"))


def picture(tree, posterior):
    """The curve of each item, with its share of right answers among students with the same ability on average."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    x = np.linspace(-3, 3, 61)
    for item in range(5):
        logit = draws["easiness"].values[item] + draws["spread"].values * x[:, None]
        low, middle, high = np.quantile(1 / (1 + np.exp(-logit)), [0.05, 0.5, 0.95], axis=1)
        ax.plot(x, middle, label=f"item {item + 1}")
        ax.fill_between(x, low, high, alpha=0.15)
    ax.set(xlabel="ability", ylabel="chance of a right answer", ylim=(0, 1))
    ax.legend(frameon=False)
    return figure
