"""The shards that one process has open, in a state folder or, if nothing is to be kept, in a temporary one."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import Token
from state.storage.rocksdb import RocksDatabase
from state.storage.shard_database import ShardDatabase
from state.storage.shard_store import ShardStore
from state.storage.shards import shard_of

CACHED_USERS = 16_384
"""People kept unpacked, over all shards."""
_SEALERS = 8


class ShardStores:
    """Opens shards that share a catalogue and memory; a context manager, at whose end they are closed."""

    def __init__(
        self,
        folder: Path | None,
        shards: int,
        catalogue: NumberedCatalogue,
        execution: str = "unkept",
        cached_users: int = CACHED_USERS,
    ) -> None:
        """Without a folder people are on disk as long as the process lasts.

        `execution` names this run in the folder: up to 8 characters that no run before it had.
        """
        self._temporary = None if folder else TemporaryDirectory(prefix="tacit-state-")
        self._folder = folder or Path(self._temporary.name if self._temporary else "")
        self._shards = shards
        self._catalogue = catalogue
        self._execution = execution
        self._live_users = max(1, cached_users // shards)
        self._rocks = RocksDatabase(shards)
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="sweeper")
        self._open: list[ShardStore] = []

    def create(self, user: bytes) -> ShardStore:
        """Open the shard of a person, which has nobody in it yet.

        Raises:
            StateError: if it has a committed checkpoint, or another process holds it.
        """
        return self._store(shard_of(user, self._shards), None)

    def resume(self, packed: bytes) -> ShardStore:
        """Open a shard as it was when it returned that token.

        Raises:
            StateError: if anything about its checkpoint is not as it was.
        """
        token = Token.unpack(packed)
        if token.shards != self._shards:
            raise StateError(
                f"the state was written with {token.shards} shards, not {self._shards}: use --shards {token.shards}"
            )
        return self._store(token.shard, token)

    def _store(self, shard: int, token: Token | None) -> ShardStore:
        disk = ShardDatabase(
            self._rocks, ShardFolder(self._folder, shard), self._shards, self._execution, token, self._sweeper
        )
        at_interval_end = None if self._temporary else self._checkpoint
        store = ShardStore(disk, self._catalogue, self._live_users, at_interval_end)
        self._open.append(store)
        return store

    def _checkpoint(self) -> None:
        """Make the checkpoints of all shards at once, when the first is asked for its snapshot.

        Their tables are written and their seals made durable beside each other: most of that is waiting for the disk.
        """
        for store in self._open:
            store.start_flush()
        made = [store for store in self._open if store.make_checkpoint()]
        if made:
            with ThreadPoolExecutor(_SEALERS) as sealers:
                list(sealers.map(ShardStore.manifest, made))

    def prove(self) -> None:
        """Hear that the engine has come to an orderly end, so that it has committed the last token of every shard."""
        for store in self._open:
            store.begin_batch()

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
            closing.callback(self._sweeper.shutdown)
            self._open.clear()
