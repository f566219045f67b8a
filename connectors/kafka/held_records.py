"""Records that open transactions hold back: their age, and one line in the log while they wait."""

from collections.abc import Mapping
from time import monotonic

from kafka.errors import KafkaError  # type: ignore[import-untyped]

from connectors.kafka.topic_admin import OpenTransaction, TopicAdmin
from connectors.outage import OutageLog
from state.counters import SourceCounters

LOGGED_AFTER_S = 5.0
"""Wait after which records behind an open transaction are logged; a usual transaction ends sooner."""

_DESCRIBED_AFTER_S = 0.5


class HeldRecords:
    """Partitions with a last stable offset that stands still below the end."""

    def __init__(self, address: str, counters: SourceCounters) -> None:
        self._address = address
        self._counters = counters
        self._since: dict[int, tuple[int, float]] = {}
        self._log = OutageLog("source", failed="records_held", recovered="records_released")

    def update(self, admin: TopicAdmin, held: Mapping[int, int], stable: Mapping[int, int]) -> None:
        """Set the age of the oldest open transaction, and log a long wait and its end.

        Args:
            admin: client of the topic.
            held: partition → records behind its last stable offset.
            stable: partition → last stable offset.
        """
        now = monotonic()
        before = self._since
        self._since = {
            number: before[number] if before.get(number, (-1, now))[0] == stable[number] else (stable[number], now)
            for number, records in held.items()
            if records
        }
        waits = {number: now - since for number, (_, since) in self._since.items()}
        longest = max(waits.values(), default=0.0)
        self._counters.transaction_s = self._oldest(admin, waits) if longest >= _DESCRIBED_AFTER_S else 0.0
        if longest < LOGGED_AFTER_S:
            self._log.recovered(address=self._address)
            return
        self._log.failed(
            address=self._address,
            partitions=sorted(waits),
            records=sum(held.values()),
            transaction_s=round(self._counters.transaction_s, 1),
            advice="the records wait for the end of a transaction: end its producer, or abort the transaction",
        )

    @staticmethod
    def _oldest(admin: TopicAdmin, waits: Mapping[int, float]) -> float:
        try:
            described = admin.open_transactions(waits)
        except KafkaError:  # without the right to describe producers, the time since the first look is known
            described = {}
        return max(described.get(number, OpenTransaction(0, waited)).age_s for number, waited in waits.items())
