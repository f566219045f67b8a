"""operators/decoders/envelope: the event in an envelope of CloudEvents counts, and the rest of it does not."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.decoders import Repaired, Undecodable
from operators.decoders.envelope import open_envelope
from operators.decoders.json import decode
from state.events.records import Reason
from tacit.contract.events import MAX_EVENT_BYTES, Consent, Forget, Interaction
from tests.support.factories import FULL_EVENT, make_event
from tests.support.parser import accepted, parse, rejected


def envelope(data: Any, **members: Any) -> dict[str, Any]:
    """Return an event of CloudEvents 1.0 in structured mode; `...` removes a member."""
    found = {"specversion": "1.0", "type": "com.example.turn", "source": "/assistant", "id": "ce-1", "data": data}
    return {name: value for name, value in (found | members).items() if value is not ...}


def decoded(document: Any) -> Any:
    return decode(json.dumps(document).encode())


def test_event_in_an_envelope_is_the_same_observation() -> None:
    """So is one in `data_base64`."""
    assert accepted(envelope(FULL_EVENT)) == accepted(FULL_EVENT)
    text = b64encode(json.dumps(FULL_EVENT).encode()).decode()
    assert accepted(envelope(..., data_base64=text)) == accepted(FULL_EVENT)


def test_own_event_id_wins() -> None:
    """A producer that sends an event again in another envelope repeats the event."""
    assert decoded(envelope(make_event(event_id="own"))).event_id == "own"


@pytest.mark.parametrize("event", [make_event(event_id=...), make_event(type="forget", event_id=...)])
def test_id_of_the_envelope_is_that_of_an_event_without_one(event: dict[str, Any]) -> None:
    """The id has the form of an event's id."""
    assert decoded(envelope(event)).event_id == "ce-1"


@pytest.mark.parametrize("id_", ["a b", "", 7, None, "x" * 65, ...])
def test_unusable_id_of_the_envelope_is_ignored(id_: Any) -> None:
    """The event is invalid, as it is without an envelope."""
    found = decoded(envelope(make_event(event_id=...), id=id_))
    assert found == Undecodable(Reason.INVALID, "event_id: missing")


def test_reject_is_that_of_the_event() -> None:
    """The path begins in the event."""
    assert rejected(envelope(make_event(at="now"))) == (Reason.INVALID, "at: expected int, got str")
    assert rejected(envelope(make_event(schema=2)))[0] is Reason.UNKNOWN_SCHEMA


@pytest.mark.parametrize("data", [None, 7, "text", [], {}, [make_event()]])
def test_other_data_is_a_reject(data: Any) -> None:
    """Nothing but an object is an event."""
    assert rejected(envelope(data))[0] is Reason.INVALID


def test_envelope_in_an_envelope_is_not_opened() -> None:
    """So depth is bounded."""
    assert rejected(envelope(envelope(make_event())))[0] is Reason.INVALID


def test_envelope_with_a_user_is_not_opened() -> None:
    """The user of the record decides the shard, so a record has one user."""
    assert isinstance(decoded(envelope(make_event(user_id="bob"), user_id="ada")), Undecodable)


def test_envelope_with_two_events_is_not_opened() -> None:
    """The later one may hide a "no"."""
    no, yes = (json.dumps(make_event(type="consent", granted=granted)) for granted in (False, True))
    found = decode(b'{"specversion":"1.0","data":%s,"data":%s}' % (no.encode(), yes.encode()))
    assert isinstance(found, Undecodable)
    assert found.control == "consent"


def test_unclear_control_event_is_carried_out() -> None:
    """The rules of control events hold in an envelope."""
    assert isinstance(decoded(envelope({"type": "forget", "user_id": "ada"})), Repaired)
    found = decoded(envelope(make_event(type="consent", granted="yes")))
    assert isinstance(found, Repaired)
    assert isinstance(found.event, Consent)
    assert not found.event.granted


def test_large_envelope() -> None:
    """The limit is that of the record; a forget of any size is carried out."""
    assert rejected(envelope(make_event(), note="x" * MAX_EVENT_BYTES))[0] is Reason.TOO_LARGE
    found = decoded(envelope(make_event(type="forget"), note="x" * MAX_EVENT_BYTES))
    assert isinstance(found, Repaired)
    assert isinstance(found.event, Forget)


def test_plain_event_is_no_envelope() -> None:
    """A value is no member."""
    assert open_envelope(json.dumps(make_event(item="specversion")).encode()) is None
    assert isinstance(decoded(make_event(item="specversion")), Interaction)


MEMBERS = ["specversion", "type", "id", "data", "data_base64", "user_id"]
VALUES = st.none() | st.integers() | st.text(max_size=8) | st.sampled_from([make_event(), make_event(type="forget")])


@given(st.dictionaries(st.sampled_from(MEMBERS), VALUES), st.data())
def test_any_envelope_has_one_outcome(members: dict[str, Any], data: st.DataObject) -> None:
    """A cut document, too."""
    parse({"specversion": "1.0", **members})
    text = json.dumps(envelope(members)).encode()
    parse(text[: data.draw(st.integers(0, len(text)))])
