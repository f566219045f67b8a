"""Watch over a run: liveness and readiness with reasons, and counts that outlive a restart."""

from time import monotonic
from typing import Any

import pytest

from dataflows.observability.watch import STALLED_AFTER_S, STEADY_AFTER_S, STUCK_AFTER_S, Watch


def _reasons(watch: Watch) -> list[str]:
    ready, body = watch.is_ready()
    reasons: list[dict[str, Any]] = body["reasons"]
    assert ready == body["ready"] == (not reasons)
    return [reason["reason"] for reason in reasons]


def _progress(watch: Watch, age_s: float = 0.0, process: int = 0) -> None:
    source = watch.processes[process].counters.source
    source.progressed_at = monotonic() - age_s
    source.lag = {"events/0": 0}


def test_counts_from_zero_keep_the_time_of_the_last_progress() -> None:
    """A start that repeats records is no progress."""
    watch = Watch(2)
    for number in (0, 1):
        watch.counters(number).source.records = 7
    before = watch.progressed_at
    watch.count_from_zero()
    assert (watch.records, watch.progressed_at) == (0, before)


def test_run_is_ready_after_its_first_progress() -> None:
    watch = Watch()
    assert _reasons(watch) == ["starting"]
    _progress(watch)
    assert _reasons(watch) == []


def test_run_has_caught_up_with_the_last_partition_of_any_process() -> None:
    """An internal restart begins again."""
    watch = Watch(2)
    found = [watch.has_caught_up]
    for process, partition in enumerate(("events/0", "events/1")):
        watch.processes[process].counters.source.catches_up(partition, 2)
        found.append(watch.has_caught_up)
    watch.counters(1)
    assert [*found, watch.has_caught_up] == [False, False, True, False]


def test_process_without_a_partition_does_not_count() -> None:
    """A topic may have fewer partitions than a run has processes."""
    watch = Watch(2)
    watch.processes[1].counters.source.progressed_at = monotonic() - 2 * STALLED_AFTER_S
    _progress(watch)
    assert _reasons(watch) == []
    _progress(watch, 2 * STALLED_AFTER_S, process=1)
    assert _reasons(watch) == ["no_progress"]


def test_reason_has_the_time_of_its_first_note_and_its_newest_detail() -> None:
    watch = Watch()
    _progress(watch)
    watch.fail("redis_unreachable", "CONNECTION")
    [first] = watch.is_ready()[1]["reasons"]
    watch.fail("redis_unreachable", "TIMEOUT")
    [second] = watch.is_ready()[1]["reasons"]
    assert second == first | {"detail": "TIMEOUT"}
    watch.clear("redis_unreachable")
    assert _reasons(watch) == []


def test_process_that_misses_kafka_or_whose_writes_are_refused_makes_the_run_unready() -> None:
    watch = Watch(2)
    _progress(watch)
    watch.processes[1].counters.source.absent_at = monotonic()
    watch.processes[1].counters.sink.refused_at = monotonic()
    assert _reasons(watch) == ["redis_refuses_writes", "kafka_unreachable"]


def test_restarted_run_is_ready_once_it_is_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails again and again does not flap."""
    watch = Watch()
    _progress(watch)
    watch.restarting("the process tacit-1 was ended by SIGKILL")
    _progress(watch)
    assert _reasons(watch) == ["restarting"]
    monkeypatch.setattr(watch, "_restarted_at", monotonic() - STEADY_AFTER_S)
    assert _reasons(watch) == []


def test_run_without_progress_since_its_restart_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long ago the restart was."""
    watch = Watch()
    watch.restarting("the process tacit-1 was ended by SIGKILL")
    monkeypatch.setattr(watch, "_restarted_at", monotonic() - STEADY_AFTER_S)
    _progress(watch, STEADY_AFTER_S)
    watch.clear("starting")
    assert _reasons(watch) == ["restarting"]


def test_stuck_run_is_not_alive() -> None:
    """A run without progress is alive while it knows the reason, as a restart would not help."""
    watch = Watch()
    watch.clear("starting")
    _progress(watch, STALLED_AFTER_S)
    assert watch.is_alive()[0]
    _progress(watch, STUCK_AFTER_S)
    alive, body = watch.is_alive()
    assert not alive
    assert [reason["reason"] for reason in body["reasons"]] == ["no_progress"]
    watch.fail("redis_unreachable")
    assert watch.is_alive() == (True, {"alive": True, "reasons": []})


def test_counts_continue_over_a_restart_and_present_figures_do_not() -> None:
    watch = Watch()
    counters = watch.counters(0)
    counters.source.records, counters.events.users = 7, 3
    _progress(watch)
    before = counters.source.progressed_at
    again = watch.counters(0)
    assert (again.source.records, again.events.users, again.source.lag) == (7, 0, {})
    assert again.source.progressed_at == before
