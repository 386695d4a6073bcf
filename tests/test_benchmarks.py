"""The contestants of the benchmarks compute the same log density, and the harness reports what it measured."""

import json
import os
import time

import numpy as np
import pytest

from bayesad import ad
from bayesad.errors import BayesadError
from benchmarks import __main__ as command
from benchmarks import array_functions, densities, functions
from benchmarks.cases import CASES, hierarchical, linear, logistic
from benchmarks.compile import stages
from benchmarks.contestants import COMPILER, bayesad_density, bayesad_value
from benchmarks.gradients import contestants
from benchmarks.models import warm_up
from benchmarks.processes import makespan, peak, run
from benchmarks.report import Figure, Table, save
from benchmarks.sampler import overheads
from benchmarks.timing import Effort, take_turns

SMALL = [
    *[case for case in CASES if case.name in ("eight_schools", "garch", "mixture")],
    linear(50, 5),
    linear(50, 5, rewrites=True),
    logistic(500, 3),
    logistic(160, 40),
    hierarchical(800, 7),
]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_hand_written_c_computes_the_same_log_density_and_gradient(case):
    found = contestants(case, peers=[])  # raises where they differ
    assert ("C" in found) == (COMPILER is not None)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_gradient_of_the_benchmarked_density_agrees_with_finite_differences(case):
    bayesad = contestants(case, peers=[])["bayesad"]
    (q,) = case.points(1)
    direction = np.random.default_rng(1).standard_normal(len(q))
    step = 1e-5
    difference = (bayesad.evaluate(q + step * direction)[0] - bayesad.evaluate(q - step * direction)[0]) / (2 * step)
    np.testing.assert_allclose(bayesad.evaluate(q)[1] @ direction, difference, rtol=1e-6)


def test_the_value_alone_is_the_value_of_the_pair():
    (case,) = [case for case in SMALL if case.name == "mixture"]
    (q,) = case.points(1)
    both, alone = bayesad_density(case.posterior, q), bayesad_value(case.posterior, q)
    assert alone.evaluate(q)[0] == pytest.approx(both.evaluate(q)[0], rel=1e-14)


def test_the_sampler_costs_time_beside_the_gradient():
    whole, gradient = overheads(dimension=3, rounds=3, leapfrogs=2_000)
    assert whole > gradient > 0


def test_stages_of_compiling_are_measured_from_nothing():
    posterior = warm_up(y=[1.0, 2.0])
    first, again = stages(posterior), stages(posterior)
    assert all(time > 0 for time in first.values())
    assert again["trace"] < first["trace"]  # that it has been traced by then shows


def test_a_process_is_timed_to_its_first_word_and_to_its_end(tmp_path):
    code = "import time; print('word', flush=True); time.sleep(0.2); print('end')"
    finished = run(["-c", code], tmp_path)
    assert finished.output.split() == ["word", "end"]
    assert finished.ended > finished.spoke + 0.2
    with pytest.raises(BayesadError, match="boom"):
        run(["-c", "raise SystemExit('boom')"], tmp_path)


def test_the_memory_of_a_process_is_its_own(tmp_path):
    held = bytearray(200_000_000)  # of this process, from which the measured one comes
    assert 50e6 < peak(["-c", "x = bytearray(50_000_000)"], tmp_path) < 150e6 < len(held)
    with pytest.raises(BayesadError, match="exit code 3"):
        peak(["-c", "raise SystemExit(3)"], tmp_path)


def test_tasks_are_spread_over_threads_in_order():
    assert makespan([3, 1, 1, 1], threads=2) == 3
    assert makespan([1, 1, 1, 3], threads=2) == 4
    assert makespan([2.0], threads=4) == 2


def test_a_contestant_that_works_twice_as_much_takes_longer():
    def work(n):
        for _ in range(n):
            sum(range(20_000))

    timings = take_turns({"once": work, "ten times": lambda n: work(10 * n)}, Effort(rounds=5, seconds=0.002))
    assert timings.ratio("ten times", "once") > 2
    assert timings.median("once") > 0


