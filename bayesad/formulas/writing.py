"""Writes the model that a formula stands for: the source of an ordinary bayesad model, its data and coordinates.

Predictors are centred in the model, so that the intercept's prior is about the level of the response at their means;
the intercept at zero is recorded as well. The means and the scales of default priors are numbers of the source, so that
the model means the same with other rows. Effects of groups are unknowns with their law; in which coordinates they are
sampled stands in the source's last line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesad.errors import DataError, ModelError, suggestion
from bayesad.formulas.design import Block, Design, Effect, Response
from bayesad.formulas.families import Family, family_of
from bayesad.formulas.text import Names, dims_argument, fits, in_docstring, layout, listed, numbers, prior_text, quoted

__all__ = ["Written", "data_of", "fitting", "write_model"]


_COORDINATES = '# Coordinates of effects: "centred", "noncentred", or "auto", for those that a short run finds better.'


@dataclass(frozen=True)
class Written:
    """A model's source, and what it is to be called with.

    Attributes
    ----------
    name, function : str
        The model function's name, and the text of a module with it.
    data : dict
        Argument -> array.
    coords : dict
        Dim -> labels.
    choices : dict
        Name of the effects of groups -> the coordinates in which they are sampled, see `bayesad.reparameterise`.
    """

    name: str
    function: str
    data: dict[str, np.ndarray]
    coords: dict[str, tuple[str, ...]]
    choices: dict[str, str]

    @property
    def source(self) -> str:
        """The text of the module: the function, and the coordinates in which effects of groups are sampled."""
        if not self.choices:
            return self.function
        chosen = [f"{quoted(effects)}: {quoted(choice)}" for effects, choice in self.choices.items()]
        opening = f"{self.name} = ba.reparameterise({self.name}, {{"
        lines = layout(opening, ", ".join(chosen), "})", [f"{choice}," for choice in chosen], indent=0)
        return "\n".join([self.function, "", _COORDINATES, *lines, ""])


@dataclass
class _Draft:
    """What is collected while a model is written."""

    arguments: Names
    priors: dict[str, str]
    stems: Names
    effects: list[str] = field(default_factory=list)
    coords: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def sample(self, variable: str, site: str, prior: str, dims: Sequence[str] = (), alias: str = "") -> None:
        """A statement that declares an unknown; the prior given for it, or for its `alias`, replaces the default."""
        self.sites += [site] if not alias else [site, alias]
        chosen = next((name for name in (site, alias) if name in self.priors), None)
        if chosen is not None:
            prior = self.priors[chosen]
            self.used.add(chosen)
        self.declare(variable, site, prior, dims)

    def declare(self, variable: str, site: str, law: str, dims: Sequence[str] = ()) -> None:
        """A statement that gives an unknown with this law to a variable."""
        self.call(f"{variable} = ba.sample", quoted(site), law, *dims_argument(dims))

    def record(self, site: str, value: str, dims: Sequence[str] = (), variable: str = "") -> None:
        """A statement that records a quantity, and gives it to a variable."""
        self.call(
            f"{variable} = ba.deterministic" if variable else "ba.deterministic",
            quoted(site),
            value,
            *dims_argument(dims),
        )

    def call(self, function: str, *arguments: str) -> None:
        """A statement that is a call, in the layout that common formatters give it."""
        self.lines += layout(f"{function}(", ", ".join(arguments), ")", [f"{argument}," for argument in arguments])

    def add_up(self, variable: str, terms: Sequence[str]) -> None:
        """A statement that gives a sum to a variable."""
        total = " + ".join(terms)
        if fits(f"{variable} = {total}"):
            self.lines.append(f"{variable} = {total}")
        else:
            self.lines += layout(f"{variable} = (", total, ")", [terms[0], *(f"+ {term}" for term in terms[1:])])


@dataclass(frozen=True)
class _Scale:
    """What default priors are about: the level of the linear predictor at the predictors' means, and its unit."""

    level: float
    unit: float = 1.0


