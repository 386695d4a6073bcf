"""How long it takes from a posterior to the machine code of its gradient, with an empty cache and with a filled one.

Run as a program with a model's name, it measures that one in its own process and prints milliseconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np

from bayesad import Posterior
from bayesad.cli.inputs import arguments_for, load_data, load_model
from bayesad.config import load_config
from benchmarks.models import ten_thousand_steps, warm_up
from benchmarks.options import Options
from benchmarks.processes import ROOT, caches, run
from benchmarks.report import Cell, Figure, Table
from models.posteriordb._posteriors import ReferencePosterior, names

__all__ = ["STAGES", "posterior_of", "stages", "table"]

LOOP = "loop_of_10000_steps"
SMALL = sorted(file.stem for file in (ROOT / "configs").glob("*.toml"))
STAGES = ["trace", "differentiate", "machine code"]
COLUMNS = ["model", *[f"{stage} ms" for stage in STAGES], "sum ms", "machine code, cached ms", "sum, cached ms"]
NOTE = (
    "Processor time in fresh processes that have imported SciPy and compiled a small model before; medians. "
    "Cached: the machine code is found on disk under the traced program; nothing is differentiated."
)
MOST = {"the small models": 100.0, "the reference posteriors": 300.0, "a Python loop of 10 000 steps": 1000.0}
MOST_CACHED = 5.0


def table(options: Options) -> Table:
    """Measure the models that the options select."""
    result = Table("compile", "Compiling: trace, differentiate, machine code", COLUMNS, note=NOTE)
    groups = dict(zip(MOST, (SMALL, names(), [LOOP]), strict=True))
    for group, members in groups.items():
        rows = [_row(name, options) for name in members if options.selects(name)]
        if rows:
            result.rows += rows
            result.figures.append(_worst(f"{group}, empty cache", rows, "sum ms", MOST[group]))
            if LOOP not in members:
                result.figures.append(_worst(f"{group}, cached", rows, "sum, cached ms", MOST_CACHED))
                what = f"{group}, machine code alone, cached"
                result.figures.append(_worst(what, rows, "machine code, cached ms", MOST_CACHED))
    return result


def stages(posterior: Posterior, *, cached: bool = False) -> dict[str, float]:
    """Milliseconds of processor time that each stage takes for a posterior that has not been traced yet.

    ``cached``: the machine code is on disk, so that there is no need to differentiate.
    """
    q = 0.1 * np.random.default_rng(20251123).standard_normal(posterior.unconstrained.dimension)
    compiled = posterior.unconstrained.compiled
    times = [time.process_time()]
    path = compiled.path(q)
    times.append(time.process_time())
    if not cached:
        path.reverse(1, seed=True)
    times.append(time.process_time())
    compiled.log_density(q)
    times.append(time.process_time())
    return dict(zip(STAGES, (1e3 * np.diff(times)).tolist(), strict=True))


def posterior_of(name: str) -> Posterior:
    """The posterior of a model in ``configs/``, of a reference posterior, or of the long loop."""
    if name == LOOP:
        return ten_thousand_steps(y=np.random.default_rng(1).standard_normal(10_000))
    if name in SMALL:
        config = load_config(str(ROOT / "configs" / f"{name}.toml"), [], model=None, data=None, folder=None)
        _, model = load_model(config.model)
        data, _ = arguments_for(model, load_data(config.data), config.data)
        return model.with_coords(**config.coords)(**data)
    return ReferencePosterior(name).posterior


def _row(name: str, options: Options) -> dict[str, Cell]:
    options.say(name)
    empty, cached = [], []
    for _ in range(1 if options.quick else 5):
        with caches() as cache:
            empty.append(_measured(name, cache))
            cached.append(_measured(name, cache, "cached"))
    row: dict[str, Cell] = {"model": name}
    row |= {f"{stage} ms": _median(empty, [stage]) for stage in STAGES}
    row |= {"sum ms": _median(empty, STAGES), "machine code, cached ms": _median(cached, STAGES[-1:])}
    return row | {"sum, cached ms": _median(cached, STAGES)}


def _measured(name: str, cache: Path, *state: str) -> dict[str, float]:
    return json.loads(run(["-m", "benchmarks.compile", name, *state], cache).output)


def _median(runs: list[dict[str, float]], of: list[str]) -> float:
    return float(np.median([sum(run[stage] for stage in of) for run in runs]))


def _worst(what: str, rows: list[dict[str, Cell]], column: str, most: float) -> Figure:
    values: Mapping[str, float] = {str(row["model"]): float(row[column] or 0) for row in rows}
    worst = max(values, key=lambda name: values[name])
    return Figure(f"{what}: the longest ({worst})", values[worst], most, "ms")


if __name__ == "__main__":
    for module in ("scipy.special", "scipy.linalg"):
        import_module(module)
    stages(warm_up(y=[1.0, 2.0]))
    print(json.dumps(stages(posterior_of(sys.argv[1]), cached="cached" in sys.argv[2:])))
