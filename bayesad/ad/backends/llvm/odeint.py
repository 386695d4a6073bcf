"""Initial value problems as machine code: the slopes as a function of the module, called by a kernel that steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.subroutines import in_memory, report_failure, subroutine
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.primitives import ode_adjoint
from bayesad.ad.primitives.odes import failure, workspace_size
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["odeint", "odeint_adjoint", "odeint_steps"]


def odeint(lowering: Lowering, node: Node) -> bool:
    """Write a solve as the call of its method's kernel; a failure is noted in Python, its rows hold NaN."""
    given = node.attributes
    states, size, count = given["states"], node.inputs[0].size, node.inputs[1].size
    addresses = [in_memory(lowering, source) for source in node.inputs]
    t0 = lowering.load(addresses[2], "f", "0")[0]
    rhs = subroutine(lowering, given["body"], 2, addresses[3:])
    jacobian = rhs if given["jacobian"] is None else subroutine(lowering, given["jacobian"], 2, addresses[3:])
    offset = lowering.reserve(8 * workspace_size(given["method"], states, size))
    work = lowering.parameter("a", f"workspace {offset}")
    kernel = lowering.special(given["method"])
    status = lowering.op(
        f"call i64 {kernel}(ptr {rhs}, ptr {jacobian}, i64 {states}, i64 {size}, i64 {count}, double {t0}, "
        f"ptr {addresses[1]}, ptr {addresses[0]}, double {hexadecimal(given['rtol'])}, "
        f"double {hexadecimal(given['atol'])}, i64 {given['max_steps']}, ptr {lowering.pointer(node)}, ptr {work})"
    )
    time = lowering.load(work, "f", "0")[0]
    report_failure(lowering, status, [time], failure(given["method"], given["rtol"], given["atol"]))
    return True


def odeint_steps(lowering: Lowering, node: Node) -> bool:
    """Write a solve that keeps its steps, in the same way."""
    given = node.attributes
    states, n, count, method = given["states"], node.inputs[0].size, node.inputs[1].size, given["method"]
    y0, ts, t0, *invariants = [in_memory(lowering, source) for source in node.inputs]
    rhs = subroutine(lowering, given["body"], 2, invariants)
    work = lowering.parameter("a", f"workspace {lowering.reserve(8 * workspace_size(method, states, n))}")
    status = lowering.op(
        f"call i64 {lowering.special(f'{method}_steps')}(ptr {rhs}, i64 {states}, i64 {n}, i64 {count}, "
        f"double {lowering.load(t0, 'f', '0')[0]}, ptr {ts}, ptr {y0}, "
        f"double {hexadecimal(given['rtol'])}, double {hexadecimal(given['atol'])}, "
        f"i64 {ode_adjoint.most_steps(n, given['keeps'], given['max_steps'])}, i64 {given['keeps']}, "
        f"ptr {lowering.pointer(node)}, ptr {work})"
    )
    time = lowering.load(work, "f", "0")[0]
    report_failure(lowering, status, [time], failure(method, given["rtol"], given["atol"]))
    return True


def odeint_adjoint(lowering: Lowering, node: Node) -> bool:
    """Write the way back over the steps of a solve as the call of its method's kernel; it does not fail by itself."""
    given = node.attributes
    seeds, solved, _, _, _, *invariants = [in_memory(lowering, source) for source in node.inputs]
    n, count, method = node.inputs[2].size, node.inputs[3].size, given["method"]
    rhs = subroutine(lowering, given["body"], 2, invariants)
    pulled = subroutine(lowering, given["pulled"], 3, invariants)
    numbers = ode_adjoint.adjoint_size(method, n, node.size - n)
    work = lowering.parameter("a", f"workspace {lowering.reserve(8 * numbers)}")
    lowering.op(
        f"call i64 {lowering.special(f'{method}_adjoint')}(ptr {rhs}, ptr {pulled}, i64 {n}, i64 {node.size - n}, "
        f"i64 {count}, ptr {seeds}, ptr {solved}, i64 {given['keeps']}, "
        f"ptr {lowering.pointer(node)}, ptr {work})"
    )
    return True
