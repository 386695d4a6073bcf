"""Progress: sparse plain lines, or a table on a terminal."""

from types import SimpleNamespace

import pytest

from bayesad.cli.progress import PLAIN_INTERVAL, Progress, _left, _line, _short, _table


def chain(iteration=500, phase="warmup", **other):
    values = {"divergences": 2, "step_size": 0.1234, "tree_depth": 3, "leapfrogs": 5000, "total": 2000}
    return SimpleNamespace(phase=phase, iteration=iteration, **values | other)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_plain_lines_are_sparse(capsys):
    clock = Clock()
    with Progress(clock) as progress:
        for _ in range(25):
            clock.now += 1.0
            progress([chain(), chain(iteration=700)])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 25 // PLAIN_INTERVAL
    assert captured.err.startswith("10 s: warmup, 1200 of 4000 iterations, 4 divergences, 1k gradients/s, 0:30 left\n")


def test_a_short_run_says_nothing(capsys):
    clock = Clock()
    with Progress(clock) as progress:
        progress([chain()])
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_row_per_chain():
    from rich.console import Console

    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(_table([chain(), chain(iteration=1500, phase="sampling", divergences=0)], 2.0))
    rows = console.export_text().splitlines()
    first = next(row for row in rows if row.strip().startswith("0 warmup"))
    assert first.split()[-6:] == ["500/2000", "2", "0.123", "3", "2.5k", "0:06"]
    second = next(row for row in rows if row.strip().startswith("1 sampling"))
    assert second.split()[-6:] == ["1500/2000", "0", "0.123", "3", "2.5k", "0:01"]
    assert "…" not in "".join(rows)


@pytest.mark.parametrize(
    ("iteration", "elapsed", "text"), [(0, 5.0, ""), (2000, 5.0, "done"), (1000, 90.0, "1:30"), (1, 10.0, "5:33:10")]
)
def test_time_left(iteration, elapsed, text):
    assert _left(chain(iteration), elapsed) == text


@pytest.mark.parametrize(("x", "text"), [(0, "0"), (999, "999"), (1234, "1.23k"), (45.6e6, "45.6M"), (2e9, "2G")])
def test_rates_are_short(x, text):
    assert _short(x) == text


def test_nothing_done_yet_is_no_crash():
    assert "unknown left" in _line([chain(iteration=0, leapfrogs=0)], 0.0)
