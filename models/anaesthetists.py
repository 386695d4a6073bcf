"""Fitness for surgery, judged by five anaesthetists who differ: the model of Dawid and Skene (1979).

patient, observer, rating: one row for each of 315 ratings from 0 (fit) to 3. Nobody knows the true condition of a
patient; it is a class of its own, summed out over all ratings of the patient. Each observer has a table of how often a
condition is rated as what. Observers are better than chance by the prior, which tells the classes apart.
"""

import numpy as np

import bayesad as ba


@ba.model
def anaesthetists(patient, observer, rating):
    ba.coord("patient", int(patient.max()) + 1)
    ba.coord("observer", ["1", "2", "3", "4", "5"])
    ba.coord("condition", 4)
    ba.coord("rated", 4)
    share = ba.sample("share", ba.Dirichlet(np.full(4, 3.0)), dims="condition")
    rates = ba.sample("rates", ba.Dirichlet(1 + 2 * np.eye(4)), dims=("observer", "condition", "rated"))
    condition = ba.sample("true", ba.Categorical(share), dims="patient", marginalize=True)
    ba.sample("rating", ba.Categorical(rates[observer, condition[patient]]), obs=rating, dims="row")


def picture(tree, posterior):
    """Probability of each condition for every patient, beside the mean rating."""
    from matplotlib.figure import Figure

    patient, rating = posterior.data["patient"], posterior.data["rating"]
    mean = np.bincount(patient, rating) / np.bincount(patient)
    order = np.argsort(mean, kind="stable")
    true = tree.posterior["true"].values.reshape(-1, len(mean))
    figure = Figure(figsize=(8, 3), layout="constrained")
    ax = figure.subplots()
    below = np.zeros(len(mean))
    for k, colour in enumerate(["#009e73", "#f0e442", "#e69f00", "#d55e00"]):
        share = (true == k).mean(axis=0)[order]
        ax.bar(range(len(mean)), share, bottom=below, color=colour, width=1, label=f"condition {k}")
        below += share
    ax.plot(range(len(mean)), mean[order] / 3, ".", color="black", label="mean rating / 3")
    ax.set(xlabel="patient, by mean rating", ylabel="probability", xlim=(-0.5, len(mean) - 0.5))
    ax.legend(fontsize="x-small", loc="lower right")
    return figure
