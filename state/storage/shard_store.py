"""The users of a shard: rows on disk, and a table with the rows of the users seen last."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import layout_of, sizes_of
from state.row.row import Row
from state.storage.shard_database import ShardDatabase
from state.user import codec
from state.user.parts import Waiting
from state.user.user_state import UserState

MAX_CHANGED = 256
"""Above this count the states changed longest ago are written, which leaves less for the checkpoint."""

_SCANNED_AT_ONCE = 1000
_LEAST_ROOM = 64
"""Rows of a table at first."""


class ShardStore:
    """States of one shard's users by pseudonym; the table drops the least recently used.

    A batch begins with its users (`begin_batch`). `move_to` then makes each of them the present one of `state`.
    """

    def __init__(
        self,
        database: ShardDatabase,
        catalogue: NumberedCatalogue,
        cached_users: int,
        before_snapshot: Callable[[], None] | None = None,
    ) -> None:
        """Keep up to `cached_users` rows in memory between batches.

        `before_snapshot` is called before each snapshot; None: nothing is kept, and snapshots are empty.
        """
        self._database = database
        self._catalogue = catalogue
        self._cached_users = cached_users
        self._before_snapshot = before_snapshot
        self._users = database.users
        self._table = Row(layout_of(sizes_of(catalogue)), _LEAST_ROOM)
        self.state = UserState(catalogue, self._table)
        """State of the present user."""
        self._scanned_state = UserState(catalogue)
        """Another one, for users that are not in the table."""
        self._places: OrderedDict[bytes, int] = OrderedDict()
        """User → place in the table, least recently used first."""
        self._free = list(range(_LEAST_ROOM - 1, -1, -1))
        """Places without a user."""
        self._changed: dict[bytes, None] = {}
        """Users whose rows are not written yet, changed longest ago first."""
        self._unknown: set[bytes] = set()
        """Users of this batch without a stored state."""
        self._scanned = b""
        """The last pseudonym that `reclaim` visited."""

    def __len__(self) -> int:
        return self._users

    def begin_batch(self, users: Iterable[bytes]) -> bool:
        """Start a batch of some users; return True for the first one after a snapshot, which the engine has committed.

        The rows of all its users stay in the table until the end of the batch.
        """
        is_new_interval = self._database.confirm_commit()
        missing = []
        for user in users:
            if user in self._places:
                self._places.move_to_end(user)
            else:
                missing.append(user)
        if missing:
            self._load(missing)
        return is_new_interval

    def _load(self, users: Sequence[bytes]) -> None:
        """Put the rows of users into the table; those without a stored state get blank rows."""
        for user, packed in zip(users, self._database.get_all(users), strict=True):
            place = self._free_place()
            self._table.move_to(place)
            if packed is None:
                self._unknown.add(user)
                codec.clear(self.state)
            else:
                codec.load(self.state, packed)
            self._places[user] = place
            self._free.pop()

    def _free_place(self) -> int:
        """Return the place that the next user takes; it stays free until then."""
        if not self._free:
            room = self._table.room
            self._table.grow(2 * room)
            self._free = list(range(2 * room - 1, room - 1, -1))
        return self._free[-1]

    def move_to(self, user: bytes, waiting: Waiting) -> UserState:
        """Make a user of the batch the present one; a change needs `put`."""
        self.state.move_to(self._places[user], waiting)
        return self.state

    def get(self, user: bytes) -> UserState | None:
        """Return the state of a user between batches, valid until the next call; None for an unknown user."""
        if user in self._places:
            self.state.move_to(self._places[user], Waiting())
            return self.state
        packed = self._database.get(user)
        if packed is None:
            return None
        codec.load(self._scanned_state, packed)
        return self._scanned_state

    def put(self, user: bytes) -> None:
        """Store the changed row of a user of the batch."""
        if user in self._unknown:
            self._unknown.discard(user)
            self._users += 1
        self._changed.pop(user, None)  # moves to the end
        self._changed[user] = None

    def end_batch(self) -> None:
        """End a batch: drop what exceeds the table, and write some changed rows if many wait."""
        for user in self._unknown:
            self._free.append(self._places.pop(user))
        self._unknown.clear()
        while len(self._places) > self._cached_users:
            gone = next(iter(self._places))
            if gone in self._changed:
                self._write(list({gone: None} | dict.fromkeys(islice(self._changed, MAX_CHANGED // 2))))
            self._free.append(self._places.pop(gone))
        if len(self._changed) > MAX_CHANGED and self._before_snapshot:
            self._write(list(self._changed)[: -MAX_CHANGED // 2])

    def _write(self, users: Sequence[bytes]) -> None:
        rows = []
        for user in users:
            self._table.move_to(self._places[user])
            rows.append((user, codec.pack(self.state)))
        self._database.write(rows)
        for user in users:
            del self._changed[user]

    def __iter__(self) -> Iterator[tuple[bytes, UserState]]:
        """Iterate over copies of all states."""
        self._write(list(self._changed))
        last = b""
        while found := self._database.scan(last, _SCANNED_AT_ONCE):
            for user, packed in found:
                yield user, codec.unpack(packed, self._catalogue)
            last = found[-1][0]

    def states_after(self, user: bytes, most: int) -> Iterator[tuple[bytes, UserState]]:
        """Iterate over the states of the next users behind a pseudonym, between batches; each is valid until the next.

        A change of such a state is not stored.
        """
        self._write(list(self._changed))
        for found, packed in self._database.scan(user, most):
            codec.load(self._scanned_state, packed)
            yield found, self._scanned_state

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

    @property
    def checkpoint_bytes(self) -> int:
        """Size of the tables of the newest checkpoint."""
        return self._database.checkpoint_bytes

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
        Users in the table are skipped.
        """
        found = self._database.scan(self._scanned, most)
        self._scanned = found[-1][0] if len(found) == most else b""
        state, gone, bare = self._scanned_state, [], []
        for user, packed in found:
            if codec.newest_ms(packed) >= before_ms or user in self._places:
                continue
            codec.load(state, packed)
            if not state.retire(wipes_before_ms):
                gone.append(user)
            elif (kept := codec.pack(state)) != packed:
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
