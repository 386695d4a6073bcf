"""Functions of plain arrays with derivatives given by the user."""

import math

import numpy as np
import pytest

from bayesad import ad


def plain_solve(a, b):
    """A black box: fails on anything but plain arrays."""
    assert type(a) is np.ndarray and type(b) is np.ndarray
    scratch = np.zeros(b.shape)
    assert type(scratch) is np.ndarray  # NumPy is itself inside, although a trace is going on
    scratch[...] = np.linalg.solve(a, b)
    return scratch


def solve_rule(g, y, a, b):
    w = solve(a.T, g)  # the adjoint is another call of the black box
    return -w[:, None] * y, w


solve = ad.custom_vjp(plain_solve, vjp=solve_rule)
A = np.array([[3.0, 1.0, 0.2], [0.5, 2.0, -0.3], [0.1, 0.7, 4.0]])
B = np.array([1.0, -2.0, 0.5])


@ad.custom_jvp(jvp=lambda tangents, y, x: tangents[0] * y)
def exponential(x):
    return np.array([math.exp(v) for v in x])


def energy(p):
    return np.sum(solve(p["a"], p["b"]) ** 2)


def test_a_black_box_is_called_on_plain_arrays_outside_of_traces():
    np.testing.assert_array_equal(solve(A, B), np.linalg.solve(A, B))
    np.testing.assert_array_equal(exponential(B), [math.exp(v) for v in B])


def test_a_vjp_rule_gives_gradients_in_both_modes():
    point = {"a": A, "b": B}
    reverse, forward = ad.gradient(energy, point), ad.gradient(energy, point, mode=ad.Forward)
    reference = ad.gradient(lambda p: np.sum(np.linalg.solve(p["a"], p["b"]) ** 2), point)
    for key in point:
        np.testing.assert_allclose(reverse[key], reference[key], rtol=1e-12)
        np.testing.assert_allclose(forward[key], reference[key], rtol=1e-12)


def test_a_jvp_rule_gives_gradients_in_both_modes():
    f = lambda x: np.sum(exponential(x) * x)
    for mode in (ad.Forward, ad.Reverse):
        np.testing.assert_allclose(ad.gradient(f, B, mode=mode), np.exp(B) * (1.0 + B), rtol=1e-14)


def test_rules_are_traced_so_second_derivatives_follow():
    reference = ad.hessian(lambda b: np.sum(np.linalg.solve(A, b) ** 4), B)
    np.testing.assert_allclose(ad.hessian(lambda b: np.sum(solve(A, b) ** 4), B), reference, rtol=1e-11)
    reference = ad.hessian(lambda a: np.sum(np.linalg.solve(a, B) ** 2), A)
    np.testing.assert_allclose(ad.hessian(lambda a: np.sum(solve(a, B) ** 2), A), reference, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ad.hessian(lambda x: np.sum(exponential(x)), B), np.diag(np.exp(B)), rtol=1e-14)


def test_compiled_programs_call_the_black_box_at_run_time():
    calls = []

    def logged(x):
        calls.append(x.copy())
        return np.sin(x)

    compiled = ad.compile(lambda x: np.sum(ad.custom_vjp(logged, vjp=lambda g, y, x: g * np.cos(x))(x)))
    for k in range(40):
        x = np.array([0.1 * k, 1.0])
        value, slope = ad.value_and_gradient(compiled, x)
        assert value == pytest.approx(np.sum(np.sin(x)), rel=1e-15)
        np.testing.assert_allclose(slope, np.cos(x), rtol=1e-15)
    assert len(compiled.paths) == 1
    assert len(calls) >= 40


def test_static_arguments_integer_arguments_and_none():
    @ad.custom_vjp(vjp=lambda g, y, x, n, *, scale: (g * scale * n * x ** (n - 1), None))
    def monomial(x, n, *, scale=1.0):
        return scale * x**n

    assert ad.gradient(lambda x: monomial(x, 3, scale=2.0), 2.0) == 24.0
    assert ad.jvp(lambda x: monomial(x, 3, scale=2.0), 2.0, 1.0)[1] == 24.0
    assert ad.gradient(lambda x: monomial(x, 3, scale=2.0) + monomial(x, 3, scale=1.0), 2.0) == 36.0
    with pytest.raises(ValueError, match="monomial: keyword arguments are static"):
        ad.gradient(lambda x: monomial(2.0, 3, scale=x), 2.0)


