"""Position of a partition in a snapshot: the next offset, and marks that show a change of the offset's meaning."""

from typing import Any, NamedTuple, Self
from zlib import crc32

from state.events.records import Record
from tacit.contract.events import MAX_AT_MS, MIN_AT_MS

MARKS = 8
"""Largest number of marks of a position."""

Snapshot = tuple[Any, ...]
"""Position as plain values, which every later version can read."""


class TopicIdentity(NamedTuple):
    """Ids of the cluster and of the topic; an empty one is not known, as of a broker before Kafka 2.8."""

    cluster: str = ""
    topic_id: str = ""


class Mark(NamedTuple):
    """A record that was read: another one at its offset means that the partition was changed."""

    offset: int
    check: int
    """Checksum of value and time."""

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return the mark of a record."""
        return cls(record.position, crc32(record.value, record.timestamp_ms & 0xFFFFFFFF))

    def is_of(self, fetched: Any) -> bool:
        """Return whether a record of kafka-python is the one of the mark."""
        at_ms = time_ms(fetched)
        return self == (fetched.offset, crc32(fetched.value or b"", at_ms & 0xFFFFFFFF))


class Position(NamedTuple):
    """A partition's part of a snapshot."""

    offset: int
    """Next offset to read."""
    stop: int | None = None
    """Offset to stop at; None: never."""
    identity: TopicIdentity = TopicIdentity()
    end: int = 0
    """Highest end of the partition that was seen."""
    marks: tuple[Mark, ...] = ()
    """Records that were read, the last one last; the earlier, the fewer."""

    @classmethod
    def from_snapshot(cls, saved: Snapshot) -> Self:
        """Return the position of a snapshot; earlier versions saved the next offset and the stop only.

        >>> Position.from_snapshot((7, None)).identity
        TopicIdentity(cluster='', topic_id='')
        """
        offset, stop, *more = saved
        if not more:
            return cls(offset, stop)
        cluster, topic_id, end, marks = more
        # A reader may give records back, and save an earlier offset: their marks are no part of the records read.
        read = tuple(Mark(*mark) for mark in marks if mark[0] < offset)
        return cls(offset, stop, TopicIdentity(cluster, topic_id), end, read)

    def to_snapshot(self) -> Snapshot:
        """Return the position as plain values.

        >>> Position(7, None, TopicIdentity("c", "t"), 9, (Mark(6, 77),)).to_snapshot()
        (7, None, 'c', 't', 9, ((6, 77),))
        """
        return (self.offset, self.stop, *self.identity, self.end, tuple(map(tuple, self.marks)))


def time_ms(fetched: Any) -> int:
    """Return the time of a record of kafka-python.

    It is 0 for none, or for one outside of the years 2000 to 2286, which is no time in ms.
    """
    return int(fetched.timestamp) if MIN_AT_MS <= fetched.timestamp <= MAX_AT_MS else 0


def with_mark(marks: tuple[Mark, ...], mark: Mark) -> tuple[Mark, ...]:
    """Append a mark, and drop every second of the older ones when there are many: distances double with the age."""
    marks = (*marks, mark)
    return marks if len(marks) <= MARKS else (*marks[: -MARKS // 2 : 2], *marks[-MARKS // 2 :])
