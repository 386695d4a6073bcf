"""Every rule of simplification, alone, applies to its case and keeps value and gradient."""

import numpy as np
import pytest

import bayesad.ad.deriving  # noqa: F401, with all the modules that have rules
from bayesad import ad
from bayesad.ad import simplify as module
from bayesad.ad.backends.numpy import run
from bayesad.ad.reverse import reverse
from bayesad.ad.simplify import RULES, simplify
from bayesad.ad.trace import trace

X = np.array([0.7, -1.3, 2.0])
C = np.array([2.0, 3.0, 4.0])


def set_to_itself(x):
    a = x * 1.5
    a[1:] = a[1:]
    return a


def outer_products(x):
    u, v = x[:, None] * np.arange(1.0, 9.0), x[:, None] + np.arange(9.0)
    return np.sum(u[:, :, None] * v[:, None, :], axis=0)


def stacked_products(x):
    u, v = np.exp(x[:, None] * np.linspace(0.1, 0.5, 16)), 2.0 + np.sin(x[:, None] + np.arange(18.0))
    return np.sum(np.reshape(u, (3, 8, 2)) @ np.reshape(v, (3, 2, 9)), axis=0)


def transposed_products(x):
    u, v = np.exp(x[:, None] * np.linspace(0.1, 0.5, 16)), 2.0 + np.sin(x[:, None] + np.arange(18.0))
    return np.sum(np.swapaxes(np.reshape(u, (3, 2, 8)), 1, 2) @ np.reshape(v, (3, 2, 9)), axis=0)


def stacked(x):
    """Shape (2, 3, 3)."""
    return np.stack([np.outer(x, C), np.outer(C, np.sin(x))])


# rule -> functions to which it applies
CASES = {
    "outer_products_summed": [outer_products],
    "stacked_products_summed": [stacked_products, transposed_products],
    "add_zero": [lambda x: x + 0.0, lambda x: 0.0 + x, lambda x: np.zeros(3) + x],
    "subtract_zero": [lambda x: x - 0.0, lambda x: 0.0 - x, lambda x: np.outer(x, C) - np.zeros(3)],
    "multiply_by_one": [lambda x: x * 1.0, lambda x: 1.0 * x, lambda x: x * -1.0],
    "divide_by_one": [lambda x: x / 1.0],
    "small_power": [lambda x, p=p: x**p for p in (2, -1.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)],
    "no_sign": [lambda x: +x],
    "negative_of": [lambda x: np.negative(-x), lambda x: -(x - C), lambda x: -(3.0 * x)],
    "add_negative": [lambda x: x + (-np.sin(x)), lambda x: (-np.sin(x)) + x],
    "subtract_negative": [lambda x: x - (-np.sin(x))],
    "constant_first": [lambda x: x * 3.0, lambda x: 2.0 * (3.0 * x), lambda x: C * (2.0 * x), lambda x: 3.0 * (-x)],
    "sign_out_of_product": [lambda x: x * -np.sin(x), lambda x: (-np.sin(x)) * x],
    "sign_out_of_quotient": [lambda x: x / -np.sin(x), lambda x: (-np.sin(x)) / x],
    "product_with_itself": [lambda x: x * x],
    "square_without_sign": [lambda x: np.square(-x)],
    "sign_out_of_matmul": [lambda x: np.outer(C, C) @ -x, lambda x: -x @ np.outer(C, C)],
    "factors_out_of_sum": [
        lambda x: np.sum(-x),
        lambda x: np.sum(3.0 * x),
        lambda x: np.sum(x * x[0]),
        lambda x: np.sum(np.square(x / x[1])),
        lambda x: np.sum(x[2] * (np.sin(x) / x[0]) * (x * x[1])),
        lambda x: np.sum((x / x[1]) / (np.cos(x) / x[0])),
        lambda x: np.sum(-(np.reshape(x, (3, 1)) * C), axis=0),
    ],
    "products_summed": [
        lambda x: np.sum(np.outer(x, C) @ np.outer(C, np.sin(x)), axis=0),
        lambda x: np.sum(np.outer(x, C) @ np.outer(C, np.sin(x)), axis=1),
        lambda x: np.sum(np.outer(x, C) @ np.outer(C, np.sin(x))),
        lambda x: np.sum(stacked(x) @ np.swapaxes(stacked(np.cos(x)), 1, 2), axis=(0, 1)),
        lambda x: np.sum(stacked(x) @ np.outer(C, x), axis=2),
        lambda x: np.sum(np.outer(x, C) @ C[:, None], axis=(0, 1)) * x,
    ],
    "rows_weighed_and_summed": [
        lambda x: np.sum(x[:, None] * (np.outer(x, C) @ np.outer(C, np.sin(x))), axis=0),
        lambda x: np.sum(np.stack([x, C])[:, :, None] * (2.0 * (stacked(x) @ np.outer(C, x))), axis=1),
    ],
    "scalar_terms_counted": [
        lambda x: np.sum(x - np.log(x[2])),
        lambda x: np.sum(x[0] + x),
        lambda x: np.sum(x[0] - x),
    ],
    "same_shape": [lambda x: bind_reshape(x)],
    "reshape_of_reshape": [lambda x: np.reshape(np.reshape(x, (3, 1)), (1, 3))],
    "no_transpose": [lambda x: bind_transpose(x)],
    "transpose_of_transpose": [lambda x: stacked(x).transpose(1, 2, 0).transpose(0, 2, 1)],
    "cast_back": [lambda x: x[np.floor(x * 0.0).astype(int).astype(float).astype(int)]],
    "concatenated_stacks": [lambda x: np.concatenate([np.stack([x[1], x[0]]), np.stack([np.sin(x[2])])])],
    "scattered_to_diagonal": [lambda x: scattered(x, np.arange(3))],
    "slice_of_concatenate": [
        lambda x: np.concatenate([x, C * x])[1:3],
        lambda x: np.concatenate([x[None], np.sin(x)[None]])[1, ::2],
        lambda x: np.concatenate([x, C * x])[2:5],
    ],
    "slice_of_slice": [lambda x: x[1:][:1], lambda x: np.stack([x, C])[:, None][1:][0, 0, 1:]],
    "read_what_was_written": [
        lambda x: written(x, np.s_[1], x[0])[1],
        lambda x: written(x, np.s_[1], x[0])[2],
        lambda x: written(np.stack([x, C]), np.s_[:, 1], x[0])[:, 1],
        lambda x: written(np.stack([x, C]), np.s_[0], np.sin(x))[1, ::2],
    ],
    "set_rows": [
        lambda x: written(x, np.array([1, 2]), x[:2]),
        lambda x: written(np.stack([x, C]), np.s_[:1], np.sin(x)[None]),
        lambda x: written(x, np.s_[:], C * x),
    ],
    "lean_scan": [lambda x: ad.scan(lambda c, z: (np.sin(c) * z**2, c), x[0], x)[1]],
    "no_cast": [lambda x: bind_cast(x)],
    "all_taken": [
        lambda x: x[:, None] * C,
        lambda x: x[None] * 2.0,
        lambda x: (x[:, None] * C)[:, None],
        lambda x: x[0:3] * C,
        lambda x: np.outer(x, C)[:, None][:, 0, -3:] * C,
    ],
    "all_put": [
        lambda x: bind_scatter(x, np.s_[0:3], (3,)),
        lambda x: bind_scatter(x, np.s_[-1, :, None], (1, 3, 1)),
    ],
    "element_of_stack": [lambda x: np.stack([x, np.sin(x)])[1], lambda x: np.array([x[0], x[1] * 2.0])[0]],
    "set_to_itself": [set_to_itself],
}


