"""Programs prepared for machine code: operations that loops do better are written out as simpler ones."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, bind, is_traced, node_of
from bayesad.ad.backends.llvm import log_products
from bayesad.ad.primitives.elementwise import log1p_unit, part_of_unit
from bayesad.ad.primitives.linalg import matmul_p
from bayesad.ad.primitives.reductions import LARGEST, keep_axes, max_p, sum_p
from bayesad.ad.program import CONSTANT, GUARD, Node, Program
from bayesad.ad.simplify import rewrite
from bayesad.ad.trace import Trace

__all__ = ["decompose"]

FEW_COLUMNS = 8  # up to this many, a product with a constant matrix is written out column by column
FEW_ELEMENTS = 4  # a division of so few elements stays one


class _State:
    """What the parts of one decomposition share."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.differences: dict[tuple[Node, Node], Any] = {}  # (a, b) -> a - b
        self.columns: dict[Any, np.ndarray] = {}
        self.terms: dict[tuple[Node, Node], tuple[Any, Any]] = {}  # (a, logsumexp of a) -> exponentials, their sums


def decompose(program: Program) -> Program:
    """The program with operations written out where the table below says so."""
    trace = Trace(False, 0, rewrite)
    trace.inputs = list(program.inputs)
    state = _State(trace)
    made: dict[Node, Any] = {node: TracedArray(trace, node) for node in program.inputs}

    def operand(node: Node) -> Any:
        return node.value if node.primitive is CONSTANT else made[node]

    for node in program.nodes:
        trace.source = node.source
        operands = [operand(i) for i in node.inputs]
        if node.primitive is GUARD:
            if isinstance(operands[0], TracedArray):
                trace.guard(node_of(trace, operands[0]), node.attributes["expected"])
            continue
        attributes = {
            key: decompose(value) if isinstance(value, Program) else value for key, value in node.attributes.items()
        }
        written = WRITTEN_OUT.get(node.primitive.name)
        result = written(state, *operands, **attributes) if written else None
        made[node] = bind(node.primitive, tuple(operands), attributes) if result is None else result
    outputs = [node_of(trace, operand(node)) for node in program.outputs]
    return trace.program(outputs, program.name)


# --- what shares an exponential: log likelihoods and their derivatives meet in exp(-|x|)
def _decay(state: _State, x: Any) -> Any:
    """``exp(-|x|)``: one operation for x and -x, for a - b and b - a."""
    if is_traced(x) and x.node.primitive.name == "negative":
        x = TracedArray(state.trace, x.node.inputs[0])
    if is_traced(x) and x.node.primitive.name == "subtract":
        a, b = x.node.inputs
        found = state.differences.get((b, a))
        x = state.differences.setdefault((a, b), x) if found is None else found
    return np.exp(-np.abs(x))


def _log_expit(state: _State, x: Any) -> Any:
    """Of single numbers; loops have a function whose exponential LLVM shares, which takes its rounding along."""
    if np.size(x) > FEW_ELEMENTS:
        return None
    smaller, logarithm = _log_expit_apart(state, x)
    return smaller - logarithm


def _log_expit_apart(state: _State, x: Any) -> tuple[Any, Any]:
    """min(x, 0) and log(1 + exp(-|x|)), whose difference is log_expit(x)."""
    return np.where(x < 0.0, x, -0.0), bind(log1p_unit, (_decay(state, x),))


def _expit(state: _State, x: Any) -> Any:
    e = _decay(state, x)
    return bind(part_of_unit, (np.where(x < 0.0, e, 1.0), e))


def _logaddexp(state: _State, a: Any, b: Any) -> Any:
    """The larger one and log(1 + exp(-|a - b|)); of equal ones, infinite ones too, the difference is 0."""
    return np.where(a > b, a, b) + bind(log1p_unit, (np.where(a == b, 1.0, _decay(state, a - b)),))


# --- sums and comparisons of what has a term log(1 + e), 0 <= e <= 1
def _term_apart(state: _State, a: Any) -> tuple[Any, Any, float] | None:
    """(x, log(1 + e), sign) where an array is x + sign log(1 + e)."""
    if is_traced(a) and a.node.primitive.name == "log_expit":
        return *_log_expit_apart(state, TracedArray(state.trace, a.node.inputs[0])), -1.0
    if not is_traced(a) or a.node.primitive.name not in ("add", "subtract"):
        return None
    first, second = a.node.inputs
    if first.primitive is log1p_unit and a.node.primitive.name == "add":
        first, second = second, first
    if second.primitive is not log1p_unit or not first.shape == second.shape == a.shape:
        return None
    sign = 1.0 if a.node.primitive.name == "add" else -1.0
    x = first.value if first.primitive is CONSTANT else TracedArray(state.trace, first)
    return x, TracedArray(state.trace, second), sign


