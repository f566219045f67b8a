"""Topics of a real broker: tests create, grow, fill and trim them."""

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]
from kafka.admin import NewTopic  # type: ignore[import-untyped]
from kafka.errors import KafkaError, TopicAlreadyExistsError  # type: ignore[import-untyped]

from tests.support.conditions import eventually

WAIT_MS = 10_000


class Kafka:
    """Broker at an address."""

    def __init__(self, servers: str) -> None:
        self.servers = servers

    def answers(self) -> bool:
        """Return True if the broker serves requests."""
        try:
            # An admin client that cannot connect leaves its thread behind, so try a socket first.
            socket.create_connection(self._first_server(), timeout=1).close()
            with self._admin(bootstrap_timeout_ms=1_000, request_timeout_ms=1_000) as admin:
                return bool(admin.describe_cluster()["brokers"])
        except (OSError, KafkaError):
            return False

    def create_topic(
        self, partitions: int = 1, config: Mapping[str, str] | None = None, *, name: str | None = None
    ) -> str:
        """Create a topic with a new name, or with that one, and return the name."""
        name = name or f"t-{uuid4().hex[:12]}"
        with self._admin() as admin:
            admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(config or {}))])
            self._wait_for_partitions(admin, name, partitions)
        return name

    def add_partitions(self, topic: str, total: int) -> None:
        """Grow a topic to `total` partitions."""
        with self._admin() as admin:
            admin.create_partitions({topic: total})
            self._wait_for_partitions(admin, topic, total)

    def create_again(self, topic: str, partitions: int = 1) -> None:
        """Delete a topic, and create another one of the same name."""
        with self._admin() as admin:
            admin.delete_topics([topic])

            def created() -> bool:
                with suppress(TopicAlreadyExistsError):
                    admin.create_topics([NewTopic(topic, partitions, 1)])
                    return True
                return False

            eventually(created, within_s=WAIT_MS / 1000, what=f"the deletion of {topic}")
            self._wait_for_partitions(admin, topic, partitions)

    @contextmanager
    def open_transaction(self, topic: str, values: Iterable[bytes], *, partition: int = 0) -> Iterator[None]:
        """Append records in a transaction, which ends by an abort at the end of the context."""
        with self._transaction(topic, values, partition) as producer:
            yield
            producer.abort_transaction()

    @contextmanager
    def member(self, topic: str, group: str) -> Iterator[None]:
        """Hold the membership of another consumer in a group."""
        with KafkaConsumer(topic, bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False) as consumer:
            eventually(lambda: consumer.poll(100) or consumer.assignment(), within_s=WAIT_MS / 1000, what="membership")
            yield

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete a partition's records below `offset`, as retention would."""
        with self._admin() as admin:
            admin.delete_records({TopicPartition(topic, partition): offset})

    def produce(
        self,
        topic: str,
        values: Iterable[bytes | None],
        *,
        partition: int = 0,
        at_ms: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        """Append records to one partition; `at_ms` are their timestamps, `options` those of the producer."""
        with KafkaProducer(bootstrap_servers=self.servers, linger_ms=5, **options) as producer:
            sent = [
                producer.send(topic, value, key=b"k", partition=partition, timestamp_ms=at_ms[n] if at_ms else None)
                for n, value in enumerate(values)
            ]
            for future in sent:
                future.get(WAIT_MS / 1000)

    def produce_transaction(self, topic: str, values: Iterable[bytes], *, partition: int = 0, commit: bool) -> None:
        """Append records to one partition in a transaction, then commit or abort it."""
        with self._transaction(topic, values, partition) as producer:
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()

    @contextmanager
    def _transaction(self, topic: str, values: Iterable[bytes], partition: int) -> Iterator[Any]:
        """Append records in a transaction, and yield its producer."""
        with KafkaProducer(bootstrap_servers=self.servers, transactional_id=f"x-{uuid4().hex}") as producer:
            producer.init_transactions()
            producer.begin_transaction()
            for value in values:
                producer.send(topic, value, partition=partition)
            producer.flush(WAIT_MS / 1000)
            yield producer

    def _first_server(self) -> tuple[str, int]:
        host, _, port = self.servers.split(",")[0].rpartition(":")
        return host, int(port)

    def _admin(self, **options: Any) -> Any:
        return KafkaAdminClient(bootstrap_servers=self.servers, **options)

    @staticmethod
    def _wait_for_partitions(admin: Any, topic: str, total: int) -> None:
        def has_leaders() -> bool:
            partitions = admin.describe_topics([topic])[0]["partitions"]
            return len(partitions) == total and all(each["leader_id"] >= 0 for each in partitions)

        eventually(has_leaders, within_s=WAIT_MS / 1000, what=f"{total} partitions of {topic}")
