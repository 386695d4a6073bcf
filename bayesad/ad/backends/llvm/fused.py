"""Fused loops: everything that one pass over an iteration space computes, sums up, stores and scatters.

A loop with products of tall matrices of data, with sums of logarithms of 1 + e (`log_products`), or one that scatters,
runs in blocks of rows: first the products' rows, then what is computed element by element, as vector code, then what
the block adds to sums over the rows. So each tile of a matrix is read from memory once, and what does not vectorise is
kept out of the loop that does. Where there is little but the scatters, some rows at a time are taken through all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bayesad.ad.backends.llvm import log_products, products
from bayesad.ad.backends.llvm.scalars import FLAGS, SCALARS, Operand, as_kind, emit_scalar
from bayesad.ad.backends.llvm.schedule import REDUCTIONS, Loop, flattened, innermost, is_reduction, product
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.backends.llvm.writer import MEMORY, Position
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["combine", "describe", "identity", "run_loop", "total_offset"]

IDENTITIES = {"sum": 0.0, "scatter": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf, "any": 0.0, "all": 1.0}
ROWS = 128  # in a block without products
MOST_ON_THE_STACK = 128
FEWEST_FOR_BLOCKS = 256
CHEAP = {"add", "subtract", "multiply", "negative", "square"}
MOST_OF_A_CHEAP_ROW = 16  # operations
LANES = 4  # copies of what is scattered to: rows of one group that follow each other need not wait for each other


def run_loop(lowering: Lowering, loop: Loop) -> None:
    """One fused pass over an iteration space."""
    in_blocks = _in_blocks(loop)
    reductions = [node for node in loop.nodes if node.primitive.name in REDUCTIONS]
    lanes = {node: _start_lanes(lowering, node) for node in reductions if in_blocks and _has_lanes(node)}
    totals = lanes | {node: _start_total(lowering, node) for node in reductions if node not in lanes}
    if in_blocks:
        _run_blocks(lowering, loop, totals, lanes)
        for node, place in lanes.items():
            _add_lanes(lowering, node, place)
    else:
        flat = flattened(loop, lowering.schedule.stored)
        shape = (int(np.prod(loop.shape, dtype=np.int64)),) if flat else loop.shape
        lowering.nest(shape, lambda position: _elementwise(lowering, loop, totals, position, flat), innermost(shape))
    for node, place in totals.items():
        if node.shape == ():
            lowering.scalars[node] = lowering.load(place, node.dtype.kind, "0")


def describe(loop: Loop) -> str:
    """A line about a loop, for inspection."""
    size = " × ".join(map(str, loop.shape))
    if not _in_blocks(loop):
        return f"loop over {size}"
    return f"loop over {size}" + (" row by row" if _is_cheap(loop) else f" in blocks of {_rows(loop)} rows")


def _elementwise(lowering: Lowering, loop: Loop, totals: dict[Node, str], position: Position, flat: bool) -> None:
    """All nodes of a loop at one position."""
    lowering.local = {}
    for node in loop.nodes:
        if node in totals:
            _add_to_total(lowering, node, totals[node], position, flat)
        else:
            _compute(lowering, node, position, flat)
    lowering.local = {}


def _compute(lowering: Lowering, node: Node, position: Position, flat: bool) -> None:
    result = emit_scalar(lowering, node, [_operand(lowering, i, position, flat) for i in node.inputs])
    assert result is not None, node
    lowering.local[node] = result
    if node in lowering.schedule.stored:
        offset = position[0] if flat else lowering.place(node, position)
        lowering.store(lowering.pointer(node), node.dtype.kind, offset, result)


def _operand(lowering: Lowering, node: Node, position: Position, flat: bool) -> Operand:
    if node in lowering.local:
        return lowering.local[node]
    if not flat:
        return lowering.value(node, lowering.aligned(node, position))
    if node.size == 1:
        return lowering.value(node, ["0"] * len(node.shape))
    return lowering.load(lowering.pointer(node), node.dtype.kind, position[0])


# --- totals: what a loop sums up
def identity(node: Node) -> Operand:
    """What a reduction starts from."""
    start = IDENTITIES[node.primitive.name]
    if node.dtype.kind == "f":
        return hexadecimal(start), "f"
    return "true" if start else "false", "b"


def _start_total(lowering: Lowering, node: Node) -> str:
    kind, start = node.dtype.kind, identity(node)
    if node.shape == ():
        place = lowering.local_memory(MEMORY[kind])
        lowering.store(place, kind, "0", start)
        return place
    place = lowering.pointer(node)
    if node.size:
        lowering.loop(node.size, lambda i: lowering.store(place, kind, i, start))
    return place


def _add_to_total(lowering: Lowering, node: Node, place: str, position: Position, flat: bool) -> None:
    element = _operand(lowering, node.inputs[0], position, flat)
    offset = total_offset(lowering, node, position) if node.shape else "0"
    kind = node.dtype.kind
    total = lowering.load(place, kind, offset)
    lowering.store(place, kind, offset, combine(lowering, node.primitive.name, total, element))


def total_offset(lowering: Lowering, node: Node, position: Position) -> str:
    """Where in its result a reduction adds the element at a position of its source."""
    if node.primitive.name == "scatter":
        there = lowering.indexed(node.attributes["index"], node.inputs[1:], node.shape, position)
        return lowering.linear(there, node.shape)
    axes = node.attributes["axes"]
    return lowering.linear([i for axis, i in enumerate(position) if axis not in axes], node.shape)


def combine(lowering: Lowering, name: str, total: Operand, element: Operand) -> Operand:
    if name in ("any", "all"):
        word = "or" if name == "any" else "and"
        return lowering.op(f"{word} i1 {total[0]}, {as_kind(lowering, element, 'b')}"), "b"
    x, y = total[0], as_kind(lowering, element, "f")
    if name in ("sum", "scatter", "prod"):
        return lowering.op(f"{'fmul' if name == 'prod' else 'fadd'} {FLAGS}double {x}, {y}"), "f"
    return SCALARS["maximum" if name == "max" else "minimum"](lowering, total, (y, "f"))


# --- blocks of rows
@dataclass
class _Blocks:
    """A loop over rows, sorted into what happens before, in and after the elementwise part of each block."""

    rows: int
    before: list[Node] = field(default_factory=list)
    inner: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)
    buffers: dict[Node, str] = field(default_factory=dict)
    """Elements of a block that pass from one part to another."""


def _in_blocks(loop: Loop) -> bool:
    scatters = any(node.primitive.name == "scatter" for node in loop.nodes)
    much = scatters and len(loop.shape) == 1 and loop.shape[0] >= FEWEST_FOR_BLOCKS
    return much or any(product(node) or log_products.is_log_product(node, loop.nodes) for node in loop.nodes)


def _rows(loop: Loop) -> int:
    """How many rows a block has."""
    (n,) = loop.shape
    if any(product(node) for node in loop.nodes):
        return products.rows_of_a_tile(n)
    if any(log_products.is_log_product(node, loop.nodes) for node in loop.nodes):
        return log_products.rows_of_a_block(n)
    return min(ROWS, n)


def _run_blocks(lowering: Lowering, loop: Loop, totals: dict[Node, str], lanes: dict[Node, str]) -> None:
    (n,) = loop.shape
    if _is_cheap(loop):
        _run_rows(lowering, loop, totals, lanes)
        return
    blocks = _sorted_into_blocks(lowering, loop)
    sums = {node: products.start_sum(lowering, node) for node in blocks.after if product(node)}
    running = {node: log_products.start(lowering) for node in blocks.after if node.primitive.name == "sum"}

    def block(number: str, count: int) -> None:
        base = lowering.times(number, blocks.rows)
        for node in blocks.before:
            products.multiply_rows(lowering, node, number, blocks.rows, blocks.buffers[node])
        if blocks.inner or any(node in lowering.schedule.stored for node in blocks.before):
            lowering.loop(count, lambda j: _row(lowering, blocks, totals, base, j))
        for node in blocks.after:
            source = _collected(node)
            buffer = blocks.buffers.get(source)
            if product(node):
                place = _rows_in_memory(lowering, blocks, source, base, count, buffer)
                products.add_to_columns(lowering, node, number, blocks.rows, place, sums[node])
            elif node in running:
                place = _rows_in_memory(lowering, blocks, source, base, count, buffer)
                log_products.add_block(lowering, place, number, blocks.rows, running[node], totals[node])
            else:
                n_lanes = LANES if node in lanes else 1
                _scatter_block(lowering, node, totals[node], base, count, buffer, n_lanes)

    whole, rest = divmod(n, blocks.rows)
    if whole:
        lowering.loop(whole, lambda i: block(i, blocks.rows))
    if rest:
        block(str(whole), rest)
    for node, place in sums.items():
        products.finish_sum(lowering, node, place)
    for node, place in running.items():
        log_products.add_logarithm(lowering, place, totals[node])


def _sorted_into_blocks(lowering: Lowering, loop: Loop) -> _Blocks:
    blocks = _Blocks(_rows(loop))
    inside = set(loop.nodes)
    for node in loop.nodes:
        if product(node) == "rows":
            blocks.before.append(node)
            blocks.buffers[node] = lowering.block_memory(blocks.rows)
        elif is_reduction(node) and _collects_from_blocks(node, inside):
            blocks.after.append(node)
            source = _collected(node)
            if source not in blocks.buffers and (source in inside or node.primitive.name != "scatter"):
                blocks.buffers[source] = _buffer(lowering, blocks.rows)
        else:
            blocks.inner.append(node)
    return blocks


def _buffer(lowering: Lowering, rows: int) -> str:
    """Memory for a block's elements of a vector."""
    if rows <= MOST_ON_THE_STACK:
        return lowering.block_memory(rows)
    return lowering.parameter("p", f"workspace {lowering.reserve(8 * rows)}")


