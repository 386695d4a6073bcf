"""The reference back end: interprets a program with NumPy, one operation after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.program import CONSTANT, GUARD, Node, Program

__all__ = ["GuardFailed", "executor", "run"]


class GuardFailed(Exception):
    """The program does not apply to these inputs: a branch goes the other way."""


def executor(program: Program) -> Callable[[Sequence[Any]], list[Any]]:
    """A function from the values of the inputs to those of the outputs.

    It raises GuardFailed where a branch that was taken while tracing would not be taken now.
    """
    slots: dict[Node, int] = {node: i for i, node in enumerate(program.inputs)}
    constants: list[Any] = []

    def slot(node: Node) -> int:
        if node not in slots:
            slots[node] = len(slots)
            if node.primitive is CONSTANT:
                constants.append((slots[node], node.value[()] if node.shape == () else node.value))
        return slots[node]

    steps: list[tuple[Callable[..., Any] | None, tuple[int, ...], Any, int]] = []
    for node in program.nodes:
        operands = tuple([slot(i) for i in node.inputs])
        if node.primitive is GUARD:
            steps.append((None, operands, node.attributes["expected"], -1))
        else:
            steps.append((node.primitive.evaluate, operands, node.attributes, slot(node)))
    outputs = [slot(node) for node in program.outputs]
    template: list[Any] = [None] * len(slots)
    for i, value in constants:
        template[i] = value
    n_inputs = len(program.inputs)

    def execute(inputs: Sequence[Any]) -> list[Any]:
        values = template.copy()
        values[:n_inputs] = inputs
        with np.errstate(all="ignore"):
            for evaluate, operands, attributes, target in steps:
                if evaluate is None:
                    if bool(values[operands[0]]) is not attributes:
                        raise GuardFailed
                elif attributes:
                    values[target] = evaluate(*[values[i] for i in operands], **attributes)
                else:
                    values[target] = evaluate(*[values[i] for i in operands])
        return [values[i] for i in outputs]

    return execute


def run(program: Program, *inputs: Any) -> list[Any]:
    """The outputs of a program at plain inputs."""
    return executor(program)([np.asarray(x)[()] for x in inputs])
