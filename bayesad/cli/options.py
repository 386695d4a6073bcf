"""The options that say what a command works on: a model, its data and the configuration."""

from __future__ import annotations

import argparse

from bayesad.config import describe_keys

__all__ = ["add_inputs"]


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add model, --config, --data and --set, and the keys that may be set."""
    parser.add_argument("model", nargs="?", metavar="MODEL.py", help="the model's file (or [model] file)")
    parser.add_argument("--config", metavar="FILE", help="TOML configuration")
    parser.add_argument("--data", metavar="FILE", help="data: .json, .json.gz, .csv or .npz")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key, as sampler.draws=500"
    )
    parser.epilog = (
        f"keys of the configuration, each may be overridden with --set:\n{describe_keys()}\n\n{parser.epilog}"
    )
