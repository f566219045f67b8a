"""dataflows/rejects/acceptance: the decision of the workers, before a record is fed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dataflows.rejects.acceptance import Acceptance
from dataflows.settings import Settings
from state.events.records import FileOrigin, Record
from tests.support.commands import SECRET
from tests.support.factories import make_event
from tests.support.replays import now_ms, replay, write_lines

NOW = now_ms()
HOUR_MS = 3_600_000


def record(event: Mapping[str, Any] | bytes, at_ms: int = 0) -> Record:
    return Record(FileOrigin("a.jsonl"), 1, event if isinstance(event, bytes) else json.dumps(event).encode(), at_ms)


@pytest.mark.parametrize(
    ("event", "record_ms", "reason"),
    [
        (make_event(at=NOW), NOW, None),
        (make_event(at=NOW, region="us"), NOW, "wrong_region"),
        (make_event(at=NOW, topic="gardening"), NOW, "not_in_catalogue"),
        (make_event(at=NOW + HOUR_MS), NOW, "future"),
        (make_event(at=NOW - 25 * HOUR_MS), NOW, "late"),
        (make_event(at=NOW, region="us", type="consent", granted=False), NOW, "wrong_region"),
        (make_event(at=NOW - 99 * HOUR_MS, type="consent", granted=False), NOW, None),
        (b"{", NOW, "not_json"),
    ],
    ids=["new", "other region", "unknown topic", "future", "late", "no of another region", "old no", "broken"],
)
def test_record_in_order(event: Mapping[str, Any] | bytes, record_ms: int, reason: str | None) -> None:
    """Without the state of users, lateness counts from the present time; a "no" is never late."""
    found = Acceptance(Settings(secret=SECRET)).refusal(record(event, record_ms), in_order=True)
    assert (found and found.reason) == reason


def test_lateness_does_not_count_in_a_file() -> None:
    """A later replay decides about the order."""
    old = record(make_event(at=NOW - 25 * HOUR_MS))
    assert Acceptance(Settings(secret=SECRET)).refusal(old, in_order=False) is None


def test_state_of_users_decides_where_it_is_at_hand(redis_url: str, tmp_path: Path) -> None:
    """Lateness is relative to the user's own newest event, and a foreign "no" counts for a user who is known."""
    consent = make_event(type="consent", granted=True, at=NOW - 95 * HOUR_MS, event_id="c-1")
    write_lines(tmp_path / "events.jsonl", [consent, make_event(at=NOW - 90 * HOUR_MS)])
    replay(redis_url, "events.jsonl", "--state", "state", cwd=tmp_path)
    acceptance = Acceptance(Settings(secret=SECRET, state=tmp_path / "state"))
    in_time, late = (record(make_event(at=NOW - hours * HOUR_MS)) for hours in (100, 120))
    assert acceptance.refusal(in_time, in_order=True) is None
    refused = acceptance.refusal(late, in_order=True)
    assert refused is not None
    assert refused.reason == "late"
    foreign = make_event(region="us", type="consent", granted=False, at=NOW)
    assert acceptance.refusal(record(foreign), in_order=True) is None
    stranger = acceptance.refusal(record(foreign | {"user_id": "bob"}), in_order=True)
    assert stranger is not None
    assert stranger.reason == "wrong_region"


def test_event_of_a_record_may_be_repaired() -> None:
    acceptance = Acceptance(Settings(secret=SECRET))
    event = acceptance.event_of(json.dumps(make_event(type="forget", at="soon")).encode())
    assert event is not None
    assert event.user_id == "ada"
    assert acceptance.event_of(b"{") is None
