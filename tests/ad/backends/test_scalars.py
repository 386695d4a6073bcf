"""Elementwise operations on integers, truth values and special numbers as machine code: the same as NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.ad.backends.llvm.native import NativeProgram, executor
from bayesad.ad.backends.llvm.scalars import ON_INTEGERS
from bayesad.ad.primitives import PRIMITIVES

WHOLE = np.array([0, 1, -1, 2, -2, 3, -3, 7, -7, 10, -12, 63, 2**31, -(2**40), 2**62, -(2**63), 2**63 - 1])
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, -3.0, 1e300, -1e-300, np.inf, -np.inf, np.nan])
FLOATS = ["remainder", "floor_divide", "heaviside", "logaddexp2", "fmod", "copysign", "maximum", "minimum"]


def by_machine(name, *arrays):
    program, _, _ = ad.trace(lambda *x: bind(PRIMITIVES[name], x), *arrays)
    assert not NativeProgram(program).layout.callbacks
    return executor(program)(arrays)[0]


def assert_like_numpy(name, *arrays, **tolerance):
    with np.errstate(all="ignore"):
        expected = PRIMITIVES[name].evaluate(*arrays)
    found = by_machine(name, *arrays)
    if tolerance:
        np.testing.assert_allclose(found, expected, **tolerance)
    else:
        np.testing.assert_array_equal(found, expected)
    zero = np.asarray(expected) == 0
    np.testing.assert_array_equal(np.signbit(found)[zero], np.signbit(expected)[zero])


@pytest.mark.parametrize("name", sorted(ON_INTEGERS - {"where"}))
def test_integers(name):
    arity = len(PRIMITIVES[name].vjp)
    pairs = np.array(np.meshgrid(WHOLE, WHOLE)).reshape(2, -1)
    if name == "power":
        pairs = pairs[:, pairs[1] >= 0]
    if name in ("floor_divide", "remainder", "fmod"):
        pairs = pairs[:, pairs[1] != 0]
    if name == "reciprocal":
        pairs = pairs[:, pairs[0] != 0]
    assert_like_numpy(name, *pairs[:arity])


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "reciprocal"])
def test_a_division_of_integers_by_zero_is_zero_and_traps_nothing(name):
    zero = np.zeros(3, dtype=int)
    operands = (zero,) if name == "reciprocal" else (np.array([5, -5, 0]), zero)
    np.testing.assert_array_equal(by_machine(name, *operands), 0)


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin", "add", "multiply", "invert", "bitwise_xor"])
def test_truth_values(name):
    pairs = np.array([[False, False, True, True], [False, True, False, True]])
    assert_like_numpy(name, *pairs[: len(PRIMITIVES[name].vjp)])


@pytest.mark.parametrize("name", FLOATS)
def test_special_numbers_in_operations_of_two(name):
    x, y = np.array(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1)
    assert_like_numpy(name, x, y, **({"rtol": 1e-15} if name == "logaddexp2" else {}))


@pytest.mark.parametrize("name", ["signbit", "deg2rad", "rad2deg", "sign", "floor", "ceil", "trunc", "rint", "isinf"])
def test_special_numbers_in_operations_of_one(name):
    assert_like_numpy(name, SPECIAL)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3)), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_division_with_remainder_of_floats(pairs):
    a, b = np.array(pairs).T
    for name in ("remainder", "floor_divide"):
        assert_like_numpy(name, a, b)
    assert_like_numpy("logaddexp2", a, b, rtol=1e-14)
