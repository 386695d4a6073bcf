"""How the discrete unknowns of a model are summed out: found by running it, and put to the test.

Which element of an unknown an observation belongs to is found from runs at other fillings: bit b of the number of an
element says whether it has the value v or the first one, so that log2(N) runs tell N elements apart. What was found is
then compared with runs at unknowns drawn at random; where it does not hold, the model is refused.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad.dependence import Part, at_random, check_statements, dependence, parts_of, same
from bayesad.distributions.supports import contains
from bayesad.elimination import Factor
from bayesad.enumeration import Block, Enumeration, Terms, Values, others_of, run_terms, table_of, values_at
from bayesad.errors import DistributionError, ModelError
from bayesad.nets import Net, net_of
from bayesad.running import Site, at_site
from bayesad.structure import Summed, check_observed

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["enumeration"]

MOST_RUNS = 5000  # of the model, one for each combination of values
FAR = (3.0, 6.0)  # spread of the points at which the result is put to the test, beside a near one
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
    parts = parts_of(posterior, depends)
    for name, unknown in unknowns.items():
        if unknown.chain and depends[f"~{name}"]:
            raise _problem(
                posterior, name, f"the chain's own probabilities depend on {_listed(depends[f'~{name}'])}; {_INSTEAD}"
            )
    colours = _colours(unknowns, [part.names for part in parts])
    runs = _runs(posterior, colours, parts)
    draft = Enumeration(unknowns, colours, runs, (), {}, frozenset(), Net({}, (), (), {}), quantities, traceable)
    point, found = _numbers(posterior, draft)
    first = found[runs[0]].terms
    rows = [{u: _known_rows(unknowns[u], p.term, np.size(p.of(first[p.term]))) for u in p.names} for p in parts]
    _decode(posterior, draft, point, found, parts, rows)
    blocks = tuple(block for part, own in zip(parts, rows, strict=True) for block in _blocks(part, own, unknowns))
    net = net_of(unknowns, [block.factor for block in blocks])
    if isinstance(net, str):
        raise _problem(posterior, next(iter(unknowns)), f"{net}; {_INSTEAD}")
    made = draft._replace(
        blocks=blocks,
        independent=_independent(parts, rows),
        impossible=frozenset(
            name for run in found.values() for name, term in run.terms.items() if np.any(np.isneginf(term))
        ),
        net=net,
    )
    _put_to_the_test(posterior, made, parts, rows)
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


def _runs(posterior: Posterior, colours: Mapping[str, int], parts: Sequence[Part]) -> tuple[Values, ...]:
    """Every combination of values that a term needs, once each."""
    unknowns = posterior.structure.summed
    width = max(colours.values()) + 1
    needed: dict[Values, None] = {(0,) * width: None}
    combined = [(name, [name]) for name in unknowns]
    combined += [(term, others_of(term, names, unknowns)) for term, _, names in parts]
    for term, names in combined:
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
        check_statements(posterior, run.terms, first.terms)
    for name in posterior.structure.fixed:
        site = first.observed[name]
        inside = [contains(run.observed[name].distribution.support, site.obs) for run in found.values()]
        check_observed(posterior.model, site, np.any(inside, axis=0))
    return found


def _numbers(
    posterior: Posterior, draft: Enumeration, first: int = 0
) -> tuple[Callable[[Site], Any], dict[Values, Terms]]:
    """A point at which every entry of every term can be told apart, and all runs there.

    No term may be NaN, and none may have density zero for all values of the unknowns, which would hide what it depends
    on. Points are random, from the given number on; the later ones are spread more widely.
    """
    problem = ""
    for k in range(TRIES):
        point = at_random(posterior, np.random.default_rng(first + k), 1.0 + 0.5 * max(k - 4, 0))
        try:
            found = _at_all_values(posterior, draft, point)
        except DistributionError as error:
            problem = str(error)
            continue
        problem = _hidden(found)
        if not problem:
            return point, found
    raise _problem(
        posterior,
        next(iter(posterior.structure.summed)),
        f"the unknown cannot be summed out, as the model fails at {TRIES} points tried ({problem})",
    )


def _hidden(found: Mapping[Values, Terms]) -> str:
    """The first term that is NaN somewhere, or has density zero for all values of the unknowns."""
    runs = list(found.values())
    for name in runs[0].terms:
        densities = [np.max(run.own[name], axis=0) if name in run.own else run.terms[name] for run in runs]
        if any(np.any(np.isnan(density)) for density in densities):
            return f"the log density of {name!r} is NaN"
        possible = np.any([np.reshape(density, -1) > -np.inf for density in densities], axis=0)
        if not np.all(possible):
            return f"the density of {name!r} is 0 at entry {int(np.argmin(possible))}"
    return ""


def _known_rows(unknown: Summed, term: str, entries: int) -> np.ndarray | None:
    """The element each entry belongs to, where that is plain."""
    if term == unknown.name:
        return np.arange(unknown.elements)
    return np.zeros(entries, dtype=np.int64) if unknown.elements == 1 else None


class _Asked(NamedTuple):
    """Entries of a part of which it is asked to which elements of an unknown they belong.

    Attributes
    ----------
    part : Part
    name : str
        The unknown.
    rows : int array
        The answer for all entries of the part, filled in.
    entries : int array
    own_value : int or None
        Where the part is the term of an unknown itself, the index of its value.
    """

    part: Part
    name: str
    rows: np.ndarray
    entries: np.ndarray
    own_value: int | None

    def density(self, run: Terms) -> np.ndarray:
        term = self.part.term
        density = run.terms[term] if self.own_value is None else run.own[term][self.own_value]
        return self.part.of(density)[self.entries]


def _decode(
    posterior: Posterior,
    draft: Enumeration,
    point: Any,
    found: Mapping[Values, Terms],
    parts: Sequence[Part],
    rows: Sequence[Rows],
) -> None:
    """Find the element each entry belongs to, where it is not known yet; -1 where to none."""
    asked: dict[tuple[int, int, Values], list[_Asked]] = {}
    for part, own in zip(parts, rows, strict=True):
        for axis, name in enumerate(part.names):
            if own[name] is not None:
                continue
            table = np.moveaxis(
                table_of(found, part.term, part.names, part.entries, draft.unknowns, draft.colours), axis, 0
            )
            others = table.shape[1:-1]
            flat = table.reshape(table.shape[0], -1, table.shape[-1])
            differs = ~same(flat, flat[:1]).reshape(-1, flat.shape[-1])
            own[name] = np.where(differs.any(axis=0), 0, -1)
            first = differs.argmax(axis=0)
            for key in np.unique(first[own[name] == 0]):
                value, other = divmod(int(key), flat.shape[1])
                place = [int(i) for i in np.unravel_index(other, others)] if others else []
                at = dict(zip([n for n in part.names if n != name], place, strict=True))
                own_value = at.pop(part.term, None)
                base = values_at(len(draft.runs[0]), list(at), list(at.values()), draft.colours)
                entries = np.flatnonzero((first == key) & (own[name] == 0))
                asked.setdefault((draft.colours[name], value, base), []).append(
                    _Asked(part, name, own[name], entries, own_value)
                )
    for (colour, value, base), who in asked.items():
        _decode_at(posterior, draft, point, found, (colour, value, base), who)


def _decode_at(
    posterior: Posterior,
    draft: Enumeration,
    point: Any,
    found: Mapping[Values, Terms],
    key: tuple[int, int, Values],
    who: Sequence[_Asked],
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
        for one in who:
            now, off, on = map(one.density, (run, found[base], found[changed]))
            is_on = same(now, on)
            if not np.all(is_on | same(now, off)):
                raise _several(posterior, one.part.term, one.name)
            one.rows[one.entries] |= is_on.astype(np.int64) << bit
    for one in who:
        if np.any(one.rows[one.entries] >= draft.unknowns[one.name].elements):
            raise _several(posterior, one.part.term, one.name)


def _blocks(part: Part, rows: Rows, unknowns: Mapping[str, Summed]) -> list[Block]:
    """The entries of a part by the unknowns they depend on; an unknown's own term stays together."""
    if not rows:
        return []
    if part.term in unknowns:
        return [Block(part.term, None, Factor(part.names, tuple(rows.values())))]
    touched = np.stack([row >= 0 for row in rows.values()])
    blocks = []
    for pattern in np.unique(touched, axis=1).T:
        if pattern.any():
            here = np.flatnonzero((touched == pattern[:, None]).all(axis=0))
            kept = tuple(itertools.compress(part.names, pattern))
            entries = here if part.entries is None else part.entries[here]
            whole = part.entries is None and here.size == touched.shape[1]
            blocks.append(
                Block(part.term, None if whole else entries, Factor(kept, tuple(rows[name][here] for name in kept)))
            )
    return blocks


