"""Fourier transforms, splines and sparse products against NumPy and SciPy, their derivatives against matrices."""

import numpy as np
import pytest
import scipy.fft
from scipy import sparse
from scipy.interpolate import CubicSpline

from bayesad import ad
from bayesad.ad.backends.llvm.fourier import transform_rows
from bayesad.ad.backends.llvm.lower import lower
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.backends.llvm.prepared import decomposed
from bayesad.ad.fourier import _roots
from bayesad.errors import SolverError, TracingError

RNG = np.random.default_rng(7)


# --- Fourier transforms
@pytest.mark.parametrize("n", [1, 2, 7, 12, 131, 150])
def test_rfft_and_irfft(n):
    x = RNG.normal(size=(2, n))
    real, imaginary = ad.rfft(x)
    assert np.allclose(real + 1j * imaginary, np.fft.rfft(x), atol=1e-12)
    assert np.allclose(ad.irfft(real, imaginary, n), x, atol=1e-12)
    assert np.allclose(ad.rfft(x.T, axis=0)[1], imaginary.T, atol=1e-12)


@pytest.mark.parametrize("n", [5, 8, 131, 132])
def test_derivatives_of_transforms_are_their_matrices(n):
    x = RNG.normal(size=n)
    matrix = np.fft.rfft(np.eye(n)).T
    found = ad.jacobian(lambda x: np.concatenate(ad.rfft(x)), x)
    assert np.allclose(found, np.concatenate([matrix.real, matrix.imag]), atol=1e-11)
    parts = RNG.normal(size=(2, n // 2 + 1))
    inverse = ad.jacobian(lambda p: ad.irfft(p[0], p[1], n), parts)
    for k in range(n // 2 + 1):
        unit = np.eye(n // 2 + 1)[k]
        assert np.allclose(inverse[:, 0, k], np.fft.irfft(unit, n), atol=1e-11)
        assert np.allclose(inverse[:, 1, k], np.fft.irfft(1j * unit, n), atol=1e-11)


@pytest.mark.parametrize("n", [65, 66, 100, 128, 147, 169, 1024])
def test_transforms_as_machine_code(n):
    """Rows of lengths with factors 2, 3, 4, 5, 7, 11 and 13, odd and even, against NumPy; and their adjoints."""
    x, parts = RNG.normal(size=(3, n)), RNG.normal(size=(2, 3, n // 2 + 1))

    def both(x, real, imaginary):
        return *ad.rfft(x), ad.irfft(real, imaginary, n)

    def gradient(x, parts):
        f = lambda v: np.sum(both(v["x"], *v["parts"])[0] * parts[0]) + np.sum(both(v["x"], *v["parts"])[2] * x)
        return ad.gradient(f, {"x": x, "parts": parts})

    for f, arguments in ((both, (x, *parts)), (gradient, (x, parts))):
        program, _, expected = ad.trace(lambda *a, f=f: ad.trees.flatten(f(*a))[0], *arguments)
        lowered = lower(decomposed(program), log_density=False)
        assert not lowered.layout.callbacks
        for found, by_numpy in zip(executor(program)(list(arguments)), expected, strict=True):
            np.testing.assert_allclose(found, by_numpy, rtol=1e-12, atol=1e-13 * n)
    found = executor(ad.trace(both, x, *parts)[0])([x, *parts])
    np.testing.assert_allclose(found[0] + 1j * found[1], np.fft.rfft(x), rtol=0, atol=1e-14 * n)
    np.testing.assert_allclose(found[2], np.fft.irfft(parts[0] + 1j * parts[1], n), rtol=0, atol=1e-15 * n)


@pytest.mark.parametrize("n", [2, 15, 16, 30])
def test_the_kernel_of_transforms_uncompiled(n):
    x, roots, out = RNG.normal(size=n), np.array(_roots(n)).ravel(), np.zeros(2 * (n // 2 + 1))
    transform_rows(0, 1, n, x, roots, out, np.zeros(4 * n))
    np.testing.assert_allclose(out[::2] + 1j * out[1::2], np.fft.rfft(x), atol=1e-14)
    back = np.zeros(n)
    transform_rows(1, 1, n, out, roots, back, np.zeros(4 * n))
    np.testing.assert_allclose(back, x, atol=1e-14)


@pytest.mark.parametrize("transform", [lambda: ad.rfft(np.zeros((2, 0))), lambda: ad.irfft(np.ones(1), np.zeros(1))])
def test_arrays_of_no_numbers_have_no_transform(transform):
    with pytest.raises(ValueError, match="at least one number"):
        transform()


def test_numpys_complex_transforms_say_what_to_use():
    with pytest.raises(TracingError, match=r"ad\.rfft"):
        ad.gradient(lambda x: np.sum(np.abs(np.fft.rfft(x))), np.ones(4))


@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
def test_cosine_and_sine_transforms(name):
    transform, x = getattr(scipy.fft, name), RNG.normal(size=(9, 2))
    for options in ({}, {"type": 3, "norm": "ortho"}, {"type": 1}):
        found = ad.jacobian(lambda x, options=options: getattr(scipy.fft, name)(x, axis=0, **options), x)
        expected = transform(np.eye(9), axis=0, **options)
        for k in range(2):
            assert np.allclose(found[:, k, :, k], expected, atol=1e-12)
        assert np.allclose(found[:, 0, :, 1], 0.0)
    with pytest.raises(TracingError, match="takes no n="):
        ad.gradient(lambda x: np.sum(scipy.fft.dct(x, n=4)), np.ones(9))


# --- splines
@pytest.mark.parametrize("bc_type", ["not-a-knot", "natural", "clamped"])
def test_a_cubic_spline_and_its_derivatives(bc_type):
    xp = np.cumsum(RNG.uniform(0.3, 1.0, size=8))
    fp = RNG.normal(size=8)
    x = np.linspace(xp[0] - 0.5, xp[-1] + 0.5, 23)

    def of_scipy(x, xp, fp):
        return CubicSpline(xp, fp, bc_type=bc_type)(x)

    spline = of_scipy(x, xp, fp)
    assert np.allclose(ad.cubic_spline(x, xp, fp, bc_type=bc_type), spline, rtol=1e-10, atol=1e-11)
    slopes = ad.gradient(lambda x: np.sum(ad.cubic_spline(x, xp, fp, bc_type=bc_type)), x)
    assert np.allclose(slopes, CubicSpline(xp, fp, bc_type=bc_type)(x, 1), rtol=1e-9, atol=1e-10)
    by_values = ad.jacobian(lambda fp: ad.cubic_spline(x, xp, fp, bc_type=bc_type), fp)
    assert np.allclose(by_values, of_scipy(x, xp, np.eye(8)), atol=1e-10)
    by_knots = ad.jacobian(lambda xp: ad.cubic_spline(x, xp, fp, bc_type=bc_type), xp)
    for j, step in enumerate(1e-6 * np.eye(8)):
        difference = (of_scipy(x, xp + step, fp) - of_scipy(x, xp - step, fp)) / 2e-6
        assert np.allclose(by_knots[:, j], difference, rtol=1e-5, atol=1e-6)


def test_errors_of_splines():
    for arguments, message in (
        ((0.0, [0.0, 1.0, 1.0, 2.0], np.ones(4)), r"xp\[2\] = 1.0 comes after 1.0"),
        ((0.0, [0.0, 1.0, 2.0], np.ones(3)), "at least 4 knots"),
        ((0.0, [0.0, 1.0, 2.0], np.ones(4)), "same length"),
    ):
        with pytest.raises(SolverError, match=message):
            ad.cubic_spline(*arguments)


# --- sparse products
DENSE = RNG.normal(size=(7, 5)) * (RNG.uniform(size=(7, 5)) < 0.4)


@pytest.mark.parametrize("kind", [sparse.coo_array, sparse.coo_matrix])
@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "dia"])
def test_sparse_products_in_every_order(kind, layout):
    a = kind(DENSE).asformat(layout)
    x, y, z = RNG.normal(size=5), RNG.normal(size=7), RNG.normal(size=(5, 3))
    products = [
        (lambda x, a: a @ x, x),
        (lambda x, a: a.dot(x) if sparse.issparse(a) else a @ x, x),
        (lambda y, a: a.T @ y, y),
        (lambda y, a: y @ a, y),
        (lambda z, a: a @ z, z),
        (lambda z, a: z.T @ a.T, z),
    ]
    for product, argument in products:
        found, expected = (
            ad.gradient(lambda v, b=b, product=product: np.sum(np.sin(product(v, b))), argument) for b in (a, DENSE)
        )
        assert np.allclose(found, expected, rtol=1e-12)
    if kind is sparse.coo_matrix:
        assert np.allclose(ad.gradient(lambda x: np.sum(a * x), x), DENSE.sum(axis=0), rtol=1e-12)
    assert np.allclose(a @ x, DENSE @ x)  # as SciPy has it, outside of traces


def test_sparse_products_are_machine_code():
    a, x = sparse.csr_array(DENSE), RNG.normal(size=5)
    program = ad.compile(lambda x: np.sum(np.sin(a @ x))).path(x).reverse(1, True)
    assert lower(decomposed(program)).layout.callbacks == []
    value, gradient = executor(program)([x])
    assert np.isclose(value, np.sum(np.sin(DENSE @ x)), rtol=1e-13)
    assert np.allclose(gradient, DENSE.T @ np.cos(DENSE @ x), rtol=1e-12)
    with pytest.raises(TracingError, match=r"sparse array of shape \(7, 5\)"):
        ad.gradient(lambda x: np.sum(a @ x), np.ones(4))
