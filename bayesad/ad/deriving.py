"""What is made of a traced program: rolled, simplified, rewritten, differentiated.

The steps are imported with this module, which is imported only where their result is not on disk already.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bayesad.ad.forward import forward
from bayesad.ad.program import Program
from bayesad.ad.reverse import reverse
from bayesad.ad.rewrites import rewritten
from bayesad.ad.rolling import roll
from bayesad.ad.simplify import simplify

__all__ = ["derivative", "prepared_program"]


def prepared_program(traced: Program, rewrites: Iterable[str]) -> tuple[Program, list[str]]:
    """A traced program with repetitions rolled, simplified and rewritten; and what the rewrites did."""
    return rewritten(simplify(roll(traced)), rewrites)


def derivative(program: Program, mode: str, n_active: int, seed: bool = False) -> Program:
    """The simplified program of values and derivatives with respect to the first ``n_active`` inputs.

    Parameters
    ----------
    program : Program
    mode : "reverse" or "forward"
    n_active : int
    seed : bool
        Of reverse: the one scalar output has cotangent 1; otherwise cotangents are further inputs.
    """
    if mode == "forward":
        return simplify(forward(program, list(range(n_active))))
    return simplify(reverse(program, range(n_active), [np.float64(1.0)] if seed else None))
