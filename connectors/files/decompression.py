"""Decompression of gzip and zstd files that detects a truncated file."""

import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

import zstandard

PIECE_BYTES = 1024
"""Compressed bytes per step: at most 32 MiB of text (zstd: 4 bytes expand to at most 128 KiB, RFC 8878, 3.1.1.2)."""

ERRORS = (EOFError, OSError, zlib.error, zstandard.ZstdError)
"""Exceptions of a read from a damaged or truncated file."""


_WINDOW_TOO_LARGE = "Frame requires too much memory"
"""Begin of libzstd's text for a window above its default limit (ZSTD_error_frameParameter_windowTooLarge)."""


class LargeWindowError(OSError):
    """A zstd frame has a window above 128 MiB, the limit of `zstd -d`, too."""


class Frame(Protocol):
    """Decompressor of one gzip member or zstd frame: the common interface of zlib and zstandard."""

    @property
    def eof(self) -> bool:
        """True after the end of the frame."""

    @property
    def unused_data(self) -> bytes:
        """Input bytes after the end of the frame."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return the text of the next bytes of the frame."""


def gzip_member() -> Frame:
    """Return a decompressor of one gzip member (RFC 1952) that checks length and CRC."""
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def zstd_frame() -> Frame:
    """Return a decompressor of one zstd frame (RFC 8878); a window above 128 MiB is a `LargeWindowError`."""
    return _ZstdFrame()


class _ZstdFrame:
    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor().decompressobj()

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, /) -> bytes:
        try:
            return self._frame.decompress(data)
        except zstandard.ZstdError as error:
            if _WINDOW_TOO_LARGE in str(error):
                raise LargeWindowError from error
            raise


class Decompressed(io.RawIOBase):
    """Text of a file of any number of frames; a file that ends within a frame raises `EOFError`.

    At a truncated frame, `GzipFile` of the standard library loses up to a buffer of text, and the stream reader of
    zstandard reports the end of the file. Bytes of 0 after a frame are padding, as for gzip(1):
    no frame begins with one.
    """

    def __init__(self, file: BinaryIO, new_frame: Callable[[], Frame]) -> None:
        self._file = file
        self._new_frame = new_frame
        self._frame: Frame | None = None
        self._padding = b""
        """Byte that may follow a frame without a meaning."""
        self._unused = b""
        self._text = memoryview(b"")

    def readable(self) -> bool:
        """Return True, as `io.BufferedReader` requires."""
        return True

    def close(self) -> None:
        """Close the stream and the file."""
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io.BufferedReader passes a memoryview
        """Copy text into `buffer` and return the number of bytes; 0 at the end of the file."""
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
            raise EOFError("the compressed data is truncated")
        if not data:
            return False
        if self._frame is None and not (data := data.lstrip(self._padding)):
            self._unused = b""
            return True
        frame = self._frame or self._new_frame()
        self._text = memoryview(frame.decompress(data))
        self._unused = frame.unused_data
        self._frame = None if frame.eof else frame
        self._padding = b"\0"
        return True
