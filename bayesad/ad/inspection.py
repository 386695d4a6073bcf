"""Programs and machine code as text, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesad.ad import trees
from bayesad.ad.activity import has_activities, path_of
from bayesad.ad.backends.llvm import inspection
from bayesad.ad.colours import coloured
from bayesad.ad.compiled import Wanted, as_leaf, compile
from bayesad.ad.operators import active
from bayesad.errors import DerivativeError

__all__ = ["inspect"]


def inspect(f: Callable[..., Any], x: Any, stage: str = "trace", *, time: bool = False, colour: bool = False) -> str:
    """A stage of compilation as text, the user's lines beside the operations that come from them.

    Parameters
    ----------
    f : callable
    x : tree, or tuple of activities
        The argument of f; or all its arguments, among them ``ad.Duplicated``, ``ad.Active`` and ``ad.Const`` as for
        ``ad.autodiff``: then the gradient is that of reverse mode with these.
    stage : "trace", "gradient", "fused", "llvm" or "asm"
        The simplified program of ``f`` at ``x``; that of its value and gradient; the loops that these are fused into,
        with what is left to NumPy, and estimates of their floating-point operations and of the memory that they read
        and write; the LLVM text, before LLVM optimises it; or the assembly for this machine.
        What rewrites did comes first.
    time : bool
        Measure the steps of the fused stage, each compiled alone.
    colour : bool
        Colour the text for a terminal.

    Raises
    ------
    DerivativeError
        For an unknown stage, or times of another than the fused one.
    """
    stages = ("trace", "gradient", *inspection.STAGES)
    if stage not in stages:
        raise DerivativeError(f"unknown stage {stage!r}; choose one of {', '.join(map(repr, stages))}")
    if time and stage != "fused":
        raise DerivativeError(f"times are measured of the loops of stage 'fused', not of {stage!r}")
    compiled = compile(f)
    if has_activities(x):
        path, wanted, inputs = path_of(compiled, x)
    else:
        x = active(x)
        leaves = trees.flatten(x)[0]
        path, wanted, inputs = compiled.path(x), Wanted("reverse", len(leaves), seed=True), leaves
    if stage == "trace":
        text = str(path.program)
    elif stage == "gradient":
        text = str(path.derived(wanted))
    else:
        text = inspection.show(path.derived(wanted), stage, [as_leaf(leaf) for leaf in inputs] if time else None)
    comment = ";" if stage == "llvm" else "#"
    text = "".join(f"{comment} {note}\n" for note in path.notes) + text
    return coloured(text, stage) if colour else text
