"""Holds posteriors against golden log densities and reference draws; a check is figures and what is wrong with them."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.posteriordb._posteriors import ReferencePosterior

__all__ = ["DensityCheck", "DrawsCheck", "check_density", "check_draws", "check_shares", "compare", "scalars"]

DIFFERENCE_LIMIT = 1e-9
DERIVATIVE_LIMIT = 1e-8
DIFFERENCE_LIMITS = {"gp_pois_regr-gp_pois_regr": 1e-6}
"""Where the covariance of the latent process is nearly singular."""

Z_LIMITS = {"mean": 4.5, "mean_square": 4.5, "sd": 5.0, "q5": 5.0, "q50": 5.0, "q95": 5.0}
D_LIMITS = {1000: 0.15, 10000: 0.05}
"""Bulk ESS -> largest d from there on."""
SHARE_LIMITS = {2.0: 0.10, 3.0: 0.015}
"""z -> largest share of all z that may be above it."""
R_HAT_LIMIT = 1.01
ESS_LIMIT = 400

FUNNELS = {"eight_schools-eight_schools_centered"}
"""Posteriors that no default run samples well: their draws are compared but not judged."""


@dataclass(frozen=True)
class DensityCheck:
    """Log density and gradient against the golden values.

    Attributes
    ----------
    dimension : int
    difference : float
        Largest error of a difference of log densities between two points, relative to 1 + |log density|.
    derivative_error : float
        Largest relative error of a directional derivative.
    problems : list of str
        What is beyond its limit; empty if all is well.
    """

    dimension: int
    difference: float
    derivative_error: float
    problems: list[str]


@dataclass(frozen=True)
class DrawsCheck:
    """Draws against the reference, over all scalar parameters.

    Attributes
    ----------
    z : dict
        (figure, parameter) -> standardised difference, absolute.
    max_d : float
        Largest |mean − reference mean| / reference sd.
    r_hat, ess : float
        Largest and smallest (of bulk and tail).
    divergences : int
    judged : bool
        Whether figures beyond their limits are problems; not for funnels.
    problems : list of str
        What is beyond its limit; empty if all is well or nothing is judged.
    """

    z: dict[tuple[str, str], float]
    max_d: float
    r_hat: float
    ess: float
    divergences: int
    judged: bool
    problems: list[str]

    @property
    def max_z(self) -> float:
        return max(self.z.values())

    @property
    def share_above_2(self) -> float:
        return _share_above(2.0, self.z.values())


# --- golden values
def check_density(reference: ReferencePosterior) -> DensityCheck:
    """Compare log density differences and directional derivatives with the golden ones."""
    posterior, golden = reference.posterior, reference.golden
    points = golden["points"]
    ours = [-posterior.neg_log_posterior(point["parameters"]) for point in points]
    theirs = [point["log_density"] for point in points]
    difference = max(
        abs((ours[i] - ours[j]) - (theirs[i] - theirs[j])) / (1 + max(abs(theirs[i]), abs(theirs[j])))
        for i, j in itertools.combinations(range(len(points)), 2)
    )
    derivative_error = max(_derivative_error(posterior, point) for point in points)
    dimension = posterior.unconstrained.dimension
    limit = DIFFERENCE_LIMITS.get(reference.name, DIFFERENCE_LIMIT)
    problems = []
    if dimension != golden["dimension"]:
        problems.append(f"dimension {dimension} instead of {golden['dimension']}")
    if not difference <= limit:
        problems.append(f"log density differences off by {difference:.1e}, limit {limit:.0e}")
    if not derivative_error <= DERIVATIVE_LIMIT:
        problems.append(f"directional derivatives off by {derivative_error:.1e}, limit {DERIVATIVE_LIMIT:.0e}")
    return DensityCheck(dimension, difference, derivative_error, problems)


def _derivative_error(posterior: Any, point: dict[str, Any]) -> float:
    gradient = posterior.gradient(point["parameters"])
    direction = point["direction"]
    slope = -sum(np.sum(gradient[name] * np.asarray(step)) for name, step in direction["parameters"].items())
    return abs(slope - direction["log_density"]) / abs(direction["log_density"])


# --- draws
def check_draws(reference: ReferencePosterior, draws: Any) -> DrawsCheck:
    """Compare draws with the reference summaries.

    Parameters
    ----------
    reference : ReferencePosterior
        One that has reference draws.
    draws : DataTree
        From `Posterior.sample`.
    """
    arrays = {name: np.asarray(values) for name, values in draws["posterior"].data_vars.items()}
    return compare(reference.name, reference.reference, arrays, int(draws["sample_stats"]["diverging"].sum()))


def compare(name: str, reference: dict[str, dict[str, float]], draws: dict[str, Any], divergences: int) -> DrawsCheck:
    """Compare arrays of draws with reference summaries.

    Parameters
    ----------
    name : str
        Of the posterior.
    reference : dict
        Scalar parameter -> summary.
    draws : dict
        Variable -> array, shape (chains, draws, *shape).
    divergences : int
    """
    columns = scalars(draws)
    found = _summarise(np.stack([columns[parameter] for parameter in reference], axis=-1))
    z, d = {}, {}
    for i, (parameter, known) in enumerate(reference.items()):
        for figure in Z_LIMITS:
            if f"mcse_{figure}" in known:
                spread = np.hypot(found[f"mcse_{figure}"][i], known[f"mcse_{figure}"])
                z[figure, parameter] = float(_ratio(abs(found[figure][i] - known[figure]), spread))
        d[parameter] = float(abs(found["mean"][i] - known["mean"]) / known["sd"])
    ess = np.minimum(found["ess_bulk"], found["ess_tail"])
    problems = [f"z = {z[key]:.1f} of {' of '.join(key)}" for key in z if not z[key] <= Z_LIMITS[key[0]]]
    problems += [
        f"d = {v:.2f} of {parameter}"
        for (parameter, v), bulk in zip(d.items(), found["ess_bulk"], strict=True)
        if any(bulk >= ess and not v <= limit for ess, limit in D_LIMITS.items())
    ]
    problems += [f"R-hat {found['r_hat'].max():.3f}"] * (not found["r_hat"].max() < R_HAT_LIMIT)
    problems += [f"ESS {ess.min():.0f}"] * (not ess.min() > ESS_LIMIT)
    problems += [f"{divergences} divergences"] * (divergences > 0)
    judged = name not in FUNNELS
    return DrawsCheck(
        z, max(d.values()), found["r_hat"].max(), ess.min(), divergences, judged, problems if judged else []
    )


def check_shares(checks: Iterable[DrawsCheck]) -> list[str]:
    """What is wrong with the z of many posteriors (those that are judged) taken together: too many large ones."""
    z = [value for check in checks if check.judged for value in check.z.values()]
    shares = {limit: _share_above(limit, z) for limit in SHARE_LIMITS} if z else {}
    return [
        f"{share:.1%} of all z are above {limit:.0f}, limit {SHARE_LIMITS[limit]:.1%}"
        for limit, share in shares.items()
        if share > SHARE_LIMITS[limit]
    ]


def scalars(draws: dict[str, Any]) -> dict[str, np.ndarray]:
    """Every scalar parameter by its name with indices from 1: shape (chains, draws)."""
    scalars = {}
    for name, values in draws.items():
        for index in np.ndindex(values.shape[2:]):
            label = f"{name}[{','.join(str(i + 1) for i in index)}]" if index else name
            scalars[label] = values[:, :, *index]
    return scalars


def _summarise(x: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of the reference summaries for x of shape (chains, draws, k): name -> array of k.

    The Monte Carlo error of the standard deviation comes from that of the mean squared deviation (delta method), since
    ``mcse(method="sd")`` takes the effective sample size of the mean for it: with the antithetic draws of NUTS on
    nes1980-nes that is half of what 40 runs show.
    """
    from arviz_stats import ess, mcse, rhat

    mean, sd = x.mean(axis=(0, 1)), x.std(axis=(0, 1), ddof=1)

    def quantile(prob: float) -> np.ndarray:
        return np.quantile(x, prob, axis=(0, 1))

    def per_column(figure: Any, values: np.ndarray, **options: Any) -> np.ndarray:
        return np.array([float(figure(values[:, :, k], **options)) for k in range(values.shape[2])])

    return {
        "mean": mean,
        "mean_square": (x**2).mean(axis=(0, 1)),
        "sd": sd,
        "q5": quantile(0.05),
        "q50": quantile(0.5),
        "q95": quantile(0.95),
        "mcse_mean": per_column(mcse, x),
        "mcse_mean_square": per_column(mcse, x**2),
        "mcse_sd": per_column(mcse, (x - mean) ** 2) / (2 * sd),
        "mcse_q5": per_column(mcse, x, method="quantile", prob=0.05),
        "mcse_q50": per_column(mcse, x, method="quantile", prob=0.5),
        "mcse_q95": per_column(mcse, x, method="quantile", prob=0.95),
        "ess_bulk": per_column(ess, x),
        "ess_tail": per_column(ess, x, method="tail", prob=(0.05, 0.95)),
        "r_hat": per_column(rhat, x),
    }


def _ratio(distance: float, spread: float) -> float:
    return distance / spread if spread > 0 else (0.0 if distance == 0 else np.inf)


def _share_above(limit: float, z: Iterable[float]) -> float:
    return float(np.mean([value > limit for value in z]))
