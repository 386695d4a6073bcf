"""Digests of programs: what two programs share exactly when everything made of them is the same."""

from __future__ import annotations

import functools
import hashlib
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bayesad.ad.primitives.indexing import Index
from bayesad.ad.primitives.table import PRIMITIVES, Primitive
from bayesad.ad.program import GUARD, Node, Program

__all__ = ["NotPlain", "digest", "plain", "plain_attributes", "restored"]


class NotPlain(Exception):
    """Something in a program has no lasting description, such as a function of the user's."""


def digest(program: Program, wanted: str) -> str:
    """A digest of a program, its data, and what is wanted of it.

    Data count, as what simplification and lowering do may depend on their values. Names and lines do not.

    Raises
    ------
    NotPlain
        If the program has operations or attributes of the user's own.
    """
    leaves = (*program.inputs, *program.constants)
    number = {node: i for i, node in enumerate(leaves)}
    kinds: dict[Primitive, int] = {}
    operations = array("q")  # for each its kind, the number of its operands, and which these are
    attributes = []
    for node in program.nodes:
        kind = kinds.get(node.primitive)
        if kind is None:
            kind = kinds[node.primitive] = _checked(node.primitive, len(kinds))
        operations.extend((kind, len(node.inputs), *[number[i] for i in node.inputs]))
        if node.attributes:
            attributes.append((len(number), [(key, _told(value)) for key, value in node.attributes.items()]))
        number[node] = len(number)
    described = (
        wanted,
        len(program.inputs),
        [(node.shape, node.dtype.char) for node in leaves],
        [primitive.name for primitive in kinds],
        attributes,
        [number[node] for node in program.outputs],
    )
    whole = hashlib.sha256(_sources() + repr(described).encode())
    whole.update(operations)
    for node in program.constants:
        whole.update(np.ascontiguousarray(node.value).data)
    return whole.hexdigest()


def _checked(primitive: Primitive, number: int) -> int:
    """The number, if the primitive is one of the table's."""
    if PRIMITIVES.get(primitive.name) is not primitive and primitive is not GUARD:
        raise NotPlain(primitive.name)
    return number


def _told(value: Any) -> Any:
    """An attribute in terms of what Python prints in one way."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is tuple:
        return tuple([_told(x) for x in value])
    if kind is Index:
        return "index", value.items
    if kind is Program:
        return "program", digest(value, "")
    if isinstance(value, np.dtype):
        return "dtype", value.char
    raise NotPlain(kind.__name__)


@functools.cache
def _sources() -> bytes:
    """A digest of the package's code for programs and of the version of NumPy, which evaluates what is constant.

    The code is told by its files' places, sizes and times of change, as Python does for bytecode: reading it all would
    take longer than tracing a small model.
    """
    files = sorted(_python_files(str(Path(__file__).parents[2])))
    return hashlib.sha256(repr((np.__version__, files)).encode()).digest()


def _python_files(folder: str) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of change of each Python file in a folder and those in it."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _python_files(entry.path)
        elif entry.name.endswith(".py"):
            status = entry.stat()
            yield entry.path, status.st_size, status.st_mtime_ns


# --- attributes as what JSON can hold
def plain_attributes(node: Node) -> list[Any]:
    return [[key, plain(value)] for key, value in node.attributes.items()]


def plain(value: Any) -> Any:
    """An attribute in terms of JSON, every container with its kind in front."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is tuple:
        return ["tuple", *[plain(x) for x in value]]
    if kind is Index:
        return ["index", *[plain(x) for x in value.items]]
    if isinstance(value, np.dtype):
        return ["dtype", value.char]
    raise NotPlain(kind.__name__)


def restored(value: Any) -> Any:
    """The attribute that ``plain`` was given."""
    if not isinstance(value, list):
        return value
    kind, *content = value
    if kind == "dtype":
        return np.dtype(content[0])
    items = tuple([restored(x) for x in content])
    return items if kind == "tuple" else Index(items)
