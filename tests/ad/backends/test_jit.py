"""LLVM text to addresses, and the cache of object code in between."""

import ctypes
import os
import subprocess
import sys
import threading

import pytest

from bayesad.ad.backends.llvm import cache, jit

ADD = """
define double @add(double %a, double %b) {
  %c = fadd double %a, %b
  ret double %c
}
define internal double @unused(double %a) {
  ret double %a
}
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("BAYESAD_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compilations(monkeypatch):
    """Counts the calls of the compiler."""
    calls = []
    compile_object = jit.compile_object

    def counted(text, **options):
        calls.append(text)
        return compile_object(text, **options)

    monkeypatch.setattr(jit, "compile_object", counted)
    return calls


def call_add(library, a, b):
    return ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)(library["add"])(a, b)


@pytest.mark.parametrize("optimise", [True, False])
def test_build_gives_addresses_of_working_functions(optimise):
    library = jit.build(ADD, ["add"], optimise=optimise)
    assert dict(library).keys() == {"add"}
    assert call_add(library, 1.5, 2.25) == 3.75


def test_straight_code_computes_the_same():
    library = jit.load(jit.compile_object(ADD, straight=True), ["add"])
    assert call_add(library, 1.5, 2.25) == 3.75


def test_libraries_with_the_same_symbols_live_side_by_side():
    add = jit.build(ADD, ["add"])
    subtract = jit.build(ADD.replace("fadd", "fsub"), ["add"])
    assert call_add(add, 5.0, 3.0) == 8.0
    assert call_add(subtract, 5.0, 3.0) == 2.0


def test_a_library_can_be_dropped_while_others_stay():
    kept = jit.build(ADD, ["add"])
    for _ in range(3):
        dropped = jit.load(jit.compile_object(ADD), ["add"])
        assert call_add(dropped, 1.0, 1.0) == 2.0
        del dropped
    assert call_add(kept, 1.0, 2.0) == 3.0


def test_each_load_has_its_own_globals():
    text = "@data = global double 0.0\ndefine double @get() {\n %x = load double, ptr @data\n ret double %x\n}\n"
    first, second = (jit.build(text, ["data", "get"]) for _ in range(2))
    ctypes.c_double.from_address(first["data"]).value = 7.0
    values = [ctypes.CFUNCTYPE(ctypes.c_double)(library["get"])() for library in (first, second)]
    assert values == [7.0, 0.0]


def test_symbols_of_the_process_are_found():
    text = (
        "declare double @cos(double)\n"
        "define double @f(double %x) {\n %y = call double @cos(double %x)\n ret double %y\n}\n"
    )
    library = jit.build(text, ["f"])
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(library["f"])(0.0) == 1.0


def test_inspection_shows_optimised_text_and_assembly():
    assert "@unused" in jit.optimised_ir(ADD, optimise=False)
    assert "@unused" not in jit.optimised_ir(ADD)
    assert "add:" in jit.assembly(ADD)


@pytest.mark.parametrize(
    "text", ["nonsense", ADD.replace("ret double %c", ""), "define i64 @f() {\n ret double 0.0\n}\n"]
)
def test_invalid_text_is_an_error_and_leaves_nothing_in_the_cache(text):
    with pytest.raises(RuntimeError):
        jit.build(text, ["add"])
    assert cache.size() == 0


def test_a_symbol_that_is_not_there_is_an_error():
    with pytest.raises(RuntimeError, match="subtract"):
        jit.build(ADD, ["subtract"])


def test_threads_compile_and_load_at_once():
    results = {}

    def work(number):
        library = jit.build(ADD.replace("%a, %b\n", f"%a, {number}.0\n"), ["add"])
        results[number] = call_add(library, 1.0, 0.0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: 1.0 + number for number in range(6)}


def test_the_second_build_takes_the_object_from_the_cache(compilations):
    jit.build(ADD, ["add"])
    assert call_add(jit.build(ADD, ["add"]), 1.0, 2.0) == 3.0
    assert len(compilations) == 1


@pytest.mark.parametrize("change", ["text", "options"])
def test_other_text_or_options_have_entries_of_their_own(compilations, change):
    jit.build(ADD, ["add"])
    if change == "text":
        library = jit.build(ADD.replace("fadd", "fmul"), ["add"])
    else:
        library = jit.build(ADD, ["add"], optimise=False)
    assert len(compilations) == 2
    assert call_add(library, 3.0, 4.0) == (12.0 if change == "text" else 7.0)


def test_an_object_is_found_under_its_source_without_making_the_text(compilations):
    first = jit.cached_object("the source", lambda: ADD)
    assert jit.cached_object("the source", lambda: pytest.fail("text made again")) == first
    assert len(compilations) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
    ],
    ids=["empty", "no digest", "truncated", "bit flipped"],
)
def test_a_damaged_entry_is_rebuilt(folder, compilations, damage):
    jit.build(ADD, ["add"])
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert call_add(jit.build(ADD, ["add"]), 1.0, 2.0) == 3.0
    assert len(compilations) == 2
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_made_means_no_cache(monkeypatch, tmp_path, compilations):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BAYESAD_CACHE_DIR", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        assert call_add(jit.build(ADD, ["add"]), 1.0, 2.0) == 3.0
    assert len(compilations) == 2
    assert cache.size() == 0 and cache.clear() == 0


def test_a_failing_write_leaves_no_temporary_file(monkeypatch, folder):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    cache.write("key", b"entry")
    assert list(folder.iterdir()) == []


def test_entries_used_longest_ago_are_evicted(monkeypatch, folder):
    digest = 32
    monkeypatch.setattr(cache, "LIMIT", 3 * (1000 + digest))
    for age, key in enumerate(["newest", "middle", "oldest"]):
        cache.write(key, key[:1].encode() * 1000)
        os.utime(folder / f"{key}.object", (1e9 - age, 1e9 - age))
    assert cache.read("oldest") == b"o" * 1000  # a use makes it the newest
    cache.write("another", b"a" * 1000)
    assert cache.read("middle") is None
    assert [cache.read(key) is None for key in ("newest", "oldest", "another")] == [False, False, False]
    assert cache.size() == 3 * (1000 + digest)


def test_an_entry_beyond_the_limit_does_not_stay(monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 100)
    cache.write("big", b"x" * 1000)
    assert cache.size() == 0


def test_clear_frees_what_size_says_and_leaves_foreign_files(folder):
    cache.write("a", b"x" * 10)
    cache.write("b", b"x" * 20)
    (folder / "notes.txt").write_text("mine")
    size = cache.size()
    assert size == 30 + 2 * 32
    assert cache.clear() == size
    assert cache.size() == 0 and [file.name for file in folder.iterdir()] == ["notes.txt"]


def test_the_folder_is_the_variable_s_or_the_user_s(monkeypatch, folder):
    assert cache.path() == folder
    monkeypatch.delenv("BAYESAD_CACHE_DIR")
    assert cache.path().name == "bayesad" and cache.path() != folder


def test_processes_share_the_cache_safely(folder):
    program = (
        "from bayesad.ad.backends.llvm import jit\n"
        f"text = {ADD!r}\n"
        "for number in range(8):\n"
        "    jit.build(text.replace('%a, %b\\n', f'%a, {number}.0\\n'), ['add'])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert len(list(folder.iterdir())) == 8
    for number in range(8):
        library = jit.build(ADD.replace("%a, %b\n", f"%a, {number}.0\n"), ["add"])
        assert call_add(library, 1.0, 0.0) == 1.0 + number


def test_importing_the_compiler_does_not_import_llvmlite():
    program = "import sys; from bayesad.ad.backends.llvm import jit; sys.exit('llvmlite' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, timeout=60).returncode == 0
