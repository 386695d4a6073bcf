"""odeint against analytic solutions, SciPy at tight tolerances, and differences of those."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import bayesad as ba
from bayesad import ad
from bayesad.ad.backends.llvm.bdf import bdf
from bayesad.ad.backends.llvm.kernel import FAST_MATH, compile_kernel, python_log_density
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.backends.llvm.runge_kutta import dopri5, dopri8
from bayesad.ad.backends.llvm.runge_kutta_adjoint import dopri5_adjoint, dopri5_steps, dopri8_adjoint, dopri8_steps
from bayesad.ad.primitives import ode_adjoint, odes
from bayesad.ad.primitives.odes import workspace_size
from bayesad.errors import SolverError

METHODS = ("dopri5", "dopri8", "bdf")
TS = np.array([0.5, 1.0, 3.0])


def logistic(x, t):
    """The solution of y' = r y (1 - y / k), y(t0) = y0."""
    return x["k"] / (1 + (x["k"] / x["y0"] - 1) * np.exp(-x["r"] * (t - x["t0"])))


def by_odeint(x, method, tolerance=1e-8):
    def rhs(t, y, r):
        return r * y * (1 - y / x["k"])  # k closed over, r an argument

    solution = ad.odeint(rhs, [x["y0"]], x["ts"], x["r"], t0=x["t0"], method=method, rtol=tolerance, atol=tolerance)
    return solution[:, 0]


POINT = {"r": 1.3, "k": 2.5, "y0": 0.4, "t0": 0.2, "ts": TS}


def machine_code(f, x):
    """The value of a function by machine code."""
    path = ad.compile(f).path(x)
    leaves = [np.asarray(leaf)[()] for leaf in x.values()]
    return executor(path.program)(leaves)[0]


@pytest.mark.parametrize("method", METHODS)
def test_logistic_growth_and_every_derivative(method):
    bound = 2e-6 if method == "bdf" else 1e-7
    assert np.allclose(by_odeint(POINT, method), logistic(POINT, TS), rtol=bound)
    found = ad.jacobian(lambda x: by_odeint(x, method), POINT)
    expected = ad.jacobian(lambda x: logistic(x, x["ts"]), POINT)
    for name, value in expected.items():
        assert np.allclose(found[name], value, rtol=10 * bound, atol=10 * bound), name


def test_second_derivatives_and_both_modes():
    names = ("r", "k", "y0", "t0")

    def total(f):
        return lambda v: np.sum(np.sin(f({**POINT, **dict(zip(names, v, strict=True))})))

    numeric, analytic = total(lambda x: by_odeint(x, "dopri8", 1e-9)), total(lambda x: logistic(x, TS))
    v = np.array([POINT[name] for name in names])
    assert np.allclose(ad.hessian(numeric, v), ad.hessian(analytic, v), rtol=1e-6, atol=1e-7)
    direction = np.array([0.3, -1.0, 0.2, 0.7])
    assert np.allclose(ad.jvp(numeric, v, direction)[1], ad.gradient(analytic, v) @ direction, rtol=1e-7)


def test_a_linear_system_and_the_derivatives_by_its_matrix():
    a, y0 = np.array([[-0.3, 1.1], [-0.9, -0.2]]), np.array([1.0, -0.5])

    def end(a):
        return ad.odeint(lambda t, y: a @ y, y0, [2.0], rtol=1e-9, atol=1e-9)[0]

    def exact(a):
        return expm(2.0 * a) @ y0

    assert np.allclose(end(a), exact(a), rtol=1e-8)
    found = ad.jacobian(end, a)
    for i in range(2):
        for j in range(2):
            step = np.zeros((2, 2))
            step[i, j] = 1e-6
            assert np.allclose(found[:, i, j], (exact(a + step) - exact(a - step)) / 2e-6, rtol=1e-6, atol=1e-8)


