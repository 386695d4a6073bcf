"""Tests generated from the table of primitives: values, derivatives of first and second order, shapes, dtypes, edges.

DOMAINS has, for every elementwise primitive, where each argument is drawn from; STRUCTURAL has, for every other
one, calls with arguments of shapes that hypothesis chooses; ELSEWHERE names the file that tests the few whose
arguments are special (matrices that can be factorised, sorted knots). A primitive that is in none of them fails
`test_every_primitive_has_a_domain_or_a_case`.
"""

import functools
import itertools

import numpy as np
import pytest
import scipy.special as sp
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

from bayesad import ad
from bayesad.ad import fourier  # noqa: F401  (adds its entries)
from bayesad.ad.array import bind
from bayesad.ad.primitives import branches, implicit, integrals, ode_adjoint, odes, special  # noqa: F401  (add their entries)
from bayesad.ad.primitives.indexing import Index, parse
from bayesad.ad.primitives.table import NO_RULE, PRIMITIVES, elementwise
from bayesad.ad.trace import trace
from bayesad.errors import DerivativeError


class Whole(tuple):
    """An interval of whole numbers, of dtype int64."""


class Floats(tuple):
    """An interval of whole numbers of dtype float64: for arguments where the primitive counts in steps."""


REAL, POSITIVE, UNIT, BIG = (-2.0, 2.0), (0.3, 3.0), (0.05, 0.95), (1.2, 4.0)
TRUTH, COUNT, ORDER = Whole((0, 1)), Whole((-3, 5)), Floats((0, 4))

