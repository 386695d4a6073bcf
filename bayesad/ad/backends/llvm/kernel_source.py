"""What Python knows of a kernel function: its signature, syntax tree, references, and a fingerprint of them all."""

from __future__ import annotations

import ast
import builtins
import functools
import hashlib
import importlib.util
import inspect
import linecache
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bayesad.ad.backends.llvm.kernel_types import KINDS, NOTHING, KernelError, Kind

__all__ = ["Signature", "Sources", "attribute_of_module", "fingerprint", "global_value", "signature", "where"]


class Signature(NamedTuple):
    """The kinds of a kernel's parameters, by name, and of its result."""

    parameters: dict[str, Kind]
    result: Kind


def where(function: types.FunctionType, line: int | None = None) -> str:
    """The start of every message: file, line and kernel."""
    code = function.__code__
    return f"{code.co_filename}:{line or code.co_firstlineno}: kernel '{function.__name__}'"


@functools.lru_cache(maxsize=256)
def signature(function: types.FunctionType) -> Signature:
    """The signature that a kernel's annotations declare.

    Raises
    ------
    KernelError
        If an annotation is missing or is none of the kernels' types, or the function takes anything but plain
        positional parameters, or it is a closure.
    """
    code = function.__code__
    variadic = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    if code.co_kwonlyargcount or variadic or function.__defaults__:
        raise KernelError(
            f"{where(function)} has defaults, keyword-only or variadic parameters; declare each parameter plainly"
        )
    if code.co_freevars:
        raise KernelError(
            f"{where(function)} closes over '{code.co_freevars[0]}'; pass it or make it a module-level constant"
        )
    try:
        annotations = inspect.get_annotations(function, eval_str=True)
    except Exception as error:
        raise KernelError(f"{where(function)}: its annotations cannot be evaluated: {error}") from error
    names = code.co_varnames[: code.co_argcount]
    kinds = {name: _kind(function, name, annotations) for name in (*names, "return")}
    result = kinds.pop("return")
    for name, kind in kinds.items():
        if kind is NOTHING:
            raise KernelError(f"{where(function)}: parameter '{name}' is annotated None; {_CHOICE}")
    if result is not NOTHING and (result.element or result.name == "LogDensity"):
        raise KernelError(f"{where(function)} returns {result}; return a Float, Int, Bool, Word or None")
    return Signature(kinds, result)


_CHOICE = "annotate it with " + ", ".join(str(kind) for kind in KINDS.values() if kind is not NOTHING)


def _kind(function: types.FunctionType, name: str, annotations: dict[str, Any]) -> Kind:
    what = "the result" if name == "return" else f"parameter '{name}'"
    if name not in annotations:
        raise KernelError(f"{where(function)}: {what} has no annotation; {_CHOICE}")
    annotation = annotations[name]
    try:
        return KINDS[annotation]
    except (KeyError, TypeError):
        found = getattr(annotation, "__name__", annotation)
        raise KernelError(f"{where(function)}: {what} is annotated {found}; {_CHOICE}") from None


def global_value(function: types.FunctionType, name: str) -> Any:
    """What a name that is no local stands for; raises KeyError if for nothing."""
    if name in function.__globals__:
        return function.__globals__[name]
    return vars(builtins)[name]


def attribute_of_module(module: Any, name: str) -> Any:
    """A module's attribute; raises KeyError for anything but modules, or if it is not there."""
    if isinstance(module, types.ModuleType):
        return vars(module)[name]
    raise KeyError(name)


class Sources:
    """The syntax trees of the files that the kernels of one compilation come from."""

    def __init__(self) -> None:
        self._files: dict[str, list[tuple[types.CodeType, ast.FunctionDef]]] = {}

    def definition(self, function: types.FunctionType) -> ast.FunctionDef:
        """The syntax tree of a function, made certain to be the one Python runs.

        Raises
        ------
        KernelError
            If the source is not at hand or is no longer the one that was imported.
        """
        file = function.__code__.co_filename
        if file not in self._files:
            linecache.checkcache(file)
            text = "".join(linecache.getlines(file, function.__globals__))
            self._files[file] = list(_definitions(text, file))
        for code, definition in self._files[file]:
            if code == function.__code__:
                return definition
        raise KernelError(
            f"{where(function)}: its source is not in {file}, or has changed since it was imported; define it "
            "with 'def' in a file and start Python anew after editing"
        )


def _definitions(text: str, file: str) -> Iterator[tuple[types.CodeType, ast.FunctionDef]]:
    """Every function of a file that can be a kernel, with the code object Python makes of it."""
    try:
        tree = ast.parse(text, file)
        compiled = compile(tree, file, "exec", dont_inherit=True)
    except SyntaxError:
        return
    nodes = {}
    for node in _functions(tree):
        first_line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        nodes[node.name, first_line] = node
    todo = [compiled]
    while todo:
        code = todo.pop()
        todo.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
        if (code.co_name, code.co_firstlineno) in nodes:
            yield code, nodes[code.co_name, code.co_firstlineno]


def _functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions among the statements below a node; expressions, which hold none, are most of a tree."""
    if isinstance(node, ast.FunctionDef):
        yield node
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for statement in getattr(node, block, ()):
            yield from _functions(statement)


def fingerprint(root: types.FunctionType) -> str:
    """A digest of all that fixes a kernel's machine code.

    That is the bytecode and the signatures of the kernel and of every kernel it calls, the values of the globals
    they name, and the compiler's own source. It takes a fraction of the time of compiling to LLVM text.
    """
    functions = [root]
    parts = [_compiler_digest()]
    for function in functions:
        code = function.__code__
        parts.append(repr((code.co_code, code.co_consts, code.co_names, code.co_varnames, signature(function))))
        for name, value in _references(function):
            if isinstance(value, types.FunctionType) and _is_kernel(value):
                if value not in functions:
                    functions.append(value)
                parts.append(f"{name}: kernel {functions.index(value)}")
            else:
                parts.append(f"{name}: {_description(value)}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _references(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Every global, and attribute of a global module, that a function may name."""
    names = function.__code__.co_names
    found = [(name, function.__globals__[name]) for name in names if name in function.__globals__]
    modules: list[types.ModuleType] = []
    for path, value in found:
        yield path, value
        if isinstance(value, types.ModuleType) and value not in modules:
            modules.append(value)
            found.extend((f"{path}.{name}", vars(value)[name]) for name in names if name in vars(value))


def _is_kernel(function: types.FunctionType) -> bool:
    try:
        signature(function)
    except KernelError:
        return False
    return True


def _description(value: Any) -> str:
    if isinstance(value, bool | int | float | tuple):
        return repr(value)
    return f"{type(value).__name__} {getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


@functools.cache
def _compiler_digest() -> str:
    """Digest of the compiler's source and of Python's bytecode version."""
    digest = hashlib.sha256(importlib.util.MAGIC_NUMBER)
    for file in sorted(Path(__file__).parent.glob("kernel*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
