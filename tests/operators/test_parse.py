"""operators/parse: every record becomes an observation, or a reject with a reason."""

from typing import Any

import pytest

from state.counters import EventCounters
from state.events.observation import Kind, Observation
from state.events.records import CLOCK_TOLERANCE_MS, Reason, Reject
from tacit.contract.pseudonyms import pseudonym
from tests.support.factories import ORIGIN, START_MS, make_event, make_record
from tests.support.parser import NOW_MS, SECRET, accepted, make_parser, parse, rejected

# Reasons


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"event_id": "a b"}, Reason.INVALID, "event_id: must match [A-Za-z0-9_.:-]{1,64}"),
        ({"event_id": ...}, Reason.INVALID, "event_id: missing"),
        ({"at": 1.5}, Reason.INVALID, "at: expected int, got float"),
        ({"note": "free text"}, Reason.INVALID, "*: unknown member"),
        ({"feedback": {"kind": "thumbs_up", "note": "x"}}, Reason.INVALID, "feedback.*: unknown member"),
        ({"acted_on": [{"facet": 1}]}, Reason.INVALID, "acted_on.0.facet: expected str, got int"),
        ({"served": {"tone": ["formal", "neutral"]}}, Reason.INVALID, "served.tone: takes one value"),
        ({"type": "rating"}, Reason.INVALID, "type: not interaction, consent, pin or forget"),
        ({"type": ["pin"]}, Reason.INVALID, "type: not interaction, consent, pin or forget"),
        ({"type": ...}, Reason.INVALID, "type: missing"),
        ({"schema": ...}, Reason.INVALID, "schema: missing"),
        ({"schema": 2}, Reason.UNKNOWN_SCHEMA, "schema: only 1 is known"),
        ({"schema": 2, "note": "new in 2"}, Reason.UNKNOWN_SCHEMA, "schema: only 1 is known"),
        ({"schema": 2, "type": "rating"}, Reason.UNKNOWN_SCHEMA, "schema: only 1 is known"),
        ({"schema": 2, "type": ...}, Reason.UNKNOWN_SCHEMA, "schema: only 1 is known"),
        ({"region": "us"}, Reason.WRONG_REGION, "this worker's region is eu"),
        ({"topic": "gossip"}, Reason.NOT_IN_CATALOGUE, "topic"),
        ({"served": {"tone": "rude"}}, Reason.NOT_IN_CATALOGUE, "served.tone"),
        ({"served": {"mood": "rude"}}, Reason.NOT_IN_CATALOGUE, "served.*"),
        ({"at": 7}, Reason.INVALID, "at: expected epoch milliseconds from the year 2000 on"),
        ({"at": NOW_MS // 1000}, Reason.INVALID, "at: expected epoch milliseconds from the year 2000 on"),
    ],
)
def test_each_broken_rule_has_a_reason(fields: dict[str, Any], reason: Reason, detail: str) -> None:
    """The detail is the path of the member and the rule."""
    assert rejected(make_event(**fields)) == (reason, detail)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(b"[]", "array"), (b"3", "int"), (b'"x"', "str"), (b"null", "null"), (b"true", "bool"), (b"[1, 2]", "array")],
)
def test_json_other_than_an_object_is_invalid(value: bytes, kind: str) -> None:
    """JSON of another type is no event."""
    assert rejected(value) == (Reason.INVALID, f"event: expected object, got {kind}")


# Time


@pytest.mark.parametrize(("ahead_ms", "is_future"), [(CLOCK_TOLERANCE_MS, False), (CLOCK_TOLERANCE_MS + 1, True)])
def test_interaction_ahead_of_its_record_is_from_the_future(ahead_ms: int, is_future: bool) -> None:
    """The record's own time is the same for every reader, unlike the clock."""
    record = make_record(make_event(at=NOW_MS + ahead_ms))._replace(timestamp_ms=NOW_MS)
    found = make_parser().parse(record)
    assert isinstance(found, Reject) is is_future
    if isinstance(found, Reject):
        assert (found.reason, found.detail) == (Reason.FUTURE, "300 s ahead of the record's own time")


def test_without_a_time_of_the_record_no_interaction_is_from_the_future() -> None:
    """A file is read at any time, with the same result."""
    assert accepted(make_event(at=9_999_999_999_999)).at_ms == 9_999_999_999_999


@pytest.mark.parametrize("at_ms", [NOW_MS - 1, NOW_MS + CLOCK_TOLERANCE_MS + 1, 9_999_999_999_999])
def test_control_event_keeps_its_time_and_that_of_its_record(at_ms: int) -> None:
    """The state decides, as it knows the user."""
    o = make_parser().parse(make_record(make_event(type="forget", at=at_ms))._replace(timestamp_ms=NOW_MS))
    assert isinstance(o, Observation)
    assert (o.at_ms, o.record_ms) == (at_ms, NOW_MS)


# Batches


def test_batch_is_parsed_in_order() -> None:
    """Each observation has its record, for a reject that only the state decides."""
    records = [make_record(make_event(at=START_MS + n, topic="gossip" if n % 3 else ...), n) for n in range(9)]
    parsed = make_parser()(iter(records))
    assert parsed.records == records[::3]
    assert [o.at_ms - START_MS for o in parsed.observations] == [0, 3, 6]
    assert [reject.position for reject in parsed.rejects] == [1, 2, 4, 5, 7, 8]


def test_reject_has_the_hash_of_its_record() -> None:
    """The record itself may contain a user id."""
    found = parse(b"")
    assert isinstance(found, Reject)
    assert (found.origin, found.position) == (ORIGIN, 1)
    assert found.sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert found.at_ms == NOW_MS


def test_observation_has_the_pseudonym() -> None:
    """The key of the pseudonym is the secret of the deployment."""
    assert accepted(make_event(user_id="ada")).user == pseudonym("ada", SECRET)


def test_kinds_are_resolved() -> None:
    """The state acts on kinds."""
    assert accepted(make_event(type="consent", granted=False)).kind == Kind.DENY


def test_rejects_are_counted_by_reason() -> None:
    """The state counts all other events."""
    counters = EventCounters()
    make_parser(counters)([make_record(b""), make_record(b"{"), make_record(make_event(region="us"))])
    make_parser(counters)([make_record(make_event())])
    assert {reason: count for reason, count in counters.rejects.items() if count} == {
        Reason.NOT_JSON: 2,
        Reason.WRONG_REGION: 1,
    }
    assert counters.total == 3
