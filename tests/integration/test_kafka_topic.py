"""tacit/sender/kafka_topic: an emitter's events in a real topic, in the order of each user."""

import threading

import pytest
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

from tacit import ControlEvents, Emitter, Turn, decode_event
from tacit.sender.destination import DeliveryError, EncodedEvent, Outcome
from tacit.sender.kafka_topic import KafkaTopic
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.kafka_topics import Kafka

pytestmark = KAFKA_TEST

PARTITIONS = 3


def records(kafka: Kafka, topic: str, count: int) -> list[list[tuple[bytes, bytes]]]:
    """Return key and value of each record, by partition."""
    found: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
    with KafkaConsumer(bootstrap_servers=kafka.servers) as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        consumer.seek_to_beginning()

        def read() -> bool:
            for partition, batch in consumer.poll(100).items():
                found[partition.partition] += [(record.key, record.value) for record in batch]
            return sum(map(len, found)) >= count

        eventually(read, within_s=20, what="the records")
    return found


def test_events_of_a_user_are_one_ordered_partition(kafka: Kafka) -> None:
    """Keyed by the user id."""
    topic = kafka.create_topic(PARTITIONS)
    with Emitter(KafkaTopic([kafka.servers], topic)) as emitter:
        for number in range(900):
            emitter.send(Turn(f"user-{number % 9}", "eu", "t", {}).event(event_id=str(number)))
        assert emitter.flush(20)
        assert emitter.counts() == (0, 900, 0, 0, {})
    found = records(kafka, topic, 900)
    assert all(found)
    for partition in found:
        users: dict[bytes, list[int]] = {}
        for key, value in partition:
            event = decode_event(value)
            assert event.user_id.encode() == key
            users.setdefault(key, []).append(int(event.event_id))
        assert all(numbers == sorted(numbers) and len(numbers) == 100 for numbers in users.values())


def test_record_that_a_topic_never_takes_is_rejected(kafka: Kafka) -> None:
    """The others of its batch are accepted."""
    topic = kafka.create_topic(PARTITIONS, config={"max.message.bytes": "1000"})
    way = KafkaTopic([kafka.servers], topic)
    outcomes = way.deliver([EncodedEvent(b"ada", data, False) for data in (b"{}", b"x" * 3000, b"x" * 2_000_000)])
    way.close()
    assert [outcome.state for outcome in outcomes] == ["accepted", "rejected", "rejected"]
    assert outcomes[1] == Outcome("rejected", "too_large")


def test_missing_topic_is_a_failure(kafka: Kafka) -> None:
    """Within the limit; the topic may come later."""
    way = KafkaTopic([kafka.servers], "nowhere", max_block_ms=500)
    with pytest.raises(DeliveryError, match="kafka: KafkaTimeoutError"):
        way.deliver([EncodedEvent(b"ada", b"{}", False)])


def test_failed_deliveries_leave_no_thread(broker: Broker) -> None:
    """Each makes a producer, and the records of a broker that does not answer are in flight at its end."""
    topic, before = broker.create_topic(PARTITIONS), {*threading.enumerate()}
    way = KafkaTopic([broker.servers], topic)
    way.deliver([EncodedEvent(b"ada", b"{}", False)])
    broker.pause()
    way._sent(EncodedEvent(b"ada", b"{}", False))
    way.close()
    eventually(lambda: not {*threading.enumerate()} - before, within_s=5, what="the end of the thread")


def test_killed_broker_costs_no_event(broker: Broker) -> None:
    """The events wait until it is back."""
    topic = broker.create_topic(PARTITIONS)
    decide = ControlEvents("eu")
    with Emitter(KafkaTopic([broker.servers], topic, delivery_timeout_ms=2_000, request_timeout_ms=1_000)) as emitter:
        emitter.send(decide.forget("ada", event_id="before"))
        assert emitter.flush(20)
        broker.kill()
        emitter.send(decide.forget("ada", event_id="after"))
        eventually(lambda: emitter.counts().retried, within_s=30, what="a failed delivery")
        broker.start()
        assert emitter.flush(60)
    ids = [decode_event(value).event_id for partition in records(broker, topic, 2) for _, value in partition]
    assert ids == ["before", "after"]
