"""Memory per person: 200,000 people with full state, as a worker's shards hold them.

    python -m benchmarks.memory [--users N]

Everybody gets the state of someone after 70 answers with feedback: all rings full, all windows used. Snapshots are not
part of it.
"""

import argparse
import random
from collections.abc import Iterator

from benchmarks.apart import apart
from benchmarks.machine import machine, resident_mb
from state import codec
from state.catalogue import Catalogue
from state.observation import Kind, Observation
from state.pseudonyms import digest
from state.records import FileOrigin
from state.shards import shard_of
from state.store import ShardStore
from state.user import Rules, UserState

SHARDS = 16
ANSWERS = 70
SECRET = b"0123456789abcdef"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=200_000)
    users = parser.parse_args().users
    base_mb, full_mb, packed_bytes = apart(_fill, users)
    print(machine())
    print(f"base of a worker process   {base_mb:8.0f} MB")
    print(f"with {users:,} people       {full_mb:8.0f} MB")
    per_person_kb = (full_mb - base_mb) * 1000 / users
    print(f"per person                 {per_person_kb:8.2f} KB, of which packed {packed_bytes:,} bytes")


def _fill(users: int) -> tuple[float, float, int]:
    """Return resident MB before and after, and the bytes of one packed person."""
    import dataflows.worker  # noqa: F401  # the base is a worker with all it imports

    catalogue = Catalogue.load()
    template = codec.pack(_someone(Rules(catalogue)))
    stores = [ShardStore(catalogue, SHARDS) for _ in range(SHARDS)]
    base_mb = resident_mb()
    for number in range(users):
        user = digest(f"user-{number}", SECRET)
        stores[shard_of(user, SHARDS)].put(user, codec.unpack(template, catalogue))
    return base_mb, resident_mb(), len(template)


def _someone(rules: Rules) -> UserState:
    state = UserState()
    for observation in _answers(rules.catalogue):
        state.observe(observation, rules)
    state.take_writes(b"", rules.catalogue)
    return state


def _answers(catalogue: Catalogue) -> Iterator[Observation]:
    rng = random.Random(1)
    at_ms = 1_790_000_000_000
    user = bytes(16)
    for number in range(ANSWERS + 1):
        at_ms += rng.randrange(60_000, 8 * 3_600_000)
        yield Observation(
            user=user,
            at_ms=at_ms,
            kind=Kind.INTERACTION if number else Kind.GRANT,
            event=number + 1,
            turn=number + 1,
            topic=rng.randrange(len(catalogue.topics.values) - 2),
            feedback=rng.randrange(len(catalogue.feedback)),
            slots=[rng.choice(slots) for slots in catalogue.facet_slots],
            facets=(),
            origin=FileOrigin("benchmark"),
            position=number,
            sha256=bytes(32),
        )


if __name__ == "__main__":
    main()
