"""The open shards of one process, in a state folder or in a temporary folder."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from state.catalogue.numbered import NumberedCatalogue
from state.counters import CheckpointCounters
from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import Token
from state.storage.rocksdb import RocksDatabase
from state.storage.shard_database import ShardDatabase
from state.storage.shard_store import ShardStore
from state.storage.shards import CACHED_USERS, shard_of
from state.storage.temporary_folder import TemporaryShards

_CHECKPOINT_THREADS = 8


class ShardStores:
    """Shards with a shared catalogue and shared memory; the end of the context closes all shards."""

    def __init__(
        self,
        folder: Path | None,
        shards: int,
        catalogue: NumberedCatalogue,
        execution: str = "unkept",
        cached_users: int = CACHED_USERS,
        counters: CheckpointCounters | None = None,
        clock_s: Callable[[], float] = float,
        complete: Callable[[Token], None] = lambda _: None,
    ) -> None:
        """Open shards below `folder`; None: in a temporary folder for the lifetime of the process.

        `execution` names this run in the folder: up to 8 characters, different from all former runs.
        `counters` get the checkpoints, timed by `clock_s`. `complete` gets the token of each checkpoint before it is
        opened, and may add files that the checkpoint lacks.
        """
        self._counters = counters or CheckpointCounters()
        self._clock_s = clock_s
        self._complete = complete
        self._temporary = None if folder else TemporaryShards()
        self._folder = folder or (self._temporary.path if self._temporary else Path())
        self._shards = shards
        self._catalogue = catalogue
        self._execution = execution
        self._cached_users = max(1, cached_users // shards)
        self._rocks = RocksDatabase(shards)
        self._deleter = ThreadPoolExecutor(1, thread_name_prefix="sweeper")
        self._compactor = ThreadPoolExecutor(1, thread_name_prefix="compactor")
        self._compactor.submit(int)  # starts the thread now, so that the number of threads of a run is constant
        self._open: list[ShardStore] = []

    def create(self, user: bytes) -> ShardStore:
        """Open the shard of a user as a new, empty shard.

        Raises:
            StateError: the shard has a committed checkpoint, or another process holds the lock.
        """
        return self._store(shard_of(user, self._shards), None)

    def resume(self, packed: bytes) -> ShardStore:
        """Open a shard from the checkpoint of a token.

        Raises:
            StateError: the checkpoint is damaged, or of another number of shards.
        """
        token = Token.unpack(packed)
        if token.shards != self._shards:
            raise StateError(
                f"the state was written with {token.shards} shards, not {self._shards}: use --shards {token.shards}"
            )
        self._complete(token)
        return self._store(token.shard, token)

    def _store(self, shard: int, token: Token | None) -> ShardStore:
        database = ShardDatabase(
            self._rocks,
            ShardFolder(self._folder, shard),
            self._shards,
            self._execution,
            token,
            self._deleter,
            self._compactor,
        )
        before_snapshot = None if self._temporary else self._checkpoint
        store = ShardStore(database, self._catalogue, self._cached_users, before_snapshot)
        self._open.append(store)
        return store

    def _checkpoint(self) -> None:
        """Make the checkpoints of all shards when the first shard is asked for a snapshot.

        Tables and manifests of all shards are written in parallel: most of the time is waiting for the disk.
        """
        began_s = self._clock_s()
        for store in self._open:
            store.start_flush()
        made = [store for store in self._open if store.make_checkpoint()]
        if made:
            with ThreadPoolExecutor(_CHECKPOINT_THREADS) as threads:
                list(threads.map(ShardStore.write_manifest, made))
            self._counters.durations.add(self._clock_s() - began_s)
            self._counters.made_at = self._clock_s()
            self._counters.bytes = sum(store.checkpoint_bytes for store in self._open)

    def confirm_end(self) -> None:
        """Note the orderly end of the engine, which has committed the last token of every shard."""
        for store in self._open:
            store.confirm_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ExitStack() as closing:
            if self._temporary:
                closing.callback(self._temporary.cleanup)
            for store in self._open:
                closing.callback(store.close)
            closing.callback(self._deleter.shutdown)
            closing.callback(self._compactor.shutdown)
            self._open.clear()
