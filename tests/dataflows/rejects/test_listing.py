"""dataflows/rejects/listing: counts of all, and the newest in bounded memory."""

from pathlib import Path

from dataflows.rejects.listing import Filter, list_rejects
from dataflows.settings import Settings
from state.events.records import FileOrigin, Reason, Reject
from tests.support.commands import SECRET


def test_newest_of_each_kind_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "rejects.jsonl"
    settings = Settings(secret=SECRET, rejects=str(file))
    rejects = [Reject(Reason.INVALID, "", FileOrigin("a.jsonl"), n, "ab", 1_000 + n) for n in range(1, 51)]
    controls = [Reject(Reason.NOT_JSON, "", FileOrigin("a.jsonl"), 90 + n, "ab", 2_000, "pin") for n in range(3)]
    file.write_bytes(b"".join(each.to_json() + b"\n" for each in rejects) + b"{\n")
    Path(settings.control_rejects_to).write_bytes(b"".join(each.to_json() + b"\n" for each in controls))
    found = list_rejects(settings, Filter(), 2)
    assert (found.others, found.controls, found.unreadable) == ({"invalid": 50}, {"not_json": 3}, 1)
    assert [each.name for each in found.shown] == ["a.jsonl:92", "a.jsonl:91", "a.jsonl:50", "a.jsonl:49"]
    late = list_rejects(settings, Filter(since_ms=1_049), 9)
    assert (late.others, late.controls) == ({"invalid": 2}, {"not_json": 3})
    assert not list_rejects(settings, Filter(frozenset({"late"})), 9).shown


def test_missing_files_have_no_rejects(tmp_path: Path) -> None:
    """A run without a reject leaves no file in some deployments."""
    found = list_rejects(Settings(secret=SECRET, rejects=str(tmp_path / "rejects.jsonl")), Filter(), 2)
    assert found.as_dict() == {"controls": {}, "others": {}, "retried": 0, "unreadable": 0, "rejects": []}
