"""Machine code against the NumPy interpreter: the same outputs for every operation and for whole gradients."""

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesad import ad
from bayesad.ad.backends.llvm.native import NativeProgram, executor
from bayesad.ad.backends.llvm.prepared import decomposed
from bayesad.ad.backends.llvm.scalars import SCALARS, SPECIAL
from bayesad.ad.backends.numpy import GuardFailed
from bayesad.ad.backends.numpy import executor as interpreter
from bayesad.ad.primitives import PRIMITIVES, Primitive
from bayesad.ad.reverse import reverse
from bayesad.ad.simplify import simplify

RNG = np.random.default_rng(11)
MATRIX = RNG.normal(size=(6, 4))
VECTOR = RNG.normal(size=4)
CUBE = RNG.normal(size=(2, 3, 4))


def assert_same(program, inputs, rtol=1e-12):
    for found, expected in zip(executor(program)(inputs), interpreter(program)(inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-13)


def lowered_names():
    from bayesad.ad.primitives import special  # noqa: F401

    return sorted(name for name in {*SCALARS, *SPECIAL} if name in PRIMITIVES)


@pytest.mark.parametrize("name", lowered_names())
def test_every_elementwise_primitive_agrees_with_the_interpreter(name):
    from bayesad.ad.array import bind

    primitive = PRIMITIVES[name]
    arity = len(primitive.vjp)
    logical = name.startswith(("bitwise", "logical", "invert"))
    unit = name.endswith("_unit")  # meant for [0, 1]
    x = [RNG.uniform(0.05, 0.95, size=(3, 5)) * (1 if i % 2 or unit else 2) for i in range(arity)]
    x = [v.reshape(3, 5) if i == 0 else v[0] for i, v in enumerate(x)]
    if unit:
        x = [v / 2 for v in x]

    def f(*arrays):
        given = [a > 0.5 for a in arrays] if logical else list(arrays)
        if name == "where":
            given[0] = arrays[0] > 0.5
        return bind(primitive, tuple(given))

    program, _, _ = ad.trace(f, *x)
    assert_same(program, x)


CASES = {
    "reshape and transpose": lambda x: np.sum(np.reshape(np.exp(x), (4, 6)).T * MATRIX),
    "views of views": lambda x: np.sum(np.sin(x)[::-1, 1:].T[0] * np.arange(6.0)),
    "broadcasting": lambda x: np.sum((x[:, :1] - VECTOR) ** 2 / np.exp(x[0])),
    "steps and newaxis": lambda x: np.sum(x[1::2, None, ::-1] * CUBE[:1]),
    "gather rows": lambda x: np.sum(x[np.array([0, -1, 2, 2])] ** 3),
    "gather elements": lambda x: np.sum(np.cos(x[np.array([0, 1, 5, 1]), np.array([3, -2, 0, 2])])),
    "gather around a slice": lambda x: np.sum(np.exp(CUBE * x[0, 0])[np.array([1, 0]), :, np.array([0, 3])] ** 2),
    "gather columns": lambda x: np.sum(np.tanh(x)[:, np.array([[0, 1], [3, 3]])] * x[0, :2]),
    "sum over first axis": lambda x: np.sum(np.sum(x**2, axis=0) * VECTOR),
    "sum over last axis": lambda x: np.sum(np.sqrt(1 + np.sum(x**2, axis=1))),
    "sum over the middle": lambda x: np.sum(np.sum(np.exp(CUBE * x[0]), axis=1) ** 2),
    "product": lambda x: np.sum(np.prod(x, axis=1)) + np.prod(x[:2]),
    "extremes": lambda x: np.max(x) * np.min(x, axis=0).sum() + np.max(x, axis=1).sum(),
    "logsumexp": lambda x: np.sum(np.logaddexp(x[0], x[1])) + np.sum(np.log(np.sum(np.exp(x), axis=1))),
    "stack": lambda x: np.sum(np.stack([x[0], x[1] * x[2], VECTOR]) ** 2) + np.sum(np.array([x[0, 0], 2.0]) ** 3),
    "concatenate": lambda x: np.sum(np.concatenate([x, MATRIX * x[0], x[:1]], axis=0)[3:] ** 2),
    "cumulated": lambda x: np.sum(np.cumsum(x, axis=1) ** 2) + np.sum(np.cumprod(x, axis=0) * MATRIX),
    "matrix times vector": lambda x: np.sum(np.tanh(MATRIX @ x[0])) + np.sum((x @ VECTOR) ** 2),
    "vector times matrix": lambda x: np.sum(np.tanh(x[:, 0] @ MATRIX)) + x[0] @ x[1],
    "matrix times matrix": lambda x: np.sum(np.sin(x @ MATRIX.T @ x)),
    "where": lambda x: np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), x**3)),
    "masked": lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)),
    "sorted": lambda x: np.sum(np.sort(x[:, 0]) * np.arange(6.0)),
    "batched product": lambda x: np.sum((CUBE @ x.T) ** 2),
    "tests": lambda x: np.sum(np.where(np.any(x > 1, axis=1), x[:, 0], 2.0)) + np.all(x < 9) * x[0, 0],
    "one path": lambda x: np.sum(x) if x[0, 0] > 0 else np.sum(x**2),
}


