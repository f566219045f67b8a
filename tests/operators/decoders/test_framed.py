"""operators/decoders/framed: the wire format, JSON next to it, and the schemas that are kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.decoders import Format, Repaired, Undecodable, UndecodableError, avro, framed, protobuf
from operators.decoders.framed import FramedFormat
from operators.decoders.json import decode as decode_json
from operators.decoders.projection import to_document
from operators.key import Keyer
from operators.parse import Parser
from state.counters import EventCounters
from state.events.observation import Observation
from state.events.records import Reason, Reject
from state.events.registered_schema import RegisteredSchema, UnknownSchemaError
from state.storage.shards import shard_key, shard_of
from tacit.contract.events import MAX_EVENT_BYTES, Forget
from tests.support import event_schemas
from tests.support.event_schemas import AVRO, AVRO_ID, PROTOBUF, PROTOBUF_ID, header
from tests.support.factories import CATALOGUE, FULL_EVENT, make_event, make_record
from tests.support.mutated_records import BASES, CONTROLS
from tests.support.parser import NOW_MS, SECRET, SHARDS, accepted

SCHEMAS = {AVRO_ID: AVRO, PROTOBUF_ID: PROTOBUF, 3: RegisteredSchema("AVRO", '"string"'), 4: PROTOBUF}
EVENTS = [*BASES, *CONTROLS]


def look_up(id_: int) -> RegisteredSchema:
    if id_ not in SCHEMAS:
        raise UnknownSchemaError("the registry does not have it")
    return SCHEMAS[id_]


FORMATS: dict[str, Format] = {"avro": avro.make_format(look_up), "protobuf": protobuf.make_format(look_up)}
ENCODE: dict[str, Callable[..., bytes]] = {"avro": event_schemas.avro, "protobuf": event_schemas.protobuf}
both = pytest.mark.parametrize("name", FORMATS)


def make_parser(name: str, counters: EventCounters | None = None) -> Parser:
    return Parser(
        catalogue=CATALOGUE,
        region="eu",
        secret=SECRET,
        shards=SHARDS,
        counters=counters or EventCounters(),
        clock=lambda: NOW_MS,
        input_format=FORMATS[name],
    )


def assert_one_outcome(name: str, value: bytes) -> Observation | Reject:
    """Parse and key a record, and check that it has one outcome, and the same shard in both steps."""
    counters = EventCounters()
    parser = make_parser(name, counters)
    observations, _, rejects = parser([make_record(value)])
    outcomes: list[Observation | Reject] = [*observations, *rejects]
    (found,) = outcomes
    assert counters.total == len(rejects)
    (keyed,) = Keyer(parser, SHARDS, EventCounters())([make_record(value)])
    if isinstance(keyed, Reject):
        assert keyed == found
    if isinstance(found, Observation):
        assert keyed[0] == shard_key(shard_of(found.user, SHARDS))
    return found


@both
@pytest.mark.parametrize("event", EVENTS)
def test_event_is_the_same_observation(name: str, event: dict[str, Any]) -> None:
    """As that of the event in JSON, by both paths."""
    parser, record = make_parser(name), make_record(ENCODE[name](event))
    assert parser.parse(record) == parser.parse_slowly(record) == accepted(event)


@both
@pytest.mark.parametrize("event", EVENTS)
def test_user_is_that_of_the_event(name: str, event: dict[str, Any]) -> None:
    """The step before the exchange reads the user alone."""
    read_user_id = FORMATS[name].read_user_id
    assert read_user_id is not None
    assert read_user_id(ENCODE[name](event)) == event["user_id"]


@both
def test_reject_is_that_of_json(name: str) -> None:
    """Reasons and details are the same."""
    for event in (
        make_event(schema=2),
        make_event(at=7),
        make_event(user_id=""),
        make_event(type="nod"),
        make_event(served={"length": "x" * 41}),
        make_event(feedback={"kind": "k" * 41}),
        make_event(type="consent", granted=True, scope=["all"]),
    ):
        assert FORMATS[name].decode(ENCODE[name](event)) == decode_json(json.dumps(event).encode())


@both
@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\0", b"\0\0\0\0\x01", b"\0\0\0\0\x02"])
def test_short_record_is_unreadable(name: str, value: bytes) -> None:
    """No header, or no event behind it."""
    found = FORMATS[name].decode(value)
    assert isinstance(found, Undecodable)
    assert found.reason in (Reason.UNREADABLE, Reason.UNKNOWN_SCHEMA, Reason.INVALID)


@both
def test_unknown_schema_is_a_reject(name: str) -> None:
    """The detail is the look-up's."""
    found = FORMATS[name].decode(header(99))
    assert found == Undecodable(Reason.UNKNOWN_SCHEMA, "schema id: the registry does not have it")


