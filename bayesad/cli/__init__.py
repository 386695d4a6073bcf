"""The command line: finds the command, runs it, and turns errors into one clear message and an exit code.

A command is a module of this package with a docstring, `add_arguments(parser)` and `run(arguments) -> exit code`; it is
registered by its row in `COMMANDS`. Only the module of the command that is called is imported, and it imports what is
heavy inside its functions, so that `--help` costs nothing.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from bayesad.cli.codes import EXIT_CODES, INTERRUPTED, WELL, code_of
from bayesad.errors import BayesadError, suggestion

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "sample": ("bayesad.cli.sample", "draw from a model's posterior"),
    "summary": ("bayesad.cli.summary", "summarise a run folder or a file of draws"),
    "plot": ("bayesad.cli.plot", "draw the trace plot of a run folder or a file of draws"),
    "inspect": ("bayesad.cli.inspect", "show what a model's log density is compiled to"),
    "new": ("bayesad.cli.new", "write a model, its data and a configuration to start from"),
    "cache": ("bayesad.cli.cache", "show or clear the cache of compiled models"),
}
"""Command -> its module and its help in one line. Add a command here."""


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
    if argv is None:
        argv = sys.argv[1:]
        gc.set_threshold(50_000, 20, 50)  # imports and traces make many objects to search and hardly any garbage
    parser = _parser(next((word for word in argv if word in COMMANDS), None))
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        parser.error(
            f"there is no command {argv[0]!r}{suggestion(argv[0], COMMANDS)} (there are {', '.join(COMMANDS)})"
        )
    arguments = parser.parse_args(argv)
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


def _parser(called: str | None) -> argparse.ArgumentParser:
    """The parser of all commands; only the one that is called knows its arguments."""
    parser = argparse.ArgumentParser(
        prog="bayesad",
        description="Bayesian sampling: a model file and data become a posterior, a summary and trace plots.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (path, summary) in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == called:
            module = import_module(path)
            command.description = module.__doc__
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
