"""operators/parse: hostile input neither stops the stream nor reaches a reject's detail."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.counters import EventCounters
from state.events.observation import Observation
from state.events.records import Reason, Reject
from tacit.contract.events import MAX_EVENT_BYTES
from tests.support.factories import FULL_EVENT, make_event, make_record
from tests.support.parser import INTERACTION, accepted, make_parser, parse, rejected

MARKER = "Zaphod"
"""Part of hostile input that no reject may repeat."""

# Size


@pytest.mark.parametrize("value", [b"x" * (MAX_EVENT_BYTES + 1), b"[" * 100_000, b"x" * 1_000_000])
def test_long_record_is_too_large(value: bytes) -> None:
    """The limit is 16 KiB; the record is not decoded."""
    assert rejected(value) == (Reason.TOO_LARGE, "over 16384 bytes")


def test_record_at_the_size_limit_is_decoded() -> None:
    """One more byte is too large."""
    accepted(INTERACTION.ljust(MAX_EVENT_BYTES))
    assert rejected(INTERACTION.ljust(MAX_EVENT_BYTES + 1))[0] is Reason.TOO_LARGE


# Any input

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
    """Return a valid event with some members replaced, removed or added."""
    event = json.loads(json.dumps(draw(st.sampled_from(BASES))))
    for _ in range(draw(st.integers(1, 3))):
        table = draw(st.sampled_from([event, *(value for value in event.values() if isinstance(value, dict))]))
        key = draw(st.sampled_from([*table, MARKER, f"{MARKER}.x"]))
        if draw(st.booleans()) or key not in table:
            table[key] = deepcopy(draw(values))
        else:
            del table[key]
    return dict(event)


def assert_one_outcome(value: bytes) -> Observation | Reject:
    """Parse, and check that the record has exactly one outcome, and that a reject is serializable."""
    counters = EventCounters()
    observations, _, rejects = make_parser(counters)([make_record(value)])
    outcomes: list[Observation | Reject] = [*observations, *rejects]
    (found,) = outcomes
    if isinstance(found, Reject):
        counts = counters.control_rejects if found.control else counters.rejects
        assert counts[found.reason] == counters.total == 1
        assert json.loads(found.to_json())["reason"] == found.reason
        return found
    assert counters.total == 0
    return found


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_reject(value: bytes) -> None:
    """Arbitrary bytes are not an event and never raise."""
    assert isinstance(assert_one_outcome(value), Reject)


@given(st.integers(0, len(INTERACTION) - 1), st.integers(0, 255))
def test_event_with_one_byte_changed_never_raises(place: int, byte: int) -> None:
    """A damaged record is a reject, or another event."""
    assert_one_outcome(INTERACTION[:place] + bytes([byte]) + INTERACTION[place + 1 :])


@given(st.integers(0, len(INTERACTION) - 1))
def test_truncated_event_is_not_json(end: int) -> None:
    """A producer that crashes leaves half a line."""
    assert rejected(INTERACTION[:end])[0] is Reason.NOT_JSON


@given(JSON)
def test_any_json_ends_in_a_reject(value: Any) -> None:
    """JSON without the members of an event is invalid."""
    assert isinstance(assert_one_outcome(json.dumps(value).encode()), Reject)


@given(mutations(JSON))
def test_altered_event_never_raises(event: dict[str, Any]) -> None:
    """The result is an event or a reject."""
    assert_one_outcome(json.dumps(event).encode())


@given(mutations(st.sampled_from([MARKER, [MARKER], {MARKER: MARKER}, {"kind": MARKER}, [{"facet": MARKER}]])))
def test_reject_never_repeats_input(event: dict[str, Any]) -> None:
    """A detail has names of the contract and the catalogue only."""
    found = assert_one_outcome(json.dumps(event).encode())
    if isinstance(found, Reject):
        assert MARKER not in found.detail
        assert MARKER.encode() not in found.to_json()


@pytest.mark.parametrize("member", sorted(FULL_EVENT))
def test_marker_in_any_field_is_not_repeated(member: str) -> None:
    """Each member in turn has the marker in several types."""
    for value in (MARKER, [MARKER], {MARKER: MARKER}, {MARKER: [MARKER]}, {"kind": MARKER, MARKER: 1}, MARKER * 50):
        found = parse(FULL_EVENT | {member: value})
        if isinstance(found, Reject):
            assert MARKER not in found.detail
            assert MARKER.encode() not in found.to_json()


def test_user_id_never_leaves_the_parser() -> None:
    """Neither a reject nor an observation has the user id."""
    assert rejected(make_event(user_id=f"{MARKER}\n")) == (
        Reason.INVALID,
        r"user_id: must match [^\x00-\x1f\x7f-\x9f]+",
    )
    assert MARKER not in repr(accepted(make_event(user_id=MARKER)))
