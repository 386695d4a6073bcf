"""What a program becomes below the programs: its fused loops, the LLVM text for them and the machine's assembly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bayesad.ad.costs import flops
from bayesad.ad.program import CONSTANT, INPUT, Node, Program, statements

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.schedule import Schedule

__all__ = ["STAGES", "show"]

STAGES = ("fused", "llvm", "asm")


def show(program: Program, stage: str, inputs: Sequence[Any] | None = None) -> str:
    """One of the stages for a program, as text; with ``inputs``, the fused stage has measured times of its steps."""
    from bayesad.ad.backends.llvm import jit, prepared

    if stage == "fused":
        return "\n".join(_fused(prepared.decomposed(program), inputs))
    text = prepared.lowered_program(program).text
    return text if stage == "llvm" else jit.assembly(text)


class _Step(NamedTuple):
    """A step of a schedule; scalars that follow each other are one."""

    title: str
    nodes: list[Node]


def _fused(program: Program, inputs: Sequence[Any] | None) -> Iterator[str]:
    """The steps of a program in order, with estimates of their work and of what they read and write in memory."""
    from bayesad.ad.backends.llvm.lower import lower
    from bayesad.ad.backends.llvm.schedule import plan
    from bayesad.ad.backends.llvm.step_times import step_times

    schedule = plan(program)
    layout = lower(program).layout
    steps = list(_steps(schedule, {node for node, _, _ in layout.callbacks}))
    text = statements(program, [node for step in steps for node in step.nodes])
    work = [_work(step.nodes, schedule) for step in steps]
    times = [] if inputs is None else step_times(program, schedule, [step.nodes for step in steps], inputs)
    for i, step in enumerate(steps):
        yield f"{step.title}:  {_described(work[i], times[i] if times else None)}"
        yield from (f"  {text[node]}" for node in step.nodes)
    total = _Work(sum(w.flops for w in work), sum(w.read for w in work), sum(w.written for w in work))
    yield f"in all:  {_described(total, sum(times) if times else None)}"
    if times:
        yield "times: each step compiled alone, what it reads in the cache; the shortest of several measurements"
    data = sum(constant.node.value.nbytes for constant in layout.constants)
    yield f"workspace: {layout.workspace_size} bytes; data: {data} bytes; callbacks: {len(layout.callbacks)}"


def _steps(schedule: Schedule, callbacks: set[Node]) -> Iterator[_Step]:
    from bayesad.ad.backends.llvm.fused import describe
    from bayesad.ad.backends.llvm.schedule import Loop

    scalars: list[Node] = []
    for step in [*schedule.steps, None]:
        if step is not None and not isinstance(step, Loop) and schedule.kinds[step] != "whole":
            scalars.append(step)
            continue
        if scalars:
            yield _Step("scalars", scalars)
            scalars = []
        if isinstance(step, Loop):
            yield _Step(describe(step), step.nodes)
        elif step is not None:
            yield _Step("callback into NumPy" if step in callbacks else "whole array", [step])


class _Work(NamedTuple):
    """Floating-point operations, and bytes read from memory and written to it, each array once."""

    flops: float
    read: int
    written: int


def _work(nodes: Sequence[Node], schedule: Schedule) -> _Work:
    own = set(nodes)
    read: dict[Node, int] = {}
    for node in nodes:
        for source in node.inputs:
            if source in own and source not in schedule.stored:
                continue
            place, size = source, source.size
            while schedule.kinds.get(place) == "view":
                place = place.inputs[0]
                size = min(size, place.size)
            in_memory = place.primitive in (INPUT, CONSTANT) or place in schedule.stored
            if place not in own and in_memory and place.shape:
                read[place] = max(read.get(place, 0), size * place.dtype.itemsize)
    written = sum(node.size * node.dtype.itemsize for node in nodes if node in schedule.stored)
    return _Work(sum(map(flops, nodes)), sum(read.values()), written)


def _described(work: _Work, seconds: float | None) -> str:
    moved = f"reads {_scaled(work.read, 1024)}B, writes {_scaled(work.written, 1024)}B"
    estimates = f"{'? ' if math.isnan(work.flops) else _scaled(work.flops, 1000)}flop, {moved}"
    if not seconds:
        return estimates if seconds is None else f"{estimates}, 0 ns"
    rates = f"{work.flops / seconds / 1e9:.3g} Gflop/s, {(work.read + work.written) / seconds / 1e9:.3g} GB/s"
    return f"{estimates}, {_duration(seconds)} ({rates})"


def _scaled(x: float, base: int) -> str:
    """Three digits and the prefix of the unit: powers of 1000, or of 1024 for bytes."""
    prefixes = (" ", " k", " M", " G", " T") if base == 1000 else (" ", " Ki", " Mi", " Gi", " Ti")
    step = 0
    while x >= base and step < len(prefixes) - 1:
        x /= base
        step += 1
    return f"{x:.3g}{prefixes[step]}" if x < 1000 or step else f"{x:.0f}{prefixes[step]}"


def _duration(seconds: float) -> str:
    for unit, length in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
