"""Fixtures of the command-line tests: a way to call it, and draws as a sampler leaves them."""

from types import SimpleNamespace

import numpy as np
import pytest

from bayesad.cli import main
from bayesad.results import to_datatree


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Call the command line in an empty folder; its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture
def make_draws():
    """A DataTree of independent draws; `change(posterior, stats)` puts defects into it."""

    def make(change=lambda posterior, stats: None, chains=4, draws=1000, **attributes):
        rng = np.random.default_rng(1)
        posterior = {"mu": rng.normal(size=(chains, draws)), "theta": rng.normal(size=(chains, draws, 2))}
        stats = {"diverging": np.zeros((chains, draws), bool), "energy": rng.normal(size=(chains, draws))}
        change(posterior, stats)
        groups = {"posterior": posterior, "sample_stats": stats}
        return to_datatree(groups, dims={"theta": ["k"]}, coords={"k": ["A", "B"]}, attributes=attributes)

    return make
