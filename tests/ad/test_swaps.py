"""NumPy code that mutates arrays, calls functions under any name, or cannot be traced at all."""

from __future__ import annotations

import copy
import functools
import math
import pickle
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg
import scipy.special
import scipy.stats

from bayesad import ad
from bayesad.errors import TracingError

X = np.array([0.7, -0.3, 1.5, 0.2])


Oracle = Callable[[Callable[[Any], Any]], tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def oracle(difference_jacobian: Any) -> Oracle:
    """The value on a plain array and the Jacobian by central differences of the same plain function."""

    def flat(f: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: np.ravel(np.asarray(f(x.copy()), dtype=float))

    return lambda f: (np.asarray(f(X.copy())), difference_jacobian(flat(f), X))


# --- mutation: every function below also runs on plain arrays, which is the oracle
def sort_in_place(x: Any) -> Any:
    a = np.zeros(4)
    a[:] = x
    a.sort()
    return a * np.arange(4)


def fill_diagonal(x: Any) -> Any:
    a = np.eye(4) * 3
    np.fill_diagonal(a, x)
    return a @ a


def fill_diagonal_of_a_tall_matrix(x: Any) -> Any:
    a = np.zeros((5, 3))
    np.fill_diagonal(a, x[:3])
    return a


def copy_to(x: Any) -> Any:
    a = np.ones(4)
    np.copyto(a, x**2, where=np.array([True, False, True, True]))
    return a


def put(x: Any) -> Any:
    a = x.copy()
    np.put(a, [0, -2], x[1:3] ** 2)
    a.put([1, 5], 3.0, mode="wrap")
    return a


def put_along_axis(x: Any) -> Any:
    a = np.zeros((2, 3))
    np.put_along_axis(a, np.array([[2], [0]]), x[:2, None], 1)
    return a


def put_mask_and_place(x: Any) -> Any:
    a = x.copy()
    np.putmask(a, np.array([True, False, False, True]), x[::-1])
    np.place(a, np.array([False, True, False, False]), [x[3]])
    return a


def add_at(x: Any) -> Any:
    a = np.zeros(3)
    np.add.at(a, [0, 0, 1, 2], x)
    np.subtract.at(a, [1, 1], x[0])
    return a


def ufunc_out(x: Any) -> Any:
    a = x * 1
    np.maximum(a, 0.3, out=a)
    np.exp(a, out=a, where=np.array([True, True, False, False]))
    return a


def function_out(x: Any) -> Any:
    a, b = np.zeros(4), np.zeros((2, 2))
    np.cumsum(x, out=a)
    np.matmul(np.reshape(x, (2, 2)), np.ones((2, 2)), out=b)
    return np.concatenate([a, np.ravel(b)])


def data_mask(x: Any) -> Any:
    a = x * 2
    a[np.array([True, False, True, False])] = x[:2]
    a[~np.array([True, True, True, False])] += 1
    return a


def swapped_rows(x: Any) -> Any:
    a = np.reshape(x * 2, (2, 2))
    a[[0, 1]] = a[[1, 0]]
    a[:, 0] *= a[:, 1]
    return a


def tuple_swap(x: Any) -> Any:
    a = x.copy()
    a[0], a[1] = a[1], a[0]
    return a


def repeated_positions(x: Any) -> Any:
    a = np.zeros(3)
    a[[0, 1, 0]] = x[:3]  # the last one stays
    return a


def view_of_a_view(x: Any) -> Any:
    a = np.zeros((2, 2))
    transposed = a.T
    row = transposed[0]
    row[:] = x[:2]
    a[1, 1] = x[3]
    return a + transposed


def view_read_after_its_base_changed(x: Any) -> Any:
    a = np.reshape(x, (2, 2)) * 1
    v = a[0]
    a[0] = x[2:]
    return v * a[1]


def reversed_view(x: Any) -> Any:
    a = x.copy()
    np.flip(a)[0] = 7 * x[0]
    a[::-1][:2] = x[2:] ** 2
    return a


def overlapping_views(x: Any) -> Any:
    a = x.copy()
    s = a[1:3]
    t = s[::-1]
    t[0] = 9 * x[0]
    a[2] += 1
    return np.concatenate([a, s, t])


def reshape_that_copies(x: Any) -> Any:
    a = np.reshape(x * 1, (2, 2))
    b = a.T.reshape(-1)
    b[0] = 100.0
    b *= 2
    return a + np.reshape(b, (2, 2))


def alias(x: Any) -> Any:
    a = x * 1
    b = a
    b += 1
    b *= x
    return a


def augmented_on_an_argument(x: Any) -> Any:
    y = x
    y = y + 0
    y -= 2 * x[::-1]
    y /= 3.0
    y **= 2
    return y


def filled_loop(x: Any) -> Any:
    a = np.zeros((3, 2))
    for i in range(3):
        a[i] = x[i : i + 2]
    a[a.shape[0] - 1, 0] -= x[0]
    a[:, 1] *= 2
    return a


def recursion_over_time(x: Any) -> Any:
    state = np.empty(6)
    state[0] = x[0]
    for t in range(1, 6):
        state[t] = np.tanh(x[1] * state[t - 1]) + x[2]
    return state


def parts_of_a_split(x: Any) -> Any:
    a = np.ones(4)
    p, q = np.split(a, 2)
    p[:] = x[:2]
    q[1] = x[3]
    return a


def scalar_total(x: Any) -> Any:
    total = np.array(0.0)
    for xi in x:
        total += xi**2
    return total


def arrays_made_in_other_ways(x: Any) -> Any:
    made = [
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.arange(4.0),
        np.full(4, -2.0),
        np.ones_like(np.arange(4.0)),
        np.zeros(4) + 1,
        np.linspace(0, 1, 4) * np.ones(4),
        np.asarray([5.0, 6.0, 7.0, 8.0]),
        np.zeros((4, 4))[[0, 1, 2, 3], [0, 1, 2, 3]],
    ]
    for i, a in enumerate(made):
        a[i % 4] = x[i % 4] ** 2
    return np.stack(made)


def lower_triangle(x: Any) -> Any:
    chol = np.zeros((2, 2))
    chol[np.tril_indices(2)] = x[:3]
    return chol @ chol.T


def flat_access(x: Any) -> Any:
    a = np.zeros((2, 2))
    a.flat[1] = x[0]
    a.ravel()[3] = x[1]
    return a * a.flat[1]


def filled_and_partitioned(x: Any) -> Any:
    a = np.zeros((2, 2))
    a.fill(x[0])
    b = x.copy()
    b.partition(2)
    return np.append(np.ravel(a), np.sort(b[:2]))


def written_at_a_position_that_depends_on_values(x: Any) -> Any:
    a = x.copy()
    a[np.argsort(a)[0]] = 0.5
    a[np.argmax(x)] *= x[0]
    return a


def plain_array_changed_after_use(x: Any) -> Any:
    w = DATA_WEIGHTS.copy()
    first = x * w
    w *= 2
    return first + x * w


def large_plain_array_changed_after_use(x: Any) -> Any:
    w = np.repeat(DATA_WEIGHTS, 50)
    first = np.sum(x[0] * w)
    w += 1
    return first + np.sum(x[1] * w)


DATA_WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0])
MUTATIONS = [
    sort_in_place,
    fill_diagonal,
    fill_diagonal_of_a_tall_matrix,
    copy_to,
    put,
    put_along_axis,
    put_mask_and_place,
    add_at,
    ufunc_out,
    function_out,
    data_mask,
    swapped_rows,
    tuple_swap,
    repeated_positions,
    view_of_a_view,
    view_read_after_its_base_changed,
    reversed_view,
    overlapping_views,
    reshape_that_copies,
    alias,
    augmented_on_an_argument,
    filled_loop,
    recursion_over_time,
    parts_of_a_split,
    scalar_total,
    arrays_made_in_other_ways,
    lower_triangle,
    flat_access,
    filled_and_partitioned,
    written_at_a_position_that_depends_on_values,
    plain_array_changed_after_use,
    large_plain_array_changed_after_use,
]


