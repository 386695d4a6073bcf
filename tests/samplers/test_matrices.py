"""Dense linear algebra of the samplers against NumPy and SciPy."""

import math

import numpy as np
import pytest
from scipy import linalg

from bayesad.ad.backends.llvm.kernel import compile_kernel
from bayesad.samplers import matrices
from bayesad.samplers.matrices import cholesky, eigenvectors, geometric_mean, largest_eigenvalue, norm_of_inverse

SIZES = [1, 2, 3, 7, 30, 101]


def positive_definite(d, condition=1e4, seed=0):
    """A symmetric matrix with eigenvalues from 1 / condition to 1."""
    directions = np.linalg.qr(np.random.default_rng([d, seed]).normal(size=(d, d)))[0]
    return directions @ np.diag(np.logspace(-math.log10(condition), 0, d)) @ directions.T


def decomposed(matrix, compiled=True):
    d = len(matrix)
    values, vectors = np.zeros(d), np.zeros(d * d)
    kernel = compile_kernel(eigenvectors) if compiled else eigenvectors
    converged = kernel(d, matrix.ravel().copy(), values, vectors, np.zeros(2 * d))
    return converged, values, vectors.reshape(d, d)


def check_decomposition(matrix, values, vectors):
    scale = np.abs(matrix).max()
    np.testing.assert_allclose(vectors.T @ np.diag(values) @ vectors, matrix, atol=1e-13 * scale * len(matrix))
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(matrix)), atol=1e-13 * len(matrix))
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(matrix), atol=1e-13 * scale * len(matrix))


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("condition", [10.0, 1e12])
def test_eigenvectors_of_symmetric_matrices(d, condition):
    matrix = positive_definite(d, condition)
    converged, values, vectors = decomposed(matrix)
    assert converged
    check_decomposition(matrix, values, vectors)


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 3)),
        np.eye(4),
        np.ones((5, 5)),
        np.diag([3.0, 1.0, 3.0, -2.0]),
        np.diag([1.0, 1.0, 1.0], 1) + np.diag([1.0, 1.0, 1.0], -1),
        np.diag([1e-200, 1.0, 1e200]),
        np.array([[0.0, 1.0], [1.0, 0.0]]),
        np.outer([1.0, 1e-8, 1e8], [1.0, 1e-8, 1e8]),
    ],
    ids=str,
)
def test_eigenvectors_of_special_matrices_compiled_and_not(matrix):
    for compiled in (True, False):
        converged, values, vectors = decomposed(matrix, compiled)
        assert converged
        check_decomposition(matrix, values, vectors)


def test_eigenvectors_of_what_is_not_finite_are_refused():
    with np.errstate(invalid="ignore"):
        assert not decomposed(np.array([[1.0, math.nan], [math.nan, 1.0]]), compiled=False)[0]
    assert not decomposed(np.array([[1.0, math.nan], [math.nan, 1.0]]))[0]


@pytest.mark.parametrize("d", SIZES)
def test_a_geometric_mean_solves_its_equation(d):
    a, b = positive_definite(d, seed=1), positive_definite(d, seed=2)
    result = np.zeros(d * d)
    assert compile_kernel(geometric_mean)(d, a.ravel().copy(), b.ravel().copy(), result, np.zeros(d * d + 3 * d))
    mean = symmetric(result, d)
    np.testing.assert_allclose(mean @ b @ mean, a, atol=1e-10)
    root = linalg.sqrtm(b)
    inverse = np.linalg.inv(root)
    expected = inverse @ linalg.sqrtm(root @ a @ root) @ inverse
    np.testing.assert_allclose(mean, expected.real, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def symmetric(flat, d):
    lower = np.tril(flat.reshape(d, d))
    return lower + np.tril(lower, -1).T


def test_a_geometric_mean_with_an_indefinite_matrix_is_refused():
    indefinite = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert not geometric_mean(2, np.eye(2).ravel(), indefinite.ravel(), np.zeros(4), np.zeros(10))


@pytest.mark.parametrize("d", SIZES)
def test_cholesky_factors_and_norms_of_inverses(d):
    matrix = positive_definite(d)
    factor = matrix.ravel().copy()
    assert compile_kernel(cholesky)(d, factor)
    np.testing.assert_allclose(np.tril(factor.reshape(d, d)), np.linalg.cholesky(matrix), atol=1e-12)
    norm = compile_kernel(norm_of_inverse)(d, factor, np.zeros(d * d))
    assert norm == pytest.approx(np.linalg.norm(np.linalg.inv(matrix)), rel=1e-8)


@pytest.mark.parametrize("d", SIZES)
def test_the_largest_eigenvalue(d):
    matrix = positive_definite(d) if d > 1 else np.eye(1)
    largest = compile_kernel(largest_eigenvalue)(d, np.tril(matrix).ravel(), np.zeros(2 * d))
    assert largest == pytest.approx(1.0, rel=0.02)


def test_a_matrix_that_is_not_positive_definite_is_refused():
    assert not matrices.cholesky(2, np.array([1.0, 0.0, 2.0, 1.0]))
    assert not matrices.cholesky(1, np.array([math.nan]))
