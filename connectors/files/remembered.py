"""Files that a replay has read, as its state folder remembers them: identity, size and checksum."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from connectors.files.block_sums import BlockSums, checksum, has_sums
from state.durable import read_document, write_document
from state.errors import SourceError

INPUTS = "inputs.json"

_COMPARED_BYTES = 1024**3
"""A file that may grow is compared whole up to this size, and by samples above it."""


class FileInput(msgspec.Struct, frozen=True):
    """File, as far as a replay has read it."""

    path: str
    bytes: int
    """Number of bytes on disk that were read."""
    lines: int
    checksum: str
    """Checksum of these bytes (`connectors.files.block_sums.checksum`)."""
    device: int
    inode: int
    changed_ns: int
    """Time of the file's last change (`st_ctime_ns`) when it was opened."""
    sums: list[str] = []
    """Sums of its blocks; only of the file that is read now or was read last."""


class Inputs(msgspec.Struct):
    """Inputs of a replay."""

    names: list[str]
    """Names of the files, or the topics, in the order of the command."""
    options: dict[str, str] = {}
    """Options that choose records, by name."""
    settings: dict[str, str] = {}
    """Settings that decide about the result, by name."""
    ranges: dict[str, dict[int, tuple[int, int]]] = {}
    """First offset and end of each partition of each topic, by its address."""
    files: list[FileInput] = []
    """Files that were read, in order; the last one perhaps in part."""
    ended: bool = False
    """True once the files were read to their end, until more is read."""
    finished: bool = False
    """True once a run over the inputs has ended in order."""
    in_several_goes: bool = False
    """True if inputs were added after an end, which ended a round early."""


def read_inputs(folder: Path) -> Inputs | None:
    """Return the inputs that a state folder remembers; None for a folder without a replay.

    Raises:
        StateError: the file is damaged.
    """
    return read_document(folder / INPUTS, Inputs, "restore it, or start over with --again")


def write_inputs(folder: Path, inputs: Inputs) -> None:
    """Replace the inputs of a state folder, durably."""
    write_document(folder / INPUTS, inputs)


class ReadFiles:
    """Record of the files that a run reads; the source writes it at each checkpoint, before Bytewax commits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inputs = read_inputs(folder) or Inputs([])
        self._status: os.stat_result | None = None
        self._path = Path()
        self._sums = BlockSums()

    def open(self, index: int, paths: Sequence[Path], at: int) -> BlockSums:
        """Begin with a file from an offset on, and return its sums up to there.

        Files before it that are not remembered were read by an earlier version; they are read again for their checksum.

        Raises:
            SourceError: the file cannot be read.
        """
        path, files = paths[index], self._inputs.files
        try:
            files.extend(_read_before(earlier) for earlier in paths[len(files) : index])
            self._status = path.stat()
            known = files[index].sums if index < len(files) else []
            self._sums = BlockSums.resumed(known, path, at)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror}; make the file readable") from error
        self._path = path
        return self._sums

    def note(self, index: int, lines: int) -> None:
        """Note a file as far as it is read; of a file before it, the sums of the blocks are no longer needed."""
        status, sums = self._status, self._sums.sums
        assert status is not None  # noqa: S101  # `open` precedes
        read = FileInput(
            str(self._path), self._sums.bytes, lines, checksum(sums), status.st_dev, status.st_ino, status.st_ctime_ns,
            sums,
        )  # fmt: skip
        files = self._inputs.files
        if index >= len(files) or files[index].bytes != read.bytes:
            self._inputs.ended = False
        files[index:] = [read]
        if index and files[index - 1].sums:
            files[index - 1] = replace(files[index - 1], sums=[])

    def write(self, *, has_ended: bool) -> None:
        """Write the notes, durably."""
        self._inputs.ended |= has_ended
        write_inputs(self._folder, self._inputs)


def _read_before(path: Path) -> FileInput:
    found = path.stat()
    sums = BlockSums.of(path, found.st_size).sums
    return FileInput(str(path), found.st_size, 0, checksum(sums), found.st_dev, found.st_ino, found.st_ctime_ns)


def difference(known: FileInput, path: Path, *, may_grow: bool) -> str:
    """Return the difference between a file and a remembered one, as text; empty without one.

    A file that has not changed since is not read. Another one is read and compared: whole, or by samples if it may grow
    and is larger than 1 GiB.
    """
    try:
        found = path.stat()
        if found.st_size < known.bytes:
            return f"has {found.st_size:,} bytes, and the replay read {known.bytes:,}"
        if not may_grow and found.st_size > known.bytes:
            return "has grown since it was read, and only the last file may grow"
        if (found.st_dev, found.st_ino, found.st_ctime_ns) == (known.device, known.inode, known.changed_ns):
            return ""
        return "" if _is_equal(known, path) else "has other contents now"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _is_equal(known: FileInput, path: Path) -> bool:
    if known.sums:
        return has_sums(path, known.bytes, known.sums, sampled=known.bytes > _COMPARED_BYTES)
    return checksum(BlockSums.of(path, known.bytes).sums) == known.checksum
