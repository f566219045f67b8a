"""Wipes in savepoints: a user with a wipe after the save leaves the files of the savepoint, too.

Each cut shows how many erasures have ended per shard. A savepoint with another count gets the shard rewritten: users
wiped later have the tombstone of the newest cut in place of their state, and new tables hold nothing of before.

    newest cut ─► shards to rewrite ─► new tables, archive ─► manifest of the savepoint, replaced if unchanged
                                    └► damaged, or of other pseudonyms ─► the savepoint is dropped, with a note

Retention deletes the earlier files. Events after the wipe are in the topic: a run from the savepoint reads them again.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from time import monotonic, time_ns

import structlog
from msgspec.structs import replace

from dataflows.cuts.bucket import SAVEPOINT, Bucket, SavedCut, archive_key, new_execution, table_key
from dataflows.cuts.cut import Cut, CutShard, StoredFile
from dataflows.cuts.reading import FetchedCut, fetched_cut
from dataflows.cuts.send_rate import SendRate
from dataflows.cuts.upload import pack
from dataflows.recovery_store import copy_store
from dataflows.rotation.tokens import replace_tokens
from dataflows.state_folder import (
    FETCHED,
    RECOVERY,
    RUN_LOCK,
    SHARDS,
    VOCABULARY,
    identity_problems,
    is_full,
    read_vocabulary,
)
from state.catalogue.numbered import NumberedCatalogue
from state.durable import write_document
from state.errors import ObjectDamagedError, ObjectStoreError, StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import TABLE, Token, manifest_file
from state.storage.rewriting import Rewriting, committed_users
from state.storage.rocksdb import storage_error
from state.storage.shards import overlapping
from state.user import codec
from tacit.errors import TacitError

_log = structlog.get_logger(__name__)


class SavepointWipes:
    """Follows the wipes of the newest cut in all savepoints; only the holder of the lease does so.

    Args:
        bucket: cuts of the namespace.
        catalogue: catalogue of the run.
        work: folder for files of a rewriting.
        within_s: time after which a savepoint that cannot be rewritten is dropped.
        rate: limit of the process.
        holds: returns True while the run surely holds the lease.
    """

    def __init__(
        self,
        bucket: Bucket,
        catalogue: NumberedCatalogue,
        work: Path,
        within_s: float,
        rate: SendRate,
        holds: Callable[[], bool],
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._work = work
        self._within_s = within_s
        self._rate = rate
        self._holds = holds
        self._failing_since_s: dict[tuple[str, str], float] = {}
        """`monotonic()` of the first failure by name and ETag: another savepoint may get the name."""

    def follow(self, newest: Cut) -> None:
        """Rewrite or drop the savepoints that lack an erasure of the newest cut, or that cannot be read.

        Raises:
            TacitError: the errors of `ObjectStore`.
        """
        saved = self._bucket.saved()
        found_now = {(name, one.etag) for some in saved for name, one in some.items()}
        self._failing_since_s = {key: at_s for key, at_s in self._failing_since_s.items() if key in found_now}
        for name, (problem, etag) in saved.unreadable.items():
            self._fail(name, etag, problem)
        for name, found in saved.readable.items():
            if not self._holds():
                return
            shards = outdated_shards(name, found.cut, newest)
            if shards or _problems(found.cut, newest):
                self._attempt(name, found, newest, shards)

    def _attempt(self, name: str, found: SavedCut, newest: Cut, shards: Collection[int]) -> None:
        try:
            self._rewrite(name, found, newest, shards)
        except (StateError, ObjectDamagedError) as error:
            self._drop(name, found.etag, str(error))
        except TacitError as error:
            self._fail(name, found.etag, str(error))
        except OSError as error:
            self._fail(name, found.etag, str(storage_error(str(self._work), error.strerror or str(error))))
        else:
            self._failing_since_s.pop((name, found.etag), None)

    def _fail(self, name: str, etag: str, problem: str) -> None:
        """Drop a savepoint that has failed for too long: it may have the state of users from before their forget."""
        since_s = self._failing_since_s.setdefault((name, etag), monotonic())
        _log.warning("savepoint.rewrite_failed", savepoint=name, error=problem)
        if monotonic() - since_s > self._within_s:
            self._drop(name, etag, problem)

    def _drop(self, name: str, etag: str, reason: str) -> None:
        """Drop a savepoint, unless a command dropped it meanwhile, and may have saved another one."""
        self._failing_since_s.pop((name, etag), None)
        if self._holds() and self._bucket.drop_for(name, reason, _now_ms(), etag):
            _log.error("savepoint.dropped", savepoint=name, reason=reason)

    def _rewrite(self, name: str, found: SavedCut, newest: Cut, shards: Collection[int]) -> None:
        saved = found.cut
        if problems := _problems(saved, newest):
            raise StateError(f"it was made for {'; '.join(problems)}, so that its users cannot be compared")
        self._work.mkdir(exist_ok=True)
        with ExitStack() as stack:
            old = stack.enter_context(fetched_cut(self._bucket, saved, self._work))
            old.complete(shards)
            try:
                new = stack.enter_context(fetched_cut(self._bucket, newest, self._work))
                new.complete({other for shard in shards for other in _counterparts(shard, saved, newest)})
            except (StateError, ObjectDamagedError) as error:  # no fault of the savepoint
                raise ObjectStoreError(f"the newest cut cannot be read: {error}") from error
            tokens = self._write_users(old, new, shards, is_same_line=_is_same_line(name, saved, newest))
            made = self._upload(old, tokens, newest)
        if not self._holds():  # the sweep of another cluster deletes the new files
            return
        if self._bucket.replace(name, made, found.etag):
            _log.info("savepoint.rewritten", savepoint=name, cut=newest.text, shards=len(tokens))
        else:  # dropped or named again meanwhile
            self._bucket.store.delete(file.key for file in made.files if file not in saved.files)

    def _write_users(
        self, old: FetchedCut, new: FetchedCut, shards: Collection[int], *, is_same_line: bool
    ) -> dict[int, Token]:
        """Write the users of some shards into new checkpoints of the older cut, and return their tokens."""
        vocabulary = read_vocabulary(new.folder)
        if vocabulary.including(self._catalogue) is not vocabulary or not _extends(
            vocabulary, read_vocabulary(old.folder)
        ):
            raise StateError("its vocabulary has other numbers than that of the newest cut")
        catalogue = self._catalogue.numbered(vocabulary)
        with Rewriting(old.folder / SHARDS, old.cut.identity.shards, secrets.token_hex(4)) as rewriting:
            for shard in shards:
                for user, packed in _merged(old, new, shard, catalogue, drops_unknown=is_same_line):
                    rewriting.write(user, packed)
            finished = rewriting.finish()
        tokens = {shard: Token.unpack(finished[shard]) for shard in shards}
        _commit(old.folder / RECOVERY, {shard: finished[shard] for shard in shards})
        write_document(old.folder / VOCABULARY, vocabulary)
        return tokens

    def _upload(self, old: FetchedCut, tokens: dict[int, Token], newest: Cut) -> Cut:
        """Upload the new tables and an archive, and return the new manifest."""
        store, shards = self._bucket.store, dict(old.cut.shards)
        execution = new_execution(newest.fence)
        _tidy(old, tokens)
        for shard, token in tokens.items():
            folder = ShardFolder(old.folder / SHARDS, shard)
            tables = {}
            for name, (size, checksum) in folder.manifest_of(token).files.items():
                if name.endswith(TABLE):
                    tables[name] = StoredFile(table_key(shard, execution, name), size, checksum)
                    self._rate.admit(size)
                    store.put(tables[name].key, folder.path / token.name / name)
            shards[str(shard)] = CutShard(token.pack().hex(), tables, _erasures(shard, old.cut, newest))
        archive = old.folder.parent / "files.tar.zst"
        pack(old.folder, archive)
        packed = StoredFile(archive_key(newest.fence, newest.number, SAVEPOINT, execution), *manifest_file(archive))
        self._rate.admit(packed.size)
        store.put(packed.key, archive)
        return replace(old.cut, archives=[packed], shards=shards, followed=newest.line, rewritten_ms=_now_ms())


def outdated_shards(name: str, saved: Cut, newest: Cut) -> list[int]:
    """Return the shards of a savepoint that may have state from before a wipe of the newest cut.

    Counts compare within one line of cuts. Of another line, all shards may.
    """
    if not _is_same_line(name, saved, newest):
        return sorted(map(int, saved.shards))
    return sorted(
        int(shard) for shard, found in saved.shards.items() if _erasures(int(shard), saved, newest) != found.erasures
    )


def require_followed(name: str, saved: Cut, newest: Cut) -> None:
    """Check that a savepoint has followed all wipes of the newest cut.

    Raises:
        StateError: it may have the state of users from before their forget.
    """
    if outdated_shards(name, saved, newest):
        raise StateError(
            f"savepoint {name} may have the state of users from before their forget, as it has not followed cut "
            f"{newest.text}: the run with this URL rewrites it after its next cut; or leave --from out"
        )


def _counterparts(shard: int, saved: Cut, newest: Cut) -> Iterable[int]:
    """Return the shards of the newest cut that can have users of a savepoint's shard."""
    return overlapping(shard, saved.identity.shards, newest.identity.shards)


