"""Source of a bounded run in rounds: each partition releases a fixed number of records, then waits for the others.

A round depends on positions alone. So the population versions that follow rounds are the same for any number of
processes, on any machine, and after any restart.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic
from typing import Any, Protocol

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from connectors.rounds.board import RoundBoard
from state.counters import SourceCounters
from state.events.records import Record, RoundEnd

ROUND_RECORDS = 1_000
"""Records of a partition in a round."""
EARLY_ROUND_RECORDS = 250
"""Records of a partition in each of the first `EARLY_ROUNDS` rounds: beliefs of a young population move far."""
EARLY_ROUNDS = 20

Item = Record | RoundEnd
Snapshot = tuple[str, Any, int, int, bool]
"""`TAG`, position of the records, round, released records of the round, and whether the partition has ended."""

TAG = "round"

_LOOK_S = 0.001
"""Shortest time between two looks for an open round."""


def round_records(number: int) -> int:
    """Return the records of a partition in a round.

    >>> round_records(19), round_records(20)
    (250, 1000)
    """
    return EARLY_ROUND_RECORDS if number < EARLY_ROUNDS else ROUND_RECORDS


class Releasing(Protocol):
    """Partition of a bounded source that can release a limited number of records."""

    def take(self, most: int) -> Sequence[Record]:
        """Return up to `most` next records; raise StopIteration at the end."""

    def hold(self) -> None:
        """Note that the partition waits for others: they may pass it in time."""

    def next_awake(self) -> datetime | None:
        """Return the time of the next `take`; None: at once."""

    def snapshot(self) -> Any:
        """Return the position."""

    def close(self) -> None:
        """Release resources."""


class SourceInRounds(FixedPartitionedSource[Item, Snapshot]):
    """A bounded source, in rounds. The last item of a partition in a round is a `RoundEnd`."""

    def __init__(
        self, source: FixedPartitionedSource[Record, Any], board: RoundBoard, stop: Event, counters: SourceCounters
    ) -> None:
        self._source = source
        self._board = board
        self._stop = stop
        self._counters = counters
        self._partitions = 0

    def list_parts(self) -> list[str]:
        """Return the names of the partitions; Bytewax asks once all processes are connected, which is progress."""
        self._counters.progressed_at = monotonic()
        parts = self._source.list_parts()
        self._partitions = len(parts)
        return parts

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot | None) -> "PartitionInRounds":
        """Build a partition; a position without rounds, of an earlier version, begins with round 0."""
        position = without_round(resume_state)
        within = None if position is resume_state else resume_state
        part: Any = self._source.build_part(step_id, for_part, position)
        end = RoundEnd(for_part, self._partitions, 0, is_last=False)
        return PartitionInRounds(part, end, self._board, self._stop, within)


def without_round(snapshot: Any) -> Any:
    """Return the position of the records in a snapshot with or without rounds.

    >>> without_round((TAG, (42, None), 3, 10, False)), without_round((42, None)), without_round(None)
    ((42, None), (42, None), None)
    """
    return snapshot[1] if isinstance(snapshot, tuple) and snapshot[0] == TAG else snapshot


class PartitionInRounds(StatefulSourcePartition[Item, Snapshot]):
    """One partition, which waits for the next round after `ROUND_RECORDS` records or at its end."""

    def __init__(
        self, part: Releasing, end: RoundEnd, board: RoundBoard, stop: Event, resume_at: Snapshot | None
    ) -> None:
        self._part = part
        self._end = end
        self._board = board
        self._stop = stop
        _, _, self._round, self._released, self._has_ended = resume_at or (TAG, None, 0, 0, False)
        self._joins = self._has_ended
        """An earlier run read to the end: the partition takes part in the open round, as it may have grown."""
        self._has_ended = False

    def next_batch(self) -> list[Item]:
        """Return the next records of the open round, with its end behind the last one; none before it opens."""
        if self._stop.is_set() or self._has_ended:
            raise StopIteration
        if not self._is_open():
            self._part.hold()
            return []
        try:
            records = list[Item](self._part.take(round_records(self._round) - self._released))
        except StopIteration:
            if self._stop.is_set():
                raise
            self._has_ended = True
            return [self._end._replace(round=self._round, is_last=True)]
        self._released += len(records)
        if self._released == round_records(self._round):
            records.append(self._end._replace(round=self._round))
            self._round, self._released = self._round + 1, 0
        return records

    def _is_open(self) -> bool:
        board = self._board
        if self._joins:
            if not board.is_announced:
                board.look()
            if not board.is_announced:
                return False
            self._joins, self._round, self._released = False, board.opened, 0
        if self._round > board.opened:
            board.look()
        return self._round <= board.opened

    def next_awake(self) -> datetime | None:
        """Return the time of the next look for an open round, or that of the partition."""
        if self._joins or self._round > self._board.opened:
            return datetime.now(UTC) + timedelta(seconds=max(_LOOK_S, self._board.pause_s))
        return self._part.next_awake()

    def snapshot(self) -> Snapshot:
        """Return the position within the round."""
        return TAG, self._part.snapshot(), self._round, self._released, self._has_ended or self._joins

    def close(self) -> None:
        """Close the partition."""
        self._part.close()
