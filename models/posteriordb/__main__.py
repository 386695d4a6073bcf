"""Runs the reference posteriors and prints a table: python -m models.posteriordb [NAME ...]."""

import argparse
import sys
import time
from collections.abc import Sequence

from bayesad.errors import BayesadError
from models.posteriordb._checks import DensityCheck, DrawsCheck, check_density, check_draws, check_shares
from models.posteriordb._posteriors import ReferencePosterior, find, names

NAME_WIDTH = max(map(len, names()))
HEADER = f"{'posterior':<{NAME_WIDTH}} {'dim':>5} {'difference':>10} {'derivative':>10} " + (
    f"{'max z':>6} {'z > 2':>6} {'max d':>6} {'R-hat':>6} {'ESS':>6} {'div':>5} {'s':>6}"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Check the posteriors named on the command line; 1 if anything failed."""
    options = _parse(argv)
    print(HEADER, flush=True)
    compared: list[DrawsCheck] = []
    failed = []
    for reference in options.posteriors:
        start = time.perf_counter()
        density = check_density(reference)
        try:
            draws = _sample(reference, options) if options.sampling and reference.reference else None
            problems = density.problems + (draws.problems if draws else [])
        except BayesadError as error:
            draws, problems = None, [*density.problems, str(error)]
        print(_row(reference.name, density, draws, time.perf_counter() - start), _verdict(draws, problems), flush=True)
        compared += [draws] if draws else []
        failed += [reference.name] if problems else []
    overall = check_shares(compared) if not options.names else []
    for problem in overall:
        print(problem)
    print(f"{len(options.posteriors)} posteriors, {len(failed)} failed")
    return int(bool(failed or overall))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m models.posteriordb", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="posteriors, by name or shell pattern; default: all")
    parser.add_argument("--no-sampling", dest="sampling", action="store_false", help="check the densities only")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=1000, help="iterations of warmup per chain")
    parser.add_argument("--draws", type=int, default=1000, help="draws per chain")
    parser.add_argument("--seed", type=int, default=20251123)
    options = parser.parse_args(argv)
    try:
        options.posteriors = find(options.names)
    except ValueError as error:
        parser.error(str(error))
    return options


def _sample(reference: ReferencePosterior, options: argparse.Namespace) -> DrawsCheck:
    settings = {name: getattr(options, name) for name in ("chains", "warmup", "draws", "seed")}
    return check_draws(reference, reference.sample(**settings))


def _verdict(draws: DrawsCheck | None, problems: Sequence[str]) -> str:
    if problems:
        return f"FAILED: {'; '.join(problems)}"
    return "ok" if draws is None or draws.judged else "ok (draws not judged)"


def _row(name: str, density: DensityCheck, draws: DrawsCheck | None, seconds: float) -> str:
    cells = f"{name:<{NAME_WIDTH}} {density.dimension:>5} "
    cells += f"{density.difference:>10.1e} {density.derivative_error:>10.1e} "
    if draws:
        cells += f"{draws.max_z:>6.2f} {draws.share_above_2:>6.1%} {draws.max_d:>6.3f} "
        cells += f"{draws.r_hat:>6.3f} {draws.ess:>6.0f} {draws.divergences:>5} "
    else:
        cells += f"{'-':>6} {'-':>6} {'-':>6} {'-':>6} {'-':>6} {'-':>5} "
    return cells + f"{seconds:>6.1f}"


if __name__ == "__main__":
    sys.exit(main())
