"""The command line: finds the command, runs it, and turns errors into one clear message and an exit code.

A command is a module of this package with `HELP` (one line), `add_arguments(parser)` and `run(arguments) -> exit code`;
it is registered by its row in `COMMANDS`. Command modules import what is heavy inside their functions, so that
`--help` costs nothing.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from bayesad.errors import BayesadError, InitialisationError

__all__ = ["COMMANDS", "INTERRUPTED", "RUN_FAILED", "UNTRUSTED", "WELL", "WRONG_INPUT", "main"]

WELL, RUN_FAILED, WRONG_INPUT, UNTRUSTED, INTERRUPTED = 0, 1, 2, 3, 130

COMMANDS = {
    "sample": "bayesad.cli.sample",
    "summary": "bayesad.cli.summary",
    "plot": "bayesad.cli.plot",
}
"""Command -> module. Add a command here."""

EXIT_CODES = (
    "exit codes: 0 well; 1 the run failed; 2 the input was wrong; 3 drawn, but the diagnostics say not to "
    "trust it; 130 interrupted"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; `sys.argv` when not given.

    Returns
    -------
    int
        The exit code, see `EXIT_CODES`.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has had enough, as in `bayesad summary ... | head`
        sys.stderr.close()
        return WELL
    except Exception as error:
        if arguments.traceback:
            traceback.print_exc()
        print(f"error: {_message(error)}", file=sys.stderr)
        return _exit_code(error)


def _message(error: Exception) -> str:
    if isinstance(error, BayesadError):
        return str(error)
    return f"{type(error).__name__}: {error} (unexpected; --traceback shows where)"


def _exit_code(error: Exception) -> int:
    """Errors on purpose are the input's, except where the run itself or its files failed."""
    failed = isinstance(error, (InitialisationError, OSError)) or not isinstance(error, BayesadError)
    return RUN_FAILED if failed else WRONG_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bayesad",
        description="Bayesian sampling: a model file and data become a posterior, a summary and trace plots.",
        epilog=EXIT_CODES,
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
