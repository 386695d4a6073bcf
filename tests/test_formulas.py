"""Formulas against models written by hand, with scipy.stats and plain NumPy as oracles."""

import numpy as np
import pytest
from scipy import special, stats

import bayesad as ba
from bayesad.errors import DataError, ModelError
from bayesad.formulas import FAMILIES, write

RNG = np.random.default_rng(8)
N = 40
GROUP = np.array(list("abcd"))[np.arange(N) % 4]
TABLE = {
    "x": RNG.normal(3.0, 2.0, N),
    "h": np.array(list("uvw"))[RNG.integers(0, 3, N)],
    "g": GROUP,
    "y": RNG.normal(1.0, 2.0, N),
    "positive": RNG.gamma(2.0, 1.0, N),
    "sparse": np.where(np.arange(N) % 5 == 0, 0.0, np.arange(N) / 10.0),
    "share": RNG.beta(2.0, 3.0, N),
    "count": RNG.poisson(2.0, N),
    "binary": np.arange(N) % 2,
    "yes": np.where(np.arange(N) % 3 > 0, "yes", "no"),
    "s": RNG.binomial(7, 0.4, N),
    "n": np.full(N, 7),
    "grade": np.arange(N) % 3,
}


def point_of(posterior, seed=1):
    return posterior.unconstrained.unpack(np.random.default_rng(seed).normal(size=posterior.unconstrained.dimension))


def likelihood(posterior, point):
    (values,) = posterior.pointwise_log_likelihood(point).values()
    return values


def test_a_regression_is_that_of_its_design_matrix():
    posterior = ba.glm("y ~ 1 + x * h", TABLE)
    point = point_of(posterior)
    x = TABLE["x"]
    v, w = (TABLE["h"] == "v") * 1.0, (TABLE["h"] == "w") * 1.0
    columns = np.column_stack([x, v, w, x * v, x * w])
    slopes = np.concatenate([[point["x"]], point["h"], point["x:h"]])
    mean = point["Intercept_at_means"] + (columns - columns.mean(axis=0)) @ slopes
    expected = stats.norm(mean, point["sigma"]).logpdf(TABLE["y"])
    np.testing.assert_allclose(likelihood(posterior, point), expected, rtol=1e-5)


def test_terms_of_one_column():
    posterior = ba.glm("y ~ x * positive + yes * share", TABLE)
    point = point_of(posterior)
    yes = TABLE["yes"] == "yes"
    columns = [TABLE["x"], TABLE["positive"], TABLE["x"] * TABLE["positive"], yes, TABLE["share"], yes * TABLE["share"]]
    slopes = [point[name] for name in ("x", "positive", "x:positive", "yes", "share", "yes:share")]
    mean = point["Intercept_at_means"] + sum(b * (c - c.mean()) for b, c in zip(slopes, columns, strict=True))
    expected = stats.norm(mean, point["sigma"]).logpdf(TABLE["y"])
    np.testing.assert_allclose(likelihood(posterior, point), expected, rtol=1e-4)


def test_functions_need_no_np():
    posterior = ba.glm("log(positive) ~ sqrt(share) + offset(log(positive))", TABLE)
    point = point_of(posterior)
    x, y = np.sqrt(TABLE["share"]), np.log(TABLE["positive"])
    mean = point["Intercept_at_means"] + point["sqrt(share)"] * (x - x.mean()) + y
    np.testing.assert_allclose(
        likelihood(posterior, point), stats.norm(mean, point["sigma"]).logpdf(y), rtol=1e-4, atol=1e-4
    )


def test_the_intercept_at_zero_is_recorded():
    posterior = ba.glm("y ~ 1 + x + h", TABLE)
    draws = posterior.sample(seed=1, chains=1, warmup=50, draws=20).posterior
    h = np.column_stack([TABLE["h"] == "v", TABLE["h"] == "w"]).mean(axis=0)
    expected = draws["Intercept_at_means"] - draws["x"] * TABLE["x"].mean() - (draws["h"] * h).sum("h_dim")
    np.testing.assert_allclose(draws["Intercept"], expected, rtol=1e-4, atol=1e-4)


