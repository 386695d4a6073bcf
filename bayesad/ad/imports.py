"""Calls a function when a module is imported, whoever imports it: so that nothing has to be imported in advance."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["when_imported"]

Action = Callable[[ModuleType], None]


def when_imported(name: str, action: Action) -> None:
    """Call ``action(module)`` whenever the module has been imported; at once if it is there already.

    Parameters
    ----------
    name : str
        Of the module, with the packages it is in.
    action : callable
        Called in the thread that imports, before the import statement goes on. May be called again (a module can be
        reloaded).
    """
    _watch.actions[name] = action
    if _watch not in sys.meta_path:
        sys.meta_path.insert(0, _watch)
    if name in sys.modules:
        action(importlib.import_module(name))  # another thread may be at it still: this waits


class _Watch:
    """A finder that finds nothing itself, and wraps the loaders that the others find for the modules waited for."""

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        action = self.actions.get(name)
        if action is None:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, action)  # type: ignore[assignment]
        return spec


class _Loader:
    """A loader that calls a function when the module has been executed, and leaves no trace in it."""

    def __init__(self, loader: Any, action: Action) -> None:
        self._loader, self._action = loader, action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._action(module)


_watch = _Watch()
