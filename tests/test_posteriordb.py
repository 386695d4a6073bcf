"""Reference posteriors: models against golden log densities, draws against reference draws; and the checks of both."""

import ctypes
import dataclasses
import functools
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # models/ is part of the checkout, not of the installed package

from models.posteriordb import __main__ as command  # noqa: E402
from models.posteriordb._checks import check_density, check_draws, check_shares, compare, scalars  # noqa: E402
from models.posteriordb._posteriors import ReferencePosterior, find, names  # noqa: E402

FOLDER = ROOT / "models" / "posteriordb"
CENTRED = "eight_schools-eight_schools_centered"
REFERENCED = [posterior.name for posterior in find([]) if posterior.reference]
LONG = ["bball_drive_event_0-hmm_drive_0", "diamonds-diamonds", "gp_pois_regr-gp_pois_regr", "mcycle_gp-accel_gp"]
LESS_EXACT = {"gp_pois_regr-gp_pois_regr"}  # nearly singular
OTHER_TRANSFORMS = {  # from Stan's: simplexes, and an interval that the model states more narrowly
    "GLMM_Poisson_data-GLMM_Poisson_model",
    "bball_drive_event_0-hmm_drive_0",
    "hmm_example-hmm_example",
    "normal_5-normal_mixture_k",
    "three_men1-ldaK2",
}


@functools.cache
def drawn(name):
    """Draws of a posterior under the limits' own conditions: 4 chains of 1000 + 1000."""
    return ReferencePosterior(name).sample()


# --- posteriors


@pytest.mark.parametrize("name", names())
def test_log_density_and_gradient_equal_the_golden_values(name):
    assert check_density(ReferencePosterior(name)).problems == []


def machine_code(unconstrained, q):
    """Log density and gradient at q by the C function that samplers call."""
    density = unconstrained.compiled.log_density(q)
    table, _alive = density.context()
    gradient = np.empty_like(q)
    function = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_void_p] * 3)(density.address)
    return function(table.ctypes.data, q.ctypes.data, gradient.ctypes.data), gradient


def in_column_order(parameter):
    """Where a parameter stands in the unconstrained vector; matrices by columns, as in Stan."""
    places = np.arange(parameter.start, parameter.stop)
    return places.reshape(parameter.shape).ravel(order="F") if len(places) == np.prod(parameter.shape) else places


@pytest.mark.parametrize("name", [name for name in names() if name not in OTHER_TRANSFORMS])
def test_machine_code_on_the_unconstrained_scale_equals_stan(name):
    reference = ReferencePosterior(name)
    posterior, unconstrained = reference.posterior, reference.posterior.unconstrained
    tolerance = 1e-6 if name in LESS_EXACT else 1e-9
    for point in reference.golden["points"]:
        q = unconstrained.pack(point["parameters"])
        value, gradient = machine_code(unconstrained, q)
        log_jacobian = value + posterior.neg_log_posterior(point["parameters"])
        expected = point["log_density_with_jacobian"] - point["log_density"]
        assert abs(log_jacobian - expected) < tolerance * (1 + abs(point["log_density"]))
        order = [in_column_order(posterior.parameters[p]) for p in reference.golden["parameter_order"]]
        stan = np.array(point["gradient_unconstrained"])
        ours = gradient[np.concatenate(order)]
        assert np.all(np.abs(ours - stan) < 10 * tolerance * (np.abs(stan) + np.max(np.abs(stan))))


def test_every_model_file_has_a_posterior_and_every_posterior_its_files():
    posteriors = find([])
    assert {posterior.golden["model"] for posterior in posteriors} == {file.stem for file in FOLDER.glob("[!_]*.py")}
    used = {posterior.golden["data"].removesuffix(".json") for posterior in posteriors}
    assert used == {file.name.removesuffix(".gz").removesuffix(".json") for file in (FOLDER / "data").iterdir()}
    assert {file.stem for file in (FOLDER / "reference").iterdir()} == set(REFERENCED)


@pytest.mark.parametrize("name", REFERENCED)
def test_every_reference_parameter_is_a_quantity_of_the_model(name):
    posterior = ReferencePosterior(name)
    quantities = posterior.posterior.values(np.zeros((1, 1, posterior.golden["dimension"])))
    assert set(posterior.reference) <= set(scalars(quantities))


# One posterior alone: a z above 4.5 or 5 among its 6 figures per parameter has a probability below 1e-4.
@pytest.mark.parametrize("name", [name for name in REFERENCED if name not in [*LONG, CENTRED]])
def test_draws_agree_with_the_reference(name):
    assert check_draws(ReferencePosterior(name), drawn(name)).problems == []


def test_a_centred_funnel_is_compared_but_not_judged_and_its_divergences_are_counted():
    centred = ReferencePosterior(CENTRED)
    checks = [check_draws(centred, centred.sample(seed=seed)) for seed in (1, 2, 3)]
    assert sum(check.divergences for check in checks) > 0
    assert all(check.problems == [] and len(check.z) == 60 for check in checks)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_draws_that_take_long_agree_with_the_reference(name):
    assert check_draws(ReferencePosterior(name), drawn(name)).problems == []


@pytest.mark.slow
def test_few_of_all_differences_from_the_references_are_large():
    assert check_shares(check_draws(ReferencePosterior(name), drawn(name)) for name in REFERENCED) == []


# --- the checks


def altered(name, change):
    """A reference posterior whose golden values are changed in place by `change`."""
    posterior = ReferencePosterior(name)
    change(posterior.golden)
    return posterior


