"""A dense network trained by gradient descent, with its gradients added into a shadow network in place.

    python models/mlp.py                    # two half moons in the plane, which it generates
    python models/mlp.py --data digits      # images of handwritten digits (models/data/digits.npz)

Prints the losses on training and test data as training goes on, and saves a picture of them and of what was learnt.
"""

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import logsumexp

from bayesad import ad

DIGITS = Path(__file__).parent / "data" / "digits.npz"


@dataclass
class Network:
    """Layers of x ↦ tanh(x W + b), the last one without tanh."""

    weights: list
    biases: list

    def __call__(self, x):
        *hidden, (last_weight, last_bias) = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            x = np.tanh(x @ weight + bias)
        return x @ last_weight + last_bias


def loss(network, x, labels):
    """The mean of -log p(label), where the network's results are log p up to a constant."""
    scores = network(x)
    return np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels])


def new_network(sizes, rng):
    """Normal weights with variance 1 / number of inputs, and biases of 0."""
    pairs = list(itertools.pairwise(sizes))
    return Network([rng.normal(size=pair) / np.sqrt(pair[0]) for pair in pairs], [np.zeros(n) for n in sizes[1:]])


def train(network, data, test, *, steps, rate, batch, rng, report=lambda *_: None, every=100):
    """Gradient descent on batches of the data: (step, loss of the batch, loss on the test data) every so many steps."""
    compiled, evaluate = ad.compile(loss), ad.compile(loss)
    d_network = ad.make_zero(network)
    history = []
    for step in range(steps + 1):
        rows = rng.permutation(len(data[0]))[:batch]
        x, labels = data[0][rows], data[1][rows]
        ad.set_zero(d_network)
        found = ad.autodiff(
            ad.Reverse, compiled, ad.Active, ad.Duplicated(network, d_network), ad.Const(x), ad.Const(labels)
        )
        if step % every == 0:
            history.append((step, float(found.value), float(evaluate(network, *test))))
            report(*history[-1])
        for value, slope in zip(network.weights + network.biases, d_network.weights + d_network.biases, strict=True):
            value -= rate * slope
    return history


def accuracy(network, x, labels):
    return float(np.mean(np.argmax(network(x), axis=1) == labels))


# --- data
def moons(n, rng, noise=0.15):
    """Two interlocking half circles with n points each."""
    angle = np.pi * rng.uniform(size=2 * n)
    labels = np.repeat([0, 1], n)
    sign = 1 - 2 * labels
    x = np.stack([np.cos(angle) * sign + labels, np.sin(angle) * sign + 0.5 * labels], axis=1)
    return x + noise * rng.normal(size=x.shape), labels


def digits():
    """Images of 8 × 8 pixels from 0 to 1, in rows of 64, and what they show."""
    with np.load(DIGITS) as file:
        return file["images"] / 16.0, file["labels"].astype(int)


def prepared(name, rng):
    """Training data, test data, sizes of layers, rate, batch."""
    if name == "moons":
        return moons(200, rng), moons(1000, rng), (2, 16, 16, 2), 0.3, 400
    x, labels = digits()
    order = rng.permutation(len(x))
    training, test = order[:1400], order[1400:]
    return (x[training], labels[training]), (x[test], labels[test]), (64, 32, 10), 0.5, 200


# --- pictures
def plot(history, network, name, data, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps, training, test = zip(*history, strict=True)
    left.semilogy(steps, training, label="training", color="tab:blue", lw=1)
    left.semilogy(steps, test, label="test", color="tab:orange", lw=2)
    left.set(xlabel="step", ylabel="loss (mean −log p)", title="Loss")
    left.legend()
    (_plot_plane if name == "moons" else _plot_confusion)(right, network, *data)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def _plot_plane(axes, network, x, labels):
    a, b = np.meshgrid(np.linspace(-1.7, 2.7, 200), np.linspace(-1.2, 1.7, 200))
    scores = network(np.stack([a.ravel(), b.ravel()], axis=1))
    p = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1])).reshape(a.shape)
    filled = axes.contourf(a, b, p, np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.7)
    axes.contour(a, b, p, [0.5], colors="black")
    axes.scatter(*x.T, c=labels, cmap="RdBu_r", edgecolors="white", s=14, lw=0.4)
    axes.figure.colorbar(filled, ax=axes, label="p(red)")
    axes.set(title="What was learnt, with the test data", xlabel="x₁", ylabel="x₂")


def _plot_confusion(axes, network, x, labels):
    found = np.argmax(network(x), axis=1)
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (labels, found), 1)
    axes.imshow(counts, cmap="Blues")
    for i, j in np.argwhere(counts):
        axes.text(j, i, counts[i, j], ha="center", va="center", color="white" if i == j else "tab:red")
    axes.set(title="Test images, shown and found", xlabel="found", ylabel="shown")
    axes.set(xticks=range(10), yticks=range(10))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=("moons", "digits"), default="moons")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="default: runs/mlp/DATA.png")
    options = parser.parse_args(arguments)

    rng = np.random.default_rng(options.seed)
    data, test, sizes, rate, batch = prepared(options.data, rng)
    network = new_network(sizes, rng)
    print(f"{options.data}: {len(data[0])} training and {len(test[0])} test rows, layers {sizes}")
    print("   step  training loss  test loss")

    def report(step, training, on_test):
        if step % max(options.steps // 10, 100) == 0:
            print(f"{step:7} {training:14.4f} {on_test:10.4f}")

    begin = time.perf_counter()
    history = train(network, data, test, steps=options.steps, rate=rate, batch=batch, rng=rng, report=report, every=20)
    milliseconds = 1e3 * (time.perf_counter() - begin) / (options.steps + 1)
    print(f"{milliseconds:.2f} ms for a step; {100 * accuracy(network, *test):.1f} % of the test rows right")
    file = options.picture or Path("runs/mlp") / f"{options.data}.png"
    plot(history, network, options.data, test, file)
    print("picture", file)
    return network


if __name__ == "__main__":
    main()
