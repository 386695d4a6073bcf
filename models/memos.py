"""What nine technical memos are about, by their titles: latent Dirichlet allocation (Blei, Ng and Jordan 2003).

document, word: one row for each of the 29 words of the titles (Deerwester and others 1990). Each word has a topic,
summed out row by row. Topics are told apart by one word each that the prior gives to them: computer and graph.
"""

import numpy as np

import bayesad as ba

TERMS = ["human", "interface", "computer", "user", "system", "response"]
TERMS += ["time", "EPS", "survey", "trees", "graph", "minors"]


@ba.model
def memos(document, word):
    ba.coord("document", ["c1", "c2", "c3", "c4", "c5", "m1", "m2", "m3", "m4"])
    ba.coord("topic", ["systems", "graphs"])
    ba.coord("term", TERMS)
    ba.coord("row", len(word))
    favoured = np.array([[term == "computer" for term in TERMS], [term == "graph" for term in TERMS]])
    about = ba.sample("about", ba.Dirichlet([0.7, 0.7]), dims=("document", "topic"))
    use = ba.sample("use", ba.Dirichlet(0.5 + 3.0 * favoured), dims=("topic", "term"))
    topic = ba.sample("topic_of_word", ba.Categorical(about[document]), dims="row", marginalize=True)
    ba.sample("word", ba.Categorical(use[topic]), obs=word, dims="row")


def picture(tree, posterior):
    """How much of each memo is about graphs, and where each word comes from."""
    from matplotlib.figure import Figure

    about = tree.posterior["about"].values[..., 1].reshape(-1, 9)
    topic = tree.posterior["topic_of_word"].values.reshape(-1, 29)
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    low, middle, high = np.quantile(about, [0.05, 0.5, 0.95], axis=0)
    left.hlines(range(9), low, high, color="#0072b2")
    left.plot(middle, range(9), "o", color="#0072b2")
    left.set(yticks=range(9), yticklabels=posterior.coords["document"], xlabel="share of graphs in the memo")
    word = posterior.data["word"]
    right.barh(range(12), [topic[:, word == k].mean() for k in range(12)], color="#d55e00")
    right.set(yticks=range(12), yticklabels=TERMS, xlabel="probability that the word is about graphs", xlim=(0, 1))
    return figure
