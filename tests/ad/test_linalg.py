"""Linear algebra on traced arrays: values are NumPy's, derivatives agree with central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.linalg
from scipy.linalg import cho_solve as imported_by_name
from scipy.linalg import solve_triangular as imported_as_other_name

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.ad.primitives import PRIMITIVES

B = np.random.default_rng(5).normal(size=(3, 2))


def symmetric(x: Any) -> Any:
    """Definite matrices made of any, so that central differences are taken along symmetric changes."""
    return x @ np.swapaxes(x, -1, -2) + np.eye(x.shape[-1])


def lower(x: Any) -> Any:
    """A lower triangular matrix with something in the other triangle, which must not be read."""
    return np.where(np.tri(3, dtype=bool), x + 3 * np.eye(3), 17.0)


Differences = Callable[[Any, np.ndarray], np.ndarray]


class Case(NamedTuple):
    """A function of one array, and the shape of that array."""

    name: str
    function: Callable[[Any], Any]
    shape: tuple[int, ...] = (3, 3)


def triangular(**options: Any) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        a = lower(x) if options.get("lower") else np.swapaxes(lower(x), -1, -2)
        return scipy.linalg.solve_triangular(a, x[:, :2] + B, **options)

    return f


CASES = [
    Case("cholesky", lambda x: np.linalg.cholesky(symmetric(x))),
    Case("cholesky upper", lambda x: np.linalg.cholesky(symmetric(x), upper=True)),
    Case("cholesky batched", lambda x: np.linalg.cholesky(symmetric(x)), (2, 3, 3)),
    Case("cholesky of one", lambda x: np.linalg.cholesky(symmetric(x)), (1, 1)),
    Case("cholesky pullback factor", lambda x: _pulled_back(lower(x), B @ B.T + np.arange(3.0))),
    Case("cholesky pullback cotangent", lambda x: _pulled_back(lower(B @ B.T), x)),
    Case("cholesky pullback batched", lambda x: _pulled_back(np.tril(x) + 3 * np.eye(3), x * x[0]), (2, 3, 3)),
    Case("solve matrix", lambda x: np.linalg.solve(x, B)),
    Case("solve vector", lambda x: np.linalg.solve(x, x[0])),
    Case("solve batched", lambda x: np.linalg.solve(x, x[..., :1] * B), (2, 3, 3)),
    Case("solve broadcast matrix", lambda x: np.linalg.solve(np.eye(3) + 0.1, x), (2, 3, 2)),
    Case("solve broadcast rhs", lambda x: np.linalg.solve(x, B), (2, 3, 3)),
    Case("inv", np.linalg.inv),
    Case("inv batched", np.linalg.inv, (2, 2, 2)),
    Case("pinv tall", np.linalg.pinv, (4, 2)),
    Case("pinv wide", np.linalg.pinv, (2, 2, 4)),
    Case("det", np.linalg.det),
    Case("det batched", np.linalg.det, (3, 2, 2)),
    Case("slogdet", np.linalg.slogdet),
    Case("slogdet batched", lambda x: np.linalg.slogdet(x)[1], (2, 3, 3)),
    Case("slogdet by name", lambda x: np.linalg.slogdet(x).logabsdet),
    Case("eigh values", lambda x: np.linalg.eigh(symmetric(x))[0]),
    Case("eigh projections", lambda x: _projections(np.linalg.eigh(symmetric(x)))),
    Case("eigh upper", lambda x: _projections(np.linalg.eigh(symmetric(x), "U"))),
    Case("eigh batched", lambda x: _projections(np.linalg.eigh(symmetric(x))), (2, 3, 3)),
    Case("eigvalsh", lambda x: np.linalg.eigvalsh(symmetric(x))),
    Case("qr square", np.linalg.qr),
    Case("qr tall", np.linalg.qr, (4, 2)),
    Case("qr wide", np.linalg.qr, (2, 4)),
    Case("qr batched", np.linalg.qr, (2, 3, 2)),
    Case("qr r", lambda x: np.linalg.qr(x, mode="r"), (4, 3)),
    Case("svd square", np.linalg.svd),
    Case("svd tall", lambda x: np.linalg.svd(x, full_matrices=False), (4, 2)),
    Case("svd wide", lambda x: np.linalg.svd(x, full_matrices=False), (2, 4)),
    Case("svd batched", lambda x: np.linalg.svd(x, full_matrices=False), (2, 3, 2)),
    Case("svd values", lambda x: np.linalg.svd(x, compute_uv=False), (3, 4)),
    Case("svdvals", np.linalg.svdvals, (3, 2)),
    Case("lstsq", lambda x: np.linalg.lstsq(x, B[:, 0], rcond=None)[:2], (3, 2)),
    Case("lstsq matrix", lambda x: np.linalg.lstsq(x, B, rcond=None)[0], (3, 2)),
    *[Case(f"matrix_power {n}", lambda x, n=n: np.linalg.matrix_power(x, n)) for n in (-2, 0, 1, 2, 5)],
    *[Case(f"vector norm {p}", lambda x, p=p: np.linalg.norm(x, p), (4,)) for p in (None, 1, 2, 3, np.inf, -np.inf)],
    *[
        Case(f"vector norm axis {p}", lambda x, p=p: np.linalg.norm(x, p, axis=1), (2, 3))
        for p in (None, 1, 2.5, np.inf)
    ],
    *[
        Case(f"matrix norm {p}", lambda x, p=p: np.linalg.norm(x, p), (3, 2))
        for p in ("fro", "nuc", 1, -1, 2, -2, np.inf)
    ],
    Case("matrix norm axes", lambda x: np.linalg.norm(x, 1, axis=(0, 2), keepdims=True), (3, 2, 2)),
    Case("norm of all", np.linalg.norm, (2, 2, 2)),
    Case("vector_norm", lambda x: np.linalg.vector_norm(x, axis=0), (3, 2)),
    Case("matrix_norm", np.linalg.matrix_norm, (2, 3, 2)),
    Case("cond", np.linalg.cond),
    Case("cond 1", lambda x: np.linalg.cond(x, 1)),
    Case("scipy cholesky", lambda x: scipy.linalg.cholesky(symmetric(x))),
    Case("scipy cholesky lower", lambda x: scipy.linalg.cholesky(symmetric(x), lower=True)),
    *[Case(f"scipy cho_solve {low}", lambda x, low=low: _cho_solve(x, low)) for low in (False, True)],
    *[
        Case(f"solve_triangular {low} {trans} {unit}", triangular(lower=low, trans=trans, unit_diagonal=unit))
        for low in (False, True)
        for trans in (0, 1, "T")
        for unit in (False, True)
    ],
    Case("solve_triangular vector", lambda x: imported_as_other_name(lower(x), x[1], lower=True)),
    Case("scipy solve", lambda x: scipy.linalg.solve(x, B)),
    Case("scipy solve pos", lambda x: scipy.linalg.solve(symmetric(x), B, assume_a="pos")),
    Case("scipy solve sym lower", lambda x: scipy.linalg.solve(symmetric(x), B, assume_a="sym", lower=True)),
    Case("scipy inv", lambda x: scipy.linalg.inv(x)),
    Case("scipy det", lambda x: scipy.linalg.det(x)),
    Case("scipy pinv", lambda x: scipy.linalg.pinv(x), (3, 2)),
    Case("scipy norm", lambda x: scipy.linalg.norm(x)),
    Case("scipy eigh", lambda x: _projections(scipy.linalg.eigh(symmetric(x)))),
    Case("scipy eigvalsh", lambda x: scipy.linalg.eigvalsh(symmetric(x))),
    Case("scipy svd", lambda x: scipy.linalg.svd(x, full_matrices=False), (3, 2)),
    Case("scipy svdvals", lambda x: scipy.linalg.svdvals(x), (3, 2)),
    Case("scipy expm", lambda x: scipy.linalg.expm(x)),
    Case("scipy expm batched", lambda x: scipy.linalg.expm(x), (2, 2, 2)),
    Case("scipy block_diag", lambda x: scipy.linalg.block_diag(x, 2.0, B[0], x[:1])),
    Case("scipy toeplitz", lambda x: scipy.linalg.toeplitz(x[0], x[1])),
    Case("scipy khatri_rao", lambda x: scipy.linalg.khatri_rao(x, B.T @ np.ones((3, 3)))),
]


def _projections(values_and_vectors: Any) -> Any:
    """What eigenvectors say whatever their signs."""
    values, vectors = values_and_vectors
    return values, np.einsum("...ik,...jk->...kij", vectors, vectors)


def _pulled_back(factor: Any, g: Any) -> Any:
    """By the primitive on unknowns, by its definition on numbers."""
    if any(ad.is_traced(x) for x in (factor, g)):
        return bind(PRIMITIVES["cholesky_pullback"], (np.tril(factor), g))
    inverse = np.linalg.inv(np.tril(factor))
    inner = np.tril(np.swapaxes(np.tril(factor), -1, -2) @ np.tril(g))
    inner = inner - 0.5 * inner * np.eye(inner.shape[-1])
    return np.swapaxes(inverse, -1, -2) @ (0.5 * (inner + np.swapaxes(inner, -1, -2))) @ inverse


def _cho_solve(x: Any, low: bool) -> Any:
    return imported_by_name(scipy.linalg.cho_factor(symmetric(x), lower=low), B)


def point(case: Case) -> np.ndarray:
    x = np.random.default_rng(sum(map(ord, case.name))).normal(size=case.shape)
    return x + 1.5 * np.eye(*case.shape[-2:]) if len(case.shape) > 1 else x


def flat_result(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        result = function(x)
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
        return np.concatenate([np.reshape(part, -1) for part in parts])

    return f


cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@cases
def test_the_value_is_that_of_numpy_or_scipy(case: Case) -> None:
    x = point(case)
    expected, found = case.function(x), ad.compile(case.function)(x)
    if not isinstance(expected, (tuple, list)):
        expected, found = (expected,), (found,)
    for e, f in zip(expected, found, strict=True):
        assert np.shape(f) == np.shape(e)
        np.testing.assert_allclose(f, e, rtol=1e-11, atol=1e-12)


@cases
def test_the_jacobian_equals_central_differences_in_both_modes(case: Case, difference_jacobian: Differences) -> None:
    x, f = point(case), flat_result(case.function)
    expected = difference_jacobian(f, x).reshape(-1, *x.shape)
    compiled = ad.compile(f)
    backward, forward = ad.jacobian(compiled, x, mode=ad.Reverse), ad.jacobian(compiled, x, mode=ad.Forward)
    np.testing.assert_allclose(backward, expected, rtol=1e-7, atol=1e-7 * max(1.0, np.abs(expected).max()))
    np.testing.assert_allclose(forward, backward, rtol=1e-9, atol=1e-10)


@cases
def test_the_second_derivatives_equal_central_differences_of_the_first(
    case: Case, difference_jacobian: Differences
) -> None:
    x, f = point(case), flat_result(case.function)
    weights = np.random.default_rng(3).normal(size=np.shape(f(x)))

    def scalar(x: Any) -> Any:
        return np.sum(weights * f(x))

    gradient = ad.compile(lambda x: ad.gradient(scalar, x))
    direction = np.random.default_rng(4).normal(size=x.shape)
    expected = difference_jacobian(lambda t: gradient(x + t[0] * direction), np.zeros(1))[..., 0]
    np.testing.assert_allclose(
        ad.hvp(scalar, x, direction), expected, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(expected).max())
    )


# --- conventions
def test_the_derivative_of_a_symmetric_matrix_is_symmetric_and_agrees_along_symmetric_changes(
    difference_jacobian: Differences,
) -> None:
    a, change = symmetric(point(CASES[0])), symmetric(B @ B.T)
    for f in (lambda a: np.sum(np.linalg.cholesky(a) ** 3), lambda a: np.linalg.eigvalsh(a)[0]):
        g = ad.gradient(f, a)
        np.testing.assert_allclose(g, g.T, atol=1e-14)
        expected = difference_jacobian(lambda t, f=f: np.array(f(a + t[0] * change)), np.zeros(1))[0]
        np.testing.assert_allclose(np.sum(g * change), expected, rtol=1e-8)


def test_cholesky_and_eigh_read_the_lower_triangle_alone() -> None:
    a = symmetric(point(CASES[0]))
    spoiled = np.tril(a) + np.triu(np.full((3, 3), np.nan), 1)
    np.testing.assert_array_equal(ad.compile(np.linalg.cholesky)(spoiled), np.linalg.cholesky(a))
    np.testing.assert_allclose(ad.compile(np.linalg.eigvalsh)(spoiled), np.linalg.eigvalsh(a), rtol=1e-13)


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        (np.linalg.cholesky, -np.eye(2)),
        (lambda a: np.linalg.solve(a, np.ones(2)), np.ones((2, 2))),
        (np.linalg.inv, np.zeros((2, 2))),
        (np.linalg.eigh, np.full((2, 2), np.nan)),
        (lambda a: np.linalg.svd(a)[1], np.full((2, 2), np.nan)),
        (lambda a: scipy.linalg.solve_triangular(a, np.ones(2)), np.zeros((2, 2))),
        (lambda a: scipy.linalg.cholesky(a), -np.eye(2)),
        (lambda a: scipy.linalg.cho_solve(scipy.linalg.cho_factor(a), np.ones(2)), -np.eye(2)),
    ],
)
def test_a_factorisation_that_fails_gives_nan_while_tracing_and_while_running(function: Any, bad: np.ndarray) -> None:
    f = flat_result(function)
    assert np.isnan(ad.compile(f)(bad)).all()
    compiled = ad.compile(lambda a: np.sum(f(a)))
    good = np.array([[2.0, 0.3], [0.3, 1.0]])
    assert np.isfinite(ad.gradient(compiled, good)).all()
    value, gradient = ad.value_and_gradient(compiled, bad)
    assert np.isnan(value)
    assert not np.isfinite(gradient).all()
    assert len(compiled.paths) == 1


def test_only_the_matrices_of_a_batch_that_fail_become_nan() -> None:
    batch = np.stack([np.eye(2), -np.eye(2), 4 * np.eye(2)])
    found = ad.compile(np.linalg.cholesky)(batch)
    np.testing.assert_array_equal(found[[0, 2]], [np.eye(2), 2 * np.eye(2)])
    assert np.isnan(found[1]).all()
    solved = ad.compile(lambda a: np.linalg.solve(a, np.ones((2, 1))))(np.stack([np.eye(2), np.zeros((2, 2))]))
    np.testing.assert_array_equal(solved[0], np.ones((2, 1)))
    assert np.isnan(solved[1]).all()


def test_plain_matrices_still_raise_inside_a_trace() -> None:
    def f(x: Any) -> Any:
        with pytest.raises(np.linalg.LinAlgError):
            np.linalg.cholesky(-np.eye(2))
        return x**2

    assert ad.gradient(f, 3.0) == 6.0


@pytest.mark.parametrize("order", [None, 2, 3])
def test_the_gradient_of_a_norm_at_zero_is_zero(order: Any) -> None:
    f = ad.compile(lambda x: np.linalg.norm(x, order))
    np.testing.assert_array_equal(ad.gradient(f, np.zeros(3)), np.zeros(3))
    np.testing.assert_array_equal(
        ad.gradient(lambda x: np.sum(np.linalg.norm(x, axis=1)), np.eye(3)[:, :2])[2], [0.0, 0.0]
    )
    assert np.isnan(f(np.array([np.nan, 1.0, 2.0])))


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_gradient_of_a_determinant_is_exact_for_singular_matrices(rank: int) -> None:
    a = B[:, :rank] @ B[:, :rank].T if rank else np.zeros((3, 3))
    minors = [[np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(3)] for i in range(3)]
    cofactors = np.array(minors) * (-1.0) ** np.add.outer(np.arange(3), np.arange(3))
    np.testing.assert_allclose(ad.gradient(np.linalg.det, a), cofactors, atol=1e-12)


def test_functions_that_do_not_depend_on_the_choice_of_eigenvectors_have_derivatives_at_equal_eigenvalues() -> None:
    def trace_of_square(a: Any) -> Any:
        w, v = np.linalg.eigh(a)
        return np.sum(((v * w) @ v.T) ** 2)

    a = np.diag([1.0, 1.0, 2.0])
    np.testing.assert_allclose(ad.gradient(trace_of_square, a), 2 * a, atol=1e-14)


def test_a_gaussian_log_density_by_different_routes_has_one_gradient() -> None:
    def by_cholesky(s: Any) -> Any:
        chol = np.linalg.cholesky(s)
        z = scipy.linalg.solve_triangular(chol, B[:, 0], lower=True)
        return -0.5 * z @ z - np.sum(np.log(np.diag(chol)))

    def by_solve(s: Any) -> Any:
        return -0.5 * B[:, 0] @ np.linalg.solve(s, B[:, 0]) - 0.5 * np.linalg.slogdet(s)[1]

    def by_eigh(s: Any) -> Any:
        w, v = np.linalg.eigh(s)
        return -0.5 * np.sum((v.T @ B[:, 0]) ** 2 / w) - 0.5 * np.sum(np.log(w))

    def of(route: Any) -> np.ndarray:
        return ad.gradient(lambda x: route(symmetric(x)), point(CASES[0]))

    np.testing.assert_allclose(of(by_cholesky), of(by_solve), rtol=1e-11)
    np.testing.assert_allclose(of(by_cholesky), of(by_eigh), rtol=1e-11)


@pytest.mark.parametrize("name", ["cholesky", "inv", "det", "slogdet", "expm", "eigh", "qr", "svd"])
@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 2, 2)])
def test_empty_matrices(name: str, shape: tuple[int, ...]) -> None:
    primitive = PRIMITIVES[name]
    a = np.zeros(shape)
    inferred = primitive.infer(a)
    assert np.shape(primitive.evaluate(a)) == inferred[0]


def test_the_shape_rules_say_what_evaluation_gives() -> None:
    a, b = np.eye(3) + np.zeros((2, 1, 3, 3)), np.ones((5, 3, 2))
    for name in ("cholesky", "inv", "det", "slogdet", "expm", "eigh", "qr", "svd", "cofactors", "pinv"):
        found = PRIMITIVES[name].evaluate(a)
        assert (found.shape, found.dtype) == PRIMITIVES[name].infer(a), name
    for name, attributes in (("solve", {}), ("solve_triangular", {"lower": True, "trans": False, "unit": False})):
        found = PRIMITIVES[name].evaluate(a, b, **attributes)
        assert (found.shape, found.dtype) == PRIMITIVES[name].infer(a, b, **attributes)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: np.linalg.eig(x), "eigh"),
        (lambda x: np.linalg.eigvals(x), "eigvalsh"),
        (lambda x: np.linalg.matrix_rank(x), "data only"),
        (lambda x: np.linalg.svd(x[:2]), "full_matrices=False"),
        (lambda x: np.linalg.qr(x[:, :2], mode="complete"), "mode='reduced'"),
        (lambda x: scipy.linalg.lu(x), "custom_vjp"),
        (lambda x: scipy.linalg.sqrtm(x), "custom_vjp"),
        (lambda x: scipy.linalg.eigh(x, subset_by_index=[0, 1]), "index the result"),
    ],
)
def test_what_has_no_derivative_is_refused_by_name(call: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        ad.gradient(lambda x: np.sum(flat_result(call)(x)), np.eye(3) + 0.1)
