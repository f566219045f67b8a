"""Cuts and savepoints of a namespace in object storage."""

import dataclasses
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from threading import Event
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from connectors.objects.address import ObjectAddress
from connectors.objects.opening import open_objects
from connectors.objects.store import Found, ObjectStore
from dataflows.cuts.cut import SAVEPOINT_NAME, Cut
from dataflows.cuts.part import PARTS
from dataflows.settings import Settings
from state.errors import StateError
from tacit.errors import ConfigurationError

LEASE = "lease.json"
SAVEPOINT = "savepoint"
_CUTS, _SAVEPOINTS, _TABLES, _ARCHIVES = "cuts", "savepoints", "tables", "archives"
_CUT_KEY = re.compile(rf"{_CUTS}/(\d+)-\d+\.json")
_TRIES = 5


class SavedCut(NamedTuple):
    """Savepoint, with the ETag of its manifest."""

    cut: Cut
    etag: str


class Unreadable(NamedTuple):
    """Savepoint whose manifest is damaged or of a later version."""

    problem: str
    etag: str


class SavedCuts(NamedTuple):
    """Savepoints by name."""

    readable: dict[str, SavedCut]
    unreadable: dict[str, Unreadable]


class Dropped(msgspec.Struct, frozen=True):
    """Note in place of a savepoint: the name is free.

    A delete has no condition, so it could hit the savepoint that another command saves under the name meanwhile. All
    changes of a name are writes with conditions instead, and a note of a few bytes stays.
    """

    dropped_ms: int
    reason: str
    """Reason for which a run dropped it; empty after a drop on request."""


_FREE = Dropped(0, "")


class Savepoints(NamedTuple):
    """Savepoints by name, and the notes of those that a run dropped, as it could not follow the wipes of users."""

    cuts: dict[str, Cut]
    dropped: dict[str, Dropped]


