"""Log densities as C functions: branches on values, from several threads at once, against formulas written by hand."""

import gc
import itertools
import threading
import weakref

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad import compiled as compiled_module
from bayesad.ad.backends.llvm.kernel import Floats, Int, LogDensity, LogDensityPointer, compile_kernel
from bayesad.ad.backends.llvm.native import executor


def at_all(n: Int, d: Int, density: LogDensity, points: Floats, values: Floats, gradients: Floats) -> None:
    """Value and gradient at each of n points."""
    for i in range(n):
        values[i] = density(points[i * d :], gradients[i * d :])


def evaluate(density, points, keep=None):
    """Values and gradients at the rows, by machine code that calls machine code."""
    table, alive = density.context() if keep is None else keep
    n, d = points.shape
    values, gradients = np.empty(n), np.empty((n, d))
    pointer = LogDensityPointer(density.address, table.ctypes.data, alive)
    compile_kernel(at_all)(n, d, pointer, points.ravel(), values, gradients.reshape(-1))
    return values, gradients


def two_sided(q):
    """-q² on one side, 2 sin q on the other, for each of the entries."""
    total = 0.0
    for x in q:
        total = total + (2.0 * np.sin(x) if x > 0 else -x * x)
    return total


def two_sided_by_hand(points):
    right = points > 0
    values = np.where(right, 2.0 * np.sin(points), -(points**2)).sum(axis=1)
    return values, np.where(right, 2.0 * np.cos(points), -2.0 * points)


