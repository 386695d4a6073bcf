"""What a program becomes below the programs: the LLVM text written for it and the machine's assembly."""

from __future__ import annotations

from bayesad.ad.program import Program

__all__ = ["STAGES", "show"]

STAGES = ("llvm", "asm")


def show(program: Program, stage: str) -> str:
    """One of the stages for a program, as text."""
    from bayesad.ad.backends.llvm import jit, native

    text = native.NativeProgram(program).text
    return text if stage == "llvm" else jit.assembly(text)
