"""Audit in a file: concurrent commands, killed commands, removed lines."""

import os
import pwd
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from dataflows.control.audit import audited, record, verify_audit
from dataflows.control.audit_chain import read_line
from dataflows.settings import Settings, load
from state.errors import SinkError
from tests.support.conditions import eventually

USER = bytes(range(16))


def settings(path: Path, **flags: object) -> Settings:
    return load({"audit": str(path), "embedded": True, **flags})


def entries(path: Path) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def test_an_action_leaves_a_line(tmp_path: Path) -> None:
    """With pseudonym, operator and outcome."""
    audit = tmp_path / "audit.jsonl"
    with audited(settings(audit, operator="ada"), "forget", USER, event="e-1") as action:
        action.detail["waited_ms"] = 7
    [entry] = entries(audit)
    assert {name: entry[name] for name in ("seq", "action", "user", "by", "outcome", "detail")} == {
        "seq": 1,
        "action": "forget",
        "user": "k1." + USER.hex(),
        "by": "ada",
        "outcome": "done",
        "detail": {"event": "e-1", "waited_ms": 7},
    }


def test_the_operator_is_the_user_of_the_system_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable USER does not count, and a named operator does not hide the user of the system."""
    monkeypatch.setenv("USER", "mallory")
    audit, name = tmp_path / "audit.jsonl", pwd.getpwuid(os.getuid()).pw_name
    record(settings(audit), "export", None, "done")
    record(settings(audit, operator="ada"), "export", None, "done")
    assert [(entry["by"], entry["os_user"]) for entry in entries(audit)] == [(name, name), ("ada", name)]


def test_a_failed_action_leaves_a_line_with_the_kind_of_error(tmp_path: Path) -> None:
    """The text of the error may hold anything, and is left out."""
    audit = tmp_path / "audit.jsonl"
    with pytest.raises(ValueError, match="secret"), audited(settings(audit), "export", USER):
        raise ValueError("secret")
    [entry] = entries(audit)
    assert (entry["outcome"], entry["detail"]) == ("failed", {"error": "ValueError"})


def test_an_action_does_not_start_without_its_audit(tmp_path: Path) -> None:
    """A folder that is missing stops the command before its first effect."""
    started = False
    with pytest.raises(SinkError, match="cannot be written"), audited(settings(tmp_path / "no" / "a"), "forget", USER):
        started = True
    assert not started


def test_without_an_audit_an_action_works_and_warns() -> None:
    """One loud line."""
    with structlog.testing.capture_logs() as logs, audited(load({"embedded": True}), "forget", USER):
        pass
    assert [(log["event"], log["log_level"]) for log in logs] == [("audit.not_configured", "warning")]


def _record_until_killed(path: Path) -> None:
    while True:
        record(settings(path), "export", USER, "done")


def test_killed_commands_break_no_chain(tmp_path: Path) -> None:
    """SIGKILL at any moment of two writers, again and again; earlier lines stay."""
    audit, lines = tmp_path / "audit.jsonl", 0
    for _ in range(8):
        writers = [get_context("fork").Process(target=_record_until_killed, args=(audit,)) for _ in range(2)]
        for writer in writers:
            writer.start()
        eventually(partial(_has_more_lines, audit, lines + 5), within_s=30, what="further lines")
        for writer in writers:
            writer.kill()
            writer.join()
        found = verify_audit([str(audit)])
        assert (found.problems, found.lines > lines) == ((), True)
        lines = found.lines


def _has_more_lines(path: Path, than: int) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") > than


def _record_many(path: Path, count: int) -> None:
    for _ in range(count):
        record(settings(path), "export", USER, "done")


def test_concurrent_commands_append_in_turns(tmp_path: Path) -> None:
    """Four processes, one chain."""
    audit = tmp_path / "audit.jsonl"
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        for done in [pool.submit(_record_many, audit, 25) for _ in range(4)]:
            done.result()
    found = verify_audit([str(audit)])
    assert (found.lines, found.tip.seq, found.problems, found.notes) == (100, 100, (), ())


@given(cut=st.integers(1, 200), later=st.integers(0, 2))
def test_a_torn_line_is_recorded_by_the_next_append(
    tmp_path_factory: pytest.TempPathFactory, cut: int, later: int
) -> None:
    """A kill left a part of a line; head and lines before are those of the last whole append."""
    audit = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    record(settings(audit), "export", USER, "done")
    audit.write_bytes(audit.read_bytes() + audit.read_bytes()[:cut])
    for _ in range(later):
        record(settings(audit), "forget", USER, "done")
    found = verify_audit([str(audit)])
    assert (found.problems, len(found.notes)) == ((), 1)
    assert found.lines == 2 + later + bool(later)


def test_a_kill_between_line_and_head_is_a_note(tmp_path: Path) -> None:
    """The next append continues the newer line."""
    audit, head = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.head"
    record(settings(audit), "export", USER, "done")
    before = head.read_bytes()
    record(settings(audit), "export", USER, "done")
    head.write_bytes(before)
    assert [verify_audit([str(audit)]).problems, len(verify_audit([str(audit)]).notes)] == [(), 1]
    record(settings(audit), "export", USER, "done")
    found = verify_audit([str(audit)])
    assert (found.tip.seq, found.problems, found.notes) == (3, (), ())


@pytest.mark.parametrize("later", [0, 1])
def test_removed_lines_show_before_and_after_the_next_append(tmp_path: Path, later: int) -> None:
    """A new line continues the head, and so does not hide the gap."""
    audit = tmp_path / "audit.jsonl"
    for _ in range(3):
        record(settings(audit), "export", USER, "done")
    audit.write_bytes(b"".join(audit.read_bytes().splitlines(keepends=True)[:1]))
    for _ in range(later):
        record(settings(audit), "export", USER, "done")
    assert [problem.kind for problem in verify_audit([str(audit)]).problems] == ["missing" if later else "truncated"]


def test_a_garbled_last_line_does_not_pass_as_torn(tmp_path: Path) -> None:
    """The head names the line that was there."""
    audit = tmp_path / "audit.jsonl"
    for _ in range(2):
        record(settings(audit), "export", USER, "done")
    first, _ = audit.read_bytes().splitlines(keepends=True)
    audit.write_bytes(first + b"garbage\n")
    record(settings(audit), "export", USER, "done")
    assert verify_audit([str(audit)]).problems != ()


def test_a_removed_head_is_a_problem_unless_a_hash_was_noted(tmp_path: Path) -> None:
    """Otherwise a missing end would not show."""
    audit = tmp_path / "audit.jsonl"
    record(settings(audit), "export", USER, "done")
    noted = verify_audit([str(audit)]).tip.hash
    (tmp_path / "audit.jsonl.head").unlink()
    assert [problem.kind for problem in verify_audit([str(audit)]).problems] == ["truncated"]
    assert verify_audit([str(audit)], expected=noted).problems == ()


def test_a_renamed_file_and_its_successor_are_one_chain(tmp_path: Path) -> None:
    """Rotation: the head stays, and the next file continues."""
    audit, older = tmp_path / "audit.jsonl", tmp_path / "audit.1.jsonl"
    record(settings(audit), "export", USER, "done")
    audit.rename(older)
    record(settings(audit), "export", USER, "done")
    assert verify_audit([str(older), str(audit)]).problems == ()
    assert [problem.kind for problem in verify_audit([str(audit)]).problems] == ["missing"]


def test_a_line_is_readable_json(tmp_path: Path) -> None:
    """Each line by itself."""
    audit = tmp_path / "audit.jsonl"
    record(settings(audit), "export", USER, "done", {"facets": 3})
    assert read_line(audit.read_bytes().rstrip(b"\n")) is not None
