"""Several topics, merged: the order is that of Kafka's times, through any batches and restarts."""

from collections.abc import Mapping
from itertools import accumulate
from random import Random
from threading import Event
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.merged_source import MergedInput, MergedPartition, PartitionSnapshot
from state.counters import SourceCounters
from state.events.records import KafkaOrigin, Record

Place = tuple[int, int]
"""Topic and partition."""
Times = Mapping[Place, list[int]]
"""Kafka's time of each record of each partition."""

histories: st.SearchStrategy[Times] = st.dictionaries(
    st.tuples(st.integers(0, 2), st.integers(0, 2)), st.lists(st.integers(0, 6), max_size=8), min_size=1, max_size=4
)


class Partition:
    """Partition that gives its records in small batches, some of them empty, and resumes at an index."""

    def __init__(self, records: list[Record], at: int, random: Random) -> None:
        self._records = records
        self._at = at
        self._random = random

    def next_batch(self) -> list[Record]:
        if self._at == len(self._records):
            raise StopIteration
        batch = self._records[self._at : self._at + self._random.randint(0, 3)]
        self._at += len(batch)
        return batch

    def snapshot(self) -> int:
        return self._at

    def next_awake(self) -> None:
        return None

    def close(self) -> None:
        pass


def _records(times: Times) -> dict[Place, list[Record]]:
    return {
        (topic, number): [Record(KafkaOrigin(str(topic), number), at, b"{}", ms) for at, ms in enumerate(each)]
        for (topic, number), each in times.items()
    }


def _expected(times: Times) -> list[Record]:
    """Return all records by time, topic, partition and offset; no record is older than its predecessor."""
    keyed = [
        ((newest_ms, *place, record.position), record)
        for place, records in _records(times).items()
        for record, newest_ms in zip(records, accumulate(times[place], max), strict=True)
    ]
    return [record for _, record in sorted(keyed, key=lambda pair: pair[0])]


def _merged(times: Times, saved: Mapping[str, PartitionSnapshot], random: Random) -> MergedPartition:
    inputs = {}
    for (topic, number), records in _records(times).items():
        at, next_offset, at_ms = saved.get(f"{topic}/{number}", (0, 0, 0))
        partition = Partition(records, cast("int", at), random)
        inputs[topic, number] = MergedInput(cast("Any", partition), next_offset, at_ms)
    return MergedPartition(inputs, Event(), SourceCounters(), [])


@given(times=histories, seed=st.integers(0, 2**32))
def test_records_come_in_the_order_of_their_times(times: Times, seed: int) -> None:
    """A restart at any batch repeats and loses nothing, and changes no order."""
    random = Random(seed)
    merged, found = _merged(times, {}, random), list[Record]()
    while True:
        try:
            found += merged.take(random.randint(1, 4))
        except StopIteration:
            break
        if random.random() < 0.5:
            merged = _merged(times, merged.snapshot(), random)
    assert found == _expected(times)


def test_stop_ends_the_partition_before_its_records() -> None:
    """The snapshot is that of the records that were emitted."""
    stop = Event()
    records = _records({(0, 0): [1, 2, 3]})[0, 0]
    source = MergedInput(cast("Any", Partition(records, 0, Random(0))))
    merged = MergedPartition({(0, 0): source}, stop, SourceCounters(), [])
    while not (found := merged.take(1)):
        pass
    assert found == records[:1]
    stop.set()
    with pytest.raises(StopIteration):
        merged.take(1)
    [(_, next_offset, _)] = merged.snapshot().values()
    assert next_offset == 1
