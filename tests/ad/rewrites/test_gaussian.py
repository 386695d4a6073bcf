"""Sums of squares through QR factors: value and gradient as without, at all scales; what is not linear stays."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad.ad.backends.numpy import run
from bayesad.ad.rewrites import rewritten
from bayesad.ad.rewrites.factors import factor
from bayesad.ad.rewrites.groups import joint_groups
from bayesad.ad.simplify import simplify
from bayesad.ad.trace import trace

RNG = np.random.default_rng(20251123)
N, J = 60, 5
X = RNG.normal(size=(N, 3))
Y = RNG.normal(size=N) + 3.0
Z = RNG.normal(size=N)
G = RNG.integers(0, J, N)
H = RNG.integers(0, 3, N)
W = RNG.uniform(0.5, 2.0, N)
DUMMY = (RNG.uniform(size=N) < 0.3).astype(np.int64)
TARGETS = RNG.normal(size=(N, 4))
POINT = RNG.normal(size=40)


def squares(e):
    return np.sum(np.square(e))


def normal(y, mu, sigma):
    return np.sum(-0.5 * ((y - mu) / sigma) ** 2 - np.log(sigma))


def inside_matrix(b):
    mean = np.reshape(np.reshape(X @ b[:3], (6, 10)).T, (60,))
    return squares(Y - mean)


def autoregression(b):
    memory, apart = np.tanh(b[:2]), Y - b[3]
    return squares(apart[2:] - (memory[0] * apart[1:-1] + memory[1] * apart[:-2]))


CASES = {
    "matrix times vector": lambda b: squares(Y - X @ b[:3]),
    "vector times matrix": lambda b: squares(b[:3] @ X.T - Y),
    "columns by hand": lambda b: squares(Y - (b[0] + b[1] * X[:, 0] + b[2] * X[:, 1] + b[3] * X[:, 0] * X[:, 1])),
    "two matrices": lambda b: squares(Y - X[:, :2] @ b[:2] - X[:, 1:] @ b[3:5] - b[7]),
    "sum over columns": lambda b: squares(Y - (X * b[:3]).sum(axis=1)),
    "unknown scale": lambda b: squares((Y - X @ b[:3]) / np.exp(b[3])),
    "scale times residuals": lambda b: squares(np.exp(b[3]) * (Y - X @ b[:3])),
    "precision": lambda b: np.sum(np.square(Y - X @ b[:3]) * np.exp(b[3])),
    "variance": lambda b: np.sum(-np.square(Y - X @ b[:3]) / (2.0 * np.exp(b[3]))),
    "known weights": lambda b: np.sum(W * np.square(Y - X @ b[:3])),
    "known negative weights": lambda b: np.sum(-(W * np.square(Y - X @ b[:3]))),
    "known deviations": lambda b: squares((Y - X @ b[:3]) / W),
    "known deviations and an unknown scale": lambda b: squares((Y - X @ b[:3]) / (W * np.exp(b[3]))),
    "product with itself": lambda b: (Y - X @ b[:3]) @ (Y - X @ b[:3]),
    "integers": lambda b: squares(Y - b[0] - b[1] * DUMMY),
    "product of unknowns": lambda b: squares(Y - b[0] * b[1] * Z - b[1]),
    "ratio of unknowns": lambda b: squares(Y - b[0] / np.exp(b[1]) * Z - b[1]),
    "scaled mean": lambda b: squares(Y - np.exp(b[0]) * (X @ b[1:4] + b[5])),
    "reshaped": inside_matrix,
    "autoregression": lambda b: squares(Y[1:] - b[0] - b[1] * Y[:-1]),
    "autoregression about a mean": autoregression,
    "no constant": lambda b: squares(X @ b[:3]),
    "constant mean": lambda b: normal(Y, b[0], np.exp(b[1])),
    "masked": lambda b: squares((Y - X @ b[:3])[Y > 3.0]),
    "groups": lambda b: squares(Y - b[:J][G]),
    "groups and a slope": lambda b: squares((Y - b[:J][G] - b[7] * Z) / np.exp(b[8])),
    "groups and slopes": lambda b: squares(Y - b[:J][G] - b[J : 2 * J][G] * Z),
    "groups and a matrix": lambda b: squares(Y - X @ b[:3] - b[5 : 5 + J][G]),
    "groups, scaled": lambda b: squares(Y - b[20] - np.exp(b[21]) * b[:J][G]),
    "crossed groups": lambda b: squares(Y - b[:J][G] - b[J : J + 3][H]),
    "crossed groups with slopes": lambda b: squares(Y - b[:J][G] - Z * b[J : J + 3][H]),
    "scales by group": lambda b: squares((Y - b[0] - b[1] * Z) / np.exp(b[2:5])[H]),
    "scales by another group": lambda b: squares((Y - b[5 : 5 + J][G]) / np.exp(b[2:5])[H]),
    "precisions by group": lambda b: np.sum(np.square(Y - b[0] - b[1] * Z) * np.exp(b[2:5])[H]),
    "coefficients by group": lambda b: squares(Y - (X * np.reshape(b[: 3 * J], (J, 3))[G]).sum(axis=1)),
    "several responses": lambda b: squares(TARGETS - X @ np.reshape(b[:12], (3, 4))),
    "several responses with scales": lambda b: squares((TARGETS - X @ np.reshape(b[:12], (3, 4))) / np.exp(b[12:16])),
    "responses as rows": lambda b: squares(TARGETS.T - np.reshape(b[:12], (4, 3)) @ X.T),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_stay_and_no_long_array_is_left(name, before_and_after):
    pair = before_and_after(CASES[name], POINT, "linear_gaussian")
    assert pair.notes
    pair.check(POINT)
    pair.check(30.0 * POINT)
    assert pair.most_elements < N


LEFT_ALONE = {
    "an unknown for each row": lambda b: squares(Y[:40] - b),
    "as many columns as rows": lambda b: squares(Y[:10] - RNG.normal(size=(10, 8)) @ b[:8]),
    "not linear": lambda b: squares(Y - np.exp(b[0] * Z)),
    "groups of one row": lambda b: squares(Y[:40] - b[:40][np.arange(40)[::-1]]),
    "weights of both signs": lambda b: np.sum((W - 1.0) * np.square(Y - b[0])),
    "part of a sum": lambda b: np.sum(np.exp(np.sum(np.square(TARGETS - X @ np.reshape(b[:12], (3, 4))), axis=1))),
    "data that are not finite": lambda b: squares(np.where(Y > 3.0, np.inf, Y) - b[0]),
    "data at the end of the range": lambda b: squares(1e307 * Y - b[0] * 1e307 * Z),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_does_not_pay_or_is_not_linear_stays(name, before_and_after):
    pair = before_and_after(LEFT_ALONE[name], POINT, "linear_gaussian")
    assert pair.notes == [] and pair.after is pair.before


def test_a_note_says_what_became_of_how_many_rows_and_where(before_and_after):
    (note,) = before_and_after(CASES["groups and a slope"], POINT, "linear_gaussian").notes
    assert note.startswith("linear_gaussian: the squares of 60 linear residuals in 5 groups became those of 7 rows")
    assert "test_gaussian.py:" in note


# --- accuracy
def exact(x, y, b, sigma):
    """The sum of squares, and its bound's scale (sum of |column| |unknown|)^2, in 60 digits."""
    with mpmath.workdps(60):
        rows = mpmath.matrix(x.tolist()) * mpmath.matrix(b.tolist())
        total = sum(((mpmath.mpf(v) - rows[i]) / sigma) ** 2 for i, v in enumerate(y.tolist()))
        lengths = np.linalg.norm(np.column_stack([x, y]), axis=0)
        return float(total), float((lengths @ np.append(np.abs(b), 1.0) / sigma) ** 2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([1.0, 1e-3, 1e-8]), st.integers(-120, 120))
