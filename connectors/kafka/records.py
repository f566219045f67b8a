"""Records that a topic holds now, outside of a dataflow."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kafka import TopicPartition  # type: ignore[import-untyped]

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.offsets import look_up, reader
from state.errors import SourceError

ANSWER_S = 30.0
"""Time limit between two answers of a broker."""

_POLL_MS = 500


class HeldRecord(NamedTuple):
    """A committed record."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    timestamp_ms: int = 0
    """Kafka's time of the record, epoch ms."""


def held_records(address: TopicAddress) -> Iterator[HeldRecord]:
    """Yield the committed records of a topic, partition after partition, up to the end at the call.

    Raises:
        SourceError: the topic is missing, or cannot be read.
    """
    for partition, held in look_up(address, Start("earliest")).items():
        yield from records_between(address, partition, held.begin, held.end)


def records_between(address: TopicAddress, partition: int, begin: int, end: int) -> Iterator[HeldRecord]:
    """Yield the committed records of a partition from an offset up to another.

    Raises:
        SourceError: the topic cannot be read.
    """
    if begin >= end:
        return
    place = TopicPartition(address.topic, partition)
    with reader(address) as consumer:
        consumer.assign([place])
        consumer.seek(place, begin)
        yield from _poll(consumer, address, place, end)


def _poll(consumer: Any, address: TopicAddress, place: Any, end: int) -> Iterator[HeldRecord]:
    answered_s = time.monotonic()
    while consumer.position(place) < end:
        fetched = consumer.poll(timeout_ms=_POLL_MS).get(place, ())
        for each in fetched:
            if each.offset < end:
                yield _held(place.partition, each)
        if fetched:
            answered_s = time.monotonic()
        elif time.monotonic() > answered_s + ANSWER_S:
            raise SourceError(f"{address}: no answer within {ANSWER_S:g} s; check the broker")


def records_at(address: TopicAddress, partition: int, offsets: Sequence[int]) -> Iterator[HeldRecord]:
    """Yield the committed records of a partition at some offsets, ascending; an offset without a record is left out.

    Raises:
        SourceError: the topic cannot be read.
    """
    held = look_up(address, Start("earliest")).get(partition)
    wanted = [offset for offset in offsets if held and held.begin <= offset < held.end]
    if held is None or not wanted:
        return
    place = TopicPartition(address.topic, partition)
    with reader(address) as consumer:
        consumer.assign([place])
        yield from _seek_each(consumer, address, place, wanted, held.end)


def _seek_each(
    consumer: Any, address: TopicAddress, place: Any, wanted: Sequence[int], end: int
) -> Iterator[HeldRecord]:
    """Yield the records at ascending offsets; offsets that one answer holds cost one request."""
    fetched: dict[int, HeldRecord] = {}
    behind = 0
    for offset in wanted:
        if offset >= behind:
            consumer.seek(place, offset)
            fetched, behind = _fetch_once(consumer, address, place, end)
        if offset in fetched:
            yield fetched[offset]


def _fetch_once(consumer: Any, address: TopicAddress, place: Any, end: int) -> tuple[dict[int, HeldRecord], int]:
    """Return the records of one answer, and the offset behind them."""
    deadline_s = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline_s:
        if records := consumer.poll(timeout_ms=_POLL_MS).get(place, ()):
            return {each.offset: _held(place.partition, each) for each in records}, records[-1].offset + 1
        if consumer.position(place) >= end:
            return {}, end
    raise SourceError(f"{address}: no answer within {ANSWER_S:g} s; check the broker")


def _held(partition: int, record: Any) -> HeldRecord:
    return HeldRecord(partition, record.offset, record.key or b"", record.value or b"", max(0, record.timestamp or 0))
