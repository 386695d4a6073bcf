"""The table of addresses through which machine code is called, and the module around a program's body.

A table belongs to one thread. Its header holds the addresses of the program's two functions and of the next table,
and the program's number; then come the addresses of constants, the workspace, the callback and special functions,
in this order; ``Layout`` says of what. The tables of several programs of one function form a chain, which each
function goes along until it comes to a program whose guards hold:

``i64 @run(ptr table, ptr arguments)``, with the addresses of inputs and outputs as arguments, gives the number of that
program, or -1 if there is none.

``double @log_density(ptr table, ptr q, ptr gradient)`` is there for programs of that form. Its chain ends with a
header of its own, whose function is called where no guards hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.constants import Constant
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.writer import Writer

__all__ = ["HEADER", "LOG_DENSITY", "NEXT", "NUMBER", "RUN", "Layout", "declaration", "module_text"]

RUN, LOG_DENSITY, NEXT, NUMBER, HEADER = range(5)  # places in the header, and its length

LOOP_HINTS = """
!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.unroll.disable"}
!2 = distinct !{!2, !1, !3}
!3 = !{!"llvm.loop.vectorize.enable", i1 false}
!4 = distinct !{!4, !1, !5}
!5 = !{!"llvm.loop.interleave.count", i32 2}"""


@dataclass
class Layout:
    """What the table of addresses holds.

    ``callbacks`` are the nodes left to NumPy, with the offsets of their operands and results in the workspace.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    constants: list[Constant] = field(default_factory=list)
    workspace_size: int = 0
    special: list[str] = field(default_factory=list)
    callbacks: list[tuple[Node, list[int], int]] = field(default_factory=list)


def module_text(body: Writer, layout: Layout, *, log_density: bool) -> str:
    """The whole module around a function's body."""
    from bayesad.ad.backends.llvm import vector_math

    body_parameters = ", ".join(["ptr %workspace", *[declaration(name) for name, _ in body.parameters]])
    text = [
        vector_math.module_text(body.mathematics),
        *[
            f"declare double @{name}({', '.join(['double'] * arity)})"
            for name, arity in body.declared.items()
            if not name.startswith("llvm.")
        ],
        # Aligned, as a vector that is kept on the stack across two cache lines takes ten times as long to come back.
        f"define internal i64 @body({body_parameters}) noinline nounwind alignstack(64) {{",
        "entry:",
        *body.entry,
        *body.lines,
        "}",
        *body.functions,
    ]
    text += _run(body, layout)
    if log_density:
        text += _log_density(body, layout)
    text.append(LOOP_HINTS)
    return "\n".join(text)


def _run(body: Writer, layout: Layout) -> list[str]:
    lines, arguments = _pointers(body, layout, {})
    return [
        "define i64 @run(ptr %table, ptr %arguments) {",
        *lines,
        f"  %status = call i64 @body({arguments})",
        "  %holds = icmp eq i64 %status, 0",
        "  br i1 %holds, label %here, label %elsewhere",
        "here:",
        f"  %number.at = getelementptr i64, ptr %table, i64 {NUMBER}",
        "  %number = load i64, ptr %number.at",
        "  ret i64 %number",
        "elsewhere:",
        *_fetch("%next", "%table", NEXT),
        "  %is.last = icmp eq ptr %next, null",
        "  br i1 %is.last, label %nowhere, label %further",
        "nowhere:",
        "  ret i64 -1",
        "further:",
        *_fetch("%function", "%next", RUN),
        "  %found = musttail call i64 %function(ptr %next, ptr %arguments)",
        "  ret i64 %found",
        "}",
    ]


def _log_density(body: Writer, layout: Layout) -> list[str]:
    given = {"input 0": "%q", "output 0": "%value", "output 1": "%gradient"}
    lines, arguments = _pointers(body, layout, given)
    return [
        "define double @log_density(ptr %table, ptr %q, ptr %gradient) {",
        "  %value = alloca double",
        *lines,
        f"  %status = call i64 @body({arguments})",
        "  %holds = icmp eq i64 %status, 0",
        "  br i1 %holds, label %here, label %elsewhere",
        "here:",
        "  %result = load double, ptr %value",
        "  ret double %result",
        "elsewhere:",
        *_fetch("%next", "%table", NEXT),
        *_fetch("%function", "%next", LOG_DENSITY),
        "  %found = musttail call double %function(ptr %next, ptr %q, ptr %gradient)",
        "  ret double %found",
        "}",
    ]


def _pointers(body: Writer, layout: Layout, given: dict[str, str]) -> tuple[list[str], str]:
    """Instructions that get the body's pointers, but for those ``given`` by name, and the arguments of its call."""
    workspace = HEADER + len(layout.constants)
    sources = {
        "input": ("%arguments", 0),
        "output": ("%arguments", len(layout.inputs)),
        "constant": ("%table", HEADER),
        "callback": ("%table", workspace + 1),
        "special": ("%table", workspace + 2),
    }
    lines = _fetch("%workspace", "%table", workspace)
    arguments = ["ptr %workspace"]
    for parameter, origin in body.parameters:
        what, _, number = origin.partition(" ")
        if origin in given:
            arguments.append(f"ptr {given[origin]}")
            continue
        if what == "workspace":
            lines.append(f"  {parameter} = getelementptr i8, ptr %workspace, i64 {number}")
        else:
            array, first = sources[what]
            lines += _fetch(parameter, array, first + int(number or 0))
        arguments.append(f"ptr {parameter}")
    return lines, ", ".join(arguments)


def _fetch(target: str, array: str, place: int) -> list[str]:
    return [f"  {target}.at = getelementptr ptr, ptr {array}, i64 {place}", f"  {target} = load ptr, ptr {target}.at"]


def declaration(parameter: str) -> str:
    """Leaves, results and stored nodes do not overlap; what the callback reads and writes is also reached elsewhere."""
    return f"ptr noalias {parameter}" if parameter.startswith(("%p", "%out")) else f"ptr {parameter}"
