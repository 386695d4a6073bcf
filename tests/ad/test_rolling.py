"""Repetitions found in traced programs: they mean what the programs written out mean, and others are left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from bayesad import ad
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.backends.numpy import run
from bayesad.ad.reverse import reverse
from bayesad.ad.rolling import roll
from bayesad.ad.simplify import simplify

RNG = np.random.default_rng(3)
T = 40
Y = RNG.normal(size=T)
COUNTS = RNG.integers(0, 5, size=T)
BINARY = RNG.integers(0, 2, size=T)
TABLE = RNG.normal(size=(T, 3))
Q = np.array([0.3, -0.4, 0.6, 0.2])


def scans(program):
    return [node for node in program.nodes if node.primitive.name == "scan"]


def assert_rolled(f, q=Q, *, loops=None, nodes=80, rtol=1e-12):
    """The rolled program is short, and its value and gradient are those of the program as traced."""
    traced, _, _ = ad.trace(f, q)
    rolled = simplify(roll(traced))
    assert len(rolled.nodes) <= nodes, f"{len(traced.nodes)} nodes became {len(rolled.nodes)}"
    if loops is not None:
        assert len(scans(rolled)) == loops
    seeds = [np.ones(node.shape) for node in traced.outputs]
    for point in (q, q + 0.05 * RNG.normal(size=q.shape)):
        expected = run(reverse(traced, [0], seeds), point)
        found = run(simplify(reverse(rolled, [0], seeds)), point)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * (1.0 + np.max(np.abs(b))))
    return rolled


# --- loops that are found
def garch_in_a_list(q):
    sigma = [1.3]
    for t in range(1, T):
        sigma.append(np.sqrt(np.exp(q[0]) + np.exp(q[1]) * (Y[t - 1] - q[2]) ** 2 + q[3] ** 2 * sigma[t - 1] ** 2))
    sigma = np.array(sigma)
    return np.sum(-np.log(sigma) - 0.5 * ((Y - q[2]) / sigma) ** 2)


def garch_in_an_array(q):
    sigma = np.zeros(T)
    sigma[0] = np.exp(q[3])
    for t in range(1, T):
        sigma[t] = np.sqrt(np.exp(q[0]) + np.exp(q[1]) * (Y[t - 1] - q[2]) ** 2 + q[3] ** 2 * sigma[t - 1] ** 2)
    return np.sum(-np.log(sigma) - 0.5 * ((Y - q[2]) / sigma) ** 2)


def moving_average(q):
    total, error = 0.0, 0.0
    for t in range(T):
        nu = q[0] + q[1] * Y[t - 1] + q[2] * error
        error = Y[t] - nu
        total += -0.5 * (error / np.exp(q[3])) ** 2 - np.log(np.exp(q[3]))
    return total


def two_lags(q):
    x = [q[0], q[1]]
    for t in range(2, T):
        x.append(np.tanh(q[2] * x[t - 1] + q[3] * x[t - 2] + Y[t]))
    return np.sum(np.array(x) ** 2)


def far_lag(q):
    x = [q[0] * k for k in range(7)]
    for t in range(7, T):
        x.append(0.5 * x[t - 1] + np.sin(q[1] * x[t - 7]))
    return np.sum(np.array(x) ** 2)


def hidden_markov(q):
    transition = np.log(np.array([[0.8, 0.2], [0.3, 0.7]])) * np.exp(q[0])
    emission = -0.5 * (Y[:, None] - q[1:3]) ** 2
    gamma = emission[0]
    for t in range(1, T):
        gamma = emission[t] + logsumexp(gamma[:, None] + transition, axis=0)
    return logsumexp(gamma)


def states_one_by_one(q):
    """An inner loop over three states."""
    a = [q[0], q[1], q[2]]
    for t in range(T):
        new = []
        for k in range(3):
            total = 0.0
            for j in range(3):
                total = total + np.exp(0.1 * (j - k) * q[3]) * a[j]
            new.append(np.tanh(total + TABLE[t, k]))
        a = new
    return a[0] + 2.0 * a[1] + 3.0 * a[2]


def matrix_state(q):
    s = np.outer(q, q)
    for t in range(T):
        s = np.tanh(s @ s.T * 0.3 + Y[t])
    return np.sum(s)


def two_loops(q):
    """The second loop reads what the first one makes."""
    u = [q[0]]
    for t in range(1, T):
        u.append(np.sin(u[t - 1] + Y[t] * q[1]))
    v, total = q[2], 0.0
    for t in range(T):
        v = 0.5 * v + u[t] * q[3]
        total = total + v**2
    return total


def state_in_a_table(q):
    a = np.zeros((T, 2))
    a[0] = q[:2]
    for t in range(1, T):
        a[t] = np.tanh(a[t - 1] * q[2] + Y[t] * q[3])
    return np.sum(a * TABLE[:, :2])


def columns_of_a_table(q):
    a = np.zeros((2, T))
    a[:, 0] = q[:2]
    for t in range(1, T):
        a[:, t] = np.tanh(a[:, t - 1] * q[2] + Y[t] * q[3])
    return np.sum(a.T * TABLE[:, :2])


def parameters_by_step(q):
    """Random effects: every step reads its own element of a vector of unknowns."""
    level, total = q[0], 0.0
    for t in range(T):
        level = 0.9 * level + q[t + 1]
        total += np.log1p(np.exp(level)) - BINARY[t] * level
    return total


def chosen_parameters(q):
    """Every step reads one of two unknowns, by data."""
    level = q[0]
    for t in range(T):
        level = np.sin(level) + q[1 + BINARY[t]]
    return level


LOOPS = {
    "garch in a list": (garch_in_a_list, 1), "garch in an array": (garch_in_an_array, 1),
    "moving average": (moving_average, 1), "two lags": (two_lags, 1), "far lag": (far_lag, 1),
    "hidden Markov": (hidden_markov, 1), "states one by one": (states_one_by_one, 1), "matrix state": (matrix_state, 1),
    "two loops": (two_loops, 2), "state in a table": (state_in_a_table, 1),
    "columns of a table": (columns_of_a_table, 1),
    "chosen parameters": (chosen_parameters, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_becomes_a_scan(name):
    f, n = LOOPS[name]
    assert_rolled(f, loops=n)


def test_a_loop_over_a_vector_of_unknowns_becomes_a_scan():
    assert_rolled(parameters_by_step, RNG.normal(size=T + 1), loops=1)


@pytest.mark.parametrize("name", LOOPS)
def test_machine_code_of_a_rolled_gradient_equals_the_interpreter(name):
    rolled = simplify(roll(ad.trace(LOOPS[name][0], Q)[0]))
    gradient = simplify(reverse(rolled, [0], [np.float64(1.0)]))
    for found, expected in zip(executor(gradient)([Q]), run(gradient, Q), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


# --- loops without a recurrence
def independent_terms(q):
    total = 0.0
    for t in range(T):
        total += -0.5 * ((Y[t] - q[0] - q[1] * TABLE[t, 1]) / np.exp(q[2])) ** 2 - q[2]
    return total


def terms_of_two_kinds(q):
    total = 0.0
    for t in range(T):
        total = total + np.log(np.exp(q[0]) + 1.0) * Y[t] if BINARY[t] else total - np.log1p(np.exp(q[1] + Y[t]))
    return total


def counts_with_equal_values(q):
    total = q[3]
    for t in range(T):
        total += COUNTS[t] * q[0] - np.exp(q[0] + q[1] * COUNTS[t])
    return total


def collected_terms(q):
    return np.sum(np.array([np.sin(q[0] * y) for y in Y]) * TABLE[:, 0]) + sum([np.exp(q[1] * y) for y in Y])


def reversed_and_gathered(q):
    u = [np.exp(q[0] * y) for y in Y]
    order = RNG.permutation(T)
    return np.sum(np.array(u[::-1]) * Y) + np.sum(np.array([u[i] for i in order]) * np.arange(T)) + u[3]


@pytest.mark.parametrize(
    "f", [independent_terms, terms_of_two_kinds, counts_with_equal_values, collected_terms, reversed_and_gathered]
)
def test_independent_steps_become_array_operations(f):
    assert_rolled(f, loops=0)


# --- branches
def test_branches_that_all_go_one_way_become_one_check():
    def f(q):
        x, total = q[0], 0.0
        for t in range(T):
            x = 0.5 * x + Y[t] * q[1]
            total = total + (x**2 if x < 100.0 else 100.0 * x)
        return total

    traced, _, _ = ad.trace(f, Q)
    assert len(traced.guards) == T
    rolled = assert_rolled(f, loops=1)
    assert len(rolled.guards) <= 4
    compiled = ad.compile(f)
    assert compiled(Q) == pytest.approx(f(Q), rel=1e-13)
    assert compiled(Q * 300.0) == pytest.approx(f(Q * 300.0), rel=1e-13)
    assert len(compiled.paths) == 2


def test_branches_on_independent_steps_become_one_check():
    def f(q):
        return sum([q[0] * y if q[1] * y < 50.0 else q[1] for y in Y])

    rolled = assert_rolled(f, loops=0)
    assert len(rolled.guards) == 1


def test_branches_that_alternate_keep_their_meaning():
    def f(q):
        x = q[0]
        for t in range(T):
            x = np.sin(x) + Y[t] if x > 0 else x * q[1] + Y[t] ** 2
        return x

    compiled = ad.compile(f)
    for point in (Q, -Q, 2.0 * Q):
        assert compiled(point) == pytest.approx(f(point), rel=1e-13)


# --- what is left alone
@pytest.mark.parametrize(
    "f",
    [
        lambda q: np.sum(np.sin(q) ** 2),
        lambda q: sum(np.sin(q[i]) for i in range(4)),
        lambda q: np.sum(np.array([q[0], q[1] * q[2], np.exp(q[3])])),
    ],
)
def test_short_programs_are_left_alone(f):
    program, _, _ = ad.trace(f, Q)
    assert roll(program) is program


def test_a_program_without_repetition_is_left_alone():
    def f(q):
        x = q[0]
        rng = np.random.default_rng(1)
        for _ in range(80):
            x = [np.sin, np.tanh, np.arctan, np.expm1, np.square][rng.integers(5)](x * 0.9) + q[rng.integers(4)]
        return x

    program, _, _ = ad.trace(f, Q)
    rolled = roll(program)
    assert scans(rolled) == []
    assert run(rolled, Q)[0] == pytest.approx(run(program, Q)[0], rel=1e-14)


def test_ten_thousand_steps_become_a_short_program():
    n = 10_000
    y = RNG.normal(size=n)

    def f(q):
        s = np.zeros(n)
        s[0] = 1.0
        for t in range(1, n):
            s[t] = np.sqrt(np.exp(q[0]) + 0.1 * (y[t - 1] - q[1]) ** 2 + 0.5 * s[t - 1] ** 2)
        return np.sum(-np.log(s) - 0.5 * (y / s) ** 2)

    compiled = ad.compile(f)
    value, gradient = ad.value_and_gradient(compiled, Q[:2])
    assert len(compiled.paths[0].reverse(1, seed=True).nodes) < 200
    assert np.isfinite(value) and np.all(np.isfinite(gradient))


# --- random recurrences
OPERATIONS = [
    lambda a, b: np.tanh(a + b),
    lambda a, b: np.sin(a * b),
    lambda a, b: 0.5 * a - 0.3 * b,
    lambda a, b: np.where(a > b, a, 0.5 * b),
    lambda a, b: a / (2.0 + b * b),
    lambda a, b: np.exp(-a * a) + b,
    lambda a, b: a,
]


def random_loop(seed, steps, shape):
    """A loop over states of one shape: lags, totals, invariants, data, elements and collected results at random."""
    rng = np.random.default_rng(seed)
    lags = int(rng.integers(1, 4))
    chosen = [
        (OPERATIONS[rng.integers(len(OPERATIONS))], *rng.integers(0, 100, size=2)) for _ in range(rng.integers(2, 8))
    ]
    data = rng.normal(size=(steps, *shape))
    binary = rng.integers(0, 2, size=steps)
    collects, totals = rng.random(2) < 0.7

    def f(q):
        states = [0.1 * k + q[:1] * np.ones(shape) if shape else q[0] * (k + 1) for k in range(lags)]
        total, found = 0.0, []
        for t in range(steps):
            values = [*states[-lags:], data[t], q[1], q[2 + binary[t]]]
            for operation, i, j in chosen:
                values.append(operation(values[i % len(values)], values[j % len(values)]))
            states.append(np.tanh(values[-1]))
            if totals:
                total = total + np.sum(values[-2] * states[-1])
            if collects:
                found.append(values[-1] * data[t])
        result = np.sum(states[-1]) + total
        return result + np.sum(np.array(found)) if collects else result

    return f


@given(seed=st.integers(0, 10**6), steps=st.integers(16, 30), shape=st.sampled_from([(), (2,), (3, 2)]))
@settings(max_examples=60, deadline=None)
def test_random_loops_mean_what_they_meant(seed, steps, shape):
    assert_rolled(random_loop(seed, steps, shape), nodes=10**9, rtol=1e-11)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_random_programs_of_few_operations_mean_what_they_meant(seed):
    """Long programs in which much looks alike but nothing is repeated on purpose."""
    rng = np.random.default_rng(seed)
    plan = [(OPERATIONS[rng.integers(3)], *rng.integers(1, 12, size=2)) for _ in range(150)]

    def f(q):
        values = list(q)
        for operation, i, j in plan:
            values.append(operation(values[-min(i, len(values))], values[-min(j, len(values))]))
        return sum(values[-40:])

    assert_rolled(f, nodes=10**9, rtol=1e-10)
