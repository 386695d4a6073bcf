"""Trees of arrays: every container comes back as it went in, through every operator."""

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad import trees


class Pair(NamedTuple):
    left: object
    right: object


@dataclass
class Layer:
    weight: object
    bias: object
    name: str = "layer"


@dataclass(frozen=True)
class Net:
    layers: list = field(default_factory=list)
    scale: float = 1.0

    def __post_init__(self):
        if not self.scale > 0:
            raise ValueError("scale must be positive")


A = np.array([1.0, 2.0])
TREES = {
    "array": A,
    "float": 2.0,
    "dict": {"b": A, "a": 3.0},
    "list": [A, 1.0],
    "tuple": (A, (1.0, A)),
    "namedtuple": Pair(A, Pair(1.0, 2.0)),
    "dataclass": Layer(A, 0.5),
    "frozen dataclass with a check": Net([Layer(A, 1.0), Layer(A * 2, 2.0)], 2.0),
    "nested": {"x": [(A, {"y": 1.0}), Pair(A, [2.0])], "none": None, "label": "text"},
    "ordered": OrderedDict([("z", A), ("a", 1.0)]),
    "empty containers": {"a": [], "b": (), "c": A},
    "functions beside arrays": {"f": np.tanh, "a": A, "layer": Layer(A, 0.5, len)},
}


def total(tree):
    return sum(np.sum(leaf * leaf) * (i + 1.0) for i, leaf in enumerate(trees.flatten(tree)[0]))


def same_structure(a, b):
    return trees.flatten(a)[2] == trees.flatten(b)[2]


@pytest.mark.parametrize("name", TREES)
def test_gradients_have_the_structure_of_the_argument(name):
    tree = TREES[name]
    expected = [2.0 * (i + 1) * np.asarray(leaf) for i, leaf in enumerate(trees.flatten(tree)[0])]
    for mode in (ad.Reverse, ad.Forward):
        slopes = ad.gradient(total, tree, mode=mode)
        assert type(slopes) is type(tree) or name in ("array", "float")
        assert same_structure(slopes, tree)
        for got, true in zip(trees.flatten(slopes)[0], expected, strict=True):
            np.testing.assert_allclose(got, true)


@pytest.mark.parametrize("name", TREES)
def test_functions_may_return_any_tree(name):
    tree = TREES[name]
    double = lambda t: trees.tree_map(lambda leaf: 2.0 * leaf, t)
    value, tangent = ad.jvp(double, tree, tree)
    assert same_structure(value, tree) and same_structure(tangent, tree)
    _, pull_back = ad.vjp(double, tree)
    for got, leaf in zip(trees.flatten(pull_back(tree))[0], trees.flatten(tree)[0], strict=True):
        np.testing.assert_array_equal(got, 2.0 * np.asarray(leaf))


def test_flatten_and_rebuild_round_trip_keeps_keys_types_and_order():
    for tree in TREES.values():
        leaves, rebuild, structure = trees.flatten(tree)
        again = rebuild(iter(leaves))
        assert type(again) is type(tree)
        assert trees.flatten(again)[2] == structure
        assert all(a is b for a, b in zip(trees.flatten(again)[0], leaves, strict=True))
        hash(structure)
    counts = trees.tree_map(lambda v: v + 1, defaultdict(list, a=1))
    assert counts["missing"] == [] and counts["a"] == 2


def test_structures_tell_trees_apart():
    structures = [trees.flatten(tree)[2] for tree in TREES.values()]
    distinct = [s for i, s in enumerate(structures) if s not in structures[:i]]
    assert len(distinct) == len(TREES) - 1  # an array and a float are both a leaf
    assert trees.flatten({"a": 1, "b": 2})[2] != trees.flatten({"a": 1, "c": 2})[2]
    assert trees.flatten(Layer(1.0, 2.0, "u"))[2] != trees.flatten(Layer(1.0, 2.0, "v"))[2]


def test_paths_name_the_leaves():
    tree = {"net": Net([Layer(1.0, 2.0)], 3.0), "pair": Pair(4.0, [5.0])}
    assert [path for path, _ in trees.leaves_with_paths(tree)] == [
        "x['net'].layers[0].weight",
        "x['net'].layers[0].bias",
        "x['net'].scale",
        "x['pair'].left",
        "x['pair'].right[0]",
    ]


def test_a_jacobian_is_a_tree_of_trees():
    x = {"a": np.array([1.0, 2.0]), "b": 3.0}
    f = lambda p: Pair(p["a"] * p["b"], [np.sum(p["a"])])
    for mode in (ad.Forward, ad.Reverse, None):
        jacobian = ad.jacobian(f, x, mode=mode)
        np.testing.assert_array_equal(jacobian.left["a"], 3.0 * np.eye(2))
        np.testing.assert_array_equal(jacobian.left["b"], [1.0, 2.0])
        np.testing.assert_array_equal(jacobian.right[0]["a"], [1.0, 1.0])
        assert jacobian.right[0]["b"] == 0.0
    hessian = ad.hessian(lambda p: np.sum(p["a"] ** 2) * p["b"], x)
    np.testing.assert_array_equal(hessian["a"]["a"], 6.0 * np.eye(2))
    np.testing.assert_array_equal(hessian["a"]["b"], [2.0, 4.0])
    assert hessian["b"]["b"] == 0.0


def test_an_integer_array_and_a_complex_one_are_named_by_their_place():
    with pytest.raises(ValueError, match=r"x\['n'\] has dtype int64.*x\.astype\(float\)"):
        ad.gradient(total, {"n": np.arange(3), "a": 1.0})
    with pytest.raises(ValueError, match=r"x\[1\] has dtype complex128"):
        ad.gradient(total, [1.0, 1j])
    with pytest.raises(ValueError, match="object"):
        ad.gradient(total, [1.0, object()])


def test_directions_must_look_like_the_point():
    with pytest.raises(ValueError, match="must have the structure of the point"):
        ad.jvp(total, {"a": 1.0}, [1.0])
    with pytest.raises(ValueError, match=r"x\['a'\] has shape \(3,\) where the point x has \(2,\)"):
        ad.jvp(total, {"a": A}, {"a": np.ones(3)})
