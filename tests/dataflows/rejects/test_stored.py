"""dataflows/rejects/stored: rejects and marks as files hold them."""

from pathlib import Path

import pytest

from dataflows.rejects.stored import Mark, Place, StoredReject, Unreadable, decode, destinations, read_stored
from dataflows.settings import Settings
from state.events.records import FileOrigin, KafkaOrigin, Reason, Reject, WriteReject
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET

REJECT = Reject(Reason.INVALID, "at: not an integer", KafkaOrigin("events", 3), 41, "ab12", 7, "consent")


@pytest.mark.parametrize("text", ["events/3/41", "a.jsonl:7", "history/2026/a:b.jsonl.gz:12", "events/3/41:7"])
def test_place_is_its_text(text: str) -> None:
    assert str(Place.parse(text)) == text


def test_text_without_a_position_is_no_place() -> None:
    with pytest.raises(ConfigurationError, match="'events/3' is no TOPIC/PARTITION/OFFSET and no FILE:LINE"):
        Place.parse("events/3")


def test_reject_is_read_as_a_worker_writes_it() -> None:
    found = decode(REJECT.to_json())
    assert isinstance(found, StoredReject)
    assert (found.reason, found.name, found.control) == ("invalid", "events/3/41", "consent")
    assert found.place == Place(REJECT.origin, 41)
    line = decode(REJECT._replace(origin=FileOrigin("a.jsonl"), control="").to_json())
    assert isinstance(line, StoredReject)
    assert (line.name, line.key) == ("a.jsonl:41", ("a.jsonl:41", "ab12"))
    write = decode(WriteReject("WRONGTYPE", "tacit:v1:eu:key", "ab12", 7).to_json())
    assert isinstance(write, StoredReject)
    assert (write.place, write.name, write.reason) == (None, "tacit:v1:eu:key", "unwritable")


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff", b'{"reason":"invalid"}'])
def test_other_lines_are_unreadable(line: bytes) -> None:
    """Such as one that a crash cut off."""
    assert decode(line) == Unreadable()


def test_marks_of_a_file_are_next_to_it(tmp_path: Path) -> None:
    """Destinations of control events come first."""
    file = tmp_path / "rejects.jsonl"
    settings = Settings(secret=SECRET, rejects=str(file))
    assert destinations(settings) == [str(tmp_path / "rejects.control.jsonl"), str(file)]
    assert list(read_stored(settings, str(file))) == []
    file.write_bytes(REJECT.to_json() + b"\n{\n")
    mark = b'{"retried":"events/3/41","rejected":"ab12","sha256":"ab12","at":8,"to":"events"}\n'
    file.with_name("rejects.jsonl.retried").write_bytes(mark)
    kinds = [type(each) for each in read_stored(settings, str(file))]
    assert kinds == [StoredReject, Unreadable, Mark]
