"""Factorisations and systems of matrices as machine code: written out, in kernels of our own, or by LAPACK, by size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from bayesad.ad.backends.llvm import written_out
from bayesad.ad.backends.llvm.libraries import Matrix, call, multiply, solve
from bayesad.ad.backends.llvm.memory import (
    displaced,
    each_matrix,
    each_result,
    fill_with_nan,
    in_memory,
    is_used_up,
    kernel,
    matrix_in_memory,
    minus,
    scratch,
)
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.backends.llvm.writer import Position
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = [
    "SMALL",
    "any_on_diagonal",
    "cholesky",
    "cholesky_pullback",
    "failure",
    "solve_triangular",
    "status",
    "triangular",
]

SMALL = 16  # rows up to which kernels of our own are no slower than LAPACK
BLOCK = 16  # rows taken at a time where LAPACK has no routine
SOUND = hexadecimal(1e6)  # the square of a condition up to which solving by the inverse loses nothing to speak of
ZERO, INFINITY = hexadecimal(0.0), hexadecimal(math.inf)


# --- Cholesky
def cholesky(lowering: Lowering, node: Node) -> bool:
    n = node.shape[-1]
    if written_out.cholesky(lowering, node):
        return True
    if n <= SMALL:
        work = scratch(lowering, n * (n + 3))
        each_result(lowering, node, lambda *p: kernel(lowering, f"cholesky {n}", *p, work))
    else:
        each_result(lowering, node, lambda a, out: _dpotrf(lowering, n, a, out))
    return True


def _dpotrf(lowering: Lowering, n: int, a: str, out: str) -> None:
    """LAPACK's factor; to it, our lower triangle is the upper one."""

    def copy(position: Position) -> None:
        i, j = position
        offset = lowering.linear(position, (n, n))
        element = lowering.load(a, "f", offset)[0]
        below = lowering.op(f"icmp ule i64 {j}, {i}")
        lowering.store(out, "f", offset, (lowering.op(f"select i1 {below}, double {element}, double {ZERO}"), "f"))

    lowering.nest((n, n), copy)
    call(lowering, "dpotrf", "U", n, out, n, status(lowering))
    failed = failure(lowering)
    # NaN and infinities pass LAPACK's test of its pivots.
    bad = any_on_diagonal(lowering, n, out, [("ule", ZERO), ("oeq", INFINITY)])
    fill_with_nan(lowering, lowering.op(f"or i1 {failed}, {bad}"), out, n * n)


def any_on_diagonal(lowering: Lowering, n: int, a: str, tests: Sequence[tuple[str, str]]) -> str:
    """Whether an element of a diagonal passes one of the comparisons with numbers."""
    found = f"%{lowering.fresh('found')}"
    lowering.entry.append(f"  {found} = alloca i1")
    lowering.say(f"store i1 false, ptr {found}")

    def look(i: str) -> None:
        element = lowering.load(a, "f", lowering.times(i, n + 1))[0]
        result = lowering.op(f"load i1, ptr {found}")
        for test, number in tests:
            passes = lowering.op(f"fcmp {test} double {element}, {number}")
            result = lowering.op(f"or i1 {result}, {passes}")
        lowering.say(f"store i1 {result}, ptr {found}")

    lowering.loop(n, look)
    return lowering.op(f"load i1, ptr {found}")


def status(lowering: Lowering) -> str:
    """The address of what LAPACK's routines set to 0 if all went well."""
    if "status" not in lowering.special_names:
        place = f"%{lowering.fresh('status')}"
        lowering.entry.append(f"  {place} = alloca i32")
        lowering.special_names["status"] = place
    return lowering.special_names["status"]


def failure(lowering: Lowering) -> str:
    """Whether the last routine did not go well."""
    return lowering.op(f"icmp ne i32 {lowering.op(f'load i32, ptr {status(lowering)}')}, 0")


def cholesky_pullback(lowering: Lowering, node: Node) -> bool:
    if written_out.cholesky_pullback(lowering, node):
        return True
    n = node.shape[-1]
    rows = min(n, SMALL)
    work = scratch(lowering, 2 * rows * (rows + 3))
    if n <= SMALL:
        each_result(lowering, node, lambda *p: kernel(lowering, f"cholesky_pullback {n}", *p, work))
    else:
        memory = _Memory(work, *[scratch(lowering, size) for size in (BLOCK * BLOCK, BLOCK * BLOCK, 1)])
        copy = None if is_used_up(lowering, node.inputs[1], node) else scratch(lowering, n * n)
        each_result(lowering, node, lambda factor, g, out: _pull_back(lowering, n, factor, g, copy, out, memory))
    return True


class _Memory(NamedTuple):
    """Addresses of what a pull-back works in."""

    work: str
    mirrored: str
    inverse: str
    condition: str


