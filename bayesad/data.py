"""Data for models: nested lists and foreign arrays become read-only NumPy arrays of float64, int64 or bool."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bayesad.errors import DataError

__all__ = ["as_data"]


def as_data(x: Any, name: str) -> Any:
    """A data argument in the form in which a model sees it.

    Arrays, nested lists and tuples of numbers, ranges and objects with ``__array__`` (pandas Series, xarray DataArray)
    become read-only arrays of int64, float64 or bool; None inside a list of numbers and masked entries become NaN;
    lists of strings become arrays of strings. Mappings and sequences of anything else are converted element by
    element. Scalars, strings, callables, distributions, tables and whatever else pass unchanged.

    Parameters
    ----------
    x : object
    name : str
        Of the argument, for messages.

    Returns
    -------
    object

    Raises
    ------
    DataError
        For ragged lists, lists that mix numbers and text, and integers beyond 64 bits.
    """
    if isinstance(x, np.ndarray):
        if "numpy.ma" in sys.modules and isinstance(x, np.ma.MaskedArray):  # importing it to find out costs time
            return _frozen(np.ma.filled(x.astype(np.float64), np.nan) if np.ma.is_masked(x) else x.data, name)
        return as_data(x.tolist(), name) if x.dtype.kind == "O" and x.ndim else _frozen(x, name)
    if isinstance(x, Mapping):
        return {key: as_data(value, f"{name}[{key!r}]") for key, value in x.items()}
    if isinstance(x, (list, tuple, range)):
        return _from_sequence(x, name)
    if hasattr(x, "__array__") and not isinstance(x, np.generic) and not hasattr(x, "columns"):
        return as_data(np.asarray(x), name)
    return x


def _from_sequence(x: Any, name: str) -> Any:
    try:
        array = np.array(x)
    except ValueError:
        array = None
    if array is not None and array.dtype.kind in "biuf":
        return _frozen(array, name)
    leaves = list(_leaves(x))
    numbers = [_is_number(leaf) for leaf in leaves]
    if all(numbers):
        if array is None:
            raise DataError(f"data argument {name!r} is a ragged list: {_raggedness(x)}; make its rows equally long")
        return _frozen(array.astype(np.float64), name)
    texts = [isinstance(leaf, str) for leaf in leaves]
    if all(texts) and array is not None:
        return _frozen(array, name)
    if any(texts) and any(numbers) and all(a or b for a, b in zip(texts, numbers, strict=True)):
        raise DataError(
            f"data argument {name!r} mixes numbers and text in one list, for example {leaves[texts.index(True)]!r}"
        )
    converted = [as_data(value, f"{name}[{i}]") for i, value in enumerate(x)]
    if isinstance(x, tuple):
        return type(x)(*converted) if hasattr(x, "_fields") else tuple(converted)
    return converted


def _leaves(x: Any) -> Iterator[Any]:
    for value in x:
        if isinstance(value, (list, tuple, range)):
            yield from _leaves(value)
        else:
            yield value


def _is_number(x: Any) -> bool:
    """Whether x can be an element (or, for arrays, a block of elements) of a numeric array; None is a missing one."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "biuf"
    return x is None or isinstance(x, (int, float, np.number, np.bool_))


def _raggedness(x: Any) -> str:
    """The first two neighbours of different shape, in words."""
    shapes = [_shape(row) for row in x]
    for i, shape in enumerate(shapes):
        if shape is None:
            return f"within entry {i}, {_raggedness(x[i])}"
        if shape != shapes[0]:
            return f"entry 0 has shape {shapes[0]}, entry {i} has shape {shape}"
    return "its entries differ in shape"


def _shape(x: Any) -> tuple[int, ...] | None:
    try:
        return np.shape(x)
    except ValueError:
        return None


def _frozen(x: np.ndarray, name: str) -> np.ndarray:
    """A read-only copy with one of the standard dtypes."""
    kind = x.dtype.kind
    if kind == "u" and x.size and x.max() > np.iinfo(np.int64).max:
        raise DataError(f"data argument {name!r} has the integer {x.max()}, beyond 64 bits; give it as a float")
    standard = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}.get(kind, x.dtype)
    copy = np.array(x, dtype=standard, copy=True, subok=False)
    copy.setflags(write=False)
    return copy
