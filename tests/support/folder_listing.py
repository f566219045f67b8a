"""Listing of a folder, with which a test proves that no file has changed."""

from pathlib import Path


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Return path → size and modification time of each file and folder."""
    return {str(path): ((found := path.lstat()).st_size, found.st_mtime_ns) for path in folder.rglob("*")}
