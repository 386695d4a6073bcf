"""Estimates of what operations cost: floating-point operations, counted as is usual in numerical mathematics.

An addition, multiplication or comparison counts one for each element, a division or square root four, an elementary
function twenty, any other function sixty: about what their vector code takes. Matrix operations count as in Golub and
Van Loan 2013, Matrix Computations.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bayesad.ad.program import GUARD, Node, Program

__all__ = ["flops", "program_flops"]

_SIMPLE = """add subtract multiply negative square abs fabs maximum minimum fmax fmin sign copysign where equal
    not_equal less less_equal greater greater_equal logical_and logical_or logical_xor logical_not isnan isinf isfinite
    signbit deg2rad rad2deg floor ceil trunc rint invert bitwise_and bitwise_or bitwise_xor heaviside"""
_DIVISIONS = "divide reciprocal sqrt remainder fmod floor_divide huber"
_ELEMENTARY = """exp exp2 expm1 log log2 log10 log1p log1p_unit log1p_square logaddexp logaddexp2 sin cos tan arcsin
    arccos arctan arctan2 hypot sinh cosh tanh arcsinh arccosh arctanh cbrt power float_power expit log_expit logit
    xlogy xlog1py entr"""
_MOVING = "take index_set reshape transpose broadcast_to concatenate stack flip searchsorted"
_SUMS = "sum prod max min any all cumsum cumprod scatter argmax argmin"
_PER_ELEMENT = {
    **dict.fromkeys(_SIMPLE.split(), 1),
    **dict.fromkeys(_DIVISIONS.split(), 4),
    **dict.fromkeys(_ELEMENTARY.split(), 20),
    **dict.fromkeys(("positive", "cast", "stop_gradient"), 0),
}
_OTHER_FUNCTION = 60


def flops(node: Node) -> float:
    """Floating-point operations of one operation of a program; NaN where it is not known what it does."""
    name = node.primitive.name
    if node.primitive is GUARD:
        return 0.0
    if node.primitive.elementwise:
        return float(_PER_ELEMENT.get(name, _OTHER_FUNCTION) * node.size)
    return float(_WHOLE[name](node)) if name in _WHOLE else math.nan


def program_flops(program: Program) -> float:
    return sum(map(flops, program.nodes))


def _of_source(node: Node) -> int:
    return node.inputs[0].size


def _cubic(factor: float) -> Callable[[Node], float]:
    """For operations on square matrices: ``factor n^3`` for each of a batch."""

    def count(node: Node) -> float:
        shape = node.inputs[0].shape
        return factor * math.prod(shape[:-2]) * shape[-1] ** 3

    return count


def _rectangular(factor: float) -> Callable[[Node], float]:
    def count(node: Node) -> float:
        *batch, m, n = node.inputs[0].shape
        return factor * math.prod(batch) * m * n * min(m, n)

    return count


def _matmul(node: Node) -> float:
    return 2.0 * node.size * node.inputs[0].shape[-1]


def _solve_triangular(node: Node) -> float:
    return float(node.inputs[0].shape[-1] * node.size)


def _solve(node: Node) -> float:
    return _cubic(2 / 3)(node) + 2.0 * node.inputs[0].shape[-1] * node.size


def _sort(node: Node) -> float:
    n = node.inputs[0].size
    return n * math.log2(max(n, 2))


def _scan(node: Node) -> float:
    return node.attributes["length"] * program_flops(node.attributes["body"])


def _cond(node: Node) -> float:
    return max(program_flops(node.attributes["true"]), program_flops(node.attributes["false"]))


_WHOLE: dict[str, Callable[[Node], float]] = {
    **dict.fromkeys(_MOVING.split(), lambda node: 0.0),
    **dict.fromkeys(_SUMS.split(), _of_source),
    "logsumexp": lambda node: 22 * node.inputs[0].size,
    "matmul": _matmul,
    "cholesky": _cubic(1 / 3),
    "cholesky_pullback": _cubic(2 / 3),
    "solve_triangular": _solve_triangular,
    "solve": _solve,
    "inv": _cubic(2),
    "det": _cubic(2 / 3),
    "slogdet": _cubic(2 / 3),
    "cofactors": _cubic(2),
    "eigh": _cubic(9),
    "expm": _cubic(20),
    "qr": _rectangular(2),
    "svd": _rectangular(10),
    "pinv": _rectangular(12),
    "argsort": _sort,
    "scan": _scan,
    "cond": _cond,
}
