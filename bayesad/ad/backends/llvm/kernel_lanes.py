"""Lanes of kernels to LLVM: vectors of a few Floats, loaded, stored, made of one number and summed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from bayesad.ad.backends.llvm.kernel_arithmetic import fitted, shown, spread_out
from bayesad.ad.backends.llvm.kernel_types import FLOAT, FLOATS, INT, LANES, WIDTH, lanes, put, spread, total
from bayesad.ad.backends.llvm.kernel_writer import FunctionWriter, Value

__all__ = ["LANE_FUNCTIONS"]

_ALIGNED = "align 8"  # as the Floats are; the processors that are slow at the other addresses are gone


def _address(f: FunctionWriter, node: ast.Call, array: Value, index: Value) -> Value:
    array = fitted(f, node, array, FLOATS, f"the first argument of {shown(node.func)}")
    index = fitted(f, node, index, INT, f"the second argument of {shown(node.func)}")
    return f.value(FLOATS, f"getelementptr inbounds double, {array.typed}, {index.typed}")


def _load(f: FunctionWriter, node: ast.Call, array: Value, index: Value) -> Value:
    return f.value(LANES, f"load {LANES.llvm}, {_address(f, node, array, index).typed}, {_ALIGNED}")


def _store(f: FunctionWriter, node: ast.Call, array: Value, index: Value, values: Value) -> None:
    values = fitted(f, node, values, LANES, f"the third argument of {shown(node.func)}")
    f.emit(f"store {values.typed}, {_address(f, node, array, index).typed}, {_ALIGNED}")


def _sum(f: FunctionWriter, node: ast.Call, values: Value) -> Value:
    text = fitted(f, node, values, LANES, f"the argument of {shown(node.func)}").text
    width = WIDTH
    while width > 1:
        whole, width = f"<{width} x double>", width // 2
        halves = [
            f.value(LANES, f"shufflevector {whole} {text}, {whole} poison, {_mask(range(start, start + width))}").text
            for start in (0, width)
        ]
        text = f.value(LANES, f"fadd {f.module.float_flags}<{width} x double> {', '.join(halves)}").text
    return f.value(FLOAT, f"extractelement <1 x double> {text}, i32 0")


def _mask(numbers: range) -> str:
    return f"<{len(numbers)} x i32> <{', '.join(f'i32 {number}' for number in numbers)}>"


LANE_FUNCTIONS: dict[Any, tuple[Callable[..., Value | None], int, int]] = {
    lanes: (_load, 2, 2),
    put: (_store, 3, 3),
    spread: (spread_out, 1, 1),
    total: (_sum, 1, 1),
}
"""Python's function -> what writes it, the least and the greatest number of arguments."""
