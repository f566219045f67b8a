"""Object storage in a folder, such as a mounted disk: durable, and with the conditional writes of a bucket.

A write goes to a temporary file, which takes the name of the object under a lock of the whole folder (flock).
"""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import mkstemp

from connectors.objects.address import ObjectAddress
from connectors.objects.calls import Calls
from connectors.objects.keys import checked, is_key
from connectors.objects.store import CHUNK_BYTES, Found, Limits, ObjectInfo, ObjectStore
from state.durable import sync
from state.errors import ObjectRefusedError, ObjectStoreError

LOCK = ".lock"
NEW = ".new"
"""Folder of temporary files."""
_LEFT_AFTER_S = 24 * 3600.0
"""Age after which a temporary file is that of a killed process."""
_LOOK_S = 0.02
_TAG_BYTES = 16

_PASSING = {
    errno.ENOSPC: "the disk is full; free space",
    errno.EDQUOT: "the quota is used up; free space or raise the quota",
}
_FINAL = {
    errno.EACCES: "no rights; give this user the right to write into the folder",
    errno.EPERM: "no rights; give this user the right to write into the folder",
    errno.EROFS: "the disk is read-only; mount it for writing",
    errno.ENOTDIR: "a file is in the place of a folder; choose another folder",
    errno.EEXIST: "a file is in the place of a folder; choose another folder",
    errno.EISDIR: "a folder is in the place of the object; choose another folder",
    errno.ENAMETOOLONG: "the path is too long; choose another folder",
}


class Folder(ObjectStore):
    """Objects as files below a folder, which must exist: an unmounted disk is no empty store.

    A key must not be the folder of another key.
    """

    def __init__(self, address: ObjectAddress, limits: Limits, stop: threading.Event | None = None) -> None:
        super().__init__(address)
        self._root = Path(address.bucket)
        self._below = self._root / address.prefix
        self._lock_within_s = limits.request_s
        self._calls = Calls(stop, str(address))

    def put(self, key: str, data: bytes | Path) -> None:  # noqa: D102  # as in the base class
        if isinstance(data, Path):
            with data.open("rb"):
                pass  # an unreadable file is no failure of the store
        with self._translated(key, "written"), self._written(key, data) as new, self._locked():
            self._take(new, key)

    def put_new(self, key: str, data: bytes) -> str | None:  # noqa: D102  # as in the base class
        with self._translated(key, "written"), self._written(key, data) as new, self._locked():
            if self._path(key).exists():
                return None
            self._take(new, key)
        return _etag(data)

    def put_instead(self, key: str, data: bytes, etag: str) -> str | None:  # noqa: D102  # as in the base class
        with self._translated(key, "written"), self._written(key, data) as new, self._locked():
            found = self._find(key)
            if found is None or found.etag != etag:
                return None
            self._take(new, key)
        return _etag(data)

    def get(self, key: str) -> Found | None:  # noqa: D102  # as in the base class
        with self._translated(key, "read"):
            return self._find(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:  # noqa: D102  # as in the base class
        top = self._path(prefix) if prefix else self._below
        with self._translated(prefix, "listed"):
            self._look()
            for folder, folders, names in os.walk(top, onerror=_raise_unless_missing):
                self._calls.look()
                folders[:] = [name for name in folders if is_key(name)]
                for name in names:
                    path = Path(folder, name)
                    key = path.relative_to(self._below).as_posix()
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        status = path.stat()
                        if is_key(key):
                            yield ObjectInfo(key, status.st_size, status.st_mtime_ns // 1_000_000)

    def delete(self, keys: Iterable[str]) -> None:  # noqa: D102  # as in the base class
        for key in keys:
            self._look()
            with self._translated(key, "deleted"), self._locked():
                path = self._path(key)
                with suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()
                    self._remove_empty(path.parent)

    def _chunks(self, key: str, size: int) -> Iterator[bytes]:
        with self._translated(key, "read"):
            self._look()
            try:
                file = self._path(key).open("rb")
            except (FileNotFoundError, NotADirectoryError):
                raise self._damaged(key, "is missing") from None
            with file:
                if (length := os.fstat(file.fileno()).st_size) != size:
                    raise self._damaged(key, f"has {length:,} bytes, not {size:,}")
                while chunk := file.read(CHUNK_BYTES):
                    self._calls.look()
                    yield chunk

    def _path(self, key: str) -> Path:
        return self._below / checked(key)

    def _find(self, key: str) -> Found | None:
        self._look()
        try:
            data = self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return Found(data, _etag(data))

    @contextmanager
    def _written(self, key: str, data: bytes | Path) -> Iterator[Path]:
        """Give a temporary file with the contents, on disk; it is gone at the end."""
        checked(key)
        self._look()
        temporary = self._root / NEW
        temporary.mkdir(exist_ok=True)
        _remove_left(temporary)
        descriptor, name = mkstemp(dir=temporary)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123  # of a descriptor
                for chunk in _pieces(data):
                    self._calls.look()
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            yield Path(name)
        finally:
            with suppress(OSError):  # the first error counts; without one, the file has another name now
                Path(name).unlink()

    def _take(self, new: Path, key: str) -> None:
        path = self._path(key)
        made = [folder for folder in path.relative_to(self._root).parents if not (self._root / folder).exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        new.replace(path)
        sync(path.parent)
        for folder in made:
            sync((self._root / folder).parent)

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # one that is not empty ends the loop
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the folder; the kernel frees it when a process ends."""
        with (self._root / LOCK).open("ab") as file:
            until = time.monotonic() + self._lock_within_s
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise ObjectStoreError(
                            f"{self.address} cannot be locked within {self._lock_within_s:g} s: "
                            f"another process has its file {LOCK}; look for a paused process"
                        ) from None
                self._calls.pause(_LOOK_S)
            yield

    def _look(self) -> None:
        """Raise an error if a stop is requested or the folder is missing."""
        self._calls.look()
        if not self._root.is_dir():
            raise ObjectRefusedError(f"{self.address}: no such folder; create it, mount its disk or correct the URL")

    @contextmanager
    def _translated(self, key: str, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            number = error.errno or 0
            what = f"{self.address.url(key)} cannot be {doing}"
            if number in _FINAL:
                raise ObjectRefusedError(f"{what}: {_FINAL[number]}") from error
            cause = _PASSING.get(number, f"{error.strerror}; check the disk")
            raise ObjectStoreError(f"{what}: {cause}") from error


def _etag(data: bytes) -> str:
    return blake2b(data, digest_size=_TAG_BYTES).hexdigest()


def _pieces(data: bytes | Path) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _remove_left(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFT_AFTER_S:
                path.unlink()


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
