"""Traced arrays under the Python array API standard (2024.12): every function of it, and libraries written for it.

NumPy, which implements the standard, is the oracle of values; central differences are that of gradients.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from bayesad import ad

X = np.array([[0.3, -0.7, 1.2], [0.55, 0.9, -0.45]])
SPD = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.1]])
WHOLE = np.array([[3, 1, 2], [0, 5, 4]])


def unary(name):
    return lambda xp, a: getattr(xp, name)(a)


def with_number(name):
    return lambda xp, a: getattr(xp, name)(a, xp.asarray(1.3))


def along(name):
    return lambda xp, a: getattr(xp, name)(a, axis=1)


def filled(name):
    return lambda xp, a: getattr(xp, name)((2, 3)) * 0.0 + a


SMOOTH = """abs asinh atan cos cosh exp expm1 negative positive sin sinh square tan tanh real conj"""
STEPS = """ceil floor round sign signbit trunc isfinite isinf isnan imag"""
PAIRS = """add atan2 copysign divide hypot logaddexp maximum minimum multiply pow subtract nextafter"""
COMPARISONS = """equal greater greater_equal less less_equal not_equal floor_divide"""
REDUCED = """max mean min prod std sum var cumulative_sum cumulative_prod sort"""
SQUARE = """det inv pinv svdvals diagonal trace matrix_norm matrix_transpose"""
COUNTED = """any all argmax argmin count_nonzero argsort"""

CALLS = {  # name -> (argument, call); what is whole or true has no gradient to look at
    **{name: (X, unary(name)) for name in SMOOTH.split()},
    **{name: (X, unary(name)) for name in STEPS.split()},
    **{name: (np.tanh(X), unary(name)) for name in ("acos", "asin", "atanh")},
    **{name: (abs(X) + 1.1, unary(name)) for name in ("acosh", "log", "log1p", "log2", "log10", "sqrt", "reciprocal")},
    **{name: (abs(X) + 0.15, with_number(name)) for name in PAIRS.split()},
    **{name: (abs(X) + 0.15, with_number(name)) for name in COMPARISONS.split()},
    "remainder": (abs(X) + 0.15, with_number("remainder")),
    **{name: (X, along(name)) for name in REDUCED.split()},
    **{name: (X, along(name)) for name in COUNTED.split()},
    "logical_not": (X, lambda xp, a: xp.logical_not(a > 0)),
    **{name: (X, lambda xp, a, n=name: getattr(xp, n)(a > 0, a < 1)) for name in ("logical_and", "logical_or")},
    "logical_xor": (X, lambda xp, a: xp.logical_xor(a > 0, a < 1)),
    **{
        f"bitwise_{name}": (X, lambda xp, a, n=f"bitwise_{name}": getattr(xp, n)(xp.where(a > 0, WHOLE, 1), 1))
        for name in ("and", "or", "xor", "left_shift", "right_shift")
    },
    "bitwise_invert": (X, lambda xp, a: xp.bitwise_invert(xp.where(a > 0, WHOLE, 1))),
    "clip": (X, lambda xp, a: xp.clip(a, -0.5, 0.8)),
    "concat": (X, lambda xp, a: xp.concat([a, a], axis=1)),
    "stack": (X, lambda xp, a: xp.stack([a, a])),
    "broadcast_to": (X, lambda xp, a: xp.broadcast_to(a, (4, 2, 3))),
    "broadcast_arrays": (X, lambda xp, a: xp.broadcast_arrays(a, xp.ones((3, 1, 1)))[0]),
    "broadcast_shapes": (X, lambda xp, a: xp.zeros(np.broadcast_shapes(a.shape, (2, 1))) + a),
    "expand_dims": (X, lambda xp, a: xp.expand_dims(a, axis=1)),
    "flip": (X, lambda xp, a: xp.flip(a, axis=0)),
    "moveaxis": (X, lambda xp, a: xp.moveaxis(a, 0, 1)),
    "permute_dims": (X, lambda xp, a: xp.permute_dims(a, (1, 0))),
    "repeat": (X, lambda xp, a: xp.repeat(a, 2, axis=0)),
    "reshape": (X, lambda xp, a: xp.reshape(a, (3, 2))),
    "roll": (X, lambda xp, a: xp.roll(a, 1, axis=1)),
    "squeeze": (X, lambda xp, a: xp.squeeze(a[None], axis=0)),
    "tile": (X, lambda xp, a: xp.tile(a, (2, 1))),
    "unstack": (X, lambda xp, a: xp.unstack(a)[1]),
    "tril": (X, unary("tril")),
    "triu": (X, unary("triu")),
    "diff": (X, along("diff")),
    "matmul": (X, lambda xp, a: xp.matmul(a, xp.matrix_transpose(a))),
    "matrix_transpose": (X, unary("matrix_transpose")),
    "tensordot": (X, lambda xp, a: xp.tensordot(a, a, axes=2)),
    "vecdot": (X, lambda xp, a: xp.vecdot(a, a)),
    "where": (X, lambda xp, a: xp.where(a > 0, a, -2 * a)),
    "searchsorted": (X, lambda xp, a: xp.searchsorted(xp.asarray([-1.0, 0.0, 1.0]), a)),
    "isin": (X, lambda xp, a: xp.where(xp.isin(xp.asarray([[0, 1, 2], [3, 4, 5]]), xp.asarray([1, 4])), a, 0.0)),
    "take": (X, lambda xp, a: xp.take(a, xp.asarray([2, 0]), axis=1)),
    "take_along_axis": (X, lambda xp, a: xp.take_along_axis(a, xp.asarray([[0], [2]]), axis=1)),
    "astype": (X, lambda xp, a: xp.astype(a, xp.float64)),
    "asarray": (X, unary("asarray")),
    "meshgrid": (X, lambda xp, a: xp.meshgrid(a[0], a[1], indexing="ij")[0]),
    **{name: (X, lambda xp, a, n=name: getattr(xp, n)(a) * 0.0 + a) for name in ("zeros_like", "ones_like")},
    "empty_like": (X, lambda xp, a: xp.empty_like(a).shape[0] * a),
    "full_like": (X, lambda xp, a: xp.full_like(a, 3.0) * a),
    **{name: (X, filled(name)) for name in ("zeros", "ones")},
    "empty": (X, lambda xp, a: xp.empty((2, 3)).shape[0] * a),
    "full": (X, lambda xp, a: xp.full((2, 3), 2.0) * a),
    "eye": (X, lambda xp, a: xp.eye(2) @ a),
    "arange": (X, lambda xp, a: xp.arange(3.0) * a),
    "linspace": (X, lambda xp, a: xp.linspace(0.0, 1.0, 3) * a),
    "result_type": (X, lambda xp, a: a * (xp.result_type(a, xp.float64) == xp.float64)),
    "can_cast": (X, lambda xp, a: a * xp.can_cast(a.dtype, xp.float64)),
    "isdtype": (X, lambda xp, a: a * xp.isdtype(a.dtype, "real floating")),
    "finfo": (X, lambda xp, a: a * xp.finfo(a.dtype).bits),
    "iinfo": (X, lambda xp, a: a * xp.iinfo(xp.int64).bits),
}

TIES = np.array([[3.0, -1.0, 0.0], [-1.0, 3.0, 0.5]])  # distinct values and zeros are told by guards
CALLS |= {
    "nonzero": (X, lambda xp, a: a[xp.nonzero(a > 0)]),
    "unique_values": (X, lambda xp, a: xp.unique_values(a)),
    "unique_counts": (X, lambda xp, a: xp.unique_counts(a)[0] * xp.unique_counts(TIES)[1][0]),
    "unique_inverse": (X, lambda xp, a: a * xp.unique_inverse(a)[1]),
    "unique_all": (X, lambda xp, a: xp.unique_all(a).values * xp.unique_all(a).indices),
}

LINALG = {
    **{name: unary(name) for name in SQUARE.split()},
    "cholesky": lambda xp, a: xp.cholesky(a @ a.mT),
    "eigh": lambda xp, a: xp.eigh(a + a.mT).eigenvalues,
    "eigvalsh": lambda xp, a: xp.eigvalsh(a + a.mT),
    "slogdet": lambda xp, a: xp.slogdet(a).logabsdet,
    "qr": lambda xp, a: abs(xp.qr(a).R),
    "svd": lambda xp, a: xp.svd(a).S,
    "solve": lambda xp, a: xp.solve(a, np.ones(3)),
    "matmul": lambda xp, a: xp.matmul(a, a),
    "matrix_power": lambda xp, a: xp.matrix_power(a, 3),
    "outer": lambda xp, a: xp.outer(a[0], a[1]),
    "tensordot": lambda xp, a: xp.tensordot(a, a, axes=1),
    "vecdot": lambda xp, a: xp.vecdot(a, a),
    "vector_norm": lambda xp, a: xp.vector_norm(a, axis=1),
    "cross": lambda xp, a: xp.cross(a[0], a[1]),
}

# No meaning for unknowns: complex results, ranks, other memory.
WITHOUT = {"from_dlpack"}
WITHOUT_LINALG = {"eig", "eigvals", "matrix_rank"}

FUNCTIONS_OF_THE_STANDARD = """
    arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu zeros
    zeros_like astype broadcast_arrays broadcast_to can_cast finfo iinfo isdtype result_type abs acos acosh add asin
    asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift bitwise_xor ceil
    clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater greater_equal hypot imag isfinite
    isinf isnan less less_equal log log1p log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum
    minimum multiply negative nextafter not_equal positive pow real reciprocal remainder round sign signbit sin sinh
    square sqrt subtract tan tanh trunc take take_along_axis matmul matrix_transpose tensordot vecdot concat expand_dims
    flip moveaxis permute_dims repeat reshape roll squeeze stack tile unstack argmax argmin count_nonzero nonzero
    searchsorted where unique_all unique_counts unique_inverse unique_values argsort sort cumulative_prod cumulative_sum
    max mean min prod std sum var all any diff
