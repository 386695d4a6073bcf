"""Kernels give the same bits compiled as uncompiled: statements, calls, caching and calling."""

import itertools
import math
import sys
import threading
import time
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad.ad.backends.llvm import jit, kernel, kernel_statements
from bayesad.ad.backends.llvm.kernel import (
    FAST_MATH,
    WIDTH,
    Bool,
    Float,
    Floats,
    Int,
    Ints,
    KernelError,
    Word,
    Words,
    compile_kernel,
    lanes,
    put,
    spread,
    total,
    word,
)


def loops_over_range(start: Int, stop: Int, step: Int, out: Ints) -> Int:
    i = -99
    count = 0
    for i in range(start, stop, step):
        out[count] = i
        count += 1
        i = 1000
    out[20] = i
    for i in range(stop):
        count += i
    out[21] = i
    for i in range(start, stop):
        count += 10 * i
    out[22] = i
    for i in range(stop, start, -2):
        count += 100 * i
    out[23] = i
    return count


@settings(max_examples=60, deadline=None)
@given(start=st.integers(-8, 8), stop=st.integers(-8, 8), step=st.integers(-4, 4).filter(bool))
def test_ranges(assert_same, start, stop, step):
    assert_same(loops_over_range, start, stop, step, np.zeros(24, np.int64))


def collatz(n: Int, longest: Int) -> Int:
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n //= 2
        else:
            n = 3 * n + 1
        steps += 1
        if steps >= longest:
            break
    return steps


def primes(limit: Int, out: Ints) -> Int:
    found = 0
    for candidate in range(2, limit):
        composite = False
        for divisor in range(2, candidate):
            if divisor * divisor > candidate:
                break
            if candidate % divisor != 0:
                continue
            composite = True
            break
        if composite:
            continue
        out[found] = candidate
        found += 1
    return found


def first_above(n: Int, a: Floats, bound: Float) -> Int:
    for i in range(n):
        if a[i] > bound:
            return i
    return -1


def grade(x: Float) -> Int:
    if x < 0.0:
        return 0
    if x < 1.0:
        result = 1
    elif x < 2.0:
        result = 2
    elif x < 3.0:
        return 3
    else:
        result = 4
    return result


def spins_until(limit: Int) -> Int:
    n = 0
    while True:
        n += 1
        if n > limit:
            return n


def test_while_if_break_continue_return(assert_same):
    for n in (1, 6, 7, 27):
        assert_same(collatz, n, 50)
    assert assert_same(primes, 60, np.zeros(60, np.int64)) == 17
    a = np.array([0.5, 1.5, 2.5])
    assert [assert_same(first_above, 3, a, bound) for bound in (0.0, 2.0, 9.0)] == [0, 2, -1]
    assert [assert_same(grade, x) for x in (-1.0, 0.5, 1.5, 2.5, 3.5, math.nan)] == [0, 1, 2, 3, 4, 4]
    assert assert_same(spins_until, 10) == 11


def augmented(a: Floats, n: Ints, k: Int) -> Float:
    x = a[0]
    x += 1.5
    x -= a[1]
    x *= 2
    x /= 3.0
    x //= 0.25
    x %= 7.0
    i = k
    i <<= 2
    i >>= 1
    i |= 8
    i &= 12
    i ^= 5
    a[i - i] += x
    a[1] *= a[1]
    n[k] -= i
    n[k] //= 2
    n[k + 1] **= 2
    return x


def test_augmented_assignments(assert_same):
    assert_same(augmented, np.array([4.0, 2.5]), np.array([3, 5, 7, 11]), 1)


def swap(a: Floats, b: Floats, n: Int) -> None:
    x = 1.0
    y = 2.0
    for i in range(n):
        a, b = b, a
        x, y = y, x
        a[i], b[i] = b[i] + x, a[i] - y


def test_several_targets_are_assigned_at_once(assert_same):
    assert_same(swap, np.arange(3.0), np.arange(10.0, 13.0), 3)


def running_sum(n: Int, a: Floats) -> None:
    b = a[1:]
    for i in range(n - 1):
        b[i] = b[i] + a[i]


def copy(n: Int, source: Floats, target: Floats) -> None:
    """Copies forwards, whatever the two share."""
    for i in range(n):
        target[i] = source[i]


