"""Rewrites: what the whole of a program tells about its data, used before it is differentiated.

A rewrite finds operations of a simplified program that can be had for less, and says in words what it did. Values and
gradients stay as they were to within rounding. They work on data of any size but pay only for a program that runs many
times, so compiled functions and posteriors are rewritten, functions that are traced for one evaluation are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import NamedTuple

from bayesad.ad.program import Program
from bayesad.errors import RewriteError, suggestion

__all__ = ["REWRITES", "Rewrite", "check_names", "rewritten"]


MOST_ROUNDS = 4  # of one rewrite: what it leaves may be rewritten again


class Rewrite(NamedTuple):
    """One rewrite.

    Attributes
    ----------
    name, description : str
    module : str
        Where its function is, of its name: from a program to a function for each node that it replaces (see
        `simplify.replace`), and notes on them. Imported when first used.
    """

    name: str
    description: str
    module: str


REWRITES: dict[str, Rewrite] = {
    rewrite.name: rewrite
    for rewrite in (
        Rewrite(
            "early_work",
            "elementwise work on values gathered from a smaller array is done before they are gathered",
            "gathers",
        ),
        Rewrite(
            "term_by_term",
            "sums are taken term by term: repeated terms are counted, terms linear in unknowns become statistics",
            "sums",
        ),
        Rewrite(
            "linear_gaussian",
            "squares of residuals linear in unknowns are summed over the rows of QR factors of the data",
            "gaussian",
        ),
        Rewrite(
            "distinct_rows",
            "rows of data that are the same are evaluated once and multiplied by their number",
            "rows",
        ),
    )
}
"""By name, in the order in which they are applied."""


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of rewrites, in the order of application.

    Raises
    ------
    RewriteError
        If one is unknown.
    """
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if name not in REWRITES:
            raise RewriteError(
                f"there is no rewrite {name!r}{suggestion(str(name), REWRITES)} (there are {', '.join(REWRITES)})"
            )
    return tuple(name for name in REWRITES if name in given)


def rewritten(program: Program, names: Iterable[str]) -> tuple[Program, list[str]]:
    """A simplified program after some rewrites, and what they did: ``name: what (file:line)``."""
    from bayesad.ad.simplify import replace

    notes: list[str] = []
    for name in names:
        find = getattr(import_module(f"{__name__}.{REWRITES[name].module}"), name)
        for _ in range(MOST_ROUNDS):
            replacements, found = find(program)
            if not replacements:
                break
            program = replace(program, replacements)
            notes += [f"{name}: {note}" for note in found]
    return program, notes
