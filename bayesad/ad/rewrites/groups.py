"""Groups: the rows of a data set at which the same elements of the unknowns are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Groups", "joint_groups"]


@dataclass(frozen=True, eq=False)
class Groups:
    """A partition of n rows.

    Attributes
    ----------
    order : int array, shape (n,), or None
        The rows, those of a group together, groups in ascending order of their keys; None: as they are.
    starts : int array, shape (groups + 1,)
        Where in the order each group begins.
    """

    order: np.ndarray | None
    starts: np.ndarray

    @property
    def count(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.starts)

    @property
    def first(self) -> np.ndarray:
        """One row of each group."""
        return self.starts[:-1] if self.order is None else self.order[self.starts[:-1]]

    def rows(self, start: int, stop: int) -> slice | np.ndarray:
        """The rows at positions start to stop of the order, as an index."""
        return slice(start, stop) if self.order is None else self.order[start:stop]

    def totals(self, values: np.ndarray) -> np.ndarray:
        """The sum of one number per row over each group."""
        return np.add.reduceat(values if self.order is None else values[self.order], self.starts[:-1])


def joint_groups(keys: Sequence[np.ndarray], n: int) -> Groups:
    """The rows with the same tuple of keys.

    Parameters
    ----------
    keys : int arrays of shape (n,), not negative
    n : int
        Number of rows, at least 1.
    """
    if not keys:
        return Groups(None, np.array([0, n]))
    code, bound = keys[0], int(keys[0].max()) + 1
    for key in keys[1:]:
        width = int(key.max()) + 1
        if bound * width >= 2**62:
            code, bound = np.unique(code, return_inverse=True)[1].reshape(n), n
        code, bound = code * width + key, bound * width
    ascending = bool(np.all(code[1:] >= code[:-1]))
    order = None if ascending else np.argsort(code, kind="stable")
    ordered = code if order is None else code[order]
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return Groups(order, np.concatenate([[0], changes, [n]]))