class Bucket:
    """Manifests below the URL of the settings. All methods raise the errors of `ObjectStore`.

    Args:
        store: objects of one namespace.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.url = str(store.address)

    def cuts(self) -> list[str]:
        """Return the keys of all complete cuts, oldest first."""
        return sorted(found.key for found in self.store.list(_CUTS))

    def highest_fence(self) -> int:
        """Return the highest fencing number of all cuts; 0 without cuts."""
        found = (_CUT_KEY.fullmatch(key) for key in self.cuts())
        return max((int(key[1]) for key in found if key), default=0)

    def newest(self) -> Cut | None:
        """Return the newest complete cut; None without one.

        A run may drop all cuts of a list while this reads them; then it has made others.

        Raises:
            StateError: its manifest is damaged, or of a later version.
        """
        while keys := self.cuts():
            for key in reversed(keys):
                if cut := self.read(key):
                    return cut
        return None

    def all_cuts(self) -> list[Cut]:
        """Return all complete cuts, oldest first.

        Raises:
            StateError: a manifest is damaged, or of a later version.
        """
        return self.read_all(self.cuts())

    def read_all(self, keys: Iterable[str]) -> list[Cut]:
        """Return the cuts of some manifests, without those that were dropped meanwhile; errors as `read`."""
        return [cut for key in keys if (cut := self.read(key))]

    def read(self, key: str) -> Cut | None:
        """Return the cut of a manifest; None if it was dropped meanwhile.

        Raises:
            StateError: the manifest is damaged, or of a later version.
        """
        found = self.store.get(key)
        return self._decoded(key, found.data) if found and not _note(found.data) else None

    def _decoded(self, key: str, data: bytes) -> Cut:
        return Cut.decode(data, f"{self.url}/{key}")

    def write(self, cut: Cut) -> None:
        """Store the manifest of a cut, which completes it.

        Raises:
            StateError: a cut of that number exists.
        """
        key = cut_key(cut)
        if self.store.put_new(key, cut.encode()) is None:
            raise StateError(f"{self.url}/{key} exists already: another cluster writes there; end one of the two")

    def files(self) -> Iterator[str]:
        """Yield the keys of all objects that belong to cuts."""
        for folder in (_TABLES, _ARCHIVES, PARTS):
            yield from (found.key for found in self.store.list(folder))

    def files_of(self, fence: int) -> Iterator[str]:
        """Yield the keys of all objects that belong to cuts and that one cluster wrote."""
        mark = f"{fence:06d}-"
        for key in self.files():
            place = 2 if key.startswith(f"{_TABLES}/") else 1
            if key.split("/")[place].startswith(mark):
                yield key

    # Savepoints

    def savepoints(self) -> dict[str, Cut]:
        """Return the savepoints by name.

        Raises:
            StateError: a manifest is damaged, or of a later version.
        """
        return self.listed().cuts

    def listed(self) -> Savepoints:
        """Return savepoints and notes; a name has one of the two at most. Errors are those of `savepoints`."""
        found = self._objects()
        notes = {_name(key): note for key, (data, _) in found.items() if (note := _note(data)) and note.reason}
        return Savepoints({_name(key): self._decoded(key, data) for key, data in _manifests(found)}, notes)

    def saved(self) -> SavedCuts:
        """Return the savepoints that can be read, and those that cannot, by name."""
        found = SavedCuts({}, {})
        objects = self._objects()
        for key, data in _manifests(objects):
            try:
                found.readable[_name(key)] = SavedCut(self._decoded(key, data), objects[key].etag)
            except StateError as error:
                found.unreadable[_name(key)] = Unreadable(str(error), objects[key].etag)
        return found

    def _objects(self) -> dict[str, Found]:
        """Return savepoints and notes by key."""
        keys = sorted(found.key for found in self.store.list(_SAVEPOINTS))
        return {key: found for key in keys if (found := self.store.get(key))}

    def guard(self, fence: int) -> None:
        """Change all savepoints, so that no earlier cluster, which was paused meanwhile, replaces or drops one.

        Its new files may be swept by the cluster with this fencing number. A savepoint that cannot be read stays.
        """
        while older := {name: found for name, found in self.saved().readable.items() if found.cut.guard < fence}:
            for name, found in older.items():
                self.replace(name, replace(found.cut, guard=fence), found.etag)

    def replace(self, name: str, cut: Cut, etag: str) -> bool:
        """Replace a savepoint that still has an ETag; return False if it changed or is gone."""
        return self.store.put_instead(savepoint_key(name), cut.encode(), etag) is not None

    def drop_for(self, name: str, reason: str, at_ms: int, etag: str) -> bool:
        """Drop a savepoint that still has an ETag, and leave a note with the reason; errors and result as `replace`."""
        return self._free(savepoint_key(name), Dropped(at_ms, reason), etag)

    def _free(self, key: str, note: Dropped, etag: str) -> bool:
        return self.store.put_instead(key, msgspec.json.encode(note), etag) is not None

    def savepoint(self, name: str) -> Cut:
        """Return a savepoint.

        Raises:
            StateError: there is none of that name, or its manifest is damaged.
        """
        cut = self.read(savepoint_key(name))
        if cut is None:
            raise self._unknown(name)
        return cut

    def read_chosen(self, key: str, begun_from: str) -> Cut | None:
        """Return the cut that the first host chose as the start of all hosts; None if it is not there any more.

        Another savepoint may have its name by now, which the `begun_from` of the start shows. Errors are those of
        `read`.
        """
        cut = self.read(key)
        if cut and key.startswith(f"{_SAVEPOINTS}/") and not begun_from.endswith(f"@{cut.text}"):
            return None
        return cut

    def save(self, name: str) -> Cut:
        """Name the newest cut, so that it is kept until `drop`.

        A run may drop the cut meanwhile. It deletes the manifest first, and then the files that neither a cut nor a
        savepoint names; so a cut whose manifest is still there after the copy is safe.

        Raises:
            StateError: there is no cut, or the name is used.
        """
        key = savepoint_key(name)
        for _ in range(_TRIES):
            cut = self.newest()
            if cut is None:
                raise StateError(f"{self.url} has no cut yet: start tacit run with --checkpoints first")
            etag = self._take(key, replace(cut, saved_by=secrets.token_hex(4)))
            if etag is None:
                raise StateError(f"{self.url} has a savepoint {name} already: give another name, or drop it first")
            if self.store.get(cut_key(cut)):
                return cut
            self._free(key, _FREE, etag)
        raise StateError(f"{self.url} drops its cuts faster than they can be named: keep more of them by --keep-cuts")

    def _take(self, key: str, cut: Cut) -> str | None:
        """Write a savepoint under a free name, and return its ETag; None if the name is used."""
        found, data = self.store.get(key), cut.encode()
        if found is None:
            return self.store.put_new(key, data)
        return self.store.put_instead(key, data, found.etag) if _note(found.data) else None

    def drop(self, name: str) -> None:
        """Drop a savepoint, also a damaged one; the next run with this URL deletes the files that nothing else names.

        The note of a savepoint that a run dropped goes, too.

        Raises:
            StateError: there is no savepoint of that name.
        """
        key = savepoint_key(name)
        while (found := self.store.get(key)) and _note(found.data) != _FREE:
            if self._free(key, _FREE, found.etag):
                return
        raise self._unknown(name)

    def _unknown(self, name: str) -> StateError:
        names = ", ".join(_name(key) for key, (data, _) in self._objects().items() if not _note(data)) or "none"
        return StateError(f"{self.url} has no savepoint {name}: there are {names}; see tacit state list")


def _name(key: str) -> str:
    return PurePosixPath(key).stem


def _manifests(objects: Mapping[str, Found]) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of each savepoint, also of a damaged one; notes are left out."""
    return ((key, found.data) for key, found in objects.items() if not _note(found.data))


