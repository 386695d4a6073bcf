"""Draws the trace plot: density, trace and ranks of the quantities worth seeing, divergences marked.

Matplotlib is used without pyplot, straight on its Agg canvas: no display is needed and the import is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.diagnostics import flatten, most_telling, shortened, summary

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_trace", "save_trace"]

ROWS = 12
"""Most quantities that are shown when none were chosen."""

MOST_ROWS = 40
"""Most quantities that are shown at all."""

TRACE_POINTS = 2000
"""Most points of one chain in a trace; longer chains are thinned evenly."""

RANK_BINS = 20

ROUNDING = 1e-12
"""Numbers within so much of each other, relatively, are the same but for rounding."""

LABEL = 16
"""Most characters in a line of the label beside a row."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#7f7f7f")
"""Chains' colours, distinguishable by colour-blind people (Okabe and Ito); repeated from the ninth chain on."""

DIVERGENCE = "#111111"


def plot_trace(
    tree: xr.DataTree,
    table: pd.DataFrame | None = None,
    parameters: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """A row per quantity: each chain's density, trace and ranks.

    Parameters
    ----------
    tree : DataTree
        With a group `posterior`; `diverging` in its `sample_stats` marks divergences.
    table : DataFrame, optional
        Its `summary`, when at hand.
    parameters : sequence of str, optional
        What to show: variables (`theta`) or entries (`theta[A]`). By default the most telling quantities: the
        worst R-hat and ESS, then the parameters that are single numbers. The figure says what it left out.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If there are no draws, or a name is unknown.
    """
    from matplotlib.figure import Figure

    table = summary(tree, parameters) if table is None or parameters else table
    moving = table[table["sd"] != 0]  # NaN counts as moving
    labels = most_telling(moving if len(moving) else table, MOST_ROWS if parameters else ROWS)
    draws = flatten(tree, labels)
    chains, length = next(iter(draws.values())).shape if draws else (0, 0)
    diverging = _diverging(tree, (chains, length))

    notes = _notes(table, labels, bool(parameters), int(diverging.sum()))
    rows = max(len(labels), 1)
    height = 1.5 * rows + 0.75 + 0.2 * len(notes)
    figure = Figure(figsize=(11, height), dpi=110)
    axes = figure.subplots(rows, 3, squeeze=False, width_ratios=(2.4, 4.2, 2.0))
    for i, label in enumerate(labels):
        _row(axes[i], label, draws[label], diverging, table.loc[label])
        if i == 0:
            for ax, heading in zip(axes[0], ("density", "trace", "ranks"), strict=True):
                ax.set_title(heading, fontsize=9, color="#555555")
    figure.subplots_adjust(
        left=0.055,
        right=0.985,
        top=1 - 0.6 / height,
        bottom=(0.35 + 0.2 * len(notes)) / height,
        hspace=0.62,
        wspace=0.15,
    )
    heading = f"{title + ': ' if title else ''}{chains} chain{'s' * (chains != 1)} of {length} draws"
    figure.text(0.055, 1 - 0.24 / height, heading, fontsize=12, weight="bold", va="center")
    _chain_key(figure, chains, 1 - 0.24 / height)
    for i, note in enumerate(reversed(notes)):
        figure.text(0.055, (0.1 + 0.2 * i) / height, note, fontsize=8, color="#555555")
    return figure


def save_trace(figure: Figure, file: Path) -> None:
    """Write the figure as PNG (or what the name's ending says); a file of that name is replaced when all went well.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    from bayesad.results import ResultsError, replacing

    try:
        with replacing(file) as temporary:
            figure.savefig(temporary)
    except (OSError, ValueError) as error:
        raise ResultsError(f"cannot write {file}: {getattr(error, 'strerror', None) or error}") from None


def _diverging(tree: xr.DataTree, shape: tuple[int, int]) -> np.ndarray:
    if "sample_stats" not in tree.children or "diverging" not in tree["sample_stats"]:
        return np.zeros(shape, bool)
    return tree["sample_stats"]["diverging"].transpose("chain", "draw").values.astype(bool)


def _notes(table: pd.DataFrame, labels: Sequence[str], chosen: bool, divergences: int) -> list[str]:
    """What the reader needs to know below the panels: what was left out, what the marks mean."""
    notes = []
    constant = int((table["sd"] == 0).sum())
    left_out = len(table) - len(labels) - constant
    if left_out > 0:
        order = f"the {MOST_ROWS} neediest" if chosen else "those beyond a limit of R-hat or ESS, then single numbers"
        shown = f"Shown: {len(labels)} of {len(table)} quantities, {order}; {left_out} left out"
        notes.append(f"{shown}. Choose with `bayesad plot FOLDER --parameters a,b`.")
    if 0 < constant < len(table):
        notes.append(f"{constant} constant {'quantity is' if constant == 1 else 'quantities are'} not shown.")
    if divergences:
        notes.append(f"Black ticks: draws of the {divergences} divergent transitions.")
    return notes


def _row(axes: Sequence[Axes], label: str, x: np.ndarray, diverging: np.ndarray, row: Any) -> None:
    density, trace, ranks = axes
    for ax in axes:
        ax.tick_params(labelsize=7, length=2, color="#999999")
        ax.margins(x=0)
        for side in ("top", "right", "left"):
            ax.spines[side].set_visible(False)
        ax.spines["bottom"].set_color("#999999")
        if ax is not trace:
            ax.set_yticks([])
        for axis in (ax.xaxis, ax.yaxis):
            axis.get_offset_text().set(fontsize=7, color="#999999")
    density.set_ylabel(_in_two_lines(label), fontsize=9, rotation=90)
    _densities(density, x, diverging)
    _traces(trace, x, diverging)
    _ranks(ranks, x)
    figures = f"R-hat {row['r_hat']:.3f}   ESS {row['ess_bulk']:.0f} bulk, {row['ess_tail']:.0f} tail"
    if np.isfinite(row["r_hat"]):
        trace.text(1, 1.02, figures, fontsize=7, color="#555555", ha="right", transform=trace.transAxes)


def _in_two_lines(label: str) -> str:
    """A label as it fits beside a row: a long one has its index, or its end, in a line of its own."""
    if len(label) <= LABEL:
        return label
    name, bracket, index = label.partition("[")
    if bracket:
        return f"{shortened(name, LABEL)}\n{shortened(bracket + index, LABEL)}"
    text = shortened(label, 2 * LABEL)
    return f"{text[:LABEL]}\n{text[LABEL:]}"


def _densities(ax: Axes, x: np.ndarray, diverging: np.ndarray) -> None:
    finite = x[np.isfinite(x)]
    low, high = _visible(finite)
    for chain, values in enumerate(x):
        inside = values[(values >= low) & (values <= high)]
        if inside.size > 1 and high > low:
            grid, density = _density(inside, low, high)
            ax.plot(grid, density, color=_colour(chain), linewidth=1)
    ax.set_ylim(bottom=0)
    if high > low:
        ax.set_xlim(low, high)
    _ticks(ax, x[diverging])


def _density(x: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian kernel density on a grid over [low, high], mass reflected at both ends (Silverman's bandwidth)."""
    bins = 256
    counts, edges = np.histogram(x, bins=bins, range=(low, high))
    step = edges[1] - edges[0]
    q25, q75 = np.quantile(x, [0.25, 0.75])
    spread = min(x.std(), (q75 - q25) / 1.349) or x.std() or step
    bandwidth = max(0.9 * spread * x.size**-0.2, step)
    offsets = np.arange(-bins, bins + 1) * step
    kernel = np.exp(-0.5 * (offsets / bandwidth) ** 2)
    padded = np.concatenate([counts[::-1], counts, counts[::-1]])
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="same")[bins : 2 * bins]
    return (edges[:-1] + edges[1:]) / 2, smooth / (x.size * step)


