"""Every law of single numbers against scipy.stats and 50-digit arithmetic: one row of a table per law."""

import inspect
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st

import bayesad.distributions as laws
from bayesad import ad
from bayesad.distributions.reparametrised import Reparametrised
from bayesad.distributions.supports import contains
from tests.distributions.more_laws import MORE_LAWS
from tests.distributions.table import BASIC_LAWS, Row, negative_binomial

# Quantiles of extreme probabilities make scipy.stats complain.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy")

# Chance that one test of draws fails although the law is right; there are about 60 of them, with fixed seeds.
FALSE_ALARM = 1e-6


LAWS = BASIC_LAWS + MORE_LAWS
CASES = [pytest.param(row, p, id=f"{row.law.__name__}{p}") for row in LAWS for p in row.parameters]
WITH_CDF = [case for case in CASES if case.values[0].law(*case.values[1]).has_cdf]
EXTREMES = {"real": [1e-300, 1e-8, 0.3, 1e3, 1e200], "integer": [0.0, 1.0, 2.0, 7.0, 100.0, 1e6]}


def quantiles(row: Row, parameters: tuple[float, ...]) -> np.ndarray:
    """Values from the lower tail over the bulk to the upper tail, inside the support."""
    twin = row.twin(*parameters)
    p = np.array([1e-100, 1e-12, 1e-4, 0.05, 0.3, 0.6, 0.9])
    x = np.concatenate([twin.ppf(p), twin.isf([1e-2, 1e-4, 1e-12, 1e-100])])
    support = row.law(*parameters).support
    on_bound = (x == support.lower) | (x == support.upper) if support.kind == "real" else np.zeros(x.shape, bool)
    return np.unique(x[contains(support, x) & ~on_bound])


def extremes(row: Row, parameters: tuple[float, ...]) -> np.ndarray:
    """Values of all sizes inside the support, whatever their probability."""
    support = row.law(*parameters).support
    x = np.array(EXTREMES[support.kind])
    x = np.concatenate([-x, x]) if support.kind == "real" else x
    return x[contains(support, x)]


# Modules of laws that are no laws of single numbers, or are made from such; their tests are in files of their own.
ELSEWHERE = {"base", "copulas", "interop", "markov", "matrices", "mixtures", "multinomial", "multivariate", "ordinal"}
ELSEWHERE |= {"diffusion", "spatial", "state_space", "time_series", "walks"}


def test_the_table_has_every_law_of_single_numbers() -> None:
    public = [name for module, names in laws._NAMES.items() if module not in ELSEWHERE for name in names]
    found = {getattr(laws, name) for name in public if name[0].isupper()}
    missing = {c for c in found if inspect.isclass(c) and issubclass(c, laws.Distribution)}
    assert missing - {laws.Flat, laws.Interpolated, laws.Categorical, laws.CategoricalLogit} == {
        row.law for row in LAWS
    }


@pytest.mark.parametrize(("row", "parameters"), CASES)
def test_log_prob_equals_scipy(row: Row, parameters: tuple[float, ...]) -> None:
    law, twin, x = row.law(*parameters), row.twin(*parameters), quantiles(row, parameters)
    expected = twin.logpmf(x) if law.support.discrete else twin.logpdf(x)
    usable = np.isfinite(expected)
    assert usable.sum() >= min(3, x.size)
    np.testing.assert_allclose(law.log_prob(x)[usable], expected[usable], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("row", "parameters"), CASES)
def test_log_prob_has_twelve_digits_in_the_tails_and_at_extremes(row: Row, parameters: tuple[float, ...]) -> None:
    x = np.concatenate([quantiles(row, parameters), extremes(row, parameters)])
    got = row.law(*parameters).log_prob(x)
    with mp.workdps(400):
        expected = [float(row.exact(mp.mpf(v), *map(mp.mpf, parameters))) for v in x.tolist()]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize(("mu", "phi"), [(3.0, 1e8), (3.0, 1e15), (1e4, 1e12), (1e-6, 1e20)])
@pytest.mark.parametrize("k", [0.0, 1.0, 5.0, 1e3, 1e5])
def test_negative_binomial_keeps_its_digits_for_huge_phi(mu: float, phi: float, k: float) -> None:
    with mp.workdps(80):
        expected = float(negative_binomial(mp.mpf(k), mp.mpf(mu), mp.mpf(phi)))
    for law in (laws.NegativeBinomial2(mu, phi), laws.NegativeBinomial2Log(np.log(mu), phi)):
        np.testing.assert_allclose(law.log_prob(k), expected, rtol=2e-13, atol=1e-12)


@pytest.mark.parametrize(("row", "parameters"), CASES)
def test_log_prob_is_minus_infinity_outside_the_support(row: Row, parameters: tuple[float, ...]) -> None:
    support = row.law(*parameters).support
    outside = [] if not support.bounded else [np.inf, -np.inf]
    outside += [] if support.lower is None else [np.nextafter(support.lower, -np.inf), support.lower - 1.0]
    outside += [] if support.upper is None else [np.nextafter(support.upper, np.inf), support.upper + 1.0]
    outside += [0.5, np.nan] if support.discrete else []
    assert (row.law(*parameters).log_prob(outside) == -np.inf).all()


