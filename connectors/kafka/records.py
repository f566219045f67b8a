"""Records that a topic holds now, outside of a dataflow."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.offsets import look_up, reader_options
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
    try:
        with KafkaConsumer(**reader_options(address)) as consumer:
            consumer.assign([place])
            consumer.seek(place, begin)
            yield from _poll(consumer, address, place, end)
    except KafkaError as error:
        raise SourceError(
            f"{address}: cannot be read ({type(error).__name__}); check the topic and the broker's log"
        ) from error


def _poll(consumer: Any, address: TopicAddress, place: Any, end: int) -> Iterator[HeldRecord]:
    answered_s = time.monotonic()
    while consumer.position(place) < end:
        fetched = consumer.poll(timeout_ms=_POLL_MS).get(place, ())
        for each in fetched:
            if each.offset < end:
                yield HeldRecord(place.partition, each.offset, each.key or b"", each.value or b"")
        if fetched:
            answered_s = time.monotonic()
        elif time.monotonic() > answered_s + ANSWER_S:
            raise SourceError(f"{address}: no answer within {ANSWER_S:g} s; check the broker")
