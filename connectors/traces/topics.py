"""Byte search in a topic, from its oldest record to its end at the start of the search."""

from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.offsets import OffsetRange, look_up, reader
from connectors.traces.needles import Needles, Trace

_POLL_MS = 500


def find_topic_traces(address: TopicAddress, needles: Needles) -> Iterator[Trace]:
    """Yield the traces of a user in the keys, values and headers of a topic; the offset is that of the record.

    Raises:
        SourceError: no broker answers in time, or the topic is missing or unreadable.
    """
    for partition, offset, data in read_topic(address):
        for kind in sorted(needles.in_bytes(data)):
            yield Trace(f"{address}/{partition}", offset, kind)


def read_topic(address: TopicAddress) -> Iterator[tuple[int, int, bytes]]:
    """Yield (partition, offset, bytes of key, value and headers) of each record that the topic holds now.

    Raises:
        SourceError: as `find_topic_traces`.
    """
    held = {number: found for number, found in look_up(address, Start("earliest")).items() if found.end > found.begin}
    with reader(address) as consumer:
        yield from _records(consumer, address, held)


def read_values(address: TopicAddress) -> Iterator[bytes]:
    """Yield the value of each record that the topic holds now; errors as `read_topic`."""
    for _, _, data in read_topic(address):
        yield data.split(b"\0", 2)[1]


def _records(consumer: Any, address: TopicAddress, held: dict[int, OffsetRange]) -> Iterator[tuple[int, int, bytes]]:
    partitions = {number: TopicPartition(address.topic, number) for number in held}
    consumer.assign(list(partitions.values()))
    for number, partition in partitions.items():
        consumer.seek(partition, held[number].begin)
    while partitions:
        for found in consumer.poll(timeout_ms=_POLL_MS).values():
            for record in found:
                if record.offset < held[record.partition].end:
                    headers = [part for name, value in record.headers for part in (name.encode(), value or b"")]
                    parts = (record.key or b"", record.value or b"", *headers)
                    yield record.partition, record.offset, b"\0".join(parts)
        ended = [number for number, each in partitions.items() if consumer.position(each) >= held[number].end]
        for number in ended:
            consumer.pause(partitions.pop(number))
