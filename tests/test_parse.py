"""operators/parse: every record ends in an observation, or in a reject with its reason."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from operators.parse import FUTURE_TOLERANCE_MS, Parser, explain
from state.counters import EventCounters
from state.events import EVENT
from state.observation import Kind, Observation, unpack
from state.pseudonyms import digest
from state.records import MAX_EVENT_BYTES, Reason, Reject
from state.shards import shard_key, shard_of
from tests.making import CATALOGUE, ORIGIN, START_MS, make_event, make_record

SECRET = b"0123456789abcdef"
SHARDS = 16
NOW_MS = START_MS + 1
MARKER = "Zaphod"
"""What a stranger sends, and nobody may repeat."""

INTERACTION = json.dumps(make_event()).encode()


def make_parser(counters: EventCounters | None = None) -> Parser:
    counters = counters or EventCounters()
    return Parser(
        catalogue=CATALOGUE, region="eu", secret=SECRET, shards=SHARDS, counters=counters, clock=lambda: NOW_MS
    )


def parse(event: Mapping[str, Any] | bytes) -> Observation | Reject:
    return make_parser().parse(make_record(event), NOW_MS)


def rejected(event: Mapping[str, Any] | bytes) -> tuple[Reason, str]:
    found = parse(event)
    assert isinstance(found, Reject)
    return found.reason, found.detail


def accepted(event: Mapping[str, Any] | bytes) -> Observation:
    found = parse(event)
    assert isinstance(found, Observation)
    return found


# Reasons


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"event_id": "a b"}, Reason.INVALID, "event_id: string_pattern_mismatch"),
        ({"event_id": ...}, Reason.INVALID, "event_id: missing"),
        ({"at": 1.5}, Reason.INVALID, "at: int_type"),
        ({"note": "free text"}, Reason.INVALID, "*: extra_forbidden"),
        ({"feedback": {"kind": "thumbs_up", "note": "x"}}, Reason.INVALID, "feedback.*: extra_forbidden"),
        ({"acted_on": [{"facet": 1}]}, Reason.INVALID, "acted_on.0.facet: string_type"),
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
        ({"at": NOW_MS + FUTURE_TOLERANCE_MS + 1}, Reason.FUTURE, "300 s ahead of the clock"),
    ],
)
def test_each_breach_has_its_reason(fields: dict[str, Any], reason: Reason, detail: str) -> None:
    """The detail is the field's path and the rule."""
    assert rejected(make_event(**fields)) == (reason, detail)


@pytest.mark.parametrize("value", [b"[]", b"3", b'"x"', b"null", b"true", b"[1, 2]"])
def test_json_that_is_no_object_is_invalid(value: bytes) -> None:
    """It is JSON, but no event."""
    assert rejected(value) == (Reason.INVALID, "event: dict_type")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"\n",
        b"{",
        b"{'schema': 1}",
        b"\xef\xbb\xbf" + INTERACTION,
        b"\xff\xfe" + INTERACTION,
        INTERACTION + b"x",
        INTERACTION + INTERACTION,
        INTERACTION + b"\x00",
        b"\x00" * 100,
        INTERACTION.replace(b"ada", b"a\x00a"),
        INTERACTION.replace(b"ada", b"a\nb"),
        INTERACTION.replace(b"ada", b"\xff"),
        INTERACTION.replace(b"ada", b"\xed\xa0\x80"),
        INTERACTION.replace(b"ada", rb"\ud800"),
        INTERACTION.replace(b"ada", rb"\udc00\ud800"),
        INTERACTION.replace(b"ada", rb"\x41"),
        b"[" * 10_000,
        b'{"a":' * 3_000,
        b'{"served":' + b"[" * 8_000 + b"]" * 8_000 + b"}",
        INTERACTION.replace(str(START_MS).encode(), b"9" * 5_000),
        b"-" * 5_000,
    ],
)
def test_broken_json_is_not_json(value: bytes) -> None:
    """Nothing that is broken stops the stream, or is repeated."""
    assert rejected(value) == (Reason.NOT_JSON, "malformed JSON")


@pytest.mark.parametrize("number", [b"1e999999", b"-1e999999", b"NaN", b"Infinity", b"-Infinity", b"1E400", b"0.0"])
def test_odd_numbers_are_invalid_times(number: bytes) -> None:
    """A time is an integer."""
    assert rejected(INTERACTION.replace(str(START_MS).encode(), number)) == (Reason.INVALID, "at: int_type")


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    """As in most readers of JSON."""
    twice = INTERACTION.replace(b'"region": "eu"', b'"region": "us", "region": "eu"')
    assert accepted(twice)
    assert rejected(INTERACTION.replace(b'"region": "eu"', b'"region": "eu", "region": "us"'))[0] is Reason.WRONG_REGION


