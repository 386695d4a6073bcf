"""Branches on values: every path has its own program, and its gradient is that of the branch taken."""

import re

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad import compiled as compiled_module
from bayesad.ad.backends.numpy import run
from bayesad.ad.program import GUARD, guards_first


def above(x):
    return np.sum(x[x > 0] ** 2 * np.arange(1, 1 + len(x[x > 0])))


def replaced(x):
    x[x < 0] = 0.0
    x[x > 2] *= 3.0
    return np.sum(x**2)


def rows_replaced(x):
    a = np.outer(x, x)
    a[x > 0] = x
    a[a > 1] = x[0] ** 2
    return np.sum(a * np.arange(9.0).reshape(3, 3))


def data_chosen(x):
    return np.sum(np.arange(1.0, 4.0)[x > 0.2]) * x[0]


def positions(x):
    (here,) = np.nonzero(x > 0)
    return np.sum(x[here] * np.arange(len(here))) + np.sum(x[np.flatnonzero(x < 0)] ** 3) + len(np.argwhere(x)) * x[1]


def distinct(x):
    values, counts = np.unique(np.round(x + 0.1) * x[0], return_counts=True)
    return np.sum(values * counts**2) * x[2]


def whole_part(x):
    return np.arange(10.0)[int(x[0])] * x[0] + x[int(abs(x[1]))]


POINTS = np.array([[0.7, -1.2, 2.5], [-0.7, 1.2, 0.1], [2.1, 0.32, -4.1], [0.21, 0.12, 0.05]])


