"""Draws eight schools in a process of its own and prints when the draws exist.

Run as a program; with an argument N it goes on and prints the seconds of N more runs, without and with the DataTree.
"""

import json
import sys
import time
from pathlib import Path

from bayesad.sampling import draw, sample
from models.eight_schools import eight_schools


def main() -> None:
    data = json.loads((Path(__file__).parents[1] / "models" / "data" / "eight_schools.json").read_text())
    posterior = eight_schools(y=data["y"], sigma=data["sigma"])
    draw(posterior, seed=1)
    existed, processor = time.time(), time.process_time()
    seconds: dict[str, list[float]] = {name: [] for name in ("draw", "sample", "draw_processor", "sample_processor")}
    for i in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        for name, function in (("draw", draw), ("sample", sample)):
            start, start_processor = time.perf_counter(), time.process_time()
            function(posterior, seed=i)
            seconds[name].append(time.perf_counter() - start)
            seconds[f"{name}_processor"].append(time.process_time() - start_processor)
    print(json.dumps({"existed": existed, "processor": processor, **seconds}))


if __name__ == "__main__":
    main()
