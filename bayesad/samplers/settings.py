"""The checks that settings of every sampler share."""

import math
import operator
from typing import Any

from bayesad.errors import ConfigError

__all__ = ["METRICS", "check_common", "check_integer", "check_number"]

METRICS = ("auto", "diagonal", "dense", "low_rank")


def check_integer(sampler: str, name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise ConfigError unless `value` is a whole number from `least` to `most`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        allowed = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise ConfigError(f"{sampler}: {name} must be a whole number {allowed}; got {value!r}")


def check_number(sampler: str, name: str, value: Any, above: float, below: float, *, closed: bool = False) -> None:
    """Raise ConfigError unless `value` is a number between the bounds; `closed` admits the lower one."""
    try:
        number = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (above < number < below or (closed and number == above)):
        bounds = f"{'at least' if closed else 'above'} {above:g}"
        bounds += f" and below {below:g}" if math.isfinite(below) else " and finite"
        raise ConfigError(f"{sampler}: {name} must be a number {bounds}; got {value!r}")


def check_common(sampler: str, target_accept: Any, metric: Any, step_size: Any) -> None:
    """Check the settings that all samplers have."""
    check_number(sampler, "target_accept", target_accept, 0.0, 1.0)
    if metric not in METRICS:
        raise ConfigError(f"{sampler}: metric must be one of {', '.join(METRICS)}; got {metric!r}")
    if step_size is not None:
        check_number(sampler, "step_size", step_size, 0.0, math.inf)