@pytest.mark.parametrize("f", MUTATIONS, ids=lambda f: f.__name__)
def test_mutation_means_what_it_means_in_numpy(f: Callable[[Any], Any], oracle: Oracle) -> None:
    value, slopes = oracle(f)
    compiled = ad.compile(f)
    np.testing.assert_allclose(compiled(X), value, rtol=1e-14)
    for mode in (ad.Reverse, ad.Forward):
        found = ad.jacobian(compiled, X, mode=mode)
        np.testing.assert_allclose(found.reshape(-1, X.size), slopes, rtol=1e-9, atol=1e-9)


def test_the_argument_of_the_caller_is_never_changed() -> None:
    def f(x: Any) -> Any:
        x[0] = 5.0
        x *= 2
        return np.sum(x**2)

    x = X.copy()
    np.testing.assert_allclose(ad.gradient(f, x), [0.0, *(8 * X[1:])])
    np.testing.assert_array_equal(x, X)


# --- functions that ignore the array protocols
def _module(name: str, source: str) -> types.ModuleType:
    """A user's module, imported."""
    module = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    sys.modules[name] = module
    return module


@pytest.mark.parametrize(
    "source",
    [
        "import scipy.linalg\ndef f(x): return scipy.linalg.cholesky(x)",
        "from scipy.linalg import cholesky\ndef f(x): return cholesky(x)",
        "from scipy.linalg import cholesky as chol\ndef f(x): return chol(x)",
        "import scipy.linalg as sla\ndef f(x): return sla.cholesky(x)",
        "def f(x):\n    from scipy.linalg import cholesky\n    return cholesky(x)",
        "from numpy.linalg import cholesky\ndef f(x): return cholesky([[x[0, 0], x[0, 1]], [x[1, 0], x[1, 1]]]).T",
        "from numpy import array as a, zeros as z\nimport numpy as np\n"
        "def f(x):\n    m = z((2, 2))\n    m[0] = a([x[0, 0], x[0, 1]])\n    m[1, :] = x[1]\n"
        "    return np.linalg.cholesky(m).T",
    ],
)
def test_functions_are_found_under_every_name_in_the_users_modules(source: str) -> None:
    module = _module("users_model", source)
    names = {name: value for name, value in vars(module).items() if callable(value)}
    try:
        a = np.array([[2.0, 0.5], [0.5, 1.0]])
        np.testing.assert_allclose(ad.compile(module.f)(a), scipy.linalg.cholesky(a))
        slope = ad.gradient(lambda t: np.sum(module.f(np.array([[t, 0.5], [0.5, 1.0]]))), 2.0)
        expected = [np.sum(scipy.linalg.cholesky(a + h * np.diag([1.0, 0.0]))) for h in (1e-6, -1e-6)]
        np.testing.assert_allclose(slope, (expected[0] - expected[1]) / 2e-6, rtol=1e-6)
        assert {name: getattr(module, name) for name in names} == names  # all put back
    finally:
        del sys.modules["users_model"]