def test_schema_of_another_kind_is_a_reject() -> None:
    """A topic has one format."""
    found = FORMATS["avro"].decode(event_schemas.protobuf(FULL_EVENT))
    assert found == Undecodable(Reason.UNKNOWN_SCHEMA, "schema id: not the id of a schema for Avro")


@both
def test_json_next_to_the_format_is_read(name: str) -> None:
    """The commands write JSON; a forget gets through, also a broken one, and one in an envelope."""
    event = make_event(type="forget")
    text = json.dumps(event).encode()
    assert isinstance(FORMATS[name].decode(text), Forget)
    assert isinstance(FORMATS[name].decode(b" \n" + text), Forget)
    assert isinstance(FORMATS[name].decode(b'{"type":"forget","user_id":"ada"}'), Repaired)
    assert isinstance(FORMATS[name].decode(b'{"specversion":"1.0","data":%s}' % text), Forget)
    found = FORMATS[name].decode(text[:-1])
    assert isinstance(found, Undecodable)
    assert found.control == "forget"
    assert make_parser(name).parse(make_record(FULL_EVENT)) == accepted(FULL_EVENT)


@both
@pytest.mark.parametrize("kind", ["consent", "pin", "forget"])
def test_broken_control_event_is_a_control_reject(name: str, kind: str) -> None:
    """The type is readable in the half that is left."""
    value = ENCODE[name](make_event(type=kind, user_id="u" * 90))
    found = FORMATS[name].decode(value[:40])
    assert found == Undecodable(Reason.UNREADABLE, f"broken {name.capitalize()}", kind)


@both
def test_large_record(name: str) -> None:
    """The limit is that of the record; a forget of any size is carried out."""
    facets = ["x" * 40] * 500
    large = ENCODE[name](make_event(feedback={"kind": "copied", "facets": facets}))
    assert len(large) > MAX_EVENT_BYTES
    assert FORMATS[name].decode(large) == Undecodable(Reason.TOO_LARGE, "over 16384 bytes")
    forget = make_event(type="forget", facets=facets)
    found = FORMATS[name].decode(ENCODE[name](forget))
    assert isinstance(found, Repaired)
    assert found == decode_json(json.dumps(forget).encode())


def test_document_may_be_larger_than_the_record() -> None:
    """The limit counts the bytes of the record, which names no members."""
    event = make_event(acted_on=[{"facet": "a", "value": "b", "version": None, "propensity": 1.0}] * 65)
    value = event_schemas.avro(event)
    assert len(value) < 1_000
    assert FORMATS["avro"].decode(value) == decode_json(json.dumps(event).encode())


