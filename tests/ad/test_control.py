"""`ad.while_loop` and `ad.cond`: loops and branches in one program, against Python's own on plain numbers."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad


class Walk(NamedTuple):
    x: object
    steps: object


def root(a):
    return ad.while_loop(lambda x: abs(x * x - a) > 1e-10, lambda x: 0.5 * (x + a / x), 1.0)


def halve(a, limit=1.0):
    """The state as a tree, an integer that counts, an array from outside."""
    start = Walk(a, 0)
    end = ad.while_loop(lambda s: np.sum(s.x) > limit, lambda s: Walk(s.x * 0.5 * limit, s.steps + 1), start)
    return np.sum(end.x**2) * (1.0 + end.steps)


def halve_in_python(a, limit=1.0):
    x, steps = a, 0
    while np.sum(x) > limit:
        x, steps = x * 0.5 * limit, steps + 1
    return np.sum(x**2) * (1.0 + steps)


def test_a_root_by_iteration_has_the_derivatives_of_the_steps_made():
    compiled = ad.compile(root)
    for a in (4.0, 2.0, 9.0, 100.0, 1e4, 3.0) * 6:  # most of them as machine code
        assert compiled(a) == pytest.approx(np.sqrt(a), rel=1e-9)
        assert ad.gradient(compiled, a) == pytest.approx(0.5 / np.sqrt(a), rel=1e-6)
    assert len(compiled.paths) == 2  # up to 7 steps, up to 15
    assert ad.gradient(lambda x: ad.gradient(root, x), 3.0) == pytest.approx(-0.25 * 3.0**-1.5, rel=1e-9)
    assert ad.jvp(root, 3.0, 2.0)[1] == pytest.approx(1.0 / np.sqrt(3.0), rel=1e-9)


def test_fewer_steps_than_traced_need_no_other_program():
    calls = []

    def f(x):
        calls.append(1)
        return halve(x, 1.2)

    compiled = ad.compile(f)
    for scale in (900.0, 1.0, 0.1, 20.0, 500.0):
        x = scale * np.array([1.0, 0.5])
        assert compiled(x) == pytest.approx(halve_in_python(x, 1.2), rel=1e-14)
        exact = 2.0 * compiled(x) * x / (x @ x)  # of x^2 by a factor
        np.testing.assert_allclose(ad.gradient(compiled, x), exact, rtol=1e-12)
    assert len(calls) == 1
    assert compiled(np.array([1e9, 0.0])) == pytest.approx(halve_in_python(np.array([1e9, 0.0]), 1.2), rel=1e-12)
    assert len(calls) == 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.01, 50.0), min_size=1, max_size=3), st.floats(0.6, 1.5))
def test_any_number_of_steps_gives_what_python_gives(values, limit):
    x = np.array(values)
    f = lambda p: halve(p["x"], p["limit"])
    point = {"x": x, "limit": limit}
    value, slope = ad.value_and_gradient(f, point)
    assert value == pytest.approx(halve_in_python(x, limit), rel=1e-13)
    unrolled = ad.gradient(lambda p: halve_in_python(p["x"], p["limit"]), point)
    np.testing.assert_allclose(slope["x"], unrolled["x"], rtol=1e-11)
    assert slope["limit"] == pytest.approx(unrolled["limit"], rel=1e-11, abs=1e-300)


def test_outside_of_a_trace_it_is_a_plain_loop():
    assert halve(np.array([8.0])) == halve_in_python(np.array([8.0]))
    seen = []
    end = ad.while_loop(lambda s: s < 5, lambda s: (seen.append(s), s + 2)[1], 0)
    assert (end, seen) == (6, [0, 2, 4])
    assert ad.while_loop(lambda s: True, lambda s: s + 1, 0, max_steps=7) == 7


def test_max_steps_ends_the_loop_without_a_guard():
    f = lambda x: ad.while_loop(lambda v: v < 100.0, lambda v: v * 2.0, x, max_steps=3)
    compiled = ad.compile(f)
    for x, factor in ((1.0, 8.0), (30.0, 4.0), (99.0, 2.0), (200.0, 1.0)):
        assert (compiled(x), ad.gradient(compiled, x)) == (factor * x, factor)
    assert len(compiled.paths) == 1
    assert compiled.paths[0].program.guards == ()


def test_the_body_may_write_into_its_state():
    def f(x):
        def body(state):
            state["x"][0] += state["x"][1]
            state["x"] *= 2.0
            state["n"] += 1
            return state

        end = ad.while_loop(lambda s: s["x"][0] < 10.0, body, {"x": x * 1.0, "n": 0})
        return np.sum(end["x"]) + end["n"]

    x = np.array([1.0, 0.5])
    assert ad.compile(f)(x) == f(x.copy())
    np.testing.assert_allclose(ad.gradient(f, x), [8.0, 8.0 * 3 + 8.0])


def test_a_loop_in_the_step_of_another_one():
    def f(x):
        def step(total, row):
            r = ad.while_loop(lambda v: v * v < row, lambda v: v * 1.5, x, max_steps=12)
            return total + r, None

        return ad.scan(step, 0.0, np.array([1.0, 10.0, 100.0]))[0]

    def in_python(x):
        total = 0.0
        for row in (1.0, 10.0, 100.0):
            v = x
            while v * v < row:
                v = v * 1.5
            total = total + v
        return total

    compiled = ad.compile(f)
    for x in (0.7, 2.0, 30.0) * 10:
        assert compiled(x) == pytest.approx(in_python(x), rel=1e-14)
        assert ad.gradient(compiled, x) == pytest.approx(in_python(x) / x, rel=1e-13)
    assert len(compiled.paths) == 1


def test_loops_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="changes the structure of the state: it gets state and returns 2 leaves"):
        ad.gradient(lambda x: ad.while_loop(lambda s: s < 1, lambda s: (s, s), x), 0.5)
    with pytest.raises(ValueError, match=r"state\['a'\] has shape \(2,\), but the body returns shape \(4,\)"):
        body = lambda s: {"a": np.append(s["a"], s["a"])}
        ad.gradient(lambda x: np.sum(ad.while_loop(lambda s: s["a"][0] < 1, body, {"a": x})["a"]), np.zeros(2))
    with pytest.raises(ValueError, match=r"one boolean, not an array of shape \(2,\)"):
        ad.gradient(lambda x: np.sum(ad.while_loop(lambda s: s < 1, lambda s: s + 1, x)), np.zeros(2))
    with pytest.raises(ValueError, match="would never end"):
        ad.gradient(lambda x: ad.while_loop(lambda s: True, lambda s: s * 2.0, x), 1.0)
    for body in (lambda s: s, lambda s: 1.0 - s, lambda s: (s + 1.0) % 7.0):  # cycles of 1, 2 and 7
        with pytest.raises(ValueError, match=r"comes back to what it was.*tolerance that rounding allows"):
            ad.gradient(lambda x, body=body: ad.while_loop(lambda s: s < 99.0, body, x), 0.5)
    with pytest.raises(ValueError, match="max_steps is a number of steps, not 'many'"):
        ad.while_loop(lambda s: s < 1, lambda s: s, 0.0, max_steps="many")
    with pytest.raises(ValueError, match=r"has to be bounded: max_steps="):
        step = lambda c, _: (ad.while_loop(lambda s: s < 1, lambda s: s + 1.0, c), None)
        ad.gradient(lambda x: ad.scan(step, x, length=2)[0], 0.5)
    with pytest.raises(ValueError, match=r"while_loop: the branch at .*test_control.py.*np\.where"):
        ad.gradient(lambda x: ad.while_loop(lambda s: s < 9, lambda s: s * 2 if s < 3 else s + 1, x), 0.5)


# --- branches


def pick(x):
    found = ad.cond(
        x[0] > 0,
        lambda v, w: {"value": np.log(v) * w, "count": 1, "row": np.outer(w, x).sum(axis=0)},
        lambda v, w: {"value": v * v * x[1], "count": 2.5, "row": x * 3.0},
        x[0],
        x[1] * 2.0,
    )
    return found["value"] * found["count"] + np.sum(found["row"] ** 2)


def pick_in_python(x):
    if x[0] > 0:
        return np.log(x[0]) * x[1] * 2.0 + np.sum((2.0 * x[1] * x) ** 2)
    return x[0] ** 2 * x[1] * 2.5 + np.sum((3.0 * x) ** 2)


POINTS = [np.array([2.0, 3.0, -1.0]), np.array([-2.0, 5.0, 0.5]), np.array([0.3, -1.0, 2.0])]


def test_both_branches_are_one_program_and_right_in_value_and_derivatives():
    compiled = ad.compile(pick)
    for _ in range(20):  # interpreted, then machine code
        for x in POINTS:
            assert compiled(x) == pytest.approx(pick_in_python(x), rel=1e-14)
            np.testing.assert_allclose(ad.gradient(compiled, x), ad.gradient(pick_in_python, x), rtol=1e-13)
    assert len(compiled.paths) == 1
    assert compiled.paths[0].program.guards == ()
    for x in POINTS:
        v = np.array([1.0, -0.5, 2.0])
        assert ad.jvp(compiled, x, v)[1] == pytest.approx(ad.gradient(pick_in_python, x) @ v, rel=1e-13)
        np.testing.assert_allclose(ad.hessian(pick, x), ad.hessian(pick_in_python, x), rtol=1e-12, atol=1e-13)


def test_the_branch_not_taken_is_not_evaluated():
    calls = []
    costly = ad.custom_vjp(lambda x: (calls.append(1), x * 3.0)[1], vjp=lambda g, y, x: 3.0 * g)
    compiled = ad.compile(lambda x: ad.cond(x > 0, costly, lambda v: v * v, x))
    compiled(1.0)
    for _ in range(20):
        compiled(1.0)
    calls.clear()
    for _ in range(20):
        assert compiled(-3.0) == 9.0
    assert calls == []
    assert ad.gradient(lambda x: ad.cond(x > 0, lambda v: v**0.5, lambda v: 0.0 * v, x), -1.0) == 0.0  # no NaN


def test_arrays_larger_than_registers_and_integers():
    def f(x):
        found = ad.cond(np.sum(x) > 0, lambda v: (np.cumsum(v), np.argmax(v)), lambda v: (np.exp(v) @ M, 3), x)
        return np.sum(found[0] ** 2) + found[1]

    def in_python(x):
        a, n = (np.cumsum(x), np.argmax(x)) if np.sum(x) > 0 else (np.exp(x) @ M, 3)
        return np.sum(a**2) + n

    M = np.random.default_rng(0).normal(size=(40, 40)) / 40
    compiled = ad.compile(f)
    for i in range(40):
        x = np.random.default_rng(i).normal(size=40) / 4
        assert compiled(x) == pytest.approx(in_python(x), rel=1e-12)
        np.testing.assert_allclose(ad.gradient(compiled, x), ad.gradient(in_python, x), rtol=1e-10)
    assert len(compiled.paths) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=8))
def test_a_branch_in_a_scan_and_a_branch_in_a_branch(values):
    xs = np.array(values)

    def step(total, x):
        inner = lambda t: ad.cond(t > 1.0, np.log, lambda t: t * t, t)
        return ad.cond(x > 0, inner, lambda t: t - x * x, total), total

    def in_python(first):
        total, rows = first, []
        for x in xs:
            rows.append(total)
            if x > 0:
                total = np.log(total) if total > 1.0 else total * total
            else:
                total = total - x * x
        return total + np.sum(np.array(rows) ** 2)

    def f(first):
        total, rows = ad.scan(step, first, xs)
        return total + np.sum(rows**2)

    for first in (1.7, 0.4):
        value, slope = ad.value_and_gradient(f, first)
        assert value == pytest.approx(in_python(first), rel=1e-12, abs=1e-12)
        assert slope == pytest.approx(ad.gradient(in_python, first), rel=1e-10, abs=1e-12)


def test_a_condition_on_data_is_decided_at_once():
    assert ad.cond(True, lambda x: x + 1, lambda x: 1 / 0, 2.0) == 3.0
    program = ad.trace(lambda x: ad.cond(np.array([1.0])[0] > 2, np.exp, np.sin, x), 0.5)[0]
    assert [node.primitive.name for node in program.nodes] == ["sin"]


def test_branches_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"differ in structure: result where it holds, result\[0\], result\[1\] where"):
        ad.gradient(lambda x: ad.cond(x > 0, lambda v: v, lambda v: (v, v), x), 1.0)
    with pytest.raises(ValueError, match=r"result has shape \(2,\) where it holds and \(\) where not"):
        ad.gradient(lambda x: np.sum(ad.cond(x > 0, lambda v: np.stack([v, v]), lambda v: v, x)), 1.0)
    with pytest.raises(ValueError, match=r"one boolean, not an array of shape \(2,\)"):
        ad.gradient(lambda x: np.sum(ad.cond(x > 0, np.exp, np.sin, x)), np.ones(2))
    with pytest.raises(ValueError, match=r"a function branches on a value at .*test_control.py"):
        ad.gradient(lambda x: ad.cond(x > 0, lambda v: v if v > 3 else 2 * v, np.sin, x), 1.0)