def newton_root(a):
    x = 1.0
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def power_by_squaring(x, n):
    if n == 0:
        return 1.0
    half = power_by_squaring(x, n // 2)
    return half * half * (x if n % 2 else 1.0)


def collatz(x):
    return x if x < 1.0 else collatz(0.5 * x) + np.sin(x)


def huber(x):
    if abs(x) < 1.0:
        return 0.5 * x * x
    return abs(x) - 0.5


def guarded_log(x):
    try:
        if x < 0:
            raise ValueError("negative")
        return np.log1p(x)
    except ValueError:
        return x**3


def count_above(x):
    total = 0.0
    for v in x:
        if v > 0.5:
            total = total + v * v
        elif v > 0 and not v > 0.3:
            total = total + np.exp(v)
    return total


def first_large(x):
    for i, v in enumerate(x):
        if v > 1.0:
            return v * (i + 1)
    return np.sum(x**2)


BRANCHING = {
    "if": lambda x: huber(x[0]) + huber(x[1]) * huber(x[2]),
    "chained comparison": lambda x: x[0] * x[1] if -1.0 < x[0] < 1.0 else x[0] ** 2,
    "while": lambda x: newton_root(x[0] ** 2 + 1.0) * x[1],
    "min and max": lambda x: max(x[0], x[1], x[2]) * min(x) + max(x, key=lambda v: v * v),
    "abs": lambda x: abs(x[0] * x[1]) + abs(x[2]),
    "sorted": lambda x: sum(w * v for w, v in zip((1.0, 2.0, 3.0), sorted(x), strict=True)),
    "early return": first_large,
    "recursion": lambda x: collatz(np.exp(x[2])) * x[0] + power_by_squaring(x[1], 5),
    "try": lambda x: guarded_log(x[0]) * guarded_log(x[1]),
    "loop over values": count_above,
    "any and all": lambda x: x[0] * x[1] if all(v > 0 for v in x) else (x[2] if any(v > 2 for v in x) else x[0] ** 3),
    "conditional expression of a reduction": lambda x: np.sum(x**2) if np.sum(x) > 0 else np.prod(x + 5.0),
    "truth of a number": lambda x: x[0] * 2.0 if x[2] else x[0] * 3.0,
    "mask of values": above,
    "writing at a mask of values": lambda x: replaced(np.array(x)),
    "writing numbers and rows at masks": rows_replaced,
    "data at a mask of values": data_chosen,
    "positions of values": positions,
    "distinct values": distinct,
    "whole part of a value": whole_part,
    "index from a value": lambda x: x[int(np.floor(np.abs(x[0])).astype(int)) % 3] * x[1],
}


@pytest.mark.parametrize("name", BRANCHING)
def test_gradient_on_each_side_of_a_branch_equals_differences(name, difference_gradient):
    f = BRANCHING[name]
    compiled = ad.compile(f)
    for x in POINTS:
        value, slope = ad.value_and_gradient(compiled, x)
        assert value == pytest.approx(float(f(x)), rel=1e-14)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(slope, difference_gradient(f, x, step=1e-3), rtol=1e-7, atol=1e-8)
        _, tangent = ad.jvp(compiled, x, np.array([1.0, -2.0, 0.5]))
        assert tangent == pytest.approx(slope @ np.array([1.0, -2.0, 0.5]), rel=1e-12, abs=1e-14)


def test_a_number_written_at_a_mask_makes_no_path():
    def clipped(x):
        y = x * 1.0
        y[y < 0] = 0.0
        return np.sum(y**2)

    compiled = ad.compile(clipped)
    for x in POINTS:
        np.testing.assert_array_equal(ad.gradient(compiled, x), 2 * np.maximum(x, 0))
    assert len(compiled.paths) == 1


def test_writing_at_no_position_changes_nothing():
    def f(x):
        y = np.outer(x, x)
        y[np.zeros(3, dtype=bool)] = x[0]
        y[[]] = x[np.zeros(3, dtype=bool)][:, None]
        return np.sum(y)

    np.testing.assert_allclose(ad.gradient(f, np.arange(3.0)), [6.0, 6.0, 6.0])


def test_one_path_per_branch_taken_and_no_more():
    compiled = ad.compile(huber)
    for x in (0.3, -0.4, 0.9, 2.0, 3.0, -5.0, 0.1, 7.0):
        ad.gradient(compiled, x)
        compiled(x)
    # |x| itself is traced as an operation, not a branch: inside and outside
    assert len(compiled.paths) == 2
    assert ad.gradient(compiled, 0.25) == 0.25
    assert ad.gradient(compiled, -9.0) == -1.0


def test_the_same_condition_is_guarded_once():
    def f(x):
        total = x
        for _ in range(5):
            total = total + (1.0 if x > 0 else 2.0) * x
        return total

    compiled = ad.compile(f)
    compiled(1.0)
    assert len(compiled.paths[0].program.guards) == 1


def test_a_condition_on_data_leaves_no_guard():
    data = np.array([1.0, -1.0])

    def f(x):
        return sum(x * v if v > 0 else x for v in data)

    compiled = ad.compile(f)
    assert compiled(2.0) == 4.0
    assert compiled.paths[0].program.guards == ()


def test_too_many_paths_name_the_function_the_line_and_the_remedy(monkeypatch):
    monkeypatch.setattr(compiled_module, "MOST_PATHS", 5)

    def staircase(x):
        steps = 0
        while x > steps:
            steps += 1
        return x * steps

    compiled = ad.compile(staircase)
    for x in range(5):
        assert compiled(x + 0.5) == (x + 0.5) * (x + 1)
    assert len(compiled.paths) == 5
    message = r"staircase has taken 5 different paths.*test_guards\.py:\d+.*np\.where"
    with pytest.warns(RuntimeWarning, match=message) as warned:
        assert compiled(20.5) == 20.5 * 21
        assert ad.gradient(compiled, 30.5) == 31.0
    assert len(warned) == 1
    assert len(compiled.paths) == 5
    assert compiled(2.5) == 7.5  # known paths go on working


def test_a_branch_inside_a_gradient_inside_a_function():
    f = lambda x: ad.gradient(huber, x) * x
    assert ad.gradient(f, 0.5) == 1.0  # huber' = x, so f = x²
    assert ad.gradient(f, 3.0) == 1.0  # huber' = 1, so f = x


def test_a_nan_takes_the_branch_numpy_takes():
    compiled = ad.compile(lambda x: x * 2.0 if x > 0 else x * 3.0 + 1.0)
    assert compiled(1.0) == 2.0
    assert np.isnan(compiled(np.nan))
    assert ad.gradient(compiled, np.nan) == 3.0


def test_truth_of_an_array_is_ambiguous():
    with pytest.raises(ValueError, match=r"ambiguous; use \.any\(\), \.all\(\) or np\.where"):
        ad.gradient(lambda x: np.sum(x) if x > 0 else 0.0, np.ones(3))


def test_guards_come_before_all_that_they_do_not_need():
    def f(x):
        costly = np.exp(x[2]) * 3.0
        if x[0] * x[1] > 0:
            costly = costly + np.log(x[0] * x[1])
        return costly if x[1] < 5 else x[1]

    x = np.array([1.0, 2.0, 3.0])
    program = ad.trace(f, x)[0]
    moved = guards_first(program)
    names = [node.primitive.name for node in moved.nodes]
    assert names[:6] == ["take", "take", "multiply", "greater", "guard", "less"]
    assert sorted(names) == sorted(node.primitive.name for node in program.nodes)
    last = max(i for i, node in enumerate(moved.nodes) if node.primitive is GUARD)
    assert {"exp", "log"} <= set(names[last:])
    assert run(moved, x) == run(program, x)


def test_a_function_with_many_paths_is_traced_once_for_each_and_right_on_all():
    calls = []

    def f(x):
        calls.append(1)
        return sum(w * v * v if v > 0 else np.sin(v) for w, v in zip((1.0, 2.0, 3.0), x, strict=True))

    compiled = ad.compile(f)
    random = np.random.default_rng(3)
    for x in random.normal(size=(400, 3)):  # most of them run as machine code
        value, slope = ad.value_and_gradient(compiled, x)
        assert value == pytest.approx(np.sum(np.where(x > 0, [1.0, 2.0, 3.0] * x * x, np.sin(x))), rel=1e-13)
        np.testing.assert_allclose(slope, np.where(x > 0, [2.0, 4.0, 6.0] * x, np.cos(x)), rtol=1e-13)
    assert len(compiled.paths) == len(calls) == 8
    assert compiled.compilations == 8


def test_results_of_different_structure_on_different_paths():
    compiled = ad.compile(lambda x: {"low": x} if x[0] < 0 else (np.sum(x), [x[0], np.outer(x, x)]))
    x = np.array([1.0, 2.0])
    for _ in range(40):
        assert compiled(-x).keys() == {"low"}
        np.testing.assert_array_equal(compiled(-x)["low"], -x)
        total, (first, square) = compiled(x)
        assert (total, first) == (3.0, 1.0)
        np.testing.assert_array_equal(square, np.outer(x, x))


def test_why_a_function_was_traced_again_is_told():
    def f(x):
        if x[0] > 0:
            return np.sum(x)
        return np.prod(x) if x[1] > 0 else np.sum(x**2)

    first = f.__code__.co_firstlineno
    compiled = ad.compile(f)
    for x in ([1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [2.0, 3.0], [1.0, 2.0, 3.0]):
        compiled(np.array(x))
    lines = [re.search(r"test_guards.py:(\d+)", reason) for reason in compiled.retraced]
    assert [int(line[1]) - first if line else None for line in lines] == [1, 3, None]
    assert "other shapes" in compiled.retraced[2]
    assert repr(compiled) == "<compiled f: 4 paths traced, 0 programs compiled>"
