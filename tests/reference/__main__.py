"""Compare reference and product: `python -m tests.reference [STREAMS] [FIRST_SEED]`, by default 10,000 from seed 0.

Every twentieth seed also makes a long stream, and a short one that runs through a store on disk.
"""

import sys
import time

from tests.reference import product
from tests.reference.comparison import in_memory, report

PER_OTHERS = 20
LONG = 2_000
STORED = 60


def compared(seed: int) -> str:
    """Return the difference over the streams of a seed; empty without any."""
    found = report(seed, in_memory)
    if seed % PER_OTHERS == 0 and not found:
        found = report(seed, in_memory, LONG, is_calm=True) or report(seed, product.stored, STORED)
    return found


def main(streams: int = 10_000, first: int = 0) -> int:
    """Compare over streams, and return 1 at the first difference."""
    started = time.perf_counter()
    for done in range(1, streams + 1):
        if found := compared(first + done - 1):
            sys.stdout.write(f"{found}\n")
            return 1
        if done % 500 == 0 or done == streams:
            rate = done / (time.perf_counter() - started)
            sys.stdout.write(f"{done} streams are equal, {rate:.1f} per second\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
