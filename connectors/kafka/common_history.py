"""Last record that a partition still has in common with a position, after a change of its history."""

from collections.abc import Sequence

from kafka import TopicPartition  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress
from connectors.kafka.offsets import OffsetRange, reader
from connectors.kafka.positions import Mark

_POLL_MS = 2_000


def last_common(address: TopicAddress, partition: int, marks: Sequence[Mark], held: OffsetRange) -> int | None:
    """Return the offset of the newest mark with its record still in place; None without one.

    Records before it are unchanged, as a partition loses records only from its end.

    Raises:
        SourceError: the topic cannot be read.
    """
    place = TopicPartition(address.topic, partition)
    with reader(address) as consumer:
        consumer.assign([place])
        for mark in reversed(marks):
            if held.begin <= mark.offset < held.end:
                consumer.seek(place, mark.offset)
                found = consumer.poll(timeout_ms=_POLL_MS, max_records=1).get(place, ())
                if found and mark.is_of(found[0]):
                    return mark.offset
    return None
