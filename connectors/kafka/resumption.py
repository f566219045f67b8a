"""Check of saved positions against a topic, as a run makes it before and at its first read; nothing is written."""

from collections.abc import Mapping

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.gap_policy import GapPolicy
from connectors.kafka.gaps import Gap, find_gap, replaced
from connectors.kafka.offsets import NO_RANGE, OffsetRange, look_up, resumed_position
from connectors.kafka.positions import Mark, Position, Snapshot
from connectors.kafka.records import HeldRecord, records_between
from connectors.kafka.topic_admin import look_at
from state.counters import SourceCounters
from state.events.records import KafkaOrigin, Record
from tacit.contract.events import MAX_AT_MS, MIN_AT_MS


def require_no_gap(address: TopicAddress, saved: Mapping[str, Snapshot]) -> None:
    """Return if a live run can resume from its positions, by partition.

    Raises:
        GapError: names all gaps; a run with `on_gap` continue passes over them.
        SourceError: the topic cannot be read.
    """
    ranges, identity = look_up(address, Start("earliest")), look_at(address).identity
    policy = GapPolicy(address, SourceCounters(), continues=False)
    found: list[Gap] = []
    for number, snapshot in sorted((int(name), snapshot) for name, snapshot in saved.items() if name.isdecimal()):
        held = ranges.get(number, NO_RANGE)
        position = resumed_position(Position.from_snapshot(snapshot), held, bounded=False)
        gap = find_gap(position, held, identity, number)
        if gap is None and _is_replaced(address, number, position, held):
            gap = replaced(position, held, number)
        if gap is not None:
            found.append(policy.located(gap, position, held))
    policy.refuse(found)


def _is_replaced(address: TopicAddress, partition: int, position: Position, held: OffsetRange) -> bool:
    """Compare the records from the last mark on, as `PartitionBuffer.verify`; compaction may leave none."""
    if not position.marks or position.marks[-1].offset < held.begin:
        return False
    mark, origin = position.marks[-1], KafkaOrigin(address.topic, partition)
    present = records_between(address, partition, mark.offset, position.offset)
    return any(Mark.of(Record(origin, each.offset, each.value, _time_ms(each))) != mark for each in present)


def _time_ms(held: HeldRecord) -> int:
    """Return the time of a record as a source takes it: 0 for a time that is none in ms."""
    return held.timestamp_ms if MIN_AT_MS <= held.timestamp_ms <= MAX_AT_MS else 0
