"""Arrays written in place: the traced function does what NumPy does on plain arrays, and has the right gradient."""

import numpy as np
import pytest

from bayesad import ad


def preallocated(x):
    out = np.zeros(4)
    out[0] = x[0]
    for i in range(1, 4):
        out[i] = 0.5 * out[i - 1] + x[i] ** 2
    return out


def random_walk_rows(x):
    out = np.empty((3, 2))
    out[0] = x[:2]
    for i in range(1, 3):
        out[i] = out[i - 1] * x[i] + np.sin(out[i - 1])
    return out


def elements_2d(x):
    out = np.zeros((2, 3))
    for i in range(2):
        for j in range(3):
            out[i, j] = x[i] * x[j + 1] + (out[i - 1, j] if i else 0.0)
    return out


def rows_then_elements(x):
    out = np.zeros((2, 4))
    out[0] = x
    out[1] = x * x
    out[0, 2] = x[0] * x[1]
    out[1, 0] += out[0, 2]
    return out


def elements_then_whole_reads(x):
    out = np.ones(4)
    out[1] = x[0]
    total = np.sum(out)
    out[2] = total * x[1]
    return np.append(out, total)


def view_of_a_row(x):
    out = np.zeros((2, 4))
    row = out[1]
    row[0] = x[0]
    row[1:3] += x[2:]
    row *= 2.0
    return out


def view_of_a_view(x):
    a = x.copy()
    b = a[1:]
    c = b[::-1]
    c[0] = x[0] ** 2
    b[0] += 1.0
    return np.concatenate([a, b, c])


def view_read_after_its_base_changed(x):
    a = x * 1.0
    b = a[::2]
    before = b * 1.0
    a[2] = x[0] * x[3]
    return np.concatenate([before, b])


def transposed_view(x):
    a = np.reshape(x, (2, 2)).copy()
    t = a.T
    t[0, 1] = x[3] ** 2
    a[0, 0] *= 3.0
    return t - a


def reshaped_view(x):
    a = np.zeros(4)
    m = a.reshape(2, 2)
    m[1] = x[:2]
    a[0] = x[2] * x[3]
    return m


def aliasing(x):
    a = x * 1.0
    b = a
    b += 1.0
    b[0] = b[1] * x[0]
    return a + b


def copies_are_apart(x):
    a = x * 1.0
    b = a.copy()
    a[0] = 7.0 * x[1]
    return a + 10.0 * b


def in_place_arithmetic(x):
    a = np.ones(4)
    a += x
    a *= x
    a -= 0.5
    a /= 2.0 + x**2
    a **= 2
    return a


def overwritten(x):
    a = np.zeros(3)
    a[0] = x[0]
    a[0] = x[1] ** 2
    a[:] = a + x[2]
    a[1] = x[3]
    return a


def repeated_positions(x):
    a = np.zeros(3)
    a[[0, 1, 0]] = x[:3]  # the last one stays
    np.add.at(a, [1, 1, 2], x[:3] ** 2)
    return a


def masked_by_data(x):
    a = x * 2.0
    a[np.array([True, False, True, False])] = x[:2] ** 2
    a[np.array([False, True, False, False])] = 0.0
    return a


def negative_and_strided(x):
    a = np.zeros(6)
    a[-1] = x[0]
    a[1:5:3] = x[1:3]
    a[::-2] += x[3]
    return a


def swapped(x):
    a = x * 1.0
    a[[0, 1]] = a[[1, 0]]
    a[2], a[3] = a[3], a[2]
    return a * np.arange(1.0, 5.0)


def ufunc_out(x):
    a = np.zeros(4)
    np.exp(x, out=a)
    np.multiply(a, x, out=a)
    np.maximum(a[:2], 0.5, out=a[:2])
    return a


def list_of_rows(x):
    rows = []
    for i in range(3):
        row = np.zeros(2)
        row[0] = x[i]
        row[1] = x[i + 1] * row[0]
        rows.append(row)
    return np.array(rows)


def constant_buffer(x):
    weights = np.zeros(4)
    weights[1] = 2.0
    weights[2:] += 0.5
    return weights * x


def broadcast_writes(x):
    a = np.zeros((3, 4))
    a[:] = x
    a[1] = 2.0
    a[:, 2] = x[0]
    a[2, 1:3] = x[3]
    return a


FUNCTIONS = [f for f in dict(globals()).values() if getattr(f, "__module__", "") == __name__ and callable(f)]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_traced_code_does_what_numpy_does(f, difference_gradient):
    x = np.array([0.7, -1.3, 2.1, 0.4])
    expected = f(x.copy())
    compiled = ad.compile(f)
    np.testing.assert_allclose(compiled(x), expected, rtol=1e-15)
    other = np.array([-0.2, 0.9, 1.7, -0.6])
    np.testing.assert_allclose(compiled(other), f(other.copy()), rtol=1e-15)
    assert len(compiled.paths) == 1
    weights = np.random.default_rng(0).standard_normal(np.shape(expected))
    total = lambda v: np.sum(weights * f(v))
    slope = ad.gradient(total, x)
    np.testing.assert_allclose(slope, difference_gradient(total, x), rtol=1e-8, atol=1e-9)
    v = np.array([1.0, -0.5, 2.0, 0.3])
    assert ad.jvp(total, x, v)[1] == pytest.approx(slope @ v, rel=1e-12)
    assert list(x) == [0.7, -1.3, 2.1, 0.4]


def test_the_argument_is_not_changed_by_writing_into_it():
    x = np.array([1.0, 2.0, 3.0])

    def f(v):
        v[0] = v[1] * v[2]
        return np.sum(v)

    np.testing.assert_array_equal(ad.gradient(f, x), [0.0, 4.0, 3.0])
    np.testing.assert_array_equal(x, [1.0, 2.0, 3.0])


def test_a_loop_over_a_preallocated_array_records_scalars_and_one_stack():
    def f(x):
        out = np.zeros(20)
        out[0] = x[0]
        for i in range(1, 20):
            out[i] = 0.5 * out[i - 1] + x[i]
        return np.sum(out)

    program = ad.compile(f)
    program(np.ones(20))
    kinds = [node.primitive.name for node in program.paths[0].program.nodes]
    assert kinds.count("stack") == 1
    assert "index_set" not in kinds
    assert len(kinds) < 4 * 20


def test_writing_into_an_array_of_the_outside_is_refused():
    outside = np.zeros(3)

    def element(x):
        outside[0] = x[0]
        return np.sum(outside)

    def whole(x):
        nonlocal outside
        outside += x
        return np.sum(outside)

    for f in (element, whole):
        with pytest.raises((TypeError, ValueError)):
            ad.gradient(f, np.ones(3))
    np.testing.assert_array_equal(outside, np.zeros(3))


def test_an_unknown_in_an_integer_array_is_refused():
    def f(x):
        counts = np.zeros(3, dtype=int)
        counts[0] = x[0]
        return np.sum(counts)

    with pytest.raises(TypeError, match="dtype int64; make the array with dtype=float"):
        ad.gradient(f, np.ones(3))


def test_positions_outside_an_array_are_index_errors():
    def f(x):
        out = np.zeros(3)
        out[3] = x[0]
        return out

    with pytest.raises(IndexError):
        ad.compile(f)(np.ones(2))
    with pytest.raises(IndexError):
        ad.compile(lambda x: x[5])(np.ones(2))
