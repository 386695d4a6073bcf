"""The most memory that a run of `bayesad sample` on much data holds."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import logistic_data
from benchmarks.options import Options
from benchmarks.processes import ROOT, caches, peak
from benchmarks.report import Figure, Table

__all__ = ["table"]

ROWS, K = 1_000_000, 10
CHAINS, WARMUP, DRAWS = 4, 20, 20
ALLOWANCE = 200.0
MB = 1e6
COLUMNS = ["model", "data MB", "draws MB", "allowed MB", "peak MB"]
NOTE = (
    f"Largest resident set of bayesad sample, {CHAINS} × ({WARMUP} + {DRAWS}); allowed are 2 × data + draws + 200 MB."
)


def table(options: Options) -> Table:
    """Measure one run."""
    result = Table("memory", "Memory", COLUMNS, note=NOTE)
    rows = ROWS // 10 if options.quick else ROWS
    title = f"logistic regression {rows} × {K}"
    options.say(title)
    data = logistic_data(rows, K)
    data_size = sum(array.nbytes for array in data.values()) / MB
    draws_size = CHAINS * DRAWS * (1 + K) * 8 / MB
    with caches() as folder:
        np.savez(folder / "data.npz", **data)
        settings: dict[str, str | int] = {"model.name": "logistic_regression", "sampler.chains": CHAINS}
        settings |= {"sampler.warmup": WARMUP, "sampler.draws": DRAWS, "sampler.seed": 1}
        arguments = ["-m", "bayesad", "sample", str(ROOT / "benchmarks" / "models.py")]
        arguments += ["--data", str(folder / "data.npz"), "--folder", str(folder / "run")]
        for key, value in settings.items():
            arguments += ["--set", f"{key}={value}"]
        most = peak(arguments, folder / "cache", codes=(0, 3)) / MB
    allowed = 2 * data_size + draws_size + ALLOWANCE
    result.rows.append(dict(zip(COLUMNS, (title, data_size, draws_size, allowed, most), strict=True)))
    result.figures.append(Figure(f"{title}: peak memory / allowed", most / allowed, 1.0))
    return result
