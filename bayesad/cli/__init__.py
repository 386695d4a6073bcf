"""The command line: finds the command, runs it, and turns errors into one clear message and an exit code.

A command is a module of this package with `HELP` (one line), `add_arguments(parser)` and `run(arguments) -> exit code`;
it is registered by its row in `COMMANDS`. Command modules import what is heavy inside their functions, so that
`--help` costs nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from bayesad.cli.codes import EXIT_CODES, INTERRUPTED, WELL, code_of
from bayesad.errors import BayesadError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "sample": "bayesad.cli.sample",
    "summary": "bayesad.cli.summary",
    "plot": "bayesad.cli.plot",
}
"""Command -> module. Add a command here."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; `sys.argv` when not given.

    Returns
    -------
    int
        The exit code, see `bayesad.cli.codes`.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has had enough, as in `bayesad summary ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WELL
    except Exception as error:
        if arguments.traceback:
            traceback.print_exc()
        print(f"error: {_message(error)}", file=sys.stderr)
        return code_of(error)


def _message(error: Exception) -> str:
    if isinstance(error, (BayesadError, OSError)):
        return str(error)
    return f"{type(error).__name__}: {error} (unexpected; --traceback shows where)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bayesad",
        description="Bayesian sampling: a model file and data become a posterior, a summary and trace plots.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, path in COMMANDS.items():
        module = import_module(path)
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.add_argument("--traceback", action="store_true", help="show where an error comes from")
        command.set_defaults(run=module.run)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from bayesad.results import version

        print(f"bayesad {version()}")
        parser.exit()