DOMAINS = {
    # arithmetic, powers, exponentials
    "add": (REAL, REAL),
    "subtract": (REAL, REAL),
    "multiply": (REAL, REAL),
    "divide": (REAL, POSITIVE),
    "negative": (REAL,),
    "positive": (REAL,),
    "power": (POSITIVE, REAL),
    "float_power": (POSITIVE, REAL),
    "square": (REAL,),
    "reciprocal": (POSITIVE,),
    "abs": (REAL,),
    "fabs": (REAL,),
    "sqrt": (POSITIVE,),
    "cbrt": (POSITIVE,),
    "remainder": ((3.1, 3.9), (0.7, 0.75)),
    "fmod": ((-3.9, -3.6), (0.7, 0.71)),
    "floor_divide": ((3.1, 3.9), (0.7, 0.75)),
    "log1p_square": (REAL,),
    "log1p_unit": (UNIT,),
    "part_of_unit": (REAL, UNIT),
    "exp": (REAL,),
    "exp2": (REAL,),
    "expm1": (REAL,),
    "log": (POSITIVE,),
    "log2": (POSITIVE,),
    "log10": (POSITIVE,),
    "log1p": (POSITIVE,),
    "logaddexp": (REAL, REAL),
    "logaddexp2": (REAL, REAL),
    # trigonometry
    "sin": (REAL,),
    "cos": (REAL,),
    "tan": ((-1.2, 1.2),),
    "arcsin": ((-0.9, 0.9),),
    "arccos": ((-0.9, 0.9),),
    "arctan": (REAL,),
    "arctan2": (POSITIVE, REAL),
    "hypot": (POSITIVE, REAL),
    "sinh": (REAL,),
    "cosh": (REAL,),
    "tanh": (REAL,),
    "arcsinh": (REAL,),
    "arccosh": (BIG,),
    "arctanh": ((-0.9, 0.9),),
    "deg2rad": (REAL,),
    "rad2deg": (REAL,),
    # order and rounding: one side of the kink
    "maximum": ((1.0, 2.0), (0.0, 0.9)),
    "minimum": ((1.0, 2.0), (0.0, 0.9)),
    "fmax": ((1.0, 2.0), (0.0, 0.9)),
    "fmin": ((1.0, 2.0), (0.0, 0.9)),
    "sign": (POSITIVE,),
    "copysign": (POSITIVE, (-2.0, -1.0)),
    "heaviside": (POSITIVE, REAL),
    "floor": ((0.1, 0.9),),
    "ceil": ((0.1, 0.9),),
    "trunc": ((0.1, 0.9),),
    "rint": ((0.1, 0.4),),
    # comparisons, logic, selection
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), (REAL, REAL)),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), (REAL, REAL)),
    "logical_not": (REAL,),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), (COUNT, COUNT)),
    **dict.fromkeys(("left_shift", "right_shift"), (COUNT, COUNT)),
    "invert": (COUNT,),
    "nextafter": (REAL, REAL),
    **dict.fromkeys(("isnan", "isinf", "isfinite", "signbit"), (REAL,)),
    "where": (TRUTH, REAL, REAL),
    "stop_gradient": (REAL,),
    # gamma and beta functions
    "zeta": ((2.0, 5.0), POSITIVE),
    "trigamma": (POSITIVE,),
    "gammaln": (POSITIVE,),
    "loggamma": (POSITIVE,),
    "gamma": (POSITIVE,),
    "rgamma": ((-2.4, 3.0),),
    "gammasgn": (POSITIVE,),
    "psi": (POSITIVE,),
    "poch": (POSITIVE, POSITIVE),
    "binom": ((4.0, 6.0), (0.5, 3.0)),
    "beta": (POSITIVE, POSITIVE),
    "betaln": (POSITIVE, POSITIVE),
    # error functions, normal law, Voigt
    **dict.fromkeys(("erf", "erfc", "erfcx", "erfi", "dawsn", "ndtr", "log_ndtr", "scaled_erfc_integral"), (REAL,)),
    "inverse_mills": (REAL,),
    "erfinv": ((-0.9, 0.9),),
    "erfcinv": ((0.1, 1.9),),
    "ndtri": (UNIT,),
    "ndtri_exp": ((-3.0, -0.1),),
    "owens_t": (REAL, REAL),
    "skew_tail": (POSITIVE, POSITIVE),
    **dict.fromkeys(("rice_cdf", "rice_sf"), (POSITIVE, POSITIVE)),
    "log_ive": ((0.0, 3.0), POSITIVE),
    **{
        f"com_poisson_{what}": (REAL, POSITIVE, Whole((0, 2)), Whole((4, 9)))
        for what in ("log_sum", "mean", "mean_log_factorial", "kk", "kl", "ll")
    },
    "voigt_profile": (REAL, POSITIVE, POSITIVE),
    "voigt_dispersion": (REAL, POSITIVE, POSITIVE),
    # logistic, logarithms, entropies, losses
    "expit": (REAL,),
    "log_expit": (REAL,),
    "logit": (UNIT,),
    "xlogy": (REAL, POSITIVE),
    "xlog1py": (REAL, POSITIVE),
    "entr": (POSITIVE,),
    "rel_entr": (POSITIVE, POSITIVE),
    "kl_div": (POSITIVE, POSITIVE),
    "exp2_special": (REAL,),
    "exp10": (REAL,),
    "expm1_special": (REAL,),
    "log1p_special": (POSITIVE,),
    "cbrt_special": (POSITIVE,),
    "round_special": ((0.1, 0.4),),
    "exprel": (REAL,),
    "cosm1": (REAL,),
    "powm1": (POSITIVE, REAL),
    "wrightomega": (REAL,),
    "spence": (POSITIVE,),
    **dict.fromkeys(("sindg", "cosdg", "tandg", "cotdg"), ((5.0, 80.0),)),
    "huber": ((1.0, 2.0), (-0.9, 0.9)),
    "pseudo_huber": (POSITIVE, REAL),
    "boxcox": (POSITIVE, REAL),
    "boxcox1p": (POSITIVE, REAL),
    "inv_boxcox": ((0.1, 0.5), REAL),
    "inv_boxcox1p": ((0.1, 0.3), REAL),
    # incomplete gamma and beta functions
    **dict.fromkeys(("gammainc", "gammaincc", "gammainc_a", "gammainc_aa"), (POSITIVE, POSITIVE)),
    **dict.fromkeys(("gammaincinv", "gammainccinv"), (POSITIVE, UNIT)),
    **dict.fromkeys(("gdtr", "gdtrc", "fdtr", "fdtrc"), (POSITIVE, POSITIVE, POSITIVE)),
    **dict.fromkeys(("chdtr", "chdtrc"), (POSITIVE, POSITIVE)),
    **dict.fromkeys(("pdtr", "pdtrc"), (ORDER, POSITIVE)),
    **dict.fromkeys(("betainc", "betaincc", "betaincinv", "betainccinv"), (POSITIVE, POSITIVE, UNIT)),
    **{f"betainc_{wrt}": (POSITIVE, POSITIVE, UNIT) for wrt in ("a", "b", "aa", "ab", "bb")},
    "stdtr": (BIG, REAL),
    "stdtr_df": (BIG, REAL),
    "stdtrit": (BIG, UNIT),
    **dict.fromkeys(("bdtr", "bdtrc"), (ORDER, Whole((4, 7)), UNIT)),
    **dict.fromkeys(("nbdtr", "nbdtrc"), (Whole((0, 4)), Whole((1, 7)), UNIT)),
    # Bessel functions
    **dict.fromkeys(
        ("j0", "j1", "y0", "y1", "i0", "i1", "i0e", "i1e", "k0", "k1", "k0e", "k1e", "exp1", "expi"), (POSITIVE,)
    ),
    **dict.fromkeys(("jv", "yv", "iv", "ive", "kv", "kve"), ((0.0, 3.0), POSITIVE)),
    **dict.fromkeys(("yn", "kn", "expn"), (Whole((0, 4)), POSITIVE)),
    # hypergeometric, elliptic, Wright, polynomials
    "hyp0f1": (POSITIVE, REAL),
    "hyp1f1": (POSITIVE, POSITIVE, REAL),
    "hyp2f1": (POSITIVE, POSITIVE, BIG, (-0.8, 0.8)),
    "hyperu": (POSITIVE, POSITIVE, POSITIVE),
    "ellipk": (UNIT,),
    "ellipe": (UNIT,),
    "wright_bessel": (POSITIVE, POSITIVE, POSITIVE),
    "log_wright_bessel": (POSITIVE, POSITIVE, POSITIVE),
    **{
        f"eval_{name}": (Whole((0, 5)), UNIT)
        for name in ("chebyt", "chebyu", "legendre", "hermite", "hermitenorm", "laguerre")
    },
    "eval_gegenbauer": (Whole((0, 5)), POSITIVE, UNIT),
    "eval_genlaguerre": (Whole((0, 5)), POSITIVE, UNIT),
    "eval_jacobi": (Whole((0, 5)), POSITIVE, POSITIVE, UNIT),
}
# Rules that lead to a derivative without a rule, so that the second derivative in these arguments is an error.
NO_SECOND = {
    "com_poisson_mean": {(0, 0), (0, 1), (1, 0), (1, 1)},
    "com_poisson_mean_log_factorial": {(0, 0), (0, 1), (1, 0), (1, 1)},
    "gammainc_a": {(0, 0)},
    "betainc_a": {(0, 0), (0, 1), (1, 0), (1, 1)},
    "betainc_b": {(0, 0), (0, 1), (1, 0), (1, 1)},
    "stdtr": {(0, 0)},
    "stdtrit": {(0, 0)},
}
ELEMENTWISE = sorted(name for name, p in PRIMITIVES.items() if p.elementwise and name != "cast")
DIFFERENTIABLE = [n for n in ELEMENTWISE if n in DOMAINS and any(callable(r) for r in PRIMITIVES[n].vjp)]


