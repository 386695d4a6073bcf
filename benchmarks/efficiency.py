"""Effective draws per gradient, a figure that does not depend on how busy the machine is, and what goes wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad import NUTS
from bayesad.sampling import draw
from benchmarks.cases import logistic_data
from benchmarks.models import logistic_regression
from benchmarks.options import Options
from benchmarks.report import Cell, Table
from models.posteriordb._posteriors import find

__all__ = ["measure", "table"]

POSTERIORS = (
    "eight_schools-eight_schools_noncentered",
    "garch-garch11",
    "hmm_example-hmm_example",
    "mcycle_gp-accel_gp",
    "low_dim_gauss_mix-low_dim_gauss_mix",
    "gp_pois_regr-gp_pois_regr",
    "diamonds-diamonds",
    "nes2000-nes",
    "arma-arma11",
    "irt_2pl-irt_2pl",
    "GLMM_Poisson_data-GLMM_Poisson_model",
    "radon_mn-radon_variable_intercept_slope_noncentered",
    "kidiq-kidscore_interaction",
)
SYNTHETIC, SHAPE = "logistic_synthetic", (1000, 100)
SEEDS, QUICK_SEEDS = 8, 2
BAD = 1.02
COLUMNS = [
    "posterior",
    "ESS / 1000 gradients",
    "with warmup",
    "gradients / draw",
    "acceptance",
    "divergences",
    "R-hat",
    "runs above 1.02",
]
NOTE = (
    "4 × (1000 + 1000), NUTS with its defaults; least bulk ESS over the unconstrained parameters. Means over "
    "the seeds; of R-hat, the largest of the parameters', the median."
)


def table(options: Options) -> Table:
    """Run the posteriors that the options select, each with several seeds."""
    result = Table("efficiency", "Effective draws per gradient", COLUMNS, note=NOTE)
    for name in (*POSTERIORS, SYNTHETIC):
        if options.selects(name):
            options.say(name)
            result.rows.append(_row(name, QUICK_SEEDS if options.quick else SEEDS))
    return result


def _row(name: str, seeds: int) -> dict[str, Cell]:
    if name == SYNTHETIC:
        posterior = logistic_regression(**logistic_data(*SHAPE))
    else:
        posterior = find([name])[0].posterior
    runs = np.array([measure(posterior, seed) for seed in range(seeds)])
    r_hat = runs[:, -1]
    cells = [name, *runs[:, :-1].mean(axis=0), f"{np.median(r_hat):.3f}", int(np.sum(r_hat > BAD))]
    return dict(zip(COLUMNS, cells, strict=True))


def measure(posterior: Any, seed: int) -> tuple[float, ...]:
    """The figures of one run, in the order of the columns; the last is R-hat."""
    from arviz_stats.base import array_stats

    chains = draw(posterior, sampler=NUTS(), seed=seed).chains
    scalars = np.moveaxis(chains.draws, -1, 0)
    ess = min(float(array_stats.ess(x, chain_axis=0, draw_axis=1, method="bulk")) for x in scalars)
    r_hat = max(float(array_stats.rhat(x, chain_axis=0, draw_axis=1)) for x in scalars)
    gradients = int(chains.stats["n_steps"].sum())
    return (
        1000 * ess / gradients,
        1000 * ess / int(chains.gradient_evaluations.sum()),
        float(chains.stats["n_steps"].mean()),
        float(chains.stats["acceptance_rate"].mean()),
        float(chains.stats["diverging"].sum()),
        r_hat,
    )
