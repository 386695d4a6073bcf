"""Shapes and dims of a model's variables: found from what is given, and checked against each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bayesad.ad.array import value_of
from bayesad.errors import ModelError, suggestion
from bayesad.locations import current_line
from bayesad.running import Dims, Run, Shape

__all__ = ["check_dims", "dim_names", "full_shape", "in_plates", "labels_of", "plate_names"]


def labels_of(name: str, given: Any) -> np.ndarray:
    """A dim's labels as a plain read-only vector, from a sequence or a length."""
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and given >= 0:
        labels = value_of(np.arange(given))
    else:
        flat = isinstance(given, Iterable) and not isinstance(given, (str, bytes))
        labels = value_of(np.array(list(given) if flat else given))
    if labels.ndim != 1:
        raise ModelError(
            f"the coordinate {name!r} ({current_line()}) needs a flat sequence of labels or a length; got {given!r:.60}"
        )
    labels.setflags(write=False)
    return labels


def dim_names(state: Run, name: str, dims: Any) -> Dims:
    names = (dims,) if isinstance(dims, str) else tuple(dims or ())
    if not all(isinstance(dim, str) for dim in names):
        raise state.fail(name, f"dims must be a string or a tuple of strings, not {dims!r}")
    if len(set(names)) < len(names):
        raise state.fail(name, f"dims {names} has a name twice; give each axis a name of its own")
    return names


def full_shape(state: Run, name: str, distribution: Any, shape: Any, names: Dims, observed: Shape | None) -> Shape:
    """The shape of the whole value from shape, dims, the observed values and the distribution, which must all agree."""
    given = _shape_tuple(state, name, shape)
    if given is not None and observed is not None and given != observed:
        raise state.fail(name, f"shape={given} does not fit the observed values of shape {observed}")
    full = given if given is not None else observed
    if names:
        lengths = check_dims(state, name, names, full, learn=observed is not None)
        full = lengths if full is None else full
    batch, event = distribution.batch_shape, distribution.event_shape
    law = type(distribution).__name__
    if full is None:
        if None in event:
            raise state.fail(name, f"the length of the value of {law} is open; give shape= or dims=")
        return (*batch, *event)
    split = len(full) - len(event)
    if split < 0 or any(want not in (None, have) for want, have in zip(event, full[split:], strict=True)):
        raise state.fail(
            name, f"the shape {full} must end with the event shape {event} of {law}".replace("None", "any")
        )
    if not _broadcasts_to(batch, full[:split]):
        values = "observed values of " if observed is not None else ""
        raise state.fail(
            name,
            f"the batch shape {batch} of {law} does not broadcast to {full[:split]}, the batch part of the "
            f"{values}shape {full}{_from_outer_plate(state, batch, full)}",
        )
    return full


def _from_outer_plate(state: Run, batch: Shape, full: Shape) -> str:
    """A hint, where a parameter has the axes of outer plates only."""
    if len(state.plates) < 2 or not batch or batch != full[: len(batch)]:
        return ""
    return (
        f"; what was declared in the plate {state.plates[len(batch) - 1]!r} alone has its axis first and needs one for "
        f"the plate {state.plates[-1]!r}: x[..., None]"
    )


def in_plates(
    state: Run, name: str, distribution: Any, shape: Any, names: Dims, observed: Shape | None
) -> tuple[Any, Dims]:
    """Shape and dims of a variable inside of plates, whose axes come first."""
    given = _shape_tuple(state, name, shape)
    lengths = tuple(len(state.coords[dim]) for dim in state.plates)
    if names:
        return (None if given is None else (*lengths, *given)), (*state.plates, *names)
    if observed is None or given is not None:
        inside = distribution.batch_shape[len(lengths) :] if given is None else given
        event = () if given is not None else distribution.event_shape
        if None in event:
            raise state.fail(
                name, f"the length of the value of {type(distribution).__name__} is open; give shape= or dims="
            )
        observed = (*lengths, *inside, *event)
    return observed, plate_names(state, name, (), observed)


def plate_names(state: Run, name: str, names: Dims, full: Shape) -> Dims:
    """Names of all axes of a variable inside of plates; those without a name get one from the variable's."""
    if len(full) < len(state.plates):
        raise state.fail(
            name, f"inside of the plates {', '.join(state.plates)} it needs as many axes; its shape is {full}"
        )
    if names:
        return (*state.plates, *names)
    own = [f"{name}_dim_{i}" for i in range(len(full) - len(state.plates))]
    for dim, length in zip(own, full[len(state.plates) :], strict=True):
        state.coords[dim] = labels_of(dim, length)
    return (*state.plates, *own)


def _shape_tuple(state: Run, name: str, shape: Any) -> Shape | None:
    if shape is None:
        return None
    lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in lengths):
        raise state.fail(name, f"shape must be a non-negative int or a tuple of them, not {shape!r}")
    return tuple(int(n) for n in lengths)


def check_dims(state: Run, name: str, names: Dims, full: Shape | None, *, learn: bool) -> Shape:
    """The lengths of the dims, which must fit the shape if there is one; ``learn`` takes unknown ones from it."""
    if full is not None and len(names) != len(full):
        raise state.fail(name, f"dims {names} names {len(names)} axes, but the shape {full} has {len(full)}")
    lengths = []
    for i, dim in enumerate(names):
        if dim not in state.coords:
            if full is None or not learn:
                raise state.fail(
                    name,
                    f"the dim {dim!r} is unknown{suggestion(dim, list(state.coords))}; declare it by "
                    f"ba.coord({dim!r}, …) in the model, model.with_coords({dim}=…) or [coords] in the configuration",
                )
            state.coords[dim] = labels_of(dim, full[i])
        lengths.append(len(state.coords[dim]))
    if full is not None and tuple(lengths) != full:
        raise state.fail(
            name,
            f"dims {names} have the lengths {tuple(lengths)}, but the shape is {full}; give one of them, or mend the "
            "coordinates",
        )
    return tuple(lengths)


def _broadcasts_to(shape: Shape, target: Shape) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False
