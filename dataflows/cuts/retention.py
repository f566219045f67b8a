"""Retention in object storage: the newest cuts and all savepoints stay; files without a name in a manifest go."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from time import monotonic
from typing import NamedTuple

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut

SWEEP_EVERY_S = 3600.0
_DELETED_AT_ONCE = 500


class Swept(NamedTuple):
    """Result of a sweep."""

    cuts: int
    files: int


class Retention:
    """Deletes old cuts, and the files that neither a cut nor a savepoint names.

    Only the holder of the lease deletes. Right after a cut, no host of its cluster uploads for a later one. A file
    without a name then never gets one: cuts name files that are sent for them, or those of an earlier cut.

    Args:
        bucket: cuts of the namespace.
        fence: fencing number of the cluster.
        keep: number of the cuts to keep.
        holds: returns True while the run surely holds the lease.
        sweep_every_s: time between two looks at all files of the cluster.
    """

    def __init__(
        self,
        bucket: Bucket,
        fence: int,
        keep: int,
        holds: Callable[[], bool],
        sweep_every_s: float = SWEEP_EVERY_S,
    ) -> None:
        self._bucket = bucket
        self._fence = fence
        self._keep = keep
        self._holds = holds
        self._sweep_every_s = sweep_every_s
        self._loose: set[str] | None = None
        """Files that were named before, by cuts that were dropped or by savepoints; None: any file may have no name."""
        self._swept_s = 0.0
        """`monotonic()` of the last look at all files."""

    def apply(self) -> Swept:
        """Delete old cuts and the files without a name, right after a cut.

        The first time, look at all files; later, from time to time, at all files of this cluster, as an upload that
        ended before its manifest leaves some.

        Raises:
            TacitError: the errors of `ObjectStore`, or a damaged manifest; then no file is deleted.
        """
        keys = self._bucket.cuts()
        old = keys[: -self._keep]
        dropped = _names(self._bucket.read_all(old))
        if not self._holds():
            return Swept(0, 0)
        if self._loose is None:
            self._bucket.guard(self._fence)
        else:
            self._loose |= dropped
        self._bucket.store.delete(old)
        saved = _names(self._bucket.savepoints().values())  # after the manifests: see `Bucket.save`
        named = saved | _names(self._bucket.read_all(keys[-self._keep :]))
        deleted = self._delete(key for key in self._candidates() if key not in named)
        self._loose = saved
        return Swept(len(old), deleted)

    def _candidates(self) -> Iterator[str]:
        """Yield the files that may have no name."""
        if self._loose is not None:
            yield from sorted(self._loose)
            if monotonic() - self._swept_s < self._sweep_every_s:
                return
        loose = self._loose or set()
        files = self._bucket.files() if self._loose is None else self._bucket.files_of(self._fence)
        yield from (key for key in files if key not in loose)
        self._swept_s = monotonic()

    def _delete(self, keys: Iterable[str]) -> int:
        deleted, rest = 0, iter(keys)
        while (some := list(islice(rest, _DELETED_AT_ONCE))) and self._holds():
            self._bucket.store.delete(some)
            deleted += len(some)
        return deleted


def _names(cuts: Iterable[Cut]) -> set[str]:
    return {file.key for cut in cuts for file in cut.files}
