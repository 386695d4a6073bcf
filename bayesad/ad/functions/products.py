"""Products of arrays: matmul, dot, inner, outer, tensordot, einsum, kron, cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind, implements
from bayesad.ad.functions.reductions import normalise_axis
from bayesad.ad.primitives.linalg import matmul_p

__all__ = ["diagonal_positions"]


def _size(lengths: Sequence[int]) -> int:
    return int(np.prod(lengths, dtype=np.int64))


# --- matrix products
@implements(np.matmul)
def matmul(a: Any, b: Any, out: Any = None, **_: Any) -> Any:
    a, b = asarray(a), asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul (@) does not take scalars; use * instead")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(
            f"matmul (@): shapes {a.shape} and {b.shape} do not match: {a.shape[-1]} columns, "
            f"{b.shape[-2 if b.ndim > 1 else 0]} rows"
        )
    return bind(matmul_p, (a, b))


@implements(np.dot)
def dot(a: Any, b: Any) -> Any:
    a, b = asarray(a), asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if b.ndim <= 2 and a.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=(-1, -2 if b.ndim > 1 else 0))


@implements(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    return matmul(np.ravel(asarray(a)), np.ravel(asarray(b)))


def _vecdot(a: Any, b: Any, axis: int = -1, **_: Any) -> Any:
    a, b = np.moveaxis(asarray(a), axis, -1), np.moveaxis(asarray(b), axis, -1)
    return matmul(a[..., None, :], b[..., :, None])[..., 0, 0]


implements(np.vecdot, np.linalg.vecdot)(_vecdot)
if hasattr(np, "matvec"):  # NumPy 2.2
    implements(np.matvec)(lambda a, b, **_: matmul(a, asarray(b)[..., None])[..., 0])
    implements(np.vecmat)(lambda a, b, **_: matmul(asarray(a)[..., None, :], b)[..., 0, :])


@implements(np.inner)
def inner(a: Any, b: Any) -> Any:
    a, b = asarray(a), asarray(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, axes=(-1, -1))


@implements(np.outer, np.linalg.outer)
def outer(a: Any, b: Any) -> Any:
    return np.ravel(asarray(a))[:, None] * np.ravel(asarray(b))


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = asarray(a), asarray(b)
    if isinstance(axes, (int, np.integer)):
        n = int(axes)
        axes_a, axes_b = list(range(a.ndim - n, a.ndim)), list(range(n))
    else:
        axes_a, axes_b = (list(x) if isinstance(x, (tuple, list)) else [x] for x in axes)
    axes_a = [normalise_axis(i, a.ndim) for i in axes_a]
    axes_b = [normalise_axis(i, b.ndim) for i in axes_b]
    if [a.shape[i] for i in axes_a] != [b.shape[i] for i in axes_b]:
        raise ValueError(
            f"tensordot: axes {axes_a} of shape {a.shape} and axes {axes_b} of shape {b.shape} differ in length"
        )
    free_a = [i for i in range(a.ndim) if i not in axes_a]
    free_b = [i for i in range(b.ndim) if i not in axes_b]
    n = _size([a.shape[i] for i in axes_a])
    kept_a, kept_b = [a.shape[i] for i in free_a], [b.shape[i] for i in free_b]
    left = np.reshape(np.transpose(a, free_a + axes_a), (_size(kept_a), n))
    right = np.reshape(np.transpose(b, axes_b + free_b), (n, _size(kept_b)))
    return np.reshape(matmul(left, right), (*kept_a, *kept_b))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    a, b = asarray(a), asarray(b)
    ndim = max(a.ndim, b.ndim)
    shape_a, shape_b = (1,) * (ndim - a.ndim) + a.shape, (1,) * (ndim - b.ndim) + b.shape
    spread_a = np.reshape(a, [n for length in shape_a for n in (length, 1)])
    spread_b = np.reshape(b, [n for length in shape_b for n in (1, length)])
    return np.reshape(spread_a * spread_b, [m * n for m, n in zip(shape_a, shape_b, strict=True)])


@implements(np.cross, np.linalg.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(asarray(a), axisa, -1), np.moveaxis(asarray(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross takes vectors of length 3; found shapes {a.shape} and {b.shape}")
    forth, back = [1, 2, 0], [2, 0, 1]
    product = a[..., forth] * b[..., back] - a[..., back] * b[..., forth]
    return np.moveaxis(product, -1, axisc)


# --- diagonals
def diagonal_positions(shape: Sequence[int], offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column numbers of a diagonal of a matrix."""
    rows, columns = shape
    start = max(-offset, 0)
    n = max(min(rows - start, columns - max(offset, 0)), 0)
    row = np.arange(start, start + n)
    return row, row + offset


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    a = np.moveaxis(asarray(a), (axis1, axis2), (-2, -1))
    rows, columns = diagonal_positions(a.shape[-2:], int(offset))
    return a[..., rows, columns]


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1)