def primitive_function(name):
    return lambda *args: bind(PRIMITIVES[name], args)


def draw(name, shapes, random):
    arrays = []
    for interval, shape in zip(DOMAINS[name], shapes, strict=True):
        low, high = interval
        if isinstance(interval, Whole):
            arrays.append(random.integers(low, high + 1, size=shape))
        elif isinstance(interval, Floats):
            arrays.append(random.integers(low, high + 1, size=shape).astype(float))
        else:
            arrays.append(random.uniform(low, high, size=shape))
    return [a.astype(bool) if d is TRUTH else a for a, d in zip(arrays, DOMAINS[name], strict=True)]


def moving(name):
    """Positions of the arguments that have a rule."""
    return [i for i, rule in enumerate(PRIMITIVES[name].vjp) if callable(rule)]


def with_argument(f, args, i, x):
    return f(*args[:i], x, *args[i + 1 :])


def slope(f, args, i):
    """Partial derivatives of a function of elementwise arrays: gradient of its sum in argument i."""
    return ad.gradient(lambda x: np.sum(with_argument(f, args, i, x)), args[i])


def differences(f, args, i):
    """Central differences in argument i, extrapolated three times to step 0 (error about 1e-10)."""
    scale = 1e-2 * np.clip(np.abs(args[i]), 0.3, 1.0)

    def central(h):
        return (f(*args[:i], args[i] + h, *args[i + 1 :]) - f(*args[:i], args[i] - h, *args[i + 1 :])) / (2 * h)

    row = [central(scale * 0.5**k) for k in range(4)]
    for k in range(1, 4):
        row = [b + (b - a) / (4.0**k - 1.0) for a, b in itertools.pairwise(row)]
    return row[0]


