"""One shard's people as bytes in RocksDB, and the checkpoints made of them.

Flink's incremental checkpoints (Carbone et al., "State management in Apache Flink", PVLDB 10(12), 2017) for Bytewax:
RocksDB's tables never change once written, so a checkpoint is hard links to them and a copy of the little that does
change, and the engine keeps a token of a few bytes. The order of things matters:

- A token is returned only once its checkpoint is sealed and durable, and a number is never used twice.
- The first batch after a checkpoint proves that the engine has committed its token, since sources wait for that. Only
  then are checkpoints deleted: all but this one and the one committed before it.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from shutil import rmtree

from rocksdict import Checkpoint, Rdict, WriteBatch

from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import TABLE, Manifest, ManifestFile, Token, write_manifest_file
from state.storage.rocksdb import RocksDatabase, error_of, storage_error
from tacit.errors import TacitError

FLUSH_BYTES = 3 * 512 * 1024
"""After so much RocksDB is told to write a table behind our back, so that little is left for the checkpoint."""


class ShardDatabase:
    """A shard that is open to be read and written.

    Errors: StateError for what is damaged, foreign or in use; StorageError for a disk that fails or is full.
    """

    def __init__(
        self,
        rocks: RocksDatabase,
        folder: ShardFolder,
        shards: int,
        execution: str,
        token: Token | None,
        sweeper: Executor,
    ) -> None:
        """Open the shard as that checkpoint has it; without a token it is new, with nobody in it.

        The sweeper deletes old checkpoints, for which the stream need not wait.
        """
        self._folder = folder
        self._shards = shards
        self._execution = execution
        self._work = folder.path / f"work-{execution}"
        self._latest = token
        self._committed = token
        """The newest checkpoint that the engine is known to have committed."""
        self._made: Token | None = None
        """A checkpoint that is yet to be sealed."""
        self._is_changed = token is None
        self._tables: dict[str, ManifestFile] = {}
        self._unflushed_bytes = 0
        self._sweeper = sweeper
        self._swept: Future[None] = sweeper.submit(lambda: None)
        """The last deletion, which may have failed."""
        self.users = 0
        """How many people there were when it was opened."""
        with self._said(), ExitStack() as opened:
            self._database = self._open(rocks, opened)
            self._number = folder.highest_number()
            self._opened = opened.pop_all()
            """What `close` undoes."""

    def _open(self, rocks: RocksDatabase, opened: ExitStack) -> Rdict:
        """Return the database at work on a copy of the checkpoint; what has to be undone goes to `opened`."""
        folder, token = self._folder, self._latest
        folder.lock()
        opened.callback(folder.unlock)
        manifest = folder.verify(token) if token else None
        if token is None and folder.is_committed:
            raise self._forgotten()
        folder.make_work(self._work)
        opened.callback(rmtree, self._work, ignore_errors=True)  # what stays is removed when the shard is next opened
        if token is not None:
            folder.copy_into(token.name, self._work)
        database = rocks.open(self._work)
        opened.callback(_close, database)
        if token is not None and manifest is not None:
            self._go_on_from(token.name, manifest, database.latest_sequence_number())
        return database

    def _go_on_from(self, name: str, manifest: Manifest, sequence: int) -> None:
        if sequence != manifest.sequence:
            raise self._folder.damaged(name, f"it opens with {sequence:,} writes instead of {manifest.sequence:,}")
        self.users = manifest.users
        self._tables = {name: file for name, file in manifest.files.items() if name.endswith(TABLE)}

    def _forgotten(self) -> StateError:
        return StateError(
            f"shard {self._folder.shard} has checkpoints in {self._folder.path}, but the recovery store beside it "
            "knows of none: restore the whole state folder from one backup, or give another folder"
        )

    def get(self, user: bytes) -> bytes | None:
        """Return a person's bytes, or None for someone not known."""
        try:
            found: bytes | None = self._database.get(user)
        except Exception as broken:  # what RocksDB raises has no type of its own
            raise self._error(broken) from broken
        return found

    def write(self, people: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep people's bytes."""
        batch = WriteBatch(raw_mode=True)
        for user, data in people:
            batch[user] = data
        self._write(batch)

    def delete(self, users: Iterable[bytes]) -> None:
        """Delete people."""
        batch = WriteBatch(raw_mode=True)
        for user in users:
            del batch[user]
        self._write(batch)

    def _write(self, batch: WriteBatch) -> None:
        if batch.is_empty():
            return
        self._is_changed = True
        self._unflushed_bytes += batch.size_in_bytes()
        with self._said():
            self._database.write(batch)
            if self._unflushed_bytes >= FLUSH_BYTES:
                self._checksum_ahead()
                self.start_flush()

    def scan(self, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """Return up to `most` people whose digests come after that one, in order."""
        with self._said():
            found: list[tuple[bytes, bytes]] = []
            at = self._database.iter()
            at.seek(after + b"\0")
            while at.valid() and len(found) < most:
                found.append((at.key(), at.value()))
                at.next()
            at.status()
            return found

    # Checkpoints

    def start_flush(self) -> None:
        """Have RocksDB write a table of what it holds in memory, while this process goes on."""
        if self._unflushed_bytes:
            self._unflushed_bytes = 0
            with self._said():
                self._database.flush(wait=False)

    def make_checkpoint(self) -> bool:
        """Have RocksDB make a checkpoint if anything was written; return whether there is one to seal."""
        if self._is_changed:
            self._number += 1
            made = Token(self._folder.shard, self._shards, self._number, self._execution)
            with self._said():
                self._database.flush()  # it lets other threads run, which making a checkpoint does not
                Checkpoint(self._database).create_checkpoint(str(self._folder.path / made.name))
            self._made = made
            self._is_changed = False
            self._unflushed_bytes = 0
        return self._made is not None

    def manifest(self, users: int) -> None:
        """Seal the checkpoint that was made; another thread may do it, as it waits for the disk."""
        if self._made is None:
            return
        with self._said():
            sequence = self._database.latest_sequence_number()
            self._latest = self._folder.manifest(self._made, users, sequence, self._tables)
        self._made = None

    def checkpoint(self, users: int) -> bytes:
        """Return the token of a checkpoint of all that was written, made and sealed now if need be."""
        self.make_checkpoint()
        self.manifest(users)
        assert self._latest is not None  # noqa: S101  # someone new has changed
        return self._latest.pack()

    def _checksum_ahead(self) -> None:
        """Take the checksums of tables that are there by now, so that the checkpoint need not wait for them."""
        for table in self._database.live_files():
            name = table["name"].lstrip("/")
            if name not in self._tables:
                with suppress(FileNotFoundError):  # merged into another one meanwhile
                    self._tables[name] = write_manifest_file(self._work / name)

    def prove(self) -> bool:
        """Hear that a batch has come, so that the last checkpoint is committed: all older ones but one can go.

        Return whether that is news.
        """
        if self._latest is self._committed or self._latest is None:
            return False
        kept = {token.name for token in (self._latest, self._committed) if token}
        with self._said():
            self._folder.commit()
            self._swept.result()
            surplus = [name for name in self._folder.names() if name not in kept]
            self._swept = self._sweeper.submit(self._folder.delete, surplus)
        self._committed = self._latest
        return True

    def close(self) -> None:
        """Close the shard, forgetting what is in no checkpoint."""
        with self._said():
            self._opened.close()

    # Errors

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except TacitError:
            raise
        except Exception as broken:
            raise self._error(broken) from broken

    def _error(self, broken: Exception) -> Exception:
        """Return an error of ours for what RocksDB or the disk raised; anything else is a mistake of ours."""
        where = f"shard {self._folder.shard} in {self._folder.path}"
        if isinstance(broken, OSError):
            return storage_error(where, broken.strerror or str(broken))
        return error_of(broken, where) if type(broken) is Exception else broken


def _close(database: Rdict) -> None:
    """Close a database; what it fails to write at the end is in no checkpoint, and not wanted."""
    with suppress(Exception):  # it is closed all the same
        database.close()
