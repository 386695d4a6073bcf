"""Reverse mode: from a program to the program of its values and cotangents (Griewank & Walther 2008, ch. 3).

Branches not taken: the cotangent that ``np.where`` passes to the branch it did not choose is an exact zero, and it
must stay zero although the values or derivatives met on the way back may be NaN or infinite. Behind a ``where``,
the rules of operations that can meet such values (`fragile_nodes`) therefore give zero wherever the cotangent is
zero: element by element for elementwise operations; for products of matrices by leaving out what is not finite; for
other operations on whole arrays (factorisations, products) if all of the cotangent is zero.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.array import TracedArray, bind, node_of
from bayesad.ad.primitives.indexing import Index, scatter, take
from bayesad.ad.primitives.shaping import broadcast_to, concatenate, stack_rows, unbroadcast
from bayesad.ad.primitives.table import NO_RULE
from bayesad.ad.program import CONSTANT, GUARD, Node, Program
from bayesad.ad.sharing import shared
from bayesad.ad.simplify import rewrite
from bayesad.ad.trace import Trace
from bayesad.errors import DerivativeError

__all__ = ["active_nodes", "fragile_nodes", "missing_rule", "operand", "reverse"]

MOST_SEGMENTS = 256  # more slices of one array than this are scattered one by one


class Element(NamedTuple):
    """The cotangent of one element or row, ``x[at]`` with integers alone."""

    at: Index
    cotangent: Any


class Slice(NamedTuple):
    """The cotangent of a slice ``start:stop`` along one axis."""

    axis: int
    start: int
    stop: int
    cotangent: Any


LINEAR = {"add", "subtract", "negative", "positive", "where", "cast"}  # their rules use the cotangent alone


def reverse(
    program: Program,
    wrt: Sequence[int] | None = None,
    seeds: Sequence[Any] | None = None,
    *,
    masked: bool = False,
) -> Program:
    """The program of a program's outputs followed by the cotangents of its inputs.

    Parameters
    ----------
    program : Program
    wrt : indices of inputs, default all of dtype float64
        Whose cotangents are wanted.
    seeds : one per output, optional
        Plain arrays, the cotangents of the outputs; None for an output that counts as constant. Without them the new
        program takes these as further inputs.
    masked : bool
        The seeds may hold exact zeros for branches not taken.

    Raises
    ------
    DerivativeError
        If an operation on the way has no rule.
    """
    chosen = [i for i, node in enumerate(program.inputs) if node.dtype.kind == "f"] if wrt is None else list(wrt)
    trace = Trace.extending(program, rewrite)
    if seeds is None:
        seeds = [trace.input(node.shape, np.dtype(np.float64)) for node in program.outputs]
    wanted = {program.inputs[i] for i in chosen}
    with np.errstate(all="ignore"):  # rules fold over constants, and their edges are met on purpose
        cotangents = _accumulate(trace, program, wanted, seeds, masked)
    grads = []
    for i in chosen:
        node = program.inputs[i]
        total = _total(cotangents.get(node, []), node)
        grads.append(node_of(trace, np.zeros(node.shape) if total is None else broadcast_to(total, node.shape)))
    return shared(trace.program([*program.outputs, *grads], f"{program.name}.reverse"))


def active_nodes(program: Program, wanted: set[Node]) -> set[Node]:
    """The nodes of dtype float64 that depend on the wanted inputs (activity analysis)."""
    active = set(wanted)
    for node in program.nodes:
        if node.dtype.kind == "f" and any([i in active for i in node.inputs]):
            active.add(node)
    return active


def fragile_nodes(program: Program) -> set[Node]:
    """The nodes whose value or whose derivative can be NaN or infinite: singular operations and all that use them."""
    fragile = {node for node in program.constants if node.dtype.kind == "f" and not np.all(np.isfinite(node.value))}
    for node in program.nodes:
        if node.primitive.singular or any([i in fragile for i in node.inputs]):
            fragile.add(node)
    return fragile


def operand(trace: Trace, node: Node) -> Any:
    """A node as an argument of a rule: constants as plain arrays, so that rules fold over them."""
    return node.value if node.primitive is CONSTANT else TracedArray(trace, node)


def missing_rule(node: Node, position: int, mode: str) -> DerivativeError:
    where = f" (from {node.line})" if node.line else ""
    return DerivativeError(
        f"the primitive {node.primitive.name!r}{where} has no {mode} rule for its argument {position}; give its entry "
        f"in bayesad/ad/primitives one, wrap your function with ad.custom_vjp, or pass ad.stop_gradient(argument) "
        f"if it should count as constant"
    )


def _accumulate(
    trace: Trace, program: Program, wanted: set[Node], seeds: Sequence[Any], masked_seeds: bool
) -> dict[Node, list[Any]]:
    """Contributions to the cotangent of each input; every other node's are used up on the way.

    A contribution is an array that broadcasts to the node's shape, or an Element or Slice of it.
    """
    active = active_nodes(program, wanted)
    contributions: dict[Node, list[Any]] = {}
    fragile = fragile_nodes(program)
    masked = set(program.outputs) if masked_seeds else set()  # their cotangent holds exact zeros for branches not taken
    for node, seed in zip(program.outputs, seeds, strict=True):
        if node in active and seed is not None:
            contributions.setdefault(node, []).append(seed)
    for node in reversed(program.nodes):
        if node.primitive is GUARD or node not in contributions or node not in active or node in wanted:
            continue
        g = _total(contributions.pop(node), node)
        if g is None:
            continue
        trace.source = node.source
        is_masked = node in masked or node.primitive.name == "where"
        guarded = is_masked and node in fragile and node.primitive.name not in LINEAR
        for source, contribution in _pull_back(trace, node, g, active, fragile if guarded else set()):
            if contribution is None:
                continue
            if is_masked and source in active:
                masked.add(source)
            if guarded:
                contribution = _zero_where_unused(node, g, contribution)
            if node.primitive.elementwise:
                contribution = unbroadcast(contribution, node.shape, source.shape)
            contributions.setdefault(source, []).append(contribution)
    return contributions


def _zero_where_unused(node: Node, g: Any, contribution: Any) -> Any:
    """A contribution that is zero where the cotangent ``g`` of its node is."""
    if node.primitive.elementwise:
        return np.where(g == 0.0, 0.0, contribution)
    if node.primitive.variadic or node.primitive.jvp == "multilinear":
        return contribution
    return np.where(np.all(g == 0.0), 0.0, contribution)


def _pull_back(trace: Trace, node: Node, g: Any, active: set[Node], fragile: set[Node]) -> list[tuple[Node, Any]]:
    """(input, contribution) for the active inputs of a node; ``fragile``: those that may hold NaN which is not used."""
    primitive = node.primitive
    index = node.attributes.get("index")
    if primitive is take and isinstance(index, Index):
        if index.integers is not None:
            return [(node.inputs[0], Element(index, g))]
        bounds = _single_slice(index, node.inputs[0].shape)
        if bounds is not None:
            return [(node.inputs[0], Slice(*bounds, broadcast_to(g, node.shape)))]
    if not primitive.elementwise:
        g = broadcast_to(g, node.shape)
    arguments = [operand(trace, i) for i in node.inputs]
    y = TracedArray(trace, node)
    if primitive.jvp == "multilinear" and len(arguments) > 1:
        arguments = [
            np.where(np.isfinite(x), x, 0.0) if i in fragile else x for i, x in zip(node.inputs, arguments, strict=True)
        ]
    if callable(primitive.vjp):
        results = primitive.vjp(g, y, *arguments, **node.attributes)
        return [(s, c) for s, c in zip(node.inputs, results, strict=True) if s in active and c is not None]
    pulled = []
    for i, source in enumerate(node.inputs):
        if source not in active:
            continue
        rule = NO_RULE if primitive.vjp is None else primitive.vjp[i]
        if isinstance(rule, str):  # NO_RULE
            raise missing_rule(node, i, "reverse")
        if rule is not None:
            pulled.append((source, rule(g, y, *arguments, **node.attributes)))
    return pulled


def _single_slice(index: Index, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Axis, begin and end of an index that is a slice without steps along one axis and takes all of the others."""
    found = None
    if any(type(item) is not tuple for item in index.items):
        return None
    for axis, (item, n) in enumerate(zip(index.items, shape, strict=False)):
        start, stop, step = slice(*item[1:]).indices(n)
        if (start, stop, step) == (0, n, 1):
            continue
        if step != 1 or found is not None:
            return None
        found = (axis, start, max(start, stop))
    return found


