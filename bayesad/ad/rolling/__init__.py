"""Loops found again: repeated stretches of a traced program become arrays and scans, and scans are made lean."""

from bayesad.ad.program import Program
from bayesad.ad.rolling import slices as slices
from bayesad.ad.rolling import split as split
from bayesad.ad.rolling.analysis import Findings
from bayesad.ad.rolling.groups import FEWEST
from bayesad.ad.rolling.writing import written
from bayesad.ad.simplify import simplify

__all__ = ["roll"]

FEWEST_NODES = 48  # shorter programs are left as they are


def roll(program: Program) -> Program:
    """A program with long repetitions as array operations, sums and scans; others unchanged."""
    if len(program.nodes) < FEWEST_NODES:
        return program
    if sum(1 for node in program.nodes if node.primitive.name == "index_set") >= FEWEST:
        program = simplify(program)  # what is read from arrays in the making is read from what was written
    findings = Findings(program)
    return program if findings.is_nothing else written(findings)