"""
LINALG_OF_THE_STANDARD = """
    cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer
    pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
"""


def test_no_function_of_the_standard_is_forgotten():
    assert set(FUNCTIONS_OF_THE_STANDARD.split()) == (set(CALLS) | WITHOUT) - {"isin", "broadcast_shapes"}
    assert set(LINALG_OF_THE_STANDARD.split()) == set(LINALG) | (WITHOUT_LINALG - {"eig", "eigvals"})


def compare(call, x):
    """Value and gradient of a weighted sum of the call's result, found through the array's own namespace."""
    weights = np.linspace(1.0, 2.0, np.size(call(np, x)))

    def plain(a):
        return float(np.sum(np.asarray(call(np, a), dtype=float).reshape(-1) * weights))

    def traced(a):
        return np.sum(np.reshape(call(a.__array_namespace__(), a), -1) * weights)

    value, gradient = ad.value_and_gradient(traced, x)
    step = 1e-6
    directions = step * np.eye(x.size).reshape(-1, *x.shape)
    expected = [(plain(x + d) - plain(x - d)) / (2.0 * step) for d in directions]
    np.testing.assert_allclose(value, plain(x), rtol=1e-12)
    np.testing.assert_allclose(gradient.reshape(-1), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", CALLS)
def test_a_function_of_the_standard(name):
    x, call = CALLS[name]
    compare(call, x)


@pytest.mark.parametrize("name", LINALG)
def test_linear_algebra_of_the_standard(name):
    compare(lambda xp, a: LINALG[name](xp.linalg, a), SPD + np.array([[0.0, 0.4, 0.0], [0.0] * 3, [0.1, 0.0, 0.0]]))


def test_attributes_of_the_standard():
    def looked_at(a):
        assert (a.device, a.dtype, a.ndim, a.shape, a.size) == ("cpu", np.float64, 2, (2, 3), 6)
        assert a.to_device("cpu") is a
        with pytest.raises(ValueError, match="'cpu'"):
            a.to_device("gpu")
        return np.sum(a.mT @ a)

    ad.gradient(looked_at, X)


# --- libraries written for the standard
def rearranged(x, pattern_rows):
    """Code in the manner of einops: it asks the array for its functions."""
    xp = x.__array_namespace__()
    grouped = xp.reshape(x, (pattern_rows, -1, *x.shape[1:]))
    return xp.mean(xp.permute_dims(grouped, (1, 0, 2)), axis=0)


def test_code_that_asks_for_the_namespace():
    x = np.arange(12.0).reshape(4, 3)
    weights = np.arange(6.0).reshape(2, 3)
    gradient = ad.gradient(lambda a: np.sum(weights * rearranged(a, 2)), x)
    np.testing.assert_allclose(gradient, np.repeat(weights / 2.0, 2, axis=0))


LIBRARY = """
import numpy as np, scipy.stats, scipy.special, scipy.integrate, scipy.spatial.distance, scipy.optimize, scipy.signal
from bayesad import ad

