"""Memory per user: 200,000 users with full state, as a worker's shards hold them.

    python -m benchmarks.memory [--users N]

All users gets the state of a user after 70 answers with feedback: all rings full, all windows used. Snapshots are not
part of it.
"""

import argparse

from benchmarks.apart import apart
from benchmarks.machine import machine, resident_mb
from benchmarks.synthetic_users import full_person
from state.catalogue.numbered import NumberedCatalogue
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_of
from state.user import codec
from state.user.rules import Rules
from tacit.contract.pseudonyms import pseudonym

SHARDS = 16
SECRET = b"0123456789abcdef"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=200_000)
    users = parser.parse_args().users
    base_mb, full_mb, packed_bytes = apart(_fill, users)
    print(machine())
    print(f"base of a worker process   {base_mb:8.0f} MB")
    print(f"with {users:,} users       {full_mb:8.0f} MB")
    per_person_kb = (full_mb - base_mb) * 1000 / users
    print(f"per user                 {per_person_kb:8.2f} KB, of which packed {packed_bytes:,} bytes")


def _fill(users: int) -> tuple[float, float, int]:
    """Return resident MB before and after, and the bytes of one packed user."""
    import dataflows.runtime.worker  # noqa: F401  # the base is a worker with all it imports

    catalogue = NumberedCatalogue.load()
    packed = codec.pack(full_person(Rules(catalogue)))
    with ShardStores(None, SHARDS, catalogue) as stores:
        base_mb = resident_mb()
        shards: dict[int, ShardStore] = {}
        for number in range(users):
            user = pseudonym(f"user-{number}", SECRET)
            shard = shard_of(user, SHARDS)
            store = shards[shard] = shards.get(shard) or stores.create(user)
            store.get(user)
            store.put(user, codec.unpack(packed, catalogue))
        return base_mb, resident_mb(), len(packed)


if __name__ == "__main__":
    main()
