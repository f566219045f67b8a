"""Offsets of a consumer group, for tools that show its lag. Nothing reads them back: positions come from the state."""

from threading import Lock
from time import monotonic

from kafka.errors import KafkaError, RetriableError  # type: ignore[import-untyped]

from connectors.kafka.topic_admin import TopicAdmin
from connectors.outage import OutageLog

LOGGED_AFTER_S = 10.0
"""Time after which a failure that can pass is logged: a coordinator moves, and a new cluster has none at first."""


class GroupOffsets:
    """Next offsets of completed checkpoints, committed to a consumer group; a failure never stops a run.

    Args:
        group: name of the group; None: nothing is committed.
    """

    def __init__(self, group: str | None) -> None:
        self._group = group
        self._taken: dict[int, int] = {}
        self._completed: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._changing = Lock()  # workers complete checkpoints while the watcher commits
        self._outages = OutageLog("group")
        self._failing_since: float | None = None

    def take(self, partition: int, offset: int) -> None:
        """Note the next offset in a snapshot, which is no checkpoint yet."""
        if self._group is not None:
            with self._changing:
                self._taken[partition] = offset

    def complete(self, partition: int) -> None:
        """Note that the last snapshot belongs to a completed checkpoint, as the partition is read again."""
        if self._taken:
            with self._changing:
                self._completed |= {partition: self._taken.pop(partition)} if partition in self._taken else {}

    def complete_all(self) -> None:
        """Note that the last snapshot of each partition belongs to a completed checkpoint."""
        for partition in list(self._taken):
            self.complete(partition)

    @property
    def pending(self) -> dict[int, int]:
        """Offsets that are not committed yet, by partition."""
        with self._changing:
            return {number: at for number, at in self._completed.items() if self._committed.get(number) != at}

    def commit(self, admin: TopicAdmin) -> bool:
        """Commit the pending offsets; return False after a failure, which is logged once."""
        pending = self.pending
        if self._group is None or not pending:
            return True
        try:
            admin.commit(self._group, pending)
        except KafkaError as error:
            now = monotonic()
            self._failing_since = self._failing_since or now
            if not isinstance(error, RetriableError) or now - self._failing_since > LOGGED_AFTER_S:
                self._outages.failed(group=self._group, error=type(error).__name__)
            return False
        self._failing_since = None
        self._outages.recovered(group=self._group)
        self._committed |= pending
        return True
