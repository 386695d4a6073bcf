"""The table of addresses through which machine code is called, and the module around a program's body.

The function made is ``i64 @run(ptr table)``. The table holds addresses: those of inputs, outputs, constants, the
workspace, the callback, special functions and the fallback, in this order; ``Layout`` says of what. The result is 0, or
1 if a guard failed. ``double @log_density(ptr table, ptr q, ptr gradient)`` is added for programs of that form; where a
guard fails it calls the fallback.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bayesad.ad.backends.llvm import vector_math
from bayesad.ad.backends.llvm.constants import Constant
from bayesad.ad.backends.llvm.writer import Writer
from bayesad.ad.program import Node

__all__ = ["Layout", "module_text"]

# name, head, and which of the body's pointers are arguments
WRAPPERS: list[tuple[str, str, dict[str, str]]] = [
    ("run", "i64 @run(ptr %table)", {}),
    (
        "log_density",
        "double @log_density(ptr %table, ptr %q, ptr %gradient)",
        {"input 0": "%q", "output 0": "%value", "output 1": "%gradient"},
    ),
]

LOOP_HINTS = """
!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.unroll.disable"}
!2 = distinct !{!2, !1, !3}
!3 = !{!"llvm.loop.vectorize.enable", i1 false}"""


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
    n_inputs, n_outputs = len(layout.inputs), len(layout.outputs)
    first_constant = n_inputs + n_outputs
    workspace = first_constant + len(layout.constants)
    slots = {
        "input": 0,
        "output": n_inputs,
        "constant": first_constant,
        "special": workspace + 2,
    }
    body_parameters = ", ".join(["ptr %workspace", *[_declaration(name) for name, _ in body.parameters]])
    text = [
        vector_math.module_text(body.mathematics),
        *[
            f"declare double @{name}({', '.join(['double'] * arity)})"
            for name, arity in body.declared.items()
            if not name.startswith("llvm.")
        ],
        f"define internal i64 @body({body_parameters}) noinline nounwind {{",
        "entry:",
        *body.entry,
        *body.lines,
        "}",
    ]
    for name, head, given in WRAPPERS if log_density else WRAPPERS[:1]:
        text += _wrapper(body, layout, name, head, given, slots, workspace)
    text.append(LOOP_HINTS)
    return "\n".join(text)


def _wrapper(
    body: Writer,
    layout: Layout,
    name: str,
    head: str,
    given: dict[str, str],
    slots: dict[str, int],
    workspace: int,
) -> list[str]:
    """A function that gets the body's pointers from the table, or from its own arguments where ``given`` says so."""
    lines = [f"define {head} {{"]
    if name == "log_density":
        lines.append("  %value = alloca double")

    def fetch(target: str, slot: int) -> None:
        lines.append(f"  {target}.at = getelementptr ptr, ptr %table, i64 {slot}")
        lines.append(f"  {target} = load ptr, ptr {target}.at")

    fetch("%workspace", workspace)
    arguments = ["ptr %workspace"]
    for parameter, origin in body.parameters:
        if origin in given:
            arguments.append(f"ptr {given[origin]}")
            continue
        what, _, number = origin.partition(" ")
        if what == "workspace":
            lines.append(f"  {parameter} = getelementptr i8, ptr %workspace, i64 {number}")
        elif what == "callback":
            fetch(parameter, workspace + 1)
        else:
            fetch(parameter, slots[what] + int(number))
        arguments.append(f"ptr {parameter}")
    lines.append(f"  %status = call i64 @body({', '.join(arguments)})")
    if name == "run":
        return [*lines, "  ret i64 %status", "}"]
    return [
        *lines,
        "  %ok = icmp eq i64 %status, 0",
        "  br i1 %ok, label %good, label %other",
        "good:",
        "  %result = load double, ptr %value",
        "  ret double %result",
        "other:",
        f"  %fallback.at = getelementptr ptr, ptr %table, i64 {workspace + 2 + len(layout.special)}",
        "  %fallback = load ptr, ptr %fallback.at",
        "  %again = call double %fallback(ptr %table, ptr %q, ptr %gradient)",
        "  ret double %again",
        "}",
    ]


def _declaration(parameter: str) -> str:
    """Leaves, results and stored nodes do not overlap; what the callback reads and writes is also reached elsewhere."""
    return f"ptr noalias {parameter}" if parameter.startswith(("%p", "%out")) else f"ptr {parameter}"
