"""Priors of many coefficients that are made of several unknowns: shrinkage with one strength for all and one for each.

They are functions to call inside a model, in place of `sample`; the unknowns they are made of have the name of the
coefficients with an ending.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.distributions import BetaProportion, Dirichlet, HalfCauchy, InverseGamma, Normal
from bayesad.dsl import deterministic, sample
from bayesad.errors import ModelError

__all__ = ["global_scale", "r2d2", "regularised_horseshoe"]


def regularised_horseshoe(
    name: str,
    shape: int | None = None,
    *,
    scale: Any,
    slab_scale: float | None = 2.0,
    slab_df: float = 4.0,
    dims: str | None = None,
) -> Any:
    """Coefficients most of which are near 0 and some are not: the regularised horseshoe (Piironen & Vehtari 2017).

    beta_k ~ Normal(0, tau λ_k c / sqrt(c² + tau² λ_k²)), tau ~ HalfCauchy(scale), λ_k ~ HalfCauchy(1) and
    c² ~ InverseGamma(slab_df/2, slab_df slab_scale²/2), non-centred (eqs. 2.8 and 2.9).

    Parameters
    ----------
    name : str
        Of the coefficients. The unknowns are ``name_z``, ``name_local``, ``name_global`` and ``name_slab``.
    shape : int, optional
        How many coefficients; or give ``dims``.
    scale : float or array
        Of tau: about the share of coefficients that are not near 0, times the noise of one observation over the root of
        their number; see `global_scale`.
    slab_scale, slab_df : float
        Scale and degrees of freedom of the t law that large coefficients have; ``slab_scale=None`` leaves the slab out
        (the horseshoe of Carvalho, Polson & Scott 2010).
    dims : str, optional
        Name of the axis of the coefficients.

    Returns
    -------
    array, shape (K,)
    """
    z = sample(f"{name}_z", Normal(0.0, 1.0), shape=shape, dims=dims)
    local = sample(f"{name}_local", HalfCauchy(1.0), shape=shape, dims=dims)
    tau = sample(f"{name}_global", HalfCauchy(scale))
    spread = tau * local
    if slab_scale is not None:
        slab = sample(f"{name}_slab", InverseGamma(0.5 * slab_df, 0.5 * slab_df * slab_scale**2))
        spread = spread * np.sqrt(slab / (slab + spread**2))
    return deterministic(name, z * spread, dims=dims)


def global_scale(expected: float, coefficients: int, observations: int, sigma: Any = 1.0) -> Any:
    """The scale of the horseshoe's global parameter for an expected number of coefficients that are not near 0.

    expected/(coefficients - expected) · sigma/sqrt(observations) (Piironen & Vehtari 2017, eq. 3.12).

    Parameters
    ----------
    expected : float
        Between 0 and `coefficients`, these excluded.
    coefficients, observations : int
    sigma : float or array
        Standard deviation of an observation; for other outcomes than normal ones see their section 3.5.

    Raises
    ------
    ModelError
        If `expected` is not between 0 and `coefficients`.
    """
    if not 0 < expected < coefficients:
        raise ModelError(
            f"global_scale: the expected number of coefficients that are not near 0 must be between 0 and "
            f"{coefficients}, their number; got {expected}"
        )
    return expected / (coefficients - expected) * sigma / np.sqrt(observations)


def r2d2(
    name: str,
    shape: int | None = None,
    *,
    sigma: Any,
    mean: float = 0.5,
    precision: float = 2.0,
    concentration: float = 0.5,
    deviations: Any = 1.0,
    dims: str | None = None,
) -> Any:
    """Coefficients with a prior on the variance that they explain: R2-D2 (Zhang, Naughton, Bondell & Reich 2022).

    R² ~ BetaProportion(mean, precision) is divided over the coefficients by φ ~ Dirichlet(concentration, …):
    beta_k ~ Normal(0, sigma sqrt(φ_k R²/(1 - R²))/deviations_k), non-centred.

    Parameters
    ----------
    name : str
        Of the coefficients. The unknowns are ``name_z``, ``name_R2`` and ``name_share``.
    shape : int, optional
        How many coefficients; or give ``dims``.
    sigma : float or array
        Standard deviation of the outcome that is left unexplained.
    mean, precision : float
        Of the Beta law of R².
    concentration : float
        Of the Dirichlet law: below 1 a few coefficients explain most.
    deviations : float or array, shape (K,)
        Standard deviations of the predictors.
    dims : str, optional
        Name of the axis of the coefficients.

    Returns
    -------
    array, shape (K,)
    """
    z = sample(f"{name}_z", Normal(0.0, 1.0), shape=shape, dims=dims)
    explained = sample(f"{name}_R2", BetaProportion(mean, precision))
    share = sample(f"{name}_share", Dirichlet(np.full(z.shape, concentration)), dims=dims)
    return deterministic(name, z * sigma * np.sqrt(share * (explained / (1.0 - explained))) / deviations, dims=dims)