x = np.array([0.3, 0.7, 1.2, 0.5, 0.9, 0.4])
calls = {
    "gmean": lambda a: scipy.stats.gmean(a),
    "skew": lambda a: scipy.stats.skew(a),
    "kurtosis": lambda a: scipy.stats.kurtosis(a),
    "trim_mean": lambda a: scipy.stats.trim_mean(a, 0.2),
    "circmean": lambda a: scipy.stats.circmean(a),
    "entropy": lambda a: scipy.stats.entropy(a),
    "xlogy": lambda a: np.sum(scipy.special.xlogy(a, a)),
    "logsumexp": lambda a: scipy.special.logsumexp(a),
    "stdtr": lambda a: np.sum(scipy.special.stdtr(4, a)),
    "simpson": lambda a: scipy.integrate.simpson(a**2, x=np.arange(6.0)),
    "cumulative_trapezoid": lambda a: np.sum(scipy.integrate.cumulative_trapezoid(a**2) ** 2),
    "euclidean": lambda a: scipy.spatial.distance.euclidean(a, np.ones(6)),
    "rosen": lambda a: scipy.optimize.rosen(a),
    "convolve": lambda a: np.sum(scipy.signal.convolve(a, np.array([1.0, 2.0]), method="direct") ** 2),
    "logpdf": lambda a: np.sum(scipy.stats.norm.logpdf(a, 0.2, 1.3)),
    "Normal": lambda a: np.sum(scipy.stats.Normal(mu=0.0, sigma=1.0).logpdf(a)),
}
for name, call in calls.items():
    value, gradient = ad.value_and_gradient(call, x)
    expected = [(call(x + d) - call(x - d)) / 2e-6 for d in 1e-6 * np.eye(6)]
    np.testing.assert_allclose(value, call(x), rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7, err_msg=name)
