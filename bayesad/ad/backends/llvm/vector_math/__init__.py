"""Vector mathematics: functions of doubles as LLVM text, for scalars and for vectors.

No flags stand on their operations but ``contract`` where it is harmless, so that no rounding is reassociated; their
error bounds hold with and without FMA. A function has up to three forms:

- inlined into loops, which the loop vectoriser turns into vector code: branch-free, and worth it for short functions;
- called, a scalar: for straight-line code, where copies would only cost compile time;
- called, a vector: what the loop vectoriser makes of calls of the former. It may branch where all lanes agree.

The called forms are compiled once per machine, function by function, and kept in the cache of object code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

from bayesad.ad.backends.llvm.vector_math import library
from bayesad.ad.backends.llvm.vector_math.expressions import Target, Value, arity, define, hexadecimal

__all__ = ["FUNCTIONS", "INLINED", "addresses", "expression", "hexadecimal", "module_text", "symbol"]

FUNCTIONS: dict[str, str] = {  # name -> module and function of its expression
    "exp": "elementary.exp",
    "expm1": "elementary.expm1",
    "log": "elementary.log",
    "log1p": "elementary.log1p",
    "log1p_square": "elementary.log1p_square",
    "log1p_unit": "elementary.log1p_unit",
    "logit": "elementary.logit",
    "log_expit": "elementary.log_expit",
    "part_of_unit": "elementary.part_of_unit",
    "power": "powers.power",
    "sinh": "hyperbolic.sinh",
    "cosh": "hyperbolic.cosh",
    "tanh": "hyperbolic.tanh",
    "sin": "trigonometric.sin",
    "cos": "trigonometric.cos",
    "tan": "trigonometric.tan",
    "arctan": "trigonometric.arctan",
    "erf": "error_functions.erf",
    "erfc": "error_functions.erfc",
    "erfcx": "error_functions.erfcx",
    "scaled_erfc_integral": "error_functions.erfc_integral",
    "ndtr": "normal.ndtr",
    "log_ndtr": "normal.log_ndtr",
    "inverse_mills": "normal.inverse_mills",
    "ndtri": "normal.ndtri",
    "gammaln": "gamma.lgamma",
    "psi": "gamma.digamma",
    "trigamma": "gamma.trigamma",
}

INLINED = ("exp", "expm1", "log", "log1p", "log1p_square", "log1p_unit", "log_expit", "part_of_unit", "tanh")
"""Short and branch-free: these are inlined into loops."""

_INLINED, _CALLED = "bayesad.inlined.", "bayesad."


@functools.cache
def expression(name: str) -> Callable[..., Value]:
    """What writes a function; its module is imported when it is first asked for."""
    module, _, function = FUNCTIONS[name].partition(".")
    return getattr(import_module(f"{__name__}.{module}"), function)


def symbol(name: str, *, inline: bool) -> str:
    """The LLVM name of a function: of its inlined form if asked for and if it has one, else of its called form."""
    return (_INLINED if inline and name in INLINED else _CALLED) + name


def module_text(symbols: Iterable[str]) -> str:
    """The definitions and declarations that a module needs for the functions it calls."""
    symbols = list(symbols)
    inlined = [s.removeprefix(_INLINED) for s in symbols if s.startswith(_INLINED)]
    called = {s: arity(expression(s.removeprefix(_CALLED))) for s in symbols if not s.startswith(_INLINED)}
    attributes = "alwaysinline nounwind willreturn memory(none)"
    return "\n".join(
        [
            *[define(f"{_INLINED}{name}", expression(name), Target(), attributes, "internal")[0] for name in inlined],
            library.declarations(called) if called else "",
        ]
    )


def addresses(symbols: Iterable[str]) -> Mapping[str, int]:
    """Where the called forms among the given functions are: symbol -> address, for the linker."""
    found: dict[str, int] = {}
    for s in symbols:
        if not s.startswith(_INLINED):
            found |= library.load(s, functools.partial(expression, s.removeprefix(_CALLED)))
    return found