def write_model(
    design: Design, family: str, link: str | None, priors: Mapping[str, Any] | None, effects: str, name: str
) -> Written:
    """The model of a formula.

    Parameters
    ----------
    design : Design
        Its response in the form that the family observes, see `fitting`.
    family, link : str
        See `bayesad.formulas.families.FAMILIES`; without a link the family's first.
    priors : mapping, optional
        Name of an unknown -> its prior, a distribution or its text such as ``"Normal(0, 1)"``; "slopes" stands for
        all population-level terms, "group_sigma" and "group_cholesky" for the spreads and the correlations of all
        groups' effects.
    effects : str
        The coordinates of groups' effects: "centred", "noncentred" or "auto".
    name : str
        Of the model function.

    Raises
    ------
    ModelError
        For an unknown family, link or prior, or what this family does not have.
    """
    kind, link, law = family_of(family, link)
    response = design.response
    draft = _Draft(Names(), {key: prior_text(key, prior) for key, prior in (priors or {}).items()}, Names())
    outcome = draft.arguments(response.name)
    if response.trials is not None:
        draft.arguments("trials")
    scale = _scale_of(design, family, link)
    vector = kind.response == "categoric"

    terms = _write_terms(draft, design, response, scale, kind)
    for block in design.blocks:
        if vector:
            columns = [" + ".join(_write_block(draft, block, scale, level)) for level in response.levels[1:]]
            terms.append(f"np.column_stack([{', '.join(columns)}])")
        else:
            terms += _write_block(draft, block, scale)
    if design.offset is not None:
        terms.append(draft.arguments("offset"))
    if vector:
        draft.add_up("others", [f"np.zeros((len({outcome}), {len(response.levels) - 1}))", *terms])
        draft.lines.append(f"eta = np.concatenate([np.zeros((len({outcome}), 1)), others], axis=1)")
    else:
        draft.add_up("eta", terms if _has_rows(design) else [*terms, f"np.zeros(len({outcome}))"])
    for parameter, prior in kind.parameters:
        site = parameter if parameter not in draft.sites else f"{response.name}_{parameter}"
        draft.sample(parameter, site, prior.format(scale=f"{_spread(response.values):.4g}"))
    dims = () if vector else dims_argument(["row"])
    draft.call("ba.sample", quoted(response.name), law.format(eta="eta"), f"obs={outcome}", *dims)
    unknown = [key for key in draft.priors if key not in draft.used]
    if unknown:
        hint = suggestion(unknown[0], draft.sites)
        raise ModelError(
            f"there is no unknown {unknown[0]!r} to give a prior{hint}; there are {', '.join(draft.sites)}"
        )
    function = _module(design, family, link, name, list(draft.arguments), draft.lines)
    return Written(name, function, data_of(design), draft.coords, dict.fromkeys(draft.effects, effects))


def _scale_of(design: Design, family: str, link: str) -> _Scale:
    values, unit, level = design.response.values, 1.0, 0.0
    if family == "lognormal":  # its identity is that of the logarithm
        level = float(np.log(values[values > 0]).mean()) if np.any(values > 0) else 0.0
    elif link == "identity":
        level, unit = float(values.mean()), _spread(values)
    elif link == "log" and values.mean() > 0:
        level = float(np.log(values.mean()))
    return _Scale(level if design.offset is None else level - float(design.offset.mean()), unit)


def _spread(values: np.ndarray) -> float:
    """The standard deviation, in units of which priors are wide; 1 where there is none."""
    return float(np.std(values)) or 1.0


def data_of(design: Design) -> dict[str, np.ndarray]:
    """The arguments of the model written for a design, by name, in the order in which it names them."""
    names, response = Names(), design.response
    data = {names(response.name): response.values}
    if response.trials is not None:
        data[names("trials")] = response.trials
    for term in design.terms:
        data[names(term.name)] = term.values
    for block in design.blocks:
        data[names(f"{block.factor}_index")] = block.index
        data |= {names(effect.name): effect.values for effect in block.effects if effect.values is not None}
    if design.offset is not None:
        data[names("offset")] = design.offset
    return data


