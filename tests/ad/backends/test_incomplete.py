"""Derivatives of incomplete functions in their parameters as kernels, against arithmetic of many digits."""

import mpmath as mp
import numpy as np
import pytest
import scipy.special as sp

from bayesad import ad
from bayesad.ad.backends.llvm import incomplete, incomplete_beta
from bayesad.ad.backends.llvm.native import NativeProgram, called_kernel
from bayesad.ad.primitives.incomplete import beta_score, gamma_score, student_score
from bayesad.ad.trace import trace


def derivative(f, at, order=1):
    """By differences in 60 digits."""
    with mp.workdps(60):
        at = mp.mpf(at)
        h = at * mp.mpf(10) ** (-20 if order == 1 else -12)
        if order == 1:
            return float((f(at + h) - f(at - h)) / (2 * h))
        return float((f(at + h) - 2 * f(at) + f(at - h)) / h**2)


GAMMA = [(1e-3, 1e-5), (1e-3, 0.5), (1e-3, 0.6), (0.1, 30.0), (0.5, 1e-12), (1.0, 1.2), (2.5, 30.0), (3.0, 2.9)]
GAMMA += [(15.5, 14.0), (16.5, 18.0), (50.0, 49.9), (50.0, 180.0), (300.0, 200.0), (1e3, 990.0), (1e3, 1.2e3)]


@pytest.mark.parametrize(("a", "x"), GAMMA)
def test_kernels_of_the_incomplete_gamma_function_have_twelve_digits(a, x):
    def function(s):  # the smaller side, so that the difference keeps its digits
        if x <= a:
            return mp.gammainc(s, 0, mp.mpf(x), regularized=True)
        return -mp.gammainc(s, mp.mpf(x), mp.inf, regularized=True)

    assert incomplete.gammainc_a(a, x) == pytest.approx(derivative(function, a), rel=1e-12, abs=0.0)
    assert incomplete.gammainc_aa(a, x) == pytest.approx(derivative(function, a, 2), rel=1e-11, abs=0.0)


STUDENT = [(0.02, 1e-3), (0.02, 1e12), (0.5, -3.0), (1.0, 1e-3), (1.0, 1.9), (1.0, 2.1), (3.0, 1.5), (3.0, 1e40)]
STUDENT += [(4.0, -20.0), (45.0, 2.31), (60.0, 1.6), (60.0, 9.0), (200.0, 2.7), (1e4, 0.5), (1e4, -3.0), (1e4, 12.0)]


@pytest.mark.parametrize(("df", "t"), STUDENT)
def test_kernel_of_the_student_law_has_twelve_digits(df, t):
    def function(v):
        z, sign = mp.mpf(t) ** 2, mp.sign(t)
        if t * t < 2 * df and abs(t) < 2:
            return sign * mp.betainc(mp.mpf(0.5), v / 2, 0, z / (v + z), regularized=True) / 2
        return -sign * mp.betainc(v / 2, mp.mpf(0.5), 0, v / (v + z), regularized=True) / 2

    assert incomplete.stdtr_df(df, t) == pytest.approx(derivative(function, df), rel=1e-12, abs=0.0)


BETA = [(0.5, 0.5, 0.3), (1.0, 1.0, 0.7), (2.0, 5.0, 0.01), (2.0, 5.0, 0.9), (30.0, 50.0, 0.4), (0.01, 3.0, 1e-20)]
BETA += [
    (0.02, 1.5, 0.3),
    (400.0, 2.0, 0.99),
    (2e3, 0.3, 0.999),
    (3.0, 0.01, 0.5),
    (200.0, 300.0, 0.39),
    (0.5, 60, 0.2),
]


