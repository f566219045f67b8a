"""Decompression: several frames, truncated files and damaged files."""

import gzip
import io
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connectors.files.decompression import ERRORS, PIECE_BYTES, Decompressed, Frame, gzip_member, zstd_frame

FORMATS: list[tuple[Callable[[bytes], bytes], Callable[[], Frame]]] = [
    (gzip.compress, gzip_member),
    (zstandard.compress, zstd_frame),
]

both_formats = pytest.mark.parametrize(("compress", "frame"), FORMATS, ids=["gzip", "zstd"])


def stream(data: bytes, frame: Callable[[], Frame]) -> Decompressed:
    return Decompressed(io.BytesIO(data), frame)


def incompressible(count: int) -> bytes:
    return bytes((n * n * 31 + (n >> 3) * 7) % 251 for n in range(count))


@both_formats
@given(parts=st.lists(st.binary(max_size=3 * PIECE_BYTES), max_size=4))
def test_several_frames_are_one_text(
    compress: Callable[[bytes], bytes], frame: Callable[[], Frame], parts: list[bytes]
) -> None:
    """A file of concatenated frames has their concatenated texts, with empty texts too."""
    assert stream(b"".join(map(compress, parts)), frame).readall() == b"".join(parts)


@both_formats
@pytest.mark.parametrize("count", [1, 512, 3 * PIECE_BYTES])
def test_zeros_after_a_frame_are_padding(
    compress: Callable[[bytes], bytes], frame: Callable[[], Frame], count: int
) -> None:
    """Tapes and block devices pad files; a frame may follow."""
    padded = compress(b"one\n") + bytes(count)
    assert stream(padded, frame).readall() == b"one\n"
    assert stream(padded + compress(b"two\n"), frame).readall() == b"one\ntwo\n"
    with pytest.raises(ERRORS):
        stream(padded + b"x" * 20, frame).readall()


@both_formats
def test_zeros_alone_are_no_empty_file(compress: Callable[[bytes], bytes], frame: Callable[[], Frame]) -> None:
    """A file of which only the size arrived has none of its text."""
    with pytest.raises(ERRORS):
        stream(bytes(1_000), frame).readall()


@both_formats
def test_every_truncation_within_a_frame_is_an_error(
    compress: Callable[[bytes], bytes], frame: Callable[[], Frame]
) -> None:
    """A truncated file raises an error for every length."""
    whole = compress(b"one line\n" * 20)
    for length in range(1, len(whole)):
        with pytest.raises(ERRORS):
            stream(whole[:length], frame).readall()


@both_formats
def test_text_before_a_truncation_is_read(compress: Callable[[bytes], bytes], frame: Callable[[], Frame]) -> None:
    """The error comes after the text before the truncation."""
    text = incompressible(300_000)
    read = bytearray()

    def read_all() -> None:
        cut = stream(compress(text)[:-20], frame)
        while part := cut.read(65_536):
            read.extend(part)

    with pytest.raises(EOFError, match="is truncated"):
        read_all()
    assert text.startswith(read)
    assert len(read) > 100_000


@both_formats
def test_bytes_without_a_frame_are_an_error(compress: Callable[[bytes], bytes], frame: Callable[[], Frame]) -> None:
    """A text file with the suffix of a compressed file does not read as an empty file."""
    with pytest.raises(ERRORS):
        stream(b'{"schema":1}\n' * 10, frame).readall()


def test_gzip_detects_a_changed_byte() -> None:
    """A gzip member with a wrong CRC is an error."""
    damaged = bytearray(gzip.compress(b"one line\n"))
    damaged[-5] ^= 1
    with pytest.raises(ERRORS):
        stream(bytes(damaged), gzip_member).readall()
