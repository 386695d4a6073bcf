"""Random programs: reverse mode, forward mode and the complex step agree; activity, fan-out and dead ends."""

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.backends.numpy import run
from bayesad.ad.forward import forward
from bayesad.ad.reverse import reverse
from bayesad.ad.simplify import simplify
from bayesad.ad.trace import trace

N = 3
UNARY = {
    "sin": np.sin,
    "tanh": np.tanh,
    "exp": lambda a: np.exp(0.3 * a),
    "square": np.square,
    "root": lambda a: np.sqrt(4.0 + a * a),
    "log": lambda a: np.log(3.0 + a * a),
    "reverse": lambda a: a[::-1],
    "gather": lambda a: a[np.array([2, 0, 0])],
    "cumsum": np.cumsum,
    "outer sum": lambda a: np.sum(a[:, None] * a[None, :] * np.arange(9.0).reshape(3, 3), axis=1),
    "element": lambda a: a[1] * a,
    "mean": lambda a: a - np.mean(a),
    "matrix": lambda a: np.array([[0.5, -0.2, 0.1], [0.3, 0.9, 0.0], [-0.4, 0.2, 0.7]]) @ a,
    "concatenate": lambda a: np.concatenate([a[1:], a[:1] * 2.0]),
    "negative": np.negative,
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": lambda a, b: a / (2.0 + b * b),
    "dot": lambda a, b: (a @ b) * a,
    "stack": lambda a, b: np.stack([a, b]).sum(axis=0) * b,
    "power": lambda a, b: (1.5 + a * a) ** b,
}
EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "y", "constant"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), inner),
        st.tuples(st.sampled_from(sorted(BINARY)), inner, inner),
    ),
    max_leaves=8,
)


def evaluate(expression, x, y):
    if isinstance(expression, str):
        return {"x": x, "y": y, "constant": np.array([0.3, -0.7, 1.1])}[expression]
    name, *parts = expression
    return {**UNARY, **BINARY}[name](*[evaluate(part, x, y) for part in parts])


