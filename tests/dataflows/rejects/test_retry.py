"""dataflows/rejects/retry: order, limit and marks of a retry."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dataflows.rejects.retry import Outcome, Plan, Retried, retry
from dataflows.rejects.stored import StoredReject
from dataflows.settings import Settings
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET
from tests.support.factories import make_event
from tests.support.replays import now_ms, write_lines

AT_MS = now_ms() - 60_000


def _interaction(number: int) -> dict[str, Any]:
    return make_event(event_id=f"e-{number}", user_id="ada", at=AT_MS + number)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of workers that rejected five interactions, and the last line, a consent."""
    consent = make_event(type="consent", event_id="c", user_id="ada", at=AT_MS) | {"granted": False}
    lines = [json.dumps(event).encode() for event in (*map(_interaction, range(5)), consent)]
    source = write_lines(tmp_path / "events.jsonl", lines)
    rejects = [
        StoredReject("not_in_catalogue", "", {"file": str(source), "line": number}, sha256(line).hexdigest(), AT_MS)
        for number, line in enumerate(lines, 1)
    ]
    control = msgspec.structs.replace(rejects.pop(), control="consent")
    write_lines(tmp_path / "rejects.jsonl", map(msgspec.json.encode, rejects))
    write_lines(tmp_path / "rejects.control.jsonl", [msgspec.json.encode(control)])
    return Settings(secret=SECRET, rejects=str(tmp_path / "rejects.jsonl"))


def _fed(path: Path) -> list[str]:
    return [json.loads(line)["event_id"] for line in path.read_bytes().splitlines()] if path.exists() else []


def _retry(settings: Settings, to: Path, **plan: Any) -> Retried:
    return retry(settings, Plan(str(to), **plan))


def test_control_events_come_first_and_each_record_once(settings: Settings, tmp_path: Path) -> None:
    """A second retry skips all; a retry that only reports leaves no mark."""
    to = tmp_path / "to.jsonl"
    assert _retry(settings, to, feeds=False).outcomes[Outcome.FED] == 6
    assert _fed(to) == []
    done = _retry(settings, to)
    assert (done.outcomes[Outcome.FED], done.controls, done.left, done.more) == (6, 1, 0, False)
    assert _fed(to) == ["c", "e-0", "e-1", "e-2", "e-3", "e-4"]
    again = _retry(settings, to)
    assert (again.outcomes[Outcome.FED], again.outcomes[Outcome.RETRIED]) == (0, 6)
    assert len(_fed(to)) == 6


def test_limit_leaves_the_rest_for_the_next_retry(settings: Settings, tmp_path: Path) -> None:
    """It is for each destination of rejects."""
    to = tmp_path / "to.jsonl"
    assert _retry(settings, to, limit=2).more
    assert _fed(to) == ["c", "e-0", "e-1"]
    assert _retry(settings, to, limit=2).more
    assert not _retry(settings, to, limit=2).more
    assert _fed(to) == ["c", "e-0", "e-1", "e-2", "e-3", "e-4"]


def test_changed_record_is_not_fed(settings: Settings, tmp_path: Path) -> None:
    """The hash in the reject is that of another record."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b"e-3", b"e-9"))
    done = _retry(settings, tmp_path / "to.jsonl", origins=frozenset({f"{path}:4"}))
    assert (done.outcomes[Outcome.MISSING], done.left) == (1, 1)
    assert done.examples[Outcome.MISSING][0][0] == f"{path}:4"


def test_unknown_origin_and_a_destination_of_rejects_are_errors(settings: Settings, tmp_path: Path) -> None:
    """Nothing is fed."""
    to = tmp_path / "to.jsonl"
    with pytest.raises(ConfigurationError, match="no reject with such an origin: events/0/1"):
        _retry(settings, to, origins=frozenset({"events/0/1"}))
    with pytest.raises(ConfigurationError, match=r"rejects: .* is the file .* of the source"):
        _retry(settings, tmp_path / "rejects.jsonl")
    assert _fed(to) == []
