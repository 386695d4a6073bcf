"""Plain arrays that a traced whole number can index."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import is_traced_index
from bayesad.ad.primitives import indexing

__all__ = ["indexable"]


class _Indexable(np.ndarray):
    """As the array it is a view of; an index that is traced gives a traced array, as np.take does."""

    def __getitem__(self, index: Any) -> Any:
        if is_traced_index(index):
            return indexing.getitem(np.asarray(self), index)
        return super().__getitem__(index)


def indexable(x: Any) -> Any:
    """A plain array as one that traced whole numbers can index; anything else unchanged.

    Code that is traced at times meets plain arrays in the place of traced ones at others; the step of a scan is always
    traced.
    """
    return x.view(_Indexable) if type(x) is np.ndarray and x.ndim else x
