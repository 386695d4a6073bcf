"""The called functions of the vector mathematics: compiled and loaded one by one, when first needed."""

from __future__ import annotations

import functools
import hashlib
import platform
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from bayesad.ad.backends.llvm import jit
from bayesad.ad.backends.llvm.vector_math.expressions import Target, Value, define

__all__ = ["called_text", "declarations", "load"]

_lock = threading.Lock()
_loaded: dict[str, jit.Library] = {}
ATTRIBUTES = "nounwind willreturn memory(none)"


@functools.cache
def _targets() -> tuple[Target, Target]:
    """For the scalar form and for the vector form, of as many lanes as the loop vectoriser takes on this processor."""
    features = jit.features()
    fma = features.get("fma", False) or platform.machine().lower() in ("arm64", "aarch64")
    return Target(0, fma, urgent=True), Target(4 if features.get("avx") else 2, fma)


def _vector_symbol(symbol: str) -> str:
    return f"{symbol}.x{_targets()[1].lanes}"


def declarations(arities: Mapping[str, int]) -> str:
    """Declares functions, and tells the loop vectoriser of their vector forms (the Vector Function ABI of LLVM)."""
    scalar, vector = _targets()
    lines = []
    for symbol, n in arities.items():
        other = _vector_symbol(symbol)
        variant = f'"vector-function-abi-variant"="_ZGV_LLVM_N{vector.lanes}{"v" * n}_{symbol}({other})"'
        for name, target, extra in ((symbol, scalar, variant), (other, vector, "")):
            of = target.of("double")
            lines.append(f"declare {of} @{name}({', '.join([of] * n)}) {ATTRIBUTES} {extra}")
    # Nothing calls the vector forms until the loop vectoriser does.
    used = ", ".join(f"ptr @{_vector_symbol(symbol)}" for symbol in arities)
    lines.append(f'@llvm.compiler.used = appending global [{len(arities)} x ptr] [{used}], section "llvm.metadata"')
    return "\n".join(lines)


def called_text(functions: Mapping[str, Callable[[Value], Value] | None], fma: bool) -> list[str]:
    """What functions call: those of the C library are declared; others, called rarely, are not worth optimising."""
    lines = []
    for name, write in functions.items():
        if write is None:
            lines.append(f"declare double @{name}(double) {ATTRIBUTES}")
        else:
            lines.append(define(name, write, Target(0, fma), f"noinline optnone {ATTRIBUTES}", "internal")[0])
    return lines


def _text(symbol: str, write: Callable[..., Value]) -> str:
    """The scalar and the vector form of a function."""
    scalar, vector = _targets()
    text, _ = define(symbol, write, scalar, ATTRIBUTES)
    other, called = define(_vector_symbol(symbol), write, vector, ATTRIBUTES)
    return "\n".join([*called_text(called, vector.fma), text, other])


@functools.cache
def _version() -> str:
    """A digest of the sources that the functions' text is made by, which is quicker to come by than the text."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def load(symbol: str, expression: Callable[[], Callable[..., Value]]) -> Mapping[str, int]:
    """The addresses of the scalar and the vector form of a function; they stay valid.

    Parameters
    ----------
    symbol : str
    expression : callable
        Gives what writes the function; called only where its object code is not on disk.
    """
    with _lock:  # two threads must not both load it: the library that is not remembered would be freed under its users
        if symbol not in _loaded:
            key = f"{symbol} {_targets()} {_version()}"
            object_code = jit.cached_object(key, lambda: _text(symbol, expression()), straight=True)
            _loaded[symbol] = jit.load(object_code, [symbol, _vector_symbol(symbol)])
        return _loaded[symbol]
