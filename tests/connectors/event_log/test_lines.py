"""Whole lines of an event log, and their comparison with a position."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.event_log.lines import Position, WholeLines, lines_between, require_same
from connectors.files.block_sums import BlockSums
from connectors.files.line_reader import LineReader
from state.errors import GapError
from state.events.records import Record
from tacit.contract.events import MAX_EVENT_BYTES

START = Position()


@contextmanager
def opened(path: Path, position: Position = START) -> Iterator[WholeLines]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield WholeLines(path, file, position)
    finally:
        os.close(file)


def drained(lines: WholeLines, path: Path) -> list[Record]:
    """Return all whole lines."""
    found: list[Record] = []
    end = path.stat().st_size
    while lines.has_more(end):
        found += lines.read(end, 7)
    return found


@given(
    lines=st.lists(st.sampled_from([0, 1, 30, MAX_EVENT_BYTES, MAX_EVENT_BYTES + 1, MAX_EVENT_BYTES + 2, 700_000])),
    cuts=st.lists(st.floats(0, 1), max_size=4),
)
def test_growing_log_has_the_records_of_a_replay(
    lines: list[int], cuts: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """For any lines and any moments of the reads, also with a new reader at each position."""
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    data = b"".join(bytes([97 + n % 26]) * length + b"\n" for n, length in enumerate(lines))
    path.write_bytes(b"")
    read: list[Record] = []
    position = Position()
    for cut in [*sorted(round(share * len(data)) for share in cuts), len(data)]:
        with path.open("ab") as file:
            file.write(data[path.stat().st_size : cut])
        require_same(path, position)
        with opened(path, position) as reader:
            read += drained(reader, path)
            position = reader.position
    assert read == _replayed(path)
    assert position == Position(len(data), len(lines) + 1, tuple(BlockSums.of(path, len(data)).sums))


def test_line_waits_for_its_newline_and_for_the_end(tmp_path: Path) -> None:
    """Bytes behind the final end are not read, and a whole JSON object without a newline is half a line."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{}\n{"a":1}')
    with opened(path) as lines:
        assert [record.value for record in lines.read(path.stat().st_size, 10)] == [b"{}"]
        assert not lines.has_more(10)
        with path.open("ab") as file:
            file.write(b"x\n1\n")
        assert lines.read(10, 10) == []
        assert [(record.position, record.value) for record in drained(lines, path)] == [(2, b'{"a":1}x'), (3, b"1")]


def test_read_in_a_very_long_line_ends(tmp_path: Path) -> None:
    """One call reads 16 MiB at most, and holds little of it."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 40_000_000 + b"\n")
    with opened(path) as lines:
        assert [len(lines.read(40_000_001, 10)) for _ in range(3)] == [0, 0, 1]
        assert lines.position.byte == 40_000_001


def test_log_with_other_bytes_is_a_gap(tmp_path: Path) -> None:
    """Truncated, or rewritten at any place that was read; what comes after is free."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"1\n2\n3\n")
    with opened(path) as lines:
        lines.read(4, 10)
        position = lines.position
    path.write_bytes(b"1\n2\n4\n5\n")
    require_same(path, position)
    path.write_bytes(b"1\n3\n3\n")
    with pytest.raises(GapError, match="has other contents than the run has read; put back"):
        require_same(path, position)
    path.write_bytes(b"1\n")
    with pytest.raises(GapError, match="has 2 bytes, and the run has read 4"):
        require_same(path, position)


def test_log_that_is_rewritten_in_place_under_a_reader_is_a_gap(tmp_path: Path) -> None:
    """The next read compares the bytes before it."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"1\n2\n")
    with opened(path) as lines:
        lines.read(path.stat().st_size, 10)
        path.write_bytes(b"1\n3\n4\n")
        with pytest.raises(GapError, match="has other contents"):
            lines.read(path.stat().st_size, 10)


def test_many_lines_are_estimated(tmp_path: Path) -> None:
    """Up to 256 KiB they are counted."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"123456789\n" * 100_000 + b"half")
    with path.open("rb") as file:
        assert lines_between(file.fileno(), 999_000, 1_000_004) == 100
        assert lines_between(file.fileno(), 0, 1_000_004) == pytest.approx(100_000, rel=0.001)


def _replayed(path: Path) -> list[Record]:
    read: list[Record] = []
    with closing(LineReader(path)) as reader:
        while records := reader.read(1000):
            read += records
    return read