def test_a_log_density_that_is_off_by_a_billionth_is_a_problem():
    def change(golden):
        golden["points"][1]["log_density"] *= 1 + 3e-9

    problems = check_density(altered("sblrc-blr", change)).problems
    assert [problem.split(" off")[0] for problem in problems] == ["log density differences"]


def test_a_constant_added_to_all_log_densities_is_no_problem():
    def change(golden):
        for point in golden["points"]:
            point["log_density"] += 100.0

    assert check_density(altered("sblrc-blr", change)).problems == []


def test_a_wrong_derivative_and_a_wrong_dimension_are_problems():
    def change(golden):
        golden["points"][2]["direction"]["log_density"] *= 1 + 3e-8
        golden["dimension"] += 1

    problems = check_density(altered("sblrc-blr", change)).problems
    assert [problem.split(" ")[0] for problem in problems] == ["dimension", "directional"]


REFERENCE = {
    name: {
        "mean": mean,
        "sd": sd,
        "q5": mean - 1.6448536 * sd,
        "q50": mean,
        "q95": mean + 1.6448536 * sd,
        "mean_square": mean**2 + sd**2,
        "mcse_mean": 0.01 * sd,
        "mcse_sd": 0.007 * sd,
        "mcse_mean_square": sd * np.sqrt(4 * mean**2 + 2 * sd**2) / 100,
        "mcse_q5": 0.021 * sd,
        "mcse_q50": 0.0125 * sd,
        "mcse_q95": 0.021 * sd,
    }
    for name, mean, sd in (("a", 3.0, 2.0), ("b[1]", -1.0, 0.5), ("b[2]", 0.0, 1.0))
}


def exact_draws(seed=1):
    """Independent draws of the distributions that REFERENCE summarises: 4 chains of 1000."""
    z = np.random.default_rng(seed).normal(size=(4, 1000, 3))
    return {"a": 3 + 2 * z[..., 0], "b": np.array([-1.0, 0.0]) + np.array([0.5, 1.0]) * z[..., 1:]}


# Under exact draws each of 18 correlated z exceeds its limit with a probability below 1e-5.
def test_exact_draws_pass():
    checks = [compare("exact", REFERENCE, exact_draws(seed), 0) for seed in range(10)]
    assert [check.problems for check in checks] == [[]] * 10
    assert check_shares(checks) == []


# REFERENCE has no error, so z has the standard deviation sqrt(10/14) and |z| the median 0.57; its error here is 0.05.
def test_z_is_standardised():
    checks = [compare("exact", REFERENCE, exact_draws(seed), 0) for seed in range(30)]
    assert 0.37 < np.median([z for check in checks for z in check.z.values()]) < 0.77


def with_a(change):
    draws = exact_draws()
    return {**draws, "a": change(draws["a"])}


def sticky(a):
    """The values of a, each repeated 20 times: an effective sample size of 200."""
    return np.repeat(a[:, :50], 20, axis=1)


def one_chain_off(a):
    return a + np.array([1.0, 0, 0, 0])[:, None]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a + 0.4, "of mean of a"),
        (lambda a: a + 0.4, "d = 0.2"),
        (lambda a: 3 + 1.15 * (a - 3), "of sd of a"),
        (lambda a: 3 + 1.15 * (a - 3), "of q95 of a"),
        (lambda a: np.maximum(a, 1), "of q5 of a"),
        (sticky, "ESS"),
        (one_chain_off, "R-hat"),
        (lambda a: np.full_like(a, np.nan), "of mean of a"),
    ],
)
def test_wrong_draws_are_problems(change, problem):
    problems = compare("wrong", REFERENCE, with_a(change), 0).problems
    assert any(problem in found for found in problems)
    assert not any(" b[" in found for found in problems)


def test_divergences_are_a_problem():
    assert compare("diverging", REFERENCE, exact_draws(), 3).problems == ["3 divergences"]


def test_too_many_large_z_over_all_posteriors_are_a_problem():
    check = compare("exact", REFERENCE, exact_draws(), 0)
    half_large = dict.fromkeys([("mean", str(i)) for i in range(50)], 2.5)
    half_small = dict.fromkeys([("sd", str(i)) for i in range(50)], 0.5)
    many = dataclasses.replace(check, z=half_large | half_small)
    assert check_shares([many]) == ["50.0% of all z are above 2, limit 10.0%"]
    assert check_shares([dataclasses.replace(many, judged=False)]) == []


# --- the command


def test_the_command_prints_a_row_per_posterior_and_succeeds(capsys):
    assert command.main(["--no-sampling", "kidiq-*", "sblrc-blr"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [
        "kidiq-kidscore_interaction",
        "kidiq-kidscore_momhs",
        "sblrc-blr",
    ]
    assert all(line.endswith(" ok") for line in lines[1:-1])


def test_the_command_fails_when_a_check_does(capsys, monkeypatch):
    wrong = command.DensityCheck(6, 1.0, 1.0, ["something is off"])
    monkeypatch.setattr(command, "check_density", lambda reference: wrong)
    assert command.main(["--no-sampling", "sblrc-blr"]) == 1
    assert "FAILED: something is off" in capsys.readouterr().out


def test_an_unknown_posterior_is_an_input_error_that_lists_the_known(capsys):
    with pytest.raises(SystemExit) as exit_:
        command.main(["kidiq-kidscore"])
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert "no posterior is named kidiq-kidscore" in message
    assert "kidiq-kidscore_momhs" in message
