"""Show or clear the cache of compiled models: its folder, its entries and their size.

What is in it only saves time: it is made again when needed. The entries used longest ago go when the limit is reached.
BAYESAD_CACHE_DIR names another folder.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clear", action="store_true", help="remove every entry")


def run(arguments: argparse.Namespace) -> int:
    """Print what there is, or what was freed."""
    from bayesad.ad.backends.llvm import cache
    from bayesad.cli.codes import RUN_FAILED, WELL

    if arguments.clear:
        freed = cache.clear()
        left = cache.count()
        print(f"{_in_words(freed)} freed in {cache.path()}")
        if left:
            entries = "1 entry" if left == 1 else f"{left} entries"
            print(f"{entries} could not be removed: look at the permissions of that folder")
        return RUN_FAILED if left else WELL
    used = f"{_in_words(cache.size())} of at most {_in_words(cache.LIMIT)}"
    for what, value in (("folder", cache.path()), ("entries", cache.count()), ("size", used)):
        print(f"{what:8} {value}")
    return WELL


def _in_words(size: int) -> str:
    """12345678 -> 11.8 MiB."""
    for unit, bytes_of_it in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= bytes_of_it:
            return f"{size / bytes_of_it:.3g} {unit}"
    return f"{size} bytes"
