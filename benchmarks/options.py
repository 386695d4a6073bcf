"""What the command line asks of the tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from benchmarks.timing import Effort

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Attributes
    ----------
    quick : bool
        Fewer and shorter turns.
    only : sequence of str
        Shell patterns; rows whose name contains one of them are measured. Empty: all rows.
    """

    quick: bool = False
    only: Sequence[str] = ()

    def selects(self, name: str) -> bool:
        return not self.only or any(fnmatchcase(name, f"*{pattern}*") for pattern in self.only)

    @property
    def effort(self) -> Effort:
        return Effort(11, 0.005) if self.quick else Effort()

    def say(self, what: str) -> None:
        """Tell on the terminal what is being measured."""
        print(f"… {what}", file=sys.stderr, flush=True)
