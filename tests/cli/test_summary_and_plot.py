"""`summary` and `plot` on run folders and on files of draws."""

import re

import pytest

from bayesad.cli import show


@pytest.fixture
def folder(make_draws, tmp_path):
    def make(**keywords):
        (tmp_path / "run").mkdir()
        make_draws(**keywords).to_netcdf(tmp_path / "run" / "posterior.nc", engine="h5netcdf")
        return tmp_path / "run"

    return make


def shift(posterior, stats):
    posterior["mu"][0] += 3


def diverge(posterior, stats):
    stats["diverging"][0, 0] = True


@pytest.mark.parametrize("path", ["run", "run/posterior.nc"])
def test_summary_of_good_draws(cli, folder, path):
    folder()
    result = cli("summary", path)
    assert result.code == 0 and result.err == ""
    assert [line.split()[0] for line in result.out.splitlines()[:4]] == ["mean", "mu", "theta[A]", "theta[B]"]
    assert "All is well: 4 chains agree" in result.out
    assert "\x1b" not in result.out


@pytest.mark.parametrize(("change", "word"), [(shift, "R-hat is above 1.01"), (diverge, "There was 1 divergence")])
def test_summary_of_bad_draws_says_so_and_exits_with_3(cli, folder, change, word):
    folder(change=change)
    result = cli("summary", "run")
    assert result.code == 3
    assert word in re.sub(r"\s+", " ", result.out) and "All is well" not in result.out


def test_summary_of_chosen_parameters_still_judges_all(cli, folder):
    folder(change=shift)
    result = cli("summary", "run", "--parameters", "theta[B]")
    assert result.code == 3
    table = result.out.partition("\n\n")[0]
    assert "theta[B]" in table and "theta[A]" not in table and "mu" not in table
    assert "worst mu" in result.out


def test_unknown_parameters_are_wrong_input(cli, folder):
    folder()
    for command in ("summary", "plot"):
        result = cli(command, "run", "--parameters", "thta")
        assert result.code == 2
        assert "error: there is no parameter 'thta'; did you mean 'theta'?" in result.err


def test_a_long_summary_is_cut_and_says_so(cli, folder, monkeypatch):
    monkeypatch.setattr(show, "MOST_ROWS", 2)
    folder()
    result = cli("summary", "run")
    assert "2 of 3 quantities" in result.out and result.out.count("theta[") == 1


def test_the_table_on_a_terminal_has_the_same_numbers(cli, folder, monkeypatch):
    folder()
    plain = cli("summary", "run").out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = cli("summary", "run").out
    assert not re.search(r"\x1b\[(3|4|9|10)\d", terminal)  # no colours
    terminal = re.sub(r"\x1b\[[\d;]*m", "", terminal)
    row = next(line for line in plain.splitlines() if line.startswith("theta[B]"))
    assert any(line.split() == row.split() for line in terminal.splitlines())


def test_plot_writes_beside_the_draws_or_where_told(cli, folder):
    run = folder()
    result = cli("plot", "run")
    assert result.code == 0 and result.out.strip() == "run/trace.png"
    assert (run / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert cli("plot", "run", "--parameters", "mu", "--output", "mu.png").code == 0
    assert (run.parent / "mu.png").is_file()


def test_a_plot_that_cannot_be_written_is_a_failed_run(cli, folder):
    folder()
    result = cli("plot", "run", "--output", "no/such/folder/x.png")
    assert result.code == 1 and "error: cannot write no/such/folder/x.png: No such file or directory\n" in result.err


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (1.23456, 0.0123, "1.235"),
        (1.23456, 0.123, "1.23"),
        (123.456, 45.6, "123"),
        (0.0123, 45.6, "0"),
        (8.0, 0.0, "8"),
        (8.0, float("nan"), "8"),
        (float("nan"), 0.1, "nan"),
        (1.23456e9, 1e5, "1.235e+09"),
    ],
)
def test_figures_have_as_many_decimals_as_their_error_allows(x, error, text):
    assert show._statistic({"mean": x, "mcse_mean": error}, "mean") == text


@pytest.mark.parametrize(("width", "gone"), [(160, []), (80, ["mcse", "ESS tail"]), (35, list(show.LEAST_NEEDED))])
def test_a_narrow_terminal_keeps_labels_and_whole_figures(width, gone):
    headings = ["", *(heading for _, heading, _ in show.COLUMNS)]
    figures = ["-1764102", "1021212", "-1764102", "1731635", "7.676e-08", "3064", "858", "1.002"]
    labels = ["mu", "a_rather_long_name[first, 0]", "a_rather_long_name[second, 1]"]
    head, rows, left_out = show._fitted(headings, [[label, *figures] for label in labels], width)
    assert sorted(left_out) == sorted(gone)
    assert max(len(label + text) for label, text in show._lines(head, rows)) <= width
    assert [row[1:] for row in rows] == [[f for f, h in zip(figures, headings[1:], strict=True) if h in head]] * 3
    assert [row[0][:2] for row in rows] == ["mu", "a_", "a_"] and [row[0][-3:] for row in rows[1:]] == [" 0]", " 1]"]