def two_rows(n: Int, a: Floats, k: Int) -> Float:
    row = a[k * n :]
    next_row = row[n:]
    total = 0.0
    for i in range(n):
        total += row[i] * next_row[i]
    return total + row[n:][0]


def test_views_share_memory(assert_same):
    assert_same(running_sum, 9, np.arange(9.0))
    assert_same(two_rows, 3, np.arange(12.0), 2)
    for offset in (0, 1, 2, 7):
        for reverse in (False, True):
            one, other = np.arange(40.0), np.arange(40.0)
            uncompiled, compiled = ((a[:30], a[offset:]) for a in (one, other))
            copy(30, *uncompiled[:: -1 if reverse else 1])
            compile_kernel(copy)(30, *compiled[:: -1 if reverse else 1])
            assert np.array_equal(one, other)


def all_types(x: Float, i: Int, flag: Bool, w: Word, xs: Floats, ns: Ints, ws: Words) -> Word:
    other = flag and i > 2
    if other:
        xs[0] = x
        ns[0] = i
    ws[0] = w
    ws[1] = 7
    v = word(ws[0])
    v = 5 if other else v
    big = 0xFFFFFFFFFFFFFFFF
    return word(v + big) ^ w


def test_every_type_of_variable_and_element(assert_same):
    arrays = np.zeros(1), np.zeros(1, np.int64), np.zeros(2, np.uint64)
    for flag, i in itertools.product([True, False], [1, 3]):
        assert_same(all_types, 1.5, i, flag, 2**63 + 3, *arrays)


SCALE = 2.5
SHIFT = 3
DEBUG = False
WEIGHTS = (0.5, -1.25, 2.0**-40)
STRIDES = (1, -2, 3)
MASKS = (1, 0xFFFFFFFF00000000)


def squared(x: Float) -> Float:
    return x * x


def fill(n: Int, a: Floats, value: Float) -> None:
    """Set all to one value; a bare return ends it early."""
    if n == 0:
        return
    for i in range(n):
        a[i] = value


def is_large(x: Float) -> Bool:
    return x > SCALE


def calls_others(n: Int, a: Floats, x: Float) -> Float:
    fill(n, a, squared(x) + squared(squared(x)))
    squared(x)
    total = 0.0
    for i in range(n):
        if is_large(a[i]) and not is_large(-a[i]):
            total += a[i] * SCALE
    if DEBUG:
        total = -1.0
    return total + float(SHIFT << 1)


def test_nested_calls_and_constants(assert_same):
    for x in (0.5, 1.0, 3.0):
        assert_same(calls_others, 4, np.zeros(4), x)


def reads_tables(i: Int, w: Word) -> Float:
    return WEIGHTS[i] * float(STRIDES[i - 1]) + WEIGHTS[2] + STRIDES[1] + float(w & MASKS[i - 1])


def test_tables(assert_same):
    for i in (1, 2):
        assert_same(reads_tables, i, 2**64 - 1)


def factorial(n: Int) -> Int:
    return 1 if n < 2 else n * factorial(n - 1)


def is_even(n: Int) -> Bool:
    return n == 0 or is_odd(n - 1)


def is_odd(n: Int) -> Bool:
    return n != 0 and is_even(n - 1)


def test_recursion(assert_same):
    assert assert_same(factorial, 20) == math.factorial(20)
    assert [assert_same(is_even, n) for n in (0, 7, 40)] == [True, False, True]


def counted(calls: Ints, x: Float) -> Float:
    calls[0] += 1
    return x


def evaluates_lazily(calls: Ints, x: Float, y: Float, z: Float) -> Int:
    result = 0
    if counted(calls, x) < counted(calls, y) < counted(calls, z):
        result += 1
    if counted(calls, x) < 0.0 and counted(calls, y) < 0.0:
        result += 2
    if counted(calls, x) < 0.0 or counted(calls, y) < 0.0:
        result += 4
    flag = counted(calls, x) < counted(calls, y) != counted(calls, z)
    a = counted(calls, x) if flag else counted(calls, counted(calls, y))
    return result + int(a < 0.0 or not flag)


def test_operands_are_evaluated_once_and_only_when_needed(assert_same):
    for x, y, z in itertools.product([-1.0, 0.0, 1.0], repeat=3):
        assert_same(evaluates_lazily, np.zeros(1, np.int64), x, y, z)


