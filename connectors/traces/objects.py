"""Byte search in object storage: all objects of a namespace, one after the other, archives in their contents."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from connectors.objects.store import ObjectInfo, ObjectStore
from connectors.traces.files import UNREADABLE, find_traces
from connectors.traces.needles import Needles, Trace
from state.errors import ObjectDamagedError
from state.temporary import temporary_folder

_SMALL = ".json"
"""Ending of manifests and leases, which may change at each moment."""


Searched = dict[ObjectInfo, list[Trace]]
"""Objects that never change, by key, size and time, and their traces of one user."""


def find_object_traces(objects: ObjectStore, needles: Needles, searched: Searched | None = None) -> Iterator[Trace]:
    """Yield the traces of a user in all objects below an address; the place is the URL of the object.

    An object that disappears meanwhile has no trace. One object at a time is on disk.

    Args:
        objects: the store.
        needles: bytes of the user.
        searched: memory of earlier searches for the same needles: objects in it that are still listed are not read
            again, and this search adds to it. None: all objects are read.

    Raises:
        StorageError: the disk is full or fails.
        TacitError: the errors of `ObjectStore`.
    """
    searched = {} if searched is None else searched
    with temporary_folder("tacit-traces-") as temporary:
        for found in objects.list():
            if found not in searched:
                traces = _search(objects, found, needles, temporary)
                if found.key.endswith(_SMALL) or any(trace.kind == UNREADABLE for trace in traces):
                    yield from traces
                    continue
                searched[found] = traces
            yield from searched[found]


def _search(objects: ObjectStore, found: ObjectInfo, needles: Needles, folder: Path) -> list[Trace]:
    place, path = needles.masked(objects.address.url(found.key)), folder / PurePosixPath(found.key).name
    try:
        if not _fetch(objects, found, path):
            return []
        return [trace._replace(place=place) for trace in find_traces(path, needles)]
    except ObjectDamagedError:
        return [Trace(place, 0, UNREADABLE)] if _exists(objects, found.key) else []
    finally:
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
