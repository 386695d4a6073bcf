"""Hamiltonian Monte Carlo and the no-U-turn sampler on any differentiable log density; knows nothing of models.

The kernels (`random`, `hamiltonian`, `hmc`, `nuts`, `adaptation`, `chain`) are restricted Python, which
`bayesad.ad.backends.llvm.kernel` compiles; `chains` runs them in threads. A new algorithm is a transition beside
`hmc_transition`, a branch in `chain`, and a dataclass of settings.
"""

from bayesad.samplers.chains import (
    Chain,
    ChainProgress,
    Chains,
    ChainState,
    Divergences,
    SamplingError,
    is_usable,
    run_chains,
)
from bayesad.samplers.hmc import HMC
from bayesad.samplers.nuts import NUTS

__all__ = [
    "HMC",
    "NUTS",
    "Chain",
    "ChainProgress",
    "ChainState",
    "Chains",
    "Divergences",
    "SamplingError",
    "is_usable",
    "run_chains",
]
