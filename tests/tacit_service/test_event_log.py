"""The event log: one write for all that wait, bounds, and errors."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest

from state.errors import SinkError
from tacit_service import event_log
from tacit_service.event_log import EventLog, FileWriter, FullError, Line

WITHIN_S = 10


class HeldWriter:
    """Destination of tests that writes when it is let, and records the batches."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.writes = 0
        self.has_begun, self.may_write = Event(), Event()
        self.error: SinkError | None = None

    def write(self, lines: Sequence[Line]) -> None:
        self.writes += 1
        self.has_begun.set()
        assert self.may_write.wait(WITHIN_S)
        if self.error is not None:
            raise self.error
        self.batches.append([line.data for line in lines])

    def check(self) -> None:
        self.write(())

    def close(self) -> None:
        """Do nothing."""


def line(number: int) -> Line:
    return Line(b"ada", b"%d" % number)


def test_events_that_wait_are_one_write() -> None:
    """The first request is written alone; those that come meanwhile share the next write, in order."""
    writer = HeldWriter()
    log = EventLog(writer, "test")
    first = log.append([line(0)])
    assert writer.has_begun.wait(WITHIN_S)
    others = [log.append([line(number)]) for number in range(1, 50)]
    assert not first.done()
    writer.may_write.set()
    for each in (first, *others):
        each.result(WITHIN_S)
    log.close()
    assert writer.batches == [[b"0"], [b"%d" % number for number in range(1, 50)]]


def test_close_writes_the_waiting_events() -> None:
    """Later events are refused."""
    writer = HeldWriter()
    writer.may_write.set()
    log = EventLog(writer, "test")
    waiting = [log.append([line(number)]) for number in range(10)]
    log.close()
    assert all(each.result(0) is None for each in waiting)
    assert [data for batch in writer.batches for data in batch] == [b"%d" % number for number in range(10)]
    with pytest.raises(SinkError, match="ends"):
        log.append([line(1)])


def test_waiting_events_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More events, or more bytes, are refused at once; the places are free again after the write."""
    monkeypatch.setattr(event_log, "MAX_WAITING", 3)
    monkeypatch.setattr(event_log, "MAX_WAITING_BYTES", 100)
    writer = HeldWriter()
    log = EventLog(writer, "test")
    first = log.append([line(1), line(2)])
    with pytest.raises(FullError):
        log.append([line(3), line(4)])
    with pytest.raises(FullError):
        log.append([Line(b"ada", b"x" * 99)])
    writer.may_write.set()
    first.result(WITHIN_S)
    log.append([line(3), line(4), line(5)]).result(WITHIN_S)
    log.close()


def test_failed_write_fails_all_its_events_and_the_next_ones_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the pause the destination is tried again."""
    writer = HeldWriter()
    writer.error = SinkError("no disk")
    writer.may_write.set()
    log = EventLog(writer, "test")
    with pytest.raises(SinkError, match="no disk"):
        log.append([line(1)]).result(WITHIN_S)
    writer.error = None
    with pytest.raises(SinkError, match="no disk"):
        log.append([line(2)])
    monkeypatch.setattr(event_log, "_PAUSE_S", 0.0)
    log.append([line(3)]).result(WITHIN_S)
    assert log.problem is None
    log.close()
    assert writer.batches == [[b"3"]]


def test_waiting_events_fail_with_the_batch_before_them() -> None:
    """No event waits for a second time limit of a destination that does not answer; nor does the end of the service."""
    writer = HeldWriter()
    writer.error = SinkError("no answer")
    log = EventLog(writer, "test")
    first = log.append([line(0)])
    assert writer.has_begun.wait(WITHIN_S)
    others = [log.append([line(number)]) for number in range(1, 10)]
    writer.may_write.set()
    for each in (first, *others):
        with pytest.raises(SinkError, match="no answer"):
            each.result(WITHIN_S)
    log.close()
    assert writer.writes == 1


def test_event_of_a_client_that_left_is_not_written() -> None:
    """A request that ends while its events wait has no effect."""
    writer = HeldWriter()
    log = EventLog(writer, "test")
    first = log.append([line(0)])
    assert writer.has_begun.wait(WITHIN_S)
    left, kept = log.append([line(1)]), log.append([line(2)])
    assert left.cancel()
    writer.may_write.set()
    first.result(WITHIN_S)
    kept.result(WITHIN_S)
    log.close()
    assert writer.batches == [[b"0"], [b"2"]]


def test_file_has_one_line_per_event(tmp_path: Path) -> None:
    """A cut-off line before gets its newline."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"cut')
    FileWriter(file).write([line(1), line(2)])
    assert file.read_bytes() == b'{"cut\n1\n2\n'