def test_white_space_around_an_event_is_nothing() -> None:
    """Lines end in a line feed, or in two characters."""
    assert accepted(b" \t" + INTERACTION + b"\r\n").at_ms == START_MS


@pytest.mark.parametrize("value", [b"x" * (MAX_EVENT_BYTES + 1), b"[" * 100_000, b"x" * 1_000_000])
def test_long_record_is_too_large_unread(value: bytes) -> None:
    """16 KiB are allowed."""
    assert rejected(value) == (Reason.TOO_LARGE, "over 16384 bytes")


def test_record_of_just_the_allowed_size_is_read() -> None:
    """One byte more is too much."""
    assert accepted(INTERACTION.ljust(MAX_EVENT_BYTES))
    assert rejected(INTERACTION.ljust(MAX_EVENT_BYTES + 1))[0] is Reason.TOO_LARGE


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 1_000_000, b'"' + b"x" * 1_000_000])
def test_depth_and_size_do_not_hurt_the_reader_itself(value: bytes) -> None:
    """The size limit is not what saves us."""
    with pytest.raises(ValidationError) as caught:
        EVENT.validate_json(value)
    assert explain(caught.value) == (Reason.NOT_JSON, "malformed JSON")


# Time


def test_interaction_slightly_ahead_of_the_clock_is_taken_as_it_is() -> None:
    """Clocks differ; five minutes are allowed."""
    assert accepted(make_event(at=NOW_MS + FUTURE_TOLERANCE_MS)).at_ms == NOW_MS + FUTURE_TOLERANCE_MS


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "consent", "granted": False},
        {"type": "consent", "granted": True},
        {"type": "forget"},
        {"type": "pin", "facet": "tone", "value": "formal"},
    ],
)
@pytest.mark.parametrize("at_ms", [NOW_MS + 1, NOW_MS + FUTURE_TOLERANCE_MS + 1, 9_999_999_999_999])
def test_control_event_from_the_future_happens_now(fields: dict[str, Any], at_ms: int) -> None:
    """A "no" must not get lost to a wrong clock, nor lock what comes after it."""
    assert accepted(make_event(at=at_ms, **fields)).at_ms == NOW_MS


def test_control_event_of_the_past_keeps_its_time() -> None:
    """However old it is."""
    assert accepted(make_event(type="forget", at=0)).at_ms == 0


# Strangers

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(MARKER)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(["kind", "facet", MARKER]), inner, max_size=3)
    ),
    max_leaves=8,
)
FULL = make_event(
    turn_id="t-1",
    surface="chat",
    topic="code",
    locale="de-AT",
    served={"length": "concise", "format": ["bullets"]},
    item="card:7",
    feedback={"kind": "thumbs_up", "facets": ["length"]},
    acted_on=[{"facet": "length", "value": "concise", "version": None, "propensity": 0.95}],
)
BASES = [
    FULL,
    make_event(type="consent", granted=True),
    make_event(type="pin", facet="tone", value="formal"),
    make_event(type="forget"),
]


