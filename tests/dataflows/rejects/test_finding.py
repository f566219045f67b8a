"""dataflows/rejects/finding: records of files, plain and compressed, verified by their hash."""

import gzip
from hashlib import sha256
from pathlib import Path

import pytest

from dataflows.rejects.finding import Found, Missing, find_record, find_records
from dataflows.rejects.stored import StoredReject
from dataflows.settings import Settings
from state.errors import SourceError
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET

SETTINGS = Settings(secret=SECRET, rejects="rejects.jsonl")


def reject(file: Path | str, line: int, value: bytes) -> StoredReject:
    return StoredReject("invalid", "", {"file": str(file), "line": line}, sha256(value).hexdigest(), 7)


def test_lines_of_a_file_are_read_once_and_in_order(tmp_path: Path) -> None:
    lines = [b"line %d" % number for number in range(1, 3_001)]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    wanted = [reject(tmp_path / "a.jsonl.gz", n, lines[n - 1]) for n in (2_500, 7, 3_000)]
    found = [(each.origin["line"], record) for each, record in find_records(SETTINGS, wanted)]
    assert [line for line, _ in found] == [7, 2_500, 3_000]
    assert [record.record.value for _, record in found if isinstance(record, Found)] == [
        b"line 7", b"line 2500", b"line 3000",
    ]  # fmt: skip


def test_other_content_is_not_the_record(tmp_path: Path) -> None:
    """A changed line, a line behind the end, and a write."""
    (tmp_path / "a.jsonl").write_bytes(b"one\ntwo\n")
    changed = find_record(SETTINGS, reject(tmp_path / "a.jsonl", 1, b"other"))
    gone = find_record(SETTINGS, reject(tmp_path / "a.jsonl", 9, b"nine"))
    write = find_record(SETTINGS, StoredReject("unwritable", "", {"key": "tacit:v1:eu:key"}, "ab", 7))
    assert isinstance(changed, Missing)
    assert "its hash is not that of the reject" in changed.text
    assert isinstance(gone, Missing)
    assert "does not hold the record any more" in gone.text
    assert write == Missing("a write has no record")


def test_moved_file_is_found_by_look(tmp_path: Path) -> None:
    """In a folder, or as the file itself."""
    (tmp_path / "a.jsonl").write_bytes(b"one\n")
    moved = reject("history/a.jsonl", 1, b"one")
    for look in (tmp_path, tmp_path / "a.jsonl"):
        assert isinstance(find_record(SETTINGS, moved, [str(look)]), Found)
    with pytest.raises(SourceError, match="there is no such file here; name the file, or the folder that has it now"):
        find_record(SETTINGS, moved)


def test_topic_of_an_unknown_cluster_is_an_error() -> None:
    topic = StoredReject("invalid", "", {"topic": "events", "partition": 0, "offset": 1}, "ab", 7)
    with pytest.raises(ConfigurationError, match="the cluster of topic events is unknown; name it by --source"):
        find_record(SETTINGS, topic)
