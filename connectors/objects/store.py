"""Interface of object storage, as a bucket and a folder implement it."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from connectors.objects.address import ObjectAddress
from connectors.objects.keys import checked
from state.errors import ObjectDamagedError, StorageError

CHUNK_BYTES = 8 << 20
"""Bytes of a part of an upload, and of a range of a download."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds.

    Args:
        connect_s: for a connection.
        request_s: for a request with its answer, of at most `CHUNK_BYTES`.
        retry_for_s: for retries after a temporary failure; 0 for none.
    """

    connect_s: float = 5.0
    request_s: float = 30.0
    retry_for_s: float = 30.0


class Found(NamedTuple):
    """Contents of an object, and their ETag."""

    data: bytes
    etag: str


class ObjectInfo(NamedTuple):
    """Object of a list."""

    key: str
    size: int
    modified_ms: int


class ObjectStore(ABC):
    """Objects below an address; threads may share a store. Keys are without the prefix of the address.

    Every call may raise:
        ObjectRefusedError: the store refuses the access, or has no such bucket; only other settings help.
        ObjectStoppedError: the stop event of the store is set; the call ends within a second.
        ObjectStoreError: the store failed or did not answer within the limits; a retry may succeed.
        ValueError: `keys.checked` refuses a key.
    """

    def __init__(self, address: ObjectAddress) -> None:
        self.address = address

    @abstractmethod
    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object, whole or not at all; from a file in parts, with at most 4 parts in memory.

        Raises:
            OSError: the file is unreadable.
        """

    @abstractmethod
    def put_new(self, key: str, data: bytes) -> str | None:
        """Write an object that does not exist, and return its ETag; None if it exists.

        After a failure with an unknown outcome, an object with the same bytes counts as written by this call. So each
        writer writes other bytes. After an error, the object may exist with these bytes.
        """

    @abstractmethod
    def put_instead(self, key: str, data: bytes, etag: str) -> str | None:
        """Replace an object that still has an ETag, and return the new one; None if it changed or is gone.

        ETags depend on the bytes only: an object that got its old bytes back counts as unchanged. An unknown outcome
        is treated as in `put_new`.
        """

    @abstractmethod
    def get(self, key: str) -> Found | None:
        """Return a small object; None if it does not exist."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield all objects below a prefix of whole segments, in no order; other programs' keys are left out."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that does not exist counts as deleted."""

    @abstractmethod
    def _chunks(self, key: str, size: int) -> Iterator[bytes | memoryview]:
        """Yield the contents of an object in chunks.

        Raises:
            ObjectDamagedError: the object is missing, has another size, or changes meanwhile.
        """

    def fetch(self, key: str, path: Path, size: int, checksum: int | None) -> None:
        """Write an object into a file in chunks, verify it, and return when the file is on disk.

        The file is for the caller alone, who renames it. It is removed after an error.

        Args:
            key: key of the object.
            path: path of the file, which is replaced.
            size: expected size in bytes.
            checksum: expected CRC-32 of the contents; None: not known.

        Raises:
            ObjectDamagedError: the object is missing, truncated or changed.
            StorageError: the file cannot be written.
        """
        found = 0
        try:
            with _writing(path), path.open("wb") as file:
                for chunk in self._chunks(checked(key), size):
                    found = crc32(chunk, found)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                length = file.tell()
            if length != size:
                raise self._damaged(key, f"has {length:,} bytes, not {size:,}")
            if checksum not in {found, None}:
                raise self._damaged(key, f"has the checksum {found:08x}, not {checksum:08x}")
        except BaseException:
            with suppress(OSError):  # the first error counts
                path.unlink()
            raise

    def _damaged(self, key: str, how: str) -> ObjectDamagedError:
        return ObjectDamagedError(f"{self.address.url(key)} {how}; restore the object, or use an older cut")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}; free space or repair the disk: the object is as it was"
        ) from error
