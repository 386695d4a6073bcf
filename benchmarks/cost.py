"""What the gradient costs beyond the log density alone, for the reference posteriors."""

from __future__ import annotations

import numpy as np

from benchmarks.contestants import bayesad_density, bayesad_value
from benchmarks.options import Options
from benchmarks.report import Cell, Figure, Table
from benchmarks.timing import Effort, take_turns
from models.posteriordb._posteriors import find

__all__ = ["table"]

MOST = 2.0
NOTE = (
    "Value and gradient against the value alone, both compiled in the same way and called by the same compiled loop; "
    "medians of interleaved turns in processor time, the costliest first."
)
COLUMNS = ["posterior", "dimension", "log density µs", "with gradient µs", "ratio"]


def table(options: Options) -> Table:
    """Measure the posteriors that the options select."""
    result = Table("cost", "Cost of the derivative", COLUMNS, note=NOTE)
    effort = Effort(5, 0.002) if options.quick else Effort(21, 0.01)
    ratios = {}
    for reference in find([]):
        if not options.selects(reference.name):
            continue
        options.say(reference.name)
        q = np.array(reference.golden["points"][0]["unconstrained"], dtype=float)
        runs = {
            "value": bayesad_value(reference.posterior, q).run,
            "gradient": bayesad_density(reference.posterior, q).run,
        }
        timings = take_turns(runs, effort)
        ratios[reference.name] = timings.ratio("gradient", "value")
        microseconds = [1e6 * timings.median(name) for name in runs]
        cells: list[Cell] = [reference.name, len(q), *microseconds, ratios[reference.name]]
        result.rows.append(dict(zip(COLUMNS, cells, strict=True)))
    result.rows.sort(key=lambda row: -ratios[str(row["posterior"])])
    if ratios:
        mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
        what = f"gradient / log density, geometric mean of {len(ratios)} posteriors"
        result.figures.append(Figure(what, mean, MOST))
    return result
