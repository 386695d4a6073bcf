"""Random programs of small matrices and vectors: derivatives, also in machine code, against the complex step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bayesad import ad

SIZES = (1, 2, 3, 5, 17)
STEP = 1e-30
PROGRAMS = 150
COMPILED = 3  # every third one becomes machine code
Array = np.ndarray

Operation = Callable[[Any, Any, Array, int], Any]
"""Of two arrays that were computed before, a square matrix of constants, and a number that chooses an axis."""

WHERE: dict[str, Callable[[Any, Any], bool]] = {
    "any": lambda x, y: True,
    "matrix": lambda x, y: x.ndim == 2,
    "vectors": lambda x, y: x.ndim == y.ndim == 1,
    "alike": lambda x, y: x.shape == y.shape,
    "product": lambda x, y: x.ndim == y.ndim == 2 and x.shape[1] == y.shape[0],
    "by row": lambda x, y: x.ndim == 2 and y.shape == x.shape[:1],
    "by column": lambda x, y: x.ndim == 2 and y.shape == x.shape[1:],
    "small": lambda x, y: x.ndim == 2 and x.shape[0] <= 5,
}

OPERATIONS: list[tuple[str, Operation]] = [
    ("any", lambda x, y, c, axis: np.tanh(x)),
    ("any", lambda x, y, c, axis: -0.5 * x),
    ("alike", lambda x, y, c, axis: x * y),
    ("alike", lambda x, y, c, axis: x - 2.0 * y),
    ("matrix", lambda x, y, c, axis: x.T),
    ("matrix", lambda x, y, c, axis: np.sum(x, axis=axis)),
    ("matrix", lambda x, y, c, axis: np.log(1.0 + np.sum(np.square(x), axis=axis))),
    ("matrix", lambda x, y, c, axis: np.sum(x) * x),
    ("matrix", lambda x, y, c, axis: np.cumsum(x, axis=axis) / 3.0),
    ("matrix", lambda x, y, c, axis: x[::-1] if axis else np.concatenate([x, 2.0 * x])),
    ("matrix", lambda x, y, c, axis: np.exp(x / 3.0) / np.sum(np.exp(x / 3.0), axis=-1, keepdims=True)),
    ("matrix", lambda x, y, c, axis: np.tanh(c[: x.shape[0], : x.shape[0]] @ x)),
    ("matrix", lambda x, y, c, axis: c[: x.shape[0], : x.shape[1]] * x + 0.3),
    ("product", lambda x, y, c, axis: x @ y),
    ("product", lambda x, y, c, axis: np.tanh(x @ y)),
    ("by row", lambda x, y, c, axis: y[:, None] * x if axis else x + y[:, None]),
    ("by column", lambda x, y, c, axis: x * y if axis else x @ y),
    ("vectors", lambda x, y, c, axis: x[:, None] * y if axis else x[:, None] - y),
    ("small", lambda x, y, c, axis: np.linalg.solve(x @ x.T + 2.0 * np.eye(x.shape[0]), x)),
]


def program(rng: np.random.Generator) -> tuple[Callable[[Any], Any], int]:
    """A function of a vector, and the vector's length."""
    n, m, k = rng.choice(SIZES, 3)
    constants = rng.normal(size=(40, 40))
    plan = [(int(rng.integers(len(OPERATIONS))), *rng.integers(1000, size=2).tolist(), i % 2) for i in range(14)]

    def f(q: Any) -> Any:
        known = [q[: n * m].reshape(n, m), q[n * m : n * m + m * k].reshape(m, k), q[n * m + m * k :]]
        for which, i, j, axis in plan:
            x, y = known[i % len(known)], known[j % len(known)]
            fits, operation = OPERATIONS[which]
            if WHERE[fits](x, y) and x.size * y.size <= 1000:
                known.append(operation(x, y, constants, axis))
        return sum(np.sum(x) + np.sum(np.square(x)) / 5.0 for x in known[-5:]) + np.sum(np.square(q))

    return f, n * m + m * k + k


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_derivatives_of_random_array_programs(seed):
    rng = np.random.default_rng(seed)
    f, length = program(rng)
    q, v = rng.normal(size=(2, length)) / 2.0
    at = f(q)
    expected = np.array([f(q + 1j * STEP * e).imag / STEP for e in np.eye(length)])
    compiled = ad.compile(f)
    scale = max(1.0, np.abs(expected).max())
    found = [ad.value_and_gradient(compiled, q)]
    if seed % COMPILED == 0:
        found.append(compiled.log_density(q).at(q))
    for value, gradient in found:
        assert value == pytest.approx(at, rel=1e-11, abs=1e-11 * scale)
        np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-10 * scale)
    np.testing.assert_allclose(ad.jvp(compiled, q, v)[1], expected @ v, rtol=1e-9, atol=1e-10 * scale * length)
