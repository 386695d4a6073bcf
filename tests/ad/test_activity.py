"""`autodiff`: activities of arguments, shadows added to in place, state that functions write, and clear refusals."""

import dataclasses
import re
import tracemalloc
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from bayesad import ad

A, B = np.array([0.5, -1.2, 2.0]), np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]])


class Pair(NamedTuple):
    left: object
    right: object


@dataclasses.dataclass
class Layer:
    weight: np.ndarray
    bias: float
    name: str = "dense"


@dataclasses.dataclass(frozen=True)
class Frozen:
    weight: np.ndarray
    scale: float
    units: int = 2


def total(tree, data, factor=1.0):
    """Every leaf of floats to another power, times data."""
    from bayesad.ad import trees

    floats = [leaf for leaf in trees.flatten(tree)[0] if not isinstance(leaf, int) and leaf.dtype.kind == "f"]
    return factor * sum(np.sum(leaf ** (i + 2)) for i, leaf in enumerate(floats)) * np.sum(data)


TREES = {
    "array": A,
    "dict": {"b": A, "a": np.array(3.0)},
    "list": [A, B],
    "tuple": (A, (B, 1.5)),
    "NamedTuple": Pair(A, Pair(B, 2.0)),
    "dataclass": Layer(B, 0.5),
    "frozen dataclass": Frozen(A, 1.5),
    "nested": {"layers": [Layer(B, 0.5), Layer(A, -1.0)], "pair": Pair(A * 2, [0.1]), "none": None},
}


def arrays(tree):
    from bayesad.ad import trees

    return [np.asarray(leaf) for leaf in trees.flatten(tree)[0] if np.asarray(leaf).dtype.kind == "f"]


@pytest.mark.parametrize("name", TREES)
def test_gradients_are_added_into_the_shadow_of_any_tree(name):
    tree, data = TREES[name], np.array([1.0, 0.5])
    shadow = ad.make_zero(tree)
    assert type(shadow) is type(tree)
    assert all(not np.any(leaf) for leaf in arrays(shadow))
    places = arrays(shadow)
    found = ad.autodiff(ad.Reverse, total, ad.Active, ad.Duplicated(tree, shadow), ad.Const(data), ad.Active(2.0))
    leaves = arrays(tree)
    value = sum(np.sum(leaf ** (i + 2)) for i, leaf in enumerate(leaves)) * 1.5
    assert found.value == pytest.approx(2.0 * value, rel=1e-14)
    assert found.gradients == pytest.approx((value,), rel=1e-14)
    expected = [3.0 * (i + 2) * leaf ** (i + 1) for i, leaf in enumerate(leaves)]
    for times in (1, 2):
        for i, place in enumerate(arrays(shadow)):
            assert place is places[i]
            np.testing.assert_allclose(place, times * expected[i], rtol=1e-14)
        if times == 1:
            ad.autodiff(ad.Reverse, total, ad.Active, ad.Duplicated(tree, shadow), data, 2.0)
    ad.set_zero(shadow)
    assert all(not np.any(leaf) for leaf in places)


def test_a_compiled_function_allocates_no_array_per_step():
    n = 60
    rng = np.random.default_rng(0)
    net = Layer(rng.normal(size=(n, n)), 0.1)
    data = rng.normal(size=(n, n))
    f = ad.compile(lambda net, x: np.sum(np.tanh(x @ net.weight + net.bias)))
    shadow = ad.make_zero(net)

    def step():
        ad.set_zero(shadow)
        return ad.autodiff(ad.Reverse, f, ad.Active, ad.Duplicated(net, shadow), ad.Const(data))

    for _ in range(20):  # then it is machine code
        step()
    tracemalloc.start()
    try:
        step()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        step()
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 8 * n * n / 2
    expected = ad.gradient(lambda w: np.sum(np.tanh(data @ w + net.bias)), net.weight)
    np.testing.assert_allclose(shadow.weight, expected, rtol=1e-12)