def _collects_from_blocks(node: Node, inside: set[Node]) -> bool:
    return bool(product(node)) or node.primitive.name == "scatter" or log_products.is_log_product(node, inside)


def _collected(node: Node) -> Node:
    """What a node of the last part of a block collects from the rows."""
    if node.primitive.name == "sum":
        return log_products.factors(node)
    return node.inputs[1] if product(node) else node.inputs[0]


def _row(lowering: Lowering, blocks: _Blocks, totals: dict[Node, str], base: str, j: str) -> None:
    """What a block computes element by element, at its row j."""
    position = [lowering.plus(base, j)]
    lowering.local = {node: lowering.load(blocks.buffers[node], "f", j) for node in blocks.before}
    for node in blocks.before:
        if node in lowering.schedule.stored:
            lowering.store(lowering.pointer(node), "f", position[0], lowering.local[node])
    for node in blocks.inner:
        if node in totals:
            _add_to_total(lowering, node, totals[node], position, flat=False)
            continue
        _compute(lowering, node, position, flat=False)
        if node in blocks.buffers:
            lowering.store(blocks.buffers[node], "f", j, lowering.local[node])
    lowering.local = {}


def _rows_in_memory(
    lowering: Lowering, blocks: _Blocks, source: Node, base: str, count: int, buffer: str | None
) -> str:
    """The address of the block's elements of a vector, the last block filled up with zeros."""
    assert buffer is not None
    if source not in blocks.inner and source not in blocks.before:

        def fetch(j: str) -> None:
            lowering.store(buffer, "f", j, lowering.value(source, [lowering.plus(base, j)]))

        lowering.loop(count, fetch)
    for j in range(count, blocks.rows):
        lowering.store(buffer, "f", str(j), (hexadecimal(0.0), "f"))
    return buffer


