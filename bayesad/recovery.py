"""After sampling: draws of the unknowns that were summed out, and log likelihoods with them summed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad import ad
from bayesad.ad.rows import map_rows
from bayesad.distributions.lazy import special
from bayesad.distributions.paths import filtered
from bayesad.enumeration import Block, Enumeration, run_terms
from bayesad.errors import ModelError
from bayesad.running import Handler, Site, at_site
from bayesad.terms import observed_only, pointwise_of

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["Recovery", "pointwise"]

AT_ONCE = 2**24  # numbers in memory


class Recovery:
    """Draws of the summed-out unknowns of a posterior, and of the quantities that depend on them."""

    def __init__(self, posterior: Posterior) -> None:
        self._posterior = posterior
        self._made: Enumeration = posterior.enumeration
        self._kept = ad.compile(self._trace_kept, rewrites=())
        self._dependent = ad.compile(self._trace_dependent, rewrites=())

    def draw(self, q: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Exact draws from the joint distribution of all unknowns given the parameters and the data.

        Parameters
        ----------
        q : float array, shape (n, dimension)
            Unconstrained points.
        rng : numpy.random.Generator

        Returns
        -------
        dict
            Name -> array, shape (n, *shape), of the unknowns, and the deterministic quantities and completed variables
            that depend on them.
        """
        if not len(q):
            return {name: value[:0] for name, value in self.draw(np.zeros((1, q.shape[-1])), rng).items()}
        made = self._made
        numbers = sum(np.size(part) for parts in self._kept(q[0]) for part in parts)
        step = max(1, AT_ONCE // max(numbers, 1))
        pieces = [
            made.net.draw_back(rng, map_rows(self._kept, q[start : start + step])) for start in range(0, len(q), step)
        ]
        index = {
            name: np.concatenate([piece[name].reshape(-1, *unknown.shape) for piece in pieces])
            for name, unknown in made.unknowns.items()
        }
        values = {name: np.asarray(made.unknowns[name].at(i)) for name, i in index.items()}
        return values | (self._quantities(q, values) if made.dependent else {})

    def _quantities(self, q: np.ndarray, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self._made.traceable:
            return map_rows(self._dependent, {"q": q, "summed": values})
        rows = [
            self._trace_dependent({"q": q[i], "summed": {n: v[i][()] for n, v in values.items()}})
            for i in range(len(q))
        ]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _trace_kept(self, q: Any) -> Any:
        constrain = self._posterior.unconstrained.constrain
        return self._made.summed(self._posterior, lambda site: constrain(site, q)[0], check=False)[1]

    def _trace_dependent(self, at: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def note(site: Site, value: Any) -> None:
            if site.name in self._made.dependent:
                found[site.name] = value

        def parameter(site: Site) -> Any:
            return self._posterior.unconstrained.constrain(site, at["q"])[0]

        self._posterior.run(Handler(parameter, note=note, summed=lambda site: at["summed"][site.name]))
        return found


# --- log likelihood


def pointwise(posterior: Posterior, parameter: Any) -> dict[str, Any]:
    """Log density of every observed value given the parameters, each with the unknowns it depends on summed out.

    The unknowns have their distribution given the parameters alone, so that two observations that share one are not
    independent: their log likelihoods do not add up to that of both.
    """
    made: Enumeration = posterior.enumeration
    sites: dict[str, Site] = {}
    found: dict[str, Any] = {}
    apart = {name for name, entries in made.independent.items() if entries is None}

    def noted(site: Site, value: Any) -> None:
        if site.kind == "observed" and site.name in apart:
            found[site.name] = pointwise_of(site, value)
        elif site.kind == "observed":
            sites[site.name] = site

    posterior.run(Handler(parameter, note=noted))
    tables, independent, chains = made.tables(lambda filling: run_terms(posterior, parameter, filling, check=True))
    priors = _Priors(posterior, tables, chains)
    for name, site in sites.items():
        shape = site.shape[: len(site.shape) - len(site.distribution.event_shape)]
        parts = [(independent[name], made.independent[name])] if name in independent else []
        for block, table in zip(made.blocks, tables, strict=True):
            if block.term == name:
                parts.append((priors.summed(block, table), block.entries))
        size = int(np.prod(shape, dtype=np.int64))
        entries = np.concatenate([np.arange(size) if e is None else e for _, e in parts])
        density = np.concatenate([part for part, _ in parts])[np.argsort(entries)]
        if site.missing is not None and not site.distribution.event_shape:
            density = observed_only(density, np.isnan(site.obs))
        else:
            density = np.reshape(density, shape)
        found[name] = density
    return {name: found[name] for name in posterior.observed_data}


class _Priors:
    """The distributions of the unknowns given the parameters alone, element by element."""

    def __init__(self, posterior: Posterior, tables: list[Any], chains: dict[str, tuple[Any, Any]]) -> None:
        self._posterior = posterior
        self._made: Enumeration = posterior.enumeration
        self._chains = chains
        self._known: dict[str, Any] = {}
        self._blocks: dict[str, Block] = {}
        self._own: dict[str, Any] = {}  # tables of the unknowns' own terms
        for name, unknown in self._made.unknowns.items():
            term = unknown.missing or name
            for block, table in zip(self._made.blocks, tables, strict=True):
                if block.term == term and name in block.factor.names:
                    rows = block.factor.rows[block.factor.names.index(name)]
                    order = np.argsort(rows)
                    if np.array_equal(rows[order], np.arange(unknown.elements)):
                        self._own[name] = table[..., order]
                        factor = block.factor._replace(rows=tuple(r[order] for r in block.factor.rows))
                        self._blocks[name] = block._replace(factor=factor)

    def summed(self, block: Block, table: Any) -> Any:
        """The entries of a term with their unknowns summed out."""
        names = block.factor.names
        joint = table
        for axis, (name, rows) in enumerate(zip(names, block.factor.rows, strict=True)):
            within = [p for p in self._parents(name) if p in names]
            if within and len(within) < len(self._parents(name)):
                raise self._problem(block.term, names)
            if within:
                joint = joint + self._conditional(name, block)
                continue
            if any(self._ancestors(name) & (self._ancestors(o) | {o}) for o in names if o != name):
                raise self._problem(block.term, names)
            prior = self.marginal(name)[:, rows]
            joint = joint + prior[tuple(slice(None) if i == axis else None for i in range(len(names)))]
        return special.logsumexp(joint, axis=tuple(range(len(names))))

    def marginal(self, name: str) -> Any:
        """Log probabilities of the values of every element, shape (size, elements)."""
        if name not in self._known:
            unknown = self._made.unknowns[name]
            if unknown.chain:
                initial, transition = self._chains[name]
                _, ahead = filtered(initial, transition, np.zeros((*unknown.shape, unknown.size)))
                self._known[name] = np.moveaxis(np.reshape(ahead, (-1, unknown.size)), 0, -1)
            else:
                self._known[name] = self._from_parents(name)
        return self._known[name]

    def _from_parents(self, name: str) -> Any:
        if name not in self._blocks:
            raise self._problem(name, (name,))
        names, rows = self._blocks[name].factor
        joint, axes = self._own[name], []
        for axis, (other, link) in enumerate(zip(names, rows, strict=True)):
            if other == name:
                own = axis
                continue
            axes.append(axis)
            if any(self._ancestors(other) & (self._ancestors(o) | {o}) for o in names if o not in (other, name)):
                raise self._problem(name, names)
            prior = self.marginal(other)[:, np.maximum(link, 0)]
            joint = joint + prior[tuple(slice(None) if i == axis else None for i in range(len(names)))]
        return special.logsumexp(joint, axis=tuple(axes)) if axes else np.moveaxis(joint, own, 0)

    def _conditional(self, name: str, block: Block) -> Any:
        """The own term of an unknown at the entries of a block that all its parents are in."""
        names, links = self._blocks[name].factor
        rows = block.factor.rows[block.factor.names.index(name)]
        for other, link in zip(names, links, strict=True):
            there = block.factor.rows[block.factor.names.index(other)]
            if np.any((link[rows] != there) & (link[rows] >= 0)):
                raise self._problem(block.term, block.factor.names)
        table = self._own[name][..., rows]
        order = [n for n in block.factor.names if n in names]
        table = np.transpose(table, (*(names.index(n) for n in order), len(names)))
        return table[tuple(slice(None) if n in names else None for n in block.factor.names)]

    def _parents(self, name: str) -> tuple[str, ...]:
        return tuple(n for n in self._blocks[name].factor.names if n != name) if name in self._blocks else ()

    def _ancestors(self, name: str) -> set[str]:
        found: set[str] = set()
        for parent in self._parents(name):
            found |= {parent} | self._ancestors(parent)
        return found

    def _problem(self, term: str, names: tuple[str, ...]) -> ModelError:
        listed = ", ".join(map(repr, names))
        return ModelError(
            at_site(
                self._posterior.model,
                term,
                self._posterior.structure.where[term],
                f"the log likelihood of single observations is not available, as they depend on {listed} together; "
                "record it by ba.deterministic in the model",
            )
        )
