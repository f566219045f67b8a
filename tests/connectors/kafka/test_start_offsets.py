"""connectors/kafka/start_offsets: a start as an offset of each partition."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from connectors.kafka.address import Start
from connectors.kafka.start_offsets import offsets_at
from tacit.errors import ConfigurationError


class Place(NamedTuple):
    """Partition, as kafka-python names it."""

    topic: str
    partition: int


class Found(NamedTuple):
    """Answer of kafka-python for a time."""

    offset: int


ONE, TWO = Place("events", 0), Place("events", 1)
BEGINS, ENDS = {ONE: 5, TWO: 0}, {ONE: 50, TWO: 9}


class Times:
    """Consumer of a topic in which partition 0 has a record of the time, and partition 1 only older ones."""

    def offsets_for_times(self, times: Mapping[Place, int], timeout_ms: int) -> dict[Place, Found | None]:
        assert (times, timeout_ms) == ({ONE: 1_795_297_433_438, TWO: 1_795_297_433_438}, 700)
        return {ONE: Found(42), TWO: None}


def _offsets(text: str) -> dict[Place, int]:
    return offsets_at(Times(), BEGINS, ENDS, Start.parse(text), 700)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("earliest", BEGINS),
        ("latest", ENDS),
        ("offset:7", {ONE: 7, TWO: 7}),
        ("offset:1:3,0:8", {ONE: 8, TWO: 3}),
        ("1795297433438", {ONE: 42, TWO: 9}),
    ],
)
def test_start_has_an_offset_in_each_partition(text: str, expected: dict[Place, int]) -> None:
    """A partition without a record that new is read from its next record on."""
    assert _offsets(text) == expected


@pytest.mark.parametrize("text", ["offset:0:8,2:3", "offset:0:8,1:3,2:1", "offset:0:8,3:1"])
def test_offsets_of_other_partitions_are_an_error(text: str) -> None:
    """The error has the partitions of the topic."""
    with pytest.raises(ConfigurationError, match=r"names the partitions 0, .*and the topic has 0, 1; give an offset"):
        _offsets(text)
