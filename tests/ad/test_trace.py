"""Tracing: what is recorded, how it prints, closures over outer traces, constants, source lines."""

import re
import threading

import numpy as np
import pytest
import scipy.linalg

from bayesad import ad
from bayesad.ad.simplify import simplify
from bayesad.ad.trace import current_depth, trace


def density(x, y):
    shift = x["mu"]
    scaled = (y - shift) / np.exp(x["log_sigma"])
    return -0.5 * np.sum(scaled**2) - 3.0 * x["log_sigma"]


def names(program):
    return [node.primitive.name for node in program.nodes]


def test_a_program_prints_readably_and_stably():
    y = np.array([1.0, 2.0, 3.0])
    text = ad.inspect(lambda x: density(x, y), {"mu": 0.5, "log_sigma": 0.1})
    line = density.__code__.co_firstlineno
    # one operation per line: name, type, call, the user's line
    head, *body, last, end = text.splitlines()
    assert head == "<lambda>(x0: f64[], x1: f64[]) {"
    assert body[0] == "  c0: f64[3] = [1.0, 2.0, 3.0]"
    assert [row.split("#")[0].rstrip() for row in body[1:]] == [
        "  v0: f64[3] = subtract(c0, x0)",
        "  v1: f64[] = exp(x1)",
        "  v2: f64[3] = square(v0)",
        "  v3: f64[] = sum(v2, axes=(0,))",
        "  v4: f64[] = divide(v3, v1)",
        "  v5: f64[] = divide(v4, v1)",
        "  v6: f64[] = multiply(-0.5, v5)",
        "  v7: f64[] = multiply(3.0, x1)",
        "  v8: f64[] = subtract(v6, v7)",
    ]
    numbers = [re.search(r"# test_trace\.py:(\d+)(?:  (.*))?$", row).groups() for row in body[1:]]
    assert [int(number) - line for number, _ in numbers] == [2, 2, 3, 3, 3, 3, 3, 3, 3]
    told = [text for _, text in numbers if text]  # the line itself where another one begins
    assert len(told) == 2 and told[1].startswith("return ")
    assert last == "  return v8"
    assert end == "}"


def test_guards_and_long_constants_print_too():
    f = lambda x: np.sum(x * np.arange(8.0)) if x[0] > 0 else np.sum(x)
    text = ad.inspect(f, np.ones(8))
    assert "[0.0, 1.0, 2.0, 3.0, …]" in text
    assert "guard(v1) is True" in text
    assert "take(x0, index=[0])" in text


def test_the_gradient_program_prints_value_and_cotangents():
    text = ad.inspect(lambda x: np.sum(np.sin(x)), np.ones(2), stage="gradient")
    assert "cos(x0)" in text
    assert text.splitlines()[-2].count(",") == 1
    with pytest.raises(ValueError, match="unknown stage 'assembler'"):
        ad.inspect(lambda x: x, 1.0, stage="assembler")


def test_llvm_and_assembly_are_those_of_the_gradient():
    f = lambda x: np.sum(np.sin(x))
    assert "define" in ad.inspect(f, np.ones(2), stage="llvm")
    assembly = ad.inspect(f, np.ones(2), stage="asm")
    assert "run:" in assembly and "define" not in assembly
    for stage in ("gradient", "llvm", "asm"):
        with pytest.raises(ValueError, match="scalar result"):
            ad.inspect(lambda x: x, np.ones(2), stage=stage)


def test_equal_operations_are_recorded_once():
    program, _, _ = trace(lambda x: np.sin(x) + np.sin(x) * np.sin(x), np.float64(1.0))
    assert names(program).count("sin") == 1


def test_operations_on_constants_are_folded():
    program, _, _ = trace(lambda x: x * np.sum(np.exp(np.arange(3.0))), np.float64(1.0))
    assert names(program) == ["multiply"]


def test_what_the_result_does_not_need_is_left_out():
    def f(x):
        np.exp(x)
        return x * 2.0

    program, _, _ = trace(f, np.float64(1.0))
    assert names(program) == ["multiply"]


