"""Densities with known answers, as machine code, for the samplers to draw from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from bayesad.ad.backends.llvm.kernel import Float, Floats, LogDensityPointer, compile_kernel


def normal(context: Floats, q: Floats, gradient: Floats) -> Float:
    """Normal with precision H diag(w) H, H the reflection I - 2 v v'; context: d, v, w."""
    d = int(context[0])
    v = context[1:]
    w = context[d + 1 :]
    along = 0.0
    for i in range(d):
        along += 2.0 * v[i] * q[i]
    back = 0.0
    total = 0.0
    for i in range(d):
        y = q[i] - along * v[i]
        total += w[i] * y * y
        gradient[i] = -w[i] * y
        back += 2.0 * v[i] * gradient[i]
    for i in range(d):
        gradient[i] -= back * v[i]
    return -0.5 * total


def student_t(context: Floats, q: Floats, gradient: Floats) -> Float:
    """Independent Student t; context: d, nu."""
    nu = context[1]
    total = 0.0
    for i in range(int(context[0])):
        total += math.log1p(q[i] * q[i] / nu)
        gradient[i] = -(nu + 1.0) * q[i] / (nu + q[i] * q[i])
    return -0.5 * (nu + 1.0) * total


def log_gamma(context: Floats, q: Floats, gradient: Floats) -> Float:
    """Logarithms of independent gamma variates with rate 1; context: d, shapes."""
    total = 0.0
    for i in range(int(context[0])):
        x = math.exp(min(q[i], 700.0))
        total += context[1 + i] * q[i] - x
        gradient[i] = context[1 + i] - x
    return total


def funnel(context: Floats, q: Floats, gradient: Floats) -> Float:
    """Neal's funnel: q[0] ~ N(0, 3), the others N(0, exp(q[0] / 2)); context: d."""
    d = int(context[0])
    precision = math.exp(min(-q[0], 700.0))
    squares = 0.0
    for i in range(1, d):
        squares += q[i] * q[i]
        gradient[i] = -q[i] * precision
    others = float(d - 1)
    gradient[0] = -q[0] / 9.0 - 0.5 * others + 0.5 * squares * precision
    return -q[0] * q[0] / 18.0 - 0.5 * others * q[0] - 0.5 * squares * precision


def quartic(context: Floats, q: Floats, gradient: Floats) -> Float:
    """A curved density without symmetry: -(q0^4 + q1^2 (1 + q0^2)) / 4 + q0 q1 / 2 + q0 / 3."""
    x = q[0]
    y = q[1]
    gradient[0] = -(4.0 * x * x * x + 2.0 * x * y * y) / 4.0 + y / 2.0 + 1.0 / 3.0
    gradient[1] = -2.0 * y * (1.0 + x * x) / 4.0 + x / 2.0
    return -(x * x * x * x + y * y * (1.0 + x * x)) / 4.0 + x * y / 2.0 + x / 3.0


def cliff(context: Floats, q: Floats, gradient: Floats) -> Float:
    """The quartic density, but for one point, where it is lower; context: that point, by how much."""
    below = context[2] if q[0] == context[0] and q[1] == context[1] else 0.0
    return quartic(context, q, gradient) - below


@dataclass(frozen=True)
class Target:
    """A density for kernels and for Python."""

    function: Callable[..., float]
    context: np.ndarray
    dimension: int

    @property
    def pointer(self) -> LogDensityPointer:
        kernel = compile_kernel(self.function)
        return LogDensityPointer(kernel.address, self.context.ctypes.data, (kernel, self.context))

    def __call__(self, q: np.ndarray, gradient: np.ndarray) -> float:
        return float(self.function(self.context, q, gradient))


class Targets:
    """Makes densities."""

    @staticmethod
    def normal(variances: Sequence[float], *, reflected: bool = False) -> tuple[Target, np.ndarray]:
        """A normal with these eigenvalues of its covariance, which is returned too; independent unless reflected."""
        variances = np.asarray(variances, dtype=float)
        d = len(variances)
        v = np.random.default_rng(1).normal(size=d) if reflected else np.zeros(d)
        v /= np.linalg.norm(v) or 1.0
        reflection = np.eye(d) - 2.0 * np.outer(v, v)
        return Target(normal, np.concatenate([[d], v, 1.0 / variances]), d), reflection @ np.diag(
            variances
        ) @ reflection

    @staticmethod
    def student_t(d: int, nu: float) -> Target:
        return Target(student_t, np.array([d, nu], dtype=float), d)

    @staticmethod
    def log_gamma(shapes: Sequence[float]) -> Target:
        return Target(log_gamma, np.array([len(shapes), *shapes], dtype=float), len(shapes))

    @staticmethod
    def funnel(d: int) -> Target:
        return Target(funnel, np.array([float(d)]), d)

    @staticmethod
    def cliff(point: Sequence[float], height: float) -> Target:
        return Target(cliff, np.array([*point, height]), 2)

    @staticmethod
    def quartic() -> Target:
        return Target(quartic, np.zeros(1), 2)


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """Machine code made by these tests stays out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAYESAD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def targets() -> type[Targets]:
    return Targets


def worst_z(per_chain: np.ndarray, truth: np.ndarray | float) -> tuple[float, float]:
    """The largest |t| of the chains' averages against the truth, and its limit at a false-alarm rate of 1e-5.

    `per_chain` has one average per chain and quantity. Chains are independent, so each t has Student's distribution but
    for the skewness of an average; the limit allows for the number of quantities (Bonferroni).
    """
    n = len(per_chain)
    averages = per_chain.reshape(n, -1)
    error = averages.std(axis=0, ddof=1) / math.sqrt(n)
    t = np.abs(averages.mean(axis=0) - np.ravel(truth)) / error
    return float(t.max()), float(stats.t.isf(0.5e-5 / averages.shape[1], n - 1))


@pytest.fixture(scope="session")
def within_monte_carlo_error() -> Callable[..., None]:
    def check(per_chain: np.ndarray, truth: np.ndarray | float) -> None:
        largest, limit = worst_z(np.asarray(per_chain), truth)
        assert largest < limit

    return check
