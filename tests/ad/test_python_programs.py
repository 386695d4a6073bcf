"""Random Python programs with writing in place, views, aliases and control flow, against NumPy and the complex step."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bayesad import ad

N = 4
WEIGHTS = np.random.default_rng(0).normal(size=40)


@dataclass
class Box:
    held: object
    count: int = 0


class Machine:
    """Arrays that a random program works on: ``a`` (4), ``m`` (2, 4), and what was kept of them."""

    def __init__(self, x):
        self.x = x
        self.a = x * 1.0
        self.m = np.zeros_like(np.stack([x, x]))
        self.kept = []
        self.named = {}
        self.box = Box(self.a)


def set_element(s, i, j):
    s.a[i] = 1.5 * s.a[j] + s.x[i]


def scale_slice(s, i, j):
    s.a[min(i, j) : max(i, j) + 1] *= s.x[j]


def overlapping(s, i, j):
    s.a[1:] += s.a[:-1]


def strided(s, i, j):
    s.a[::2] -= np.sin(s.a[1::2])


def swap(s, i, j):
    s.a[i], s.a[j] = s.a[j], s.a[i]


def swap_by_index_array(s, i, j):
    s.a[[i, j]] = s.a[[j, i]]


def write_through_a_view(s, i, j):
    view = s.a[i:]
    view[0] = s.x[j] * view[-1]
    view += 0.5


def view_of_a_view(s, i, j):
    view = s.a[::-1][i:]
    view[-1] *= 2.0


def row(s, i, j):
    s.m[i % 2] = s.a


def column_of_the_transpose(s, i, j):
    transposed = s.m.T
    transposed[j] += s.a[:2]


def flat_element(s, i, j):
    s.m.reshape(-1)[i + j] = s.x[j]


def alias(s, i, j):
    other = s.a
    other -= s.x * 0.3
    other[i] = s.a[j]


def rebind_to_a_row(s, i, j):
    s.a = s.m[i % 2]


def rebind_to_a_copy(s, i, j):
    s.a = s.a.copy()


def rotate(s, i, j):
    s.a = np.concatenate([s.a[i:], s.a[:i]])


def keep_a_copy(s, i, j):
    s.kept.append(s.a.copy())


def keep_a_view(s, i, j):
    s.kept.append(s.a[i:])


def write_into_what_was_kept(s, i, j):
    if s.kept:
        s.kept[i % len(s.kept)][0] *= s.x[j]


def in_a_dict(s, i, j):
    s.named.setdefault("a", s.a)[j] += s.x[i]


def in_a_dataclass(s, i, j):
    s.box.held[i] = s.box.held[i] * s.x[j]
    s.box.held = s.a
    s.box.count += 1


def add_at(s, i, j):
    np.add.at(s.a, [i, i, j], s.x[:3])


def masked_by_data(s, i, j):
    s.a[np.arange(N) <= i] = s.x[j]


def branch(s, i, j):
    if s.a[i].real > 0.2:
        s.a[i] = s.a[i] * 0.5
    else:
        s.a[i] += s.x[j] * 2.0


def loop_until(s, i, j):
    steps = 0
    while s.a[i].real < 1.0 and steps < 5:
        s.a[i] += 0.3 + s.x[j] ** 2
        steps += 1


def early_exit(s, i, j):
    for k in range(N):
        if s.a[k].real > s.a[j].real:
            s.a[k] = s.a[j] * 0.9
            return


def closure(s, i, j):
    def bump(by):
        s.a[i] += by
        return s.a[i]

    bump(s.x[j])
    bump(bump(0.1))


def recursion(s, i, j):
    def halve(k):
        if k > 0:
            s.a[k] *= 0.5
            halve(k - 1)

    halve(j)


def caught(s, i, j):
    try:
        if s.a[i].real < 0:
            raise ValueError
        s.a[j] = np.exp(-s.a[i])
    except ValueError:
        s.a[j] = s.a[i] ** 2


OPERATIONS = [
    f
    for f in dict(globals()).values()
    if getattr(f, "__code__", None) and f.__code__.co_varnames[:3] == ("s", "i", "j")
]


def run(program, x):
    """The program's arrays, weighed and summed."""
    state = Machine(x)
    for operation, i, j in program:
        operation(state, i, j)
    values = [state.a, state.m.reshape(-1), state.named.get("a", x), state.box.held, *state.kept[:4]]
    total = state.box.count * 0.1
    place = 0
    for value in values:
        total = total + np.sum(WEIGHTS[place : place + len(value)] * value) if place + len(value) < 40 else total
        place += len(value)
    return total


def complex_step(f, x):
    slopes = np.zeros(x.shape)
    for k in range(x.size):
        moved = x.astype(complex)
        moved[k] += 1e-100j
        slopes[k] = f(moved).imag / 1e-100
    return slopes


POINTS = (np.array([0.7, -0.4, 0.3, 0.9]), np.array([-0.6, 0.8, -0.2, 0.1]))
PROGRAMS = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, N - 1), st.integers(0, N - 1)), max_size=9)


@settings(max_examples=100, deadline=None)
@given(PROGRAMS)
@example([(row, 0, 0), (rebind_to_a_row, 0, 0), (swap, 0, 3), (write_through_a_view, 1, 2), (flat_element, 1, 1)])
@example([(row, 0, 0), (rebind_to_a_row, 0, 0), (flat_element, 1, 1)])
@example([(rebind_to_a_row, 0, 0), (column_of_the_transpose, 0, 0)])
@example([(keep_a_view, 1, 0), (rotate, 2, 0), (write_into_what_was_kept, 0, 3), (in_a_dict, 0, 1), (alias, 0, 2)])
def test_values_and_derivatives_of_random_programs(program):
    compiled = ad.compile(lambda x: run(program, x))
    for x in POINTS:
        value, slope = ad.value_and_gradient(compiled, x)
        assert value == pytest.approx(run(program, x.copy()), rel=1e-12, abs=1e-12)
        expected = complex_step(lambda z: run(program, z), x)
        np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-11)
        direction = np.array([1.0, -0.5, 0.25, 2.0])
        assert ad.jvp(compiled, x, direction)[1] == pytest.approx(expected @ direction, rel=1e-9, abs=1e-11)
    assert len(compiled.paths) <= 2


@settings(max_examples=40, deadline=None)
@given(PROGRAMS)
def test_state_that_random_programs_leave_behind(program):
    """The same programs, as functions that write into an argument of autodiff."""

    def advance(a, x):
        state = Machine(x)
        state.a = a
        for operation, i, j in program:
            operation(state, i, j)

    x, after = POINTS
    expected = x.copy()
    advance(expected, x)
    a, shadow, d_x = x.copy(), after.copy(), np.zeros(N)
    ad.autodiff(ad.Reverse, advance, ad.Const, ad.Duplicated(a, shadow), ad.Duplicated(x.copy(), d_x))
    np.testing.assert_allclose(a, expected, rtol=1e-12, atol=1e-14)

    def weighed(z):
        state = z[:N] * 1.0
        advance(state, z[N:])
        return np.sum(after * state)

    slopes = complex_step(weighed, np.concatenate([x, x]))
    np.testing.assert_allclose(np.concatenate([shadow, d_x]), slopes, rtol=1e-9, atol=1e-11)