def _total(contributions: list[Any], node: Node) -> Any:
    """The sum of contributions; those of elements and slices are joined first."""
    dense = [c for c in contributions if not isinstance(c, (Element, Slice))]
    slices: dict[int, list[Slice]] = {}
    by_depth: dict[int, list[Element]] = {}
    for c in contributions:
        if isinstance(c, Slice):
            slices.setdefault(c.axis, []).append(c)
        elif isinstance(c, Element):
            by_depth.setdefault(len(c.at.items), []).append(c)
    if 0 in slices and len(slices[0]) + len(by_depth.get(1, ())) <= MOST_SEGMENTS:
        for element in by_depth.pop(1, ()):
            (i,) = element.at.items
            slices[0].append(Slice(0, i, i + 1, broadcast_to(element.cotangent, node.shape[1:])[None]))
    for axis, parts in slices.items():
        if len(parts) <= MOST_SEGMENTS:
            dense.append(_joined(parts, axis, node.shape))
            continue
        for c in parts:
            index = Index((*(("slice", None, None, None),) * axis, ("slice", c.start, c.stop, None)))
            dense.append(bind(scatter, (c.cotangent,), {"index": index, "shape": node.shape}))
    for depth, entries in by_depth.items():
        dense.append(_scattered(entries, depth, node.shape))
    if not dense:
        return None
    total = dense[0]
    for c in dense[1:]:
        total = total + c
    return total


