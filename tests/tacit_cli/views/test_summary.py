"""Summary of a replay: each record in one line, and notes on unusual counts."""

from typing import Any

from rich.console import Console

from dataflows.runtime.replay import Replayed
from dataflows.settings import Settings
from state.counters import Counters, Outcome
from state.events.records import Reason
from tacit_cli.views.summary import replay_table


def _counters(**sink: int) -> Counters:
    counters = Counters(cpu_s=0.5)
    counters.source.records = 10_000
    counters.events.outcomes[Outcome.ACCEPTED] = 9_990
    counters.events.rejects[Reason.LATE] = 10
    for name, count in sink.items():
        setattr(counters.sink, name, count)
    return counters


def _lines(counters: Counters, users: int | None = None, **settings: Any) -> dict[str, str]:
    console = Console(width=150, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(replay_table(Replayed(counters, 2.0), users, Settings(embedded=True, **settings)))
    lines = capture.get().splitlines()
    return {line.strip().split("  ")[0]: " ".join(line.strip().split("  ")[1:]).strip() for line in lines}


def test_every_count_has_its_line() -> None:
    """Outcomes always, reasons where there are any."""
    lines = _lines(_counters(applied=5), rejects="[r].jsonl")
    assert lines["events read"].split(maxsplit=1) == ["10,000", "all accounted for"]
    assert lines["accepted"] == "9,990"
    assert lines["duplicate"] == "0"
    assert lines["rejected"].split(maxsplit=1) == ["10", "in [r].jsonl"]
    assert lines["late"] == "10"
    assert "not_json" not in lines
    assert lines["signal fields written"] == "5"
    assert lines["time"].split(maxsplit=2) == ["2.0", "s", "5,000 events/s"]
    assert lines["CPU"].split()[:2] == ["50", "µs/event"]


def test_users_with_signals_are_counted_in_an_embedded_redis() -> None:
    """Another Redis may be large, and is not scanned."""
    assert "users with signals" not in _lines(_counters())
    assert _lines(_counters(), users=1_234, namespace="shadow")["users with signals"].split() == [
        "1,234", "namespace", "shadow",
    ]  # fmt: skip


def test_unwritten_fields_have_counts() -> None:
    """Stale fields are usual in a replay; gated ones belong to users who opted out or were wiped."""
    line = _lines(_counters(applied=1, stale=2_000, gated=3, unwritable=4))["signal fields written"]
    assert "2,000 stale or expired, 3 gated, 4 unwritable" in line


def test_stopped_replay_is_marked() -> None:
    """Its counts are those of the records before the stop."""
    counters = _counters()
    counters.stopped = True
    assert _lines(counters)["events read"].endswith("all accounted for; stopped before the end")
    counters.events.outcomes[Outcome.ACCEPTED] -= 1
    assert "9,999 accounted for; stopped before the end" in _lines(counters)["events read"]


def test_replay_of_nothing_divides_by_nothing() -> None:
    """An empty file is a history too."""
    assert _lines(Counters())["events read"].split(maxsplit=1) == ["0", "all accounted for"]
    assert Replayed(Counters(), 0.0).as_dict()["events_per_s"] == 0