@seed(1)
@settings(max_examples=80, deadline=None, database=None)
@given(expression=EXPRESSIONS)
def test_reverse_forward_and_complex_step_agree_on_random_programs(expression):
    random = np.random.default_rng(2)
    x, y, w, v = random.uniform(-1.0, 1.0, size=(4, N))

    def f(p):
        return np.sum(w * np.tanh(0.1 * evaluate(expression, p["x"], p["y"])))

    point = {"x": x, "y": y}
    value, slopes = ad.value_and_gradient(f, point)
    assert value == pytest.approx(f(point), rel=1e-13, abs=1e-15)
    forwards = ad.gradient(f, point, mode=ad.Forward)
    for key in point:
        steps = [np.imag(f({**point, key: point[key] + 1e-100j * e})) / 1e-100 for e in np.eye(N)]
        np.testing.assert_allclose(slopes[key], steps, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(forwards[key], slopes[key], rtol=1e-10, atol=1e-12)
    _, along = ad.jvp(lambda q: ad.gradient(f, q), point, {"x": v, "y": w})
    _, pull_back = ad.vjp(lambda q: ad.gradient(f, q), point)
    across = pull_back({"x": v, "y": w})  # the Hessian is symmetric
    for key in point:
        np.testing.assert_allclose(along[key], across[key], rtol=1e-8, atol=1e-10)


def program_of(f, *arrays):
    return trace(f, *arrays)[0]


def test_programs_of_derivatives_are_programs_that_run():
    x, y = np.array([0.3, 0.5]), np.array([1.0, 2.0])
    program = program_of(lambda a, b: np.sum(np.sin(a) * b), x, y)
    value, g_x, g_y = run(reverse(program, seeds=[np.float64(2.0)]), x, y)
    np.testing.assert_allclose(value, np.sum(np.sin(x) * y))
    np.testing.assert_allclose(g_x, 2.0 * np.cos(x) * y)
    np.testing.assert_allclose(g_y, 2.0 * np.sin(x))
    value, tangent = run(forward(program), x, y, np.ones(2), np.zeros(2))
    np.testing.assert_allclose(tangent, np.sum(np.cos(x) * y))
    twice = reverse(simplify(reverse(program, wrt=[0], seeds=[np.float64(1.0)])), wrt=[0])
    _, _, curvature = run(twice, x, y, np.float64(0.0), np.ones(2))
    np.testing.assert_allclose(curvature, -np.sin(x) * y)


def test_only_the_inputs_asked_for_are_differentiated():
    x, y = np.ones(2), np.ones(2)
    program = program_of(lambda a, b: np.sum(a * np.sqrt(b)), x, y)
    derived = simplify(reverse(program, wrt=[0], seeds=[np.float64(1.0)]))
    assert len(derived.outputs) == 2
    assert "divide" not in [node.primitive.name for node in derived.nodes]  # no slope of sqrt


def test_inputs_that_do_not_matter_have_zero_gradient_of_their_shape():
    slopes = ad.gradient(lambda p: np.sum(p["used"]), {"used": np.ones(2), "unused": np.ones((2, 3)), "scalar": 1.0})
    np.testing.assert_array_equal(slopes["unused"], np.zeros((2, 3)))
    assert slopes["scalar"].shape == ()


def test_a_constant_function_has_zero_gradient():
    np.testing.assert_array_equal(ad.gradient(lambda x: 3.0, np.ones(4)), np.zeros(4))
    np.testing.assert_array_equal(ad.gradient(lambda x: np.sum(np.floor(x) * (x > 0)), np.ones(4)), np.zeros(4))
    _, tangent = ad.jvp(lambda x: np.sign(x), np.ones(4), np.ones(4))
    np.testing.assert_array_equal(tangent, np.zeros(4))


def test_a_value_used_many_times_adds_up_its_cotangents():
    def f(x):
        for _ in range(10):
            x = x + x * x[0]
        return np.sum(x)

    x = np.array([0.01, 0.02])
    steps = [np.imag(f(x + 1e-100j * e)) / 1e-100 for e in np.eye(2)]
    np.testing.assert_allclose(ad.gradient(f, x), steps, rtol=1e-13)


def test_an_output_may_be_an_input_or_appear_twice():
    x = np.array([1.0, 2.0])
    value, pull_back = ad.vjp(lambda a: (a, a, 2.0 * a, np.ones(2)), x)
    np.testing.assert_array_equal(value[0], x)
    np.testing.assert_array_equal(pull_back((x, x, x, x)), 4.0 * x)
    _, tangent = ad.jvp(lambda a: (a, np.ones(2)), x, np.array([5.0, 6.0]))
    np.testing.assert_array_equal(tangent[0], [5.0, 6.0])
    np.testing.assert_array_equal(tangent[1], [0.0, 0.0])


def test_a_long_loop_differentiates_element_by_element():
    phi, y = 0.6, np.random.default_rng(0).standard_normal(300)

    def f(p):
        state, total = 0.0, 0.0
        for t in range(300):
            state = p * state + y[t]
            total = total + state * state
        return total

    assert ad.gradient(f, phi) == pytest.approx(np.imag(f(phi + 1e-100j)) / 1e-100, rel=1e-12)


def test_cotangents_of_overlapping_slices_and_elements_add_up():
    def f(x):
        steps = x[1:] - x[:-1]
        table = np.sum(x[1:4, None] * x[None, 3:6] ** 2)
        return np.sum(np.sin(x[2:5]) * x[3]) + np.sum(steps**2) + x[0] * x[6] + np.sum(x[5:5]) + table

    x = np.random.default_rng(2).normal(size=7)
    expected = [np.imag(f(x + 1e-30j * (np.arange(7) == i))) / 1e-30 for i in range(7)]
    np.testing.assert_allclose(ad.gradient(f, x), expected, rtol=1e-13)


def test_the_gradient_of_a_vector_read_by_slices_is_joined_not_scattered():
    program, _, _ = ad.trace(lambda x: np.sum(x[:3] ** 2) + np.exp(x[3]) + np.sum(x[4:] * x[4:]), np.arange(6.0))
    names = [node.primitive.name for node in reverse(program, [0], [np.float64(1.0)]).nodes]
    assert "scatter" not in names
    assert names.count("concatenate") == 1


def test_cotangents_of_slices_along_a_later_axis_are_joined_too():
    def f(x):
        return np.sum(np.sin(x[:, 1:]) * x[:, :-1] ** 2) + np.sum(x[1:] ** 3) + x[0, 1]

    x = np.random.default_rng(4).normal(size=(3, 4))
    program, _, _ = ad.trace(f, x)
    gradient = reverse(program, [0], [np.float64(1.0)])
    assert "scatter" not in [node.primitive.name for node in gradient.nodes]
    seeds = np.eye(12).reshape(12, 3, 4)
    expected = [np.imag(f(x + 1e-30j * seed)) / 1e-30 for seed in seeds]
    np.testing.assert_allclose(np.ravel(run(gradient, x)[1]), expected, rtol=1e-13)
