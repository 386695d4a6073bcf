"""Operations on whole arrays, each written as loops of its own or as calls; what has no entry is left to NumPy.

An entry of the table takes the lowering and the node and says whether it wrote the node; where it did not, the node
becomes a callback into Python.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from bayesad.ad.backends.llvm import factorisations, multiplication, spectra, systems
from bayesad.ad.backends.llvm.branches import cond
from bayesad.ad.backends.llvm.collecting import COLLECTING
from bayesad.ad.backends.llvm.gathers import GATHERS
from bayesad.ad.backends.llvm.ordering import ORDERING
from bayesad.ad.backends.llvm.scan import scan
from bayesad.ad.backends.llvm.writer import SIZES, Position
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["WHOLE"]


# --- arrays put together
def _stack(lowering: Lowering, node: Node) -> bool:
    return _join(lowering, node, [(i, (1, *i.shape)) for i in node.inputs], 0)


def _concatenate(lowering: Lowering, node: Node) -> bool:
    return _join(lowering, node, [(i, i.shape) for i in node.inputs], node.attributes["axis"])


def _join(lowering: Lowering, node: Node, parts: list[tuple[Node, tuple[int, ...]]], axis: int) -> bool:
    target, kind, start = lowering.pointer(node), node.dtype.kind, 0
    width = int(np.prod(node.shape[axis + 1 :], dtype=np.int64)) * SIZES[kind]
    for part, shape in parts:
        if lowering.storage.in_place(part, node, start * width):
            start += shape[axis]
            continue
        extra = len(shape) - len(part.shape)

        def body(position: Position, part: Node = part, start: int = start, extra: int = extra) -> None:
            there = list(position)
            there[axis] = lowering.plus(there[axis], str(start))
            element = lowering.value(part, position[extra:])
            lowering.store(target, kind, lowering.linear(there, node.shape), element)

        lowering.nest(shape, body)
        start += shape[axis]
    return True


def _imported(module: str, name: str) -> Callable[[Lowering, Node], bool]:
    """An entry that few programs need, imported by those."""

    def emit(lowering: Lowering, node: Node) -> bool:
        return getattr(import_module(f"{__package__}.{module}"), name)(lowering, node)

    return emit


WHOLE: dict[str, Callable[[Lowering, Node], bool]] = {
    "stack": _stack,
    "concatenate": _concatenate,
    **GATHERS,
    **ORDERING,
    **COLLECTING,
    "scan": scan,
    "cond": cond,
    "odeint": _imported("odeint", "odeint"),
    "odeint_steps": _imported("odeint", "odeint_steps"),
    "odeint_adjoint": _imported("odeint", "odeint_adjoint"),
    "quad": _imported("quadrature", "quad"),
    "rfft": _imported("fourier", "rfft"),
    "irfft": _imported("fourier", "irfft"),
    "matmul": multiplication.matmul,
    "cholesky": factorisations.cholesky,
    "cholesky_pullback": factorisations.cholesky_pullback,
    "solve_triangular": factorisations.solve_triangular,
    "solve": systems.solve,
    "inv": systems.inv,
    "det": systems.det,
    "slogdet": systems.slogdet,
    "cofactors": systems.cofactors,
    "eigh": spectra.eigh,
    "qr": spectra.qr,
    "svd": spectra.svd,
}
