"""Products of a vector with tiles of a tall matrix of data, as vector code that reads each tile in order.

A tile holds ``rows`` rows of the matrix column by column (`constants.tiles`). The rows' results, or the vector's
elements for these rows, stay in registers while the columns pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm import constants
from bayesad.ad.backends.llvm.scalars import FLAGS, as_kind
from bayesad.ad.backends.llvm.schedule import product
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = [
    "VECTOR",
    "WIDTH",
    "add_to_columns",
    "finish_sum",
    "load_vector",
    "multiply_rows",
    "rows_of_a_tile",
    "start_sum",
]

WIDTH = 4  # of a vector: 256 bits
VECTOR = f"<{WIDTH} x double>"
SIZES_OF_TILES = (48, 40, 32, 24)  # rows; the registers for them and a few more must fit into 16
ZERO = "zeroinitializer"


def rows_of_a_tile(n: int) -> int:
    """How many rows of n are taken at a time: a number that leaves no rest, if there is one."""
    return next((rows for rows in SIZES_OF_TILES if n % rows == 0), 32)


def multiply_rows(lowering: Lowering, node: Node, number: str, rows: int, target: str) -> None:
    """``X @ b`` for the rows of one tile, into ``target``."""
    vector = node.inputs[1]
    tile, k = _tile(lowering, node, number, rows)
    totals = [lowering.local_memory(VECTOR) for _ in range(rows // WIDTH)]
    for total in totals:
        lowering.say(f"store {VECTOR} {ZERO}, ptr {total}")

    def column(i: str) -> None:
        factor = _splat(lowering, as_kind(lowering, lowering.value(vector, [i]), "f"))
        at = lowering.element(tile, "double", lowering.times(i, rows))
        for j, total in enumerate(totals):
            term = lowering.op(f"fmul {FLAGS}{VECTOR} {load_vector(lowering, at, j)}, {factor}")
            before = lowering.op(f"load {VECTOR}, ptr {total}")
            lowering.say(f"store {VECTOR} {lowering.op(f'fadd {FLAGS}{VECTOR} {before}, {term}')}, ptr {total}")

    lowering.loop(k, column, vectorise=False)
    for j, total in enumerate(totals):
        value = lowering.op(f"load {VECTOR}, ptr {total}")
        lowering.say(f"store {VECTOR} {value}, ptr {lowering.element(target, 'double', str(j * WIDTH))}, align 8")


def start_sum(lowering: Lowering, node: Node) -> str:
    """Memory for the sums of each column, a vector of partial sums for each, set to zero."""
    place = lowering.parameter("p", f"workspace {lowering.reserve(node.size * WIDTH * 8)}")

    def clear(i: str) -> None:
        lowering.say(
            f"store {VECTOR} {ZERO}, ptr {lowering.element(place, 'double', lowering.times(i, WIDTH))}, align 8"
        )

    lowering.loop(node.size, clear, vectorise=False)
    return place


def add_to_columns(lowering: Lowering, node: Node, number: str, rows: int, vector: str, sums: str) -> None:
    """Add ``X.T @ r`` over the rows of one tile to the sums; ``vector`` is the address of r's elements there."""
    tile, k = _tile(lowering, node, number, rows)
    elements = [load_vector(lowering, vector, j) for j in range(rows // WIDTH)]

    def column(i: str) -> None:
        at = lowering.element(tile, "double", lowering.times(i, rows))
        place = lowering.element(sums, "double", lowering.times(i, WIDTH))
        chains = [lowering.op(f"load {VECTOR}, ptr {place}, align 8"), ""]
        for j, element in enumerate(elements):
            term = lowering.op(f"fmul {FLAGS}{VECTOR} {load_vector(lowering, at, j)}, {element}")
            total = chains[j % 2]
            chains[j % 2] = lowering.op(f"fadd {FLAGS}{VECTOR} {total}, {term}") if total else term
        both = lowering.op(f"fadd {FLAGS}{VECTOR} {chains[0]}, {chains[1]}")
        lowering.say(f"store {VECTOR} {both}, ptr {place}, align 8")

    lowering.loop(k, column, vectorise=False)


def finish_sum(lowering: Lowering, node: Node, sums: str) -> None:
    """Write the sums of the columns to the node's memory."""
    target = lowering.pointer(node)
    add = f"@llvm.vector.reduce.fadd.v{WIDTH}f64"

    def column(i: str) -> None:
        parts = lowering.op(f"load {VECTOR}, ptr {lowering.element(sums, 'double', lowering.times(i, WIDTH))}, align 8")
        total = lowering.op(f"call {FLAGS}double {add}(double 0.0, {VECTOR} {parts})")
        lowering.store(target, "f", i, (total, "f"))

    lowering.loop(node.size, column, vectorise=False)


def _tile(lowering: Lowering, node: Node, number: str, rows: int) -> tuple[str, int]:
    """The address of a tile of the matrix, and the number of its columns."""
    matrix = node.inputs[0]
    k = min(matrix.shape)
    memory = lowering.constant(constants.tiles(matrix, rows, transposed=product(node) == "columns"))
    return lowering.element(memory, "double", lowering.times(number, rows * k)), k


def load_vector(lowering: Lowering, pointer: str, j: int) -> str:
    """The j-th vector of an array in memory."""
    return lowering.op(f"load {VECTOR}, ptr {lowering.element(pointer, 'double', str(j * WIDTH))}, align 8")


def _splat(lowering: Lowering, x: str) -> str:
    first = lowering.op(f"insertelement {VECTOR} poison, double {x}, i64 0")
    return lowering.op(f"shufflevector {VECTOR} {first}, {VECTOR} poison, <{WIDTH} x i32> zeroinitializer")
