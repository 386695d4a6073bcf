"""Shows how the chains get on: a live table on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

__all__ = ["Progress"]

PLAIN_INTERVAL = 10.0
"""Seconds between plain lines."""


class Progress:
    """The `progress` callback of `Posterior.sample`, and the context in which it may write to the terminal.

    Parameters
    ----------
    clock : callable, optional
        Seconds, increasing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._last_line = self._started
        self._live: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, chains: Sequence[Any]) -> None:
        """Show a snapshot: one object per chain with phase, iteration, total, divergences, step_size, tree_depth,
        leapfrogs."""
        now = self._clock()
        elapsed = now - self._started
        if self._live is not None:
            self._live.update(_table(chains, elapsed), refresh=True)
        elif now - self._last_line >= PLAIN_INTERVAL:
            self._last_line = now
            print(_line(chains, elapsed), file=sys.stderr, flush=True)


def _table(chains: Sequence[Any], elapsed: float) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("chain", "", "done", "div", "step", "depth", "grad/s", "left"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for number, chain in enumerate(chains):
        table.add_row(
            f"{number} {chain.phase}",
            ProgressBar(
                total=max(chain.total, 1),
                completed=chain.iteration,
                width=14,
                complete_style="cyan",
                finished_style="green",
            ),
            f"{chain.iteration}/{chain.total}",
            f"[red]{chain.divergences}[/red]" if chain.divergences else "0",
            f"{chain.step_size:.3g}",
            str(chain.tree_depth),
            _short(chain.leapfrogs / elapsed) if elapsed > 0 else "",
            _left(chain, elapsed),
        )
    return table


def _line(chains: Sequence[Any], elapsed: float) -> str:
    done = sum(chain.iteration for chain in chains)
    total = sum(chain.total for chain in chains)
    rate = sum(chain.leapfrogs for chain in chains) / elapsed if elapsed > 0 else 0.0
    divergences = sum(chain.divergences for chain in chains)
    slowest = min(chains, key=lambda chain: chain.iteration)
    return (
        f"{elapsed:.0f} s: {slowest.phase}, {done} of {total} iterations, {divergences} divergences, "
        f"{_short(rate)} gradients/s, {_left(slowest, elapsed) or 'unknown'} left"
    )


def _left(chain: Any, elapsed: float) -> str:
    """The time left at the speed so far."""
    if not 0 < chain.iteration < chain.total:
        return "" if chain.iteration == 0 else "done"
    seconds = round(elapsed * (chain.total - chain.iteration) / chain.iteration)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _short(x: float) -> str:
    """1234567 -> 1.2M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:.3g}{unit}"
    return f"{x:.0f}"
