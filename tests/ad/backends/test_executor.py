"""Machine code called from Python: places for inputs and outputs, errors, several programs, row after row."""

import threading

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad.backends.llvm.native import LARGE, Executor, NativeProgram
from bayesad.ad.backends.llvm.repeat import run_rows

RNG = np.random.default_rng(8)


def native(f, *inputs):
    return NativeProgram(ad.trace(f, *inputs)[0])


def two_sided(x):
    return np.sum(x) if x[0] > 0 else np.prod(x)


@pytest.fixture
def both_sides():
    return [native(two_sided, side * np.ones(3)) for side in (1.0, -1.0)]


@pytest.mark.parametrize("n", [3, LARGE, LARGE + 1])
def test_inputs_may_lie_anywhere_in_memory_and_results_stay(n):
    run = Executor([native(lambda x, y: [x - y, np.sum(x)], np.ones(n), np.ones(n))])
    square, y = RNG.normal(size=(n, 3)), RNG.normal(size=n)
    unaligned = np.frombuffer(b"." + RNG.normal(size=n).tobytes(), dtype=np.float64, offset=1)
    results = []
    for x in (square[:, 1], y[::-1], square[:, 0].copy(), unaligned, y):
        difference, total = run([x, y])[1]
        results.append((x, difference))
        np.testing.assert_array_equal(difference, x - y)
        assert total == pytest.approx(np.sum(x), rel=1e-12, abs=1e-12)
    for x, difference in results:
        np.testing.assert_array_equal(difference, x - y)


def test_the_first_program_that_applies_is_run(both_sides):
    run = Executor(both_sides)
    assert run([np.array([1.0, 2.0, 4.0])]) == (0, [7.0])
    assert run([np.array([-1.0, 2.0, 4.0])]) == (1, [-8.0])
    assert Executor(both_sides[1:])([np.ones(3)]) is None


def test_programs_may_be_added_while_threads_run(both_sides):
    run, start = Executor(both_sides[:1]), threading.Barrier(3)
    found = {}

    def work(k):
        assert run([-np.ones(3)]) is None
        start.wait()
        start.wait()
        found[k] = run([-np.ones(3)])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    start.wait()
    run.programs.append(both_sides[1])
    start.wait()
    for thread in threads:
        thread.join()
    assert found == {0: (1, [-1.0]), 1: (1, [-1.0])}


def test_what_numpy_raises_in_a_program_is_raised_whether_interpreted_or_not():
    def checked(x):
        if x[0] < 0.0:
            raise ArithmeticError("negative")
        return np.sqrt(x)

    compiled = ad.compile(lambda x: np.sum(ad.custom_vjp(checked, vjp=lambda g, y, x: 0.5 * g / y)(x)))
    for _ in range(30):
        assert compiled(np.array([4.0, 9.0])) == 5.0
        with pytest.raises(ArithmeticError, match="negative"):
            compiled(np.array([-4.0, 9.0]))


def test_rows_stop_where_no_program_applies(both_sides):
    points = RNG.normal(size=(50, 3))
    points[:30, 0] = np.abs(points[:30, 0])
    points[30, 0] = -1.0
    expected = np.array([two_sided(x) for x in points])
    results = np.full(50, np.nan)
    assert run_rows(both_sides[:1], [points], [results], 0) == 30
    np.testing.assert_allclose(results[:30], expected[:30], rtol=1e-13)
    assert np.isnan(results[30:]).all()
    assert run_rows(both_sides, [points], [results], 30) == 50
    np.testing.assert_allclose(results, expected, rtol=1e-13)


def test_rows_of_several_inputs_and_outputs():
    def f(x, k, flag):
        return [np.outer(x, x), k * 2, ~flag, np.sum(x)]

    x, k, flag = RNG.normal(size=(7, 2)), np.arange(7), np.arange(7) % 2 == 0
    program = native(f, x[0], k[0], flag[0])
    results = [np.empty((7, 2, 2)), np.empty(7, dtype=np.int64), np.empty(7, dtype=bool), np.empty(7)]
    assert run_rows([program], [x, k, flag], results, 0) == 7
    for i in range(7):
        for result, expected in zip(results, f(x[i], k[i], flag[i]), strict=True):
            np.testing.assert_array_equal(result[i], expected)


def test_rows_are_left_alone_where_shapes_differ_or_several_programs_call_numpy(both_sides):
    x, results = np.ones((4, 3)), np.zeros((4, 2))
    assert run_rows(both_sides, [x], [results], 0) == 0
    opaque = ad.custom_vjp(np.cbrt, vjp=lambda g, y, x: g)
    left_to_numpy = native(lambda x: np.sum(opaque(x)), x[0])
    assert run_rows([left_to_numpy], [x], [np.zeros(4)], 0) == 4
    assert run_rows([left_to_numpy] * 2, [x], [np.zeros(4)], 0) == 0


def test_a_program_may_call_itself_through_numpy():
    def halved(x):
        return compiled(x / 2.0) if x[0] > 1.0 else x

    compiled = ad.compile(lambda x: np.sum(ad.custom_vjp(halved, vjp=lambda g, y, x: g)(x) + x) * np.ones(2))
    assert compiled(np.ones(2)).shape == (2,)

    def by_hand(c):
        return 2.0 * (c + (by_hand(c / 2.0) if c > 1.0 else c))

    for _ in range(20):
        for c in (1.0, 2.0, 4.0, 8.0):
            np.testing.assert_array_equal(compiled(c * np.ones(2)), by_hand(c) * np.ones(2))
    assert compiled.compilations == 1
