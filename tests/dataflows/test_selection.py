"""Selection of a replay: ranges that apply, and users of a file."""

from pathlib import Path

import pytest

from dataflows.selection import Selection, read_users
from dataflows.settings import Settings
from tacit.contract.pseudonyms import pseudonym
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET

SETTINGS = Settings(secret=SECRET)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-11-02", "2026-11-01"),
        ("2026-11-01", "2026-11-01T00:00Z"),
        ("latest", ""),
        ("", "earliest"),
        ("offset:5", "offset:5"),
        ("0:7,1:9", "offset:7"),
    ],
)
def test_range_without_a_record_is_refused(begin: str, end: str) -> None:
    """The begin is not before the end, which is not read; the error names both, also where one is not given."""
    expected = f"from: {begin or 'earliest'} is not before {f'--to {end}' if end else 'the end of the history'}, so the"
    with pytest.raises(ConfigurationError, match=f"{expected} range is empty; use an earlier one$"):
        Selection(begin, end).require_applicable(topics=1)


@pytest.mark.parametrize(
    ("begin", "end"),
    [("", ""), ("earliest", "latest"), ("2026-11-01", "latest"), ("0:7,1:9", "0:7,1:10"), ("offset:5", "2026-11-01")],
)
def test_range_that_may_have_records_is_accepted(begin: str, end: str) -> None:
    """Kafka knows whether it has one."""
    Selection(begin, end).require_applicable(topics=1)


def test_time_without_a_zone_is_refused() -> None:
    """Both options are named in one error."""
    with pytest.raises(ConfigurationError) as caught:
        Selection("2026-11-01T10:00", "2026-11-01T11:00").require_applicable(topics=1)
    assert [problem.partition(" has no zone")[0] for problem in caught.value.problems] == [
        "from: '2026-11-01T10:00'",
        "to: '2026-11-01T11:00'",
    ]


@pytest.mark.parametrize("topics", [0, 2])
def test_offsets_need_a_single_topic(topics: int) -> None:
    """Lines have event times only, and offsets differ from topic to topic."""
    with pytest.raises(ConfigurationError, match="from: offset:3 is an offset, which needs a single topic; use a time"):
        Selection("offset:3").require_applicable(topics=topics)
    Selection("2026-11-01", "latest").require_applicable(topics=0)


def test_users_are_read_as_pseudonyms(tmp_path: Path) -> None:
    """Blank lines, carriage returns and a byte order mark are no part of an id."""
    path = tmp_path / "users"
    path.write_bytes(b"\xef\xbb\xbfada\r\n\nbob\nada")
    assert read_users(path, SETTINGS) == {pseudonym(user, SECRET.encode()) for user in ("ada", "bob")}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "has no user"),
        (b"\n", "has no user"),
        (b"ada\nb\xff\n", "line 2 of"),
        (b"x" * 10_000, "line 1 of"),
        (None, "No such file"),
    ],
)
def test_error_of_a_users_file_has_no_user_id(tmp_path: Path, data: bytes | None, problem: str) -> None:
    """The number of the line is enough to find it."""
    path = tmp_path / "users"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        read_users(path, SETTINGS)
    assert "xxx" not in str(caught.value)
    assert "ada" not in str(caught.value)


def test_remembered_options_have_no_user() -> None:
    """A hash stands for the users; their order is of no importance."""
    one, other = (Selection("2026-11-01", users=frozenset(users)).options() for users in ([b"a", b"b"], [b"b", b"a"]))
    assert one == other == {"from": "2026-11-01", "users": one["users"]}
    assert Selection().options() == {}
