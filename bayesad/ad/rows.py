"""A compiled function at many points: its program as machine code, run row after row into the stacked results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.compiled import Compiled, as_leaf

__all__ = ["map_rows"]


def map_rows(f: Compiled, rows: Any) -> Any:
    """The results of a function at each of several arguments.

    Parameters
    ----------
    f : Compiled
    rows : tree of arrays, shapes (n, ...)
        Argument i is the tree of the arrays' entries i; n is at least 1.

    Returns
    -------
    tree of arrays, shapes (n, ...)
        In the structure of the function's result.
    """
    leaves, rebuild, _ = trees.flatten(rows)
    leaves = [np.ascontiguousarray(as_leaf(leaf)) for leaf in leaves]
    n = len(leaves[0])

    def at(i: int) -> Any:
        row = [leaf[i] for leaf in leaves]
        return f.outputs((rebuild(iter(row)),), lambda path: path.program, row)

    path, first = at(0)
    results = [np.empty((n, *np.shape(x)), np.asarray(x).dtype) for x in first]
    remaining: Iterable[int] = range(n)
    if n > 1 and not path.captures:
        from bayesad.ad.backends.llvm.repeat import run_rows

        remaining = run_rows(path.program, leaves, results)
    for i in remaining:
        for result, x in zip(results, at(i)[1], strict=True):
            result[i] = x
    return path.rebuild(iter(results))
