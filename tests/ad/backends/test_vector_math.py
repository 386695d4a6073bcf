"""The vector mathematics against mpmath, in units in the last place, over whole domains; special values as NumPy's."""

import ctypes
import functools

import mpmath
import numpy as np
import pytest
import scipy.special
from mpmath import mpf

from bayesad import ad
from bayesad.ad.array import bind
from bayesad.ad.backends.llvm import jit, vector_math
from bayesad.ad.backends.llvm.native import executor
from bayesad.ad.backends.llvm.vector_math.expressions import Target, arity, define
from bayesad.ad.backends.llvm.vector_math.library import called_text
from bayesad.ad.primitives import PRIMITIVES, special  # noqa: F401

RNG = np.random.default_rng(20251123)
SPECIAL_VALUES = np.array(
    [0.0, 1.0, 2.0, 0.5, 1.5, np.inf, np.nan, 5e-324, 1e-310, 2.2250738585072014e-308, 1e-20, 1e-5, 0.3, 1e22, 1e300]
    + [
        709.782712893384,
        709.7827128933841,
        710.4758600739439,
        710.475860073944,
        745.1,
        745.2,
        746.0,
        2.0**20,
        1e6,
        1e308,
    ]
)
SPECIAL_VALUES = np.concatenate([SPECIAL_VALUES, -SPECIAL_VALUES])


def uniform(low, high, n=300):
    return RNG.uniform(low, high, n)


def spread(low, high, n=200):
    """Both signs, magnitudes log-uniform between powers of ten."""
    return 10.0 ** RNG.uniform(low, high, n) * RNG.choice([-1.0, 1.0], n)


def subnormal(n=50):
    return 5e-324 * RNG.integers(1, 2**51, n)


def near(points, n=40, distances=(-16, -3)):
    """Close to each of some points, and these themselves."""
    points = np.asarray(points, dtype=np.float64)
    offsets = spread(*distances, (n, points.size)) * np.maximum(abs(points), 1e-3)
    return np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf), *(points + offsets)])


def scaled_erfc(x):
    if x < 1000:
        return mpmath.exp(x * x) * mpmath.erfc(x)
    w = -1 / (2 * x * x)
    return (1 + w * (1 + 3 * w * (1 + 5 * w * (1 + 7 * w)))) / (x * mpmath.sqrt(mpmath.pi))


