"""Traced positions, sorting, searching, convolution and reductions along axes: machine code like the interpreter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.ad.backends.llvm.native import NativeProgram, executor
from bayesad.ad.backends.llvm.ordering import merge_sort
from bayesad.ad.primitives import PRIMITIVES
from bayesad.ad.primitives.indexing import Index

NUMBERS = st.floats(-3, 3) | st.sampled_from([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0])
SHAPES = st.sampled_from([(1,), (7,), (3, 5), (2, 3, 4), (1, 6, 1), (40,), (4, 33), (0, 3)])
DTYPES = st.sampled_from(["float", "int", "bool"])


def by_machine(f, *inputs):
    program, _, _ = ad.trace(f, *inputs)
    assert not NativeProgram(program).layout.callbacks
    return executor(program)(inputs)[0]


def assert_same(f, *inputs):
    expected = f(*inputs)
    found = by_machine(f, *inputs)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(found, expected)


def draw_array(data, shape, dtype):
    size = int(np.prod(shape))
    if dtype == "float":
        return np.array(data.draw(st.lists(NUMBERS, min_size=size, max_size=size))).reshape(shape)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    return rng.integers(-5, 6, size=shape) if dtype == "int" else rng.random(shape) < 0.5


def primitive(name, **attributes):
    def f(*arrays):
        return bind(PRIMITIVES[name], arrays, attributes)

    def both(*arrays):
        return f(*arrays) if any(ad.is_traced(a) for a in arrays) else PRIMITIVES[name].evaluate(*arrays, **attributes)

    return both


# --- along axes
@given(data=st.data(), shape=SHAPES, dtype=DTYPES)
@settings(max_examples=40, deadline=None)
def test_order_along_an_axis(data, shape, dtype):
    axis = data.draw(st.integers(0, len(shape) - 1))
    a = draw_array(data, shape, dtype)
    names = ["argsort"] + ["argmax", "argmin"] * (shape[axis] > 0)
    assert_same(primitive(data.draw(st.sampled_from(names)), axis=axis), a)


@given(data=st.data(), shape=SHAPES, dtype=st.sampled_from(["int", "bool"]))
@settings(max_examples=40, deadline=None)
def test_reductions_of_integers_and_truth_values(data, shape, dtype):
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1)))))
    reducible = all(shape[i] for i in axes)
    name = data.draw(st.sampled_from(["sum", "prod", "any", "all"] + ["max", "min"] * reducible))
    assert_same(primitive(name, axes=axes), draw_array(data, shape, dtype))


@given(data=st.data(), shape=SHAPES, dtype=DTYPES, name=st.sampled_from(["cumsum", "cumprod"]))
@settings(max_examples=40, deadline=None)
def test_running_totals(data, shape, dtype, name):
    axis = data.draw(st.integers(0, len(shape) - 1))
    a = draw_array(data, shape, dtype)
    with np.errstate(all="ignore"):
        assert_same(primitive(name, axis=axis), a)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 64, 65, 1000])
def test_the_sorting_kernel_uncompiled_is_stable(n):
    keys = np.random.default_rng(n).integers(0, max(1, n // 3), size=n)
    order, work = np.empty(n, dtype=int), np.empty(n, dtype=int)
    merge_sort(n, keys, order, work)
    np.testing.assert_array_equal(order, np.argsort(keys, kind="stable"))


# --- searching and convolution
@given(data=st.data(), side=st.sampled_from(["left", "right"]), dtypes=st.tuples(DTYPES, DTYPES))
@settings(max_examples=40, deadline=None)
def test_searching(data, side, dtypes):
    a = np.sort(draw_array(data, (data.draw(st.integers(0, 20)),), dtypes[0]))
    v = draw_array(data, data.draw(SHAPES), dtypes[1])
    assert_same(primitive("searchsorted", side=side), a, v)


@given(n=st.integers(1, 40), m=st.integers(1, 40), integers=st.booleans(), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_convolution(n, m, integers, seed):
    rng = np.random.default_rng(seed)
    a, v = (rng.integers(-9, 9, size=k) if integers else rng.normal(size=k) for k in (n, m))
    np.testing.assert_allclose(by_machine(primitive("convolve"), a, v), np.convolve(a, v), rtol=1e-12, atol=1e-13)


# --- traced positions
def index_cases(rng, shape):
    """Indices into an array of three axes: (items, arrays)."""
    i, j, k = (rng.integers(-n, n, size=(4,)) for n in shape)
    rows = rng.integers(0, shape[0], size=(3, 1))
    whole = ("slice", None, None, None)
    return [
        (("array",), (i,)),
        (("array", "array", "array"), (i, j, k)),
        (("array", whole, "array"), (i, k)),
        ((whole, "array"), (j,)),
        (("array", "array"), (rows, j)),
        ((("slice", None, None, -1), None, "array", 1), (j,)),
        ((0, whole, "array"), (k,)),
    ]


@pytest.mark.parametrize("number", range(7))
@pytest.mark.parametrize("dtype", [float, int])
def test_reading_writing_and_scattering_at_traced_positions(number, dtype):
    rng = np.random.default_rng(number)
    shape = (3, 4, 5)
    a = rng.normal(size=shape) if dtype is float else rng.integers(-9, 9, size=shape)
    items, arrays = index_cases(rng, shape)[number]
    index = Index(items)
    taken = a[index.resolve(arrays)]
    assert_same(primitive("take", index=index), a, *arrays)
    assert_same(primitive("index_set", index=index), a, (taken * 2 + 1).astype(dtype), *arrays)
    assert_same(primitive("index_set", index=index), a, np.array(7, dtype=dtype), *arrays)
    v = rng.normal(size=taken.shape)
    found = by_machine(primitive("scatter", index=index, shape=shape), v, *arrays)
    np.testing.assert_allclose(found, PRIMITIVES["scatter"].evaluate(v, *arrays, index=index, shape=shape), rtol=1e-14)


def test_positions_outside_are_nan_or_0_and_are_not_written():
    index, inside, outside = Index(("array",)), np.array([0, 1, 2, 3, 0]), np.array([0, 4, -5, -4, 2**62])

    def run(f, *before):
        program, _, _ = ad.trace(f, *before, inside)
        return executor(program)([*before, outside])[0]

    a = np.arange(4.0)
    np.testing.assert_array_equal(run(primitive("take", index=index), a), [0.0, np.nan, np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(run(primitive("take", index=index), a.astype(int)), [0, 0, 0, 0, 0])
    written = run(primitive("index_set", index=index), a, np.full(5, 9.0))
    np.testing.assert_array_equal(written, [9.0, 1.0, 2.0, 3.0])
    added = run(primitive("scatter", index=index, shape=(4,)), np.ones(5))
    np.testing.assert_array_equal(added, [2.0, 0.0, 0.0, 0.0])


def test_gradients_through_sorting_and_interpolation(difference_gradient):
    knots = np.linspace(0, 1, 5)
    x = np.array([0.43, 0.03, 0.93, 0.6, 0.13, 0.33, 0.7, 0.2, 0.81])

    def f(x):
        ranks = np.sort(x) * np.arange(9.0)
        return np.sum(ranks**2) + np.sum(np.interp(x, knots, np.sin(3 * knots)) ** 2) + np.max(x) * x[np.argmin(x)]

    gradient = ad.compile(lambda x: ad.gradient(f, x))
    for _ in range(20):
        found = gradient(x)
    np.testing.assert_allclose(found, difference_gradient(f, x), rtol=1e-7, atol=1e-8)