def test_active_arguments_come_back_in_their_order_and_form():
    f = lambda a, x, p: np.sum(a * x) * p.left + p.right[0] ** 2 * a
    found = ad.autodiff(ad.Reverse, f, ad.Active, ad.Active(2), A, ad.Active(Pair(3.0, (4.0, 5.0))))
    s = np.sum(A)
    assert isinstance(found, ad.Derivatives)
    d_a, d_p = found.gradients
    assert d_a == pytest.approx(3.0 * s + 16.0)
    assert isinstance(d_p, Pair)
    assert (d_p.left, *d_p.right) == pytest.approx((2.0 * s, 16.0, 0.0))
    assert isinstance(d_a, float)


def test_forward_mode_gives_the_tangent_in_the_direction_of_the_shadows():
    f = lambda w, b, x: {"out": np.tanh(w @ x + b), "sum": np.sum(w)}
    v, d_b = np.ones((2, 3)) * 0.5, 2.0
    found = ad.autodiff(ad.Forward, f, ad.Duplicated, ad.Duplicated(B, v), ad.Duplicated(0.3, d_b), ad.Const(A))
    inner = B @ A + 0.3
    np.testing.assert_allclose(found.value["out"], np.tanh(inner))
    np.testing.assert_allclose(found.tangent["out"], (v @ A + d_b) / np.cosh(inner) ** 2)
    assert found.tangent["sum"] == 3.0
    constant = ad.autodiff(ad.Forward, f, ad.Const, ad.Duplicated(B, v), 0.3, A)
    assert constant.tangent is None
    np.testing.assert_array_equal(v, 0.5 * np.ones((2, 3)))


def test_several_directions_share_one_pass():
    calls = []

    def f(w, b):
        calls.append(1)
        return np.exp(w) * b

    seeds = list(np.eye(3))
    found = ad.autodiff(
        ad.Forward, f, ad.Duplicated, ad.BatchDuplicated(A, seeds), ad.BatchDuplicated(2.0, [0.0, 0.0, 1.0])
    )
    assert len(calls) == 1
    assert len(found.tangent) == 3
    expected = np.diag(2.0 * np.exp(A))
    expected[2] += np.exp(A)
    np.testing.assert_allclose(np.stack(found.tangent), expected, rtol=1e-15)
    for _ in range(20):  # as machine code
        again = ad.autodiff(ad.Forward, f, ad.Duplicated, ad.BatchDuplicated(A, seeds), 2.0)
    np.testing.assert_allclose(np.stack(again.tangent), np.diag(2.0 * np.exp(A)), rtol=1e-14)


@dataclasses.dataclass
class State:
    x: np.ndarray
    steps: int
    time: float
    history: list


def advance(state, k):
    state.x[1:] = state.x[:-1] * k  # in place, through views that overlap
    state.steps += 1
    state.time = state.time + k * k
    state.x = state.x * 2.0  # another array for the attribute
    state.history[0], state.history[1] = state.history[1], state.history[0] * k


def test_state_that_is_written_goes_back_and_its_shadow_is_pulled_back():
    state = State(np.array([1.0, 2.0, 3.0]), 0, 0.5, [np.ones(2), np.array([3.0, 4.0])])
    after = np.array([1.0, 10.0, 100.0])
    shadow = State(after.copy(), 0, 1.0, [np.array([1.0, 2.0]), np.array([5.0, 7.0])])
    x, first = state.x, state.history[0]
    found = ad.autodiff(ad.Reverse, advance, ad.Const, ad.Duplicated(state, shadow), ad.Active(3.0))
    assert found.value is None
    assert state.x is x and state.history[0] is first  # written where they were
    np.testing.assert_array_equal(state.x, [2.0, 6.0, 12.0])
    assert (state.steps, type(state.steps), state.time) == (1, int, 9.5)
    np.testing.assert_array_equal(state.history, [[3.0, 4.0], [3.0, 3.0]])
    # x' = 2 (x0, k x0, k x1), time' = time + k^2, history' = (h1, k h0)
    np.testing.assert_array_equal(shadow.x, [2.0 * 1 + 6.0 * 10, 6.0 * 100, 0.0])
    assert shadow.time == 1.0 and shadow.steps == 0
    np.testing.assert_array_equal(shadow.history, [[15.0, 21.0], [1.0, 2.0]])
    assert found.gradients == (2.0 * (10 * 1.0 + 100 * 2.0) + 2 * 3.0 + 5.0 + 7.0,)


