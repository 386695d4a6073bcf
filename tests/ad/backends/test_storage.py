"""Where arrays lie: slots are shared only by nodes whose lives do not overlap, and parts are computed in place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.backends.llvm.decompose import decompose
from bayesad.ad.backends.llvm.native import NativeProgram, executor
from bayesad.ad.backends.llvm.schedule import plan
from bayesad.ad.backends.llvm.storage import allocate
from bayesad.ad.backends.numpy import executor as interpreter
from bayesad.ad.reverse import reverse
from bayesad.ad.simplify import simplify


def storage_of(f, x):
    program = decompose(simplify(ad.trace(f, x)[0]))
    schedule = plan(program)
    return program, schedule, allocate(program, schedule)


def test_a_long_chain_of_arrays_needs_two_slots():
    def f(x):
        for _ in range(12):
            x = np.cumsum(np.sin(x))  # a cumulated sum is an operation on a whole array
        return np.sum(x)

    _, schedule, storage = storage_of(f, np.ones(100))
    assert len(schedule.stored) >= 23
    assert sum(storage.slots) <= 3 * 832


def test_an_output_is_computed_in_the_memory_of_the_caller():
    program, _, storage = storage_of(lambda x: np.concatenate([np.cumsum(x), np.exp(x[:5])]), np.ones(100))
    (output,) = program.outputs
    assert storage.homes[output] == ("output 0", 0)
    places = sorted(storage.homes[part] for part in output.inputs)
    assert places == [("output 0", 0), ("output 0", 800)]


def test_a_part_is_computed_in_the_whole_through_a_reshape_and_in_a_stack():
    def f(x):
        rows = np.cumsum(np.reshape(x, (4, 25)), axis=1)
        return np.concatenate([np.reshape(rows, 100), np.ravel(np.stack([np.cumsum(x), np.exp(x)]))])

    program, _, storage = storage_of(f, np.ones(100))
    (output,) = program.outputs
    places = [storage.homes[part.inputs[0]] for part in output.inputs]
    assert places == [("output 0", 0), ("output 0", 800)]
    stack = output.inputs[1].inputs[0]
    assert [storage.homes[part] for part in stack.inputs] == [("output 0", 800), ("output 0", 1600)]


def test_consecutive_elements_are_read_where_they_are():
    """A product of slices of an input needs no memory for copies of them."""
    x = np.linspace(-1.0, 1.0, 500)

    def f(x):
        return np.reshape(x[20:420], (2, 20, 10))[1] @ np.reshape(x[30:90], (15, 4))[5:]

    program = simplify(ad.trace(f, x)[0])
    assert NativeProgram(program).layout.workspace_size == 0
    np.testing.assert_allclose(executor(program)([x])[0], f(x), rtol=1e-13)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=14))
def test_programs_that_reuse_memory_agree_with_the_interpreter(steps):
    operations = [
        lambda a, b: np.cumsum(a) * 0.1 + b,
        lambda a, b: np.sin(a) * np.sum(b),
        lambda a, b: np.concatenate([a[3:], b[:3] * 0.5]),
        lambda a, b: a[::-1] - b,
        lambda a, b: a * b[np.array([2, 0, 1, 5, 4, 3, 6, 8, 7, 9])],
        lambda a, b: np.concatenate([np.cumsum(a[:4]), np.exp(-(b[4:] ** 2))]),
        lambda a, b: np.ravel(np.stack([np.cumsum(a[:5]) * 0.1, np.exp(-(b[5:] ** 2))])),
        lambda a, b: np.concatenate([np.reshape(np.cumsum(np.reshape(a[1:9], (2, 4)), axis=1), 8), b[:2]]) * 0.2,
        lambda a, b: np.concatenate([np.reshape(a[1:9], (4, 2)) @ b[3:5], np.reshape(b[4:], (2, 3)) @ a[2:5], a[:4]]),
        lambda a, b: np.reshape(np.reshape(a[:4], (2, 2)).T @ np.reshape(b, (5, 2)).T, 10),
    ]

    def f(x):
        values = [x, np.cos(x)]
        for operation, i, j in steps:
            values.append(operations[operation](values[i % len(values)], values[j % len(values)]))
        return np.sum(np.tanh(values[-1])) + np.sum(np.tanh(values[-2]) * values[len(values) // 2])

    x = np.linspace(-0.9, 1.1, 10)
    program = simplify(reverse(simplify(ad.trace(f, x)[0]), [0], [np.float64(1.0)]))
    # Chains of products can be ill-conditioned: what a relative change of 1e-13 does bounds what rounding may do.
    exact, nudged = (interpreter(program)([point]) for point in (x, x * (1.0 + 1e-13)))
    for found, expected, other in zip(executor(program)([x]), exact, nudged, strict=True):
        size = np.max(np.abs(expected), initial=1e-300)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=np.max(np.abs(other - expected)) + 1e-14 * size)


@pytest.mark.parametrize("n", [64, 100, 144, 333, 1000])
@pytest.mark.parametrize("k", [9, 40])
def test_products_of_tall_matrices_in_blocks_of_rows(n, k):
    rng = np.random.default_rng(n + k)
    matrix, other, group = rng.normal(size=(n, k)), rng.normal(size=(n, k)), rng.integers(0, 7, size=n)
    y = rng.normal(size=n)

    def f(b):
        eta = matrix @ b + b[:7][group]
        spread = np.exp(0.1 * (other @ (b * b)))
        return np.sum(np.log1p(np.exp(eta)) * y) - np.sum(((y - eta) / spread) ** 2) + np.sum(y @ matrix * b)

    x = rng.normal(size=k) * 0.2
    program = simplify(reverse(simplify(ad.trace(f, x)[0]), [0], [np.float64(1.0)]))
    for found, expected in zip(executor(program)([x]), interpreter(program)([x]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-10)


def test_a_matrix_and_its_transpose_share_their_tiles():
    matrix = np.random.default_rng(3).normal(size=(500, 20))
    program, _, _ = ad.trace(lambda b: np.sum(np.exp(matrix @ b)), np.zeros(20))
    native = NativeProgram(simplify(reverse(simplify(program), [0], [np.float64(1.0)])))
    assert [constant.size for constant in native.constants if constant.size >= matrix.size] == [
        512 * 20
    ]  # 16 tiles of 32 rows


def test_a_matrix_of_few_columns_is_copied_once_column_by_column():
    matrix = np.random.default_rng(5).normal(size=(500, 3))
    program, _, _ = ad.trace(lambda b: np.sum(np.exp(matrix @ b)), np.zeros(3))
    written = decompose(simplify(reverse(simplify(program), [0], [np.float64(1.0)])))
    assert len([node for node in written.constants if node.shape == (500,)]) == 3
