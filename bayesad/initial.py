"""Starting points: unconstrained vectors at which a posterior's log density and gradient are finite."""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.ad.failures import failures_are_nan
from bayesad.distributions.supports import contains
from bayesad.errors import DistributionError, InitialisationError, ModelError, suggestion
from bayesad.running import Draw, Handler, Site
from bayesad.transforms import constrain, unconstrain, unconstrained_shape
from bayesad.unconstrained import not_inside

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["TRIES", "find_candidates", "find_initial"]

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]

TRIES = 100
STEEPEST = (
    1e20  # a start with a larger gradient is passed over: warmup would be over before the chain is down from there
)
WIDTH = 2.0  # of the uniform distribution on the unconstrained scale, as Stan's


def find_initial(
    posterior: Posterior, rng: np.random.Generator, kind: Any, evaluate: Evaluate | None = None
) -> np.ndarray:
    """As `Posterior.initial`, which documents it; `evaluate` gives log density and gradient at a point."""
    return find_candidates(posterior, rng, kind, 1, evaluate)[0]


def find_candidates(
    posterior: Posterior, rng: np.random.Generator, kind: Any, count: int, evaluate: Evaluate | None = None
) -> np.ndarray:
    """Starting points to choose from: that of `find_initial` and others, which are not tried; one if nothing is random.

    Parameters
    ----------
    count : int
        At least 1.

    Returns
    -------
    float array, shape (count, dimension)
    """
    evaluate = evaluate or posterior.unconstrained.log_density_and_gradient
    propose, random = _proposal(posterior, rng, kind)
    points = [_find(posterior, kind, evaluate, propose, random)] * (count if random else 1)
    for i in range(1, len(points)):
        with contextlib.suppress(DistributionError):
            points[i] = propose()
    return np.stack(points)


def _find(
    posterior: Posterior, kind: Any, evaluate: Evaluate, propose: Callable[[], np.ndarray], random: bool
) -> np.ndarray:
    problem: Callable[[], str] = str
    least_steep: tuple[float, Any] = (np.inf, None)
    for _ in range(TRIES if random else 1):
        try:
            q = propose()
        except DistributionError as error:  # a prior draw made a distribution further on impossible
            problem = functools.partial(str.rstrip, str(error), ".")
            continue
        log_density, gradient = evaluate(q)
        if np.isfinite(log_density) and np.all(np.isfinite(gradient)):
            steepness = float(np.max(np.abs(gradient), initial=0.0))
            if steepness <= STEEPEST or not random:
                return q
            least_steep = min(least_steep, (steepness, q), key=operator.itemgetter(0))
            continue
        problem = functools.partial(_what_is_wrong, posterior, q, gradient)
    if least_steep[1] is not None:
        return least_steep[1]
    if posterior.unconstrained.dimension == 0:
        raise InitialisationError(
            f"model {posterior.model.name!r}: its log density is not finite, whatever the values of its discrete "
            f"unknowns. {problem()}. Look at that term, or at the data"
        )
    hint = _not_a_number(posterior) or "Give a starting point by initial=, or look at that term"
    tried = f"none of {TRIES} starting points ({_in_words(kind)})" if random else "the given starting point does not"
    raise InitialisationError(
        f"model {posterior.model.name!r}: {tried} {'has' if random else 'have'} finite log density and gradient. "
        f"{'At the last one: ' if random else ''}{problem()}. {hint}"
    )


def _proposal(posterior: Posterior, rng: np.random.Generator, kind: Any) -> tuple[Callable[[], np.ndarray], bool]:
    """A function that makes one candidate, and whether the next one would differ."""
    dimension = posterior.unconstrained.dimension
    if isinstance(kind, Mapping):
        given = _checked(posterior, kind)
        return lambda: _walk(posterior, rng, given, from_prior=False), len(given) < len(posterior.parameters)
    if isinstance(kind, str):
        if kind == "uniform":
            return lambda: rng.uniform(-WIDTH, WIDTH, dimension), dimension > 0
        if kind == "prior":
            return lambda: _walk(posterior, rng, {}, from_prior=True), dimension > 0
        raise ModelError(f"the kind of starting point is 'uniform', 'prior', a mapping or an array, not {kind!r}")
    q = posterior.unconstrained.check(kind)
    return lambda: q, False


