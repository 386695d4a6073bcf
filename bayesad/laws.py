"""The laws of what a model draws, at many draws of its parameters: their numbers come from one compiled program.

A law is taken apart into the numbers that depend on parameters and the rest, which is the same at every draw. A program
gives the numbers, and the law is put together again from them, with the checks of its parameters, to draw from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.ad.failures import failures_are_nan
from bayesad.ad.rows import map_rows
from bayesad.ad.trees import flatten
from bayesad.distributions.base import Distribution

if TYPE_CHECKING:
    from bayesad.running import Site

__all__ = ["Laws", "Opaque", "put_together", "taken_apart"]

AT_ONCE = 2**22  # numbers in memory
MOST_DEPENDENT = 8  # variables whose laws depend on values drawn before; more take longer to compile than to run

Values = Mapping[str, Any]
Run = Callable[[Values, Callable[["Site"], Any], Callable[["Site", Any], None]], None]


class Opaque(Exception):
    """What a model draws from cannot be taken apart into numbers and a form that is the same at every draw."""


# --- one law
class _Number:
    """Stands for a number, or an array of numbers, that depends on parameters."""


NUMBER = _Number()


class Form(NamedTuple):
    """A law without its numbers: its class, and its parameters or their forms."""

    kind: type[Distribution]
    parameters: dict[str, Any]


def taken_apart(law: Any) -> tuple[Any, list[Any]]:
    """The form of a law (or of a parameter of one), and the traced arrays in it, in order.

    Raises
    ------
    Opaque
        For functions and other objects, which may hold traced arrays that cannot be seen.
    """
    if ad.is_traced(law):
        return NUMBER, [law]
    if isinstance(law, Distribution):
        names = list(law.parameters)
        parts = [taken_apart(value) for value in law.parameters.values()]
        form: Any = Form(type(law), dict(zip(names, [form for form, _ in parts], strict=True)))
    elif isinstance(law, tuple):
        parts = [taken_apart(value) for value in law]
        form = tuple([form for form, _ in parts])
    elif law is None or isinstance(law, (str, bool, int, float, np.generic, np.ndarray)):
        return law, []
    else:
        raise Opaque(f"a {type(law).__name__} in a law")
    return form, [number for _, numbers in parts for number in numbers]


def put_together(form: Any, numbers: Iterator[Any]) -> Any:
    """The law of a form with other numbers.

    Raises
    ------
    DistributionError
        Where a number is outside its domain.
    """
    if form is NUMBER:
        return next(numbers)
    if isinstance(form, Form):
        return form.kind(**{name: put_together(part, numbers) for name, part in form.parameters.items()})
    return tuple([put_together(part, numbers) for part in form]) if isinstance(form, tuple) else form


def _same(a: Any, b: Any) -> bool:
    """Whether two forms are equal."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Form):
        return a.kind is b.kind and _same(tuple(a.parameters.values()), tuple(b.parameters.values()))
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray):
        return a is b or np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


