"""Cuts and savepoints of a namespace in object storage."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath
from threading import Event
from typing import NamedTuple

import msgspec

from connectors.objects.address import ObjectAddress
from connectors.objects.opening import open_objects
from connectors.objects.store import ObjectStore
from dataflows.cuts.cut import SAVEPOINT_NAME, Cut
from dataflows.cuts.part import PARTS
from dataflows.settings import Settings
from state.errors import StateError
from tacit.errors import ConfigurationError

LEASE = "lease.json"
_CUTS, _SAVEPOINTS, _DROPPED, _TABLES, _ARCHIVES = "cuts", "savepoints", "dropped", "tables", "archives"
_TRIES = 5


class SavedCut(NamedTuple):
    """Savepoint, with the ETag of its manifest."""

    cut: Cut
    etag: str


class Dropped(msgspec.Struct, frozen=True):
    """Note of a savepoint that a run dropped, as it could not follow the wipes of users."""

    dropped_ms: int
    reason: str


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
        return Cut.decode(found[0], f"{self.url}/{key}") if found else None

    def write(self, cut: Cut) -> None:
        """Store the manifest of a cut, which completes it.

        Raises:
            StateError: a cut of that number exists.
        """
        key = cut_key(cut)
        if self.store.put_new(key, cut.encode()) is None:
            raise StateError(f"{self.url}/{key} exists already: another cluster writes there; end one of the two")

    def files(self) -> Iterable[str]:
        """Return the keys of all objects that belong to cuts."""
        for folder in (_TABLES, _ARCHIVES, PARTS):
            yield from (found.key for found in self.store.list(folder))

    # Savepoints

    def savepoints(self) -> dict[str, Cut]:
        """Return the savepoints by name.

        Raises:
            StateError: a manifest is damaged, or of a later version.
        """
        return {name: found.cut for name, found in self.saved().items()}

    def saved(self) -> dict[str, SavedCut]:
        """Return the savepoints by name, with their ETags; errors as `savepoints`."""
        keys = sorted(found.key for found in self.store.list(_SAVEPOINTS))
        read = {key: found for key in keys if (found := self.store.get(key))}
        return {
            PurePosixPath(key).stem: SavedCut(Cut.decode(data, f"{self.url}/{key}"), etag)
            for key, (data, etag) in read.items()
        }

    def replace(self, name: str, cut: Cut, etag: str) -> bool:
        """Replace a savepoint that still has an ETag; return False if it changed or is gone."""
        return self.store.put_instead(savepoint_key(name), cut.encode(), etag) is not None

    def drop_for(self, name: str, reason: str, at_ms: int) -> None:
        """Drop a savepoint, and leave a note with the reason."""
        self.store.put(f"{_DROPPED}/{name}.json", msgspec.json.encode(Dropped(at_ms, reason)))
        self.store.delete([savepoint_key(name)])

    def dropped(self) -> dict[str, Dropped]:
        """Return the notes of dropped savepoints by name; `save` and `drop` of the name remove a note.

        Raises:
            StateError: a note is damaged.
        """
        keys = sorted(found.key for found in self.store.list(_DROPPED))
        read = {key: found.data for key in keys if (found := self.store.get(key))}
        return {PurePosixPath(key).stem: self._note(key, data) for key, data in read.items()}

    def _note(self, key: str, data: bytes) -> Dropped:
        try:
            return msgspec.json.decode(data, type=Dropped)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError(f"{self.url}/{key} is damaged: {error}; remove it by tacit state drop") from error

    def savepoint(self, name: str) -> Cut:
        """Return a savepoint.

        Raises:
            StateError: there is none of that name, or its manifest is damaged.
        """
        cut = self.read(savepoint_key(name))
        if cut is None:
            raise self._unknown(name)
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
            if self.store.put_new(key, cut.encode()) is None:
                raise StateError(f"{self.url} has a savepoint {name} already: give another name, or drop it first")
            if self.store.get(cut_key(cut)):
                self.store.delete([f"{_DROPPED}/{name}.json"])
                return cut
            self.store.delete([key])
        raise StateError(f"{self.url} drops its cuts faster than they can be named: keep more of them by --keep-cuts")

    def drop(self, name: str) -> None:
        """Drop a savepoint, also a damaged one; the next run with this URL deletes the files that nothing else names.

        Raises:
            StateError: there is no savepoint of that name.
        """
        keys = [savepoint_key(name), f"{_DROPPED}/{name}.json"]
        if not any(self.store.get(key) for key in keys):
            raise self._unknown(name)
        self.store.delete(keys)

    def _unknown(self, name: str) -> StateError:
        names = ", ".join(sorted(PurePosixPath(found.key).stem for found in self.store.list(_SAVEPOINTS))) or "none"
        return StateError(f"{self.url} has no savepoint {name}: there are {names}; see tacit state list")


def cut_key(cut: Cut) -> str:
    """Return the key of a cut's manifest; keys sort like cuts."""
    return f"{_CUTS}/{cut.fence:06d}-{cut.number:010d}.json"


def table_key(shard: int, execution: str, name: str) -> str:
    """Return the key of a table: names are unique within a shard and an execution."""
    return f"{_TABLES}/{shard:03d}/{execution}/{name}"


def archive_key(fence: int, number: int, host: int, execution: str) -> str:
    """Return the key of a host's archive: no other execution writes it, though a number comes again after a restart."""
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
    return Bucket(open_objects(replace(address, prefix=place), stop=stop))
