"""operators/decoders/control: a "no" is not lost to a broken member, and nothing unclear becomes a "yes"."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.decoders import Repaired, Undecodable
from operators.decoders.control import read_control
from operators.decoders.json import decode
from state.counters import EventCounters
from state.events.observation import Kind, Observation
from state.events.records import Reason, Reject
from state.user.consent import EXPLORE, LEARN, USE
from tacit.contract.events import MAX_EVENT_BYTES
from tests.support.factories import CATALOGUE, START_MS, make_event, make_record
from tests.support.parser import accepted, make_parser, parse

ALL = [LEARN, USE, EXPLORE]


def control(type_: str, **fields: Any) -> bytes:
    """Return a control event, complete but for `fields`; `...` removes a member."""
    own: dict[str, dict[str, Any]] = {
        "consent": {"granted": False},
        "pin": {"facet": "tone", "value": "formal"},
        "forget": {},
    }
    return json.dumps(make_event(type=type_, **(own[type_] | fields))).encode()


def repaired(data: bytes) -> dict[tuple[str, str], int]:
    """Return the counts of repaired members."""
    counters = EventCounters()
    assert isinstance(make_parser(counters).parse(make_record(data)), Observation)
    return dict(counters.repaired)


@pytest.mark.parametrize("type_", ["forget", "consent"])
@pytest.mark.parametrize(
    ("fields", "member"),
    [
        ({"note": "free text"}, "unknown"),
        ({"schema": 2}, "schema"),
        ({"schema": ...}, "schema"),
        ({"event_id": ...}, "event_id"),
        ({"event_id": "no id!"}, "event_id"),
        ({"at": "2026-11-28T10:00:00Z"}, "at"),
        ({"at": ...}, "at"),
        ({"at": 1_795_297_433}, "at"),
        ({"at": START_MS / 1.0}, "at"),
        ({"region": "Europe!"}, "region"),
        ({"region": ...}, "region"),
    ],
)
def test_no_with_a_broken_member_is_carried_out(type_: str, fields: dict[str, Any], member: str) -> None:
    """The member is counted, by type and name."""
    data = control(type_, **fields)
    o = accepted(data)
    assert o.kind == (Kind.FORGET if type_ == "forget" else Kind.DENY)
    assert o.at_ms == (0 if member == "at" else START_MS)
    assert repaired(data) == {(type_, member): 1}


@pytest.mark.parametrize("granted", [None, "true", 1, "yes", [True], ..., {}])
def test_consent_that_is_not_plainly_a_yes_is_a_no(granted: object) -> None:
    """Only the literal true is a yes."""
    data = control("consent", granted=granted)
    assert (accepted(data).kind, accepted(data).slots) == (Kind.DENY, ALL)
    assert repaired(data) == {("consent", "granted"): 1}


def test_repeated_granted_is_a_no_unless_all_are_a_yes() -> None:
    """A producer's mistake is decided in the restrictive direction, wherever the yes stands."""
    no_first = control("consent").replace(b'"granted": false', b'"granted": false, "granted": true')
    assert accepted(no_first).kind == Kind.DENY
    assert accepted(no_first.replace(b"false", b"true")).kind == Kind.GRANT


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        (b'"granted": false', b'"gr\\u0061nted": false, "granted": true'),
        (b'"granted": false', b'"granted": false, "gr\\u0061nted": true'),
        (b'"granted": false', b'"granted": false, "scope": ["use"], "scope": ["learn"]'),
        (b'"granted": false', b'"granted": false, "scope": ["use"], "scope": null'),
    ],
)
def test_repeated_member_of_a_no_does_not_narrow_it(once: bytes, twice: bytes) -> None:
    """It is a no to all scopes; a name may be written with escapes."""
    found = accepted(control("consent").replace(once, twice))
    assert (found.kind, found.slots) == (Kind.DENY, ALL)


def test_repeated_facets_forget_everything() -> None:
    """Which list is meant is unclear."""
    assert not accepted(control("forget", facets=["tone"])[:-1] + b', "facets": ["length"]}').facets


