"""The text of a gzip or zstd file, as a stream that notices when the file was cut short."""

import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

import zstandard

PIECE_BYTES = 1024
"""Decompressed at once: at most 32 MiB come of it, whatever the file (zstd: 128 KiB of 4 bytes, RFC 8878, 3.1.1.2)."""

ERRORS = (EOFError, OSError, zlib.error, zstandard.ZstdError)
"""What reading raises when a file is damaged or cut short."""


class Frame(Protocol):
    """One gzip member or zstd frame: what the objects of zlib and zstandard have in common."""

    @property
    def eof(self) -> bool:
        """Say whether all of it was decompressed."""

    @property
    def unused_data(self) -> bytes:
        """Return what was passed in and stands behind its end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return the text that `data` adds."""


def gzip_member() -> Frame:
    """Return the decompression of one gzip member (RFC 1952), which checks its length and CRC."""
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def zstd_frame() -> Frame:
    """Return the decompression of one zstd frame (RFC 8878)."""
    return zstandard.ZstdDecompressor().decompressobj()


class Decompressed(io.RawIOBase):
    """The text of a file of any number of frames; a file that ends within a frame is an `EOFError`.

    The standard library's `GzipFile` loses up to a buffer of text before such an end, and zstandard's own
    stream reader takes it for the end of the file.
    """

    def __init__(self, file: BinaryIO, new_frame: Callable[[], Frame]) -> None:
        self._file = file
        self._new_frame = new_frame
        self._frame: Frame | None = None
        self._unused = b""
        self._text = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read, which is what `io.BufferedReader` asks."""
        return True

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io.BufferedReader passes a memoryview
        """Fill `buffer` with text as far as one piece of the file goes; 0: the end."""
        while not self._text:
            if not self._decompress_piece():
                return 0
        count = min(len(buffer), len(self._text))
        buffer[:count] = self._text[:count]
        self._text = self._text[count:]
        return count

    def _decompress_piece(self) -> bool:
        data = self._unused or self._file.read(PIECE_BYTES)
        if not data and self._frame:
            raise EOFError("the compressed data ends too soon")
        if not data:
            return False
        frame = self._frame or self._new_frame()
        self._text = memoryview(frame.decompress(data))
        self._unused = frame.unused_data
        self._frame = None if frame.eof else frame
        return True
