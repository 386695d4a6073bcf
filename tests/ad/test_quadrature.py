"""quad against closed forms, SciPy and differentiation under the integral by hand."""

import numpy as np
import pytest
from scipy import integrate
from scipy.special import gamma, gammainc, polygamma

import bayesad as ba
from bayesad import ad
from bayesad.ad.backends.llvm.kernel import compile_kernel, python_log_density
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.backends.llvm.quadrature import gauss_kronrod
from bayesad.ad.primitives.integrals import workspace_size
from bayesad.errors import SolverError


@pytest.mark.parametrize(
    ("f", "a", "b", "expected"),
    [
        (np.sin, 0.0, np.pi, 2.0),
        (np.sin, np.pi, 0.0, -2.0),
        (lambda x: np.exp(-x), 0.0, np.inf, 1.0),
        (lambda x: np.exp(x), -np.inf, 1.0, np.e),
        (lambda x: 1 / (1 + x**2), -np.inf, np.inf, np.pi),
        (lambda x: np.abs(x - 0.3), 0.0, 1.0, 0.29),
        (lambda x: np.sqrt(x), 0.0, 1.0, 2 / 3),
        (lambda x: np.stack([np.cos(50 * x), x**2]), 0.0, 1.0, [np.sin(50) / 50, 1 / 3]),
        (lambda x: x, 2.0, 2.0, 0.0),
    ],
)
def test_integrals(f, a, b, expected):
    assert np.allclose(ad.quad(f, a, b), expected, rtol=1e-10, atol=1e-13)


def incomplete_gamma(v):
    def f(x, shape):
        return x ** (shape - 1) * np.exp(-x)

    return ad.quad(f, v["a"], v["b"], v["shape"])


def test_derivatives_by_limits_and_parameters():
    v = {"a": 0.4, "b": 3.0, "shape": 2.5}
    density = lambda x: x**1.5 * np.exp(-x)
    found = ad.gradient(incomplete_gamma, v)
    by_shape = integrate.quad(lambda x: np.log(x) * density(x), 0.4, 3.0, epsabs=1e-13)[0]
    assert np.isclose(incomplete_gamma(v), gamma(2.5) * (gammainc(2.5, 3.0) - gammainc(2.5, 0.4)), rtol=1e-12)
    assert np.isclose(found["a"], -density(0.4), rtol=1e-12)
    assert np.isclose(found["b"], density(3.0), rtol=1e-12)
    assert np.isclose(found["shape"], by_shape, rtol=1e-10)
    assert np.isclose(ad.jvp(incomplete_gamma, v, {"a": 0.0, "b": 0.0, "shape": 1.0})[1], by_shape, rtol=1e-10)
    hessian = ad.hessian(lambda u: incomplete_gamma({"a": u[0], "b": u[1], "shape": u[2]}), np.array([0.4, 3.0, 2.5]))
    second = integrate.quad(lambda x: np.log(x) ** 2 * density(x), 0.4, 3.0, epsabs=1e-13)[0]
    slope = lambda x: (1.5 / x - 1) * density(x)
    expected = [
        [-slope(0.4), 0.0, -np.log(0.4) * density(0.4)],
        [0.0, slope(3.0), np.log(3.0) * density(3.0)],
        [-np.log(0.4) * density(0.4), np.log(3.0) * density(3.0), second],
    ]
    assert np.allclose(hessian, expected, rtol=1e-9, atol=1e-12)


def test_the_gamma_function_over_an_infinite_range_with_what_is_closed_over():
    def log_gamma(s):
        return np.log(ad.quad(lambda x: np.exp((s - 1) * np.log(x) - x), 0.0, np.inf))

    assert np.isclose(ad.gradient(log_gamma, 3.3), polygamma(0, 3.3), rtol=1e-9)
    assert np.isclose(ad.hessian(log_gamma, 3.3), polygamma(1, 3.3), rtol=1e-8)
    assert ad.gradient(lambda b: ad.quad(lambda x: np.exp(-x * x), b, np.inf), 0.5) == -np.exp(-0.25)


def test_machine_code_does_what_the_interpreter_does():
    def f(v):
        return ad.quad(lambda x: np.stack([np.exp(-v[0] * x) * np.cos(v[1] * x), v[0] / (1 + x**4)]), 0.0, np.inf)

    v = np.array([0.7, 3.0])
    path = ad.compile(f).path(v)
    assert np.allclose(executor(path.program)([v])[0], f(v), rtol=1e-12)
    assert np.allclose(f(v)[0], 0.7 / (0.49 + 9.0), rtol=1e-9)


def test_the_kernel_is_the_same_compiled_and_uncompiled():
    def f(x, values):
        values[0], values[1] = np.sqrt(abs(x[0])), np.cos(x[0])
        return 0.0

    results = []
    for run, integrand in ((gauss_kronrod, f), (compile_kernel(gauss_kronrod), python_log_density(f, 1, 2))):
        out = np.zeros(2)
        assert run(integrand, 2, -1.0, 2.0, 1e-8, 1e-8, out, np.zeros(workspace_size(2))) == 0
        results.append(out)
    assert np.array_equal(*results)


def test_failures():
    with pytest.raises(SolverError, match=r"from 0 to 1 .* around x = "):
        ad.quad(lambda x: 1 / x, 0.0, 1.0)
    with pytest.raises(SolverError, match="not finite"):
        ad.quad(lambda x: np.log(x), -1.0, 1.0)
    with pytest.raises(SolverError, match="a has to be a number"):
        ad.quad(lambda x: x, [0.0, 1.0], 1.0)

    @ba.model
    def model():
        p = ba.sample("p", ba.Normal(0, 1))
        ba.factor("integral", np.log(ad.quad(lambda x: np.exp(-x * (1 - p)), 0.0, np.inf)))

    assert model().unconstrained.log_density([2.0]) == -np.inf
    compiled = ad.compile(lambda p: ad.quad(lambda x: np.exp(-x * (1 - p)), 0.0, np.inf))
    for _ in range(25):
        assert np.isclose(compiled(0.5), 2.0)
        with pytest.raises(SolverError, match="from 0 to inf"):
            compiled(2.0)
