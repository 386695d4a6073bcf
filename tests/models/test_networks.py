"""The network among the models, its density written a second time; and the examples of differentiation, run shortly."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bayesad import ad

ROOT = Path(__file__).parents[2]


def bayesian_mlp(data, weight, bias, out_weight, out_bias):
    prior = stats.norm.logpdf(weight, 0, 2).sum() + stats.norm.logpdf(bias, 0, 2).sum()
    prior += stats.norm.logpdf(out_weight, 0, 1).sum() + stats.norm.logpdf(out_bias, 0, 3)
    score = out_bias + sum(
        v * np.tanh(w[0] * data["x1"] + w[1] * data["x2"] + b)
        for w, b, v in zip(weight.T, bias, out_weight, strict=True)
    )
    return prior + stats.bernoulli.logpmf(data["label"], 1 / (1 + np.exp(-score))).sum()


def test_the_density_equals_scipy(same_density):
    same_density(bayesian_mlp)


@pytest.fixture
def example(monkeypatch):
    """``example(name)``: a module of models/, imported as its command runs it."""
    monkeypatch.syspath_prepend(str(ROOT / "models"))
    yield importlib.import_module
    for name in ("mlp", "input_gradients", "modes_cross", "bayesian_mlp"):
        sys.modules.pop(name, None)


def test_the_gradient_of_the_network_equals_differences_and_is_added(example):
    mlp = example("mlp")
    rng = np.random.default_rng(0)
    network = mlp.new_network((3, 4, 2), rng)
    x, labels = rng.normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])
    shadow = ad.make_zero(network)
    for times in (1, 2):
        ad.autodiff(ad.Reverse, mlp.loss, ad.Active, ad.Duplicated(network, shadow), x, labels)
        for values, slopes in zip(network.weights + network.biases, shadow.weights + shadow.biases, strict=True):
            at = tuple(n - 1 for n in values.shape)
            ahead, behind = [], []
            for losses, h in ((ahead, 1e-5), (behind, -1e-5)):
                values[at] += h
                losses.append(mlp.loss(network, x, labels))
                values[at] -= h
            assert slopes[at] == pytest.approx(times * (ahead[0] - behind[0]) / 2e-5, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("data", "steps", "most"), [("moons", 300, 0.2), ("digits", 100, 0.6)])
def test_training_lowers_the_loss_on_test_data(example, data, steps, most, tmp_path, capsys):
    mlp = example("mlp")
    picture = tmp_path / "picture.png"
    network = mlp.main(["--data", data, "--steps", str(steps), "--picture", str(picture)])
    rng = np.random.default_rng(1)
    _, test, *_ = mlp.prepared(data, rng)
    assert mlp.loss(network, *test) < most
    assert mlp.accuracy(network, *test) > 0.85
    assert picture.stat().st_size > 10_000
    assert "% of the test rows right" in capsys.readouterr().out


def test_an_image_is_turned_into_another_digit_within_the_bound_and_by_few_pixels(example, tmp_path, capsys):
    found = example("input_gradients")
    mlp = example("mlp")
    picture = tmp_path / "picture.png"
    found.main(["--steps", "150", "--images", "1", "--picture", str(picture)])
    assert picture.stat().st_size > 5_000
    assert "adversarial p = " in capsys.readouterr().out

    rng = np.random.default_rng(1)
    data, test, sizes, rate, batch = mlp.prepared("digits", rng)
    network = mlp.new_network(sizes, rng)
    mlp.train(network, data, test, steps=150, rate=rate, batch=batch, rng=rng)
    classifier, image = found.Classifier(network), test[0][3]
    target = (classifier.sees(image) + 3) % 10
    attack = found.adversarial(classifier, image, target)
    assert classifier.sees(attack) == target
    assert np.linalg.norm(attack - image) <= found.BOUND + 1e-12
    assert attack.min() >= 0.0 and attack.max() <= 1.0
    other = found.counterfactual(classifier, image, target)
    assert classifier.sees(other) == target
    assert np.sum(np.abs(other - image) > 1e-3) <= 20
    saliency, seen = classifier.saliency(image), classifier.sees(image)
    for pixel in (10, 27):
        step = np.eye(64)[pixel] * 1e-5
        slope = (network(image + step)[seen] - network(image - step)[seen]) / 2e-5
        assert saliency[pixel] == pytest.approx(abs(slope), rel=1e-6, abs=1e-9)


def test_the_modes_cross(example, tmp_path, capsys):
    cross = example("modes_cross")
    assert cross.crossing(np.array([0.1, 1.0, 10.0]), np.array([1.0, 2.0, 8.0]), np.array([4.0, 2.0, 1.0])) == 1.0
    picture = tmp_path / "picture.png"
    cross.main(["--entries", "16", "--picture", str(picture)])
    lines = capsys.readouterr().out.splitlines()
    first, last = lines[1].split(), lines[5].split()
    assert (first[:2], last[:2]) == (["1", "16"], ["16", "1"])
    assert float(first[3]) < float(first[4])  # one pass against 16
    assert float(last[3]) > float(last[4])
    assert picture.stat().st_size > 10_000


def test_networks_are_less_sure_away_from_the_data(example, tmp_path, capsys):
    example("bayesian_mlp").main(draws=150, file=tmp_path / "plane.png")
    lines = capsys.readouterr().out.splitlines()
    near, far = (float(line.rsplit(" ", 1)[1]) for line in lines[1:3])
    assert far > 1.5 * near
    assert (tmp_path / "plane.png").stat().st_size > 10_000
