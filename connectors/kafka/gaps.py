"""Gaps: records between a position and the topic that Kafka holds now, and the place to continue."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Self

from connectors.kafka.offsets import OffsetRange
from connectors.kafka.positions import Position, TopicIdentity
from state.errors import GapError

REMEDY = (
    "Look into the history of the topic; --on-gap continue accepts the loss, counts it and continues as stated, and a "
    "new state folder starts over"
)


class GapReason(StrEnum):
    """Reason of a gap."""

    RECREATED = "recreated"
    """The topic was deleted and created again."""
    OTHER_CLUSTER = "other_cluster"
    """The address leads to another cluster."""
    EXPIRED = "expired"
    """Kafka deleted records before they were read: the retention, or a command."""
    TRUNCATED = "truncated"
    """The partition ends before the position: an unclean leader election, or a restored backup."""
    REPLACED = "replaced"
    """Other records are at offsets that were read."""


class Gap(NamedTuple):
    """Gap of one partition."""

    reason: GapReason
    partition: int
    missing: int
    """Records that are lost: not read, or read and no longer in Kafka."""
    resume_at: int
    """Offset at which a read continues after the gap."""
    stop: int | None
    """Stop of a read that continues after the gap."""
    text: str

    @property
    def is_change_of_history(self) -> bool:
        """True if other records took the place of records that were read."""
        return self.reason in {GapReason.TRUNCATED, GapReason.REPLACED}

    def after(self, offset: int, position: Position) -> Self:
        """Return the gap of a change of history after the last common record, at an offset."""
        lost = position.offset - offset - 1
        return self._replace(resume_at=offset + 1, missing=max(self.missing, lost))


def find_gap(position: Position, held: OffsetRange, identity: TopicIdentity, partition: int) -> Gap | None:
    """Return the gap between a position and a partition of today; None if the read continues without one."""
    if reason := _changed(position.identity, identity):
        return _other_topic(reason, position, held, identity, partition)
    offset, stop = position.offset, position.stop
    if offset > held.end:
        return _truncated(position, held, partition)
    if offset < held.begin and not (stop is not None and offset >= stop):
        resume_at = held.begin if stop is None else min(held.begin, stop)
        missing = resume_at - offset
        text = f"{_where(offset, held)}: Kafka deleted {missing:,} records before they were read, by its retention"
        return Gap(GapReason.EXPIRED, partition, missing, resume_at, stop, text)
    return None


def replaced(position: Position, held: OffsetRange, partition: int) -> Gap:
    """Return the gap of a partition with other records at offsets that were read."""
    text = (
        f"{_where(position.offset, held)}: other records are at offsets that were read, at least 1, as after an "
        "unclean leader election or a restored backup"
    )
    return Gap(GapReason.REPLACED, partition, 1, held.begin, _stop(position, held), text)


def gap_error(topic: object, gaps: Sequence[Gap]) -> GapError:
    """Return the error of a read that stops at gaps."""
    found = "; ".join(
        f"partition {gap.partition}: {gap.text}; a read that continues starts at offset {gap.resume_at}" for gap in gaps
    )
    return GapError(f"{topic}, {found}. {REMEDY}")


def _changed(saved: TopicIdentity, found: TopicIdentity) -> GapReason | None:
    if saved.cluster and found.cluster and saved.cluster != found.cluster:
        return GapReason.OTHER_CLUSTER
    if saved.topic_id and found.topic_id and saved.topic_id != found.topic_id:
        return GapReason.RECREATED
    return None


def _other_topic(
    reason: GapReason, position: Position, held: OffsetRange, identity: TopicIdentity, partition: int
) -> Gap:
    last = position.end if position.stop is None else position.stop
    missing = max(0, last - position.offset)
    if reason is GapReason.RECREATED:
        change = f"the topic was deleted and created again (id {position.identity.topic_id}, now {identity.topic_id})"
    else:
        change = f"the address leads to another cluster (id {position.identity.cluster}, now {identity.cluster})"
    unread = f"at least {missing:,}" if missing else "none that is known"
    text = (
        f"{change}; records that were not read: {unread} of the earlier topic after offset {position.offset}, and all "
        f"{held.end - held.begin:,} of the present one"
    )
    return Gap(reason, partition, missing, held.begin, _stop(position, held), text)


def _truncated(position: Position, held: OffsetRange, partition: int) -> Gap:
    missing = position.offset - held.end
    cause = "an unclean leader election or a restored backup"
    if not position.identity.topic_id:
        cause += ", or a topic that was deleted and created again"
    text = f"{_where(position.offset, held)}: {missing:,} records that were read are no longer there, as after {cause}"
    return Gap(GapReason.TRUNCATED, partition, missing, held.begin, _stop(position, held), text)


def _stop(position: Position, held: OffsetRange) -> int | None:
    """Return the stop after a change of the offsets' meaning: the end of today."""
    return None if position.stop is None else held.end


def _where(offset: int, held: OffsetRange) -> str:
    return f"the next offset to read is {offset}, but Kafka holds {held.begin} to {held.end}"