def _note(data: bytes) -> Dropped | None:
    """Return the note in an object of a name; None for a savepoint, also a damaged one."""
    try:
        return msgspec.json.decode(data, type=Dropped)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def cut_key(cut: Cut) -> str:
    """Return the key of a cut's manifest; keys sort like cuts."""
    return f"{_CUTS}/{cut.fence:06d}-{cut.number:010d}.json"


def new_execution(fence: int) -> str:
    """Return a name among the keys of objects for a process of a cluster: no other process has it."""
    return f"{fence:06d}-{secrets.token_hex(4)}"


def table_key(shard: int, execution: str, name: str) -> str:
    """Return the key of a table: names are unique within a shard and an execution."""
    return f"{_TABLES}/{shard:03d}/{execution}/{name}"


def archive_key(fence: int, number: int, host: int | str, execution: str) -> str:
    """Return the key of a host's archive: no other execution writes it, though a number comes again after a restart.

    The archive of a rewritten savepoint has `SAVEPOINT` in place of a host.
    """
    return f"{_ARCHIVES}/{fence:06d}-{number:010d}-{host}-{execution}.tar.zst"


def savepoint_key(name: str) -> str:
    """Return the key of a savepoint; ConfigurationError if the name is not one."""
    if not SAVEPOINT_NAME.fullmatch(name):
        raise ConfigurationError(
            [f"name: {name!r} is no name of a savepoint: up to 63 of a-z, 0-9, `.`, `_` and `-`, not first `.`"]
        )
    return f"{_SAVEPOINTS}/{name}.json"


def open_bucket(settings: Settings, stop: Event | None = None) -> Bucket:
    """Return the cuts of the settings' namespace; `stop` ends all calls within a second.

    Raises:
        ConfigurationError: the settings have no `checkpoints`, or a wrong one.
    """
    if settings.checkpoints is None:
        raise ConfigurationError(["checkpoints: is required; name the URL of the run by --checkpoints URL"])
    address = ObjectAddress.parse(settings.checkpoints)
    place = address.at(f"{settings.region}/{settings.namespace}")
    return Bucket(open_objects(dataclasses.replace(address, prefix=place), stop=stop))
