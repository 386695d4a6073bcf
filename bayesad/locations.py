"""Where in the user's code something happens: ``file:line``, and the variable whose statement is being run."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

__all__ = ["blame", "current_line"]

_LIBRARIES = sys.stdlib_module_names | {"bayesad", "numpy", "scipy"}


def current_line() -> str:
    """``file:line`` of the innermost running statement outside bayesad, NumPy, SciPy and Python's own modules."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_library(frame):
        frame = frame.f_back
    return "unknown line" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def blame(traceback: TracebackType | None) -> tuple[str, str | None]:
    """The user's line that an exception comes from, and the variable named in the ``sample`` statement around it.

    Parameters
    ----------
    traceback : traceback
        Of the exception.

    Returns
    -------
    line : str
        ``file:line`` of the innermost user code.
    variable : str or None
        The first argument of the nearest enclosing call of ``sample``; None when there is none or the source is not
        at hand.
    """
    steps = [step for step in _steps(traceback) if not _is_library(step.tb_frame)]
    if not steps:
        return "unknown line", None
    line = f"{steps[-1].tb_frame.f_code.co_filename}:{steps[-1].tb_lineno}"
    named = (_sampled_variable(step) for step in reversed(steps))
    return line, next((name for name in named if name is not None), None)


def _is_library(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES


def _steps(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _sampled_variable(step: TracebackType) -> str | None:
    """The variable of the innermost ``sample("name", …)`` call that this step of a traceback is inside."""
    code = step.tb_frame.f_code
    first, last, start, stop = list(code.co_positions())[step.tb_lasti // 2]
    if first is None or last is None or start is None or stop is None:
        return None
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename, step.tb_frame.f_globals)))
    except SyntaxError:
        return None
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _called_name(node) == "sample"
        and (node.lineno, node.col_offset) <= (first, start)
        and (last, stop) <= (node.end_lineno or 0, node.end_col_offset or 0)
    ]
    if not calls:
        return None
    innermost = max(calls, key=lambda node: (node.lineno, node.col_offset))
    given = [*innermost.args[:1], *(k.value for k in innermost.keywords if k.arg == "name")]
    return _text(given[0]) if given else None


def _called_name(call: ast.Call) -> Any:
    return getattr(call.func, "attr", getattr(call.func, "id", None))


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
