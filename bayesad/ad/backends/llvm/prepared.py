"""Programs prepared to run: object code and layout, kept on disk under the digest of the program they come from.

A program that was prepared before, with the same data, is neither derived, nor simplified, nor lowered again. Object
code is kept apart, under the digest of its LLVM text, which programs of the same shapes with other data share.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad.ad.backends.llvm import cache, jit
from bayesad.ad.backends.llvm.constants import Constant, view_of
from bayesad.ad.backends.llvm.digest import NotPlain, digest, plain_attributes, restored
from bayesad.ad.backends.llvm.table import Layout
from bayesad.ad.primitives.table import PRIMITIVES, Primitive
from bayesad.ad.program import CONSTANT, INPUT, Node, Program, guards_first

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowered

__all__ = ["Prepared", "decomposed", "is_log_density", "lowered_program", "prepare"]

STRAIGHT_LINE_LIMIT = 16_000  # above this many instructions, code is not optimised: compile time counts more
MOST_DATA = 16 * 2**20  # bytes of constants; with more, preparing takes little of the time that running takes
MOST_DERIVED_DATA = 4 * 2**20  # bytes of constants that are not the source's own, such as columns of a matrix


class Prepared(NamedTuple):
    layout: Layout
    object_code: bytes
    imports: Mapping[str, int]


class _Recipe(NamedTuple):
    layout: Layout
    text: str  # digest
    optimise: bool
    mathematics: tuple[str, ...]


def prepare(source: Program, wanted: str, derive: Callable[[], Program]) -> Prepared:
    """The machine code of a program that is derived from another one, from the disk if it is there.

    Parameters
    ----------
    source : Program
    wanted : str
        What is derived; with ``source`` it determines the result of ``derive``.
    derive : callable
        Makes the derived program; called only if the disk does not help.
    """

    lowered = functools.cache(lambda: lowered_program(derive()))
    key = _key(source, wanted)
    recipe = None if key is None else _read(key, source)
    if recipe is None:
        text = hashlib.sha256(lowered().text.encode()).hexdigest()
        optimise = lowered().n_instructions <= STRAIGHT_LINE_LIMIT
        recipe = _Recipe(lowered().layout, text, optimise, lowered().mathematics)
        if key is not None:
            _write(key, source, recipe)
    object_code = jit.found_object(recipe.text, optimise=recipe.optimise)
    if object_code is None:
        lowered()  # now, as rules of the user's that run in it must not wait for others while LLVM's lock is held
        object_code = jit.cached_object(recipe.text, lambda: lowered().text, optimise=recipe.optimise)
    return Prepared(recipe.layout, object_code, _addresses(recipe.mathematics))


def _addresses(mathematics: Sequence[str]) -> Mapping[str, int]:
    if not mathematics:
        return {}
    from bayesad.ad.backends.llvm import vector_math

    return vector_math.addresses(mathematics)


def decomposed(program: Program) -> Program:
    """The program as it is lowered."""
    from bayesad.ad.backends.llvm.decompose import decompose

    return decompose(guards_first(program))


def lowered_program(program: Program) -> Lowered:
    """The LLVM text of a program and what goes with it."""
    from bayesad.ad.backends.llvm.lower import lower  # the compiler: not for what the disk holds

    program = decomposed(program)
    return lower(program, log_density=is_log_density(program.inputs, program.outputs))


def is_log_density(inputs: Sequence[Node], outputs: Sequence[Node]) -> bool:
    """Whether a program computes a number, and perhaps a vector of the same length, from a vector."""
    if len(inputs) != 1 or len(outputs) not in (1, 2) or any(node.dtype.kind != "f" for node in (*inputs, *outputs)):
        return False
    return inputs[0].ndim == 1 and outputs[0].size == 1 and all(node.shape == inputs[0].shape for node in outputs[1:])


def _key(source: Program, wanted: str) -> str | None:
    if sum(node.value.nbytes for node in source.constants) > MOST_DATA:
        return None
    try:
        return jit.key(f"recipe {digest(source, wanted)}")
    except NotPlain:
        return None


# --- entries on disk: a line of JSON, then the constants that the source does not have
def _write(key: str, source: Program, recipe: _Recipe) -> None:
    layout = recipe.layout
    number = {view_of(node.value): i for i, node in enumerate(source.constants)}
    derived: list[Node] = []
    for constant in layout.constants:
        if view_of(constant.node.value) not in number:
            number[view_of(constant.node.value)] = len(source.constants) + len(derived)
            derived.append(constant.node)
    if sum(node.value.nbytes for node in derived) > MOST_DERIVED_DATA:
        return
    try:
        callbacks = [
            (node.primitive.name, plain_attributes(node), _described(node.inputs), *_described([node]), offsets, target)
            for node, offsets, target in layout.callbacks
        ]
    except NotPlain:
        return
    header = {
        "text": recipe.text,
        "optimise": recipe.optimise,
        "mathematics": recipe.mathematics,
        "inputs": _described(layout.inputs),
        "outputs": _described(layout.outputs),
        "constants": [(number[view_of(node.value)], form, size) for node, form, size in layout.constants],
        "derived": _described(derived),
        "workspace_size": layout.workspace_size,
        "special": layout.special,
        "callbacks": callbacks,
    }
    data = [np.ascontiguousarray(node.value).tobytes() for node in derived]
    cache.write(key, json.dumps(header).encode() + b"\n" + b"".join(data))


def _read(key: str, source: Program) -> _Recipe | None:
    entry = cache.read(key)
    if entry is None:
        return None
    line, _, data = entry.partition(b"\n")
    header = json.loads(line)
    if any(name not in PRIMITIVES for name, *_ in header["callbacks"]):  # of a module that is not imported yet
        return None
    constants = [*source.constants, *_leaves(CONSTANT, header["derived"], data)]
    layout = Layout(
        tuple(_leaves(INPUT, header["inputs"])),
        tuple(_leaves(INPUT, header["outputs"])),
        [Constant(constants[i], form, size) for i, form, size in header["constants"]],
        header["workspace_size"],
        header["special"],
        [
            (_node(PRIMITIVES[name], described, attributes, _leaves(INPUT, operands)), offsets, target)
            for name, attributes, operands, described, offsets, target in header["callbacks"]
        ],
    )
    return _Recipe(layout, header["text"], header["optimise"], tuple(header["mathematics"]))


def _described(nodes: Sequence[Node]) -> list[tuple[tuple[int, ...], str]]:
    return [(node.shape, node.dtype.char) for node in nodes]


def _leaves(primitive: Primitive, described: Sequence[Any], data: bytes = b"") -> list[Node]:
    """Inputs, or constants of the given data."""
    leaves, start = [], 0
    for shape, char in described:
        leaf = Node(primitive, (), {}, tuple(shape), np.dtype(char))
        if primitive is CONSTANT:
            leaf.value = np.frombuffer(data, leaf.dtype, leaf.size, start).reshape(leaf.shape).copy()
            start += leaf.value.nbytes
        leaves.append(leaf)
    return leaves


def _node(primitive: Primitive, described: Any, attributes: Sequence[Any], operands: Sequence[Node]) -> Node:
    shape, char = described
    given = {key: restored(value) for key, value in attributes}
    return Node(primitive, tuple(operands), given, tuple(shape), np.dtype(char))
