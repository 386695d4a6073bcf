"""A program run at many rows of its inputs, one after the other, by a loop in machine code."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from bayesad.ad.backends.llvm import jit
from bayesad.ad.backends.llvm.native import NativeProgram
from bayesad.ad.program import Program

__all__ = ["run_rows"]

BLOCK = 1000  # rows between two chances for Ctrl-C

# After each row the addresses in the table move on by their strides.
TEXT = """
define void @rows(ptr %run, ptr %table, ptr %strides, i64 %width, i64 %n, ptr %failed) {
entry:
  br label %row
row:
  %i = phi i64 [ 0, %entry ], [ %next_i, %moved ]
  %status = call i64 %run(ptr %table)
  %byte = trunc i64 %status to i8
  %place = getelementptr i8, ptr %failed, i64 %i
  store i8 %byte, ptr %place
  br label %move
move:
  %k = phi i64 [ 0, %row ], [ %next_k, %move ]
  %slot = getelementptr i64, ptr %table, i64 %k
  %address = load i64, ptr %slot
  %of_stride = getelementptr i64, ptr %strides, i64 %k
  %stride = load i64, ptr %of_stride
  %moved_on = add i64 %address, %stride
  store i64 %moved_on, ptr %slot
  %next_k = add i64 %k, 1
  %more_k = icmp slt i64 %next_k, %width
  br i1 %more_k, label %move, label %moved
moved:
  %next_i = add i64 %i, 1
  %more_i = icmp slt i64 %next_i, %n
  br i1 %more_i, label %row, label %done
done:
  ret void
}
"""


def run_rows(program: Program, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Fill the outputs from the inputs.

    Parameters
    ----------
    program : Program
        With at least one input.
    inputs, outputs : arrays, shapes (n, ...)
        C-contiguous, of the program's dtypes; their entries i belong together.

    Returns
    -------
    int array
        The rows to which the program does not apply, whose outputs mean nothing.
    """
    native = NativeProgram(program)
    library = jit.build(TEXT, ["rows"])
    loop = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 2, ctypes.c_void_p)(library["rows"])
    table, alive = native.table()
    arrays = [*inputs, *outputs]
    table[: len(arrays)] = [array.ctypes.data for array in arrays]
    strides = np.array([array.strides[0] for array in arrays], dtype=np.int64)
    n = len(arrays[0])
    failed = np.zeros(n, dtype=np.uint8)
    for start in range(0, n, BLOCK):
        block = failed[start : start + BLOCK]
        loop(native.library["run"], table.ctypes.data, strides.ctypes.data, len(arrays), len(block), block.ctypes.data)
    del alive  # needed until here
    return np.flatnonzero(failed)
