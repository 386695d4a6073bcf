"""Whole runs of nutpie and NumPyro, in processes of their own: python -m benchmarks.peer_runs PEER POSTERIOR.

Prints the summary of a first run, and then, as JSON, the seconds and effective draws of a second one, whose machine
code exists already.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.processes import makespan

__all__ = ["PEERS", "available"]

CHAINS, WARMUP, DRAWS = 4, 1000, 1000
Data = Mapping[str, Any]
Draws = dict[str, np.ndarray]


# --- NumPyro ---


def _numpyro_models() -> dict[str, Callable[[Data], Callable[[], None]]]:
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist

    def eight_schools(data: Data) -> Callable[[], None]:
        def model() -> None:
            mu = numpyro.sample("mu", dist.Normal(0, 5))
            tau = numpyro.sample("tau", dist.HalfCauchy(5))
            z = numpyro.sample("theta_trans", dist.Normal(0, 1).expand([len(data["y"])]).to_event(1))
            numpyro.sample("y", dist.Normal(mu + tau * z, data["sigma"]), obs=data["y"])

        return model

    def garch(data: Data) -> Callable[[], None]:
        y, first = jnp.asarray(data["y"]), float(data["sigma1"])

        def model() -> None:
            mu = numpyro.sample("mu", dist.ImproperUniform(dist.constraints.real, (), ()))
            alpha0 = numpyro.sample("alpha0", dist.ImproperUniform(dist.constraints.positive, (), ()))
            alpha1 = numpyro.sample("alpha1", dist.Uniform(0, 1))
            beta1 = numpyro.sample("beta1", dist.Uniform(0, 1 - alpha1))
            numpyro.factor("flat", jnp.log(1 - alpha1))  # of beta1's bounds, where the reference has density 1

            def step(variance: Any, r: Any) -> tuple[Any, Any]:
                return alpha0 + alpha1 * r**2 + beta1 * variance, variance

            _, variances = jax.lax.scan(step, jnp.asarray(first**2), y - mu)
            numpyro.sample("y", dist.Normal(mu, jnp.sqrt(variances)), obs=y)

        return model

    def mixture(data: Data) -> Callable[[], None]:
        def model() -> None:
            base = dist.Normal(0, 2).expand([2]).to_event(1)
            mu = numpyro.sample("mu", dist.ImproperUniform(dist.constraints.ordered_vector, (), (2,)))
            numpyro.factor("prior", base.log_prob(mu))
            sigma = numpyro.sample("sigma", dist.HalfNormal(2).expand([2]).to_event(1))
            theta = numpyro.sample("theta", dist.Beta(5, 5))
            weights = dist.Categorical(probs=jnp.stack([theta, 1 - theta]))
            numpyro.sample("y", dist.MixtureSameFamily(weights, dist.Normal(mu, sigma)), obs=data["y"])

        return model

    def logistic(data: Data) -> Callable[[], None]:
        X = jnp.asarray(data["X"])

        def model() -> None:
            alpha = numpyro.sample("alpha", dist.Normal(0, 1))
            beta = numpyro.sample("beta", dist.Normal(0, 1).expand([X.shape[1]]).to_event(1))
            numpyro.sample("y", dist.Bernoulli(logits=X @ beta + alpha), obs=data["y"])

        return model

    return {
        "eight_schools-eight_schools_noncentered": eight_schools,
        "garch-garch11": garch,
        "low_dim_gauss_mix-low_dim_gauss_mix": mixture,
        "logistic_synthetic": logistic,
    }


class NumPyro:
    """NumPyro's NUTS, chains in parallel."""

    def __init__(self, name: str, data: Data) -> None:
        import numpyro

        numpyro.enable_x64()
        numpyro.set_host_device_count(CHAINS)
        self._model = _numpyro_models()[name](data)

    def sample(self, seed: int) -> Draws:
        return self._run(self._mcmc(CHAINS), seed)

    def timed(self) -> tuple[Draws, float]:
        """Chains one by one, since parallel ones are compiled again each time; as if spread over the processors."""
        mcmc = self._mcmc(1)
        self._run(mcmc, seed=0)
        draws, seconds = [], []
        for seed in range(1, CHAINS + 1):
            start = time.perf_counter()
            draws.append(self._run(mcmc, seed))
            seconds.append(time.perf_counter() - start)
        together = {name: np.concatenate([chain[name] for chain in draws]) for name in draws[0]}
        return together, makespan(seconds, os.cpu_count() or 1)

    def _mcmc(self, chains: int) -> Any:
        from numpyro.infer import MCMC, NUTS

        kernel = NUTS(self._model, target_accept_prob=0.8)
        return MCMC(kernel, num_warmup=WARMUP, num_samples=DRAWS, num_chains=chains, progress_bar=False)

    def _run(self, mcmc: Any, seed: int) -> Draws:
        import jax

        mcmc.run(jax.random.PRNGKey(seed))
        return {name: np.asarray(x) for name, x in mcmc.get_samples(group_by_chain=True).items()}


