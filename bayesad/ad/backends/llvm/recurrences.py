"""Linear recurrences of first order, ``c' = a c + x``, several steps at a time.

One step waits for the one before for as long as a multiplication and an addition take. Written in the carry that a
block of steps begins with, ``c_j = q_j c + p_j``, all else is independent of it, and a block takes as long as one step.
The products of coefficients in ``q_j`` are no larger than those that meet the carry in a stable recurrence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bayesad.ad.backends.llvm.writer import Writer
from bayesad.ad.program import CONSTANT, INPUT, Node, Program

__all__ = ["FEWEST_STEPS", "STEPS", "Linear", "block", "linear"]

STEPS = 4
FEWEST_STEPS = 16  # in fewer, blocks cost more to compile than they save


class Linear(NamedTuple):
    """A recurrence ``c' = (-)a c + (-)x``: the coefficient, the other term, and whether each is subtracted."""

    coefficient: Node
    term: Node
    coefficient_negative: bool
    term_negative: bool


def linear(body: Program) -> Linear | None:
    """The body of a scan as a recurrence of its only carry, a number; None if it is something else."""
    if len(body.nodes) != 2 or len(body.outputs) != 1 or body.outputs[0] is not body.nodes[1]:
        return None
    carry, (product, total) = body.inputs[0], body.nodes
    if total.primitive.name not in ("add", "subtract") or product.primitive.name != "multiply":
        return None
    if list(total.inputs).count(product) != 1 or list(product.inputs).count(carry) != 1 or carry in total.inputs:
        return None
    (coefficient,) = (node for node in product.inputs if node is not carry)
    (term,) = (node for node in total.inputs if node is not product)
    leaves = all(node.primitive in (INPUT, CONSTANT) for node in (coefficient, term))
    if not leaves or any(node.shape != () or node.dtype.kind != "f" for node in (carry, coefficient, term)):
        return None
    second_negative = total.primitive.name == "subtract"
    negative = second_negative and total.inputs[1] is product, second_negative and total.inputs[1] is term
    return Linear(coefficient, term, *negative)


def block(writer: Writer, carry: str, steps: Sequence[tuple[str, str]]) -> list[str]:
    """The carries after each of some steps, given their coefficients and terms.

    Without the flags that allow sums to be put in another order, which would make one step wait for the other again.
    """
    (factor, rest), *others = steps
    carries = [_affine(writer, factor, carry, rest)]
    for a, x in others:
        factor = writer.op(f"fmul double {a}, {factor}")
        rest = _affine(writer, a, rest, x)
        carries.append(_affine(writer, factor, carry, rest))
    return carries


def _affine(writer: Writer, a: str, x: str, b: str) -> str:
    return writer.op(f"fadd contract double {writer.op(f'fmul contract double {a}, {x}')}, {b}")
