"""Text of the source that formulas become: names, statements in the layout of formatters, numbers, priors."""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bayesad.distributions import Distribution
from bayesad.errors import ModelError
from bayesad.formulas.families import FAMILIES

__all__ = ["Names", "dims_argument", "fits", "in_docstring", "layout", "listed", "numbers", "prior_text", "quoted"]

WIDTH = 120

_OURS = {"np", "ba", "scipy", "level", "shift", "eta", "others", "cutpoints"} | {
    name for family in FAMILIES.values() for name, _ in family.parameters
}
"""Names of the model that no argument may have; those of unknowns begin with `_PREFIXES`."""

_PREFIXES = ("b_", "u_", "sd_", "L_")
"""Of slopes, effects of groups, their standard deviations, and the Cholesky factors of their correlations."""


# --- names
class Names:
    """Identifiers for terms: the same for the same term, different for different ones."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def __call__(self, term: str) -> str:
        if term not in self._given:
            plain = _identifier(term)
            if not plain.isidentifier() or keyword.iskeyword(plain) or plain in _OURS or plain.startswith(_PREFIXES):
                plain = f"x_{plain}"
            taken = set(self._given.values())
            name, n = plain, 2
            while name in taken:
                name, n = f"{plain}_{n}", n + 1
            self._given[term] = name
        return self._given[term]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given.values())


def _identifier(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_") or "x"


# --- statements
def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def dims_argument(names: Sequence[str]) -> tuple[str, ...]:
    """The argument that names dims, if there are any."""
    named = [quoted(name) for name in names]
    return () if not named else (f"dims={named[0]}",) if len(named) == 1 else (f"dims=({', '.join(named)})",)


def fits(line: str, indent: int = 4) -> bool:
    return indent + len(line) <= WIDTH


def layout(opening: str, inside: str, closing: str, parts: Sequence[str], indent: int = 4) -> list[str]:
    """A statement with parentheses: on one line, else what is inside on a line of its own, else each of its parts."""
    if fits(whole := f"{opening}{inside}{closing}", indent):
        return [whole]
    return [opening, *(f"    {part}" for part in ([inside] if fits(inside, indent + 4) else parts)), closing]


def in_docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "'")


# --- numbers and laws
def numbers(values: np.ndarray, column: bool = False) -> str:
    """Text of a number, or of several, as a column if they go with rows."""
    return f"{values[0]:.4g}" if len(values) == 1 else listed(values) + ("[:, None]" if column else "")


def listed(values: np.ndarray) -> str:
    return f"np.array([{', '.join(f'{value:.6g}' for value in values)}])"


def prior_text(name: str, prior: Any) -> str:
    """A prior as text of the source."""
    if isinstance(prior, Distribution):
        arrays = [key for key, value in prior.parameters.items() if np.ndim(value) > 0]
        if arrays:
            raise ModelError(f"the prior of {name!r} has an array for {arrays[0]}; give it as text, or use numbers")
        return f"ba.{prior!r}"
    if isinstance(prior, str):
        text = prior if prior.startswith("ba.") else f"ba.{prior}"
        _check_law(name, text)
        return text
    raise ModelError(f"the prior of {name!r} is {prior!r}; give a distribution, or its text such as 'Normal(0, 1)'")


def _check_law(name: str, text: str) -> None:
    """ModelError unless a text is an expression of laws that exist."""
    import bayesad

    try:
        tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ba":
                getattr(bayesad, node.attr)
    except SyntaxError as error:
        raise ModelError(f"the prior of {name!r}, {text!r}, is no expression: {error.msg}") from None
    except AttributeError as error:
        raise ModelError(f"the prior of {name!r}, {text!r}: {error}") from None
