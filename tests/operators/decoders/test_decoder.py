"""operators/decoders: a new input format is one module with a function that decodes."""

import sys
from types import ModuleType

import msgspec
import pytest

from operators.decoders import Format, Undecodable, input_format
from operators.decoders.broken_rules import broken_rule
from operators.parse import Parser
from state.counters import EventCounters
from state.events.records import Reason, Reject
from tacit.contract.events import Event
from tests.support.factories import CATALOGUE, FULL_EVENT, make_event, make_record
from tests.support.parser import NOW_MS, SECRET, SHARDS, accepted

_DECODER: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def decode(data: bytes) -> Event | Undecodable:
    """Decode MessagePack, as a module of a new format would."""
    try:
        return _DECODER.decode(data)
    except msgspec.ValidationError as error:
        return Undecodable(Reason.INVALID, broken_rule(error))
    except msgspec.DecodeError:
        return Undecodable(Reason.INVALID, "event: invalid MessagePack")


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> Parser:
    """Return a parser of records in another format, found by the format's name."""
    module = ModuleType("operators.decoders.msgpack")
    vars(module)["make_format"] = lambda _: Format(decode)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Parser(
        catalogue=CATALOGUE,
        region="eu",
        secret=SECRET,
        shards=SHARDS,
        counters=EventCounters(),
        clock=lambda: NOW_MS,
        input_format=input_format("msgpack"),
    )


def test_event_in_another_format_is_the_same_observation(parser: Parser) -> None:
    """The format has no fast path."""
    assert parser.parse(make_record(msgspec.msgpack.encode(FULL_EVENT))) == accepted(FULL_EVENT)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"\xc1", "event: invalid MessagePack"),
        (msgspec.msgpack.encode(make_event(at="now")), "at: expected int, got str"),
        (msgspec.msgpack.encode(make_event(zaphod=1)), "*: unknown member"),
    ],
)
def test_reject_of_another_format_names_the_broken_rule(parser: Parser, data: bytes, detail: str) -> None:
    """The reasons and details are the same as for JSON."""
    found = parser.parse(make_record(data))
    assert isinstance(found, Reject)
    assert (found.reason, found.detail) == (Reason.INVALID, detail)


def test_unknown_format_is_an_import_error() -> None:
    """Settings allow known formats only, so this is a bug."""
    with pytest.raises(ModuleNotFoundError, match="xml"):
        input_format("xml")