def _independent(parts: Sequence[Part], rows: Sequence[Rows]) -> dict[str, np.ndarray | None]:
    """The entries of every term that belong to no unknown; None for all."""
    found: dict[str, Any] = {}
    for part, own in zip(parts, rows, strict=True):
        entries = part.entries
        if own:
            left = np.flatnonzero(np.all([row < 0 for row in own.values()], axis=0))
            entries = left if entries is None else entries[left]
        if entries is None or entries.size:
            before = found.get(part.term)
            found[part.term] = entries if before is None else np.concatenate([before, entries])
    return found


def _put_to_the_test(posterior: Posterior, made: Enumeration, parts: Sequence[Part], rows: Sequence[Rows]) -> None:
    """Compare the tables with runs at unknowns drawn at random, at other points, near and far."""
    rng = np.random.default_rng(1)
    points = [_numbers(posterior, made, first=TRIES)]
    for seed, width in enumerate(FAR):
        point = at_random(posterior, np.random.default_rng(2 * TRIES + seed), width)
        with contextlib.suppress(DistributionError):  # too far for some distribution
            points.append((point, _at_all_values(posterior, made, point)))
    for point, found in points:
        filling = {name: rng.integers(u.size, size=u.shape) for name, u in made.unknowns.items()}
        with np.errstate(all="ignore"):
            run = run_terms(posterior, point, filling, check=True)
        check_statements(posterior, run.terms, found[made.runs[0]].terms)
        for part, own in zip(parts, rows, strict=True):
            table = table_of(found, part.term, part.names, part.entries, made.unknowns, made.colours)
            picked = [np.where(row >= 0, np.reshape(filling[n], -1)[row], 0) for n, row in own.items()]
            expected = table[(*picked, np.arange(table.shape[-1]))]
            if not np.all(same(part.of(run.terms[part.term]), expected)):
                raise _several(posterior, part.term, next(iter(own), next(iter(made.unknowns))))


# --- errors

_INSTEAD = (
    "what can be summed: an unknown whose elements each have observations of their own, unknowns that are tied to each "
    "other as a tree, a chain or a small net, ba.DiscreteMarkovChain and ba.HiddenMarkov for chains. Anything else has "
    "to be summed by hand with ba.factor and scipy.special.logsumexp"
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