def test_results_of_one_day_gather_in_one_file(tmp_path):
    machine = {"date": time.strftime("%Y-%m-%d"), "name": "somewhere"}
    first = Table("a", "First", ["row", "µs"], [{"row": "x", "µs": 1.5}], [Figure("speed", 1.5, 2.0)])
    save([first], machine, tmp_path)
    file = save([Table("b", "Second", ["row"], [], [Figure("share", 0.5, 0.65, "", at_most=False)])], machine, tmp_path)
    assert list(json.loads(file.read_text())["tables"]) == ["a", "b"]
    text = file.with_suffix(".md").read_text()
    assert "| speed | ≤ 2 × | 1.5 × | yes |" in text
    assert "| share | ≥ 0.65  | 0.5  | no |" in text


def test_command_measures_one_row(capsys, monkeypatch):
    monkeypatch.setattr(command, "ONE_THREAD", {})  # the other tests keep their threads
    assert command.main(["gradients", "--quick", "--only", "eight"]) == 0
    shown = capsys.readouterr().out
    assert "eight schools" in shown
    assert "results:" not in shown


def test_command_names_the_tables_there_are():
    with pytest.raises(SystemExit):
        command.main(["gradient"])


SMALL_FUNCTIONS = {
    "network": (array_functions.network, functions.network(6, (4, 3, 2))),
    "logistic": (densities.logistic, functions.regression(9, 3)),
    "gp": (array_functions.gaussian_process, functions.gaussian_process(7)),
    "lstm": (array_functions.lstm, functions.lstm(2, 1, 1)),
    "gmm": (array_functions.mixture, functions.mixture(9, 3, 2)),
    "bundle": (array_functions.bundle_loss, functions.bundle_vector(3)),
    "ode": (array_functions.predators, functions.predators(4)),
}


@pytest.mark.parametrize("name", SMALL_FUNCTIONS)
def test_benchmarked_functions_have_the_gradient_of_differences(name):
    function, (data, q) = SMALL_FUNCTIONS[name]
    assert name in {function.name for function in functions.FUNCTIONS}
    found = ad.check(lambda q: function(functions.OURS, q, **data), q)
    assert found, str(found)


def test_first_calls_are_measured_with_an_empty_cache_that_is_put_back(monkeypatch):
    monkeypatch.setenv("BAYESAD_CACHE_DIR", "somewhere")
    function, (data, q) = SMALL_FUNCTIONS["network"]
    found = functions.first_calls(functions.Function("small", "small", function, lambda: (data, q)), ["bayesad"])
    assert found.keys() == {"bayesad"} and 0 < found["bayesad"] < 10
    assert os.environ["BAYESAD_CACHE_DIR"] == "somewhere"


def test_the_rows_of_the_bundle_adjustment_are_those_of_its_jacobian():
    data, q = functions.bundle(4)
    (bundle,) = [function for function in functions.FUNCTIONS if function.name == "jacobian"]
    total, rows = functions._rows(bundle, data, q, "bayesad").evaluate(q)
    residuals = array_functions.bundle_residuals(functions.OURS, q, **data)
    np.testing.assert_allclose(total, np.sum(residuals))
    jacobian = ad.jacobian(lambda q: array_functions.bundle_residuals(functions.OURS, q, **data), q)
    own = np.stack([jacobian[:, i, :, i] for i in range(4)], axis=-1)  # an observation varies with its own numbers
    np.testing.assert_allclose(rows, own, rtol=1e-12)
    assert np.count_nonzero(np.abs(jacobian) > 0) <= np.count_nonzero(np.ones_like(own))
    h = 1e-6
    for k in (0, 6, 13):
        step = np.zeros_like(q)
        step[k] = h * np.abs(q[k])
        ahead, behind = (array_functions.bundle_residuals(functions.OURS, q + d, **data) for d in (step, -step))
        np.testing.assert_allclose((ahead - behind) / (2 * step[k]), rows[:, k], rtol=1e-5, atol=1e-6)
