"""What lies below a folder, so that a test can report whether anything was touched."""

from pathlib import Path


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of all files and folders."""
    return {str(path): ((found := path.lstat()).st_size, found.st_mtime_ns) for path in folder.rglob("*")}
