"""dataflows/runtime/progress: rate, share and time left from counters."""

from pathlib import Path

import pytest

from dataflows.runtime.progress import WINDOW_S, Meter
from state.counters import Counters
from state.events.records import Reason


class Clock:
    """Clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _counters(records: int, stored_bytes: int = 0, lag: dict[str, int] | None = None) -> Counters:
    counters = Counters()
    counters.source.records, counters.source.stored_bytes = records, stored_bytes
    counters.source.lag = lag or {}
    return counters


def test_share_of_files_is_by_bytes_on_disk(tmp_path: Path, clock: Clock) -> None:
    """Several files are one total, and compressed ones count as they are."""
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl.zst"]
    for path in paths:
        path.write_bytes(b"x" * 500)
    meter = Meter(paths, clock)
    meter.measure(_counters(0))
    clock.now_s += 10
    reached = meter.measure(_counters(4000, stored_bytes=250))
    assert (reached.rate, reached.share, reached.left_s) == (400.0, 0.25, 30.0)


def test_share_of_a_topic_is_by_records(clock: Clock) -> None:
    """The total is the records read and the lag of all partitions."""
    meter = Meter((), clock)
    meter.measure(_counters(0))
    clock.now_s += 1
    reached = meter.measure(_counters(100, lag={"t/0": 200, "t/1": 100}))
    assert (reached.share, reached.rate) == (0.25, 100.0)
    assert reached.left_s is None  # one share has no speed
    clock.now_s += 1
    assert meter.measure(_counters(200, lag={"t/0": 150, "t/1": 50})).left_s == 2.0


def test_total_is_unknown_for_a_pipe_and_before_the_first_look(clock: Clock) -> None:
    """Nothing is made up: neither a share nor a time left."""
    for meter in (Meter([Path("-")], clock), Meter((), clock)):
        reached = meter.measure(_counters(5))
        assert (reached.records, reached.share, reached.left_s) == (5, None, None)


def test_rate_is_of_the_last_seconds(clock: Clock) -> None:
    """The start of processes and an earlier pace do not count."""
    meter = Meter((), clock)
    for _ in range(50):
        clock.now_s += 1
        meter.measure(_counters(0))
    for second in range(100):
        clock.now_s += 1
        reached = meter.measure(_counters(1000 * second if second < 50 else 50_000 + 10 * second))
    assert 10 * WINDOW_S * 0.9 <= reached.rate * WINDOW_S <= 10 * WINDOW_S * 1.1


def test_rejects_are_by_reason_and_include_control_events(clock: Clock) -> None:
    """A reason without a reject is absent."""
    counters = _counters(10)
    counters.events.rejects[Reason.LATE] = 2
    counters.events.control_rejects[Reason.LATE] = 1
    counters.events.newest_ms = 1_795_297_433_438
    reached = Meter((), clock).measure(counters)
    assert reached.rejected == {Reason.LATE: 3}
    assert reached.as_dict()["rejected"] == {"late": 3}
    assert reached.event_ms == 1_795_297_433_438
