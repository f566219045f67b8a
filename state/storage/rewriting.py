"""Rewriting of all users of a state into new checkpoints, next to those that the engine knows or in a new folder.

The checkpoints count only once the engine has their tokens. A rewriting that ends before leaves checkpoints that the
next run deletes.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, cast

from state.storage.checkpoint_folder import ShardFolder
from state.storage.checkpoint_reader import Checkpoint, link
from state.storage.erasure import Erasure
from state.storage.manifest import Token
from state.storage.rocksdb import RocksDatabase, translated
from state.storage.shard_database import ShardDatabase
from state.storage.shards import shard_of
from state.temporary import temporary_folder

WRITTEN_AT_ONCE = 16_000
"""Users that wait in memory, over all shards."""
_CHECKPOINT_THREADS = 8


def committed_users(folder: Path, tokens: Mapping[int, Token]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (pseudonym, packed state) of all users in the checkpoints of some tokens, by shard.

    Raises:
        StateError: a checkpoint is damaged.
    """
    rocks = RocksDatabase(1)
    for shard, token in sorted(tokens.items()):
        yield from _users(rocks, ShardFolder(folder.absolute(), shard), token)


def _users(rocks: RocksDatabase, folder: ShardFolder, token: Token) -> Iterator[tuple[bytes, bytes]]:
    manifest, path = folder.verify(token), folder.path / token.name
    with temporary_folder("tacit-checkpoint-") as temporary, translated(lambda: f"checkpoint {path}"):
        copy = temporary / token.name
        link(Checkpoint(path, manifest, 0), copy)
        database = rocks.open_read_only(copy)
        try:
            at = database.iter()
            at.seek_to_first()
            while at.valid():
                yield cast("bytes", at.key()), cast("bytes", at.value())
                at.next()
            at.status()
        finally:
            database.close()


class Rewriting:
    """New checkpoints of all shards."""

    def __init__(
        self, folder: Path, shards: int, execution: str, erasures: Mapping[int, Erasure] = MappingProxyType({})
    ) -> None:
        """Lock all shards below `folder`; `execution` names the new checkpoints.

        `erasures` are those that shards continue; other shards begin without one.
        """
        self._folder = folder
        self._shards = shards
        self._at_once = WRITTEN_AT_ONCE // shards
        self._waiting: dict[int, list[tuple[bytes, bytes]]] = {shard: [] for shard in range(shards)}
        self._users = dict.fromkeys(range(shards), 0)
        rocks = RocksDatabase(shards)
        with ExitStack() as opened:
            executor = opened.enter_context(ThreadPoolExecutor(1))
            self._databases: dict[int, ShardDatabase] = {}
            for shard in range(shards):
                database = ShardDatabase(
                    rocks, ShardFolder(folder, shard), shards, execution, None, executor, executor,
                    replaces=True, erasure=erasures.get(shard),
                )  # fmt: skip
                opened.callback(database.close)
                self._databases[shard] = database
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

    def write(self, user: bytes, packed: bytes) -> None:
        """Write the state of a user, each user once."""
        shard = shard_of(user, self._shards)
        self._users[shard] += 1
        self._waiting[shard].append((user, packed))
        if len(self._waiting[shard]) >= self._at_once:
            self._flush(shard)

    def _flush(self, shard: int) -> None:
        self._databases[shard].write(self._waiting[shard])
        self._waiting[shard] = []

    def finish(self) -> dict[int, bytes]:
        """Return the packed token of each shard's durable checkpoint."""
        for shard in self._databases:
            self._flush(shard)
        with ThreadPoolExecutor(_CHECKPOINT_THREADS) as threads:  # most of the time is waiting for the disk
            tokens = threads.map(lambda shard: self._databases[shard].checkpoint(self._users[shard]), self._databases)
            return dict(zip(self._databases, tokens, strict=True))


def delete_others(folder: Path, tokens: Mapping[int, Token]) -> None:
    """Delete all checkpoints and working folders but the checkpoints of committed tokens."""
    for shard, token in tokens.items():
        shard_folder = ShardFolder(folder, shard)
        shard_folder.commit()
        shard_folder.delete(name for name in shard_folder.names() if name != token.name)
        shard_folder.delete_work()
