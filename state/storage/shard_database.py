"""The users of one shard as bytes in RocksDB, and the checkpoints of the shard.

Flink's incremental checkpoints (Carbone et al., "State management in Apache Flink", PVLDB 10(12), 2017) for Bytewax:
RocksDB's tables never change once written. So a checkpoint is hard links to the tables and copies of the few files that
change, and the engine stores a token of a few bytes. The order of the steps matters:

- A token is returned only when its checkpoint is durable and has a manifest. A number is never used twice.
- The first batch after a checkpoint shows that the engine has committed the token, since sources wait for the commit.
  Only then older checkpoints are deleted, except the one committed before.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import AbstractContextManager, ExitStack, suppress
from shutil import rmtree
from typing import cast

from rocksdict import Checkpoint, Rdict, WriteBatch

from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.erasure import Erasure
from state.storage.manifest import TABLE, Manifest, ManifestFile, Token, manifest_file
from state.storage.rocksdb import RocksDatabase, translated

FLUSH_BYTES = 3 * 512 * 1024
"""RocksDB starts to write a table in the background after so many bytes, which leaves less for the checkpoint."""


class ShardDatabase:
    """A shard that is open for reading and writing.

    Errors: StateError for a damaged, foreign or busy shard; StorageError for a disk that fails or is full.
    """

    def __init__(
        self,
        rocks: RocksDatabase,
        folder: ShardFolder,
        shards: int,
        execution: str,
        token: Token | None,
        deleter: Executor,
        compactor: Executor,
        *,
        replaces: bool = False,
        erasure: Erasure | None = None,
    ) -> None:
        """Open the shard from a checkpoint; without a token the shard is new and empty.

        `deleter` deletes old checkpoints in the background, and `compactor` erases the bytes of wiped users.
        `replaces` begins an empty shard next to committed checkpoints, until the engine has its token. `erasure` is
        the erasure that a shard without a token continues.
        """
        self._replaces = replaces
        self._rocks = rocks
        self._folder = folder
        self._shards = shards
        self._execution = execution
        self._work = folder.path / f"work-{execution}"
        self._latest = token
        self._committed = token
        """The newest checkpoint known as committed by the engine."""
        self._returned = token
        """The newest checkpoint of which the engine has the token, committed or not."""
        self._made: Token | None = None
        """A checkpoint without a manifest yet."""
        self._made_erasing: tuple[frozenset[bytes], int, int] = (frozenset(), 0, 0)
        """Members `erasing`, `settling` and `erasures` of its manifest."""
        self._erasure = Erasure() if erasure is None else erasure
        self._is_changed = token is None
        self._tables: dict[str, ManifestFile] = {}
        self._unflushed_bytes = 0
        self._deleter = deleter
        self._deletion: Future[None] = deleter.submit(lambda: None)
        """The last deletion, which may have failed."""
        self._compactor = compactor
        self._compaction: Future[None] | None = None
        """The compaction that runs, or has ended without a note."""
        self.users = 0
        """Count of users when the shard was opened."""
        with self._translated(), ExitStack() as opened:
            self._database = self._open(opened)
            self._number = folder.highest_number()
            self._opened = opened.pop_all()
            """Resources that `close` releases."""

    def _open(self, opened: ExitStack) -> Rdict:
        """Return the database, open on a copy of the checkpoint; `opened` collects the resources to release."""
        folder, token = self._folder, self._latest
        folder.lock()
        opened.callback(folder.unlock)
        manifest = folder.verify(token) if token else None
        if token is None and folder.is_committed and not self._replaces:
            raise self._unknown_to_engine()
        folder.make_work(self._work)
        opened.callback(rmtree, self._work, ignore_errors=True)  # the next opening of the shard removes leftovers
        if token is not None:
            folder.copy_into(token.name, self._work)
        database = self._rocks.open(self._work)
        opened.callback(_close, database)
        opened.callback(self._abandon_compaction)
        if token is not None and manifest is not None:
            self._resume(token.name, manifest, database.latest_sequence_number())
        return database

    def _resume(self, name: str, manifest: Manifest, sequence: int) -> None:
        if sequence != manifest.sequence:
            raise self._folder.damaged(name, f"it opens with {sequence:,} writes instead of {manifest.sequence:,}")
        self.users = manifest.users
        self._erasure.resume(manifest, self._folder.others(name))
        self._tables = {name: file for name, file in manifest.files.items() if name.endswith(TABLE)}

    def _unknown_to_engine(self) -> StateError:
        return StateError(
            f"shard {self._folder.shard} has checkpoints in {self._folder.path}, but the recovery store next to it "
            "knows of none: restore the whole state folder from one backup, or name another folder"
        )

    def get(self, user: bytes) -> bytes | None:
        """Return the bytes of a user; None for an unknown user."""
        with self._translated():
            found: bytes | None = self._database.get(user)
        return found

    def get_all(self, users: Sequence[bytes]) -> list[bytes | None]:
        """Return the bytes of several users, with one call of the database; None for an unknown user."""
        with self._translated():
            return cast("list[bytes | None]", self._database.get(list(users)))

    def write(self, users: Iterable[tuple[bytes, bytes]]) -> None:
        """Write the bytes of users: (pseudonym, bytes)."""
        batch = WriteBatch(raw_mode=True)
        for user, data in users:
            batch[user] = data
        self._write(batch)

    def delete(self, users: Iterable[bytes]) -> None:
        """Delete users."""
        batch = WriteBatch(raw_mode=True)
        for user in users:
            del batch[user]
        self._write(batch)

    def _write(self, batch: WriteBatch) -> None:
        if batch.is_empty():
            return
        self._is_changed = True
        self._unflushed_bytes += batch.size_in_bytes()
        with self._translated():
            self._database.write(batch)
            if self._unflushed_bytes >= FLUSH_BYTES:
                self._checksum_ahead()
                self.start_flush()

    def scan(self, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """Return up to `most` users with pseudonyms above `after`, in order."""
        with self._translated():
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
        """Start to write RocksDB's memory into a table, in the background."""
        if self._unflushed_bytes:
            self._unflushed_bytes = 0
            with self._translated():
                self._database.flush(wait=False)

    def make_checkpoint(self) -> bool:
        """Make a checkpoint if anything was written; return True if a checkpoint waits for its manifest."""
        if self._is_changed:
            self._number += 1
            made = Token(self._folder.shard, self._shards, self._number, self._execution)
            with self._translated():
                self._database.flush()  # a flush lets other threads run; making a checkpoint does not
                Checkpoint(self._database).create_checkpoint(str(self._folder.path / made.name))
            self._made = made
            self._made_erasing = self._erasure.users, self._erasure.settling, self._erasure.ended
            self._erasure.checkpoint_made(self._number)
            self._is_changed = False
            self._unflushed_bytes = 0
        return self._made is not None

    def write_manifest(self, users: int) -> None:
        """Write the manifest of the new checkpoint; safe in another thread, since most of the time is disk."""
        if self._made is None:
            return
        with self._translated():
            sequence = self._database.latest_sequence_number()
            self._latest = self._folder.write_manifest(self._made, users, sequence, self._tables, *self._made_erasing)
        self._made = None

    @property
    def checkpoint_bytes(self) -> int:
        """Size of the tables of the newest checkpoint."""
        return sum(file.size for file in self._tables.values())

    def checkpoint(self, users: int) -> bytes:
        """Return the token of a durable checkpoint of all writes, made now if necessary."""
        self.make_checkpoint()
        self.write_manifest(users)
        assert self._latest is not None  # noqa: S101  # a new shard counts as changed
        self._returned = self._latest
        return self._latest.pack()

    def _checksum_ahead(self) -> None:
        """Compute checksums of finished tables now, which shortens the checkpoint."""
        for table in self._database.live_files():
            name = table["name"].lstrip("/")
            if name not in self._tables:
                with suppress(FileNotFoundError):  # a compaction removed the table meanwhile
                    self._tables[name] = manifest_file(self._work / name)

    def confirm_commit(self) -> bool:
        """Note that the engine has committed the last checkpoint, and delete all older ones but one.

        Return True for the first call after a checkpoint. A batch from a source is such a sign.
        """
        if self._latest is self._committed or self._latest is None:
            return False
        self._commit(self._latest)
        return True

    def confirm_earlier_commit(self) -> None:
        """Note that the engine has committed the last returned token: it asks for the token of a later checkpoint.

        Sources start a checkpoint interval only after the commit of the one before. A shard without events has this
        sign alone.
        """
        if self._returned is not None and self._returned is not self._committed:
            self._commit(self._returned)

    def confirm_end(self) -> None:
        """Note the orderly end of the engine; an erasure ends with the deletion of all checkpoints but the last."""
        self.confirm_commit()
        if self._erasure.is_settling and not self._erasure.users:
            self._delete_all_but(self._latest)
            self._erasure.end()

    def _commit(self, token: Token) -> None:
        with self._translated():
            self._folder.commit()
        self._delete_all_but(token, self._committed, self._latest)
        self._committed = token
        self._erasure.committed(token.number)

    def _delete_all_but(self, *kept: Token | None) -> None:
        names = {token.name for token in kept if token}
        with self._translated():
            self._deletion.result()
            surplus = [name for name in self._folder.names() if name not in names]
            self._deletion = self._deleter.submit(self._folder.delete, surplus)

    # Erasure

    @property
    def is_erasing(self) -> bool:
        """True while a file may have older bytes of a wiped user."""
        return bool(self._erasure)

    @property
    def waits_for_compaction(self) -> bool:
        """True if `start_compaction` is the next step of the erasure."""
        return bool(self._erasure.waiting)

    @property
    def is_settling(self) -> bool:
        """True if a compaction runs, or the erasure needs further checkpoints."""
        return self._erasure.is_settling or bool(self._erasure.compacting)

    def erase(self, users: Iterable[bytes]) -> None:
        """Let the older bytes of users leave the disk by the next compaction and the checkpoints after it."""
        self._erasure.add(users)

    def start_compaction(self) -> None:
        """Start to rewrite the tables with older bytes of wiped users; all writes must be in the database."""
        if self._erasure.waiting and not self._erasure.compacting:
            with self._translated():
                ranges = self._erasure.begin(len(self._database.live_files()))
            self._compaction = self._compactor.submit(self._compact, ranges)

    def _compact(self, ranges: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Compact, in another thread: the compaction runs without Python's lock."""
        with self._translated():
            self._database.flush()
            for begin, end in ranges:
                self._rocks.compact(self._database, begin, end)

    def finish_compaction(self, *, waits: bool = False) -> None:
        """Note the end of the compaction, if it has ended or after waiting for it."""
        if self._compaction is None or not (waits or self._compaction.done()):
            return
        self._compaction.result()
        self._compaction = None
        self._erasure.compacted()
        self._is_changed = True

    def settle(self) -> None:
        """Let the next checkpoint be a new one, even without changes, if the erasure waits for checkpoints."""
        if self._erasure.settling:
            self._is_changed = True

    def _abandon_compaction(self) -> None:
        """Wait for a compaction, of which the next execution repeats the note."""
        if self._compaction is not None:
            wait([self._compaction])

    def close(self) -> None:
        """Close the shard; writes since the last checkpoint are lost."""
        with self._translated():
            self._opened.close()

    def _translated(self) -> AbstractContextManager[None]:
        return translated(lambda: f"shard {self._folder.shard} in {self._folder.path}")


def _close(database: Rdict) -> None:
    """Close a database; a write that fails at the end belongs to no checkpoint."""
    with suppress(Exception):  # the database is closed even so
        database.close()