@pytest.mark.parametrize(("row", "parameters"), WITH_CDF)
def test_cdf_and_sf_equal_scipy_in_both_tails(row: Row, parameters: tuple[float, ...]) -> None:
    law, twin, x = row.law(*parameters), row.twin(*parameters), quantiles(row, parameters)
    x = np.concatenate([x, [x.min() - 1.0, x.max() + 1.0]]) if law.support.discrete else x
    for ours, log_ours, theirs in ((law.cdf, law.log_cdf, twin.cdf), (law.sf, law.log_sf, twin.sf)):
        expected = theirs(x)
        np.testing.assert_allclose(ours(x), expected, rtol=1e-8, atol=1e-300)
        positive = expected > 1e-290
        np.testing.assert_allclose(log_ours(x)[positive], np.log(expected[positive]), rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("row", [r for r in LAWS if r.law(*r.gradient_at).has_cdf], ids=lambda row: row.law.__name__)
def test_cdf_beyond_the_support_is_zero_or_one(row: Row) -> None:
    law = row.law(*row.parameters[0])
    np.testing.assert_array_equal(law.cdf([-np.inf, np.inf]), [0.0, 1.0])
    np.testing.assert_array_equal(law.sf([-np.inf, np.inf]), [1.0, 0.0])
    np.testing.assert_array_equal(law.log_cdf([-np.inf, np.inf]), [-np.inf, 0.0])
    if law.support.lower is not None:
        assert law.cdf(law.support.lower - 0.5) == 0.0
    if law.support.upper is not None:
        assert law.sf(law.support.upper + 0.5) == 0.0


def is_whole(law: type[laws.Distribution], parameter: str) -> bool:
    """Whether a parameter takes whole numbers only, so that there is nothing to differentiate."""
    return any(words == "a whole number" for words, _ in law._domains[parameter].checks)


def has_quantile(law: laws.Distribution) -> bool:
    """Whether the quantile has a closed form."""
    law = law._same if isinstance(law, Reparametrised) else law
    return type(law)._icdf is not laws.Distribution._icdf


def has_mean(law: laws.Distribution) -> bool:
    law = law._same if isinstance(law, Reparametrised) else law
    return type(law)._mean is not laws.Distribution._mean


PROBABILITIES = np.array([1e-30, 1e-9, 0.0213, 0.3, 0.5, 0.7, 0.98712])


@pytest.mark.parametrize(("row", "parameters"), WITH_CDF)
def test_icdf_is_the_least_value_that_reaches_the_probability(row: Row, parameters: tuple[float, ...]) -> None:
    law, twin = row.law(*parameters), row.twin(*parameters)
    x = law.icdf(PROBABILITIES)
    if law.support.discrete:
        assert contains(law.support, x).all()
        assert (law.cdf(x) >= PROBABILITIES).all()
        assert ((law.cdf(x - 1) < PROBABILITIES) | (x == law.support.lower)).all()
    else:
        usable = np.isfinite(x) & (abs(x) > 1e-300) & (x != law.support.lower)
        assert usable.sum() >= 4
        resolution = np.exp(law.log_prob(x[usable])) * np.spacing(abs(x[usable]))  # of floats near x
        assert (abs(law.cdf(x[usable]) - PROBABILITIES[usable]) <= 1e-7 * PROBABILITIES[usable] + 2 * resolution).all()
        np.testing.assert_allclose(x[2:], twin.ppf(PROBABILITIES[2:]), rtol=1e-7, atol=1e-12 * abs(x[-1] - x[2]))
    lower, upper = law.support.lower, law.support.upper
    ends = [-np.inf if lower is None else lower, np.inf if upper is None else upper, np.nan, np.nan]
    np.testing.assert_array_equal(law.icdf([0.0, 1.0, -0.1, 1.1]), ends)


@pytest.mark.parametrize(
    "row", [r for r in LAWS if has_quantile(r.law(*r.gradient_at))], ids=lambda row: row.law.__name__
)
def test_derivatives_of_icdf_are_those_of_the_inverse_function(row: Row) -> None:
    names = list(row.law(*row.gradient_at).parameters)
    p = np.array([0.1, 0.45, 0.8])
    point = {**dict(zip(names, map(np.float64, row.gradient_at), strict=True)), "p": p}

    def quantile(point: dict[str, Any]) -> Any:
        return row.law(*[point[name] for name in names]).icdf(point["p"])

    x = quantile(point)
    for i in range(p.size):
        got = ad.gradient(lambda at, i=i: quantile(at)[i], point)
        for name in (*names, "p"):
            step = 1e-4 * (abs(np.max(point[name])) + 0.1)

            def moved(h: float, name: str = name, step: float = step) -> Any:
                return quantile({**point, name: point[name] + h * step})

            slope = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2)))[i] / (12 * step)
            np.testing.assert_allclose(np.sum(got[name]), slope, rtol=2e-7, atol=1e-8, err_msg=name)
        np.testing.assert_allclose(got["p"][i], np.exp(-row.law(*row.gradient_at).log_prob(x[i])), rtol=1e-9)


