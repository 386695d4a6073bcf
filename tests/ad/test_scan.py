"""ad.scan against the same loops written out in Python: values, derivatives of every order, branches, errors."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from bayesad import ad
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.backends.llvm.prepared import lowered_program
from bayesad.ad.backends.numpy import executor as interpreter
from bayesad.ad.primitives import loops
from bayesad.ad.program import Program
from bayesad.ad.reverse import reverse
from bayesad.ad.rolling.ranges import Ranges
from bayesad.ad.simplify import simplify
from bayesad.errors import ScanError, TracingError

RNG = np.random.default_rng(7)
Y = RNG.normal(size=9)


def unrolled(step, carry, xs=None, length=None, reverse=False):
    """The same loop, written out."""
    n = length if xs is None else len(ad.compiled.trees.flatten(xs)[0][0])
    rows = []
    for t in reversed(range(n)) if reverse else range(n):
        x = None if xs is None else ad.compiled.trees.tree_map(lambda a, t=t: a[t], xs)
        carry, y = step(carry, x)
        rows.append(y)
    rows = rows[::-1] if reverse else rows
    return carry, None if rows[0] is None else ad.compiled.trees.tree_map(lambda *leaves: np.stack(leaves), *rows)


def garch(scan, q):
    def step(sigma, y):
        sigma = np.sqrt(np.exp(q[0]) + 0.2 * (y - q[1]) ** 2 + q[2] ** 2 * sigma**2)
        return sigma, sigma

    last, sigma = scan(step, 1.0, Y)
    return np.sum(np.log(sigma) * np.arange(9.0)) + last


def backwards(scan, q):
    last, ys = scan(lambda c, x: (np.tanh(c * q[0] + x), c * q[1]), q[2], Y, reverse=True)
    return last * q[0] + np.sum(ys * np.arange(9.0))


class State(NamedTuple):
    level: Any
    trend: Any


def trees_of_states(scan, q):
    def step(state, x):
        new = State(state.level * q[0] + state.trend, 0.9 * state.trend + x["u"] * q[1])
        return new, {"product": new.level * new.trend, "x": (x["u"] + x["v"][1], None)}

    xs = {"u": Y * q[2], "v": np.reshape(np.arange(18.0), (9, 2)) * q[0]}
    state, ys = scan(step, State(q[0], 0.5), xs)
    return state.level + 2.0 * state.trend + np.sum(ys["product"] ** 2) + np.sum(np.sin(ys["x"][0]))


def vector_state(scan, q):
    transition = np.array([[0.8, 0.1], [0.2, 0.7]]) * q[0]

    def step(s, x):
        s = np.tanh(transition @ s + x * q[1:3])
        return s, np.sum(s[:, None] * s)

    state, ys = scan(step, q[:2], Y)
    return np.sum(state**2) + np.sum(ys)


def hidden_markov(scan, q):
    log_transition = np.log(np.array([[0.8, 0.2], [0.3, 0.7]]))
    emission = -0.5 * (Y[:, None] - q[:2]) ** 2

    def step(alpha, e):
        return e + np.logaddexp(alpha[0] + log_transition[0], alpha[1] + log_transition[1] * q[2]), None

    alpha, nothing = scan(step, emission[0], emission[1:])
    assert nothing is None
    return np.logaddexp(alpha[0], alpha[1])


def integers_and_booleans(scan, q):
    def step(state, x):
        count, sign, total = state
        total = total + np.where(sign, x, -x) * q[0] ** count
        return (count + 1, np.logical_not(sign), total), (count, sign)

    (count, sign, total), (counts, signs) = scan(step, (0, True, q[1]), Y)
    return total + np.sum(np.where(signs, q[2], q[1]) * counts) + count * q[0] + np.where(sign, 1.0, q[2])


def autoregression(scan, q):
    def step(lags, x):
        new = q[0] * lags[0] + q[1] * lags[1] + x
        return (new, lags[0]), lags[1] * new

    lags, ys = scan(step, (q[2], 0.0), Y)
    return lags[0] * lags[1] + np.sum(ys)


def running_totals(scan, q):
    def step(carry, x):
        total, walk, last, product = carry
        return (total + np.sin(x * q[0]) - walk, walk + x * q[1], x, product * q[2]), walk * last + product

    carry, ys = scan(step, (0.0, q[2], 0.0, 1.0), Y)
    return np.sum(ys**2) + carry[0] + carry[1] * carry[2]


def without_rows(scan, q):
    return scan(lambda c, _: (np.sin(c) * q[0] + q[1], c), q[2], length=7)[1] @ np.arange(7.0)


def nested(scan, q):
    def outer(c, x):
        inner, ys = scan(lambda d, z: (d * q[0] + z, d * q[1]), c, np.arange(3.0) * x)
        return inner * 0.1, np.sum(ys)

    c, ys = scan(outer, q[2], Y)
    return c + np.sum(ys**2)


def behind_where(scan, q):
    def step(c, x):
        safe = np.where(x > 0.0, np.sqrt(np.where(x > 0.0, x, 1.0)) * c, c)
        return safe, np.where(c > 1e9, np.log(np.abs(c - 1.0)), c)

    c, ys = scan(step, q[0] + 1.0, Y)
    return c + np.sum(ys * q[1])


def gated(scan, q):
    """A recurrent network: its weights are shared by all steps, and its gates cost more than to be stored."""
    weights = np.sin(np.arange(24.0)).reshape(8, 3) * q[0]

    def step(state, x):
        h, cell = state
        gates = weights @ h + x * q[1]
        keep, out = 0.5 + 0.5 * np.tanh(0.5 * gates[:3]), np.tanh(gates[4:7])
        cell = keep * cell + gates[3] * q[2]
        return (out * np.tanh(cell), cell), np.exp(-(cell**2))

    (h, _), ys = scan(step, (np.zeros(3), np.ones(3) * q[2]), Y)
    return np.sum(ys**2) + np.sum(h)


def nested_in_a_gate(scan, q):
    def outer(c, x):
        inner, ys = scan(lambda d, z: (np.tanh(d * q[0] + 0.1 * z), np.exp(0.1 * d)), c, np.arange(3.0) * x)
        return 0.3 * inner * np.sum(np.sin(c * ys)), inner

    c, ys = scan(outer, q[2], Y)
    return c + np.sum(ys**2)


CASES = [garch, backwards, trees_of_states, vector_state, hidden_markov, integers_and_booleans, autoregression,
         running_totals, without_rows, nested, behind_where, gated, nested_in_a_gate]  # fmt: skip
Q = np.array([0.3, 0.5, 0.8])


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradients_equal_those_of_the_loop_written_out(case):
    def rolled(q):
        return case(ad.scan, q)

    def written_out(q):
        return case(unrolled, q)

    np.testing.assert_allclose(ad.compile(rolled)(Q), written_out(Q), rtol=1e-13)
    expected = ad.gradient(written_out, Q)
    np.testing.assert_allclose(ad.gradient(rolled, Q), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ad.gradient(rolled, Q, mode=ad.Forward), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives_equal_those_of_the_loop_written_out(case):
    expected = ad.hessian(lambda q: case(unrolled, q), Q)

    def gradient(q):
        return ad.gradient(lambda p: case(ad.scan, p), q)

    np.testing.assert_allclose(ad.hessian(lambda q: case(ad.scan, q), Q), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(ad.jacobian(gradient, Q, mode=ad.Reverse), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_differences(case, difference_gradient):
    found = ad.gradient(lambda q: case(ad.scan, q), Q)
    np.testing.assert_allclose(found, difference_gradient(lambda q: case(unrolled, q), Q), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_plain_arrays_give_the_same_as_the_loop_written_out(case):
    np.testing.assert_allclose(case(ad.scan, Q), case(unrolled, Q), rtol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_segments_that_are_computed_again_give_the_same_derivatives(case, monkeypatch):
    expected = ad.gradient(lambda q: case(unrolled, q), Q)
    monkeypatch.setattr(loops, "HISTORY", 4)
    np.testing.assert_allclose(ad.gradient(lambda q: case(ad.scan, q), Q), expected, rtol=1e-12, atol=1e-13)


def test_a_long_history_is_not_kept(monkeypatch):
    monkeypatch.setattr(loops, "HISTORY", 100)
    n = 400
    program = ad.compile(lambda q: ad.scan(lambda c, _: (np.sin(c * q), None), q, length=n)[0])
    assert ad.gradient(program, 0.7) == pytest.approx(
        ad.gradient(lambda q: unrolled(lambda c, _: (np.sin(c * q), None), q, length=n)[0], 0.7), rel=1e-12
    )
    (path,) = program.paths
    assert max(node.size for node in path.reverse(1, seed=True).nodes) <= 2 * 21


OPERATIONS = [
    lambda a, b: np.tanh(a + b),
    lambda a, b: np.sin(a * b),
    lambda a, b: 0.5 * a - 0.3 * b,
    lambda a, b: np.where(a > b, a, 0.5 * b),
    lambda a, b: a / (2.0 + b * b),
    lambda a, b: np.exp(-a * a),
]


def random_recurrence(seed, depth):
    """A step that mixes two carries, a row and a parameter by random operations that stay bounded."""
    rng = np.random.default_rng(seed)
    chosen = [(rng.choice(OPERATIONS), *rng.integers(0, 100, size=2)) for _ in range(depth)]

    def step(carry, x, q):
        values = [carry[0], carry[1], x, q[0], q[1]]
        for operation, i, j in chosen:
            values.append(operation(values[i % len(values)], values[j % len(values)]))
        return (values[-1], 0.5 * values[-2]), values[-3]

    return step


@given(seed=st.integers(0, 10**6), depth=st.integers(3, 9), reverse=st.booleans(), numbers=st.sampled_from([1, 10]))
@settings(max_examples=50, deadline=None)
def test_random_recurrences_equal_the_loop_written_out(seed, depth, reverse, numbers):
    step = random_recurrence(seed, depth)
    q = np.array([0.4, -0.7])
    xs, first = (Y, 0.1) if numbers == 1 else (Y[:, None] + np.linspace(0.0, 0.5, numbers), np.full(numbers, 0.1))

    def vectors(carry, x):
        return ad.compiled.trees.tree_map(lambda a: a + np.zeros(numbers), step(carry, x, q))

    def f(scan, q):
        one = (lambda c, x: step(c, x, q)) if numbers == 1 else vectors
        carry, ys = scan(one, (q[0] + 0.0 * first, first), xs, reverse=reverse)
        return np.sum(carry[0] + 2.0 * carry[1]) + np.sum(np.cos(np.arange(9.0)) @ ys)

    expected = ad.gradient(lambda q: f(unrolled, q), q)
    np.testing.assert_allclose(ad.gradient(lambda q: f(ad.scan, q), q), expected, rtol=1e-11, atol=1e-12)


def names_in(program):
    """The names of all operations of a program, those in bodies included."""
    found = [node.primitive.name for node in program.nodes]
    bodies = [x for node in program.nodes for x in node.attributes.values() if isinstance(x, Program)]
    return found + [name for body in bodies for name in names_in(body)]


@pytest.mark.parametrize("case", [garch, vector_state, gated, nested_in_a_gate, behind_where])
def test_what_a_derivative_needs_of_the_steps_is_stored_by_the_loop(case):
    """Value and gradient take two loops, or four where there is one in another; none computes a gate of the other."""
    program = ad.compile(lambda q: case(ad.scan, q))
    program(Q)
    costly = {"tanh", "exp", "expit", "sin", "sqrt", "log"}
    before, after = (names_in(p) for p in (program.paths[0].program, program.paths[0].reverse(1, seed=True)))
    if case is nested_in_a_gate:
        assert after.count("scan") == 4
    else:
        assert after.count("scan") == 2
        assert {name: after.count(name) for name in costly} == {name: before.count(name) for name in costly}


def gated_vectors(scan, q):
    def step(h, x):
        gate = np.tanh(h * q[0] + x)
        return gate * (h + (1.0 - gate**2)) * q[1], None

    return np.sum(scan(step, np.linspace(0.1, q[2], 12), np.outer(Y, np.ones(12)))[0])


def test_rows_that_are_cheap_to_have_from_others_are_computed_in_the_loop(difference_gradient):
    program = ad.compile(lambda q: gated_vectors(ad.scan, q))
    program(Q)
    nodes = program.paths[0].reverse(1, seed=True).nodes
    (backward,) = [node for node in nodes if node.primitive.name == "scan" and node.attributes["reverse"]]
    assert "square" in names_in(backward.attributes["body"])
    assert backward.attributes["xs"] == 2  # the gate, and its factor
    expected = difference_gradient(lambda q: gated_vectors(unrolled, q), Q)
    np.testing.assert_allclose(ad.gradient(program, Q), expected, rtol=1e-8, atol=1e-9)


def test_rows_are_told_apart_at_once_however_often_each_is_read(difference_gradient):
    def f(scan, q):
        def step(h, x):
            for _ in range(40):  # 2^40 ways from the last to the first
                x = x + x * (0.1 * x)
            return np.tanh(h * q[0] + x), None

        return np.sum(scan(step, q[1] * np.ones(12), 0.01 * np.outer(Y, np.ones(12)))[0])

    expected = difference_gradient(lambda q: f(unrolled, q), Q)
    np.testing.assert_allclose(ad.gradient(lambda q: f(ad.scan, q), Q), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("state", [np.ones(9), np.ones((2, 9))])
def test_gradients_of_shared_weights_are_products_after_the_loop_whatever_their_size(state, monkeypatch):
    def f(scan, q):
        weights = np.sin(np.arange(81.0)).reshape(9, 9) * q[0]
        return np.sum(scan(lambda h, x: (np.tanh(h @ weights + x * q[1]), None), state * q[2], Y)[0])

    monkeypatch.setattr(loops, "HISTORY", 500)  # nine matrices have 729 numbers
    program = ad.compile(lambda q: f(ad.scan, q))
    program(Q)
    nodes = program.paths[0].reverse(1, seed=True).nodes
    (backward,) = [node for node in nodes if node.primitive.name == "scan" and node.attributes["reverse"]]
    assert [node.shape for node in backward.attributes["body"].inputs[: backward.attributes["carries"]]] == [
        state.shape
    ]
    assert max(node.size for node in nodes) <= 500
    expected = ad.gradient(lambda q: f(unrolled, q), Q)
    np.testing.assert_allclose(ad.gradient(program, Q), expected, rtol=1e-11, atol=1e-12)


def test_what_takes_too_much_memory_is_computed_again(monkeypatch):
    expected = ad.gradient(lambda q: gated(unrolled, q), Q)
    monkeypatch.setattr(loops, "HISTORY", 9 * 10)  # the carries, not the gates
    program = ad.compile(lambda q: gated(ad.scan, q))
    program(Q)
    assert names_in(program.paths[0].reverse(1, seed=True)).count("tanh") == 6
    np.testing.assert_allclose(ad.gradient(program, Q), expected, rtol=1e-12, atol=1e-13)


# --- machine code
def large_states(scan, q):
    """Carries too large for registers, one of them of integers, one handed on unchanged from the other."""
    weights = np.sin(np.arange(400.0).reshape(20, 20))

    def step(carry, x):
        state, before, count, chosen = carry
        new = np.tanh(weights @ state * 0.2 + x * q[1] + before * count[3])
        return (new, state, count + 1, np.logical_not(chosen)), (np.sum(new**2), new[:17] * np.where(chosen[0], x, 1.0))

    first = (np.arange(20.0) * q[0], np.ones(20) * q[2], np.arange(30), np.arange(18) > 3)
    (state, before, count, chosen), (sums, ys) = scan(step, first, Y)
    return np.sum(state * before) + np.sum(sums) + np.sum(ys * chosen[:17]) + count[7] * q[0]


def integer_recurrence(scan, q):
    """The carry decides which unknown the next step reads."""

    def step(state, x):
        k, total = state
        return ((3 * k + 1) % 7, total * 0.5 + np.where(k > 3, q[0], q[1]) * x), k

    (_, total), ks = scan(step, (2, q[2]), Y)
    return total + np.sum(np.where(ks == 4, q[0], 0.0))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("case", [*CASES, gated_vectors, large_states, integer_recurrence])
def test_machine_code_equals_the_interpreter(case, keep, monkeypatch):
    if not keep:
        monkeypatch.setattr(loops, "HISTORY", 4)
    program = simplify(ad.trace(lambda q: case(ad.scan, q), Q)[0])
    for prepared in (program, simplify(reverse(program, [0], [np.float64(1.0)]))):
        for found, expected in zip(executor(prepared)([Q]), interpreter(prepared)([Q]), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
        left_to_python = {node.primitive.name for node, _, _ in lowered_program(prepared).layout.callbacks}
        assert "scan" not in left_to_python


def test_a_scan_is_one_node_however_many_steps():
    def f(q):
        return np.sum(ad.scan(lambda c, x: (np.sin(c * x), c), q, RNG.normal(size=5000))[1])

    program = ad.compile(f)
    program(0.5)
    assert len(program.paths[0].program.nodes) < 20
    assert len(program.paths[0].reverse(1, seed=True).nodes) < 60


# --- what leaves the loop
def scans_of(f, q):
    program = ad.compile(f)
    program(q)
    return [node for node in program.paths[0].program.nodes if node.primitive.name == "scan"]


def test_what_does_not_depend_on_the_carry_leaves_the_loop():
    (scan,) = scans_of(lambda q: garch(ad.scan, q), Q)
    assert [node.primitive.name for node in scan.attributes["body"].nodes].count("subtract") == 0
    assert len(scan.attributes["body"].outputs) == 1


def test_running_totals_and_rows_of_the_step_before_leave_the_loop():
    (scan,) = scans_of(lambda q: running_totals(ad.scan, q), Q)
    assert scan.attributes["carries"] == 1  # the product


def test_what_is_only_read_from_carries_is_computed_after_the_loop():
    (scan,) = scans_of(lambda q: autoregression(ad.scan, q), Q)
    assert len(scan.attributes["body"].outputs) == scan.attributes["carries"] == 2


def body_of(f):
    (scan,) = scans_of(f, Q)
    return [node.primitive.name for node in scan.attributes["body"].nodes]


def volatility(q, a, b):
    """A recurrence whose step squares the root that the step before took."""

    def step(s, y):
        s = np.sqrt(a(q) + 0.2 * (y - q[1]) ** 2 + b(q) * s**2)
        return s, s

    return ad.scan(step, np.exp(q[2]), Y)


def test_roots_that_are_squared_again_leave_the_loop_where_nothing_is_negative():
    def not_negative(q):
        return np.sum(volatility(q, lambda q: np.exp(q[0]), lambda q: 1.0 - expit(q[2]) * expit(q[0]))[1])

    def perhaps_negative(q):
        return np.sum(volatility(q, lambda q: q[0], lambda q: np.exp(q[2]))[1])

    assert sorted(body_of(not_negative)) == ["add", "multiply"]
    assert "sqrt" in body_of(perhaps_negative)
    assert np.isnan(ad.compile(perhaps_negative)(np.array([-40.0, 0.5, -3.0])))


def test_linear_recurrences_take_one_multiplication_and_addition():
    def linear(q):
        def step(c, x):
            return -(3.0 - (c * q[0] - x) / q[1]) * q[2] + 0.5 * (c - x), None

        return ad.scan(step, q[2], Y)[0]

    assert body_of(linear) == ["multiply", "add"]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_random_linear_recurrences_equal_the_loop_written_out(seed):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(2, 2)) * 0.6
    plan = [(rng.integers(4), *rng.integers(0, 50, size=2)) for _ in range(rng.integers(1, 6))]

    def f(scan, q):
        def step(carry, x):
            values = [weights[0, 0] * carry[0] + q[0] * carry[1], carry[1] / (1.5 + q[1] ** 2) - x * carry[0]]
            for kind, i, j in plan:
                a, b = values[i % len(values)], values[j % len(values)]
                values.append([a + b, a - b, -a * q[0], x - b][kind])
            return (0.3 * values[-1], 0.3 * values[-2]), None

        a, b = scan(step, (q[0], 1.0), Y)[0]
        return a + 2.0 * b

    point = rng.normal(size=2)
    expected = ad.gradient(lambda q: f(unrolled, q), point)
    np.testing.assert_allclose(ad.gradient(lambda q: f(ad.scan, q), point), expected, rtol=1e-10, atol=1e-11)


RANGES = {
    "exp": (lambda x: np.exp(x), 0.0, np.inf),
    "expit": (lambda x: 1.0 - expit(x), 0.0, 1.0),
    "what is left of a share": (lambda x: np.exp(x) - np.exp(x) * expit(x), 0.0, np.inf),
    "sums": (lambda x: np.sum(x**2) + 3.0 * np.abs(x) + 2.0, 2.0, np.inf),
    "products": (lambda x: -np.tanh(x) * np.array([2.0, -3.0, 1.0]), -3.0, 3.0),
    "quotients": (lambda x: x**2 / -np.exp(x), -np.inf, 0.0),
    "where": (lambda x: np.where(x > 0, np.exp(x), -2.0), -2.0, np.inf),
    "extremes": (lambda x: np.maximum(np.minimum(x, 4.0), -1.0), -1.0, 4.0),
    "unknown": (lambda x: x * np.exp(x), -np.inf, np.inf),
    "may be negative": (lambda x: np.exp(x) - x**2, -np.inf, np.inf),
}


@pytest.mark.parametrize("name", RANGES)
def test_values_lie_in_their_ranges(name):
    f, low, high = RANGES[name]
    program, _, _ = ad.trace(f, np.zeros(3))
    assert Ranges({}).of(simplify(program).outputs[0]) == (low, high)
    values = f(np.array([-3.0, 0.5, 20.0]))
    assert np.all((values >= low) & (values <= high))


# --- branches and errors
def test_a_branch_that_always_goes_the_same_way_becomes_a_guard():
    def f(q):
        def step(c, x):
            return (np.sin(c) + x if c < 10.0 else c * q), None

        return ad.scan(step, q, np.abs(Y))[0]

    compiled = ad.compile(f)
    assert compiled(0.5) == pytest.approx(f(0.5))
    assert compiled(100.0) == pytest.approx(100.0**10)
    assert len(compiled.paths) == 2
    assert len(compiled.paths[0].program.guards) == 1


@pytest.mark.parametrize("traced", [False, True])
def test_a_branch_that_changes_its_way_is_an_error_with_its_line(traced):
    def f(q):
        return ad.scan(lambda c, x: ((c + x) if x > 0 else c * q, None), q, Y)[0]

    with pytest.raises(
        ScanError, match=rf"test_scan.py:\d+ does not go the same way .*at step {np.argmax(Y < 0)} .*np.where"
    ):
        ad.gradient(f, 0.5) if traced else f(0.5)


def test_a_branch_on_an_unknown_number_of_steps_is_refused():
    with pytest.raises(TracingError, match="use np"):
        ad.scan(lambda c, x: (c if c > 0 else -c, None), 1.0, np.zeros(0))


def test_no_steps():
    carry, ys = ad.scan(lambda c, x: (c + x, {"y": c * x}), 2, np.zeros(0))
    assert carry == 2.0
    assert ys["y"].shape == (0,)
    assert ad.gradient(lambda q: ad.scan(lambda c, x: (c * x * q, c), q, np.zeros(0))[0], 3.0) == 1.0


ERRORS = {
    "shape": (lambda: ad.scan(lambda c, x: ({"a": c["a"], "b": np.zeros(3)}, None), {"a": 0.0, "b": 0.0}, Y),
              r"carry\['b'\] has shape \(\), and the step returns shape \(3,\)"),
    "structure": (lambda: ad.scan(lambda c, x: ((c, c), None), 0.0, Y),
                  r"gets carry and returns carry\[0\], carry\[1\]"),
    "pair": (lambda: ad.scan(lambda c, x: c, 0.0, Y), r"has to return a pair \(carry, y\); it returned"),
    "lengths": (lambda: ad.scan(lambda c, x: (c, None), 0.0, {"u": Y, "v": Y[1:]}),
                r"xs\['u'\] has 9, xs\['v'\] has 8"),
    "no length": (lambda: ad.scan(lambda c, x: (c, None), 0.0), "length="),
    "wrong length": (lambda: ad.scan(lambda c, x: (c, None), 0.0, Y, length=3), "length=3, but xs has 9 rows"),
    "negative": (lambda: ad.scan(lambda c, x: (c, None), 0.0, length=-1), "number of steps, not -1"),
    "scalar": (lambda: ad.scan(lambda c, x: (c, None), 0.0, [1.0, 2.0]), r"xs\[0\] is a scalar.*np.array\(list\)"),
    "words": (lambda: ad.scan(lambda c, x: (c, None), np.array(["a"]), Y), "carry is ndarray of dtype <U1"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors_say_what_does_not_fit(case):
    call, message = ERRORS[case]
    with pytest.raises(ScanError, match=message):
        call()


def test_integer_carries_become_floats_where_the_step_makes_them_so():
    total, _ = ad.scan(lambda c, x: (c + x, None), 0, Y)
    assert total == pytest.approx(Y.sum())
    count, _ = ad.scan(lambda c, x: (c + 1, None), 0, Y)
    assert count == 9 and count.dtype == np.int64


def test_a_scan_is_printed_with_its_body():
    text = ad.inspect(lambda q: ad.scan(lambda c, x: (np.sin(c), None), q, length=5)[0], 0.5)
    assert "body=<lambda>" in text
    assert "      v0: f64[] = sin(x0)" in text
