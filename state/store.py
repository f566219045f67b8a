"""A shard's people: live ones in a bounded cache, the others as packed bytes, all of them as one snapshot."""

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

from state import codec
from state.catalogue import Catalogue
from state.errors import StateError
from state.pseudonyms import DIGEST_BYTES
from state.user import UserState

LIVE_USERS = 512
"""People per shard and generation of the cache that are kept unpacked."""

SNAPSHOT_VERSION = 1

_HEADER = Struct("<4sB8sHII")  # magic, version, layout of the catalogue, shards, people, CRC-32 of what follows
_MAGIC = b"TCST"
_DAMAGED = "a shard's snapshot is damaged (checksum or count); restore the state folder from a backup"
_ENTRY = Struct(f"<{DIGEST_BYTES}sI")


class ShardStore:
    """The people of one shard, by digest.

    Live people are in two generations: whoever is touched moves to the young one, and when that is full the old one is
    packed away and the young one grows old. So who is touched often stays live, at the cost of a dict operation.
    """

    def __init__(self, catalogue: Catalogue, shards: int, live_users: int = LIVE_USERS) -> None:
        self._catalogue = catalogue
        self._shards = shards
        self._live_users = live_users
        self._young: dict[bytes, UserState] = {}
        self._old: dict[bytes, UserState] = {}
        self._changed: set[bytes] = set()
        self._packed: dict[bytes, bytes] = {}
        """Everybody; empty bytes stand for someone new who is live and was not packed yet."""

    def __len__(self) -> int:
        return len(self._packed)

    def get(self, user: bytes) -> UserState | None:
        """Return a person's state to be read or changed, or None for someone not known. Changes need `put`."""
        state = self._young.get(user)
        if state is not None:
            return state
        state = self._old.pop(user, None)
        if state is None:
            packed = self._packed.get(user)
            if packed is None:
                return None
            state = codec.unpack(packed, self._catalogue)
        self._make_young(user, state)
        return state

    def put(self, user: bytes, state: UserState) -> None:
        """Keep a person's changed state."""
        self._changed.add(user)
        self._packed.setdefault(user, b"")
        if user not in self._young:
            self._make_young(user, state)

    def _make_young(self, user: bytes, state: UserState) -> None:
        if len(self._young) >= self._live_users:
            self._pack(self._old)
            self._old, self._young = self._young, {}
        self._young[user] = state

    def _pack(self, states: dict[bytes, UserState]) -> None:
        for user in states.keys() & self._changed:
            self._packed[user] = codec.pack(states[user])
            self._changed.discard(user)

    def __iter__(self) -> Iterator[tuple[bytes, UserState]]:
        """Go through everybody; states are copies, not to be changed."""
        self._pack_all()
        for user, packed in self._packed.items():
            yield user, codec.unpack(packed, self._catalogue)

    def _pack_all(self) -> None:
        self._pack(self._old)
        self._pack(self._young)

    def snapshot(self) -> bytes:
        """Return everybody as bytes, with what is needed to refuse them in the wrong place."""
        self._pack_all()
        entries = [part for user, packed in self._packed.items() for part in (_ENTRY.pack(user, len(packed)), packed)]
        body = b"".join(entries)
        header = _HEADER.pack(
            _MAGIC, SNAPSHOT_VERSION, self._catalogue.layout, self._shards, len(self._packed), crc32(body)
        )
        return header + body

    def restore(self, snapshot: bytes) -> None:
        """Take over a snapshot into this empty store.

        Raises:
            StateError: if it is damaged, or was made for another number of shards or another catalogue.
        """
        people = self._check(snapshot)
        position = _HEADER.size
        while position < len(snapshot):
            user, size = _ENTRY.unpack_from(snapshot, position)
            position += _ENTRY.size
            self._packed[user] = snapshot[position : position + size]
            position += size
        if len(self._packed) != people:
            raise StateError(_DAMAGED)

    def _check(self, snapshot: bytes) -> int:
        if snapshot[:4] != _MAGIC or len(snapshot) < _HEADER.size:
            raise StateError("a shard's snapshot is no snapshot of Tacit's; restore the state folder from a backup")
        _, version, layout, shards, people, checksum = _HEADER.unpack_from(snapshot)
        if version != SNAPSHOT_VERSION:
            raise StateError(f"a shard's snapshot has format {version}; this version reads format {SNAPSHOT_VERSION}")
        if crc32(memoryview(snapshot)[_HEADER.size :]) != checksum:
            raise StateError(_DAMAGED)
        if shards != self._shards:
            raise StateError(f"the state was written with {shards} shards, not {self._shards}: use --shards {shards}")
        if layout != self._catalogue.layout:
            raise StateError(
                "the state was written under a catalogue with other facets, values, topics, surfaces or feedback "
                "kinds; use that catalogue, or replay history into a new state folder"
            )
        return int(people)