def normal_cdf(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def log_normal_cdf(x):
    return mpmath.log1p(-normal_cdf(-x)) if x > 0 else mpmath.log(normal_cdf(x))


def inverse_mills(x):
    return mpmath.exp(-x * x / 2) / (mpmath.sqrt(2 * mpmath.pi) * normal_cdf(x))


def normal_quantile(p):
    """By Newton's method from SciPy's."""
    x = mpf(float(scipy.special.ndtri(float(p))))
    for _ in range(3):
        x -= (normal_cdf(x) - p) * mpmath.sqrt(2 * mpmath.pi) * mpmath.exp(x * x / 2)
    return x


def log_gamma(x):
    return mpmath.loggamma(x) if x > 0 else mpmath.log(abs(mpmath.gamma(x)))


def powers():
    """Bases and exponents whose powers are normal, subnormal, near 1 or of negative numbers."""
    x = abs(spread(-307, 308, 500))
    y = uniform(-744.0, 709.0, 500) / np.log(x)
    close = 1.0 + spread(-12, -1, 200)
    bases = [x, close, uniform(0.3, 3.0), subnormal(), -abs(spread(-3, 3))]
    exponents = [y, uniform(-700.0, 700.0, 200) / np.log(close), uniform(-30.0, 30.0), uniform(-0.9, 0.9, 50)]
    return np.concatenate(bases), np.concatenate([*exponents, RNG.integers(-99, 99, 200)])


# name: the exact function, units in the last place allowed, arguments (a tuple for several)
CASES = {
    "exp": (mpmath.exp, 1.1, lambda: [uniform(-708, 709.7), uniform(-745.1, -707), spread(-320, 0)]),
    "expm1": (mpmath.expm1, 1.5, lambda: [uniform(-3, 3, 600), uniform(-40, 709), spread(-320, 0), -subnormal()]),
    "log": (mpmath.log, 1.1, lambda: [abs(spread(-307, 308)), uniform(0.5, 2.0, 600), subnormal(), near([1.0])]),
    "log1p": (
        mpmath.log1p,
        1.1,
        lambda: [abs(spread(-20, 308)), -abs(spread(-20, -1e-6)), uniform(-0.6, 1.5, 600), -subnormal(), subnormal()],
    ),
    "log1p_unit": (mpmath.log1p, 1.2, lambda: [abs(spread(-320, 0)), uniform(0, 1, 600), subnormal()]),
    "log1p_square": (
        lambda x: mpmath.log1p(x * x),
        1.6,
        lambda: [uniform(-3, 3, 600), spread(-150, 308), near([1e150, 1.0])],
    ),
    "tanh": (mpmath.tanh, 2.0, lambda: [uniform(-3, 3, 800), uniform(-22, 22), spread(-320, 300), near([0.625])]),
    "sinh": (mpmath.sinh, 2.0, lambda: [uniform(-3, 3, 800), uniform(-710, 710), spread(-320, 0), near([1.0])]),
    "cosh": (mpmath.cosh, 2.0, lambda: [uniform(-3, 3, 800), uniform(-710, 710), spread(-320, 0)]),
    "sin": (
        mpmath.sin,
        2.0,
        lambda: [uniform(-4, 4), spread(-320, 308), near(np.pi / 2 * RNG.integers(-660000, 660000, 40), 5)],
    ),
    "cos": (
        mpmath.cos,
        2.0,
        lambda: [uniform(-4, 4), spread(-320, 308), near(np.pi / 2 * RNG.integers(-660000, 660000, 40), 5)],
    ),
    "tan": (
        mpmath.tan,
        2.0,
        lambda: [uniform(-4, 4), spread(-320, 308), near(np.pi / 2 * RNG.integers(-660000, 660000, 40), 5)],
    ),
    "expit": (
        lambda x: 1 / (1 + mpmath.exp(-x)),
        2.0,
        lambda: [uniform(-5, 5, 3000), uniform(-745, 45), spread(-300, 3)],
    ),
    "log_expit": (
        lambda x: -mpmath.log1p(mpmath.exp(-x)),
        2.0,
        lambda: [uniform(-1, 2, 3000), uniform(-5, 5), uniform(-700, 745), spread(-300, 3)],
    ),
    "logit": (
        lambda p: mpmath.log(p / (1 - p)),
        2.0,
        lambda: [uniform(0, 1, 500), abs(spread(-308, -1)), 1 - abs(spread(-16, -1)), near([0.5]), subnormal()],
    ),
    "power": (mpmath.power, 1.5, powers),
    "arctan": (mpmath.atan, 2.0, lambda: [uniform(-4, 4, 800), spread(-320, 308), near([0.5463, 2.414213562373095])]),
    "erf": (mpmath.erf, 2.0, lambda: [uniform(-3, 3, 500), uniform(-6.5, 6.5), spread(-320, 300), near([1.0])]),
    "erfc": (
        mpmath.erfc,
        2.0,
        lambda: [uniform(-3, 3), uniform(-6, 27.3, 500), spread(-320, 0), uniform(26, 27.3, 50)],
    ),
    "erfcx": (
        scaled_erfc,
        2.0,
        lambda: [uniform(-3, 3), uniform(-26.6, 30, 500), spread(-320, 0), abs(spread(0, 300))],
    ),
    "scaled_erfc_integral": (
        lambda x: 1 / mpmath.sqrt(mpmath.pi) - x * scaled_erfc(x),
        4.0,
        lambda: [uniform(-3, 3), uniform(-26.6, 30, 500), spread(-320, 0)],
    ),
    "ndtr": (
        normal_cdf,
        2.0,
        lambda: [uniform(-3, 3), uniform(-38.4, 9, 500), spread(-320, 0), uniform(-38.4, -37, 50)],
    ),
    "log_ndtr": (
        log_normal_cdf,
        2.0,
        lambda: [uniform(-3, 3), uniform(-40, 38.4, 500), spread(-320, 0), -abs(spread(0, 3))],
    ),
    "inverse_mills": (inverse_mills, 2.0, lambda: [uniform(-3, 3), uniform(-40, 37.5, 500), spread(-320, 0)]),
    "ndtri": (
        normal_quantile,
        2.0,
        lambda: [uniform(0, 1), abs(spread(-300, 0)), 1 - abs(spread(-16, -1)), subnormal(), near([0.125, 0.5, 0.875])],
    ),
    "gammaln": (
        log_gamma,
        4.0,
        lambda: (
            [uniform(0, 4), uniform(0, 40), spread(-300, 0, 50), near([1.0, 2.0, 0.5, 2.5]), uniform(-40, 0, 100)]
            + [abs(spread(0, 305)), near(LGAMMA_ZEROS, 5, (-15, -3)), near(-np.arange(1.0, 9.0), 5, (-15, -3))[8:]]
        ),
    ),
    "psi": (
        mpmath.digamma,
        4.0,
        lambda: (
            [uniform(0, 4), uniform(0, 40), spread(-300, 0, 50), near([1.0, 1.461632144968362]), uniform(-40, 0, 99)]
            + [abs(spread(0, 300)), near(DIGAMMA_ZEROS, 5, (-15, -3)), near(-np.arange(1.0, 9.0), 5, (-15, -3))[8:]]
        ),
    ),
    "trigamma": (
        lambda x: mpmath.polygamma(1, x),
        4.0,
        lambda: (
            [uniform(0, 4), uniform(0, 40), spread(-150, 0, 50), near([1.0, 3.0]), uniform(-40, 0, 100)]
            + [abs(spread(0, 300)), near(-np.arange(1.0, 9.0), 5, (-15, -3))[8:]]
        ),
    ),
}
LGAMMA_ZEROS = [-2.4570247382208006, -2.7476826467274127, -3.14358088834998, -3.9552942848585980, -4.991544640560047]
DIGAMMA_ZEROS = [-0.5040830082644554, -1.5734984731623904, -2.6107208684441446, -5.6671624415568855, -9.702672541]


@functools.cache
def sample(name):
    """The arguments of a function's test, and its exact values there."""
    exact, _, arguments = CASES[name]
    RNG.bit_generator.state = np.random.default_rng([20251123, *name.encode()]).bit_generator.state
    given = arguments()
    xs = given if isinstance(given, tuple) else (np.concatenate(given),)
    with mpmath.workdps(60):
        return xs, [exact(*map(mpf, map(float, point))) for point in zip(*xs, strict=True)]


def worst(found, exact):
    """The largest error in units in the last place of the exact value, subnormal or not."""
    with mpmath.workdps(60):
        units = [mpf(float(np.spacing(max(abs(float(t)), 2.3e-308)))) for t in exact]
        return max(float(abs(mpf(float(y)) - t) / unit) for y, t, unit in zip(found, exact, units, strict=True))


def native(name, *arrays):
    """A primitive's values by machine code: of whole arrays in a loop."""
    program, _, _ = ad.trace(lambda *a: bind(PRIMITIVES[name], a), *arrays)
    return executor(program)(arrays)[0]


@functools.cache
def without_fma(name):
    """A function compiled for a processor without FMA, as a function of arrays."""
    from llvmlite import binding as llvm

    write = vector_math.expression(name)
    text, external = define("f", write, Target(2, fma=False), "nounwind")
    n = arity(write)
    loads = [f"%x{i} = load <2 x double>, ptr %p{i}, align 8" for i in range(n)]
    values, pointers = (", ".join(f"{kind}{i}" for i in range(n)) for kind in ("<2 x double> %x", "ptr %p"))
    text = "\n".join(
        [
            *called_text(external, fma=False),
            text,
            f"define void @pair({pointers}, ptr %y) {{",
            *loads,
            f"%r = call <2 x double> @f({values})",
            "store <2 x double> %r, ptr %y, align 8",
            "ret void",
            "}",
        ]
    )
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    for feature in ("fma", "fma4", "avx512f"):
        if feature in features:
            features[feature] = False
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features.flatten(), opt=2, jit=True
    )
    module = llvm.parse_assembly(text)
    engine = llvm.create_mcjit_compiler(module, machine)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (n + 1))(engine.get_function_address("pair"))

    def call(*arrays):
        size = arrays[0].size
        padded = [np.concatenate([a, a[:1]])[: size + size % 2].copy() for a in arrays]
        y = np.empty_like(padded[0])
        for i in range(0, y.size, 2):
            run(*[a.ctypes.data + 8 * i for a in padded], y.ctypes.data + 8 * i)
        return y[:size]

    call.engine = engine
    return call