def complex_step(f, args, i):
    return np.imag(f(*args[:i], args[i] + 1e-150j, *args[i + 1 :])) / 1e-150


def takes_complex(name):
    """Whether the complex step is an oracle: a holomorphic ufunc with complex loops."""
    f = PRIMITIVES[name].evaluate
    holomorphic = (
        "exp sin cos sinh cosh tan tanh log sqrt arctan arcsin arcsinh arctanh square reciprocal multiply divide"
    )
    return isinstance(f, np.ufunc) and name in holomorphic.split()


def close(a, b, relative):
    np.testing.assert_allclose(a, b, rtol=relative, atol=relative * max(1.0, float(np.max(np.abs(b), initial=0.0))))


def test_every_primitive_has_a_domain_or_a_case():
    missing = set(PRIMITIVES) - set(DOMAINS) - set(STRUCTURAL) - set(ELSEWHERE)
    assert not missing, f"add these primitives to DOMAINS or STRUCTURAL: {sorted(missing)}"
    optional = {"log_wright_bessel"}  # absent from older SciPy
    assert not (set(DOMAINS) | set(STRUCTURAL) | set(ELSEWHERE)) - set(PRIMITIVES) - optional


def test_rules_are_given_for_every_argument():
    for name in ELEMENTWISE:
        assert len(PRIMITIVES[name].vjp) == len(DOMAINS[name]), name


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if isinstance(PRIMITIVES[n].evaluate, np.ufunc)])
def test_programs_compute_the_ufunc(name):
    args = draw(name, [(3, 1), (1, 4), (4,), ()][: len(DOMAINS[name])], np.random.default_rng(1))
    compiled = ad.compile(primitive_function(name))
    for _ in range(2):  # traced, then run as a program
        np.testing.assert_array_equal(compiled(*args), PRIMITIVES[name].evaluate(*args))


def check_first_derivatives(name):
    f, args = primitive_function(name), draw(name, [(7,)] * len(DOMAINS[name]), np.random.default_rng(2))
    for i in moving(name):
        found = slope(f, args, i)
        close(found, differences(f, args, i), 2e-8)
        if takes_complex(name):
            close(found, complex_step(PRIMITIVES[name].evaluate, args, i), 1e-13)
        _, tangent = ad.jvp(lambda x, i=i: f(*args[:i], x, *args[i + 1 :]), args[i], np.ones(7))
        np.testing.assert_allclose(tangent, found, rtol=1e-12)


