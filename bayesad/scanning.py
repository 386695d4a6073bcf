"""``ba.scan``: a loop over time whose step may declare variables, one of each for every time.

A traced run traces the step once: the unknowns of all steps are asked from the handler as one array, whose rows go to
the steps like data, and the parameters of the laws come back as further results of the steps, which makes a law of all
steps at once (where a law has parts, its densities come back). A run in plain numbers goes from step to step, as what
is drawn at one of them may depend on what was drawn before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from bayesad import ad
from bayesad.ad import trees
from bayesad.ad.scan import leaf_of, rows_of_step, scan_length, steps_being_traced
from bayesad.ad.swaps import traced_meaning, visit
from bayesad.ad.trace import current_depth
from bayesad.distributions.base import Distribution
from bayesad.errors import DistributionError
from bayesad.running import Dims, Draw, Handler, Run, Shape, Site, current_run
from bayesad.shapes import check_dims, dim_names, labels_of
from bayesad.variables import OBSERVED_UNKNOWN, completed

__all__ = ["scan"]

Step = Callable[[Any, Any], tuple[Any, Any]]
Notes = dict[str, tuple[Site, Any]]  # what the sites of one step are, with their values


def scan(
    step: Step,
    carry: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    dim: str | None = None,
) -> tuple[Any, Any]:
    """Run ``step`` over the rows of ``xs``, its first result handed from each step to the next.

    In a model the step may have statements: each variable in it is one array with a row for each step. `sample` without
    ``obs`` declares an unknown of shape (steps, *shape), with it row t of the data belongs to step t; `deterministic`
    records all steps, `factor` adds all of them.

    Parameters
    ----------
    step : callable
        ``step(carry, x) -> (carry, y)``, as for `bayesad.ad.scan`: traced once, for one row. An unknown in it has a law
        that may depend on the carry, but the bounds of its support may not.
    carry : array or tree of arrays
        What the first step gets.
    xs : array or tree of arrays, optional
        Row t along the first axes goes to step t. Without it the steps get None.
    length : int, optional
        The number of steps; needed where there are no xs.
    reverse : bool
        From the last row to the first.
    dim : str, optional
        Name of the axis of steps of the variables in the step: the first one, before those of plates and dims.

    Returns
    -------
    carry : as ``carry``
        After the last step.
    ys : tree of arrays
        The second results of all steps, stacked along a new first axis.

    Raises
    ------
    ScanError
        If the lengths do not agree, the carry changes its structure or a shape, or a branch does not always go the same
        way.
    ModelError
        For a discrete unknown, bounds that depend on the carry, observed values that depend on unknowns.

    Examples
    --------
    >>> import numpy as np
    >>> import bayesad as ba
    >>> @ba.model
    ... def local_level(y):
    ...     sigma = ba.sample("sigma", ba.HalfNormal(1))
    ...     def step(level, now):
    ...         level = ba.sample("level", ba.Normal(level, sigma))
    ...         ba.sample("y", ba.Normal(level, 1), obs=now)
    ...         return level, level
    ...     ba.scan(step, 0.0, y)
    >>> local_level(y=np.zeros(5)).parameters["level"].shape
    (5,)
    """
    state = current_run()
    if state is None or state.row is not None or steps_being_traced():
        return ad.scan(step, carry, xs, length, reverse)
    loop = _Loop(state, scan_length(xs, length), dim)
    return (loop.traced if current_depth() else loop.plain)(step, carry, xs, reverse)


class _Loop:
    """A loop in a run of a model, and what its variables are as a whole."""

    def __init__(self, state: Run, length: int, dim: str | None) -> None:
        self._state = state
        self._outer = state.handler
        self._taken = state.taken
        self._length = length
        self._dim = dim
        self._whole: dict[str, Site] = {}
        self._answers: dict[str, Any] = {}  # of the handler outside: values of all steps, or Draw

    # --- traced: one step for all
    def traced(self, step: Step, carry: Any, xs: Any, reverse: bool) -> tuple[Any, Any]:
        notes: Notes = {}
        varying: dict[str, dict[str, Any] | None] = {}
        step = traced_meaning(step)
        visit(step)

        def with_terms(carry: Any, x: Any) -> Any:
            notes.clear()
            terms: dict[str, Any] = {}

            def note(site: Site, value: Any) -> None:
                notes[site.name] = (site, value)
                if site.distribution is None:
                    terms[site.name] = value
                    return
                varying[site.name] = _varying(site.distribution)
                terms[site.name] = varying[site.name]
                if varying[site.name] is None:
                    terms[site.name] = site.distribution.log_prob(value)

            with self._stepping(note, lambda name, values: rows_of_step().of(values)):
                result = step(carry, x)
            return (result[0], (result[1], terms)) if isinstance(result, tuple) and len(result) == 2 else result

        with_terms.__name__ = str(getattr(step, "__name__", "step"))
        last, (ys, terms) = ad.scan(with_terms, carry, xs, self._length, reverse)
        for name, (site, _) in notes.items():
            if not self._length:
                raise self._state.fail(name, "the loop that it is a variable of has no steps")
            if site.distribution is None:
                self._tell(site, terms[name], None)
            elif varying[name] is None:
                self._tell(site, self._answers[name], _Law(site, functools.partial(terms.get, name)))
            else:
                law = site.distribution
                self._tell(site, self._answers[name], type(law)(**{**law.parameters, **terms[name]}))
        return last, ys

    # --- in plain numbers: one step after the other
    def plain(self, step: Step, carry: Any, xs: Any, reverse: bool) -> tuple[Any, Any]:
        first = carry
        notes: dict[int, Notes] = {}
        ys: dict[int, Any] = {}
        _, rebuild, _ = trees.flatten(xs)
        rows = [leaf_of(x, path) for path, x in trees.leaves_with_paths(xs, "xs")]
        carry = trees.tree_map(lambda x: np.array(x)[()], carry)  # a copy: the step may write into it
        for t in range(self._length)[:: -1 if reverse else 1]:
            own = notes[t] = {}
            with self._stepping(lambda site, value: own.update({site.name: (site, value)}), lambda _, x: x[t]):  # noqa: B023
                carry, ys[t] = step(carry, rebuild(iter([np.array(x[t])[()] for x in rows])))
            if not own:
                break
        if not all(notes.values()) or not notes:  # a loop without variables
            return ad.scan(step, first, xs, self._length, reverse)
        for name, (site, _) in notes[0].items():
            column = [notes[t][name] for t in range(self._length)]
            answer = self._answers.get(name)
            given = answer is not None and not isinstance(answer, Draw)
            values = answer if given else np.stack([np.asarray(value) for _, value in column])
            law = None if site.distribution is None else _Law(site, functools.partial(_log_densities, column))
            self._tell(site, values, law)
        _, rebuild_ys, _ = trees.flatten(ys[0])
        columns = zip(*[trees.flatten(ys[t])[0] for t in range(self._length)], strict=True)
        return carry, rebuild_ys(iter([np.stack(column) for column in columns]))

    # --- the statements of a step
    @contextmanager
    def _stepping(self, note: Callable[[Site, Any], None], row: Callable[[str, Any], Any]) -> Iterator[None]:
        """While entered, statements are those of one step."""
        state = self._state

        def checked(name: str, values: Any) -> Any:
            if np.shape(values)[0] != self._length:
                raise state.fail(
                    name, f"the values given for it have {len(values)} rows, but the loop has {self._length} steps"
                )
            return row(name, values)

        def parameter(site: Site) -> Any:
            return self._row(site, self._parameter, row)

        def observed(site: Site, value: Any) -> Any:
            return self._row(site, self._observed, row)

        state.taken = dict(self._taken)
        with state.under(Handler(parameter, observed, note, self._refused), checked):
            yield

    def _row(self, site: Site, ask: Callable[[Site], Any], row: Callable[[str, Any], Any]) -> Any:
        if site.name not in self._answers:
            self._answers[site.name] = ask(site)
        answer = self._answers[site.name]
        return answer if isinstance(answer, Draw) else row(site.name, answer)

    def _parameter(self, site: Site) -> Any:
        if site.support.discrete:
            self._refused(site)
        for bound in (site.support.lower, site.support.upper):
            if ad.is_traced(bound) and bound.recording.depth == current_depth():
                raise self._state.fail(
                    site.name,
                    f"the bounds of {site.distribution._name} depend on the carry, on rows or on variables of the "
                    "step; those of an unknown in the step of ba.scan may depend on what is outside only. Give it a "
                    "law with a fixed support, such as that of a logarithm, or of a share of the range",
                )
        return self._outer.parameter(self._as_whole(site))

    def _observed(self, site: Site) -> Any:
        data = self._all_steps(site)
        whole = replace(self._as_whole(site), obs=data)
        if site.distribution.support.discrete and data.dtype.kind == "f" and np.isnan(data).any():
            raise self._state.fail(
                site.name,
                f"{np.isnan(data).sum()} observed values are NaN, but discrete ones in the step of ba.scan cannot be "
                "unknown; leave them out, or observe the variable outside of the scan",
            )
        with self._state.under(self._outer, None):
            whole, value = completed(self._state, whole)
        self._whole[site.name] = whole
        return self._outer.observed(whole, value)

    def _all_steps(self, site: Site) -> np.ndarray:
        """The observed values of all steps."""
        if site.name in self._state.observed:
            return self._state.observed[site.name]
        if not ad.is_traced(site.obs):
            return np.broadcast_to(site.obs, (self._length, *site.shape))
        data = rows_of_step().everywhere(site.obs)
        if data is None:
            raise self._state.fail(site.name, OBSERVED_UNKNOWN.format(site.name))
        return data

    def _refused(self, site: Site) -> NoReturn:
        raise self._state.fail(
            site.name,
            "a discrete unknown in the step of ba.scan cannot be summed out. A chain of states is "
            f"ba.sample({site.name!r}, ba.DiscreteMarkovChain(initial, transition), shape={self._length}, "
            "marginalize=True) before the scan; with observations of them it is ba.HiddenMarkov",
        )

    # --- variables as a whole
    def _as_whole(self, site: Site) -> Site:
        """The site of all steps together."""
        shape = (self._length, *site.shape)
        law = None if site.distribution is None else _Law(site)
        return replace(site, shape=shape, dims=self._dims(site, shape), distribution=law)

    def _dims(self, site: Site, shape: Shape) -> Dims:
        """The steps' dim before the site's own, all of them named or none."""
        if self._dim is None and not site.dims:
            return ()
        state, steps = self._state, self._dim or f"{site.name}_step"
        own = site.dims or tuple(f"{site.name}_dim_{i}" for i in range(1, len(shape)))
        for name, n in zip((steps, *own), shape, strict=True):
            state.coords.setdefault(name, labels_of(name, n))
        names = dim_names(state, site.name, (steps, *own))
        check_dims(state, site.name, names, shape, learn=False)
        return names

    def _tell(self, site: Site, value: Any, law: Any) -> None:
        """Tell the handler outside of a variable and the law of all its steps."""
        whole = self._whole.get(site.name) or self._as_whole(site)
        self._outer.note(replace(whole, distribution=law), value)


def _varying(law: Distribution) -> dict[str, Any] | None:
    """The parameters of a law that change from step to step, each for the whole batch; None where the law has parts.

    With the rows of all steps in their place it is the law of all steps, which are one more axis of its batch.
    """
    if type(law)._batch_shapes is not Distribution._batch_shapes or law.factorises:
        return None
    found = {}
    for name, value in law.parameters.items():
        domain = law._domains.get(name)
        if domain is None and not (value is None or isinstance(value, (bool, int, float, str))):
            return None
        if domain is not None and ad.is_traced(value) and value.recording.depth == current_depth():
            if value.ndim < domain.event_ndim:  # one number for a vector of them
                return None
            event = value.shape[value.ndim - domain.event_ndim :]
            found[name] = np.broadcast_to(value, (*law.batch_shape, *event))
    return found


def _log_densities(steps: list[tuple[Site, Any]]) -> np.ndarray:
    return np.stack([site.distribution.log_prob(value) for site, value in steps])


class _Law:
    """The law of a variable at all steps, where it is no distribution: its densities are known as they are."""

    factorises = False

    def __init__(self, site: Site, density: Callable[[], Any] | None = None) -> None:
        law = site.distribution
        self.support = law.support
        self.event_shape = site.shape[len(site.shape) - law.event_ndim :]
        self.integrates_missing = law.integrates_missing
        self.has_atoms = law.has_atoms
        self._density = density
        self._name = law._name

    def log_prob(self, value: Any) -> Any:
        """Log densities of the values that the run had, shape (steps, *batch_shape)."""
        assert self._density is not None
        return self._density()

    log_density = log_prob

    def draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        raise DistributionError(f"{self._name}: in the step of a loop values are drawn one after the other.")