def test_correlated_effects_of_groups():
    posterior = ba.glm("y ~ x + (1 + x | g)", TABLE, effects="centred")
    point = point_of(posterior)
    factor, sigma = point["1 + x|g_cholesky"], point["1 + x|g_sigma"]
    effects = point["1 + x|g"]
    cov = (sigma[:, None] * factor) @ (sigma[:, None] * factor).T
    assert posterior.log_density_terms(point)["1 + x|g"] == pytest.approx(
        stats.multivariate_normal(np.zeros(2), cov).logpdf(effects).sum(), rel=1e-9
    )
    g = np.searchsorted(list("abcd"), GROUP)
    x = TABLE["x"]
    mean = point["Intercept_at_means"] + point["x"] * (x - x.mean()) + effects[g, 0] + effects[g, 1] * x
    expected = stats.norm(mean, point["sigma"]).logpdf(TABLE["y"])
    np.testing.assert_allclose(likelihood(posterior, point), expected, rtol=1e-5)


@pytest.mark.parametrize("effects", ["centred", "noncentred"])
def test_coordinates_of_effects_stand_in_the_source_and_change_no_density(effects):
    posterior = ba.glm("y ~ (1 + x || g)", TABLE, effects=effects)
    last = f'regression = ba.reparameterise(regression, {{"1|g": "{effects}", "x|g": "{effects}"}})\n'
    assert posterior.source.endswith(last)
    assert {change.value for change in posterior.model.changes.values()} == {effects}
    point = point_of(posterior, seed=2)
    for name in ("1|g", "x|g"):
        expected = stats.norm(0, point[f"{name}_sigma"]).logpdf(point[name]).sum()
        assert posterior.log_density_terms(point)[name] == pytest.approx(expected, rel=1e-9)


def test_auto_writes_what_suits_the_data():
    """Groups of ten rows that differ much, and pairs of rows that do not differ at all."""
    strong, weak = np.repeat(np.arange(8), 10), np.arange(80) % 40
    table = {"strong": strong.astype(str), "weak": weak.astype(str)}
    table["y"] = 5.0 * strong + np.random.default_rng(3).normal(size=80)
    _, written = write("y ~ (1 | strong) + (1 | weak)", table)
    assert written.choices == {"1|strong": "centred", "1|weak": "noncentred"}


def test_levels_that_have_no_row_have_no_effect():
    table = {"y": TABLE["y"], "a": np.repeat(list("uvwx"), 10), "b": np.repeat(np.arange(8), 5).astype(str)}
    posterior = ba.glm("y ~ (1 | a / b)", table, effects="centred")
    assert list(posterior.model.coords["a:b"]) == ["u:0", "u:1", "v:2", "v:3", "w:4", "w:5", "x:6", "x:7"]
    assert list(posterior.at({"a": ["w", "u"], "b": ["5", "0"]}).data["a_b_index"]) == [5, 0]
    with pytest.raises(DataError, match="levels \\(w:0\\) of 'a:b' are none of those of the model"):
        posterior.at({"a": ["w"], "b": ["0"]})


def test_categories_whose_labels_differ_in_signs_alone_are_apart():
    table = {"y": np.array(["<5", "=5", ">5"])[np.arange(N) % 3], "g": GROUP}
    posterior = ba.glm("y ~ (1 | g)", table, "categorical", effects="centred")
    point = point_of(posterior)
    others = [point["Intercept"][k] + point[f"1|g_{label}"][np.arange(N) % 4] for k, label in enumerate(["=5", ">5"])]
    eta = np.column_stack([np.zeros(N), *others])
    expected = special.log_softmax(eta, axis=1)[np.arange(N), np.arange(N) % 3]
    np.testing.assert_allclose(likelihood(posterior, point), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("y ~ x + (x || g)", {"1|g_sigma", "1|g", "x|g_sigma", "x|g"}),
        ("y ~ x + (1 | g) + (0 + x | g)", {"1|g_sigma", "1|g", "x|g_sigma", "x|g"}),
        ("y ~ x + (1 | g / h)", {"1|g_sigma", "1|g", "1|g:h_sigma", "1|g:h"}),
        ("y ~ x + (0 + h | g)", {"h|g_sigma", "h|g", "h|g_cholesky"}),
    ],
)
def test_what_bars_and_slashes_mean(formula, names):
    _, written = write(formula, TABLE, effects="centred")
    posterior = ba.glm(formula, TABLE, effects="centred")
    assert set(posterior.parameters) - {"x", "Intercept_at_means", "sigma"} == names
    assert posterior.source == written.source


def past_zero(y, share, law):
    return np.where(y == 0, np.log(share), np.log1p(-share) + law.logpmf(y) - np.log1p(-law.pmf(0)))