@st.composite
def mutations(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Return a valid event of which some places were replaced, dropped or added."""
    event = json.loads(json.dumps(draw(st.sampled_from(BASES))))
    for _ in range(draw(st.integers(1, 3))):
        table = draw(st.sampled_from([event, *(value for value in event.values() if isinstance(value, dict))]))
        key = draw(st.sampled_from([*table, MARKER, f"{MARKER}.x"]))
        if draw(st.booleans()) or key not in table:
            table[key] = deepcopy(draw(values))
        else:
            del table[key]
    return dict(event)


def assert_has_one_end(value: bytes) -> Observation | Reject:
    """Parse, and check that the record ends in exactly one way, which can be written down."""
    counters = EventCounters()
    (found,) = make_parser(counters)([make_record(value)])
    if isinstance(found, Reject):
        assert counters.rejects[found.reason] == counters.total == 1
        assert json.loads(found.to_json())["reason"] == found.reason
        return found
    assert counters.total == 0
    (packed,) = found[1]
    return unpack(packed)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_reject(value: bytes) -> None:
    """Arbitrary bytes are no event, and never raise."""
    assert isinstance(assert_has_one_end(value), Reject)


@given(st.integers(0, len(INTERACTION) - 1), st.integers(0, 255))
def test_event_with_one_byte_changed_never_raises(place: int, byte: int) -> None:
    """Line noise."""
    assert_has_one_end(INTERACTION[:place] + bytes([byte]) + INTERACTION[place + 1 :])


@given(st.integers(0, len(INTERACTION) - 1))
def test_truncated_event_is_not_json(end: int) -> None:
    """A producer that died in the middle of a line."""
    assert rejected(INTERACTION[:end])[0] is Reason.NOT_JSON


@given(JSON)
def test_any_json_ends_in_a_reject(value: Any) -> None:
    """Whatever it says."""
    assert isinstance(assert_has_one_end(json.dumps(value).encode()), Reject)


@given(mutations(JSON))
def test_altered_event_never_raises(event: dict[str, Any]) -> None:
    """It may even still be an event."""
    assert_has_one_end(json.dumps(event).encode())


@given(mutations(st.sampled_from([MARKER, [MARKER], {MARKER: MARKER}, {"kind": MARKER}, [{"facet": MARKER}]])))
def test_reject_never_repeats_what_a_stranger_sent(event: dict[str, Any]) -> None:
    """Neither a key nor a value: only names of the contract and the catalogue."""
    found = assert_has_one_end(json.dumps(event).encode())
    if isinstance(found, Reject):
        assert MARKER not in found.detail
        assert MARKER.encode() not in found.to_json()


@pytest.mark.parametrize("place", sorted(FULL))
def test_marker_in_any_field_is_not_repeated(place: str) -> None:
    """As above, each field for itself, also as a number of its type's shape."""
    for value in (MARKER, [MARKER], {MARKER: MARKER}, {MARKER: [MARKER]}, {"kind": MARKER, MARKER: 1}, MARKER * 50):
        found = parse(FULL | {place: value})
        if isinstance(found, Reject):
            assert MARKER not in found.detail
            assert MARKER.encode() not in found.to_json()


def test_user_id_is_never_told() -> None:
    """Not even when it is what is wrong."""
    assert rejected(make_event(user_id=f"{MARKER}\n")) == (Reason.INVALID, "user_id: string_pattern_mismatch")
    assert MARKER not in repr(accepted(make_event(user_id=MARKER)))


# Batches


def test_batch_is_grouped_by_shard_in_order() -> None:
    """One group for each shard that has events; rejects come after them."""
    people = [f"user-{number % 40}" for number in range(200)]
    records = [make_record(make_event(event_id=f"e{n}", user_id=user), n) for n, user in enumerate(people)]
    *groups, reject = make_parser()([make_record(b"", 200), *records])
    assert isinstance(reject, Reject)
    positions: dict[str, list[int]] = {}
    for group in groups:
        assert not isinstance(group, Reject)
        key, packed = group
        assert key not in positions
        positions[key] = [unpack(data).position for data in packed]
    expected: dict[str, list[int]] = {}
    for position, user in enumerate(people):
        expected.setdefault(shard_key(shard_of(digest(user, SECRET), SHARDS)), []).append(position)
    assert positions == expected


def test_observation_says_where_its_record_stands() -> None:
    """So that the state can reject it like any other."""
    o = accepted(make_event())
    record = make_record(make_event())
    found = parse(b"")
    assert isinstance(found, Reject)
    assert (o.origin, o.position, len(o.sha256)) == (ORIGIN, record.position, 32)
    assert found.sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert found.at_ms == NOW_MS


def test_person_is_a_digest_from_here_on() -> None:
    """With the deployment's secret."""
    assert accepted(make_event(user_id="ada")).user == digest("ada", SECRET)


def test_kinds_are_resolved() -> None:
    """From the wire to what the state acts on."""
    assert accepted(make_event(type="consent", granted=False)).kind == Kind.DENY


def test_rejects_are_counted_by_reason() -> None:
    """Accepted events get their count in the state."""
    counters = EventCounters()
    list(make_parser(counters)([make_record(b""), make_record(b"{"), make_record(make_event(region="us"))]))
    list(make_parser(counters)([make_record(make_event())]))
    assert {reason: count for reason, count in counters.rejects.items() if count} == {
        Reason.NOT_JSON: 2,
        Reason.WRONG_REGION: 1,
    }
    assert counters.total == 3
