"""What the tests of rewrites share: a program before and after, by the NumPy interpreter."""

from dataclasses import dataclass

import numpy as np
import pytest

from bayesad.ad.backends.numpy import run
from bayesad.ad.program import Program
from bayesad.ad.reverse import reverse
from bayesad.ad.rewrites import rewritten
from bayesad.ad.simplify import simplify
from bayesad.ad.trace import trace


def value_and_gradient(program, x):
    value, gradient = run(simplify(reverse(program, [0], [np.float64(1.0)])), x)
    return float(value), np.asarray(gradient)


@dataclass
class Pair:
    """A program as traced and simplified, and the same after rewrites."""

    before: Program
    after: Program
    notes: list[str]

    def check(self, x, tolerance=1e-12):
        """Value and gradient at x agree, relative to the value and to the largest element of the gradient."""
        (value, gradient), (new, new_gradient) = (value_and_gradient(p, x) for p in (self.before, self.after))
        assert np.isfinite(value) and np.all(np.isfinite(gradient))
        assert abs(new - value) <= tolerance * abs(value)
        assert np.max(np.abs(new_gradient - gradient)) <= tolerance * np.max(np.abs(gradient))

    def values(self, x):
        return float(run(self.before, x)[0]), float(run(self.after, x)[0])

    @property
    def most_elements(self):
        """Elements of the largest array that the rewritten program computes or reads."""
        nodes = [*self.after.nodes, *self.after.constants]
        return max(node.size for node in nodes)


@pytest.fixture(scope="session")
def before_and_after():
    """``before_and_after(f, x, *names)``: f of one vector, traced at x, without and with the named rewrites."""

    def make(f, x, *names):
        before = simplify(trace(f, np.asarray(x, dtype=float))[0])
        after, notes = rewritten(before, names)
        return Pair(before, after, notes)

    return make
