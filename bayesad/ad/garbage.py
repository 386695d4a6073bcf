"""Python's garbage collection, kept out of where objects are only made: looking through them takes longer than that."""

from __future__ import annotations

import gc

__all__ = ["uncollected"]


class uncollected:
    """While entered, garbage is not collected; what was made meanwhile counts as old, as if it had been looked through.

    Programs are made of tens of thousands of objects that do not refer to each other in circles and stay.
    """

    def __enter__(self) -> None:
        self._collects = gc.isenabled()
        gc.disable()

    def __exit__(self, *exception: object) -> None:
        if self._collects:
            if not gc.get_freeze_count():
                gc.freeze()  # all generations become one, which then joins the oldest: neither looks at an object
                gc.unfreeze()
            gc.enable()