def test_plain_numbers_are_solved_without_a_program():
    """The slopes are called as they are: with the same result, and branches may be taken."""
    calls = []

    def rhs(t, y):
        calls.append(type(y))
        return [y[1], -y[0] if t < 1.0 else -2.0 * y[0]]

    def end(last):
        return ad.odeint(lambda t, y: [y[1], np.where(t < 1.0, -1.0, -2.0) * y[0]], [1.0, 0.0], [1.0, last])[-1]

    assert np.allclose(ad.odeint(rhs, [1.0, 0.0], [1.0, 2.0])[-1], machine_code(lambda x: end(x["t"]), {"t": 2.0}))
    assert set(calls) == {np.ndarray}
    with pytest.raises(SolverError, match=r"branches on a value at .*test_odeint.py"):
        ad.gradient(lambda last: ad.odeint(rhs, [1.0, 0.0], [1.0, last])[0, 0], 2.0)
    with pytest.raises(ZeroDivisionError):
        ad.odeint(lambda t, y: [1 / 0], [1.0], [1.0])


@pytest.mark.parametrize("method", METHODS)
def test_machine_code_does_what_the_interpreter_does(method):
    def f(x):
        return by_odeint(x, method, 1e-6)

    assert np.allclose(machine_code(f, POINT), f(POINT), rtol=1e-9)


@pytest.mark.parametrize("kernel", [dopri5, dopri8, bdf])
def test_kernels_are_the_same_compiled_and_uncompiled(kernel):
    size = 2 * 11  # blocks that whole vectors do not divide

    def rhs(q, slopes):
        y, v = q[1 : 1 + size : 2], q[2 : 2 + size : 2]
        slopes[:size:2], slopes[1:size:2] = v, -y - 0.1 * v + np.sin(q[0])
        return 0.0

    def matrix(q, out):
        out[:4] = 0.0, 1.0, -1.0, -0.1
        return 0.0

    start = np.concatenate([[1.0, 0.0], np.linspace(-1.0, 1.0, size - 2)])
    solved = []
    for run, f, jacobian in (
        (kernel, rhs, matrix),
        (
            compile_kernel(kernel, fast_math=FAST_MATH),
            python_log_density(rhs, 1 + size, size),
            python_log_density(matrix, 1 + size, 4),
        ),
    ):
        out, work = np.zeros(size * len(TS)), np.zeros(workspace_size(kernel.__name__, 2, size))
        assert run(f, jacobian, 2, size, len(TS), 0.0, TS, start, 1e-6, 1e-6, 500, out, work) == 0
        solved.append(out)
    assert np.allclose(*solved, rtol=1e-12)
    last, first = (np.reshape(x, (-1, 2)) for x in (solved[0][-size:], start))
    w, t, (y, v) = np.sqrt(1.0 - 0.05**2), TS[-1], (first - first[0]).T  # the equation without its force
    moved = np.exp(-0.05 * t) * (y * np.cos(w * t) + (v + 0.05 * y) / w * np.sin(w * t))
    assert np.allclose(last[:, 0] - last[0, 0], moved, rtol=1e-4, atol=1e-5)


def test_robertsons_reaction():
    """Three rates of 0.04, 3e7 and 1e4 (Hairer & Wanner 1996, IV.10); t = 40 from CVODES' examples."""

    def rhs(t, y, k):
        slow, fast = k[0] * y[0] - k[2] * y[1] * y[2], k[1] * y[1] * y[1]
        return [-slow, slow - fast, fast]

    k, y0, ts = np.array([0.04, 3e7, 1e4]), np.array([1.0, 0.0, 0.0]), np.array([0.4, 40.0, 4e4])

    def solution(k):
        return ad.odeint(rhs, y0, ts, k, method="bdf", rtol=1e-7, atol=1e-11)

    tight = solve_ivp(rhs, (0, ts[-1]), y0, "Radau", ts, args=(k,), rtol=1e-9, atol=1e-13).y.T
    assert np.allclose(solution(k)[1], [0.7158, 9.185e-6, 0.2842], rtol=1e-3)
    assert np.allclose(solution(k), tight, rtol=2e-5)

    def summary(log_k):
        return np.sum(np.log(solution(np.exp(log_k))[:, :2]))

    step = 1e-3 * np.eye(3)
    found = ad.gradient(summary, np.log(k))
    differences = [(summary(np.log(k) + s) - summary(np.log(k) - s)) / 2e-3 for s in step]
    assert np.allclose(found, differences, rtol=2e-3)