def test_kernels_of_other_modules_are_called_by_attribute(assert_same, define, monkeypatch):
    other = types.ModuleType("other_kernels")
    vars(other).update(squared=squared, LIMIT=4.0)
    monkeypatch.setitem(sys.modules, "other_kernels", other)
    function = define(
        "import other_kernels\ndef f(x: Float) -> Float:\n    return other_kernels.squared(x) + other_kernels.LIMIT\n"
    )
    assert assert_same(function, 3.0) == 13.0


def test_what_modules_of_modules_hold_is_part_of_a_kernel(assert_same, define, monkeypatch):
    outer, inner = types.ModuleType("outer_module"), types.ModuleType("inner_module")
    outer.inner = inner
    monkeypatch.setitem(sys.modules, "outer_module", outer)
    function = define("import outer_module\ndef f(x: Float) -> Float:\n    return x * outer_module.inner.SCALE\n")
    for scale in (2.0, 3.0):
        inner.SCALE = scale
        assert assert_same(function, 5.0) == 5.0 * scale


def splitmix(state: Words) -> Word:
    state[0] = word(word(state[0]) + 0x9E3779B97F4A7C15)
    z = word(state[0])
    z = word((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9)
    z = word((z ^ (z >> 27)) * 0x94D049BB133111EB)
    return z ^ (z >> 31)


def test_a_generator_gives_its_published_numbers(assert_same):
    state, compiled = np.array([1234567], np.uint64), compile_kernel(splitmix)
    # The first outputs of splitmix64 for this seed, as its reference implementation in C prints them.
    assert [compiled(state) for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert_same(splitmix, np.array([2**64 - 1], np.uint64))


def dot(n: Int, a: Floats, b: Floats) -> Float:
    total = 0.0
    for i in range(n):
        total += a[i] * b[i]
    return total


def test_fast_math_vectorises_reductions_and_is_opt_in():
    a, b = np.random.default_rng(1).normal(size=(2, 1000))
    plain, fast = compile_kernel(dot), compile_kernel(dot, fast_math=FAST_MATH)
    assert plain(1000, a, b) == dot(1000, a, b)
    # Both are within the bound of a recursive sum of n products, n * 2^-53 * sum |a b|.
    assert abs(fast(1000, a, b) - math.fsum(a * b)) <= 1000 * 2.0**-53 * np.abs(a * b).sum()
    assert "fmul reassoc contract nsz arcp double" in fast.ir
    assert "fmul double" in plain.ir
    assert "x double>" in jit.optimised_ir(fast.ir)
    assert "x double>" not in jit.optimised_ir(plain.ir)


def test_flags_that_delete_checks_for_nan_are_refused():
    with pytest.raises(KernelError, match=r"fast_math=.*nnan"):
        compile_kernel(dot, fast_math=("nnan",))


@pytest.fixture
def texts_written(monkeypatch, tmp_path):
    """Counts how often LLVM text is written, with an empty cache on disk and none in memory."""
    monkeypatch.setenv("BAYESAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernel, "_libraries", {})
    written = []
    write = kernel_statements.kernel_text

    def counted(*arguments):
        written.append(arguments)
        return write(*arguments)

    monkeypatch.setattr(kernel_statements, "kernel_text", counted)
    return written


def test_kernels_are_taken_from_memory_and_disk(texts_written, monkeypatch):
    first, second = compile_kernel(dot), compile_kernel(dot)
    assert first.address == second.address
    monkeypatch.setattr(kernel, "_libraries", {})
    assert compile_kernel(dot)(2, np.ones(2), np.ones(2)) == 2.0
    assert len(texts_written) == 1


def test_provisional_code_gives_the_same_bits_and_is_replaced(texts_written, monkeypatch):
    x, y = np.random.default_rng(1).normal(size=(2, 101))
    provisional = compile_kernel(dot, provisional=True)
    quick, first = provisional.address, provisional(101, x, y)
    assert provisional.provisional
    provisional.improve()
    provisional.improve()
    provisional._thread.join()
    assert not provisional.provisional and provisional.address != quick
    assert provisional.address == compile_kernel(dot).address
    assert provisional(101, x, y) == first == compile_kernel(dot)(101, x, y)
    assert len(texts_written) == 1
    monkeypatch.setattr(kernel, "_libraries", {})  # as in the next process, which finds it in the cache
    assert not compile_kernel(dot, provisional=True).provisional


def test_a_changed_constant_or_callee_is_noticed(assert_same, define):
    for constant, body in [(1.0, "x"), (2.0, "x"), (2.0, "-x")]:
        function = define(
            f"C = {constant}\n"
            f"def g(x: Float) -> Float:\n    return {body}\n"
            "def f(x: Float) -> Float:\n    return C * g(x)\n"
        )
        assert assert_same(function, 3.0) == constant * (3.0 if body == "x" else -3.0)


def test_threads_run_a_kernel_at_once_without_the_gil(define):
    function = define(
        "def f(control: Ints, opaque: LogDensity, a: Floats) -> Bool:\n"
        "    control[1] = 1\n"
        "    for i in range(2000000000):\n"
        "        opaque(a, a)\n"
        "        if control[0] != 0:\n"
        "            return True\n"
        "    return False\n"
    )
    nothing = compile_kernel(no_density)
    pointer = kernel.LogDensityPointer(nothing.address, keep=nothing)
    compiled = compile_kernel(function)
    controls, results = np.zeros((2, 2), np.int64), [None, None]

    def work(number):
        results[number] = compiled(controls[number], pointer, np.zeros(1))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while not controls[:, 1].all() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert controls[:, 1].all()  # both run now, and this thread does too
    controls[:, 0] = 1
    for thread in threads:
        thread.join()
    assert results == [True, True]


def no_density(context: Int, q: Floats, gradient: Floats) -> Float:
    return 0.0


def takes_all(x: Float, n: Int, flag: Bool, w: Word, a: Floats) -> Float:
    return x


@pytest.mark.parametrize(
    ("position", "argument", "message"),
    [
        (0, "1.0", "'x' is Float, but got a value of type str"),
        (0, None, "'x' is Float"),
        (1, 1.0, "'n' is Int"),
        (1, 2**63, "'n' is Int, but 9223372036854775808 lies outside"),
        (2, 1, "'flag' is Bool, but got a value of type int"),
        (3, -1, "'w' is Word, but -1 lies outside"),
        (4, [1.0], "'a' is Floats, but got a value of type list"),
        (4, np.zeros(2, np.float32), "got float32 of shape"),
        (4, np.zeros((2, 2)), "of shape \\(2, 2\\); pass a 1-d array of float64"),
        (4, np.zeros(4)[::2], "not contiguous"),
        (4, np.broadcast_to(0.0, 3), "read-only"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(position, argument, message):
    arguments = [1.0, 1, True, 1, np.zeros(2)]
    assert compile_kernel(takes_all)(*arguments) == 1.0
    arguments[position] = argument
    with pytest.raises(KernelError, match=f"kernel 'takes_all': argument .*{message}"):
        compile_kernel(takes_all)(*arguments)


def test_a_wrong_number_of_arguments_names_them():
    with pytest.raises(KernelError, match="takes 5 arguments \\(x, n, flag, w, a\\); got 1"):
        compile_kernel(takes_all)(1.0)


def test_a_compiled_kernel_shows_its_signature():
    assert "dot(n: Int, a: Floats, b: Floats) -> Float" in repr(compile_kernel(dot))
    assert compile_kernel(dot).function is dot


def lane_arithmetic(n: Int, a: Floats, b: Floats, out: Floats) -> Float:
    product = spread(0.0)
    last = lanes(a, 0)
    for i in range(0, n, WIDTH):
        x = lanes(a, i)
        y = 2.0 - lanes(b, i) / x
        if n > WIDTH:
            y = -y
        last = x
        put(out, i, x + y * float(n) if i == 0 else x)
        product = product + x * y
    put(out, n, last + 1.5)
    return total(product)


def test_lanes_give_the_same_bits_compiled_and_uncompiled(assert_same):
    rng = np.random.default_rng(3)
    for n in (WIDTH, 5 * WIDTH):
        a, b = rng.lognormal(size=(2, n))
        sign = -1.0 if n > WIDTH else 1.0
        found = assert_same(lane_arithmetic, n, a, b, np.zeros(n + WIDTH))
        assert found == pytest.approx(sign * np.sum(a * (2.0 - b / a)), rel=1e-12)


def test_lanes_are_summed_by_halves():
    values = np.array([1e16, 1.0, -1e16, 1.0])
    assert total(values) == 2.0 == compile_kernel(sum_of_lanes)(values)
    assert np.sum(values) != 2.0  # so that the order counts


def sum_of_lanes(values: Floats) -> Float:
    return total(lanes(values, 0))
