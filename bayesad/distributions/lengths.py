"""How long a series is: as its argument, a parameter that varies over time, or the value says."""

from typing import Any

from bayesad.distributions.base import Distribution
from bayesad.distributions.domains import check_size
from bayesad.errors import DistributionError

__all__ = ["Event", "require_length", "series_length"]

Event = tuple[int | None, ...]


def series_length(law: Any, varying: int | None) -> int | None:
    """The length of a series from its argument and that of what varies over time, which must agree."""
    if law.length is not None:
        check_size(law._name, law.length, "length")
        if varying not in (None, law.length):
            raise DistributionError(
                f"{law._name}: length={law.length}, but a parameter varies over a series of length {varying}."
            )
        return law.length
    return varying


def require_length(law: Distribution) -> int:
    """The length of the series of a law; DistributionError where the value decides."""
    length = law.event_shape[0]
    if length is None:
        raise DistributionError(f"{law._name} does not know how long its values are; give length=.")
    return length