def test_sensitivities_of_fast_binding_converge_once_the_states_have():
    """An enzyme of 0.02 mM that binds 1e5 times a minute and mM: second derivatives of the slopes are as large."""
    ts = np.array([2.0, 15.0, 30.0, 60.0])

    def solution(v, rtol=1e-6):
        def rhs(t, y):
            net = 1e5 * ((0.02 - y[1]) * y[0] - v[1] * y[1])
            return [-net, net - v[0] * y[1]]

        return ad.odeint(rhs, [10.0, 0.0], ts, method="bdf", rtol=rtol, atol=1e-2 * rtol)[:, 0]

    slopes = ad.compile(lambda v: ad.jacobian(solution, v))
    for dissociation in (0.38, 0.384, 0.399):  # at which steps became tiny when all was looked at from the beginning
        v = np.array([23.8, dissociation])
        exact = np.stack([(solution(v + s, 1e-10) - solution(v - s, 1e-10)) / 2e-3 for s in 1e-3 * np.eye(2)], axis=1)
        np.testing.assert_allclose(slopes(v), exact, rtol=1e-3, atol=1e-5)


def test_van_der_pol_with_mu_of_1000():
    def rhs(t, y, mu):
        return [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]]

    y0, ts = np.array([2.0, 0.0]), np.array([500.0, 1200.0])
    tight = solve_ivp(rhs, (0, ts[-1]), y0, "Radau", ts, args=(1000.0,), rtol=1e-8, atol=1e-10).y.T
    found = ad.odeint(rhs, y0, ts, 1000.0, method="bdf", rtol=1e-7, atol=1e-9)
    assert np.allclose(found, tight, rtol=1e-4)
    with pytest.raises(SolverError, match="more than max_steps"):
        ad.odeint(rhs, y0, ts, 1000.0, rtol=1e-3)


def test_time_in_the_right_hand_side_and_a_first_time_at_t0():
    found = ad.odeint(lambda t, y: np.cos(t) + 0.0 * y, [0.5], np.array([1.0, 2.0]), t0=1.0)
    assert found[0, 0] == 0.5
    assert np.allclose(found[1, 0], 0.5 + np.sin(2.0) - np.sin(1.0), rtol=1e-6)


