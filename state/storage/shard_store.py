"""The users of a shard: packed bytes on disk, and a bounded cache of unpacked states."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from state.catalogue.numbered import NumberedCatalogue
from state.storage.shard_database import ShardDatabase
from state.user import codec
from state.user.user_state import UserState

MAX_CHANGED = 256
"""Above this count the states changed longest ago are written, which leaves less for the checkpoint."""

_SCANNED_AT_ONCE = 1000


class ShardStore:
    """States of one shard's users by pseudonym; the cache evicts the least recently used."""

    def __init__(
        self,
        database: ShardDatabase,
        catalogue: NumberedCatalogue,
        cached_users: int,
        before_snapshot: Callable[[], None] | None = None,
    ) -> None:
        """Cache up to `cached_users` unpacked states.

        `before_snapshot` is called before each snapshot; None: nothing is kept, and snapshots are empty.
        """
        self._database = database
        self._catalogue = catalogue
        self._cached_users = cached_users
        self._before_snapshot = before_snapshot
        self._users = database.users
        self._cached: OrderedDict[bytes, UserState] = OrderedDict()
        """Least recently used first. Eviction goes one by one: a mass eviction would delay the stream."""
        self._changed: dict[bytes, UserState] = {}
        """States not written yet, changed longest ago first."""
        self._unknown: set[bytes] = set()
        """Users of this batch without a stored state."""
        self._scanned = b""
        """The last pseudonym that `reclaim` visited."""

    def __len__(self) -> int:
        return self._users

    def begin_batch(self) -> bool:
        """Start a batch; return True for the first batch after a snapshot, which the engine has then committed."""
        return self._database.confirm_commit()

    def get(self, user: bytes) -> UserState | None:
        """Return the state of a user, or None for an unknown user; a change needs `put`."""
        state = self._cached.get(user)
        if state is not None:
            self._cached.move_to_end(user)
            return state
        packed = self._database.get(user)
        if packed is None:
            self._unknown.add(user)
            return None
        state = codec.unpack(packed, self._catalogue)
        self._cache(user, state)
        return state

    def put(self, user: bytes, state: UserState) -> None:
        """Store the changed state of a user."""
        if user in self._unknown:
            self._unknown.discard(user)
            self._users += 1
        self._changed.pop(user, None)  # moves to the end
        self._changed[user] = state
        if user not in self._cached:
            self._cache(user, state)

    def end_batch(self) -> None:
        """End a batch, and write some changed states if many wait."""
        self._unknown.clear()
        if len(self._changed) > MAX_CHANGED and self._before_snapshot:
            self._write(list(self._changed)[: -MAX_CHANGED // 2])

    def _cache(self, user: bytes, state: UserState) -> None:
        self._cached[user] = state
        if len(self._cached) > self._cached_users:
            gone, _ = self._cached.popitem(last=False)
            if gone in self._changed:
                self._write(list({gone: None} | dict.fromkeys(islice(self._changed, MAX_CHANGED // 2))))

    def _write(self, users: Sequence[bytes]) -> None:
        self._database.write([(user, codec.pack(self._changed.pop(user))) for user in users])

    def __iter__(self) -> Iterator[tuple[bytes, UserState]]:
        """Iterate over copies of all states."""
        self._write(list(self._changed))
        last = b""
        while found := self._database.scan(last, _SCANNED_AT_ONCE):
            for user, packed in found:
                yield user, codec.unpack(packed, self._catalogue)
            last = found[-1][0]

    # Checkpoints

    def start_flush(self) -> None:
        """Write all changed states, and start a flush."""
        self._write(list(self._changed))
        self._database.start_flush()

    def make_checkpoint(self) -> bool:
        """Make a checkpoint of all changes; return True if a checkpoint waits for its manifest."""
        return self._database.make_checkpoint()

    def write_manifest(self) -> None:
        """Write the manifest of the new checkpoint; safe in another thread."""
        self._database.write_manifest(self._users)

    def snapshot(self) -> bytes:
        """Return the token of a checkpoint of all users."""
        if self._before_snapshot is None:
            return b""
        self._database.confirm_earlier_commit()
        self._before_snapshot()
        self._write(list(self._changed))
        return self._database.checkpoint(self._users)

    def reclaim(self, before_ms: int, wipes_before_ms: int, most: int) -> None:
        """Visit the next `most` users, and free the state of users without an event since `before_ms`.

        A wipe of such a user is remembered if it is not older than `wipes_before_ms`.
        Cached users are skipped.
        """
        found = self._database.scan(self._scanned, most)
        self._scanned = found[-1][0] if len(found) == most else b""
        gone, bare = [], []
        for user, packed in found:
            if codec.newest_ms(packed) >= before_ms or user in self._cached:
                continue
            state = codec.unpack(packed, self._catalogue)
            if not state.retire(wipes_before_ms):
                gone.append(user)
            elif len(kept := codec.pack(state)) < len(packed):
                bare.append((user, kept))
        self._users -= len(gone)
        self._database.delete(gone)
        self._database.write(bare)

    def confirm_end(self) -> None:
        """Note the orderly end of the engine, which has committed the last token."""
        self._database.confirm_end()

    # Erasure (state.storage.erasure)

    @property
    def is_kept(self) -> bool:
        """True if the shard outlives the run."""
        return self._before_snapshot is not None

    @property
    def is_erasing(self) -> bool:
        """True while a file may have older bytes of a wiped user."""
        return self._database.is_erasing

    @property
    def waits_for_compaction(self) -> bool:
        """True if `compact` is the next step of the erasure."""
        return self._database.waits_for_compaction

    @property
    def is_settling(self) -> bool:
        """True if the erasure needs further checkpoints."""
        return self._database.is_settling

    def erase(self, users: Iterable[bytes]) -> None:
        """Let the older bytes of wiped users leave the disk; their new states were put before."""
        self._database.erase(users)

    def start_compaction(self) -> None:
        """Start to rewrite the tables with older bytes of wiped users, in the background."""
        if self._database.waits_for_compaction:
            self._write(list(self._changed))
            self._database.start_compaction()

    def settle(self, *, waits: bool = False) -> None:
        """Note an ended compaction, and let the next snapshot be a new checkpoint if the erasure needs one.

        Args:
            waits: first waits for the compaction that runs.
        """
        self._database.finish_compaction(waits=waits)
        if self._before_snapshot is None:
            self._database.confirm_end()  # there are no checkpoints
        self._database.settle()

    def close(self) -> None:
        """Close the shard; changes since the last snapshot are lost."""
        self._database.close()
