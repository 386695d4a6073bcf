"""scipy.special, imported when first used: it costs more time than starting bayesad does."""

from importlib import import_module
from typing import Any

__all__ = ["special"]


class _LazyModule:
    """Looks each name up in its module at the call, so that functions swapped while tracing are found."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


special = _LazyModule("scipy.special")
