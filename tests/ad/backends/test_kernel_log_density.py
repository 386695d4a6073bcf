"""Log densities reach kernels as a C function and its context, from Python and from compiled code."""

import ctypes
import gc
import math
import threading

import numpy as np
import pytest

from bayesad.ad.backends.llvm import kernel_log_density
from bayesad.ad.backends.llvm.kernel import (
    Float,
    Floats,
    Int,
    KernelError,
    LogDensity,
    LogDensityPointer,
    compile_kernel,
    python_log_density,
)


def gradient_ascent(n: Int, steps: Int, rate: Float, log_density: LogDensity, q: Floats, gradient: Floats) -> Float:
    """A kernel that calls a log density, keeps it in a variable and hands it on."""
    f = log_density
    best = f(q, gradient)
    for _ in range(steps):
        for i in range(n):
            q[i] += rate * gradient[i]
        best = max(best, value_at(f, q, gradient))
    return best


def value_at(f: LogDensity, q: Floats, gradient: Floats) -> Float:
    return f(q, gradient)


def normal(q, gradient):
    """Of independent normals with mean 3, up to a constant."""
    gradient[:] = 3.0 - q
    return -0.5 * float(gradient @ gradient)


def normal_in_c(context: Int, q: Floats, gradient: Floats) -> Float:
    """The same for dimension `context`, with the C interface of a log density."""
    total = 0.0
    for i in range(context):
        gradient[i] = 3.0 - q[i]
        total += gradient[i] * gradient[i]
    return -0.5 * total


ascend = compile_kernel(gradient_ascent)


def test_a_python_function_is_called_by_a_compiled_kernel():
    pointer = python_log_density(normal, 2)
    results = []
    for kernel, log_density in [(gradient_ascent, normal), (ascend, pointer), (ascend, pointer.pointer)]:
        q, gradient = np.array([0.0, 10.0]), np.zeros(2)
        results.append((kernel(2, 5, 0.5, log_density, q, gradient), *q, *gradient))
    assert results[0] == results[1] == results[2]
    assert pointer.error is None


def test_compiled_code_is_called_with_its_context():
    function = compile_kernel(normal_in_c)
    q, gradient = np.array([0.0, 10.0, 4.0]), np.zeros(3)
    for dimension in (2, 3):
        pointer = LogDensityPointer(function.address, dimension, keep=function)
        gradient[:] = -1.0
        assert ascend(dimension, 0, 0.5, pointer, q, gradient) == -0.5 * float(((3.0 - q[:dimension]) ** 2).sum())
        assert gradient[2] == (-1.0 if dimension == 2 else -1.0 * (q[2] - 3.0))


def test_a_foreign_c_function_gets_context_position_and_gradient():
    seen = []

    @ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    def f(*arguments):
        seen.append(arguments)
        return 1.25

    pointer = LogDensityPointer(ctypes.cast(f, ctypes.c_void_p).value, 2**62, keep=f)
    q, gradient = np.zeros(1), np.zeros(1)
    assert ascend(1, 0, 0.5, pointer, q, gradient) == 1.25
    assert seen == [(2**62, q.ctypes.data, gradient.ctypes.data)]


def test_an_exception_is_kept_and_gives_nan_until_it_is_cleared():
    calls = []

    def failing(q, gradient):
        calls.append(float(q[0]))
        raise ZeroDivisionError("the user's mistake")

    pointer = python_log_density(failing, 1)
    for _ in range(2):
        assert math.isnan(ascend(1, 3, 0.5, pointer, np.array([2.0]), np.zeros(1)))
    assert isinstance(pointer.error, ZeroDivisionError) and str(pointer.error) == "the user's mistake"
    assert calls == [2.0]
    pointer.error = None
    ascend(1, 0, 0.5, pointer, np.array([4.0]), np.zeros(1))
    assert calls == [2.0, 4.0]


@pytest.mark.parametrize("result", [None, "text", 1j, KeyboardInterrupt, SystemExit])
def test_nothing_escapes_whatever_the_function_returns_or_raises(result):
    def f(q, gradient):
        if isinstance(result, type):
            raise result
        return result

    pointer = python_log_density(f, 1)
    assert math.isnan(ascend(1, 0, 0.5, pointer, np.zeros(1), np.zeros(1)))
    assert isinstance(pointer.error, result if isinstance(result, type) else TypeError | ValueError)


def test_the_position_is_read_only_and_has_the_dimension():
    def f(q, gradient):
        assert q.shape == gradient.shape == (3,) and q.dtype == gradient.dtype == np.float64
        q[0] = 1.0
        return 0.0

    pointer = python_log_density(f, 3)
    ascend(3, 0, 0.5, pointer, np.zeros(3), np.zeros(3))
    assert isinstance(pointer.error, ValueError) and "read-only" in str(pointer.error)


def test_the_views_of_memory_are_kept_but_not_without_end(monkeypatch):
    monkeypatch.setattr(kernel_log_density, "_VIEWS_KEPT", 4)
    seen = []

    def f(q, gradient):
        seen.append(q)
        return float(q[0])

    pointer = python_log_density(f, 1)
    positions = np.arange(10.0)
    for _ in range(2):
        for i in range(10):
            assert ascend(1, 0, 0.5, pointer, positions[i:], np.zeros(1)) == i
    assert ascend(1, 2, 0.0, pointer, positions, np.zeros(1)) == 0.0
    assert seen[-1] is seen[-2] is seen[-3]
    assert pointer.error is None


def test_the_pointer_keeps_its_function_alive():
    pointer = python_log_density(lambda q, gradient: 2.5, 1)
    gc.collect()
    assert ascend(1, 0, 0.5, pointer, np.zeros(1), np.zeros(1)) == 2.5


def test_threads_call_python_log_densities():
    pointers = [python_log_density(lambda q, gradient, k=k: k * float(q[0]), 1) for k in range(4)]
    results = [0.0] * 4

    def work(k):
        results[k] = ascend(1, 200, 0.0, pointers[k], np.ones(1), np.zeros(1))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0.0, 1.0, 2.0, 3.0]


def test_a_plain_python_function_is_no_pointer():
    with pytest.raises(
        KernelError, match="'log_density' is LogDensity, but got a value of type function; pass a LogDensityPointer"
    ):
        ascend(1, 0, 0.5, normal, np.zeros(1), np.zeros(1))
