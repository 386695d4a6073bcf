"""Jacobians and Hessians, also of known sparsity, and everything of higher order, compiled as well as interpreted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from bayesad import ad
from bayesad.ad import sparsity as sp

RNG = np.random.default_rng(0)


def banded(x):
    return np.append(x[1:] - x[:-1] ** 2, np.sin(x[-1]))


def arrow(x):
    return x[0] * np.sum(np.sin(x)) + np.sum(x**4)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def with_dense_row_and_column(x):
    return np.concatenate([x[1:] * x[0], [np.sum(x**2)]])


X = RNG.normal(size=12)


@pytest.mark.parametrize("mode", [None, ad.Forward, ad.Reverse])
@pytest.mark.parametrize("f", [banded, with_dense_row_and_column])
def test_a_sparse_jacobian_equals_the_dense_one(f, mode):
    dense = ad.jacobian(f, X)
    found = ad.jacobian(f, X, mode=mode, sparsity=dense != 0)
    assert sparse.issparse(found) and found.nnz == np.count_nonzero(dense)
    np.testing.assert_allclose(found.toarray(), dense, rtol=1e-14)
    np.testing.assert_array_equal(ad.jacobian(f, X, sparsity=sparse.csc_matrix(dense)).toarray(), found.toarray())


def test_the_mode_with_fewer_colours_is_taken():
    rows = ad.Sparsity(np.vstack([np.ones(6), np.eye(6)]))  # a full row: columns all meet
    assert rows.column_colours.max() + 1 == 6
    assert rows.row_colours.max() + 1 == 2
    calls = []
    f = ad.compile(lambda x: np.append(np.sum(x**3), x**2))
    original = ad.Compiled.outputs
    try:
        ad.Compiled.outputs = lambda self, args, wanted, *rest: (
            calls.append(wanted),
            original(self, args, wanted, *rest),
        )[1]
        found = ad.jacobian(f, X[:6], sparsity=rows)
    finally:
        ad.Compiled.outputs = original
    np.testing.assert_allclose(found.toarray(), np.vstack([3 * X[:6] ** 2, np.diag(2 * X[:6])]))
    assert sum(wanted.batch for wanted in calls if wanted.mode == "forward") == 1  # the check alone


def test_sparse_hessians_of_a_band_and_of_an_arrow():
    for f, most in ((rosenbrock, 3), (arrow, 2)):
        dense = ad.hessian(f, X)
        pattern = ad.Sparsity(np.abs(dense) > 0)
        assert pattern.star_colours.max() + 1 <= most
        for function in (f, ad.compile(f)):
            found = ad.hessian(function, X, sparsity=pattern)
            np.testing.assert_allclose(found.toarray(), dense, rtol=1e-12, atol=1e-12)


@st.composite
def patterns(draw, symmetric=False):
    n, m = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    entries = np.array(draw(st.lists(st.integers(0, 3), min_size=n * m, max_size=n * m))).reshape(n, m) == 0
    if symmetric:
        n = min(n, m)
        return entries[:n, :n] | entries[:n, :n].T
    return entries


@settings(max_examples=60, deadline=None)
@given(patterns())
def test_entries_of_one_colour_never_meet(pattern):
    known = ad.Sparsity(pattern)
    matrix = np.where(pattern, RNG.normal(size=pattern.shape), 0.0)
    for colours, derivative, by_rows in (
        (known.column_colours, lambda groups: [matrix @ g for g in groups], False),
        (known.row_colours, lambda groups: [g @ matrix for g in groups], True),
    ):
        values = sp.compressed(known, colours, derivative, by_rows=by_rows)
        np.testing.assert_array_equal(known.matrix(values).toarray(), matrix)


@settings(max_examples=100, deadline=None)
@given(patterns(symmetric=True))
def test_star_colours_give_every_entry_of_a_symmetric_matrix(pattern):
    known = ad.Sparsity(pattern)
    matrix = np.where(pattern, RNG.normal(size=pattern.shape), 0.0)
    matrix = matrix + matrix.T
    values = sp.symmetric(known, lambda groups: [matrix @ g for g in groups])
    np.testing.assert_array_equal(known.matrix(values).toarray(), matrix)
    assert known.star_colours.max(initial=0) <= known.column_colours.max(initial=0) + 1


def test_a_pattern_that_misses_an_entry_is_told():
    pattern = ad.jacobian(banded, X) != 0
    pattern[3, 4] = False
    with pytest.raises(ValueError, match="misses entries: row 3 varies"):
        ad.jacobian(banded, X, sparsity=pattern)
    with pytest.raises(ValueError, match=r"shape \(12, 11\), but the function has 12 results and 12 inputs"):
        ad.jacobian(banded, X, sparsity=np.ones((12, 11)))
    with pytest.raises(ValueError, match="has to be symmetric"):
        ad.hessian(rosenbrock, X, sparsity=np.triu(np.ones((12, 12))))
    with pytest.raises(ValueError, match="misses entries"):
        ad.hessian(arrow, X, sparsity=np.eye(12))
    with pytest.raises(ValueError, match="two axes"):
        ad.Sparsity(np.ones(3))


def test_sparse_jacobians_of_trees_are_one_matrix_in_the_order_of_the_leaves():
    x = {"a": X[:3], "b": X[3:5]}
    f = lambda p: [p["a"] * 2.0, np.outer(p["b"], p["b"])]
    expected = np.zeros((7, 5))
    expected[:3, :3] = 2.0 * np.eye(3)
    b = x["b"]
    expected[3:, 3:] = [[2 * b[0], 0], [b[1], b[0]], [b[1], b[0]], [0, 2 * b[1]]]
    found = ad.jacobian(f, x, sparsity=expected != 0)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-14)


def test_directions_that_share_a_pass_give_the_same_as_one_by_one():
    f = lambda x: np.exp(x[:, None] * np.arange(1.0, 4.0)).sum(axis=0)
    for n in (1, 7, 8, 9, 17):
        x = RNG.normal(size=n)
        compiled = ad.compile(f)
        np.testing.assert_allclose(
            ad.jacobian(compiled, x, mode=ad.Forward), ad.jacobian(f, x, mode=ad.Reverse), rtol=1e-13
        )
        total = ad.compile(lambda x: np.sum(f(x)))
        np.testing.assert_allclose(ad.gradient(total, x, mode=ad.Forward), ad.gradient(total, x), rtol=1e-13)


def test_hessian_and_products_of_a_compiled_function_are_traced_once():
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(np.exp(np.sin(x)) * x[0])

    compiled = ad.compile(f)
    first = ad.hessian(compiled, X), ad.hvp(compiled, X, X)
    seen = len(calls)
    for _ in range(20):  # machine code takes over
        again = ad.hessian(compiled, X), ad.hvp(compiled, X, X)
    assert len(calls) == seen
    for a, b in zip(first, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    np.testing.assert_allclose(first[0] @ X, first[1], rtol=1e-12)


def test_third_derivatives_compiled_in_mixed_modes():
    f = lambda x: np.sum(np.sin(x)) * x[0] * x[1]
    x, u, v, w = RNG.normal(size=(4, 3))
    along = lambda g, d: lambda x: ad.jvp(g, x, d)[1]
    third = {
        "forward three times": along(along(along(f, u), v), w),
        "reverse, then forward twice": lambda x: along(along(lambda x: ad.gradient(f, x), u), v)(x) @ w,
        "forward twice, then reverse": lambda x: ad.gradient(along(along(f, u), v), x) @ w,
        "reverse twice, then forward": lambda x: along(lambda x: ad.hvp(f, x, u), v)(x) @ w,
        "Jacobian of the Hessian": lambda x: np.einsum(
            "ijk,i,j,k", ad.jacobian(lambda x: ad.hessian(f, x), x), u, v, w
        ),
    }

    # by hand: the third derivative of sum_i sin(x_i) times x0 x1
    def exact():
        s, p = np.sum(np.sin(x)), x[0] * x[1]
        s1 = {k: np.cos(x) @ d for k, d in zip("uvw", (u, v, w), strict=True)}
        s2 = lambda a, b: -np.sin(x) @ (a * b)
        p1 = {k: d[0] * x[1] + x[0] * d[1] for k, d in zip("uvw", (u, v, w), strict=True)}
        p2 = lambda a, b: a[0] * b[1] + a[1] * b[0]
        total = -np.cos(x) @ (u * v * w) * p + 0.0 * s
        total += s2(u, v) * p1["w"] + s2(u, w) * p1["v"] + s2(v, w) * p1["u"]
        return total + s1["u"] * p2(v, w) + s1["v"] * p2(u, w) + s1["w"] * p2(u, v)

    for name, g in third.items():
        compiled = ad.compile(g)
        assert g(x) == pytest.approx(exact(), rel=1e-11), name
        for _ in range(19):
            value = compiled(x)
        assert value == pytest.approx(exact(), rel=1e-11), name
