"""Opened event file: its text, wherever the bytes come from, with a checksum of the bytes."""

import io
import select
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, TypeAlias

from connectors.files.block_sums import BlockSums, SummedFile
from connectors.files.decompression import Decompressed, Frame, gzip_member, zstd_frame
from connectors.files.window import WINDOW_MIB

BUFFER_BYTES = 256 * 1024

FRAMES: dict[str, Callable[[int], Frame]] = {".gz": gzip_member, ".zst": zstd_frame}
"""Decompressor by the suffix of a file; the argument is the largest window in MiB."""

_BEGINNINGS = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
"""Suffix by the first bytes of a gzip or zstd stream; no JSON begins so."""

_STOP_EVERY_S = 0.2


Text: TypeAlias = "io.BufferedReader[Any]"
"""Stream of bytes; the class has no type parameter at run time."""


class StoppedError(Exception):
    """A stop request came while the source waited for stdin."""


class Start(NamedTuple):
    """Offsets from which a file is read: in its bytes, and in its text."""

    byte: int = 0
    text_byte: int = 0


def open_file(path: Path, start: Start, sums: BlockSums | None, window_mib: int = WINDOW_MIB) -> Text:
    """Return the text of a file from a place on; for a compressed file, the begin of a frame."""
    file = path.open("rb", buffering=0)
    file.seek(start.byte)
    raw: io.RawIOBase = SummedFile(file, sums) if sums else file
    return _text_of(raw, FRAMES.get(path.suffix), start, window_mib)


def open_stdin(stop: Event, window_mib: int) -> Text:
    """Return the text of stdin, which its first bytes show to be plain, gzip or zstd; without a name to go by.

    After a stop request before the first byte it is plain, and its first read raises StoppedError.
    """
    stdin = io.BufferedReader(_Stdin(stop), BUFFER_BYTES)
    try:
        beginning = stdin.peek(4)
    except StoppedError:
        beginning = b""
    suffix = next((suffix for magic, suffix in _BEGINNINGS.items() if beginning.startswith(magic)), "")
    new_frame = FRAMES.get(suffix)
    return stdin if new_frame is None else _text_of(stdin, new_frame, Start(), window_mib)


def _text_of(raw: Any, new_frame: Callable[[int], Frame] | None, start: Start, window_mib: int) -> Text:
    text = raw if new_frame is None else Decompressed(raw, partial(new_frame, window_mib), start)
    return io.BufferedReader(text, BUFFER_BYTES)


class _Stdin(io.RawIOBase):
    """Bytes of stdin; a read of an idle pipe ends after a stop request."""

    def __init__(self, stop: Event) -> None:
        self._file = io.FileIO(0, closefd=False)
        self._stop = stop

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # io.BufferedReader passes a memoryview
        while not select.select([self._file], [], [], _STOP_EVERY_S)[0]:
            if self._stop.is_set():
                raise StoppedError
        return self._file.readinto(buffer)
