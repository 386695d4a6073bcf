"""Reductions that no fused loop takes (those of integers and truth values), positions of extremes, running totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.scalars import Operand, as_kind
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.backends.llvm.writer import MEMORY, Position
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["COLLECTING"]

TYPES = {"f": "double", "i": "i64", "b": "i1"}
LARGEST, SMALLEST = str(2**63 - 1), str(-(2**63))


def _pick(test: str) -> Callable[[Lowering, str, str, str], str]:
    def combine(lowering: Lowering, kind: str, total: str, x: str) -> str:
        first = lowering.op(f"icmp {test} {kind} {total}, {x}")
        return lowering.op(f"select i1 {first}, {kind} {total}, {kind} {x}")

    return combine


def _join(word: str) -> Callable[[Lowering, str, str, str], str]:
    return lambda lowering, kind, total, x: lowering.op(f"{word} {kind} {total}, {x}")


# name: what a total starts from, and how an element is taken in; for i64, and for i1
REDUCTIONS: dict[str, dict[str, tuple[str, Callable[[Lowering, str, str, str], str]]]] = {
    "sum": {"i": ("0", _join("add"))},
    "prod": {"i": ("1", _join("mul"))},
    "max": {"i": (SMALLEST, _pick("sgt")), "b": ("false", _join("or"))},
    "min": {"i": (LARGEST, _pick("slt")), "b": ("true", _join("and"))},
    "any": {"b": ("false", _join("or"))},
    "all": {"b": ("true", _join("and"))},
}


def reduce(lowering: Lowering, node: Node) -> bool:
    """Integers and truth values, collected in the result's memory."""
    (source,) = node.inputs
    kind = node.dtype.kind
    if kind not in REDUCTIONS[node.primitive.name]:
        return False
    start, combine = REDUCTIONS[node.primitive.name][kind]
    target, axes = lowering.pointer(node), node.attributes["axes"]
    lowering.nest([node.size], lambda p: lowering.store(target, kind, p[0], (start, kind)))

    def take_in(position: Position) -> None:
        kept = [i for axis, i in enumerate(position) if axis not in axes]
        offset = lowering.linear(kept, node.shape)
        total = lowering.load(target, kind, offset)[0]
        x = as_kind(lowering, lowering.value(source, position), kind)
        lowering.store(target, kind, offset, (combine(lowering, TYPES[kind], total, x), kind))

    if source.size:
        lowering.nest(source.shape, take_in)
    return True


# --- along one axis
def _along_axis(
    lowering: Lowering,
    node: Node,
    kinds: str,
    start: list[str],
    step: Callable[[str, Position, list[Operand]], list[str]],
) -> None:
    """``step(i, position, state)`` for every position of the source, with state anew for each line along the axis."""
    source, axis = node.inputs[0], node.attributes["axis"]
    places = [f"%{lowering.fresh('run')}" for _ in kinds]
    lowering.entry += [f"  {place} = alloca {MEMORY[kind]}" for place, kind in zip(places, kinds, strict=True)]

    def line(others: Position) -> None:
        for place, kind, first in zip(places, kinds, start, strict=True):
            lowering.store(place, kind, "0", (first, kind))

        def element(i: str) -> None:
            state = [lowering.load(place, kind, "0") for place, kind in zip(places, kinds, strict=True)]
            position = [*others[:axis], i, *others[axis + 1 :]]
            for place, kind, new in zip(places, kinds, step(i, position, state), strict=True):
                lowering.store(place, kind, "0", (new, kind))

        lowering.loop(source.shape[axis], element)

    if source.size:
        lowering.nest([1 if i == axis else n for i, n in enumerate(source.shape)], line)


def _running(on_floats: str, on_integers: str, start: float) -> Callable[[Lowering, Node], bool]:
    def emit(lowering: Lowering, node: Node) -> bool:
        kind, target = node.dtype.kind, lowering.pointer(node)
        word = f"{on_floats} double" if kind == "f" else f"{on_integers} i64"

        def step(i: str, position: Position, state: list[Operand]) -> list[str]:
            x = as_kind(lowering, lowering.value(node.inputs[0], position), kind)
            total = lowering.op(f"{word} {state[0][0]}, {x}")
            lowering.store(target, kind, lowering.linear(position, node.shape), (total, kind))
            return [total]

        first = hexadecimal(start) if kind == "f" else str(int(start))
        _along_axis(lowering, node, kind, [first], step)
        return True

    return emit


def _position_of(on_floats: str, on_integers: str) -> Callable[[Lowering, Node], bool]:
    """The first position of an extreme; NaN, where there is one, is the extreme."""

    def emit(lowering: Lowering, node: Node) -> bool:
        source, axis = node.inputs[0], node.attributes["axis"]
        kind, target = "f" if source.dtype.kind == "f" else "i", lowering.pointer(node)

        def step(i: str, position: Position, state: list[Operand]) -> list[str]:
            x = as_kind(lowering, lowering.value(source, position), kind)
            best, at = state[0][0], state[1][0]
            if kind == "f":  # the comparison holds for a NaN, of which the first stays
                beyond = lowering.op(f"fcmp {on_floats} double {x}, {best}")
                beyond = lowering.op(f"and i1 {beyond}, {lowering.op(f'fcmp ord double {best}, {best}')}")
            else:
                beyond = lowering.op(f"icmp {on_integers} i64 {x}, {best}")
            first = lowering.op(f"icmp eq i64 {i}, 0")
            better = lowering.op(f"or i1 {first}, {beyond}")
            best = lowering.op(f"select i1 {better}, {TYPES[kind]} {x}, {TYPES[kind]} {best}")
            at = lowering.op(f"select i1 {better}, i64 {i}, i64 {at}")
            others = [n for j, n in enumerate(position) if j != axis]
            lowering.store(target, "i", lowering.linear(others, node.shape), (at, "i"))
            return [best, at]

        _along_axis(lowering, node, kind + "i", [hexadecimal(0.0) if kind == "f" else "0", "0"], step)
        return True

    return emit


COLLECTING: dict[str, Callable[[Lowering, Node], bool]] = {
    **dict.fromkeys(REDUCTIONS, reduce),
    "cumsum": _running("fadd", "add", 0.0),
    "cumprod": _running("fmul", "mul", 1.0),
    "argmax": _position_of("ugt", "sgt"),
    "argmin": _position_of("ult", "slt"),
}
