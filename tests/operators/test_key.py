"""operators/key: records are grouped by the shard of their user."""

import json
from typing import Any

import pytest

from operators.decoders import Format
from operators.decoders.json import FORMAT, decode
from operators.key import Keyer
from operators.parse import Parser
from state.counters import EventCounters
from state.events.records import Reason, Record, Records, Reject
from state.storage.shards import shard_key, shard_of
from tacit.contract.pseudonyms import pseudonym
from tests.support.factories import CATALOGUE, make_event, make_record
from tests.support.parser import NOW_MS, SECRET, SHARDS


def make_keyer(counters: EventCounters | None = None, input_format: Format = FORMAT) -> Keyer:
    counters = counters or EventCounters()
    parser = Parser(
        catalogue=CATALOGUE, region="eu", secret=SECRET, shards=SHARDS, counters=counters, clock=lambda: NOW_MS,
        input_format=input_format,
    )  # fmt: skip
    return Keyer(parser, SHARDS, counters)


def key_of(user_id: str) -> str:
    return shard_key(shard_of(pseudonym(user_id, SECRET), SHARDS))


def test_batch_is_grouped_by_shard_in_order() -> None:
    """Each shard with records has one group; rejects follow the groups."""
    users = [f"user-{number % 40}" for number in range(200)]
    records = [make_record(make_event(event_id=f"e{n}", user_id=user), n) for n, user in enumerate(users)]
    *groups, reject = make_keyer()([make_record(b"", 200), *records])
    assert isinstance(reject, Reject)
    expected: dict[str, list[Record]] = {}
    for user, record in zip(users, records, strict=True):
        expected.setdefault(key_of(user), []).append(record)
    assert groups == [(key, Records(found)) for key, found in expected.items()]


UNUSUAL = [
    json.dumps(make_event()).encode().replace(b"user_id", b"us\\u0065r_id"),
    b'{"user_id":"bob",' + json.dumps(make_event()).encode()[1:],
    b"\xef\xbb\xbf" + json.dumps(make_event(type="forget")).encode(),
    json.dumps(make_event(type="Forget ", at="now", region=5, event_id=...)).encode(),
    b'{"user_id":7,' + json.dumps(make_event(type="consent", granted=False)).encode()[1:],
    json.dumps(make_event(type="forget")).encode()[:-1] + b',"note":"\xff"}',
    json.dumps(make_event(type="forget")).encode()[:-1] + b',"note":NaN}',
    json.dumps(make_event(type="forget", note="x" * 20_000)).encode(),
]


@pytest.mark.parametrize("data", UNUSUAL)
@pytest.mark.parametrize("input_format", [FORMAT, Format(decode)], ids=["fast", "slow"])
def test_events_of_a_user_have_one_shard(data: bytes, input_format: Format) -> None:
    """The last of repeated ids counts; a control event needs no more than its type and its user."""
    record = make_record(data)
    assert make_keyer(input_format=input_format)([record]) == [(key_of("ada"), Records([record]))]


@pytest.mark.parametrize(
    ("event", "reason", "control"),
    [
        (b"", Reason.NOT_JSON, ""),
        (b"[" * 20_000, Reason.TOO_LARGE, ""),
        (make_event(user_id=...), Reason.INVALID, ""),
        (make_event(user_id="a\n"), Reason.INVALID, ""),
        (make_event(type="consent", granted=True, user_id=7), Reason.INVALID, "consent"),
    ],
)
def test_record_without_a_user_is_rejected(event: dict[str, Any] | bytes, reason: Reason, control: str) -> None:
    """It belongs to no shard, and is counted in the process that read it."""
    counters = EventCounters()
    record = make_record(event)
    (found,) = make_keyer(counters)([record])
    assert isinstance(found, Reject)
    assert (found.reason, found.control, found.position) == (reason, control, record.position)
    assert (counters.control_rejects if control else counters.rejects)[reason] == counters.total == 1


def test_invalid_record_of_a_user_is_left_to_the_shard() -> None:
    """The parser behind the exchange rejects and counts it."""
    counters = EventCounters()
    record = make_record(make_event(region="us", at="now"))
    assert make_keyer(counters)([record]) == [(key_of("ada"), Records([record]))]
    assert counters.total == 0