def test_many_states_as_an_array():
    """Heat in a rod: the solution of the discretised equation by expm; its Jacobian is made in a loop."""
    n = 20
    laplacian = np.diag(-2.0 * np.ones(n)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    y0 = np.sin(np.linspace(0, np.pi, n))

    def rhs(t, y, c):
        edges = np.concatenate([[0.0], y, [0.0]])
        return c * (edges[2:] - 2 * y + edges[:-2])

    exact = expm(1.5 * 4.0 * laplacian) @ y0
    slope = 1.5 * laplacian @ exact
    for method in ("dopri5", "bdf"):

        def end(c, method=method):
            return ad.odeint(rhs, y0, [1.5], c, method=method, rtol=1e-8, atol=1e-8)[0]

        assert np.allclose(end(4.0), exact, rtol=1e-6)
        assert np.allclose(ad.jacobian(end, 4.0), slope, rtol=1e-5, atol=1e-6)


def test_value_and_gradient_take_one_solve():
    def f(v):
        return np.sum(by_odeint({**POINT, "r": v[0], "k": v[1]}, "dopri5"))

    path = ad.compile(f).path(np.array([1.3, 2.5]))
    assert str(path.reverse(1, True)).count("= odeint(") == 1


# --- many parameters: the adjoint, and loops over sensitivities
def network(v, method="dopri5", tolerance=1e-9):
    """Three states whose slopes have thirteen weights; sum of squares at three times of which one moves."""
    w, y0, t0, last = v[:13], v[13:16], v[16], v[17]

    def rhs(t, y):
        return np.tanh(np.reshape(w[:9], (3, 3)) @ y) - w[12] * y + w[9:12] * np.sin(t)

    times = np.stack([0.5, 1.0, last])
    return np.sum(ad.odeint(rhs, y0, times, t0=t0, method=method, rtol=tolerance, atol=tolerance) ** 2)


WEIGHTS = np.append(np.random.default_rng(3).normal(size=16), [0.1, 2.5])


@pytest.mark.parametrize("method", ["dopri5", "dopri8"])
def test_the_adjoint_of_many_parameters(method):
    gradient = ad.compile(lambda v: network(v, method)).path(WEIGHTS).reverse(1, True)
    assert "odeint_adjoint(" in str(gradient)
    value, found = executor(gradient)([WEIGHTS])
    assert np.isclose(value, network(WEIGHTS, method), rtol=1e-12)
    assert np.allclose(ad.gradient(lambda v: network(v, method), WEIGHTS), found, rtol=1e-10, atol=1e-12)
    for i, step in enumerate(1e-4 * np.eye(len(WEIGHTS))):
        difference = (network(WEIGHTS + step, method, 1e-12) - network(WEIGHTS - step, method, 1e-12)) / 2e-4
        assert np.isclose(found[i], difference, rtol=1e-5, atol=1e-6)


def test_second_derivatives_through_the_adjoint():
    v = np.random.default_rng(4).normal(size=len(WEIGHTS))
    forward_over_reverse = ad.hvp(network, WEIGHTS, v)
    reverse_over_reverse = ad.gradient(lambda w: np.sum(ad.gradient(network, w) * v), WEIGHTS)
    above, below = (ad.gradient(lambda w: network(w, "dopri8", 1e-12), WEIGHTS + s * v) for s in (1e-4, -1e-4))
    assert np.allclose(forward_over_reverse, (above - below) / 2e-4, rtol=1e-4, atol=1e-5)
    assert np.allclose(reverse_over_reverse, forward_over_reverse, rtol=1e-6, atol=1e-6)


def test_sensitivities_in_a_loop_are_those_one_by_one(monkeypatch):
    def gradient():
        return ad.gradient(lambda v: network(v, "bdf", 1e-7), WEIGHTS)

    one_by_one = gradient()
    monkeypatch.setattr(odes, "LONGEST_BODY", 0)
    odes._beside_sensitivities.cache_clear()
    assert np.allclose(gradient(), one_by_one, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("kernels", [(dopri5_steps, dopri5_adjoint), (dopri8_steps, dopri8_adjoint)])
def test_adjoint_kernels_are_the_same_compiled_and_uncompiled(kernels, few):
    def rhs(q, slopes):
        slopes[0], slopes[1] = q[2], -0.7 * q[1]
        return 0.0

    def pulled(q, out):
        out[:3] = -0.7 * q[4], q[3], -q[1] * q[4]
        return 0.0

    method = kernels[1].__name__.removesuffix("_adjoint")
    keeps = 1 if few else ode_adjoint.METHODS[method]
    start, seeds = np.array([1.0, 0.5]), np.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.0])

    def gradient(solve, back, f, g, steps=500):
        solved, work = np.zeros(3 * len(TS) + steps * (2 + 2 * keeps)), np.zeros(workspace_size(method, 2, 2))
        status = solve(f, 2, 2, len(TS), 0.0, TS, start, 1e-7, 1e-7, steps, keeps, solved, work)
        assert (status == 0) == (steps == 500)
        out, work = np.zeros(3), np.zeros(ode_adjoint.adjoint_size(method, 2, 1))
        back(f, g, 2, 1, len(TS), seeds, solved, keeps, out, work)
        return out

    compiled = [compile_kernel(kernel, fast_math=FAST_MATH) for kernel in kernels]
    found = gradient(*kernels, rhs, pulled)
    pointers = python_log_density(rhs, 3, 2), python_log_density(pulled, 5, 3)
    assert np.allclose(gradient(*compiled, *pointers), found, rtol=1e-12)
    assert np.isnan(gradient(*compiled, *pointers, steps=2)).all()
    w = np.sqrt(0.7)
    c, s = np.cos(3 * w), np.sin(3 * w)
    exact = [c, s / w, -3 * s / (2 * w) + 0.5 * (3 * c / (2 * w**2) - s / (2 * w**3))]
    assert np.allclose(found, exact, rtol=1e-5)


