"""Which terms of a model depend on which of the discrete unknowns that are summed out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution
from bayesad.errors import ModelError
from bayesad.running import Handler, Site, at_site
from bayesad.structure import Summed
from bayesad.terms import density_of, has_density
from bayesad.transforms import constrain

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["Part", "at_random", "check_statements", "dependence", "parts_of", "same"]

ONE_BY_ONE = 8  # unknowns whose values the code asks for, that are changed each on its own
FEW = 64  # combinations of values up to which a term is taken as a whole
SAME = 1e-12  # relative difference of log densities that rounding may make


class Part(NamedTuple):
    """Entries of a term that depend on the same unknowns; entries are positions in the flat term, None for all."""

    term: str
    entries: np.ndarray | None
    names: tuple[str, ...]

    def of(self, density: Any) -> Any:
        """The entries of the term's log density."""
        flat = np.reshape(density, -1)
        return flat if self.entries is None else flat[self.entries]


def parts_of(posterior: Posterior, depends: Mapping[str, Sequence[str]]) -> list[Part]:
    """The terms, those that depend on many unknowns together taken apart by what each entry depends on.

    An array that was put together from the steps of a loop is such a term. An unknown's own term stays whole.
    """
    parts: list[Part] = []
    for label, names in depends.items():
        term = label[1:]
        together = float(np.prod([posterior.structure.summed[n].size for n in names], dtype=float))
        if label[0] == "+" and (together <= FEW or len(names) == 1 or term in posterior.structure.summed):
            parts.append(Part(term, None, tuple(names)))
        elif label[0] == "+":
            parts += _taken_apart(posterior, label, names)
    return parts


def _taken_apart(posterior: Posterior, label: str, names: Sequence[str]) -> list[Part]:
    """Which entries of a term change with which unknowns: by the bits of their numbers, else one by one."""
    rng = np.random.default_rng(4)
    point = at_random(posterior, rng)
    unknowns = posterior.structure.summed

    def density(given: Mapping[str, Any]) -> np.ndarray:
        return np.reshape(_plain_outputs(posterior, point, given)[label], -1)

    bases = [_filled(unknowns), _filled(unknowns, rng)]
    before = [density(base) for base in bases]

    def changed(chosen: Sequence[str]) -> np.ndarray:
        found = np.zeros(before[0].shape, dtype=bool)
        for base, there in zip(bases, before, strict=True):
            for step in range(1, max((unknowns[n].size for n in chosen), default=1)):
                moved = {n: _moved(unknowns[n], base[n], step) for n in chosen}
                found |= ~same(density({**base, **moved}), there)
        return found

    size = before[0].size
    numbers, several, touched = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    for bit in range((len(names) - 1).bit_length()):
        with_bit = changed([n for i, n in enumerate(names) if i >> bit & 1])
        without = changed([n for i, n in enumerate(names) if not i >> bit & 1])
        several |= with_bit & without
        touched |= with_bit | without
        numbers |= with_bit.astype(np.int64) << bit
    sets = np.zeros((len(names), size), dtype=bool)
    alone = np.flatnonzero(touched & ~several)
    sets[numbers[alone], alone] = True
    if several.any():
        sets[:, several] = np.stack([changed([n])[several] for n in names])
    found = []
    for pattern in np.unique(sets, axis=1).T:
        entries = np.flatnonzero((sets == pattern[:, None]).all(axis=0))
        found.append(Part(label[1:], entries, tuple(itertools.compress(names, pattern))))
    return found


def dependence(posterior: Posterior) -> tuple[dict[str, list[str]], bool]:
    """The unknowns that each term (+), deterministic quantity (=) and chain (~) depends on, in the order of the model.

    They are read off a trace of the model with the unknowns as its inputs. Where the code asks for the value of an
    unknown (an index of plain data, a branch, range), the trace goes on with a constant; what depends on these is found
    by changing them.

    Returns
    -------
    found : dict
        Label and name -> names of unknowns.
    traceable : bool
        Whether the model takes traced values of its unknowns.
    """
    names = list(posterior.structure.summed)
    plain = at_random(posterior, np.random.default_rng(0))
    labels: list[str] = []

    def traced(zero: Any, *values: Any) -> list[Any]:
        # traced parameters can have traced whole numbers as an index
        found = _outputs(
            posterior, lambda site: plain(site) + zero, dict(zip(names, values, strict=True)), "parameters"
        )
        labels[:] = found
        return [np.sum(x) for x in found.values()]

    starts = [np.array(u.at(0)) for u in posterior.structure.summed.values()]
    try:
        program, _, _ = ad.trace(traced, 0.0, *starts)
    except (TypeError, IndexError, ValueError, KeyError):
        return _by_changes(posterior, names), False
    nothing: frozenset[int] = frozenset()
    reached = {node: frozenset([i]) for i, node in enumerate(program.inputs[1:])}
    for node in program.nodes:
        reached[node] = nothing.union(*(reached.get(x, nothing) for x in node.inputs))
    asked = sorted(nothing.union(*(reached[guard] for guard in program.guards)))
    more = _by_changes(posterior, [names[i] for i in asked]) if asked else {}
    place = {name: i for i, name in enumerate(names)}
    found = {
        label: [names[i] for i in sorted(reached.get(node, nothing).union(place[n] for n in more.get(label, ())))]
        for label, node in zip(labels, program.outputs, strict=True)
    }
    return found, True