def test_yes_with_repeated_scopes_is_a_reject() -> None:
    """Nothing unclear becomes a yes."""
    found = parse(control("consent", granted=True, scope=["use"])[:-1] + b', "scope": ["learn"]}')
    assert isinstance(found, Reject)
    assert (found.detail, found.control) == ("scope: expected any of learn, use, explore", "consent")


@pytest.mark.parametrize("name", ["scopes", "Scope", " scope"])
def test_yes_with_a_misspelled_scope_is_a_reject(name: str) -> None:
    """Read as an unknown member, it would widen the yes to all scopes; a no is to all scopes then."""
    found = parse(control("consent", granted=True, **{name: ["use"]}))
    assert isinstance(found, Reject)
    assert (found.detail, found.control) == ("scope: expected any of learn, use, explore", "consent")
    assert accepted(control("consent", **{name: ["use"]})).slots == ALL


@pytest.mark.parametrize(("text", "escaped"), [(b'"type"', b'"\\u0074ype"'), (b'"forget"', b'"\\u0066or\\u0067et"')])
def test_no_is_recognized_by_names_with_escapes(text: bytes, escaped: bytes) -> None:
    """The same JSON with an unknown member is not lost to its spelling."""
    assert accepted(control("forget", note=1).replace(text, escaped)).kind == Kind.FORGET


def test_number_of_any_length_does_not_hide_a_no() -> None:
    """Python reads no number of more than 4,300 digits."""
    data = control("forget", note=7).replace(b"7", b"7" * 5000)
    assert accepted(data).kind == Kind.FORGET


@pytest.mark.parametrize("outer", [{}, {"type": "com.example.forget"}, {"type": ["forget"]}, {"specversion": 1}])
def test_wrapped_control_event_is_a_control_reject(outer: dict[str, Any]) -> None:
    """Only an envelope of CloudEvents is opened, and an operator must see the loss."""
    found = decode(json.dumps(outer | {"data": {"type": "forget", "user_id": "ada"}}).encode())
    assert isinstance(found, Undecodable)
    assert (found.reason, found.control) == (Reason.INVALID, "forget")


@pytest.mark.parametrize("scope", [[], ["everything"], ["use", "everything"], "use", {"use": 1}, 3])
def test_no_with_an_unclear_scope_is_a_no_to_all(scope: object) -> None:
    """A clear scope is kept."""
    assert accepted(control("consent", scope=scope)).slots == ALL
    assert accepted(control("consent", scope=["use"], note=1)).slots == [USE]


@pytest.mark.parametrize("facets", [[], ["mood"], ["tone", "mood"], "tone", 3, [7]])
def test_forget_with_unclear_facets_forgets_everything(facets: object) -> None:
    """A clear one is kept, and every facet counts once."""
    assert not accepted(control("forget", facets=facets)).facets
    tone = CATALOGUE.facet_index["tone"]
    assert accepted(control("forget", facets=["tone", "tone"])).facets == [tone]


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"schema": 2}, "schema: only 1 is known"),
        ({"at": START_MS // 1000}, "at: expected epoch milliseconds from the year 2000 on"),
        ({"at": ...}, "at: expected epoch milliseconds from the year 2000 on"),
        ({"region": ...}, "region: not a region"),
        ({"scope": ["everything"]}, "scope: expected any of learn, use, explore"),
        ({"user_id": ""}, "user_id: not a user id"),
        ({"user_id": "a\ud800"}, "user_id: not a user id"),
        ({"user_id": ...}, "user_id: not a user id"),
    ],
)
def test_unclear_yes_is_a_reject_of_its_own_kind(fields: dict[str, Any], detail: str) -> None:
    """It is counted apart from other rejects."""
    counters = EventCounters()
    (reject,) = make_parser(counters)([make_record(control("consent", granted=True, **fields))]).rejects
    assert (reject.reason, reject.detail, reject.control) == (Reason.INVALID, detail, "consent")
    assert b'"control":"consent"' in reject.to_json()
    assert (counters.control_rejects[Reason.INVALID], counters.rejects[Reason.INVALID]) == (1, 0)
    assert counters.total == 1


