"""Show what a model's log density is compiled to, stage by stage.

The stages are those of the way from the model's function to machine code: the operations that were traced, simplified;
those of log density and gradient; the loops these are fused into, with what is left to NumPy and estimates of
floating-point operations and memory traffic; the LLVM text they become; the machine's assembly. The model's lines
stand beside the operations that come from them. On a terminal the text is coloured, unless NO_COLOR is set.
"""

from __future__ import annotations

import argparse

from bayesad.cli.options import add_inputs

STAGES = ("trace", "gradient", "fused", "llvm", "asm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_inputs(parser)
    parser.add_argument("--stage", choices=STAGES, help="what to show (default: trace, or fused with --time)")
    parser.add_argument("--time", action="store_true", help="measure every loop of the fused stage")


def run(arguments: argparse.Namespace) -> int:
    """Print the stage for the unconstrained log density at the origin, whose path through branches it is."""
    import sys

    import numpy as np

    from bayesad import ad
    from bayesad.ad.colours import wants_colour
    from bayesad.cli.codes import WELL
    from bayesad.cli.inputs import blaming, load_posterior
    from bayesad.config import load_config

    stage = arguments.stage or ("fused" if arguments.time else "trace")
    config = load_config(arguments.config, arguments.set, model=arguments.model, data=arguments.data)
    _, posterior, _ = load_posterior(config)
    with blaming(posterior.model):
        unconstrained = posterior.unconstrained
        origin = np.zeros(unconstrained.dimension)
        options = {"stage": stage, "time": arguments.time, "colour": wants_colour(sys.stdout)}
        print(ad.inspect(unconstrained.compiled, origin, **options))
    return WELL