def test_the_originals_are_back_after_a_trace_that_fails() -> None:
    def present() -> list[Any]:
        return [np.zeros, np.array, scipy.linalg.cholesky, scipy.special.logsumexp, np.r_]

    before = present()

    def f(x: Any) -> Any:
        assert np.zeros is not before[0]
        raise KeyError("from the user's code")

    with pytest.raises(KeyError):
        ad.gradient(f, 1.0)
    assert all(a is b for a, b in zip(before, present(), strict=True))


def test_other_threads_see_the_original_functions_during_a_trace() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        worker = threading.Thread(target=lambda: seen.append(np.zeros(3)))
        worker.start()
        worker.join()
        assert not isinstance(np.zeros(3), np.ndarray)
        return x**2

    ad.gradient(f, 1.0)
    assert type(seen[0]) is np.ndarray


def test_libraries_called_on_data_inside_a_trace_work_on_plain_arrays() -> None:
    knots = np.arange(5.0)

    def f(x: Any) -> Any:
        spline = scipy.interpolate.CubicSpline(knots, knots**2)
        quantile = scipy.stats.norm.ppf(np.array([0.3, 0.9]))
        distances = np.asarray(scipy.stats.rankdata(np.array([3.0, 1.0, 2.0])))
        return np.sum(x * spline(1.5)) + np.sum(quantile * x[:2]) + np.sum(distances)

    expected = 2.25 + np.array([*scipy.stats.norm.ppf([0.3, 0.9]), 0.0, 0.0])
    np.testing.assert_allclose(ad.gradient(f, X), expected)