def _erasures(shard: int, saved: Cut, newest: Cut) -> int:
    """Return the erasures that have ended in the newest cut for users of a savepoint's shard.

    A change of the number of shards raises the count, too (dataflows.cuts.reshard).
    """
    found = (newest.shards.get(str(other)) for other in _counterparts(shard, saved, newest))
    return sum(one.erasures for one in found if one)


def _problems(saved: Cut, newest: Cut) -> list[str]:
    """Return the differences between two cuts whose users cannot be compared; the number of shards may differ."""
    return identity_problems(replace(saved.identity, shards=newest.identity.shards), newest.identity)


def _is_same_line(name: str, saved: Cut, newest: Cut) -> bool:
    """Return True if the newest cut counts on from the counts of the savepoint."""
    if saved.followed is not None:
        return newest.line == saved.followed
    return newest.line in {saved.line, f"{saved.state}/{name}@{saved.text}"}


def _merged(
    old: FetchedCut, new: FetchedCut, shard: int, catalogue: NumberedCatalogue, *, drops_unknown: bool
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the users of an older shard; of users wiped later, the tombstone."""
    present = merge(*(_users(new, other) for other in _counterparts(shard, old.cut, new.cut)))
    user, packed = next(present, (None, b""))
    for known, before in _users(old, shard):
        while user is not None and user < known:
            user, packed = next(present, (None, b""))
        if user == known:
            yield known, _followed(before, packed, catalogue)
        elif not drops_unknown:
            yield known, before


def _users(cut: FetchedCut, shard: int) -> Iterator[tuple[bytes, bytes]]:
    found = cut.cut.shards.get(str(shard))
    if found:
        yield from committed_users(cut.folder / SHARDS, {shard: found.checkpoint})


def _followed(before: bytes, packed: bytes, catalogue: NumberedCatalogue) -> bytes:
    """Return the state of before, or the consent, the pins and the wipes of the newer one after a wipe."""
    newest, earlier = codec.unpack(packed, catalogue), codec.unpack(before, catalogue).consent
    wiped_ms = max(newest.consent.wiped_ms, *(at_ms for at_ms, _ in newest.consent.wiped.values()), 0)
    if newest.consent.wiped_ms <= earlier.wiped_ms and newest.consent.wiped == earlier.wiped:
        return before
    newest.restart(wiped_ms)
    return codec.pack(newest)


def _extends(vocabulary: object, earlier: object) -> bool:
    """Return True if all numbers of an earlier vocabulary are those of a later one."""
    tables = ("facets", "slots", "places", "topics", "feedback")
    return all(
        getattr(vocabulary, table)[: len(getattr(earlier, table))] == getattr(earlier, table) for table in tables
    )


def _commit(recovery: Path, tokens: dict[int, bytes]) -> None:
    try:
        replace_tokens(recovery, tokens)
    except (KeyboardInterrupt, SystemExit, TacitError):
        raise
    except BaseException as cause:  # a panic of Bytewax is not an Exception
        if is_full(recovery):
            raise storage_error(str(recovery), os.strerror(errno.ENOSPC)) from cause
        raise StateError(f"its recovery store cannot be read: {' '.join(str(cause).split())}") from cause


def _tidy(old: FetchedCut, tokens: dict[int, Token]) -> None:
    """Leave the files of an archive alone: the tokens' checkpoints, and databases without files next to them."""
    recovery, copy = old.folder / RECOVERY, old.folder / "recovery.new"
    copy_store(recovery, copy)
    shutil.rmtree(recovery)
    copy.rename(recovery)
    for name in (RUN_LOCK, FETCHED):
        (old.folder / name).unlink(missing_ok=True)
    kept = {int(shard): found.checkpoint for shard, found in old.cut.shards.items()} | tokens
    for path in (old.folder / SHARDS).iterdir():
        token = kept.get(int(path.name))
        for other in path.iterdir():
            if token is None or other.name != token.name:
                shutil.rmtree(other) if other.is_dir() else other.unlink()


def _now_ms() -> int:
    return time_ns() // 1_000_000