def written(a, index, v):
    """``a`` after ``a[index] = v``."""
    from bayesad.ad.array import index_set

    return index_set(a, index, v)


def scattered(x, columns):
    """A matrix of zeros but for x in rows 0, 1, 2 and those columns."""
    from bayesad.ad.array import bind
    from bayesad.ad.primitives.indexing import Index, scatter

    return bind(scatter, (x, np.arange(3), columns), {"index": Index(("array", "array")), "shape": (3, 3)})


def bind_reshape(x):
    from bayesad.ad.array import bind
    from bayesad.ad.primitives.shaping import reshape_p

    return bind(reshape_p, (x,), {"shape": (3,)})


def bind_transpose(x):
    from bayesad.ad.array import bind
    from bayesad.ad.primitives.shaping import transpose_p

    return bind(transpose_p, (np.reshape(x, (1, 3)),), {"axes": (0, 1)})


def bind_scatter(x, index, shape):
    """Zeros of a shape but for ``x`` at an index."""
    from bayesad.ad.array import bind
    from bayesad.ad.primitives.indexing import parse, scatter

    return bind(
        scatter, (np.reshape(x, np.zeros(shape)[index].shape),), {"index": parse(index, shape)[0], "shape": shape}
    )


def bind_cast(x):
    from bayesad.ad.array import bind
    from bayesad.ad.primitives.elementwise import cast

    return bind(cast, (x,), {"dtype": np.dtype(float)})


@pytest.fixture
def only(monkeypatch):
    """``only(rule)`` leaves a single rule in force, and returns the list of its applications."""

    def choose(name):
        used = []

        def watched(rule):
            def apply(trace, *nodes, **attributes):
                result = rule(trace, *nodes, **attributes)
                used.extend([] if result is None else [name])
                return result

            return apply

        kept = {p: [watched(f) for f in rules if f.__name__ == name] for p, rules in RULES.items()}
        monkeypatch.setattr(module, "RULES", kept)
        return used

    return choose


def value_and_slopes(program, weights):
    return run(reverse(program, seeds=[weights]), X)


def test_every_rule_has_a_case():
    rules = {f.__name__ for rules in RULES.values() for f in rules}
    assert rules == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_rule_alone_keeps_value_and_gradient(name, only):
    for f in CASES[name]:
        program, _, (value,) = trace(f, X)
        weights = np.random.default_rng(0).standard_normal(np.shape(value))
        only("none of them")
        plain = value_and_slopes(program, weights)
        used = only(name)
        simple = simplify(program)
        assert used, "the rule did not apply"
        assert simple.outputs[0].shape == program.outputs[0].shape
        assert simple.outputs[0].dtype == program.outputs[0].dtype
        for got, true in zip(value_and_slopes(simple, weights), plain, strict=True):
            np.testing.assert_allclose(got, true, rtol=1e-14, atol=1e-15)