def _checked(posterior: Posterior, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The given values as arrays; their names must be free parameters and their shapes right."""
    known = posterior.parameters
    for name in given:
        if name not in known:
            raise ModelError(
                f"model {posterior.model.name!r}: a starting value is given for {name!r}, which is no free parameter"
                f"{suggestion(name, list(known))}"
            )
    return {name: posterior.check_value(name, value) for name, value in given.items()}


def _walk(posterior: Posterior, rng: np.random.Generator, given: Mapping[str, Any], *, from_prior: bool) -> np.ndarray:
    """Run the model with given values, the others drawn from their priors or uniformly, and return the vector of it."""
    parts: list[Any] = [np.arange(0.0)]

    def anywhere(site: Site) -> Any:
        u = rng.uniform(-WIDTH, WIDTH, unconstrained_shape(site.support, site.shape))
        return constrain(site.support, u)[0]

    def parameter(site: Site) -> Any:
        if site.name in given:
            return given[site.name]
        return Draw(rng, otherwise=anywhere) if from_prior else anywhere(site)

    def note(site: Site, value: Any) -> None:
        if site.kind != "parameter":
            return
        u = unconstrain(site.support, value)
        if site.name in given and not (np.all(contains(site.support, value)) and np.all(np.isfinite(u))):
            raise InitialisationError(
                f"model {posterior.model.name!r}: {not_inside(posterior.parameters[site.name], value)}"
            )
        parts.append(np.ravel(u))

    posterior.run(Handler(parameter, note=note))
    return np.concatenate(parts)


def _what_is_wrong(posterior: Posterior, q: np.ndarray, gradient: np.ndarray) -> str:
    """The terms that are not finite, with their lines and the parameters' values."""
    params = posterior.unconstrained.unpack(q)
    where = posterior.structure.where
    with failures_are_nan():
        terms = posterior.log_density_terms(params)
    wrong = [
        f"the log density of {name!r} is {term} ({where[name]})"
        for name, term in terms.items()
        if not np.isfinite(term)
    ]
    if not wrong:
        wrong = [
            f"the gradient with respect to {p.name!r} is not finite ({where[p.name]})"
            for p in posterior.parameters.values()
            if not np.all(np.isfinite(gradient[p.start : p.stop]))
        ]
    values = ", ".join(f"{name} = {np.array2string(value, precision=4, threshold=6)}" for name, value in params.items())
    where_found = f"; where {values}" if values else ""
    return f"{'; '.join(wrong) or 'the log Jacobian of the transform is not finite'}{where_found}"


def _not_a_number(posterior: Posterior) -> str:
    """What to do about data with NaN, which would make every log density NaN; nothing where there are none."""
    found = [
        f"{name!r} at index {np.argwhere(np.isnan(x))[0].tolist()}"
        for name, x in posterior.constant_data.items()
        if isinstance(x, (np.ndarray, float)) and np.asarray(x).dtype.kind == "f" and np.any(np.isnan(x))
    ]
    if not found:
        return ""
    return (
        f"NaN is in the data: {', '.join(found)}. Leave these rows out, or make what is missing an unknown: "
        "ba.sample(…, obs=x) gives x with its gaps filled"
    )


def _in_words(kind: Any) -> str:
    if kind == "prior":
        return "drawn from the prior"
    drawn = f"uniform(-{WIDTH:g}, {WIDTH:g}) on the unconstrained scale"
    return f"given values, the others {drawn}" if isinstance(kind, Mapping) else drawn
