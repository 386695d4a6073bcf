"""Runs the command line from a checkout: `python cli.py sample ...` is `bayesad sample ...`."""

import sys

from bayesad.cli import main

if __name__ == "__main__":
    sys.exit(main())
