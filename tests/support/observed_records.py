"""Records that stand for given observations, for tests of the step behind the parser."""

from collections.abc import Iterable

import msgspec

from operators.parse import Parsed
from state.events.observation import Observation
from state.events.records import Record, Records
from tests.support.factories import ORIGIN

_decode = msgspec.msgpack.Decoder(Observation).decode
_encode = msgspec.msgpack.Encoder().encode


def records_of(observations: Iterable[Observation]) -> Records:
    """Return a record for each observation, whose own time is that of the event if the observation has none."""
    return Records(Record(ORIGIN, 1, _encode(o), o.record_ms or o.at_ms) for o in observations)


def parse_observed(records: Iterable[Record]) -> Parsed:
    """Return the observations of such records, in the form of a parser."""
    kept = list(records)
    return Parsed([_decode(record.value) for record in kept], kept, [])
