"""`bayesad new`: what it writes runs, and mistakes leave nothing behind."""

import csv

import pytest

from bayesad.cli import main


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "table.csv"
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["y", "x", "group"])
        rows.writerows([[0.5 * i + (i % 3), i, "abc"[i % 3]] for i in range(12)])
    return file


def run(folder):
    return main(["sample", "--config", str(folder / "run.toml"), "--set", "sampler.warmup=100", "--set",
                 "sampler.draws=20", "--set", "sampler.chains=2"])  # fmt: skip


def test_the_starting_point_runs_and_all_is_well(tmp_path, capsys):
    folder = tmp_path / "first"
    assert main(["new", str(folder)]) == 0
    assert "bayesad sample --config" in capsys.readouterr().out
    assert main(["sample", "--config", str(folder / "run.toml")]) == 0
    assert (folder / "runs" / "first" / "posterior.nc").is_file()


def test_a_formula_becomes_a_model_that_runs(tmp_path, table, capsys):
    folder = tmp_path / "second"
    given = ["--formula", "y ~ x + (1 | group)", "--data", str(table), "--prior", "x=Normal(0, 1)"]
    assert main(["new", str(folder), *given, "--effects", "noncentred"]) == 0
    source = (folder / "model.py").read_text()
    assert 'ba.sample("x", ba.Normal(0, 1))' in source
    assert 'dims="group"' in source
    assert "def second(y, x, group_index):" in source
    assert 'second = ba.reparameterise(second, {"1|group": "noncentred"})' in source
    assert run(folder) in (0, 3)
    assert "1|group[a]" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["np", "my-model", "class"])
def test_a_name_that_no_function_can_have_is_left_to_the_folder(tmp_path, table, name):
    assert main(["new", str(tmp_path / name), "--formula", "y ~ x", "--data", str(table)]) == 0
    assert "def regression(y, x):" in (tmp_path / name / "model.py").read_text()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--formula", "y ~ x"], "--data FILE"),
        (["--prior", "x=Normal(0, 1)"], "belong to a formula"),
        (["--family", "poisson"], "belong to a formula"),
        (["--effects", "centred"], "belong to a formula"),
        (["--drop-missing"], "belong to a formula"),
        (["--formula", "y ~ z", "--data", "TABLE"], "no column or function 'z'"),
        (["--formula", "y ~ x", "--data", "TABLE", "--prior", "x"], "NAME=LAW"),
        (["--formula", "y ~ x", "--data", "missing.csv"], "does not exist"),
    ],
)
def test_mistakes_write_nothing(tmp_path, table, capsys, given, words):
    folder = tmp_path / "third"
    assert main(["new", str(folder), *(str(table) if word == "TABLE" else word for word in given)]) == 2
    assert words in capsys.readouterr().err
    assert not folder.exists()


def test_a_folder_in_use_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").write_text("mine")
    assert main(["new", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