@pytest.mark.parametrize(("row", "parameters"), CASES)
def test_mean_equals_scipy(row: Row, parameters: tuple[float, ...]) -> None:
    law = row.law(*parameters)
    if not has_mean(law):
        pytest.skip("has no closed form")
    expected = row.twin(*parameters).mean()
    if np.isfinite(expected):
        np.testing.assert_allclose(law.mean, expected, rtol=1e-8)
    else:
        assert not np.isfinite(law.mean)


@pytest.mark.parametrize(("row", "parameters"), CASES)
def test_draws_follow_the_law(row: Row, parameters: tuple[float, ...]) -> None:
    law, twin = row.law(*parameters), row.twin(*parameters)
    x = law.sample(np.random.default_rng(20), 4000)
    assert x.dtype == (np.int64 if law.support.discrete else np.float64)
    if law.support.discrete:
        edges = np.unique(twin.ppf(np.linspace(0.02, 0.98, 25)))
        expected = np.diff(np.concatenate([[0.0], twin.cdf(edges), [1.0]])) * x.size
        observed = np.bincount(np.searchsorted(edges, x), minlength=edges.size + 1)
        kept = expected > 5
        assert observed[expected < 1e-6].sum() == 0
        if kept.sum() < 2:
            assert observed[kept].sum() > x.size - 40
            return
        observed = np.append(observed[kept], observed[~kept].sum() + 1e-9)
        expected = np.append(expected[kept], expected[~kept].sum() + 1e-9)
        assert st.chisquare(observed, expected).pvalue > FALSE_ALARM
    else:
        assert st.kstest(x, twin.cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("row", LAWS, ids=lambda row: row.law.__name__)
def test_gradients_equal_derivatives_of_the_exact_density(row: Row) -> None:
    parameters = row.gradient_at
    values = np.unique(row.twin(*parameters).ppf([0.03, 0.4, 0.8, 0.999]))
    names = list(row.law(*parameters).parameters)
    varied = [name for name in names if not is_whole(row.law, name)]
    differentiate_x = not row.law(*parameters).support.discrete

    def log_density(point: dict[str, Any]) -> Any:
        fixed = dict(zip(names, parameters, strict=True))
        x = point["x"] if differentiate_x else values
        return np.sum(row.law(**{**fixed, **{n: point[n] for n in varied}}).log_prob(x))

    point = {name: np.full(values.shape, p) for name, p in zip(names, parameters, strict=True) if name in varied}
    if not point:
        pytest.skip("a law of whole numbers with whole parameters")
    got = ad.gradient(log_density, {**point, **({"x": values} if differentiate_x else {})})
    with mp.workdps(40):
        for i, value in enumerate(values.tolist()):
            arguments = [mp.mpf(value), *map(mp.mpf, parameters)]
            for position, name in enumerate(["x", *names]):
                if name in got:
                    order = tuple(int(position == k) for k in range(len(arguments)))
                    expected = float(mp.diff(row.exact, tuple(arguments), order))
                    np.testing.assert_allclose(
                        got[name][i], expected, rtol=1e-9, atol=1e-9, err_msg=f"{name} at {value}"
                    )


@pytest.mark.parametrize(
    "row", [r for r in LAWS if r.law(*r.gradient_at).support.bounded], ids=lambda r: r.law.__name__
)
def test_gradient_is_zero_outside_the_support(row: Row) -> None:
    parameters = row.gradient_at
    names = list(row.law(*parameters).parameters)
    fixed = {name: p for name, p in zip(names, parameters, strict=True) if is_whole(row.law, name)}

    def log_density(point: dict[str, Any]) -> Any:
        return np.sum(row.law(**fixed, **{k: v for k, v in point.items() if k != "x"}).log_prob(point["x"]))

    point = {name: np.float64(p) for name, p in zip(names, parameters, strict=True) if name not in fixed}
    value, gradient = ad.value_and_gradient(log_density, {**point, "x": np.array([-1e3])})
    assert value == -np.inf
    assert all((g == 0.0).all() for g in gradient.values())


def test_machine_code_of_all_laws_in_one_program_equals_the_interpreter() -> None:
    values = [np.unique(row.twin(*row.gradient_at).ppf([0.03, 0.4, 0.8, 0.999])) for row in LAWS]
    whole = [is_whole(row.law, name) for row in LAWS for name in row.law(*row.gradient_at).parameters]
    given = np.concatenate([row.gradient_at for row in LAWS])

    def log_density(q: Any) -> Any:
        parameters = [g if w else q[i] for i, (g, w) in enumerate(zip(given, whole, strict=True))]
        total, start = 0.0, 0
        for row, x in zip(LAWS, values, strict=True):
            stop = start + len(row.gradient_at)
            total, start = total + np.sum(row.law(*parameters[start:stop]).log_prob(x)), stop
        return total

    value, gradient = ad.value_and_gradient(log_density, given)
    native_value, native_gradient = ad.compile(log_density).log_density(given).at(given)
    np.testing.assert_allclose(native_value, value, rtol=1e-13)
    np.testing.assert_allclose(native_gradient, gradient, rtol=1e-10, atol=1e-10)
