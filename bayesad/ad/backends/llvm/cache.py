"""The on-disk cache of object code: one file per key, checked by digest, bounded in size.

The folder is BAYESAD_CACHE_DIR, or the user's cache folder. A folder that cannot be read or written means no
cache: everything still works, only slower.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["LIMIT", "clear", "count", "path", "read", "size", "write"]

LIMIT = 256 * 2**20
"""Bytes that the cache may hold; the entries used longest ago go first."""

_SUFFIX = ".object"
_DIGEST_SIZE = hashlib.sha256().digest_size


class _Entry(NamedTuple):
    last_used: float
    size: int
    path: str


def path() -> Path:
    """The cache's folder, which need not exist yet."""
    folder = os.environ.get("BAYESAD_CACHE_DIR")
    if folder:
        return Path(folder)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("bayesad"))


def count() -> int:
    """Number of entries in the cache."""
    return len(_entries())


def size() -> int:
    """Bytes that the cache occupies."""
    return sum(entry.size for entry in _entries())


def clear() -> int:
    """Remove every entry; returns the number of bytes freed."""
    return _remove(_entries())


def read(key: str) -> bytes | None:
    """The entry under `key`, or None; an entry that is not whole is removed."""
    file = _file(key)
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, entry = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    whole = hashlib.sha256(entry).digest() == digest
    with contextlib.suppress(OSError):
        if whole:
            os.utime(file)
        else:
            file.unlink()
    return entry if whole else None


def write(key: str, entry: bytes) -> None:
    """Put an entry under `key`; other processes see all of it or nothing."""
    with contextlib.suppress(OSError):
        import tempfile  # with all it imports, only where something is written

        file = _file(key)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, suffix=_SUFFIX)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(hashlib.sha256(entry).digest() + entry)
            os.replace(temporary, file)
        except OSError:
            os.unlink(temporary)
            raise
        _evict()


def _file(key: str) -> Path:
    return path() / (key + _SUFFIX)


def _entries() -> list[_Entry]:
    """All entries, also the temporary files of writers that were killed, the one used longest ago first."""
    entries = []
    with contextlib.suppress(OSError), os.scandir(path()) as files:
        for file in files:
            if file.name.endswith(_SUFFIX):
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat()
                    entries.append(_Entry(status.st_mtime, status.st_size, file.path))
    return sorted(entries)


def _evict() -> None:
    """Remove the entries used longest ago until the cache is within its limit."""
    entries = _entries()
    excess = sum(entry.size for entry in entries) - LIMIT
    for entry in entries:
        if excess <= 0:
            return
        excess -= _remove([entry])


def _remove(entries: list[_Entry]) -> int:
    freed = 0
    for entry in entries:
        with contextlib.suppress(OSError):
            os.unlink(entry.path)
            freed += entry.size
    return freed