def check_second_derivatives(name):
    f, args = primitive_function(name), draw(name, [(5,)] * len(DOMAINS[name]), np.random.default_rng(3))
    for i, j in itertools.product(moving(name), repeat=2):

        def first(*given, i=i):
            return slope(f, given, i)

        if (i, j) in NO_SECOND.get(name, ()):
            with pytest.raises(DerivativeError, match="has no reverse rule"):
                slope(first, args, j)
        else:
            close(slope(first, args, j), differences(first, args, j), 1e-7)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_first_derivatives_equal_differences(name):
    check_first_derivatives(name)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_second_derivatives_equal_differences_of_first(name):
    check_second_derivatives(name)


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n in DOMAINS])
def test_arguments_without_smooth_dependence_have_derivative_zero_or_an_error(name):
    for i, rule in enumerate(PRIMITIVES[name].vjp):
        args = draw(name, [(3,)] * len(DOMAINS[name]), np.random.default_rng(4))
        if callable(rule) or args[i].dtype != float or PRIMITIVES[name].infer(*args)[1] != np.float64:
            continue
        f = primitive_function(name)
        if rule == NO_RULE:
            for mode in ("Reverse", "Forward"):
                with pytest.raises(DerivativeError, match=f"{name!r}.*has no {mode.lower()} rule for its argument {i}"):
                    one_argument = functools.partial(with_argument, f, args, i)
                    ad.gradient(lambda x, h=one_argument: np.sum(h(x)), args[i], mode=getattr(ad, mode))
        else:
            np.testing.assert_array_equal(slope(f, args, i), np.zeros(3))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@seed(5)
@settings(max_examples=5, deadline=None, database=None)
@given(data=st.data())
def test_broadcast_derivatives_agree_in_both_modes(name, data):
    n = len(DOMAINS[name])
    drawn = data.draw(mutually_broadcastable_shapes(num_shapes=n, min_side=0, max_side=3, max_dims=3))
    random = np.random.default_rng(6)
    args = draw(name, drawn.input_shapes, random)
    active = moving(name)

    def f(given):
        filled = list(args)
        for i, x in zip(active, given, strict=True):
            filled[i] = x
        return primitive_function(name)(*filled)

    assert_transposed(f, tuple(args[i] for i in active), random, drawn.result_shape)


def assert_transposed(f, x, random, shape=None):
    """<w, J v> == <J^T w, v> for random w and v, and shapes as they should be."""
    v = tuple(random.standard_normal(np.shape(leaf)) for leaf in x)
    value, tangent = ad.jvp(f, x, v)
    assert np.shape(value) == np.shape(tangent)
    if shape is not None:
        assert np.shape(value) == shape
    w = random.standard_normal(np.shape(value))
    again, pull_back = ad.vjp(f, x)
    np.testing.assert_array_equal(again, value)
    cotangents = pull_back(w)
    assert [np.shape(c) for c in cotangents] == [np.shape(leaf) for leaf in x]
    left = np.sum(w * tangent)
    right = sum(np.sum(c * d) for c, d in zip(cotangents, v, strict=True))
    size = np.sum(np.abs(w * tangent)) + sum(np.sum(np.abs(c * d)) for c, d in zip(cotangents, v, strict=True))
    assert abs(left - right) <= 1e-11 * size + 1e-300


EDGES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 1e300, -1e300, 5e-324])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # SciPy's hyp0f1, about itself
@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if isinstance(PRIMITIVES[n].evaluate, np.ufunc)])
def test_edges_of_the_domain_give_what_the_ufunc_gives(name):
    args, lead = [], sum(not isinstance(d, Whole) for d in DOMAINS[name])
    for d in DOMAINS[name]:
        if isinstance(d, Whole):
            args.append(np.int64(d[0]) if d is not TRUTH else np.True_)
        else:
            lead -= 1
            args.append(EDGES.reshape((-1,) + (1,) * min(lead, 1)) if len(args) < 2 else 0.5)
    compiled = ad.compile(primitive_function(name))
    compiled(*args)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(compiled(*args), PRIMITIVES[name].evaluate(*args))


