"""A function at many points at once: what it gives at each of them, whatever path it takes there."""

import numpy as np
import pytest

from bayesad import ad
from bayesad.ad.rows import map_rows

RNG = np.random.default_rng(11)


def several_results(point):
    x, y = point["x"], point["y"]
    return {"scalar": np.sum(x) * y, "matrix": np.outer(np.exp(x), x), "count": np.sum(x > 0), "positive": x > 0}


@pytest.mark.parametrize("n", [1, 2, 40])
def test_every_row_is_the_function_at_that_row(n):
    points = {"x": RNG.normal(size=(n, 3)), "y": RNG.normal(size=n)}
    found = map_rows(ad.compile(several_results), points)
    expected = [several_results({"x": points["x"][i], "y": points["y"][i]}) for i in range(n)]
    for name, stacked in found.items():
        np.testing.assert_allclose(stacked, [row[name] for row in expected], rtol=1e-14)
        assert stacked.dtype == np.asarray(expected[0][name]).dtype


def test_rows_that_take_another_path_are_not_those_of_the_first():
    def branching(x):
        return np.sqrt(x[0]) if x[0] > 0 else x[1] ** 2

    points = RNG.normal(size=(50, 2))
    expected = [branching(x) for x in points]
    np.testing.assert_allclose(map_rows(ad.compile(branching), points), expected, rtol=1e-14)


def test_rows_that_are_not_contiguous_and_results_that_are_constant_or_empty():
    points = RNG.normal(size=(4, 20)).T
    found = map_rows(ad.compile(lambda x: (x, np.arange(3.0), np.zeros((0, 2)), x[1])), points)
    np.testing.assert_array_equal(found[0], points)
    np.testing.assert_array_equal(found[1], np.tile(np.arange(3.0), (20, 1)))
    assert found[2].shape == (20, 0, 2)
    np.testing.assert_array_equal(found[3], points[:, 1])


def test_the_function_is_traced_once_for_all_rows():
    calls = []

    def f(x):
        calls.append(x)
        return 2.0 * x

    points = RNG.normal(size=(1000, 2))
    np.testing.assert_array_equal(map_rows(ad.compile(f), points), 2.0 * points)
    assert len(calls) == 1


def test_many_rows_go_through_the_loop_in_blocks():
    from bayesad.ad.backends.llvm import repeat

    def branching(x):
        return np.sqrt(x) if x > 0 else -x

    points = RNG.normal(size=2 * repeat.BLOCK + 7)
    expected = np.where(points > 0, np.sqrt(np.abs(points)), -points)
    np.testing.assert_allclose(map_rows(ad.compile(branching), points), expected, rtol=1e-14)
