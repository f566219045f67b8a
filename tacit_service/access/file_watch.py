"""Watch of a file that an operator may change while the service runs."""

from pathlib import Path
from time import monotonic

LOOK_EVERY_S = 1.0


class FileWatch:
    """Watch of one file, which begins before the first read of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked_s = monotonic()
        self.stamp = _stamp(path)
        """Inode, size and time; None: the file cannot be looked at."""

    def has_changed(self) -> bool:
        """Return whether the file has changed since the last look; at most one look per `LOOK_EVERY_S`."""
        if monotonic() - self._looked_s < LOOK_EVERY_S:
            return False
        self._looked_s = monotonic()
        before, self.stamp = self.stamp, _stamp(self._path)
        return self.stamp != before


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
