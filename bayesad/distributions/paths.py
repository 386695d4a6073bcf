"""Recursions over the states of Markov chains: forward, backward, and paths drawn backwards (Rabiner 1989, III)."""

from typing import Any

import numpy as np

from bayesad.ad.scan import scan
from bayesad.distributions.lazy import special

__all__ = ["beyond", "chosen_rows", "draw_label", "draw_paths", "filtered"]


def filtered(log_initial: Any, log_transition: Any, log_emission: Any) -> tuple[Any, Any]:
    """The forward pass: log p(observations up to t, state at t).

    Parameters
    ----------
    log_initial : array, shape (..., K)
    log_transition : array, shape (..., T-1 or 1, K, K)
    log_emission : array, shape (..., T, K)

    Returns
    -------
    last : array, shape (..., K)
        At the last time.
    all : array, shape (..., T, K)
    """

    def step(before: Any, matrix: Any, seen: Any) -> Any:
        return special.logsumexp(before[..., :, None] + matrix, axis=-2) + seen

    batch = np.broadcast_shapes(log_initial.shape[:-1], log_transition.shape[:-3], log_emission.shape[:-2])
    seen = np.moveaxis(np.broadcast_to(log_emission, (*batch, *log_emission.shape[-2:])), -2, 0)
    last, later = _passed(step, log_initial + seen[0], log_transition, seen[1:])
    every = np.concatenate([(log_initial + seen[0])[None], later])
    return last, np.moveaxis(every, 0, -2)


def beyond(log_transition: Any, log_emission: Any) -> Any:
    """The backward pass: log p(observations after t | state at t), shape (..., T, K)."""

    def step(after: Any, matrix: Any, seen: Any) -> Any:
        return special.logsumexp(matrix + (after + seen)[..., None, :], axis=-1)

    batch = np.broadcast_shapes(log_transition.shape[:-3], log_emission.shape[:-2])
    seen = np.moveaxis(np.broadcast_to(log_emission, (*batch, *log_emission.shape[-2:])), -2, 0)
    end = np.zeros((*batch, seen.shape[-1]))
    _, earlier = _passed(step, end, log_transition, seen[1:], reverse=True)
    return np.moveaxis(np.concatenate([earlier, end[None]]), 0, -2)


def _passed(step: Any, carry: Any, log_transition: Any, seen: Any, reverse: bool = False) -> tuple[Any, Any]:
    """Step from time to time, with one matrix for all steps or one for each."""
    if log_transition.shape[-3] == 1:
        matrix = log_transition[..., 0, :, :]
        return scan(lambda c, x: (new := step(c, matrix, x), new), carry, seen, reverse=reverse)
    matrices = np.moveaxis(log_transition, -3, 0)
    return scan(lambda c, x: (new := step(c, *x), new), carry, (matrices, seen), reverse=reverse)


def draw_paths(rng: np.random.Generator, ahead: np.ndarray, log_transition: np.ndarray) -> np.ndarray:
    """Paths of states given all observations, int64 of shape (..., T): backward sampling after the forward pass."""
    states = np.empty(ahead.shape[:-1], dtype=np.int64)
    for t in range(ahead.shape[-2] - 1, -1, -1):
        logits = ahead[..., t, :]
        if t + 1 < ahead.shape[-2]:
            matrix = np.swapaxes(log_transition[..., min(t, log_transition.shape[-3] - 1), :, :], -1, -2)
            matrix = np.broadcast_to(matrix, (*states.shape[:-1], *matrix.shape[-2:]))
            logits = logits + chosen_rows(matrix, states[..., t + 1])
        states[..., t] = draw_label(rng, logits)
    return states


def chosen_rows(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    """table[..., index, :] for an index at each leading position."""
    return np.take_along_axis(table, index[..., None, None], axis=-2)[..., 0, :]


def draw_label(rng: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    """A label for each leading position, with probabilities proportional to exp(logits)."""
    with np.errstate(divide="ignore"):
        return (logits - np.log(rng.standard_exponential(logits.shape))).argmax(axis=-1)