LAWS = {  # family -> (response, log density at the linear predictor and the point)
    "student": ("y", lambda e, p, y: stats.t(p["nu"], e, p["sigma"]).logpdf(y)),
    "lognormal": ("positive", lambda e, p, y: stats.lognorm(p["sigma"], scale=np.exp(e)).logpdf(y)),
    "exponential": ("positive", lambda e, p, y: stats.expon(scale=np.exp(e)).logpdf(y)),
    "gamma": ("positive", lambda e, p, y: stats.gamma(p["shape"], scale=np.exp(e) / p["shape"]).logpdf(y)),
    "weibull": (
        "positive",
        lambda e, p, y: stats.weibull_min(p["shape"], scale=np.exp(e) / special.gamma(1 + 1 / p["shape"])).logpdf(y),
    ),
    "beta": (
        "share",
        lambda e, p, y: stats.beta(special.expit(e) * p["phi"], special.expit(-e) * p["phi"]).logpdf(y),
    ),
    "bernoulli": ("binary", lambda e, p, y: stats.bernoulli(special.expit(e)).logpmf(y)),
    "binomial": ("p(s, n)", lambda e, p, y: stats.binom(7, special.expit(e)).logpmf(TABLE["s"])),
    "beta_binomial": (
        "p(s, n)",
        lambda e, p, y: stats.betabinom(7, special.expit(e) * p["phi"], special.expit(-e) * p["phi"]).logpmf(
            TABLE["s"]
        ),
    ),
    "zero_inflated_binomial": (
        "p(s, n)",
        lambda e, p, y: np.log(
            p["zero_share"] * (TABLE["s"] == 0)
            + (1 - p["zero_share"]) * stats.binom(7, special.expit(e)).pmf(TABLE["s"])
        ),
    ),
    "hurdle_poisson": ("count", lambda e, p, y: past_zero(y, p["zero_share"], stats.poisson(np.exp(e)))),
    "hurdle_negativebinomial": (
        "count",
        lambda e, p, y: past_zero(y, p["zero_share"], stats.nbinom(p["phi"], p["phi"] / (p["phi"] + np.exp(e)))),
    ),
    "hurdle_gamma": (
        "sparse",
        lambda e, p, y: np.where(
            y == 0,
            np.log(p["zero_share"]),
            np.log1p(-p["zero_share"]) + stats.gamma(p["shape"], scale=np.exp(e) / p["shape"]).logpdf(y + (y == 0)),
        ),
    ),
    "wald": (
        "positive",
        lambda e, p, y: stats.invgauss(np.exp(e) / p["shape"], scale=p["shape"]).logpdf(y),
    ),
    "poisson": ("count", lambda e, p, y: stats.poisson(np.exp(e)).logpmf(y)),
    "negativebinomial": (
        "count",
        lambda e, p, y: stats.nbinom(p["phi"], p["phi"] / (p["phi"] + np.exp(e))).logpmf(y),
    ),
}


@pytest.mark.parametrize("family", LAWS)
def test_families_are_the_laws_of_scipy(family):
    response, law = LAWS[family]
    posterior = ba.glm(f"{response} ~ 1 + x", TABLE, family)
    point = point_of(posterior)
    eta = point["Intercept_at_means"] + point["x"] * (TABLE["x"] - TABLE["x"].mean())
    expected = law(eta, point, TABLE.get(response))
    np.testing.assert_allclose(likelihood(posterior, point), expected, rtol=1e-4, atol=1e-4)


def test_categories_have_slopes_of_their_own():
    posterior = ba.glm("h ~ 1 + x", TABLE, "categorical")
    point = point_of(posterior)
    assert posterior.dims["x"] == ("h_level",)
    eta = np.column_stack(
        [np.zeros(N), point["Intercept_at_means"] + np.outer(TABLE["x"] - TABLE["x"].mean(), point["x"])]
    )
    codes = np.searchsorted(list("uvw"), TABLE["h"])
    expected = special.log_softmax(eta, axis=1)[np.arange(N), codes]
    np.testing.assert_allclose(likelihood(posterior, point), expected, rtol=1e-4)


def test_categories_have_effects_of_groups_each():
    posterior = ba.glm("h ~ 1 + (1 + x | g)", TABLE, "categorical", effects="centred")
    point = point_of(posterior)
    g = np.searchsorted(list("abcd"), GROUP)
    eta = [np.zeros(N)]
    for k, level in enumerate("vw"):
        name = f"1 + x|g_{level}"
        eta.append(point["Intercept"][k] + point[name][g, 0] + point[name][g, 1] * TABLE["x"])
    codes = np.searchsorted(list("uvw"), TABLE["h"])
    expected = special.log_softmax(np.stack(eta, axis=1), axis=1)[np.arange(N), codes]
    np.testing.assert_allclose(likelihood(posterior, point), expected, rtol=1e-6)


