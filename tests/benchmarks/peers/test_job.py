"""The peers' job: windows, learning and signals of one user."""

import json

from benchmarks.peers.job import DAY_MS, HOUR_MS, MINUTE_MS, Event, User, parse, step

AT_MS = 1_795_000_000_000 // DAY_MS * DAY_MS
SERVED = {"length": "concise", "tone": "formal"}


def _event(at_ms: int = AT_MS, kind: str | None = None, **served: str) -> Event:
    feedback = {"feedback": {"kind": kind}} if kind else {}
    return {"user_id": "ada", "at": at_ms, "served": SERVED | served} | feedback


def test_windows_count_the_events_that_are_inside() -> None:
    """An event leaves a window with its pane."""
    user = User()
    for at_ms in (AT_MS, AT_MS + MINUTE_MS, AT_MS + 2 * HOUR_MS):
        signal = json.loads(step(user, _event(at_ms)))
    assert signal["counts"] == {"1h": 1, "24h": 3, "7d": 3}
    assert json.loads(step(user, _event(AT_MS + 8 * DAY_MS)))["counts"] == {"1h": 1, "24h": 1, "7d": 1}


def test_signal_follows_the_likes() -> None:
    """The signal is the value with the highest chance of a like, with the chances of all three."""
    user = User()
    for _ in range(5):
        step(user, _event(kind="thumbs_down", length="concise"))
        step(user, _event(kind="thumbs_up", length="detailed"))
    signal = json.loads(step(user, _event()))
    assert signal["value"] == "detailed"
    assert signal["chances"][2] == max(signal["chances"])


def test_event_without_feedback_teaches_nothing() -> None:
    """Neither does directed feedback, which the job does not know."""
    user = User()
    assert json.loads(step(user, _event()))["chances"] == json.loads(step(user, _event(kind="shorter")))["chances"]
    assert user.model.means.keys() == {"__bias__"}


def test_lines_that_are_no_interaction_are_left_out() -> None:
    """The demo's stream has broken lines and control events."""
    assert parse(json.dumps(_event())) == _event()
    for line in (b"{", b"\xff", b"[]", b'{"user_id":"ada","at":1}', b'{"user_id":"ada","at":"1","served":{}}'):
        assert parse(line) is None
