"""Programs run at many rows of their inputs, one after the other, by a loop in machine code."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Sequence

import numpy as np

from bayesad.ad.backends.llvm import jit
from bayesad.ad.backends.llvm.native import Chain, NativeProgram
from bayesad.ad.backends.llvm.table import RUN

__all__ = ["run_rows"]

BLOCK = 1000  # rows between two chances for Ctrl-C

# Gives the first row, from %first on, to which no program applies, or %n. After each row the addresses of the arguments
# move on by their strides.
TEXT = f"""
define i64 @rows(ptr %table, ptr %arguments, ptr %strides, i64 %width, i64 %first, i64 %n) {{
entry:
  %run.at = getelementptr ptr, ptr %table, i64 {RUN}
  %run = load ptr, ptr %run.at
  br label %row
row:
  %i = phi i64 [ %first, %entry ], [ %next_i, %moved ]
  %is_row = icmp slt i64 %i, %n
  br i1 %is_row, label %evaluate, label %done
evaluate:
  %number = call i64 %run(ptr %table, ptr %arguments)
  %applies = icmp sge i64 %number, 0
  br i1 %applies, label %move, label %done
move:
  %k = phi i64 [ 0, %evaluate ], [ %next_k, %move ]
  %slot = getelementptr i64, ptr %arguments, i64 %k
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
  br label %row
done:
  ret i64 %i
}}
"""
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 3)


@functools.cache
def _library() -> jit.Library:
    return jit.build(TEXT, ["rows"])


def run_rows(
    programs: Sequence[NativeProgram], inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], start: int
) -> int:
    """Fill the outputs from the inputs, from row ``start`` on, by the first program that applies to each row.

    Parameters
    ----------
    programs : sequence of NativeProgram
        At least one; with at least one input.
    inputs, outputs : arrays, shapes (n, ...)
        C-contiguous, of the programs' dtypes; their entries i belong together.
    start : int

    Returns
    -------
    int
        The first row that is left: where no program applies, or n. ``start`` where the outputs of the programs have
        other shapes, or there are several and something in them is left to NumPy.

    Raises
    ------
    Exception
        What an operation left to NumPy raised.
    """
    shapes = [output.shape[1:] for output in outputs]
    risky = any(program.layout.callbacks for program in programs)
    if (risky and len(programs) > 1) or any([n.shape for n in p.layout.outputs] != shapes for p in programs):
        return start
    errors, thread = programs[0].errors, threading.get_ident()
    errors.pop(thread, None)
    chain = Chain()
    chain.extend(programs)
    arrays = [*inputs, *outputs]
    strides = np.array([array.strides[0] for array in arrays], dtype=np.int64)
    arguments = np.array([array.ctypes.data for array in arrays], dtype=np.int64) + start * strides
    rows = FUNCTION(_library()["rows"])
    row, n = start, len(arrays[0])
    while row < n:
        first, stop = row, min(row + BLOCK, n)
        row = rows(chain.tables[0].ctypes.data, arguments.ctypes.data, strides.ctypes.data, len(arrays), row, stop)
        error = errors.pop(thread, None)
        if error is not None and row < stop:
            return first  # it may be of the row that the program does not apply to
        if error is not None:
            raise error
        if row < stop:
            break
    return row