"""


@pytest.mark.parametrize("setting", ["0", "1"])
def test_scipy_is_differentiated_without_knowing_us(setting):
    environment = {"SCIPY_ARRAY_API": setting} if setting == "1" else {}
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- laws of scipy.stats
LAWS = {
    "norm": (),
    "t": (4.0,),
    "gamma": (2.0,),
    "beta": (2.0, 3.0),
    "expon": (),
    "lognorm": (0.7,),
    "weibull_min": (1.4,),
    "laplace": (),
    "cauchy": (),
    "gumbel_r": (),
    "pareto": (2.0,),
    "invgauss": (1.0,),
    "genextreme": (0.2,),
    "skewnorm": (1.0,),
}


# The distribution function of skewnorm is a private ufunc of Boost.
METHODS = [
    (name, method)
    for name in LAWS
    for method in ("logpdf", "cdf", "logcdf", "logsf")
    if name != "skewnorm" or method == "logpdf"
]


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_laws_of_scipy_stats(name, method):
    import scipy.stats

    law, shapes = getattr(scipy.stats, name), LAWS[name]
    z = law.ppf([0.2, 0.45, 0.7], *shapes)

    def f(p):  # the last two entries are location and scale
        return np.sum(getattr(law, method)(p[:3] * 1.7 + 0.3, *shapes, loc=p[3], scale=p[4]))

    point = np.concatenate([z, [0.3, 1.7]])
    value, gradient = ad.value_and_gradient(f, point)
    expected = [(f(point + d) - f(point - d)) / 2e-6 for d in 1e-6 * np.eye(5)]
    np.testing.assert_allclose(value, f(point), rtol=1e-12)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["beta", "cauchy", "gamma"])
def test_quantiles_and_densities_of_scipy_stats(name):
    import scipy.stats

    law, shapes = getattr(scipy.stats, name), LAWS[name]
    chances = np.array([1e-3, 0.3, 0.8])
    densities = law.pdf(law.ppf(chances, *shapes), *shapes)
    for quantile in (lambda p: law.ppf(p, *shapes), lambda p: law.isf(1.0 - p, *shapes)):
        value, gradient = ad.value_and_gradient(lambda p, quantile=quantile: np.sum(quantile(p)), chances)
        np.testing.assert_allclose(value, np.sum(law.ppf(chances, *shapes)), rtol=1e-9)
        np.testing.assert_allclose(gradient, 1.0 / densities, rtol=1e-9)
    x = law.ppf(chances, *shapes)
    slopes = (law.pdf(x + 1e-6, *shapes) - law.pdf(x - 1e-6, *shapes)) / 2e-6
    np.testing.assert_allclose(ad.gradient(lambda x: np.sum(law.pdf(x, *shapes)), x), slopes, rtol=1e-5, atol=1e-8)


def test_laws_of_scipy_stats_outside_their_support():
    import scipy.stats

    point = np.array([-1.0, 2.0])
    value, gradient = ad.value_and_gradient(lambda x: scipy.stats.expon.logpdf(x)[1], point)
    assert (value, *gradient) == (-2.0, 0.0, -1.0)
    densities, _ = ad.vjp(lambda x: scipy.stats.expon.logpdf(x), point)
    np.testing.assert_array_equal(densities, [-np.inf, -2.0])


def test_counting_laws_of_scipy_stats():
    import scipy.stats

    counts = np.arange(5)
    gradient = ad.gradient(lambda m: np.sum(scipy.stats.poisson.logpmf(counts, m)), 2.5)
    np.testing.assert_allclose(gradient, np.sum(counts / 2.5 - 1.0))
    gradient = ad.gradient(lambda p: np.sum(scipy.stats.binom.logpmf(counts, 6, p)), 0.3)
    np.testing.assert_allclose(gradient, np.sum(counts / 0.3 - (6 - counts) / 0.7))


def test_the_methods_of_scipy_are_its_own_again_afterwards():
    import scipy.stats

    before = scipy.stats.rv_continuous.logpdf
    ad.gradient(lambda x: scipy.stats.norm.logpdf(x), 0.3)
    assert scipy.stats.rv_continuous.logpdf is before
    assert "bayesad" not in before.__module__


def test_a_gaussian_copula_of_marginals_from_scipy():
    """The log density of a bivariate law with gamma and lognormal marginals joined by a Gaussian copula."""
    import scipy.special
    import scipy.stats

    data = np.array([[0.5, 1.2], [1.4, 0.8], [2.2, 2.9]])

    def log_density(p):
        laws = (scipy.stats.gamma(p["shape"]), scipy.stats.lognorm(p["sigma"]))
        z = np.stack([scipy.special.ndtri(law.cdf(data[:, i])) for i, law in enumerate(laws)], axis=1)
        marginal = sum(np.sum(law.logpdf(data[:, i])) for i, law in enumerate(laws))
        rho = np.tanh(p["rho"])
        square = np.sum(z[:, 0] ** 2 - 2.0 * rho * z[:, 0] * z[:, 1] + z[:, 1] ** 2) / (1.0 - rho**2)
        return marginal - 0.5 * (square - np.sum(z**2)) - 0.5 * len(data) * np.log(1.0 - rho**2)

    point = {"shape": 2.0, "sigma": 0.7, "rho": 0.4}
    value, gradient = ad.value_and_gradient(log_density, point)
    np.testing.assert_allclose(value, log_density(point), rtol=1e-12)
    for name in point:
        up, down = ({**point, name: point[name] + h} for h in (1e-6, -1e-6))
        np.testing.assert_allclose(gradient[name], (log_density(up) - log_density(down)) / 2e-6, rtol=1e-5)


def test_series_and_labelled_arrays_are_arrays():
    import pandas as pd
    import xarray as xr

    values = np.array([1.0, 2.0, 4.0])
    for data in (pd.Series(values), xr.DataArray(values, dims="row")):
        gradient = ad.gradient(lambda x, data=data: np.sum(np.asarray(data) * x**2), 3.0)
        np.testing.assert_allclose(gradient, 6.0 * values.sum())
        np.testing.assert_allclose(ad.gradient(lambda x: np.sum(x**2), data), 2.0 * values)
        np.testing.assert_allclose(ad.gradient(lambda x, data=data: np.sum(x * data), 3.0), values.sum())
        np.testing.assert_allclose(ad.gradient(lambda x, data=data: np.sum(data * x), 3.0), values.sum())
        for product in (lambda x, data=data: data @ x, lambda x, data=data: x @ data, lambda x, data=data: data.dot(x)):
            np.testing.assert_allclose(ad.gradient(product, values**2), values)
        np.testing.assert_allclose(ad.gradient(lambda x, data=data: np.sum(x[data > 1]), values), [0.0, 1.0, 1.0])
    table = pd.DataFrame({"a": values, "b": values**2})
    for product in (
        lambda x: table @ x,
        lambda x: table.dot(x),
        lambda x: np.matmul(table, x),
        lambda x: table[["a", "b"]] @ x,
    ):
        np.testing.assert_allclose(ad.jacobian(product, np.ones(2)), table)
    assert type(table @ np.ones(2)) is pd.Series  # outside of traces all is as it was
