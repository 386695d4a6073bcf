"""Expressions of kernels give the same bits compiled as uncompiled."""

import functools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bayesad.ad.backends.llvm.kernel import compile_kernel

repeatedly = settings(max_examples=60, deadline=None)
int64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)
uint64 = st.integers(0, 2**64 - 1) | st.integers(0, 9) | st.integers(2**64 - 9, 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float) | st.floats(-10, 10)

INT_EXPRESSIONS = [
    "a + b", "a - b", "a * b", "a // b", "a % b", "a & b", "a | b", "a ^ b", "-a", "+a", "~a", "a ** 2", "a ** 3",
    "a ** 7", "a << 3", "a << (b & 15)", "a >> 3", "a >> (b & 127)", "a >> 64", "a // 7", "a // -7", "a % 7",
    "a % -7", "7 // b", "abs(a)", "min(a, b)", "max(a, b)", "min(a, b, 3)", "max(3, a, b)", "int(float(a % 1000))",
    "a if a < b else b", "int(a < b) + int(a == b)", "int(word(a) & 255)", "2 ** 3 - a % 5", "int(word(a) >> 1)",
    "-7 // 2 + a % 3", "int(2.9)",
]  # fmt: skip
FLOAT_EXPRESSIONS = [
    "x + y", "x - y", "x * y", "x / y", "x // y", "x % y", "-x", "+x", "x ** 2", "x ** 3", "x ** -1", "x ** 0.5",
    "x ** y", "abs(x)", "min(x, y)", "max(x, y)", "min(x, y, 0.0)", "max(0.0, x, y)", "x if x < y else y", "2 * x",
    "x - 1", "1 / x", "math.exp(x)", "math.log(x)", "math.log1p(x)", "math.expm1(x)", "math.sqrt(x)", "math.sin(x)",
    "math.cos(x)", "math.tanh(x)", "math.pow(x, y)", "math.fabs(x)", "x * math.pi + y", "min(x, math.inf)",
    "2.0**-53 * x", "math.exp(-1.0) + x", "-0.0 * x", "x + (1.0 if x > y else -1.0)", "1e308 * x",
    "x if 1 < 2 else y",
]  # fmt: skip
BOOL_EXPRESSIONS = [
    "x < y", "x <= y", "x > y", "x >= y", "x == y", "x != y", "x < y < 3.0", "0.0 <= x <= y != 1.0", "x < 1",
    "not x < y", "x < y and x > 0.0", "x < y or y < 1.0", "x < 0.0 and y < 0.0 or x > y",
    "not (x < y and not y > 1.0)", "True", "math.isnan(x)", "math.isfinite(x)", "math.isinf(x)",
    "math.isnan(x) or x > y", "(x < y) == (y < 2.0)", "x != x", "(x < y) ^ (y < 2.0)", "(x < y) & (y < 2.0)",
    "(x < y) | (y < 2.0)", "1 < 2 < 3 and x < y", "x < y if y > 0.0 else y < x",
    "x < y and True", "x < y or 2 > 1", "False and x < y", "not True or x < y",
]  # fmt: skip
WORD_EXPRESSIONS = [
    "word(u + v)", "word(u - v)", "word(u * v)", "u // v", "u % v", "u & v", "u | v", "u ^ v", "word(~u)",
    "word(-u)", "word(u << 23) | (u >> 41)", "u >> 63", "u >> 64", "word(u << 64)", "u >> int(v & 127)",
    "word(u << int(v & 127))", "word(u * 0x9E3779B97F4A7C15)", "word(u + 1)", "word(u - 1) ^ 0xFFFFFFFFFFFFFFFF",
    "(u + v) & v", "word((u + v) ^ (u * v))", "word(-1) ^ u", "min(u, v)", "max(u, v, 7)", "u if u < v else v",
    "abs(u)", "u & -2",
]  # fmt: skip


