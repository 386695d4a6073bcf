"""NumPy functions on traced arrays: values are NumPy's own, derivatives agree with central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from bayesad import ad

Differences = Callable[[Any, np.ndarray], np.ndarray]


class Case(NamedTuple):
    """A function of one array, and the shape of that array."""

    name: str
    function: Callable[[Any], Any]
    shape: tuple[int, ...] = (5,)
    smooth: bool = True  # twice differentiable at a generic point
    positive: bool = False


def point(case: Case) -> np.ndarray:
    """A generic point: no ties, no zeros, no whole numbers."""
    rng = np.random.default_rng(sum(map(ord, case.name)))
    x = rng.normal(size=case.shape) + 0.01
    return np.abs(x) + 0.1 if case.positive else x


def flat_result(case: Case) -> Callable[[Any], Any]:
    """The results (one array or several) as one vector."""

    def f(x: Any) -> Any:
        result = case.function(x)
        parts = list(result) if isinstance(result, (tuple, list)) else [result]
        return np.concatenate([np.reshape(part, -1) for part in parts])

    return f


DATA = np.random.default_rng(1).normal(size=(3, 4))
KNOTS = np.array([-2.0, -0.5, 0.4, 1.1, 2.5])
MASK = np.array([True, False, True, True, False])

JOINING = [
    Case("concatenate", lambda x: np.concatenate([x, DATA[0], x[:2]])),
    Case("concatenate axis 1", lambda x: np.concatenate((x, DATA, 2 * x), axis=1), (3, 2)),
    Case("concatenate axis None", lambda x: np.concatenate((x, DATA[0]), axis=None), (3, 2)),
    Case("concatenate empty", lambda x: np.concatenate((x, np.zeros(0)))),
    Case("stack", lambda x: np.stack([x, x**2, np.ones(5)], axis=-1)),
    Case("hstack", lambda x: np.hstack([x, x[0], 1.0])),
    Case("hstack matrices", lambda x: np.hstack([x, DATA]), (3, 2)),
    Case("vstack", lambda x: np.vstack([DATA[0], x[:4], x[1:]])),
    Case("dstack", lambda x: np.dstack([x, np.arange(5.0)])),
    Case("column_stack", lambda x: np.column_stack([np.ones(5), x, np.outer(x, [1.0, 2.0])])),
    Case("append", lambda x: np.append(x, [1.0, x[0]])),
    Case("append axis", lambda x: np.append(x, x, axis=1), (2, 3)),
    Case("insert", lambda x: np.insert(x, 2, x[0])),
    Case("insert axis", lambda x: np.insert(x, 1, x[:, 0], axis=1), (2, 3)),
    Case("insert scalar axis", lambda x: np.insert(x, -1, 3.0, axis=0), (2, 3)),
    Case("delete", lambda x: np.delete(x, [0, 3])),
    Case("delete axis", lambda x: np.delete(x, 1, axis=1), (2, 3)),
    Case("block", lambda x: np.block([[x, np.eye(2)], [np.zeros((1, 2)), x[:1]]]), (2, 2)),
    Case("block vectors", lambda x: np.block([x, 2.0, x])),
    Case("split", lambda x: [p**2 for p in np.split(x, [2, 3])]),
    Case("split equal", lambda x: np.split(x, 2, axis=1)[1], (3, 4)),
    Case("array_split", lambda x: np.array_split(x, 3)),
    Case("hsplit", lambda x: np.hsplit(x, 2)[1], (3, 4)),
    Case("vsplit", lambda x: np.vsplit(x, 3)[1], (3, 4)),
    Case("dsplit", lambda x: np.dsplit(x, 2)[1], (1, 2, 4)),
    Case("repeat", lambda x: np.repeat(x, 3)),
    Case("repeat axis", lambda x: np.repeat(x, 2, axis=0), (3, 2)),
    Case("repeat counts", lambda x: np.repeat(x, [1, 0, 2, 1, 3])),
    Case("repeat counts axis", lambda x: x.repeat([2, 1], axis=1), (3, 2)),
    Case("tile", lambda x: np.tile(x, 2)),
    Case("tile more axes", lambda x: np.tile(x, (2, 1, 3)), (3, 2)),
    Case("pad", lambda x: np.pad(x, 2)),
    Case("pad values", lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=((1, 2), (3, 4))), (3, 2)),
    Case("pad edge", lambda x: np.pad(x, (1, 2), mode="edge")),
    Case("pad reflect", lambda x: np.pad(x, ((1, 1), (2, 0)), mode="reflect"), (3, 4)),
    Case("pad wrap", lambda x: np.pad(x, 2, mode="wrap")),
    Case("pad symmetric", lambda x: np.pad(x, 2, "symmetric")),
    Case("roll", lambda x: np.roll(x, 2)),
    Case("roll axes", lambda x: np.roll(x, (1, -1), axis=(0, 1)), (3, 4)),
    Case("roll flat", lambda x: np.roll(x, -3), (3, 4)),
    Case("flip", lambda x: np.flip(x), (3, 4)),
    Case("flip axis", lambda x: np.flip(x, 1), (3, 4)),
    Case("fliplr", np.fliplr, (3, 4)),
    Case("flipud", np.flipud, (3, 4)),
    *[Case(f"rot90 {k}", lambda x, k=k: np.rot90(x, k), (3, 4)) for k in range(4)],
    Case("rollaxis", lambda x: np.rollaxis(x, 2), (2, 3, 4)),
    Case("moveaxis", lambda x: np.moveaxis(x, (0, 2), (2, 0)), (2, 3, 4)),
    Case("broadcast_arrays", lambda x: np.broadcast_arrays(x, np.ones((3, 1)))),
    Case("atleast_1d", lambda x: np.atleast_1d(x, 2.0), ()),
    Case("atleast_2d", np.atleast_2d),
    Case("atleast_3d", np.atleast_3d),
    Case("atleast_3d of a matrix", np.atleast_3d, (2, 3)),
    Case("meshgrid", lambda x: np.meshgrid(x, DATA[0], indexing="ij")),
    Case("meshgrid xy", lambda x: np.meshgrid(x[:2], x[2:], [1.0, 2.0])),
    Case("meshgrid sparse", lambda x: np.meshgrid(x[:2], x[2:], sparse=True)),
    Case("expand_dims", lambda x: np.expand_dims(x, (0, 2))),
    Case("squeeze", lambda x: np.squeeze(x, 1), (3, 1, 2)),
    Case("resize", lambda x: np.resize(x, (2, 4))),
    Case("reshape order F", lambda x: np.reshape(x, (3, -1), order="F"), (2, 6)),
    Case("tril", lambda x: np.tril(x, -1), (3, 4)),
    Case("triu batched", lambda x: np.triu(x, 1), (2, 3, 3)),
    Case("diag of vector", lambda x: np.diag(x, 1)),
    Case("diag below", lambda x: np.diag(x, -2)),
    Case("diag of matrix", lambda x: np.diag(x, -1), (3, 4)),
    Case("diagflat", np.diagflat, (2, 2)),
    Case("diagonal", lambda x: np.diagonal(x, 1, 0, 2), (3, 2, 4)),
    Case("trace", np.trace, (3, 4)),
    Case("trace batched", lambda x: x.trace(1, axis1=1, axis2=2), (2, 3, 3)),
    Case("vander", lambda x: np.vander(x, 3)),
    Case("vander increasing", lambda x: np.vander(x, increasing=True), (3,)),
]

SELECTION = [
    Case("clip", lambda x: np.clip(x, -0.5, 0.5), smooth=False),
    Case("clip above", lambda x: x.clip(max=0.3), smooth=False),
    Case("clip None", lambda x: np.clip(x, None, 0.3), smooth=False),
    Case("round", lambda x: np.round(x), smooth=False),
    Case("round decimals", lambda x: x.round(1), smooth=False),
    Case("round tens", lambda x: np.around(100 * x, -1), smooth=False),
    Case("sort", np.sort),
    Case("sort axis 0", lambda x: np.sort(x, axis=0), (4, 3)),
    Case("sort flat", lambda x: np.sort(x, axis=None), (2, 3)),
    Case("argsort", lambda x: x[np.argsort(-x)] ** 2),
    Case("argsort integer result", lambda x: np.argsort(x, axis=0), (4, 2)),
    Case("median odd", np.median),
    Case("median even axis", lambda x: np.median(x, axis=0, keepdims=True), (4, 3)),
    Case("median axes", lambda x: np.median(x, axis=(0, 2)), (2, 3, 2)),
    Case("percentile", lambda x: np.percentile(x, [5, 50, 90])),
    Case("quantile axis", lambda x: np.quantile(x, [[0.1, 0.7]], axis=1), (3, 4)),
    *[
        Case(f"quantile {m}", lambda x, m=m: np.quantile(x, 0.3, method=m))
        for m in ("lower", "higher", "nearest", "midpoint")
    ],
    Case("take", lambda x: np.take(x, [[0, 2], [1, -1]])),
    Case("take axis", lambda x: x.take([1, 1, 0], axis=1), (3, 2)),
    Case("take wrap", lambda x: np.take(x, [7, -8], mode="wrap")),
    Case("take clip", lambda x: np.take(x, [7, -8], mode="clip")),
    Case("take from data", lambda x: np.take(DATA[0], np.argsort(x)[:2]) * x[:2], (4,)),
    Case("take_along_axis", lambda x: np.take_along_axis(x, np.argsort(DATA, axis=1), axis=1), (3, 4)),
    Case("take_along_axis broadcast", lambda x: np.take_along_axis(x, np.array([[1]]), axis=0), (3, 4)),
    Case("compress", lambda x: np.compress(MASK, x)),
    Case("compress axis", lambda x: x.compress([True, False, True], axis=0), (3, 2)),
    Case("extract", lambda x: np.extract(MASK, x)),
    Case("boolean mask", lambda x: x[MASK] ** 2),
    Case("boolean mask of two axes", lambda x: x[DATA > 0], (3, 4)),
    Case("boolean mask and slice", lambda x: x[np.array([True, False, True]), 1:], (3, 4)),
    Case("boolean mask after ellipsis", lambda x: x[..., np.array([True, False, True, True])], (3, 4)),
    Case("where", lambda x: np.where(MASK, x, x**2)),
    Case("where traced mask", lambda x: np.where(x > 0, x, np.exp(x)), smooth=False),
    Case("select", lambda x: np.select([x > 0.5, x > 0], [x, x**2], -1.0), smooth=False),
    Case("choose", lambda x: np.choose([0, 1, 2, 1, 0], [x, x**2, 1.0])),
    Case("piecewise", lambda x: np.piecewise(x, [x < 0, x >= 0.5], [np.exp, lambda v: v**2, 0.5]), smooth=False),
    Case("searchsorted", lambda x: np.searchsorted(KNOTS, x) * x, smooth=False),
    Case("digitize", lambda x: np.digitize(x, KNOTS) * x, smooth=False),
    Case("digitize falling", lambda x: np.digitize(x, KNOTS[::-1], right=True), smooth=False),
    Case("isclose", lambda x: np.isclose(x, x + 1e-9).astype(float), smooth=False),
    Case("isin", lambda x: np.isin(x, x[:2]).astype(float), smooth=False),
    Case("nan_to_num", lambda x: np.nan_to_num(np.where(MASK, x, [np.nan, np.inf, 0, 0, -np.inf]))),
    Case("real", lambda x: np.real(x) + x.real + np.imag(x) + x.imag + np.conj(x)),
    Case("sinc", np.sinc),
    Case("modf", np.modf, smooth=False),
    Case("divmod", lambda x: np.divmod(x, 0.4), smooth=False),
    Case("divmod builtin", lambda x: divmod(2.0, x), smooth=False),
    Case("trunc", np.trunc, smooth=False),
]

SEQUENCES = [
    Case("cumsum", lambda x: np.cumsum(x, axis=1), (3, 4)),
    Case("cumprod", lambda x: np.cumprod(x, axis=0), (3, 2)),
    Case("diff", np.diff),
    Case("diff twice axis", lambda x: np.diff(x, 2, axis=0), (4, 2)),
    Case("diff prepend", lambda x: np.diff(x, prepend=0.0, append=x[:1])),
    Case("ediff1d", lambda x: np.ediff1d(x, to_begin=x[0], to_end=[1.0, 2.0])),
    Case("gradient", np.gradient),
    Case("gradient spacing", lambda x: np.gradient(x, 0.5, axis=1), (3, 4)),
    Case("gradient coordinates", lambda x: np.gradient(x, KNOTS)),
    Case("gradient all axes", np.gradient, (3, 4)),
    Case("trapezoid", lambda x: np.trapezoid(x, KNOTS)),
    Case("trapezoid dx", lambda x: np.trapezoid(x, dx=0.1, axis=0), (3, 4)),
    Case("maximum.accumulate", np.maximum.accumulate, smooth=False),
    Case("minimum.accumulate", lambda x: np.minimum.accumulate(x, axis=1), (2, 6), smooth=False),
    Case("interp at unknowns", lambda x: np.interp(x, KNOTS, np.sin(KNOTS)), smooth=False),
    Case("interp of unknowns", lambda x: np.interp([-3.0, 0.0, 0.4, 9.0], KNOTS, x, left=x[1])),
    Case("interp unknown knots", lambda x: np.interp(0.7, np.cumsum(x), x**2), smooth=False, positive=True),
    Case("interp one knot", lambda x: np.interp([0.0, 1.0], [0.5], x[:1], right=3.0)),
    Case("polyval of unknowns", lambda x: np.polyval(x, 0.7)),
    Case("polyval at unknowns", lambda x: np.polyval([2.0, -1.0, 0.5], x)),
    Case("polyder", lambda x: np.polyder(x, 2)),
    Case("polymul", lambda x: np.polymul(x, [1.0, 2.0])),
    Case("polyadd", lambda x: np.polyadd(x, [1.0, 2.0])),
    *[Case(f"convolve {m}", lambda x, m=m: np.convolve(x, [0.5, -1.0, 2.0], m)) for m in ("full", "same", "valid")],
    *[
        Case(f"convolve longer {m}", lambda x, m=m: np.convolve(x, DATA.ravel()[:8], m))
        for m in ("full", "same", "valid")
    ],
    Case("convolve with itself", lambda x: np.convolve(x, x)),
    *[Case(f"correlate {m}", lambda x, m=m: np.correlate(x, x[:4] ** 2, m)) for m in ("full", "same", "valid")],
    *[Case(f"correlate longer {m}", lambda x, m=m: np.correlate(x, DATA.ravel()[:8], m)) for m in ("full", "valid")],
    Case("apply_along_axis", lambda x: np.apply_along_axis(lambda r: r[:2] * np.sum(r), 0, x), (4, 3)),
    Case("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, 2]), (2, 3, 2)),
    Case("linspace", lambda x: np.linspace(x[0], x[1], 5), (2,)),
    Case("linspace arrays", lambda x: np.linspace(x, 2.0, 4, endpoint=False, axis=-1)),
    Case("logspace", lambda x: np.logspace(x[0], 1.0, 4), (1,)),
    Case("geomspace", lambda x: np.geomspace(x[0], 9.0, 4), (1,), positive=True),
]

STATISTICS = [
    Case("sum axis", lambda x: np.sum(x, axis=(0, -1), keepdims=True), (2, 3, 2)),
    Case("sum where", lambda x: np.sum(x, where=MASK, initial=2.0)),
    Case("prod", lambda x: np.prod(x, axis=0), (3, 2)),
    Case("mean where", lambda x: np.mean(x, axis=0, where=DATA > 0), (3, 4)),
    Case("average weights", lambda x: np.average(x, axis=1, weights=[1.0, 2.0, 3.0, 4.0]), (3, 4)),
    Case("average weights unknown", lambda x: np.average(DATA[0], weights=x), (4,), positive=True),
    Case("var", lambda x: np.var(x, axis=0, ddof=1), (4, 3)),
    Case("std", lambda x: x.std(keepdims=True)),
    Case("ptp", lambda x: np.ptp(x, axis=0), (4, 3)),
    Case("max initial", lambda x: np.max(x, initial=10.0), smooth=False),
    Case("max where", lambda x: np.max(x, where=MASK, initial=-9.0), smooth=False),
    Case("amin", lambda x: np.amin(x, axis=1), (3, 4), smooth=False),
    Case("cov", np.cov, (3, 5)),
    Case("cov of one", np.cov),
    Case("cov columns", lambda x: np.cov(x, rowvar=False, bias=True), (5, 2)),
    Case("cov y", lambda x: np.cov(x, KNOTS)),
    Case("corrcoef", np.corrcoef, (2, 5)),
    Case("nansum", lambda x: np.nansum(np.where(MASK, x, np.nan))),
    Case("nanprod", lambda x: np.nanprod(np.where(MASK, x, np.nan))),
    Case("nanmean", lambda x: np.nanmean(np.where(DATA > 0, x, np.nan), axis=1), (3, 4)),
    Case("nanvar", lambda x: np.nanvar(np.where(MASK, x, np.nan), ddof=1)),
    Case("nanstd", lambda x: np.nanstd(np.where(MASK, x, np.nan))),
    Case("nanmax", lambda x: np.nanmax(np.where(MASK, x, np.nan))),
    Case("nanmin", lambda x: np.nanmin(np.where(DATA > 0, x, np.nan), axis=0, keepdims=True), (3, 4)),
    Case("nanmedian", lambda x: np.nanmedian(np.where(DATA > -0.5, x, np.nan), axis=1), (3, 4)),
    Case("nanquantile", lambda x: np.nanquantile(np.where(MASK, x, np.nan), 0.3)),
    Case("nancumsum", lambda x: np.nancumsum(np.where(MASK, x, np.nan))),
    Case("nancumprod", lambda x: np.nancumprod(np.where(MASK, x, np.nan))),
    Case("nanargmax", lambda x: np.nanargmax(np.where(MASK, x, np.nan)), smooth=False),
    Case("count_nonzero", lambda x: np.count_nonzero(x > 0, axis=0), (4, 3), smooth=False),
    Case("logaddexp.reduce", lambda x: np.logaddexp.reduce(x, axis=1), (3, 4)),
]


def einsum(specification: str, *others: np.ndarray) -> Callable[[Any], Any]:
    return lambda x: np.einsum(specification, x, *others)


PRODUCTS = [
    Case("matmul batched", lambda x: np.matmul(x, DATA.T @ DATA), (2, 3, 4)),
    Case("matmul vectors", lambda x: x[:4] @ DATA.T),
    Case("dot", lambda x: np.dot(DATA, x), (4,)),
    Case("dot method", lambda x: x.dot(x.T), (2, 3)),
    Case("dot scalar", lambda x: np.dot(x, 3.0)),
    Case("dot of three axes", lambda x: np.dot(x, DATA.reshape(2, 3, 2)), (2, 3)),
    Case("vdot", lambda x: np.vdot(x, DATA), (3, 4)),
    Case("inner", lambda x: np.inner(x, DATA), (2, 4)),
    Case("outer", lambda x: np.outer(x, x**2), (2, 2)),
    Case("multiply.outer", lambda x: np.multiply.outer(x, DATA), (2,)),
    Case("tensordot", lambda x: np.tensordot(x, DATA, axes=([1, 2], [1, 0])), (2, 4, 3)),
    Case("tensordot int", lambda x: np.tensordot(x, DATA, axes=1), (2, 3)),
    Case("tensordot 0", lambda x: np.tensordot(x, DATA, axes=0), (2,)),
    Case("kron", lambda x: np.kron(x, DATA), (2, 2)),
    Case("kron vector", lambda x: np.kron(DATA, x), (2,)),
    Case("cross", lambda x: np.cross(x, DATA[:, :3]), (3, 3)),
    Case("cross axis", lambda x: np.cross(DATA, x, axis=0), (3, 4)),
    Case("vecdot", lambda x: np.vecdot(x, DATA), (3, 4)),
    Case("multi_dot", lambda x: np.linalg.multi_dot([DATA.T, x, x, DATA[:, 0]]), (3, 3)),
    Case("multi_dot wide", lambda x: np.linalg.multi_dot([x[:1], x, DATA]), (3, 3)),
    Case("einsum matmul", einsum("ij,jk->ik", DATA), (2, 3)),
    Case("einsum implicit", einsum("ij,jk", DATA), (2, 3)),
    Case("einsum implicit order", einsum("ba"), (2, 3)),
    Case("einsum trace", einsum("ii"), (3, 3)),
    Case("einsum diagonal", einsum("ii->i"), (3, 3)),
    Case("einsum three times", einsum("iii->i"), (2, 2, 2)),
    Case("einsum sum", einsum("ij->"), (2, 3)),
    Case("einsum transpose", einsum("ijk->kij"), (2, 3, 2)),
    Case("einsum batched", einsum("bij,bjk->bik", np.ones((2, 3, 2)) + np.arange(2)), (2, 4, 3)),
    Case("einsum elementwise", einsum("ij,ij->ij", DATA), (3, 4)),
    Case("einsum outer", einsum("i,jk->kij", DATA), (2,)),
    Case("einsum inner", einsum("ij,ij->", DATA), (3, 4)),
    Case("einsum alone label", einsum("ij,k->i", np.arange(3.0)), (2, 3)),
    Case("einsum ellipsis", einsum("...i,ij->...j", DATA[:2]), (3, 4, 2)),
    Case("einsum ellipsis broadcast", einsum("...i,...i->...", np.ones((3, 1, 2)) * 2), (4, 2)),
    Case("einsum ellipsis first", einsum("i...,i...", DATA), (3, 4)),
    Case("einsum three operands", lambda x: np.einsum("i,ij,j->", x[:3], DATA, x[1:])),
    Case("einsum quadratic", lambda x: np.einsum("ni,ij,nj->n", x, np.eye(4) + 1, x), (3, 4)),
    Case("einsum repeated and other", einsum("ii,i->", np.arange(3.0)), (3, 3)),
    Case("einsum broadcast length one", einsum("ij,jk->ik", np.ones((1, 2))), (2, 3)),
    Case("einsum interleaved", lambda x: np.einsum(x, [0, 1], DATA, [1, 2], [2, 0]), (2, 3)),
    Case("einsum interleaved ellipsis", lambda x: np.einsum(x, [Ellipsis, 1], DATA, [1, 2]), (2, 3)),
    Case("einsum no optimize", lambda x: np.einsum("i,ij,j->i", x[:3], DATA, x[1:], optimize=False)),
]

CASES = JOINING + SELECTION + SEQUENCES + STATISTICS + PRODUCTS


def cases(table: list[Case]) -> Any:
    return pytest.mark.parametrize("case", table, ids=lambda case: case.name)


@cases(CASES)
def test_the_value_is_that_of_numpy(case: Case) -> None:
    x = point(case)
    expected, found = case.function(x), ad.compile(case.function)(x)
    if not isinstance(expected, (tuple, list)):
        expected, found = (expected,), (found,)
    assert len(expected) == len(found)
    for e, f in zip(expected, found, strict=True):
        assert np.shape(f) == np.shape(e)
        assert np.asarray(f).dtype == np.asarray(e).dtype
        np.testing.assert_allclose(f, e, rtol=1e-12, atol=1e-13)


@cases(CASES)
def test_the_jacobian_equals_central_differences_in_both_modes(case: Case, difference_jacobian: Differences) -> None:
    x, f = point(case), flat_result(case)
    expected = difference_jacobian(f, x).reshape(-1, *x.shape)
    compiled = ad.compile(f)
    backward, forward = ad.jacobian(compiled, x, mode=ad.Reverse), ad.jacobian(compiled, x, mode=ad.Forward)
    np.testing.assert_allclose(backward, expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(forward, backward, rtol=1e-12, atol=1e-12)


@cases([case for case in CASES if case.smooth])
def test_the_second_derivatives_equal_central_differences_of_the_first(
    case: Case, difference_jacobian: Differences
) -> None:
    x, f = point(case), flat_result(case)
    weights = np.random.default_rng(3).normal(size=np.shape(f(x)))

    def scalar(x: Any) -> Any:
        return np.sum(weights * np.sin(f(x)))

    gradient = ad.compile(lambda x: ad.gradient(scalar, x))
    expected = difference_jacobian(gradient, x).reshape(x.shape * 2)
    np.testing.assert_allclose(ad.hessian(scalar, x), expected, rtol=1e-7, atol=1e-7)


EMPTY = [
    Case("sum", np.sum, (0,)),
    Case("sum axis", lambda x: np.sum(x, axis=0), (0, 3)),
    Case("prod", np.prod, (0,)),
    Case("cumsum", np.cumsum, (0,)),
    Case("sort", np.sort, (0,)),
    Case("concatenate", lambda x: np.concatenate([x, [1.0]]), (0,)),
    Case("matmul", lambda x: x @ np.ones((0, 2)), (3, 0)),
    Case("einsum", einsum("ij,jk->ik", np.ones((0, 2))), (3, 0)),
    Case("roll", lambda x: np.roll(x, 2), (0,)),
    Case("tril", np.tril, (0, 3)),
    Case("diag", np.diag, (0,)),
    Case("diff", np.diff, (1,)),
    Case("repeat", lambda x: np.repeat(x, 0), (3,)),
    Case("tile", lambda x: np.tile(x, 0), (3,)),
    Case("take", lambda x: np.take(x, np.zeros(0, int)), (3,)),
    Case("mask", lambda x: x[np.zeros(3, bool)], (3,)),
    Case("kron", lambda x: np.kron(x, np.ones(2)), (0,)),
    Case("stack", lambda x: np.stack([x, x]), (0, 2)),
    Case("split", lambda x: np.array_split(x, 4)[3], (3,)),
    Case("max initial", lambda x: np.max(x, initial=2.0), (0,)),
    Case("linspace", lambda x: np.linspace(x[0], 1.0, 1), (1,)),
    Case("var of one", lambda x: np.var(x, axis=0), (1, 3)),
    Case("median of one", np.median, (1,)),
]


@cases(EMPTY)
def test_empty_arrays_and_axes_of_length_one(case: Case, difference_jacobian: Differences) -> None:
    x, f = point(case), flat_result(case)
    np.testing.assert_array_equal(ad.compile(case.function)(x), case.function(x))
    jacobian = ad.jacobian(f, x, mode=ad.Reverse)
    assert jacobian.shape == f(x).shape + x.shape
    np.testing.assert_allclose(jacobian, difference_jacobian(f, x).reshape(jacobian.shape), atol=1e-8)
    np.testing.assert_allclose(ad.jacobian(f, x, mode=ad.Forward), jacobian, atol=1e-13)


def test_a_tie_at_a_bound_of_clip_has_half_a_derivative() -> None:
    np.testing.assert_array_equal(
        ad.gradient(lambda x: np.sum(np.clip(x, 0.0, 1.0)), np.array([0.0, 0.5, 1.0, 2.0])), [0.5, 1.0, 0.5, 0.0]
    )


def test_sinc_is_smooth_at_zero() -> None:
    assert ad.gradient(np.sinc, 0.0) == 0.0
    np.testing.assert_allclose(ad.hessian(np.sinc, 0.0), -(np.pi**2) / 3)


def test_order_statistics_with_nan_and_infinities_are_those_of_numpy() -> None:
    for x in (np.array([1.0, np.nan, 2.0]), np.array([1.0, 2.0, np.inf]), np.array([-np.inf, 0.0, 1.0, 2.0])):
        np.testing.assert_array_equal(ad.compile(np.median)(x), np.median(x))
        np.testing.assert_array_equal(ad.compile(np.nanmedian)(x), np.nanmedian(x))


def test_functions_that_ask_about_arrays_answer_with_plain_values() -> None:
    def f(x: Any) -> Any:
        assert np.shape(x) == (2, 3)
        assert np.ndim(x) == 2
        assert np.size(x, 1) == 3
        assert not np.iscomplexobj(x)
        assert np.result_type(x, 1) == np.float64
        assert np.tril_indices_from(x)[0].tolist() == [0, 1, 1]
        assert np.shares_memory(x, x[0])
        assert not np.shares_memory(x, x * 2)
        assert np.zeros_like(x).shape == (2, 3)
        assert np.array_equal(x, np.zeros(3)) is False
        return np.sum(x)

    np.testing.assert_array_equal(ad.gradient(f, np.ones((2, 3))), np.ones((2, 3)))


def test_comparisons_with_a_tolerance_can_be_branched_on() -> None:
    def f(x: Any) -> Any:
        if np.allclose(x, x + 1e-12) and np.array_equal(x, x) and not np.array_equiv(x, x + 1):
            return np.sum(x**2)
        return np.sum(x)

    np.testing.assert_allclose(ad.gradient(f, np.array([3.0, 4.0])), [6.0, 8.0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: np.concatenate([x, np.ones((2, 2))]), "shapes"),
        (lambda x: np.reshape(x, (2, 2)), "cannot be reshaped"),
        (lambda x: x @ np.ones((2, 2)), "do not match"),
        (lambda x: np.split(x, 2), "equal parts"),
        (lambda x: np.einsum("ij,j", x, np.ones(2)), "do not fit"),
        (lambda x: np.einsum("i,i", x, np.ones(2)), "lengths"),
        (lambda x: np.cross(x[:2], x[:2]), "length 3"),
        (lambda x: np.tensordot(x, np.ones(2), 1), "differ in length"),
        (lambda x: np.linalg.cholesky(x), "matrix"),
        (lambda x: x[np.array([True, False])], "mask"),
        (lambda x: x[True], "no index"),
        (lambda x: x[5], "out of bounds"),
        (lambda x: x[0, 0], "too many"),
    ],
)
def test_shapes_that_do_not_fit_are_errors_in_words(call: Callable[[Any], Any], words: str) -> None:
    with pytest.raises((ValueError, IndexError), match=words):
        ad.gradient(lambda x: np.sum(call(x)), np.ones(3))