def test_lists_of_unknowns_become_arrays_where_numpy_would_make_them_arrays(oracle: Oracle) -> None:
    def f(x: Any) -> Any:
        a, b = x[0], x[1]
        return (
            np.sum([a, b])
            + np.mean([a, 2.0, b])
            + np.max([a, b, -1.0])
            + np.dot([a, b], [b, 1.0])
            + np.linalg.norm([a, b])
            + np.sum(np.r_[x[2:], 1.0, a] * np.arange(4))
            + np.sum(np.c_[x, [1.0, 2.0, 3.0, 4.0]] ** 2)
            + np.sum([1.0, 2.0, 3.0, 4.0] * x)
            + np.sum([1.0, 2.0, 3.0, 4.0] + x)
            + np.sum((1.0, 2.0, 3.0, 4.0) - x)
            + np.float64(2) * a
            + np.sum(np.ones((2, 4)) @ x)
            + np.sum(np.array([[a, b], [1.0, 2.0]]) ** 2)
            + np.sum(np.full((2, 2), a))
            + scipy.special.logsumexp([a, b])
        )

    value, slopes = oracle(f)
    np.testing.assert_allclose(ad.compile(f)(X), value)
    np.testing.assert_allclose(ad.gradient(f, X), slopes[0], rtol=1e-9)


def test_python_builtins_that_compare_or_add_work(oracle: Oracle) -> None:
    def f(x: Any) -> Any:
        low, *_, high = sorted(x)
        return (
            sum([x[0], x[1], 2.0]) * max(x)
            - min(x[0], x[1])
            + low * high
            + abs(x[1])
            + divmod(x[2], 0.4)[1]
            + pow(x[0], 3)
        )

    value, slopes = oracle(f)
    np.testing.assert_allclose(ad.compile(f)(X), value)
    np.testing.assert_allclose(ad.gradient(f, X), slopes[0], rtol=1e-9)


def test_copies_are_independent() -> None:
    def f(x: Any) -> Any:
        a, b, c = copy.copy(x), copy.deepcopy([x])[0], np.array(x)
        for made in (a, b, c):
            made[0] = 0.0
        return np.sum(x) + np.sum(a * b * c)

    np.testing.assert_allclose(ad.gradient(f, X), 1 + np.array([0.0, *(3 * X[1:] ** 2)]))


def test_printing_shows_the_value_and_changes_nothing() -> None:
    def f(x: Any) -> Any:
        assert f"{x[0]:.3f}" == "0.700"
        assert "0.7" in f"{x}" and "(4,)" in repr(x)
        return np.sum(x)

    np.testing.assert_array_equal(ad.gradient(f, X), np.ones(4))


# --- what cannot work says so
def _write_into_data(x: Any) -> None:
    DATA_WEIGHTS[0] = x[0]


