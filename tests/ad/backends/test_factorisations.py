"""Factorisations and systems as machine code: the same as the interpreter for every size, batch and flag."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.ad.backends.llvm.native import NativeProgram, executor
from bayesad.ad.backends.numpy import executor as interpreter
from bayesad.ad.primitives import PRIMITIVES

SIZES = st.sampled_from([1, 2, 3, 4, 5, 8, 11, 16, 17, 24, 33, 50])  # to either side of every choice of method
BATCHES = st.sampled_from([(), (1,), (3,), (2, 2), (0,)])


def run(f, *inputs):
    """By machine code, which must be all that is needed, and by the interpreter."""
    program, _, _ = ad.trace(f, *inputs)
    assert not NativeProgram(program).layout.callbacks
    return executor(program)(inputs)[0], interpreter(program)(inputs)[0]


def assert_same(f, *inputs, rtol=1e-11):
    found, expected = run(f, *inputs)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-12 * max(1.0, np.abs(expected).max(initial=0.0)))


def definite(rng, batch, n):
    x = rng.normal(size=(*batch, n, n))
    return x @ np.swapaxes(x, -1, -2) + n * np.eye(n)


def spoil(a, k):
    """NaN in the triangle that must not be read: above the k-th diagonal if k >= 0, else below."""
    return np.where(np.tri(*a.shape[-2:], k, dtype=bool), a, np.nan)


@given(n=SIZES, batch=BATCHES, seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_cholesky_reads_the_lower_triangle_and_agrees_with_the_interpreter(n, batch, seed):
    a = spoil(definite(np.random.default_rng(seed), batch, n), 0)
    assert_same(np.linalg.cholesky, a)


@given(n=SIZES, batch=BATCHES, seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_the_pullback_of_cholesky_reads_lower_triangles_and_agrees_with_the_interpreter(n, batch, seed):
    rng = np.random.default_rng(seed)
    factor = np.linalg.cholesky(definite(rng, batch, n))
    g = spoil(rng.normal(size=factor.shape), 0)
    assert_same(pulled_back, factor, g)


def pulled_back(factor, g):
    return bind(PRIMITIVES["cholesky_pullback"], (factor, g))


def test_a_pullback_works_where_its_cotangent_lies_only_if_that_is_not_needed_any_more():
    rng = np.random.default_rng(0)
    factor, g = np.linalg.cholesky(definite(rng, (2,), 33)), rng.normal(size=(33, 33))
    assert_same(lambda factor, g: pulled_back(factor, np.sin(g) * np.ones((2, 1, 1))), factor, g)
    assert_same(lambda factor, g: pulled_back(factor, np.sin(g)), factor, g)

    def with_other_uses(factor, g):
        h = np.sin(g) + factor
        return pulled_back(factor, h) + h

    assert_same(with_other_uses, factor, g)


def test_the_pullback_of_a_nearly_singular_matrix():
    x = np.sort(np.random.default_rng(0).uniform(0.0, 10.0, 100))
    factor = np.linalg.cholesky(np.exp(-0.5 * np.subtract.outer(x, x) ** 2) + 1e-8 * np.eye(100))
    found, expected = run(pulled_back, factor, np.tril(np.random.default_rng(1).normal(size=factor.shape)))
    assert np.max(np.abs(found - expected)) < 1e-8 * np.max(np.abs(expected))


@given(
    n=SIZES, m=st.sampled_from([1, 2, 5, 31, 32, 33, 70]), batch=BATCHES,
    lower=st.booleans(), trans=st.booleans(), unit=st.booleans(), seed=st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_triangular_systems_read_their_triangle_and_agree_with_the_interpreter(n, m, batch, lower, trans, unit, seed):
    rng = np.random.default_rng(seed)
    a = np.tril(rng.normal(size=(*batch, n, n)) / n) + 2.0 * np.eye(n)
    a = spoil(a, 0) if lower else np.swapaxes(spoil(a, 0), -1, -2)
    b = rng.normal(size=(*batch, n, m))
    attributes = {"lower": lower, "trans": trans, "unit": unit}
    assert_same(lambda a, b: bind(PRIMITIVES["solve_triangular"], (a, b), attributes), a, b)


@pytest.mark.parametrize("n", [2, 8, 20])
@pytest.mark.parametrize("bad", ["indefinite", "nan at the end", "nan at the begin", "infinite"])
def test_a_cholesky_factor_that_does_not_exist_is_nan_for_its_matrix_alone(n, bad):
    a = definite(np.random.default_rng(1), (3,), n)
    a[1] = {
        "indefinite": np.diag([1.0] * (n - 1) + [-1.0]),
        "nan at the end": np.diag([1.0] * (n - 1) + [np.nan]),
        "nan at the begin": np.diag([np.nan] + [1.0] * (n - 1)),
        "infinite": np.full((n, n), np.inf),
    }[bad]
    found, expected = run(np.linalg.cholesky, a)
    assert np.isnan(found[1]).all()
    assert np.isnan(expected[1]).all()
    np.testing.assert_allclose(found[[0, 2]], np.linalg.cholesky(a[[0, 2]]), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 8, 20])
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("trans", [0, 1])
def test_a_singular_triangular_system_is_nan(n, m, trans):
    a = np.tri(n)
    a[n // 2, n // 2] = 0.0
    b = np.ones((n, m))
    found, expected = run(lambda a, b: scipy.linalg.solve_triangular(a, b, trans=trans, lower=True), a, b)
    assert np.isnan(found).all()
    assert np.isnan(expected).all()


@pytest.mark.parametrize("n", [5, 40])
def test_the_gradient_of_a_gaussian_process_agrees_with_its_closed_form(n):
    rng = np.random.default_rng(2)
    x, y = np.sort(rng.uniform(0, 4, n)), rng.normal(size=n)
    squared = (x[:, None] - x) ** 2

    def covariance(q):
        return np.exp(2 * q[0] - squared * np.exp(-2 * q[1])) + np.exp(2 * q[2]) * np.eye(n)

    def log_density(q):
        chol = np.linalg.cholesky(covariance(q))
        z = scipy.linalg.solve_triangular(chol, y, lower=True)
        return -0.5 * z @ z - np.sum(np.log(np.diagonal(chol)))

    q = np.array([0.3, -0.2, -0.5])
    k = covariance(q)
    inverse = np.linalg.inv(k)
    weights = 0.5 * (np.outer(inverse @ y, inverse @ y) - inverse)
    signal = k - np.exp(2 * q[2]) * np.eye(n)
    slopes = [2 * signal, 2 * signal * squared * np.exp(-2 * q[1]), 2 * np.exp(2 * q[2]) * np.eye(n)]
    gradient = ad.compile(lambda q: ad.gradient(log_density, q))
    for _ in range(20):  # by the interpreter, then by machine code
        found = gradient(q)
    np.testing.assert_allclose(found, [np.sum(weights * slope) for slope in slopes], rtol=1e-10)


# --- general matrices
def regular(rng, batch, n):
    """Matrices that need rows exchanged."""
    return rng.normal(size=(*batch, n, n)) + 0.1 * n * np.eye(n)[::-1]


PAIRS = st.sampled_from([((), ()), ((3,), (3,)), ((2, 1), (3,)), ((), (2,)), ((2,), ()), ((0,), ())])


@given(n=SIZES, m=st.sampled_from([1, 2, 5, 33]), batches=PAIRS, swapped=st.booleans(), seed=st.integers(0, 9))
@settings(max_examples=35, deadline=None)
def test_systems_agree_with_the_interpreter(n, m, batches, swapped, seed):
    rng = np.random.default_rng(seed)
    a, b = regular(rng, batches[0], n), rng.normal(size=(*batches[1], n, m))
    assert_same(lambda a, b: np.linalg.solve(np.swapaxes(a, -1, -2) if swapped else a, b), a, b, rtol=1e-9)


@given(n=SIZES, batch=BATCHES, seed=st.integers(0, 9))
@settings(max_examples=35, deadline=None)
def test_inverses_and_determinants_from_one_factorisation(n, batch, seed):
    a = regular(np.random.default_rng(seed), batch, n)

    def f(a):
        sign, logarithm = np.linalg.slogdet(a)
        parts = [np.linalg.inv(a), np.linalg.inv(np.swapaxes(a, -1, -2)), np.linalg.det(a), sign, logarithm]
        return np.concatenate([np.reshape(part, -1) for part in parts])

    assert_same(f, a, rtol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
@pytest.mark.parametrize("bad", ["singular", "zero", "nan"])
def test_a_singular_matrix_has_no_inverse_and_the_determinant_zero(n, bad):
    a = regular(np.random.default_rng(3), (3,), n)
    a[1] = {"singular": np.diag(np.arange(n)), "zero": np.zeros((n, n)), "nan": np.full((n, n), np.nan)}[bad]
    inverse, _ = run(np.linalg.inv, a)
    assert np.isnan(inverse[1]).all()
    np.testing.assert_allclose(inverse[[0, 2]], np.linalg.inv(a[[0, 2]]), rtol=1e-9)
    solution, _ = run(lambda a: np.linalg.solve(a, np.ones((n, 1))), a)
    assert np.isnan(solution[1]).all()
    det, _ = run(np.linalg.det, a)
    logarithm, _ = run(lambda a: np.linalg.slogdet(a)[1], a)
    sign, _ = run(lambda a: np.linalg.slogdet(a)[0], a)
    if bad == "nan":
        assert np.isnan(det[1]) and np.isnan(logarithm[1])
    else:
        assert det[1] == 0.0 and sign[1] == 0.0 and logarithm[1] == -np.inf


def test_determinants_beyond_the_range_of_floats_have_logarithms():
    a = np.stack([1e-200 * np.eye(5), 1e200 * np.eye(5), -1e200 * np.eye(5)])
    sign, _ = run(lambda a: np.linalg.slogdet(a)[0], a)
    logarithm, _ = run(lambda a: np.linalg.slogdet(a)[1], a)
    np.testing.assert_array_equal(sign, [1.0, 1.0, -1.0])
    np.testing.assert_allclose(logarithm, np.log(10.0) * np.array([-1000.0, 1000.0, 1000.0]), rtol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("rank", ["full", "one less", "two less"])
def test_the_gradient_of_a_determinant(n, rank):
    rng = np.random.default_rng(4)
    kept = max(0, n - ["full", "one less", "two less"].index(rank))
    a = rng.normal(size=(2, n, kept)) @ rng.normal(size=(2, kept, n))
    program, _, _ = ad.trace(lambda a: ad.gradient(lambda a: np.sum(np.linalg.det(a)), a), a)
    (found,) = executor(program)([a])
    minors = [
        [[np.linalg.det(np.delete(np.delete(m, i, 0), j, 1)) * (-1) ** (i + j) for j in range(n)] for i in range(n)]
        for m in a
    ]
    scale = np.linalg.norm(a, 2, axis=(1, 2)).max() ** (n - 1)  # of the terms that cancel
    np.testing.assert_allclose(found, minors, rtol=1e-9, atol=1e-13 * scale)
