"""Administration of one topic: identity, ends, open transactions and the offsets of a consumer group."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self
from uuid import UUID

from kafka import KafkaAdminClient, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaError, for_code  # type: ignore[import-untyped]
from kafka.protocol.consumer import IsolationLevel, OffsetSpec  # type: ignore[import-untyped]
from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress, admin_options
from connectors.kafka.offsets import source_errors
from connectors.kafka.positions import TopicIdentity


class Topic(NamedTuple):
    """Topic as its brokers describe it."""

    topic_id: str
    """Id that no other topic ever has; empty: the broker has none."""
    partitions: int


class OpenTransaction(NamedTuple):
    """The oldest open transaction of a partition."""

    offset: int
    """Offset of its first record; records from there on wait for its end."""
    age_s: float


class TopicAdmin:
    """Admin client of one topic. Methods raise errors of kafka-python.

    Args:
        address: the topic.
        request_ms: time limit of a request; None: that of all clients.
    """

    def __init__(self, address: TopicAddress, request_ms: int | None = None) -> None:
        options = admin_options(address)
        if request_ms is not None:
            options |= {"request_timeout_ms": request_ms}
        self._topic = address.topic
        self._client = _opened(options)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def describe(self) -> Topic:
        """Return id and number of partitions."""
        (found,) = self._client.describe_topics([self._topic])
        if found["error_code"]:
            raise for_code(found["error_code"])(self._topic)
        topic_id = found.get("topic_id")
        return Topic(
            "" if topic_id is None or UUID(str(topic_id)).int == 0 else str(topic_id), len(found["partitions"])
        )

    def cluster(self) -> str:
        """Return the id of the cluster; empty if it has none."""
        return str(self._client.describe_cluster().get("cluster_id") or "")

    def identity(self) -> TopicIdentity:
        """Return the ids of cluster and topic."""
        return TopicIdentity(self.cluster(), self.describe().topic_id)

    def high_watermarks(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the offset behind the newest record of each partition, open transactions included."""
        return self._ends(partitions, IsolationLevel.READ_UNCOMMITTED)

    def stable_ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the last stable offset of each partition: an open transaction begins there, if there is one."""
        return self._ends(partitions, IsolationLevel.READ_COMMITTED)

    def open_transactions(self, partitions: Iterable[int]) -> dict[int, OpenTransaction]:
        """Return the oldest open transaction of each partition that has one.

        The age is that of the transaction, or of its newest record if the rights to describe transactions are missing.
        """
        described = self._client.describe_producers([TopicPartition(self._topic, number) for number in partitions])
        oldest = {
            place.partition: min(opened, key=lambda each: int(each.current_transaction_start_offset))
            for place, state in described.items()
            if (opened := [each for each in state.active_producers if each.current_transaction_start_offset >= 0])
        }
        starts = self._transaction_starts({int(each.producer_id) for each in oldest.values()})
        now_ms = time.time() * 1000
        return {
            number: OpenTransaction(
                int(each.current_transaction_start_offset),
                max(0.0, now_ms - starts.get(int(each.producer_id), int(each.last_timestamp))) / 1000,
            )
            for number, each in oldest.items()
        }

    def commit(self, group: str, offsets: Mapping[int, int]) -> None:
        """Commit the next offset of partitions to a consumer group without members."""
        found = self._client.alter_group_offsets(
            group,
            {
                TopicPartition(self._topic, number): OffsetAndMetadata(offset, "", -1)
                for number, offset in offsets.items()
            },
        )
        for error in found.values():
            if error.errno:
                raise error(group)

    def _ends(self, partitions: Iterable[int], isolation: IsolationLevel) -> dict[int, int]:
        places = {TopicPartition(self._topic, number): OffsetSpec.LATEST for number in partitions}
        found = self._client.list_partition_offsets(places, isolation_level=isolation)
        return {place.partition: end.offset for place, end in found.items()}

    def _transaction_starts(self, producers: set[int]) -> dict[int, int]:
        """Return the start of producers' open transactions in epoch ms; a missing one is not known."""
        starts: dict[int, int] = {}
        with suppress(KafkaError):  # without the right to describe transactions
            listed = self._client.list_transactions(producer_id_filters=sorted(producers)) if producers else {}
            names = [each.transactional_id for found in listed.values() for each in found]
            for each in self._client.describe_transactions(names).values():
                if each.transaction_start_time_ms > 0:
                    starts[int(each.producer_id)] = int(each.transaction_start_time_ms)
        return starts


class TopicLook(NamedTuple):
    """One look at a topic."""

    identity: TopicIdentity
    held: dict[int, int]
    """Partition → records behind the start of an open transaction, more than 0."""
    transactions: dict[int, OpenTransaction]
    """Partition → the oldest open transaction, as far as it can be described."""

    @property
    def held_text(self) -> str:
        """Sentence about the records that wait; empty without one."""
        if not self.held:
            return ""
        ages = [each.age_s for each in self.transactions.values()]
        since = f" that is open for {max(ages):,.0f} s" if ages else ""
        numbers = ", ".join(map(str, sorted(self.held)))
        return (
            f"{sum(self.held.values()):,} records of partition {numbers} wait behind a transaction{since}: "
            "end the producer, or abort it by kafka-transactions.sh"
        )


NO_LOOK = TopicLook(TopicIdentity(), {}, {})
"""Look at nothing yet."""


def look_at(address: TopicAddress) -> TopicLook:
    """Return the identity of a topic, and the records that open transactions hold back.

    Raises:
        SourceError: no broker answers in time, or the topic is missing or unreadable.
    """
    with source_errors(address), TopicAdmin(address) as admin:
        topic = admin.describe()
        numbers = range(topic.partitions)
        held = _held(admin.stable_ends(numbers), admin.high_watermarks(numbers))
        transactions = {}
        with suppress(KafkaError):  # the age needs more rights than a read
            transactions = admin.open_transactions(held) if held else {}
        return TopicLook(TopicIdentity(admin.cluster(), topic.topic_id), held, transactions)


def _held(stable: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
    return {number: ends[number] - end for number, end in stable.items() if ends[number] > end}


def _opened(options: Mapping[str, Any]) -> Any:
    """Return a connected client; a client of kafka-python 3.0.12 that cannot connect would leave its thread behind."""
    client = KafkaAdminClient.__new__(KafkaAdminClient)
    try:
        client.__init__(**options)
    except BaseException:
        client._client.close()
        client._net.stop()
        raise
    return client
