"""The model that a formula wrote: its density written a second time with scipy, and the formula that writes it."""

import ast
from pathlib import Path

import numpy as np
from scipy import special, stats

import bayesad as ba
from bayesad.cli.inputs import load_posterior, read_data_file
from bayesad.config import load_config

ROOT = Path(__file__).parents[2]
FORMULA = "use ~ age + I(age**2) + children + urban + (1 + urban | district)"


def rounded(values, digits):
    """Numbers as the source has them: to so many digits."""
    return np.array([float(f"{value:.{digits}g}") for value in np.atleast_1d(values)])


def contraception(data, age, urban, children, Intercept_at_means, **others):
    columns = {"age": data["age"], "square": data["age"] ** 2, "children": data["children"], "urban": data["urban"]}
    slopes = {"age": age, "square": others["I(age ** 2)"], "children": children, "urban": urban}
    effects = others["1 + urban|district"]
    factor = others["1 + urban|district_sigma"][:, None] * others["1 + urban|district_cholesky"]
    prior = stats.norm.logpdf(Intercept_at_means, 0, 2.5)
    prior += stats.multivariate_normal(np.zeros(2), factor @ factor.T).logpdf(effects).sum()
    prior += np.log(0.5)  # LKJ with eta 1 for 2 x 2: the correlation is uniform on (-1, 1), and |dr / dL_21| = 1
    law = stats.t(3, scale=rounded([2.5, 2.5 / data["urban"].std()], 6))
    prior += (np.log(2) + law.logpdf(others["1 + urban|district_sigma"])).sum()
    eta = Intercept_at_means + effects[data["district_index"], 0] + effects[data["district_index"], 1] * data["urban"]
    for name, x in columns.items():
        x = x.reshape(len(eta), -1)
        digits = 6 if name == "children" else 4
        prior += stats.norm.logpdf(slopes[name], 0, rounded(2.5 / x.std(axis=0), digits)).sum()
        eta = eta + (x - rounded(x.mean(axis=0), 6)) @ np.atleast_1d(slopes[name])
    return prior + special.log_expit(np.where(data["use"] == 1, eta, -eta)).sum()


def test_neg_log_posterior_equals_scipy(same_density):
    same_density(contraception)


def test_the_formula_writes_the_model():
    table = read_data_file(ROOT / "models" / "data" / "contraception.csv")
    written = ba.glm(FORMULA, table, "bernoulli", name="contraception")
    file = ROOT / "models" / "contraception.py"
    assert FORMULA in file.read_text()
    first, second = (
        [ast.dump(node) for node in ast.parse(source).body if not isinstance(node, ast.Expr)]
        for source in (written.source, file.read_text())
    )
    assert second[:-1] == first  # the last one draws the picture

    _, posterior, _ = load_posterior(load_config(ROOT / "configs" / "contraception.toml"))
    assert posterior.data.keys() == written.data.keys()
    assert all(np.array_equal(posterior.data[name], value) for name, value in written.data.items())
    assert {dim: list(map(str, labels)) for dim, labels in written.model.coords.items()} == {
        dim: list(map(str, labels)) for dim, labels in posterior.model.coords.items()
    }
    point = posterior.unconstrained.unpack(posterior.initial(np.random.default_rng(1)))
    assert written.neg_log_posterior(point) == posterior.neg_log_posterior(point)
