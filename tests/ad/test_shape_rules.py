"""Shape rules against the evaluation: they say what shape and dtype a result has, and refuse what NumPy refuses.

Machine code lays memory out by these rules, so one that is wrong about a shape writes where it must not.
"""

import contextlib
import itertools

import numpy as np
import pytest

from bayesad.ad import fourier  # noqa: F401  (adds its entries)
from bayesad.ad.backends.numpy import run
from bayesad.ad.primitives import branches, implicit, integrals, odes, special  # noqa: F401  (add their entries)
from bayesad.ad.primitives.indexing import Index
from bayesad.ad.primitives.table import PRIMITIVES
from bayesad.ad.program import GUARD, Program
from models.posteriordb._posteriors import ReferencePosterior, names

TRIES = 60
INDICES = [
    Index((1,)),
    Index((2, 0)),
    Index((("slice", None, None, -2),)),
    Index((None, ("slice", 1, 3, None))),
    Index((("slice", 1, None, None), 1)),
    Index(("array",)),
    Index(("array", "array")),
    Index((("slice", None, None, None), "array")),
    Index((0, "array")),
]


def a_shape(random, most_axes=3, least=0, fewest_axes=0):
    return tuple(int(n) for n in random.integers(least, 4, size=random.integers(fewest_axes, most_axes + 1)))


def changed(random, shape, fewest_axes=0):
    """The same shape, or one that differs by a length or by an axis."""
    what = random.integers(4)
    if what == 0 and shape:
        i = random.integers(len(shape))
        return (*shape[:i], int(random.integers(1, 4)), *shape[i + 1 :])
    if what == 1 and len(shape) > fewest_axes:
        return shape[1:]
    return (int(random.integers(1, 3)), *shape) if what == 2 else shape


def axes(random):
    return {"axes": tuple(i for i in range(4) if random.random() < 0.3)}


def axis(random):
    return {"axis": int(random.integers(0, 3))}


def one(attributes, **limits):
    return lambda random: ([a_shape(random, **limits)], attributes(random))


def nothing(random):
    return {}


def several(attributes):
    def case(random):
        shape = a_shape(random)
        return [shape, *[changed(random, shape) for _ in range(random.integers(0, 3))]], attributes(random)

    return case


def to_a_shape(random):
    shape = a_shape(random)
    return [changed(random, shape)], {"shape": shape}


def reshaped(random):
    shape = a_shape(random)
    return [shape], {"shape": (int(np.prod(shape)), 1) if random.random() < 0.5 else a_shape(random)}


def transposed(random):
    n = int(random.integers(0, 4))
    return [a_shape(random)], {"axes": tuple(random.permutation(n).tolist())}


def index_arrays(random, index):
    shape = a_shape(random, 2, 1)
    return [np.zeros(changed(random, shape), dtype=int) for item in index.items if item == "array"]


def taken(random):
    index = INDICES[random.integers(len(INDICES))]
    return [a_shape(random)], {"index": index}, index_arrays(random, index)


def written(random):
    (shape,), attributes, arrays = taken(random)
    try:
        into = np.zeros(shape)[attributes["index"].resolve(tuple(arrays))].shape
    except IndexError:
        into = shape
    return shape, changed(random, into), attributes, arrays


def index_set(random):
    shape, value, attributes, arrays = written(random)
    return [shape, value], attributes, arrays


def scatter(random):
    shape, value, attributes, arrays = written(random)
    return [value], {**attributes, "shape": shape}, arrays


def matrices(*, systems=0):
    """A batch of matrices that are square or not, and ``systems`` more arrays of about the same shape."""

    def case(random):
        batch, n = a_shape(random, 1, 1), int(random.integers(1, 4))
        shape = (*batch, n, n) if random.random() < 0.6 else a_shape(random, 4, 1, 2)
        return [shape, *[changed(random, shape, 2) for _ in range(systems)]], {}

    return case


def triangular(random):
    shapes, _ = matrices(systems=1)(random)
    return shapes, {name: bool(random.integers(2)) for name in ("lower", "trans", "unit")}


def searched(random):
    return [a_shape(random, 2), a_shape(random)], {"side": "left"}


def spectrum(random):
    shape = a_shape(random, least=1, fewest_axes=1)
    return [shape, (2, shape[-1])], {}