def test_schemas_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used one is asked for again."""
    asked = []

    def look_up_any(id_: int) -> RegisteredSchema:
        asked.append(id_)
        return AVRO

    monkeypatch.setattr(framed, "MAX_SCHEMAS", 2)
    read = FramedFormat("Avro", "AVRO", avro.compile_schema, look_up_any)
    for id_ in (1, 2, 1, 3, 1, 2):
        read.decode(event_schemas.avro(FULL_EVENT, id_=id_))
    assert asked == [1, 2, 3, 2]
    monkeypatch.setattr(framed, "MAX_SCHEMA_CHARACTERS", len(AVRO.text))
    read.decode(event_schemas.avro(FULL_EVENT, id_=4))
    read.decode(event_schemas.avro(FULL_EVENT, id_=4))
    read.decode(event_schemas.avro(FULL_EVENT, id_=2))
    assert asked == [1, 2, 3, 2, 4, 2]


def test_missing_schema_is_looked_up_again() -> None:
    """It may be registered later; the look-up limits the questions."""
    found: dict[int, RegisteredSchema] = {}

    def look_up_late(id_: int) -> RegisteredSchema:
        if id_ not in found:
            raise UnknownSchemaError("missing")
        return found[id_]

    format_ = avro.make_format(look_up_late)
    assert isinstance(format_.decode(event_schemas.avro(FULL_EVENT, id_=9)), Undecodable)
    found[9] = AVRO
    assert format_.decode(event_schemas.avro(FULL_EVENT, id_=9)) == decode_json(json.dumps(FULL_EVENT).encode())


@both
@given(st.data())
def test_mutated_event_has_one_outcome(name: str, data: st.DataObject) -> None:
    """Bytes are changed, removed and added."""
    value = bytearray(ENCODE[name](data.draw(st.sampled_from(EVENTS))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(value) - 1)))
        end = data.draw(st.integers(place, min(len(value), place + 4)))
        value[place:end] = data.draw(st.binary(max_size=4))
    assert_one_outcome(name, bytes(value))


@both
@given(st.sampled_from([AVRO_ID, PROTOBUF_ID, 3, 4, 99]), st.binary(max_size=300))
def test_any_bytes_have_one_outcome(name: str, id_: int, body: bytes) -> None:
    """Behind any header."""
    assert_one_outcome(name, header(id_) + body)
    assert_one_outcome(name, body)


TEXTS = st.text(max_size=6) | st.sampled_from(["length", "concise", "x" * 41, "a b", "learn", "2026"])
LISTS = st.lists(TEXTS, min_size=2, max_size=3)
ENTRIES = st.fixed_dictionaries(
    {"facet": TEXTS, "value": TEXTS, "version": st.none() | TEXTS, "propensity": st.floats(allow_nan=False)}
)
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["interaction", "consent", "pin", "forget", "Forget ", "nod"]),
    "schema": st.sampled_from([1, 1, 1, 0, 2]),
    "at": st.integers(-(2**63), 2**63 - 1) | st.just(NOW_MS),
    "event_id": TEXTS,
    "user_id": TEXTS,
    "region": TEXTS | st.just("eu"),
    "served": st.dictionaries(TEXTS, TEXTS | LISTS, min_size=1, max_size=2),
    "feedback": st.fixed_dictionaries({"kind": TEXTS}, optional={"facets": LISTS}),
    "acted_on": st.lists(ENTRIES, min_size=1, max_size=2),
    "granted": st.booleans(),
    "scope": LISTS,
    "facet": TEXTS,
    "value": TEXTS.filter(bool),
    "facets": LISTS,
    "topic": TEXTS,
}
OF_TYPE = {"interaction": {"served", "feedback", "acted_on", "topic"}, "pin": {"facet", "value"}}
OF_TYPE |= {"consent": {"granted", "scope"}, "forget": {"facets"}, "nod": set()}


@both
@given(st.fixed_dictionaries({}, optional=MEMBERS))
def test_any_members_have_the_outcome_of_json(name: str, members: dict[str, Any]) -> None:
    """Events, repairs and rejects are equal; so are details, if the document has the order of the contract."""
    event = make_event(**members)
    own = OF_TYPE[event["type"].strip().lower()].union(make_event())
    event = {member: value for member, value in event.items() if member in own}
    if event["type"] == "pin":  # in Avro, a value that is left out is null
        event.setdefault("value", None)
    assert FORMATS[name].decode(ENCODE[name](event)) == decode_json(to_document(event))


def test_fast_functions_raise_for_an_unreadable_record() -> None:
    """Then the slow path decides."""
    fast = FORMATS["avro"]
    assert fast.read_line is not None
    assert fast.read_user_id is not None
    for function in (fast.read_line, fast.read_user_id):
        with pytest.raises(UndecodableError):
            function(header(99))
