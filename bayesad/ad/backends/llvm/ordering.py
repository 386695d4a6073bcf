"""Sorting, searching and convolution of arrays as machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.kernel import Int, Ints
from bayesad.ad.backends.llvm.scalars import FLAGS, as_kind
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.backends.llvm.writer import Position
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["ORDERING", "merge_sort"]

RUN = 8  # elements sorted by insertion before runs are merged
LARGEST = 2**63 - 1


def merge_sort(n: Int, keys: Ints, order: Ints, work: Ints) -> None:
    """The positions of keys in rising order, equal ones in the order they come (Knuth 1998, 5.2.1 and 5.2.4)."""
    for i in range(n):
        j = i
        while j % RUN > 0 and keys[order[j - 1]] > keys[i]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    length = RUN
    while length < n:
        for i in range(n):
            work[i] = order[i]
        start = 0
        while start < n:
            middle = min(start + length, n)
            end = min(start + 2 * length, n)
            left = start
            right = middle
            for i in range(start, end):
                take_left = right >= end
                if left < middle and right < end:
                    take_left = keys[work[left]] <= keys[work[right]]
                if take_left:
                    order[i] = work[left]
                    left += 1
                else:
                    order[i] = work[right]
                    right += 1
            start = end
        length *= 2


def argsort(lowering: Lowering, node: Node) -> bool:
    """Lines along the axis are copied, as integers in the same order, and sorted."""
    (source,) = node.inputs
    axis, n, target = node.attributes["axis"], node.shape[node.attributes["axis"]], lowering.pointer(node)
    keys, order, work = (lowering.parameter("a", f"workspace {lowering.reserve(8 * n)}") for _ in range(3))

    def line(others: Position) -> None:
        def at(i: str) -> Position:
            return [*others[:axis], i, *others[axis + 1 :]]

        lowering.loop(n, lambda i: lowering.store(keys, "i", i, (_key(lowering, source, at(i)), "i")))
        function = lowering.special("merge_sort")
        lowering.say(f"call void {function}(i64 {n}, ptr {keys}, ptr {order}, ptr {work})")
        lowering.loop(
            n, lambda i: lowering.store(target, "i", lowering.linear(at(i), node.shape), lowering.load(order, "i", i))
        )

    if node.size:
        lowering.nest([1 if i == axis else length for i, length in enumerate(node.shape)], line)
    return True


def _key(lowering: Lowering, source: Node, position: Position) -> str:
    """An i64 that compares with others as the elements do: NaN last, zeros of both signs equal."""
    element = lowering.value(source, position)
    if source.dtype.kind != "f":
        return as_kind(lowering, element, "i")
    x = lowering.op(f"fadd double {element[0]}, {hexadecimal(0.0)}")
    bits = lowering.op(f"bitcast double {x} to i64")
    mask = lowering.op(f"lshr i64 {lowering.op(f'ashr i64 {bits}, 63')}, 1")
    key = lowering.op(f"xor i64 {bits}, {mask}")
    return lowering.op(f"select i1 {lowering.op(f'fcmp uno double {x}, {x}')}, i64 {LARGEST}, i64 {key}")


def searchsorted(lowering: Lowering, node: Node) -> bool:
    """By halves: a step is taken if the element that it leads past belongs before the one looked for."""
    a, v = node.inputs
    n, target = a.shape[0], lowering.pointer(node)
    kind = "f" if "f" in (a.dtype.kind, v.dtype.kind) else "i"
    steps = [2**i for i in reversed(range(n.bit_length()))]

    def search(position: Position) -> None:
        x = as_kind(lowering, lowering.value(v, position), kind)
        found = "0"
        for step in steps:
            end = lowering.op(f"add i64 {found}, {step}")
            inside = lowering.op(f"icmp ule i64 {end}, {n}")
            last = lowering.op(f"add i64 {lowering.op(f'select i1 {inside}, i64 {end}, i64 1')}, -1")
            element = as_kind(lowering, lowering.value(a, [last]), kind)
            before = _before(lowering, kind, element, x, or_equal=node.attributes["side"] == "right")
            found = lowering.op(f"select i1 {lowering.op(f'and i1 {inside}, {before}')}, i64 {end}, i64 {found}")
        lowering.store(target, "i", lowering.linear(position, node.shape), (found, "i"))

    if node.size:
        lowering.nest(node.shape, search)
    return True


def _before(lowering: Lowering, kind: str, a: str, x: str, *, or_equal: bool) -> str:
    """Whether a < x (or a <= x), with NaN larger than all else."""
    if kind == "i":
        return lowering.op(f"icmp {'sle' if or_equal else 'slt'} i64 {a}, {x}")
    less = lowering.op(f"fcmp {'ole' if or_equal else 'olt'} double {a}, {x}")
    x_is_nan = lowering.op(f"fcmp uno double {x}, {x}")
    if not or_equal:
        x_is_nan = lowering.op(f"and i1 {x_is_nan}, {lowering.op(f'fcmp ord double {a}, {a}')}")
    return lowering.op(f"or i1 {less}, {x_is_nan}")


def convolve(lowering: Lowering, node: Node) -> bool:
    a, v = sorted(node.inputs, key=lambda i: i.size)  # the longer one innermost
    kind, target = node.dtype.kind, lowering.pointer(node)
    if kind == "b":
        return False
    word = f"{FLAGS}double" if kind == "f" else "i64"
    prefix = "f" if kind == "f" else ""
    zero = hexadecimal(0.0) if kind == "f" else "0"
    lowering.nest(node.shape, lambda p: lowering.store(target, kind, p[0], (zero, kind)))

    def add(position: Position) -> None:
        i, j = position
        x, y = (as_kind(lowering, lowering.value(o, [at]), kind) for o, at in ((a, i), (v, j)))
        offset = lowering.plus(i, j)
        total = lowering.load(target, kind, offset)[0]
        term = lowering.op(f"{prefix}mul {word} {x}, {y}")
        lowering.store(target, kind, offset, (lowering.op(f"{prefix}add {word} {total}, {term}"), kind))

    lowering.nest((a.size, v.size), add)
    return True


ORDERING: dict[str, Callable[[Lowering, Node], bool]] = {
    "argsort": argsort,
    "searchsorted": searchsorted,
    "convolve": convolve,
}
