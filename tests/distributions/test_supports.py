"""Supports: what belongs to them, on plain and on traced arrays."""

import numpy as np
import pytest

from bayesad import ad
from bayesad.distributions.supports import CHOLESKY_CORR, COV, REAL, SIMPLEX, Support, contains, excludes, interior
from bayesad.errors import DistributionError

CHOL = np.array([[1.0, 0.0], [0.6, 0.8]])

# kind, support, values inside, values outside
MEMBERS = [
    (REAL, [0.0, -1e300], [np.inf, -np.inf]),
    (Support("real", lower=1.0), [1.0, 2.0, 1e300], [np.nextafter(1.0, 0.0), -5.0, np.inf]),
    (Support("real", lower=1.0, closed=(False, True)), [1.5], [1.0, 0.0]),
    (Support("real", upper=1.0), [1.0, -1e300], [1.5, -np.inf]),
    (Support("real", lower=-1.0, upper=1.0), [-1.0, 0.3, 1.0], [-1.1, 1.1]),
    (Support("real", lower=-1.0, upper=1.0, closed=(True, False)), [-1.0], [1.0]),
    (Support("integer", lower=0), [0, 1.0, 1e12], [-1, 0.5, np.inf, np.nan]),
    (Support("integer", lower=2, upper=4), [2, 4], [1, 5, 3.5]),
    (SIMPLEX, [[0.2, 0.8], [1.0, 0.0], [0.5, 0.5 + 5e-9]], [[0.5, 0.5 + 5e-8], [1.1, -0.1], [np.inf, 0.0]]),
    (Support("ordered"), [[-1.0, 2.0], [1.0, 1.0 - 5e-9]], [[1.0, 0.9], [1.0, np.inf], [-np.inf, 0.0]]),
    (Support("positive_ordered"), [[0.0, 2.0], [1.0, 1.5]], [[-0.1, 2.0], [2.0, 1.0]]),
    (Support("unit_vector"), [[0.6, -0.8]], [[0.6, 0.6], [0.0, 0.0]]),
    (Support("zero_sum"), [[1.0, -1.0], [0.0, 5e-9], [1e9, -1e9 + 1.0]], [[1.0, -1.1], [np.inf, 0.0], [1e3, 0.0]]),
    (
        Support("cholesky_cov"),
        [CHOL, 3.0 * CHOL, 1e-5 * CHOL],
        [CHOL.T, -CHOL, np.array([[1.0, 0.0], [1.0, 0.0]]), np.diag([1.0, np.inf])],
    ),
    (
        Support("cov"),
        [np.eye(2), np.array([[4.0, -1.9], [-1.9, 1.0]]), 1e-9 * np.eye(2)],
        [CHOL, np.array([[1.0, 2.0], [2.0, 1.0]]), -np.eye(2), np.diag([1.0, 0.0]), np.diag([1.0, np.inf])],
    ),
    (
        Support("corr"),
        [np.eye(2), np.array([[1.0, -0.99], [-0.99, 1.0]])],
        [2.0 * np.eye(2), np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.2], [0.1, 1.0]])],
    ),
    (
        CHOLESKY_CORR,
        [CHOL, np.eye(2)],
        [CHOL.T, -np.eye(2), 2.0 * CHOL, np.array([[1.0, 1e-6], [0.6, 0.8]]), np.array([[1.0, 0.0], [1.0, 0.0]])],
    ),
]
CASES = [pytest.param(*m, id=f"{m[0].kind}[{m[0].lower},{m[0].upper}]{m[0].closed}") for m in MEMBERS]


@pytest.mark.parametrize(("support", "inside", "outside"), CASES)
def test_members_are_told_from_others(support: Support, inside: list, outside: list) -> None:
    x = np.array(inside + outside, dtype=float)
    expected = [True] * len(inside) + [False] * len(outside)
    np.testing.assert_array_equal(contains(support, x), expected)
    np.testing.assert_array_equal([bool(contains(support, one)) for one in x], expected)


@pytest.mark.parametrize(("support", "inside", "outside"), CASES)
def test_membership_of_traced_values_is_the_same(support: Support, inside: list, outside: list) -> None:
    x = np.array(inside + outside, dtype=float)
    got = ad.compile(lambda x: np.where(contains(support, x), 1.0, 0.0))(x)
    np.testing.assert_array_equal(got, [1.0] * len(inside) + [0.0] * len(outside))


@pytest.mark.parametrize(("support", "inside", "outside"), CASES)
def test_interior_keeps_members_and_replaces_the_others(support: Support, inside: list, outside: list) -> None:
    x = np.array(inside + outside, dtype=float)
    mended = interior(support, x, excludes(support, x))
    np.testing.assert_array_equal(mended[: len(inside)], x[: len(inside)])
    assert contains(support, mended).all()


def test_not_a_number_is_neither_in_nor_excluded_from_the_reals() -> None:
    assert not contains(REAL, np.nan)
    assert not excludes(REAL, np.nan)
    assert not contains(SIMPLEX, [0.5, np.nan])
    assert not excludes(COV, [[np.nan, 0.0], [0.0, 1.0]])
    assert not excludes(SIMPLEX, [0.5, np.nan])


def test_bounds_broadcast_against_values() -> None:
    support = Support("real", lower=np.array([0.0, 1.0]), upper=np.array([[2.0], [0.5]]))
    np.testing.assert_array_equal(contains(support, 0.75), [[True, False], [False, False]])


def test_traced_bounds_are_followed() -> None:
    def above(point: dict) -> object:
        return np.sum(np.where(contains(Support("real", lower=point["low"]), np.arange(4.0)), point["low"], 0.0))

    value, gradient = ad.value_and_gradient(above, {"low": np.float64(1.5)})
    assert value == 3.0
    assert gradient["low"] == 2.0


def test_small_negative_entries_of_a_simplex_count_as_zero() -> None:
    x = np.array([1.0 + 1e-9, -1e-9])
    assert contains(SIMPLEX, x)
    np.testing.assert_array_equal(interior(SIMPLEX, x, excludes(SIMPLEX, x)), [1.0 + 1e-9, 0.0])


def test_event_axes_and_discreteness_follow_from_the_kind() -> None:
    assert [Support(kind).event_ndim for kind in ("real", "simplex", "cholesky_corr")] == [0, 1, 2]
    assert Support("integer").discrete
    assert not REAL.discrete


def test_unknown_kinds_and_bounds_that_make_no_sense_are_errors() -> None:
    with pytest.raises(DistributionError, match=r"unknown kind 'reel'.*simplex"):
        Support("reel")
    with pytest.raises(DistributionError, match="'simplex' takes no bounds"):
        Support("simplex", lower=0.0)
