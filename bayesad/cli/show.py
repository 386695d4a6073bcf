"""Prints results: the summary table and the findings, as rich text on a terminal and plain text elsewhere."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bayesad.diagnostics import INTERVAL, Finding, all_is_well, most_telling

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["show_findings", "show_table"]

MOST_ROWS = 30
"""Most rows of the summary that are printed."""


def _statistic(row: Mapping[str, float], name: str) -> str:
    """A figure with the decimals that its Monte Carlo error (two digits of it) leaves meaningful."""
    x, error = row[name], row["mcse_mean"]
    if not (math.isfinite(x) and math.isfinite(error) and error > 1e-6 and abs(x) < 1e7):
        return f"{x:.4g}"
    return f"{x:.{max(1 - math.floor(math.log10(error)), 0)}f}"


def _effective(row: Mapping[str, float], name: str) -> str:
    return "-" if math.isnan(row[name]) else f"{row[name]:.0f}"


def _r_hat(row: Mapping[str, float], name: str) -> str:
    return "-" if math.isnan(row[name]) else f"{row[name]:.3f}"


_TAIL = round(50 * (1 - INTERVAL))

COLUMNS: tuple[tuple[str, str, Callable[[Mapping[str, float], str], str]], ...] = (
    ("mean", "mean", _statistic),
    ("sd", "sd", _statistic),
    ("eti90_lb", f"{_TAIL}%", _statistic),
    ("eti90_ub", f"{100 - _TAIL}%", _statistic),
    ("mcse_mean", "mcse", _statistic),
    ("ess_bulk", "ESS bulk", _effective),
    ("ess_tail", "ESS tail", _effective),
    ("r_hat", "R-hat", _r_hat),
)
"""Column of the summary, its heading, and how its figures are written."""


def show_table(table: pd.DataFrame, more: str = "") -> None:
    """Print the summary, at most `MOST_ROWS` rows of it.

    Parameters
    ----------
    table : DataFrame
    more : str
        Where the whole table is, for the line that says what was left out.
    """
    labels = most_telling(table, MOST_ROWS)
    headings = ["", *(heading for _, heading, _ in COLUMNS)]
    rows = [[label, *(form(table.loc[label], name) for name, _, form in COLUMNS)] for label in labels]
    if sys.stdout.isatty():
        _rich_table(headings, rows)
    else:
        _plain_table(headings, rows)
    if len(labels) < len(table):
        where = f"; all are in {more}" if more else ""
        print(f"{len(labels)} of {len(table)} quantities: worst R-hat and ESS first, then single numbers{where}")


def _rich_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    view = Table(box=SIMPLE_HEAD, pad_edge=False)
    for i, heading in enumerate(headings):
        view.add_column(heading, justify="left" if i == 0 else "right", no_wrap=i > 0)
    for label, *cells in rows:
        view.add_row(Text(label, style="bold"), *cells)
    Console().print(view)


def _plain_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for label, *cells in [headings, *rows]:
        line = "  ".join([label.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))])
        print(line.rstrip())


def show_findings(findings: Sequence[Finding], table: pd.DataFrame, chains: int) -> None:
    """Print what is wrong and what to try, or the one line that says all is well."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    print()
    if not findings:
        print(textwrap.fill(all_is_well(table, chains), width))
    for finding in findings:
        mark = "!" if finding.severity == "distrust" else "-"
        text = f"{mark} {finding.sentence} {finding.remedy}"
        print(textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
    print()