def test_the_rule_may_use_lists_and_numpy_functions_that_are_swapped():
    def rule(g, y, x):
        out = np.zeros(2)
        out[0] = g * x[1]
        out[1] = g * x[0]
        return np.array([out[0], out[1]])

    product = ad.custom_vjp(lambda x: x[0] * x[1], vjp=rule)
    np.testing.assert_array_equal(ad.gradient(product, np.array([3.0, 5.0])), [5.0, 3.0])


def test_shapes_are_found_by_a_call_on_ones_or_told():
    called = []

    def half(x):
        called.append(x.copy())
        if not np.all(x > 0):
            raise RuntimeError("needs positive numbers")
        return x[: x.size // 2]

    def rule(g, y, x):
        return np.concatenate([g, np.zeros(x.shape[0] - g.shape[0])])

    # the black box appears only inside a rule, on a shape it has never met
    inner = ad.custom_vjp(half, vjp=rule)
    outer = ad.custom_vjp(lambda x: np.sum(x), vjp=lambda g, y, x: g * np.concatenate([inner(x), inner(x)]))
    x = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(ad.gradient(outer, x), [1.0, 2.0, 1.0, 2.0])
    np.testing.assert_array_equal(called[0], np.ones(4))
    for shape in ((2,), lambda x: (x.shape[0] // 2,)):
        called.clear()
        told = ad.custom_vjp(half, vjp=rule, shape=shape)
        outer = ad.custom_vjp(
            lambda x: np.sum(x), vjp=lambda g, y, x, told=told: g * np.concatenate([told(x), told(x)])
        )
        np.testing.assert_array_equal(ad.gradient(outer, x), [1.0, 2.0, 1.0, 2.0])
        np.testing.assert_array_equal(called[0], x)


def test_names_of_functions_do_not_meet_rules_of_primitives():
    def add(x, y):
        return x - y

    def sum(x):
        return 3.0 * np.sum(x)

    f = ad.custom_vjp(add, vjp=lambda g, y, a, b: (g, -g))
    assert ad.gradient(lambda x: f(x, 0.0), 1.0) == 1.0
    assert ad.compile(lambda x: f(0.0, x))(1.0) == -1.0
    total = ad.custom_vjp(sum, vjp=lambda g, y, x: g * 3.0 * np.ones(2))
    assert ad.compile(lambda x: total(-x))(np.ones(2)) == -6.0
    assert "custom.add" in ad.inspect(lambda x: f(x, 2.0), 1.0)


def test_without_a_rule_a_derivative_is_an_error_that_names_the_function_and_the_line():
    opaque = ad.custom_vjp(plain_solve)
    assert ad.compile(lambda b: np.sum(opaque(A, b)))(B) == pytest.approx(np.sum(np.linalg.solve(A, B)))
    with pytest.raises(ValueError, match=r"'custom\.plain_solve' \(from .*test_custom\.py:\d+\) has no reverse rule"):
        ad.gradient(lambda b: np.sum(opaque(A, b)), B)
    with pytest.raises(ValueError, match="has no forward rule"):
        ad.jvp(lambda b: opaque(A, b), B, B)
    with pytest.raises(ValueError, match="needs the rule"):
        ad.custom_jvp(plain_solve)


def test_wrong_rules_are_told_apart():
    identity = lambda x: x * 1.0
    with pytest.raises(ValueError, match=r"cotangent of argument 0 of shape \(2,\), expected \(3,\)"):
        ad.gradient(lambda x: np.sum(ad.custom_vjp(identity, vjp=lambda g, y, x: np.ones(2))(x)), B)
    with pytest.raises(ValueError, match="2 cotangents for 1 arguments"):
        ad.gradient(lambda x: np.sum(ad.custom_vjp(identity, vjp=lambda g, y, x: (g, g))(x)), B)
    with pytest.raises(ValueError, match=r"a tangent of shape \(2,\), expected \(3,\)"):
        ad.jvp(ad.custom_jvp(identity, jvp=lambda t, y, x: np.ones(2)), B, B)
    with pytest.raises(ValueError, match="must return an array of floats; it returned dtype complex128"):
        ad.custom_vjp(lambda x: x * 1j)(B)


def test_a_wrapped_function_keeps_its_name_and_docstring():
    assert solve.__name__ == "plain_solve"
    assert solve.__doc__.startswith("A black box")
