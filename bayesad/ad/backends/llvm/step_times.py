"""Measured times of the steps of a program: each compiled alone, its inputs in the cache, run again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bayesad.ad.backends.llvm.native import DTYPES, NativeProgram
from bayesad.ad.backends.llvm.repeat import run_rows
from bayesad.ad.backends.llvm.schedule import Schedule
from bayesad.ad.backends.numpy import executor
from bayesad.ad.program import CONSTANT, GUARD, INPUT, Node, Program

__all__ = ["step_times"]

SHORTEST = 2e-3  # seconds that one measurement takes at least
REPEATS = 5  # the shortest counts


class _Alone(NamedTuple):
    """A step as a program of its own, and the nodes of the whole program whose values are its inputs."""

    program: Program
    read: tuple[Node, ...]


def step_times(
    program: Program, schedule: Schedule, steps: Sequence[Sequence[Node]], inputs: Sequence[Any]
) -> list[float]:
    """Seconds that each step of a program's schedule takes, given as its nodes.

    Parameters
    ----------
    program : Program
    schedule : Schedule
    steps : sequence of sequences of Node
    inputs : arrays
        Of the program: where it is run to find what the steps read.
    """
    alone = [_alone(program, schedule, step) for step in steps]
    read = tuple(dict.fromkeys(node for part in alone for node in part.read))
    operations = tuple([node for node in program.nodes if node.primitive is not GUARD])
    values = dict(zip(read, executor(Program(program.inputs, read, operations, program.name))(inputs), strict=True))
    nothing = Node(INPUT, (), {}, (), np.dtype(np.float64))
    overhead = _seconds(_Alone(Program((nothing,), (nothing,), ()), (nothing,)), {nothing: 1.0})
    return [max(_seconds(part, values) - overhead, 0.0) for part in alone]


def _alone(program: Program, schedule: Schedule, step: Sequence[Node]) -> _Alone:
    """What a step reads is input, but for constants, and for views, through which it reads as in the whole program."""
    own = {node for node in step if node.primitive is not GUARD}
    waiting = list(own)
    while waiting:
        views = [i for i in waiting.pop().inputs if i not in own and schedule.kinds.get(i) == "view"]
        own.update(views)
        waiting += views
    nodes = [node for node in program.nodes if node in own]
    read = tuple(
        dict.fromkeys(i for node in nodes for i in node.inputs if i not in own and i.primitive is not CONSTANT)
    )
    made = {node: Node(INPUT, (), {}, node.shape, node.dtype) for node in read}
    inputs = tuple(made.values())
    for node in nodes:
        operands = tuple([made.get(i, i) for i in node.inputs])
        made[node] = Node(node.primitive, operands, node.attributes, node.shape, node.dtype)
    elsewhere = {i for node in program.nodes if node not in own for i in node.inputs} | set(program.outputs)
    outputs = [made[node] for node in step if node in own and node in elsewhere]
    return _Alone(Program(inputs, tuple(outputs), tuple([made[node] for node in nodes])), read)


def _seconds(step: _Alone, values: Mapping[Node, Any]) -> float:
    inputs = [np.ascontiguousarray(values[node], DTYPES[node.dtype.kind]) for node in step.read]
    native = NativeProgram(step.program)
    if native.layout.callbacks:
        run = executor(step.program)
        return _best(lambda n: [run(inputs) for _ in range(n)])
    outputs = [np.empty(node.shape, DTYPES[node.dtype.kind]) for node in step.program.outputs]

    def repeated(n: int) -> None:
        again = [[np.broadcast_to(x, (n, *x.shape)) for x in arrays] for arrays in (inputs, outputs)]
        run_rows([native], again[0], again[1], 0)

    return _best(repeated)


def _best(run: Callable[[int], object]) -> float:
    """Seconds of one run: the least of several measurements of many."""
    run(1)  # what is made once
    n, seconds = 1, _shortest(run, 1)
    while seconds < SHORTEST and n < 1_000_000:
        n = min(10 * n, max(2 * n, int(1.2 * n * SHORTEST / max(seconds, 1e-7))))
        seconds = _shortest(run, n)
    return seconds / n


def _shortest(run: Callable[[int], object], n: int) -> float:
    return min(_elapsed(run, n) for _ in range(REPEATS))


def _elapsed(run: Callable[[int], object], n: int) -> float:
    begin = time.perf_counter()
    run(n)
    return time.perf_counter() - begin