def test_ordinal_categories_have_the_order_they_are_given():
    pd = pytest.importorskip("pandas")
    table = {"grade": pd.Categorical(TABLE["h"], categories=["w", "u", "v"], ordered=True), "x": TABLE["x"]}
    posterior = ba.glm("grade ~ x", table, "cumulative")
    assert list(posterior.model.coords["cutpoint"]) == ["w|u", "u|v"]
    with pytest.raises(DataError, match="needs an order, which the levels of 'h' do not have"):
        ba.glm("h ~ x", TABLE, "cumulative")


def test_links_differ_from_the_default():
    point = {"Intercept_at_means": 0.2, "x": -0.3}
    eta = 0.2 - 0.3 * (TABLE["x"] - TABLE["x"].mean())
    probit = ba.glm("binary ~ x", TABLE, "bernoulli", link="probit")
    chance = stats.norm.cdf(eta)
    np.testing.assert_allclose(likelihood(probit, point), stats.bernoulli(chance).logpmf(TABLE["binary"]), rtol=1e-5)


def test_a_binary_text_response_counts_its_second_level():
    posterior = ba.glm("yes ~ 1", TABLE, "bernoulli")
    expected = np.where(TABLE["yes"] == "yes", special.log_expit(0.7), special.log_expit(-0.7))
    np.testing.assert_allclose(likelihood(posterior, {"Intercept": 0.7}), expected)


def test_an_offset_is_added():
    posterior = ba.glm("count ~ 1 + offset(x)", TABLE, "poisson")
    expected = stats.poisson(np.exp(0.1 + TABLE["x"])).logpmf(TABLE["count"])
    np.testing.assert_allclose(likelihood(posterior, {"Intercept": 0.1}), expected)


def test_priors_replace_the_defaults():
    priors = {"x": ba.Laplace(0, 0.5), "Intercept": "Normal(1, 3)", "group_sigma": "Exponential(2)"}
    source = ba.glm("y ~ x + (1 | g)", TABLE, priors=priors, effects="centred").source
    assert 'ba.sample("x", ba.Laplace(mu=0.0, sigma=0.5))' in source
    assert 'ba.sample("Intercept_at_means", ba.Normal(1, 3))' in source
    assert 'ba.sample("1|g_sigma", ba.Exponential(2))' in source


SPREAD_ONE = np.array([4.0, 6.0] * 20)  # its standard deviation is 1: a Gaussian response has units all the same


@pytest.mark.parametrize(
    ("formula", "family", "link", "level", "unit"),
    [
        ("y ~ x", "gaussian", None, 5.0, 1.0),
        ("y ~ x", "student", None, 5.0, 1.0),
        ("y ~ x", "gaussian", "log", np.log(5.0), 1.0),
        ("y ~ x", "gamma", None, np.log(5.0), 1.0),
        ("y ~ x", "lognormal", None, np.log([4.0, 6.0]).mean(), 1.0),
        ("wide ~ x", "gaussian", None, 50.0, 10.0),
        ("y ~ x + offset(wide)", "poisson", None, np.log(5.0) - 50.0, 1.0),
        ("binary ~ x", "bernoulli", None, 0.0, 1.0),
    ],
)
def test_the_intercept_is_expected_at_the_level_of_the_response(formula, family, link, level, unit):
    table = {"x": TABLE["x"], "binary": TABLE["binary"], "y": SPREAD_ONE, "wide": 10 * SPREAD_ONE}
    _, written = write(formula, table, family, link=link)
    assert f'ba.sample("Intercept_at_means", ba.Normal({level:.4g}, {2.5 * unit:.4g}))' in written.source


def test_other_rows_are_predicted_by_the_same_terms():
    posterior = ba.glm("y ~ bs(x, df=4) + (1 | g)", TABLE, effects="centred")
    rows = {"x": TABLE["x"][[3, 8]], "g": TABLE["g"][[3, 8]]}
    other = posterior.at(rows)
    for name in ("bs_x_df_4", "g_index"):
        np.testing.assert_allclose(other.data[name], posterior.data[name][[3, 8]], atol=1e-12)
    with pytest.raises(DataError, match="levels \\(z\\)"):
        posterior.at({"x": [1.0], "g": ["z"]})