@pytest.mark.parametrize("dimension", [1, 3])
def test_all_paths_from_several_threads_equal_the_formula(dimension):
    compiled = ad.compile(two_sided)
    density = compiled.log_density(np.ones(dimension))
    found, start = {}, threading.Barrier(4)

    def work(k):
        points = np.random.default_rng(k).normal(size=(400, dimension))
        start.wait()
        found[k] = points, evaluate(density, points)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for points, (values, gradients) in found.values():
        expected, slopes = two_sided_by_hand(points)
        np.testing.assert_allclose(values, expected, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(gradients, slopes, rtol=1e-13)
    assert density.error is None
    assert len(compiled.paths) == compiled.compilations == 2**dimension
    assert density.recompilations == 2**dimension - 1


def test_paths_that_were_compiled_are_known_to_later_densities():
    compiled = ad.compile(two_sided)
    points = np.array(list(itertools.product((-1.0, 0.5), repeat=3)))
    evaluate(compiled.log_density(points[0]), points)
    assert compiled.compilations == 8
    again = compiled.log_density(points[5])
    np.testing.assert_allclose(evaluate(again, points)[0], two_sided_by_hand(points)[0], rtol=1e-13)
    assert again.recompilations == 0
    assert compiled.compilations == 8


def test_a_path_that_python_met_before_is_compiled_and_not_traced_again():
    calls = []

    def f(q):
        calls.append(1)
        return two_sided(q)

    compiled = ad.compile(f)
    points = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    for q in points:
        compiled(q)
    np.testing.assert_allclose(evaluate(compiled.log_density(points[0]), points)[0], two_sided_by_hand(points)[0])
    assert len(calls) == 3


def test_an_error_gives_nan_there_and_is_kept_while_other_points_go_on():
    def f(q):
        if q[0] > 5.0:
            raise OverflowError("too far")
        return two_sided(q)

    density = ad.compile(f).log_density(np.array([1.0]))
    points = np.array([[1.0], [6.0], [-2.0], [7.0], [2.0]])
    values, _ = evaluate(density, points)
    np.testing.assert_array_equal(np.isnan(values), [False, True, False, True, False])
    usable = points[[0, 2, 4]]
    np.testing.assert_allclose(values[[0, 2, 4]], two_sided_by_hand(usable)[0], rtol=1e-14)
    assert isinstance(density.error, OverflowError)


def test_beyond_the_limit_points_are_interpreted_and_a_warning_names_line_and_remedy(monkeypatch):
    monkeypatch.setattr(compiled_module, "MOST_PATHS", 3)
    compiled = ad.compile(two_sided)
    points = np.array(list(itertools.product((-1.0, 0.5), repeat=3)))
    density = compiled.log_density(points[0])
    with pytest.warns(RuntimeWarning, match=r"two_sided.* 3 .*test_log_density\.py:\d+.*np\.where") as warned:
        values, gradients = evaluate(density, np.concatenate([points, points]))
    assert len(warned) == 1
    expected, slopes = two_sided_by_hand(points)
    np.testing.assert_allclose(values, np.concatenate([expected, expected]), rtol=1e-14)
    np.testing.assert_allclose(gradients, np.concatenate([slopes, slopes]), rtol=1e-14)
    assert density.error is None
    assert compiled.compilations == 3


def test_where_guards_of_machine_code_and_trace_differ_by_rounding_the_traced_path_is_interpreted():
    def f(q):
        return 1.0 + q[0] if np.sum(q) > 0.0 else 2.0 + q[0]

    summed = executor(ad.trace(np.sum, np.ones(64))[0])
    random = np.random.default_rng(0)
    while True:  # a sum that rounds to a positive number in one order only
        half = random.normal(size=32)
        q = random.permutation(np.concatenate([half, -half]))
        if np.sum(q) > 0.0 >= summed([q])[0]:
            break
    density = ad.compile(f).log_density(np.ones(64))
    values, _ = evaluate(density, np.stack([np.ones(64), q, q]))
    np.testing.assert_array_equal(values, [2.0, 1.0 + q[0], 1.0 + q[0]])
    assert density.error is None


def test_a_context_keeps_working_while_another_one_learns_new_paths():
    density = ad.compile(two_sided).log_density(np.ones(2))
    one, other = density.context(), density.context()
    points = np.array([[1.0, -1.0], [-1.0, -1.0], [-1.0, 2.0]])
    expected = two_sided_by_hand(points)[0]
    np.testing.assert_allclose(evaluate(density, points, one)[0], expected, rtol=1e-14)
    assert density.recompilations == 3
    np.testing.assert_allclose(evaluate(density, points[::-1].copy(), other)[0], expected[::-1], rtol=1e-14)
    np.testing.assert_allclose(evaluate(density, points, one)[0], expected, rtol=1e-14)
    assert density.recompilations == 3


def test_calls_from_python_give_value_and_gradient_and_raise_what_the_function_raises():
    def f(q):
        if q[0] > 5.0:
            raise OverflowError("too far")
        return two_sided(q)

    density = ad.compile(f).log_density(np.ones(2))
    points = np.array([[1.0, 2.0], [-1.0, 3.0], [-2.0, -1.0]])
    for _ in range(2):
        for q, value, slope in zip(points, *two_sided_by_hand(points), strict=True):
            found, gradient = density.at(q)
            assert found == pytest.approx(value, rel=1e-14)
            np.testing.assert_allclose(gradient, slope, rtol=1e-14)
        with pytest.raises(OverflowError, match="too far"):
            density.at(np.array([6.0, 1.0]))
    assert density.error is None
    assert density.recompilations == 2


def test_machine_code_that_is_forgotten_ends_with_its_last_user_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        compiled = ad.compile(two_sided)
        density = compiled.log_density(np.ones(2))
        context = density.context()
        density.at(-np.ones(2))
        programs = [weakref.ref(program) for path in compiled.paths for program in path.natives.values()]
        references = [weakref.ref(density), weakref.ref(context[1]), *programs]
        compiled.forget_machine_code()
        assert len(programs) == 2
        assert None not in [reference() for reference in references]
        del density, context
        assert [reference() for reference in references] == [None] * 4
    finally:
        gc.enable()
    assert compiled.compilations == 2
    assert compiled.log_density(np.ones(2)).at(np.ones(2))[0] == pytest.approx(4.0 * np.sin(1.0), rel=1e-14)
    assert compiled.compilations == 3
