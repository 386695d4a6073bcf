"""Print the summary of a run, and what the diagnostics say about it."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", metavar="FOLDER", help="run folder, or a netCDF file in ArviZ's schema")
    parser.add_argument("--parameters", metavar="A,B", help="only these, such as mu,theta or theta[1]")


def run(arguments: argparse.Namespace) -> int:
    """Print table and findings; the findings are about all parameters."""
    from bayesad.cli.codes import UNTRUSTED, WELL
    from bayesad.cli.inputs import find_draws, split_names
    from bayesad.cli.show import show_findings, show_table
    from bayesad.diagnostics import advice, summary, trustworthy
    from bayesad.results import load_draws

    tree = load_draws(find_draws(arguments.run_folder))
    table = summary(tree)
    show_table(summary(tree, split_names(arguments.parameters)) if arguments.parameters else table)
    findings = advice(tree, table)
    show_findings(findings, table, tree["posterior"].sizes["chain"])
    return WELL if trustworthy(findings) else UNTRUSTED
