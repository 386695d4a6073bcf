"""`sample`: from a model's file to a run folder; whatever goes wrong, what was drawn is kept."""

import json
import re
import signal
from types import SimpleNamespace

import arviz_base
import pytest

from bayesad.ad import REWRITES
from bayesad.cli import sample
from bayesad.config import load_config

MODEL = """
import bayesad as ba

@ba.model
def schools(y, sigma):
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.LogNormal(0, 1))
    z = ba.sample("z", ba.Normal(0, 1), dims="school")
    ba.deterministic("theta", mu + tau * z, dims="school")
    ba.sample("y", ba.Normal(mu + tau * z, sigma), obs=y)
"""

DATA = {"J": 3, "y": [1.0, 2.0, 3.0], "sigma": [1.0, 1.0, 1.0]}

CONFIG = """
[model]
file = "schools.py"
[data]
file = "schools.json"
[coords]
school = ["A", "B", "C"]
[sampler]
chains = 2
warmup = 300
draws = 400
seed = 3
[output]
folder = "out/schools"
"""


@pytest.fixture
def project(tmp_path):
    """A model with data and a configuration, in the working directory of `cli`."""
    (tmp_path / "schools.py").write_text(MODEL)
    (tmp_path / "schools.json").write_text(json.dumps(DATA))
    (tmp_path / "run.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    """Replace the sampling itself by given draws; what it was called with is recorded."""
    calls = []

    def replace(result):
        def draw(posterior, config):
            calls.append(SimpleNamespace(posterior=posterior, config=config))
            if isinstance(result, BaseException):
                raise result
            return result

        monkeypatch.setattr(sample, "_draw", draw)
        return calls

    return replace


def files_of(folder):
    return {file.name for file in folder.iterdir()}


ALL_FILES = {"config.toml", "model.py", "data.json", "fingerprint.json", "posterior.nc", "summary.csv", "trace.png"}


# --- the folder ---


def test_a_good_run_fills_the_folder_and_says_all_is_well(cli, project, drawn, make_draws):
    calls = drawn(make_draws())
    result = cli("sample", "--config", "run.toml")
    assert result.code == 0, result.err
    assert files_of(project / "out/schools") == ALL_FILES
    assert result.out.splitlines()[0].split()[:2] == ["mean", "sd"]
    assert "All is well" in result.out
    assert result.out.splitlines()[-2:] == ["run folder: out/schools", "trace plot: out/schools/trace.png"]
    assert "data that the model does not use: J" in result.err
    assert calls[0].config.sampler.draws == 400
    assert (project / "out/schools/summary.csv").read_text().startswith("quantity,mean,sd,")


def test_the_configuration_chooses_the_rewrites(cli, project, drawn, make_draws):
    calls = drawn(make_draws())
    cli("sample", "--config", "run.toml")
    cli("sample", "--config", "run.toml", "--set", "engine.rewrites=[]")
    cli("sample", "--config", "out/schools-2/config.toml")
    assert [call.posterior.rewrites for call in calls] == [tuple(REWRITES), (), ()]


def test_the_run_can_be_repeated_from_its_folder(cli, project, drawn, make_draws):
    calls = drawn(make_draws())
    cli("sample", "--config", "run.toml", "--set", "sampler.draws=77")
    for file in ("schools.py", "schools.json", "run.toml"):
        (project / file).unlink()
    result = cli("sample", "--config", "out/schools/config.toml")
    assert result.code == 0, result.err
    first, second = (call.config for call in calls)
    assert second.sampler == first.sampler and second.coords == first.coords
    assert files_of(project / "out/schools-2") == ALL_FILES
    prints = [
        json.loads((project / name / "fingerprint.json").read_text()) for name in ("out/schools", "out/schools-2")
    ]
    assert prints[0] == prints[1]


def test_a_seed_that_was_not_given_is_recorded(cli, project, drawn, make_draws):
    calls = drawn(make_draws())
    for folder in ("a", "b"):
        cli("sample", "schools.py", "--data", "schools.json", "--set", "coords.school=3", "--folder", folder)
    seeds = [load_config(project / folder / "config.toml").sampler.seed for folder in ("a", "b")]
    assert seeds == [call.config.sampler.seed for call in calls]
    assert None not in seeds and seeds[0] != seeds[1]


def test_without_a_folder_the_runs_are_named_after_the_model(cli, project, drawn, make_draws):
    drawn(make_draws())
    result = cli("sample", "schools.py", "--data", "schools.json", "--set", "coords.school=3")
    assert "run folder: runs/schools\n" in result.out


def test_data_may_stand_in_the_configuration(cli, project, drawn, make_draws):
    calls = drawn(make_draws())
    result = cli(
        "sample", "schools.py", "--set", "data.y=[1, 2]", "--set", "data.sigma=1.0", "--set", "coords.school=2"
    )
    assert result.code == 0, result.err
    assert calls[0].posterior.observed_data["y"].tolist() == [1, 2]
    assert not (project / "runs/schools/data.json").exists()


# --- verdicts and failures ---


def diverge(posterior, stats):
    stats["diverging"][0, 0] = True


def test_draws_not_to_be_trusted_are_kept_and_exit_with_3(cli, project, drawn, make_draws):
    drawn(make_draws(diverge))
    result = cli("sample", "--config", "run.toml")
    assert result.code == 3
    assert "There was 1 divergence" in result.out
    assert files_of(project / "out/schools") == ALL_FILES


def test_an_interrupted_run_keeps_and_reports_what_was_drawn(cli, project, drawn, make_draws):
    drawn(make_draws(draws=100))
    result = cli("sample", "--config", "run.toml")
    assert result.code == 130
    assert files_of(project / "out/schools") == ALL_FILES
    assert "run folder: out/schools" in result.out


def test_an_interruption_before_the_first_draw_leaves_nothing(cli, project, drawn, make_draws):
    drawn(make_draws(draws=0))
    result = cli("sample", "--config", "run.toml")
    assert result.code == 130 and "nothing to keep" in result.err
    assert not (project / "out/schools").exists()
    drawn(KeyboardInterrupt())
    assert cli("sample", "--config", "run.toml").code == 130
    assert not (project / "out/schools").exists()


@pytest.mark.parametrize("function", ["plot_trace", "save_trace"])
def test_a_plot_that_fails_costs_no_draws(cli, project, drawn, make_draws, monkeypatch, function):
    drawn(make_draws())

    def broken(*_, **__):
        raise ValueError("no ink")

    monkeypatch.setattr(f"bayesad.plots.{function}", broken)
    result = cli("sample", "--config", "run.toml")
    assert result.code == 1
    safe = "the draws are safe in out/schools/posterior.nc"
    assert result.err.splitlines()[-1] == f"error: the report failed (ValueError: no ink); {safe}"
    assert "All is well" in result.out
    assert files_of(project / "out/schools") == ALL_FILES - {"trace.png"}


def test_the_plot_comes_after_everything_else(cli, project, drawn, make_draws, monkeypatch, capsys):
    drawn(make_draws())
    before = []

    def plot(*_, **__):
        before.append((capsys.readouterr().out, files_of(project / "out/schools")))
        raise KeyboardInterrupt

    monkeypatch.setattr("bayesad.plots.plot_trace", plot)
    assert cli("sample", "--config", "run.toml").code == 130
    ((printed, files),) = before
    assert "All is well" in printed and printed.endswith("run folder: out/schools\n")
    assert files == ALL_FILES - {"trace.png"}


def test_a_summary_that_fails_costs_no_draws(cli, project, drawn, make_draws, monkeypatch):
    drawn(make_draws())

    def broken(*_, **__):
        raise ValueError("no numbers")

    monkeypatch.setattr("bayesad.diagnostics.summary", broken)
    result = cli("sample", "--config", "run.toml")
    assert result.code == 1 and "the draws are safe in out/schools/posterior.nc" in result.err
    assert arviz_base.convert_to_datatree("out/schools/posterior.nc")["posterior"].sizes["draw"] == 1000


def test_ctrl_c_during_the_report_costs_no_draws(cli, project, drawn, make_draws, monkeypatch):
    drawn(make_draws())

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bayesad.plots.plot_trace", interrupted)
    result = cli("sample", "--config", "run.toml")
    assert result.code == 130 and "the draws are safe in out/schools/posterior.nc" in result.err


def test_ctrl_c_while_the_draws_are_written_costs_no_draws(cli, project, drawn, make_draws, monkeypatch):
    tree = make_draws()
    drawn(tree)
    write = type(tree).to_netcdf

    def impatient(*arguments, **keywords):
        signal.raise_signal(signal.SIGINT)
        return write(*arguments, **keywords)

    monkeypatch.setattr(type(tree), "to_netcdf", impatient)
    assert cli("sample", "--config", "run.toml").code == 0
    assert files_of(project / "out/schools") == ALL_FILES
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_starting_point_is_a_failed_run_and_leaves_no_folder(cli, project, drawn):
    from bayesad.errors import InitialisationError

    drawn(InitialisationError("no finite starting point: term y"))
    result = cli("sample", "--config", "run.toml")
    assert result.code == 1 and result.err.endswith("error: no finite starting point: term y\n")
    assert not (project / "out/schools").exists()


# --- wrong input ---


def wrong(cli, *arguments):
    result = cli("sample", *arguments)
    assert result.code == 2, result.err
    assert "Traceback" not in result.err and not re.search(r"bayesad/\w+\.py", result.err)
    return result.err


def test_wrong_inputs_are_named(cli, project):
    assert "no model: name its file" in wrong(cli)
    assert "no.py does not exist" in wrong(cli, "no.py")
    assert "needs 'y'" in wrong(cli, "schools.py")
    assert "no.json does not exist" in wrong(cli, "schools.py", "--data", "no.json")
    assert "cannot read the configuration no.toml" in wrong(cli, "--config", "no.toml")
    assert "sampler.draws is 0" in wrong(cli, "--config", "run.toml", "--set", "sampler.draws=0")
    assert "mu has shape (5,), sigma has shape (3,)" in wrong(cli, "--config", "run.toml", "--set", "coords.school=5")
    assert not (project / "out").exists() and not (project / "runs").exists()


def test_errors_of_the_models_own_code_show_its_line(cli, project):
    broken = MODEL.replace("    tau =", "    scale = {}['scale']\n    tau =")
    (project / "schools.py").write_text(broken)
    message = wrong(cli, "--config", "run.toml")
    line = broken.splitlines().index("    scale = {}['scale']") + 1
    assert "KeyError: 'scale'" in message
    assert f"schools.py:{line}" in message


def test_errors_of_tracing_show_the_models_line(cli, project):
    broken = MODEL.replace("    tau =", "    size = float(mu)\n    tau =")
    (project / "schools.py").write_text(broken)
    message = wrong(cli, "--config", "run.toml")
    line = broken.splitlines().index("    size = float(mu)") + 1
    assert "cannot be turned into a Python float" in message
    assert message.count(f"schools.py:{line}: size = float(mu)") == 1