@pytest.mark.parametrize("name", CASES)
def test_error_is_within_its_bound_over_the_whole_domain(name):
    xs, exact = sample(name)
    assert worst(native(name, *xs), exact) <= CASES[name][1]


@pytest.mark.parametrize("name", [name for name in CASES if name in vector_math.FUNCTIONS])
def test_error_is_within_its_bound_without_fma(name):
    xs, exact = sample(name)
    assert worst(without_fma(name)(*xs), exact) <= CASES[name][1]


@pytest.mark.parametrize("name", ["expit", "log_expit"])
def test_error_of_what_is_written_out_is_within_its_bound_outside_of_loops(name):
    (x,), exact = sample(name)
    few = RNG.integers(0, len(exact), 4)
    assert worst(native(name, x[few]), [exact[i] for i in few]) <= CASES[name][1]


def scalar(name):
    """The form of a function that straight-line code calls, as a function of arrays."""
    n = arity(vector_math.expression(name))
    symbol = vector_math.symbol(name, inline=False)
    call = ctypes.CFUNCTYPE(*[ctypes.c_double] * (n + 1))(vector_math.addresses([symbol])[symbol])
    return lambda *xs: np.array([call(*point) for point in zip(*[x.tolist() for x in xs], strict=True)])


@pytest.mark.parametrize("name", [name for name in CASES if name in vector_math.FUNCTIONS])
def test_error_is_within_its_bound_outside_of_loops(name):
    xs, exact = sample(name)
    assert worst(scalar(name)(*xs), exact) <= CASES[name][1]


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "log1p_square"])
def test_error_of_what_looks_up_tables_is_within_its_bound_without_fma(name):
    xs, exact = sample(name)
    text, _ = define("f", vector_math.expression(name), Target(0, fma=False, urgent=True), "nounwind")
    library = jit.build(text, ["f"])
    call = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(library["f"])
    assert worst([call(x) for x in xs[0].tolist()], exact) <= CASES[name][1]


