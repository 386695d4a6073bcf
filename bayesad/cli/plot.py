"""Draw the trace plot of a run: density, trace and ranks of each quantity, divergences marked."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", metavar="FOLDER", help="run folder, or a netCDF file in ArviZ's schema")
    parser.add_argument("--parameters", metavar="A,B", help="what to show, such as mu,theta or theta[1]")
    parser.add_argument("--output", metavar="FILE", help="image to write (default: trace.png beside the draws)")


def run(arguments: argparse.Namespace) -> int:
    """Write the image and say where it is."""
    from bayesad.cli.codes import WELL
    from bayesad.cli.inputs import find_draws, split_names
    from bayesad.plots import plot_trace, save_trace
    from bayesad.results import load_draws

    draws = find_draws(arguments.run_folder)
    names = split_names(arguments.parameters) if arguments.parameters else None
    output = Path(arguments.output or draws.with_name("trace.png"))
    save_trace(plot_trace(load_draws(draws), parameters=names, title=draws.absolute().parent.name), output)
    print(output)
    return WELL
