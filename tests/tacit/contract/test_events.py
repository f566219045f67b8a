"""client/tacit/contract/events: the rules of the contract, on both sides of a producer's JSON."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError

from tacit.contract.events import (
    MAX_AT_MS,
    MIN_AT_MS,
    ActedOn,
    Consent,
    Event,
    Forget,
    Interaction,
    Pin,
    decode_event,
    encode_event,
)
from tacit.contract.versions import version
from tests.support.factories import FULL_EVENT, make_event, make_record

VALID = [
    {"event_id": "A-z_0.9:x"},
    {"event_id": "x" * 64},
    {"user_id": "x" * 128},
    {"user_id": "Ünï 😀"},
    {"at": MIN_AT_MS},
    {"at": MAX_AT_MS},
    {"region": "eu-west-1"},
    {"locale": "zh-Hant-TW"},
    {"turn_id": None},
    {"served": {}},
    {"feedback": {"kind": "thumbs_up"}},
    {"feedback": {"kind": "thumbs_up", "facets": None}},
    {"acted_on": []},
    {"acted_on": [{"facet": "length", "value": "concise", "version": None, "propensity": 1}]},
]

INVALID = [
    ({"event_id": ""}, "event_id"),
    ({"event_id": "x" * 65}, "event_id"),
    ({"event_id": "a b"}, "event_id"),
    ({"event_id": "a\n"}, "event_id"),
    ({"event_id": 7}, "event_id"),
    ({"event_id": ...}, "event_id"),
    ({"user_id": ""}, "user_id"),
    ({"user_id": "x" * 129}, "user_id"),
    ({"user_id": "a\tb"}, "user_id"),
    ({"user_id": "a\x00"}, "user_id"),
    ({"user_id": "a\x85"}, "user_id"),
    ({"at": MIN_AT_MS - 1}, "at"),
    ({"at": MAX_AT_MS + 1}, "at"),
    ({"at": 1.0}, "at"),
    ({"at": True}, "at"),
    ({"at": "1795297433438"}, "at"),
    ({"at": None}, "at"),
    ({"region": "EU"}, "region"),
    ({"region": "e"}, "region"),
    ({"region": "e" * 17}, "region"),
    ({"schema": 2}, "schema"),
    ({"schema": "1"}, "schema"),
    ({"schema": ...}, "schema"),
    ({"turn_id": "a/b"}, "turn_id"),
    ({"topic": ""}, "topic"),
    ({"topic": "x" * 41}, "topic"),
    ({"locale": "d"}, "locale"),
    ({"locale": "de_AT"}, "locale"),
    ({"locale": "de" + "-x1234567" * 4}, "locale"),
    ({"item": ""}, "item"),
    ({"served": []}, "served"),
    ({"served": {"length": []}}, "served"),
    ({"served": {"length": 1}}, "served"),
    ({"served": {"length": "x" * 41}}, "served"),
    ({"served": {f"f{n}": "x" for n in range(65)}}, "served"),
    ({"feedback": "thumbs_up"}, "feedback"),
    ({"feedback": {}}, "feedback"),
    ({"feedback": {"kind": "thumbs_up", "note": "well done"}}, "feedback"),
    ({"feedback": {"kind": "thumbs_up", "facets": []}}, "feedback"),
    ({"acted_on": [{"facet": "length", "value": "concise", "propensity": 1.0}]}, "acted_on"),
    ({"acted_on": [{"facet": "length", "value": "concise", "version": "7", "propensity": 1.0}]}, "acted_on"),
    (
        {"acted_on": [{"facet": "length", "value": "concise", "version": "٧" * 13 + "-0000000007", "propensity": 1.0}]},
        "version",
    ),
    ({"acted_on": [{"facet": "length", "value": "concise", "version": None, "propensity": True}]}, "propensity"),
    ({"region": "eu\n"}, "region"),
    ({"locale": "de\n"}, "locale"),
    ({"served": {"": "x"}}, "served"),
    ({"served": {"length": ["x"] * 65}}, "served"),
    ({"acted_on": [{"facet": "length", "value": "concise", "version": None, "propensity": 1.1}]}, "acted_on"),
    ({"note": "any text"}, "note"),
    ({"granted": True}, "granted"),
    ({"type": "consent"}, "granted"),
    ({"type": "consent", "granted": "yes"}, "granted"),
    ({"type": "consent", "granted": 1}, "granted"),
    ({"type": "pin", "facet": "length"}, "value"),
    ({"type": "pin", "value": "concise"}, "facet"),
    ({"type": "forget", "facet": "length"}, "facet"),
]


def parse(event: dict[str, Any]) -> Any:
    return decode_event(make_record(event).value)


def test_interaction_with_everything_is_read() -> None:
    """The event has every optional member."""
    event = parse(FULL_EVENT)
    assert isinstance(event, Interaction)
    assert event.served == {"length": "concise", "format": ["bullets"]}
    assert event.feedback is not None
    assert event.feedback.facets == ["length"]
    assert event.acted_on is not None
    assert event.acted_on[0].propensity == 0.95


def test_control_events_are_read() -> None:
    """Each type has a class."""
    consent = parse(make_event(type="consent", granted=False))
    assert isinstance(consent, Consent)
    assert not consent.granted
    pin = parse(make_event(type="pin", facet="length", value=None))
    assert isinstance(pin, Pin)
    assert pin.value is None
    assert isinstance(parse(make_event(type="forget")), Forget)


@pytest.mark.parametrize("fields", VALID)
def test_event_at_a_limit_is_valid(fields: dict[str, Any]) -> None:
    """Limits are inclusive."""
    parse(make_event(**fields))


@pytest.mark.parametrize(("fields", "path"), INVALID)
def test_broken_rule_is_an_error_at_its_member(fields: dict[str, Any], path: str) -> None:
    """One step over a limit is an error with the path."""
    with pytest.raises(ValidationError) as caught:
        parse(make_event(**fields))
    assert path in re.findall(r"\w+", str(caught.value))


CONTROL_EVENTS = [
    Consent(schema=1, event_id="e-1", user_id="ada", at=MIN_AT_MS, region="eu", granted=True),
    Pin(schema=1, event_id="e-1", user_id="ada", at=MIN_AT_MS, region="eu", facet="tone", value=None),
    Forget(schema=1, event_id="e-1", user_id="ada", at=MIN_AT_MS, region="eu"),
]


@pytest.mark.parametrize("event", [parse(FULL_EVENT), *CONTROL_EVENTS])
def test_encoded_event_decodes_to_the_same_event(event: Event) -> None:
    """A producer can build events from the types."""
    assert decode_event(encode_event(event)) == event


def test_absent_members_are_not_encoded() -> None:
    """The JSON has the members that the event has."""
    assert json.loads(encode_event(parse(make_event()))) == make_event()


def test_event_that_breaks_a_rule_is_not_encoded() -> None:
    """The producer gets the error, not a reject of a worker."""
    with pytest.raises(ValidationError, match=r"`\$\.region`"):
        encode_event(Forget(schema=1, event_id="e-1", user_id="ada", at=MIN_AT_MS, region="EU"))


def test_event_over_16_kib_is_not_encoded() -> None:
    """A worker would reject the event as `too_large`."""
    acted_on = [ActedOn(facet="é" * 40, value="é" * 40, version=None, propensity=0.123456789)] * 64
    served = {f"{number}" + "é" * 38: ["é" * 40] * 64 for number in range(2)}
    event = msgspec.structs.replace(parse(FULL_EVENT), acted_on=acted_on, served=served)
    with pytest.raises(ValidationError, match="at most 16384 bytes"):
        encode_event(event)


@given(st.integers(0, MAX_AT_MS))
def test_every_time_makes_versions_that_sort(at_ms: int) -> None:
    """Times have at most 13 digits, so that text order is age order."""
    assert len(version(at_ms, 1)) == len(version(0, 1))
    assert version(at_ms, 1) < version(at_ms + 1, 0) or at_ms == MAX_AT_MS
