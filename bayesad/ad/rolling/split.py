"""Scans made lean: only what depends on the carry and is needed for the next one stays in the loop.

What the steps compute from rows and invariants alone is computed before the loop, for all steps at once, unless it is
cheap and the loop reads less without it (`rereading`); what only reads carries is computed after it from their rows.
A carry that is a row of the step before, a running total or never changed leaves the loop altogether. The array
operations this makes are vectorised and fused like any others (loop fission and scalar expansion; Allen & Kennedy
2001, ch. 5).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from bayesad.ad.array import TracedArray, bind
from bayesad.ad.primitives import loops
from bayesad.ad.program import CONSTANT, INPUT, Node, Program
from bayesad.ad.rolling.batching import Operand, batched
from bayesad.ad.rolling.recurrences import Affine, affine, of_squares, without_roots
from bayesad.ad.rolling.rereading import computed_inside
from bayesad.ad.simplify import FEWEST_FOR_A_PRODUCT, rule, simplify
from bayesad.ad.trace import Trace

__all__ = ["lean_scan"]

_simplified: WeakKeyDictionary[Program, Program] = WeakKeyDictionary()


@rule("scan")
def lean_scan(trace: Trace, *nodes: Node, **attributes: Any) -> Any:
    """The packed value of a scan, by a scan over less if some of its body can leave the loop."""
    arrays = [node.value if node.primitive is CONSTANT else TracedArray(trace, node) for node in nodes]
    body = attributes["body"]
    if body not in _simplified:
        simple = simplify(body)
        _simplified[body] = _simplified[simple] = simple
    simple = without_roots(_simplified[body], attributes["carries"], arrays)
    if simple is not body:
        return bind(loops.scan_p, tuple(arrays), {**attributes, "body": simple})
    if attributes["length"] == 0:
        return None
    squares = of_squares(arrays, attributes)
    return _split(_Loop(arrays, attributes)) if squares is None else squares


def _split(loop: _Loop) -> Any:
    """The packed value by what comes before the loop, a core, and what comes after; None if all is core."""
    summed = loop.totals()
    rows = loop.length * sum(node.size for node in loop.carries if node not in summed)
    if rows > loops.HISTORY and not loop.keep:
        return None
    loop.take_out()
    totals = loop.totals()
    stuck: set[Node] = set()
    while True:
        core = _Core(loop, totals, stuck)
        if loop.length * sum(node.size for node in core.stored) > loops.HISTORY:
            core = _Core(loop, {}, set(core.inside))
        if core.is_everything():
            return None
        packed = core.packed(stuck)
        if packed is not None:
            return packed


class _Loop:
    """One scan being taken apart.

    Attributes
    ----------
    outside : dict
        Body node -> (value, batched) of what is known without the loop: one value for all steps or one per step.
    rows : dict
        Of carries that left the loop their values before all steps and after the last.
    """

    def __init__(self, arrays: Sequence[Any], attributes: dict[str, Any]) -> None:
        self.body: Program = attributes["body"]
        self.length: int = attributes["length"]
        self.reverse: bool = attributes["reverse"]
        self.keep: bool = attributes["keep"]
        n_carries, n_xs = attributes["carries"], attributes["xs"]
        self.carries = self.body.inputs[:n_carries]
        self.following = dict(zip(self.carries, self.body.outputs, strict=False))
        self.ys = self.body.outputs[n_carries:]
        self.first = dict(zip(self.carries, arrays, strict=False))
        self.outside: dict[Node, Operand] = {}
        for i, node in enumerate(self.body.inputs[n_carries:], n_carries):
            self.outside[node] = (arrays[i], i < n_carries + n_xs)
        self.rows: dict[Node, Any] = {}
        self.users: dict[Node, list[Node]] = {node: [] for node in (*self.body.inputs, *self.body.nodes)}
        for operation in self.body.nodes:
            for node in operation.inputs:
                self.users.setdefault(node, []).append(operation)

    # --- before the loop
    def take_out(self) -> None:
        """Compute outside what does not depend on carries that have to stay."""
        changed = True
        while changed:
            for node in self.body.nodes:
                if node not in self.outside:
                    self.compute(node, self.outside)
            changed = any([self._take_out_carry(carry) for carry in self.carries if carry not in self.outside])

    def compute(self, node: Node, known: dict[Node, Operand], *, for_a_sum: bool = False) -> bool:
        """Add a node to the known ones if its inputs are known, there is a rule, and it is not too much for memory.

        ``for_a_sum``: its sum over the steps alone is wanted, which is a product of matrices if it is one.
        """
        operands: list[Operand] = []
        for source in node.inputs:
            operand = (source.value, False) if source.primitive is CONSTANT else known.get(source)
            if operand is None:
                return False
            operands.append(operand)
        if not any(is_batched for _, is_batched in operands):
            known[node] = bind(node.primitive, tuple([value for value, _ in operands]), node.attributes), False
            return True
        is_product = for_a_sum and all(is_batched for _, is_batched in operands) and _is_product(node)
        if self.length * node.size > loops.HISTORY and not is_product:
            return False
        value = batched(node.primitive, operands, node.attributes, self.length)
        if value is None:
            return False
        known[node] = value, True
        return True

    def _take_out_carry(self, carry: Node) -> bool:
        first, following = self.first[carry], self.following[carry]
        if following is carry:
            self.outside[carry] = first, False
            self.rows[carry] = np.broadcast_to(first, (self.length + 1, *carry.shape))
            return True
        if self.length * carry.size > loops.HISTORY and not self.keep:
            return False
        if self._is_outside(following):
            rows = self._joined(first, self.per_step(following, self.outside))
        else:
            increments = self._increments(carry, following)
            if increments is None:
                return False
            rows = self.accumulated(first, increments)
        self.rows[carry] = rows
        self.outside[carry] = (rows[1:] if self.reverse else rows[:-1]), True
        return True

    def _is_outside(self, node: Node) -> bool:
        return node in self.outside or node.primitive is CONSTANT

    def _increments(self, carry: Node, following: Node) -> Any:
        """What the steps add to a carry that is a running total of something known outside, else None."""
        name = following.primitive.name
        if name not in ("add", "subtract") or carry.dtype != np.float64:
            return None
        a, b = following.inputs
        total, other = (b, a) if b is carry and name == "add" else (a, b)
        if total is not carry or other.shape != carry.shape or not self._is_outside(other):
            return None
        steps = self.per_step(other, self.outside)
        return -steps if name == "subtract" else steps

    def per_step(self, node: Node, known: dict[Node, Operand]) -> Any:
        """The value of a known node at every step."""
        value, is_batched = (node.value, False) if node.primitive is CONSTANT else known[node]
        return value if is_batched else np.broadcast_to(value, (self.length, *node.shape))

    def _joined(self, first: Any, after: Any) -> Any:
        """All rows of a carry, from the first value and those after each step."""
        first = np.reshape(first, (1, *np.shape(first)))
        return np.concatenate([after, first] if self.reverse else [first, after])

    def accumulated(self, first: Any, increments: Any) -> Any:
        """All rows of a running total."""
        rows = self._joined(first, increments)
        return np.flip(np.cumsum(np.flip(rows, 0), axis=0), 0) if self.reverse else np.cumsum(rows, axis=0)

    # --- running totals of what the loop computes
    def totals(self) -> dict[Node, list[tuple[float, Node]]]:
        """Of carries that are used for nothing but adding to them: the signed terms that each step adds."""
        found = {carry: self._terms(carry) for carry in self.carries if carry not in self.outside}
        return {carry: terms for carry, terms in found.items() if terms}

    def _terms(self, carry: Node) -> list[tuple[float, Node]]:
        following = self.following[carry]
        outputs = {*self.ys, *[out for c, out in self.following.items() if c is not carry]}
        if carry.dtype != np.float64 or carry in outputs or self.users.get(following):
            return []
        terms: list[tuple[float, Node]] = []
        node = carry
        while node is not following:
            users = self.users[node]
            if len(users) != 1 or users[0].shape != carry.shape or (node is not carry and node in outputs):
                return []
            user = users[0]
            if user.primitive.name not in ("add", "subtract"):
                return []
            a, b = user.inputs
            if b is node and user.primitive.name == "subtract":
                return []
            terms.append((-1.0 if user.primitive.name == "subtract" else 1.0, b if a is node else a))
            node = user
        return terms


def _is_product(node: Node) -> bool:
    """Whether the sum of such nodes over steps is made a product of matrices, by rules of `simplify`."""
    if node.ndim != 2 or min(node.shape) < FEWEST_FOR_A_PRODUCT:
        return False
    if node.primitive.name == "matmul":
        return all(i.ndim == 2 for i in node.inputs)
    rows, columns = node.shape
    shapes = {(1,) * (2 - i.ndim) + i.shape for i in node.inputs}
    return node.primitive.name == "multiply" and shapes == {(rows, 1), (1, columns)}


class _Core:
    """What stays in the loop, and the results of the scan made of that and of what is done before and after it.

    Parameters
    ----------
    totals : dict
        Carries that are summed up after the loop -> signed terms.
    stuck : set of Node
        What cannot be computed after the loop.

    Attributes
    ----------
    nodes : list of Node
        What stays in the loop, ``stored`` what it stores beside its carries. Some are known outside of it, too.
    after : list of Node
        What is computed after the loop.
    """

    def __init__(self, loop: _Loop, totals: dict[Node, list[tuple[float, Node]]], stuck: set[Node]) -> None:
        self.loop = loop
        self.totals = totals
        self.carries = [c for c in loop.carries if c not in loop.outside and c not in totals]
        self.inside = [node for node in loop.body.nodes if node not in loop.outside]
        ends = {loop.following[c] for c in self.carries}
        needed = ends | stuck
        for node in reversed(self.inside):
            if node in needed:
                needed.update(node.inputs)
        self.nodes = [node for node in self.inside if node in needed]
        again = computed_inside(self.nodes, loop.outside)
        totalled = {loop.following[c] for c in totals}
        wanted = {*loop.ys, *[node for terms in totals.values() for _, node in terms]} - totalled
        self.stored: list[Node] = []
        self.after: list[Node] = []
        for node in reversed(self.inside):
            if node not in wanted or node in ends:
                continue
            if node in stuck or (node in needed and node.primitive.name not in loops.CHEAP):
                self.stored.append(node)
            else:
                self.after.append(node)
                wanted.update(node.inputs)
        self.after.reverse()
        self.linear = None
        if not self.stored:
            self.linear = affine(self.carries, [loop.following[c] for c in self.carries], self.nodes, loop.outside)
        if again:
            self.nodes = [node for node in loop.body.nodes if node in again or node in self.nodes]
        self.reads_rows = any(c in wanted or loop.following[c] in wanted for c in self.carries)

    def is_everything(self) -> bool:
        """Whether nothing leaves the loop."""
        body, n = self.loop.body, len(self.carries)
        ys = body.outputs[n:]
        return (
            n == len(self.loop.carries)
            and self.linear is None
            and len(self.nodes) == len(body.nodes)
            and not self.after
            and len(set(ys)) == len(ys) == len(self.stored)
        )

    def packed(self, stuck: set[Node]) -> Any:
        """The packed value of the whole scan; None if a node could not be computed after the loop: it is now stuck."""
        loop = self.loop
        core = self._scan(loop.keep or self.reads_rows)
        known = dict(loop.outside)
        if core.keep:
            known |= {loop.following[c]: (core.after(k), True) for k, c in enumerate(self.carries)}
            known |= {c: (core.before(k), True) for k, c in enumerate(self.carries)}
        known |= {node: (core.y(j), True) for j, node in enumerate(self.stored)}
        for node in self.after:
            if not loop.compute(node, known, for_a_sum=self._is_only_summed(node)):
                stuck.add(node)
                return None
        for c in self.totals:
            if loop.following[c] in loop.ys:
                rows = self._total_rows(c, known)
                known[loop.following[c]] = (rows[:-1] if loop.reverse else rows[1:]), True
        pieces = [self._carry(c, core, known) for c in loop.carries]
        pieces += [loop.per_step(node, known) for node in loop.ys]
        return np.concatenate([loops.flat(piece) for piece in pieces])

    def _is_only_summed(self, node: Node) -> bool:
        """Whether nothing but its sum over the steps is wanted of a node."""
        loop = self.loop
        totals = [c for c, terms in self.totals.items() if any(term is node for _, term in terms)]
        others = {*loop.ys, *[loop.following[c] for c in loop.carries if c not in totals]}
        once = len(totals) == len(loop.users[node]) == 1 and node not in others
        return once and not loop.keep and loop.following[totals[0]] not in loop.ys

    def _carry(self, carry: Node, core: loops.Scanned, known: dict[Node, Operand]) -> Any:
        """All rows of a carry, or the last alone where rows are not kept."""
        loop = self.loop
        if carry in loop.rows:
            rows = loop.rows[carry]
            return rows if loop.keep else rows[0 if loop.reverse else -1]
        if carry in self.totals:
            return self._total_rows(carry, known) if loop.keep else self._total(carry, known)
        k = self.carries.index(carry)
        return core.part(k) if loop.keep else core.final(k)

    def _scan(self, keep: bool) -> loops.Scanned:
        loop = self.loop
        following = [loop.following[c] for c in self.carries]
        if self.linear is not None:
            return self._linear_scan(self.linear, keep)
        used = {i for node in self.nodes for i in node.inputs}.union(following)
        given = [node for node in loop.outside if node in used and node not in self.nodes]
        xs = [node for node in given if loop.outside[node][1]]
        invariants = [node for node in given if not loop.outside[node][1]]

        def step(*arguments: Any) -> list[Any]:
            values: dict[Node, Any] = dict(zip([*self.carries, *xs, *invariants], arguments, strict=True))

            def value(node: Node) -> Any:
                return node.value if node.primitive is CONSTANT else values[node]

            for node in self.nodes:
                values[node] = bind(node.primitive, tuple([value(i) for i in node.inputs]), node.attributes)
            return [value(node) for node in (*following, *self.stored)]

        return self._made(
            step, [*xs, *invariants], [loop.outside[n][0] for n in xs], [loop.outside[n][0] for n in invariants], keep
        )

    def _linear_scan(self, forms: list[Affine], keep: bool) -> loops.Scanned:
        """The recurrence by its coefficients."""
        operands = [o for form in forms for o in (*form.coefficients.values(), form.constant) if o is not None]
        xs = [value for value, is_batched in operands if is_batched]
        invariants = [value for value, is_batched in operands if not is_batched]

        def step(*arguments: Any) -> list[Any]:
            carries = dict(zip(self.carries, arguments, strict=False))
            rows = iter(arguments[len(self.carries) : len(self.carries) + len(xs)])
            others = iter(arguments[len(self.carries) + len(xs) :])

            def value(operand: Operand) -> Any:
                return next(rows if operand[1] else others)

            results = []
            for form in forms:
                terms = [value(coefficient) * carries[c] for c, coefficient in form.coefficients.items()]
                terms += [value(form.constant)] if form.constant is not None else []
                results.append(functools.reduce(operator.add, terms))
            return results

        scalar = Node(INPUT, (), {}, (), np.dtype(np.float64))
        return self._made(step, [scalar] * len(operands), xs, invariants, keep)

    def _made(
        self, step: Callable[..., Any], like: list[Node], xs: list[Any], invariants: list[Any], keep: bool
    ) -> loops.Scanned:
        loop = self.loop
        return loops.scan(
            loops.build(step, [*self.carries, *like], loop.body.name),
            [loop.first[c] for c in self.carries],
            xs,
            invariants,
            length=loop.length,
            reverse=loop.reverse,
            keep=keep,
        )

    def _total(self, carry: Node, known: dict[Node, Operand]) -> Any:
        total = self.loop.first[carry]
        for sign, node in self.totals[carry]:
            total = total + sign * np.sum(self.loop.per_step(node, known), axis=0)
        return total

    def _total_rows(self, carry: Node, known: dict[Node, Operand]) -> Any:
        length = self.loop.length
        increments: Any = 0.0
        for sign, node in self.totals[carry]:
            terms = self.loop.per_step(node, known)
            axes = (1,) * (carry.ndim - node.ndim)
            increments = increments + sign * np.reshape(terms, (length, *axes, *node.shape))
        increments = np.broadcast_to(increments, (length, *carry.shape))
        return self.loop.accumulated(self.loop.first[carry], increments)
