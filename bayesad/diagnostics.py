"""Judges draws: the summary table, and what is wrong with them in plain words, with what to try."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "LIMITS",
    "Finding",
    "Limit",
    "advice",
    "all_is_well",
    "flatten",
    "most_telling",
    "shortened",
    "summary",
    "trustworthy",
]


# --- limits ---


@dataclass(frozen=True)
class Limit:
    """A threshold and where it comes from."""

    value: float
    source: str


VEHTARI = "Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), Bayesian Analysis 16(2)"
BETANCOURT = "Betancourt (2016), arXiv:1604.00695"

LIMITS = {
    "r_hat": Limit(1.01, f"{VEHTARI}, section 4: below 1.01"),
    "ess_per_chain": Limit(100, f"{VEHTARI}, section 4: bulk and tail ESS above 100 per chain"),
    "divergences": Limit(0, "Betancourt (2017), arXiv:1701.02434, section 6.2: any is a sign of bias"),
    "e_bfmi": Limit(0.3, f"{BETANCOURT}; 0.3 is the customary value (Stan, ArviZ)"),
    "tree_depth_share": Limit(0.01, "own choice: rarer trajectories cut short cost nothing noticeable"),
    "stuck_share": Limit(0.5, "own choice: a static trajectory tuned to 0.8 repeats about a fifth of its draws"),
    "apart": Limit(1.05, "own choice: below it a longer run is likelier to help than a search for modes"),
    "region_level": Limit(1e-3, "own choice: chance that divergences scattered at random are placed in a region"),
    "region_gap": Limit(0.3, "own choice: excess of the share of divergent over that of all draws in a region"),
}
"""Every threshold of `advice`, with its source."""


# --- summary ---

INTERVAL = 0.9
"""Probability of the summary's equal-tailed interval."""


def summary(tree: xr.DataTree, parameters: Sequence[str] | None = None) -> pd.DataFrame:
    """Mean, sd, 90 % interval, ESS, R-hat and Monte Carlo errors of every scalar quantity, by ArviZ.

    Parameters
    ----------
    tree : DataTree
        With a group `posterior`.
    parameters : sequence of str, optional
        Names of variables (`theta`), or of single entries as the table calls them (`theta[A]`).

    Returns
    -------
    pandas.DataFrame
        One row per scalar: mean, sd, eti90_lb, eti90_ub, ess_bulk, ess_tail, r_hat, mcse_mean, mcse_sd. Whole numbers
        have neither ESS nor R-hat: they were summed out and drawn afterwards, each given one draw of the others, so
        that these tell whether the chains are to be trusted.

    Raises
    ------
    DataError
        If there are no draws, or a name is unknown.
    """
    import arviz_stats
    import pandas as pd
    import xarray as xr

    posterior = _drawn(tree)
    wanted = _variables(posterior, parameters)
    labels, draws = _entries(posterior[wanted])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # constant or non-finite entries; `advice` speaks of them
        table = arviz_stats.summary(
            xr.Dataset({"value": (("chain", "draw", "entry"), draws)}),
            sample_dims=["chain", "draw"],
            ci_kind="eti",
            ci_prob=INTERVAL,
            round_to="none",
        )
    table.index = pd.Index(labels)
    table.loc[_whole(posterior, labels), ["ess_bulk", "ess_tail", "r_hat"]] = np.nan
    if parameters is None:
        return table
    for parameter in parameters:
        if parameter not in wanted and parameter not in table.index:
            there = [label for label in table.index if label.partition("[")[0] == parameter.partition("[")[0]]
            raise DataError(f"there is no entry {parameter!r}; there are {', '.join(there[:5])}, ...")
    return table.loc[[label for label in table.index if {label, label.partition("[")[0]} & set(parameters)]]


def _whole(posterior: xr.Dataset, labels: Sequence[str]) -> list[str]:
    """Those of the summary's rows that are whole numbers."""
    owners = {label: label if label in posterior else label.partition("[")[0] for label in labels}
    return [label for label, owner in owners.items() if posterior[owner].dtype.kind in "biu"]


