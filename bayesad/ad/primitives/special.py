"""Special functions as primitives: scipy.special's ufuncs."""

from __future__ import annotations

import scipy.special as sp

from bayesad.ad.primitives.table import elementwise

__all__: list[str] = []

gammaln = elementwise("gammaln", sp.gammaln, lambda g, y, x: g * sp.psi(x))
psi = elementwise("psi", sp.psi, lambda g, y, x: g * sp.zeta(2.0, x))
expit = elementwise("expit", sp.expit, lambda g, y, x: g * (y * (1.0 - y)))
log_expit = elementwise("log_expit", sp.log_expit, lambda g, y, x: g * sp.expit(-x))