def signal(random):
    n = int(random.integers(1, 6))
    return [(*a_shape(random, most_axes=2), n // 2 + 1, 2), (2, n)], {"n": n}


CASES = {
    **{name: one(axes) for name in ("sum", "prod", "any", "all", "logsumexp", "flip")},
    **{name: one(axes, least=1) for name in ("max", "min")},
    **{name: one(axis, fewest_axes=1) for name in ("cumsum", "cumprod", "argsort")},
    **{name: one(axis, least=1, fewest_axes=1) for name in ("argmax", "argmin")},
    "cast": one(lambda random: {"dtype": np.dtype([np.int64, np.float64, np.bool_][random.integers(3)])}),
    "rfft": spectrum,
    "irfft": signal,
    "reshape": reshaped,
    "transpose": transposed,
    "broadcast_to": to_a_shape,
    "concatenate": several(axis),
    "stack": several(nothing),
    "take": taken,
    "index_set": index_set,
    "scatter": scatter,
    "matmul": lambda random: ([a_shape(random), a_shape(random)], {}),
    **{name: matrices() for name in ("cholesky", "inv", "pinv", "slogdet", "cofactors", "det", "eigh", "qr", "svd")},
    "expm": matrices(),
    **{name: matrices(systems=1) for name in ("solve", "cholesky_pullback")},
    "solve_triangular": triangular,
    "searchsorted": searched,
    "convolve": lambda random: ([a_shape(random, 2, 0, 1), a_shape(random, 1, 0, 1)], {}),
}
# Programs inside them have rules of their own; tested with what they compute.
PROGRAMS_INSIDE = {
    "scan",
    "cond",
    "odeint",
    "odeint_adjoint",
    "odeint_steps",
    "odeint_failure",
    "quad",
    "quad_failure",
    "implicit",
}


def elementwise_case(primitive):
    def case(random):
        shape = a_shape(random)
        return [shape, *[changed(random, shape) for _ in primitive.vjp[1:]]], {}

    return case


def values(random, shape):
    """Numbers, of which a batch of square matrices is positive definite."""
    x = random.uniform(0.2, 0.8, size=shape)
    return x + 2.0 * np.eye(shape[-1]) if len(shape) > 1 and shape[-1] == shape[-2] else x


def outcome(f):
    """Shape and dtype, or that there is none."""
    try:
        with np.errstate(all="ignore"):
            return f()
    except (ValueError, IndexError, np.linalg.LinAlgError):
        return "refused"


def dtypes(primitive):
    """Those that an elementwise primitive takes: float64 where it can be, as bits and orders cannot."""
    for kinds in itertools.product((np.float64, np.int64), repeat=len(primitive.vjp)):
        with contextlib.suppress(TypeError), np.errstate(all="ignore"):
            primitive.evaluate(*[np.ones((), kind) for kind in kinds])
            return kinds
    raise AssertionError(primitive)


def check(name, random):
    """Compare rule and evaluation once; gives what both say."""
    primitive = PRIMITIVES[name]
    assert primitive.elementwise or name in CASES, f"add a case for {name} to CASES"
    shapes, attributes, *more = (CASES.get(name) or elementwise_case(primitive))(random)
    arrays = [np.asarray(values(random, shape)) for shape in shapes]
    if name not in CASES:
        arrays = [a.astype(dtype) for a, dtype in zip(arrays, dtypes(primitive), strict=True)]
    arrays += more[0] if more else []

    def evaluated():
        result = np.asarray(primitive.evaluate(*arrays, **attributes))
        return result.shape, result.dtype

    said = outcome(lambda: primitive.infer(*arrays, **attributes))
    assert said == outcome(evaluated), (name, [a.shape for a in arrays], attributes)
    return said


@pytest.mark.filterwarnings("ignore:non-integer arg n:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:floating point number truncated:RuntimeWarning")
@pytest.mark.parametrize("name", sorted(set(PRIMITIVES) - PROGRAMS_INSIDE))
def test_rules_and_evaluation_agree_about_shapes(name):
    random = np.random.default_rng(20261128)
    found = [check(name, random) for _ in range(TRIES)]
    assert any(said != "refused" for said in found)
    if PRIMITIVES[name].variadic or name in ("matmul", "solve", "cholesky", "broadcast_to", "reshape", "add", "sum"):
        assert "refused" in found


def test_a_rule_that_trusts_its_first_input_is_found(monkeypatch):
    first = PRIMITIVES["concatenate"]
    wrong = type(first)(first.name, first.evaluate, lambda *a, axis: (a[0].shape, a[0].dtype), variadic=True)
    monkeypatch.setitem(PRIMITIVES, "concatenate", wrong)
    with pytest.raises(AssertionError, match="concatenate"):
        test_rules_and_evaluation_agree_about_shapes("concatenate")


@pytest.mark.parametrize("name", names())
def test_nodes_of_gradients_have_the_shape_that_is_declared(name):
    unconstrained = ReferencePosterior(name).posterior.unconstrained
    q = 0.1 * np.random.default_rng(1).standard_normal(unconstrained.dimension)
    gradient = unconstrained.compiled.path(q).reverse(1, seed=True)
    nodes = tuple(node for node in gradient.nodes if node.primitive is not GUARD)
    everything = Program(gradient.inputs, nodes, gradient.nodes, gradient.name)
    for node, value in zip(nodes, run(everything, q), strict=True):
        assert (node.shape, node.dtype) == (np.shape(value), np.asarray(value).dtype), f"{node!r} ({node.line})"
