"""Laws that are another law in other parameters."""

from abc import abstractmethod
from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape, derived
from bayesad.distributions.supports import Support

__all__ = ["Reparametrised"]


class Reparametrised(Distribution):
    """A law that is `_law()` in other parameters: the one thing that a subclass says besides those."""

    @abstractmethod
    def _law(self) -> Distribution:
        """The same law in the parameters that its formulas are written in."""

    @derived
    def _same(self) -> Distribution:
        return self._law()

    @property
    def support(self) -> Support:
        return self._same.support

    @property
    def event_shape(self) -> tuple[int | None, ...]:
        return self._same.event_shape

    @property
    def has_cdf(self) -> bool:
        return self._same.has_cdf

    def _log_density(self, x: Any) -> Any:
        return self._same._log_density(x)

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return self._same._draw(rng, shape)

    def _cdf(self, x: Any) -> Any:
        return self._same._cdf(x)

    def _sf(self, x: Any) -> Any:
        return self._same._sf(x)

    def _log_cdf(self, x: Any) -> Any:
        return self._same._log_cdf(x)

    def _log_sf(self, x: Any) -> Any:
        return self._same._log_sf(x)

    def _icdf(self, p: Any) -> Any:
        return self._same._icdf(p)

    def _mean(self) -> Any:
        return self._same._mean()
