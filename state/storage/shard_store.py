"""A shard's people: those touched last unpacked in a bounded cache, everybody as packed bytes on disk."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from state.catalogue.numbered import NumberedCatalogue
from state.storage.shard_database import ShardDatabase
from state.user import codec
from state.user.user_state import UserState

MAX_CHANGED = 256
"""Of more than these those unchanged for longest are written, so that little is left for the epoch's end."""

_SCANNED_AT_ONCE = 1000


class ShardStore:
    """The people of one shard, by digest; of more than fit into the cache those touched longest ago are let go."""

    def __init__(
        self,
        disk: ShardDatabase,
        catalogue: NumberedCatalogue,
        live_users: int,
        at_interval_end: Callable[[], None] | None = None,
    ) -> None:
        """Keep up to `live_users` people unpacked.

        `at_interval_end` is called before each snapshot; without it nothing is to be kept, and snapshots are empty.
        """
        self._disk = disk
        self._catalogue = catalogue
        self._live_users = live_users
        self._at_epochs_end = at_interval_end
        self._users = disk.users
        self._live: OrderedDict[bytes, UserState] = OrderedDict()
        """Those touched longest ago first; one by one, as letting go of many at once would hold up the stream."""
        self._changed: dict[bytes, UserState] = {}
        """Who is not written yet, those unchanged for longest first."""
        self._strangers: set[bytes] = set()
        """Who was asked for and not known, in this batch."""
        self._scanned = b""
        """The last one whom `reclaim` looked at."""

    def __len__(self) -> int:
        return self._users

    def begin_batch(self) -> bool:
        """Hear that a batch comes, and say whether it is the first of an epoch: the last snapshot is committed then."""
        return self._disk.prove()

    def get(self, user: bytes) -> UserState | None:
        """Return a person's state to be read or changed, or None for someone not known. Changes need `put`."""
        state = self._live.get(user)
        if state is not None:
            self._live.move_to_end(user)
            return state
        packed = self._disk.get(user)
        if packed is None:
            self._strangers.add(user)
            return None
        state = codec.unpack(packed, self._catalogue)
        self._enliven(user, state)
        return state

    def put(self, user: bytes, state: UserState) -> None:
        """Keep a person's changed state."""
        if user in self._strangers:
            self._strangers.discard(user)
            self._users += 1
        self._changed.pop(user, None)  # to stand last
        self._changed[user] = state
        if user not in self._live:
            self._enliven(user, state)

    def end_batch(self) -> None:
        """Write some of what has changed, if that is much by now."""
        self._strangers.clear()
        if len(self._changed) > MAX_CHANGED and self._at_epochs_end:
            self._write(list(self._changed)[: -MAX_CHANGED // 2])

    def _enliven(self, user: bytes, state: UserState) -> None:
        self._live[user] = state
        if len(self._live) > self._live_users:
            gone, _ = self._live.popitem(last=False)
            if gone in self._changed:
                self._write(list({gone: None} | dict.fromkeys(islice(self._changed, MAX_CHANGED // 2))))

    def _write(self, users: Sequence[bytes]) -> None:
        self._disk.write([(user, codec.pack(self._changed.pop(user))) for user in users])

    def __iter__(self) -> Iterator[tuple[bytes, UserState]]:
        """Go through everybody; states are copies, not to be changed."""
        self._write(list(self._changed))
        last = b""
        while found := self._disk.scan(last, _SCANNED_AT_ONCE):
            for user, packed in found:
                yield user, codec.unpack(packed, self._catalogue)
            last = found[-1][0]

    # Epochs

    def start_flush(self) -> None:
        """Begin to write what has changed."""
        self._write(list(self._changed))
        self._disk.start_flush()

    def make_checkpoint(self) -> bool:
        """Make a checkpoint of what has changed, and say whether there is one to seal."""
        return self._disk.make_checkpoint()

    def manifest(self) -> None:
        """Seal the checkpoint that was made; this may be called in another thread."""
        self._disk.manifest(self._users)

    def snapshot(self) -> bytes:
        """Return the token of a checkpoint of everybody."""
        if self._at_epochs_end is None:
            return b""
        self._at_epochs_end()
        self._write(list(self._changed))
        return self._disk.checkpoint(self._users)

    def reclaim(self, before_ms: int, most: int) -> None:
        """Look at the next `most` people, and free what is kept of those who had no event since that time.

        Who is live is left alone.
        """
        found = self._disk.scan(self._scanned, most)
        self._scanned = found[-1][0] if len(found) == most else b""
        gone, bare = [], []
        for user, packed in found:
            if codec.newest_ms(packed) >= before_ms or user in self._live:
                continue
            state = codec.unpack(packed, self._catalogue)
            if not state.retire():
                gone.append(user)
            elif len(kept := codec.pack(state)) < len(packed):
                bare.append((user, kept))
        self._users -= len(gone)
        self._disk.delete(gone)
        self._disk.write(bare)

    def close(self) -> None:
        """Close the shard; what is in no snapshot is gone."""
        self._disk.close()
