"""Runs the command line as `python -m bayesad`."""

import sys

from bayesad.cli import main

if __name__ == "__main__":
    sys.exit(main())