def _outputs(
    posterior: Posterior, parameter: Callable[[Site], Any], given: Mapping[str, Any], own: str
) -> dict[str, Any]:
    """All that may depend on unknowns, at given values of them; of their own terms the parameters or the values."""
    unknowns = posterior.structure.summed
    found: dict[str, Any] = {}

    def note(site: Site, value: Any) -> None:
        if site.kind == "summed":
            law = site.distribution
            if unknowns[site.name].chain:
                found[f"~{site.name}"] = np.sum(law._log_initial) + np.sum(law._log_transition)
            elif own == "parameters":
                parts = [] if site.missing is not None else _parameters(law)
                found[f"+{site.name}"] = sum((np.sum(p) for p in parts), 0.0 * np.sum(value))
            else:
                found[f"+{site.name}"] = np.sum(value) if site.missing is not None else law.log_density(value)
        elif has_density(site):
            found[f"+{site.name}"] = density_of(site, value, check=True)
        if site.kind == "deterministic" or (site.kind == "observed" and site.missing is not None):
            found[f"={site.name}"] = value

    posterior.run(Handler(parameter, note=note, summed=lambda site: given[site.name]))
    return found


def _parameters(law: Any) -> list[Any]:
    """The numeric parameters of a law and of laws within."""
    found: list[Any] = []
    for value in law.parameters.values():
        found += _parameters(value) if isinstance(value, Distribution) else [value] if ad.is_traced(value) else []
    return found


def _by_changes(posterior: Posterior, names: Sequence[str]) -> dict[str, list[str]]:
    """What changes when these unknowns do.

    Of many, every few are changed at once, and a change is ascribed to the last of them before it; what that misses is
    found when the result is put to the test. From the first values on they are changed to all others, from random
    values to random ones.
    """
    unknowns = posterior.structure.summed
    rng = np.random.default_rng(2)
    point = at_random(posterior, np.random.default_rng(3))
    found: dict[str, set[str]] = {}
    stride = len(names) if len(names) <= ONE_BY_ONE else ONE_BY_ONE
    all_steps = range(1, max((unknowns[n].size for n in names), default=1))
    for start, steps in ((_filled(unknowns), all_steps), (_filled(unknowns, rng), (None,))):
        before = _plain_outputs(posterior, point, start)
        for residue, step in itertools.product(range(stride), steps):
            moved = {
                n: _moved(unknowns[n], start[n], step or int(rng.integers(1, max(unknowns[n].size, 2))))
                for n in names[residue::stride]
            }
            after = _plain_outputs(posterior, point, {**start, **moved})
            check_statements(posterior, *({n[1:]: x for n, x in run.items() if n[0] == "+"} for run in (after, before)))
            different = _different(before, after)
            last = ""
            for label in after:
                found.setdefault(label, set())
                last = label[1:] if label[1:] in moved else last
                if last and label in different:
                    found[label].add(last)
    return {label: [n for n in unknowns if n in some] for label, some in found.items()}


def check_statements(posterior: Posterior, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """ModelError if two runs have different terms, which are given by name."""
    if {n: np.shape(t) for n, t in one.items()} == {n: np.shape(t) for n, t in other.items()}:
        return
    name = next(iter(posterior.structure.summed))
    some = ", ".join(sorted(set(one) ^ set(other)) or ["its shape"])
    raise ModelError(
        at_site(
            posterior.model,
            name,
            posterior.structure.where[name],
            f"which statements the model has depends on the value of the unknown ({some} only for some values); give "
            "every branch the same statements, or write the choice with np.where",
        )
    )


def _different(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> set[str]:
    """The labels that both have with different values."""
    labels = [label for label in after if label in before]
    alike = [label for label in labels if after[label].shape == before[label].shape]
    one, other = (np.concatenate([[], *[np.ravel(run[label]) for label in alike]]) for run in (before, after))
    owner = np.repeat(np.arange(len(alike)), [after[label].size for label in alike])
    return {alike[i] for i in owner[~same(one, other)]} | (set(labels) - set(alike))


def _filled(unknowns: Mapping[str, Summed], rng: np.random.Generator | None = None) -> dict[str, Any]:
    """The first value of every unknown, or random ones."""
    return {n: u.at(0 if rng is None else rng.integers(u.size, size=u.shape)) for n, u in unknowns.items()}


def _moved(unknown: Summed, value: Any, step: int) -> Any:
    return unknown.at((value - unknown.lower + step) % unknown.size)


def _plain_outputs(posterior: Posterior, point: Callable[[Site], Any], given: Mapping[str, Any]) -> dict[str, Any]:
    with np.errstate(all="ignore"):
        found = _outputs(posterior, point, given, "values")
    return {label: np.asarray(value) for label, value in found.items()}


def at_random(posterior: Posterior, rng: np.random.Generator, width: float = 1.0) -> Callable[[Site], Any]:
    """Parameters at a random point, the same in every run."""
    known: dict[str, Any] = {}

    def parameter(site: Site) -> Any:
        if site.name not in known:
            shape = posterior.parameters[site.name].unconstrained_shape
            known[site.name] = constrain(site.support, rng.uniform(-width, width, shape))[0]
        return known[site.name]

    return parameter


def same(a: Any, b: Any) -> np.ndarray:
    """Whether log densities agree up to rounding; infinite ones and NaN with their like."""
    with np.errstate(invalid="ignore"):
        distance, size = np.abs(a - b), np.abs(a) + np.abs(b)
    return (a == b) | ((distance <= SAME * size) & (size < np.inf)) | (np.isnan(a) & np.isnan(b))