@pytest.mark.parametrize("name", sorted({*vector_math.FUNCTIONS, "sqrt", "abs", "sign", "floor", "expit", "log_expit"}))
def test_special_values_are_those_of_numpy_and_scipy(name):
    primitive = PRIMITIVES[name]
    values = [SPECIAL_VALUES] if len(primitive.vjp) == 1 else np.meshgrid(*[SPECIAL_VALUES] * len(primitive.vjp))
    xs = [x.ravel() for x in values]
    if name.endswith("_unit"):  # meant for these arguments, and NaN
        outside = np.any([np.signbit(x) | (x > 1) for x in xs], axis=0)
        xs = [x[~outside] for x in xs]
    if name == "gammaln":  # SciPy's overflows at subnormal numbers
        xs = [x[(x == 0) | ~(abs(x) < 2e-308)] for x in xs]
    with np.errstate(all="ignore"):
        expected = primitive.evaluate(*xs)
    # SciPy's may underflow too soon
    np.testing.assert_allclose(native(name, *xs), expected, rtol=4e-15, atol=2.3e-308)
    if name in vector_math.FUNCTIONS:
        found = without_fma(name)(*xs)
        np.testing.assert_allclose(found, expected, rtol=4e-15, atol=2.3e-308)
        np.testing.assert_array_equal(np.signbit(found[expected == 0.0]), np.signbit(expected[expected == 0.0]))
        np.testing.assert_allclose(scalar(name)(*xs), expected, rtol=4e-15, atol=2.3e-308)


def test_logaddexp_is_as_accurate_as_its_larger_part():
    a, b = RNG.normal(size=(2, 500)) * 10.0 ** RNG.uniform(-1, 3, 500)
    larger = np.maximum(a, b)
    with mpmath.workdps(60):
        exact = [mpmath.log(mpmath.exp(mpf(float(x))) + mpmath.exp(mpf(float(y)))) for x, y in zip(a, b, strict=True)]
    found = native("logaddexp", a, b)
    with mpmath.workdps(60):
        errors = np.array([float(mpf(float(y)) - t) for y, t in zip(found, exact, strict=True)])
    parts = np.maximum.reduce([abs(larger), abs(found - larger), abs(found)])
    assert np.max(abs(errors) / np.spacing(parts)) <= 2.0


def test_a_module_has_only_the_functions_that_it_calls():
    text = vector_math.module_text(
        [
            vector_math.symbol("exp", inline=True),
            vector_math.symbol("sin", inline=True),
            vector_math.symbol("log", inline=False),
        ]
    )
    defined = [line.split("@")[1].split("(")[0] for line in text.splitlines() if line.startswith("define")]
    assert defined == ["bayesad.inlined.exp"]
    assert vector_math.addresses(["bayesad.inlined.exp"]) == {}
    assert set(vector_math.addresses(["bayesad.log"])) >= {"bayesad.log"}
