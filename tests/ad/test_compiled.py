"""Compiled functions: one program per shape and path, threads, results as NumPy gives them."""

import threading

import numpy as np
import pytest

from bayesad import ad


def test_the_function_runs_once_per_shape_and_dtype():
    calls = []

    def f(x):
        calls.append(np.shape(x))
        return np.sum(x * x)

    compiled = ad.compile(f)
    for n in (2, 3, 2, 3, 2):
        assert compiled(np.ones(n)) == n
        np.testing.assert_array_equal(ad.gradient(compiled, np.ones(n)), 2.0 * np.ones(n))
    assert calls == [(2,), (3,)]
    compiled(np.ones(2, dtype=int))
    compiled(np.ones((2, 2)))
    assert calls == [(2,), (3,), (2,), (2, 2)]


def test_scalars_lists_and_float32_are_taken_as_numpy_would():
    compiled = ad.compile(lambda x: x * 2.0)
    assert compiled(3) == 6.0
    assert compiled(3.0) == 6.0
    assert compiled(np.float32(1.5)) == 3.0
    np.testing.assert_array_equal(compiled(np.array([1, 2])), [2.0, 4.0])
    np.testing.assert_array_equal(compiled(np.array([True, False])), [2.0, 0.0])


def test_several_arguments_and_trees():
    compiled = ad.compile(lambda x, y: {"sum": x["a"] + y, "product": [x["a"] * y, x["b"]]})
    result = compiled({"a": np.ones(2), "b": 4.0}, 3.0)
    np.testing.assert_array_equal(result["sum"], [4.0, 4.0])
    np.testing.assert_array_equal(result["product"][0], [3.0, 3.0])
    assert result["product"][1] == 4.0


def test_compiling_twice_is_compiling_once():
    compiled = ad.compile(lambda x: x)
    assert ad.compile(compiled) is compiled
    named = ad.compile(np.sum)
    assert named.__name__ == "sum"


def test_results_do_not_share_memory_with_earlier_ones():
    compiled = ad.compile(lambda x: x + 1.0)
    first = compiled(np.zeros(3))
    second = compiled(np.ones(3))
    first += 100.0
    np.testing.assert_array_equal(second, 2.0 * np.ones(3))
    for _ in range(40):  # beyond the point where machine code takes over
        third = compiled(np.ones(3))
        np.testing.assert_array_equal(third, 2.0 * np.ones(3))
        third += 1.0


def test_the_same_results_before_and_after_machine_code_takes_over():
    def f(x):
        state = x[0]
        for v in x:
            state = np.tanh(state + v) * x[1]
        return np.sum(np.exp(-x)) + state + np.sum(np.where(x > 0, np.sqrt(np.abs(x)), x))

    compiled, x = ad.compile(f), np.array([0.3, -0.5, 1.2])
    before = ad.value_and_gradient(compiled, x)
    for _ in range(40):
        value, slope = ad.value_and_gradient(compiled, x)
        assert value == pytest.approx(before[0], rel=1e-14)
        np.testing.assert_allclose(slope, before[1], rtol=1e-13)


def test_threads_share_one_compiled_function():
    def f(x):
        if np.sum(x) > 0:
            return np.sum(np.sin(x) * np.arange(x.size))
        return np.sum(x**3)

    compiled = ad.compile(f)
    failures = []

    def work(k):
        random = np.random.default_rng(k)
        for _ in range(40):
            x = random.standard_normal(random.integers(1, 5))
            value, slope = ad.value_and_gradient(compiled, x)
            expected = np.cos(x) * np.arange(x.size) if np.sum(x) > 0 else 3.0 * x**2
            if not (np.isclose(value, f(x), rtol=1e-12) and np.allclose(slope, expected, rtol=1e-12)):
                failures.append(x)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert len(compiled.paths) <= 2 * 4


def test_what_is_no_array_is_refused():
    compiled = ad.compile(lambda x: x)
    with pytest.raises(ValueError, match=r"a leaf of the argument is complex .*close over it"):
        compiled(1j)


def test_integer_arguments_may_index():
    compiled = ad.compile(lambda x, i: x[i] * 2.0)
    np.testing.assert_array_equal(compiled(np.arange(4.0), np.array([3, 1])), [6.0, 2.0])
    np.testing.assert_array_equal(compiled(np.arange(4.0), np.array([0, 2])), [0.0, 4.0])
    assert len(compiled.paths) == 1
