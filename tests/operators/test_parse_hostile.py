"""operators/parse: what strangers send stops nothing, and is not repeated."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.decoders import Undecodable
from operators.decoders.json import decode
from state.counters import EventCounters
from state.events.observation import Observation, unpack
from state.events.records import Reason, Reject
from tacit.contract.events import MAX_EVENT_BYTES
from tests.support.factories import FULL_EVENT, START_MS, make_event, make_record
from tests.support.parser import INTERACTION, accepted, make_parser, parse, rejected

MARKER = "Zaphod"
"""What a stranger sends, and nobody may repeat."""

# Broken


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


@pytest.mark.parametrize(
    ("number", "detail"),
    [
        (b"1e999999", "at: number out of range"),
        (b"-1E400", "at: number out of range"),
        (b"9" * 4_000, "at: expected int <= 9999999999999"),
        (b"0.0", "at: expected int, got float"),
        (b"NaN", "event: NaN, Infinity or a lone surrogate"),
        (b"Infinity", "event: NaN, Infinity or a lone surrogate"),
        (b"-Infinity", "event: NaN, Infinity or a lone surrogate"),
    ],
)
def test_odd_numbers_are_invalid_times(number: bytes, detail: str) -> None:
    """A time is an integer."""
    assert rejected(INTERACTION.replace(str(START_MS).encode(), number)) == (Reason.INVALID, detail)


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    """As in most readers of JSON."""
    twice = INTERACTION.replace(b'"region": "eu"', b'"region": "us", "region": "eu"')
    accepted(twice)
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
    accepted(INTERACTION.ljust(MAX_EVENT_BYTES))
    assert rejected(INTERACTION.ljust(MAX_EVENT_BYTES + 1))[0] is Reason.TOO_LARGE


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 1_000_000, b'"' + b"x" * 1_000_000])
def test_depth_and_size_do_not_hurt_the_reader_itself(value: bytes) -> None:
    """The size limit is not what saves us."""
    assert decode(value) == Undecodable(Reason.NOT_JSON, "malformed JSON")


# Anything

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(MARKER)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(["kind", "facet", MARKER]), inner, max_size=3)
    ),
    max_leaves=8,
)
BASES = [
    FULL_EVENT,
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


@pytest.mark.parametrize("place", sorted(FULL_EVENT))
def test_marker_in_any_field_is_not_repeated(place: str) -> None:
    """As above, each field for itself, also as a number of its type's shape."""
    for value in (MARKER, [MARKER], {MARKER: MARKER}, {MARKER: [MARKER]}, {"kind": MARKER, MARKER: 1}, MARKER * 50):
        found = parse(FULL_EVENT | {place: value})
        if isinstance(found, Reject):
            assert MARKER not in found.detail
            assert MARKER.encode() not in found.to_json()


def test_user_id_is_never_told() -> None:
    """Not even when it is what is wrong."""
    assert rejected(make_event(user_id=f"{MARKER}\n")) == (
        Reason.INVALID,
        r"user_id: must match [^\x00-\x1f\x7f-\x9f]+",
    )
    assert MARKER not in repr(accepted(make_event(user_id=MARKER)))
