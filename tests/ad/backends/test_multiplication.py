"""Products of matrices and vectors as machine code: the same as NumPy for every shape, batch, layout and dtype."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.backends.llvm.native import NativeProgram, executor

LENGTHS = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 11, 16, 21, 40])
BATCHES = st.sampled_from(
    [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((), (4,)), ((3, 1), (1, 2)), ((1,), ()), ((0,), ())]
)
VECTORS = ["neither", "left", "right", "both"]


def by_machine(f, *inputs):
    """By machine code without help of Python."""
    program, _, _ = ad.trace(f, *inputs)
    assert not NativeProgram(program).layout.callbacks
    return executor(program)(inputs)[0]


def assert_like_numpy(f, *inputs):
    expected = f(*inputs)
    found = by_machine(f, *inputs)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(expected).max(initial=0.0)))


def operands(rng, lengths, batches, vectors, dtypes=(float, float)):
    m, k, n = lengths
    left = (k,) if vectors in ("left", "both") else (*batches[0], m, k)
    right = (k,) if vectors in ("right", "both") else (*batches[1], k, n)
    return [
        rng.integers(-9, 9, size=shape) if dtype is int else rng.normal(size=shape)
        for shape, dtype in zip((left, right), dtypes, strict=True)
    ]


@given(
    m=LENGTHS, k=LENGTHS, n=LENGTHS, batches=BATCHES, vectors=st.sampled_from(VECTORS),
    swap_a=st.booleans(), swap_b=st.booleans(), seed=st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=75, deadline=None)
def test_products_of_unknowns_in_any_layout(m, k, n, batches, vectors, swap_a, swap_b, seed):
    a, b = operands(np.random.default_rng(seed), (m, k, n), batches, vectors)
    swap_a, swap_b = swap_a and a.ndim > 1, swap_b and b.ndim > 1

    def f(a, b):
        a = np.swapaxes(np.exp(a), -1, -2) if swap_a else np.exp(a)
        return a @ (np.swapaxes(b, -1, -2) if swap_b else b)

    assert_like_numpy(f, np.swapaxes(a, -1, -2) if swap_a else a, np.swapaxes(b, -1, -2) if swap_b else b)


@given(
    m=LENGTHS, k=LENGTHS, n=LENGTHS, vectors=st.sampled_from(VECTORS), data_left=st.booleans(),
    dtypes=st.sampled_from([(float, float), (int, float), (float, int), (int, int)]), seed=st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_products_with_data_of_any_dtype_and_layout(m, k, n, vectors, data_left, dtypes, seed):
    a, b = operands(np.random.default_rng(seed), (m, k, n), ((), ()), vectors, dtypes)
    if data_left:
        columns_first = np.asfortranarray(a)
        assert_like_numpy(lambda b: columns_first @ b, b)
    else:
        columns_first = np.asfortranarray(b)
        assert_like_numpy(lambda a: a @ columns_first, a)


@pytest.mark.parametrize("lengths", [(33, 40, 50), (64, 64, 64), (5, 200, 300), (1, 300, 200), (300, 200, 1)])
@pytest.mark.parametrize("swapped", [(False, False), (True, False), (False, True), (True, True)])
def test_large_products_are_left_to_blas(lengths, swapped):
    a, b = operands(np.random.default_rng(3), lengths, ((), ()), "neither")
    a, b = (x.T.copy() if swap else x for x, swap in zip((a, b), swapped, strict=True))
    assert_like_numpy(lambda a, b: (2 * a.T if swapped[0] else a) @ (b.T if swapped[1] else b), a, b)


def test_an_inner_axis_of_length_0_gives_zeros():
    assert_like_numpy(lambda a, b: a @ b, np.zeros((6, 0)), np.zeros((0, 5)))
    assert_like_numpy(lambda a, b: a @ b, np.zeros((2, 6, 0)), np.zeros(0))


def test_nan_and_infinities_reach_their_rows_alone():
    a, b = np.ones((6, 7)), np.ones((7, 5))
    a[2, 3], a[4, 0] = np.nan, np.inf
    found = by_machine(lambda a, b: a @ b, a, b)
    assert np.isnan(found[2]).all()
    assert np.isposinf(found[4]).all()
    np.testing.assert_array_equal(found[[0, 1, 3, 5]], np.full((4, 5), 7.0))


@pytest.mark.parametrize("shape", [(12, 3), (3, 12), (2, 9, 3)])
def test_gradients_of_chains_of_products_agree_with_central_differences(shape, difference_jacobian):
    rng = np.random.default_rng(5)
    weights, x = rng.normal(size=(shape[-1], 6)), rng.normal(size=shape)

    def f(x):
        return np.sum(np.tanh(x @ weights @ weights.T) @ np.swapaxes(x, -1, -2) @ x)

    gradient = ad.compile(lambda x: ad.gradient(f, x))
    for _ in range(20):
        found = gradient(x)
    expected = difference_jacobian(lambda x: np.array(f(x)), x).reshape(shape)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rows", [64, 70, 300])
@pytest.mark.parametrize("columns", [1, 9, 40])
def test_the_product_with_a_tall_matrix_of_data_may_be_all_that_is_wanted(rows, columns):
    rng = np.random.default_rng(rows + columns)
    matrix, x, r = rng.normal(size=(rows, columns)), rng.normal(size=columns), rng.normal(size=rows)
    assert_like_numpy(lambda x: matrix @ x, x)
    assert_like_numpy(lambda x: [matrix @ x, np.sum(matrix @ x)][0], x)
    assert_like_numpy(lambda r: matrix.T @ r, r)
    assert_like_numpy(lambda x: matrix.T @ (matrix @ x), x)
