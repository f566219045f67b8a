"""Probe of a store: the rights, and the conditional writes on which the fencing of clusters rests."""

import secrets
from contextlib import suppress

from connectors.objects.store import ObjectStore
from state.errors import ObjectRefusedError, ObjectStoreError

KEY = "probe"
"""First segment of the key that a probe writes, and deletes."""


def require_conditions(objects: ObjectStore) -> None:
    """Write, read and delete an object of a random name, and check that the store obeys conditions.

    Raises:
        ObjectRefusedError: the access lacks a right, or the store ignores If-None-Match or If-Match.
        ObjectStoreError: as every call.
    """
    key = f"{KEY}/{secrets.token_hex(8)}"
    try:
        _check(objects, key)
    except ObjectStoreError:
        with suppress(ObjectStoreError):  # the first error counts
            objects.delete([key])
        raise
    objects.delete([key])


def _check(objects: ObjectStore, key: str) -> None:
    first = objects.put_new(key, b"first")
    if first is None or objects.put_new(key, b"second") is not None:
        raise _ignored(objects, "If-None-Match")
    if objects.put_instead(key, b"third", first) is None or objects.put_instead(key, b"fourth", first) is not None:
        raise _ignored(objects, "If-Match")


def _ignored(objects: ObjectStore, condition: str) -> ObjectRefusedError:
    return ObjectRefusedError(
        f"{objects.address} does not obey {condition}: two clusters could write at once; "
        "name a store with conditional writes, such as Amazon S3, Azure, Google, MinIO or SeaweedFS"
    )
