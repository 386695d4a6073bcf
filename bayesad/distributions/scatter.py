"""Positive definite matrices as parameters: whitening and colouring by triangular systems, in whichever form given."""

from typing import Any, NamedTuple

import numpy as np

from bayesad.distributions.numerics import solve_lower
from bayesad.errors import DistributionError

__all__ = ["Scatter", "given_one", "scatter_of"]


class Scatter(NamedTuple):
    """A positive definite matrix S = A Aᵀ, by the lower Cholesky factor of S (then A is that) or of its inverse.

    Attributes
    ----------
    factor : array, shape (..., K, K)
    inverse : bool
        Whether `factor` is that of the inverse; then A is the inverse of its transpose.
    """

    factor: Any
    inverse: bool = False

    def whiten(self, x: Any) -> Any:
        """A⁻¹ x for vectors on the last axis."""
        if self.inverse:
            return np.matmul(x[..., None, :], self.factor)[..., 0, :]
        return solve_lower(self.factor, x)

    def colour(self, z: Any) -> Any:
        """A z for vectors on the last axis."""
        if self.inverse:
            return solve_lower(self.factor, z, trans=True)
        return np.matmul(self.factor, z[..., None])[..., 0]

    @property
    def log_scale(self) -> Any:
        """log |det A|, which is half of log |det S|."""
        total = np.log(np.diagonal(self.factor, axis1=-2, axis2=-1)).sum(axis=-1)
        return -total if self.inverse else total


def scatter_of(law: str, **forms: Any) -> Scatter:
    """The one matrix among the forms of a law's parameter that is not None: by its name a `precision`, a `chol`, or S.

    Raises
    ------
    DistributionError
        If none or several are given.
    """
    name, matrix = given_one(law, **forms)
    return Scatter(matrix if name.endswith("chol") else np.linalg.cholesky(matrix), inverse=name == "precision")


def given_one(law: str, **forms: Any) -> tuple[str, Any]:
    """The name and value of the one argument that is not None; DistributionError if there is not exactly one."""
    given = {name: m for name, m in forms.items() if m is not None}
    if len(given) != 1:
        *others, last = forms
        raise DistributionError(
            f"{law}: give exactly one of {', '.join(others)} and {last}; got {', '.join(given) or 'none of them'}."
        )
    return next(iter(given.items()))