def covariance(x):
    return np.eye(6) + x @ x.T


CASES |= {
    "cholesky": lambda x: np.sum(np.linalg.cholesky(covariance(x)) * np.arange(36.0).reshape(6, 6)),
    "triangular systems": lambda x: (
        np.sum(scipy.linalg.solve_triangular(np.linalg.cholesky(covariance(x)), x, lower=True) ** 2)
        + np.sum(scipy.linalg.solve_triangular(np.triu(covariance(x)), x[:, 0], trans=1) ** 3)
    ),
    "stacked factors": lambda x: np.sum(np.linalg.cholesky(np.eye(6) + x[:, :, None, None] ** 2) ** 3),
}


def in_place(x):
    out = np.zeros((6, 4))
    for i in range(6):
        out[i] = x[i] * (i + 1)
    out[1:3] += out[3:5]
    out[:, 0] = np.exp(x[:, 1])
    out[np.array([4, 5]), np.array([1, 1])] = x[0, 0]
    return np.sum(out**2)


def recurrence(x):
    state, total = x[0, 0], 0.0
    for t in range(1, 24):
        state = 0.5 * state + np.tanh(x.reshape(-1)[t])
        total = total + state**2
    return total


CASES |= {"in place": in_place, "recurrence": recurrence}


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_agree_with_the_interpreter(case):
    x = np.abs(RNG.normal(size=(6, 4))) + 0.1
    x[2, 1] = -0.4
    if case == "masked":
        x[0, 3] = 0.0
    program, _, _ = ad.trace(CASES[case], x)
    assert_same(program, [x])
    assert_same(reverse(simplify(program), [0], [np.float64(1.0)]), [x])


@given(rows=st.integers(0, 4), columns=st.integers(0, 4), axis=st.sampled_from([None, 0, 1]))
@settings(max_examples=25, deadline=None)
def test_empty_and_single_axes_agree_with_the_interpreter(rows, columns, axis):
    x = RNG.normal(size=(rows, columns))
    program, _, _ = ad.trace(lambda a: np.sum(np.exp(a) * a[:, :1] if columns else a, axis=axis), x)
    assert_same(program, [x])


def test_failed_guard_is_reported():
    x = np.ones((6, 4))
    program, _, _ = ad.trace(CASES["one path"], x)
    run = executor(program)
    assert run([x])[0] == 24.0
    with pytest.raises(GuardFailed):
        run([-x])