def test_state_in_forward_mode_leaves_the_tangent_after_the_function():
    state = State(np.array([1.0, 2.0, 3.0]), 0, 0.5, [np.ones(2), np.zeros(2)])
    shadow = State(np.array([1.0, 0.0, 5.0]), 0, 0.0, [np.zeros(2), np.ones(2)])
    ad.autodiff(ad.Forward, advance, ad.Const, ad.Duplicated(state, shadow), ad.Duplicated(3.0, 1.0))
    np.testing.assert_array_equal(shadow.x, 2.0 * np.array([1.0, 3.0 + 1.0, 2.0]))
    assert shadow.time == 6.0
    np.testing.assert_array_equal(shadow.history, [[1.0, 1.0], [1.0, 1.0]])


def test_a_result_and_state_together_as_machine_code_and_interpreted():
    def f(out, x):
        out[:2] = x[:2] * x[2]
        return np.sum(out**2)

    compiled = ad.compile(f)
    for _ in range(25):
        out, x = np.array([7.0, 8.0, 9.0]), A.copy()
        d_out, d_x = np.array([1.0, 2.0, 3.0]), np.zeros(3)
        found = ad.autodiff(ad.Reverse, compiled, ad.Active, ad.Duplicated(out, d_out), ad.Duplicated(x, d_x))
        new = x[:2] * x[2]
        np.testing.assert_allclose(out, [*new, 9.0], rtol=1e-15)
        assert found.value == pytest.approx(np.sum(out**2), rel=1e-14)
        seed = 2.0 * new + [1.0, 2.0]  # of the two elements written: of the result, and of the state itself
        np.testing.assert_allclose(d_x, [*(seed * x[2]), seed @ x[:2]], rtol=1e-14)
        np.testing.assert_allclose(d_out, [0.0, 0.0, 2.0 * 9.0 + 3.0], rtol=1e-14)


def test_constant_arguments_are_pruned_before_differentiation():
    def f(w, x):
        features = np.sinh(x) * np.cosh(x)  # of constants alone
        return np.sum(w * features)

    def operations(*args):
        return re.sub("#.*", "", ad.inspect(f, args, stage="gradient"))

    both = operations(ad.Duplicated(A, ad.make_zero(A)), ad.Duplicated(A, ad.make_zero(A)))
    one = operations(ad.Duplicated(A, ad.make_zero(A)), ad.Const(A))
    assert both.count("sinh(") > 1 or both.count("cosh(") > 1 or both.count("multiply(") > one.count("multiply(")
    assert one.count("sinh(") == one.count("cosh(") == 1
    # the features, the product, and nothing more: the gradient is the features
    assert one.count("multiply(") == 2


def test_functions_and_strings_may_be_arguments_or_parts_of_them():
    @dataclasses.dataclass
    class Net:
        weight: np.ndarray
        activation: object
        name: str = "net"

    def f(net, reduce, kind, x):
        out = net.activation(net.weight * x)
        return reduce(out) if kind == "sum" else -reduce(out)

    compiled = ad.compile(f)
    for activation, slope in ((np.tanh, lambda z: 1 / np.cosh(z) ** 2), (np.exp, np.exp)):
        for kind, sign in (("sum", 1.0), ("minus", -1.0)):
            net = Net(A, activation)
            shadow = ad.make_zero(net)
            assert shadow.activation is activation
            ad.autodiff(ad.Reverse, compiled, ad.Active, ad.Duplicated(net, shadow), ad.Const(np.sum), kind, 2.0)
            np.testing.assert_allclose(shadow.weight, sign * 2.0 * slope(2.0 * A), rtol=1e-12)