def test_yes_with_an_unknown_member_is_a_yes() -> None:
    """Unknown members are ignored; a missing event id is derived from the record's position."""
    data = control("consent", granted=True, event_id=..., note="x")
    assert (accepted(data).kind, accepted(data).at_ms) == (Kind.GRANT, START_MS)
    found = [make_parser().parse(make_record(data, position)) for position in (1, 2)]
    assert len({o.event for o in found if isinstance(o, Observation)}) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"facet": ...}, Reason.INVALID),
        ({"facet": 3}, Reason.INVALID),
        ({"value": ...}, Reason.INVALID),
        ({"value": 3}, Reason.INVALID),
        ({"value": None, "at": "now"}, Reason.INVALID),
        ({"region": ...}, Reason.INVALID),
        ({"region": "us"}, Reason.WRONG_REGION),
        ({"facet": "mood"}, Reason.NOT_IN_CATALOGUE),
        ({"value": "rude"}, Reason.NOT_IN_CATALOGUE),
    ],
)
def test_pin_that_cannot_be_read_is_a_control_reject(fields: dict[str, Any], reason: Reason) -> None:
    """A pin is the user's own setting, so an operator must see that it is lost."""
    found = parse(control("pin", **fields))
    assert isinstance(found, Reject)
    assert (found.reason, found.control) == (reason, "pin")


def test_pin_with_a_broken_time_is_carried_out() -> None:
    """It holds from the newest time known."""
    assert accepted(control("pin", at="now")).at_ms == 0


@pytest.mark.parametrize("type_", ["forget", "consent"])
def test_no_of_another_region_goes_on_to_the_shard(type_: str) -> None:
    """The shard knows the user or not; a yes of another region is rejected."""
    assert accepted(control(type_, region="us")).is_foreign
    found = parse(control("consent", region="us", granted=True))
    assert isinstance(found, Reject)
    assert found.reason is Reason.WRONG_REGION


def test_long_no_is_carried_out() -> None:
    """A member outside the contract may be of any size."""
    data = control("forget", note="x" * MAX_EVENT_BYTES)
    assert accepted(data).kind == Kind.FORGET


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (control("forget")[:-2], Reason.NOT_JSON),
        (control("forget", note="x" * MAX_EVENT_BYTES)[: MAX_EVENT_BYTES + 1], Reason.TOO_LARGE),
        (b"[" + control("forget") + b"]", Reason.INVALID),
        (b'{"type":"forget","x":' + b"[" * 5000 + b"]" * 5000 + b"}", Reason.NOT_JSON),
    ],
)
def test_broken_document_of_a_control_event_is_a_control_reject(data: bytes, reason: Reason) -> None:
    """An operator must look into it."""
    found = decode(data)
    assert isinstance(found, Undecodable)
    assert (found.reason, found.control) == (reason, "forget")


def test_type_may_have_other_capitals_and_a_byte_order_mark() -> None:
    """The words are clear."""
    assert accepted(b"\xef\xbb\xbf" + control("forget")).kind == Kind.FORGET
    assert accepted(control("forget").replace(b'"forget"', b'" Forget "')).kind == Kind.FORGET


def test_document_of_another_type_is_no_control_event() -> None:
    """A word inside an interaction does not make it one."""
    assert read_control(json.dumps(make_event(note={"type": "forget"})).encode()) is None
    assert read_control(b"{}") is None


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=3)


@given(
    st.sampled_from(["consent", "forget"]),
    st.dictionaries(
        st.sampled_from(["schema", "event_id", "at", "region", "granted", "scope", "facets", "note"]), VALUES
    ),
)
def test_no_is_never_lost_and_never_becomes_a_yes(type_: str, fields: dict[str, Any]) -> None:
    """Any members, with a valid `type` and `user_id`."""
    data = control(type_, **fields)
    found = decode(data)
    if type_ == "consent" and fields.get("granted") is True:
        return
    assert not isinstance(found, Undecodable)
    event = found.event if isinstance(found, Repaired) else found
    o = make_parser().parse(make_record(data))
    assert isinstance(o, Observation)
    assert o.kind in {Kind.DENY, Kind.FORGET}
    assert event.user_id == "ada"