def _pull_back(lowering: Lowering, n: int, factor: str, g: str, copy: str | None, out: str, memory: _Memory) -> None:
    """Murray 2016, section 3.2: blocks of rows from the last to the first, lower triangles alone.

    What is left of the cotangent lies in a copy of it, or where it came.
    """
    left = copy or g
    if copy:
        lowering.loop(n * n, lambda i: lowering.store(left, "f", i, lowering.load(g, "f", i)))
    first = n % BLOCK or BLOCK
    if n > first:
        lowering.loop(
            (n - first) // BLOCK,
            lambda turn: _pull_back_block(
                lowering, n, BLOCK, minus(lowering, n - BLOCK, lowering.times(turn, BLOCK)), factor, left, out, memory
            ),
        )
    _pull_back_block(lowering, n, first, "0", factor, left, out, memory)
    kernel(lowering, f"halve_and_mirror {n}", out)


def _pull_back_block(
    lowering: Lowering, n: int, rows: int, start: str, factor: str, left: str, out: str, memory: _Memory
) -> None:
    """The rows from ``start``: to Murray, they hold R and D, the rows below B and C.

    The product with the inverse of D is many times as fast as LAPACK's solution of systems of so few equations, and as
    accurate where D is well conditioned, or else with one step of refinement.
    """
    end = lowering.plus(start, str(rows))
    below = minus(lowering, n, end)

    def at(matrix: str, row: str, column: str) -> Matrix:
        return Matrix(displaced(lowering, matrix, lowering.plus(lowering.times(row, n), column)), n)

    r, d, b_and_c = at(factor, start, "0"), at(factor, start, start), at(factor, end, "0")
    r_bar, d_bar, b_bar, c_bar = (
        at(left, row, column) for row, column in ((start, "0"), (start, start), (end, "0"), (end, start))
    )
    solved = at(out, end, start)
    kernel(lowering, f"invert_lower {rows} {n}", d.address, memory.inverse, memory.condition)
    inverse = Matrix(memory.inverse, rows)
    multiply(lowering, (below, rows, rows), 1.0, c_bar, inverse, 0.0, solved)
    refine, go_on = lowering.fresh("refine"), lowering.fresh("refined")
    condition = lowering.load(memory.condition, "f", "0")[0]
    lowering.say(f"br i1 {lowering.op(f'fcmp ult double {condition}, {SOUND}')}, label %{go_on}, label %{refine}")
    lowering.label(refine)
    multiply(lowering, (below, rows, rows), -1.0, solved, d, 1.0, c_bar)
    multiply(lowering, (below, rows, rows), 1.0, c_bar, inverse, 1.0, solved)
    lowering.say(f"br label %{go_on}")
    lowering.label(go_on)
    multiply(lowering, (rows, below, end), -1.0, solved._replace(transposed=True), b_and_c, 1.0, r_bar)
    places = [d.address, d_bar.address, at(out, start, start).address, memory.mirrored, memory.work]
    kernel(lowering, f"pull_back_block {rows} {n}", *places)
    if start != "0":
        multiply(lowering, (below, rows, start), -1.0, solved, r, 1.0, b_bar)
        multiply(lowering, (rows, rows, start), -1.0, Matrix(memory.mirrored, rows), r, 1.0, r_bar)


# --- triangular systems
def solve_triangular(lowering: Lowering, node: Node) -> bool:
    if written_out.solve_triangular(lowering, node):
        return True
    a, b = node.inputs
    n, m = node.shape[-2:]
    lower, trans, unit = (bool(node.attributes[flag]) for flag in ("lower", "trans", "unit"))
    place, is_transposed = matrix_in_memory(lowering, a)
    flags = (lower != is_transposed, trans != is_transposed, unit)
    places, shapes = [place, in_memory(lowering, b), lowering.pointer(node)], [a.shape, b.shape, node.shape]
    each_matrix(lowering, places, shapes, lambda a, b, out: triangular(lowering, (n, m), a, b, out, flags))
    return True


def triangular(
    lowering: Lowering, shape: tuple[int, int], a: str, b: str, out: str, flags: tuple[bool, bool, bool]
) -> None:
    """``out = inv(a) b`` for b of a shape, with flags lower, transposed and unit diagonal; NaN if a is singular."""
    if shape[0] <= SMALL:
        kernel(lowering, " ".join(map(str, ["solve_triangular", *shape, *map(int, flags)])), a, b, out)
    else:
        _dtrsm(lowering, shape, a, b, out, flags)


def _dtrsm(lowering: Lowering, shape: tuple[int, int], a: str, b: str, out: str, flags: Sequence[bool]) -> None:
    (n, m), (lower, trans, unit) = shape, flags
    lowering.loop(n * m, lambda i: lowering.store(out, "f", i, lowering.load(b, "f", i)))
    kind = ("L" if lower else "U") + ("U" if unit else "N")
    if m == 1:
        call(lowering, "dtrsv", "U" if lower else "L", "N" if trans else "T", kind[1], n, a, n, out, 1)
    else:
        solve(lowering, Matrix(a, n, trans), kind, n, m, Matrix(out, m))
    if not unit:
        fill_with_nan(lowering, any_on_diagonal(lowering, n, a, [("oeq", ZERO)]), out, n * m)