@implements(np.linalg.diagonal)
def matrix_diagonal(a: Any, /, *, offset: int = 0) -> Any:
    return diagonal(a, offset, -2, -1)


@implements(np.linalg.trace)
def matrix_trace(a: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(a, offset, -2, -1)


# --- einsum: pairwise contractions, each a (batched) matrix product or an elementwise one
Labelled = tuple[Any, str]


@implements(np.einsum)
def einsum(*operands: Any, optimize: Any = True, **_: Any) -> Any:
    """``np.einsum`` with strings or interleaved labels, ellipses, repeated and broadcast labels."""
    arrays, inputs, output = _parse_einsum(operands)
    terms = _squeezed([_diagonals(a, labels) for a, labels in zip(arrays, inputs, strict=True)])
    while len(terms) > 1:
        i, j = _next_pair(terms, output, optimize)
        right, left = terms.pop(max(i, j)), terms.pop(min(i, j))
        needed = set(output).union(*[labels for _, labels in terms])
        terms.append(_contract(left, right, needed))
    (result, labels), wanted = _summed(terms[0], set(output)), output
    return np.transpose(result, [labels.index(label) for label in wanted]) if labels != wanted else result


def _parse_einsum(operands: tuple[Any, ...]) -> tuple[list[Any], list[str], str]:
    """Operands, a string of labels for each, and that of the output; without ellipses."""
    if isinstance(operands[0], str):
        specification, arrays = operands[0].replace(" ", ""), [asarray(a) for a in operands[1:]]
    else:
        specification, arrays = _from_interleaved(operands)
    left, arrow, output = specification.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(arrays):
        raise ValueError(f"einsum: {specification!r} has {len(inputs)} operands, {len(arrays)} were given")
    spare = [c for c in map(chr, range(0x100, 0x200)) if c not in specification]
    hidden = [a.ndim - len(labels.replace("...", "")) for a, labels in zip(arrays, inputs, strict=True)]
    longest = max([n for n, labels in zip(hidden, inputs, strict=True) if "..." in labels], default=0)
    ellipsis = "".join(spare[:longest])
    for k, (n, labels) in enumerate(zip(hidden, inputs, strict=True)):
        if n < 0 or (n and "..." not in labels):
            raise ValueError(f"einsum: the labels {labels!r} do not fit an array of shape {arrays[k].shape}")
        inputs[k] = labels.replace("...", ellipsis[longest - n :] if n else "")
    if arrow:
        return arrays, inputs, output.replace("...", ellipsis)
    everything = "".join(inputs)
    named = sorted(c for c in set(everything) if everything.count(c) == 1 and c not in ellipsis)
    return arrays, inputs, ellipsis + "".join(named)


def _from_interleaved(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    def text(labels: Any) -> str:
        return "".join("..." if label is Ellipsis else chr(0x200 + int(label)) for label in labels)

    pairs = len(operands) // 2
    arrays = [asarray(operands[2 * i]) for i in range(pairs)]
    specification = ",".join(text(operands[2 * i + 1]) for i in range(pairs))
    return (f"{specification}->{text(operands[-1])}" if len(operands) % 2 else specification), arrays


def _diagonals(a: Any, labels: str) -> Labelled:
    """An operand in which every label occurs once."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if a.shape[i] != a.shape[j]:
                raise ValueError(f"einsum: a repeated label stands for axes of lengths {a.shape[i]} and {a.shape[j]}")
            a = diagonal(a, 0, i, j)
            labels = labels[:i] + labels[i + 1 : j] + labels[j + 1 :] + label
    return a, labels


def _squeezed(terms: list[Labelled]) -> list[Labelled]:
    """Operands without the axes of length 1 that broadcast against a longer axis of the same label."""
    longest: dict[str, int] = {}
    for a, labels in terms:
        for label, n in zip(labels, a.shape, strict=True):
            longest[label] = n if longest.get(label, 1) == 1 else longest[label]
            if n not in (1, longest[label]):
                raise ValueError(f"einsum: a label stands for axes of lengths {longest[label]} and {n}")
    squeezed = []
    for a, labels in terms:
        drop = [i for i, label in enumerate(labels) if a.shape[i] == 1 and longest[label] != 1]
        kept = "".join(label for i, label in enumerate(labels) if i not in drop)
        squeezed.append((np.squeeze(a, tuple(drop)) if drop else a, kept))
    return squeezed


def _next_pair(terms: list[Labelled], output: str, optimize: Any) -> tuple[int, int]:
    if len(terms) == 2 or not optimize:
        return 0, 1
    specification = ",".join(labels for _, labels in terms) + "->" + output
    letters = {c: chr(ord("a") + i) for i, c in enumerate(sorted(set(specification) - set(",->")))}
    if len(letters) > 26:
        return 0, 1
    plain = "".join(letters.get(c, c) for c in specification)
    path = np.einsum_path(plain, *[np.broadcast_to(0.0, a.shape) for a, _ in terms], optimize="greedy")[0]
    return path[1][0], path[1][1] if len(path[1]) > 1 else (path[1][0] + 1) % len(terms)


def _summed(term: Labelled, needed: set[str]) -> Labelled:
    """A term summed over the labels that nothing else needs."""
    a, labels = term
    axes = tuple(i for i, label in enumerate(labels) if label not in needed)
    return (np.sum(a, axis=axes) if axes else a), "".join(label for label in labels if label in needed)


def _contract(left: Labelled, right: Labelled, needed: set[str]) -> Labelled:
    """The product of two terms, summed over the labels that are not needed afterwards."""
    a, in_a = _summed(left, needed | set(right[1]))
    b, in_b = _summed(right, needed | set(left[1]))
    batch = [label for label in in_a if label in in_b and label in needed]
    inside = [label for label in in_a if label in in_b and label not in needed]
    only_a = [label for label in in_a if label not in in_b]
    only_b = [label for label in in_b if label not in in_a]
    lengths = dict(zip(in_a + in_b, (*a.shape, *b.shape), strict=True))

    def arranged(x: Any, labels: str, order: list[str]) -> Any:
        return np.transpose(x, [labels.index(label) for label in order])

    def sizes(labels: list[str]) -> list[int]:
        return [lengths[label] for label in labels]

    result = "".join(batch + only_a + only_b)
    if not inside:
        ones_a, ones_b = [1] * len(only_a), [1] * len(only_b)
        spread_a = np.reshape(arranged(a, in_a, batch + only_a), sizes(batch + only_a) + ones_b)
        spread_b = np.reshape(arranged(b, in_b, batch + only_b), sizes(batch) + ones_a + sizes(only_b))
        return spread_a * spread_b, result
    rows, n, columns = _size(sizes(only_a)), _size(sizes(inside)), _size(sizes(only_b))
    matrix_a = np.reshape(arranged(a, in_a, batch + only_a + inside), [*sizes(batch), rows, n])
    matrix_b = np.reshape(arranged(b, in_b, batch + inside + only_b), [*sizes(batch), n, columns])
    return np.reshape(matmul(matrix_a, matrix_b), sizes(batch + only_a + only_b)), result


@implements(np.linalg.matmul)
def linalg_matmul(a: Any, b: Any, /) -> Any:
    return matmul(a, b)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any]) -> Any:
    """The product of several matrices, from the side where the thin factor is."""
    factors = [asarray(a) for a in arrays]
    if factors[-1].ndim == 1 or factors[-1].shape[-1] < factors[0].shape[0]:
        product = factors[-1]
        for a in factors[-2::-1]:
            product = matmul(a, product)
        return product
    product = factors[0]
    for a in factors[1:]:
        product = matmul(product, a)
    return product


@implements(np.linalg.matrix_transpose, np.matrix_transpose)
def matrix_transpose(a: Any, /) -> Any:
    return np.swapaxes(asarray(a), -1, -2)
