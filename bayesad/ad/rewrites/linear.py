"""Linear forms: an array seen, element by element, as a sum of constants times elements of smaller arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesad.ad.program import CONSTANT, Node

__all__ = ["ONE", "Factor", "Form", "Term", "linear_form", "over", "single", "times"]

MOST_TERMS = 512


@dataclass(frozen=True, eq=False)
class Factor:
    """Elements of a node that depends on unknowns, one for each place of a form.

    Attributes
    ----------
    node : Node
    index : int array
        Which element (of the flattened node) stands in each place; broadcasts to the form's shape.
    inverse : bool
        Whether it divides instead.
    """

    node: Node
    index: np.ndarray
    inverse: bool = False

    @property
    def varies(self) -> bool:
        """Whether different places take different elements."""
        return self.index.ndim > 0


@dataclass(frozen=True, eq=False)
class Term:
    """``multiplier * array * product of factors``; the array (None: ones) broadcasts to the form's shape."""

    multiplier: float = 1.0
    array: np.ndarray | None = None
    factors: tuple[Factor, ...] = ()


ONE = Term()


@dataclass(frozen=True, eq=False)
class Form:
    """``scale * sum of terms``, an array of the given shape."""

    shape: tuple[int, ...]
    terms: tuple[Term, ...]
    scale: Term = ONE

    def expanded(self) -> tuple[Term, ...]:
        """The terms with the scale multiplied into each."""
        return self.terms if self.scale is ONE else tuple(times(term, self.scale) for term in self.terms)


class TooLarge(Exception):
    """The array is not made of a few terms in small arrays."""


def linear_form(node: Node, largest: int) -> Form | None:
    """The form of a node, or None.

    Parameters
    ----------
    node : Node
    largest : int
        The most elements that a node taken as unknown may have; what has more must be linear in smaller ones.
    """
    forms: dict[Node, Form] = {}
    try:
        for earlier in _in_order(node, largest):
            handler = HANDLERS[earlier.primitive.name] if _taken_apart(earlier, largest) else None
            found = handler(earlier, [forms[i] for i in earlier.inputs]) if handler else None
            forms[earlier] = _unknown(earlier, largest) if found is None else found
            if len(forms[earlier].terms) > MOST_TERMS:
                return None
    except TooLarge:
        return None
    return forms[node]


def _taken_apart(node: Node, largest: int) -> bool:
    """Whether a node is looked into. Small ones are unknowns themselves, but elements of a small array are its own."""
    name = node.primitive.name
    if name in MOVES:
        return node.size > largest or node.inputs[0].size <= largest
    return name in HANDLERS and (node.size > largest or node.primitive is CONSTANT)


def _in_order(node: Node, largest: int) -> Iterator[Node]:
    """The node and what it is made of, operands first."""
    done: set[Node] = set()
    stack = [(node, False)]
    while stack:
        current, ready = stack.pop()
        if ready:
            yield current
        elif current not in done:
            done.add(current)
            stack.append((current, True))
            if _taken_apart(current, largest):
                stack.extend((i, False) for i in current.inputs)


def _unknown(node: Node, largest: int) -> Form:
    if node.size > largest or node.dtype != np.float64:
        raise TooLarge
    return Form(node.shape, (Term(factors=(Factor(node, _compact(np.arange(node.size).reshape(node.shape))),)),))


def _compact(index: np.ndarray) -> np.ndarray:
    return index.reshape(()) if index.size == 1 else index


def _term(multiplier: float, array: np.ndarray | None, factors: Iterable[Factor] = ()) -> Term:
    if array is not None and array.size == 1:
        return Term(multiplier * float(array.reshape(())), None, tuple(factors))
    return Term(multiplier, array, tuple(factors))


def _float(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64, copy=False)


def times(a: Term, b: Term) -> Term:
    arrays = [t.array for t in (a, b) if t.array is not None]
    array = _float(arrays[0]) * _float(arrays[1]) if len(arrays) == 2 else arrays[0] if arrays else None
    return Term(a.multiplier * b.multiplier, array, a.factors + b.factors)


def over(a: Term, b: Term) -> Term:
    """``a / b``."""
    array = a.array
    with np.errstate(all="ignore"):
        multiplier = float(np.float64(a.multiplier) / b.multiplier)
        if b.array is not None:
            array = (1.0 if array is None else _float(array)) / _float(b.array)
    return Term(multiplier, array, a.factors + tuple(replace(f, inverse=not f.inverse) for f in b.factors))


def single(form: Form) -> Term | None:
    return times(form.terms[0], form.scale) if len(form.terms) == 1 else None


def _same_scale(a: Term, b: Term) -> bool:
    return (
        a.multiplier == b.multiplier
        and a.array is b.array
        and len(a.factors) == len(b.factors)
        and all(
            f.node is g.node and f.inverse == g.inverse and _same_index(f.index, g.index)
            for f, g in zip(a.factors, b.factors, strict=True)
        )
    )


def _same_index(i: np.ndarray, j: np.ndarray) -> bool:
    return i is j or (i.ndim == j.ndim == 0 and int(i) == int(j))


# --- handlers: (node, forms of its inputs) -> form, or None where the node is an unknown of its own
def _constant(node: Node, _: list[Form]) -> Form:
    return Form(node.shape, (_term(1.0, node.value) if node.ndim else Term(float(node.value)),))


