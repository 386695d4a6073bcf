"""How the discrete unknowns of a model are summed out: found by running it, and put to the test.

Which element of an unknown an observation belongs to is found from runs at other fillings: bit b of the number of an
element says whether it has the value v or the first one, so that log2(N) runs tell N elements apart. What was found is
then compared with runs at unknowns drawn at random; where it does not hold, the model is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.dependence import at_random, dependence, same
from bayesad.distributions.supports import contains
from bayesad.elimination import Factor, eliminations
from bayesad.enumeration import Block, Enumeration, Terms, Values, run_terms, table_of, values_at
from bayesad.errors import DistributionError, ModelError
from bayesad.running import Site, at_site
from bayesad.structure import Summed, check_observed

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["enumeration"]

MOST_RUNS = 5000  # of the model, one for each combination of values
TRIES = 20  # points at which to look for one where every term is a number

Rows = dict[str, Any]  # name of an unknown -> its element that each entry of a term belongs to, or -1


def enumeration(posterior: Posterior) -> Enumeration:
    """Find out how the discrete unknowns of a model can be summed out.

    Raises
    ------
    ModelError
        If they cannot: says what depends on what, and what to do.
    """
    unknowns = posterior.structure.summed
    depends, traceable = dependence(posterior)
    quantities = frozenset(name[1:] for name in depends if name[0] == "=" and depends[name])
    terms = {name[1:]: names for name, names in depends.items() if name[0] == "+"}
    for name, unknown in unknowns.items():
        if unknown.chain and depends[f"~{name}"]:
            raise _problem(
                posterior, name, f"the chain's own probabilities depend on {_listed(depends[f'~{name}'])}; {_INSTEAD}"
            )
    colours = _colours(unknowns, terms.values())
    runs = _runs(posterior, colours, terms)
    draft = Enumeration(unknowns, colours, runs, (), {}, (), quantities, traceable)
    point, found = _numbers(posterior, draft)
    rows = {
        name: {u: _known_rows(unknowns[u], name, np.size(found[runs[0]].terms[name])) for u in names}
        for name, names in terms.items()
    }
    _decode(posterior, draft, point, found, rows)
    blocks = tuple(block for name, own in rows.items() if own for block in _blocks(name, own, single=name in unknowns))
    independent = {name: _left(own) for name, own in rows.items()}
    found_order = eliminations(unknowns, [block.factor for block in blocks])
    if isinstance(found_order, str):
        raise _problem(posterior, next(iter(unknowns)), f"{found_order}; {_INSTEAD}")
    made = draft._replace(
        blocks=blocks,
        independent={name: entries for name, entries in independent.items() if entries is None or entries.size},
        order=found_order,
    )
    _put_to_the_test(posterior, made, rows)
    return made


def _colours(unknowns: Mapping[str, Summed], groups: Iterable[Sequence[str]]) -> dict[str, int]:
    """A number for each unknown, different for those that meet in a term."""
    beside: dict[str, set[str]] = {name: set() for name in unknowns}
    for group in groups:
        for name in group:
            beside[name].update(group)
    colours: dict[str, int] = {}
    for name in unknowns:
        taken = {colours[other] for other in beside[name] if other in colours}
        colours[name] = next(c for c in itertools.count() if c not in taken)
    return colours


def _runs(posterior: Posterior, colours: Mapping[str, int], terms: Mapping[str, Sequence[str]]) -> tuple[Values, ...]:
    """Every combination of values that a term needs, once each."""
    unknowns = posterior.structure.summed
    width = max(colours.values()) + 1
    needed: dict[Values, None] = {(0,) * width: None}
    for term, names in terms.items():
        sizes = [unknowns[name].size for name in names]
        if np.prod(sizes, dtype=float) > MOST_RUNS:
            raise _problem(
                posterior,
                names[0],
                f"{term!r} depends on {_listed(names)} together, which have {' x '.join(map(str, sizes))} "
                f"combinations of values (at most {MOST_RUNS} can be summed); {_INSTEAD}",
            )
        for values in itertools.product(*map(range, sizes)):
            needed[values_at(width, names, values, colours)] = None
    return tuple(needed)


def _at_all_values(posterior: Posterior, draft: Enumeration, point: Callable[[Site], Any]) -> dict[Values, Terms]:
    """All runs at a point, in plain numbers."""
    with np.errstate(all="ignore"):
        found = {values: run_terms(posterior, point, draft.filling(values), check=True) for values in draft.runs}
    first = found[draft.runs[0]]
    for run in found.values():
        for name, bounds in run.bounds.items():
            if not all(np.array_equal(a, b) for a, b in zip(bounds, first.bounds[name], strict=True)):
                raise _problem(
                    posterior,
                    name,
                    "the bounds of its support depend on an unknown that is summed out, so that every summand would "
                    "have other values of it; give it a law with a fixed support",
                )
        if {n: np.shape(t) for n, t in run.terms.items()} != {n: np.shape(t) for n, t in first.terms.items()}:
            names = sorted(set(run.terms) ^ set(first.terms)) or ["its shape"]
            raise _problem(
                posterior,
                next(iter(posterior.structure.summed)),
                f"which statements the model has depends on the value of the unknown ({', '.join(names)} only for some "
                "values); give every branch the same statements, or write the choice with np.where",
            )
    for name, site in first.observed.items():
        inside = [contains(run.observed[name].distribution.support, site.obs) for run in found.values()]
        check_observed(posterior.model, site, np.any(inside, axis=0))
    return found


def _numbers(
    posterior: Posterior, draft: Enumeration, first: int = 0
) -> tuple[Callable[[Site], Any], dict[Values, Terms]]:
    """A point at which no term is NaN, and all runs there; of the random points from the given one on."""
    problem = ""
    for seed in range(first, first + TRIES):
        point = at_random(posterior, np.random.default_rng(seed))
        try:
            found = _at_all_values(posterior, draft, point)
        except DistributionError as error:
            problem = str(error)
            continue
        wrong = [name for run in found.values() for name, term in run.terms.items() if np.any(np.isnan(term))]
        if not wrong:
            return point, found
        problem = f"the log density of {wrong[0]!r} is NaN"
    raise _problem(
        posterior,
        next(iter(posterior.structure.summed)),
        f"the unknown cannot be summed out, as the model fails at {TRIES} points tried ({problem})",
    )


def _known_rows(unknown: Summed, term: str, entries: int) -> np.ndarray | None:
    """The element each entry belongs to, where that is plain."""
    if term == unknown.name:
        return np.arange(unknown.elements)
    return np.zeros(entries, dtype=np.int64) if unknown.elements == 1 else None


def _decode(
    posterior: Posterior, draft: Enumeration, point: Any, found: Mapping[Values, Terms], rows: dict[str, Any]
) -> None:
    """Find the element each entry belongs to, for the terms where it is not known yet; -1 where to none."""
    asked: dict[tuple[int, int, Values], list[tuple[str, str, np.ndarray]]] = {}
    for term, own in rows.items():
        names = list(own)
        for axis, name in enumerate(names):
            if own[name] is not None:
                continue
            table = np.moveaxis(table_of(found, term, names, None, draft.unknowns, draft.colours), axis, 0)
            others = table.shape[1:-1]
            flat = table.reshape(table.shape[0], -1, table.shape[-1])
            differs = ~same(flat, flat[:1]).reshape(-1, flat.shape[-1])
            own[name] = np.where(differs.any(axis=0), 0, -1)
            first = differs.argmax(axis=0)
            for key in np.unique(first[own[name] == 0]):
                value, other = divmod(int(key), flat.shape[1])
                place = [int(i) for i in np.unravel_index(other, others)] if others else []
                base = values_at(len(draft.runs[0]), [n for n in names if n != name], place, draft.colours)
                entries = np.flatnonzero((first == key) & (own[name] == 0))
                asked.setdefault((draft.colours[name], value, base), []).append((term, name, entries))
    for (colour, value, base), who in asked.items():
        _decode_at(posterior, draft, point, found, rows, (colour, value, base), who)


def _decode_at(
    posterior: Posterior,
    draft: Enumeration,
    point: Any,
    found: Mapping[Values, Terms],
    rows: dict[str, Any],
    key: tuple[int, int, Values],
    who: Sequence[tuple[str, str, np.ndarray]],
) -> None:
    """The bits of the elements' numbers, from runs in which the elements with that bit have another value."""
    colour, value, base = key
    of_colour = {n: u for n, u in draft.unknowns.items() if draft.colours[n] == colour}
    changed = tuple(value if c == colour else v for c, v in enumerate(base))
    for bit in range(max(u.elements - 1 for u in of_colour.values()).bit_length()):
        filling = dict(draft.filling(base))
        for name, u in of_colour.items():
            has_bit = np.arange(u.elements).reshape(u.shape) >> bit & 1
            filling[name] = has_bit * min(value, u.size - 1)
        with np.errstate(all="ignore"):
            run = run_terms(posterior, point, filling, check=True)
        for term, name, entries in who:
            now, off, on = (np.reshape(r.terms[term], -1)[entries] for r in (run, found[base], found[changed]))
            is_on = same(now, on)
            if not np.all(is_on | same(now, off)):
                raise _several(posterior, term, name)
            rows[term][name][entries] |= is_on.astype(np.int64) << bit
    for term, name, entries in who:
        if np.any(rows[term][name][entries] >= draft.unknowns[name].elements):
            raise _several(posterior, term, name)