def _visible(x: np.ndarray) -> tuple[float, float]:
    """The range to show: all of it, or without tails that would squeeze the bulk into a line.

    Numbers that differ by rounding alone have none: both ends are the same.
    """
    if x.size == 0:
        return 0.0, 0.0
    low, q005, q25, q75, q995, high = np.quantile(x, [0, 0.005, 0.25, 0.75, 0.995, 1])
    reach = 8 * (q75 - q25)
    begin, end = max(low, min(q005, q25 - reach)), min(high, max(q995, q75 + reach))
    return (begin, end) if end - begin > ROUNDING * max(abs(begin), abs(end)) else (begin, begin)


def _traces(ax: Axes, x: np.ndarray, diverging: np.ndarray) -> None:
    step = max(-(-x.shape[1] // TRACE_POINTS), 1)
    draw = np.arange(0, x.shape[1], step)
    marker = "." if len(draw) < 30 else None
    for chain, values in enumerate(x):
        shown = np.where(np.isfinite(values[::step]), values[::step], np.nan)
        ax.plot(draw, shown, color=_colour(chain), linewidth=0.5, alpha=0.75, marker=marker)
    ax.set_xlim(0, max(x.shape[1] - 1, 1))
    ax.set_ylim(*_padded(x))
    ax.locator_params(axis="y", nbins=3)
    _ticks(ax, np.nonzero(diverging)[1])


def _padded(x: np.ndarray) -> tuple[float, float]:
    low, high = _visible(x[np.isfinite(x)])
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _ranks(ax: Axes, x: np.ndarray) -> None:
    """Each chain's histogram of ranks among all draws: flat when chains agree (Vehtari et al. 2021)."""
    from scipy.stats import rankdata

    ranks = rankdata(x, method="average").reshape(x.shape)
    expected = x.shape[1] / RANK_BINS
    for chain, values in enumerate(ranks):
        counts, edges = np.histogram(values, bins=RANK_BINS, range=(0.5, x.size + 0.5))
        ax.stairs(counts / expected, edges, baseline=None, color=_colour(chain), linewidth=0.9)
    ax.axhline(1, color="#999999", linewidth=0.7, linestyle="--", zorder=0)
    ax.set_ylim(0, max(2.0, ax.get_ylim()[1]))
    ax.set_xticks([])


def _ticks(ax: Axes, where: np.ndarray) -> None:
    """Marks at the bottom edge."""
    ax.plot(
        where,
        np.full(len(where), 0.045),
        transform=ax.get_xaxis_transform(),
        linestyle="none",
        marker="|",
        markersize=5,
        markeredgewidth=0.7,
        color=DIVERGENCE,
    )


def _chain_key(figure: Figure, chains: int, y: float) -> None:
    """The chains' numbers in their colours, at the top right."""
    shown = min(chains, len(COLOURS))
    for chain in range(shown):
        x = 0.985 - 0.022 * (shown - chain)
        figure.text(x + 0.01, y, str(chain), color=_colour(chain), fontsize=10, weight="bold", va="center")
    figure.text(0.985 - 0.022 * shown, y, "chain", color="#555555", fontsize=9, va="center", ha="right")


def _colour(chain: int) -> str:
    return COLOURS[chain % len(COLOURS)]
