"""What is made of a traced program: rolled, simplified, rewritten, differentiated.

The steps are imported with this module, which is imported only where their result is not on disk already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from bayesad.ad.forward import forward
from bayesad.ad.program import Program
from bayesad.ad.reverse import reverse
from bayesad.ad.rewrites import rewritten
from bayesad.ad.rolling import roll
from bayesad.ad.sharing import shared
from bayesad.ad.simplify import simplify

if TYPE_CHECKING:
    from bayesad.ad.compiled import Wanted

__all__ = ["derivative", "prepared_program"]


def prepared_program(traced: Program, rewrites: Iterable[str]) -> tuple[Program, list[str]]:
    """A traced program with repetitions rolled, simplified and rewritten; and what the rewrites did."""
    return rewritten(simplify(roll(traced)), rewrites)


def derivative(program: Program, wanted: Wanted) -> Program:
    """The simplified program of values and derivatives with respect to the first inputs."""
    if wanted.mode == "forward":
        return shared(simplify(forward(program, list(range(wanted.n_active)), wanted.batch)))
    seeds = [np.float64(1.0), *[None] * (len(program.outputs) - 1)] if wanted.seed else None
    return shared(simplify(reverse(program, range(wanted.n_active), seeds)))
