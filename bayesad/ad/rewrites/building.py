"""Building blocks of replacements: elements of arrays at chosen places, and the products and sums made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.program import Node
from bayesad.ad.rewrites.linear import Factor, Term

__all__ = ["TINY", "Operand", "Rows", "applied", "at", "element", "flat", "gathered", "product", "sum_of_products"]

Operand = Callable[[Node], Any]
Rows = slice | np.ndarray
TINY = 2.0**-1000  # stands for a zero of the data where an infinite unknown must not meet one


def at(array: np.ndarray, shape: tuple[int, ...], rows: Rows) -> np.ndarray:
    """Elements of an array that broadcasts to a shape, at places numbered in order."""
    whole = np.broadcast_to(array, shape)
    if len(shape) == 1:
        return whole[rows]
    numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
    return whole[np.unravel_index(numbers, shape)]


def flat(node: Node, operand: Operand) -> Any:
    """A node as a vector."""
    return np.reshape(operand(node), (node.size,))


def gathered(vector: Any, positions: np.ndarray) -> Any:
    """``vector[positions]``; the vector itself where these are all of its positions in order."""
    return vector if np.array_equal(positions, np.arange(vector.shape[0])) else vector[positions]


def element(f: Factor, operand: Operand, shape: tuple[int, ...], rows: np.ndarray) -> Any:
    """The unknowns of a factor at some places; a single number where it does not vary."""
    vector = flat(f.node, operand)
    return gathered(vector, at(f.index, shape, rows)) if f.varies else vector[int(f.index)]


def applied(x: Any, f: Factor, unknown: Any) -> Any:
    """``x`` times or divided by the unknowns of a factor."""
    return x / unknown if f.inverse else x * unknown


def product(factors: Sequence[Factor], operand: Operand, shape: tuple[int, ...], rows: np.ndarray) -> Any:
    """The product of factors at some places."""
    result: Any = 1.0
    for f in factors:
        result = applied(result, f, element(f, operand, shape, rows))
    return result


def sum_of_products(terms: Sequence[Term], operand: Operand, shape: tuple[int, ...], rows: np.ndarray) -> Any:
    """The sum of terms without arrays, at some places."""
    total: Any = 0.0
    for term in terms:
        total = total + term.multiplier * product(term.factors, operand, shape, rows)
    return total
