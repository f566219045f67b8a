"""Event log as a source: lag, the end of a start, stop and resume."""

import fcntl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from connectors.event_log.source import EventLogPartition, EventLogSource, Snapshot
from connectors.files.appending import append_lines
from state.counters import SourceCounters
from state.errors import SourceError
from tests.support.conditions import eventually

WITHIN_S = 10


class Reading:
    """A partition with its counters, and the lines that it returned."""

    def __init__(self, log: Path, at: Snapshot | None = None) -> None:
        self.counters, self.stop = SourceCounters(), Event()
        source = EventLogSource(log, stop=self.stop, counters=self.counters)
        assert source.list_parts() == ["log"]
        self.partition: EventLogPartition = source.build_part("", "log", at)
        self.lines: list[bytes] = []

    def read(self, lines: int) -> list[bytes]:
        """Read until there are so many lines."""

        def has_read() -> bool:
            self.lines += [record.value for record in self.partition.next_batch()]
            return len(self.lines) >= lines

        eventually(has_read, within_s=WITHIN_S, what=f"{lines} lines")
        return self.lines

    def close(self) -> None:
        self.partition.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log of two lines and a half one."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"1\n2\nhal")
    return path


@pytest.fixture
def reading(log: Path) -> Iterator[Reading]:
    with closing(Reading(log)) as reading:
        yield reading


def test_partition_follows_the_log(reading: Reading, log: Path) -> None:
    """A half line is a part of the lag in bytes, and no line."""
    assert reading.read(2) == [b"1", b"2"]
    counters = reading.counters
    eventually(lambda: counters.lag_bytes == {log.name: 3}, within_s=WITHIN_S, what="the lag of half a line")
    assert counters.lag == {log.name: 0}
    append_lines(log, [b"3"])
    assert reading.read(4)[2:] == [b"hal", b"3"]
    eventually(lambda: counters.lag_bytes == {log.name: 0}, within_s=WITHIN_S, what="no lag")
    assert (counters.records, counters.bytes) == (4, 10)


def test_start_has_caught_up_after_the_last_whole_line(reading: Reading) -> None:
    """Before, a loss of Redis must not be restored: a "no" may be in the lines to come."""
    assert not reading.partition.has_caught_up
    reading.read(2)

    def has_caught_up() -> bool:
        reading.partition.next_batch()
        return reading.partition.has_caught_up

    eventually(has_caught_up, within_s=WITHIN_S, what="the end of the start")
    assert reading.counters.progressed_at > 0


def test_start_has_not_caught_up_within_a_long_line(log: Path) -> None:
    """An empty batch is not the end of the log: lines follow."""
    log.write_bytes(b"x" * 40_000_000 + b"\n1\n")
    with closing(Reading(log)) as reading:

        def is_past() -> bool:
            is_read = bool(reading.partition.next_batch())
            assert not reading.partition.has_caught_up
            return is_read

        eventually(is_past, within_s=WITHIN_S, what="the end of the long line")


def test_later_run_resumes_behind_the_last_line(log: Path) -> None:
    """Also behind the first blocks of a log, whose sums are not computed again."""
    log.write_bytes(b"".join(b"%0999d\n" % n for n in range(10_000)))
    with closing(Reading(log)) as reading:
        reading.read(9_000)
        snapshot, read = reading.partition.snapshot(), len(reading.lines)
    with closing(Reading(log, snapshot)) as resumed:
        assert resumed.read(10_000 - read)[0] == b"%0999d" % read
        assert resumed.partition.snapshot()[0] == 10_000_000


def test_lines_count_once_the_writer_has_released_its_lock(reading: Reading, log: Path) -> None:
    """A writer may take a failed append back; a waiting reader does not hinder a stop."""
    reading.read(2)
    with log.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        writer.write(b"f\nnever\n")
        writer.flush()
        eventually(lambda: reading.counters.lag == {log.name: 2}, within_s=WITHIN_S, what="a look at the new size")
        assert reading.partition.next_batch() == []
        writer.truncate(len("1\n2\nhal"))
        writer.write(b"f\n")
    assert reading.read(3)[2:] == [b"half"]
    reading.stop.set()
    with pytest.raises(StopIteration):
        reading.partition.next_batch()


def test_missing_log_is_an_error(tmp_path: Path) -> None:
    """It names the file."""
    source = EventLogSource(tmp_path / "no.jsonl", stop=Event(), counters=SourceCounters())
    with pytest.raises(SourceError, match="there is no such file; make an empty one"):
        source.list_parts()
