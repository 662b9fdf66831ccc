"""`python -m benchmarks` runs them all, `python -m benchmarks hop turn` some."""

import subprocess
import sys

from benchmarks.processes import python_module

NAMES = ("hop", "stream_gap", "pairs", "chain", "turn", "starts", "sandbox", "retrieval")


def main() -> int:
    """Each in a process of its own; the exit status is the number that failed."""
    wanted = sys.argv[1:] or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return 2
    failed = 0
    for name in wanted:
        print(f"== {name}", flush=True)
        failed += subprocess.run(python_module(f"benchmarks.{name}"), check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