def test_data_of_any_real_dtype_become_float64_int64_or_bool():
    for dtype in (np.float32, np.float16, np.int32, np.uint8, np.bool_):
        data = np.ones(2, dtype=dtype)
        value, slope = ad.value_and_gradient(lambda x, d=data: np.sum(x * d), np.array([1.0, 2.0]))
        assert value == 3.0
        assert slope.dtype == np.float64
    with pytest.raises(TypeError, match="complex128 cannot be mixed"):
        ad.gradient(lambda x: np.sum(x * np.array([1j, 2.0])), np.ones(2))


def test_booleans_are_widened_where_numpy_would_answer_in_half_precision():
    def f(x):
        above = x > 0.0
        assert np.sin(above).dtype == np.float64
        assert (above**above).dtype == np.int64
        return np.sum(np.exp(above) * x)

    np.testing.assert_allclose(ad.gradient(f, np.array([1.0, -1.0])), [np.e, 1.0], rtol=1e-15)


def test_closures_over_traced_arrays_of_an_outer_trace():
    def outer(x):
        inner = lambda y: np.sum(y * y * x)  # uses x of the outer trace
        return np.sum(ad.gradient(inner, x * 3.0))  # 2 * 3x * x summed

    x = np.array([1.0, 2.0])
    assert outer(x) == pytest.approx(np.sum(6.0 * x * x))
    np.testing.assert_allclose(ad.gradient(outer, x), 12.0 * x, rtol=1e-14)
    _, tangent = ad.jvp(outer, x, np.array([1.0, 0.0]))
    assert tangent == pytest.approx(12.0)


def test_three_levels_of_closures():
    def f(x):
        def g(y):
            def h(z):
                return x * y * z * z

            return ad.gradient(h, y) * x  # 2 x² y²

        return ad.gradient(g, x)  # 4 x³

    assert f(2.0) == 32.0
    assert ad.gradient(f, 2.0) == pytest.approx(48.0)


def test_a_compiled_function_used_in_two_outer_traces():
    inner = ad.compile(lambda y: y**3)
    assert ad.gradient(lambda x: inner(x) * x, 2.0) == 32.0
    assert ad.gradient(lambda x: inner(x + 1.0), 2.0) == 27.0
    assert inner(2.0) == 8.0


def test_tracing_ends_when_the_function_raises():
    def f(x):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        ad.gradient(f, 1.0)
    assert current_depth() == 0
    assert type(np.zeros(2)) is np.ndarray
    assert type(np.array([1.0])) is np.ndarray


def test_other_threads_see_plain_numpy_while_one_traces():
    inside, done, seen = threading.Event(), threading.Event(), []

    def f(x):
        inside.set()
        done.wait(5.0)
        return x * 1.0

    thread = threading.Thread(target=lambda: ad.gradient(f, 1.0))
    thread.start()
    inside.wait(5.0)
    seen.append(type(np.zeros(3)))
    done.set()
    thread.join()
    assert seen == [np.ndarray]


def test_a_traced_array_shows_its_value_shape_and_dtype():
    shown = []

    def f(x):
        shown.append((repr(x), f"{x[0]:.3f}", len(x), x.ndim, x.size, x.T.shape))
        return np.sum(x)

    ad.gradient(f, np.array([1.0, 2.0]))
    assert shown == [("TracedArray([1. 2.], shape=(2,), dtype=float64)", "1.000", 2, 1, 2, (2,))]


def test_simplify_keeps_source_lines():
    program, _, _ = trace(lambda x: np.negative(-(np.sin(x) * 1.0)), np.float64(1.0))
    simple = simplify(program)
    assert names(simple) == ["sin"]
    assert simple.nodes[0].line == program.nodes[0].line != ""


def test_fused_shows_loops_with_their_blocks_and_what_is_left_to_numpy():
    matrix, group = np.ones((400, 12)), np.arange(400) % 5
    f = ad.compile(lambda x: np.sum(np.exp(matrix @ x + x[group])), rewrites=())
    text = ad.inspect(f, np.ones(12), stage="fused")
    assert "loop over 400 in blocks of 40 rows" in text
    assert "test_trace.py" in text
    assert "callbacks: 0" in text

    def exotic(x):
        return np.sum(scipy.linalg.expm(np.outer(x, x)))

    assert "callback into NumPy:" in ad.inspect(exotic, np.arange(1.0, 4.0), stage="fused")
