"""Decompression of gzip and zstd files that detects a truncated file."""

import io
import zlib
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Protocol

import zstandard

from connectors.files.window import WINDOW_MIB

PIECE_BYTES = 1024
"""Compressed bytes per step: at most 32 MiB of text (zstd: 4 bytes expand to at most 128 KiB, RFC 8878, 3.1.1.2)."""

ERRORS = (EOFError, OSError, zlib.error, zstandard.ZstdError)
"""Exceptions of a read from a damaged or truncated file."""

_HEADER_BYTES = 18
"""Longest header of a zstd frame (RFC 8878, 3.1.1.1)."""

_WINDOW_TOO_LARGE = "Frame requires too much memory"
"""Begin of libzstd's text for a window above its default limit (ZSTD_error_frameParameter_windowTooLarge)."""


class LargeWindowError(OSError):
    """A zstd frame has a larger window than is allowed; `mib` is the window that it needs."""

    def __init__(self, mib: int) -> None:
        super().__init__(f"needs a window of {mib} MiB")
        self.mib = mib


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


def gzip_member(_window_mib: int = WINDOW_MIB) -> Frame:
    """Return a decompressor of one gzip member (RFC 1952) that checks length and CRC; its window is 32 KiB."""
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def zstd_frame(window_mib: int = WINDOW_MIB) -> Frame:
    """Return a decompressor of one zstd frame (RFC 8878); a window above `window_mib` is a `LargeWindowError`."""
    return _ZstdFrame(window_mib)


class _ZstdFrame:
    def __init__(self, window_mib: int) -> None:
        self._frame = zstandard.ZstdDecompressor(max_window_size=window_mib << 20).decompressobj()
        self._header = b""
        """First bytes of the frame, which hold its window."""

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, /) -> bytes:
        if len(self._header) < _HEADER_BYTES:
            self._header += data[: _HEADER_BYTES - len(self._header)]
        try:
            return self._frame.decompress(data)
        except zstandard.ZstdError as error:
            if _WINDOW_TOO_LARGE in str(error):
                raise LargeWindowError(-(-zstandard.get_frame_parameters(self._header).window_size >> 20)) from error
            raise


class Decompressed(io.RawIOBase):
    """Text of a file of any number of frames; a file that ends within a frame raises `EOFError`.

    At a truncated frame, `GzipFile` of the standard library loses up to a buffer of text, and the stream reader of
    zstandard reports the end of the file. Bytes of 0 after a frame are padding, as for gzip(1):
    no frame begins with one.
    """

    def __init__(self, file: BinaryIO, new_frame: Callable[[], Frame], start: tuple[int, int] | None = None) -> None:
        """Read from the begin of a frame: its offset in the file, and the offset of its text; None: not kept."""
        self._file = file
        self._new_frame = new_frame
        self._frame: Frame | None = None
        self._padding = b"\0" if start and start[0] else b""
        """Byte that may follow a frame without a meaning."""
        self._unused = b""
        self._read, self._text_bytes = start or (0, 0)
        self._starts = deque([start]) if start else None
        """Begins of the frames from which on text is needed."""
        self._text = memoryview(b"")

    @property
    def stored_bytes(self) -> int:
        """Offset in the file behind the last byte that was read."""
        return self._read

    def readable(self) -> bool:
        """Return True, as `io.BufferedReader` requires."""
        return True

    def frame_start(self, text_byte: int) -> tuple[int, int]:
        """Return the begin of the frame with a byte of the text: offsets in the file and in the text.

        Earlier bytes are not asked for again.
        """
        starts = self._starts
        assert starts is not None  # noqa: S101  # only a reader that passed a start asks
        while len(starts) > 1 and starts[1][1] <= text_byte:
            starts.popleft()
        return starts[0]

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
        data = self._unused or self._read_piece()
        if not data and self._frame:
            raise EOFError("the compressed data is truncated")
        if not data:
            return False
        if self._frame is None and not (data := data.lstrip(self._padding)):
            self._unused = b""
            return True
        frame = self._frame or self._new_frame()
        self._text = memoryview(frame.decompress(data))
        self._text_bytes += len(self._text)
        self._unused = frame.unused_data
        self._frame = None if frame.eof else frame
        self._padding = b"\0"
        if self._frame is None and self._starts:
            self._starts.append((self._read - len(self._unused), self._text_bytes))
        return True

    def _read_piece(self) -> bytes:
        data = self._file.read(PIECE_BYTES)
        self._read += len(data)
        return data