# --- the laws of a model
class Laws:
    """The laws of all variables that a model draws, at each of several draws of its parameters.

    Parameters
    ----------
    run : callable
        ``run(values, draw, note)`` runs the model at given values; the value of what is drawn is ``draw(site)``, and
        ``note(site, value)`` is told of every site once its law is known.
    given : mapping
        Name -> values at all draws, shape (n, ...).
    drawn : mapping
        Name -> a value of each variable that is drawn, in the order in which they are.

    Raises
    ------
    Opaque
        If the laws are not to be had, or take longer to compile than to run.
    """

    def __init__(self, run: Run, given: Values, drawn: Values) -> None:
        self._run = run
        self._given = given
        self._drawn = drawn
        self._forms: dict[str, Any] = {}
        self._length = len(next(iter(given.values())))
        self._start = self._stop = 0
        self._numbers: dict[str, list[np.ndarray]] = {}
        dependent = self._dependent()
        if len(dependent) > MOST_DEPENDENT:
            raise Opaque(f"{len(dependent)} variables that depend on values drawn before")
        ahead = [name for name in drawn if name not in dependent]
        self._ahead = ad.compile(lambda given: self._trace(given, drawn, ahead), rewrites=())
        self._later = {name: self._after_drawing(name) for name in dependent}

    def at(self, i: int, name: str, drawn: Values) -> Distribution:
        """The law of one variable at draw i, given what has been drawn before it; draws are gone through in order.

        Raises
        ------
        Opaque
            If the laws at this draw have another form than those before.
        DistributionError
            If a parameter of the law is outside its domain there.
        """
        with _opaque():
            if name in self._later:
                numbers = self._later[name](self._at(i), {**self._drawn, **drawn})[name]
            else:
                if i >= self._stop:
                    self._advance()
                numbers = [column[i - self._start] for column in self._numbers[name]]
        return put_together(self._forms[name], iter(numbers))

    def _advance(self) -> None:
        """The numbers of the laws that depend on parameters alone, at as many further draws as memory is meant for."""
        size = sum(node.size for node in self._ahead.path(self._at(self._stop)).traced.outputs)
        self._start, self._stop = self._stop, min(self._length, self._stop + max(1, AT_ONCE // max(size, 1)))
        self._numbers = map_rows(
            self._ahead, {name: values[self._start : self._stop] for name, values in self._given.items()}
        )

    def _at(self, i: int) -> dict[str, Any]:
        return {name: values[i] for name, values in self._given.items()}

    def _after_drawing(self, name: str) -> ad.Compiled:
        return ad.compile(lambda given, drawn: self._trace(given, drawn, [name]), rewrites=())

    def _trace(self, given: Values, drawn: Values, names: Sequence[str]) -> dict[str, list[Any]]:
        """The numbers of the laws of some variables, whose forms are noted."""
        numbers: dict[str, list[Any]] = {}
        met: list[str] = []

        def draw(site: Site) -> Any:
            met.append(site.name)
            return drawn[site.name]

        def note(site: Site, value: Any) -> None:
            if site.name in names:
                form, numbers[site.name] = taken_apart(site.distribution)
                if not _same(self._forms.setdefault(site.name, form), form):
                    raise Opaque("a law has another form at another draw")

        self._run(given, draw, note)
        if met != list(self._drawn):
            raise Opaque("other variables are drawn at another draw")
        return numbers

    def _dependent(self) -> list[str]:
        """The variables whose laws depend on values drawn before; all of them where branches do.

        Opaque where a law depends on its own variable or on later ones, as in loops from step to step.
        """
        names = list(self._drawn)
        every = ad.compile(lambda given, drawn: self._trace(given, drawn, names), rewrites=())
        with _opaque():
            path = every.path(self._at(0), self._drawn)
        inputs = path.traced.inputs
        nothing: frozenset[str] = frozenset()
        drawn = inputs[len(flatten(self._at(0))[0]) :]
        reached = {node: frozenset([name]) for node, name in zip(drawn, names, strict=False)}
        for node in path.traced.nodes:
            reached[node] = nothing.union(*[reached.get(i, nothing) for i in node.inputs])
        if any(reached[guard] for guard in path.traced.guards):
            return names
        outputs = path.rebuild(iter([reached.get(node, nothing) for node in path.traced.outputs]))
        needed = {name: nothing.union(*outputs[name]) for name in names}
        for i, name in enumerate(names):
            if not needed[name].isdisjoint(names[i:]):
                raise Opaque(f"the law of {name!r} depends on values drawn with it or later")
        return [name for name in names if needed[name]]


@contextmanager
def _opaque() -> Iterator[None]:
    """Turn what goes wrong in tracing into Opaque; a solver that fails gives NaN, which its law will refuse."""
    try:
        with failures_are_nan():
            yield
    except (TypeError, IndexError, ValueError, KeyError) as error:
        raise Opaque(str(error)) from error
