"""Retention in object storage: the newest cuts and all savepoints stay; files without a name in a manifest go."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut

_DELETED_AT_ONCE = 500


class Swept(NamedTuple):
    """Result of a sweep."""

    cuts: int
    files: int


class Retention:
    """Deletes old cuts, and the files that neither a cut nor a savepoint names.

    Only the holder of the lease deletes. A file without a name never gets one: cuts name new files of their own run,
    or those of an earlier cut.

    Args:
        bucket: cuts of the namespace.
        keep: number of the cuts to keep.
        holds: returns True while the run surely holds the lease.
    """

    def __init__(self, bucket: Bucket, keep: int, holds: Callable[[], bool]) -> None:
        self._bucket = bucket
        self._keep = keep
        self._holds = holds
        self._loose: set[str] | None = None
        """Files that were named before, by cuts that were dropped or by savepoints; None: any file may have no name."""

    def apply(self) -> Swept:
        """Delete old cuts and the files without a name; the first time, look at all files.

        Raises:
            TacitError: the errors of `ObjectStore`, or a damaged manifest; then no file is deleted.
        """
        keys = self._bucket.cuts()
        old = keys[: -self._keep]
        dropped = _names(self._bucket.read_all(old))
        if not self._holds():
            return Swept(0, 0)
        if self._loose is not None:
            self._loose |= dropped
        self._bucket.store.delete(old)
        saved = _names(self._bucket.savepoints().values())  # after the manifests: see `Bucket.save`
        named = saved | _names(self._bucket.read_all(keys[-self._keep :]))
        loose = self._bucket.files() if self._loose is None else sorted(self._loose)
        deleted = self._delete(key for key in loose if key not in named)
        self._loose = saved
        return Swept(len(old), deleted)

    def _delete(self, keys: Iterable[str]) -> int:
        deleted, rest = 0, iter(keys)
        while (some := list(islice(rest, _DELETED_AT_ONCE))) and self._holds():
            self._bucket.store.delete(some)
            deleted += len(some)
        return deleted


def _names(cuts: Iterable[Cut]) -> set[str]:
    return {file.key for cut in cuts for file in cut.files}
