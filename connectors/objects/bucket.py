"""Object storage of a cloud: a bucket of S3 and its like, Azure Blob Storage or Google Cloud Storage."""

import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from connectors.objects.address import ObjectAddress
from connectors.objects.calls import Calls
from connectors.objects.cloud import connected
from connectors.objects.failures import code_of, failure_of, is_no_bucket
from connectors.objects.keys import checked, is_key
from connectors.objects.store import CHUNK_BYTES, Found, Limits, ObjectInfo, ObjectStore
from state.errors import ObjectRefusedError, ObjectStoppedError, ObjectStoreError

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta, PutMode, PutResult

Result = TypeVar("Result")

_PARTS = 4
_MAX_PARTS = 10_000
"""A limit of S3."""
_LISTED = 1000
_FIRST_PAUSE_S = 0.1
_MAX_PAUSE_S = 2.0


class _MissingError(ObjectStoreError):
    """The bucket has no such object."""


class _ChangedError(ObjectStoreError):
    """The condition of a request does not hold."""


class Bucket(ObjectStore):
    """Objects of a bucket. Uploads from files are repeated part by part; an aborted one may leave parts behind.

    A lifecycle rule of the bucket removes such parts.

    Raises:
        ConfigurationError: the environment is incomplete or wrong.
    """

    def __init__(self, address: ObjectAddress, limits: Limits, stop: threading.Event | None = None) -> None:
        super().__init__(address)
        self._retry_for_s = limits.retry_for_s
        self._cloud = connected(address, limits, retries=True)
        self._once = connected(address, limits, retries=False)
        self._calls = Calls(stop, str(address))
        self._has_versions = address.scheme == "gs"  # conditional writes of Google compare generations

    def put(self, key: str, data: bytes | Path) -> None:  # noqa: D102  # as in the base class
        size = _size(data)
        part = max(CHUNK_BYTES, -(-size // _MAX_PARTS))
        whole = self.address.at(checked(key))
        self._run(
            lambda: obstore.put_async(self._cloud, whole, data, chunk_size=part, max_concurrency=_PARTS),
            key,
            "written",
        )

    def put_new(self, key: str, data: bytes) -> str | None:  # noqa: D102  # as in the base class
        return self._put_if(key, data, "create")

    def put_instead(self, key: str, data: bytes, etag: str) -> str | None:  # noqa: D102  # as in the base class
        return self._put_if(key, data, {"version": etag} if self._has_versions else {"e_tag": etag})

    def get(self, key: str) -> Found | None:  # noqa: D102  # as in the base class
        whole = self.address.at(checked(key))
        try:
            data, meta = self._run(lambda: self._read(whole), key, "read")
        except _MissingError:
            return None
        return Found(data.tobytes(), self._etag(meta, key))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:  # noqa: D102  # as in the base class
        whole = self.address.at(checked(prefix) if prefix else "")
        cut = len(self.address.at("x")) - 1
        pages = obstore.list(self._cloud, whole or None, chunk_size=_LISTED)
        while page := self._run(lambda: anext(pages, []), prefix, "listed"):
            for meta in page:
                if is_key(key := meta["path"][cut:]):
                    yield ObjectInfo(key, meta["size"], round(meta["last_modified"].timestamp() * 1000))

    def delete(self, keys: Iterable[str]) -> None:  # noqa: D102  # as in the base class
        wholes = {key: self.address.at(checked(key)) for key in keys}
        if not wholes:
            return
        try:
            self._run(lambda: obstore.delete_async(self._cloud, [*wholes.values()]), next(iter(wholes)), "deleted")
        except _MissingError:  # some stores end at a missing object
            for key, whole in wholes.items():
                with suppress(_MissingError):
                    self._run(partial(obstore.delete_async, self._cloud, whole), key, "deleted")

    def _chunks(self, key: str, size: int) -> Iterator[memoryview]:
        options: GetOptions = {}
        for start in range(0, size or 1, CHUNK_BYTES):
            if size:
                options["range"] = (start, min(start + CHUNK_BYTES, size))
            data, meta = self._range(key, options)
            if meta["size"] != size:
                raise self._damaged(key, f"has {meta['size']:,} bytes, not {size:,}")
            if meta["e_tag"]:
                options["if_match"] = meta["e_tag"]
            yield data

    def _range(self, key: str, options: "GetOptions") -> "tuple[memoryview, ObjectMeta]":
        try:
            return self._run(lambda: self._read(self.address.at(key), options), key, "read")
        except _MissingError:
            raise self._damaged(key, "is missing") from None
        except _ChangedError:
            raise self._damaged(key, "changed, or is shorter than expected") from None

    async def _read(self, whole: str, options: "GetOptions | None" = None) -> "tuple[memoryview, ObjectMeta]":
        result = await obstore.get_async(self._cloud, whole, options=options)
        return memoryview(await result.bytes_async()), result.meta

    def _put_if(self, key: str, data: bytes, mode: "PutMode") -> str | None:
        """Write on a condition. A repeated write after an unknown outcome may fail by its own first attempt."""
        whole = self.address.at(checked(key))
        until, pause_s, in_doubt = time.monotonic() + self._retry_for_s, _FIRST_PAUSE_S, False
        while True:
            try:
                written = self._run(
                    lambda: obstore.put_async(self._once, whole, data, mode=mode, use_multipart=False), key, "written"
                )
                return self._etag(written, key)
            except (_ChangedError, _MissingError):
                found = self.get(key)
                return found.etag if in_doubt and found is not None and found.data == data else None
            except (ObjectRefusedError, ObjectStoppedError):
                raise
            except ObjectStoreError:
                if time.monotonic() + pause_s > until:
                    raise
                in_doubt = True
            self._calls.pause(random.uniform(0, pause_s))
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    def _run(self, call: Callable[[], Awaitable[Result]], key: str, doing: str) -> Result:
        """Return the result of a call, with its failures as errors of Tacit."""
        try:
            return self._calls.run(call)
        except (BaseError, OSError, ValueError) as error:
            failure = failure_of(error, self.address.url(key), doing)
            if isinstance(error, AlreadyExistsError | PreconditionError) or code_of(error) == "InvalidRange":
                raise _ChangedError(str(failure)) from None
            if isinstance(error, FileNotFoundError) and not is_no_bucket(error):
                raise _MissingError(str(failure)) from None
            raise failure from None

    def _etag(self, meta: "ObjectMeta | PutResult", key: str) -> str:
        etag = meta["version"] if self._has_versions else meta["e_tag"]
        if not etag:
            raise ObjectRefusedError(
                f"{self.address.url(key)} has no ETag; name a store with conditional writes (If-Match)"
            )
        return etag


def _size(data: bytes | Path) -> int:
    if isinstance(data, bytes):
        return len(data)
    with data.open("rb") as file:  # an unreadable file is no failure of the store
        return os.fstat(file.fileno()).st_size
