"""Reserve + settle pairs per second on the embedded PostgreSQL with fsync on, with the CPU time of both
sides.
"""

import argparse
import asyncio
import json
import re
import subprocess

from benchmarks.platform import Platform, platform
from benchmarks.processes import python_module


def measure(ready: Platform, *, pairs: int, lanes: int) -> dict[str, object]:
    """`pairs` over `lanes` connections against the platform's own billing schema."""
    url = ready.stack.settings_of("billing-service")["DATABASE_URL"]
    before = ready.cpu_us(["postgres"])["postgres"]
    command = python_module("benchmarks.reserve_settle", url, str(pairs), str(lanes))
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    match = re.search(r"(\d+) pairs/s, (\d+) us", output)
    if match is None:
        raise RuntimeError(f"benchmarks.reserve_settle said: {output}")
    used = ready.cpu_us(["postgres"])["postgres"] - before
    return {
        "lanes": lanes,
        "pairs_per_s": int(match[1]),
        "client_cpu_us_per_pair": int(match[2]),
        "postgres_cpu_us_per_pair": round(used / pairs),
    }


def run(*, pairs: int, lanes: list[int]) -> dict[str, object]:
    """One row per number of lanes."""
    with platform(asyncio.run) as ready:
        measure(ready, pairs=200, lanes=2)
        return {"rows": [measure(ready, pairs=pairs, lanes=count) for count in lanes], "fsync": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 8])
    options = parser.parse_args()
    print(json.dumps(run(pairs=options.pairs, lanes=options.lanes), indent=2))


if __name__ == "__main__":
    main()