FINITE = np.array([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 30.0, -30.0, 800.0, -800.0, 1e300, -1e300])


@pytest.mark.parametrize("name", [n for n in DIFFERENTIABLE if not PRIMITIVES[n].singular])
def test_slopes_are_finite_wherever_the_arguments_are_unless_marked_singular(name):
    # reverse mode relies on the mark to keep the zeros of branches that were not taken
    polynomial = name.startswith("eval_")
    grid = FINITE[np.abs(FINITE) < 1e300] if polynomial else FINITE
    for i in moving(name):
        args = [np.int64(d[0]) if isinstance(d, Whole) else 0.5 for d in DOMAINS[name]]
        args = [np.True_ if d is TRUTH else a for a, d in zip(args, DOMAINS[name], strict=True)]
        for j in range(len(args)):
            if isinstance(args[j], float):
                given = [*args[:j], grid.copy(), *args[j + 1 :]]
                given[i] = given[i] + np.zeros(grid.shape)
                assert np.isfinite(slope(primitive_function(name), given, i)).all(), (i, j)


@pytest.mark.filterwarnings("ignore:non-integer arg n:DeprecationWarning")
@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n in DOMAINS])
def test_inferred_dtype_and_shape_are_those_of_the_result(name):
    primitive, checked = PRIMITIVES[name], 0
    counts, numbers = (np.int64, np.bool_), (np.float64, np.int64, np.bool_)
    choices = [counts if isinstance(d, Whole) and d is not TRUTH else numbers for d in DOMAINS[name]]
    for kinds in itertools.product(*choices):
        args = [np.ones((2, 1) if i else 3, dtype=k) for i, k in enumerate(kinds)]
        try:
            with np.errstate(all="ignore"):
                primitive.evaluate(*args)
        except (TypeError, ValueError):
            if primitive.widen is None or set(kinds) != {np.bool_}:
                continue  # NumPy has no such operation (bitwise of floats, subtraction of booleans)
        program, _, (value,) = trace(lambda *a: bind(primitive, a), *args)
        node = program.outputs[0]
        inferred = node.primitive.infer(*node.inputs) if node.inputs else (node.shape, node.dtype)
        assert inferred == (value.shape, value.dtype) == (node.shape, node.dtype), kinds
        assert value.dtype in (np.float64, np.int64, np.bool_), kinds
        checked += 1
    assert checked


# --- primitives that move, reduce or combine whole arrays
SHAPES = array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
EMPTY = array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)


def axes_of(data, shape, empty=False):
    chosen = data.draw(st.sets(st.sampled_from(range(len(shape))), min_size=0 if empty else 1))
    return tuple(sorted(chosen))


def reduction(name, shapes=EMPTY):
    def case(data):
        shape = data.draw(shapes)
        return PRIMITIVES[name], [shape], {"axes": axes_of(data, shape)}

    return case


def scan(name):
    def case(data):
        shape = data.draw(SHAPES)
        return PRIMITIVES[name], [shape], {"axis": data.draw(st.integers(0, len(shape) - 1))}

    return case


def reshape_case(data):
    shape = data.draw(EMPTY)
    return (
        PRIMITIVES["reshape"],
        [shape],
        {"shape": data.draw(st.sampled_from([(int(np.prod(shape)),), (1, *shape), (*shape, 1)]))},
    )


def transpose_case(data):
    shape = data.draw(EMPTY)
    return PRIMITIVES["transpose"], [shape], {"axes": tuple(data.draw(st.permutations(range(len(shape)))))}


def broadcast_case(data):
    drawn = data.draw(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3))
    return PRIMITIVES["broadcast_to"], [drawn.input_shapes[0]], {"shape": drawn.result_shape}


def flip_case(data):
    shape = data.draw(EMPTY)
    return PRIMITIVES["flip"], [shape], {"axes": axes_of(data, shape, empty=True)}


def concatenate_case(data):
    shape = data.draw(EMPTY)
    axis = data.draw(st.integers(0, len(shape) - 1))
    lengths = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    return PRIMITIVES["concatenate"], [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths], {"axis": axis}