@pytest.mark.parametrize(("a", "b", "x"), BETA)
def test_kernels_of_the_incomplete_beta_function_have_eleven_digits(a, b, x):
    def function(p, q):
        if x <= a / (a + b):
            return mp.betainc(p, q, 0, mp.mpf(x), regularized=True)
        return -mp.betainc(q, p, 0, 1 - mp.mpf(x), regularized=True)

    for name, expected in {
        "a": derivative(lambda p: function(p, mp.mpf(b)), a),
        "b": derivative(lambda q: function(mp.mpf(a), q), b),
        "aa": derivative(lambda p: function(p, mp.mpf(b)), a, 2),
        "bb": derivative(lambda q: function(mp.mpf(a), q), b, 2),
    }.items():
        got = getattr(incomplete_beta, f"betainc_{name}")(a, b, x)
        assert got == pytest.approx(expected, rel=1e-11 if len(name) == 1 else 1e-10, abs=0.0), name
    with mp.workdps(60):
        h, k = mp.mpf(a) * mp.mpf(10) ** -12, mp.mpf(b) * mp.mpf(10) ** -12
        corners = [s * t * function(a + s * h, b + t * k) for s in (1, -1) for t in (1, -1)]
        expected = float(sum(corners) / (4 * h * k))
    assert incomplete_beta.betainc_ab(a, b, x) == pytest.approx(expected, rel=1e-10, abs=0.0)


def test_where_its_series_is_long_the_incomplete_beta_function_is_integrated():
    a, b, x = np.array([1e5, 1e4, 3e4]), np.array([1.0, 3.0, 0.02]), np.array([0.9999, 0.999, 0.99999])
    for wrt in ("a", "b", "aa", "ab", "bb"):
        kernel = getattr(incomplete_beta, f"betainc_{wrt}")
        got = [kernel(*v) for v in zip(a.tolist(), b.tolist(), x.tolist(), strict=True)]
        np.testing.assert_allclose(got, beta_score(a, b, x, wrt), rtol=1e-7, err_msg=wrt)
    assert np.isnan(incomplete_beta.below(1e5, 1.0, 0.9999, 1e-4, incomplete_beta.A))
    ends = [
        incomplete_beta.betainc_a(*v) for v in ((2.0, 3.0, 0.0), (2.0, 3.0, 1.0), (-2.0, 3.0, 0.5), (2.0, 3.0, 1.5))
    ]
    np.testing.assert_array_equal(ends, [0.0, 0.0, np.nan, np.nan])


def test_kernels_equal_the_interpreter_for_large_parameters_and_at_the_ends():
    a = np.array([1e5, 1e5, 1e5, 3e4, 2.0, 2.0, -1.0, 2.0, 1e11])
    x = np.array([99700.0, 1e5, 100900.0, 1e4, 0.0, np.inf, 1.0, -1.0, 1e11])
    first, second, student = (called_kernel(name) for name in ("gammainc_a", "gammainc_aa", "stdtr_df"))
    expected = np.array([gamma_score(a[:-1], x[:-1]), gamma_score(a[:-1], x[:-1], 2)])
    got = [[kernel(u, v) for u, v in zip(a[:-1], x[:-1], strict=True)] for kernel in (first, second)]
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-16)
    assert np.isnan(first(a[-1], x[-1]))  # it would take too many terms
    df, t = np.array([1e5, 1e5, 1e8, 3.0, 3.0, -1.0]), np.array([1.0, -4.0, 2.0, 0.0, np.inf, 1.0])
    np.testing.assert_allclose([student(u, v) for u, v in zip(df, t, strict=True)], student_score(df, t), rtol=1e-7)


def test_programs_call_the_kernels():
    x, p = np.linspace(0.1, 4.0, 7), np.linspace(0.05, 0.95, 7)

    def function(q):
        values = sp.gammainc(q[0], x) + 2.0 * sp.gammaincc(q[0], x) + sp.stdtr(q[1], x - 1.0) + sp.stdtrit(q[1], p)
        return np.sum(values + sp.betainc(q[0], q[1], p) - sp.betaincinv(q[1], q[0], p))

    at = np.array([1.7, 4.5])
    gradient = trace(lambda q: ad.gradient(function, q), at)[0]
    assert NativeProgram(gradient).layout.callbacks == []
    np.testing.assert_allclose(ad.compile(function).log_density(at).at(at)[1], ad.gradient(function, at), rtol=1e-12)
