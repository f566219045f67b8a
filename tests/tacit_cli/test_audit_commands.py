"""Command `tacit audit verify`: exit status, text and document."""

import json
from pathlib import Path

from dataflows.control.audit import record
from dataflows.settings import load
from tests.support.commands import tacit


def audit_of(folder: Path, lines: int) -> Path:
    """Return an audit with some lines."""
    path = folder / "audit.jsonl"
    for _ in range(lines):
        record(load({"audit": str(path), "embedded": True}), "export", bytes(16), "done")
    return path


def test_a_whole_audit_is_status_0_with_the_newest_hash(tmp_path: Path) -> None:
    """Which an operator notes."""
    audit = audit_of(tmp_path, 3)
    shown = json.loads(tacit("audit", "verify", str(audit), "--json").stdout)
    assert (shown["ok"], shown["lines"], shown["seq"], shown["problems"]) == (True, 3, 3, [])
    done = tacit("audit", "verify", str(audit), "--expect", shown["hash"])
    assert (done.returncode, done.stdout) == (0, f"3 lines, whole; newest 3 {shown['hash']}\n")


def test_a_removed_line_is_status_1_with_its_place(tmp_path: Path) -> None:
    """As text and as a document."""
    audit = audit_of(tmp_path, 3)
    first, _, last = audit.read_bytes().splitlines(keepends=True)
    audit.write_bytes(first + last)
    done = tacit("audit", "verify", str(audit))
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "line 2: missing: line 2 is missing before line 3")
    shown = json.loads(tacit("audit", "verify", str(audit), "--json").stdout)
    assert [problem["kind"] for problem in shown["problems"]] == ["missing"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """With its path."""
    done = tacit("audit", "verify", str(tmp_path / "none"))
    assert (done.returncode, "none: cannot be read: No such file" in done.stderr) == (1, True)
