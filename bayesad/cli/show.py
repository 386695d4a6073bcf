"""Prints results: the summary table and the findings, as rich text on a terminal and plain text elsewhere."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bayesad.diagnostics import INTERVAL, Finding, all_is_well, most_telling, shortened

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

GAP = 2
"""Spaces between columns."""

LEAST_LABEL = 16
"""Columns go before labels are cut to less than this."""

LEAST_NEEDED = ("mcse", "ESS tail", "5%", "95%", "sd", "ESS bulk")
"""Headings of the columns that a narrow terminal is spared, in this order."""


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
        _terminal_table(headings, rows)
    else:
        for label, figures in _lines(headings, rows):
            print(f"{label}{figures}".rstrip())
    if len(labels) < len(table):
        where = f"; all are in {more}" if more else ""
        print(f"{len(labels)} of {len(table)} quantities: worst R-hat and ESS first, then single numbers{where}")


def _terminal_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    headings, rows, left_out = _fitted(headings, rows, console.width)
    (_, top), *rest = lines = _lines(headings, rows)
    indent = len(lines[0][0])
    console.print()
    console.print(Text(" " * indent + top, style="bold"), no_wrap=True, crop=False)
    console.print("─" * (indent + len(top)), no_wrap=True, crop=False)
    for label, figures in rest:
        console.print(Text.assemble((label, "bold"), figures), no_wrap=True, crop=False)
    console.print()
    if left_out:
        print(textwrap.fill(f"Not shown, as the terminal is narrow: {', '.join(left_out)}.", console.width))


def _fitted(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> tuple[list[str], list[list[str]], list[str]]:
    """The table in at most `width` characters, and the headings of what had to go.

    Long labels lose their middle, down to `LEAST_LABEL` characters; then columns go, the least needed first.
    Figures are never cut.
    """
    table = [list(headings), *(list(row) for row in rows)]
    label = max(len(row[0]) for row in table)
    left_out = []

    def room() -> int:
        return width - sum(GAP + max(map(len, column)) for column in list(zip(*table, strict=True))[1:])

    for heading in LEAST_NEEDED:
        if room() >= min(label, LEAST_LABEL):
            break
        place = table[0].index(heading)
        table = [row[:place] + row[place + 1 :] for row in table]
        left_out.append(heading)
    length = max(room(), LEAST_LABEL)
    head, *body = [[shortened(row[0], length), *row[1:]] for row in table]
    return head, body, [heading for heading in headings if heading in left_out]


def _lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Label and figures of each line, the headings first, in columns."""
    table = [headings, *rows]
    first, *widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        (label.ljust(first), "".join(" " * GAP + c.rjust(w) for c, w in zip(cells, widths, strict=True)))
        for label, *cells in table
    ]


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