def _joined(slices: list[Slice], axis: int, shape: tuple[int, ...]) -> Any:
    """The sum of slices of an array along one axis, one segment between two ends after the other."""
    ends = {0, shape[axis], *[c.start for c in slices], *[c.stop for c in slices]}
    segments = []
    for begin, end in itertools.pairwise(sorted(ends)):
        parts = [_part(c, begin, end) for c in slices if c.start <= begin and end <= c.stop]
        if not parts:
            parts = [np.zeros((*shape[:axis], end - begin, *shape[axis + 1 :]))]
        segments.append(functools.reduce(operator.add, parts))
    return concatenate(segments, axis)


def _part(c: Slice, begin: int, end: int) -> Any:
    if (begin, end) == (c.start, c.stop):
        return c.cotangent
    return c.cotangent[(*(slice(None),) * c.axis, slice(begin - c.start, end - c.start))]


def _scattered(entries: list[Element], depth: int, shape: tuple[int, ...]) -> Any:
    rest = shape[depth:]
    merged: dict[tuple[int, ...], Any] = {}
    for index, g in entries:
        position = index.integers
        assert position is not None
        merged[position] = g if position not in merged else merged[position] + g
    rows = [broadcast_to(g, rest) for g in merged.values()]
    positions = np.array(list(merged), dtype=np.int64)
    if len(merged) == math.prod(shape[:depth]):
        order = np.argsort(np.ravel_multi_index(tuple(positions.T), shape[:depth]))
        stacked = stack_rows([rows[i] for i in order])
        return stacked if depth == 1 else np.reshape(stacked, shape)
    if len(merged) == 1:
        (position,) = merged
        return bind(scatter, (rows[0],), {"index": Index(position), "shape": shape})
    items = Index(("array",) * depth)
    arrays = tuple(np.ascontiguousarray(column) for column in positions.T)
    return bind(scatter, (stack_rows(rows), *arrays), {"index": items, "shape": shape})
