"""Show what a model's log density is compiled to, stage by stage.

The stages are those of the way from the model's function to machine code: the operations that were traced, simplified;
those of log density and gradient; the loops these are fused into, with what is left to NumPy; the LLVM text they
become; the machine's assembly.
"""

from __future__ import annotations

import argparse

from bayesad.cli.options import add_inputs

STAGES = ("trace", "gradient", "fused", "llvm", "asm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_inputs(parser)
    parser.add_argument("--stage", choices=STAGES, default="trace", help="what to show (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print the stage for the unconstrained log density at the origin, whose path through branches it is."""
    import numpy as np

    from bayesad import ad
    from bayesad.cli.codes import WELL
    from bayesad.cli.inputs import blaming, load_posterior
    from bayesad.config import load_config

    config = load_config(arguments.config, arguments.set, model=arguments.model, data=arguments.data)
    _, posterior, _ = load_posterior(config)
    with blaming(posterior.model):
        unconstrained = posterior.unconstrained
        print(ad.inspect(unconstrained.compiled, np.zeros(unconstrained.dimension), stage=arguments.stage))
    return WELL
