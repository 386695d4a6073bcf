"""Sums taken term by term: value and gradient as before, fewer elements under the sum, values not finite as before."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_expit

from bayesad.ad.rewrites.sums import term_by_term

RNG = np.random.default_rng(20251123)
N, J = 80, 6
X = RNG.normal(size=(N, 3))
POSITIVE = RNG.uniform(0.5, 2.0, N)
Y = RNG.poisson(2.0, N)
G = RNG.integers(0, J, N)
T = RNG.normal(size=(N, 4))
POINT = RNG.normal(size=90)
SHORT = RNG.normal(size=(10, 8))


def poisson(b):
    eta = X @ b[:3]
    return np.sum(Y * eta - np.exp(eta))


CASES = {
    "data": (lambda b: np.sum(np.sin(b[:N]) - POSITIVE), "data"),
    "data first": (lambda b: np.sum(POSITIVE - np.sin(b[:N])), "data"),
    "linear statistics": (poisson, "a term linear in 3 unknowns"),
    "with offset": (lambda b: np.sum(Y * (X @ b[:3] + POSITIVE) - np.exp(X @ b[:3])), "a term linear in 3 unknowns"),
    "dot product": (lambda b: Y.astype(float) @ (X @ b[:3]) - np.sum(np.exp(X @ b[:3])), "a term linear in 3 unknowns"),
    "gathered": (lambda b: np.sum(np.square(b[:N]) - np.exp(b[80:86])[G]), "a term linear in 6 unknowns"),
    "gathered and weighted": (lambda b: np.sum(b[80:86][G] * POSITIVE), "a term linear in 6 unknowns"),
    "scaled": (lambda b: np.sum(np.exp(b[80]) * b[81:87][G] * POSITIVE / np.exp(b[82])), "a term linear in 6 unknowns"),
    "divided by unknowns": (lambda b: np.sum(POSITIVE / np.exp(b[80:86])[G]), "a term linear in 6 unknowns"),
    "products of two": (lambda b: np.sum(b[80:86][G] * b[81:83][G % 2] * X[:, 0]), "a term linear in 6 unknowns"),
    "repeated rows": (lambda b: np.sum(np.sin(np.reshape(b[:40], (10, 4)))[:, None] + b[40:44]), "a term that repeats"),
    "repeated along one axis": (
        lambda b: np.sum(np.cos(np.sum(np.sin(T + b[0]) + np.exp(b[1:5]), axis=0))),
        "a term that repeats",
    ),
    "repeated along the first axis": (
        lambda b: np.sum(np.cos(np.sum(np.sin(T + b[0]) - np.exp(np.reshape(b[:80], (80, 1))), axis=1))),
        "a term that repeats",
    ),
    "data times what repeats": (
        lambda b: np.sum(np.cos(np.sum(T * np.exp(b[1:5]), axis=0))),
        "a term that repeats",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_stay(name, before_and_after):
    f, what = CASES[name]
    pair = before_and_after(f, POINT, "term_by_term")
    assert pair.notes and what in pair.notes[0] and "test_sums.py:" in pair.notes[0]
    for scale in (1.0, -3.0, 1e-3):
        pair.check(scale * POINT)


def test_data_that_were_summed_are_not_read(before_and_after):
    pair = before_and_after(poisson, POINT, "term_by_term")
    assert sorted(node.shape for node in pair.after.constants if node.ndim) == [(3,), (3,), (80, 3)]


LEFT_ALONE = {
    "an unknown for each element": lambda b: np.sum(POSITIVE * b[:N]),
    "nearly as many unknowns": lambda b: np.sum(SHORT @ b[:8] - np.exp(SHORT @ b[8:16])),
    "unknowns alone": lambda b: np.sum(np.sin(b[:N])),
    "one nonlinear term": lambda b: np.sum(np.exp(X @ b[:3])),
    "terms that are used elsewhere": lambda b: (lambda e: np.sum(np.exp(e)) * np.max(e))(X @ b[:3] + b[5]),
    "few elements": lambda b: np.sum(X[:4, 0] * b[0] - np.exp(b[1:5])),
    "data that are not finite": lambda b: np.sum(np.where(POSITIVE > 1.0, np.inf, 1.0) * b[80:86][G]),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_does_not_pay_stays(name, before_and_after):
    pair = before_and_after(LEFT_ALONE[name], POINT, "term_by_term")
    assert pair.notes == [] and pair.after is pair.before


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-8, 8))
def test_random_generalised_linear_models(before_and_after, seed, exponent):
    rng = np.random.default_rng(seed)
    n, width, groups = int(rng.integers(60, 200)), int(rng.integers(1, 4)), int(rng.integers(1, 6))
    x = rng.normal(size=(n, width)) * 10.0 ** rng.integers(-4, 5, width)
    weights = rng.normal(size=n) * 10.0**exponent
    g, counts = rng.integers(0, groups, n), rng.poisson(3.0, n)
    scales = np.linalg.norm(x, axis=0) / np.sqrt(n)

    def f(q):
        eta = x @ (q[:width] / scales) + q[width:][g]
        return np.sum(counts * eta - np.exp(eta)) + np.sum(weights * eta - log_expit(eta))

    q = rng.normal(size=width + groups)
    pair = before_and_after(f, q, "term_by_term")
    assert len(pair.notes) == 2
    value, after = pair.values(q)
    size = np.sum((counts + np.abs(weights)) * (np.abs(x) @ np.abs(q[:width] / scales) + np.abs(q[width:][g])))
    assert abs(after - value) <= 1e-14 * (size + abs(value))  # the terms cancel: relative to their sizes


EDGES = [{place: value} for place in range(8) for value in (np.inf, -np.inf, np.nan, 1e300, -1e300, 800.0)]


def counted(b):
    scale = np.exp(b[:4])[G % 4]
    return np.sum(-0.5 * np.square(np.sin(b[10:])) - np.log(scale) - 0.5)


def signed(b):
    return np.sum(
        np.square(np.sin(b[10:])) + POSITIVE * b[0] + X[:, 0] * b[1] + (POSITIVE > 1.0) * b[2] + b[4:8][G % 4]
    )


def exponential(b):
    eta = b[0] + X[:, 0] * b[1] + b[4:8][G % 4]
    return np.sum(POSITIVE * eta - np.exp(eta))


@pytest.mark.parametrize("f", [counted, signed, exponential])
@pytest.mark.parametrize("places", EDGES, ids=str)
def test_values_that_are_not_finite_stay(f, places, before_and_after):
    pair = before_and_after(f, POINT, "early_work", "term_by_term")
    assert any(note.startswith("term_by_term") for note in pair.notes)
    point = POINT.copy()
    point[list(places)] = list(places.values())
    before, after = pair.values(point)
    np.testing.assert_allclose(after, before, rtol=1e-12)


def test_totals_over_groups_are_accurate(before_and_after):
    """Naive accumulation over 10^5 elements would lose four digits."""
    weights = RNG.uniform(0.0, 1.0, 100_000)
    g = np.arange(100_000) % 2
    pair = before_and_after(lambda b: np.sum(weights * b[:2][g]), np.array([1.0, 3.0]), "term_by_term")
    exact = math.fsum(weights[::2]) + 3.0 * math.fsum(weights[1::2])
    assert abs(pair.values(np.array([1.0, 3.0]))[1] - exact) <= 1e-14 * exact


def test_nothing_is_found_in_a_program_without_sums(before_and_after):
    assert term_by_term(before_and_after(lambda b: b[0] * b[1], POINT).before) == ({}, [])
