"""state/events/records."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.events.records import (
    FileOrigin,
    KafkaOrigin,
    Origin,
    Reason,
    Record,
    Records,
    Reject,
    WriteReject,
)


def reject(origin: Origin, detail: str = "region: missing") -> Reject:
    return Reject(Reason.INVALID, detail, origin, 7, "ab" * 32, 1_795_297_433_438)


def test_reject_of_a_topic_has_the_origin() -> None:
    """Topic, partition and offset find the record."""
    assert json.loads(reject(KafkaOrigin("events", 3)).to_json()) == {
        "reason": "invalid",
        "detail": "region: missing",
        "origin": {"topic": "events", "partition": 3, "offset": 7},
        "sha256": "ab" * 32,
        "at": 1_795_297_433_438,
    }


def test_reject_of_a_file_has_the_origin() -> None:
    """File and line find the record."""
    assert json.loads(reject(FileOrigin("a.jsonl")).to_json())["origin"] == {"file": "a.jsonl", "line": 7}


def test_unwritable_write_names_its_key() -> None:
    """The detail has Redis's reason."""
    assert json.loads(WriteReject("WRONGTYPE", "tacit:v1:eu:live:{k1.00}:signals", "ab" * 32, 5).to_json()) == {
        "reason": "unwritable",
        "detail": "WRONGTYPE",
        "origin": {"key": "tacit:v1:eu:live:{k1.00}:signals"},
        "sha256": "ab" * 32,
        "at": 5,
    }


@pytest.mark.parametrize("name", [b"events-\xff.jsonl", b"\xe9t\xe9.jsonl"])
def test_file_name_with_invalid_utf8_is_escaped(name: bytes) -> None:
    """Python decodes such a name with lone surrogates, which JSON does not allow."""
    origin = FileOrigin(name.decode("utf-8", "surrogateescape"))
    place = json.loads(reject(origin).to_json())["origin"]
    assert place["line"] == 7
    assert "\\udc" in place["file"]
    assert place["file"].endswith(".jsonl")


@given(st.text(st.characters(codec="utf-8")))
def test_reject_is_one_line(detail: str) -> None:
    """The rejects file has one JSON object per line."""
    line = reject(FileOrigin("a.jsonl"), detail).to_json()
    assert b"\n" not in line
    assert json.loads(line)["detail"] == detail


def test_reasons_are_those_of_the_contract() -> None:
    """Dashboards and retries use these names."""
    assert set(Reason) == {
        "not_json", "invalid", "too_large", "unknown_schema", "not_in_catalogue", "future", "wrong_region", "late",
        "unreadable",
    }  # fmt: skip


ORIGINS = st.builds(KafkaOrigin, st.text("az.-_09", min_size=1), st.integers(0, 5000)) | st.builds(
    FileOrigin, st.binary(max_size=50).map(lambda name: name.decode("utf-8", "surrogateescape"))
)
RECORDS = st.builds(Record, ORIGINS, st.integers(0, 2**63 - 1), st.binary(), st.integers(0, 9_999_999_999_999))


@given(st.lists(RECORDS, max_size=5).map(Records))
def test_records_pass_the_exchange_unchanged(records: Records) -> None:
    """File names may be invalid UTF-8. The types are the same: the text of an origin is part of an event's content."""
    passed = pickle.loads(pickle.dumps(records))  # noqa: S301  # as Bytewax does, between processes of one run
    assert passed == records
    assert [(type(record), type(record.origin)) for record in passed] == [
        (Record, type(record.origin)) for record in records
    ]
