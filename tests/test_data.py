"""Data conversion: what arrives in a model, and what is refused."""

import numpy as np
import pytest

import bayesad as ba
from bayesad.errors import BayesadError, DataError


def fails(kind, run, *parts):
    """The error that ``run`` raises; its message must contain all parts."""
    with pytest.raises(kind) as caught:
        run()
    for part in parts:
        assert part in str(caught.value), f"{part!r} is not in: {caught.value}"
    assert isinstance(caught.value, BayesadError)


def seen_by_model(x):
    """A data argument as it arrives in a model."""
    seen = []

    @ba.model
    def look(x):
        seen.append(x)

    look(x=x)
    return seen[0]


@pytest.mark.parametrize(
    ("given", "dtype", "values"),
    [
        ([1, 2, 3], np.int64, [1, 2, 3]),
        ([1, 2.5], np.float64, [1.0, 2.5]),
        ([True, False], np.bool_, [True, False]),
        ([[1, 2], [3, 4]], np.int64, [[1, 2], [3, 4]]),
        ((1.0, 2.0), np.float64, [1.0, 2.0]),
        (range(3), np.int64, [0, 1, 2]),
        ([], np.float64, []),
        ([1, None, 3], np.float64, [1.0, np.nan, 3.0]),
        ([[None, 2], [3, 4]], np.float64, [[np.nan, 2.0], [3.0, 4.0]]),
        ([np.array([1, 2]), np.array([3, 4])], np.int64, [[1, 2], [3, 4]]),
        (np.array([1, 2], dtype=np.int32), np.int64, [1, 2]),
        (np.array([1, 2], dtype=np.uint8), np.int64, [1, 2]),
        (np.array([1.5, 2.5], dtype=np.float32), np.float64, [1.5, 2.5]),
        (np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]), np.float64, [1.0, np.nan, 3.0]),
        (np.ma.masked_array([1, 2, 3]), np.int64, [1, 2, 3]),
    ],
)
def test_lists_and_arrays_become_read_only_arrays_of_standard_types(given, dtype, values):
    x = seen_by_model(given)
    assert type(x) is np.ndarray
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, values)
    assert not x.flags.writeable


def test_series_and_data_arrays_become_arrays():
    import pandas as pd
    import xarray as xr

    for foreign in (pd.Series([1, 2], name="y"), xr.DataArray([1, 2])):
        x = seen_by_model(foreign)
        assert type(x) is np.ndarray
        assert x.dtype == np.int64
    table = pd.DataFrame({"a": [1, 2], "b": ["u", "v"]})
    assert seen_by_model(table) is table


def test_scalars_strings_callables_and_distributions_pass_unchanged():
    for x in (3, 2.5, True, "text", None, np.float64(1.5), len, ba.Normal(0, 1)):
        assert seen_by_model(x) is x


def test_lists_of_other_things_keep_their_elements():
    laws = [ba.Normal(0, 1), ba.Cauchy(0, 1)]
    assert seen_by_model(laws) == laws
    mixed = seen_by_model({"rows": [1, 2], "law": laws[0]})
    assert mixed["law"] is laws[0]
    assert mixed["rows"].dtype == np.int64
    np.testing.assert_array_equal(seen_by_model(["b", "a"]), ["b", "a"])


def test_a_later_change_of_the_callers_array_does_not_reach_the_model():
    y = np.array([1.0, 2.0])

    @ba.model
    def m(y):
        ba.sample("y", ba.Normal(ba.sample("mu", ba.Normal(0, 1)), 1), obs=y)

    posterior = m(y=y)
    before = posterior.neg_log_posterior({"mu": 0.0})
    y[:] = 100.0
    assert m(y=[1.0, 2.0]).neg_log_posterior({"mu": 0.0}) == before
    assert posterior.neg_log_posterior({"mu": 0.0}) == before
    assert y.flags.writeable


def test_what_data_alone_determine_is_plain():
    seen = {}

    @ba.model
    def m(y, group):
        mu = ba.sample("mu", ba.Normal(0, 1), shape=max(group) + 1)
        labels, counts = np.unique(group, return_counts=True)
        seen.update(mask=y > 1, labels=labels, counts=counts, mean=y.mean())
        value = ba.sample("y", ba.Normal(mu[group], 1), obs=y)
        seen["value"] = value

    m(y=[0.5, 1.5, 2.5], group=[0, 1, 1])
    assert all(isinstance(x, (np.ndarray, np.generic)) for x in seen.values())
    assert seen["counts"].tolist() == [1, 2]
    assert not seen["value"].flags.writeable


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([[1, 2], [3]], "entry 0 has shape (2,), entry 1 has shape (1,)"),
        ([1, [2, 3]], "entry 0 has shape (), entry 1 has shape (2,)"),
        ([[[1], [2, 3]], [[4], [5]]], "within entry 0, entry 0 has shape (1,), entry 1 has shape (2,)"),
    ],
)
def test_a_ragged_list_is_an_error_that_shows_where(given, words):
    fails(DataError, lambda: seen_by_model(given), "'x'", "ragged", words)


def test_numbers_mixed_with_text_are_an_error():
    fails(DataError, lambda: seen_by_model([1, "two"]), "'x'", "'two'")
