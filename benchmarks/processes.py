"""Commands in fresh processes: when they first say something, when they end, the most memory they hold."""

from __future__ import annotations

import contextlib
import heapq
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bayesad.errors import BayesadError

__all__ = ["ROOT", "Finished", "caches", "makespan", "peak", "run"]

ROOT = Path(__file__).parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS")
BYTECODE = ("PYTHONDONTWRITEBYTECODE",)
READ_SIZE = 65536
_BETWEEN = """
import os, subprocess, sys
_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Finished:
    """What a process did.

    Attributes
    ----------
    output : str
        What it wrote to its standard output.
    spoke, ended : float
        Seconds from its start to the first of its output, and to its end.
    started : float
        `time.time()` then.
    processor : float
        Seconds of processor time, of all its threads.
    """

    output: str
    spoke: float
    ended: float
    started: float
    processor: float


def run(arguments: Sequence[str], cache: Path, *, codes: Sequence[int] = (0,)) -> Finished:
    """Run ``python ARGUMENTS`` in the checkout, with as many threads as a user gets, and with bytecode on disk.

    Parameters
    ----------
    arguments : sequence of str
    cache : Path
        The folder of bayesad's cache.
    codes : sequence of int
        Exit codes that are well.

    Raises
    ------
    BayesadError
        If it ends with another exit code; with what it wrote to its standard error.
    """
    environment = {name: value for name, value in os.environ.items() if name not in (*THREADS, *BYTECODE)}
    environment |= {"BAYESAD_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as errors:
        started, clock = time.time(), time.perf_counter()
        command = [sys.executable, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        with process.stdout as stream:
            output = os.read(stream.fileno(), READ_SIZE)
            spoke = time.perf_counter() - clock
            output += stream.read()
        _, status, usage = os.wait4(process.pid, 0)
        ended = time.perf_counter() - clock
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            raise BayesadError(f"{' '.join(command)} ended with exit code {process.returncode}:\n{said}")
    return Finished(output.decode(), spoke, ended, started, usage.ru_utime + usage.ru_stime)


def peak(arguments: Sequence[str], cache: Path, *, codes: Sequence[int] = (0,)) -> int:
    """Bytes of the largest resident set of ``python ARGUMENTS``, run as `run` does.

    A process inherits the largest set of the one that it was forked from, which has other tables behind it; so a small
    one stands between.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    return int(run(["-c", _BETWEEN, sys.executable, *arguments], cache, codes=codes).output.split()[-1]) * unit


@contextlib.contextmanager
def caches() -> Iterator[Path]:
    """A folder that is empty at first, for one cache or several."""
    with tempfile.TemporaryDirectory(prefix="bayesad-benchmark-") as folder:
        yield Path(folder)


def makespan(seconds: Sequence[float], threads: int) -> float:
    """How long tasks take that are begun in order, each by the first thread that is free."""
    free_at = [0.0] * threads
    for task in seconds:
        heapq.heapreplace(free_at, free_at[0] + task)
    return max(free_at)