def stack_case(data):
    return PRIMITIVES["stack"], [data.draw(EMPTY)] * data.draw(st.integers(1, 3)), {}


def cast_case(data):
    return PRIMITIVES["cast"], [data.draw(EMPTY)], {"dtype": np.dtype(np.float64)}


INDICES = [
    (Index((1,)), ()),
    (Index((("slice", None, None, -2),)), ()),
    (Index((None, ("slice", 1, 3, None))), ()),
    (Index(("array",)), (np.array([2, 0, 2]),)),
    (Index(("array", "array")), (np.array([[0], [2]]), np.array([1, 1]))),
    (Index((("slice", None, None, None), "array")), (np.array([1, -1]),)),
    (Index((0, "array")), (np.array([], dtype=int),)),
]


SLICES = st.builds(slice, *[st.none() | st.integers(-4, 4)] * 2)


@given(st.lists(st.integers(-1, 0) | SLICES | st.none(), max_size=5), array_shapes(min_dims=3, max_dims=3, max_side=4))
def test_what_an_index_takes_is_a_block_where_positions_are_consecutive(items, shape):
    items = items[: next((i for i in range(len(items) + 1) if len(items[:i]) - items[:i].count(None) == 3), None)]
    positions = np.arange(np.prod(shape)).reshape(shape)[tuple(items)].ravel()
    begin = parse(tuple(items), shape)[0].block(shape)
    if len(positions) and np.all(np.diff(positions) == 1):
        assert begin == positions[0]
    else:
        assert begin is None
    assert Index((("slice", None, None, -1),)).block((3,)) is Index(("array",)).block((3,)) is None


def index_case(name):
    def case(data):
        index, arrays = data.draw(st.sampled_from(INDICES))
        shape = (3, data.draw(st.integers(2, 3)))
        taken = np.zeros(shape)[index.resolve(arrays)].shape
        own = {"take": [shape], "scatter": [taken], "index_set": [shape, taken]}[name]
        more = {"shape": shape} if name == "scatter" else {}
        return PRIMITIVES[name], own, {"index": index, **more}, arrays

    return case


def matmul_case(data):
    n, m, k = (data.draw(st.integers(0, 3)) for _ in range(3))
    shapes = [
        [(m,), (m,)],
        [(n, m), (m,)],
        [(m,), (m, k)],
        [(n, m), (m, k)],
        [(2, n, m), (m, k)],
        [(2, 1, n, m), (3, m, k)],
    ]
    shapes += [[(m,), (2, m, k)], [(2, n, m), (m,)]]
    return PRIMITIVES["matmul"], data.draw(st.sampled_from(shapes)), {}


STRUCTURAL = {
    **{name: reduction(name) for name in ("sum", "prod", "any", "all")},
    **{name: reduction(name, SHAPES) for name in ("max", "min", "logsumexp")},
    **{name: scan(name) for name in ("cumsum", "cumprod", "argmax", "argmin", "argsort")},
    "reshape": reshape_case,
    "transpose": transpose_case,
    "broadcast_to": broadcast_case,
    "flip": flip_case,
    "concatenate": concatenate_case,
    "stack": stack_case,
    "cast": cast_case,
    "take": index_case("take"),
    "scatter": index_case("scatter"),
    "index_set": index_case("index_set"),
    "matmul": matmul_case,
}
ELSEWHERE = {
    "scan": "test_scan",
    "cond": "test_control",
    **dict.fromkeys(("odeint", "odeint_adjoint", "odeint_steps", "odeint_failure"), "test_odeint"),
    **dict.fromkeys(("quad", "quad_failure"), "test_quadrature"),
    "implicit": "test_solutions",
    **dict.fromkeys(("rfft", "irfft"), "test_transforms_and_interpolation"),
    **dict.fromkeys(
        (
            "cholesky",
            "cholesky_pullback",
            "cofactors",
            "det",
            "eigh",
            "expm",
            "inv",
            "pinv",
            "qr",
            "slogdet",
            "solve",
            "solve_triangular",
            "svd",
        ),
        "test_linalg",
    ),
    **dict.fromkeys(("searchsorted", "convolve"), "test_functions"),
}


