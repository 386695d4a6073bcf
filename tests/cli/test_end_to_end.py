"""The whole way: a model's file and data become a run folder that `summary` and `plot` understand."""

import json
import signal

import arviz_base
import numpy as np
import pytest

from bayesad.cli.progress import Progress

MODEL = """
import bayesad as ba

@ba.model
def mean_of(y):
    mu = ba.sample("mu", ba.Normal(0, 10))
    ba.sample("y", ba.Normal(mu, 1), obs=y)
"""

Y = [1.0, 2.5, 0.5, 3.0]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "data.json").write_text(json.dumps({"y": Y}))
    return tmp_path


SAMPLE = ("sample", "model.py", "--data", "data.json", "--set", "sampler.seed=4")


def draws_of(folder):
    return arviz_base.convert_to_datatree(str(folder / "posterior.nc"))


def test_sample_then_summary_then_plot(cli, project):
    sampled = cli(*SAMPLE)
    assert sampled.code == 0, sampled.err
    run = project / "runs/mean_of"
    posterior = draws_of(run)["posterior"]
    assert dict(posterior.sizes) == {"chain": 4, "draw": 1000}

    # Conjugate normal: precision 1/100 + n, mean (sum of y) / precision. With the Monte Carlo error of the mean
    # taken from the table, 4.5 standard errors give a false alarm of 7e-6.
    precision = 0.01 + len(Y)
    header, row = (run / "summary.csv").read_text().splitlines()
    figures = dict(zip(header.split(",")[1:], map(float, row.split(",")[1:]), strict=True))
    assert abs(figures["mean"] - sum(Y) / precision) < 4.5 * figures["mcse_mean"]
    assert abs(figures["sd"] - precision**-0.5) < 4.5 * figures["mcse_sd"]

    summarised = cli("summary", "runs/mean_of")
    assert summarised.code == 0
    assert summarised.out.strip() == sampled.out.partition("run folder:")[0].strip()
    plotted = cli("plot", "runs/mean_of", "--output", "again.png")
    assert plotted.code == 0
    assert (project / "again.png").read_bytes().startswith(b"\x89PNG")


def test_the_data_are_written_but_do_not_stay_in_memory_for_the_report(cli, project, monkeypatch):
    from bayesad import diagnostics

    groups = []
    summary = diagnostics.summary
    monkeypatch.setattr(diagnostics, "summary", lambda tree: groups.extend(tree.children) or summary(tree))
    assert cli(*SAMPLE).code == 0
    assert groups == ["posterior", "sample_stats"]
    np.testing.assert_array_equal(draws_of(project / "runs/mean_of")["observed_data"]["y"].values, Y)


def test_a_repeated_run_gives_the_very_same_draws(cli, project):
    cli(*SAMPLE)
    (project / "model.py").unlink()
    (project / "data.json").unlink()
    assert cli("sample", "--config", "runs/mean_of/config.toml").code == 0
    first, second = draws_of(project / "runs/mean_of"), draws_of(project / "runs/mean_of-2")
    np.testing.assert_array_equal(first["posterior"]["mu"].values, second["posterior"]["mu"].values)


def test_static_trajectories_prior_starts_and_kept_warmup(cli, project):
    (project / "run.toml").write_text(
        '[model]\nfile = "model.py"\n[data]\nfile = "data.json"\n'
        '[sampler]\nalgorithm = "hmc"\nn_steps = 5\njitter = 0.5\nmetric = "diagonal"\ninit = "prior"\n'
        'chains = 2\nwarmup = 200\ndraws = 900\nseed = 8\nkeep_warmup = true\n[output]\nfolder = "here"\n'
    )
    result = cli("sample", "--config", "run.toml")
    assert result.code == 0, result.out + result.err
    tree = draws_of(project / "here")
    assert tree["warmup_posterior"]["mu"].shape == (2, 200)
    assert tree["posterior"]["mu"].shape == (2, 900)
    assert (tree["sample_stats"]["n_steps"].values == 5).all()


