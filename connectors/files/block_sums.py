"""Checksum of a file that a later run continues: a SHA-256 sum per block of 4 MiB.

A plain checksum of 10 GB would have to be computed again from the first byte when a run resumes.
"""

import io
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

BLOCK_BYTES = 4 * 1024 * 1024

_SAMPLES = 32
"""Blocks that a sampled comparison reads, next to the first and the last."""


class BlockSums:
    """Sums of the blocks of a file, from its first byte on."""

    def __init__(self, whole: Sequence[str] = ()) -> None:
        self._whole = list(whole)
        self._block = sha256()
        self._filled = 0

    @classmethod
    def of(cls, path: Path, size: int) -> "BlockSums":
        """Return the sums of the first `size` bytes of a file."""
        return cls.resumed((), path, size)

    @classmethod
    def resumed(cls, sums: Sequence[str], path: Path, at: int) -> "BlockSums":
        """Return the sums up to `at`, from known sums of whole blocks; other blocks are read from the file."""
        known = min(len(sums), at // BLOCK_BYTES)
        found = cls(sums[:known])
        with path.open("rb") as file:
            file.seek(known * BLOCK_BYTES)
            left = at - known * BLOCK_BYTES
            while left and (part := file.read(min(left, BLOCK_BYTES))):
                found.add(memoryview(part))
                left -= len(part)
        return found

    @property
    def bytes(self) -> int:
        """Number of bytes that were added."""
        return len(self._whole) * BLOCK_BYTES + self._filled

    @property
    def sums(self) -> list[str]:
        """Sums of the blocks; the last block may be shorter."""
        return [*self._whole, self._block.hexdigest()] if self._filled else list(self._whole)

    def add(self, data: memoryview) -> None:
        """Add the next bytes of the file."""
        while data:
            part = data[: BLOCK_BYTES - self._filled]
            self._block.update(part)
            self._filled += len(part)
            data = data[len(part) :]
            if self._filled == BLOCK_BYTES:
                self._whole.append(self._block.hexdigest())
                self._block, self._filled = sha256(), 0


def checksum(sums: Sequence[str]) -> str:
    """Return one checksum for the sums of all blocks.

    Up to 4 MiB it is the SHA-256 sum of the file; for n blocks, the SHA-256 sum of their sums, and n.

    >>> checksum([sha256(b"{}").hexdigest()])[:8], checksum(["00" * 32, "ff" * 32])[-6:]
    ('44136fa3', 'e30a-2')
    """
    if len(sums) < 2:
        return sums[0] if sums else sha256().hexdigest()
    return f"{sha256(b''.join(map(bytes.fromhex, sums))).hexdigest()}-{len(sums)}"


def has_sums(path: Path, size: int, sums: Sequence[str], *, sampled: bool) -> bool:
    """Return whether the first `size` bytes of a file have these sums; `sampled` compares 34 blocks at most."""
    with path.open("rb", buffering=0) as file:
        return all(_sum_of(file, number, size) == sums[number] for number in _numbers(len(sums), sampled=sampled))


def _numbers(count: int, *, sampled: bool) -> Iterator[int]:
    step = max(1, count // _SAMPLES) if sampled else 1
    yield from range(0, count, step)
    if count and (count - 1) % step:
        yield count - 1


def _sum_of(file: io.FileIO, number: int, size: int) -> str:
    start = number * BLOCK_BYTES
    file.seek(start)
    sum_, left = sha256(), min(BLOCK_BYTES, size - start)
    while left and (part := file.read(left)):
        sum_.update(part)
        left -= len(part)
    return sum_.hexdigest()


class SummedFile(io.RawIOBase):
    """File whose bytes are added to the sums as they are read, in order."""

    def __init__(self, file: io.RawIOBase, sums: BlockSums) -> None:
        self._file = file
        self._sums = sums

    def readable(self) -> bool:
        """Return True, as `io.BufferedReader` requires."""
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # io.BufferedReader passes a memoryview
        """Read into `buffer`, and return the number of bytes."""
        count = self._file.readinto(buffer)
        if count:
            self._sums.add(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