def _add_in_place_to_data(x: Any) -> None:
    data = DATA_WEIGHTS
    data += x


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "math.exp": (lambda x: math.exp(x[0]), "np.exp"),
    "math.floor": (lambda x: math.floor(x[0]), "Python float"),
    "float": (lambda x: float(x[0]), "derivative would be lost"),
    "complex": (lambda x: complex(x[0]), "real and imaginary"),
    "item": (lambda x: x[0].item(), "the traced scalar itself"),
    "range": (lambda x: range(x[0]), "integer index"),
    "ndarray.dot": (lambda x: DATA_WEIGHTS.dot(x), "a @ x"),
    "np.float64": (lambda x: np.float64(x[0]), "plain NumPy array"),
    "np.float64 of an array": (lambda x: np.float64(x), "plain NumPy array"),
    "size from an unknown": (lambda x: np.zeros(x[0]), "unknown"),
    "bincount": (lambda x: np.bincount([0, 1, 1, 0], x), "np.add.at"),
    "histogram": (lambda x: np.histogram(x), "data only"),
    "tobytes": (lambda x: x.tobytes(), "bytes"),
    "view": (lambda x: x.view(np.int64), "memory"),
    "pickle": (lambda x: pickle.dumps(x), "pickled"),
    "memoryview": (lambda x: memoryview(x), "custom_vjp"),
    "flags": (lambda x: x.flags, "memory"),
    "dict key": (lambda x: {x[0]: 1}, "key"),
    "cached argument": (lambda x: functools.lru_cache(lambda a: a)(x[0]), "key"),
    "random numbers": (lambda x: np.random.default_rng(0).normal(x), "plain NumPy array"),
    "legacy random numbers": (lambda x: np.random.normal(x[0]), "plain"),
    "plain array at an unknown float": (lambda x: DATA_WEIGHTS[x[0]], "plain"),
    "plain array at unknown integers": (lambda x: DATA_WEIGHTS[np.argsort(x)], "np.take"),
    "list at an unknown float": (lambda x: [1.0, 2.0][x[0]], "integer index"),
    "written into data": (_write_into_data, "np.zeros"),
    "written into a slice of data": (lambda x: DATA_WEIGHTS.__setitem__(slice(None), x), "np.zeros"),
    "added in place to data": (_add_in_place_to_data, "np.array"),
    "out is data": (lambda x: np.add(x, 1.0, out=DATA_WEIGHTS), "plain array in place"),
    "copied to data": (lambda x: np.copyto(DATA_WEIGHTS, x), "plain array in place"),
    "object array": (lambda x: np.array([x[0], 1.0], dtype=object), "object"),
    "object array among the operands": (lambda x: x * np.array([1, None, 2, 3]), "object"),
    "string array": (lambda x: x.astype(str), "float, int or bool"),
    "complex array": (lambda x: x * np.array([1j]), "complex"),
    "complex scalar": (lambda x: 1j * x, "complex"),
    "fft": (lambda x: np.fft.fft(x), "ad.rfft"),
    "vectorize": (lambda x: np.vectorize(lambda a: a * 2)(x), "plain NumPy array"),
    "frompyfunc": (lambda x: np.frompyfunc(lambda a: a * 2, 1, 1)(x), "no traced meaning"),
    "ufunc of a list": (lambda x: np.exp([x[0], 1.0]), r"np.array\(\[x, y\]\)"),
    "fromiter": (lambda x: np.fromiter((a for a in x), float), "np.zeros"),
    "scipy function without a meaning": (lambda x: scipy.linalg.lu(np.outer(x, x)), "custom_vjp"),
    "law without a formula": (lambda x: scipy.stats.nct.cdf(x, 4.0, 0.5), "no traced meaning"),
    "interpolator": (lambda x: scipy.interpolate.CubicSpline(np.arange(4.0), DATA_WEIGHTS)(x), "plain|custom_vjp"),
    "insert at several": (lambda x: np.insert(x, [0, 1], 2.0), "np.concatenate"),
    "np.r_ with a directive": (lambda x: np.r_["0,2", x, x], "np.concatenate"),
    "multiply.at": (lambda x: np.multiply.at(np.zeros(4), [0], x[0]), "np.add"),
    "subtract.reduce": (lambda x: np.subtract.reduce(x), "no traced meaning"),
    "masked array": (lambda x: np.ma.array(x), "custom_vjp"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_traced_raises_a_type_error_with_the_replacement(name: str) -> None:
    call, words = REFUSED[name]
    before = DATA_WEIGHTS.copy()

    def f(x: Any) -> Any:
        call(x)
        return np.sum(x)

    with pytest.raises(TracingError, match=words) as caught:
        ad.gradient(f, X)
    assert isinstance(caught.value, TypeError)
    np.testing.assert_array_equal(DATA_WEIGHTS, before)


def test_an_int_of_the_values_chooses_a_path_of_its_own() -> None:
    table = np.array([10.0, 20.0, 30.0, 40.0])
    f = ad.compile(lambda x: table[np.argmax(x)] * np.sum(x))
    np.testing.assert_array_equal(ad.gradient(f, X), [30.0] * 4)
    np.testing.assert_array_equal(ad.gradient(f, X[::-1].copy()), [20.0] * 4)


def test_a_traced_array_kept_after_its_trace_is_refused() -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(x)
        return np.sum(x)

    ad.gradient(f, X)
    with pytest.raises(TypeError, match="plain NumPy array"):
        np.asarray(kept[0])


def test_traced_arrays_are_found_in_nested_lists_of_any_kind():
    class Pair(NamedTuple):
        first: Any
        second: Any

    def f(x):
        deep = np.array([[1.0, 2.0], [3.0, x[0]]])
        named = np.concatenate([Pair(x, np.ones(2)).first, [0.5, 1]])
        pair = np.array(Pair(x[0], 2.0))
        return np.sum(deep) + np.sum(named) + np.sum(pair) + np.max([0, 1.0, np.float64(2.0), x[1]])

    x = np.array([4.0, 5.0])
    assert f(x) == 31.5
    value, gradient = ad.value_and_gradient(f, x)
    assert value == 31.5
    assert gradient.tolist() == [3.0, 2.0]
