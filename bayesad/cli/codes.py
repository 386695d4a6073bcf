"""The exit codes, and which of them an error gets."""

from bayesad.errors import BayesadError, InitialisationError

__all__ = ["EXIT_CODES", "INTERRUPTED", "RUN_FAILED", "UNTRUSTED", "WELL", "WRONG_INPUT", "code_of"]

WELL, RUN_FAILED, WRONG_INPUT, UNTRUSTED, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES = (
    "exit codes: 0 well; 1 the run failed; 2 the input was wrong; 3 drawn, but the diagnostics say\n"
    "not to trust it; 130 interrupted"
)


def code_of(error: Exception) -> int:
    """Errors on purpose are the input's, except where the run itself or its files failed."""
    of_the_input = isinstance(error, BayesadError) and not isinstance(error, (InitialisationError, OSError))
    return WRONG_INPUT if of_the_input else RUN_FAILED