def test_operations_without_machine_code_are_left_to_numpy_and_listed():
    from bayesad.ad.array import bind

    median = Primitive("median of rows", lambda a: np.median(a, axis=1), lambda a: (a.shape[:1], a.dtype))
    x = RNG.normal(size=(6, 4))
    program, _, _ = ad.trace(lambda x: np.sum(bind(median, (np.exp(x),)) * x[:, 0]), x)
    assert_same(program, [x])
    assert [node.primitive.name for node, _, _ in NativeProgram(program).layout.callbacks] == ["median of rows"]


def test_log_density_function_follows_branches_on_values():
    import ctypes

    def log_density(q):
        return -np.sum(q**2) if q[0] > 0 else -np.sum(np.abs(q))

    native = ad.compile(log_density).log_density(np.array([1.0, 2.0]))
    table, _alive = native.context()
    call = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(native.address)
    for q in (np.array([1.0, 2.0]), np.array([-1.0, 2.0]), np.array([0.5, -3.0])):
        gradient = np.empty(2)
        value = call(table.ctypes.data, q.ctypes.data, gradient.ctypes.data)
        expected, slope = ad.value_and_gradient(log_density, q)
        assert value == pytest.approx(expected, rel=1e-14)
        np.testing.assert_allclose(gradient, slope, rtol=1e-14)
    assert native.error is None


@pytest.mark.parametrize("axis", [0, 1, None])
def test_derivatives_of_a_logsumexp_weigh_by_the_exponentials_of_its_value(axis):
    x = 30.0 * RNG.normal(size=(7, 6))
    rows = np.array([[-np.inf] * 6, [-np.inf, 0.0, 1.0, -800.0, 2.0, 3.0], [np.inf, 0.0, 800.0, 1.0, -np.inf, 2.0]])
    rows = np.concatenate([rows, [[np.nan, 0.0, 1.0, 2.0, 3.0, 4.0], [800.0, 800.0, 0.0, -800.0, 1.0, 2.0]]])
    traced, _, _ = ad.trace(lambda a: np.sum(scipy.special.logsumexp(a, axis=axis)), x)
    program = simplify(reverse(traced, seeds=[1.0]))
    exponentials = [node for node in decomposed(program).nodes if node.primitive.name == "exp"]
    assert len(exponentials) == 1
    assert_same(program, [x])
    found = executor(program)([x])[1]
    softmax = scipy.special.softmax(x, axis=axis)
    np.testing.assert_allclose(found, softmax, rtol=1e-12, atol=1e-300)
    if axis == 1:
        special, _, _ = ad.trace(lambda a: np.sum(scipy.special.logsumexp(a, axis=1)), rows)
        with np.errstate(invalid="ignore"):
            assert_same(simplify(reverse(special, seeds=[1.0])), [rows])


@pytest.mark.parametrize("lowest", [-np.finfo(float).max, 2.0])
def test_other_differences_from_a_logsumexp_are_no_weights(lowest):
    def f(x):
        total = np.maximum(scipy.special.logsumexp(x, axis=1), lowest)
        return np.exp(x - (total if lowest < 0.0 else total[:, None]))  # along the other axis, or from above a bound

    x = np.random.default_rng(5).normal(size=(3, 3))
    program, _, _ = ad.trace(f, x)
    np.testing.assert_allclose(executor(simplify(program))([x])[0], f(x), rtol=1e-13)


def test_failed_factorisation_is_nan_as_in_the_interpreter():
    program, _, _ = ad.trace(lambda a: np.sum(np.linalg.cholesky(a)), np.eye(5))
    assert np.isnan(executor(program)([-np.eye(5)])[0])
    assert np.isnan(interpreter(program)([-np.eye(5)])[0])


def test_data_begin_with_a_cache_line():
    data = [RNG.normal(size=n)[1:] for n in (6, 8, 9)]  # not all of these do
    program, _, _ = ad.trace(lambda x: sum(np.sum(np.exp(x[0] * d)) for d in data), np.ones(2))
    assert {constant.ctypes.data % 64 for constant in NativeProgram(program).constants} == {0}
