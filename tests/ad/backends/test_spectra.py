"""Eigenvalues, singular values and QR as machine code: they put the matrix together again, as the interpreter does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.ad.backends.llvm.native import NativeProgram, executor
from bayesad.ad.primitives import PRIMITIVES

LENGTHS = st.sampled_from([1, 2, 3, 5, 8, 17, 33])
BATCHES = st.sampled_from([(), (3,), (2, 2), (0,)])


def by_machine(name, a):
    program, _, _ = ad.trace(lambda a: bind(PRIMITIVES[name], (a,)), a)
    assert not NativeProgram(program).layout.callbacks
    return executor(program)([a])[0]


def swapped(a):
    return np.swapaxes(a, -1, -2)


@given(n=LENGTHS, batch=BATCHES, seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_eigenvalues_and_vectors(n, batch, seed):
    x = np.random.default_rng(seed).normal(size=(*batch, n, n))
    a = x + swapped(x)
    found = by_machine("eigh", np.where(np.tri(n, dtype=bool), a, np.nan))
    w, v = found[..., 0, :], found[..., 1:, :]
    np.testing.assert_allclose(w, np.linalg.eigvalsh(a), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose((v * w[..., None, :]) @ swapped(v), a, atol=1e-11)
    np.testing.assert_allclose(swapped(v) @ v, np.broadcast_to(np.eye(n), a.shape), atol=1e-12)


@given(m=LENGTHS, n=LENGTHS, batch=BATCHES, seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_qr(m, n, batch, seed):
    m = max(m, n)
    a = np.random.default_rng(seed).normal(size=(*batch, m, n))
    found = by_machine("qr", a)
    q, r = found[..., :m, :], found[..., m:, :]
    np.testing.assert_allclose(q @ r, a, atol=1e-12)
    np.testing.assert_array_equal(r, np.triu(r))
    np.testing.assert_allclose(q, np.linalg.qr(a)[0], atol=1e-10)


@given(m=LENGTHS, n=LENGTHS, batch=BATCHES, seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_singular_values_and_vectors(m, n, batch, seed):
    a = np.random.default_rng(seed).normal(size=(*batch, m, n))
    found = by_machine("svd", a)
    u, s, v = found[..., :m, :], found[..., m, :], found[..., m + 1 :, :]
    np.testing.assert_allclose(s, np.linalg.svd(a, compute_uv=False), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose((u * s[..., None, :]) @ swapped(v), a, atol=1e-12)
    np.testing.assert_allclose(swapped(v) @ v, np.zeros((*batch, 1, 1)) + np.eye(min(m, n)), atol=1e-12)


@pytest.mark.parametrize("name", ["eigh", "svd"])
def test_what_does_not_converge_is_nan_for_its_matrix_alone(name):
    a = np.stack([np.eye(4), np.full((4, 4), np.nan), 2 * np.eye(4)])
    found = by_machine(name, a)
    assert np.isnan(found[1, 0 if name == "eigh" else 4]).all()
    assert np.isfinite(found[[0, 2]]).all()


def test_gradients_through_eigenvalues_and_qr(difference_gradient):
    x = np.random.default_rng(2).normal(size=(6, 6)) + 3 * np.eye(6)

    def f(x):
        w, v = np.linalg.eigh(x @ x.T)
        _, r = np.linalg.qr(x)
        return np.sum(np.log(w)) + np.sum((v @ np.diag(np.sqrt(w)) @ v.T) ** 3) + np.sum(np.diagonal(r) ** 2)

    gradient = ad.compile(lambda x: ad.gradient(f, x))
    for _ in range(20):
        found = gradient(x)
    expected = difference_gradient(f, x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
