"""python -m benchmarks [TABLE ...]: measure, print, and keep the results in benchmarks/results/."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

TABLES = {
    "gradients": "value and gradient against hand-written C, JAX, autograd, PyTensor",
    "functions": "networks, regression, Gaussian process, mixture, bundle adjustment against the value, JAX, autograd",
    "families": "regressions by one-line laws against the same written plainly",
    "cost": "gradient against the log density alone, on all reference posteriors",
    "compile": "tracing, differentiating, machine code; with an empty and with a filled cache",
    "sampler": "NUTS beyond its gradients, per leapfrog step",
    "efficiency": "effective draws per gradient, divergences and R-hat, over several seeds",
    "startup": "eight schools from process start to draws, summary and plots",
    "runs": "whole runs of bayesad sample against Stan, nutpie, PyMC and NumPyro",
    "memory": "the largest resident set of a run on much data",
}
WIDTH = 160
RESULTS = Path(__file__).parent / "results"

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
"""Read by libraries when they are imported; ratios are of one thread against one thread."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the tables named on the command line."""
    arguments = _parse(argv)
    os.environ.update(ONE_THREAD)

    from rich.console import Console

    from benchmarks import machine
    from benchmarks.options import Options
    from benchmarks.report import save, show

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    described = machine.describe()
    options = Options(arguments.quick, arguments.only)
    tables = []
    for name in arguments.tables or TABLES:
        tables.append(import_module(f"benchmarks.{name}").table(options))
        show(tables[-1], console)
    if not arguments.quick and not arguments.only:
        print(f"results: {save(tables, described, RESULTS)}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    described = "\n".join(f"  {name:<12} {what}" for name, what in TABLES.items())
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=f"{__doc__}\n\ntables:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="default: all")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns; nothing is written")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="rows whose name has this; nothing is written"
    )
    arguments = parser.parse_args(argv)
    for name in arguments.tables:
        if name not in TABLES:
            parser.error(f"there is no table {name!r}; choose from {', '.join(TABLES)}")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
