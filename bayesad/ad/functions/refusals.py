"""Functions that cannot be traced, each with what to use instead."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bayesad.ad.array import implements
from bayesad.ad.imports import when_imported
from bayesad.errors import TracingError

__all__ = ["REFUSALS"]

_SIZE = "the size of its result would depend on unknowns"
_COMPLEX = "its result is complex, and traced arrays are real"
_TRANSFORM = "use ad.rfft, whose result are real and imaginary part, or ad.irfft"
_STEPS = "it is piecewise constant in them, so its derivative says nothing"

REFUSALS: dict[Callable[..., Any], tuple[str, str]] = {
    np.trim_zeros: (_SIZE, "use np.where(mask, a, b)"),
    np.union1d: (_SIZE, "use it on data only"),
    np.intersect1d: (_SIZE, "use it on data only"),
    np.setdiff1d: (_SIZE, "use it on data only"),
    np.setxor1d: (_SIZE, "use it on data only"),
    np.bincount: (_STEPS, "with weights that are unknowns use np.add.at(np.zeros(n), positions, weights)"),
    np.histogram: (_STEPS, "use it on data only, or np.add.at for unknown weights"),
    np.histogram2d: (_STEPS, "use it on data only"),
    np.histogramdd: (_STEPS, "use it on data only"),
    np.histogram_bin_edges: (_STEPS, "use it on data only"),
    np.linalg.matrix_rank: (_STEPS, "use it on data only"),
    np.linalg.eig: (_COMPLEX, "use np.linalg.eigh for a symmetric matrix"),
    np.linalg.eigvals: (_COMPLEX, "use np.linalg.eigvalsh for a symmetric matrix"),
    np.roots: (_COMPLEX, "write the roots as a formula"),
    np.emath.sqrt: (_COMPLEX, "use np.sqrt"),
    np.emath.log: (_COMPLEX, "use np.log"),
    np.save: ("a file needs plain numbers", "save the results after sampling"),
    np.savetxt: ("a file needs plain numbers", "save the results after sampling"),
    np.lib.stride_tricks.as_strided: ("traced arrays have no memory layout", "use slices or np.take"),
    np.lib.stride_tricks.sliding_window_view: (
        "traced arrays have no memory layout",
        "use x[np.arange(n)[:, None] + np.arange(window)]",
    ),
}


def _refuse(function: Callable[..., Any], reason: str, instead: str) -> None:
    name = f"{function.__module__}.{function.__name__}".replace("numpy", "np")

    def refusal(*args: Any, **kwargs: Any) -> Any:
        raise TracingError(f"{name} has no meaning for traced arrays: {reason}; {instead}")

    implements(function)(refusal)


def _refuse_transforms(fft: ModuleType) -> None:
    for name in ("fft", "ifft", "rfft", "irfft", "hfft"):
        _refuse(getattr(fft, name), _COMPLEX, _TRANSFORM)


for _function, (_reason, _instead) in REFUSALS.items():
    _refuse(_function, _reason, _instead)
when_imported("numpy.fft", _refuse_transforms)