def test_the_error_is_that_of_the_residuals_themselves_on_ill_conditioned_designs(seed, width, spread, exponent):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 50))
    base = rng.normal(size=(n, 1))
    x = (base + spread * rng.normal(size=(n, width))) * 10.0 ** rng.integers(-6, 7, width)  # columns nearly parallel
    b = rng.normal(size=width) / np.linalg.norm(x, axis=0)
    y = x @ b + 10.0 ** rng.integers(-6, 1) * rng.normal(size=n)
    x, y, sigma = x * 10.0**exponent, y * 10.0**exponent, 10.0**exponent
    program = simplify(trace(lambda q: squares((y - x @ q) / sigma), b)[0])
    after, notes = rewritten(program, ["linear_gaussian"])
    assert notes
    total, scale = exact(x, y, b, sigma)
    error = abs(float(run(after, b)[0]) - total)
    assert error <= 8 * width * np.finfo(float).eps * np.sqrt(total * scale) + 1e-30 * scale


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_random_grouped_designs(before_and_after, seed, by_group, in_order):
    """Varying intercepts and slopes with common columns and weights, in groups of all sizes."""
    rng = np.random.default_rng(seed)
    n, groups, width = int(rng.integers(60, 200)), int(rng.integers(1, 8)), int(rng.integers(1, 4))
    g = rng.integers(0, groups, n) ** 2 // groups
    g = np.sort(g) if in_order else g
    x, z, y, w = rng.normal(size=(n, width)), rng.integers(-1, 2, n), rng.normal(size=n), rng.uniform(0.1, 9.0, n)

    def f(q):
        alpha, beta, b, sigma = q[:groups], q[groups : 2 * groups], q[-width:], np.exp(q[2 * groups : 3 * groups])
        return squares((y - alpha[g] - z * beta[g] - x @ b) / (w * (sigma[g] if by_group else sigma[0])))

    point = rng.normal(size=3 * groups + width)
    pair = before_and_after(f, point, "linear_gaussian")
    assert pair.notes or n < 6 * groups * (width + 3)
    pair.check(point)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4000), st.integers(1, 300), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_factors_of_groups_of_all_sizes_keep_every_sum_of_squares(n, most, width, seed):
    rng = np.random.default_rng(seed)
    key = np.floor(most * rng.uniform(size=n) ** 3).astype(np.int64)  # many small groups and a few large ones
    rows = rng.normal(size=(n, width))
    heads = int(rng.integers(0, width + 1))
    groups = joint_groups([key] if heads else [], n)
    factors = factor(lambda index: rows[index].copy(), groups, heads, width)
    unknowns = rng.normal(size=(groups.count, width))
    unknowns[:, heads:] = unknowns[0, heads:]
    number = np.searchsorted(np.unique(key), key) if heads else np.zeros(n, dtype=int)
    wanted = np.sum(np.sum(rows * unknowns[number], axis=1) ** 2)
    found = np.sum(np.einsum("ghk,gk->gh", factors.heads, unknowns) ** 2) + np.sum((factors.tail @ unknowns[0]) ** 2)
    assert abs(found - wanted) < 1e-12 * np.sum(np.sum(np.abs(rows * unknowns[number]), axis=1) ** 2)
    assert all(np.all(factors.heads[:, i, :i] == 0.0) for i in range(heads))
    assert len(factors.tail) <= width - heads and np.all(factors.tail[:, :heads] == 0.0)


# --- values that are not finite
def log_density(b):
    return normal(Y, b[0] + b[1] * Z + b[2] * DUMMY, np.exp(b[3]))


def grouped_log_density(b):
    return normal(Y, b[:J][G] + b[J : 2 * J][G] * Z, np.exp(b[3]))


EDGES = [{place: value} for place in (0, 1, 2, 3, 6) for value in (np.inf, -np.inf, np.nan, 1e160, 800.0, -800.0)]
EDGES += [{3: 400.0, 0: 1e160}, {3: -400.0}]


@pytest.mark.parametrize("f", [log_density, grouped_log_density])
@pytest.mark.parametrize("places", EDGES, ids=str)
def test_values_that_are_not_finite_stay(f, places, before_and_after):
    pair = before_and_after(f, POINT, "linear_gaussian")
    assert pair.notes
    point = POINT.copy()
    point[list(places)] = list(places.values())
    before, after = pair.values(point)
    np.testing.assert_allclose(after, before, rtol=1e-12)
