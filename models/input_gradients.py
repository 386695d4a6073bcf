"""What a network looks at, and what would change its mind: derivatives of its results with respect to its input.

    python models/input_gradients.py

Trains the network of mlp.py on images of digits, then differentiates the same loss with other activities: the network
is Const, the image is Duplicated. For a few images it finds
 - the saliency map: how much each pixel counts for the class that the network gives;
 - a targeted adversarial example: the network sees another digit, of our choice, although the image has moved by no
   more than a bound in Euclidean norm (projected gradient descent; Madry and others 2018);
 - a sparse counterfactual: as few pixels as possible change until the network sees that digit (proximal gradient with
   an L1 penalty; Beck and Teboulle 2009).
"""

import argparse
from pathlib import Path

import mlp
import numpy as np

from bayesad import ad

BOUND = 1.5  # of the adversarial change; images have norms of about 3.5


class Classifier:
    """A trained network as a function of one image."""

    def __init__(self, network):
        self.network = network
        self._score = ad.compile(lambda network, image, label: network(image)[label])
        self._loss = ad.compile(lambda network, image, label: mlp.loss(network, image[None, :], label))

    def probabilities(self, image):
        scores = self.network(image)
        p = np.exp(scores - scores.max())
        return p / p.sum()

    def sees(self, image):
        return int(np.argmax(self.probabilities(image)))

    def _slope(self, f, image, *label):
        d_image = ad.make_zero(image)
        found = ad.autodiff(ad.Reverse, f, ad.Active, ad.Const(self.network), ad.Duplicated(image, d_image), *label)
        return float(found.value), d_image

    def saliency(self, image):
        """|d score of the class that is seen / d pixel|."""
        return np.abs(self._slope(self._score, image, self.sees(image))[1])

    def loss_slope(self, image, label):
        """-log p(label), and its derivative with respect to the image."""
        return self._slope(self._loss, image, np.array([label]))


def adversarial(classifier, image, target, bound=BOUND, rate=0.3, steps=200):
    """An image within ``bound`` of the given one, and within [0, 1], that is seen as the target."""
    changed = image.copy()
    for _ in range(steps):
        slope = classifier.loss_slope(changed, target)[1]
        changed -= rate * slope / max(np.linalg.norm(slope), 1e-12)
        change = changed - image
        changed = np.clip(image + change * min(1.0, bound / np.linalg.norm(change)), 0.0, 1.0)
    return changed


def counterfactual(classifier, image, target, confidence=0.6, rate=0.05, steps=2000):
    """An image that is seen as the target and differs in few pixels.

    Minimises -log p(target) + penalty |change|_1 for a penalty that is lowered until the target is seen.
    """
    for penalty in np.geomspace(3.0, 0.01, 20):
        change = np.zeros_like(image)
        for _ in range(steps):
            slope = classifier.loss_slope(image + change, target)[1]
            step = change - rate * slope
            shrunk = np.sign(step) * np.maximum(np.abs(step) - rate * penalty, 0.0)
            following = np.clip(image + shrunk, 0.0, 1.0) - image
            if np.max(np.abs(following - change)) < 1e-5:
                break
            change = following
        if classifier.probabilities(image + change)[target] > confidence:
            return image + change
    return image + change


def plot(rows, file):
    from matplotlib.figure import Figure

    titles = ("image", "saliency", "adversarial", "its change", "counterfactual", "its change")
    figure = Figure(figsize=(10.5, 1.85 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 6, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for ax, (shown, caption, colours) in zip(line, row, strict=True):
            limit = max(np.max(np.abs(shown)), 1e-12) if colours == "RdBu_r" else None
            limits = {"vmin": -limit, "vmax": limit} if limit else {"vmin": 0}
            ax.imshow(shown.reshape(8, 8), cmap=colours, **limits)
            ax.set(xticks=[], yticks=[], xlabel=caption)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def explained(classifier, image, target):
    """A row of pictures about one image, and a line of figures."""
    seen, p = classifier.sees(image), classifier.probabilities(image)
    attack = adversarial(classifier, image, target)
    other = counterfactual(classifier, image, target)
    p_attack, p_other = classifier.probabilities(attack), classifier.probabilities(other)
    size, pixels = np.linalg.norm(attack - image), int(np.sum(np.abs(other - image) > 1e-3))
    row = [
        (image, f"seen: {seen} (p = {p[seen]:.2f})", "gray"),
        (classifier.saliency(image), f"for {seen}", "inferno"),
        (attack, f"seen: {np.argmax(p_attack)} (p = {p_attack.max():.2f})", "gray"),
        (attack - image, f"norm {size:.2f}", "RdBu_r"),
        (other, f"seen: {np.argmax(p_other)} (p = {p_other.max():.2f})", "gray"),
        (other - image, f"{pixels} pixels", "RdBu_r"),
    ]
    line = (
        f"{seen:4} -> {target}   adversarial p = {p_attack[target]:.3f} by a change of norm {size:.2f}"
        f"   counterfactual p = {p_other[target]:.3f} with {pixels} pixels of 64"
    )
    return row, line


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=1000, help="of training (default: %(default)s)")
    parser.add_argument("--images", type=int, default=4, help="how many images (default: %(default)s)")
    parser.add_argument("--picture", type=Path, default=Path("runs/input_gradients.png"))
    options = parser.parse_args(arguments)

    rng = np.random.default_rng(1)
    data, test, sizes, rate, batch = mlp.prepared("digits", rng)
    network = mlp.new_network(sizes, rng)
    mlp.train(network, data, test, steps=options.steps, rate=rate, batch=batch, rng=rng)
    print(f"{100 * mlp.accuracy(network, *test):.1f} % of the test images are seen right")
    classifier = Classifier(network)
    rows = []
    for number in range(options.images):
        image = test[0][np.flatnonzero(test[1] == (3 * number + 1) % 10)[0]]
        target = (classifier.sees(image) + 2) % 10
        row, line = explained(classifier, image, target)
        rows.append(row)
        print(line)
    plot(rows, options.picture)
    print("picture", options.picture)


if __name__ == "__main__":
    main()
