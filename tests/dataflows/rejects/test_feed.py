"""dataflows/rejects/feed: records into a file or topic."""

from pathlib import Path

import pytest

from dataflows.rejects.feed import Fed, feed_of
from dataflows.rejects.stored import StoredReject
from dataflows.settings import Settings
from state.errors import SinkError
from state.events.records import FileOrigin, Record
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET

SETTINGS = Settings(secret=SECRET)


def _fed(line: int) -> Fed:
    reject = StoredReject("invalid", "", {"file": "a.jsonl", "line": line}, "", 0)
    return Fed(reject, Record(FileOrigin("a.jsonl"), line, b'{"line":%d}' % line), None)


def test_file_gets_a_line_per_record_behind_the_earlier_ones(tmp_path: Path) -> None:
    path = tmp_path / "repaired.jsonl"
    path.write_bytes(b"{}\n")
    with feed_of(SETTINGS, str(path)) as feed:
        feed.send([_fed(1), _fed(2)])
        feed.send([_fed(3)])
    assert path.read_bytes() == b'{}\n{"line":1}\n{"line":2}\n{"line":3}\n'


@pytest.mark.parametrize("to", ["repaired.txt", "repaired.jsonl.gz", "redis://localhost"])
def test_place_of_another_kind_is_an_error(to: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is neither a topic nor a \.jsonl file"), feed_of(SETTINGS, to):
        pass


def test_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """No record counts as fed."""
    with feed_of(SETTINGS, str(tmp_path / "missing" / "a.jsonl")) as feed, pytest.raises(SinkError):
        feed.send([_fed(1)])
