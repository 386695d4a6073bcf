"""The operators users call: they agree with each other, nest, and say what is wrong."""

import numpy as np
import pytest

from bayesad import ad

X = np.array([0.4, -0.9, 1.3])


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_hessian(x):
    h = np.diag(np.append(1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0, 0.0) + np.append(0.0, np.full(len(x) - 1, 200.0)))
    for i in range(len(x) - 1):
        h[i, i + 1] = h[i + 1, i] = -400.0 * x[i]
    return h


def field(x):
    return np.stack([np.sin(x[0]) * x[1], np.exp(x[2]) + x[0], x[1] * x[2], np.sum(x**3)])


def test_value_and_gradient_types():
    value, slope = ad.value_and_gradient(np.sum, X)
    assert type(value) is np.float64
    assert slope.dtype == np.float64
    value, slope = ad.value_and_gradient(lambda x: np.reshape(x * x, (1, 1)), 3)
    assert value == 9.0
    assert slope == 6.0


def test_modes_agree():
    for f in (rosenbrock, lambda x: np.sum(field(x)), lambda x: x[0] * 2.0):
        np.testing.assert_allclose(ad.gradient(f, X, mode=ad.Forward), ad.gradient(f, X), rtol=1e-13)


def test_jacobian_in_both_modes_and_by_products():
    forward = ad.jacobian(field, X, mode=ad.Forward)
    reverse = ad.jacobian(field, X, mode=ad.Reverse)
    steps = np.stack([np.imag(field(X + 1e-100j * e)) / 1e-100 for e in np.eye(3)], axis=-1)
    assert forward.shape == (4, 3)
    for found in (forward, reverse, ad.jacobian(field, X)):
        np.testing.assert_allclose(found, steps, rtol=1e-13, atol=1e-15)
    v, w = np.array([1.0, 2.0, -1.0]), np.array([0.5, -1.0, 2.0, 3.0])
    np.testing.assert_allclose(ad.jvp(field, X, v)[1], steps @ v, rtol=1e-13)
    np.testing.assert_allclose(ad.vjp(field, X)[1](w), w @ steps, rtol=1e-13)


def test_jacobian_shapes_of_matrices_scalars_and_empty_arrays():
    assert ad.jacobian(lambda x: x[:, None] * x, X).shape == (3, 3, 3)
    assert ad.jacobian(lambda x: x * 2.0, 1.0).shape == ()
    for mode in (ad.Forward, ad.Reverse):
        assert ad.jacobian(lambda x: x[:0], X, mode=mode).shape == (0, 3)
        assert ad.jacobian(lambda x: np.ones(2) * np.sum(x), np.ones(0), mode=mode).shape == (2, 0)


def test_hessian_of_rosenbrock():
    np.testing.assert_allclose(ad.hessian(rosenbrock, X), rosenbrock_hessian(X), rtol=1e-12, atol=1e-12)


def test_hessian_products_in_all_nestings():
    v = np.array([1.0, -2.0, 0.5])
    expected = rosenbrock_hessian(X) @ v
    found = [
        ad.hvp(rosenbrock, X, v),  # forward over reverse
        ad.gradient(lambda x: ad.gradient(rosenbrock, x) @ v, X),  # reverse over reverse
        ad.gradient(lambda x: ad.jvp(rosenbrock, x, v)[1], X),  # reverse over forward
        ad.jvp(lambda x: ad.gradient(rosenbrock, x, mode=ad.Forward), X, v)[1],  # forward over forward
        ad.vjp(lambda x: ad.gradient(rosenbrock, x), X)[1](v),
        ad.hvp(ad.compile(rosenbrock), X, v),
    ]
    for product in found:
        np.testing.assert_allclose(product, expected, rtol=1e-12, atol=1e-11)


def test_third_and_fourth_derivatives():
    derivative = lambda f: lambda x: ad.gradient(f, x)
    f = lambda x: np.sin(2.0 * x) * np.exp(x)
    x = 0.3
    # (2i + 1)^n e^((2i + 1) x), imaginary part
    for n in range(1, 5):
        f = derivative(f)
        assert f(x) == pytest.approx(((1 + 2j) ** n * np.exp((1 + 2j) * x)).imag, rel=1e-12)
    cubic = ad.jacobian(lambda x: ad.hessian(lambda u: np.prod(u), x), X)
    expected = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        expected[i, j, k] = 1.0
    np.testing.assert_allclose(cubic, expected)


def test_a_function_that_takes_gradients_inside():
    def newton_step(x):
        return x - np.linalg.solve(ad.hessian(rosenbrock, x), ad.gradient(rosenbrock, x))

    jacobian = ad.jacobian(newton_step, X)
    steps = [(newton_step(X + 1e-6 * e) - newton_step(X - 1e-6 * e)) / 2e-6 for e in np.eye(3)]
    np.testing.assert_allclose(jacobian, np.stack(steps, axis=-1), rtol=1e-5, atol=1e-6)


