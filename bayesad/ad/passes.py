"""Many derivatives by passes in unit directions: what Jacobians are put together from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from bayesad.ad.compiled import Compiled, Path, Wanted

__all__ = ["AT_ONCE", "blocks", "joined", "pulled", "pushed", "split", "units"]

AT_ONCE = 8  # directions that share one pass of a compiled function


def pushed(compiled: Compiled, x: Any, directions: Iterable[list[Any]], at_once: int) -> list[list[Any]]:
    """For each direction (a tangent of every leaf): the tangents of all outputs; so many directions share one pass."""
    found: list[list[Any]] = []
    remaining = iter(directions)
    while group := list(itertools.islice(remaining, at_once)):
        short = at_once - len(group)
        group += [[np.zeros(np.shape(t)) for t in group[0]]] * short
        flat = [tangent for direction in group for tangent in direction]
        path, outputs = compiled.outputs((x,), Wanted("forward", len(group[0]), batch=at_once), flat)
        n = len(path.traced.outputs)
        found += [outputs[n * k : n * (k + 1)] for k in range(1, at_once + 1 - short)]
    return found


def pulled(path: Path, leaves: list[Any], seeds: Iterable[list[Any]]) -> list[list[Any]]:
    """For each seed (a cotangent of every output): the cotangents of all leaves."""
    wanted, n = Wanted("reverse", len(leaves)), len(path.traced.outputs)
    return [path.run(wanted, [*leaves, *seed])[n:] for seed in seeds]


def units(shapes: Sequence[tuple[int, ...]]) -> Iterator[list[Any]]:
    """The unit vectors of the space of some arrays, each as arrays of these shapes."""
    n = sum(map(math.prod, shapes))
    for k in range(n):
        unit = np.zeros(n)
        unit[k] = 1.0
        yield split(unit, shapes)


def split(vector: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """A vector as arrays of these shapes."""
    sizes = [math.prod(shape) for shape in shapes]
    ends = itertools.accumulate(sizes)
    return [np.reshape(vector[end - n : end], s) for n, end, s in zip(sizes, ends, shapes, strict=True)]


def joined(arrays: Sequence[Any]) -> Any:
    return np.concatenate([np.reshape(a, -1) for a in arrays]) if arrays else np.zeros(0)


def blocks(vectors: Sequence[list[Any]], axis: int, outer: Sequence[Any], inner: Sequence[Any]) -> list[list[Any]]:
    """The Jacobian's blocks, by the shapes of results (outer) and inputs (inner).

    ``vectors`` are its columns, each as arrays like the results (axis 1), or its rows, as arrays like the inputs (0).
    """
    found = []
    sizes = [math.prod(shape) for shape in (inner if axis else outer)]
    ends = list(itertools.accumulate(sizes))
    for i, shape in enumerate(outer):
        row = []
        for j, into in enumerate(inner):
            k, own = (j, i) if axis else (i, j)
            parts = [vector[own] for vector in vectors[ends[k] - sizes[k] : ends[k]]]
            block = np.stack(parts, axis=-1 if axis else 0) if parts else np.zeros((*shape, *into))
            row.append(np.reshape(block, (*shape, *into)))
        found.append(row)
    return found
