"""connectors/files/decompression.py."""

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
    """Files that were concatenated read as their texts concatenated, empty ones included."""
    assert stream(b"".join(map(compress, parts)), frame).readall() == b"".join(parts)


@both_formats
def test_every_cut_within_a_frame_is_noticed(compress: Callable[[bytes], bytes], frame: Callable[[], Frame]) -> None:
    """No cut-off file passes for a whole one, wherever the cut is."""
    whole = compress(b"one line\n" * 20)
    for length in range(1, len(whole)):
        with pytest.raises(ERRORS):
            stream(whole[:length], frame).readall()


@both_formats
def test_what_stands_before_the_cut_is_read(compress: Callable[[bytes], bytes], frame: Callable[[], Frame]) -> None:
    """The end of a cut-off file is reported only after its text."""
    text = incompressible(300_000)
    read = bytearray()

    def read_all() -> None:
        cut = stream(compress(text)[:-20], frame)
        while part := cut.read(65_536):
            read.extend(part)

    with pytest.raises(EOFError, match="ends too soon"):
        read_all()
    assert text.startswith(read)
    assert len(read) > 100_000


@both_formats
def test_bytes_that_are_no_frame_are_an_error(compress: Callable[[bytes], bytes], frame: Callable[[], Frame]) -> None:
    """A text file under a compressed file's name is not taken for an empty one."""
    with pytest.raises(ERRORS):
        stream(b'{"schema":1}\n' * 10, frame).readall()


def test_a_changed_byte_is_noticed_by_gzip() -> None:
    """A gzip member whose text does not match its CRC is an error."""
    damaged = bytearray(gzip.compress(b"one line\n"))
    damaged[-5] ^= 1
    with pytest.raises(ERRORS):
        stream(bytes(damaged), gzip_member).readall()
