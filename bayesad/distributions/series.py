"""What laws of series share: their length, and their density as a product over time."""

import functools
import operator
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution
from bayesad.distributions.domains import check_size
from bayesad.errors import DistributionError

__all__ = ["Event", "Series", "require_length", "series_length"]

Event = tuple[int | None, ...]


class Series(Distribution):
    """A law of series (time is the first event axis), whose density is that of each value given those before it."""

    factorises = True

    @abstractmethod
    def _steps(self, x: Any) -> Sequence[Any]:
        """Log densities given the past: arrays with time as their last axis, which follow each other in time."""

    def _log_density(self, x: Any) -> Any:
        return functools.reduce(operator.add, [part.sum(axis=-1) for part in self._steps(x)])

    @np.errstate(all="ignore")
    def one_step_ahead(self, x: Any) -> Any:
        """log p(x_t | x_1, …, x_(t−1)) for each time: the terms whose sum is `log_prob`.

        They are what predictions one step ahead are judged by, as in leave-future-out validation (Bürkner, Gabry &
        Vehtari 2020, J. Stat. Comput. Simul. 90(14)).

        Parameters
        ----------
        x : array or traced array, shape (..., time, *)
            Inside the support.

        Returns
        -------
        array or traced array, shape (..., time)
            Values that the law only conditions on have no term, and values that it has a joint law of have one together
            (the first ones of an `AR` without initial law, or with one of vectors).
        """
        x = self._value(x)
        lead = np.broadcast_shapes(self.batch_shape, x.shape[: x.ndim - self.event_ndim])
        return np.concatenate([np.broadcast_to(part, (*lead, part.shape[-1])) for part in self._steps(x)], axis=-1)


def series_length(law: Any, varying: int | None) -> int | None:
    """The length of a series from its argument and that of what varies over time, which must agree."""
    if law.length is not None:
        check_size(law._name, law.length, "length")
        if varying not in (None, law.length):
            raise DistributionError(
                f"{law._name}: length={law.length}, but a parameter varies over a series of length {varying}."
            )
        return law.length
    return varying


def require_length(law: Distribution) -> int:
    """The length of the series of a law; DistributionError where the value decides."""
    length = law.event_shape[0]
    if length is None:
        raise DistributionError(f"{law._name} does not know how long its values are; give length=.")
    return length
