"""What a program becomes below the programs: its fused loops, the LLVM text for them and the machine's assembly."""

from __future__ import annotations

from collections.abc import Iterator

from bayesad.ad.program import Node, Program, statements

__all__ = ["STAGES", "show"]

STAGES = ("fused", "llvm", "asm")


def show(program: Program, stage: str) -> str:
    """One of the stages for a program, as text."""
    from bayesad.ad.backends.llvm import jit, prepared

    if stage == "fused":
        return "\n".join(_steps(prepared.decomposed(program)))
    text = prepared.lowered_program(program).text
    return text if stage == "llvm" else jit.assembly(text)


def _steps(program: Program) -> Iterator[str]:
    """The steps of a program in order: scalars, operations on whole arrays, loops, and what memory they take."""
    from bayesad.ad.backends.llvm.fused import describe
    from bayesad.ad.backends.llvm.lower import lower
    from bayesad.ad.backends.llvm.schedule import Loop, plan

    text = statements(program)
    schedule = plan(program)
    lowered = lower(program)
    callbacks = {node for node, _, _ in lowered.layout.callbacks}
    scalars: list[Node] = []
    for step in schedule.steps:
        if not isinstance(step, Loop) and schedule.kinds[step] != "whole":
            scalars.append(step)
            continue
        yield from _paragraph("scalars", scalars, text)
        scalars = []
        if isinstance(step, Loop):
            yield from _paragraph(describe(step), step.nodes, text)
        else:
            what = "callback into NumPy" if step in callbacks else "whole array"
            yield from _paragraph(what, [step], text)
    yield from _paragraph("scalars", scalars, text)
    data = sum(constant.node.value.nbytes for constant in lowered.layout.constants)
    yield f"workspace: {lowered.layout.workspace_size} bytes; data: {data} bytes; callbacks: {len(callbacks)}"


def _paragraph(title: str, nodes: list[Node], text: dict[Node, str]) -> Iterator[str]:
    if nodes:
        yield title
        yield from (f"  {text[node]}" for node in nodes)
