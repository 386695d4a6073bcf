"""Products of matrices and vectors: written out, in kernels of our own, or by BLAS, by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesad.ad.backends.llvm.libraries import Matrix, multiply
from bayesad.ad.backends.llvm.memory import each_matrix, in_memory, kernel, matrix_in_memory
from bayesad.ad.backends.llvm.scalars import FLAGS, Operand, as_kind
from bayesad.ad.backends.llvm.writer import Position
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["matmul", "product"]

FEW = 4  # lengths up to which a product is written out
SMALL = 32**3  # multiplications up to which kernels of our own are faster than BLAS


def matmul(lowering: Lowering, node: Node) -> bool:
    a, b = node.inputs
    if node.dtype.kind == "b":
        return False
    m, k, n = _lengths(node)
    if not node.size:
        return True
    if k == 0 or node.dtype.kind == "i" or (k <= FEW and (m <= FEW or n <= FEW)):
        _written_out(lowering, node)
        return True
    (place_a, trans_a), (place_b, trans_b) = (_operand(lowering, i) for i in (a, b))
    if trans_b and min(m, n) > 1 and m * k * n <= SMALL:
        place_b, trans_b = in_memory(lowering, b), False
    batch = node.shape[: len(node.shape) - (a.ndim > 1) - (b.ndim > 1)]
    shapes = [(*a.shape[:-2], m, k), (*b.shape[:-2], k, n), (*batch, m, n)]
    places = [place_a, place_b, lowering.pointer(node)]
    each_matrix(lowering, places, shapes, lambda a, b, out: product(lowering, (m, k, n), a, trans_a, b, trans_b, out))
    return True


def _lengths(node: Node) -> tuple[int, int, int]:
    """Rows of the result, the inner length, columns of the result; 1 for the axis that a vector lacks."""
    a, b = node.inputs
    return a.shape[-2] if a.ndim > 1 else 1, a.shape[-1], b.shape[-1] if b.ndim > 1 else 1


def _operand(lowering: Lowering, node: Node) -> tuple[str, bool]:
    return (in_memory(lowering, node), False) if node.ndim == 1 else matrix_in_memory(lowering, node)


def product(
    lowering: Lowering, lengths: tuple[int, int, int], a: str, trans_a: bool, b: str, trans_b: bool, out: str
) -> None:
    """The product of two matrices in memory; where ``trans``, what lies there is the transpose."""
    m, k, n = lengths
    if n == 1:
        name, pointers = (f"vector_matrix {k} {m}", (b, a, out)) if trans_a else (f"matrix_vector {m} {k}", (a, b, out))
        kernel(lowering, name, *pointers)
    elif m == 1:
        name, pointers = (f"matrix_vector {n} {k}", (b, a, out)) if trans_b else (f"vector_matrix {k} {n}", (a, b, out))
        kernel(lowering, name, *pointers)
    elif m * k * n <= SMALL and not trans_b:
        kernel(lowering, f"matrix_matrix {m} {k} {n} {int(trans_a)}", a, b, out)
    else:
        left, right = Matrix(a, m if trans_a else k, trans_a), Matrix(b, k if trans_b else n, trans_b)
        multiply(lowering, lengths, 1.0, left, right, 0.0, Matrix(out, n))


def _written_out(lowering: Lowering, node: Node) -> None:
    """Loops over the long axes alone; the terms of each element are added up in registers."""
    a, b = node.inputs
    target, kind = lowering.pointer(node), node.dtype.kind
    k = a.shape[-1]
    word, flags, name = ("f", FLAGS, "double") if kind == "f" else ("", "", "i64")

    def element(position: Position) -> None:
        rest = list(position)
        j = [rest.pop()] if b.ndim > 1 else []
        i = [rest.pop()] if a.ndim > 1 else []
        total = ""
        for t in range(k):
            x = _at(lowering, a, [*rest, *i, str(t)], 1 if a.ndim == 1 else 2)
            y = _at(lowering, b, [*rest, str(t), *j], 1 if b.ndim == 1 else 2)
            x_text, y_text = as_kind(lowering, x, kind), as_kind(lowering, y, kind)
            term = lowering.op(f"{word}mul {flags}{name} {x_text}, {y_text}")
            total = lowering.op(f"{word}add {flags}{name} {total}, {term}") if total else term
        value = total or as_kind(lowering, ("0", "i"), kind)
        lowering.store(target, kind, lowering.linear(position, node.shape), (value, kind))

    short = [n <= FEW for n in node.shape]
    long_axes = [n for n, is_short in zip(node.shape, short, strict=True) if not is_short]

    def turn(position: Position) -> None:
        for combination in np.ndindex(*[n for n, is_short in zip(node.shape, short, strict=True) if is_short]):
            known, free = iter(map(str, combination)), iter(position)
            element([next(known) if is_short else next(free) for is_short in short])

    lowering.nest(long_axes, turn)


def _at(lowering: Lowering, node: Node, position: Position, own_axes: int) -> Operand:
    """The element of an operand, whose leading axes broadcast to those of the position."""
    batch = node.shape[: node.ndim - own_axes]
    lead = position[: len(position) - own_axes]
    own = lead[len(lead) - len(batch) :]
    there = ["0" if n == 1 else i for i, n in zip(own, batch, strict=True)]
    return lowering.value(node, [*there, *position[len(position) - own_axes :]])
