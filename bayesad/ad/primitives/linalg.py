"""Linear algebra primitives: matrix products, factorisations and solves, over leading batch axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.primitives.shaping import sum_to
from bayesad.ad.primitives.table import broadcast_shapes, define, promoted_type

__all__ = ["matmul_p"]


def _bind(primitive: Any, *args: Any, **attributes: Any) -> Any:
    from bayesad.ad.array import bind

    return bind(primitive, args, attributes)


def _matmul_shape(a: Any, b: Any) -> tuple[tuple[int, ...], np.dtype]:
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2]) if a.ndim > 2 or b.ndim > 2 else ()
    rows = a.shape[-2:-1] if a.ndim > 1 else ()
    columns = b.shape[-1:] if b.ndim > 1 else ()
    return (*batch, *rows, *columns), promoted_type(a.dtype, b.dtype)


def _matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g * b if a.ndim == 1 else sum_to(g[..., None] * b, a.shape)
    if a.ndim == 1:
        return sum_to(np.matmul(b, g[..., None])[..., 0], a.shape)
    return sum_to(np.matmul(g, np.swapaxes(b, -1, -2)), a.shape)


def _matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return g * a if b.ndim == 1 else sum_to(a[:, None] * g[..., None, :], b.shape)
    if b.ndim == 1:
        if a.ndim == 2:
            return np.matmul(np.transpose(a), g)
        return sum_to(np.matmul(np.swapaxes(a, -1, -2), g[..., None])[..., 0], b.shape)
    return sum_to(np.matmul(np.swapaxes(a, -1, -2), g), b.shape)


matmul_p = define(
    "matmul", np.matmul, _matmul_shape, vjp=(_matmul_left, _matmul_right), jvp="multilinear"
)
