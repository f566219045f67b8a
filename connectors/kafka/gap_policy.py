"""Policy at a gap: stop with an error, or count the gap and continue behind it."""

from collections.abc import Sequence

import structlog

from connectors.kafka.address import TopicAddress
from connectors.kafka.common_history import last_common
from connectors.kafka.gaps import Gap, gap_error
from connectors.kafka.offsets import OffsetRange
from connectors.kafka.positions import Position, TopicIdentity
from state.counters import SourceCounters

_log = structlog.get_logger(__name__)


class GapPolicy:
    """Decision of an operator about gaps: they end the run, or are counted and passed over.

    Args:
        address: the topic.
        counters: counters of the source.
        continues: True: pass over gaps.
    """

    def __init__(self, address: TopicAddress, counters: SourceCounters, *, continues: bool) -> None:
        self.continues = continues
        self._address = address
        self._counters = counters

    def refuse(self, gaps: Sequence[Gap]) -> None:
        """Raise the error of a run that stops at gaps; without a gap, do nothing.

        Raises:
            GapError: names all gaps.
        """
        if gaps:
            raise gap_error(self._address, gaps)

    def located(self, gap: Gap, position: Position, held: OffsetRange) -> Gap:
        """Return the gap; one of a changed history begins after the last common record.

        Raises:
            SourceError: the topic cannot be read.
        """
        if not gap.is_change_of_history:
            return gap
        common = last_common(self._address, gap.partition, position.marks, held)
        return gap if common is None else gap.after(common, position)

    def pass_over(self, gap: Gap, position: Position, held: OffsetRange, identity: TopicIdentity) -> Position:
        """Count and log a gap; return the position behind it."""
        self._counters.gaps[gap.reason] += gap.missing
        _log.warning(
            "source.gap_passed",
            address=str(self._address),
            partition=gap.partition,
            reason=str(gap.reason),
            missing=gap.missing,
            resumed_at=gap.resume_at,
            detail=gap.text,
        )
        read = tuple(mark for mark in position.marks if mark.offset < gap.resume_at)
        return Position(gap.resume_at, gap.stop, identity, held.end, read if gap.is_change_of_history else ())
