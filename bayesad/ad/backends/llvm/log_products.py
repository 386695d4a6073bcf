"""Sums of log(1 + e) over rows, 0 <= e <= 1, as logarithms of products: one logarithm for hundreds of rows.

The product is kept as q in 1 + q, and 1 + q times 1 + e is 1 + (q + e + q e): all terms are positive, so that small
ones are not lost beside the 1. One such step has a relative error of at most two units of rounding u. The factors of
a block are multiplied in trees, and trees and blocks one after the other: with at most 64 of these and 6 steps in a
tree q is off by less than 150 u, relatively, and on average by some units. The condition of log(1 + q), which is
q / ((1 + q) log(1 + q)), is at most 1. A sum of so many logarithms one after the other may be off by more.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.products import VECTOR, WIDTH, load_vector
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["FEWEST_ROWS", "add_block", "add_logarithm", "factors", "is_log_product", "rows_of_a_block", "start"]

FEWEST_ROWS = 256
ROWS_OF_A_LOGARITHM = 512
MOST_AT_ONCE = 48  # rows whose factors are multiplied in one tree
PIECE = 16  # the same in larger blocks, whose rows are a multiple of it
MOST_IN_ONE_BLOCK = 1000  # their product is at most 2**1000


def rows_of_a_block(n: int) -> int:
    """How many of n rows are taken at a time: all, or a number that leaves no rest, if there is one."""
    if n <= MOST_IN_ONE_BLOCK:
        return -(-n // PIECE) * PIECE
    return next((rows for rows in range(ROWS_OF_A_LOGARITHM, 6 * PIECE, -PIECE) if n % rows == 0), 8 * PIECE)


def is_log_product(node: Node, inside: Collection[Node]) -> bool:
    """Whether a node of a loop sums up log(1 + e) over the rows, as the loop computes it for each."""
    if node.primitive.name != "sum" or node.inputs[0].primitive.name != "log1p_unit" or node.shape != ():
        return False
    return node.inputs[0].ndim == 1 and node.inputs[0].size >= FEWEST_ROWS and node.inputs[0] in inside


def factors(node: Node) -> Node:
    """The e of such a sum."""
    return node.inputs[0].inputs[0]


def start(lowering: Lowering) -> str:
    """Memory for the product of the blocks so far, as a vector of partial products."""
    product = lowering.local_memory(VECTOR)
    lowering.say(f"store {VECTOR} zeroinitializer, ptr {product}")
    return product


def add_block(lowering: Lowering, place: str, number: str, rows: int, product: str, total: str) -> None:
    """Multiply a block's factors into a product, and add its logarithm to a total in memory when it has enough of them.

    ``place`` is the address of the block's e.
    """
    if rows <= MOST_AT_ONCE:
        more = _tree(lowering, VECTOR, [load_vector(lowering, place, j) for j in range(rows // WIDTH)])
    else:
        more = _in_pieces(lowering, place, rows)
    both = _times(lowering, VECTOR, lowering.op(f"load {VECTOR}, ptr {product}"), more)
    lowering.say(f"store {VECTOR} {both}, ptr {product}")
    if not number.isdigit():
        blocks = 1 << ((ROWS_OF_A_LOGARITHM // rows).bit_length() - 1)
        place_in_row = lowering.op(f"and i64 {number}, {blocks - 1}")
        enough, go_on = lowering.fresh("enough"), lowering.fresh("go")
        last = lowering.op(f"icmp eq i64 {place_in_row}, {blocks - 1}")
        lowering.say(f"br i1 {last}, label %{enough}, label %{go_on}")
        lowering.label(enough)
        add_logarithm(lowering, product, total)
        lowering.say(f"store {VECTOR} zeroinitializer, ptr {product}")
        lowering.say(f"br label %{go_on}")
        lowering.label(go_on)


def add_logarithm(lowering: Lowering, product: str, total: str) -> None:
    """Add the logarithm of a product to a total in memory."""
    value = lowering.op(f"load {VECTOR}, ptr {product}")
    q = _tree(lowering, "double", [lowering.op(f"extractelement {VECTOR} {value}, i64 {i}") for i in range(WIDTH)])
    logarithm = lowering.op(f"call double @{lowering.function('bayesad.log1p', 1, rare=True)}(double {q})")
    before, _ = lowering.load(total, "f", "0")
    lowering.store(total, "f", "0", (lowering.op(f"fadd double {before}, {logarithm}"), "f"))


def _in_pieces(lowering: Lowering, place: str, rows: int) -> str:
    piece = PIECE
    product = lowering.local_memory(VECTOR)
    lowering.say(f"store {VECTOR} zeroinitializer, ptr {product}")

    def multiply(i: str) -> None:
        there = lowering.element(place, "double", lowering.times(i, piece))
        more = _tree(lowering, VECTOR, [load_vector(lowering, there, j) for j in range(piece // WIDTH)])
        both = _times(lowering, VECTOR, lowering.op(f"load {VECTOR}, ptr {product}"), more)
        lowering.say(f"store {VECTOR} {both}, ptr {product}")

    lowering.loop(rows // piece, multiply, vectorise=False)
    return lowering.op(f"load {VECTOR}, ptr {product}")


def _tree(lowering: Lowering, kind: str, values: list[str]) -> str:
    while len(values) > 1:
        pairs = [_times(lowering, kind, a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + values[2 * len(pairs) :]
    return values[0]


def _times(lowering: Lowering, kind: str, q: str, e: str) -> str:
    """(1 + q)(1 + e) - 1; no flags, but that both roundings of q e + (q + e) may be one."""
    total = lowering.op(f"fadd {kind} {q}, {e}")
    return lowering.op(f"fadd contract {kind} {lowering.op(f'fmul contract {kind} {q}, {e}')}, {total}")
