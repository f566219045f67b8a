"""Memory per cached user: 200,000 users with full state, all in the tables of a worker's shards.

    python -m benchmarks.memory [--users N]

Every user has the state of a user after 70 answers with feedback: all rings full, all windows used. Checkpoints are not
measured; buffers and cached blocks of RocksDB, 128 MB at most, are part of the figure.
"""

import argparse

from benchmarks.machine import machine, resident_mb
from benchmarks.processes import in_new_process
from benchmarks.synthetic_users import full_rows, put
from state.catalogue.numbered import NumberedCatalogue
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_of
from state.user.rules import Rules
from tacit.contract.pseudonyms import pseudonym

SHARDS = 16
SECRET = b"0123456789abcdef"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=200_000)
    users = parser.parse_args().users
    base_mb, full_mb, row_bytes = in_new_process(_fill, users)
    print(machine())
    print(f"worker process without users   {base_mb:8.0f} MB")
    print(f"with {users:,} users             {full_mb:8.0f} MB")
    per_user_kb = (full_mb - base_mb) * 1000 / users
    print(f"per user                       {per_user_kb:8.2f} KB; row: {row_bytes:,} bytes")


def _fill(users: int) -> tuple[float, float, int]:
    """Return the resident MB before and after filling, and the bytes of a row."""
    import dataflows.runtime.worker  # noqa: F401  # a worker imports these modules before its first user

    catalogue = NumberedCatalogue.load()
    rows = full_rows(Rules(catalogue))
    with ShardStores(None, SHARDS, catalogue, cached_users=2 * users) as stores:  # shards differ in size
        base_mb = resident_mb()
        shards: dict[int, ShardStore] = {}
        for number in range(users):
            user = pseudonym(f"user-{number}", SECRET)
            shard = shard_of(user, SHARDS)
            store = shards[shard] = shards.get(shard) or stores.create(user)
            put(store, [user], rows)
        return base_mb, resident_mb(), len(rows[0])


if __name__ == "__main__":
    main()
