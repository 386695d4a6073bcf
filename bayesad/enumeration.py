"""A log density with discrete unknowns at all of their values: one run of the model for each combination.

The model is run as it is written, each unknown filled with one of its values. That gives the log density of every
observation at every value, whatever the code between is made of. `bayesad.marginalising` finds out which combinations
it takes and what belongs to which element; `bayesad.elimination` does the sums.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad.elimination import Factor
from bayesad.nets import Net
from bayesad.running import Handler, Site
from bayesad.structure import Summed
from bayesad.terms import density_of, has_density

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = [
    "Block",
    "Enumeration",
    "Filling",
    "Terms",
    "Values",
    "chosen",
    "others_of",
    "run_terms",
    "table_of",
    "values_at",
]

Filling = Mapping[str, Any]  # name of an unknown -> index of its value: one for all elements, or an array of its shape
Values = tuple[int, ...]  # the index of the value at every colour


class Block(NamedTuple):
    """Entries of a term that depend on the same unknowns.

    Attributes
    ----------
    term : str
    entries : int array or None
        Positions in the flat term; None for all.
    factor : Factor
        The unknowns, and the element of each that every entry belongs to.
    """

    term: str
    entries: np.ndarray | None
    factor: Factor


class Terms(NamedTuple):
    """What one run of a model gives."""

    terms: dict[str, Any]  # log densities, entry by entry
    own: dict[str, Any]  # those of the unknowns, but for chains, at all of their values: one more axis, the first
    chains: dict[str, tuple[Any, Any]]  # log initial and transition probabilities of the Markov chains
    bounds: dict[str, tuple[Any, ...]]  # of the parameters and the unknowns
    observed: dict[str, Site]


class Enumeration(NamedTuple):
    """How the unknowns of a model are summed out.

    Attributes
    ----------
    unknowns : dict
        Name -> `Summed`, in the order of the model.
    colours : dict
        Name -> number; unknowns that meet in a term have different ones. Those of one colour take their values
        together.
    runs : tuple of tuples
        The index of the value at every colour, for each run.
    blocks : tuple of Block
    independent : dict
        Term -> its entries that depend on no unknown; None for all.
    impossible : frozenset
        Terms with density zero at some values of the unknowns.
    net : Net
        In which order they are summed out.
    dependent : frozenset
        Deterministic quantities and completed variables that depend on unknowns.
    traceable : bool
        Whether the model takes traced values of the unknowns.
    """

    unknowns: dict[str, Summed]
    colours: dict[str, int]
    runs: tuple[Values, ...]
    blocks: tuple[Block, ...]
    independent: dict[str, np.ndarray | None]
    impossible: frozenset[str]
    net: Net
    dependent: frozenset[str]
    traceable: bool

    def filling(self, values: Values) -> Filling:
        """The values of a run, by unknown."""
        return {name: min(values[self.colours[name]], u.size - 1) for name, u in self.unknowns.items()}

    def summed(
        self, posterior: Posterior, parameter: Callable[[Site], Any], *, check: bool
    ) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
        """The terms of a log density with the unknowns summed out, each a scalar, and what draws of them take.

        Terms that depend on unknowns stand together under the name of the unknown that is summed last.
        """
        known: dict[str, Any] = {}

        def once(site: Site) -> Any:
            if site.name not in known:
                known[site.name] = parameter(site)
            return known[site.name]

        tables, independent, chains = self.tables(lambda filling: run_terms(posterior, once, filling, check=check))
        totals, kept = self.net.sum_out(tables, chains)
        return {**{name: np.sum(term) for name, term in independent.items()}, **totals}, kept

    def tables(self, run: Callable[[Filling], Terms]) -> tuple[list[Any], dict[str, Any], dict[str, tuple[Any, Any]]]:
        """Log densities at all values.

        Returns
        -------
        tables : list
            For each block an array with an axis for each unknown and a last one for the entries.
        independent : dict
            Term -> log densities that depend on no unknown.
        chains : dict
            Name -> log initial and transition probabilities.
        """
        found = {values: run(self.filling(values)) for values in self.runs}
        first = found[self.runs[0]]
        tables = [self._table(found, block) for block in self.blocks]
        independent = {name: chosen(first.terms[name], entries) for name, entries in self.independent.items()}
        return tables, independent, first.chains

    def _table(self, found: Mapping[Values, Terms], block: Block) -> Any:
        """The log density of a block at all values of its unknowns.

        Slopes are infinite where a density is zero, as that of ``log(p * k)`` at ``k = 0``. The choice makes them count
        for nothing there.
        """
        table = table_of(found, block.term, block.factor.names, block.entries, self.unknowns, self.colours)
        return np.where(table > -np.inf, table, -np.inf) if block.term in self.impossible else table


def run_terms(posterior: Posterior, parameter: Callable[[Site], Any], filling: Filling, *, check: bool) -> Terms:
    """Run a model with its unknowns at given values, and collect its terms entry by entry.

    Whether observed values lie in their support is always looked at: it may depend on the unknowns.
    """
    found = Terms({}, {}, {}, {}, {})
    unknowns = posterior.structure.summed

    def own(site: Site) -> Any:
        unknown = unknowns[site.name]
        return unknown.at(filling[site.name])

    def note(site: Site, value: Any) -> None:
        if site.kind in ("parameter", "summed"):
            standard = site.support.standard
            place = (
                () if standard is None else (standard.value(np.zeros(site.shape)), standard.value(np.ones(site.shape)))
            )
            found.bounds[site.name] = (site.support.lower, site.support.upper, *place)
        if site.kind == "observed":
            found.observed[site.name] = site
        if site.kind == "summed":
            unknown = unknowns[site.name]
            if unknown.chain:
                found.chains[site.name] = (site.distribution._log_initial, site.distribution._log_transition)
                return
            found.own[site.name] = _own_densities(site, unknown)
            found.terms[site.name] = _chosen_value(found.own[site.name], filling[site.name])
        elif has_density(site):
            found.terms[site.name] = density_of(site, value, check=check or site.kind == "observed")

    posterior.run(Handler(parameter, note=note, summed=own))
    return found


def _own_densities(site: Site, unknown: Summed) -> Any:
    """The term of an unknown at all of its values, shape (size, *shape): one run has the law for all of them."""
    index = np.arange(unknown.size).reshape(-1, *[1] * len(unknown.shape))
    density = 0.0 if unknown.missing else site.distribution.log_density(np.asarray(unknown.at(index)))
    return density + unknown.outside(index)


def _chosen_value(own: Any, index: Any) -> Any:
    """The term of an unknown at the values with these indices: one for all elements, or one for each."""
    return own[index] if np.ndim(index) == 0 else own[(index, *np.indices(np.shape(index), sparse=True))]


def values_at(width: int, names: Sequence[str], values: Sequence[int], colours: Mapping[str, int]) -> Values:
    found = [0] * width
    for name, value in zip(names, values, strict=True):
        found[colours[name]] = value
    return tuple(found)


def table_of(
    found: Mapping[Values, Terms],
    term: str,
    names: Sequence[str],
    entries: np.ndarray | None,
    unknowns: Mapping[str, Summed],
    colours: Mapping[str, int],
) -> Any:
    """A term at all values of its unknowns: an axis for each of them, and one for the entries.

    The term of an unknown itself is known at all of its own values from one run for each of those of the others.
    """
    others = others_of(term, names, unknowns)
    sizes = [unknowns[name].size for name in others]
    width = len(next(iter(found)))
    runs = [found[values_at(width, others, values, colours)] for values in itertools.product(*map(range, sizes))]
    if len(others) == len(names):
        return np.reshape(np.stack([chosen(run.terms[term], entries) for run in runs]), (*sizes, -1))
    table = np.stack([np.reshape(run.own[term], (unknowns[term].size, -1)) for run in runs])
    return np.moveaxis(np.reshape(table, (*sizes, *table.shape[1:])), len(sizes), names.index(term))


def others_of(term: str, names: Sequence[str], unknowns: Mapping[str, Summed]) -> list[str]:
    """The unknowns of a term whose values take runs of their own: all but the one whose term it is."""
    return [name for name in names if name != term or unknowns[name].chain]


def chosen(term: Any, entries: np.ndarray | None) -> Any:
    flat = np.reshape(term, -1)
    return flat if entries is None else flat[entries]
