"""Skewed streams: how evenly Zipf streams load partitions, shards and processes, and the CPU per event.

    python -m benchmarks.skew [--users N] [--events N] [--rounds N]

User k of a Zipf stream has a share of events proportional to k^-s; s = 0 is an even stream. The first table has the
expected loads: the busiest partition (Kafka's hash of the user id), shard and process as multiples of the mean. The
inverse is the share of all processes' time that is used once the busiest one has no more. The second table has the
measured CPU per event of `tacit replay` on such streams, as in `benchmarks.cost`.
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np
from kafka.partitioner import murmur2  # type: ignore[import-untyped]
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import measure_all, tacit_contender, tacit_name
from benchmarks.cost_table import plain_table
from benchmarks.machine import machine
from benchmarks.streams import Stream, users_stream
from state.storage.shards import MAX_SHARDS, shard_of
from tacit.contract.pseudonyms import pseudonym

EXPONENTS = (0.0, 0.8, 1.0, 1.2)
PARTITIONS = (8, 64, 512)
SHARDS = (16, MAX_SHARDS)
PROCESSES = (2, 8)
SECRET = b"0123456789abcdef"
_JAVA_INT = 0x7FFFFFFF


def main() -> None:
    """Simulate and measure, and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skew", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=1_000_000, help="users of the tables (default: %(default)s)")
    parser.add_argument("--events", type=int, default=100_000, help="measured events (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the measurement (default: %(default)s)")
    options = parser.parse_args()
    console = Console(highlight=False, width=120)
    console.print(machine())
    console.print(_loads(options.users))
    with tempfile.TemporaryDirectory(prefix="tacit-bench-") as folder:
        console.print(_costs(options.events, options.rounds, Path(folder)))


def shares(users: int, exponent: float) -> NDArray[np.float64]:
    """Return the share of events of each user, the most active first."""
    weights: NDArray[np.float64] = np.arange(1, users + 1, dtype=np.float64) ** -exponent
    share: NDArray[np.float64] = weights / weights.sum()
    return share


def _loads(users: int) -> Table:
    ids = [f"user-{number:06d}" for number in range(users)]
    hashes = np.array([murmur2(id_.encode()) & _JAVA_INT for id_ in ids])
    places = np.array([shard_of(pseudonym(id_, SECRET), MAX_SHARDS) for id_ in ids])
    groups = {
        **{f"{count} partitions": hashes % count for count in PARTITIONS},
        **{f"{count} shards": places % count for count in SHARDS},
        # Shard i goes to process i mod n for n of 2, 4 and 8 alone, see state/storage/shards.py
        **{f"{count} processes": places % count for count in PROCESSES},
    }
    title = f"{users:,} users: load of the busiest by the mean"
    table = plain_table(title, ("", *(f"s = {exponent:g}" for exponent in EXPONENTS)))
    streams = [shares(users, exponent) for exponent in EXPONENTS]
    table.add_row("share of the busiest user", *(f"{share[0]:.3%}" for share in streams))
    for name, group in groups.items():
        loads = (np.bincount(group, share) for share in streams)
        table.add_row(name, *(f"{load.max() / load.mean():.2f}" for load in loads))
    return table


def _costs(events: int, rounds: int, folder: Path) -> Table:
    title = f"{events:,} events, `tacit replay`"
    table = plain_table(title, ("s", "busiest user", "CPU µs/event", "× even stream"))
    found = []
    for exponent in EXPONENTS:
        stream = _zipf_stream(folder, events, exponent)
        costs = measure_all([tacit_contender(stream, "none")], stream, folder, rounds).costs
        found.append(costs[tacit_name("none", 1)])
    for exponent, cost in zip(EXPONENTS, found, strict=True):
        busiest = shares(_users_of(events), exponent)[0]
        relative = cost.river_steps / found[0].river_steps
        table.add_row(f"{exponent:g}", f"{busiest:.2%}", f"{cost.cpu_us:.1f}", f"{relative:.2f}")
    return table


def _zipf_stream(folder: Path, events: int, exponent: float) -> Stream:
    rng, cumulative = random.Random(5), list(accumulate(shares(_users_of(events), exponent)))
    numbers: Iterator[int] = iter(rng.choices(range(len(cumulative)), cum_weights=cumulative, k=events))
    return users_stream(f"s = {exponent:g}", folder / f"zipf-{exponent:g}", numbers, events)


def _users_of(events: int) -> int:
    return max(1, events // 10)


if __name__ == "__main__":
    main()
