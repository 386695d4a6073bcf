"""From nothing to draws, a summary and plots: eight schools, 4 chains of 1000 + 1000 iterations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.options import Options
from benchmarks.processes import ROOT, Finished, caches, run
from benchmarks.report import Cell, Figure, Table

__all__ = ["table"]

COLUMNS = ["what", "median ms", "least ms", "processor ms"]
WARM, CACHED, COLD = (
    "again in one process → draws",
    "process start → draws, cached",
    "process start → draws, empty cache",
)
SUMMARY = "bayesad sample → summary, cached"
MOST = {WARM: 20.0, CACHED: 250.0, COLD: 600.0, SUMMARY: 2500.0}
NOTE = (
    "Wall time; beside it the processor time of all threads, to which other programs do not add. Draws: in memory, "
    "without the DataTree. Python's bytecode is on disk. bayesad sample: to the printed summary, when draws and "
    "summary are in the run folder; and to its end, with plots."
)


def table(options: Options) -> Table:
    """Measure everything; the options choose how often."""
    result = Table("startup", "Eight schools, 4 × (1000 + 1000)", COLUMNS, note=NOTE)
    options.say("eight schools from the start")
    repeats = range(3 if options.quick else 11)
    with caches() as folder:
        filled = folder / "filled"
        _command(filled, folder / "first")
        warm = json.loads(run(["-m", "benchmarks.first_draws", str(10 * len(repeats))], filled).output)
        cached = [_command(filled, folder / f"cached-{i}") for i in repeats]
        cold = [_command(folder / f"command-{i}", folder / f"cold-{i}") for i in repeats]
        draws_cached = [_to_draws(filled) for _ in repeats]
        draws_cold = [_to_draws(folder / f"draws-{i}") for i in repeats]
    measured: dict[str, Iterable[Sequence[float]]] = {
        WARM: (warm["draw"], warm["draw_processor"]),
        "again in one process → DataTree": (warm["sample"][1:], warm["sample_processor"][1:]),
        CACHED: zip(*draws_cached, strict=True),
        COLD: zip(*draws_cold, strict=True),
        SUMMARY: ([command.spoke for command in cached], []),
        "bayesad sample → end, cached": _to_end(cached),
        "bayesad sample → summary, empty cache": ([command.spoke for command in cold], []),
        "bayesad sample → end, empty cache": _to_end(cold),
    }
    for what, (wall, processor) in measured.items():
        median = 1e3 * float(np.median(wall))
        of_processor = 1e3 * float(np.median(processor)) if processor else None
        cells: list[Cell] = [what, median, 1e3 * min(wall), of_processor]
        result.rows.append(dict(zip(COLUMNS, cells, strict=True)))
        if what in MOST:
            result.figures.append(Figure(what, median, MOST[what], "ms"))
    return result


def _to_draws(cache: Path) -> tuple[float, float]:
    """Seconds until the draws exist, and seconds of processor time until then."""
    process = run(["-m", "benchmarks.first_draws"], cache)
    told = json.loads(process.output)
    return told["existed"] - process.started, told["processor"]


def _to_end(commands: Sequence[Finished]) -> tuple[list[float], list[float]]:
    return [command.ended for command in commands], [command.processor for command in commands]


def _command(cache: Path, folder: Path) -> Finished:
    model, config = ROOT / "models" / "eight_schools.py", ROOT / "configs" / "eight_schools.toml"
    arguments = ["-m", "bayesad", "sample", str(model), "--config", str(config), "--folder", str(folder)]
    return run(arguments, cache, codes=(0, 3))