def test_perturbations_are_not_confused():
    # d/dx [x d/dy (x + y)] = 1, in all combinations of modes
    inner = [
        lambda x: ad.gradient(lambda y: x + y, 1.0),
        lambda x: ad.jvp(lambda y: x + y, 1.0, 1.0)[1],
    ]
    for d in inner:
        f = lambda x, d=d: x * d(x)
        assert ad.gradient(f, 1.0) == 1.0
        assert ad.jvp(f, 1.0, 1.0)[1] == 1.0


def test_stop_gradient_is_a_constant_in_both_modes_and_in_trees():
    f = lambda x: np.sum(x * ad.stop_gradient(x))
    np.testing.assert_array_equal(ad.gradient(f, X), X)
    assert ad.jvp(f, X, np.ones(3))[1] == pytest.approx(np.sum(X))
    tree = ad.stop_gradient({"a": 1.0, "b": [X]})
    assert tree["a"] == 1.0 and tree["b"][0] is X


def test_a_gradient_needs_one_scalar_of_floats():
    with pytest.raises(ValueError, match=r"scalar result, but field returned \(4,\); sum it, or use ad\.jacobian"):
        ad.gradient(field, X)
    with pytest.raises(ValueError, match="dtype bool"):
        ad.gradient(lambda x: np.all(x > 0), X)
    with pytest.raises(ValueError, match="nothing"):
        ad.gradient(lambda x: None, X)
    with pytest.raises(ValueError, match=r"returned \(\), \(\)"):
        ad.gradient(lambda x: (x[0], x[1]), X)


def test_a_pull_back_may_be_called_many_times():
    value, pull_back = ad.vjp(field, X)
    np.testing.assert_allclose(value, field(X), rtol=1e-15)
    rows = [pull_back(e) for e in np.eye(4)]
    np.testing.assert_allclose(np.stack(rows), ad.jacobian(field, X), rtol=1e-14)
    with pytest.raises(ValueError, match="shape"):
        pull_back(np.ones(3))


def test_check_agrees_on_a_right_gradient_and_names_the_worst_entry_of_a_wrong_one():
    point = {"w": X, "b": 0.5}
    right = ad.check(lambda p: np.sum(np.tanh(p["w"]) * p["b"]) + abs(p["b"]), point)
    assert right
    assert right.n == 4
    assert right.n_complex == 3  # abs is not analytic
    assert str(right).startswith("The gradient agrees with complex steps and central differences in 4 entries.")
    assert str(ad.check(np.sum, X)).startswith("The gradient agrees with complex steps in 3 entries.")
    assert "with central differences in 3 entries" in str(ad.check(lambda x: np.sum(np.abs(x)), X))
    wrong = ad.custom_vjp(lambda w: w**2, vjp=lambda g, y, w: g * np.array([2.0, 2.1, 2.0]) * w)
    found = ad.check(lambda p: np.sum(wrong(p["w"])) * p["b"], point)
    assert not found
    assert found.entry == "x['w'][1]"
    assert found.gradient == pytest.approx(2.1 * X[1] * 0.5)
    assert found.difference == pytest.approx(2.0 * X[1] * 0.5)
    assert "central differences in 1 of 4 entries" in str(found) and "x['w'][1]" in str(found)


def test_check_reports_nan_and_nothing_to_compare():
    infinite = ad.check(lambda x: np.sum(np.log(x)), np.array([1.0, -1.0]))
    assert not infinite and "The function is nan here" in str(infinite)
    jump = ad.check(lambda x: np.sum(np.floor(x) * x), np.array([2.5, 2.0]))
    assert not jump and jump.n_wrong == 1 and "x[1]" in str(jump) and "do not settle" in str(jump)
    nothing = ad.check(lambda x: 1.0, {})
    assert nothing and "nothing to compare" in str(nothing)


def test_a_mode_that_is_none_is_refused_and_both_give_numbers_for_numbers():
    with pytest.raises(ValueError, match=r"the mode is ad.Reverse or ad.Forward, not 'forward'"):
        ad.gradient(np.sum, X, mode="forward")
    for mode in (ad.Reverse, ad.Forward):
        assert type(ad.gradient(lambda p: p["a"] * p["b"], {"a": 2.0, "b": 3.0}, mode=mode)["a"]) is np.float64


def test_names_are_listed_and_suggested():
    assert {"autodiff", "gradient", "odeint"} <= set(dir(ad))
    with pytest.raises(AttributeError, match="did you mean 'gradient'"):
        ad.gradients
