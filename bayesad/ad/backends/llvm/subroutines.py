"""Programs as functions of their own within a module, for kernels that call them as a LogDensity.

Such a function gets its context, the memory that its inputs lie in one after the other, and the memory for its output.
The context is an array of addresses in the workspace, filled before the kernel is called: of what the program reads
beyond its inputs, which are invariants, constants, workspace and further functions.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.callbacks import noted
from bayesad.ad.backends.llvm.schedule import plan
from bayesad.ad.backends.llvm.storage import allocate
from bayesad.ad.backends.llvm.table import declaration
from bayesad.ad.backends.llvm.writer import SIZES, positions
from bayesad.ad.program import CONSTANT, INPUT, Node, Program

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["call_by_address", "in_memory", "report_failure", "subroutine"]

FEW = 16  # numbers that are copied one by one


def in_memory(lowering: Lowering, node: Node) -> str:
    """The address of a node's elements in C order, copied to the workspace unless they lie somewhere already."""
    lies_there = node.primitive in (INPUT, CONSTANT) and node.size > FEW
    if lies_there or node in lowering.schedule.stored:
        return lowering.pointer(node)
    kind = node.dtype.kind
    place = workspace(lowering, max(node.size, 1) * SIZES[kind])
    if node.size > FEW:
        lowering.copy(node, place, kind)
    else:
        for i, position in enumerate(positions(node.shape)):
            lowering.store(place, kind, str(i), lowering.value(node, position))
    return place


def call_by_address(lowering: Lowering, node: Node) -> None:
    """Call the C function of arrays that a primitive of the user's is."""
    arguments = [*[in_memory(lowering, source) for source in node.inputs], lowering.pointer(node)]
    function = lowering.special(f"address {node.primitive.address}")
    lowering.say(f"call void {function}({', '.join(f'ptr {argument}' for argument in arguments)})")


def report_failure(lowering: Lowering, status: str, details: Sequence[str], node: Node) -> None:
    """Where a kernel's status is not zero, let Python note a failure: ``node`` takes status and details as a vector."""
    good, bad = lowering.fresh("solved"), lowering.fresh("failed")
    offset = lowering.reserve(8 * (1 + len(details)))
    place = lowering.parameter("a", f"workspace {offset}")
    lowering.say(f"br i1 {lowering.op(f'icmp eq i64 {status}, 0')}, label %{good}, label %{bad}")
    lowering.label(bad)
    for i, value in enumerate([lowering.op(f"sitofp i64 {status} to double"), *details]):
        lowering.store(place, "f", str(i), (value, "f"))
    noted(lowering, node, [offset], lowering.reserve(8))
    lowering.say(f"br label %{good}")
    lowering.label(good)


def workspace(lowering: Lowering, nbytes: int) -> str:
    """The address of workspace that nothing else uses; a kernel may reach it through several pointers."""
    return lowering.parameter("a", f"workspace {lowering.reserve(nbytes)}")


def subroutine(lowering: Lowering, program: Program, n_arguments: int, invariants: Sequence[str]) -> str:
    """Write a program with one output as a function; gives the address of its pair of address and context.

    Parameters
    ----------
    n_arguments : int
        So many inputs, of float64, lie one after the other where the kernel says.
    invariants : sequence of addresses
        Of the other inputs.
    """
    schedule = plan(program)
    inner = type(lowering)(program, schedule, allocate(program, schedule), lowering)
    inner.write_body()
    name = f"@subroutine.{len(lowering.functions)}"
    context = [origin for _, origin in inner.parameters if _is_of_the_context(origin, n_arguments)]
    lowering.functions.append(_text(name, inner, context, n_arguments))
    lowering.count += inner.count
    array = workspace(lowering, 8 * (1 + len(context)))
    addresses = ["%workspace"]
    for origin in context:
        what, _, number = origin.partition(" ")
        if what == "input":
            addresses.append(invariants[int(number) - n_arguments])
        else:
            addresses.append(lowering.origin(origin))
    for i, address in enumerate(addresses):
        lowering.say(f"store ptr {address}, ptr {lowering.element(array, 'ptr', str(i))}")
    pair = workspace(lowering, 16)
    lowering.say(f"store ptr {name}, ptr {pair}")
    lowering.say(f"store ptr {array}, ptr {lowering.element(pair, 'ptr', '1')}")
    return pair


def _is_of_the_context(origin: str, n_arguments: int) -> bool:
    what, _, number = origin.partition(" ")
    return what not in ("output", "workspace") and not (what == "input" and int(number) < n_arguments)


def _text(name: str, inner: Lowering, context: Sequence[str], n_arguments: int) -> str:
    """The function around a body, and what gets the body its pointers."""
    sizes = [node.size for node in inner.program.inputs[:n_arguments]]
    starts = list(itertools.accumulate(sizes, initial=0))
    place = {origin: i for i, origin in enumerate(context, start=1)}
    lines = ["  %workspace = load ptr, ptr %context"]
    arguments = ["ptr %workspace"]
    for parameter, origin in inner.parameters:
        what, _, number = origin.partition(" ")
        if origin in place:
            lines.append(f"  {parameter}.at = getelementptr ptr, ptr %context, i64 {place[origin]}")
            lines.append(f"  {parameter} = load ptr, ptr {parameter}.at")
        elif what == "input":
            lines.append(f"  {parameter} = getelementptr double, ptr %q, i64 {starts[int(number)]}")
        elif what == "output":
            lines.append(f"  {parameter} = getelementptr double, ptr %result, i64 0")
        else:
            lines.append(f"  {parameter} = getelementptr i8, ptr %workspace, i64 {number}")
        arguments.append(f"ptr {parameter}")
    parameters = ", ".join(["ptr %workspace", *[declaration(parameter) for parameter, _ in inner.parameters]])
    return "\n".join([
        f"define internal i64 {name}.body({parameters}) alwaysinline nounwind {{",
        "entry:",
        *inner.entry,
        *inner.lines,
        "}",
        f"define internal double {name}(ptr %context, ptr %q, ptr %result) nounwind {{",
        *lines,
        f"  %status = call i64 {name}.body({', '.join(arguments)})",
        "  ret double 0.0",
        "}",
    ])  # fmt: skip