def _drawn(tree: xr.DataTree) -> xr.Dataset:
    """The posterior's numeric variables that have chains, draws and at least one entry."""
    posterior = tree["posterior"].to_dataset()
    if 0 in (posterior.sizes.get("draw", 0), posterior.sizes.get("chain", 0)):
        raise DataError("there are no draws in the group `posterior`")
    usable = {
        name: value.size > 0 and {"chain", "draw"} <= set(value.dims) and value.dtype.kind in "biuf"
        for name, value in posterior.items()
    }
    return posterior[[name for name in posterior if usable[name]]]


def _variables(posterior: xr.Dataset, parameters: Sequence[str] | None) -> list[str]:
    """The variables that `parameters` (variables or entries) belong to, in the posterior's order."""
    from bayesad.errors import suggestion

    names = [str(name) for name in posterior]
    if parameters is None:
        return names
    for parameter in parameters:
        if parameter.partition("[")[0] not in names and parameter not in names:
            hint = suggestion(parameter, names)
            raise DataError(f"there is no parameter {parameter!r}{hint} (there are {', '.join(names)})")
    chosen = {p if p in names else p.partition("[")[0] for p in parameters}
    return [name for name in names if name in chosen]


def flatten(tree: xr.DataTree, labels: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Every scalar quantity's draws, by the label it has in the summary.

    Parameters
    ----------
    tree : DataTree
    labels : sequence of str, optional
        Only these, in this order.

    Returns
    -------
    dict of str -> array, shape (chains, draws)
    """
    names, draws = _entries(_drawn(tree))
    found = {label: draws[..., i] for i, label in enumerate(names)}
    return found if labels is None else {label: found[label] for label in labels}


def _entries(posterior: xr.Dataset) -> tuple[list[str], np.ndarray]:
    """Labels of all scalar quantities, `theta[A, x]`, and their draws, shape (chains, draws, quantities).

    They are ArviZ's labels, but not made by it: arviz-base 0.8 takes the entries of a variable in the order of the data
    set's dims and labels them in the order of the variable's own.
    """
    labels: list[str] = []
    columns: list[np.ndarray] = []
    for name, value in posterior.items():
        value = value.transpose("chain", "draw", ...)
        coordinates = [value[dim].values for dim in value.dims[2:]]
        indices = np.ndindex(value.shape[2:])
        places = (", ".join(str(c[i]) for c, i in zip(coordinates, index, strict=True)) for index in indices)
        labels += [f"{name}[{place}]" if place else str(name) for place in places]
        columns.append(value.values.reshape(*value.shape[:2], -1))
    return labels, np.concatenate(columns, axis=-1, dtype=np.float64)


def most_telling(table: pd.DataFrame, limit: int) -> list[str]:
    """At most `limit` rows worth showing, in the table's order.

    First the worst of those beyond a limit (up to half the places), then quantities that are one number, then
    whatever has the worst R-hat or ESS.
    """
    if len(table) <= limit:
        return [str(label) for label in table.index]
    badness = _badness(table)
    worst_first = sorted(table.index, key=lambda label: -badness[label])
    beyond = [label for label in worst_first if badness[label] > 1][: limit // 2]
    single = [label for label in table.index if "[" not in label]
    chosen = set(list(dict.fromkeys([*beyond, *single, *worst_first]))[:limit])
    return [str(label) for label in table.index if label in chosen]


def shortened(label: str, length: int) -> str:
    """The label itself or, where it is longer than that, its beginning and its end, where the index stands."""
    if len(label) <= length:
        return label
    end = min(len(label) - label.rfind("[") if "[" in label else 0, length - 4)
    end = max(end, (length - 1) // 2)
    return f"{label[: length - 1 - end]}…{label[len(label) - end :]}"


def _badness(table: pd.DataFrame) -> dict[str, float]:
    """How far R-hat or ESS is beyond its limit (above 1) or within it (below 1); 0 for what has neither."""
    r_hat = (table["r_hat"] - 1) / (LIMITS["r_hat"].value - 1)
    ess = 4 * LIMITS["ess_per_chain"].value / table[["ess_bulk", "ess_tail"]].min(axis=1)
    worst = np.fmax(r_hat, ess.where(table["sd"] > 0)).fillna(0.0)
    return dict(zip(table.index, worst, strict=True))


# --- advice ---


@dataclass(frozen=True)
class Finding:
    """Something wrong with the draws.

    Attributes
    ----------
    check : str
        Which check found it.
    severity : str
        "distrust": the draws may be wrong; "caution": they cost more than they need to, or less is known.
    sentence : str
        What is wrong.
    remedy : str
        What to try.
    """

    check: str
    severity: str
    sentence: str
    remedy: str


@dataclass(frozen=True)
class Evidence:
    """What the checks look at.

    Attributes
    ----------
    table : DataFrame
        The rows of the summary that vary; constants of the model's structure and whole numbers are left out.
    draws : dict of str -> array, shape (chains, draws)
        Their draws.
    statistics : dict of str -> array, shape (chains, draws)
        Of the sampler.
    starts : dict of str -> array, shape (divergences,)
        Where the leapfrog steps that diverged began, as far as that is recorded.
    settings : dict of str -> float
        Of the sampler, as far as they are recorded.
    shape : tuple of int
        Chains and draws per chain.
    """

    table: pd.DataFrame
    draws: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    starts: dict[str, np.ndarray]
    settings: dict[str, float]
    shape: tuple[int, ...]

    def diverged(self, label: str) -> np.ndarray:
        """A quantity at the divergences: where their last step began, else what the transitions returned."""
        return self.starts.get(label, self.draws[label][self.statistics["diverging"].astype(bool)])


def advice(tree: xr.DataTree, table: pd.DataFrame | None = None) -> list[Finding]:
    """What is wrong with the draws, and what to try; the worst first, empty when all is well.

    Parameters
    ----------
    tree : DataTree
        With groups `posterior` and, for the sampler's own signs, `sample_stats`.
    table : DataFrame, optional
        Its `summary`, when at hand.

    Returns
    -------
    list of Finding

    Raises
    ------
    DataError
        If there are no draws.
    """
    import xarray as xr

    table = summary(tree) if table is None else table
    draws = flatten(tree)
    if not draws:
        return []
    whole = set(_whole(_drawn(tree), list(draws)))
    varying = {label: x for label, x in draws.items() if np.ptp(x) != 0 and label not in whole} or draws  # or is NaN
    stats = tree["sample_stats"].to_dataset() if "sample_stats" in tree.children else xr.Dataset()
    evidence = Evidence(
        table=table.loc[[label for label in table.index if label in varying]],
        draws=varying,
        statistics={str(name): x.transpose("chain", "draw", ...).values for name, x in stats.items()},
        starts=_starts(tree, list(draws)),
        settings={name: float(x) for name, x in re.findall(r"(\w+)=([\d.]+)", tree.attrs.get("sampler", ""))},
        shape=next(iter(draws.values())).shape,
    )
    exact = "n_steps" in evidence.statistics and not evidence.statistics["n_steps"].any()  # nothing had to be moved
    found = [finding for check in ((_not_finite,) if exact else CHECKS) for finding in check(evidence)]
    return sorted(found, key=lambda finding: finding.severity != "distrust")


def _starts(tree: xr.DataTree, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """The group `divergences` by the labels of the summary."""
    found: dict[str, np.ndarray] = {}
    if "divergences" in tree.children:
        for name, value in tree["divergences"].to_dataset().items():
            own = [label for label in labels if label == name or label.startswith(f"{name}[")]
            columns = value.values.reshape(value.shape[0], -1).T
            found |= dict(zip(own, columns, strict=True)) if len(own) == len(columns) else {}
    return found


def trustworthy(findings: Sequence[Finding]) -> bool:
    """Whether none of the findings says that the draws may be wrong."""
    return all(finding.severity != "distrust" for finding in findings)


def all_is_well(table: pd.DataFrame, chains: int) -> str:
    """The one line for draws without findings."""
    if table["r_hat"].isna().all():
        return "All is well: every draw is exact and independent of the others, as all unknowns were summed out."
    least = table.loc[table["sd"] > 0, ["ess_bulk", "ess_tail"]].min()
    return (
        f"All is well: {chains} chains agree (R-hat at most {table['r_hat'].max():.3f}), the effective sample "
        f"sizes suffice (at least {least['ess_bulk']:.0f} bulk, {least['ess_tail']:.0f} tail), no divergences."
    )


def _not_finite(evidence: Evidence) -> Iterator[Finding]:
    counts = {label: int((~np.isfinite(x)).sum()) for label, x in evidence.draws.items()}
    bad = {label: f"{count} of {math.prod(evidence.shape)}" for label, count in counts.items() if count}
    if bad:
        yield Finding(
            "not finite",
            "distrust",
            f"Some draws are NaN or infinite: {_names(bad, '{}')}.",
            "Look for overflow, log of 0 or division by 0 in the model's expression for it.",
        )


def _stuck(evidence: Evidence) -> Iterator[Finding]:
    """Chains that stay where they are, and quantities that do not move in a chain that does."""
    if evidence.shape[1] < 2:
        return
    repeats = [x[:, 1:] == x[:, :-1] for x in evidence.draws.values()]
    share = np.logical_and.reduce(repeats).mean(axis=1)
    for chain in np.flatnonzero(share > LIMITS["stuck_share"].value):
        often = "never moved" if share[chain] == 1 else f"stayed in place in {_percent(share[chain])} of its draws"
        yield Finding(
            "stuck",
            "distrust",
            f"Chain {chain} {often}.",
            "Start elsewhere (another seed, or init = prior), or raise target_accept so that steps get smaller.",
        )
    still = {
        label: ", ".join(str(chain) for chain in np.flatnonzero(repeated.all(axis=1) & (share < 1)))
        for label, repeated in zip(evidence.draws, repeats, strict=True)
        if not repeated.all()
    }
    still = {label: where for label, where in still.items() if where}
    if still:
        yield Finding(
            "stuck",
            "distrust",
            f"Constant in some chains but not in others: {_names(still, 'chain {}')}.",
            "Look at the trace; the parameter may have run to the edge of what floating point can hold.",
        )


def _chains_disagree(evidence: Evidence) -> Iterator[Finding]:
    if evidence.shape[0] == 1:
        yield Finding(
            "r_hat",
            "caution",
            "There is only one chain, so R-hat cannot tell whether chains agree.",
            "Draw at least 4 chains.",
        )
    limit = LIMITS["r_hat"].value
    high = evidence.table["r_hat"][evidence.table["r_hat"] > limit].sort_values(ascending=False)
    if high.empty:
        return
    apart = _chain_apart(evidence.draws[str(high.index[0])]) if high.iloc[0] > LIMITS["apart"].value else None
    aside = "" if apart is None else f"; chain {apart} lies apart from the others"
    longer = "Draw more after a longer warmup (twice as many of both)."
    modes = (
        "There may be several modes, or that chain got lost: look at the trace plot, use better starting points "
        "or stronger priors; order the components of a mixture."
    )
    yield Finding(
        "r_hat",
        "distrust",
        f"The chains do not agree: R-hat is above {limit} for {_count(high, evidence)}, "
        f"worst {_names(high.to_dict(), '{:.3f}')}{aside}.",
        longer if apart is None else modes,
    )


def _chain_apart(x: np.ndarray) -> int | None:
    """The one chain without which the others would agree, if there is one (of at least three)."""
    import arviz_stats

    if len(x) < 3 or not np.isfinite(x).all():
        return None
    rest = [np.delete(x, chain, axis=0) for chain in range(len(x))]
    with np.errstate(all="ignore"):
        r_hat = np.array([float(arviz_stats.rhat(y, chain_axis=0, draw_axis=1)) for y in rest])
    agreeing = np.flatnonzero(r_hat <= LIMITS["r_hat"].value)
    return int(agreeing[0]) if agreeing.size else None


def _too_few(evidence: Evidence) -> Iterator[Finding]:
    chains, length = evidence.shape
    limit = LIMITS["ess_per_chain"].value * chains
    finite = [label for label, x in evidence.draws.items() if np.isfinite(x).all()]
    for column, purpose in (("ess_bulk", "means"), ("ess_tail", "intervals")):
        ess = evidence.table.loc[finite, column]
        low = ess[~(ess >= limit)].sort_values()
        if low.empty:
            continue
        if low.isna().all():
            sentence = f"{column} cannot be estimated for {_count(low, evidence)}."
            remedy = "Draw more: a few hundred draws per chain."
        else:
            sentence = (
                f"Too few effective draws for trustworthy {purpose}: {column} is below {limit:.0f} for "
                f"{_count(low, evidence)}, least {_names(low.to_dict(), '{:.0f}')}."
            )
            draws = _rounded_up(1.2 * length * limit / low.min())
            remedy = f"Draw more: about {draws} draws per chain; or reparameterise what mixes slowly."
        if (evidence.table.loc[low.index, "r_hat"] > LIMITS["r_hat"].value).any():
            remedy = "First make the chains agree."
        yield Finding(column, "distrust", sentence, remedy)


def _divergences(evidence: Evidence) -> Iterator[Finding]:
    diverging = evidence.statistics.get("diverging", np.zeros(1)).astype(bool)
    count = int(diverging.sum())
    if count <= LIMITS["divergences"].value:
        return
    there_were = "There was 1 divergence" if count == 1 else f"There were {count} divergences"
    where = _region({label: (evidence.diverged(label), x[~diverging]) for label, x in evidence.draws.items()})
    yield Finding(
        "divergences",
        "distrust",
        f"{there_were} ({_percent(count / diverging.size)} of the draws){f', {where}' if where else ''}: "
        "the chains cannot follow the posterior there, and means and intervals may be off.",
        _after_divergences(evidence.settings.get("target_accept", 0.8)),
    )


def _after_divergences(target: float) -> str:
    reparameterise = (
        "reparameterise that part of the model: effects theta ~ Normal(mu, tau) with few data want the non-centred "
        'form, with many the centred one, and ba.reparameterise(model, {"theta": "auto"}) finds out which'
    )
    smaller_steps = [step for step in (0.95, 0.99) if step > target]
    if smaller_steps:
        return f"Raise target_accept to {smaller_steps[0]}; if they stay, {reparameterise}."
    return f"Steps are small already: {reparameterise}."


def _region(places: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str | None:
    """Where divergences lie most clearly apart from the other draws: one tail of one quantity, in words.

    The gap between the two distribution functions must exceed the one-sided two-sample Kolmogorov-Smirnov
    bound at the level of `LIMITS`, over all quantities and both tails.

    Parameters
    ----------
    places : dict of str -> (array, array)
        Of each quantity the values at the divergences and in the other draws.
    """
    finite = {label: both for label, both in places.items() if all(np.isfinite(x).all() for x in both)}
    tails = [
        (*_gap(sign * theirs, sign * others), label, sign)
        for label, (theirs, others) in finite.items()
        for sign in (1, -1)
        if theirs.size and others.size
    ]
    if not tails:
        return None
    gap, threshold, label, sign = max(tails, key=lambda tail: tail[0])
    theirs, others = finite[label]
    scale = 0.5 / theirs.size + 0.5 / others.size
    needed = math.sqrt(scale * math.log(2 * len(places) / LIMITS["region_level"].value))
    if gap <= max(needed, LIMITS["region_gap"].value):
        return None
    return f"mostly where {label} {_in_words(sign, sign * threshold, theirs, others)}"


def _gap(theirs: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """The largest excess of the share of theirs below a threshold over that of the others, and that threshold."""
    values = np.unique(np.concatenate([theirs, others]))
    below = [np.searchsorted(np.sort(x), values, side="right") / x.size for x in (theirs, others)]
    at = int(np.argmax(below[0] - below[1]))
    return float(below[0][at] - below[1][at]), float((values[at] + values[min(at + 1, values.size - 1)]) / 2)


def _in_words(sign: int, threshold: float, theirs: np.ndarray, others: np.ndarray) -> str:
    """`< 0.9 (83% of them, 12% of the other draws)`, with no more digits than it takes."""

    def shares(limit: float) -> tuple[float, float]:
        return float((sign * theirs < sign * limit).mean()), float((sign * others < sign * limit).mean())

    exact = shares(threshold)
    for digits in range(2, 18):
        rounded = f"{threshold:.{digits}g}"
        inside, outside = shares(float(rounded))
        if inside - outside >= 0.9 * (exact[0] - exact[1]):
            break
    return f"{'<' if sign > 0 else '>'} {rounded} ({_percent(inside)} of them, {_percent(outside)} of the other draws)"


def _energy(evidence: Evidence) -> Iterator[Finding]:
    import arviz_stats

    energy = evidence.statistics.get("energy")
    if energy is None or energy.shape[1] < 2:
        return
    with np.errstate(all="ignore"):
        bfmi = np.asarray(arviz_stats.bfmi(energy, chain_axis=0, draw_axis=1))
    limit = LIMITS["e_bfmi"].value
    low = {f"chain {chain}": bfmi[chain] for chain in np.flatnonzero(bfmi < limit)}
    if low:
        yield Finding(
            "e_bfmi",
            "caution",
            f"E-BFMI is below {limit} in {_names(low, '{:.2f}')}: the momenta change the energy too little to "
            "reach the tails quickly.",
            "Heavy tails or a funnel cause this: reparameterise (non-centred form, tighter priors on scales) or "
            "draw more.",
        )


def _tree_depth(evidence: Evidence) -> Iterator[Finding]:
    share = evidence.statistics.get("reached_max_treedepth", np.zeros(1)).mean()
    if share > LIMITS["tree_depth_share"].value:
        yield Finding(
            "tree depth",
            "caution",
            f"{_percent(share)} of the trajectories were cut short at the greatest tree depth: draws cost much "
            "and lie close together.",
            "Put the parameters on similar scales, try metric = dense, or raise max_tree_depth.",
        )


CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    _not_finite,
    _stuck,
    _chains_disagree,
    _too_few,
    _divergences,
    _energy,
    _tree_depth,
)
"""Every check; each yields what it finds."""


def _names(details: Mapping[str, Any], form: str, limit: int = 3) -> str:
    """The first few names, each with its detail in brackets."""
    shown = ", ".join(f"{name} ({form.format(details[name])})" for name in list(details)[:limit])
    return shown if len(details) <= limit else f"{shown} and {len(details) - limit} more"


def _count(part: pd.Series, evidence: Evidence) -> str:
    total = len(evidence.table)
    return f"{len(part)} of {total} quantities" if total > 1 else "the only quantity"


def _percent(share: float) -> str:
    percent = 100 * float(share)
    return f"{percent:.0f}%" if percent >= 1 or percent == 0 else f"{percent:.1g}%"


def _rounded_up(x: float) -> int:
    """Up to two leading digits: 1234 -> 1300."""
    step = 10 ** max(math.floor(math.log10(x)) - 1, 0)
    return math.ceil(x / step) * step