@pytest.fixture(scope="session")
def run_both(define, assert_same):
    """Evaluates an expression both ways; values for which Python raises or leaves the type are left out."""

    @functools.cache
    def pair(expression, parameters, result):
        function = define(f"def f({parameters}) -> {result}:\n    return {expression}\n")
        return function, compile_kernel(function)

    def run(expression, parameters, result, *arguments):
        function, compiled = pair(expression, parameters, result)
        try:
            expected = function(*arguments)
        except (ArithmeticError, ValueError):
            assume(False)
        assume(not isinstance(expected, complex))
        assume(isinstance(expected, float) or -(2**63) <= expected < (2**64 if result == "Word" else 2**63))
        assert_same(function, *arguments, compiled=compiled)

    return run


@pytest.mark.parametrize("expression", INT_EXPRESSIONS)
@repeatedly
@given(a=int64, b=int64)
@example(a=-(2**63), b=3)
@example(a=-7, b=2)
@example(a=7, b=-2)
@example(a=-6, b=3)
def test_int_expressions(run_both, expression, a, b):
    run_both(expression, "a: Int, b: Int", "Int", a, b)


@pytest.mark.parametrize("expression", FLOAT_EXPRESSIONS)
@repeatedly
@given(x=floats, y=floats)
@example(x=-7.0, y=2.0)
@example(x=7.0, y=-2.0)
@example(x=-6.0, y=3.0)
@example(x=-0.0, y=0.0)
@example(x=1.0, y=0.1)
@example(x=5e-324, y=-1e308)
@example(x=-20518.267375119645, y=-212.23973764516148)  # the whole quotient is rounded down
def test_float_expressions(run_both, expression, x, y):
    run_both(expression, "x: Float, y: Float", "Float", x, y)


@pytest.mark.parametrize("expression", BOOL_EXPRESSIONS)
@repeatedly
@given(x=st.floats() | st.integers(-2, 2).map(float), y=st.floats() | st.integers(-2, 2).map(float))
@example(x=math.nan, y=0.0)
@example(x=-math.inf, y=math.inf)
def test_bool_expressions(run_both, expression, x, y):
    run_both(expression, "x: Float, y: Float", "Bool", x, y)


@pytest.mark.parametrize("expression", WORD_EXPRESSIONS)
@repeatedly
@given(u=uint64, v=uint64)
def test_word_expressions(run_both, expression, u, v):
    run_both(expression, "u: Word, v: Word", "Word", u, v)


@pytest.mark.parametrize("expression", ["float(u)", "float(u >> 11) * 2.0**-53", "float(int(u >> 1))", "float(u == v)"])
@repeatedly
@given(u=uint64, v=uint64)
@example(u=2**64 - 1, v=2**63)
@example(u=2**53 + 1, v=2**63 + 1025)
def test_words_become_floats_unsigned(run_both, expression, u, v):
    run_both(expression, "u: Word, v: Word", "Float", u, v)


@repeatedly
@given(a=int64)
@example(a=2**53 + 1)
def test_ints_become_floats(run_both, a):
    run_both("float(a) / 3.0 + a * 0.5", "a: Int", "Float", a)


@pytest.mark.parametrize("function", ["int", "math.floor"])
@repeatedly
@given(x=st.floats(-(2.0**62), 2.0**62) | st.floats(-9, 9))
@example(x=-0.5)
@example(x=-2.0)
def test_floats_become_ints(run_both, function, x):
    run_both(f"{function}(x)", "x: Float", "Int", x)


@pytest.mark.parametrize("expression", ["a[0] // a[1]", "a[0] % a[1]", "a[0] ** a[1]", "a[0] / a[1]", "a[0] ** 2"])
@repeatedly
@given(x=floats, y=floats)
def test_elements_of_arrays_compute_as_numpy_s_scalars_do(run_both, expression, x, y):
    assume(y != 0.0)
    with np.errstate(all="ignore"):
        run_both(expression, "a: Floats", "Float", np.array([x, y]))


@pytest.mark.parametrize("expression", ["a // b", "a % b", "int(1.0 / float(b))", "a << b", "a >> b"])
def test_what_python_refuses_is_no_trap(define, expression):
    compiled = compile_kernel(define(f"def f(a: Int, b: Int) -> Int:\n    return {expression}\n"))
    for a, b in [(5, 0), (-(2**63), -1), (-(2**63), 0), (1, -1)]:
        assert isinstance(compiled(a, b), int)
