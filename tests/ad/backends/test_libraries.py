"""BLAS and LAPACK by address: found without importing scipy.linalg, with one thread each while several threads run."""

import os
import subprocess
import sys

import pytest

from bayesad.ad.backends.llvm import libraries


@pytest.mark.parametrize("routine", sorted(libraries.ROUTINES))
def test_every_routine_has_an_address(routine):
    assert libraries.address(routine) > 0


def test_other_integers_than_those_of_32_bits_are_refused(monkeypatch):
    monkeypatch.setitem(libraries.ROUTINES, "dlamch", ("cython_lapack", "cn"))
    with pytest.raises(libraries.LibraryError, match="32-bit integers"):
        libraries.address("dlamch")
    monkeypatch.setitem(libraries.ROUTINES, "dnothing", ("cython_lapack", "n"))
    with pytest.raises(libraries.LibraryError, match="'nothing' for dnothing"):
        libraries.address("dnothing")


def test_routines_are_found_without_the_rest_of_scipy_linalg_and_serve_it_later():
    program = """
import sys
from bayesad.ad.backends.llvm import libraries
assert not any(name.startswith("scipy") for name in sys.modules)
with libraries.one_thread():
    pass
assert not any(name.startswith("scipy") for name in sys.modules)
assert libraries.address("dgemm") and libraries.address("dpotrf")
assert "scipy.linalg" not in sys.modules
import numpy as np
import scipy.linalg
assert np.isclose(scipy.linalg.cholesky(4.0 * np.eye(2))[0, 0], 2.0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, env={**os.environ})


def test_the_number_of_threads_comes_back_when_the_last_use_of_one_is_over():
    libraries.address("dgemm")
    functions = libraries._thread_functions()
    if functions is None:
        return  # a library whose threads nobody can set, such as Accelerate
    set_threads, get_threads = functions
    before = get_threads()
    set_threads(2)
    try:
        with libraries.one_thread():
            assert get_threads() == 1
            with libraries.one_thread():
                assert get_threads() == 1
            assert get_threads() == 1
        assert get_threads() == 2
    finally:
        set_threads(before)
