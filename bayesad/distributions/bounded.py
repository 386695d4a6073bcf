"""Laws on the unit interval."""

from typing import Any

import numpy as np

from bayesad.distributions.base import Distribution, Shape
from bayesad.distributions.domains import Positive
from bayesad.distributions.lazy import special
from bayesad.distributions.supports import UNIT_INTERVAL

__all__ = ["Beta"]


class Beta(Distribution):
    """Beta law with shapes `alpha` and `beta` (Stan: beta)."""

    alpha: Positive
    beta: Positive
    support = UNIT_INTERVAL

    def _log_density(self, x: Any) -> Any:
        return (
            special.xlogy(self.alpha - 1.0, x)
            + special.xlog1py(self.beta - 1.0, -x)
            - special.betaln(self.alpha, self.beta)
        )

    def _draw(self, rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return rng.beta(self.alpha, self.beta, shape)

    def _cdf(self, x: Any) -> Any:
        return special.betainc(self.alpha, self.beta, x)

    def _sf(self, x: Any) -> Any:
        return special.betaincc(self.alpha, self.beta, x)

    def _icdf(self, p: Any) -> Any:
        return special.betaincinv(self.alpha, self.beta, p)

    def _mean(self) -> Any:
        return self.alpha / (self.alpha + self.beta)