def test_the_adjoint_takes_the_solve_of_the_value_and_may_compute_stages_again(monkeypatch):
    path = ad.compile(network).path(WEIGHTS)
    kinds = [node.primitive.name for node in path.reverse(1, True).nodes]
    assert kinds.count("odeint_steps") == kinds.count("odeint_adjoint") == 1 and "odeint" not in kinds
    value, gradient = executor(path.reverse(1, True))([WEIGHTS])
    monkeypatch.setattr(ode_adjoint, "MOST_NUMBERS", 100_000)
    assert ode_adjoint.kept_vectors("dopri5", 3, 10_000) == 1
    again = executor(ad.compile(lambda v: network(v)).path(WEIGHTS).reverse(1, True))([WEIGHTS])
    assert np.isclose(value, again[0], rtol=1e-13) and np.allclose(gradient, again[1], rtol=1e-11, atol=1e-12)


# --- failures
def explosion(y0):
    return ad.odeint(lambda t, y: y * y, [y0], [1.0])[0, 0]  # infinite at t = 1 / y0


def test_a_failure_says_when_and_why():
    with pytest.raises(SolverError, match=r"no solution beyond t = 0\.5.*'dopri5'.*singularity"):
        explosion(2.0)
    compiled = ad.compile(explosion)
    assert np.isclose(compiled(0.5), 1.0, rtol=1e-5)
    for _ in range(40):  # interpreted, and from some call on machine code
        with pytest.raises(SolverError, match="no solution beyond"):
            compiled(2.0)
    assert np.isclose(compiled(0.5), 1.0, rtol=1e-5)


def test_while_sampling_a_failure_is_a_log_density_of_minus_infinity():
    @ba.model
    def model(seen):
        start = ba.sample("start", ba.Normal(0.5, 0.3))
        ba.sample("seen", ba.Normal(ba.odeint(lambda t, y: y * y, [start], [1.0])[0], 0.5), obs=seen)

    posterior = model(seen=[1.5])
    assert posterior.unconstrained.log_density([2.0]) == -np.inf
    assert posterior.unconstrained.log_density_and_gradient([2.0])[0] == -np.inf
    assert np.isfinite(posterior.unconstrained.log_density([0.5]))
    with pytest.raises(SolverError):
        posterior.neg_log_posterior({"start": 2.0})
    with pytest.warns(RuntimeWarning, match="no solution beyond"):
        draws = posterior.sample(chains=2, warmup=200, draws=200, seed=1, initial={"start": 0.5})
    assert np.all(draws.posterior["start"].values < 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ts": [1.0, 1.0]}, r"ts\[1\] = 1.0 comes after ts\[0\]"),
        ({"ts": [0.5], "t0": 1.0}, "comes after t0"),
        ({"ts": [[1.0]]}, "ts has to be a vector"),
        ({"y0": 1.0}, "y0 has to be a vector"),
        ({"method": "euler"}, "method is one of"),
        ({"max_steps": 3}, r"no solution beyond t = 0\..* more than max_steps"),
        ({"max_steps": 0}, "max_steps has to be"),
        ({"rtol": 0.0}, "rtol has to be a positive number"),
        ({"rhs": lambda t, y: [y[0], y[0]]}, r"slopes of shape \(2,\) for states of shape \(1,\)"),
        ({"rhs": lambda t, y: y if y[0] > 0 else -y, "method": "bdf"}, "branches on a value at .*test_odeint.py"),
        ({"y0": [np.nan]}, "not finite"),
    ],
)
def test_errors(arguments, message):
    given = {"rhs": lambda t, y: -y, "y0": [1.0], "ts": [1.0], **arguments}
    with pytest.raises(SolverError, match=message):
        ad.odeint(**given)
