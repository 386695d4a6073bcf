"""Recurrences made short: what each step waits for of the step before is as few operations as can be.

Two things shorten the chain. A root that is squared again is left out where it is of a number that cannot be negative:
``s = sqrt(a + b * s**2)`` is a recurrence of ``s**2`` without roots. And a recurrence of scalars that is linear in the
carries is one multiplication and addition per carry, its coefficients computed for all steps beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.primitives import elementwise as ew
from bayesad.ad.primitives import loops
from bayesad.ad.program import CONSTANT, Node, Program
from bayesad.ad.rolling.batching import Operand
from bayesad.ad.rolling.ranges import ANY, NOT_NEGATIVE, Range, Ranges, range_of

__all__ = ["Affine", "affine", "of_squares", "without_roots"]


# --- squares of roots
def _ranges(body: Program, carries: int, arrays: Sequence[Any]) -> Ranges:
    """Ranges of the nodes of a body; that a carry is never negative is assumed, and kept if each step leaves it so."""
    outer = [range_of(x) if node.dtype == np.float64 else ANY for node, x in zip(body.inputs, arrays, strict=True)]
    assumed = {i for i in range(carries) if outer[i][0] >= 0.0 and body.inputs[i].dtype == np.float64}
    while True:
        known: dict[Node, Range] = {
            node: (NOT_NEGATIVE if i in assumed else ANY) if i < carries else outer[i]
            for i, node in enumerate(body.inputs)
        }
        ranges = Ranges(known)
        broken = {i for i in assumed if ranges.of(body.outputs[i])[0] < 0.0}
        if not broken:
            return ranges
        assumed -= broken


def without_roots(body: Program, carries: int, arrays: Sequence[Any]) -> Program:
    """The body with ``u`` for ``sqrt(u)**2`` where u cannot be negative."""
    squares = [node for node in body.nodes if node.primitive is ew.square and node.inputs[0].primitive is ew.sqrt]
    if not squares:
        return body
    ranges = _ranges(body, carries, arrays)
    plain = {node for node in squares if ranges.of(node.inputs[0].inputs[0])[0] >= 0.0}
    if not plain:
        return body

    def step(*inputs: Any) -> list[Any]:
        return _run(body, inputs, lambda node, value: value(node.inputs[0].inputs[0]) if node in plain else None)

    return loops.build(step, body.inputs, body.name)


def of_squares(arrays: Sequence[Any], attributes: dict[str, Any]) -> Any:
    """The packed value of a scan whose carry is a root of which steps only use the square, by a scan of the square."""
    body, n, length = attributes["body"], attributes["carries"], attributes["length"]
    number = next((i for i in range(n) if _is_root_to_be_squared(body, n, i)), None)
    if number is None or length == 0:
        return None
    carry = body.inputs[number]
    square = next(node for node in body.nodes if carry in node.inputs)

    def step(*inputs: Any) -> list[Any]:
        outputs = _run(body, inputs, lambda node, value: inputs[number] if node is square else None)
        return [*outputs[:number], np.square(outputs[number]), *outputs[number + 1 :], outputs[number]]

    first = [np.square(x) if i == number else x for i, x in enumerate(arrays[:n])]
    squared = loops.build(step, body.inputs, body.name)
    lean = without_roots(squared, n, [*first, *arrays[n:]])
    if lean.outputs[number].primitive is ew.square:
        return None
    n_xs = attributes["xs"]
    found = loops.scan(
        lean, first, arrays[n : n + n_xs], arrays[n + n_xs :], length=length, reverse=attributes["reverse"],
        keep=attributes["keep"],
    )  # fmt: skip
    roots = found.part(len(body.outputs))
    begin = np.reshape(arrays[number], (1, *carry.shape))
    pieces = [found.part(i) for i in range(len(body.outputs))]
    if attributes["keep"]:
        pieces[number] = np.concatenate([roots, begin] if attributes["reverse"] else [begin, roots])
    else:
        pieces[number] = roots[0 if attributes["reverse"] else -1]
    return np.concatenate([loops.flat(piece) for piece in pieces])


def _is_root_to_be_squared(body: Program, carries: int, number: int) -> bool:
    carry, root = body.inputs[number], body.outputs[number]
    users = [node for node in body.nodes if carry in node.inputs]
    return (
        root.primitive is ew.sqrt and len(users) == 1 and users[0].primitive is ew.square and carry not in body.outputs
    )


def _run(body: Program, inputs: Sequence[Any], instead: Callable[..., Any]) -> list[Any]:
    """The outputs of a body; ``instead(node, value)`` may give another value for a node."""
    values: dict[Node, Any] = dict(zip(body.inputs, inputs, strict=True))

    def value(node: Node) -> Any:
        return node.value if node.primitive is CONSTANT else values[node]

    for node in body.nodes:
        other = instead(node, value)
        values[node] = (
            bind(node.primitive, tuple([value(i) for i in node.inputs]), node.attributes) if other is None else other
        )
    return [value(node) for node in body.outputs]


# --- linear recurrences
class Affine:
    """A number that is linear in the carries: ``constant`` plus each carry times its coefficient.

    Coefficients and constants are (value, batched) as elsewhere: one value for all steps or one for each.
    """

    def __init__(self, coefficients: dict[Node, Operand], constant: Operand | None) -> None:
        self.coefficients = coefficients
        self.constant = constant

    @property
    def cost(self) -> int:
        """Operations that a step takes."""
        products = sum(1 for c in self.coefficients.values() if not _is_one(c))
        return products + len(self.coefficients) - 1 + (self.constant is not None)


def affine(
    carries: Sequence[Node], following: Sequence[Node], nodes: Sequence[Node], outside: dict[Node, Operand]
) -> list[Affine] | None:
    """The new carries as linear forms of the carries, if that takes fewer operations than the nodes, or fused ones."""
    if any(node.shape != () or node.dtype != np.float64 for node in (*carries, *nodes)):
        return None
    forms = {carry: Affine({carry: (1.0, False)}, None) for carry in carries}

    def form(node: Node) -> Affine | None:
        if node.primitive is CONSTANT:
            return Affine({}, (node.value, False))
        return forms.get(node) or (Affine({}, outside[node]) if node in outside else None)

    for node in nodes:
        operands = [form(i) for i in node.inputs]
        combine = FORMS.get(node.primitive.name)
        found = None if combine is None or None in operands else combine(*operands)
        if found is None:
            return None
        forms[node] = found
    results = [form(node) for node in following]
    if any(result is None for result in results):
        return None
    found_forms = [result for result in results if result is not None]
    cost = sum(result.cost for result in found_forms)
    unfused = any(
        len(found.coefficients) + (found.constant is not None) > 1 and node.primitive.name not in ("add", "subtract")
        for found, node in zip(found_forms, following, strict=True)
    )
    return found_forms if cost < len(nodes) or (cost == len(nodes) and unfused) else None


def _is_one(x: Operand) -> bool:
    return isinstance(x[0], float) and x[0] == 1.0


def _product(a: Operand, b: Operand) -> Operand:
    if _is_one(a) or _is_one(b):
        return b if _is_one(a) else a
    return a[0] * b[0], a[1] or b[1]


def _sum(a: Operand | None, b: Operand | None) -> Operand | None:
    if a is None or b is None:
        return b if a is None else a
    return a[0] + b[0], a[1] or b[1]


def _plus(a: Affine, b: Affine) -> Affine:
    coefficients = dict(a.coefficients)
    for carry, coefficient in b.coefficients.items():
        total = _sum(coefficients.get(carry), coefficient)
        assert total is not None
        coefficients[carry] = total
    return Affine(coefficients, _sum(a.constant, b.constant))


def _scaled(a: Affine, factor: Operand) -> Affine:
    constant = None if a.constant is None else _product(a.constant, factor)
    return Affine({carry: _product(c, factor) for carry, c in a.coefficients.items()}, constant)


def _times(a: Affine, b: Affine) -> Affine | None:
    if a.coefficients and b.coefficients:
        return None
    linear, factor = (a, b) if a.coefficients else (b, a)
    return None if factor.constant is None else _scaled(linear, factor.constant)


def _over(a: Affine, b: Affine) -> Affine | None:
    if b.coefficients or b.constant is None:
        return None
    return _scaled(a, (1.0 / b.constant[0], b.constant[1]))


def _minus(a: Affine) -> Affine:
    return _scaled(a, (-1.0, False))


FORMS: dict[str, Callable[..., Affine | None]] = {
    "add": _plus,
    "subtract": lambda a, b: _plus(a, _minus(b)),
    "negative": _minus,
    "multiply": _times,
    "divide": _over,
}
