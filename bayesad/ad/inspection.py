"""Programs and machine code as text, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesad.ad import trees
from bayesad.ad.activity import has_activities, path_of
from bayesad.ad.backends.llvm import inspection
from bayesad.ad.compiled import Wanted, compile
from bayesad.ad.operators import active
from bayesad.errors import DerivativeError

__all__ = ["inspect"]


def inspect(f: Callable[..., Any], x: Any, stage: str = "trace") -> str:
    """A stage of compilation as text.

    Parameters
    ----------
    f : callable
    x : tree, or tuple of activities
        The argument of f; or all its arguments, among them ``ad.Duplicated``, ``ad.Active`` and ``ad.Const`` as for
        ``ad.autodiff``: then the gradient is that of reverse mode with these.
    stage : "trace", "gradient", "fused", "llvm" or "asm"
        The simplified program of ``f`` at ``x``; that of its value and gradient; the loops that these are fused into,
        with what is left to NumPy; the LLVM text, before LLVM optimises it; or the assembly for this machine.
        What rewrites did comes first.
    """
    compiled = compile(f)
    if has_activities(x):
        path, wanted = path_of(compiled, x)
    else:
        x = active(x)
        path, wanted = compiled.path(x), Wanted("reverse", len(trees.flatten(x)[0]), seed=True)
    comment = ";" if stage == "llvm" else "#"
    notes = "".join(f"{comment} {note}\n" for note in path.notes)
    if stage == "trace":
        return notes + str(path.program)
    if stage == "gradient" or stage in inspection.STAGES:
        program = path.derived(wanted)
        return notes + (str(program) if stage == "gradient" else inspection.show(program, stage))
    known = ", ".join(map(repr, ("trace", "gradient", *inspection.STAGES)))
    raise DerivativeError(f"unknown stage {stage!r}; choose one of {known}")
