"""The errors bayesad raises: what was wrong, where, and what to do about it."""

from collections.abc import Iterable

__all__ = [
    "BayesadError",
    "ConfigError",
    "DataError",
    "DerivativeError",
    "DistributionError",
    "InitialisationError",
    "ModelError",
    "RewriteError",
    "ScanError",
    "SolverError",
    "TracingError",
    "suggestion",
]


class BayesadError(Exception):
    """Base of every error that bayesad raises on purpose."""


class TracingError(BayesadError, TypeError):
    """A traced array was used where only a plain number or array can go."""


class DerivativeError(BayesadError, ValueError):
    """A derivative was asked for that does not exist or has no rule."""


class ScanError(BayesadError, ValueError):
    """The carry, the rows or a branch of a scan do not fit its step."""


class SolverError(BayesadError, ValueError):
    """A solver got a problem that it does not take, or did not come to the end of it."""


class RewriteError(BayesadError, ValueError):
    """A rewrite of programs was asked for that does not exist."""


class DistributionError(BayesadError, ValueError):
    """A distribution got a parameter outside its domain, or a value of the wrong shape."""


class ModelError(BayesadError, ValueError):
    """A model is inconsistent: names, shapes, dims or kinds of unknown."""


class DataError(BayesadError, ValueError):
    """Data given to a model do not fit it."""


class ConfigError(BayesadError, ValueError):
    """A configuration file, command-line option or override is not usable."""


class InitialisationError(BayesadError, RuntimeError):
    """No starting point with finite density and gradient was found."""


def suggestion(name: str, known: Iterable[object]) -> str:
    """``; did you mean 'x'?`` where one of the known names is close to ``name``, or nothing."""
    import difflib  # here: only mistakes should cost its import

    close = difflib.get_close_matches(name, [str(k) for k in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
