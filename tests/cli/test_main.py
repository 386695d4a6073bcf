"""The program: help is fast, mistakes give one message and the right exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayesad.cli import COMMANDS, main
from bayesad.results import version

ROOT = Path(__file__).resolve().parents[2]

HEAVY = ("numpy", "scipy", "llvmlite", "xarray", "pandas", "arviz_base", "arviz_stats", "matplotlib", "rich")


@pytest.mark.parametrize("arguments", [["--help"], ["sample", "--help"], ["plot", "--help"], ["--version"]])
def test_help_and_version_from_a_checkout_import_nothing_heavy(arguments):
    program = (
        "import atexit, runpy, sys\n"
        f"sys.argv = ['cli.py', *{arguments!r}]\n"
        "atexit.register(lambda: print('loaded:', *sys.modules))\n"
        f"runpy.run_path({str(ROOT / 'cli.py')!r}, run_name='__main__')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    shown, _, loaded = done.stdout.partition("loaded:")
    assert "bayesad" in shown
    assert "argparse" in loaded.split()
    assert not {name.partition(".")[0] for name in loaded.split()} & set(HEAVY)


def test_a_script_from_a_checkout_gives_the_exit_code():
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "summary", "no-such-folder"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no run folder no-such-folder") and "Traceback" not in done.stderr


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"bayesad {version()}\n"


@pytest.mark.parametrize("arguments", [[], ["smple"], ["sample", "--drows", "3"]])
def test_wrong_arguments_are_wrong_input(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: bayesad" in capsys.readouterr().err


def test_a_misspelt_command_is_told_the_right_one(capsys):
    with pytest.raises(SystemExit):
        main(["smaple"])
    assert "there is no command 'smaple'; did you mean 'sample'? (there are sample, summary" in capsys.readouterr().err


def test_every_command_describes_itself(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


def test_errors_are_one_message_and_traceback_on_request(cli):
    short = cli("summary", "no")
    assert short.code == 2 and short.err.count("\n") == 1 and short.err.startswith("error: ")
    long = cli("summary", "no", "--traceback")
    assert long.code == 2 and "Traceback" in long.err and long.err.endswith(short.err)


def test_unexpected_errors_say_how_to_see_more(cli, monkeypatch):
    import bayesad.results

    def broken(_):
        raise RuntimeError("boom")

    monkeypatch.setattr(bayesad.results, "load_draws", broken)
    (Path.cwd() / "posterior.nc").write_text("x")
    result = cli("summary", "posterior.nc")
    assert result.code == 1
    assert result.err == "error: RuntimeError: boom (unexpected; --traceback shows where)\n"


def test_ctrl_c_is_130(cli, monkeypatch):
    import bayesad.results

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bayesad.results, "load_draws", interrupted)
    (Path.cwd() / "posterior.nc").write_text("x")
    assert cli("summary", "posterior.nc").code == 130
