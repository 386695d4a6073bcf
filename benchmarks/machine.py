"""What a result was measured on: processor, versions, date."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["describe"]

PACKAGES = ("bayesad", "numpy", "scipy", "llvmlite", "jax", "autograd", "pytensor", "pymc", "nutpie", "numpyro")


def describe() -> dict[str, Any]:
    """Date, the machine's name for files, processor, cores and their load, Python, versions of packages, commit."""
    processor = _processor()
    versions = {package: _version(package) for package in PACKAGES}
    return {
        "date": datetime.date.today().isoformat(),
        "name": re.sub(r"[^a-z0-9]+", "-", processor.lower()).strip("-"),
        "processor": processor,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else "unknown",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: version for package, version in versions.items() if version},
        "commit": _commit(),
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", file.read_text()) if file.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        run = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
