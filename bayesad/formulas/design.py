"""What a formula means for a table, by the formulae package: response, population-level terms and groups as arrays."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesad.errors import BayesadError, DataError, ModelError

__all__ = ["Block", "Design", "Effect", "Response", "Term", "read_formula"]

_FUNCTIONS = {name: getattr(np, name) for name in ("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs")}
"""What a formula may call without saying np; transformations such as scale, bs and poly are those of formulae."""

_GROUPS = re.compile(r"\(((?:[^()|]|\([^()]*\))*)(\|\|?)((?:[^()|]|\([^()]*\))*)\)")
"""A group's parentheses: effects, | or ||, and the factor; parentheses of functions within may be one deep."""


@dataclass(frozen=True)
class Response:
    """The left side: `values` (n,), for proportions with the number of `trials` (n,), for categories with `levels`.

    The levels of text have no order, those of an ordered column of pandas have.
    """

    name: str
    kind: str  # numeric, categoric or proportion
    values: np.ndarray
    trials: np.ndarray | None = None
    levels: tuple[str, ...] = ()
    is_ordered: bool = False


@dataclass(frozen=True)
class Term:
    """A population-level term: a column (n,), or a matrix (n, k) with k `labels`."""

    name: str
    values: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Effect:
    """What varies within a block of groups: the intercept (no values), a column (n,) or a matrix (n, k)."""

    name: str
    values: np.ndarray | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """The effects that vary by one factor, `(effects | factor)`: `index` (n,) says which of the `levels` a row has."""

    factor: str
    levels: tuple[str, ...]
    index: np.ndarray
    effects: tuple[Effect, ...]
    correlated: bool


@dataclass(frozen=True)
class Design:
    """A formula with a table; see the parts. `formulae` is the object of that package, for other rows."""

    formula: str
    response: Response
    intercept: bool
    terms: tuple[Term, ...]
    offset: np.ndarray | None
    blocks: tuple[Block, ...]
    formulae: Any

    def at(self, data: Any) -> Design:
        """The same terms on other rows, such as to predict them; the response, if it is not there, is that of row 0.

        Transformations that depend on the data (splines, centring) stay those of the first table.

        Raises
        ------
        DataError
            If a column or a level of a group is new.
        """
        table = _table(data)
        with _blaming(self.formula, table):
            common = self.formulae.common.evaluate_new_data(table) if self.formulae.common is not None else {}
            terms = tuple(replace(term, values=_like(term.values, common[term.name])) for term in self.terms)
            offset = None if self.offset is None else _offset(self.formulae, common)
            blocks = tuple(_block_at(block, self.formulae, table) for block in self.blocks)
        response = replace(
            self.response,
            values=np.repeat(self.response.values[:1], len(table)),
            trials=None if self.response.trials is None else np.repeat(self.response.trials[:1], len(table)),
        )
        return replace(self, response=response, terms=terms, offset=offset, blocks=blocks)


def read_formula(formula: str, data: Any, missing: str = "error") -> Design:
    """Evaluate a formula on a table.

    Parameters
    ----------
    formula : str
        As in Bambi and lme4: ``"y ~ 1 + x * z + (1 + x | group)"``. Effects within ``( | )`` are correlated, within
        ``( || )`` independent.
    data : pandas.DataFrame or mapping
        Column name -> values.
    missing : "error" or "drop"
        What becomes of rows with a missing value.

    Raises
    ------
    ModelError
        If the package formulae is not installed, or the formula has no response.
    DataError
        If the formula cannot be understood, a column does not exist, or a value is missing.
    """
    try:
        import formulae
    except ImportError as error:
        raise ModelError(f"formulas need the package formulae ({error}): pip install formulae") from None
    if missing not in ("error", "drop"):
        raise ModelError(f"missing={missing!r} is unknown; it is 'error' or 'drop'")
    if not formula.partition("~")[0].strip() or "~" not in formula:
        raise ModelError(f"formula {formula!r} has no response; write it left of ~, as in 'y ~ 1 + x'")
    if "|" in _GROUPS.sub("", formula):
        raise ModelError(
            f"formula {formula!r} has a | outside of parentheses; effects of groups are written (1 + x | group), "
            "proportions p(count, trials)"
        )
    table = _table(data)
    with _blaming(formula, table):
        functions = {name: f for name, f in _FUNCTIONS.items() if name not in table}
        found = formulae.design_matrices(
            formula.replace("||", "|"), table, na_action=missing, extra_namespace=functions
        )
    common = dict(found.common.terms) if found.common is not None else {}
    terms = []
    for name, term in common.items():
        if term.kind not in ("intercept", "offset"):
            values = np.asarray(found.common[name], dtype=float)
            single = tuple(term.labels) == (name,)  # of numbers alone; a level of a factor has a label of its own
            terms.append(Term(name, values.reshape(-1) if single else values, _short(name, term.labels)))
    return Design(
        formula,
        replace(_response(found.response), is_ordered=_is_ordered(table, found.response.name)),
        any(term.kind == "intercept" for term in common.values()),
        tuple(terms),
        _offset(found, found.common),
        _blocks(formula, found.group),
        found,
    )


