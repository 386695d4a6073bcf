"""What tests of laws share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad import trees


def _differs(f: Callable[[Any], Any], point: Any, step: float = 1e-3) -> float:
    """How far the gradient is from the slopes of f along random directions, relative to the larger of 1 and these.

    Central differences of three steps are extrapolated: the error is of order step**6.
    """
    rng = np.random.default_rng(0)
    leaves, rebuild, _ = trees.flatten(point)
    leaves = [np.asarray(leaf, dtype=float) for leaf in leaves]
    gradient = trees.flatten(ad.gradient(f, point))[0]
    worst = 0.0
    for _ in range(2):
        direction = [rng.uniform(0.5, 1.0, leaf.shape) * rng.choice([-1.0, 1.0], leaf.shape) for leaf in leaves]

        def along(t: float, direction: Any = direction) -> float:
            return float(f(rebuild(iter([leaf + t * d for leaf, d in zip(leaves, direction, strict=True)]))))

        a, b, c = ((along(h) - along(-h)) / (2.0 * h) for h in (step, step / 2, step / 4))
        b, c = (4 * b - a) / 3, (4 * c - b) / 3
        expected = (16 * c - b) / 15
        found = sum(float(np.sum(g * d)) for g, d in zip(gradient, direction, strict=True))
        worst = max(worst, abs(found - expected) / max(1.0, abs(expected)))
    return worst


@pytest.fixture
def assert_gradient() -> Callable[..., None]:
    """Asserts that the gradient of a scalar function of a tree of arrays is that of its values."""

    def check(f: Callable[[Any], Any], point: Any, tolerance: float = 1e-8) -> None:
        assert _differs(f, point) < tolerance

    return check
