"""Rewrites: what the whole of a program tells about its data, used before it is differentiated.

A rewrite finds operations of a simplified program that can be had for less, and says in words what it did. Values and
gradients stay as they were to within rounding. They work on data of any size but pay only for a program that runs many
times, so compiled functions and posteriors are rewritten, functions that are traced for one evaluation are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bayesad.ad.program import Node, Program
from bayesad.ad.rewrites.gathers import early_work
from bayesad.ad.rewrites.gaussian import linear_gaussian
from bayesad.ad.rewrites.rows import distinct_rows
from bayesad.ad.rewrites.sums import term_by_term
from bayesad.ad.simplify import Replacement, replace
from bayesad.errors import RewriteError, suggestion

__all__ = ["REWRITES", "Rewrite", "check_names", "rewritten"]


MOST_ROUNDS = 4  # of one rewrite: what it leaves may be rewritten again


@dataclass(frozen=True)
class Rewrite:
    """One rewrite.

    Attributes
    ----------
    name, description : str
    find : callable
        From a program to a function for each node that it replaces (see `simplify.replace`), and notes on them.
    """

    name: str
    description: str
    find: Callable[[Program], tuple[dict[Node, Replacement], list[str]]]


REWRITES: dict[str, Rewrite] = {
    rewrite.name: rewrite
    for rewrite in (
        Rewrite(
            "early_work",
            "elementwise work on values gathered from a smaller array is done before they are gathered",
            early_work,
        ),
        Rewrite(
            "term_by_term",
            "sums are taken term by term: repeated terms are counted, terms linear in unknowns become statistics",
            term_by_term,
        ),
        Rewrite(
            "linear_gaussian",
            "squares of residuals linear in unknowns are summed over the rows of QR factors of the data",
            linear_gaussian,
        ),
        Rewrite(
            "distinct_rows",
            "rows of data that are the same are evaluated once and multiplied by their number",
            distinct_rows,
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
    notes: list[str] = []
    for name in names:
        for _ in range(MOST_ROUNDS):
            replacements, found = REWRITES[name].find(program)
            if not replacements:
                break
            program = replace(program, replacements)
            notes += [f"{name}: {note}" for note in found]
    return program, notes
