"""How the constants of a program lie in memory for machine code: as they are, as positions on an axis, or in tiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.program import Node

__all__ = ["Constant", "as_they_are", "bytes_in_lines", "positions", "tiles", "view_of"]

LINE = 64  # bytes of a cache line
MOST_COPIED = 2**20  # bytes


class Constant(NamedTuple):
    """One constant of the table of addresses.

    Attributes
    ----------
    node : Node
    form : str
        "plain": C order. "positions": on an axis of length ``size``, counted from its front, in 32 bits if these are
        enough.
        "tiles": a matrix of shape (n, k) as (ceil(n / size), k, size): ``size`` rows at a time, column by column, so
        that a pass over blocks of rows reads memory in order; the last tile is filled up with zeros. "tiles of
        columns": the same of the transpose.
    size : int
    """

    node: Node
    form: str = "plain"
    size: int = 0

    @property
    def key(self) -> Any:
        """Equal for constants that may share memory: a matrix and its transpose share their tiles."""
        tiled = self.form.startswith("tiles")
        return self.form.split()[0], self.size, view_of(self._matrix() if tiled else self.node.value)

    @property
    def is_short(self) -> bool:
        """Whether positions take 32 bits."""
        return self.size < 2**31

    def memory(self) -> np.ndarray:
        """A contiguous array with what the machine code reads."""
        if self.form == "plain":
            return _in_lines(np.ascontiguousarray(self.node.value))
        if self.form == "positions":
            positions = np.where(self.node.value < 0, self.node.value + self.size, self.node.value)
            return _in_lines(np.ascontiguousarray(positions, dtype=np.int32 if self.is_short else np.int64))
        return _tiled(self._matrix(), self.size)

    def _matrix(self) -> np.ndarray:
        return self.node.value if self.form == "tiles" else self.node.value.T


def view_of(array: np.ndarray) -> Any:
    """Equal for arrays that show the same memory in the same way."""
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.char


def as_they_are(node: Node) -> Constant:
    return Constant(node)


def positions(node: Node, n: int) -> Constant:
    """Of an index array into an axis of length n."""
    return Constant(node, "positions", n)


def tiles(node: Node, rows: int, *, transposed: bool) -> Constant:
    return Constant(node, "tiles of columns" if transposed else "tiles", rows)


def _in_lines(array: np.ndarray) -> np.ndarray:
    """The array, or a copy if it is small, from the begin of a cache line on: no vector of it lies in two of them."""
    if array.nbytes > MOST_COPIED or array.__array_interface__["data"][0] % LINE == 0:
        return array
    copy = bytes_in_lines(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def bytes_in_lines(nbytes: int) -> np.ndarray:
    """Zeros from the begin of a cache line on."""
    raw = np.zeros(nbytes + LINE, dtype=np.uint8)
    start = -raw.__array_interface__["data"][0] % LINE
    return raw[start : start + nbytes]


def _tiled(matrix: np.ndarray, rows: int) -> np.ndarray:
    n, k = matrix.shape
    whole = n // rows
    memory = bytes_in_lines(-(-n // rows) * rows * k * 8).view(np.float64).reshape(-1, k, rows)
    memory[:whole] = matrix[: whole * rows].reshape(whole, rows, k).transpose(0, 2, 1)
    if whole < len(memory):
        memory[whole] = 0.0
        memory[whole, :, : n - whole * rows] = matrix[whole * rows :].T
    return memory
