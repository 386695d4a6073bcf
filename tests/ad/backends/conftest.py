"""What the tests of kernels share: making kernels of source text, and comparing them compiled and uncompiled."""

import importlib.util
import itertools
import math
import struct

import numpy as np
import pytest

from bayesad.ad.backends.llvm.kernel import compile_kernel


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """Machine code made by these tests stays out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAYESAD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def define(tmp_path_factory):
    """Makes a module of source text, where the types of kernels are known, and gives the last thing it defines."""
    folder = tmp_path_factory.mktemp("kernels")
    numbers = itertools.count()

    def make(source):
        file = folder / f"kernels_{next(numbers)}.py"
        file.write_text(f"import math; from bayesad.ad.backends.llvm.kernel import *\n{source}")
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return list(vars(module).values())[-1]

    return make


def bits(value):
    """A value with its type, so that 1, 1.0, True and -0.0 differ and NaN equals NaN."""
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else struct.pack(">d", value)
    if isinstance(value, bool | np.bool_):
        return "bool", bool(value)
    return "none" if value is None else "int", value


@pytest.fixture(scope="session")
def assert_same():
    """Runs a kernel both ways on copies of its arguments: the result and the arrays have to have the same bits."""

    def check(function, *arguments, compiled=None):
        compiled = compiled or compile_kernel(function)
        one, other = (
            [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
            for _ in range(2)
        )
        expected, found = function(*one), compiled(*other)
        assert bits(found) == bits(expected)
        for before, after in zip(one, other, strict=True):
            if isinstance(before, np.ndarray):
                assert before.tobytes() == after.tobytes()
        return found

    return check