def _scatter_block(
    lowering: Lowering, node: Node, place: str, base: str, count: int, buffer: str | None, n_lanes: int
) -> None:
    def add(j: str, lane: int) -> None:
        position = [lowering.plus(base, j)]
        element = lowering.load(buffer, "f", j) if buffer else lowering.value(node.inputs[0], position)
        _scatter(lowering, node, place, position, element, lane % n_lanes)

    _in_lanes(lowering, count, add)


# --- rows by themselves
def _is_cheap(loop: Loop) -> bool:
    """Whether a loop that scatters computes so little that vectors would not make up for passing through memory."""
    others = [node for node in loop.nodes if node.primitive.name != "scatter"]
    if len(others) > MOST_OF_A_CHEAP_ROW:
        return False
    return all(node.primitive.name in CHEAP or (node.primitive.name == "sum" and node.shape == ()) for node in others)


def _run_rows(lowering: Lowering, loop: Loop, totals: dict[Node, str], lanes: dict[Node, str]) -> None:
    """Row by row, some at a time with totals of their own, so that none waits for the one before."""
    sums = [node for node in totals if node.primitive.name == "sum"]
    own = [{node: _start_total(lowering, node) for node in sums} for _ in range(LANES)]

    def row(j: str, lane: int) -> None:
        position = [j]
        lowering.local = {}
        for node in loop.nodes:
            if node in own[lane]:
                _add_to_total(lowering, node, own[lane][node], position, flat=False)
            elif node in totals:
                element = _operand(lowering, node.inputs[0], position, flat=False)
                _scatter(lowering, node, totals[node], position, element, lane if node in lanes else 0)
            else:
                _compute(lowering, node, position, flat=False)
        lowering.local = {}

    _in_lanes(lowering, loop.shape[0], row)
    for node in sums:
        for lane in range(LANES):
            total, more = (lowering.load(place, "f", "0") for place in (totals[node], own[lane][node]))
            lowering.store(totals[node], "f", "0", combine(lowering, "sum", total, more))