def fitting(response: Response, family: Family, name: str) -> Response:
    """The response in the form that the family observes.

    Raises
    ------
    DataError
        If it has another form.
    """
    values, levels = response.values, response.levels
    wanted = family.response
    if wanted == "proportion" and response.kind != "proportion":
        raise DataError(f"family {name!r} needs the trials too; write the response as p({response.name}, trials)")
    if wanted == "binary" and response.kind == "categoric" and len(levels) == 2:
        return Response(response.name, "numeric", values, levels=levels)
    if wanted == "binary" and response.kind == "numeric" and set(np.unique(values)) <= {0, 1}:
        return Response(response.name, "numeric", values.astype(int))
    if wanted == "ordered" and response.kind == "categoric" and not response.is_ordered:
        raise DataError(
            f"family {name!r} needs an order, which the levels of {response.name!r} do not have ({', '.join(levels)}); "
            "give whole numbers, or pandas.Categorical(values, categories=[… from low to high], ordered=True)"
        )
    if wanted in ("ordered", "categoric") and response.kind == "categoric":
        return response
    if wanted in ("ordered", "categoric") and response.kind == "numeric" and np.all(values == np.round(values)):
        labels, codes = np.unique(values.astype(int), return_inverse=True)
        return Response(response.name, "categoric", codes, levels=tuple(map(str, labels)))
    if wanted == response.kind or (wanted, response.kind) == ("count", "numeric"):
        return response if wanted == "numeric" else _counts(response)
    found = f"{len(levels)} categories" if response.kind == "categoric" else f"a {response.kind} response"
    raise DataError(f"family {name!r} needs a {wanted} response; {response.name!r} is {found}")


def _counts(response: Response) -> Response:
    def whole(values: np.ndarray | None) -> np.ndarray | None:
        if values is not None and not np.all(values == np.round(values)):
            at = int(np.flatnonzero(values != np.round(values))[0])
            raise DataError(f"{response.name!r} must be whole numbers; row {at} has {values[at]}")
        return None if values is None else values.astype(int)

    values = whole(response.values)
    assert values is not None
    return Response(response.name, response.kind, values, trials=whole(response.trials))


# --- population-level terms


def _write_terms(draft: _Draft, design: Design, response: Response, scale: _Scale, family: Family) -> list[str]:
    """Unknowns of intercept and terms; the texts that add up to the linear predictor."""
    shift: list[str] = []
    terms: list[str] = []
    vector = family.response == "categoric"
    across = ""
    if vector:
        across = f"{response.name}_level"
        draft.coords[across] = response.levels[1:]
    cut = family.response == "ordered"
    if cut:
        _write_cutpoints(draft, response)
    for term in design.terms:
        argument = draft.arguments(term.name)
        scales = np.atleast_1d(term.values.std(axis=0))
        centres = np.atleast_1d(term.values.mean(axis=0)) * (design.intercept or cut)
        centres = np.where(np.abs(centres) < 1e-9 * scales, 0.0, centres)
        prior = f"ba.Normal(0, {numbers(2.5 * scale.unit / np.where(scales > 0, scales, 1.0), vector)})"
        matrix = term.values.ndim == 2
        dims = ([f"{term.name}_dim"] if matrix else []) + ([across] if vector else [])
        if matrix:
            draft.coords[dims[0]] = term.labels
        coefficient = f"b_{argument}"
        draft.sample(coefficient, term.name, prior, dims, alias="slopes")
        centre = listed(centres) if matrix else f"{centres[0]:.6g}"
        centred = f"{argument} - {centre}" if np.any(centres) else argument
        if vector and not matrix:
            terms.append(f"np.outer({centred}, {coefficient})")
        else:
            terms.append(_product(f"({centred})" if np.any(centres) else centred, coefficient, matrix))
        if np.any(centres):
            shift.append(_product(centre, coefficient, matrix))
    if design.intercept and not cut:
        _write_intercept(draft, scale, shift, [across] if vector else [])
        terms.insert(0, "level")
    return terms


def _product(values: str, coefficient: str, matrix: bool) -> str:
    return f"{values} @ {coefficient}" if matrix else f"{coefficient} * {values}"


