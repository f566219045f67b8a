"""connectors/files/opened_file: text of files and of stdin, plain or compressed."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.files.block_sums import BlockSums
from connectors.files.opened_file import Start, StoppedError, open_file, open_stdin
from connectors.files.window import WINDOW_MIB

COMPRESS = {"": lambda data: data, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


@contextmanager
def _stdin(data: bytes, *, ends: bool = True) -> Iterator[None]:
    """Make a pipe the standard input of this process."""
    before = os.dup(0)
    receiver, sender = os.pipe()
    os.dup2(receiver, 0)
    os.close(receiver)

    def send() -> None:
        with os.fdopen(os.dup(sender), "wb") as pipe:
            pipe.write(data)
        if ends:
            os.close(sender)

    thread = Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        thread.join()
        if not ends:
            os.close(sender)


@settings(max_examples=40)
@given(parts=st.lists(st.binary(max_size=50), max_size=4), suffix=st.sampled_from(sorted(COMPRESS)))
def test_file_has_its_text_and_the_sums_of_its_bytes(parts: list[bytes], suffix: str) -> None:
    """Members of gzip and frames of zstd follow each other; the sums are those of the file on disk."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"events.jsonl{suffix}"
        path.write_bytes(b"".join(COMPRESS[suffix](part) for part in parts))
        sums = BlockSums()
        with open_file(path, Start(), sums) as text:
            assert text.read() == b"".join(parts)
        assert sums.sums == BlockSums.of(path, path.stat().st_size).sums


def test_file_is_read_from_a_place_on(tmp_path: Path) -> None:
    """Of a compressed file, from the begin of a frame."""
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(b"onetwo")
    packed.write_bytes(gzip.compress(b"one") + gzip.compress(b"two"))
    for path, byte in ((plain, 3), (packed, len(gzip.compress(b"one")))):
        with open_file(path, Start(byte, 3), None) as text:
            assert text.read() == b"two"


@pytest.mark.parametrize("suffix", sorted(COMPRESS))
@pytest.mark.parametrize("data", [b"", b'{"a":1}\n', b"{}\n" * 100_000], ids=["empty", "short", "long"])
def test_stdin_is_known_by_its_first_bytes(suffix: str, data: bytes) -> None:
    """It has no name that shows a compression."""
    with _stdin(COMPRESS[suffix](data)), open_stdin(Event(), WINDOW_MIB) as text:
        assert text.read() == data


def test_wait_for_stdin_ends_at_a_stop_request() -> None:
    """A pipe may stay open and silent for days."""
    stop = Event()
    with _stdin(b"{}\n" * 2, ends=False):
        text = open_stdin(stop, WINDOW_MIB)
        assert text.readline() == b"{}\n"
        stop.set()
        with pytest.raises(StoppedError):
            text.read()


def test_stop_request_before_the_first_byte_is_raised_by_a_read() -> None:
    """A source opens stdin where Bytewax takes no end of the input."""
    stop = Event()
    stop.set()
    with _stdin(b"", ends=False), open_stdin(stop, WINDOW_MIB) as text, pytest.raises(StoppedError):
        text.read()
