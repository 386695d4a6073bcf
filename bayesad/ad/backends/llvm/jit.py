"""LLVM text to object code to loaded addresses; knows nothing of what the text computes.

llvmlite is imported when something is first compiled or loaded, so importing this module is free. One lock
guards every use of LLVM. Keep addresses of data out of the text: export a global and fill it after loading, so
that the object code stays cacheable.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from bayesad.ad.backends.llvm import cache

__all__ = [
    "Library",
    "assembly",
    "build",
    "cached_object",
    "compile_object",
    "features",
    "found_object",
    "key",
    "load",
    "optimised_ir",
]

_SPEED_LEVEL = 2
_PIPELINE = {
    "loop_vectorization": True,
    # Its time explodes on long straight-line code.
    "slp_vectorization": False,
    # These cost compile time and slow short loops down.
    "loop_interleaving": False,
    "loop_unrolling": False,
}

NO_IMPORTS: Mapping[str, int] = {}

_lock = threading.RLock()
_library_numbers = itertools.count()


class Library(Mapping[str, int]):
    """Loaded machine code: a mapping from symbol to address, valid for as long as this object lives."""

    def __init__(self, tracker: Any, symbols: Iterable[str]) -> None:
        self._tracker = tracker
        self._addresses = {symbol: tracker[symbol] for symbol in symbols}

    def __getitem__(self, symbol: str) -> int:
        return self._addresses[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)


class _Engine(NamedTuple):
    """What is made once per process, and its description for the cache's key."""

    llvm: Any
    target_machine: Any
    quick_target_machine: Any
    """Generates code without optimising: linear in its length, which the other is not for long straight-line code."""
    jit: Any
    description: str


@functools.cache
def _engine() -> _Engine:
    import llvmlite
    from llvmlite import binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    target_machine, quick_target_machine = (
        llvm.Target.from_default_triple().create_target_machine(
            cpu=cpu, features=features, opt=level, reloc="pic", codemodel=_code_model(), jit=True
        )
        for level in (_SPEED_LEVEL, 0)
    )
    versions = f"llvmlite {llvmlite.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}"
    return _Engine(
        llvm,
        target_machine,
        quick_target_machine,
        llvm.create_lljit_compiler(target_machine),
        f"{versions}, {target_machine.triple}, {cpu}, {features}, {_code_model()}, {_SPEED_LEVEL}, {_PIPELINE}",
    )


def _code_model() -> str:
    on_windows_arm = platform.system() == "Windows" and platform.machine() == "ARM64"
    return "small" if on_windows_arm else "default"


def features() -> Mapping[str, bool]:
    """What the processor can do, by LLVM's names."""
    with _lock:
        return dict(_engine().llvm.get_host_cpu_features())


def _machine(optimise: bool) -> Any:
    return _engine().target_machine if optimise else _engine().quick_target_machine


def _optimised_module(text: str, optimise: bool, straight: bool = False) -> Any:
    """Parse and verify LLVM text and run the passes on it; the caller holds the lock."""
    llvm, target_machine = _engine()[:2]
    module = llvm.parse_assembly(text)
    module.triple = target_machine.triple
    module.data_layout = str(target_machine.target_data)
    module.verify()
    if optimise:
        options = llvm.create_pipeline_tuning_options(speed_level=_SPEED_LEVEL)
        for option, value in _PIPELINE.items():
            setattr(options, option, value)
        builder = llvm.create_pass_builder(target_machine, options)
        passes = builder.getModulePassManager()
        if straight:
            passes = llvm.create_new_module_pass_manager()
            passes.add_instruction_combine_pass()
            passes.add_simplify_cfg_pass()
        passes.run(module, builder)
    return module


def optimised_ir(text: str, *, optimise: bool = True) -> str:
    """LLVM text as it stands after the optimisation passes, for inspection."""
    with _lock:
        return str(_optimised_module(text, optimise))


def assembly(text: str, *, optimise: bool = True) -> str:
    """Assembly of this machine for LLVM text, for inspection."""
    with _lock:
        return _machine(optimise).emit_assembly(_optimised_module(text, optimise))


def compile_object(text: str, *, optimise: bool = True, straight: bool = False) -> bytes:
    """Object code of this machine for LLVM text; nothing is looked up in the cache or put there.

    Parameters
    ----------
    text : str
        An LLVM module. Its triple and data layout are set here.
    optimise : bool
        False skips the passes: ten times faster to compile and up to twice slower to run, the better choice
        for very long straight-line code.
    straight : bool
        The text has no loops and nothing to inline: instructions are combined, and no other passes are run.

    Raises
    ------
    RuntimeError
        If the text is not valid LLVM.
    """
    with _lock:
        return _machine(optimise).emit_object(_optimised_module(text, optimise, straight))


def load(object_code: bytes, symbols: Iterable[str], imports: Mapping[str, int] = NO_IMPORTS) -> Library:
    """Link object code into this process; symbols it lacks are looked up among those of the process.

    Parameters
    ----------
    imports : mapping
        Addresses of further symbols that the object code may refer to.

    Returns
    -------
    Library
        The addresses of `symbols`; keep it for as long as any of them is in use.

    Raises
    ------
    RuntimeError
        If the object code is not readable or refers to or lacks a symbol.
    """
    symbols = tuple(symbols)
    with _lock:
        engine = _engine()
        builder = engine.llvm.JITLibraryBuilder().add_object_img(object_code).add_current_process()
        for symbol in symbols:
            builder.export_symbol(symbol)
        for symbol, address in imports.items():
            builder.import_symbol(symbol, address)
        return Library(builder.link(engine.jit, f"bayesad.{next(_library_numbers)}"), symbols)


def key(source: str) -> str:
    """The cache's key for what `source` determines on this machine: processor, options, versions of LLVM."""
    with _lock:
        return hashlib.sha256(f"{_engine().description}\n{source}".encode()).hexdigest()


def _entry(source: str, optimise: bool) -> str:
    return key(f"optimise={optimise}\n{source}")


def found_object(source: str, *, optimise: bool = True) -> bytes | None:
    """Object code for the LLVM text that `source` determines, if the cache has it."""
    return cache.read(_entry(source, optimise))


def cached_object(source: str, text: Callable[[], str], *, optimise: bool = True, straight: bool = False) -> bytes:
    """Object code for the LLVM text that `source` determines, from the cache or compiled now.

    Parameters
    ----------
    source : str
        Whatever fixes the text completely: the text itself, or something quicker to come by.
    text : callable
        Gives the LLVM text; called only when the cache has no entry.
    optimise, straight : bool
        See `compile_object`; `source` determines ``straight`` too.
    """
    with _lock:
        entry = _entry(source, optimise)
        object_code = cache.read(entry)
        if object_code is None:
            object_code = compile_object(text(), optimise=optimise, straight=straight)
            cache.write(entry, object_code)
        return object_code


def build(
    text: str, symbols: Iterable[str], *, imports: Mapping[str, int] = NO_IMPORTS, optimise: bool = True
) -> Library:
    """Compile LLVM text, or take its object code from the cache, and load it."""
    return load(cached_object(text, lambda: text, optimise=optimise), symbols, imports)
