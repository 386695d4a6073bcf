"""Where forward and reverse mode cross: the cost of the Jacobian of f: Rⁿ → Rᵐ by both, as n / m varies.

    python models/modes_cross.py

Forward mode gives a column of the m × n matrix for each pass, and a compiled function takes eight of them together,
which share what the value needs. Reverse mode gives a row. Prints the times in evaluations of f, and saves a picture.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from bayesad import ad

HIDDEN = 64


def new_function(n, m, rng):
    """A network from n numbers through hidden ones to m; its cost hardly depends on n / m where n m is held fixed."""
    first, middle, last = (rng.normal(size=s) / np.sqrt(s[1]) for s in ((HIDDEN, n), (HIDDEN, HIDDEN), (m, HIDDEN)))
    return lambda x: np.tanh(last @ np.tanh(middle @ np.tanh(first @ x)))


def best_time(run, repeats=5, at_least=0.01):
    """The smallest time of a call, each measured over as many calls as take ``at_least`` seconds."""
    begin = time.perf_counter()
    run()
    calls = max(1, round(at_least / max(time.perf_counter() - begin, 1e-7)))
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(calls):
            run()
        times.append((time.perf_counter() - begin) / calls)
    return min(times)


def measured(n, m, rng):
    """Seconds of the value, and of the Jacobian in forward and in reverse mode, which agree."""
    f, x = ad.compile(new_function(n, m, rng)), rng.normal(size=n)
    runs = [lambda: f(x)] + [lambda mode=mode: ad.jacobian(f, x, mode=mode) for mode in (ad.Forward, ad.Reverse)]
    for run in runs:
        for _ in range(20):  # until it is machine code
            run()
    np.testing.assert_allclose(runs[1](), runs[2](), rtol=1e-9, atol=1e-12)
    return [best_time(run) for run in runs]


def crossing(ratios, forward, reverse):
    """The ratio at which the two curves meet, on logarithmic scales; NaN where they do not."""
    gap = np.log(forward) - np.log(reverse)
    change = np.flatnonzero((gap[:-1] < 0) & (gap[1:] >= 0))
    if not change.size:
        return np.nan
    i = change[0]
    t = gap[i] / (gap[i] - gap[i + 1])
    return float(np.exp((1 - t) * np.log(ratios[i]) + t * np.log(ratios[i + 1])))


def plot(ratios, forward, reverse, at, file):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.loglog(ratios, forward, "o-", label="forward: ⌈n / 8⌉ passes of eight columns")
    axes.loglog(ratios, reverse, "s-", label="reverse: m passes of a row")
    axes.axvline(at, color="grey", ls="--", lw=1, label=f"they cross at n / m ≈ {at:.1f}")
    axes.set(xlabel="n / m (inputs per result)", ylabel="cost of the Jacobian, evaluations of f")
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--entries", type=int, default=1024, help="n m, a power of 2 (default: %(default)s)")
    parser.add_argument("--picture", type=Path, default=Path("runs/modes_cross.png"))
    options = parser.parse_args(arguments)

    rng = np.random.default_rng(0)
    sizes = [(2**k, options.entries // 2**k) for k in range(options.entries.bit_length())]
    print("    n     m     n/m  forward  reverse   (evaluations of f)")
    rows = []
    for n, m in sizes:
        value, forward, reverse = measured(n, m, rng)
        rows.append((n / m, forward / value, reverse / value))
        print(f"{n:5} {m:5} {n / m:7.3g} {forward / value:8.1f} {reverse / value:8.1f}")
    ratios, forward, reverse = np.array(rows).T
    at = crossing(ratios, forward, reverse)
    print(f"forward is cheaper up to n / m = {at:.2g}, reverse from there on")
    plot(ratios, forward, reverse, at, options.picture)
    print("picture", options.picture)


if __name__ == "__main__":
    main()
