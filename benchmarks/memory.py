"""Bytes per user: in a worker's memory, in Redis, and on disk.

    python -m benchmarks.memory [--users N] [--simulated N]

Memory is that of users with the state after 70 answers with feedback, all in the tables of a worker's shards: all rings
full, all windows used. Checkpoints are not measured; buffers and cached blocks of RocksDB, 128 MB at most, are part of
the figure. Redis and the disk are measured after `tacit replay` of simulated users with 30 answers each, as in the
demo; the disk has two checkpoints of shards, which share tables.
"""

import argparse
import tempfile
from pathlib import Path

import redis

from benchmarks.contenders import TACIT
from benchmarks.machine import machine, resident_mb
from benchmarks.process_tree import usage
from benchmarks.processes import in_new_process
from benchmarks.streams import RECORDS_PER_TURN, TURNS_PER_USER, demo_stream
from benchmarks.synthetic_users import full_rows, put
from state.catalogue.numbered import NumberedCatalogue
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_of
from state.user.rules import Rules
from tacit.contract.pseudonyms import pseudonym
from tacit_cli.views.folder_stats import disk_bytes
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import environment

SHARDS = 16
SECRET = b"0123456789abcdef"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--simulated", type=int, default=10_000)
    options = parser.parse_args()
    users = options.users
    print(machine())
    base_mb, full_mb, row_bytes = in_new_process(_fill, users)
    print(f"worker process without users   {base_mb:8.0f} MB")
    print(f"with {users:,} users             {full_mb:8.0f} MB")
    per_user_kb = (full_mb - base_mb) * 1000 / users
    print(f"per user                       {per_user_kb:8.2f} KB; row: {row_bytes:,} bytes")
    with tempfile.TemporaryDirectory(prefix="tacit-bench-") as folder:
        _print_stored(Path(folder), options.simulated)


def _print_stored(folder: Path, users: int) -> None:
    stream = demo_stream(folder, round(users * TURNS_PER_USER * RECORDS_PER_TURN))
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        before = client.info("memory")["used_memory"]
        state = folder / "state"
        words = ["replay", stream.files.whole, "--redis", server.url, "--state", str(state)]
        usage([str(TACIT), *words], environment(), folder / "log")
        stored = (client.info("memory")["used_memory"] - before) / users
        keys = client.dbsize() / users
    event_bytes = Path(stream.files.whole).stat().st_size / stream.events
    print(f"{users:,} simulated users, {stream.events / users:.0f} events of {event_bytes:.0f} bytes each")
    print(f"in Redis, per user             {stored:8.0f} bytes in {keys:.1f} keys")
    print(f"on disk, per user              {disk_bytes([state]) / users:8.0f} bytes")


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