# What must be left as it is: shapes, dtypes or special values would change.
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[0] + np.zeros(3),
        lambda x: x[1:] - np.zeros((2, 2)),
        lambda x: x[::-1],
        lambda x: x[:0],
        lambda x: x[0] * np.ones((2, 3)),
        lambda x: (x > 0) + 0.0,
        lambda x: (x > 0) * 1.0,
        lambda x: np.floor(x).astype(int) / 1.0,
        lambda x: x * 0.0,
        lambda x: x - x,
        lambda x: x / x,
        lambda x: np.sum(np.full(3, x[0]) - x[1]),
    ],
)
def test_shape_dtype_and_special_values_are_kept(f):
    compiled = ad.compile(f)
    for x in (X, np.array([np.nan, np.inf, 0.0])):
        with np.errstate(all="ignore"):
            expected = f(x)
        got = compiled(x)
        np.testing.assert_array_equal(got, expected)
        assert np.shape(got) == np.shape(expected)
        assert np.asarray(got).dtype == np.asarray(expected).dtype


def test_simplification_reaches_a_fixed_point():
    for cases in CASES.values():
        for f in cases:
            once = simplify(trace(f, X)[0])
            twice = simplify(once)
            kinds = [[node.primitive.name for node in p.nodes] for p in (once, twice)]
            assert kinds[0] == kinds[1]


def test_gradient_of_a_regression_is_short():
    y, a = np.arange(20.0), np.linspace(0.0, 1.0, 20)

    def f(p):
        return -0.5 * np.sum(((y - p[0] - p[1] * a) / np.exp(p[2])) ** 2) - 20.0 * p[2]

    compiled = ad.compile(f, rewrites=())
    ad.gradient(compiled, np.ones(3))
    program = compiled.paths[0].reverse(1, seed=True)
    assert len([node for node in program.nodes if node.shape == (20,)]) <= 5
    assert len(program.nodes) <= 32


def _names(program):
    return [node.primitive.name for node in program.nodes]


def test_a_sum_of_outer_products_is_a_product_of_matrices():
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(5, 9)), rng.normal(size=(5, 8))
    for f in (
        lambda u, v: np.sum(u[:, :, None] * v[:, None, :], axis=0),
        lambda u, v: np.sum(v[:, None, :] * u[:, :, None], axis=0),
    ):
        program = simplify(trace(f, u, v)[0])
        assert "matmul" in _names(program) and "multiply" not in _names(program)
        np.testing.assert_allclose(run(program, u, v)[0], f(u, v), rtol=1e-13)
        few = simplify(trace(f, u[:, :3], v)[0])
        assert "matmul" not in _names(few)
    other = simplify(trace(lambda u, v: np.sum(u[:, :, None] * v[:, None, :], axis=1), u, v)[0])
    assert "matmul" not in _names(other)


def test_only_the_diagonal_itself_is_chosen_element_by_element():
    other = simplify(trace(lambda x: scattered(x, np.array([0, 2, 1])), X)[0])
    assert "scatter" in _names(other)
    np.testing.assert_array_equal(run(other, X)[0], np.diag(X)[:, [0, 2, 1]])


def test_sums_of_products_over_broadcast_rows_cost_no_product_in_the_gradient():
    rng = np.random.default_rng(0)
    data, triangles = rng.normal(size=(20, 3)), np.tril(rng.normal(size=(2, 3, 3)))

    def f(means):
        return np.sum(np.log1p(np.sum(((data - means[:, None]) @ np.swapaxes(triangles, 1, 2)) ** 2, axis=2)))

    means = rng.normal(size=(2, 3))
    program = reverse(simplify(trace(f, means)[0]), seeds=[1.0])
    products = [node.shape for node in simplify(program).nodes if node.primitive.name == "matmul"]
    assert products == [(2, 20, 3), (2, 1, 3), (2, 1, 3)]
    assert ad.check(f, means)


def test_the_gradient_of_a_recurrent_layer_sums_its_outer_products_by_one_product():
    rows = np.random.default_rng(0).normal(size=(6, 10))

    def f(w):
        return np.sum(ad.scan(lambda h, x: (np.tanh(w @ h + x),) * 2, np.zeros(10), rows)[1])

    w = 0.1 * np.random.default_rng(1).normal(size=(10, 10))
    assert "f64[6,10,10]" not in ad.inspect(f, w, stage="gradient")
    v = np.random.default_rng(2).normal(size=w.shape)
    h, total = np.zeros(10), 0.0
    for x in rows:
        h = np.tanh((w + 1e-30j * v) @ h + x)
        total = total + np.sum(h)
    slope = np.imag(total) / 1e-30
    assert np.sum(ad.gradient(f, w) * v) == pytest.approx(slope, rel=1e-12)