def test_an_array_held_twice_collects_both_derivatives():
    tied = {"encoder": A, "decoder": A}
    shadow = ad.make_zero(tied)
    assert shadow["encoder"] is shadow["decoder"]
    f = lambda p: np.sum(p["encoder"] * np.exp(p["decoder"]))
    ad.autodiff(ad.Reverse, f, ad.Active, ad.Duplicated(tied, shadow))
    np.testing.assert_allclose(shadow["encoder"], (1.0 + A) * np.exp(A), rtol=1e-14)

    def writes(p):
        p["encoder"][0] = 1.0
        return np.sum(p["decoder"])

    with pytest.raises(ValueError, match="argument 0: the function writes into an array that is there twice"):
        ad.autodiff(ad.Reverse, writes, ad.Active, ad.Duplicated(tied, shadow))


def test_branches_and_shapes_have_programs_of_their_own():
    def f(w, x):
        return np.sum(w * x) if x[0] > 0 else np.sum(np.sin(w))

    compiled, shadow = ad.compile(f), np.zeros(3)
    for sign in (1.0, -1.0) * 20:
        shadow[:] = 0.0
        ad.autodiff(ad.Reverse, compiled, ad.Active, ad.Duplicated(A, shadow), sign * np.arange(1.0, 4.0))
        np.testing.assert_allclose(shadow, np.arange(1.0, 4.0) if sign > 0 else np.cos(A), rtol=1e-14)
    wide = np.zeros(5)
    ad.autodiff(ad.Reverse, compiled, ad.Active, ad.Duplicated(np.ones(5), wide), np.arange(1.0, 6.0))
    np.testing.assert_array_equal(wide, np.arange(1.0, 6.0))


def test_autodiff_inside_a_differentiated_function():
    def outer(w):
        shadow = ad.make_zero(w)
        ad.autodiff(ad.Reverse, lambda v: np.sum(v**3), ad.Active, ad.Duplicated(w, shadow))
        tangent = ad.autodiff(ad.Forward, lambda v: np.sum(v**2), ad.Duplicated, ad.Duplicated(w, np.ones(3))).tangent
        return np.sum(shadow) + tangent

    np.testing.assert_allclose(ad.gradient(outer, A), 6.0 * A + 2.0, rtol=1e-14)