def _write_intercept(draft: _Draft, scale: _Scale, shift: list[str], dims: list[str]) -> None:
    """The intercept at the predictors' means, and what that makes at zero."""
    prior = f"ba.Normal({scale.level:.4g}, {2.5 * scale.unit:.4g})"
    at_means = "Intercept_at_means" if shift else "Intercept"
    draft.sample("level", at_means, prior, dims, alias="Intercept" if shift else "")
    if shift:
        draft.add_up("shift", shift)
        draft.record("Intercept", "level - shift", dims)


def _write_cutpoints(draft: _Draft, response: Response) -> None:
    labels = tuple(f"{a}|{b}" for a, b in zip(response.levels[:-1], response.levels[1:], strict=True))
    draft.coords["cutpoint"] = labels
    draft.sample("cutpoints", "cutpoints", "ba.ordered(ba.StudentT(3, 0, 2.5))", ["cutpoint"])


# --- groups


def _write_block(draft: _Draft, block: Block, scale: _Scale, level: str = "") -> list[str]:
    """Unknowns of one block of groups' effects; the texts that they add to the linear predictor (of a level)."""
    index = draft.arguments(f"{block.factor}_index")
    groups = block.factor if block.factor not in draft.sites else f"{block.factor}_group"
    draft.coords[groups] = block.levels
    effects = [(effect, column) for effect in block.effects for column in range(len(effect.labels))]
    owner = f"{block.factor}{level and f'_{level}'}"
    varying = " + ".join(effect.name for effect in block.effects)
    name = f"{varying}|{owner}"
    stem = draft.stems(owner if any(effect.values is None for effect in block.effects) else name)
    units = [1.0 if effect.values is None else _spread(_column(effect, column)) for effect, column in effects]
    prior = f"ba.HalfStudentT(3, {numbers(2.5 * scale.unit / np.array(units))})"
    for effect in block.effects:
        if effect.values is not None:
            draft.arguments(effect.name)
    several = len(effects) > 1
    dims = [groups, f"{name}_effect"] if several else [groups]
    if several:
        draft.coords[dims[1]] = tuple(label for effect in block.effects for label in effect.labels)
    draft.sample(f"sd_{stem}", f"{name}_sigma", prior, dims[1:], alias="group_sigma")
    law = f"ba.Normal(0, sd_{stem})"
    if block.correlated:
        draft.sample(f"L_{stem}", f"{name}_cholesky", f"ba.LKJCholesky({len(effects)}, 1)", alias="group_cholesky")
        draft.record(f"{name}_correlation", f"L_{stem} @ L_{stem}.T")
        law = f"ba.MvNormal(0, chol=sd_{stem}[:, None] * L_{stem})"
    draft.declare(f"u_{stem}", name, law, dims)
    draft.effects.append(name)
    if not several:
        return [_times(f"u_{stem}[{index}]", draft, *effects[0])]
    return [_times(f"u_{stem}[{index}, {k}]", draft, effect, column) for k, (effect, column) in enumerate(effects)]


def _column(effect: Effect, column: int) -> np.ndarray:
    assert effect.values is not None
    return effect.values if effect.values.ndim == 1 else effect.values[:, column]


def _times(value: str, draft: _Draft, effect: Effect, column: int) -> str:
    if effect.values is None:
        return value
    argument = draft.arguments(effect.name)
    return f"{value} * {argument}" if effect.values.ndim == 1 else f"{value} * {argument}[:, {column}]"


# --- the whole module
def _module(design: Design, family: str, link: str, name: str, arguments: list[str], lines: list[str]) -> str:
    head = layout(f"def {name}(", ", ".join(arguments), "):", [f"{argument}," for argument in arguments], indent=0)
    body = "\n".join([*head, *(f"    {line}" for line in lines)])
    imports = ["import numpy as np"] if "np." in body else []
    imports += ["import scipy.special"] if "scipy.special" in body else []
    before = "\n".join(imports) + ("\n\n" if imports else "")
    return (
        f'"""{in_docstring(design.formula)}: {family} with {link} link."""\n\n{before}import bayesad as ba\n\n\n'
        f"@ba.model\n{body}\n"
    )


def _has_rows(design: Design) -> bool:
    return bool(design.terms or design.blocks or design.offset is not None)