@pytest.mark.parametrize("name", sorted(STRUCTURAL))
@seed(7)
@settings(max_examples=10, deadline=None, database=None)
@given(data=st.data())
def test_structural_primitives_infer_and_differentiate(name, data):
    case = STRUCTURAL[name](data)
    primitive, shapes, attributes = case[:3]
    more = case[3] if len(case) > 3 else ()
    random = np.random.default_rng(8)
    args = tuple(random.standard_normal(shape) for shape in shapes)

    def f(given):
        return bind(primitive, (*given, *more), attributes)

    program, _, (value,) = trace(lambda *a: f(a), *args)
    node = program.outputs[0]
    assert primitive.infer(*args, *more, **attributes) == (np.shape(value), value.dtype) == (node.shape, node.dtype)
    if value.dtype == np.float64:
        assert_transposed(f, args, random, node.shape)
        assert_directional(f, args, random)
    for kind in (np.int64, np.bool_):
        converted = [a.astype(kind) for a in args]
        value = primitive.evaluate(*converted, *more, **attributes)
        if name != "matmul" or kind != np.bool_:
            assert primitive.infer(*converted, *more, **attributes) == (np.shape(value), value.dtype), kind


def assert_directional(f, args, random):
    """The tangent equals a central difference along a random direction."""
    v = tuple(random.standard_normal(a.shape) for a in args)
    _, tangent = ad.jvp(f, args, v)
    ahead, behind = (f(tuple(a + h * d for a, d in zip(args, v, strict=True))) for h in (1e-5, -1e-5))
    close(tangent, (ahead - behind) / 2e-5, 3e-7)


# --- adding a primitive, and one without a rule
@pytest.fixture
def table():
    """The tables, put back as they were."""
    before, domains = dict(PRIMITIVES), dict(DOMAINS)
    yield PRIMITIVES
    PRIMITIVES.clear()
    PRIMITIVES.update(before)
    DOMAINS.clear()
    DOMAINS.update(domains)


def test_a_new_primitive_is_one_entry_and_one_domain(table):
    gudermann = elementwise(
        "gudermannian",
        lambda x: 2.0 * np.arctan(np.tanh(0.5 * x)),
        lambda g, y, x: g / np.cosh(x),
    )
    DOMAINS["gudermannian"] = (REAL,)
    check_first_derivatives("gudermannian")
    check_second_derivatives("gudermannian")
    assert ad.gradient(lambda x: bind(gudermann, (x,)), 0.0) == 1.0


def test_a_wrong_rule_is_found_by_the_generated_checks(table):
    elementwise("wrong", lambda x: x**3, lambda g, y, x: g * (3.1 * x**2))
    DOMAINS["wrong"] = (POSITIVE,)
    with pytest.raises(AssertionError):
        check_first_derivatives("wrong")


def test_a_primitive_without_a_rule_is_named_with_the_line_and_the_remedy():
    def f(x):
        return np.sum(sp.jv(x, 2.0))  # this line is named

    line = f.__code__.co_firstlineno + 1
    for call in (lambda: ad.gradient(f, np.ones(2)), lambda: ad.jvp(f, np.ones(2), np.ones(2))):
        with pytest.raises(DerivativeError) as raised:
            call()
        message = str(raised.value)
        assert "'jv'" in message
        assert f"test_primitives.py:{line}" in message
        assert "bayesad/ad/primitives" in message
        assert "ad.custom_vjp" in message


def test_a_ufunc_outside_the_table_is_named_with_the_remedy():
    with pytest.raises(
        TypeError, match=r"'struve' has no traced meaning.*elementwise\(name, ufunc, rule.*ad.custom_vjp"
    ):
        ad.gradient(lambda x: sp.struve(0.0, x), 1.0)
