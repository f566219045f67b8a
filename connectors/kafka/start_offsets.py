"""Offsets of a start in the partitions of a topic."""

from collections.abc import Mapping
from typing import Any

from connectors.kafka.address import Start
from tacit.errors import ConfigurationError


def offsets_at(
    consumer: Any, begins: Mapping[Any, int], ends: Mapping[Any, int], start: Start, request_ms: int
) -> dict[Any, int]:
    """Return the offset of a start in each partition.

    Args:
        consumer: kafka-python's consumer.
        begins: offset of the oldest record of each partition.
        ends: offset behind the newest record of each partition.
        start: start of a read, or its end.
        request_ms: time limit of a request.

    Raises:
        ConfigurationError: the start has offsets of other partitions than the topic has.
    """
    if start.kind == "earliest":
        return dict(begins)
    if start.kind == "latest":
        return dict(ends)
    if start.kind == "offset":
        return _named_offsets(begins, start)
    # Kafka answers None for a partition without a record that new: the read starts with the next record.
    found = consumer.offsets_for_times(dict.fromkeys(begins, start.number), timeout_ms=request_ms)
    return {each: found[each].offset if found[each] else ends[each] for each in begins}


def _named_offsets(partitions: Mapping[Any, int], start: Start) -> dict[Any, int]:
    if not start.offsets:
        return dict.fromkeys(partitions, start.number)
    offsets, numbers = dict(start.offsets), sorted(each.partition for each in partitions)
    if sorted(offsets) != numbers:
        problem = f"offset: names the partitions {_listed(sorted(offsets))}, and the topic has {_listed(numbers)}"
        raise ConfigurationError([f"{problem}; give an offset for each partition of the topic, and for no other"])
    return {each: offsets[each.partition] for each in partitions}


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