def test_too_few_draws_are_kept_but_not_trusted(cli, project):
    result = cli(*SAMPLE, "--set", "sampler.draws=20", "--set", "sampler.chains=2")
    assert result.code == 3
    assert "! " in result.out and "All is well" not in result.out
    assert draws_of(project / "runs/mean_of")["posterior"].sizes["draw"] == 20


def interrupt_when(monkeypatch, ready):
    """Press Ctrl-C, once, when a snapshot of the chains is `ready`."""
    pressed = []

    def watch(self, chains):
        if not pressed and ready(chains):
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "__call__", watch)
    return pressed


@pytest.fixture
def slow(project):
    """Data that make each gradient cost some 10 microseconds, so that there is time to press Ctrl-C."""
    np.savez(project / "data.npz", y=np.random.default_rng(1).normal(size=20_000))
    settings = ("sampler.chains=2", "sampler.seed=1", "engine.rewrites=[]")  # rewritten, the rows would cost nothing
    return ("sample", "model.py", "--data", "data.npz", *[part for key in settings for part in ("--set", key)])


def test_ctrl_c_keeps_and_reports_what_was_drawn(cli, project, slow, monkeypatch):
    pressed = interrupt_when(monkeypatch, lambda chains: min(chain.iteration for chain in chains) > 300)
    result = cli(*slow, "--set", "sampler.warmup=100", "--set", "sampler.draws=200000")
    assert pressed and result.code == 130
    kept = draws_of(project / "runs/mean_of")["posterior"].sizes["draw"]
    assert 200 <= kept < 200_000
    assert f"{kept} of 200000 draws each" in result.err
    assert "run folder: runs/mean_of" in result.out
    assert (project / "runs/mean_of/trace.png").is_file()


def test_ctrl_c_during_warmup_leaves_no_folder(cli, project, slow, monkeypatch):
    pressed = interrupt_when(monkeypatch, lambda chains: True)
    result = cli(*slow, "--set", "sampler.warmup=200000", "--set", "sampler.draws=10")
    assert pressed and result.code == 130
    assert not (project / "runs/mean_of").exists()


def test_a_density_that_is_nowhere_finite_is_a_failed_run(cli, project):
    (project / "model.py").write_text(MODEL + '    ba.factor("never", -float("inf") * mu**2)\n')
    result = cli(*SAMPLE)
    assert result.code == 1
    assert result.err.startswith("error: ") and "never" in result.err and "Traceback" not in result.err
    assert not (project / "runs/mean_of").exists()


def test_a_discrete_unknown_is_wrong_input(cli, project):
    (project / "model.py").write_text(MODEL + '    ba.sample("k", ba.Poisson(3.0))\n')
    result = cli(*SAMPLE)
    assert result.code == 2
    assert result.err.startswith("error: ") and "'k'" in result.err and "model.py:8" in result.err


def test_a_model_of_discrete_unknowns_only_leaves_a_complete_run_folder(cli, tmp_path):
    (tmp_path / "model.py").write_text(
        """
import bayesad as ba

@ba.model
def coin(y):
    k = ba.sample("k", ba.Bernoulli(0.5), marginalize=True)
    ba.sample("y", ba.Bernoulli(0.2 + 0.6 * k), obs=y)
"""
    )
    (tmp_path / "data.json").write_text(json.dumps({"y": [1, 1]}))
    sampled = cli(*SAMPLE)
    assert sampled.code == 0, sampled.err
    assert "exact and independent" in sampled.out
    run = tmp_path / "runs/coin"
    assert {"config.toml", "posterior.nc", "summary.csv", "trace.png"} <= {file.name for file in run.iterdir()}
    k = draws_of(run)["posterior"]["k"]
    assert k.shape == (4, 1000)
    chance = 0.64 / 0.68  # Bayes; 5 standard errors give a false alarm of 6e-7
    assert abs(k.mean() - chance) < 5 * np.sqrt(chance * (1 - chance) / 4000)
    assert cli("summary", "runs/coin").code == 0