def _sum(state: _State, a: Any, axes: tuple[int, ...]) -> Any:
    """The terms by themselves, as their sum over rows is the logarithm of a product (`log_products`)."""
    apart = _term_apart(state, a) if a.ndim == 1 and a.size >= log_products.FEWEST_ROWS else None
    return None if apart is None else np.sum(apart[0]) + apart[2] * np.sum(apart[1])


def _equal(state: _State, a: Any, b: Any) -> Any:
    """A term of at most log(2) makes nothing infinite: the comparison does not need it."""
    apart = _term_apart(state, a) if not is_traced(b) and np.ndim(b) == 0 and np.isinf(b) else None
    return None if apart is None else apart[0] == b


def _logsumexp(state: _State, a: Any, axes: tuple[int, ...]) -> Any:
    """The exponentials are kept, as derivatives weigh by them."""
    shift = np.minimum(np.maximum(bind(max_p, (a,), {"axes": axes}), -LARGEST), LARGEST)  # finite
    terms = np.exp(a - keep_axes(shift, a.shape, axes))
    total = bind(sum_p, (terms,), {"axes": axes})
    result = np.log(total) + shift
    if is_traced(a):
        state.terms[a.node, result.node] = terms, keep_axes(total, a.shape, axes)
    return result


def _exp(state: _State, x: Any) -> Any:
    """The weights that the derivatives of a logsumexp give its terms; a sum is at least 1, unless all terms are 0."""
    if not is_traced(x) or x.node.primitive.name != "subtract":
        return None
    a, taken = x.node.inputs
    floor = taken.inputs[0] if taken.primitive.name == "reshape" else taken
    if floor.primitive.name != "maximum" or not _is_lowest(floor.inputs[1]):
        return None
    known = state.terms.get((a, floor.inputs[0]))
    if known is None or known[1].shape != taken.shape:
        return None
    terms, total = known
    return terms * (1.0 / np.maximum(total, 1.0))


def _is_lowest(node: Node) -> bool:
    return node.primitive is CONSTANT and node.shape == () and float(node.value) == -LARGEST


# --- divisions
def _divide(state: _State, a: Any, b: Any) -> Any:
    """Many divisions by one number, or by data, are multiplications by its reciprocal."""
    many = np.size(a) > FEW_ELEMENTS and np.shape(a)[np.ndim(a) - np.ndim(b) :] != np.shape(b)
    if is_traced(b):
        return a * (1.0 / b) if many and np.size(b) == 1 else None
    with np.errstate(all="ignore"):
        reciprocal = 1.0 / b
    return a * reciprocal if np.size(b) > 1 and np.all(np.isfinite(reciprocal) & (reciprocal != 0.0)) else None


# --- products
def _matmul(state: _State, a: Any, b: Any) -> Any:
    """A product with a constant matrix comes first; with few columns or rows it joins the loop over the long axis."""
    if a.ndim == 1 and b.ndim == 1:
        return bind(sum_p, (a * b,), {"axes": (0,)})
    if a.ndim == 1 and b.ndim == 2 and isinstance(b, np.ndarray):
        written = _matmul(state, b.T, a)
        return bind(matmul_p, (b.T, a), {}) if written is None else written
    if a.ndim != 2 or b.ndim != 1 or not isinstance(a, np.ndarray):
        return None
    rows, columns = a.shape
    if 0 < columns <= FEW_COLUMNS and columns <= rows:
        terms = [_column(state, a, k) * b[k] for k in range(columns)]
        return functools.reduce(operator.add, terms)
    if 0 < rows <= FEW_COLUMNS:
        return np.stack([bind(sum_p, (_column(state, a.T, k) * b,), {"axes": (0,)}) for k in range(rows)])
    return None


def _column(state: _State, matrix: np.ndarray, k: int) -> np.ndarray:
    """A column in memory of its own: one copy for a matrix and its transpose."""
    column = matrix[:, k]
    key = (column.__array_interface__["data"][0], column.strides, column.shape)
    if key not in state.columns:
        state.columns[key] = np.ascontiguousarray(column)
    return state.columns[key]


WRITTEN_OUT: dict[str, Callable[..., Any]] = {
    "divide": _divide,
    "equal": _equal,
    "exp": _exp,
    "expit": _expit,
    "log_expit": _log_expit,
    "logaddexp": _logaddexp,
    "logsumexp": _logsumexp,
    "matmul": _matmul,
    "sum": _sum,
}