# --- lanes of scatters
def _in_lanes(lowering: Lowering, n: int, row: Callable[[str, int], None]) -> None:
    """``row(j, lane)`` for n rows, the lanes one after the other."""

    def group(number: str) -> None:
        first = lowering.times(number, LANES)
        for lane in range(LANES):
            row(lowering.plus(first, str(lane)), lane)

    whole, rest = divmod(n, LANES)
    if whole:
        lowering.loop(whole, group, vectorise=False)
    for lane in range(rest):
        row(str(whole * LANES + lane), lane)


def _scatter(lowering: Lowering, node: Node, place: str, position: Position, element: Operand, lane: int) -> None:
    """Add an element to what is scattered to, or to a lane's copy of it."""
    offset = lowering.plus(total_offset(lowering, node, position), str(lane * node.size))
    total = lowering.load(place, "f", offset)
    lowering.store(place, "f", offset, combine(lowering, "scatter", total, element))


def _has_lanes(node: Node) -> bool:
    """Whether a scatter gets copies of its result to add to: where these are few beside its rows."""
    return node.primitive.name == "scatter" and LANES * node.size <= node.inputs[0].size


def _start_lanes(lowering: Lowering, node: Node) -> str:
    place = lowering.parameter("p", f"workspace {lowering.reserve(LANES * node.size * 8)}")
    lowering.loop(LANES * node.size, lambda i: lowering.store(place, "f", i, (hexadecimal(0.0), "f")))
    return place


def _add_lanes(lowering: Lowering, node: Node, place: str) -> None:
    target = lowering.pointer(node)

    def add(i: str) -> None:
        total = lowering.load(place, "f", i)
        for lane in range(1, LANES):
            other = lowering.load(place, "f", lowering.plus(i, str(lane * node.size)))
            total = combine(lowering, "scatter", total, other)
        lowering.store(target, "f", i, total)

    lowering.loop(node.size, add)
