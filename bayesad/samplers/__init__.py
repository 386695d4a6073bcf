"""Hamiltonian Monte Carlo and the no-U-turn sampler on any differentiable log density; knows nothing of models.

The kernels (`random`, `hamiltonian`, `hmc`, `nuts`, `adaptation`, `metric`, `low_rank`, `matrices`, `chain_kernel`)
are restricted Python, which `bayesad.ad.backends.llvm.kernel` compiles. `chain` holds one chain, `chains` runs
several in threads. A new algorithm is a transition beside `hmc_transition`, a branch in `chain_kernel` and a
dataclass of settings.
"""

from bayesad.samplers.chain import Chain, ChainProgress, ChainState
from bayesad.samplers.chains import Chains, Divergences, SamplingError, is_usable, run_chains
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
