"""dataflows/rejects/repaired: a line per repaired record."""

from pathlib import Path

import pytest

from dataflows.rejects.repaired import read_repairs
from tacit.errors import ConfigurationError


def test_event_is_kept_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "repaired.jsonl"
    file.write_bytes(b'{"origin":"events/0/42","event":{"b" : 1.0}}\n{"event":{},"origin":"a.jsonl:7"}\n')
    assert read_repairs(file).by_origin == {"events/0/42": b'{"b" : 1.0}', "a.jsonl:7": b"{}"}


def test_every_bad_line_is_a_problem(tmp_path: Path) -> None:
    """None of them repeats the content."""
    file = tmp_path / "repaired.jsonl"
    lines = [b"{", b'{"origin":"ada"}', b'{"origin":"ada","event":{}}', b'{"origin":"a:1","event":{},"x":1}']
    twice = [b'{"origin":"a:1","event":{}}'] * 2
    file.write_bytes(b"\n".join([*lines, *twice]))
    with pytest.raises(ConfigurationError) as raised:
        read_repairs(file)
    assert [problem.split(": ")[1].rpartition(", ")[2] for problem in raised.value.problems] == [
        "line 1", "line 2", "line 3", "line 4", "line 6",
    ]  # fmt: skip
    assert "ada" not in str(raised.value)


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        read_repairs(tmp_path / "repaired.jsonl")
