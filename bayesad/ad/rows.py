"""A compiled function at many points: its programs as machine code, run row after row into the stacked results."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.compiled import VALUE, Compiled, as_leaf

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

    def argument(i: int) -> Any:
        return rebuild(iter([leaf[i] for leaf in leaves]))

    from bayesad.ad.backends.llvm.repeat import run_rows  # what is never asked for need not be imported

    path = f.path(argument(0))
    results = [np.empty((n, *node.shape), node.dtype) for node in path.traced.outputs]
    done = 0
    while done < n:
        run = f.executor(argument(done)) if n > 1 else None
        next_row = done if run is None else run_rows(run.programs, leaves, results, done)
        if next_row == done:
            for result, x in zip(results, f.outputs((argument(done),), VALUE)[1], strict=True):
                result[done] = x
            next_row += 1
        done = next_row
    return path.rebuild(iter(results))
