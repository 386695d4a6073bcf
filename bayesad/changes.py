"""Models made from models: variables observed, set to a value, or sampled in other coordinates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad.ad.trace import untraced
from bayesad.data import as_data
from bayesad.errors import ModelError, suggestion

if TYPE_CHECKING:
    from bayesad.dsl import Model

__all__ = [
    "AUTO",
    "CENTRED",
    "NONCENTRED",
    "Change",
    "check_changes",
    "condition",
    "do",
    "reparameterise",
    "standard_of",
]

CENTRED, NONCENTRED, AUTO = "centred", "noncentred", "auto"


class Change(NamedTuple):
    """What is done to one variable of a model: ``kind`` is "condition", "do" or "reparameterise"."""

    kind: str
    value: Any


def condition(model: Model, values: Mapping[str, Any]) -> Model:
    """The model with some of its unknowns observed.

    Parameters
    ----------
    model : Model
    values : mapping
        Name of a variable -> its value, in the variable's shape; NaN marks missing entries. The density of the variable
        at this value stays a term of the model. Of an observed variable they take the place of its data.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        When the new model is called: for a name that is none of its variables, or a value of another shape.
    """
    return _changed(model, "condition", _data(values))


def do(model: Model, values: Mapping[str, Any]) -> Model:
    """The model with some of its variables set to a value, whatever their distribution says (Pearl 2009).

    Parameters
    ----------
    model : Model
    values : mapping
        Name of a variable (an unknown, an observed or a deterministic one) -> its value, which broadcasts to the
        variable's shape. The variable has no density any more, and is recorded like a deterministic quantity.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        When the new model is called: for a name that is none of its variables, or a value of another shape.
    """
    return _changed(model, "do", _data(values))


def reparameterise(model: Model, choices: Mapping[str, str]) -> Model:
    """The model with some of its unknowns sampled in other coordinates; names, values and densities stay the same.

    Parameters
    ----------
    model : Model
    choices : mapping
        Name of an unknown -> "noncentred": it is sampled as location + scale * z with a standardised z, which suits
        groups with few data; "centred": as it is, which suits groups with many; "auto": the one of the two in
        which the posterior is closer to a normal law, as short runs on the data show (`bayesad.pilot`). For unknowns
        with a location and a scale: those of Normal, StudentT, Laplace, Cauchy, Logistic, LogNormal, MvNormal,
        GaussianProcess and GaussianRandomWalk (by its steps).

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        For an unknown choice; when the new model is called, for a name that is none of its unknowns or a distribution
        without location and scale.
    """
    if not isinstance(choices, Mapping):
        raise ModelError(
            f"model {model.name!r}: reparameterise takes a choice for each unknown, as in "
            f"{{'theta': {AUTO!r}}}, not {choices!r}"
        )
    for name, choice in choices.items():
        if choice not in (CENTRED, NONCENTRED, AUTO):
            raise ModelError(
                f"model {model.name!r}, variable {name!r}: it can be reparameterised as {NONCENTRED!r}, {CENTRED!r} or "
                f"{AUTO!r}, not {choice!r}"
            )
    return _changed(model, "reparameterise", choices)


def _data(values: Mapping[str, Any]) -> dict[str, Any]:
    with untraced():  # a submodel may be changed inside of a model
        return {name: as_data(value, name) for name, value in values.items()}


def _changed(model: Model, kind: str, values: Mapping[str, Any]) -> Model:
    from bayesad.dsl import Model

    if not isinstance(model, Model):
        raise ModelError(f"{kind} changes a model, a function under @ba.model before it is given data; got {model!r}")
    return Model(model.function, model.coords, {**model.changes, **{n: Change(kind, v) for n, v in values.items()}})


def check_changes(model: Model, kinds: Mapping[str, str]) -> None:
    """ModelError for a change of a variable that the model does not have, or that is not of the kind for it.

    Parameters
    ----------
    model : Model
    kinds : mapping
        Name -> kind of every site, as the changed model has it.
    """
    for name, change in model.changes.items():
        if name not in kinds:
            raise ModelError(
                f"model {model.name!r} has no variable {name!r}{suggestion(name, list(kinds))}, which "
                f"{change.kind} is to change; it has {', '.join(kinds) or 'none'}"
            )
        wanted = _KIND[change.kind]
        if kinds[name] != wanted:
            raise ModelError(
                f"model {model.name!r}, variable {name!r}: {change.kind} is for {_FOR[change.kind]}; this one is "
                f"{kinds[name]}"
            )


_KIND = {"condition": "observed", "do": "deterministic", "reparameterise": "parameter"}
_FOR = {
    "condition": "variables with a distribution",
    "do": "variables with a distribution and deterministic ones",
    "reparameterise": "unknowns that are sampled",
}


# --- standardised coordinates


class Standard(NamedTuple):
    """Coordinates in which an unknown is standardised.

    Attributes
    ----------
    law : Distribution
        Of the coordinates.
    value, coordinate : callable
        From coordinates to the value and back.
    log_det : callable
        Of coordinates: log |det d value / d coordinates|.
    """

    law: Any
    value: Callable[[Any], Any]
    coordinate: Callable[[Any], Any]
    log_det: Callable[[Any], Any]


def standard_of(law: Any) -> Standard | None:
    """The standardised coordinates of an unknown with this law; None if it has no location and scale."""
    make = _STANDARD.get(type(law).__name__)
    return None if make is None else make(law)


def _location_scale(law: Any) -> Standard:
    others = {name: value for name, value in law.parameters.items() if name not in ("mu", "sigma")}
    return Standard(
        type(law)(mu=0.0, sigma=1.0, **others),
        lambda z: law.mu + law.sigma * z,
        lambda x: (x - law.mu) / law.sigma,
        lambda z: np.log(law.sigma) + np.zeros(np.shape(z)),
    )


def _log_normal(law: Any) -> Standard:
    from bayesad.distributions import Normal

    def exponent(z: Any) -> Any:
        return law.mu + law.sigma * z

    return Standard(
        Normal(0.0, 1.0),
        lambda z: np.exp(exponent(z)),
        lambda x: (np.log(x) - law.mu) / law.sigma,
        lambda z: np.log(law.sigma) + exponent(z),
    )


def _mv_normal(law: Any) -> Standard:
    from bayesad.distributions import Normal

    scatter = law._scatter
    return Standard(
        Normal(0.0, 1.0),
        lambda z: law.mu + scatter.colour(z),
        lambda x: scatter.whiten(x - law.mu),
        lambda z: scatter.log_scale + np.zeros(np.shape(z)[:-1]),
    )


def _random_walk(law: Any) -> Standard | None:
    """The steps of a walk with normal steps (and a normal first value) are standardised."""
    from bayesad.distributions import Normal

    step, start = law.innovation, law.initial
    if type(step) is not Normal or type(start) not in (type(None), Normal):
        return None

    def each(of_step: Callable[[Any, Any], Any], z: Any) -> Any:
        """What a function of law and numbers gives for every step; the first value has a law of its own, if any."""
        if start is None:
            return of_step(step, z)
        first = Normal(start.mu[..., None], start.sigma[..., None])
        return np.concatenate([of_step(first, z[..., :1]), of_step(step, z[..., 1:])], axis=-1)

    def steps_of(x: Any) -> Any:
        return np.concatenate([x[..., :1], x[..., 1:] - x[..., :-1]], axis=-1)

    return Standard(
        Normal(0.0, 1.0),
        lambda z: np.cumsum(each(lambda d, part: d.mu + d.sigma * part, z), axis=-1),
        lambda x: each(lambda d, part: (part - d.mu) / d.sigma, steps_of(x)),
        lambda z: each(lambda d, part: np.log(d.sigma) + np.zeros(np.shape(part)), z),
    )


_STANDARD: dict[str, Callable[[Any], Standard | None]] = {
    **dict.fromkeys(("Normal", "StudentT", "Laplace", "Cauchy", "Logistic"), _location_scale),
    "LogNormal": _log_normal,
    "MvNormal": _mv_normal,
    "GaussianProcess": lambda law: _mv_normal(law._law),
    "RandomWalk": _random_walk,
}