def test_columns_may_have_any_name():
    table = {"y": TABLE["y"], "sigma": TABLE["x"], "lambda": TABLE["share"], "b_x": TABLE["positive"]}
    posterior = ba.glm("y ~ sigma + b_x", {name: table[name] for name in ("y", "sigma", "b_x")})
    assert set(posterior.parameters) == {"sigma", "b_x", "Intercept_at_means", "y_sigma"}
    assert np.isfinite(posterior.neg_log_posterior(point_of(posterior)))


def test_a_factor_may_be_a_term_too():
    posterior = ba.glm("y ~ h + (1 | h)", TABLE, effects="centred")
    assert posterior.dims["1|h"] == ("h_group",)
    assert "h" in posterior.parameters


@pytest.mark.parametrize(
    ("formula", "options", "error", "words"),
    [
        ("y ~ zz", {}, DataError, "no column or function 'zz'"),
        ("y ~ x | g", {}, ModelError, "outside of parentheses"),
        ("~ x", {}, ModelError, "no response"),
        ("y ~ x", {"family": "poison"}, ModelError, "did you mean 'poisson'"),
        ("y ~ x", {"family": "NegBinomial"}, ModelError, "did you mean 'negativebinomial'"),
        ("y ~ x", {"family": "inverse_gaussian"}, ModelError, "did you mean 'wald'"),
        ("h ~ x", {"family": "poisson"}, DataError, "needs a count response; 'h' is 3 categories"),
        ("y ~ x", {"family": "poisson"}, DataError, "whole numbers; row 0"),
        ("count ~ x", {"family": "poisson", "link": "logit"}, ModelError, "no link 'logit'; it has log"),
        ("s ~ x", {"family": "binomial"}, DataError, r"p\(s, trials\)"),
        ("h ~ x", {}, DataError, "'h' is 3 categories"),
        ("y ~ x", {"priors": {"xx": "Normal(0, 1)"}}, ModelError, "did you mean 'x'"),
        ("y ~ x", {"priors": {"x": 3}}, ModelError, "give a distribution"),
        ("y ~ x", {"priors": {"x": "Normall(0, 1)"}}, ModelError, "prior of 'x'.*did you mean 'Normal'"),
        ("y ~ x", {"priors": {"x": "Normal(0"}}, ModelError, "prior of 'x'.*is no expression"),
        ("y ~ x", {"missing": "ignore"}, ModelError, "'error' or 'drop'"),
        ("y ~ (1 | g)", {"effects": "decentred"}, ModelError, "'auto', 'centred' or 'noncentred'"),
    ],
)
def test_mistakes_are_named(formula, options, error, words):
    with pytest.raises(error, match=words):
        ba.glm(formula, TABLE, **options)


def test_columns_of_different_length_are_named():
    with pytest.raises(DataError, match="differ in length: y 3, x 2"):
        ba.glm("y ~ x", {"y": [1.0, 2.0, 3.0], "x": [1.0, 2.0]})
    with pytest.raises(DataError, match="a table or a mapping of columns, not list"):
        ba.glm("y ~ x", [1.0, 2.0])


def test_missing_rows_are_an_error_or_dropped():
    table = {"y": TABLE["y"], "x": np.where(np.arange(N) == 4, np.nan, TABLE["x"])}
    with pytest.raises(DataError, match="1 incomplete rows; missing='drop' "):
        ba.glm("y ~ x", table)
    assert len(ba.glm("y ~ x", table, missing="drop").data["x"]) == N - 1


def test_priors_of_spreads_are_in_units_of_the_predictor():
    _, written = write("y ~ x + (1 + x | g)", {**TABLE, "x": 1000 * TABLE["x"]}, effects="centred")
    units = [1.0, np.std(1000 * TABLE["x"])]
    listed = ", ".join(f"{2.5 * np.std(TABLE['y']) / unit:.6g}" for unit in units)
    assert f"ba.HalfStudentT(3, np.array([{listed}]))" in written.source


def test_long_statements_are_laid_out_over_several_lines():
    _, written = write("y ~ x * h * share * positive + (1 + positive + share | g)", TABLE, effects="centred")
    lines = written.source.splitlines()
    assert all(len(line) <= 120 for line in lines)
    centred = f"        + b_share * (share - {TABLE['share'].mean():.6g})"
    assert {"def regression(", "    y,", "    eta = (", "        level", centred} <= set(lines)


def test_every_family_writes_a_model_that_compiles():
    for name in FAMILIES:
        needed = {
            "proportion": "p(s, n)",
            "binary": "binary",
            "count": "count",
            "ordered": "grade",
            "categoric": "grade",
        }
        response = needed.get(FAMILIES[name].response, "share")
        _, written = write(f"{response} ~ x", TABLE, name)
        compile(written.source, name, "exec")
