"""Byte search in object storage: all objects of a namespace, one after the other, archives in their contents."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from connectors.objects.store import ObjectInfo, ObjectStore
from connectors.traces.files import UNREADABLE, find_traces
from connectors.traces.needles import Needles, Trace
from state.errors import ObjectDamagedError

_SMALL = ".json"
"""Ending of manifests and leases, which may change at each moment."""


def find_object_traces(objects: ObjectStore, needles: Needles) -> Iterator[Trace]:
    """Yield the traces of a user in all objects below an address; the place is the URL of the object.

    An object that disappears meanwhile has no trace. One object at a time is on disk.

    Raises:
        StorageError: the disk is full or fails.
        TacitError: the errors of `ObjectStore`.
    """
    with TemporaryDirectory(prefix="tacit-traces-") as temporary:
        for found in objects.list():
            place, path = needles.masked(objects.address.url(found.key)), Path(temporary, PurePosixPath(found.key).name)
            try:
                if _fetch(objects, found, path):
                    yield from (trace._replace(place=place) for trace in find_traces(path, needles))
            except ObjectDamagedError:
                if _exists(objects, found.key):
                    yield Trace(place, 0, UNREADABLE)
            path.unlink(missing_ok=True)


def _fetch(objects: ObjectStore, found: ObjectInfo, path: Path) -> bool:
    if not found.key.endswith(_SMALL):
        objects.fetch(found.key, path, found.size, None)
        return True
    small = objects.get(found.key)
    if small is None:
        return False
    path.write_bytes(small.data)
    return True


def _exists(objects: ObjectStore, key: str) -> bool:
    folder, _, _ = key.rpartition("/")
    return any(found.key == key for found in objects.list(folder))
