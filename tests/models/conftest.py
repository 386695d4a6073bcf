"""What the tests of the models' densities share."""

from pathlib import Path

import numpy as np
import pytest

from bayesad.cli.inputs import load_posterior
from bayesad.config import load_config

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def same_density():
    """Compare a model, as its configuration puts it together, with a density of the same name written with scipy."""

    def compare(density, rel=1e-10):
        _, posterior, _ = load_posterior(load_config(CONFIGS / f"{density.__name__}.toml"))
        for seed in range(3):
            rng = np.random.default_rng(seed)
            params = posterior.unconstrained.unpack(posterior.initial(rng))
            expected = -density(posterior.data, **params)
            assert posterior.neg_log_posterior(params) == pytest.approx(expected, rel=rel)

    return compare