F = lambda x: np.sum(x * 1.0)
ZEROS = np.zeros(3)
READ_ONLY = np.zeros(3)
READ_ONLY.flags.writeable = False
REFUSED = {
    "an array as Active": (
        F,
        [ad.Active(A)],
        r"argument 0 is an array of shape \(3,\), passed as ad.Active.*Duplicated",
    ),
    "an array of integers as Active": (F, [ad.Active(np.arange(3))], r"array of dtype int64 .*float64"),
    "a list as Active": (F, [ad.Active([1.0])], "argument 0 is a list, which can be written into"),
    "a dataclass as Active": (F, [ad.Active(Layer(1.0, 2.0))], "is a Layer, which can be written into"),
    "a string as Active": (F, [ad.Active(1j)], "complex, not a number that could be active"),
    "text as Active": (F, [ad.Active("a")], "is Active, but holds no numbers at all"),
    "a labelled array": (F, [ad.Duplicated(pd.Series(A), ZEROS)], r"a Series is no array .*np.asarray\(x\)"),
    "a shadow of another shape": (F, [ad.Duplicated(A, np.zeros(4))], r"has shape \(3,\), its shadow \(4,\)"),
    "a shadow of another dtype": (
        F,
        [ad.Duplicated(A, np.zeros(3, int))],
        "is of type float64, its shadow of type int64",
    ),
    "a shadow of another structure": (
        F,
        [ad.Duplicated({"a": A}, {"b": ZEROS})],
        "of another structure than the value",
    ),
    "a shadow in a list": (F, [ad.Duplicated(A, [ZEROS])], "the shadow of argument 0 is a list of 1 leaves"),
    "a nested leaf": (F, [ad.Duplicated({"a": [A]}, {"a": [B]})], r"argument 0\['a'\]\[0\] has shape"),
    "a shadow that is the value": (F, [ad.Duplicated(A, A)], "argument 0 shares memory with its shadow"),
    "a shadow that is read-only": (F, [ad.Duplicated(A, READ_ONLY)], "read-only"),
    "integers": (F, [ad.Duplicated(np.arange(3), np.arange(3))], "holds only int64: nothing that can vary smoothly"),
    "integers with a shadow of floats": (
        F,
        [ad.Duplicated({"i": np.arange(3), "a": A}, {"i": ZEROS, "a": ZEROS})],
        r"argument 0\['i'\] is of type int64, which cannot vary smoothly, but its shadow is of type float64",
    ),
    "a number by itself with a shadow": (F, [ad.Duplicated(1.0, 0.0)], r"a number by itself; hold it as an array"),
    "a number in a tuple": (lambda p: np.sum(p[0]) * p[1], [ad.Duplicated((A, 1.0), (np.zeros(3), 0.0))], "in a tuple"),
    "an array as result": (lambda x: x, [ad.Duplicated(A, ZEROS)], r"returned \(3,\); sum it, use ad.jacobian, or"),
    "no result": (lambda x: None, [ad.Duplicated(A, ZEROS)], "returned nothing"),
    "an integer as result": (lambda x: np.argmax(x), [ad.Duplicated(A, ZEROS)], "dtype int64"),
    "a class for an argument": (F, [ad.Const], r"argument 0: ad.Const needs the value"),
    "a batch in reverse mode": (F, [ad.BatchDuplicated(A, [ZEROS])], "ad.BatchDuplicated is for forward mode"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_meaning_is_refused_in_words(case):
    f, args, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        ad.autodiff(ad.Reverse, f, ad.Active, *args)
    assert not ZEROS.any()


def test_modes_and_activities_of_the_result_are_checked():
    with pytest.raises(ValueError, match=r"the mode is ad.Reverse or ad.Forward, not 'reverse'"):
        ad.autodiff("reverse", F, ad.Active, A)
    with pytest.raises(ValueError, match=r"in Reverse mode is ad.Active or ad.Const .*not Duplicated"):
        ad.autodiff(ad.Reverse, F, ad.Duplicated, ad.Const(A))
    with pytest.raises(ValueError, match="not 3"):
        ad.autodiff(ad.Forward, F, 3, ad.Const(A))
    with pytest.raises(ValueError, match=r"forward mode needs a direction; ad.Duplicated\(x, 1.0\)"):
        ad.autodiff(ad.Forward, F, ad.Duplicated, ad.Active(1.0))
    with pytest.raises(ValueError, match="must have as many"):
        ad.autodiff(ad.Forward, F, ad.Duplicated, ad.BatchDuplicated(A, [ZEROS]), ad.Duplicated(A, ZEROS))


def test_a_direction_may_be_a_whole_number():
    assert ad.autodiff(ad.Forward, lambda x: x**2, ad.Duplicated, ad.Duplicated(3.0, 1)).tangent == 6.0


def test_structure_and_shape_of_state_have_to_stay():
    def adds_a_key(state):
        state["new"] = state["x"] * 2.0

    def another_shape(state):
        state["x"] = state["x"][:2]

    for f, message in ((adds_a_key, "changed the structure"), (another_shape, r"shape \(2,\).*shape \(3,\)")):
        with pytest.raises(ValueError, match=message):
            ad.autodiff(ad.Reverse, f, ad.Const, ad.Duplicated({"x": A}, {"x": np.zeros(3)}))