def _sum_of_two(sign: float) -> Callable[[Node, list[Form]], Form]:
    def handler(node: Node, forms: list[Form]) -> Form:
        a, b = forms
        if _same_scale(a.scale, b.scale):
            left, right, scale = a.terms, b.terms, a.scale
        else:
            left, right, scale = a.expanded(), b.expanded(), ONE
        right = right if sign == 1.0 else tuple(replace(t, multiplier=-t.multiplier) for t in right)
        return Form(node.shape, left + right, scale)

    return handler


def _negative(node: Node, forms: list[Form]) -> Form:
    return replace(forms[0], terms=tuple(replace(t, multiplier=-t.multiplier) for t in forms[0].terms))


def _multiply(node: Node, forms: list[Form]) -> Form | None:
    for one, other in (forms, forms[::-1]):
        factor = single(one)
        if factor is None:
            continue
        whole = single(other)
        if whole is not None:
            return Form(node.shape, (times(whole, factor),))
        return Form(node.shape, other.terms, times(other.scale, factor))
    return None


def _divide(node: Node, forms: list[Form]) -> Form | None:
    divisor, whole = single(forms[1]), single(forms[0])
    if divisor is None:
        return None
    if whole is not None:
        return Form(node.shape, (over(whole, divisor),))
    return Form(node.shape, forms[0].terms, over(forms[0].scale, divisor))


def _moved(node: Node, forms: list[Form]) -> Form | None:
    """Operations that move elements about: each array and each index moves along."""
    if any(i.primitive is not CONSTANT for i in node.inputs[1:]):
        return None
    positions = [i.value for i in node.inputs[1:]]

    def move(array: Any) -> Any:
        return node.primitive.evaluate(np.broadcast_to(array, forms[0].shape), *positions, **node.attributes)

    def moved(term: Term) -> Term:
        factors = [replace(f, index=_compact(move(f.index))) if f.varies else f for f in term.factors]
        return _term(term.multiplier, None if term.array is None else move(term.array), factors)

    return Form(node.shape, tuple(moved(t) for t in forms[0].terms), moved(forms[0].scale))


def _matmul(node: Node, forms: list[Form]) -> Form | None:
    """``X @ b`` with constant X: one term for each column (and for each row of ``b @ X``)."""
    a, b = node.inputs
    if a.ndim > 2 or b.ndim > 2 or a.ndim + b.ndim == 2:
        return None
    known, other = (a, b) if a.primitive is CONSTANT else (b, a)
    if known.primitive is not CONSTANT or other.primitive is CONSTANT:
        return None
    inner = a.shape[-1]
    if inner > MOST_TERMS or other.dtype != np.float64:
        return None
    places = np.arange(other.size).reshape(other.shape)
    terms = []
    for k in range(inner):
        column, index = (known.value[..., k], places[k]) if known is a else (known.value[k], places[..., k])
        if a.ndim == b.ndim == 2:
            column, index = (column[:, None], index) if known is a else (column, index[:, None])
        terms.append(_term(1.0, column, (Factor(other, _compact(np.asarray(index))),)))
    return Form(node.shape, tuple(terms))


def _sum(node: Node, forms: list[Form]) -> Form | None:
    """A sum over few places: one term for each, but what varies along none of the axes is counted."""
    axes = node.attributes["axes"]
    (form,) = forms
    places = int(np.prod([form.shape[i] for i in axes], dtype=np.int64))
    if not node.ndim or places * len(form.terms) > MOST_TERMS:
        return None

    def placed(array: np.ndarray) -> np.ndarray:
        """The places that are summed over as the first axis."""
        spread = np.moveaxis(np.broadcast_to(array, form.shape), axes, range(len(axes)))
        return spread.reshape(places, *spread.shape[len(axes) :])

    terms = []
    for term in form.expanded():
        if not any(f.varies for f in term.factors):
            total = float(places) if term.array is None else placed(_float(term.array)).sum(axis=0)
            terms.append(_term(term.multiplier, np.asarray(total), term.factors))
            continue
        array = None if term.array is None else placed(term.array)
        indices = [placed(f.index) if f.varies else None for f in term.factors]
        for k in range(places):
            factors = [
                f if index is None else replace(f, index=_constant_index(index[k]))
                for f, index in zip(term.factors, indices, strict=True)
            ]
            terms.append(_term(term.multiplier, None if array is None else array[k], factors))
    return Form(node.shape, tuple(terms))


def _constant_index(index: np.ndarray) -> np.ndarray:
    """The index as a single number where it is the same in all places."""
    return index.flat[:1].reshape(()) if index.size and np.all(index == index.flat[0]) else index


MOVES = ("take", "reshape", "transpose", "broadcast_to", "flip")
HANDLERS: dict[str, Callable[[Node, list[Form]], Form | None]] = {
    "constant": _constant,
    "add": _sum_of_two(1.0),
    "subtract": _sum_of_two(-1.0),
    "negative": _negative,
    "positive": lambda node, forms: forms[0],
    "multiply": _multiply,
    "divide": _divide,
    "matmul": _matmul,
    "sum": _sum,
    **dict.fromkeys(MOVES, _moved),
}
