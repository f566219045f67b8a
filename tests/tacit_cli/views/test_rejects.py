"""tacit_cli/views/rejects: texts of outcomes, and a record without its content."""

from dataflows.rejects.finding import Found, Missing
from dataflows.rejects.retry import Outcome
from dataflows.rejects.stored import StoredReject
from state.events.records import FileOrigin, Record
from tacit_cli.views.rejects import OUTCOMES, Shown

REJECT = StoredReject("invalid", "at", {"file": "a.jsonl", "line": 7}, "ab", 7, "consent")
FOUND = Found(Record(FileOrigin("a.jsonl"), 7, b'{"user_id":"ada"\xff'))


def test_every_outcome_has_a_text() -> None:
    assert list(OUTCOMES) == list(Outcome)


def test_content_comes_only_on_request() -> None:
    """Invalid UTF-8 is escaped."""
    assert "ada" not in str(Shown(REJECT, FOUND, [], False).as_dict())
    assert Shown(REJECT, FOUND, [], True).as_dict()["content"] == '{"user_id":"ada"\\xff'
    assert Shown(REJECT, Missing("gone"), [], True).as_dict()["content"] is None


def test_control_event_has_its_own_step() -> None:
    assert Shown(REJECT, FOUND, [], False).as_dict()["step"].startswith("A user's choice was not carried out")
