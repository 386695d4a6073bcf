"""Equal rows evaluated once: value and gradient as before, whatever the operations and however rows were selected."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_expit, logsumexp, xlogy

from bayesad.ad.rewrites import rows as module

RNG = np.random.default_rng(20251123)
N, J = 90, 4
X = RNG.integers(0, 2, (N, 3))
Z = RNG.choice([-0.5, 0.0, 1.5], N)
Y = RNG.integers(0, 2, N)
SIGNS = 2.0 * Y - 1.0
G = RNG.integers(0, J, N)
FLAG = Z > 0.0
POINT = RNG.normal(size=24)
ORDER = RNG.permutation(N)
WIDE = np.column_stack([X, Z, SIGNS])


def captures(b):
    p = 1.0 / (1.0 + np.exp(-b[:3]))
    seen = (xlogy(X, p) + xlogy(1 - X, 1.0 - p)).sum(axis=1)
    return np.sum(seen[Y == 1]) + np.sum(np.logaddexp(seen[Y == 0], b[3]))


CASES = {
    "logistic": lambda b: np.sum(log_expit(SIGNS * (X @ b[:3] + b[3]))),
    "poisson": lambda b: np.sum(np.exp(X @ b[:3] + b[3] * Z)),
    "groups": lambda b: np.sum(np.sin(b[:J][G] * Z + b[4])),
    "groups, more often than other data": lambda b: np.sum(np.exp(b[:J][G]) * np.cos(b[4:8][G] * Z)),
    "rows of a matrix of unknowns": lambda b: np.sum(np.sin((np.reshape(b[:12], (4, 3))[G] * X).sum(axis=1))),
    "reductions": lambda b: np.sum(logsumexp(X * b[:3] + b[3:6], axis=1) - np.max(X * b[6:9], axis=1)),
    "one class of several": lambda b: np.sum((X @ np.reshape(b[:9], (3, 3)))[np.arange(N), X[:, 0] + X[:, 1]] ** 2),
    "selected rows": captures,
    "another order": lambda b: np.sum(np.exp(np.sin(X @ b[:3])[ORDER] * Z)),
    "later rows": lambda b: np.sum(np.exp(np.sin(X @ b[:3])[1:] * Z[:-1])),
    "masked": lambda b: np.sum(np.where(FLAG, np.exp(X @ b[:3]), np.sin(b[3] * Z))),
    "cumulative": lambda b: np.sum(np.sin(np.cumsum(np.exp(X * b[:3]), axis=1))),
    "columns": lambda b: np.sum(np.sin(WIDE * b[:5])[:, 1:4] ** 2),
    "new axes": lambda b: np.sum(np.sin(Z[:, None] * b[:3])[:, None, :] ** 2),
    "joined": lambda b: np.sum(np.sin(np.concatenate([X * b[:3], X * b[3:6]], axis=1)) ** 2),
    "reshaped": lambda b: np.sum(np.sin(np.reshape(WIDE[:, :4] * b[:4], (N, 2, 2))) ** 2),
    "transposed": lambda b: np.sum(np.sin(np.transpose(np.reshape(WIDE[:, :4] * b[:4], (N, 2, 2)), (0, 2, 1))) ** 2),
    "part of the axes": lambda b: np.sum(np.exp(np.sum(np.sin(X * b[:3]), axis=0))),
    "negative zeros": lambda b: np.sum(np.arctan2(np.where(FLAG, -0.0, 0.0), b[0] - 9.0) * b[1]),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_stay_and_few_rows_are_left(name, before_and_after):
    pair = before_and_after(CASES[name], POINT, "distinct_rows")
    assert pair.notes and "are distinct" in pair.notes[0] and "test_rows.py:" in pair.notes[0]
    pair.check(POINT)
    pair.check(-0.3 * POINT)
    assert all(node.shape[:1] < (N // 2,) for node in pair.after.nodes)


LEFT_ALONE = {
    "an unknown for each row": lambda b: np.sum(np.sin(b) * np.where(np.arange(24) > 5, 1.0, 2.0)),
    "rows that all differ": lambda b: np.sum(np.exp(np.arange(90.0) / 90.0 * b[0])),
    "rows that depend on each other": lambda b: np.sum(np.cumsum(np.exp(Z * b[0]))),
    "values that are used elsewhere": lambda b: (lambda e: np.sum(e) * np.max(e))(np.exp(Z * b[0])),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_does_not_repeat_stays(name, before_and_after):
    pair = before_and_after(LEFT_ALONE[name], POINT, "distinct_rows")
    assert pair.notes == [] and pair.after is pair.before


def test_rows_whose_hashes_collide_are_not_taken_for_the_same(before_and_after, monkeypatch):
    monkeypatch.setattr(module, "_hashes", lambda keys, n: np.zeros(n, dtype=np.uint64))
    pair = before_and_after(CASES["poisson"], POINT, "distinct_rows")
    assert pair.notes == []


def test_long_data_are_tried_on_their_first_rows(before_and_after, monkeypatch):
    lengths = []
    original = module._hashes
    monkeypatch.setattr(module, "_hashes", lambda keys, n: lengths.append(n) or original(keys, n))
    z = RNG.normal(size=50_000)
    pair = before_and_after(lambda b: np.sum(np.exp(z * b[0])), POINT, "distinct_rows")
    assert pair.notes == [] and lengths == [module.SAMPLE]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 5))
def test_random_discrete_designs(before_and_after, seed, width, levels):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 300))
    x, g = rng.integers(0, levels, (n, width)) / levels, rng.integers(0, 3, n)
    y = rng.integers(0, 2, n)

    def f(q):
        eta = x @ q[:width] + q[width : width + 3][g]
        return np.sum(log_expit((2 * y - 1) * eta)) - np.sum(np.exp(eta))

    point = rng.normal(size=width + 3)
    pair = before_and_after(f, point, "distinct_rows")
    n_distinct = len(np.unique(np.column_stack([x, g]), axis=0))
    assert bool(pair.notes) == (n_distinct <= 0.5 * n)
    pair.check(point)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 800.0, 1e300])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("name", ["logistic", "poisson", "groups", "selected rows"])
def test_values_that_are_not_finite_stay(name, place, value, before_and_after):
    pair = before_and_after(CASES[name], POINT, "distinct_rows")
    point = POINT.copy()
    point[place] = value
    before, after = pair.values(point)
    np.testing.assert_allclose(after, before, rtol=1e-12)
