"""Functions of machine learning and numerics whose derivatives are measured, written once for all array libraries.

``library`` is a `peers.Library`; q is a vector of all that is differentiated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["bundle_loss", "bundle_residuals", "gaussian_process", "lstm", "mixture", "network", "predators"]


def _log_sum_exp(xp: Any, a: Any, axis: int) -> Any:
    peak = xp.max(a, axis=axis, keepdims=True)
    return xp.squeeze(peak, axis=axis) + xp.log(xp.sum(xp.exp(a - peak), axis=axis))


def _taken(q: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """Arrays of these shapes, one after the other in a vector."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [q[end - int(np.prod(s)) : end].reshape(s) for end, s in zip(ends.tolist(), shapes, strict=True)]


def network(library: Any, q: Any, *, x: Any, target: Any, hidden: Any) -> Any:
    """The mean cross entropy of a network with one layer of tanh; ``target``: a row of 0 and a 1 for each row of x."""
    xp = library.namespace
    n, m, k = x.shape[1], len(hidden), target.shape[1]
    first, shift, second, last = _taken(q, (n, m), (m,), (m, k), (k,))
    scores = xp.dot(xp.tanh(xp.dot(x, first) + shift), second) + last
    return xp.sum(_log_sum_exp(xp, scores, 1) - xp.sum(scores * target, axis=1)) / x.shape[0]


def gaussian_process(library: Any, q: Any, *, squares: Any, y: Any, unit: Any, every: Any) -> Any:
    """The log likelihood of a Gaussian process, squared-exponential kernel (Rasmussen & Williams 2006, alg. 2.1)."""
    xp = library.namespace
    length, scale, noise = xp.exp(q[0]), xp.exp(q[1]), xp.exp(q[2])
    factor = xp.linalg.cholesky(scale**2 * xp.exp(-0.5 * squares / length**2) + (noise**2 + 1e-8) * unit)
    white = library.solve_lower(factor, y)
    return -0.5 * xp.sum(white**2) - xp.sum(xp.log(factor[every, every]))


def lstm(library: Any, q: Any, *, x: Any, y: Any, hidden: Any) -> Any:
    """The squared error of what an LSTM cell (Hochreiter & Schmidhuber 1997) holds after each row of x."""
    xp = library.namespace
    n, m = x.shape[1], len(hidden)
    from_x, from_h, shift = _taken(q, (4 * m, n), (4 * m, m), (4 * m,))
    driven = xp.dot(x, from_x.T) + shift

    def step(state: Any, row: Any) -> Any:
        gates = row + xp.dot(from_h, state[0])
        keep, new, out = (0.5 + 0.5 * xp.tanh(0.5 * gates[i * m : (i + 1) * m]) for i in range(3))
        cell = keep * state[1] + new * xp.tanh(gates[3 * m :])
        return xp.stack([out * xp.tanh(cell), cell])

    states = library.recursion(step, np.zeros((2, m)), driven)
    return xp.sum((xp.sum(states[:, 0, :], axis=1) - y) ** 2)


def mixture(library: Any, q: Any, *, x: Any, components: Any, place: Any, lower: Any, diagonal: Any) -> Any:
    """The log likelihood of a mixture of normals (ADBench; Šrajer, Kukelova & Fitzgibbon 2018) without its constants.

    Precisions are products of lower triangles whose logarithms of diagonals, then other entries, are parameters.
    """
    xp = library.namespace
    k, d = len(components), x.shape[1]
    alpha, mu, entries = _taken(q, (k,), (k, d), (k, d + d * (d - 1) // 2))
    logs = entries[:, :d]
    factors = entries[:, place] * lower + xp.exp(logs)[:, :, None] * diagonal
    centred = x[None, :, :] - mu[:, None, :]
    white = xp.matmul(centred, xp.swapaxes(factors, 1, 2))
    terms = alpha[:, None] + xp.sum(logs, axis=1)[:, None] - 0.5 * xp.sum(white**2, axis=2)
    prior = 0.5 * xp.sum(xp.exp(logs) ** 2) + 0.5 * xp.sum(entries[:, d:] ** 2) - xp.sum(logs)
    return xp.sum(_log_sum_exp(xp, terms, 0)) - x.shape[0] * _log_sum_exp(xp, alpha, 0) - prior


def bundle_residuals(library: Any, q: Any, *, seen: Any) -> Any:
    """Reprojection errors of a bundle adjustment (ADBench): two for each observation, of 15 numbers each.

    q: rotation (axis times angle), centre, focal length, principal point, two of radial distortion, point, weight;
    shape (15, n). The result has shape (2, n).
    """
    xp = library.namespace
    axis, centre, point = q[0:3], q[3:6], q[11:14]
    relative = point - centre
    square = xp.sum(axis**2, axis=0)
    angle = xp.sqrt(square)
    cosine, sine = xp.cos(angle), xp.sin(angle) / angle
    along = (1.0 - cosine) / square * xp.sum(axis * relative, axis=0)
    turned = xp.stack(
        [axis[1] * relative[2] - axis[2] * relative[1], axis[2] * relative[0] - axis[0] * relative[2],
         axis[0] * relative[1] - axis[1] * relative[0]]
    )  # fmt: skip
    moved = relative * cosine + turned * sine + axis * along
    flat = moved[:2] / moved[2]
    radius = xp.sum(flat**2, axis=0)
    projected = flat * (1.0 + q[9] * radius + q[10] * radius**2) * q[6] + q[7:9]
    return q[14] * (projected - seen)


def bundle_loss(library: Any, q: Any, *, seen: Any) -> Any:
    """Half the sum of squares of all reprojection errors; q: that of `bundle_residuals` as a vector."""
    return 0.5 * library.namespace.sum(bundle_residuals(library, q.reshape(15, -1), seen=seen) ** 2)


def predators(library: Any, q: Any, *, ts: Any, y: Any) -> Any:
    """The squared error of logarithms of a predator and its prey (Lotka 1925), of four rates and two first states."""
    xp = library.namespace

    def slopes(t: Any, state: Any, rates: Any) -> Any:
        hare, lynx = state[0], state[1]
        return xp.stack([(rates[0] - rates[1] * lynx) * hare, (rates[2] * hare - rates[3]) * lynx])

    return xp.sum((xp.log(library.odeint(slopes, xp.exp(q[4:]), ts, xp.exp(q[:4]))) - y) ** 2)
