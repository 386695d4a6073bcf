"""Programs and machine code in colour, for terminals."""

from __future__ import annotations

import os
import re
from typing import TextIO

__all__ = ["coloured", "wants_colour"]

_CODES = {
    "comment": "2",
    "heading": "1;36",
    "type": "32",
    "operation": "34",
    "guard": "31",
    "name": "33",
    "time": "1;35",
}

# of lines of programs: the user's line, a heading of fused loops, types, guards, operations, names that are defined
_PROGRAM = re.compile(
    r"(?P<comment>(?:^|(?<=\s))#.*$)"
    r"|(?P<time>(?<=, )[\d.]+ (?:ns|µs|ms|s)\b)"
    r"|(?P<heading>^(?:loop|scalars|whole|callback|in all|workspace)\b[^:#\n]*)"
    r"|(?P<type>\b(?:f64|i64|bool)\[[\d,]*\])"
    r"|(?P<guard>\bguard(?=\())"
    r"|(?P<operation>(?<== )[a-z_][\w.]*(?=\())"
    r"|(?P<name>^ *(?:[vxc]\d+)(?=:))",
    re.MULTILINE,
)
_LLVM = re.compile(
    r"(?P<comment>;.*$)"
    r"|(?P<heading>^(?:define|declare)\b)"
    r"|(?P<guard>^[\w.]+:)"
    r"|(?P<type>\b(?:double|ptr|i\d+|<\d+ x \w+>)(?=[\s,)]))"
    r"|(?P<name>[%@][\w.]+)",
    re.MULTILINE,
)
_ASSEMBLY = re.compile(
    r"(?P<comment>#.*$)|(?P<guard>^[\w.$]+:)|(?P<operation>(?<=^\t)[a-z]\w*)|(?P<name>%\w+)",
    re.MULTILINE,
)
_PATTERNS = {"llvm": _LLVM, "asm": _ASSEMBLY}


def coloured(text: str, stage: str) -> str:
    """The text of a stage with ANSI codes for its parts."""

    def paint(match: re.Match[str]) -> str:
        return f"\x1b[{_CODES[match.lastgroup or 'comment']}m{match.group()}\x1b[0m"

    return _PATTERNS.get(stage, _PROGRAM).sub(paint, text)


def wants_colour(stream: TextIO) -> bool:
    """Whether text written to a stream is to be coloured: on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
