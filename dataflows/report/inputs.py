"""Inputs of a replay: range, size and checksum of each file, range of each partition."""

from collections.abc import Mapping
from pathlib import Path

from connectors.files.block_sums import BlockSums, checksum
from connectors.files.remembered import FileInput, read_inputs
from dataflows.job import Job
from dataflows.report.document import Input

Ranges = Mapping[str, tuple[int, int]]
"""Origin → first position, and position behind the last one."""


def inputs_of(job: Job, ranges: Ranges) -> list[Input]:
    """Return the files in their order, then the partitions of topics.

    A checksum comes from the state folder if it remembers the file; otherwise the file is read again.

    Raises:
        StateError: the state folder's record of the files is damaged.
    """
    remembered = _remembered(job.settings.state)
    paths = list(job.files)
    files = [_file(path, ranges.get(str(path)), remembered.get(str(path))) for path in dict.fromkeys(paths)]
    names = {str(path) for path in paths}
    rest = sorted((name, positions) for name, positions in ranges.items() if name not in names)
    return [*files, *(Input(name, first, behind - 1, behind - first) for name, (first, behind) in rest)]


def _file(path: Path, positions: tuple[int, int] | None, known: FileInput | None) -> Input:
    first, behind = positions or (None, None)
    last = None if behind is None else behind - 1
    count = behind - first if first is not None and behind is not None else 0
    if known is not None:
        return Input(str(path), first, last, count, known.bytes, known.checksum)
    try:
        size = path.stat().st_size
        return Input(str(path), first, last, count, size, checksum(BlockSums.of(path, size).sums))
    except OSError:  # stdin, or a file that is gone by now
        return Input(str(path), first, last, count)


def _remembered(folder: Path | None) -> dict[str, FileInput]:
    inputs = read_inputs(folder) if folder else None
    return {file.path: file for file in inputs.files} if inputs else {}
