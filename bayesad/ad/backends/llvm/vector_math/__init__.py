"""Vector mathematics as LLVM functions that inline into loops.

Branch-free, so that the loop vectoriser turns them into vector code; no flags on their own operations but
``contract`` where it is harmless, so that no rounding is reassociated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

from bayesad.ad.backends.llvm.vector_math.elementary import exp, expit, log, log1p, log_expit, logaddexp
from bayesad.ad.backends.llvm.vector_math.expressions import Value, define, hexadecimal

__all__ = ["INLINED", "hexadecimal", "module_text", "symbol"]

FUNCTIONS: dict[str, tuple[Callable[..., Value], int]] = {
    "exp": (exp, 1),
    "log": (log, 1),
    "log1p": (log1p, 1),
    "expit": (expit, 1),
    "log_expit": (log_expit, 1),
    "logaddexp": (logaddexp, 2),
}
INLINED = tuple(FUNCTIONS)

ATTRIBUTES = {"inlined": "alwaysinline nounwind memory(none)", "called": "noinline nounwind memory(none)"}


def symbol(name: str, *, inline: bool) -> str:
    """The LLVM name of a function: of the one that inlines into loops, or of the one to be called, for
    straight-line code where copies of it would only cost compile time."""
    return f"bayesad.{'inlined' if inline else 'called'}.{name}"


@functools.cache
def _definition(name: str) -> str:
    _, form, function = name.split(".")
    write, arity = FUNCTIONS[function]
    return define(name, ATTRIBUTES[form], write, arity)


def module_text(symbols: Iterable[str]) -> str:
    """The definitions of the functions that a module calls."""
    return "\n".join(map(_definition, symbols))
