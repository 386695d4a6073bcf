"""Markov chains of states 0 … K-1, by themselves and behind observations (hidden Markov models)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.domains import SimplexVector, StochasticMatrix, as_float
from bayesad.distributions.lazy import special
from bayesad.distributions.numerics import safe_log
from bayesad.distributions.paths import beyond, chosen_rows, draw_label, draw_paths, filtered
from bayesad.distributions.series import Series
from bayesad.distributions.supports import REAL, Support, interior
from bayesad.errors import DistributionError

__all__ = ["DiscreteMarkovChain", "HiddenMarkov"]


class _Chain(Series):
    """What laws over a Markov chain share: where it starts and how it goes on."""

    initial: SimplexVector
    transition: StochasticMatrix

    def _validate(self) -> None:
        states, shape = self.initial.shape[-1], np.shape(self.transition)
        if shape[-1] != states:
            raise DistributionError(
                f"{self._name}: initial has {states} states, but transition has the shape {shape}; it must end with "
                f"({states}, {states})."
            )

    def _batch_shapes(self) -> dict[str, Shape]:
        return {**super()._batch_shapes(), "transition": np.shape(self.transition)[:-3]}

    @property
    def _length(self) -> int | None:
        """T, if there is a matrix for each step."""
        varying = np.ndim(self.transition) > 2 and self.transition.shape[-3] != 1
        return self.transition.shape[-3] + 1 if varying else None

    @derived
    def _log_initial(self) -> Any:
        return safe_log(self.initial)

    @derived
    def _log_transition(self) -> Any:
        """Shape (..., T-1 or 1, K, K)."""
        table = safe_log(self.transition)
        return table[None] if table.ndim == 2 else table

    def _draw_states(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        """Paths from the chain itself, shape (..., T)."""
        start, steps = np.asarray(self._log_initial), np.asarray(self._log_transition)
        states = np.empty(shape, dtype=np.int64)
        for t in range(shape[-1]):
            if t == 0:
                logits = np.broadcast_to(start, (*shape[:-1], start.shape[-1]))
            else:
                matrix = steps[..., min(t - 1, steps.shape[-3] - 1), :, :]
                logits = chosen_rows(np.broadcast_to(matrix, (*shape[:-1], *matrix.shape[-2:])), states[..., t - 1])
            states[..., t] = draw_label(rng, logits)
        return states


class DiscreteMarkovChain(_Chain):
    """A path through states 0 … K-1: one value is the vector of the states at times 0 … T-1.

    Parameters
    ----------
    initial : array, shape (..., K)
        Probabilities of the first state.
    transition : array, shape (K, K) or (..., T-1, K, K)
        Row i holds the probabilities of the next state after state i. With three or more axes there is a matrix for
        each step; an axis of length 1 there serves all steps.
    """

    @property
    def support(self) -> Support:
        return Support("integer", 0, self.initial.shape[-1] - 1)

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        return (self._length,)

    def _steps(self, x: Any) -> Sequence[Any]:
        states = x.astype(np.int64) if ad.is_traced(x) else np.asarray(x, dtype=np.int64)
        start, steps = self._log_initial, self._log_transition
        batch = np.broadcast_shapes(self.batch_shape, states.shape[:-1])
        states = np.broadcast_to(states, (*batch, states.shape[-1]))
        grid = np.indices(batch, sparse=True)
        first = np.broadcast_to(start, (*batch, start.shape[-1]))[(*grid, states[..., 0])]
        if states.shape[-1] == 1:
            return (first[..., None],)
        grid = np.indices((*batch, states.shape[-1] - 1), sparse=True)
        steps = np.broadcast_to(steps, (*batch, states.shape[-1] - 1, *steps.shape[-2:]))
        return first[..., None], steps[(*grid, states[..., :-1], states[..., 1:])]

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._draw_states(rng, shape)


class HiddenMarkov(_Chain):
    """Observations that depend on the state of a Markov chain which is not seen (Stan: hmm_marginal).

    The states are summed out by the forward algorithm in log space, O(T K²) (Rabiner 1989, Proc. IEEE 77, III.A).

    Parameters
    ----------
    initial : array, shape (..., K)
        Probabilities of the first state.
    transition : array, shape (K, K) or (..., T-1, K, K)
        Row i holds the probabilities of the next state after state i. With three or more axes there is a matrix for
        each step; an axis of length 1 there serves all steps.
    log_emission : distribution or array
        A distribution: the law of one observation in each state. The last axis of its batch shape is the state, the one
        before it, if any, is time (length T, or 1). A value is a sequence of T observations; NaN marks those that are
        missing, which are integrated out.

        An array of shape (..., T, K): the log density of the observation at each time in each state, evaluated already.
        A row of zeros is a missing observation. ``log_prob()`` then needs no value; one that is given (``obs=y``) is
        what the densities are of, and only its length counts.

    Leading axes are those of independent sequences; shorter ones are filled up with NaN (or rows of zeros).

    Examples
    --------
    >>> from bayesad.distributions import Normal
    >>> law = HiddenMarkov([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], Normal([0.0, 3.0], 1.0))
    >>> law.most_likely_states([0.1, -0.3, 2.9, 3.3]).tolist()
    [0, 0, 1, 1]
    """

    log_emission: Any
    support = REAL
    integrates_missing = True

    def _validate(self) -> None:
        super()._validate()
        if not isinstance(self.log_emission, Distribution):
            try:
                self.__dict__["log_emission"] = as_float(self.log_emission)
            except (TypeError, ValueError):
                raise DistributionError(
                    f"HiddenMarkov: log_emission must be a distribution or an array of shape (..., T, K); got "
                    f"{self.log_emission!r:.60}."
                ) from None
        shape, states = self._emission_shape, self.initial.shape[-1]
        least = 1 if self._law is not None else 2
        if len(shape) < least or shape[-1] != states:
            what = "an array" if self._law is None else "the batch shape of a law"
            raise DistributionError(
                f"HiddenMarkov: log_emission has the shape {shape}; {what} must end with "
                f"{('T, ' if least == 2 else '')}{states}, the number of states that initial has."
            )
        lengths = {n for n in (self._length, self._emission_length) if n is not None}
        if len(lengths) > 1:
            raise DistributionError(
                f"HiddenMarkov: transition has a matrix for each step between {self._length} observations, but "
                f"log_emission is for {self._emission_length}."
            )

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        return (self._emission_length or self._length, *(() if self._law is None else self._law.event_shape))

    def log_prob(self, x: Any = None) -> Any:
        """The log density of the sequence(s), all paths of states added up.

        Parameters
        ----------
        x : array, shape (..., T, *event)
            Not needed where log_emission is an array.
        """
        if x is None:
            return self._marginal(self._table(None))
        return super().log_prob(x)

    def one_step_ahead(self, x: Any = None) -> Any:
        """log p(x_t | x_1, …, x_(t−1)) for each time, shape (..., T); see `Series`.

        Parameters
        ----------
        x : array, shape (..., T, *event)
            Not needed where log_emission is an array.
        """
        if x is not None:
            return super().one_step_ahead(x)
        (found,) = self._steps(None)
        return found

    def state_probabilities(self, x: Any = None) -> Any:
        """P(state at t | all observations), shape (..., T, K), by the forward-backward algorithm."""
        table = self._table(x)
        ahead = filtered(self._log_initial, self._log_transition, table)[1]
        return special.softmax(ahead + beyond(self._log_transition, table), axis=-1)

    def sample_states(self, rng: np.random.Generator, x: Any = None) -> np.ndarray:
        """A path of states given all observations, int64 of shape (..., T), by forward filtering, backward sampling."""
        ahead = filtered(self._log_initial, self._log_transition, self._table(x))[1]
        return draw_paths(rng, np.asarray(ahead), np.asarray(self._log_transition))

    def most_likely_states(self, x: Any = None) -> np.ndarray:
        """The most probable path given all observations, int64 of shape (..., T) (Viterbi 1967)."""
        table, steps = np.asarray(self._table(x)), np.asarray(self._log_transition)
        best = np.asarray(self._log_initial) + table[..., 0, :]
        came_from = []
        for t in range(1, table.shape[-2]):
            routes = best[..., :, None] + steps[..., min(t - 1, steps.shape[-3] - 1), :, :]
            came_from.append(routes.argmax(axis=-2))
            best = routes.max(axis=-2) + table[..., t, :]
        path = [best.argmax(axis=-1)]
        for previous in reversed(came_from):
            path.append(chosen_rows(np.broadcast_to(previous, best.shape)[..., None], path[-1])[..., 0])
        return np.stack(path[::-1], axis=-1)

    # --- the parts
    def _log_density(self, x: Any) -> Any:
        return self._marginal(self._table(x))

    def _steps(self, x: Any) -> Sequence[Any]:
        upto = special.logsumexp(filtered(self._log_initial, self._log_transition, self._table(x))[1], axis=-1)
        later = np.where(upto[..., 1:] > -np.inf, upto[..., 1:] - upto[..., :-1], -np.inf)
        return (np.concatenate([upto[..., :1], later], axis=-1),)

    def _marginal(self, table: Any) -> Any:
        last, _ = filtered(self._log_initial, self._log_transition, table)
        return special.logsumexp(last, axis=-1)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        if self._law is None:
            raise DistributionError(
                "HiddenMarkov: there is no law to draw observations from; give the law of an observation in each state "
                "instead of its log density, as in HiddenMarkov(initial, transition, Normal(mu, sigma))."
            )
        event = len(self._law.event_shape)
        lead = shape[: len(shape) - event]
        states = self._draw_states(rng, lead)
        each = self._law.draw(rng, (*lead, self.initial.shape[-1], *shape[len(shape) - event :]))
        return chosen_rows(each.reshape(*lead, self.initial.shape[-1], -1), states).reshape(shape)

    @property
    def _law(self) -> Distribution | None:
        return self.log_emission if isinstance(self.log_emission, Distribution) else None

    @property
    def _emission_shape(self) -> Shape:
        return np.shape(self.log_emission) if self._law is None else self._law.batch_shape

    @property
    def _emission_length(self) -> int | None:
        """T as far as the emissions say."""
        shape = self._emission_shape
        return None if len(shape) < 2 or (self._law is not None and shape[-2] == 1) else shape[-2]

    def _batch_shapes(self) -> dict[str, Shape]:
        emission = self.log_emission
        shape = emission.batch_shape if isinstance(emission, Distribution) else np.shape(emission)
        return {**super()._batch_shapes(), "log_emission": shape[:-2]}

    def _table(self, x: Any) -> Any:
        """Log densities of the observations in each state, shape (..., T, K), 0 where missing."""
        if self._law is None:
            return self.log_emission
        if x is None:
            raise DistributionError("HiddenMarkov: the observations are needed where log_emission is a distribution.")
        law, x = self._law, as_float(x)
        events = tuple(range(-len(law.event_shape), 0))
        entries = np.isnan(x)
        missing = entries.any(axis=events) if events else entries
        if not ad.is_traced(missing) and events and (missing != entries.all(axis=events)).any():
            raise DistributionError(
                "HiddenMarkov: an observed vector is NaN in part; mark all of its entries as missing, or none."
            )
        x = np.expand_dims(x, -1 - len(events))
        if not ad.is_traced(missing) and not missing.any():
            return law.log_prob(x)
        filled = interior(law.support, x, missing[..., None][(..., *[None] * (len(events) - law.support.event_ndim))])
        return np.where(missing[..., None], 0.0, law.log_prob(filled))
