"""`inspect` shows every stage of a model's log density, `cache` what is kept of it."""

import json

import pytest

from bayesad.ad.backends.llvm import cache

MODEL = """
import numpy as np
import bayesad as ba

@ba.model
def mean_of(y):
    mu = ba.sample("mu", ba.Normal(0, 10))
    ba.sample("y", ba.Normal(np.sinh(mu), 1), obs=y)
"""

MARKS = {
    "trace": (["sinh(", '# model.py:8  ba.sample("y"', "return "], ["cosh("]),
    "gradient": (["sinh(", "cosh(", "# model.py:8", "return "], []),
    "fused": (["scalars", "sinh(", "cosh(", "# model.py:8", "callbacks: 0"], []),
    "llvm": (["define ", "@run("], ["# model.py"]),
    "asm": (["run:", "ret"], ["define "]),
}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "data.json").write_text(json.dumps({"y": [1.0, 2.5, 0.5]}))
    (tmp_path / "run.toml").write_text('[model]\nfile = "model.py"\n[data]\nfile = "data.json"\n')
    return tmp_path


@pytest.mark.parametrize("stage", MARKS)
def test_every_stage_is_shown(cli, project, stage):
    by_options = cli("inspect", "model.py", "--data", "data.json", "--stage", stage)
    assert by_options.code == 0, by_options.err
    there, absent = MARKS[stage]
    assert all(mark in by_options.out for mark in there)
    assert not any(mark in by_options.out for mark in absent)
    assert cli("inspect", "--config", "run.toml", "--stage", stage).out == by_options.out


def test_the_trace_is_what_is_shown_without_a_stage(cli, project):
    assert cli("inspect", "--config", "run.toml").out == cli("inspect", "--config", "run.toml", "--stage", "trace").out


def test_times_are_measured_of_the_fused_loops(cli, project):
    found = cli("inspect", "--config", "run.toml", "--time")
    assert found.code == 0, found.err
    assert "times: each step compiled alone" in found.out and "Gflop/s" in found.out
    assert "\x1b[" not in found.out  # not a terminal
    refused = cli("inspect", "--config", "run.toml", "--time", "--stage", "asm")
    assert refused.code == 2 and "measured of the loops of stage 'fused'" in refused.err


def test_mistakes_are_named_as_for_sample(cli, project):
    assert "needs 'y'" in cli("inspect", "model.py").err
    (project / "model.py").write_text(MODEL.replace("mu = ", "{}['no such key']\n    mu = "))
    result = cli("inspect", "--config", "run.toml")
    assert result.code == 2 and "KeyError" in result.err and "model.py:7" in result.err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESAD_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_empty_cache_is_no_mistake(cli, folder):
    result = cli("cache")
    assert result.code == 0
    assert result.out.splitlines()[:2] == [f"folder   {folder}", "entries  0"]
    assert result.out.splitlines()[2].startswith("size     0 bytes of at most ")
    assert cli("cache", "--clear").out == f"0 bytes freed in {folder}\n"


def test_the_cache_is_shown_and_cleared(cli, folder):
    for key, entry in {"a": bytes(3000), "b": bytes(200_000)}.items():
        cache.write(key, entry)
    size = sum(file.stat().st_size for file in folder.iterdir())
    shown = cli("cache").out.splitlines()
    assert shown[1] == "entries  2"
    assert shown[2] == f"size     {size / 1024:.3g} KiB of at most {cache.LIMIT / 2**20:.3g} MiB"
    assert cli("cache", "--clear").out == f"{size / 1024:.3g} KiB freed in {folder}\n"
    assert list(folder.iterdir()) == [] and cache.read("a") is None


def test_what_cannot_be_removed_is_said(cli, folder, monkeypatch):
    cache.write("a", b"entry")
    monkeypatch.setattr("os.unlink", lambda path: (_ for _ in ()).throw(PermissionError(path)))
    result = cli("cache", "--clear")
    assert result.code == 1
    assert "0 bytes freed" in result.out and "1 entry could not be removed" in result.out