# --- nutpie ---


def _pymc_models() -> dict[str, Callable[[Data], Any]]:
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    def eight_schools(data: Data) -> Any:
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 5)
            tau = pm.HalfCauchy("tau", 5)
            z = pm.Normal("theta_trans", 0, 1, shape=len(data["y"]))
            pm.Normal("y", mu + tau * z, data["sigma"], observed=data["y"])
        return model

    def garch(data: Data) -> Any:
        with pm.Model() as model:
            mu = pm.Flat("mu")
            alpha0 = pm.HalfFlat("alpha0")
            alpha1 = pm.Uniform("alpha1", 0, 1)
            share = pm.Uniform("share", 0, 1)
            beta1 = pm.Deterministic("beta1", share * (1 - alpha1))
            pm.Potential("jacobian", pt.log(1 - alpha1))
            y = pt.as_tensor(data["y"])
            first = pt.as_tensor(np.float64(data["sigma1"]) ** 2)
            variances = pytensor.scan(
                lambda r, variance, alpha0, alpha1, beta1: alpha0 + alpha1 * r**2 + beta1 * variance,
                (y - mu)[:-1],
                [first],
                [alpha0, alpha1, beta1],
                return_updates=False,
            )
            sigma = pt.sqrt(pt.concatenate([first[None], variances]))
            pm.Normal("y", mu, sigma, observed=data["y"])
        return model

    def mixture(data: Data) -> Any:
        ordered = pm.distributions.transforms.ordered
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 2, shape=2, transform=ordered, initval=[-1.0, 1.0])
            sigma = pm.HalfNormal("sigma", 2, shape=2)
            theta = pm.Beta("theta", 5, 5)
            pm.NormalMixture("y", pt.stack([theta, 1 - theta]), mu, sigma=sigma, observed=data["y"])
        return model

    def logistic(data: Data) -> Any:
        with pm.Model() as model:
            alpha = pm.Normal("alpha", 0, 1)
            beta = pm.Normal("beta", 0, 1, shape=data["X"].shape[1])
            pm.Bernoulli("y", logit_p=pt.as_tensor(data["X"]) @ beta + alpha, observed=data["y"])
        return model

    return {
        "eight_schools-eight_schools_noncentered": eight_schools,
        "garch-garch11": garch,
        "low_dim_gauss_mix-low_dim_gauss_mix": mixture,
        "logistic_synthetic": logistic,
    }


class Nutpie:
    """nutpie on a PyMC model, compiled by Numba."""

    def __init__(self, name: str, data: Data) -> None:
        import nutpie

        self._compiled = nutpie.compile_pymc_model(_pymc_models()[name](data))

    def sample(self, seed: int) -> Draws:
        import nutpie

        settings = {"chains": CHAINS, "tune": WARMUP, "draws": DRAWS, "target_accept": 0.8}
        tree = nutpie.sample(self._compiled, **settings, seed=seed, progress_bar=False)
        return {
            str(name): x.values for name, x in tree.posterior.data_vars.items() if name != "share" and name[-2:] != "__"
        }

    def timed(self) -> tuple[Draws, float]:
        """A run whose machine code exists already."""
        start = time.perf_counter()
        draws = self.sample(seed=2)
        return draws, time.perf_counter() - start


PEERS: dict[str, type[NumPyro] | type[Nutpie]] = {"NumPyro": NumPyro, "nutpie": Nutpie}
NAMES = ("eight_schools-eight_schools_noncentered", "garch-garch11", "low_dim_gauss_mix-low_dim_gauss_mix")


def available(name: str) -> list[str]:
    """The peers that are installed and have a model of this name here."""
    if name not in (*NAMES, "logistic_synthetic"):
        return []
    return [peer for peer in PEERS if importlib.util.find_spec(peer.lower())]


def main() -> None:
    from benchmarks.runs import data_of

    peer, name = sys.argv[1:]
    contestant = PEERS[peer](name, data_of(name))
    print(summary(contestant.sample(seed=1)), flush=True)
    draws, seconds = contestant.timed()
    table = summary(draws)
    figures = {"seconds": seconds, "ess": float(table["ess_bulk"].min()), "r_hat": float(table["r_hat"].max())}
    print(json.dumps(figures))


def summary(draws: Draws) -> Any:
    """ArviZ's summary of all scalars."""
    from arviz_base import convert_to_datatree
    from arviz_stats import summary

    return summary(convert_to_datatree(draws), round_to="none")


if __name__ == "__main__":
    main()
