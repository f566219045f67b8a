"""Byte search in files and folders, such as a state folder with all its checkpoints, rejects, logs and receipts."""

import os
from collections.abc import Iterator
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from connectors.files.decompression import ERRORS, Decompressed
from connectors.files.opened_file import FRAMES
from connectors.files.window import MAX_WINDOW_MIB
from connectors.traces.needles import ID, PSEUDONYM, SHARED_BYTES, Needles, Trace, search
from state.storage.manifest import TABLE
from state.storage.table_entry import AFTER_BYTES, BEFORE_BYTES, entry_kind

UNREADABLE = "unreadable"
"""Kind of a file that cannot be read to its end: a search that meets one proves nothing."""

_Inode = tuple[int, int]
_Found = list[tuple[int, str]]


def find_traces(folder_or_file: Path, needles: Needles) -> Iterator[Trace]:
    """Yield the traces of a user in a file, or in all files below a folder.

    A file with the ending `.gz` or `.zst` is searched in its text. A table of a state folder has no compression; an
    entry there has the kind of its content. A file that disappears meanwhile has no trace.
    """
    tables: dict[_Inode, _Found] = {}
    for path in _files(folder_or_file):
        place = needles.masked(str(path))
        if ID in needles.in_bytes(path.name.encode("utf-8", "surrogateescape")):
            yield Trace(place, 0, ID)
        try:
            yield from (Trace(place, offset, kind) for offset, kind in _traces(path, needles, tables))
        except FileNotFoundError:
            continue
        except ERRORS:
            yield Trace(place, 0, UNREADABLE)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (file for name in sorted(names) if (file := Path(folder, name)).is_file())


def _traces(path: Path, needles: Needles, tables: dict[_Inode, _Found]) -> Iterator[tuple[int, str]]:
    if path.suffix != TABLE:
        with _opened(path) as stream:
            yield from search(stream, needles)
        return
    with path.open("rb") as stream:
        found = os.fstat(stream.fileno())
        inode = (found.st_dev, found.st_ino)
        if inode not in tables:  # the checkpoints of a shard share their tables
            tables[inode] = [(at, _kind(stream, at, kind, needles)) for at, kind in list(search(stream, needles))]
    yield from tables[inode]


def _opened(path: Path) -> BinaryIO:
    new_frame = FRAMES.get(path.suffix)
    file = path.open("rb")
    return BufferedReader(Decompressed(file, partial(new_frame, MAX_WINDOW_MIB))) if new_frame else file


def _kind(table: BinaryIO, offset: int, kind: str, needles: Needles) -> str:
    """Return the kind of a hit in a table: that of the entry, if the hit is in an entry's key."""
    if kind != PSEUDONYM:
        return kind
    start = max(0, offset - SHARED_BYTES - BEFORE_BYTES)
    table.seek(start)
    before = table.read(offset - start)
    table.seek(offset + len(needles.raw))
    return entry_kind(before, needles.user[:SHARED_BYTES], table.read(AFTER_BYTES)) or kind