def _blocks(term: str, rows: Rows, *, single: bool) -> list[Block]:
    """The entries of a term by the unknowns they depend on; an unknown's own term stays together."""
    names = tuple(rows)
    if single:
        return [Block(term, None, Factor(names, tuple(rows.values())))]
    touched = np.stack([row >= 0 for row in rows.values()])
    blocks = []
    for pattern in np.unique(touched, axis=1).T:
        if pattern.any():
            entries = np.flatnonzero((touched == pattern[:, None]).all(axis=0))
            kept = tuple(itertools.compress(names, pattern))
            whole = None if entries.size == touched.shape[1] else entries
            blocks.append(Block(term, whole, Factor(kept, tuple(rows[name][entries] for name in kept))))
    return blocks


def _left(rows: Rows) -> np.ndarray | None:
    """The entries that belong to no unknown; None for all."""
    return np.flatnonzero(np.all([row < 0 for row in rows.values()], axis=0)) if rows else None


def _put_to_the_test(posterior: Posterior, made: Enumeration, rows: Mapping[str, Rows]) -> None:
    """Compare the tables with runs at unknowns drawn at random, at another point."""
    rng = np.random.default_rng(1)
    point, found = _numbers(posterior, made, first=TRIES)
    tables = {term: table_of(found, term, list(own), None, made.unknowns, made.colours) for term, own in rows.items()}
    for _ in range(2):
        filling = {name: rng.integers(u.size, size=u.shape) for name, u in made.unknowns.items()}
        with np.errstate(all="ignore"):
            run = run_terms(posterior, point, filling, check=True)
        for term, own in rows.items():
            picked = [np.where(row >= 0, np.reshape(filling[n], -1)[row], 0) for n, row in own.items()]
            expected = tables[term][(*picked, np.arange(tables[term].shape[-1]))]
            if not np.all(same(np.reshape(run.terms[term], -1), expected)):
                raise _several(posterior, term, next(iter(own), next(iter(made.unknowns))))


# --- errors

_INSTEAD = (
    "what can be summed: an unknown whose elements each have observations of their own, unknowns that are tied to each "
    "other as a tree or a chain, ba.DiscreteMarkovChain and ba.HiddenMarkov for chains. Anything else has to be summed "
    "by hand with ba.factor and scipy.special.logsumexp"
)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _several(posterior: Posterior, term: str, name: str) -> ModelError:
    return _problem(
        posterior,
        name,
        f"an entry of the log density of {term!r} ({posterior.structure.where[term]}) depends on several elements of "
        "the unknown that is summed out, so the elements cannot be summed one by one. If it is a sum over rows, give "
        "ba.factor the array instead; for a chain use ba.DiscreteMarkovChain or one variable for each step. In general "
        f"{_INSTEAD}",
    )


def _problem(posterior: Posterior, name: str, problem: str) -> ModelError:
    return ModelError(at_site(posterior.model, name, posterior.structure.where[name], problem))
