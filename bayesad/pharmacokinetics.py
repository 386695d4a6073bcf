"""Concentrations of drugs after doses: closed forms for one and two compartments, doses for any differential equation.

Amounts, volumes and times may have any units that agree: with mg, L and h, clearances are in L/h and concentrations in
mg/L. A time equal to that of a dose comes before it. Everything may be an unknown but the times of doses.

Source: Gibaldi & Perrier 1982, Pharmacokinetics, chapters 1 and 2; Bertrand & Mentré 2008, Mathematical Expressions of
the Pharmacokinetic and Pharmacodynamic Models implemented in the Monolix software.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import is_traced, plain_or_traced
from bayesad.ad.bodies import as_floats
from bayesad.ad.odes import odeint
from bayesad.ad.primitives.indexing import getitem
from bayesad.ad.scan import scan
from bayesad.errors import SolverError

__all__ = ["one_compartment", "solve_with_doses", "two_compartments"]

SMALL = 1e-3  # of an exponent, below which the difference quotient of exponentials is taken from its series


def one_compartment(
    t: Any,
    doses: Any,
    dose_times: Any = 0.0,
    *,
    clearance: Any,
    volume: Any,
    absorption: Any = None,
    duration: Any = None,
) -> Any:
    """The concentration in one compartment after doses.

    Parameters
    ----------
    t : array
        Times; the other arguments broadcast against them, so that each may have its own patient.
    doses : array
        Amounts. With several times of doses they are along the last axis, as these are.
    dose_times : float, or array, shape (..., k)
        A number: one dose for each t. Otherwise the leading axes broadcast against t.
    clearance, volume : arrays
        Of the compartment; the rate of elimination is their ratio.
    absorption : array, optional
        The rate at which doses enter from a depot, as from tablets.
    duration : array, optional
        For how long each dose is infused at a constant rate. With neither, a dose is there at once (a bolus).

    Returns
    -------
    array, shape of t broadcast against the parameters

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad.pharmacokinetics import one_compartment
    >>> one_compartment(np.array([1.0, 2.0]), 100.0, clearance=5.0, volume=50.0).round(4)  # 2 exp(-t / 10)
    array([1.8097, 1.6375])
    """
    volume = plain_or_traced(volume)
    return _superposed(t, doses, dose_times, absorption, duration, [1.0 / volume], [clearance / volume])


def two_compartments(
    t: Any,
    doses: Any,
    dose_times: Any = 0.0,
    *,
    clearance: Any,
    volume: Any,
    exchange: Any,
    peripheral_volume: Any,
    absorption: Any = None,
    duration: Any = None,
) -> Any:
    """The concentration in the central one of two compartments after doses; see `one_compartment`.

    Parameters
    ----------
    clearance, volume : arrays
        Of the central compartment, which doses enter.
    exchange : array
        The clearance between the compartments, in both directions.
    peripheral_volume : array
        Of the other one.
    """
    volume = plain_or_traced(volume)
    out, across, back = clearance / volume, exchange / volume, exchange / plain_or_traced(peripheral_volume)
    total = out + across + back
    fast = 0.5 * (total + np.sqrt(total * total - 4.0 * out * back))
    slow = out * back / fast
    weights = [(fast - back) / (volume * (fast - slow)), (back - slow) / (volume * (fast - slow))]
    return _superposed(t, doses, dose_times, absorption, duration, weights, [fast, slow])


def _superposed(
    t: Any, doses: Any, dose_times: Any, absorption: Any, duration: Any, weights: list[Any], rates: list[Any]
) -> Any:
    """The sum over doses and exponentials; the response to a bolus of one is the sum of ``weight * exp(-rate * t)``."""
    if absorption is not None and duration is not None:
        raise SolverError("a dose is absorbed from a depot or infused for a duration, not both; leave one out")
    several = np.ndim(dose_times) > 0

    def along_doses(x: Any) -> Any:
        x = plain_or_traced(x)
        return x[..., None] if several else x

    since = along_doses(t) - plain_or_traced(dose_times)
    given = since > 0.0
    since = np.where(given, since, 0.0)
    total: Any = 0.0
    for weight, rate in zip(weights, rates, strict=True):
        rate = along_doses(rate)
        if absorption is not None:
            ka = along_doses(absorption)
            response = ka * _difference_quotient(since, rate, ka)
        elif duration is not None:
            length = plain_or_traced(duration)
            response = -np.expm1(-rate * np.minimum(since, length)) / (rate * length)
            response = response * np.exp(-rate * np.maximum(since - length, 0.0))
        else:
            response = np.exp(-rate * since)
        total = total + along_doses(weight) * response
    amounts = np.where(given, plain_or_traced(doses) * total, 0.0)
    return np.sum(amounts, axis=-1) if several else amounts


def _difference_quotient(t: Any, a: Any, b: Any) -> Any:
    """``(exp(-a t) - exp(-b t)) / (b - a)``, also where the rates are equal."""
    x = (b - a) * t
    small = np.abs(x) < SMALL
    safe = np.where(small, 1.0, x)
    series = 1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0)))
    return t * np.exp(-a * t) * np.where(small, series, -np.expm1(-safe) / safe)


def solve_with_doses(
    rhs: Callable[..., Any],
    y0: Any,
    ts: Any,
    *args: Any,
    dose_times: Any,
    amounts: Any,
    compartment: int = 0,
    durations: Any = 0.0,
    t0: float = 0.0,
    **options: Any,
) -> Any:
    """Solve ``dy/dt = rhs(t, y, *args)`` with doses added to one of the states, by `ad.odeint` from event to event.

    Parameters
    ----------
    rhs, y0, args
        As for `ad.odeint`.
    ts : array, shape (m,)
        Increasing times from ``t0`` on, data.
    dose_times : array, shape (k,)
        Data. Doses before ``t0`` are left out.
    amounts : float or array, shape (k,)
    compartment : int
        The number of the state that doses are added to.
    durations : float or array, shape (k,)
        Data: for how long each is infused at a constant rate; 0 for a bolus.
    **options
        ``method``, ``rtol``, ``atol`` and ``max_steps`` of `ad.odeint`.

    Returns
    -------
    array, shape (m, n)

    Raises
    ------
    SolverError
        If the times are unknowns or do not increase, and as from `ad.odeint`.
    """
    for name, x in (("ts", ts), ("dose_times", dose_times), ("durations", durations), ("t0", t0)):
        if is_traced(x) or any(is_traced(e) for e in (x if isinstance(x, (list, tuple)) else ())):
            raise SolverError(f"solve_with_doses: {name} has to be data, as it says where the solution is broken off")
    times = np.asarray(ts, dtype=np.float64)
    if times.ndim != 1 or not times.size or np.any(np.diff(times) <= 0) or times[0] < t0:
        raise SolverError("solve_with_doses: ts has to be a vector of times that increase from t0 on")
    begins, lengths = np.broadcast_arrays(np.asarray(dose_times, np.float64), np.asarray(durations, np.float64))
    kept = np.flatnonzero((begins >= t0) & (begins < times[-1]))
    begins, lengths = begins[kept], lengths[kept]
    amounts = getitem(np.broadcast_to(plain_or_traced(amounts), np.shape(dose_times)), kept)
    infused = lengths > 0.0

    # From each event to the next one; times equal to an event belong to the segment that ends there.
    starts = np.unique(np.concatenate([[t0], begins, (begins + lengths)[infused]]))
    starts = starts[starts < times[-1]]
    segment = np.maximum(np.searchsorted(starts, times, side="left") - 1, 0)
    ends = np.append(starts[1:], times[-1])
    counts = np.bincount(segment, minlength=len(starts))
    place = np.arange(len(times)) - np.concatenate([[0], np.cumsum(counts)])[segment]
    rows = np.repeat(ends[:, None], counts.max() + 1, axis=1)
    rows[segment, place] = times

    boluses = (starts[:, None] == begins) & ~infused
    running = (starts[:, None] >= begins) & (starts[:, None] < begins + lengths) & infused
    unit = np.eye(np.shape(y0)[0])[compartment]
    jumps = boluses.astype(float) @ amounts
    inflows = (running / np.where(infused, lengths, 1.0)) @ amounts

    def step(y: Any, x: Any) -> Any:
        start, row, jump, inflow = x

        def with_inflow(t: Any, y: Any, *args: Any) -> Any:
            slopes = rhs(t, y, *args)
            return (np.stack(slopes) if isinstance(slopes, (list, tuple)) else slopes) + inflow * unit

        solution = odeint(with_inflow, y + jump * unit, row, *args, t0=start, **options)
        return solution[-1], solution

    first = as_floats(y0)
    _, solutions = scan(step, first, (starts, rows, jumps, inflows))
    return np.where((times == t0)[:, None], first, solutions[segment, place])
