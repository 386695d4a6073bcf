"""Models from formulas: ``glm("y ~ 1 + x + (1 + x | group)", data)`` writes an ordinary model and conditions it.

    >>> import bayesad as ba
    >>> posterior = ba.glm("y ~ 1 + x", {"y": [1.0, 2.1, 2.9], "x": [0.0, 1.0, 2.0]})  # doctest: +SKIP
    >>> print(posterior.source)  # doctest: +SKIP

Formulas are read by the formulae package (`pip install formulae`), which knows interactions, transformations, splines
and groups.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bayesad.changes import AUTO, CENTRED, NONCENTRED
from bayesad.dsl import Model
from bayesad.errors import ModelError
from bayesad.formulas.design import Design, read_formula
from bayesad.formulas.families import FAMILIES, family_of
from bayesad.formulas.writing import Written, data_of, fitting, write_model
from bayesad.posterior import Posterior

__all__ = ["FAMILIES", "Regression", "glm", "write"]

_counter = itertools.count(1)


class Regression(Posterior):
    """The posterior of a model that was written from a formula; see `glm`.

    Attributes
    ----------
    source : str
        The model's text, as it could have been written by hand.
    design : Design
        What the formula made of the table.
    """

    def __init__(self, design: Design, written: Written) -> None:
        model = _compiled(written)
        super().__init__(model, model.bind(**written.data))
        self.design = design
        self.source = written.source

    def at(self, data: Any) -> Posterior:
        """The same model on other rows, for predictions: ``posterior.at(rows).predict(draws)``.

        Parameters
        ----------
        data : pandas.DataFrame or mapping
            The formula's columns; the response need not be there.

        Raises
        ------
        DataError
            If a column is missing or a level of a group is new.
        """
        return self.model(**data_of(self.design.at(data)))


def glm(
    formula: str,
    data: Any,
    family: str = "gaussian",
    *,
    link: str | None = None,
    priors: Mapping[str, Any] | None = None,
    effects: str = AUTO,
    missing: str = "error",
    name: str = "regression",
) -> Regression:
    """A generalised linear model, with effects of groups, from a formula.

    Parameters
    ----------
    formula : str
        ``"y ~ 1 + x * z + (1 + x | group)"``; ``p(y, n)`` on the left for proportions. ``( | )`` makes the effects of a
        group correlated, ``( || )`` independent.
    data : pandas.DataFrame or mapping of columns
    family, link : str
        One of `FAMILIES` and of its links; the first link is the default.
    priors : mapping, optional
        Name of an unknown -> a distribution, or its text. "slopes" stands for all population-level terms,
        "group_sigma" and "group_cholesky" for the spreads of all groups' effects and the Cholesky factors of their
        correlations. By default they are wide in units of the data: normal with 2.5 standard deviations of the
        response over those of the predictor.
    effects : "auto", "centred" or "noncentred"
        In which coordinates effects of groups are sampled, which changes how well, not what is sampled; see
        `bayesad.reparameterise`. By default a short run finds for each group what suits the data; it takes a fraction
        of the time that sampling takes. The choice stands in the source.
    missing : "error" or "drop"
        What becomes of rows with a missing value.
    name : str
        Of the model.

    Returns
    -------
    Regression
        A `Posterior`; its ``source`` is the model's text.

    Raises
    ------
    ModelError
        If formulae is not installed, or for an unknown family, link, prior or kind of coordinates.
    DataError
        If the formula does not fit the table, or the response not the family.
    """
    return Regression(
        *write(formula, data, family, link=link, priors=priors, effects=effects, missing=missing, name=name)
    )


def write(
    formula: str,
    data: Any,
    family: str = "gaussian",
    *,
    link: str | None = None,
    priors: Mapping[str, Any] | None = None,
    effects: str = AUTO,
    missing: str = "error",
    name: str = "regression",
) -> tuple[Design, Written]:
    """The design of a formula and the model that it stands for as text; parameters as of `glm`."""
    if effects not in (AUTO, CENTRED, NONCENTRED):
        raise ModelError(f"effects={effects!r} is unknown; it is {AUTO!r}, {CENTRED!r} or {NONCENTRED!r}")
    design = read_formula(formula, data, missing)
    kind, _, _ = family_of(family, link)
    design = replace(design, response=fitting(design.response, kind, family))
    written = write_model(design, family, link, priors, effects, name)
    if not written.choices or effects != AUTO:
        return design, written
    from bayesad.pilot import decided  # it brings the sampler along

    model = _compiled(written)
    changes = decided(model, model.bind(**written.data)).changes
    return design, replace(written, choices={effect: changes[effect].value for effect in written.choices})


def _compiled(written: Written) -> Model:
    """The model of a source, with its coordinates; errors show its lines."""
    file = f"<formula {next(_counter)}>"
    linecache.cache[file] = (len(written.source), None, written.source.splitlines(keepends=True), file)
    module: dict[str, Any] = {"__name__": file}
    exec(compile(written.source, file, "exec"), module)
    return module[written.name].with_coords(**written.coords)