def _table(data: Any) -> Any:
    """The data as a table of pandas."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if not hasattr(data, "keys"):
        raise DataError(f"the data of a formula are a table or a mapping of columns, not {type(data).__name__}")
    columns = dict(data)
    lengths = {name: len(column) for name, column in columns.items() if np.ndim(column)}
    if len(set(lengths.values())) > 1:
        raise DataError(f"the columns differ in length: {', '.join(f'{name} {n}' for name, n in lengths.items())}")
    return pd.DataFrame(columns)


def _short(name: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Labels of a term's columns without the term's name: `h[v]` -> `v`."""
    return tuple(label[len(name) + 1 : -1] if label.startswith(f"{name}[") else label for label in labels)


@contextlib.contextmanager
def _blaming(formula: str, table: Any) -> Iterator[None]:
    """Errors of the package formulae, which are of many kinds, as ours."""
    try:
        yield
    except KeyError as error:
        raise DataError(
            f"formula {formula!r}: there is no column or function {error}; columns are {', '.join(table)}"
        ) from None
    except BayesadError:
        raise
    except Exception as error:
        hint = "; missing='drop' (--drop-missing) leaves them out" if "incomplete rows" in str(error) else ""
        raise DataError(f"formula {formula!r}: {str(error).strip().rstrip('.')}{hint}") from None


def _offset(formulae: Any, common: Any) -> np.ndarray | None:
    """The sum of the offsets, (n,)."""
    names = [name for name, term in formulae.common.terms.items() if term.kind == "offset"] if formulae.common else []
    columns = [np.asarray(common[name], dtype=float).reshape(-1) for name in names]
    return sum(columns[1:], columns[0]) if columns else None


def _like(old: np.ndarray, new: Any) -> np.ndarray:
    """New values of a term in the form of the old ones: a column or a matrix."""
    values = np.asarray(new, dtype=float)
    return values.reshape(-1) if old.ndim == 1 else values.reshape(len(values), -1)


def _block_at(block: Block, formulae: Any, table: Any) -> Block:
    terms = {term.expr.name: term for term in formulae.group.terms.values() if term.factor.name == block.factor}
    effects = tuple(
        effect
        if effect.values is None
        else replace(effect, values=_like(effect.values, terms[effect.name].expr.eval_new_data(table)))
        for effect in block.effects
    )
    term = next(iter(terms.values()))
    codes = _codes(term.factor.eval_new_data(table))
    place = {level: i for i, level in enumerate(block.levels)}
    labels = [str(term.groups[code]) for code in codes]
    absent = sorted({label for label in labels if label not in place})
    if absent:
        raise DataError(f"the levels ({', '.join(absent)}) of {block.factor!r} are none of those of the model")
    return replace(block, index=np.array([place[label] for label in labels], dtype=int), effects=effects)


def _codes(factor: Any) -> np.ndarray:
    """The level of each row, (n,), from what formulae has: that, or a column of 0 and 1 for each level."""
    codes = np.asarray(factor)
    return codes.argmax(axis=1) if codes.ndim == 2 else codes.astype(int)


def _response(response: Any) -> Response:
    values = np.asarray(response.design_matrix)
    if response.kind == "proportion":
        return Response(response.name, "proportion", values[:, 0], trials=values[:, 1])
    if response.kind == "categoric" and values.ndim == 2:
        levels = tuple(map(str, response.levels))
        return Response(response.name, "categoric", values.argmax(axis=1), levels=levels)
    if response.kind == "categoric":
        return Response(response.name, "categoric", values.astype(int), levels=("other", str(response.levels)))
    return Response(response.name, "numeric", values.reshape(len(values)))


def _is_ordered(table: Any, name: str) -> bool:
    """Whether a column's values have an order: numbers, and categories that were given one."""
    return name in table and bool(getattr(table[name].dtype, "ordered", table[name].dtype.kind in "biuf"))


def _blocks(formula: str, group: Any) -> tuple[Block, ...]:
    """The group-specific terms by factor; those from one pair of parentheses with a single bar are correlated."""
    if group is None:
        return ()
    by_factor: dict[str, list[Any]] = {}
    for term in group.terms.values():
        by_factor.setdefault(term.factor.name, []).append(term)
    blocks = []
    for factor, terms in by_factor.items():
        present, index = np.unique(_codes(terms[0].factor.data), return_inverse=True)
        levels = tuple(str(terms[0].groups[code]) for code in present)  # of a:b, few of all pairs may occur
        effects = tuple(_effect(term) for term in terms)
        several = sum(len(effect.labels) for effect in effects) > 1
        together = several and _bars(formula, factor) == ["|"]
        for part in [effects] if together else [(effect,) for effect in effects]:
            blocks.append(Block(factor, levels, index, part, together))
    return tuple(blocks)


def _bars(formula: str, factor: str) -> list[str]:
    """The bars of the parentheses that give effects to a factor; `a/b` stands for a and a:b, `a + b` for both."""
    return [match[2] for match in _GROUPS.finditer(formula) if factor in _factors(match[3].replace(" ", ""))]


def _factors(right: str) -> set[str]:
    return {":".join(part.split("/")[: i + 1]) for part in right.split("+") for i in range(part.count("/") + 1)}


def _effect(term: Any) -> Effect:
    if term.kind == "intercept":
        return Effect("1", None, ("1",))
    values = np.asarray(term.expr.data, dtype=float)
    labels = _short(term.expr.name, term.expr.labels)
    return Effect(term.expr.name, values.reshape(-1) if len(labels) == 1 else values, labels)
