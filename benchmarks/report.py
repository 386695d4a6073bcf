"""Tables of measurements and the figures to reach: printed, and kept as JSON and Markdown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

__all__ = ["Cell", "Figure", "Table", "save", "show"]

Cell = float | int | str | None


@dataclass(frozen=True)
class Figure:
    """Something to reach.

    Attributes
    ----------
    what : str
    measured, limit : float
    unit : str
    at_most : bool
        Whether the limit is the largest value that will do, else the smallest.
    """

    what: str
    measured: float
    limit: float
    unit: str = "×"
    at_most: bool = True

    @property
    def reached(self) -> bool:
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit

    @property
    def target(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {number(self.limit)} {self.unit}"


@dataclass
class Table:
    """One table of measurements.

    Attributes
    ----------
    name, title : str
    columns : sequence of str
    rows : list of dict
        Column -> number or text; what is missing was not measured.
    figures : list of Figure
    note : str
        How it was measured.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: list[dict[str, Cell]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    note: str = ""


def number(x: Cell) -> str:
    """A cell as text: three significant digits, no exponent."""
    if x is None:
        return "–"
    if isinstance(x, (str, int)) or x != x:
        return str(x)
    return f"{x:.0f}" if abs(x) >= 100 else f"{float(f'{x:.3g}'):g}"


def show(table: Table, console: Console) -> None:
    """Print a table and its figures."""
    grid = Grid(title=table.title, title_justify="left", caption=table.note or None, caption_justify="left")
    for i, column in enumerate(table.columns):
        grid.add_column(escape(column), justify="right" if i else "left", no_wrap=i == 0)
    for row in table.rows:
        grid.add_row(*[escape(number(row.get(column))) for column in table.columns])
    console.print(grid)
    if table.figures:
        console.print(_figures(table.figures))


def _figures(figures: Sequence[Figure]) -> Grid:
    grid = Grid("to reach", "target", "measured", "")
    for figure in figures:
        verdict = "reached" if figure.reached else "[bold]not reached[/bold]"
        grid.add_row(escape(figure.what), figure.target, f"{number(figure.measured)} {figure.unit}", verdict)
    return grid


def save(tables: Sequence[Table], machine: dict[str, Any], folder: Path) -> Path:
    """Write DATE-MACHINE.json and .md; tables that an earlier run of the day left there are kept unless run again.

    Returns
    -------
    Path
        Of the JSON file.
    """
    folder.mkdir(exist_ok=True)
    file = folder / f"{machine['date']}-{machine['name']}.json"
    known = json.loads(file.read_text())["tables"] if file.exists() else {}
    known |= {table.name: dataclasses.asdict(table) for table in tables}
    file.write_text(json.dumps({"machine": machine, "tables": known}, indent=1, ensure_ascii=False) + "\n")
    file.with_suffix(".md").write_text(_markdown(machine, [_table(entry) for entry in known.values()]))
    return file


def _table(entry: dict[str, Any]) -> Table:
    return Table(**{**entry, "figures": [Figure(**figure) for figure in entry["figures"]]})


def _markdown(machine: dict[str, Any], tables: Sequence[Table]) -> str:
    figures = [figure for table in tables for figure in table.figures]
    parts = [f"# Benchmarks of {machine['date']}", ", ".join(f"{key} {value}" for key, value in machine.items())]
    parts += ["## Figures to reach", _grid(["", "target", "measured", "reached"], [_verdict(f) for f in figures])]
    for table in tables:
        rows = [[number(row.get(column)) for column in table.columns] for row in table.rows]
        parts += [f"## {table.title}", _grid(table.columns, rows)] + [table.note] * bool(table.note)
    return "\n\n".join(parts) + "\n"


def _verdict(figure: Figure) -> list[str]:
    return [figure.what, figure.target, f"{number(figure.measured)} {figure.unit}", "yes" if figure.reached else "no"]


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(columns), ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
